//! All that is remembered of one user: his sessions, and the counts over all of them.
//!
//! Everything in here happens under the user's one lock (see `store`).

use super::change::{Change, Item, Reserved, Told};
use super::key::{SessionId, User};
use super::labels::{Calls, Labels};
use super::transcript::Counts;
use super::window::{CounterId, Places, Window, per, word};
use crate::limits::{
    COUNTERS_MAX, LABELS_OF_CALL_MAX, SESSION_IDLE, SESSIONS_OF_USER_MAX,
    TRANSCRIPT_SILENT_CALLS_MAX,
};
use crate::model::session::{Session, Spent, Transcript};
use crate::model::time::Moment;
use crate::policy::rule::{Limit, Policy};
use std::collections::{BTreeMap, HashMap};

/// What is remembered of one user.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// The number of his last change.
    pub(super) seq: u64,
    sessions: HashMap<SessionId, State>,
    counters: Counters,
    /// Something could not be remembered: no place is given up any more.
    pub(super) lossy: bool,
}

/// What is remembered of one session.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) labels: Labels,
    pub(super) calls: Calls,
    pub(super) closed: bool,
    counters: Counters,
    admitted: u64,
    /// When its first call was judged, and its last.
    first: Moment,
    latest: Moment,
    /// The longest time between the two that was ever seen.
    wall_us: i64,
    output_bytes: u64,
    /// The most that its transcript has told.
    pub(super) told: Counts,
}

type Counters = BTreeMap<CounterId, Window>;

/// What is done later, without waiting for the lock, once a record was written or was not.
#[derive(Debug)]
pub(super) enum Late {
    /// An admitted call provably did not run: what it took is given back, and it is not counted.
    Refund { session: SessionId, reserved: Vec<Reserved> },
    /// The end of a call stands in the log: it is no longer waited for, and what it proves lands,
    /// if nothing took it away meanwhile.
    Prove { session: SessionId, call: String, since: u64, labels: Vec<String> },
}

impl Remembered {
    pub(super) fn session(&self, id: SessionId) -> Option<&State> {
        self.sessions.get(&id)
    }

    pub(super) fn sessions(&self) -> impl Iterator<Item = &State> {
        self.sessions.values()
    }

    pub(super) fn count(&self) -> usize {
        self.sessions.len()
    }

    /// Gives up the places of sessions that left nothing to remember, if room is short and the
    /// policy asks for nothing that they spent. How many places were given up.
    pub(super) fn make_room(&mut self, policy: &Policy, now: Moment) -> usize {
        if self.lossy || !policy.budgets.is_empty() {
            return 0;
        }
        let before = self.sessions.len();
        self.sessions.retain(|_, state| !state.is_empty(now));
        before - self.sessions.len()
    }

    /// Whether one more session has a place.
    pub(super) fn has_place(&self) -> bool {
        self.sessions.len() < SESSIONS_OF_USER_MAX
    }

    /// The session as a decision by `policy` sees it.
    pub(super) fn view(
        &self,
        id: SessionId,
        (policy, places): (&Policy, &Places),
        now: Moment,
        transcript: Option<&Result<Counts, String>>,
    ) -> Session {
        let state = self.sessions.get(&id);
        let labels = state.map(|state| state.labels.all().clone()).unwrap_or_default();
        let mut used = vec![0.0; policy.limits.len()];
        let of_session = state.into_iter().flat_map(|state| &state.counters);
        for (id, window) in self.counters.iter().chain(of_session) {
            for place in places.of(*id) {
                if let Some(used) = used.get_mut(*place) {
                    *used = window.used(now);
                }
            }
        }
        Session {
            now,
            bits: policy.labels.bits_of(&labels),
            labels,
            used,
            spent: spent(state, now, transcript),
        }
    }

    fn used(&self, state: Option<&State>, limit: &Limit, now: Moment) -> f64 {
        let counters = match limit.terms.of_user {
            true => Some(&self.counters),
            false => state.map(|state| &state.counters),
        };
        let window = counters.and_then(|counters| counters.get(&CounterId::of(limit)));
        window.map_or(0.0, |window| window.used(now))
    }

