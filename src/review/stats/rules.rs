//! Rules and what came of them: those that never fired, questions that are always answered yes.

use super::people::Approvals;
use super::principal;
use super::slow::{Histogram, Latency, wait_us};
use crate::audit::wire::{WireRecord, WireRule};
use crate::limits::{STATS_EVIDENCE_ROWS, STATS_KEYS_MAX, STATS_PENDING_MAX, STATS_TOP_MAX};
use crate::model::json::Json;
use crate::model::record::Kind;
use crate::review::findings::at;
use crate::review::policies::{Kept, Policies, PolicyLoad};
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
    /// Policies that something was decided under, by digest.
    in_force: BTreeSet<String>,
    /// Rules that fired: of which policy's digest, and which.
    fired: BTreeSet<(String, String)>,
    /// Questions under way.
    open: HashMap<String, Question>,
    answers: BTreeMap<(String, String), Answers>,
    /// The same by who asked.
    approvals: BTreeMap<(String, String, String), Approvals>,
    waiting: Histogram,
}

#[derive(Debug)]
struct Question {
    key: (String, String),
    /// Its key among the approvals.
    whose: (String, String, String),
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
        if let Some(policy) = &record.policy
            && !self.in_force.contains(&policy.sha256)
            && self.in_force.len() < STATS_KEYS_MAX
        {
            self.in_force.insert(policy.sha256.clone());
        }
        let Some(call) = &record.call else { return };
        if record.kind == Kind::ToolPre.as_str() {
            if record.decided().is_none_or(|one| one.effect != "ask") {
                return;
            }
            let rule = record.decider().unwrap_or_default();
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
            let whose = (principal(record), key.0.clone(), key.1.clone());
            self.approvals.entry(whose.clone()).or_default().asked += 1;
            self.open.insert(call.clone(), Question { key, whose, at: at(record), ran_ms: None });
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
        let yes = record.details.get("answer").and_then(Json::as_str) == Some("yes");
        answers.row.yes += u64::from(yes);
        answers.no += u64::from(!yes);
        if let Some(row) = self.approvals.get_mut(&question.whose) {
            row.yes += u64::from(yes);
            row.no += u64::from(!yes);
            row.waited_ms = row.waited_ms.saturating_add(waited);
            row.longest_ms = row.longest_ms.max(waited);
            let by = record.details.get("by").and_then(Json::as_str);
            by.unwrap_or_default().clone_into(&mut row.by);
        }
    }

    /// All questions and their answers, the most asked first.
    pub(super) fn approvals(&self) -> Vec<Approvals> {
        let row = |((principal, rule, tool), row): (&(String, String, String), &Approvals)| {
            let (principal, rule, tool) = (principal.clone(), rule.clone(), tool.clone());
            Approvals { principal, rule, tool, ..row.clone() }
        };
        let mut rows: Vec<Approvals> = self.approvals.iter().map(row).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.asked));
        rows.truncate(STATS_TOP_MAX);
        rows
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

    /// The rules of each policy that was in force, without those that fired under it; and the
    /// policies of which that is not known, with the reason.
    pub(super) fn never_fired(
        &self,
        policies: &Policies,
        kept: &dyn Kept,
    ) -> (Vec<NeverFired>, Vec<String>) {
        let (mut rows, mut unknown) = (Vec::new(), Vec::new());
        let in_force = |load: &&PolicyLoad| self.in_force.contains(&load.sha256);
        // What is in force now is asked for first.
        for load in policies.distinct().into_iter().rev().filter(in_force) {
            let policy = match kept.policy(load) {
                Ok(policy) => policy,
                Err(why) => {
                    unknown.push(format!("{} {}: {why}", load.name, load.sha256));
                    continue;
                }
            };
            for rule in policy.rules() {
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
        (rows, unknown)
    }
}
