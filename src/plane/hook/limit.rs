//! What one user may ask of a listener, and how often it is written down that he asked for more.
//!
//! Each listener has limits of its own, for each user of the other end (over TCP nobody is told
//! apart, and all are one). What goes over is answered with a denial; here it is only counted. The
//! clock is an argument, so that no test waits.

use crate::limits::{
    HOOK_CONNECTIONS_MAX, HOOK_EVENTS_BURST_SECONDS, HOOK_EVENTS_PER_SECOND,
    REFUSALS_RECORDED_EVERY, SESSION_IDLE, SESSIONS_OF_USER_MAX,
};
use crate::model::principal::Principal;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What an operator grants a listener's users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Connections served at once; a further one waits in the listener's backlog.
    pub connections: usize,
    /// Those of one user; 0 for as many as there are.
    pub connections_per_uid: usize,
    /// Events of one user in a second; 0 for as many as come.
    pub events_per_second: u32,
    /// Sessions of one user that may send events.
    pub sessions_max: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            connections: HOOK_CONNECTIONS_MAX,
            connections_per_uid: 0,
            events_per_second: HOOK_EVENTS_PER_SECOND,
            sessions_max: SESSIONS_OF_USER_MAX,
        }
    }
}

/// What a user has too much of. The text is the reason of the denial, and the record's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Over {
    /// `connections_per_uid`
    #[error("this user has too many connections to the guard; see `connections_per_uid`")]
    Connections,
    /// `events_per_second`
    #[error("this user sends the guard too many events; see `events_per_second`")]
    Events,
    /// `sessions_max`
    #[error("this user has too many sessions for the guard; see `sessions_max`")]
    Sessions,
}

/// Keeps count for one listener.
#[derive(Debug)]
pub struct Limiter {
    bounds: Bounds,
    users: Mutex<HashMap<Option<u32>, User>>,
    refusals: Mutex<HashMap<String, Refusals>>,
    /// Sessions are known by a hash that nobody outside can choose.
    hasher: RandomState,
}

/// What one user has now.
#[derive(Debug, Default)]
struct User {
    connections: usize,
    spent: Option<Spent>,
    /// When each session last sent something.
    sessions: HashMap<u64, Instant>,
    /// When sessions were last looked over for idle ones.
    swept: Option<Instant>,
}

/// Events that count against the burst, and when that was so; they are forgiven over time.
#[derive(Debug, Clone, Copy)]
struct Spent {
    events: f64,
    at: Instant,
}

/// One connection of a user, for as long as it lives.
#[derive(Debug)]
pub struct Seat {
    limiter: Arc<Limiter>,
    uid: Option<u32>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(user) = self.limiter.users().get_mut(&self.uid) {
            user.connections = user.connections.saturating_sub(1);
        }
    }
}

/// Refusals of one kind that are not written down yet.
#[derive(Debug)]
struct Refusals {
    quiet_until: Instant,
    count: u64,
}

/// Whether a refusal is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// Now.
    Now,
    /// In a while, together with those that come until then; by whoever hears this.
    After(Duration),
    /// By another one.
    Elsewhere,
}

impl Limiter {
    /// Counts within these bounds.
    #[must_use]
    pub fn new(bounds: Bounds) -> Arc<Limiter> {
        Arc::new(Limiter {
            bounds,
            users: Mutex::default(),
            refusals: Mutex::default(),
            hasher: RandomState::new(),
        })
    }

    /// The bounds it counts within.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Takes a place among the user's connections.
    ///
    /// # Errors
    /// If he has as many as he may.
    pub fn connect(self: &Arc<Limiter>, uid: Option<u32>) -> Result<Seat, Over> {
        let most = self.bounds.connections_per_uid;
        let mut users = self.users();
        let user = users.entry(uid).or_default();
        if most > 0 && user.connections >= most {
            return Err(Over::Connections);
        }
        user.connections += 1;
        Ok(Seat { limiter: Arc::clone(self), uid })
    }

