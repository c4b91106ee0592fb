//! The list of sessions: who, when, how many calls, what was refused, what it cost.

use crate::audit::wire::WireRecord;
use crate::model::json::Json;
use crate::model::record::Kind;
use crate::review::findings::at;
use crate::review::moment;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};

/// One session, of one user: another user's session of the same name is another one.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SessionRow {
    /// The runtime's id of it.
    pub session: String,
    /// Whose it is.
    pub uid: Option<u32>,
    /// The agent program.
    pub runtime: String,
    /// The working directory of its first record that has one.
    pub cwd: Option<String>,
    /// The first record's time.
    pub started: String,
    /// The last record's time.
    pub last: String,
    /// Whether its end was told.
    pub ended: bool,
    /// How long from the first record to the last.
    pub lasted_ms: u64,
    /// Its records.
    pub records: u64,
    /// Calls that were judged before they ran.
    pub calls: u64,
    /// Calls that were let through.
    pub allowed: u64,
    /// Calls that were put to a person.
    pub asked: u64,
    /// Of those, answered yes.
    pub approved: u64,
    /// Of those, answered no.
    pub declined: u64,
    /// Calls that were refused.
    pub denied: u64,
    /// Calls that were left to the runtime.
    pub deferred: u64,
    /// What did not agree.
    pub findings: u64,
    /// Calls whose end is not known.
    pub unknown: u64,
    /// Subagents that were seen.
    pub subagents: usize,
    /// Hosts that a call would have reached and was let.
    pub hosts: usize,
    /// What it cost by list prices, in US dollars, if that was recorded.
    pub cost_usd: Option<f64>,
    /// Answers of models, if they were counted.
    pub turns: Option<u64>,
    /// The models that gave them.
    pub models: BTreeSet<String>,
}

/// Collects sessions from records.
#[derive(Debug, Default)]
pub struct Sessions {
    places: HashMap<(String, Option<u32>), usize>,
    rows: Vec<Row>,
}

#[derive(Debug, Default)]
struct Row {
    row: SessionRow,
    first: i64,
    newest: i64,
    subagents: BTreeSet<String>,
    hosts: BTreeSet<String>,
}

impl Sessions {
    /// Looks at one record.
    pub fn take(&mut self, record: &WireRecord) {
        let Some(session) = &record.session else { return };
        let key = (session.clone(), record.uid);
        let place = *self.places.entry(key).or_insert_with(|| {
            self.rows.push(Row::of(record, session));
            self.rows.len() - 1
        });
        if let Some(row) = self.rows.get_mut(place) {
            row.take(record);
        }
    }

    /// The sessions, the one that was heard of last first.
    #[must_use]
    pub fn finish(self) -> Vec<SessionRow> {
        let mut rows = self.rows;
        rows.sort_by(|a, b| (b.newest, &b.row.session).cmp(&(a.newest, &a.row.session)));
        rows.into_iter().map(Row::finish).collect()
    }
}

impl Row {
    fn of(record: &WireRecord, session: &str) -> Row {
        let row = SessionRow {
            session: session.to_owned(),
            uid: record.uid,
            runtime: record.runtime.clone().unwrap_or_default(),
            started: record.ts.clone(),
            ..SessionRow::default()
        };
        Row { row, first: at(record), ..Row::default() }
    }

