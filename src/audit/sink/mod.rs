//! Where records go besides the file, which stays the source of truth.
//!
//! Each sink has a thread of its own, which reads what is on the disk by a cursor (stream and
//! number) and hands it on in order: at least once, never in a decision's way. A sink that is
//! `required` and has not taken a record within its deadline makes [`Sinks::check`] fail, and the
//! gate then treats the log as failed; no call ever waits for a sink. `best_effort` sinks are told
//! of when they are behind, and that is all.

mod cursor;
mod deliver;
mod head;
mod http;
#[cfg(feature = "otlp")]
mod otlp;
mod reader;
mod stdout;
pub mod syslog;
mod worker;

#[cfg(test)]
mod tests;

pub use cursor::{cursor_again, least};
pub use head::{HeadStanding, HeadTarget, Publisher};
pub use http::{HttpTarget, headers};
pub use syslog::{Facility, SyslogTarget, SyslogVia};

use crate::audit::error::AuditError;
use crate::audit::journal::Committed;
use deliver::Deliver;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// One sink as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkOptions {
    /// Its name, which its cursor's file has.
    pub name: String,
    /// Where it leads.
    pub to: Target,
    /// Whether calls are only let through while it takes the records.
    pub required: bool,
    /// How long it may take over a record.
    pub deadline: Duration,
    /// Whether it begins with what comes, not with what is there, where it has no cursor yet.
    pub from_now: bool,
}

/// Where a sink leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Standard output, a line a record.
    Stdout,
    /// A syslog daemon.
    Syslog(SyslogTarget),
    /// An OTLP collector.
    #[cfg(feature = "otlp")]
    Otlp(HttpTarget),
}

impl Target {
    fn word(&self) -> &'static str {
        match self {
            Target::Stdout => "stdout",
            Target::Syslog(_) => "syslog",
            #[cfg(feature = "otlp")]
            Target::Otlp(_) => "otlp",
        }
    }

    fn deliver(&self) -> Box<dyn Deliver> {
        match self {
            Target::Stdout => Box::new(stdout::Stdout),
            Target::Syslog(target) => Box::new(syslog::Syslog::new(target.clone())),
            #[cfg(feature = "otlp")]
            Target::Otlp(target) => Box::new(otlp::Otlp::new(target.clone())),
        }
    }
}

/// All sinks of one log.
#[derive(Debug)]
pub struct Sinks {
    sinks: Vec<Arc<Sink>>,
    committed: Arc<Committed>,
    stop: Arc<AtomicBool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// One sink, as its thread and those who ask see it.
#[derive(Debug)]
struct Sink {
    name: String,
    word: &'static str,
    required: bool,
    deadline: Duration,
    state: Mutex<State>,
    sent: AtomicU64,
    skipped: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// The newest record that it took.
    taken: Option<(String, u64)>,
    /// Since when there has been one that it did not take.
    behind_since: Option<Instant>,
    /// Why it took none the last time.
    failure: Option<String>,
}

/// How a sink stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkStanding {
    /// Its name.
    pub name: String,
    /// What it is: `stdout`, `syslog`, `otlp`.
    pub kind: &'static str,
    /// Whether calls depend on it.
    pub required: bool,
    /// Records on the disk that it has not taken; at least so many.
    pub behind: u64,
    /// How long the oldest of them has waited.
    pub behind_for: Duration,
    /// Why it takes none, if that is known.
    pub failure: Option<String>,
    /// Records handed on since the start, those handed on again included.
    pub sent: u64,
    /// Records that could not be read, or were deleted before they were handed on.
    pub skipped: u64,
    /// Whether it took longer than its deadline.
    pub late: bool,
}

impl Sinks {
    /// Starts the sinks of the log in `dir`.
    ///
    /// # Errors
    /// If the cursors cannot be kept, or a thread cannot be started.
    pub fn start(
        dir: &Path,
        options: &[SinkOptions],
        committed: &Arc<Committed>,
    ) -> Result<Arc<Sinks>, AuditError> {
        Sinks::start_with(dir, options, committed, Target::deliver)
    }

