//! The log as an SQLite database: records, and what they have several of in tables of their own.
//!
//! It is filled in one transaction and then indexed, so that a database is whole or not there.

use crate::audit::Entry;
use crate::audit::wire::{WireCapture, WireRecord};
use crate::model::json::Json;
use crate::review::findings;
use crate::review::moment::micros;
use crate::review::session::host_of;
use rusqlite::{Connection, params};
use serde::Serialize;
use std::path::Path;

const TABLES: &str = "
CREATE TABLE records (
  stream TEXT NOT NULL, seq INTEGER NOT NULL, ts TEXT NOT NULL, ts_us INTEGER, kind TEXT NOT NULL,
  session TEXT, uid INTEGER, runtime TEXT, agent TEXT, agent_id TEXT, sender TEXT,
  tool TEXT, tool_use_id TEXT, call TEXT, cwd TEXT,
  effect TEXT, basis TEXT, reason TEXT, attended TEXT, obligations TEXT,
  policy TEXT, policy_sha256 TEXT, decided_us INTEGER,
  input TEXT, input_bytes INTEGER, output TEXT, output_bytes INTEGER,
  state TEXT, details TEXT, prev TEXT NOT NULL,
  PRIMARY KEY (stream, seq)
) WITHOUT ROWID;
CREATE TABLE accesses (
  stream TEXT NOT NULL, seq INTEGER NOT NULL, place INTEGER NOT NULL, verb TEXT NOT NULL,
  target TEXT NOT NULL, real TEXT, host TEXT, certain INTEGER NOT NULL, verdict TEXT NOT NULL,
  doubt TEXT, PRIMARY KEY (stream, seq, place)
) WITHOUT ROWID;
CREATE TABLE rules (
  stream TEXT NOT NULL, seq INTEGER NOT NULL, place INTEGER NOT NULL, id TEXT NOT NULL,
  file TEXT NOT NULL, line INTEGER NOT NULL, effect TEXT NOT NULL, matched TEXT NOT NULL,
  shadow INTEGER NOT NULL, decided INTEGER NOT NULL, PRIMARY KEY (stream, seq, place)
) WITHOUT ROWID;
CREATE TABLE findings (
  stream TEXT NOT NULL, seq INTEGER NOT NULL, code TEXT NOT NULL, what TEXT NOT NULL,
  PRIMARY KEY (stream, seq)
) WITHOUT ROWID;
";

const INDICES: &str = "
CREATE INDEX records_by_time ON records (ts_us);
CREATE INDEX records_by_session ON records (session, ts_us);
CREATE INDEX records_by_call ON records (call);
CREATE INDEX records_by_effect ON records (effect, tool);
CREATE INDEX accesses_by_target ON accesses (verb, target);
CREATE INDEX accesses_by_host ON accesses (host) WHERE host IS NOT NULL;
CREATE INDEX rules_by_id ON rules (id);
CREATE INDEX findings_by_code ON findings (code);
";

/// A database that is being filled.
pub struct Database {
    connection: Connection,
    written: u64,
}

impl Database {
    /// Begins a new one in a file that is not there yet.
    ///
    /// # Errors
    /// In words, if the file is there, or cannot be made.
    pub fn begin(file: &Path) -> Result<Database, String> {
        // SQLite would go on with what is there; and nobody else may read what agents did.
        let mut options = std::fs::OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let made = options.write(true).create_new(true).open(file);
        made.map_err(|error| format!("cannot make `{}`: {error}", file.display()))?;
        let connection = Connection::open(file).map_err(told)?;
        // What is half filled is thrown away, so nothing has to be kept for going back.
        connection
            .execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
            .and_then(|()| connection.execute_batch(TABLES))
            .and_then(|()| connection.execute_batch("BEGIN"))
            .map_err(told)?;
        Ok(Database { connection, written: 0 })
    }

    /// One record.
    ///
    /// # Errors
    /// In words, if it cannot be written.
    pub fn take(&mut self, entry: &Entry) -> Result<(), String> {
        self.written += 1;
        let record = &entry.record;
        self.record(record).and_then(|()| self.parts(record)).map_err(told)
    }