    /// Counts an event.
    ///
    /// # Errors
    /// If it is one too many for now.
    pub fn event(&self, uid: Option<u32>, now: Instant) -> Result<(), Over> {
        let rate = f64::from(self.bounds.events_per_second);
        if rate == 0.0 {
            return Ok(());
        }
        let burst = rate * f64::from(HOOK_EVENTS_BURST_SECONDS);
        let mut users = self.users();
        let user = users.entry(uid).or_default();
        let before = user.spent.unwrap_or(Spent { events: 0.0, at: now });
        let forgiven = now.saturating_duration_since(before.at).as_secs_f64() * rate;
        let events = (before.events - forgiven).max(0.0);
        let is_over = events + 1.0 > burst;
        let events = if is_over { events } else { events + 1.0 };
        // Two threads may come in another order than they read the clock.
        user.spent = Some(Spent { events, at: now.max(before.at) });
        if is_over { Err(Over::Events) } else { Ok(()) }
    }

    /// Remembers a session. One that was silent for long gives up its place when places are short.
    ///
    /// # Errors
    /// If it is a new one, and one too many.
    pub fn session(&self, principal: &Principal, now: Instant) -> Result<(), Over> {
        let id = self.hasher.hash_one((principal.runtime, &principal.session));
        let mut users = self.users();
        let user = users.entry(principal.uid).or_default();
        let is_full = user.sessions.len() >= self.bounds.sessions_max;
        if is_full && !user.sessions.contains_key(&id) {
            user.sweep(now);
            if user.sessions.len() >= self.bounds.sessions_max {
                return Err(Over::Sessions);
            }
        }
        user.sessions.insert(id, now);
        Ok(())
    }

    /// Counts a refusal, and says whether it is written down now.
    pub fn refused(&self, why: &str, now: Instant) -> Telling {
        let mut refusals = self.refusals();
        let next = now + REFUSALS_RECORDED_EVERY;
        let Some(told) = refusals.get_mut(why) else {
            refusals.insert(why.to_owned(), Refusals { quiet_until: next, count: 0 });
            return Telling::Now;
        };
        if told.count == 0 && now >= told.quiet_until {
            told.quiet_until = next;
            return Telling::Now;
        }
        told.count += 1;
        match told.count {
            1 => Telling::After(told.quiet_until.saturating_duration_since(now)),
            _ => Telling::Elsewhere,
        }
    }

    /// How many refusals have come that are not written down yet; now they are.
    pub fn take_refusals(&self, why: &str, now: Instant) -> u64 {
        let mut refusals = self.refusals();
        let Some(told) = refusals.get_mut(why) else { return 0 };
        told.quiet_until = now + REFUSALS_RECORDED_EVERY;
        std::mem::take(&mut told.count)
    }

