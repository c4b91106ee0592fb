//! `toolgate audit`: for the person who reads the log.

use super::serve::audit_directory;
use super::show::{Paint, colour, cut, paint, plain};
use super::{Outcome, failed};
use crate::audit::wire::WireRecord;
use crate::audit::{Entry, Hash, Head, State, StreamId, records, verify};
use crate::cli::out::{self, complain, say};
use crate::policy::pattern::text::TextPattern;
use std::collections::VecDeque;
use std::path::PathBuf;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// The newest decisions
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
    /// Where the log is [default: the state directory]
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
    /// Decisions, separated by commas: allow, ask, deny, defer
    #[arg(long, value_delimiter = ',')]
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
    /// A kind of record, as `tool.pre`
    #[arg(long)]
    kind: Option<String>,
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

    /// Every record that can be read; one that cannot is told on stderr.
    fn entries(&self) -> Result<impl Iterator<Item = Entry>, String> {
        let records = records(&self.path()?).map_err(|error| error.to_string())?;
        Ok(records.filter_map(|entry| {
            entry.inspect_err(|bad| complain!("warning: {}", plain(&bad.to_string()))).ok()
        }))
    }
}

fn newest(tail: &Tail) -> Result<Outcome, String> {
    let mut last = VecDeque::new();
    for entry in tail.directory.entries()? {
        if entry.record.decision.is_none() {
            continue;
        }
        last.push_back(entry);
        if last.len() > tail.count {
            last.pop_front();
        }
    }
    print(last.iter(), &tail.format)
}

fn search(query: &Query) -> Result<Outcome, String> {
    let tool = query.tool.as_deref().map(TextPattern::parse);
    let fits = |record: &WireRecord| {
        let decision = record.decision.as_ref();
        let effect = decision.map(|decision| decision.effect.as_str()).unwrap_or_default();
        (query.decision.is_empty() || query.decision.iter().any(|wanted| wanted == effect))
            && tool
                .as_ref()
                .is_none_or(|tool| record.tool.as_deref().is_some_and(|name| tool.matches(name)))
            && query.session.as_ref().is_none_or(|id| record.session.as_ref() == Some(id))
            && query.kind.as_ref().is_none_or(|kind| record.kind == *kind)
            && query.rule.as_ref().is_none_or(|id| {
                decision.is_some_and(|decision| decision.rules.iter().any(|rule| rule.id == *id))
            })
    };
    let found: Vec<Entry> =
        query.directory.entries()?.filter(|entry| fits(&entry.record)).collect();
    if query.count {
        say!("{}", found.len());
        return Ok(Outcome::Fine);
    }
    print(found.iter(), &query.format)
}

fn print<'a>(entries: impl Iterator<Item = &'a Entry>, format: &Format) -> Result<Outcome, String> {
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
    Ok(Outcome::Fine)
}

/// One record as a line: when, what was decided, of what, and by which rule.
pub(super) fn row(record: &WireRecord, colour: bool) -> String {
    let time = record.ts.get(11..19).unwrap_or(&record.ts);
    let date = record.ts.get(..10).unwrap_or_default();
    let session = record.session.as_deref().unwrap_or("-");
    let tool = record.tool.as_deref().unwrap_or(&record.kind);
    let (effect, reason) = match &record.decision {
        Some(decision) => (decision.effect.as_str(), decision.reason.as_str()),
        None => ("", ""),
    };
    let effect = paint(&format!("{effect:<5}"), paint_of(effect), colour);
    format!(
        "{date} {time}  {effect}  {:<12}  {:<10}  {}",
        plain(&cut(tool, 12)),
        plain(&cut(session, 10)),
        plain(&cut(reason, 110)),
    )
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
    let mut found = false;
    for entry in show.directory.entries()? {
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
    match found {
        true => Ok(Outcome::Fine),
        false => Err(format!("no record has the id `{}`", show.id)),
    }
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
