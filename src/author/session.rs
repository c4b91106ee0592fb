//! The sessions of one run of `policy eval`: what its lines left behind, in order.
//!
//! It stands where a sidecar has its store: before a call it says what is remembered, after it
//! takes up what the decision says. Lines without a session share nothing.

use crate::limits::EVAL_CALLS_OPEN_MAX;
use crate::model::call::{Phase, ToolCall};
use crate::model::decision::{Decision, Obligation};
use crate::model::effect::Verdict;
use crate::model::session::{Session, Spent, Transcript};
use crate::model::time::Moment;
use crate::policy::canonical::sha256;
use crate::policy::document::Per;
use crate::policy::rule::Policy;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// All sessions of a run, which are one user's.
#[derive(Debug, Default)]
pub struct Sessions {
    sessions: BTreeMap<String, Kept>,
    of_user: Counts,
}

/// One session.
#[derive(Debug, Default)]
struct Kept {
    began: Option<Moment>,
    labels: BTreeSet<String>,
    of_session: Counts,
    calls: u64,
    output_bytes: u64,
    /// Counts what happens in the session, so that before and after can be told.
    clock: u64,
    /// When each label was last taken away.
    taken: BTreeMap<String, u64>,
    /// Calls that were admitted and have not come back, by what they are; the oldest first.
    open: VecDeque<(String, u64)>,
}

/// What was drawn on each limit, by its place in the policy.
#[derive(Debug, Default)]
struct Counts(BTreeMap<usize, Count>);

/// What was drawn on one limit, and when.
#[derive(Debug, Default)]
struct Count {
    drawn: VecDeque<(Moment, f64)>,
    total: f64,
}

impl Sessions {
    /// What is remembered of a session when a call of it is judged.
    #[must_use]
    pub fn state(&mut self, session: Option<&str>, policy: &Policy, now: Moment) -> Session {
        let Some(name) = session else { return fresh(policy, now) };
        let kept = self.sessions.entry(name.to_owned()).or_default();
        let began = *kept.began.get_or_insert(now);
        let of_user = &mut self.of_user;
        let used = policy.limits.iter().enumerate().map(|(place, limit)| {
            let counts = if limit.terms.of_user { &mut *of_user } else { &mut kept.of_session };
            counts.used(place, limit.terms.per, now)
        });
        let mut state = fresh(policy, now);
        state.used = used.collect();
        state.bits = policy.labels.bits_of(&kept.labels);
        state.labels.clone_from(&kept.labels);
        state.spent.calls = kept.calls;
        state.spent.output_bytes = kept.output_bytes;
        state.spent.wall_us = now.since(began);
        state
    }

    /// Takes up what a decision on a call of the session says.
    pub fn take(
        &mut self,
        session: Option<&str>,
        policy: &Policy,
        call: &ToolCall,
        decision: &Decision,
        now: Moment,
    ) {
        let Some(name) = session else { return };
        let kept = self.sessions.entry(name.to_owned()).or_default();
        match &call.phase {
            // What is refused neither marks nor counts.
            Phase::Pre if decision.verdict == Verdict::Deny => return,
            Phase::Pre => {
                for drawn in &decision.reservations {
                    let of_user = policy.limits.get(drawn.limit).is_some_and(|l| l.terms.of_user);
                    let counts = if of_user { &mut self.of_user } else { &mut kept.of_session };
                    counts.draw(drawn.limit, drawn.amount, now);
                }
                kept.admit(call);
            }
            Phase::Post { output, .. } => {
                let bytes = u64::try_from(output.to_string().len()).unwrap_or(u64::MAX);
                kept.output_bytes = kept.output_bytes.saturating_add(bytes);
            }
        }
        kept.oblige(call, &decision.obligations);
    }
}

