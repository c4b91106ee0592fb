//! The merged policy as a table: every verb by every effect over all layers, with what its lists,
//! packs, labels, limits and budgets are (`policy show`).
//!
//! Rows come from what was written, in the order of the grid; the digest and the layers' words from
//! what was compiled. A row that is not in force says so.

mod labels;

use super::explain::budget_terms;
use crate::model::json::Json;
use crate::model::time::Moment;
use crate::policy::Source;
use crate::policy::builtin::{self, NAMES, pack};
use crate::policy::canonical::sha256;
use crate::policy::compile::Compiled;
use crate::policy::diagnostic::{Lines, seen};
use crate::policy::document::{self, At, Document, LimitText, Phase, RuleText};
use crate::policy::rule::{LayerKind, Policy, Power, Says};
use crate::redact::Redactor;
use serde_json::json;

pub use labels::{ShownLabel, labels};

/// One cell of the grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// `read` to `call`, or `output`.
    pub verb: &'static str,
    /// What the rule says.
    pub effect: &'static str,
    /// The pattern, as it is written.
    pub pattern: String,
    /// Whose it is.
    pub layer: &'static str,
    /// The rule's id.
    pub rule: String,
    /// It is an entry of the grid, whose id says nothing more than the row.
    pub of_grid: bool,
    /// Where it stands.
    pub file: String,
    /// The line there, from 1.
    pub line: usize,
    /// All that the rule says besides, in short: `unless ...`, `when ...`, `limit ...`.
    pub conditions: Vec<String>,
    /// Why it is not in force, if it is not.
    pub ignored: Option<&'static str>,
}

/// A policy that can be shown.
pub struct Shown<'a> {
    /// What was read.
    pub sources: &'a [Source],
    /// What it was compiled to.
    pub compiled: &'a Compiled,
    /// The policy of it.
    pub policy: &'a Policy,
    /// Knows what `$keys` holds.
    pub redactor: &'a Redactor,
}

/// A list with its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownList {
    /// Its name, without the `$`.
    pub name: String,
    /// The file that names it; nothing for a built-in one.
    pub file: Option<String>,
    /// Whether lower layers may add to it.
    pub open: bool,
    /// Its entries, as they are written.
    pub entries: Vec<String>,
    /// What lower layers add: the entry, and the file that adds it.
    pub added: Vec<(String, String)>,
}

