//! What does not agree, was not believed, or was lost: one row for each such record.

use super::moment;
use crate::audit::wire::WireRecord;
use crate::model::finding::Code;
use crate::model::json::Json;
use crate::model::record::Kind;
use serde::Serialize;

/// One finding, or another record that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingRow {
    /// The stream of its record.
    pub stream: String,
    /// The number of its record.
    pub seq: u64,
    /// When.
    pub ts: String,
    /// The finding's code, else the kind of the record (`bad_input`, `policy.refused` ...).
    pub code: String,
    /// What that means and what was done; empty for what is no finding.
    pub meaning: String,
    /// What of it, in the record's words.
    pub what: String,
    /// The call, if it is of one.
    pub call: Option<String>,
    /// The session, if it is of one.
    pub session: Option<String>,
    /// The tool, if it is of a call.
    pub tool: Option<String>,
}

/// The kinds that are shown among the findings.
const TELLING: [Kind; 5] =
    [Kind::Finding, Kind::BadInput, Kind::PolicyRefused, Kind::AuditRecovered, Kind::KernelDeny];

/// The row of a record; nothing if nobody has to look at it.
#[must_use]
pub fn of(record: &WireRecord) -> Option<FindingRow> {
    let kind = TELLING.into_iter().find(|kind| kind.as_str() == record.kind);
    let lost = losses(record);
    if kind.is_none() && lost == 0 {
        return None;
    }
    let code = record.details.get("code").and_then(Json::as_str);
    let known = Code::ALL.into_iter().find(|one| Some(one.as_str()) == code);
    let code = match (kind, code) {
        (None, _) => "lost".to_owned(),
        (Some(Kind::Finding), Some(code)) => code.to_owned(),
        (Some(_), _) => record.kind.clone(),
    };
    Some(FindingRow {
        stream: record.stream.clone(),
        seq: record.seq,
        ts: record.ts.clone(),
        code,
        meaning: known.map(Code::meaning).unwrap_or_default().to_owned(),
        what: match kind {
            None => format!("{lost} records could not be written"),
            Some(_) => what(record),
        },
        call: record.call.clone(),
        session: record.session.clone(),
        tool: record.tool.clone(),
    })
}

/// How many records before this one could not be written.
#[must_use]
pub fn losses(record: &WireRecord) -> u64 {
    record.details.get("lost_before").and_then(Json::as_u64).unwrap_or(0)
}

/// What a record says besides its decision, in the order in which a person asks.
#[must_use]
pub fn what(record: &WireRecord) -> String {
    const NAMES: [&str; 14] = [
        "event", "source", "reason", "cause", "change", "label", "answer", "outcome", "policy",
        "why", "what", "host", "path", "error",
    ];
    let text = |value: &Json| match value {
        Json::Array(items) => items.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(", "),
        value => value.as_str().unwrap_or_default().to_owned(),
    };
    let told = NAMES.iter().filter_map(|name| record.details.get(*name)).map(text);
    told.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": ")
}

/// The newest findings, and how many there are of each code.
#[derive(Debug, Default)]
pub struct Findings {
    most: usize,
    rows: std::collections::VecDeque<FindingRow>,
    counts: std::collections::BTreeMap<String, u64>,
}

impl Findings {
    /// Collects at most so many rows, the newest; all are counted.
    #[must_use]
    pub fn newest(most: usize) -> Findings {
        Findings { most, ..Findings::default() }
    }

    /// Looks at one record.
    pub fn take(&mut self, record: &WireRecord) {
        let Some(row) = of(record) else { return };
        *self.counts.entry(row.code.clone()).or_default() += 1;
        if self.rows.len() >= self.most {
            self.rows.pop_front();
        }
        if self.most > 0 {
            self.rows.push_back(row);
        }
    }

    /// The rows, newest first, and the counts by code.
    #[must_use]
    pub fn finish(self) -> (Vec<FindingRow>, std::collections::BTreeMap<String, u64>) {
        (self.rows.into_iter().rev().collect(), self.counts)
    }
}

/// When the record was written, in microseconds.
pub(super) fn at(record: &WireRecord) -> i64 {
    moment::micros(&record.ts).unwrap_or(0)
}
