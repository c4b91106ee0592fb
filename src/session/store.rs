//! The store: who holds which lock, and what an admission and an end do under it.

use super::change::{Before, Change, Reserved};
use super::key::{Key, SessionId, User};
use super::labels::{Pending, kept_or_every_key};
use super::transcript::{Counts, Reader};
use super::user::{Late, Remembered};
use super::window::Places;
use crate::limits::{LABELS_OF_CALL_MAX, LIMITS_OF_CALL_MAX, SESSIONS_MAX, TRANSCRIPT_READERS_MAX};
use crate::model::call::ToolCall;
use crate::model::decision::{Decision, Obligation};
use crate::model::effect::Verdict;
use crate::model::finding::{Code, Finding};
use crate::model::json::Json;
use crate::model::path::AbsPath;
use crate::model::principal::Sender;
use crate::model::session::Session;
use crate::model::time::Moment;
use crate::policy::Policy;
use crate::redact::Redactor;
use crate::world::World;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// All that is remembered.
#[derive(Debug)]
pub struct Store {
    pub(super) redactor: Redactor,
    users: RwLock<BTreeMap<User, Arc<Cell>>>,
    /// Sessions of all users.
    pub(super) sessions: AtomicUsize,
    /// Changes since all was last written to the log, and which writing that was.
    pub(super) changes: AtomicU64,
    pub(super) snapshot: AtomicU64,
    readers: Mutex<HashMap<Key, Arc<Mutex<Reader>>>>,
    /// Of the policy that was asked for last.
    places: Mutex<Arc<Places>>,
    /// Why nothing is known of what was: then no policy that asks for it lets anything through.
    pub(super) lost: Option<String>,
}

/// One user's memory, and what is to be done in it when somebody next has its lock: nobody waits
/// for the lock who only has to put something right.
#[derive(Debug, Default)]
pub(super) struct Cell {
    memory: Mutex<Remembered>,
    late: Mutex<Vec<Late>>,
}

/// What the store must know of a call.
#[derive(Debug, Clone)]
pub struct Asked {
    pub(super) key: Key,
    pub(super) tool_use_id: Option<String>,
    pub(super) proven: bool,
    transcript: Option<Result<Counts, String>>,
}

/// What came of a call.
#[derive(Debug)]
#[must_use]
pub struct Outcome {
    /// The decision; a refusal of the store's own if there is no room for what it would do.
    pub decision: Decision,
    /// What the record says of the state.
    pub state: Option<Json>,
    /// What does not agree, each for a record of its own.
    pub findings: Vec<Finding>,
    /// To be kept once the record stands in the log; dropped, it gives back what was taken.
    pub held: Held,
}

/// What an admission took, until its record stands in the log.
#[derive(Debug, Default)]
#[must_use]
pub struct Held {
    pub(super) cell: Option<Arc<Cell>>,
    pub(super) if_kept: Option<Late>,
    if_dropped: Option<Late>,
}

