//! The way into the log: hand over a record, get its receipt.
//!
//! One thread owns the file (`owner`); handles share a bounded queue to it. A full queue makes
//! callers wait, and then refuse: nothing is ever dropped in silence. A failed log is tried again
//! (`trouble`), and goes on in a new file (`resume`).

mod adopt;
mod committed;
mod kept;
mod owner;
mod park;
mod pen;
mod recover;
mod resume;
mod room;
mod standing;
mod storage;
mod trouble;
mod waiting;

mod measure;

#[cfg(test)]
mod failure_tests;
#[cfg(test)]
pub(in crate::audit) mod faults;
#[cfg(test)]
mod tests;

pub use committed::Committed;
pub use kept::Counts;
pub use measure::{Measured, durable_records_per_second};
pub use standing::{Stage, Standing};
pub use storage::Space;
pub(in crate::audit) use storage::{Appending, Directory, Shelf};
pub use waiting::Waiting;

use crate::audit::error::AuditError;
use crate::audit::journal::owner::{Job, Owner};
use crate::audit::journal::park::block_until;
use crate::audit::journal::pen::Start;
use crate::audit::journal::standing::Shared;
use crate::audit::journal::storage::Storage;
use crate::audit::options::{OnFailure, Options};
use crate::audit::place::{Head, Proof, Receipt, StreamId};
use crate::audit::proof::sign::Signer;
use crate::audit::proof::{Flaw, ROLLED_BACK};
use crate::audit::segment::{Form, Sealer};
use crate::audit::wire;
use crate::limits::JOURNAL_QUEUE_MAX;
use crate::model::record::{Durability, Kind, Record};
use crate::redact::Redactor;
use recover::Found;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
    /// Ends after the owner, who tells it what is closed.
    sealer: Option<Sealer>,
    shared: Arc<Shared>,
    timeout: Duration,
    strict: bool,
    on_failure: OnFailure,
    redactor: Redactor,
    /// Where whole files are put beside what is written.
    shelf: Arc<dyn Shelf>,
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
        let mut found = recover::survey(dir)?;
        let recovered = found.cut_torn(dir, &storage)?;
        if adopt::prepared(dir, &storage)? {
            found = recover::survey(dir)?;
        }
        let mut opening = found.opening();
        let shared = Arc::new(Shared::default());
        let Options { timeout, strict, on_failure, .. } = options;
        let redactor = options.redactor.clone();
        if on_failure != OnFailure::Deny {
            tracing::warn!(
                on_audit_failure = on_failure.as_str(),
                "calls will go on while the log cannot be written"
            );
        }
        let shelf: Arc<dyn Shelf> = Arc::new(storage.clone());
        let sealer = options.seal.then(|| Sealer::start(Arc::clone(&shelf), dir)).transpose()?;
        let closed = sealer.as_ref().and_then(Sealer::closed);
        let signed = signed(start(dir, &found), &shelf, &options, &mut opening)?;
        let start = Start { closed, ..signed };
        let owner = Owner::open(storage, start, options, Arc::clone(&shared))?;
        let (queue, jobs) = mpsc::channel(JOURNAL_QUEUE_MAX);
        let owner = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || owner.run(jobs))
            .map_err(|why| AuditError::Thread(Arc::new(why)))?;
        let (queue, owner) = (Some(queue), Some(owner));
        let journal =
            Journal { queue, owner, sealer, shared, timeout, strict, on_failure, redactor, shelf };
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
        receipt(self.append_as(record, Terms::default()).await)
    }

    /// As [`Journal::append`]; while the log takes no records the record is kept in memory as far
    /// as there is room, and waived, if the operator chose so for such calls.
    ///
    /// # Errors
    /// As [`Journal::append`], if it is not waived.
    pub async fn append_or_waive(&self, record: Record) -> Result<Proof, AuditError> {
        let waivable = self.waives(&record);
        self.append_as(record, Terms { waivable, ..Terms::default() }).await
    }

    /// Whether the operator chose that such a call goes on while its record cannot be written.
    #[must_use]
    pub fn waives(&self, record: &Record) -> bool {
        match self.on_failure {
            OnFailure::Deny => false,
            // A connection that is opened need not be on the disk first, but is no reading.
            OnFailure::AllowReadonly => {
                record.durability == Durability::Written && record.kind != Kind::NetOpen
            }
            OnFailure::Allow => true,
        }
    }

    /// As [`Journal::append`], on a thread that may block.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn append_blocking(&self, record: Record) -> Result<Receipt, AuditError> {
        let deadline = Instant::now() + self.timeout;
        let sent = AtomicBool::new(false);
        let submitted = block_until(deadline, self.submit(record, Terms::default(), &sent));
        receipt(submitted.unwrap_or_else(|| self.late(false, &sent)))
    }

    /// As [`Journal::append_signed`], on a thread that may block.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn append_signed_blocking(&self, record: Record) -> Result<Receipt, AuditError> {
        let deadline = Instant::now() + self.timeout;
        let sent = AtomicBool::new(false);
        let submitted = block_until(deadline, self.submit(record, Terms::SIGNED, &sent));
        receipt(submitted.unwrap_or_else(|| self.late(false, &sent)))
    }

    /// As [`Journal::append`], and a signed head covers it, and both are on the disk, when it
    /// returns: for what tells that something is to be deleted.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub async fn append_signed(&self, record: Record) -> Result<Receipt, AuditError> {
        receipt(self.append_as(record, Terms::SIGNED).await)
    }

    /// As [`Journal::append`], and nothing is written after it: what comes later is refused.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub async fn append_last(&self, record: Record) -> Result<Receipt, AuditError> {
        receipt(self.append_as(record, Terms { last: true, ..Terms::default() }).await)
    }

    async fn append_as(&self, record: Record, terms: Terms) -> Result<Proof, AuditError> {
        let sent = AtomicBool::new(false);
        let submitted = tokio::time::timeout(self.timeout, self.submit(record, terms, &sent));
        submitted.await.unwrap_or_else(|_| self.late(terms.waivable, &sent))
    }

    /// `sent` is set when the owner has it.
    async fn submit(
        &self,
        record: Record,
        Terms { waivable, last, signed }: Terms,
        sent: &AtomicBool,
    ) -> Result<Proof, AuditError> {
        let durability = if self.strict || signed { Durability::Synced } else { record.durability };
        let mut body = wire::body(record, &self.redactor);
        // At once: nobody waits for a disk that is known to take nothing.
        if self.shared.is_refusing() {
            match self.shared.turn_away(body, waivable) {
                Ok(answer) => return answer,
                Err(taken_again) => body = taken_again,
            }
        }
        let (answer, receipt) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or(AuditError::Closed)?;
        let room = queue.reserve().await.map_err(|_| AuditError::Closed)?;
        let accepted = Instant::now();
        self.shared.waiting.accept();
        sent.store(true, Ordering::Relaxed);
        room.send(Job { body, durability, answer, accepted, last, waivable, signed });
        receipt.await.map_err(|_| AuditError::Closed)?
    }

    fn late(&self, waivable: bool, sent: &AtomicBool) -> Result<Proof, AuditError> {
        let late = AuditError::Timeout(self.timeout);
        self.shared.answer_late(waivable, sent.load(Ordering::Relaxed), late)
    }

    /// Why nothing can be recorded now, if that is so.
    #[must_use]
    pub fn failure(&self) -> Option<AuditError> {
        self.shared.failure()
    }

    /// The newest record. Kept where the agent cannot reach it, it shows a cut-off log.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        self.shared.head()
    }

    /// Where whole files are put beside what is written.
    pub(in crate::audit) fn shelf(&self) -> &dyn Shelf {
        self.shelf.as_ref()
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

    /// How it stands, for those who watch it.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.shared.standing(self.on_failure)
    }

    /// Writes and syncs what is waiting, and closes.
    ///
    /// # Errors
    /// If that failed, or the log takes no records.
    pub fn close(mut self) -> Result<Option<Head>, AuditError> {
        self.finish();
        match self.failure() {
            Some(failure) => Err(failure),
            None => Ok(self.head()),
        }
    }

    fn finish(&mut self) {
        self.queue = None;
        if let Some(owner) = self.owner.take()
            && owner.join().is_err()
        {
            self.shared.end();
        }
        self.sealer = None;
    }
}

