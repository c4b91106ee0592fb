//! A connection judged by the state of its session. It is no call: it spends nothing of a budget of
//! calls, and one that a call was judged for before draws on no limit again.

use super::change::Change;
use super::key::{Key, User};
use super::store::{Outcome, Store};
use super::user::Remembered;
use crate::model::decision::Decision;
use crate::model::effect::Verdict;
use crate::model::session::Session;
use crate::model::time::Moment;
use crate::policy::Policy;
use crate::policy::label::Polarity;
use std::collections::BTreeSet;

/// Whose connection it is, and what it takes.
#[derive(Debug, Clone, Copy)]
pub struct Connects {
    /// The session it is taken for; one of its own where nobody knows which it is.
    pub key: Key,
    /// It may be any session's of its user, or of anybody's where no user is known: it meets the
    /// taints of all.
    pub anyone: bool,
    /// It draws on limits, and marks.
    pub draws: bool,
}

impl Store {
    /// Judges a connection by the state as it stands; with `draws`, does to the state what the
    /// decision says, if it lets it through.
    pub fn connect(
        &self,
        Connects { key, anyone, draws }: Connects,
        policy: &Policy,
        now: Moment,
        decide: impl FnOnce(Session) -> Decision,
    ) -> Outcome {
        let refuse =
            |why: &str| Outcome::refused(Decision::refusal(why.to_owned(), policy.id.clone()));
        if let Some(why) = self.is_lost() {
            return refuse(&format!("what sessions did before is not known: {why}"));
        }
        let others = if anyone { self.taints(key.user, policy) } else { BTreeSet::new() };
        let places = self.places(policy);
        let cell = self.cell(key.user);
        let mut memory = cell.lock();
        let state = memory.session(key.session);
        if state.is_some_and(|state| state.closed) {
            return refuse("this session did what the guard could not remember; start a new one");
        }
        // What its transcript told last: a connection has none of its own to read.
        let told = Ok(state.map(|state| state.told.clone()).unwrap_or_default());
        let mut view = memory.view(key.session, (policy, &places), now, Some(&told));
        if !others.is_empty() {
            view.labels.extend(others);
            view.bits = policy.labels.bits_of(&view.labels);
        }
        let mut decision = decide(view);
        let changes = !decision.reservations.is_empty() || !decision.obligations.is_empty();
        if !draws || !changes || decision.verdict != Verdict::Allow {
            return Outcome::refused(decision);
        }
        let mut change = Change::new(key, memory.seq + 1, now);
        let room = self.room_for(&mut memory, key.session, policy, now).map_err(str::to_owned);
        let taken = room.and_then(|()| self.take(&mut memory, key, &decision, policy, &mut change));
        if let Err(why) = taken {
            decision = Decision::refusal(why, policy.id.clone());
            return Outcome::refused(decision);
        }
        // Not a call: it is not counted as one.
        change.admitted = false;
        let Some(json) = change.to_json() else {
            return refuse("the connection changes more of its session than is kept of one");
        };
        self.commit(&mut memory, key.session, &change);
        Outcome { state: Some(json), ..Outcome::refused(decision) }
    }

    /// Every taint of the sessions that a connection of this user may belong to.
    fn taints(&self, user: User, policy: &Policy) -> BTreeSet<String> {
        let is_taint = |label: &&String| {
            let family = label.split(':').next().unwrap_or_default();
            policy.labels.polarity_of(family) == Polarity::Taint
        };
        let of = |memory: &Remembered| -> Vec<String> {
            let labels = memory.sessions().flat_map(|state| state.labels.all());
            labels.filter(is_taint).cloned().collect()
        };
        let cells = match user {
            User(Some(_)) => vec![self.cell(user)],
            User(None) => self.cells().into_iter().map(|(_, cell)| cell).collect(),
        };
        cells.iter().flat_map(|cell| of(&cell.lock())).collect()
    }
}
