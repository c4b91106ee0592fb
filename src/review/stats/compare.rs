//! What changed from one policy to another, in what was decided under each.

use super::count::{Counts, Row, Table};
use crate::audit::wire::WireRecord;
use crate::limits::{STATS_KEYS_MAX, STATS_TOP_MAX};
use crate::model::record::Kind;
use crate::review::policies::{KeptPolicy, KeptRule};
use crate::review::session::about;
use serde::Serialize;
use std::collections::BTreeMap;

/// Two policies beside each other.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// The digest of the earlier one.
    pub before: String,
    /// The digest of the later one.
    pub after: String,
    /// What was decided under the earlier one.
    pub calls_before: Counts,
    /// What was decided under the later one.
    pub calls_after: Counts,
    /// Rules that refused something under the later one alone, by how often. Such a rule may stand
    /// in both.
    pub new_denials: Vec<Row>,
    /// Rules that refused under the earlier one alone.
    pub gone_denials: Vec<Row>,
    /// The same tool and target, decided otherwise.
    pub changes: Vec<Change>,
    /// The rules that are other ones; nothing if that is not known.
    pub rules: Option<Vec<RuleChange>>,
    /// Why not.
    pub rules_not_known: String,
}

/// A rule that one policy has and another has not, or has otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleChange {
    /// `added`, `removed` or `changed`.
    pub change: &'static str,
    /// Its id.
    pub id: String,
    /// The file it stands in, or stood in.
    pub file: String,
    /// Its line there.
    pub line: usize,
    /// Whether it has a text of its own; a pattern of the grid says all in its id.
    pub has_text: bool,
    /// Its text before; empty if there was none.
    pub before: String,
    /// Its text after.
    pub after: String,
}

/// The rules that are other ones in the later of two policies, in its order, then those that went.
#[must_use]
pub fn rule_changes(before: &KeptPolicy, after: &KeptPolicy) -> Vec<RuleChange> {
    let texts = |policy: &KeptPolicy| -> Vec<(KeptRule, String)> {
        let rules = policy.rules().into_iter();
        let text = |rule: &KeptRule| policy.rule_text(&rule.file, rule.line).unwrap_or_default();
        rules.map(|rule| (text(&rule), rule)).map(|(text, rule)| (rule, text)).collect()
    };
    let (old, new) = (texts(before), texts(after));
    let find = |rules: &[(KeptRule, String)], id: &str| -> Option<(String, String)> {
        let found = rules.iter().find(|(rule, _)| rule.id == id);
        found.map(|(rule, text)| (rule.says.clone(), text.clone()))
    };
    let of = |change, rule: &KeptRule, before: &str, after: &str| RuleChange {
        change,
        id: rule.id.clone(),
        file: rule.file.clone(),
        line: rule.line,
        has_text: !rule.is_of_grid(),
        before: before.to_owned(),
        after: after.to_owned(),
    };
    let mut changes: Vec<RuleChange> = Vec::new();
    for (rule, text) in &new {
        match find(&old, &rule.id) {
            None => changes.push(of("added", rule, "", text)),
            // A grid's rules have the grid's text: only one that says otherwise changed.
            Some((says, was)) if says != rule.says || (was != *text && !rule.is_of_grid()) => {
                changes.push(of("changed", rule, &was, text));
            }
            Some(_) => {}
        }
    }
    let gone = old.iter().filter(|(rule, _)| find(&new, &rule.id).is_none());
    changes.extend(gone.map(|(rule, text)| of("removed", rule, text, "")));
    changes
}

/// One tool and target that came to something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The tool.
    pub tool: String,
    /// What the calls were about.
    pub about: String,
    /// What they came to under the earlier policy.
    pub before: String,
    /// Under the later one.
    pub after: String,
    /// How often, under the later one.
    pub count: u64,
    /// The stream of the newest such record.
    pub stream: String,
    /// Its number.
    pub seq: u64,
    /// Its reason.
    pub reason: String,
}

/// Compares from records.
#[derive(Debug, Default)]
pub struct Comparing {
    before: String,
    after: String,
    calls: [Counts; 2],
    denials: [Table; 2],
    targets: BTreeMap<(String, String), Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    before: String,
    after: String,
    count: u64,
    stream: String,
    seq: u64,
    reason: String,
}

impl Comparing {
    /// Of these two digests, each in full.
    #[must_use]
    pub fn of(before: &str, after: &str) -> Comparing {
        let (before, after) = (before.to_owned(), after.to_owned());
        Comparing { before, after, ..Comparing::default() }
    }

    /// Looks at one record.
    pub fn take(&mut self, record: &WireRecord) {
        let (Some(policy), Some(decision)) = (&record.policy, &record.decision) else { return };
        let later = policy.sha256 == self.after;
        if record.kind != Kind::ToolPre.as_str() || (!later && policy.sha256 != self.before) {
            return;
        }
        let side = usize::from(later);
        if let Some(calls) = self.calls.get_mut(side) {
            calls.add(&decision.effect);
        }
        if decision.effect == "deny"
            && let Some(denials) = self.denials.get_mut(side)
        {
            denials.add(&record.decider().unwrap_or_default(), "deny");
        }
        let key = (record.tool.clone().unwrap_or_default(), about(record));
        if self.targets.len() >= STATS_KEYS_MAX && !self.targets.contains_key(&key) {
            return;
        }
        let seen = self.targets.entry(key).or_default();
        let effect = decision.effect.clone();
        if later {
            seen.after = effect;
            seen.count += 1;
            seen.stream.clone_from(&record.stream);
            seen.seq = record.seq;
            seen.reason.clone_from(&decision.reason);
        } else {
            seen.before = effect;
        }
    }

    /// What it comes to.
    #[must_use]
    pub fn finish(self) -> Comparison {
        let [calls_before, calls_after] = self.calls;
        let [old, new] = self.denials.map(|table| table.top(STATS_KEYS_MAX));
        let missing = |rows: &[Row], from: &[Row]| -> Vec<Row> {
            let known = |row: &&Row| !from.iter().any(|other| other.name == row.name);
            rows.iter().filter(known).take(STATS_TOP_MAX).cloned().collect()
        };
        let changed = |(_, seen): &(&(String, String), &Seen)| {
            !seen.before.is_empty() && !seen.after.is_empty() && seen.before != seen.after
        };
        let mut changes: Vec<Change> = self
            .targets
            .iter()
            .filter(changed)
            .map(|((tool, about), seen)| Change {
                tool: tool.clone(),
                about: about.clone(),
                before: seen.before.clone(),
                after: seen.after.clone(),
                count: seen.count,
                stream: seen.stream.clone(),
                seq: seen.seq,
                reason: seen.reason.clone(),
            })
            .collect();
        let strictness = |effect: &str| match effect {
            "deny" => 3,
            "ask" => 2,
            "defer" => 1,
            _ => 0,
        };
        // What became a refusal first.
        changes.sort_by_key(|one| std::cmp::Reverse((strictness(&one.after), one.count)));
        Comparison {
            new_denials: missing(&new, &old),
            gone_denials: missing(&old, &new),
            before: self.before,
            after: self.after,
            calls_before,
            calls_after,
            changes,
            rules: None,
            rules_not_known: String::new(),
        }
    }
}
