//! Rules and what came of them: those that never fired, questions that are always answered yes.

use super::slow::{Histogram, Latency, wait_us};
use crate::audit::wire::{WireRecord, WireRule};
use crate::limits::{STATS_EVIDENCE_ROWS, STATS_KEYS_MAX, STATS_PENDING_MAX};
use crate::model::json::Json;
use crate::model::record::Kind;
use crate::review::findings::at;
use crate::review::policies::{Kept, Policies};
use crate::review::session::about;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A rule that made no decision while its policy was in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NeverFired {
    /// The policy's name.
    pub policy: String,
    /// Its digest.
    pub sha256: String,
    /// The rule.
    pub id: String,
    /// Its file.
    pub file: String,
    /// Its line there.
    pub line: usize,
    /// What it says.
    pub says: String,
    /// Whether it is in shadow mode, so that it could only have been told.
    pub shadow: bool,
}

/// A question to which people always said yes: perhaps an allow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Approved {
    /// The rule that asks; the policy's `default` where no rule spoke.
    pub rule: String,
    /// The tool.
    pub tool: String,
    /// How often it was asked.
    pub asked: u64,
    /// How often the answer was yes; as often as it was answered.
    pub yes: u64,
    /// Questions without an answer in the log.
    pub open: u64,
    /// How long people were waited for in all, in milliseconds.
    pub waited_ms: u64,
    /// A few of the calls.
    pub evidence: Vec<Evidence>,
}

/// One call of those.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The stream of its record.
    pub stream: String,
    /// The number of its record.
    pub seq: u64,
    /// What it was about.
    pub about: String,
}

/// Collects both.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Rules that fired: of which policy's digest, and which.
    fired: BTreeSet<(String, String)>,
    /// Questions under way.
    open: HashMap<String, Question>,
    answers: BTreeMap<(String, String), Answers>,
    waiting: Histogram,
}

#[derive(Debug)]
struct Question {
    key: (String, String),
    at: i64,
    ran_ms: Option<u64>,
}

#[derive(Debug, Default)]
struct Answers {
    row: Approved,
    no: u64,
}

impl Asked {
    /// A rule made a decision.
    pub(super) fn fired(&mut self, record: &WireRecord, rule: &WireRule) {
        let Some(policy) = &record.policy else { return };
        let key = (policy.sha256.clone(), rule.id.clone());
        if self.fired.len() < STATS_KEYS_MAX || self.fired.contains(&key) {
            self.fired.insert(key);
        }
    }

    pub(super) fn take(&mut self, record: &WireRecord) {
        let Some(call) = &record.call else { return };
        if record.kind == Kind::ToolPre.as_str() {
            let Some(decision) = record.decision.as_ref().filter(|one| one.effect == "ask") else {
                return;
            };
            let rule = decision.rules.iter().find(|rule| !rule.shadow && rule.effect == "ask");
            let rule = rule.map_or_else(|| format!("({})", decision.basis), |rule| rule.id.clone());
            let key = (rule, record.tool.clone().unwrap_or_default());
            if self.open.len() >= STATS_PENDING_MAX || self.answers.len() >= STATS_KEYS_MAX {
                return;
            }
            let answers = self.answers.entry(key.clone()).or_default();
            answers.row.asked += 1;
            if answers.row.evidence.len() < STATS_EVIDENCE_ROWS {
                let (stream, seq) = (record.stream.clone(), record.seq);
                answers.row.evidence.push(Evidence { stream, seq, about: about(record) });
            }
            self.open.insert(call.clone(), Question { key, at: at(record), ran_ms: None });
        } else if record.kind == Kind::ToolPost.as_str() {
            // Its approval stands behind it.
            if let Some(question) = self.open.get_mut(call) {
                question.ran_ms = record.details.get("duration_ms").and_then(Json::as_u64);
            }
        } else if record.kind == Kind::Approval.as_str() {
            self.answered(record, call);
        }
    }

    fn answered(&mut self, record: &WireRecord, call: &str) {
        let Some(question) = self.open.remove(call) else { return };
        let Some(answers) = self.answers.get_mut(&question.key) else { return };
        let told = record.details.get("wait_ms").and_then(Json::as_u64);
        let between = wait_us(question.at, at(record)) / 1_000;
        let waited = told.unwrap_or(between.saturating_sub(question.ran_ms.unwrap_or(0)));
        answers.row.waited_ms = answers.row.waited_ms.saturating_add(waited);
        self.waiting.add(waited.saturating_mul(1_000));
        match record.details.get("answer").and_then(Json::as_str) {
            Some("yes") => answers.row.yes += 1,
            _ => answers.no += 1,
        }
    }

    /// Those that were always answered yes, the most asked first; and how long people took.
    pub(super) fn approved(&self) -> (Vec<Approved>, Latency) {
        let always =
            self.answers.iter().filter(|(_, answers)| answers.no == 0 && answers.row.yes > 0);
        let mut rows: Vec<Approved> = always
            .map(|((rule, tool), answers)| Approved {
                rule: rule.clone(),
                tool: tool.clone(),
                open: answers.row.asked.saturating_sub(answers.row.yes),
                ..answers.row.clone()
            })
            .collect();
        rows.sort_by(|a, b| b.yes.cmp(&a.yes).then_with(|| a.rule.cmp(&b.rule)));
        (rows, self.waiting.told())
    }

    /// The rules of each policy that was in force, without those that fired under it.
    pub(super) fn never_fired(&self, loads: &Policies, kept: &dyn Kept) -> Vec<NeverFired> {
        let mut rows = Vec::new();
        for load in loads.distinct() {
            for rule in kept.rules(load).unwrap_or_default() {
                if !self.fired.contains(&(load.sha256.clone(), rule.id.clone())) {
                    rows.push(NeverFired {
                        policy: load.name.clone(),
                        sha256: load.sha256.clone(),
                        id: rule.id,
                        file: rule.file,
                        line: rule.line,
                        says: rule.says,
                        shadow: rule.shadow,
                    });
                }
            }
        }
        rows
    }
}
