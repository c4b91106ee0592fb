//! The way into the log: hand over a record, get its receipt.
//!
//! One thread owns the file (`owner`); handles share a bounded queue to it. A full queue makes
//! callers wait, and then refuse: nothing is ever dropped in silence.

mod committed;
mod owner;
mod park;
mod recover;
mod storage;
mod waiting;

mod measure;

#[cfg(test)]
mod faults;
#[cfg(test)]
mod tests;

pub use committed::Committed;
pub use measure::{Measured, durable_records_per_second};
pub use waiting::Waiting;

use crate::audit::error::AuditError;
use crate::audit::journal::owner::{Job, Owner, Shared, Start};
use crate::audit::journal::park::block_until;
use crate::audit::journal::storage::{Directory, Storage};
use crate::audit::options::Options;
use crate::audit::place::{Head, Receipt, StreamId};
use crate::audit::wire;
use crate::limits::JOURNAL_QUEUE_MAX;
use crate::model::record::{Durability, Record};
use crate::redact::Redactor;
use recover::Found;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// The log of one directory, open for writing. Share it in an `Arc`; dropping it writes and syncs
/// what is waiting.
#[derive(Debug)]
pub struct Journal {
    /// Taken only when the journal closes.
    queue: Option<mpsc::Sender<Job>>,
    owner: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    timeout: Duration,
    redactor: Redactor,
}

impl Journal {
    /// Opens the log of a directory, which is made if it is not there, and records that.
    ///
    /// # Errors
    /// If another process writes there, others may write to it, or the disk refuses.
    pub fn open(dir: &Path, options: Options) -> Result<Journal, AuditError> {
        let storage = Directory::lock(dir)?;
        Journal::open_with(dir, options, storage)
    }

    /// Opens it on the given storage, which holds the directory's lock.
    pub(in crate::audit) fn open_with<S: Storage>(
        dir: &Path,
        options: Options,
        storage: S,
    ) -> Result<Journal, AuditError> {
        let found = recover::survey(dir)?;
        let recovered = found.cut_torn(dir)?;
        let opening = found.opening();
        let shared = Arc::new(Shared::default());
        let (timeout, redactor) = (options.timeout, options.redactor.clone());
        let owner = Owner::open(storage, start(dir, &found), options, Arc::clone(&shared))?;
        let (queue, jobs) = mpsc::channel(JOURNAL_QUEUE_MAX);
        let owner = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || owner.run(jobs))
            .map_err(|why| AuditError::Thread(Arc::new(why)))?;
        let journal = Journal { queue: Some(queue), owner: Some(owner), shared, timeout, redactor };
        for record in std::iter::once(opening).chain(recovered) {
            journal.append_blocking(record)?;
        }
        Ok(journal)
    }

    /// Writes a record and waits until it stands as firmly as its durability asks.
    ///
    /// # Errors
    /// If it does not stand so within the time; then it may or may not be in the log, and the
    /// call it is about must be refused.
    pub async fn append(&self, record: Record) -> Result<Receipt, AuditError> {
        let submitted = tokio::time::timeout(self.timeout, self.submit(record));
        submitted.await.unwrap_or(Err(AuditError::Timeout(self.timeout)))
    }

    /// As [`Journal::append`], on a thread that may block.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn append_blocking(&self, record: Record) -> Result<Receipt, AuditError> {
        let deadline = Instant::now() + self.timeout;
        let submitted = block_until(deadline, self.submit(record));
        submitted.unwrap_or(Err(AuditError::Timeout(self.timeout)))
    }

    /// As [`Journal::append`], and nothing is written after it: what comes later is refused.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub async fn append_last(&self, record: Record) -> Result<Receipt, AuditError> {
        let submitted = tokio::time::timeout(self.timeout, self.submit_as(record, true));
        submitted.await.unwrap_or(Err(AuditError::Timeout(self.timeout)))
    }

    async fn submit(&self, record: Record) -> Result<Receipt, AuditError> {
        self.submit_as(record, false).await
    }

    async fn submit_as(&self, record: Record, last: bool) -> Result<Receipt, AuditError> {
        if let Some(failure) = self.failure() {
            return Err(failure.clone());
        }
        let durability: Durability = record.durability;
        let body = wire::body(record, &self.redactor);
        let (answer, receipt) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or(AuditError::Closed)?;
        let room = queue.reserve().await.map_err(|_| AuditError::Closed)?;
        let accepted = Instant::now();
        self.shared.waiting.accept();
        room.send(Job { body, durability, answer, accepted, last });
        receipt.await.map_err(|_| AuditError::Closed)?
    }

    /// Why nothing can be recorded any more, if that is so.
    #[must_use]
    pub fn failure(&self) -> Option<&AuditError> {
        self.shared.failure.get()
    }

    /// The newest record. Kept where the agent cannot reach it, it shows a cut-off log.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        self.shared.head()
    }

    /// The newest record that is on the disk, to follow.
    #[must_use]
    pub fn committed(&self) -> Arc<Committed> {
        Arc::clone(&self.shared.committed)
    }

    /// What was taken and is not on the disk yet. After a failure it stays what it was.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        self.shared.waiting.now()
    }

    /// Writes and syncs what is waiting, and closes.
    ///
    /// # Errors
    /// If that, or anything before it, failed.
    pub fn close(mut self) -> Result<Option<Head>, AuditError> {
        self.finish();
        match self.failure() {
            Some(failure) => Err(failure.clone()),
            None => Ok(self.head()),
        }
    }

    fn finish(&mut self) {
        self.queue = None;
        if let Some(owner) = self.owner.take()
            && owner.join().is_err()
        {
            self.shared.failure.get_or_init(|| AuditError::Closed);
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Goes on in the newest stream if it is whole, else in a new one.
fn start(dir: &Path, found: &Found) -> Start {
    let next_number = found.next_number;
    let dir = dir.to_owned();
    let intact = found.newest.as_ref().and_then(|newest| Some((newest, newest.intact()?)));
    match intact {
        Some((newest, (stream, seq, hash))) => Start {
            dir,
            stream,
            last: Some((seq, hash)),
            segment: Some((newest.segment.clone(), newest.bytes)),
            next_number,
        },
        None => Start { dir, stream: StreamId::generate(), last: None, segment: None, next_number },
    }
}