    /// What a call takes of a limit, as the log will have it.
    pub(super) fn reserve(
        &self,
        id: SessionId,
        limit: &Limit,
        amount: f64,
        now: Moment,
    ) -> Reserved {
        let per = limit.terms.per;
        let end = limit.rule.floor_char_boundary(64);
        Reserved {
            counter: CounterId::of(limit).to_string(),
            rule: limit.rule.get(..end).unwrap_or_default().to_owned(),
            per: word(per).to_owned(),
            of_user: limit.terms.of_user,
            used: self.used(self.sessions.get(&id), limit, now),
            amount,
            bucket: Window::bucket(per, now),
        }
    }

    /// Whether there is a place for every count.
    pub(super) fn has_counters_for(
        &mut self,
        id: SessionId,
        reserved: &[Reserved],
        now: Moment,
    ) -> bool {
        let empty = Counters::new();
        [true, false].into_iter().all(|of_user| {
            let counters = match of_user {
                true => &self.counters,
                false => self.sessions.get(&id).map_or(&empty, |state| &state.counters),
            };
            let new = reserved.iter().filter(|one| one.of_user == of_user).filter(|one| {
                CounterId::parse(&one.counter).is_none_or(|id| !counters.contains_key(&id))
            });
            let over = |window: &&Window| window.is_over(now);
            let needed = (counters.len() + new.count()).saturating_sub(COUNTERS_MAX);
            // Looked through only where room is short: what counts no more gives up its place.
            needed == 0 || needed <= counters.values().filter(over).count()
        })
    }

    /// Does what a change says; the proofs only if they stand in the log (`Late::Prove`).
    pub(super) fn apply(&mut self, session: SessionId, change: &Change, prove: bool) {
        let now = Moment(change.at);
        self.seq = self.seq.max(change.seq);
        let state = self.sessions.entry(session).or_insert_with(|| State::new(now));
        state.first = state.first.min(now);
        state.latest = state.latest.max(now);
        state.wall_us = state.wall_us.max(now.since(state.first));
        state.closed |= change.closed;
        state.admitted += u64::from(change.admitted);
        state.output_bytes = state.output_bytes.saturating_add(change.output_bytes);
        if let Some(told) = &change.transcript {
            state.told = std::mem::take(&mut state.told).most(told.clone().into());
        }
        for label in &change.unmarked {
            state.labels.remove(label);
            state.calls.take(label, change.seq);
        }
        change.marked.iter().for_each(|label| state.labels.add(label));
        for label in change.proved.iter().filter(|_| prove) {
            state.labels.add_if_room(label);
        }
        for one in &change.reserved {
            let counters = if one.of_user { &mut self.counters } else { &mut state.counters };
            count(counters, one, now);
        }
    }

    /// A call was admitted by the change of that number.
    pub(super) fn await_end(
        &mut self,
        session: SessionId,
        call: &str,
        pending: super::labels::Pending,
    ) {
        if let Some(state) = self.sessions.get_mut(&session) {
            state.calls.admit(call, pending);
        }
    }

    /// Does what was put off.
    pub(super) fn catch_up(&mut self, late: Late) {
        match late {
            Late::Refund { session, reserved } => {
                let Some(state) = self.sessions.get_mut(&session) else { return };
                state.admitted = state.admitted.saturating_sub(1);
                for one in reserved {
                    let counters =
                        if one.of_user { &mut self.counters } else { &mut state.counters };
                    let counter = CounterId::parse(&one.counter);
                    if let Some(window) = counter.and_then(|id| counters.get_mut(&id)) {
                        window.take_back(one.bucket, one.amount);
                    }
                }
            }
            Late::Prove { session, call, since, labels } => {
                let Some(state) = self.sessions.get_mut(&session) else { return };
                for label in labels.iter().filter(|label| state.calls.may_prove(label, since)) {
                    state.labels.add_if_room(label);
                }
                state.calls.end(&call);
            }
        }
    }

    /// Everything, for the log.
    pub(super) fn items(&self, User(user): User, now: Moment, into: &mut Vec<Item>) {
        into.push(Item::User { user, seq: self.seq });
        for (id, state) in &self.sessions {
            let session = id.to_string();
            state.items(user, &session, into);
            counters(&state.counters, user, Some(&session), now, into);
        }
        counters(&self.counters, user, None, now, into);
    }

