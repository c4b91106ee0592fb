//! `toolgate audit`: for the person who reads the log.

use super::serve::audit_directory;
use super::show::{Paint, colour, cut, paint, plain};
use super::{Outcome, failed};
use crate::audit::wire::WireRecord;
use crate::audit::{Entry, Hash, Head, State, StreamId, records, verify};
use crate::cli::out::{self, complain, say};
use crate::model::finding::Code;
use crate::model::json::Json;
use crate::model::record::Kind;
use crate::policy::pattern::text::TextPattern;
use clap::builder::PossibleValuesParser;
use std::cell::Cell;
use std::collections::VecDeque;
use std::path::PathBuf;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// The newest decisions and findings
    Tail(Tail),
    /// Records that fit a filter
    Query(Query),
    /// One decision whole, by its call id, tool use id or sequence number
    Show(Show),
    /// Whether the log is what was written: SEALED, UNSEALED or BROKEN, per file
    Verify(Verify),
}

#[derive(clap::Args)]
pub(super) struct Directory {
    /// Where the log is [default: /var/lib/toolgate/audit for root, else toolgate/audit in
    /// $XDG_STATE_HOME or ~/.local/state]
    #[arg(long, value_name = "DIR")]
    audit: Option<PathBuf>,
}

#[derive(clap::Args)]
pub(super) struct Tail {
    #[command(flatten)]
    directory: Directory,
    /// How many
    #[arg(short = 'n', default_value_t = 20)]
    count: usize,
    #[command(flatten)]
    format: Format,
}

#[derive(clap::Args)]
struct Format {
    /// How to print
    #[arg(long, default_value = "table", value_parser = ["table", "jsonl"])]
    format: String,
}

#[derive(clap::Args)]
pub(super) struct Query {
    #[command(flatten)]
    directory: Directory,
    /// Decisions, separated by commas
    #[arg(long, value_delimiter = ',', value_parser = ["allow", "ask", "deny", "defer"])]
    decision: Vec<String>,
    /// A tool; `*` stands for any text
    #[arg(long)]
    tool: Option<String>,
    /// A session
    #[arg(long)]
    session: Option<String>,
    /// A rule that made the decision
    #[arg(long)]
    rule: Option<String>,
    /// A kind of record
    #[arg(long, value_parser = PossibleValuesParser::new(Kind::ALL.map(Kind::as_str)))]
    kind: Option<String>,
    /// What a finding found
    #[arg(long, value_parser = PossibleValuesParser::new(Code::ALL.map(Code::as_str)))]
    code: Option<String>,
    /// Print only how many there are
    #[arg(long)]
    count: bool,
    #[command(flatten)]
    format: Format,
}

#[derive(clap::Args)]
pub(super) struct Show {
    /// A call id, tool use id or sequence number
    id: String,
    #[command(flatten)]
    directory: Directory,
}

#[derive(clap::Args)]
pub(super) struct Verify {
    #[command(flatten)]
    directory: Directory,
    /// A head that was kept elsewhere, as this command prints it: finds a cut-off end
    #[arg(long, value_name = "STREAM/SEQ/HASH")]
    head: Option<String>,
    /// How to print
    #[arg(long, default_value = "human", value_parser = ["human", "json"])]
    format: String,
}

pub(super) fn run(command: &Command) -> Outcome {
    let done = match command {
        Command::Tail(tail) => newest(tail),
        Command::Query(query) => search(query),
        Command::Show(show) => one(show),
        Command::Verify(arguments) => check(arguments),
    };
    match done {
        Ok(outcome) => outcome,
        Err(why) => failed(&why),
    }
}

impl Directory {
    fn path(&self) -> Result<PathBuf, String> {
        let path = audit_directory(self.audit.as_deref()).map_err(|error| error.to_string())?;
        if path.is_dir() {
            return Ok(path);
        }
        Err(format!("there is no log at `{}`; say where it is with --audit DIR", path.display()))
    }

    /// Every record that can be read; one that cannot is told on stderr, and in `whole`.
    fn entries<'a>(
        &self,
        whole: &'a Cell<Outcome>,
    ) -> Result<impl Iterator<Item = Entry> + 'a, String> {
        let records = records(&self.path()?).map_err(|error| error.to_string())?;
        Ok(records.filter_map(|entry| {
            let told = entry.inspect_err(|bad| {
                complain!("warning: {}", plain(&bad.to_string()));
                whole.set(Outcome::Findings);
            });
            told.ok()
        }))
    }
}

