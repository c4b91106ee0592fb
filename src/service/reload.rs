//! Putting another policy in force while the sidecar runs.
//!
//! Files are read, compiled and tried out beside the sockets' threads; only a policy that holds as
//! a whole, and whose record stands in the log, takes the place of the one in force. Whatever
//! fails, the old policy stays, and that is recorded too. One task does this, one reload at a
//! time; whoever asks meanwhile is answered by the next one. It is asked by SIGHUP, by the admin
//! socket, and by its own look at the files (the poll).

pub(super) mod record;

use super::config::PolicyFiles;
use super::layers::Places;
use super::load::{self, LoadError, clip};
use super::notify::Notify;
use super::protect::Own;
use crate::gate::{Bound, Gate};
use crate::limits::{
    DECISION_TIMEOUT, JOURNAL_TIMEOUT, RELOAD_QUEUE_MAX, RELOAD_TIMEOUT, RELOAD_TOLD_BYTES_MAX,
};
use crate::metrics;
use crate::model::decision::PolicyId;
use crate::policy::Source;
use crate::policy::builtin::Protected;
use crate::redact::Redactor;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Interval, MissedTickBehavior, interval_at, sleep, timeout};

/// Why a policy was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The sidecar started.
    Start,
    /// SIGHUP.
    Sighup,
    /// `toolgate reload`.
    Command,
    /// The files have changed.
    Poll,
}

/// What a reload came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// What the files hold is in force now.
    Loaded,
    /// What the files hold was in force already.
    Unchanged,
    /// What the files hold is not in force, and why; the policy before it is.
    Refused(String),
}

/// One reload.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// When it ended.
    pub at: Timestamp,
    /// Why it began.
    pub cause: String,
    /// What it came to.
    pub outcome: Outcome,
    /// The policy in force after it.
    pub policy: PolicyId,
}

/// What is known of reloads.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Since when the policy in force is.
    pub loaded_at: Timestamp,
    /// The last reload that was more than a look.
    pub last: Option<Attempt>,
}

/// Asks for reloads, and tells what came of them.
#[derive(Debug, Clone)]
pub struct Reloads {
    asks: mpsc::Sender<Ask>,
    standing: Arc<Mutex<Standing>>,
}

/// One wish for a reload.
#[derive(Debug)]
struct Ask {
    cause: Cause,
    answer: Option<oneshot::Sender<Attempt>>,
}

impl Cause {
    /// The word in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Start => "start",
            Cause::Sighup => "sighup",
            Cause::Command => "command",
            Cause::Poll => "poll",
        }
    }
}

impl Reloads {
    /// Reloads, and waits for what came of it.
    pub async fn reload(&self, cause: Cause) -> Result<Attempt, String> {
        let ended = |_| "the sidecar is stopping".to_owned();
        let (answer, attempt) = oneshot::channel();
        let ask = Ask { cause, answer: Some(answer) };
        self.asks.send(ask).await.map_err(|_| "the sidecar is stopping".to_owned())?;
        attempt.await.map_err(ended)
    }

    /// Asks for a reload and goes on. If too many are asked for already, the next one is this too.
    pub fn reload_soon(&self, cause: Cause) {
        let _ = self.asks.try_send(Ask { cause, answer: None });
    }

    /// What is known of reloads.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the policy's files hold at one moment.
pub(super) struct Found {
    sources: Result<Vec<Source>, String>,
    protected: Protected,
}

/// What two looks at the files are compared by: the digests of the texts, or why there are none,
/// and where the files lie, since what lies elsewhere must be protected there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    texts: Result<Vec<String>, String>,
    protected: Protected,
}

impl Found {
    /// Looks at the files.
    pub(super) fn now(places: &Places, own: &Own) -> Found {
        let sources = places.sources().map_err(|error| error.to_string());
        Found { sources, protected: own.protected() }
    }

    fn seen(&self) -> Seen {
        let digests = |sources: &Vec<Source>| sources.iter().map(load::sha256).collect();
        Seen {
            texts: self.sources.as_ref().map(digests).map_err(Clone::clone),
            protected: self.protected.clone(),
        }
    }
}

/// The one that reloads.
pub(super) struct Reloader {
    gate: Arc<Gate>,
    places: Places,
    own: Own,
    redactor: Redactor,
    /// Whether a policy that names signers counts although no signature is checked.
    unsigned_ok: bool,
    poll: Option<Duration>,
    asks: mpsc::Receiver<Ask>,
    standing: Arc<Mutex<Standing>>,
    /// Held by the thread that reads or compiles, even after nobody waits for it any more.
    busy: Arc<Semaphore>,
    /// The service manager, which is told.
    notify: Notify,
    /// Where the texts of policies are kept.
    log: Option<PathBuf>,
    /// What is in force.
    in_force: Seen,
    /// What was refused last; the poll leaves it alone.
    refused: Option<Seen>,
    /// What the poll saw last.
    polled: Option<Seen>,
}