impl Shown<'_> {
    /// The files, those of the upper layers first, with their layers.
    pub fn files(&self) -> impl Iterator<Item = (LayerKind, &Source, &Document, bool)> {
        self.compiled.layering.order().into_iter().filter_map(|file| {
            let (source, document) = (self.sources.get(file)?, self.compiled.documents.get(file)?);
            let refused = self.compiled.refused.contains(&file);
            Some((self.compiled.layering.kind(file), source, document, refused))
        })
    }

    /// Every row, in the order of the grid: verb, then the strictest first, then the upper layers.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (kind, source, document, refused) in self.files() {
            let power = self.compiled.layering.power(kind);
            let lines = Lines::of(&source.text);
            for rule in &document.rules {
                let ignored = match (refused, power, rule.says) {
                    (true, ..) => Some("its file is refused"),
                    (_, Power::Tighten, Says::Effect(crate::model::effect::Effect::Allow)) => {
                        Some("its layer may only tighten")
                    }
                    _ => None,
                };
                of_rule(rule, kind, (&source.name, &lines), ignored, &mut rows);
            }
            for server in document.servers.iter().filter(|_| !refused) {
                rows.push(of_server(&server.name, kind, (&source.name, &lines)));
            }
        }
        for (kind, name) in self.packs() {
            let text = pack(&name).unwrap_or_default();
            let lines = Lines::of(text);
            for rule in &document::read(&name, text).0.rules {
                of_rule(rule, kind, (&name, &lines), None, &mut rows);
            }
        }
        rows.sort_by_cached_key(|row| (verb_rank(row.verb), effect_rank(row.effect)));
        rows
    }

    /// The packs, each with the layer that includes it.
    #[must_use]
    pub fn packs(&self) -> Vec<(LayerKind, String)> {
        let mut packs = Vec::new();
        for (kind, _, document, refused) in self.files() {
            for name in document.header.include.iter().filter(|_| !refused) {
                let one = (kind, name.value.clone());
                if !packs.contains(&one) {
                    packs.push(one);
                }
            }
        }
        packs
    }

    /// The lists that the files name.
    #[must_use]
    pub fn lists(&self) -> Vec<ShownList> {
        let mut lists = Vec::new();
        for (file, source) in self.sources.iter().enumerate() {
            let Some(document) = self.compiled.documents.get(file) else { continue };
            let texts = |values: &[At<String>]| values.iter().map(|v| v.value.clone()).collect();
            for (name, values) in &document.lists {
                lists.push(ShownList {
                    name: name.value.clone(),
                    file: Some(source.name.clone()),
                    open: false,
                    entries: texts(values),
                    added: Vec::new(),
                });
            }
            for (name, values) in &document.open {
                let added = self.compiled.layering.additions(file, &name.value).iter();
                let from = |file: usize| {
                    self.sources.get(file).map(|s| s.name.clone()).unwrap_or_default()
                };
                lists.push(ShownList {
                    name: name.value.clone(),
                    file: Some(source.name.clone()),
                    open: true,
                    entries: texts(values),
                    added: added.map(|(file, at)| (at.value.clone(), from(*file))).collect(),
                });
            }
        }
        lists
    }

    /// The lists that the language brings along, and what `$keys` looks for.
    #[must_use]
    pub fn built_in(&self) -> Vec<ShownList> {
        let list = |name: &&'static str| {
            let entries: Vec<String> = match (*name, builtin::list(name)) {
                (_, Some(entries)) => entries.iter().map(|entry| (*entry).to_owned()).collect(),
                ("keys", None) => self.redactor.detector_ids().map(str::to_owned).collect(),
                (_, None) => return None,
            };
            let name = (*name).to_owned();
            Some(ShownList { name, file: None, open: false, entries, added: Vec::new() })
        };
        NAMES.iter().filter_map(list).collect()
    }

    /// All of it as one JSON object.
    #[must_use]
    pub fn json(&self) -> Json {
        let policy = self.policy;
        let layers = policy.layers.iter().map(|layer| {
            json!({
                "layer": layer.kind.as_str(), "power": layer.power.as_str(), "name": layer.name,
                "default": layer.default.verdict().as_str(),
                "opaque": layer.opaque.verdict().as_str(),
                "unattended": unattended(layer.unattended), "rules": layer.rules.len(),
            })
        });
        let files = self.files().map(|(kind, source, document, refused)| {
            let text = |at: &Option<At<String>>| at.as_ref().map(|at| at.value.clone());
            json!({
                "file": source.name, "layer": kind.as_str(), "refused": refused,
                "name": text(&document.header.name), "version": text(&document.header.version),
                "signers": document.header.signers.iter().map(|s| s.value.as_str())
                    .collect::<Json>(),
                "layers": document.layers.iter().map(|(below, power)| {
                    (below.as_str().to_owned(), power.value.as_str().into())
                }).collect::<serde_json::Map<_, _>>(),
            })
        });
        let packs = self.packs().into_iter().map(|(kind, name)| {
            let text = pack(&name).unwrap_or_default();
            json!({ "layer": kind.as_str(), "name": name, "sha256": sha256(text) })
        });
        json!({
            "policy": { "name": policy.id.name, "sha256": policy.id.sha256 },
            "layers": layers.collect::<Json>(), "files": files.collect::<Json>(),
            "grid": self.rows().iter().map(Row::json).collect::<Json>(),
            "lists": self.lists().iter().chain(&self.built_in()).map(list_json).collect::<Json>(),
            "packs": packs.collect::<Json>(),
            "labels": labels(self).iter().map(ShownLabel::json).collect::<Json>(),
            "limits": policy.limits.iter().map(|limit| json!({
                "rule": limit.rule, "limit": limit_text(&limit.terms),
            })).collect::<Json>(),
            "budgets": policy.budgets.iter().map(|budget| json!({
                "policy": budget.policy, "terms": budget_terms(&budget.terms),
            })).collect::<Json>(),
            "tools": policy.tools.iter().map(|row| json!({
                "tool": row.tool.as_str(), "layer": row.layer.as_str(),
                "arguments": row.arguments.iter().map(|(verb, name)| {
                    json!({ "verb": verb.as_str(), "argument": format!("args.{name}") })
                }).collect::<Json>(),
            })).collect::<Json>(),
            "servers": self.servers().collect::<Json>(),
            "notices": policy.notices,
        })
    }

    fn servers(&self) -> impl Iterator<Item = Json> {
        self.files().flat_map(|(kind, source, document, _)| {
            document.servers.iter().map(move |server| {
                json!({
                    "name": server.name.value, "layer": kind.as_str(), "file": source.name,
                    "command": server.command, "url": server.url, "pin": server.pin,
                    "on_change": server.on_change,
                })
            })
        })
    }

    /// The rows for a spreadsheet, with a line of names above them.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut out = "verb,effect,pattern,layer,rule,file,line,conditions,ignored\r\n".to_owned();
        for row in self.rows() {
            let line = row.line.to_string();
            let conditions = row.conditions.join("; ");
            let cells = [
                row.verb,
                row.effect,
                &row.pattern,
                row.layer,
                &row.rule,
                &row.file,
                &line,
                &conditions,
                row.ignored.unwrap_or_default(),
            ];
            out.push_str(&cells.map(cell).join(","));
            out.push_str("\r\n");
        }
        out
    }
}