/// A session of which nothing is remembered. No transcript is read here, so of what one would tell
/// nothing counts as spent.
pub(super) fn fresh(policy: &Policy, now: Moment) -> Session {
    let transcript =
        Some(Transcript::Read { turns: 0, cost_usd: 0.0, models: BTreeSet::default() });
    Session {
        now,
        used: vec![0.0; policy.limits.len()],
        spent: Spent { transcript, ..Spent::default() },
        ..Session::default()
    }
}

impl Kept {
    fn admit(&mut self, call: &ToolCall) {
        self.calls = self.calls.saturating_add(1);
        self.clock += 1;
        if self.open.len() == EVAL_CALLS_OPEN_MAX {
            self.open.pop_front();
        }
        self.open.push_back((key_of(call), self.clock));
    }

    fn oblige(&mut self, call: &ToolCall, obligations: &[Obligation]) {
        let admitted = match &call.phase {
            Phase::Pre => self.clock,
            Phase::Post { .. } => self.came_back(call),
        };
        for obligation in obligations {
            match obligation {
                Obligation::Mark { label, proof: true } => {
                    // A proof lands only if nothing took it away since its call was admitted.
                    if self.taken_last(label) <= admitted {
                        self.labels.insert(label.clone());
                    }
                }
                Obligation::Mark { label, proof: false } => {
                    self.labels.insert(label.clone());
                }
                Obligation::Unmark(label) => self.unmark(label),
                Obligation::ReplaceOutput { .. } | Obligation::ReplaceInput(_) => {}
            }
        }
    }

    /// When the call that came back was admitted: the oldest such call that has not come back yet.
    /// One that was never seen may have been admitted before anything else.
    fn came_back(&mut self, call: &ToolCall) -> u64 {
        self.clock += 1;
        let key = key_of(call);
        let place = self.open.iter().position(|(open, _)| *open == key);
        place.and_then(|place| self.open.remove(place)).map_or(0, |(_, admitted)| admitted)
    }

    fn unmark(&mut self, label: &str) {
        match label.strip_suffix('*').filter(|prefix| prefix.ends_with(':')) {
            Some(prefix) => self.labels.retain(|has| !has.starts_with(prefix)),
            None => {
                self.labels.remove(label);
            }
        }
        self.taken.insert(label.to_owned(), self.clock);
    }

    fn taken_last(&self, label: &str) -> u64 {
        let family = label.split_once(':').map(|(family, _)| format!("{family}:*"));
        let names = [Some(label), family.as_deref()].into_iter().flatten();
        names.filter_map(|name| self.taken.get(name)).copied().max().unwrap_or(0)
    }
}

/// What joins a call that came back to the call that was admitted.
fn key_of(call: &ToolCall) -> String {
    let cwd = call.cwd.as_ref().map(ToString::to_string).unwrap_or_default();
    sha256(&serde_json::json!([call.tool.as_str(), call.input, cwd]).to_string())
}

impl Counts {
    fn draw(&mut self, limit: usize, amount: f64, now: Moment) {
        let count = self.0.entry(limit).or_default();
        count.drawn.push_back((now, amount));
        count.total += amount;
    }

    /// What was drawn within the limit's time; what is older is forgotten.
    fn used(&mut self, limit: usize, per: Per, now: Moment) -> f64 {
        let Some(count) = self.0.get_mut(&limit) else { return 0.0 };
        let seconds = match per {
            Per::Minute => 60,
            Per::Hour => 3_600,
            Per::Day => 86_400,
            Per::Session => return count.total,
        };
        let kept = count.drawn.len();
        let old = |(at, _): &(Moment, f64)| now.since(*at) >= seconds * Moment::SECOND;
        while count.drawn.front().is_some_and(old) {
            count.drawn.pop_front();
        }
        // Added up anew, so that nothing of what is gone stays in it.
        if count.drawn.len() < kept {
            count.total = count.drawn.iter().map(|(_, amount)| amount).sum();
        }
        count.total
    }
}

#[cfg(test)]
mod tests;