impl Reloader {
    /// One for a sidecar that was started with these sources, and the way to ask it.
    pub(super) fn new(
        gate: Arc<Gate>,
        (places, own): (Places, Own),
        started_with: (&[Source], Protected),
        redactor: Redactor,
        config: &PolicyFiles,
    ) -> (Reloader, Reloads) {
        let (sender, asks) = mpsc::channel(RELOAD_QUEUE_MAX);
        let standing = Standing { loaded_at: Timestamp::now(), last: None };
        let standing = Arc::new(Mutex::new(standing));
        let (sources, protected) = started_with;
        let texts = Ok(sources.iter().map(load::sha256).collect());
        // The shipped policy does not change.
        let polls = config.poll_seconds > 0 && places.may_change();
        let reloader = Reloader {
            gate,
            places,
            own,
            redactor,
            unsigned_ok: config.unsigned_ok,
            poll: polls.then(|| Duration::from_secs(u64::from(config.poll_seconds))),
            asks,
            standing: Arc::clone(&standing),
            busy: Arc::new(Semaphore::new(1)),
            notify: Notify::default(),
            log: None,
            in_force: Seen { texts, protected },
            refused: None,
            polled: None,
        };
        (reloader, Reloads { asks: sender, standing })
    }

    /// The same, and the service manager is told of reloads.
    pub(super) fn telling(self, notify: Notify) -> Reloader {
        Reloader { notify, ..self }
    }

    /// The same, and the texts of policies are kept beside this log.
    pub(super) fn keeping(self, log: PathBuf) -> Reloader {
        Reloader { log: Some(log), ..self }
    }

    /// Reloads when asked, until nobody can ask any more.
    pub(super) async fn run(mut self) {
        let mut clock = self.poll.map(|every| {
            let mut clock = interval_at(tokio::time::Instant::now() + every, every);
            clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
            clock
        });
        loop {
            tokio::select! {
                ask = self.asks.recv() => match ask {
                    Some(first) => self.answer(first).await,
                    None => return,
                },
                () = tick(&mut clock) => self.look().await,
            }
        }
    }

    /// Does one reload for everyone who waits for one.
    async fn answer(&mut self, first: Ask) {
        let mut asks = vec![first];
        while let Ok(next) = self.asks.try_recv() {
            asks.push(next);
        }
        self.notify.reloading();
        let causes: BTreeSet<Cause> = asks.iter().map(|ask| ask.cause).collect();
        let causes: Vec<&str> = causes.into_iter().map(Cause::as_str).collect();
        let attempt = self.reload(&causes.join("+")).await;
        for answer in asks.into_iter().filter_map(|ask| ask.answer) {
            // Who does not wait any more needs no answer.
            let _ = answer.send(attempt.clone());
        }
    }

    async fn reload(&mut self, cause: &str) -> Attempt {
        match self.find().await {
            Ok(found) if found.seen() == self.in_force => {
                self.refused = None;
                self.ended(cause, Outcome::Unchanged)
            }
            Ok(found) => self.load(cause, found).await,
            Err(why) => self.refuse(cause, why, None).await,
        }
    }

    /// The poll. It acts on what two looks have seen alike: what changes in between is being
    /// written. And it refuses the same files only once.
    async fn look(&mut self) {
        let found = match self.find().await {
            Ok(found) => found,
            Err(why) => {
                tracing::warn!(%why, "the policy's files could not be looked at");
                return;
            }
        };
        let seen = found.seen();
        let is_settled = self.polled.as_ref() == Some(&seen);
        self.polled = Some(seen.clone());
        if seen == self.in_force {
            if self.refused.take().is_some() {
                self.ended(Cause::Poll.as_str(), Outcome::Unchanged);
            }
        } else if is_settled && self.refused.as_ref() != Some(&seen) {
            self.notify.reloading();
            self.load(Cause::Poll.as_str(), found).await;
        }
    }

    async fn find(&self) -> Result<Found, String> {
        let (places, own) = (self.places.clone(), self.own.clone());
        self.beside(move || Found::now(&places, &own)).await
    }