    /// Takes one thing back from the log; whether it could be read.
    pub(super) fn restore(&mut self, item: Item) -> Option<()> {
        match item {
            Item::User { seq, .. } => self.seq = self.seq.max(seq),
            Item::Session {
                session,
                first,
                latest,
                wall_us,
                calls,
                output_bytes,
                closed,
                transcript,
                labels,
                ..
            } => {
                let id = SessionId::parse(&session)?;
                let state = self.sessions.entry(id).or_default();
                (state.first, state.latest) = (Moment(first), Moment(latest));
                (state.wall_us, state.admitted) = (wall_us, calls);
                (state.output_bytes, state.closed) = (output_bytes, closed);
                state.told =
                    transcript.map(Counts::from).unwrap_or(std::mem::take(&mut state.told));
                labels.iter().for_each(|label| state.labels.add(label));
            }
            Item::Counter { session, counter, per: word, buckets, .. } => {
                let window = Window::restore(per(&word)?, buckets);
                let counters = match session {
                    None => &mut self.counters,
                    Some(session) => {
                        let id = SessionId::parse(&session)?;
                        &mut self.sessions.entry(id).or_default().counters
                    }
                };
                counters.insert(CounterId::parse(&counter)?, window);
            }
        }
        Some(())
    }
}

fn count(counters: &mut Counters, one: &Reserved, now: Moment) {
    let (Some(id), Some(per)) = (CounterId::parse(&one.counter), per(&one.per)) else { return };
    if counters.len() >= COUNTERS_MAX && !counters.contains_key(&id) {
        counters.retain(|_, window| !window.is_over(now));
    }
    counters.entry(id).or_insert_with(|| Window::new(per)).add(one.bucket, one.amount);
}

fn counters(
    counters: &Counters,
    user: Option<u32>,
    session: Option<&String>,
    now: Moment,
    into: &mut Vec<Item>,
) {
    for (id, window) in counters {
        let buckets: Vec<(i64, f64)> = window.buckets(now).collect();
        if !buckets.is_empty() {
            into.push(Item::Counter {
                user,
                session: session.cloned(),
                counter: id.to_string(),
                per: word(window.per).to_owned(),
                buckets,
            });
        }
    }
}

fn spent(state: Option<&State>, now: Moment, transcript: Option<&Result<Counts, String>>) -> Spent {
    let told = state.map(|state| state.told.clone()).unwrap_or_default();
    let admitted = state.map_or(0, |state| state.admitted);
    let transcript = transcript.map(|read| match read {
        Ok(counts) => {
            let most = told.most(counts.clone());
            match most.turns == 0 && admitted >= TRANSCRIPT_SILENT_CALLS_MAX {
                true => Transcript::Unreadable(format!(
                    "it tells of no answer of a model, after {admitted} calls"
                )),
                false => most.into(),
            }
        }
        Err(why) => Transcript::Unreadable(why.clone()),
    });
    Spent {
        calls: admitted,
        wall_us: state.map_or(0, |state| state.wall_us.max(now.since(state.first))),
        output_bytes: state.map_or(0, |state| state.output_bytes),
        transcript,
    }
}

impl State {
    fn new(now: Moment) -> State {
        State { first: now, latest: now, ..State::default() }
    }

    /// Whether a session that began anew would be the same, as far as rules can tell.
    fn is_empty(&self, now: Moment) -> bool {
        let idle = i64::try_from(SESSION_IDLE.as_micros()).unwrap_or(i64::MAX);
        now.since(self.latest) > idle
            && !self.closed
            && self.labels.all().is_empty()
            && self.counters.values().all(|window| window.is_over(now))
    }

    fn items(&self, user: Option<u32>, session: &str, into: &mut Vec<Item>) {
        let item = |told: Option<Told>, labels: Vec<String>| Item::Session {
            user,
            session: session.to_owned(),
            first: self.first.0,
            latest: self.latest.0,
            wall_us: self.wall_us,
            calls: self.admitted,
            output_bytes: self.output_bytes,
            closed: self.closed,
            transcript: told,
            labels,
        };
        let told = (self.told != Counts::default()).then(|| Told::from(&self.told));
        into.push(item(told, Vec::new()));
        let labels: Vec<String> = self.labels.all().iter().cloned().collect();
        into.extend(labels.chunks(LABELS_OF_CALL_MAX).map(|some| item(None, some.to_vec())));
    }
}