    fn users(&self) -> MutexGuard<'_, HashMap<Option<u32>, User>> {
        // Numbers only: whoever panicked left none of them half written.
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refusals(&self) -> MutexGuard<'_, HashMap<String, Refusals>> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl User {
    /// Forgets sessions that have been silent for long. It is looked for at most once a second: a
    /// flood of new sessions must not make each of them cost a look at all.
    fn sweep(&mut self, now: Instant) {
        let is_recent = |at: Instant, within| now.saturating_duration_since(at) < within;
        if self.swept.is_some_and(|at| is_recent(at, REFUSALS_RECORDED_EVERY)) {
            return;
        }
        self.swept = Some(now);
        self.sessions.retain(|_, at| is_recent(*at, SESSION_IDLE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::principal::{Agent, Runtime, Sender};

    fn limiter(connections_per_uid: usize, rate: u32, sessions_max: usize) -> Arc<Limiter> {
        let bounds = Bounds {
            connections_per_uid,
            events_per_second: rate,
            sessions_max,
            ..Bounds::default()
        };
        Limiter::new(bounds)
    }

    fn principal(uid: u32, session: &str) -> Principal {
        Principal {
            runtime: Runtime::Claude,
            session: session.to_owned(),
            agent: Agent::Main,
            uid: Some(uid),
            sender: Sender::Unproven,
        }
    }

    #[test]
    fn a_connection_gives_its_place_back() {
        let limiter = limiter(2, 0, 9);
        let first = limiter.connect(Some(1)).unwrap();
        let _second = limiter.connect(Some(1)).unwrap();
        assert_eq!(limiter.connect(Some(1)).unwrap_err(), Over::Connections);
        assert!(limiter.connect(Some(2)).is_ok() && limiter.connect(None).is_ok());
        drop(first);
        let again = limiter.connect(Some(1));
        assert!(again.is_ok());
        assert_eq!(limiter.connect(Some(1)).unwrap_err(), Over::Connections);
    }

    #[test]
    fn events_come_in_bursts_and_are_forgiven_over_time() {
        let limiter = limiter(0, 10, 9);
        let start = Instant::now();
        let admitted = |uid, at| (0..100).filter(|_| limiter.event(uid, at).is_ok()).count();
        assert_eq!(admitted(Some(1), start), 20);
        assert_eq!(admitted(Some(2), start), 20);
        assert_eq!(admitted(Some(1), start + Duration::from_millis(500)), 5);
        assert_eq!(admitted(Some(1), start + Duration::from_secs(60)), 20);
        // A clock that stands still, or was read before another's, forgives nothing.
        assert_eq!(admitted(Some(1), start), 0);
        assert!((0..100_000).all(|_| super::tests::limiter(0, 0, 9).event(None, start).is_ok()));
    }

    #[test]
    fn the_shipped_limits_let_a_thousand_sessions_begin_at_once() {
        let limiter = Limiter::new(Bounds::default());
        let now = Instant::now();
        for session in 0..1_000 {
            let principal = principal(1, &session.to_string());
            assert!((0..10).all(|_| limiter.event(Some(1), now).is_ok()));
            assert!(limiter.session(&principal, now).is_ok());
        }
    }

    #[test]
    fn a_session_too_many_waits_until_another_was_long_silent() {
        let limiter = limiter(0, 0, 2);
        let now = Instant::now();
        let of = |uid, name: &str, at| limiter.session(&principal(uid, name), at);
        assert_eq!((of(1, "a", now), of(1, "b", now)), (Ok(()), Ok(())));
        assert_eq!(of(1, "c", now), Err(Over::Sessions));
        assert_eq!((of(1, "a", now), of(2, "c", now)), (Ok(()), Ok(())));
        let later = now + SESSION_IDLE;
        assert_eq!(of(1, "a", later), Ok(()));
        assert_eq!((of(1, "c", later), of(1, "d", later)), (Ok(()), Err(Over::Sessions)));
    }

    #[test]
    fn a_flood_of_refusals_is_told_once_and_then_by_its_count() {
        let limiter = limiter(0, 0, 2);
        let now = Instant::now();
        assert_eq!(limiter.refused("a", now), Telling::Now);
        assert_eq!(limiter.refused("b", now), Telling::Now);
        assert_eq!(limiter.refused("a", now), Telling::After(REFUSALS_RECORDED_EVERY));
        assert!((0..1_000).all(|_| limiter.refused("a", now) == Telling::Elsewhere));
        let later = now + REFUSALS_RECORDED_EVERY;
        // Whoever was told to wait has not come yet: these are his too.
        assert_eq!(limiter.refused("a", later), Telling::Elsewhere);
        assert_eq!(limiter.take_refusals("a", later), 1_002);
        assert_eq!(limiter.refused("a", later), Telling::After(REFUSALS_RECORDED_EVERY));
        assert_eq!(limiter.take_refusals("a", later), 1);
        assert_eq!(limiter.refused("a", later + REFUSALS_RECORDED_EVERY), Telling::Now);
    }
}