    /// Compiles and tries out what was found, and puts it in force if it holds.
    async fn load(&mut self, cause: &str, found: Found) -> Attempt {
        let seen = found.seen();
        self.refused = Some(seen.clone());
        let sources = match found.sources {
            Ok(sources) => sources,
            Err(why) => return self.refuse(cause, why, None).await,
        };
        // The places are those of the start, whatever the files say now.
        let anchors = self.gate.in_force().anchors.clone();
        let (protected, redactor) = (found.protected, self.redactor.clone());
        let told = record::files(&sources);
        let (unsigned_ok, log) = (self.unsigned_ok, self.log.clone());
        let work = move || {
            let bound = load::load_to_serve(&sources, anchors, &protected, &redactor, unsigned_ok)?;
            log.iter().for_each(|log| record::keep(log, &sources));
            Ok::<_, LoadError>(bound)
        };
        let bound = match self.beside(work).await {
            Ok(Ok(bound)) => bound,
            Ok(Err(LoadError::Wrong { rendered, .. })) => {
                return self.refuse(cause, rendered, Some(told)).await;
            }
            Ok(Err(error)) => return self.refuse(cause, error.to_string(), Some(told)).await,
            Err(why) => return self.refuse(cause, why, Some(told)).await,
        };
        let before = self.gate.in_force().policy.id.clone();
        let loaded = record::loaded(cause, &bound, told.clone(), Some(&before));
        if let Err(error) = self.gate.note(loaded).await {
            let why = format!("the log cannot be written: {error}");
            return self.refuse(cause, why, Some(told)).await;
        }
        self.in_force = seen;
        self.refused = None;
        tokio::spawn(retire(self.gate.replace(bound)));
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).loaded_at = Timestamp::now();
        self.ended(cause, Outcome::Loaded)
    }

    async fn refuse(
        &mut self,
        cause: &str,
        why: String,
        files: Option<crate::model::json::Json>,
    ) -> Attempt {
        let why = clip(&why, RELOAD_TOLD_BYTES_MAX).to_owned();
        let files = files.unwrap_or_else(|| record::names(&self.places.paths()));
        let in_force = self.gate.in_force().policy.id.clone();
        let refused = record::refused(cause, &why, files, &in_force);
        if let Err(error) = self.gate.note(refused).await {
            tracing::error!(%error, "a refused policy could not be recorded");
        }
        self.ended(cause, Outcome::Refused(why))
    }

    /// Remembers and tells what a reload came to.
    fn ended(&self, cause: &str, outcome: Outcome) -> Attempt {
        let policy = self.gate.in_force().policy.id.clone();
        let (name, sha256) = (&policy.name, &policy.sha256);
        self.tell(&outcome, &policy);
        match &outcome {
            Outcome::Loaded => tracing::info!(cause, name, sha256, "the policy was reloaded"),
            Outcome::Unchanged => tracing::info!(cause, name, sha256, "the policy is unchanged"),
            Outcome::Refused(why) => {
                // One line; the record and the command have it whole.
                let why = why.lines().next().unwrap_or_default();
                tracing::error!(
                    cause,
                    why,
                    name,
                    sha256,
                    "a policy was refused, the old one stays"
                );
            }
        }
        let attempt = Attempt { at: Timestamp::now(), cause: cause.to_owned(), outcome, policy };
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        standing.last = Some(attempt.clone());
        attempt
    }

    /// Counts a reload, and tells the service manager that it is over.
    fn tell(&self, outcome: &Outcome, policy: &PolicyId) {
        let reload = match outcome {
            Outcome::Loaded => metrics::Reload::Loaded,
            Outcome::Unchanged => metrics::Reload::Unchanged,
            Outcome::Refused(_) => metrics::Reload::Refused,
        };
        self.gate.metrics().reloaded(reload);
        match outcome {
            Outcome::Loaded | Outcome::Unchanged => self.notify.ready(policy),
            Outcome::Refused(why) => self.notify.ready_on_the_old(policy, why),
        }
    }

    /// Does what blocks on a thread that may. A thread cannot be stopped: what takes too long is
    /// given up, and nothing else is begun until it ends.
    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        let Ok(busy) = Arc::clone(&self.busy).try_acquire_owned() else {
            return Err("an earlier reload that took too long has not ended yet".to_owned());
        };
        let working = tokio::task::spawn_blocking(move || {
            let _busy = busy;
            work()
        });
        match timeout(RELOAD_TIMEOUT, working).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) => Err("the policy could not be loaded: an internal error".to_owned()),
            Err(_) => Err(format!("loading took more than {} s", RELOAD_TIMEOUT.as_secs())),
        }
    }
}

/// The next look at the files; never, if there is no poll.
async fn tick(clock: &mut Option<Interval>) {
    match clock {
        Some(clock) => drop(clock.tick().await),
        None => std::future::pending().await,
    }
}

/// How often a policy that was replaced is asked whether it is still in use.
const RETIRE_CHECK: Duration = Duration::from_millis(50);

/// Frees a policy that was replaced, once no decision holds it. Whoever lets go last frees it, and
/// with a large policy that must not be a socket's thread.
async fn retire(mut old: Arc<Bound>) {
    let end = Instant::now() + DECISION_TIMEOUT + JOURNAL_TIMEOUT;
    loop {
        match Arc::try_unwrap(old) {
            Ok(bound) => {
                let _ = tokio::task::spawn_blocking(move || drop(bound)).await;
                return;
            }
            Err(_) if Instant::now() > end => return,
            Err(shared) => old = shared,
        }
        sleep(RETIRE_CHECK).await;
    }
}

#[cfg(test)]
mod tests;