    fn start_with(
        dir: &Path,
        options: &[SinkOptions],
        committed: &Arc<Committed>,
        deliver: impl Fn(&Target) -> Box<dyn Deliver>,
    ) -> Result<Arc<Sinks>, AuditError> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut sinks = Vec::new();
        let mut threads = Vec::new();
        let required = options.iter().filter(|one| one.required).map(|one| one.name.as_str());
        cursor::forget_others(dir, &required.collect::<Vec<_>>())?;
        for one in options {
            let cursor = cursor::Cursor::open(dir, one, committed.get().as_ref())?;
            let sink = Arc::new(Sink {
                name: one.name.clone(),
                word: one.to.word(),
                required: one.required,
                deadline: one.deadline,
                state: Mutex::new(State { taken: cursor.place(), ..State::default() }),
                sent: AtomicU64::new(0),
                skipped: AtomicU64::new(0),
            });
            let worker = worker::Worker::new(
                PathBuf::from(dir),
                Arc::clone(&sink),
                cursor,
                deliver(&one.to),
                (Arc::clone(committed), Arc::clone(&stop)),
            );
            let thread = std::thread::Builder::new()
                .name(format!("sink-{}", one.name))
                .spawn(move || worker.run())
                .map_err(|why| AuditError::Thread(Arc::new(why)))?;
            threads.push(thread);
            sinks.push(sink);
        }
        let (committed, threads) = (Arc::clone(committed), Mutex::new(threads));
        Ok(Arc::new(Sinks { sinks, committed, stop, threads }))
    }

    /// Whether every required sink takes the records in time.
    ///
    /// # Errors
    /// If one does not.
    pub fn check(&self) -> Result<(), AuditError> {
        let required = self.sinks.iter().filter(|sink| sink.required);
        let late = required.map(|sink| (sink, self.standing_of(sink))).find(|(_, it)| it.late);
        let Some((sink, standing)) = late else { return Ok(()) };
        let why = standing.failure.unwrap_or_else(|| "it is too slow".to_owned());
        Err(AuditError::Sink { name: sink.name.clone(), deadline: sink.deadline, why: why.into() })
    }

    /// How each stands.
    #[must_use]
    pub fn standing(&self) -> Vec<SinkStanding> {
        self.sinks.iter().map(|sink| self.standing_of(sink)).collect()
    }

    fn standing_of(&self, sink: &Sink) -> SinkStanding {
        let newest = self.committed.get();
        let mut state = sink.state();
        let behind = match (&newest, &state.taken) {
            (None, _) => 0,
            (Some(head), Some((stream, seq))) if head.stream.as_str() == stream => {
                head.seq.saturating_sub(*seq)
            }
            (Some(head), _) => head.seq,
        };
        if behind == 0 {
            state.behind_since = None;
        } else {
            // Whoever asks first sees it; the thread says since when it really was.
            state.behind_since.get_or_insert_with(Instant::now);
        }
        let behind_for = state.behind_since.map_or(Duration::ZERO, |since| since.elapsed());
        SinkStanding {
            name: sink.name.clone(),
            kind: sink.word,
            required: sink.required,
            behind,
            behind_for,
            failure: state.failure.clone(),
            sent: sink.sent.load(Ordering::Relaxed),
            skipped: sink.skipped.load(Ordering::Relaxed),
            late: behind_for > sink.deadline,
        }
    }

    /// Lets the sinks hand on what is on the disk, for as long as `patience`, and ends them. What
    /// a sink did not take it takes after the next start.
    pub fn stop(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let behind = || self.standing().iter().any(|sink| sink.behind > 0);
        while behind() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.stop.store(true, Ordering::Release);
        self.committed.wake();
        let threads = std::mem::take(&mut *lock(&self.threads));
        // One that hangs in a write is left to the end of the process.
        while threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Sinks {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.committed.wake();
    }
}

impl Sink {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// It took all up to this record; everything after it came after `looked`.
    fn took(&self, place: (String, u64), records: u64, looked: Instant) {
        self.sent.fetch_add(records, Ordering::Relaxed);
        let mut state = self.state();
        state.taken = Some(place);
        state.behind_since = state.behind_since.map(|_| looked);
        state.failure = None;
    }

    /// It took nothing after this record, or lost what it took.
    fn failed(&self, place: Option<(String, u64)>, why: String) {
        let mut state = self.state();
        if state.failure.as_ref() != Some(&why) {
            tracing::warn!(sink = %self.name, %why, "a sink of the log takes no records");
        }
        state.taken = place;
        state.failure = Some(why);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// This machine's name.
fn host() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}
