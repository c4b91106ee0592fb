//! What the report is made of: everything that is counted of a stretch of the log, its newest
//! denials, findings and sessions, and whether the log is what was written.

use crate::audit::wire::WireRecord;
use crate::audit::{self, State};
use crate::limits::REPORT_ROWS_MAX;
use crate::model::record::Kind;
use crate::review::findings::{FindingRow, Findings};
use crate::review::policies::{Kept, Policies, PolicyLoad};
use crate::review::session::{SessionRow, Sessions};
use crate::review::stats::{Counting, Stats};
use crate::review::subject;
use serde::Serialize;
use std::collections::VecDeque;

/// A report, before it is a page.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// The stretch, in words.
    pub stretch: String,
    /// When it was made.
    pub made: String,
    /// What is counted.
    pub stats: Stats,
    /// The newest denials, newest first.
    pub denials: Vec<Denial>,
    /// The newest findings, newest first.
    pub findings: Vec<FindingRow>,
    /// The sessions, the one that was heard of last first.
    pub sessions: Vec<SessionRow>,
    /// How many there are besides.
    pub sessions_more: usize,
    /// The policies that came into force.
    pub policies: Vec<PolicyLoad>,
    /// Whether the log is what was written.
    pub integrity: Integrity,
}

/// One refused call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Denial {
    /// The stream of its record.
    pub stream: String,
    /// The number of its record.
    pub seq: u64,
    /// When.
    pub ts: String,
    /// Its session.
    pub session: String,
    /// The tool.
    pub tool: String,
    /// What it was about.
    pub about: String,
    /// The rules that refused it.
    pub rules: Vec<String>,
    /// Why.
    pub reason: String,
}

/// What `audit verify` says of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Integrity {
    /// `SEALED`, `UNSEALED` or `BROKEN`; empty if nobody looked.
    pub state: String,
    /// How many records were checked.
    pub records: u64,
    /// The head: keep it elsewhere.
    pub head: Option<String>,
    /// Each file: its name, its state, its records, what is wrong with it.
    pub segments: Vec<SegmentRow>,
    /// What is wrong besides.
    pub flaws: Vec<String>,
}

/// One file of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SegmentRow {
    /// Its name.
    pub file: String,
    /// Its state.
    pub state: String,
    /// Its records.
    pub records: u64,
    /// What is wrong with it.
    pub flaw: String,
}

/// Collects a report from records.
#[derive(Debug)]
pub struct Reporting {
    counting: Counting,
    sessions: Sessions,
    findings: Findings,
    denials: VecDeque<Denial>,
    policies: Policies,
}

impl Default for Reporting {
    fn default() -> Reporting {
        Reporting {
            counting: Counting::default(),
            sessions: Sessions::default(),
            findings: Findings::newest(REPORT_ROWS_MAX),
            denials: VecDeque::new(),
            policies: Policies::default(),
        }
    }
}

impl Reporting {
    /// Looks at one record.
    pub fn take(&mut self, record: &WireRecord) {
        self.counting.take(record);
        self.sessions.take(record);
        self.findings.take(record);
        self.policies.take(record);
        let decision = record.decision.as_ref().filter(|one| one.effect == "deny");
        if let Some(decision) = decision.filter(|_| record.kind == Kind::ToolPre.as_str()) {
            if self.denials.len() >= REPORT_ROWS_MAX {
                self.denials.pop_front();
            }
            self.denials.push_back(Denial {
                stream: record.stream.clone(),
                seq: record.seq,
                ts: record.ts.clone(),
                session: record.session.clone().unwrap_or_default(),
                tool: record.tool.clone().unwrap_or_default(),
                about: subject(record),
                rules: record.deciding().iter().map(|rule| rule.id.clone()).collect(),
                reason: decision.reason.clone(),
            });
        }
    }

    /// The report.
    #[must_use]
    pub fn finish(
        self,
        (policies, kept): (&Policies, &dyn Kept),
        integrity: Integrity,
        stretch: String,
    ) -> Report {
        let mut sessions = self.sessions.finish();
        let sessions_more = sessions.len().saturating_sub(REPORT_ROWS_MAX);
        sessions.truncate(REPORT_ROWS_MAX);
        Report {
            stretch,
            made: crate::review::moment::text(jiff::Timestamp::now().as_microsecond()),
            stats: self.counting.finish(policies, kept),
            denials: self.denials.into_iter().rev().collect(),
            findings: self.findings.finish().0,
            sessions,
            sessions_more,
            policies: self.policies.loads,
            integrity,
        }
    }
}

/// What a start found unsigned.
fn on_trust(segment: &audit::SegmentReport) -> Option<String> {
    let count = segment.on_trust;
    (count > 0).then(|| format!("{count} records were found unsigned by a start: taken on trust"))
}

impl Integrity {
    /// What was found by `verify`.
    #[must_use]
    pub fn of(report: &audit::Report) -> Integrity {
        let gaps = report.gaps.iter().map(|gap| {
            format!("records {} to {} of stream {} are missing", gap.first, gap.last, gap.stream)
        });
        let segment = |segment: &audit::SegmentReport| SegmentRow {
            file: segment.file.clone(),
            state: segment.state.to_string(),
            records: segment.records,
            flaw: segment
                .first_bad
                .as_ref()
                .map(|bad| format!("line {}: {}", bad.line, bad.flaw))
                .or_else(|| on_trust(segment))
                .unwrap_or_default(),
        };
        Integrity {
            state: report.state().to_string(),
            records: report.records,
            head: report.head.as_ref().map(|h| format!("{}/{}/{}", h.stream, h.seq, h.hash)),
            segments: report.segments.iter().map(segment).collect(),
            flaws: gaps.chain(report.flaws.iter().map(ToString::to_string)).collect(),
        }
    }

    /// What the state means, in words.
    #[must_use]
    pub fn meaning(&self) -> &'static str {
        match self.state.as_str() {
            state if state == State::Sealed.to_string() => {
                "Every record stands as it was written, and signed heads of the log cover them."
            }
            state if state == State::Unsealed.to_string() => {
                "Every record stands as it was written, as far as the log itself tells. No \
                 signature covers the end of it yet, or a start took some of it on trust; a head \
                 that was kept elsewhere shows whether the end was cut off."
            }
            state if state == State::Broken.to_string() => {
                "The log is NOT what was written. What follows may be incomplete or false."
            }
            _ => "Nobody looked whether the log is what was written.",
        }
    }
}
