//! The end of a call: what a call that has run sets, takes away and proves.

use super::change::{Before, Change};
use super::key::Key;
use super::labels::{Pending, kept, kept_or_every_key, takes};
use super::store::{Asked, Held, Outcome, Store};
use super::user::{Late, Remembered, State};
use crate::limits::LABELS_OF_CALL_MAX;
use crate::model::decision::{Decision, Obligation};
use crate::model::finding::{Code, Finding};
use crate::model::session::Session;
use crate::model::time::Moment;
use crate::policy::Policy;

impl Store {
    /// Judges a call that has run, and does to the state what the decision says.
    pub fn finish(
        &self,
        asked: &Asked,
        output_bytes: u64,
        policy: &Policy,
        now: Moment,
        decide: impl FnOnce(Session) -> Decision,
    ) -> Outcome {
        let refuse = |why: String| Outcome::refused(Decision::refusal(why, policy.id.clone()));
        if let Some(why) = &self.lost {
            return refuse(format!("what sessions did before is not known: {why}"));
        }
        let places = self.places(policy);
        let Key { user, session } = asked.key;
        let cell = self.cell(user);
        let mut memory = cell.lock();
        let mut change = Change { output_bytes, ..Change::new(asked.key, memory.seq + 1, now) };
        if let Err(why) = self.room_for(&mut memory, session, policy, now) {
            // Nothing of the session is known here; whoever reads the log later knows that much.
            memory.lossy = true;
            memory.seq += 1;
            change.closed = true;
            let state = change.to_json();
            return Outcome { state, ..refuse(why.to_owned()) };
        }
        let view = memory.view(session, (policy, &places), now, None);
        change.before = Before::of(&view, false);
        let decision = decide(view);
        let mut findings = Vec::new();
        let ended = asked.tool_use_id.as_ref().and_then(|id| {
            let pending = memory.session(session)?.calls.get(id)?;
            Some((id.clone(), pending.clone()))
        });
        self.end(&memory, asked, ended.as_ref(), &decision, &mut change, &mut findings);
        let json = match change.to_json() {
            Some(json) => Some(json),
            None => {
                let closed = Change { closed: true, ..Change::new(asked.key, change.seq, now) };
                change = Change { output_bytes, ..closed };
                findings.push(Finding { code: Code::SessionClosed, what: Vec::new() });
                change.to_json()
            }
        };
        self.commit(&mut memory, session, &change);
        let mut held = Held::default();
        // An end that anyone may tell does not end the wait for the one that the runtime tells.
        if let Some((call, pending)) = ended.filter(|(_, call)| asked.proven || !call.proven) {
            let (since, labels) = (pending.since, change.proved);
            held.if_kept = Some(Late::Prove { session, call, since, labels });
        }
        drop(memory);
        held.cell = Some(cell);
        Outcome { decision, state: json, findings, held }
    }

    /// What a call that has run sets, takes away and proves.
    fn end(
        &self,
        memory: &Remembered,
        asked: &Asked,
        ended: Option<&(String, Pending)>,
        decision: &Decision,
        change: &mut Change,
        findings: &mut Vec<Finding>,
    ) {
        let state = memory.session(asked.key.session);
        let mut proved = Vec::new();
        for obligation in &decision.obligations {
            match obligation {
                Obligation::Mark { label, proof: true } => proved.push(label.clone()),
                Obligation::Mark { label, proof: false } => {
                    match kept_or_every_key(label, &self.redactor) {
                        Some(label) if state.is_some_and(|state| state.labels.has(&label)) => {}
                        Some(label) => change.marked.push(label),
                        None => change.closed = true,
                    }
                }
                Obligation::Unmark(label) => {
                    let label = kept_or_every_key(label, &self.redactor);
                    // What its admission took away may have been proved anew since.
                    let done = |label: &String| {
                        ended.is_some_and(|(_, call)| call.unmarked.contains(label))
                    };
                    change.unmarked.extend(label.filter(|label| !done(label)));
                }
                Obligation::ReplaceOutput { .. } | Obligation::ReplaceInput(_) => {}
            }
        }
        for labels in [&mut change.marked, &mut change.unmarked, &mut proved] {
            labels.sort();
            labels.dedup();
        }
        let has_room = state.is_none_or(|state| state.labels.has_room_for(&change.marked));
        if !has_room || change.marked.len() + change.unmarked.len() > LABELS_OF_CALL_MAX {
            // It happened, and cannot be remembered: nothing may happen in this session any more.
            change.closed = true;
            (change.marked, change.unmarked) = (Vec::new(), Vec::new());
        }
        if change.closed {
            findings.push(Finding { code: Code::SessionClosed, what: Vec::new() });
        }
        if !proved.is_empty() {
            match self.prove(state, asked, ended, proved, change) {
                Ok(()) => {}
                Err(finding) => findings.push(finding),
            }
        }
    }

    /// What a call proves, if its end is believed and nothing took it away since.
    fn prove(
        &self,
        state: Option<&State>,
        asked: &Asked,
        ended: Option<&(String, Pending)>,
        mut proved: Vec<String>,
        change: &mut Change,
    ) -> Result<(), Finding> {
        let names = |labels: &[String]| {
            let some = labels.iter().take(LABELS_OF_CALL_MAX);
            some.filter_map(|label| kept_or_every_key(label, &self.redactor)).collect()
        };
        if !asked.proven {
            return Err(Finding { code: Code::ProofFromUnprovenSender, what: names(&proved) });
        }
        let Some((_, call)) = ended.filter(|(_, call)| call.proven) else {
            return Err(Finding { code: Code::ProofWithoutAdmittedCall, what: names(&proved) });
        };
        let taken = |label: &str| change.unmarked.iter().any(|taken| takes(taken, label));
        let stands = |label: &String| {
            !taken(label) && state.is_some_and(|state| state.calls.may_prove(label, call.since))
        };
        proved.retain(stands);
        let all = proved.len();
        proved.retain(|label| kept(label, &self.redactor).is_some());
        let room = LABELS_OF_CALL_MAX.saturating_sub(change.marked.len() + change.unmarked.len());
        let fits = state.is_some_and(|state| {
            let new: Vec<String> = change.marked.iter().chain(&proved).cloned().collect();
            state.labels.has_room_for(&new)
        });
        if proved.len() < all || proved.len() > room || !fits {
            return Err(Finding { code: Code::ProofNotKept, what: Vec::new() });
        }
        change.proved = proved;
        Ok(())
    }
}