    fn take(&mut self, record: &WireRecord) {
        let row = &mut self.row;
        row.records += 1;
        row.last.clone_from(&record.ts);
        self.newest = at(record);
        if row.cwd.is_none() {
            row.cwd.clone_from(&record.cwd);
        }
        let kind = record.kind.as_str();
        if kind == Kind::ToolPre.as_str() {
            row.calls += 1;
            match effect(record) {
                "allow" => row.allowed += 1,
                "ask" => row.asked += 1,
                "deny" => row.denied += 1,
                _ => row.deferred += 1,
            }
            self.hosts.extend(reached(record));
        } else if kind == Kind::Approval.as_str() {
            match record.details.get("answer").and_then(Json::as_str) {
                Some("yes") => row.approved += 1,
                _ => row.declined += 1,
            }
        } else if kind == Kind::Finding.as_str() {
            row.findings += 1;
        } else if kind == Kind::ToolUnknown.as_str() {
            let outcome = record.details.get("outcome").and_then(Json::as_str);
            row.unknown += u64::from(outcome != Some("not_run"));
        } else if kind == Kind::NetOpen.as_str() {
            self.hosts.extend(reached(record));
        }
        row.ended = kind == Kind::SessionEnd.as_str() || (row.ended && kind != "session.start");
        if let Some(id) = record.agent.as_ref().and_then(|agent| agent.id.as_ref())
            && !self.subagents.contains(id)
        {
            self.subagents.insert(id.clone());
        }
        if let Some(spent) = spent(record) {
            let row = &mut self.row;
            row.cost_usd = Some(row.cost_usd.unwrap_or(0.0).max(spent.cost_usd));
            row.turns = Some(row.turns.unwrap_or(0).max(spent.turns));
            row.models.extend(spent.models);
        }
    }

    fn finish(self) -> SessionRow {
        SessionRow {
            lasted_ms: moment::between(self.first, self.newest),
            subagents: self.subagents.len(),
            hosts: self.hosts.len(),
            ..self.row
        }
    }
}

/// What a record's decision came to; empty if it has none.
pub(in crate::review) fn effect(record: &WireRecord) -> &str {
    record.decision.as_ref().map(|decision| decision.effect.as_str()).unwrap_or_default()
}

/// The hosts that a call names to connect to, if it was not refused.
fn reached(record: &WireRecord) -> Vec<String> {
    if effect(record) == "deny" {
        return Vec::new();
    }
    let connects = record.accesses.iter().filter(|access| access.verb == "connect");
    connects.filter_map(|access| host_of(&access.target)).collect()
}

/// The host of a `connect` target as the log shows it: `GET https://host:port/path`.
#[must_use]
pub fn host_of(target: &str) -> Option<String> {
    if target.starts_with("unix:") || target.starts_with('⟨') {
        return None;
    }
    // A method has no slash before its space, a scheme none before its colon.
    let rest = match target.split_once(' ') {
        Some((method, rest)) if !method.contains('/') => rest,
        Some(_) | None => target,
    };
    let rest = match rest.split_once("://") {
        Some((scheme, after)) if !scheme.contains('/') => after,
        Some(_) | None => rest,
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => match authority.split_once(':') {
            // More than one colon is an address, not a port.
            Some((_, port)) if port.contains(':') => authority,
            Some((host, _)) => host,
            None => authority,
        },
    };
    (!host.is_empty()).then(|| host.to_owned())
}

/// What a session had spent when a record was written, if the record tells.
pub(in crate::review) struct Spent {
    pub(in crate::review) cost_usd: f64,
    pub(in crate::review) turns: u64,
    pub(in crate::review) models: Vec<String>,
}

/// The most that the record's state tells of the session's transcript.
pub(in crate::review) fn spent(record: &WireRecord) -> Option<Spent> {
    let state = record.state.as_ref()?;
    let told = [state.get("transcript"), state.pointer("/before/spent/transcript")];
    told.into_iter().flatten().next().map(|told| Spent {
        cost_usd: told.get("cost_usd").and_then(Json::as_f64).unwrap_or(0.0),
        turns: told.get("turns").and_then(Json::as_u64).unwrap_or(0),
        models: told
            .get("models")
            .and_then(Json::as_array)
            .map(|models| models.iter().filter_map(Json::as_str).map(str::to_owned).collect())
            .unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_targets() {
        for (target, host) in [
            ("GET https://docs.example/a?b", Some("docs.example")),
            ("https://docs.example:8443", Some("docs.example")),
            ("https://docs.example/?u=http://other.example", Some("docs.example")),
            ("docs.example/a b://other.example", Some("docs.example")),
            ("registry.example:443", Some("registry.example")),
            ("ssh://git@code.example", Some("git@code.example")),
            ("[2001:db8::1]:443", Some("2001:db8::1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("unix:/run/x.sock", None),
            ("⟨unknown: no⟩", None),
            ("", None),
        ] {
            assert_eq!(host_of(target).as_deref(), host, "{target}");
        }
    }
}
