//! `toolgate policy show`: the merged grid over all layers, and what its lists, packs, labels,
//! limits and budgets are.

use super::{Asked, Outcome, Ready};
use crate::author::show::{Row, Shown, ShownList, labels, limit_text, unattended};
use crate::cli::audit::paint_of;
use crate::cli::out;
use crate::cli::show::{Paint, colour, paint, plain};
use crate::policy::builtin::{Protected, pack};
use crate::policy::canonical::sha256;
use crate::policy::compile;
use crate::policy::diagnostic::ascii;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    asked: Asked,
    /// The same as --policy
    files: Vec<PathBuf>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Only what the built-in lists and packs hold
    #[arg(long, conflicts_with = "format")]
    lists: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// For people
    Table,
    /// One JSON object
    Json,
    /// The rows of the grid, one JSON object a line
    Jsonl,
    /// The rows of the grid, for a spreadsheet
    Csv,
    /// The text that the policy's digest is of
    Canonical,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let Ready { sources, bound, redactor } = arguments.asked.read_with(&arguments.files)?;
    let compiled = compile(&sources, &bound.anchors, &Protected::default());
    let policy = compiled.policy.as_ref().ok_or("the policy does not load")?;
    let shown = Shown { sources: &sources, compiled: &compiled, policy, redactor: &redactor };
    let text = match arguments.format {
        Format::Table => {
            Screen { shown: &shown, colour: colour(), out: String::new() }.whole(arguments.lists)
        }
        Format::Json => format!("{}\n", ascii(&format!("{:#}", shown.json()))),
        Format::Jsonl => {
            let line = |row: &Row| format!("{}\n", ascii(&row.json().to_string()));
            shown.rows().iter().map(line).collect()
        }
        Format::Csv => shown.csv(),
        Format::Canonical => compiled.canonical.clone(),
    };
    out::text(&text);
    Ok(Outcome::Fine)
}

/// The policy for people.
struct Screen<'a> {
    shown: &'a Shown<'a>,
    colour: bool,
    out: String,
}

/// The widest a column of the grid grows, but for the last.
const COLUMN_CHARS_MAX: usize = 60;