fn newest(tail: &Tail) -> Result<Outcome, String> {
    let whole = Cell::new(Outcome::Fine);
    let mut last = VecDeque::new();
    for entry in tail.directory.entries(&whole)? {
        if entry.record.decision.is_none() && entry.record.kind != Kind::Finding.as_str() {
            continue;
        }
        last.push_back(entry);
        if last.len() > tail.count {
            last.pop_front();
        }
    }
    print(last.iter(), &tail.format);
    Ok(whole.get())
}

fn search(query: &Query) -> Result<Outcome, String> {
    let whole = Cell::new(Outcome::Fine);
    let mut filter = Filter::of(query);
    let entries = query.directory.entries(&whole)?;
    let found: Vec<Entry> = entries.filter(|entry| filter.fits(&entry.record)).collect();
    filter.tell_of_strangers();
    match query.count {
        true => say!("{}", found.len()),
        false => print(found.iter(), &query.format),
    }
    Ok(whole.get())
}

/// A query, and which of its names any record had: a name that is nowhere may be a slip.
struct Filter<'a> {
    query: &'a Query,
    tool: Option<TextPattern>,
    knows_tool: bool,
    knows_session: bool,
    knows_rule: bool,
}

impl<'a> Filter<'a> {
    fn of(query: &'a Query) -> Filter<'a> {
        Filter {
            query,
            tool: query.tool.as_deref().map(TextPattern::parse),
            knows_tool: false,
            knows_session: false,
            knows_rule: false,
        }
    }

    fn fits(&mut self, record: &WireRecord) -> bool {
        let query = self.query;
        let decision = record.decision.as_ref();
        let is_tool = self
            .tool
            .as_ref()
            .is_none_or(|tool| record.tool.as_deref().is_some_and(|name| tool.matches(name)));
        let is_session =
            query.session.as_ref().is_none_or(|id| record.session.as_ref() == Some(id));
        let is_rule = query.rule.as_ref().is_none_or(|id| {
            decision.is_some_and(|decision| decision.rules.iter().any(|rule| rule.id == *id))
        });
        self.knows_tool |= is_tool;
        self.knows_session |= is_session;
        self.knows_rule |= is_rule;
        let effect = decision.map(|decision| decision.effect.as_str()).unwrap_or_default();
        let code = || record.details.get("code").and_then(Json::as_str);
        is_tool
            && is_session
            && is_rule
            && (query.decision.is_empty() || query.decision.iter().any(|wanted| wanted == effect))
            && query.kind.as_ref().is_none_or(|kind| record.kind == *kind)
            && query.code.as_ref().is_none_or(|wanted| code() == Some(wanted))
    }

    fn tell_of_strangers(&self) {
        let query = self.query;
        for (known, what, name) in [
            (self.knows_tool, "tool", &query.tool),
            (self.knows_session, "session", &query.session),
            (self.knows_rule, "rule", &query.rule),
        ] {
            if let (false, Some(name)) = (known, name) {
                complain!("warning: no record of this log has the {what} `{}`", plain(name));
            }
        }
    }
}

fn print<'a>(entries: impl Iterator<Item = &'a Entry>, format: &Format) {
    let colour = colour();
    for entry in entries {
        let line = match format.format.as_str() {
            "jsonl" => entry.text.clone(),
            _ => row(&entry.record, colour),
        };
        say!("{line}");
        if out::is_closed() {
            break;
        }
    }
}

/// One record as a line: its number, when, what was decided, of what, and why.
fn row(record: &WireRecord, colour: bool) -> String {
    let time = record.ts.get(11..19).unwrap_or(&record.ts);
    let date = record.ts.get(..10).unwrap_or_default();
    let session = record.session.as_deref().unwrap_or("-");
    let is_finding = record.kind == Kind::Finding.as_str();
    let tool = record.tool.as_deref().filter(|_| !is_finding).unwrap_or(&record.kind);
    let (effect, reason) = match &record.decision {
        Some(decision) => (decision.effect.as_str(), decision.reason.clone()),
        None => ("", told(record)),
    };
    let effect = paint(&format!("{effect:<5}"), paint_of(effect), colour);
    format!(
        "{:>6}  {date} {time}  {effect}  {:<16}  {:<10}  {}",
        record.seq,
        plain(&cut(tool, 16)),
        plain(&cut(session, 10)),
        plain(&cut(&reason, 110)),
    )
}

/// What a record without a decision tells, in the order in which a person asks.
fn told(record: &WireRecord) -> String {
    const TELLING: [&str; 8] =
        ["code", "event", "cause", "change", "label", "policy", "why", "what"];
    let text = |value: &Json| match value {
        Json::Array(items) => items.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(", "),
        value => value.as_str().unwrap_or_default().to_owned(),
    };
    let told = TELLING.iter().filter_map(|name| record.details.get(*name)).map(text);
    told.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": ")
}

