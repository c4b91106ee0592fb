//! What people answered and how long they took; and where secrets were taken out.

use crate::audit::wire::{WireCapture, WireRecord};
use crate::limits::{STATS_KEYS_MAX, STATS_TOP_MAX};
use crate::redact::{DIGEST_ONLY, TOO_LONG};
use serde::Serialize;
use std::collections::BTreeMap;

/// The answers to one rule's questions about one tool, to one who asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Approvals {
    /// Who asked: user id, runtime, agent.
    pub principal: String,
    /// The rule that asks.
    pub rule: String,
    /// The tool.
    pub tool: String,
    /// Questions.
    pub asked: u64,
    /// Answered yes.
    pub yes: u64,
    /// Answered no.
    pub no: u64,
    /// How long people were waited for in all, in milliseconds.
    pub waited_ms: u64,
    /// The longest wait.
    pub longest_ms: u64,
    /// Who answered last, in the record's words.
    pub by: String,
}

/// Secrets that one detector took out at one kind of place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Secrets {
    /// The detector.
    pub detector: String,
    /// `input` or `output`.
    pub of: String,
    /// The tool.
    pub tool: String,
    /// How often.
    pub count: u64,
    /// Where in the newest one, as a JSON pointer.
    pub pointer: String,
    /// The session of the newest one.
    pub session: String,
    /// The stream of its record.
    pub stream: String,
    /// Its number.
    pub seq: u64,
}

/// Collects secrets.
#[derive(Debug, Default)]
pub(super) struct Found(BTreeMap<(String, &'static str, String), Secrets>);

impl Found {
    pub(super) fn take(&mut self, record: &WireRecord) {
        let parts = [("input", &record.input), ("output", &record.output)];
        for (of, capture) in parts {
            let Some(WireCapture { redactions, .. }) = capture else { continue };
            for one in redactions {
                if [TOO_LONG, DIGEST_ONLY].contains(&one.detector.as_str()) {
                    continue;
                }
                let tool = record.tool.clone().unwrap_or_default();
                let key = (one.detector.clone(), of, tool.clone());
                if self.0.len() >= STATS_KEYS_MAX && !self.0.contains_key(&key) {
                    continue;
                }
                let row = self.0.entry(key).or_default();
                let count = row.count + 1;
                *row = Secrets {
                    detector: one.detector.clone(),
                    of: of.to_owned(),
                    tool,
                    count,
                    pointer: one.pointer.clone(),
                    session: record.session.clone().unwrap_or_default(),
                    stream: record.stream.clone(),
                    seq: record.seq,
                };
            }
        }
    }

    /// The rows, most first.
    pub(super) fn finish(self) -> Vec<Secrets> {
        let mut rows: Vec<Secrets> = self.0.into_values().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.count));
        rows.truncate(STATS_TOP_MAX);
        rows
    }
}