impl Screen<'_> {
    fn whole(mut self, only_lists: bool) -> String {
        if !only_lists {
            self.header();
            self.grid();
            self.state();
            for list in self.shown.lists() {
                self.list(&list);
            }
        }
        for list in self.shown.built_in() {
            self.list(&list);
        }
        for (kind, name) in self.shown.packs() {
            let digest = sha256(pack(&name).unwrap_or_default());
            self.title(&format!("pack {name} ({} layer), sha256:{digest}", kind.as_str()));
            let rows = self.shown.rows();
            for row in rows.iter().filter(|row| row.file == name && row.layer == kind.as_str()) {
                self.line(&format!("  {} {}: {}", row.effect, row.verb, row.pattern));
            }
        }
        self.out
    }

    /// One line; whatever the policy holds, it moves no cursor.
    fn line(&mut self, text: &str) {
        self.out.push_str(plain(text).trim_end());
        self.out.push('\n');
    }

    fn title(&mut self, text: &str) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.line(text);
    }

    fn header(&mut self) {
        let policy = self.shown.policy;
        self.line(&format!("{}  sha256:{}", policy.id.name, policy.id.sha256));
        for layer in &policy.layers {
            let (default, opaque) = (layer.default.verdict(), layer.opaque.verdict());
            self.line(&format!(
                "{} layer ({}): default {default}, opaque {opaque}, unattended {}; {} rules",
                layer.kind.as_str(),
                layer.power.as_str(),
                unattended(layer.unattended),
                layer.rules.len()
            ));
            for (kind, source, document, refused) in self.shown.files() {
                if kind != layer.kind {
                    continue;
                }
                let mut words = vec![source.name.clone()];
                words.extend(document.layers.iter().map(|(below, power)| {
                    format!("{} may {}", below.as_str(), power.value.as_str())
                }));
                words.extend(document.header.signers.iter().map(|s| format!("signer {}", s.value)));
                if refused {
                    words.push("refused: it uses a label against a layer above".to_owned());
                }
                self.line(&format!("  {}", words.join(", ")));
            }
        }
        for notice in &policy.notices {
            self.line(&format!("note: {notice}"));
        }
    }

    fn grid(&mut self) {
        let rows = self.shown.rows();
        let cells: Vec<[String; 6]> = rows.iter().map(cells).collect();
        let names = ["VERB", "EFFECT", "PATTERN", "LAYER", "RULE", "WHERE"].map(str::to_owned);
        let mut widths = names.clone().map(|name| name.len());
        for cells in &cells {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.chars().count()).min(COLUMN_CHARS_MAX);
            }
        }
        let padded = |cells: &[String; 6]| {
            let padded = cells.iter().zip(widths);
            padded.map(|(cell, width)| format!("{cell:<width$}")).collect::<Vec<_>>()
        };
        self.out.push('\n');
        let head = format!("{}  BESIDES", padded(&names).join("  "));
        self.out.push_str(&format!("{}\n", paint(&head, Paint::Dim, self.colour)));
        for (row, cells) in rows.iter().zip(&cells) {
            let mut padded = padded(cells);
            if let Some(effect) = padded.get_mut(1) {
                *effect = paint(effect, paint_of(row.effect), self.colour);
            }
            let mut besides = row.conditions.clone();
            besides.extend(row.ignored.map(|why| format!("IGNORED: {why}")));
            let line = format!("{}  {}", padded.join("  "), plain(&besides.join("; ")));
            self.out.push_str(&format!("{}\n", line.trim_end()));
        }
        self.line(
            "The policy files, the wiring of the hooks, the log and the sockets are denied to",
        );
        self.line("every agent besides: that is built in.");
    }

    /// Labels, limits, budgets, tools and servers.
    fn state(&mut self) {
        let policy = self.shown.policy;
        let labels = labels(self.shown);
        if !labels.is_empty() {
            self.title("labels");
        }
        for label in labels {
            let mut words = vec![format!("  {} ({})", label.family, label.polarity)];
            for (what, rules) in [
                ("marked by", &label.marked_by),
                ("unmarked by", &label.unmarked_by),
                ("read by", &label.read_by),
                ("set by an operator as", &label.external),
            ] {
                if !rules.is_empty() {
                    words.push(format!("{what} {}", rules.join(" ")));
                }
            }
            self.line(&words.join(", "));
        }
        if !policy.limits.is_empty() {
            self.title("limits");
        }
        for limit in &policy.limits {
            self.line(&format!("  {}: {}", limit.rule, limit_text(&limit.terms)));
        }
        if !policy.budgets.is_empty() {
            self.title("budgets");
        }
        for budget in &policy.budgets {
            let terms = crate::author::explain::budget_terms(&budget.terms);
            let terms: Vec<String> = terms
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| format!("{name} {value}"))
                .collect();
            self.line(&format!("  {}: {}", budget.policy, terms.join(", ")));
        }
        self.tools();
    }

    fn tools(&mut self) {
        if !self.shown.policy.tools.is_empty() {
            self.title("tools");
        }
        for row in &self.shown.policy.tools {
            let arguments: Vec<String> =
                row.arguments.iter().map(|(verb, name)| format!("{verb} args.{name}")).collect();
            let (tool, layer) = (row.tool.as_str(), row.layer.as_str());
            self.line(&format!("  {tool} ({layer}): {}", arguments.join(", ")));
        }
        let files = self.shown.files().map(|(kind, _, document, _)| (kind, document));
        let servers: Vec<String> = files
            .flat_map(|(kind, document)| document.servers.iter().map(move |one| (kind, one)))
            .map(|(kind, server)| {
                let mut words = vec![format!("  {} ({})", server.name.value, kind.as_str())];
                words.extend((!server.command.is_empty()).then(|| server.command.join(" ")));
                words.extend(server.url.clone());
                words.extend(server.pin.map(|pin| format!("pin {pin}")));
                words.extend(server.on_change.map(|change| format!("on change {change}")));
                words.join(", ")
            })
            .collect();
        if !servers.is_empty() {
            self.title("MCP servers");
        }
        servers.iter().for_each(|server| self.line(server));
    }

    fn list(&mut self, list: &ShownList) {
        let of = match (&list.file, list.open) {
            (None, _) => "built in".to_owned(),
            (Some(file), false) => file.clone(),
            (Some(file), true) => format!("{file}, open to the layers below"),
        };
        self.title(&format!("${} ({of})", list.name));
        for entry in &list.entries {
            self.line(&format!("  {entry}"));
        }
        for (entry, file) in &list.added {
            self.line(&format!("  {entry}  (added by {file})"));
        }
    }
}

fn cells(row: &Row) -> [String; 6] {
    let rule = if row.of_grid { "(grid)" } else { row.rule.as_str() };
    let place = format!("{}:{}", row.file, row.line);
    [row.verb, row.effect, &row.pattern, row.layer, rule, &place].map(plain)
}