impl Held {
    /// The record stands in the log.
    pub fn keep(mut self) {
        self.if_dropped = None;
        if let (Some(cell), Some(late)) = (&self.cell, self.if_kept.take()) {
            lock(&cell.late).push(late);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let (Some(cell), Some(late)) = (&self.cell, self.if_dropped.take()) {
            lock(&cell.late).push(late);
        }
    }
}

impl Asked {
    /// What a call says of itself; `transcript` is what was read of its session's, if it was.
    #[must_use]
    pub fn of(call: &ToolCall, transcript: Option<Result<Counts, String>>) -> Asked {
        Asked {
            key: Key::of(&call.principal),
            tool_use_id: call.tool_use_id.clone(),
            proven: call.principal.sender == Sender::Proven,
            transcript,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while a decision was made has changed nothing: changes are made after it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cell {
    /// The user's memory, with all done that was put off.
    pub(super) fn lock(&self) -> MutexGuard<'_, Remembered> {
        let mut memory = lock(&self.memory);
        let late = std::mem::take(&mut *lock(&self.late));
        late.into_iter().for_each(|one| memory.catch_up(one));
        memory
    }
}

impl Store {
    /// One that remembers nothing yet.
    #[must_use]
    pub fn new(redactor: Redactor) -> Store {
        Store {
            redactor,
            users: RwLock::default(),
            sessions: AtomicUsize::new(0),
            changes: AtomicU64::new(0),
            snapshot: AtomicU64::new(0),
            readers: Mutex::default(),
            places: Mutex::default(),
            lost: None,
        }
    }

    /// One that cannot know what was, and so lets nothing through that depends on it.
    #[must_use]
    pub fn lost(redactor: Redactor, why: String) -> Store {
        Store { lost: Some(why), ..Store::new(redactor) }
    }

    /// Puts back what was read from the log.
    pub(super) fn restored(
        redactor: Redactor,
        users: BTreeMap<User, Remembered>,
        snapshot: u64,
    ) -> Store {
        let sessions = users.values().map(Remembered::count).sum();
        let cell = |memory| Arc::new(Cell { memory: Mutex::new(memory), late: Mutex::default() });
        Store {
            users: RwLock::new(users.into_iter().map(|(user, one)| (user, cell(one))).collect()),
            sessions: AtomicUsize::new(sessions),
            snapshot: AtomicU64::new(snapshot),
            ..Store::new(redactor)
        }
    }

    pub(super) fn cell(&self, user: User) -> Arc<Cell> {
        let known = self.users.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(cell) = known.get(&user) {
            return Arc::clone(cell);
        }
        drop(known);
        let mut users = self.users.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(users.entry(user).or_default())
    }

    pub(super) fn cells(&self) -> Vec<(User, Arc<Cell>)> {
        let users = self.users.read().unwrap_or_else(PoisonError::into_inner);
        users.iter().map(|(user, cell)| (*user, Arc::clone(cell))).collect()
    }

    /// Where the limits of a policy are.
    pub(super) fn places(&self, policy: &Policy) -> Arc<Places> {
        let mut places = lock(&self.places);
        if places.policy != policy.id.sha256 {
            *places = Arc::new(Places::in_policy(policy));
        }
        Arc::clone(&places)
    }

    /// How many sessions are remembered, of all users.
    #[must_use]
    pub fn count(&self) -> usize {
        self.sessions.load(Ordering::Relaxed)
    }

    /// Why nothing is known of what was, if that is so.
    #[must_use]
    pub fn is_lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }

    /// What the transcript of a call's session tells; it must belong to the call's user.
    ///
    /// # Errors
    /// In words, if it cannot be read or understood.
    pub fn read_transcript(&self, call: &ToolCall, world: &dyn World) -> Result<Counts, String> {
        let path: &AbsPath = call.transcript.as_ref().ok_or("the event names none")?;
        if call.principal.runtime != crate::model::principal::Runtime::Claude {
            let runtime = call.principal.runtime.as_str();
            return Err(format!("those of {runtime} are not read by this version"));
        }
        let uid = call.principal.uid.unwrap_or_else(|| nix::unistd::geteuid().as_raw());
        let key = Key::of(&call.principal);
        let reader = {
            let mut readers = lock(&self.readers);
            if readers.len() >= TRANSCRIPT_READERS_MAX && !readers.contains_key(&key) {
                // Whoever is forgotten is read from the start again; what it told is remembered.
                let one = readers.keys().next().copied();
                one.map(|key| readers.remove(&key));
            }
            Arc::clone(readers.entry(key).or_default())
        };
        lock(&reader).read(path, world, uid)
    }

    /// Judges a call before it runs, by the state as it stands, and does to the state what the
    /// decision says, if it lets the call through.
    pub fn admit(
        &self,
        asked: &Asked,
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
        if let Err(why) = self.room_for(&mut memory, session, policy, now) {
            return refuse(why.to_owned());
        }
        let state = memory.session(session);
        if state.is_some_and(|state| state.closed) {
            return refuse(CLOSED.to_owned());
        }
        let mut findings = Vec::new();
        let told = state.map(|state| state.told.clone()).unwrap_or_default();
        if let Some(Ok(read)) = &asked.transcript
            && read.is_less_than(&told)
        {
            let what = format!("{} of {} turns", read.turns, told.turns);
            findings.push(Finding { code: Code::TranscriptRewound, what: vec![what] });
        }
        let view = memory.view(session, (policy, &places), now, asked.transcript.as_ref());
        let before = Before::of(&view, !policy.budgets.is_empty());
        let mut decision = decide(view);
        let mut change = Change { before, ..Change::new(asked.key, memory.seq + 1, now) };
        if let Some(Ok(read)) = &asked.transcript {
            let most = told.clone().most(read.clone());
            change.transcript = (most != told).then(|| (&most).into());
        }
        if decision.verdict != Verdict::Deny
            && let Err(why) = self.take(&mut memory, asked.key, &decision, policy, &mut change)
        {
            decision = Decision::refusal(why, policy.id.clone());
        }
        let Some(json) = change.to_json() else {
            return refuse("the call changes more of its session than is kept of one".to_owned());
        };
        self.commit(&mut memory, session, &change);
        let mut held = Held::default();
        if change.admitted {
            if let Some(id) = &asked.tool_use_id {
                let unmarked = change.unmarked.clone();
                let pending = Pending { since: change.seq, proven: asked.proven, unmarked };
                memory.await_end(session, id, pending);
            }
            let reserved = change.reserved;
            held.if_dropped = Some(Late::Refund { session, reserved });
        }
        drop(memory);
        held.cell = Some(cell);
        Outcome { decision, state: Some(json), findings, held }
    }

    /// What an admitted call sets, takes away and reserves: all of it, or the reason why not.
    pub(super) fn take(
        &self,
        memory: &mut Remembered,
        key: Key,
        decision: &Decision,
        policy: &Policy,
        change: &mut Change,
    ) -> Result<(), String> {
        let now = Moment(change.at);
        let (mut marked, mut unmarked) = (Vec::new(), Vec::new());
        for obligation in &decision.obligations {
            let (label, into) = match obligation {
                Obligation::Mark { label, proof: false } => (label, &mut marked),
                Obligation::Unmark(label) => (label, &mut unmarked),
                // A proof lands when its call has succeeded.
                Obligation::Mark { proof: true, .. }
                | Obligation::ReplaceOutput { .. }
                | Obligation::ReplaceInput(_) => continue,
            };
            let label = kept_or_every_key(label, &self.redactor)
                .ok_or("a rule marks the session with what the log cannot keep")?;
            into.push(label);
        }
        marked.sort();
        marked.dedup();
        unmarked.sort();
        unmarked.dedup();
        let state = memory.session(key.session);
        marked.retain(|label| !state.is_some_and(|state| state.labels.has(label)));
        let has_room = state.is_none_or(|state| state.labels.has_room_for(&marked));
        if !has_room || marked.len() + unmarked.len() > LABELS_OF_CALL_MAX {
            return Err(
                "the session would have more labels than are kept; start a new one".to_owned()
            );
        }
        if decision.reservations.len() > LIMITS_OF_CALL_MAX {
            return Err("the call draws on more limits than are counted for one".to_owned());
        }
        let mut reserved: Vec<Reserved> = Vec::new();
        for reservation in &decision.reservations {
            let limit = policy.limits.get(reservation.limit).ok_or("a limit is not known")?;
            reserved.push(memory.reserve(key.session, limit, reservation.amount, now));
        }
        if !memory.has_counters_for(key.session, &reserved, now) {
            return Err("more is counted than there is room for".to_owned());
        }
        change.admitted = true;
        change.marked = marked;
        change.unmarked = unmarked;
        change.reserved = reserved;
        Ok(())
    }

    /// Whether the session has a place, or gets one.
    pub(super) fn room_for(
        &self,
        memory: &mut Remembered,
        session: SessionId,
        policy: &Policy,
        now: Moment,
    ) -> Result<(), &'static str> {
        if memory.session(session).is_some() {
            return Ok(());
        }
        let is_full = |memory: &Remembered| {
            !memory.has_place() || self.sessions.load(Ordering::Relaxed) >= SESSIONS_MAX
        };
        if is_full(memory) {
            let freed = memory.make_room(policy, now);
            self.sessions.fetch_sub(freed, Ordering::Relaxed);
        }
        if is_full(memory) { Err(FULL) } else { Ok(()) }
    }

    pub(super) fn commit(&self, memory: &mut Remembered, session: SessionId, change: &Change) {
        let before = memory.count();
        memory.apply(session, change, false);
        self.sessions.fetch_add(memory.count() - before, Ordering::Relaxed);
        self.changes.fetch_add(1, Ordering::Relaxed);
    }
}

const FULL: &str = "the guard remembers as many sessions as it can, and takes no new one";
const CLOSED: &str = "this session did what the guard could not remember; start a new one";

impl Outcome {
    pub(super) fn refused(decision: Decision) -> Outcome {
        Outcome { decision, state: None, findings: Vec::new(), held: Held::default() }
    }
}