/// The colour of a decision.
pub(super) fn paint_of(effect: &str) -> Paint {
    match effect {
        "allow" => Paint::Allow,
        "ask" => Paint::Ask,
        "deny" => Paint::Deny,
        "defer" => Paint::Defer,
        _ => Paint::Dim,
    }
}

fn one(show: &Show) -> Result<Outcome, String> {
    let whole = Cell::new(Outcome::Fine);
    let mut found = false;
    for entry in show.directory.entries(&whole)? {
        let record = &entry.record;
        let named = record.call.as_ref() == Some(&show.id)
            || record.tool_use_id.as_ref() == Some(&show.id)
            || record.seq.to_string() == show.id;
        if named {
            found = true;
            let value: serde_json::Value =
                serde_json::from_str(&entry.text).map_err(|error| error.to_string())?;
            let text = serde_json::to_string_pretty(&value).map_err(|error| error.to_string())?;
            say!("{}", text.lines().map(plain).collect::<Vec<_>>().join("\n"));
        }
    }
    if !found {
        complain!("error: no record has the id `{}`", plain(&show.id));
        return Ok(Outcome::Findings);
    }
    Ok(Outcome::Fine)
}

fn check(arguments: &Verify) -> Result<Outcome, String> {
    let directory = arguments.directory.path()?;
    let expected = arguments.head.as_deref().map(parse_head).transpose()?;
    let report = verify(&directory, expected.as_ref()).map_err(|error| error.to_string())?;
    let state = report.state();
    if arguments.format == "json" {
        say!("{}", as_json(&report));
    } else {
        human(&report, &directory);
    }
    if report.records == 0 {
        // A log that was emptied looks like one that never was.
        complain!("error: there is no record in `{}`", directory.display());
        return Ok(Outcome::Findings);
    }
    Ok(if state == State::Broken { Outcome::Findings } else { Outcome::Fine })
}

fn human(report: &crate::audit::Report, directory: &std::path::Path) {
    say!("{}", directory.display());
    for segment in &report.segments {
        say!("  {:<9} {:>8} records  {}", segment.state, segment.records, segment.file);
        if let Some(bad) = &segment.first_bad {
            say!("            line {}: {}", bad.line, bad.flaw);
        }
        if segment.torn_bytes > 0 {
            say!("            {} bytes of an unfinished record at its end", segment.torn_bytes);
        }
    }
    for gap in &report.gaps {
        say!("  records {} to {} of stream {} are missing", gap.first, gap.last, gap.stream);
    }
    for flaw in &report.flaws {
        say!("  {flaw}");
    }
    if let Some(head) = &report.head {
        say!("  head {}/{}/{}", head.stream, head.seq, head.hash);
    }
    let meaning = match report.state() {
        State::Sealed => "whole, and signed",
        State::Unsealed => {
            "whole, as far as the log itself tells; keep the head elsewhere to see a cut-off end"
        }
        State::Broken => "not what was written",
    };
    say!("{}: {meaning}", report.state());
}

fn as_json(report: &crate::audit::Report) -> serde_json::Value {
    serde_json::json!({
        "state": report.state().to_string(),
        "records": report.records,
        "head": report.head.as_ref().map(|h| format!("{}/{}/{}", h.stream, h.seq, h.hash)),
        "flaws": report.flaws.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "gaps": report.gaps.iter().map(|gap| serde_json::json!({
            "stream": gap.stream.to_string(), "first": gap.first, "last": gap.last,
        })).collect::<Vec<_>>(),
        "segments": report.segments.iter().map(|segment| serde_json::json!({
            "file": segment.file,
            "state": segment.state.to_string(),
            "records": segment.records,
            "torn_bytes": segment.torn_bytes,
            "first_bad": segment.first_bad.as_ref().map(|bad| serde_json::json!({
                "line": bad.line, "why": bad.flaw.to_string(),
            })),
        })).collect::<Vec<_>>(),
    })
}

fn parse_head(text: &str) -> Result<Head, String> {
    let wrong = || format!("`{text}` is no head; copy the line that `audit verify` prints");
    let mut parts = text.split('/');
    let (Some(stream), Some(seq), Some(hash), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(wrong());
    };
    Ok(Head {
        stream: StreamId::parse(stream).ok_or_else(wrong)?,
        seq: seq.parse().map_err(|_| wrong())?,
        hash: Hash::parse(hash).ok_or_else(wrong)?,
    })
}