impl Row {
    /// The row as one JSON object.
    #[must_use]
    pub fn json(&self) -> Json {
        json!({
            "verb": self.verb, "effect": self.effect, "pattern": self.pattern,
            "layer": self.layer, "rule": self.rule, "file": self.file, "line": self.line,
            "conditions": self.conditions, "ignored": self.ignored,
        })
    }
}

/// The word for a layer's `unattended`.
#[must_use]
pub fn unattended(word: crate::policy::rule::Unattended) -> &'static str {
    match word {
        crate::policy::rule::Unattended::Deny => "deny",
        crate::policy::rule::Unattended::Defer => "defer",
    }
}

/// A limit as it could be written.
#[must_use]
pub fn limit_text(limit: &LimitText) -> String {
    let mut text = format!("{}/{}", limit.max, limit.per.as_str());
    if let Some(sum) = &limit.sum {
        text.push_str(&format!(" of args.{sum}"));
    }
    if limit.of_user {
        text.push_str(" per user");
    }
    format!("{text}, over: {}", limit.over)
}

fn list_json(list: &ShownList) -> Json {
    json!({
        "name": list.name, "file": list.file, "open": list.open, "entries": list.entries,
        "added": list.added.iter().map(|(entry, file)| json!({ "entry": entry, "file": file }))
            .collect::<Json>(),
    })
}

/// A rule stands in a row for each of its verbs and patterns.
fn of_rule(
    rule: &RuleText,
    kind: LayerKind,
    (file, lines): (&str, &Lines),
    ignored: Option<&'static str>,
    into: &mut Vec<Row>,
) {
    let effect = rule.says.as_str();
    let conditions = conditions(rule);
    for verb in &rule.verbs {
        let verb = match verb.value {
            Phase::Before(verb) => verb.as_str(),
            Phase::Output => "output",
        };
        for at in &rule.matches {
            let pattern = at.value.to_string();
            let of_grid = rule.id.value == format!("{verb}.{effect}:{pattern}");
            into.push(Row {
                verb,
                effect,
                pattern,
                layer: kind.as_str(),
                rule: rule.id.value.clone(),
                of_grid,
                file: file.to_owned(),
                line: lines.line_of(at.span.start),
                conditions: conditions.clone(),
                ignored,
            });
        }
    }
}

fn of_server(server: &At<String>, kind: LayerKind, (file, lines): (&str, &Lines)) -> Row {
    Row {
        verb: "call",
        effect: "ask",
        pattern: format!("mcp:{}/*", server.value),
        layer: kind.as_str(),
        rule: format!("mcp.{}", server.value),
        of_grid: false,
        file: file.to_owned(),
        line: lines.line_of(server.span.start),
        conditions: vec!["its pins are not enforced by this version".to_owned()],
        ignored: None,
    }
}

fn conditions(rule: &RuleText) -> Vec<String> {
    let mut all = Vec::new();
    let labels = |labels: &[At<String>]| {
        labels.iter().map(|label| label.value.as_str()).collect::<Vec<_>>().join(", ")
    };
    if !rule.unless.is_empty() {
        let unless: Vec<String> = rule.unless.iter().map(|at| at.value.to_string()).collect();
        all.push(format!("unless {}", unless.join(", ")));
    }
    for one in &rule.when {
        all.push(format!("when {} = {}", one.key.value, one.test.value));
    }
    if let Some(limit) = &rule.limit {
        all.push(format!("limit {}", limit_text(&limit.value)));
    }
    if rule.shadow {
        all.push("shadow".to_owned());
    }
    if let Some(until) = &rule.until {
        all.push(format!("until {}", date(until.value)));
    }
    if !rule.marks.is_empty() {
        all.push(format!("mark {}", labels(&rule.marks)));
    }
    if !rule.unmarks.is_empty() {
        all.push(format!("unmark {}", labels(&rule.unmarks)));
    }
    all
}

/// A moment as it would be written in a policy.
#[must_use]
pub fn date(moment: Moment) -> String {
    let Ok(at) = jiff::Timestamp::from_microsecond(moment.0) else { return moment.0.to_string() };
    let day = 86_400 * Moment::SECOND;
    match moment.0.rem_euclid(day) {
        0 => at.strftime("%Y-%m-%d").to_string(),
        _ => at.to_string(),
    }
}

fn verb_rank(verb: &str) -> usize {
    let verbs = ["read", "write", "exec", "connect", "call", "output"];
    verbs.iter().position(|known| *known == verb).unwrap_or(verbs.len())
}

fn effect_rank(effect: &str) -> usize {
    let effects = ["deny", "ask", "allow", "redact", "note"];
    effects.iter().position(|known| *known == effect).unwrap_or(effects.len())
}

/// A cell of RFC 4180.
fn cell(text: &str) -> String {
    let text = seen(text);
    match text.contains([',', '"']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.into_owned(),
    }
}
