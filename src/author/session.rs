//! The sessions of one run of `policy eval`: the sidecar's own store, with nothing behind it.
//!
//! A sidecar joins the end of a call to its beginning by the runtime's id of the call, which no
//! line has; here a `post` line ends the oldest call of its session that is the same and was let
//! through. Lines without a session share nothing.

use crate::engine::decide;
use crate::limits::EVAL_CALLS_OPEN_MAX;
use crate::model::call::{Phase, ToolCall};
use crate::model::decision::Decision;
use crate::model::effect::Verdict;
use crate::model::facts::Facts;
use crate::model::session::{Session, Spent, Transcript};
use crate::model::time::Moment;
use crate::policy::canonical::sha256;
use crate::policy::rule::Policy;
use crate::redact::{Redactor, json_bytes};
use crate::session::{Asked, Counts, Outcome, Store};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// All sessions of a run, which are one user's.
#[derive(Debug)]
pub struct Sessions {
    store: Store,
    /// Of each session, the calls that were let through and have not come back: what each is, and
    /// the id it got; the oldest first.
    open: BTreeMap<String, VecDeque<(String, String)>>,
    /// Calls so far.
    count: u64,
}

impl Sessions {
    /// A run that remembers nothing yet.
    #[must_use]
    pub fn new(redactor: Redactor) -> Sessions {
        Sessions { store: Store::new(redactor), open: BTreeMap::new(), count: 0 }
    }

    /// Judges a call by what its session left behind, and keeps what the decision says.
    pub fn judge(
        &mut self,
        session: Option<&str>,
        policy: &Policy,
        facts: &mut Facts,
        redactor: &Redactor,
        now: Moment,
    ) -> Decision {
        let Some(name) = session else {
            facts.session = fresh(policy, now);
            return decide(policy, facts, redactor);
        };
        let call = key_of(&facts.call);
        let ended = match &facts.call.phase {
            Phase::Pre => None,
            Phase::Post { output, .. } => {
                facts.call.tool_use_id = self.ended(name, &call);
                Some(u64::try_from(json_bytes(output)).unwrap_or(u64::MAX))
            }
        };
        if ended.is_none() {
            self.count += 1;
            facts.call.tool_use_id = Some(self.count.to_string());
        }
        // No transcript is read here: of what one would tell, nothing counts as spent.
        let asked = Asked::of(&facts.call, Some(Ok(Counts::default())));
        let judged = |state| {
            facts.session = state;
            decide(policy, facts, redactor)
        };
        let Outcome { decision, held, .. } = match ended {
            None => self.store.admit(&asked, policy, now, judged),
            Some(bytes) => self.store.finish(&asked, bytes, policy, now, judged),
        };
        held.keep();
        if ended.is_none() && decision.verdict != Verdict::Deny {
            self.admitted(name, call, facts.call.tool_use_id.clone());
        }
        decision
    }

    fn admitted(&mut self, session: &str, call: String, id: Option<String>) {
        let open = self.open.entry(session.to_owned()).or_default();
        if open.len() == EVAL_CALLS_OPEN_MAX {
            open.pop_front();
        }
        open.extend(id.map(|id| (call, id)));
    }

    fn ended(&mut self, session: &str, call: &str) -> Option<String> {
        let open = self.open.get_mut(session)?;
        let place = open.iter().position(|(known, _)| known == call)?;
        open.remove(place).map(|(_, id)| id)
    }
}

/// A session of which nothing is remembered.
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

/// What joins the end of a call to its beginning.
fn key_of(call: &ToolCall) -> String {
    let cwd = call.cwd.as_ref().map(ToString::to_string).unwrap_or_default();
    sha256(&serde_json::json!([call.tool.as_str(), call.input, cwd]).to_string())
}

#[cfg(test)]
mod tests;