    fn record(&self, record: &WireRecord) -> rusqlite::Result<()> {
        let decision = record.decision.as_ref();
        let obligations = decision.map(|decision| json(&decision.obligations));
        let agent = record.agent.as_ref();
        let policy = record.policy.as_ref();
        let value = |capture: &Option<WireCapture>| {
            capture.as_ref().and_then(|capture| capture.value.as_ref()).map(Json::to_string)
        };
        let bytes = |capture: &Option<WireCapture>| {
            capture.as_ref().and_then(|capture| i64::try_from(capture.bytes).ok())
        };
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO records VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,
             ?18,?19,?20,?21,?22,?23,?24,?25,?26,?27,?28,?29,?30)",
        )?;
        insert.execute(params![
            record.stream,
            number(record.seq),
            record.ts,
            micros(&record.ts),
            record.kind,
            record.session,
            record.uid,
            record.runtime,
            agent.map(|agent| agent.kind.as_str()),
            agent.and_then(|agent| agent.id.as_deref()),
            record.sender,
            record.tool,
            record.tool_use_id,
            record.call,
            record.cwd,
            decision.map(|decision| decision.effect.as_str()),
            decision.map(|decision| decision.basis.as_str()),
            decision.map(|decision| decision.reason.as_str()),
            decision.and_then(|decision| decision.attended.as_deref()),
            obligations,
            policy.map(|policy| policy.name.as_str()),
            policy.map(|policy| policy.sha256.as_str()),
            record.decided_us.map(number),
            value(&record.input),
            bytes(&record.input),
            value(&record.output),
            bytes(&record.output),
            record.state.as_ref().map(Json::to_string),
            (!record.details.is_empty()).then(|| json(&record.details)),
            record.prev,
        ])?;
        Ok(())
    }

    fn parts(&self, record: &WireRecord) -> rusqlite::Result<()> {
        let (stream, seq) = (record.stream.as_str(), number(record.seq));
        let mut access = self
            .connection
            .prepare_cached("INSERT INTO accesses VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)")?;
        for (place, one) in record.accesses.iter().enumerate() {
            let host = (one.verb == "connect").then(|| host_of(&one.target)).flatten();
            access.execute(params![
                stream,
                seq,
                i64::try_from(place).unwrap_or(i64::MAX),
                one.verb,
                one.target,
                one.real,
                host,
                one.certain,
                one.verdict,
                one.doubt
            ])?;
        }
        let mut rule = self
            .connection
            .prepare_cached("INSERT INTO rules VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)")?;
        let rules = record.decision.iter().flat_map(|decision| &decision.rules);
        let deciding = record.deciding();
        for (place, one) in rules.enumerate() {
            rule.execute(params![
                stream,
                seq,
                i64::try_from(place).unwrap_or(i64::MAX),
                one.id,
                one.file,
                i64::try_from(one.line).unwrap_or(i64::MAX),
                one.effect,
                one.matched,
                one.shadow,
                deciding.iter().any(|rule| std::ptr::eq(*rule, one))
            ])?;
        }
        if let Some(found) = findings::of(record) {
            let mut insert =
                self.connection.prepare_cached("INSERT INTO findings VALUES (?1,?2,?3,?4)")?;
            insert.execute(params![stream, seq, found.code, found.what])?;
        }
        Ok(())
    }

    /// The end: all of it is there, and indexed. How many records there are.
    ///
    /// # Errors
    /// In words, if it cannot be written.
    pub fn finish(self) -> Result<u64, String> {
        self.connection
            .execute_batch("COMMIT")
            .and_then(|()| self.connection.execute_batch(INDICES))
            .and_then(|()| self.connection.execute_batch("ANALYZE"))
            .map_err(told)?;
        self.connection.close().map_err(|(_, error)| told(error))?;
        Ok(self.written)
    }
}

/// SQLite has no numbers above 2^63 - 1; no log has so many records.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn told(error: rusqlite::Error) -> String {
    format!("the database cannot be written: {error}")
}