/// How a record is to be answered.
#[derive(Debug, Clone, Copy, Default)]
struct Terms {
    /// It may be answered without standing in the log, if that fails.
    waivable: bool,
    /// Nothing is written after it.
    last: bool,
    /// A head is signed right behind it.
    signed: bool,
}

impl Terms {
    const SIGNED: Terms = Terms { waivable: false, last: false, signed: true };
}

/// What was not waivable has a receipt.
fn receipt(answer: Result<Proof, AuditError>) -> Result<Receipt, AuditError> {
    match answer? {
        Proof::Receipt(receipt) => Ok(receipt),
        Proof::Waiver(_) => Err(AuditError::Closed),
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
            // One that was sealed is closed, though nothing was written behind it.
            segment: (newest.segment.form == Form::Plain)
                .then(|| (newest.segment.clone(), newest.bytes)),
            next_number,
            signer: None,
            closed: None,
        },
        None => anew(dir, next_number),
    }
}

fn anew(dir: PathBuf, next_number: u64) -> Start {
    let stream = StreamId::generate();
    Start { dir, stream, last: None, segment: None, next_number, signer: None, closed: None }
}

/// Finds who signs the log. A stream whose signed heads do not fit it is not gone on with, and
/// the first record of the next one says so.
fn signed(
    start: Start,
    shelf: &Arc<dyn Shelf>,
    options: &Options,
    opening: &mut Record,
) -> Result<Start, AuditError> {
    let Some(signing) = &options.signing else { return Ok(start) };
    let last = start.last.map_or(0, |(seq, _)| seq);
    let (signer, flaw) = Signer::open(signing, (shelf, &start.dir), (&start.stream, last))?;
    if signer.found() > 0 {
        // A crash leaves at most what was written in the last moments. Anything could stand there.
        tracing::warn!(
            records = signer.found(),
            "no head of the log covers its end, which is taken on trust; `audit verify` counts it"
        );
        opening.details.push(("on_trust", signer.found().into()));
    }
    let start = match flaw {
        None => start,
        Some(flaw) => {
            tracing::error!(why = %flaw, "the log is not what its key signed; a new stream begins");
            if let Flaw::RolledBack(size) = flaw {
                opening.details.push((ROLLED_BACK, serde_json::json!({ "size": size })));
            }
            let broken = serde_json::json!({ "why": flaw.to_string() });
            opening.details.push(("broken", broken));
            anew(start.dir, start.next_number)
        }
    };
    Ok(Start { signer: Some(signer), ..start })
}
