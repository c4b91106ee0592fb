//! `toolgate audit`: for the person who reads the log. One file for each command; here is what
//! several of them share: where the log is, how it is read, and a record as one line.

mod erase;
mod export;
mod filter;
mod hash;
mod head;
mod key;
mod listing;
mod pick;
mod prove;
mod query;
mod report;
mod retention;
mod session;
mod sessions;
mod show;
mod stats;
mod strangers;
mod table;
mod tail;
mod verify;
mod verify_proof;

use super::serve::audit_directory;
use super::show::{Paint, plain};
use super::{Outcome, failed};
use crate::audit::wire::WireRecord;
use crate::audit::{Blobs, Entry, Hash, records};
use crate::cli::out::{self, complain, say};
use crate::model::json::Json;
use crate::review::policies::{KeptPolicies, Texts};
use clap::builder::{PossibleValue, PossibleValuesParser};
use listing::Listing;
use std::cell::Cell;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// The newest decisions and findings
    Tail(tail::Arguments),
    /// Records that fit a filter
    Query(query::Arguments),
    /// One decision whole, by its call id, tool use id or sequence number
    Show(Box<show::Arguments>),
    /// One session as it went: calls, waits, subagents, files, hosts, cost
    Session(session::Arguments),
    /// The sessions of the log
    Sessions(sessions::Arguments),
    /// Decisions counted by tool, rule, host and who asked; rules that never fired; what is slow
    Stats(stats::Arguments),
    /// One page that holds all it needs, with charts
    Report(report::Arguments),
    /// The log for other tools: as JSON lines, CSV, an SQLite database, or OCSF events
    Export(export::Arguments),
    /// What the log says in a secret's place, for a value; and with --find the records of it
    Hash(hash::Arguments),
    /// Erase texts that are kept beside the log; what the log says of them stays
    Erase(erase::Arguments),
    /// What retention would delete of the log; it deletes nothing itself
    Retention(retention::Arguments),
    /// Whether the log is what was written: SEALED, UNSEALED or BROKEN, per file
    Verify(verify::Arguments),
    /// The newest signed head, to keep elsewhere: shows later whether the end was cut off
    Head(head::Arguments),
    /// A proof that a record stands in the log, for anyone to check without it
    Prove(prove::Arguments),
    /// Whether such a proof holds, and what it proves
    VerifyProof(verify_proof::Arguments),
    /// The key of the log to keep elsewhere
    Key(key::Arguments),
}

#[derive(clap::Args)]
pub(super) struct Directory {
    /// Where the log is [default: /var/lib/toolgate/audit for root, else toolgate/audit in
    /// $XDG_STATE_HOME or ~/.local/state]
    #[arg(long, value_name = "DIR")]
    audit: Option<PathBuf>,
}

#[derive(clap::Args)]
struct Format {
    /// How to print
    #[arg(long, value_enum, default_value_t = Lines::Table)]
    format: Lines,
}

/// How records are printed as they come.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Lines {
    /// For people
    #[value(alias = "human")]
    Table,
    /// One JSON object a line
    #[value(alias = "json")]
    Jsonl,
}

/// `human` or `json`; `table` is another word for the first.
fn human_or_json() -> PossibleValuesParser {
    let human = PossibleValue::new("human").alias("table");
    PossibleValuesParser::new([human, PossibleValue::new("json")])
}

impl Format {
    fn print(&self, listing: &Listing, entry: &Entry) {
        match self.format {
            Lines::Jsonl => say!("{}", entry.text),
            Lines::Table => listing.print(&entry.record),
        }
    }
}

pub(super) fn run(command: &Command) -> Outcome {
    let done = match command {
        Command::Tail(arguments) => tail::run(arguments),
        Command::Query(arguments) => query::run(arguments),
        Command::Show(arguments) => show::run(arguments),
        Command::Hash(arguments) => hash::run(arguments),
        Command::Erase(arguments) => erase::run(arguments),
        Command::Retention(arguments) => retention::run(arguments),
        Command::Session(arguments) => session::run(arguments),
        Command::Sessions(arguments) => sessions::run(arguments),
        Command::Stats(arguments) => stats::run(arguments),
        Command::Report(arguments) => report::run(arguments),
        Command::Export(arguments) => export::run(arguments),
        Command::Verify(arguments) => verify::run(arguments),
        Command::Head(arguments) => head::run(arguments),
        Command::Prove(arguments) => prove::run(arguments),
        Command::VerifyProof(arguments) => verify_proof::run(arguments),
        Command::Key(arguments) => key::run(arguments),
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

fn print<'a>(entries: impl Iterator<Item = &'a Entry>, format: &Format) {
    let listing = Listing::new();
    for entry in entries {
        format.print(&listing, entry);
        if out::is_closed() {
            break;
        }
    }
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

/// The policies whose texts the log of a directory kept.
fn kept(directory: &Path) -> KeptPolicies<KeptTexts> {
    KeptPolicies::of(KeptTexts(directory.to_owned()))
}

/// Texts of policies, beside a log.
struct KeptTexts(PathBuf);

impl Texts for KeptTexts {
    fn text(&self, sha256: &str) -> Option<String> {
        Blobs::of(&self.0).policy(Hash::parse(sha256)?).ok()
    }
}

/// Writes a file whole or not at all: half a report must not look like one.
fn write_file(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let beside = beside(path);
    create(&beside)?.write_all(bytes).map_err(|error| cannot_write(&beside, &error))?;
    put_in_place(&beside, path)
}

/// Where a file is written until it is whole.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// A new file that nobody else may read: it tells what agents did.
fn create(path: &Path) -> Result<std::fs::File, String> {
    let mut options = std::fs::OpenOptions::new();
    options.mode(0o600).write(true).create(true).truncate(true);
    options.open(path).map_err(|error| cannot_write(path, &error))
}

fn put_in_place(beside: &Path, path: &Path) -> Result<(), String> {
    std::fs::rename(beside, path).map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> String {
    format!("cannot write `{}`: {error}", path.display())
}

/// Where retention deleted a part of the log, a record that is not there may have been.
fn tell_of_deleted(directory: &std::path::Path) {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let is_kept = |name: std::ffi::OsString| name.as_encoded_bytes().ends_with(b".kept");
    if entries.map(|entry| entry.file_name()).any(is_kept) {
        complain!(
            "note: retention deleted a part of this log, and the record may have stood there; \
             `audit query --kind audit.retention` lists what was deleted"
        );
    }
}
