//! Seals what is closed, on a thread beside the one that writes the log: no decision waits for it.
//!
//! What cannot be sealed (there is no room) stays plain, is told once, and is tried again later;
//! it is never a reason to stop.

use super::name::{Form, list};
use super::seal::{Sealed, Step, remove_leftovers, seal};
use crate::audit::error::AuditError;
use crate::audit::journal::Shelf;
use crate::limits::SEALING_RETRY;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// The thread that seals. It ends when this is dropped, at the next frame.
#[derive(Debug)]
pub(in crate::audit) struct Sealer {
    closed: Option<Closed>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// By which the writer tells what it has closed.
#[derive(Debug, Clone)]
pub(in crate::audit) struct Closed {
    below: Arc<AtomicU64>,
    wake: SyncSender<()>,
}

impl Closed {
    /// Nobody writes files below this number any more.
    pub(in crate::audit) fn below(&self, number: u64) {
        self.below.fetch_max(number, Ordering::Release);
        // If it was woken already it will see this number too.
        let _ = self.wake.try_send(());
    }
}

impl Sealer {
    /// Starts the thread. Nothing is sealed before it is told what is closed.
    pub(in crate::audit) fn start(shelf: Arc<dyn Shelf>, dir: &Path) -> Result<Sealer, AuditError> {
        if let Err(why) = remove_leftovers(shelf.as_ref(), dir) {
            tracing::warn!(%why, "what an earlier sealing left behind cannot be removed");
        }
        let (wake, woken) = sync_channel(1);
        let below = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let work = Work {
            shelf,
            dir: dir.to_owned(),
            below: Arc::clone(&below),
            stop: Arc::clone(&stop),
            told: None,
        };
        let thread = std::thread::Builder::new()
            .name("audit-seal".to_owned())
            .spawn(move || work.run(&woken))
            .map_err(|why| AuditError::Thread(Arc::new(why)))?;
        Ok(Sealer { closed: Some(Closed { below, wake }), stop, thread: Some(thread) })
    }

    /// For the writer.
    pub(in crate::audit) fn closed(&self) -> Option<Closed> {
        self.closed.clone()
    }
}

impl Drop for Sealer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.closed = None;
        if let Some(thread) = self.thread.take() {
            // The writer is gone by now, so nobody can wake it any more. If it panicked, what it
            // was at is still plain.
            let _ = thread.join();
        }
    }
}

struct Work {
    shelf: Arc<dyn Shelf>,
    dir: PathBuf,
    below: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    /// What was told last: the same is not told twice.
    told: Option<String>,
}

impl Work {
    fn run(mut self, woken: &Receiver<()>) {
        let mut again = false;
        loop {
            if again {
                match woken.recv_timeout(SEALING_RETRY) {
                    Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            } else if woken.recv().is_err() {
                return;
            }
            if self.stop.load(Ordering::Acquire) {
                return;
            }
            again = !self.seal_closed();
        }
    }

    /// Seals everything that is closed; whether all that can be sealed is.
    fn seal_closed(&mut self) -> bool {
        let below = self.below.load(Ordering::Acquire);
        let segments = match list(&self.dir) {
            Ok(segments) => segments,
            Err(why) => return self.tell(&why.to_string()),
        };
        let plain = segments.iter().filter(|one| one.form == Form::Plain && one.number < below);
        for segment in plain {
            let mut go_on = |_: Step| !self.stop.load(Ordering::Acquire);
            match seal(self.shelf.as_ref(), &self.dir, segment, &mut go_on) {
                Ok(Sealed::Yes { plain, sealed }) => {
                    tracing::info!(file = %segment, plain, sealed, "a file of the log is sealed");
                    self.told = None;
                }
                Ok(Sealed::Evidence(why)) => {
                    tracing::warn!(file = %segment, why, "a file of the log is not sealed");
                }
                Ok(Sealed::Stopped) => return true,
                Err(why) => return self.tell(&why.to_string()),
            }
        }
        true
    }

    fn tell(&mut self, why: &str) -> bool {
        if self.told.as_deref() != Some(why) {
            tracing::warn!(why, "a file of the log stays plain for now");
            self.told = Some(why.to_owned());
        }
        false
    }
}
