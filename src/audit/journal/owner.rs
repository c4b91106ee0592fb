//! The one thread that writes: it takes all waiting records, writes them in one go, syncs once,
//! and answers all of them (group commit).
//!
//! Once a write or sync failed, nothing is trusted any more: the kernel may have dropped the
//! pages, and the file may end in half a line. All waiting and all later records are refused until
//! the journal is opened anew, which looks at what is really there.

use crate::audit::error::AuditError;
use crate::audit::journal::committed::Committed;
use crate::audit::journal::park::block_until;
use crate::audit::journal::storage::{SegmentFile, Storage};
use crate::audit::journal::waiting::Tally;
use crate::audit::options::Options;
use crate::audit::place::{Hash, Head, Receipt, StreamId};
use crate::audit::segment::SegmentName;
use crate::audit::wire::{self, Body};
use crate::model::record::Durability;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Records written in one go; more would make the first of them wait for the last.
const BATCH_RECORDS_MAX: usize = 512;
/// Bytes gathered before they are handed to the kernel.
const BUFFER_BYTES_MAX: usize = 1 << 20;
/// How often the file is looked for at its place when no synced record asks for it.
const PLACE_CHECK: Duration = Duration::from_secs(1);

/// One record on its way to the log.
pub(in crate::audit) struct Job {
    pub(in crate::audit) body: Body,
    pub(in crate::audit) durability: Durability,
    pub(in crate::audit) answer: oneshot::Sender<Result<Receipt, AuditError>>,
    /// When it was taken.
    pub(in crate::audit) accepted: Instant,
    /// Nothing is written after it.
    pub(in crate::audit) last: bool,
}

/// What the owner and the journal's handles both see.
#[derive(Debug, Default)]
pub(in crate::audit) struct Shared {
    /// Set once, when the journal failed.
    pub(in crate::audit) failure: OnceLock<AuditError>,
    /// The newest record that was handed to the kernel.
    head: Mutex<Option<Head>>,
    /// What is on its way to the disk.
    pub(in crate::audit) waiting: Tally,
    /// The newest record that is on the disk.
    pub(in crate::audit) committed: Arc<Committed>,
}

impl Shared {
    pub(in crate::audit) fn head(&self) -> Option<Head> {
        self.head.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_head(&self, head: Option<Head>) {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = head;
    }
}

/// Where the owner begins.
pub(in crate::audit) struct Start {
    pub(in crate::audit) dir: PathBuf,
    pub(in crate::audit) stream: StreamId,
    /// The newest record of that stream; nothing for a new one.
    pub(in crate::audit) last: Option<(u64, Hash)>,
    /// The file to append to and its length; nothing to begin a new one.
    pub(in crate::audit) segment: Option<(SegmentName, u64)>,
    /// The number of the next new file.
    pub(in crate::audit) next_number: u64,
}

/// The file that is written.
struct Open<F> {
    file: F,
    path: PathBuf,
    bytes: u64,
}

/// The writer.
pub(in crate::audit) struct Owner<S: Storage> {
    storage: S,
    options: Options,
    shared: Arc<Shared>,
    dir: PathBuf,
    stream: StreamId,
    seq: u64,
    hash: Hash,
    next_number: u64,
    open: Open<S::File>,
    buffer: Vec<u8>,
    /// Since when something written is not synced.
    unsynced: Option<Instant>,
    checked: Instant,
    /// The last record was written.
    ended: bool,
}

impl<S: Storage> Owner<S> {
    /// Opens the file to append to, or makes it.
    pub(in crate::audit) fn open(
        mut storage: S,
        start: Start,
        options: Options,
        shared: Arc<Shared>,
    ) -> Result<Owner<S>, AuditError> {
        let Start { dir, stream, last, segment, mut next_number } = start;
        let open = match segment {
            Some((name, bytes)) => {
                let path = name.path(&dir);
                let file = storage
                    .reopen(&name.to_string())
                    .map_err(AuditError::file("open the audit file", &path))?;
                Open { file, path, bytes }
            }
            None => {
                let name = SegmentName { number: next_number, stream: stream.clone() };
                next_number += 1;
                create(&mut storage, &dir, &name)?
            }
        };
        let (seq, hash) = last.unwrap_or((0, Hash::ZERO));
        let buffer = Vec::new();
        let checked = Instant::now();
        Ok(Owner {
            storage,
            options,
            shared,
            dir,
            stream,
            seq,
            hash,
            next_number,
            open,
            buffer,
            unsynced: None,
            checked,
            ended: false,
        })
    }

    /// Serves until every handle is gone; what is still waiting then is written first.
    pub(in crate::audit) fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::new();
        loop {
            let received =
                block_until(self.deadline(), queue.recv_many(&mut jobs, BATCH_RECORDS_MAX));
            if received == Some(0) {
                break;
            }
            self.commit(std::mem::take(&mut jobs));
            self.keep_up();
        }
        if self.unsynced.is_some() {
            let result = self.sync();
            self.note(result);
        }
    }

    /// When there is something to do although no record came.
    fn deadline(&self) -> Instant {
        let check = self.checked + PLACE_CHECK;
        self.unsynced.map_or(check, |since| check.min(since + self.options.flush))
    }

    /// Does what time asks for: the late sync, the look for the file.
    fn keep_up(&mut self) {
        if self.shared.failure.get().is_some() {
            // Nothing is written any more; only the deadline must move on.
            self.unsynced = None;
            self.checked = Instant::now();
            return;
        }
        if self.unsynced.is_some_and(|since| since.elapsed() >= self.options.flush) {
            let result = self.sync();
            self.note(result);
        }
        if self.checked.elapsed() >= PLACE_CHECK {
            let result = self.check_place();
            self.note(result);
        }
    }

    /// Writes the records and answers each when it stands as firmly as it asked for.
    fn commit(&mut self, jobs: Vec<Job>) {
        let jobs = self.up_to_the_last(jobs);
        let Some(oldest) = jobs.first().map(|job| job.accepted) else { return };
        self.shared.waiting.begin(oldest);
        if let Some(failure) = self.shared.failure.get() {
            jobs.into_iter().for_each(|job| refuse(job.answer, failure));
            return;
        }
        let written = self.write(&jobs);
        let receipts = match written {
            Ok(receipts) => receipts,
            Err(why) => {
                let failure = self.note(Err(why));
                jobs.into_iter().for_each(|job| refuse(job.answer, &failure));
                return;
            }
        };
        // A new file may have been begun, with all of the one before it synced.
        self.shared.waiting.begin(oldest);
        let mut to_sync = Vec::new();
        for (job, receipt) in jobs.into_iter().zip(receipts) {
            match job.durability {
                // Who does not wait any more needs no answer: hence no look at the results here.
                Durability::Written => drop(job.answer.send(Ok(receipt))),
                Durability::Synced => to_sync.push((job.answer, receipt)),
            }
        }
        if to_sync.is_empty() {
            return;
        }
        match self.sync() {
            Ok(()) => {
                to_sync.into_iter().for_each(|(answer, receipt)| drop(answer.send(Ok(receipt))));
            }
            Err(why) => {
                let failure = self.note(Err(why));
                to_sync.into_iter().for_each(|(answer, _)| refuse(answer, &failure));
            }
        }
    }

    /// Refuses what comes after the last record.
    fn up_to_the_last(&mut self, mut jobs: Vec<Job>) -> Vec<Job> {
        let end = match jobs.iter().position(|job| job.last) {
            _ if self.ended => 0,
            Some(last) => last + 1,
            None => return jobs,
        };
        self.ended = true;
        let late = jobs.split_off(end);
        self.shared.waiting.refuse(late.len());
        late.into_iter().for_each(|job| refuse(job.answer, &AuditError::Closed));
        jobs
    }

    /// Hands every record to the kernel, in files as they fill up.
    fn write(&mut self, jobs: &[Job]) -> Result<Vec<Receipt>, AuditError> {
        let mut receipts = Vec::with_capacity(jobs.len());
        for job in jobs {
            let gathered = u64::try_from(self.buffer.len()).unwrap_or(u64::MAX);
            if self.open.bytes.saturating_add(gathered) >= self.options.segment_bytes {
                self.flush()?;
                self.rotate()?;
            }
            let place = (&self.stream, self.seq + 1, self.hash);
            let now = jiff::Timestamp::now();
            self.hash = wire::write_line(&mut self.buffer, &job.body, place, now);
            self.seq += 1;
            receipts.push(Receipt::new(self.head()));
            if self.buffer.len() >= BUFFER_BYTES_MAX {
                self.flush()?;
            }
        }
        self.flush()?;
        self.shared.waiting.write(jobs.len());
        self.shared.set_head(Some(self.head()));
        Ok(receipts)
    }

    fn head(&self) -> Head {
        Head { stream: self.stream.clone(), seq: self.seq, hash: self.hash }
    }

    /// Hands the gathered bytes to the kernel, all of them.
    fn flush(&mut self) -> Result<(), AuditError> {
        let mut rest = self.buffer.as_slice();
        if !rest.is_empty() && self.unsynced.is_none() {
            self.unsynced = Some(Instant::now());
        }
        while !rest.is_empty() {
            match self.open.file.write(rest) {
                Ok(0) => {
                    let why = io::Error::from(ErrorKind::WriteZero);
                    return Err(AuditError::file("write to", &self.open.path)(why));
                }
                Ok(count) => {
                    rest = rest.get(count..).unwrap_or_default();
                    let count = u64::try_from(count).unwrap_or(u64::MAX);
                    self.open.bytes = self.open.bytes.saturating_add(count);
                }
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(why) => return Err(AuditError::file("write to", &self.open.path)(why)),
            }
        }
        self.buffer.clear();
        Ok(())
    }

    /// Waits for the disk; what is then answered is in a file that has its name.
    fn sync(&mut self) -> Result<(), AuditError> {
        self.open.file.sync().map_err(AuditError::file("sync", &self.open.path))?;
        self.unsynced = None;
        self.shared.waiting.sync();
        self.check_place()?;
        self.shared.committed.set(self.head());
        Ok(())
    }

    fn check_place(&mut self) -> Result<(), AuditError> {
        self.checked = Instant::now();
        let path = &self.open.path;
        match self
            .open
            .file
            .is_in_place(self.open.bytes)
            .map_err(AuditError::file("look at", path))?
        {
            true => Ok(()),
            false => Err(AuditError::Replaced(path.clone())),
        }
    }

    /// Goes on in a new file. The full one is synced first: a file must never be on the disk
    /// when the one before it is not.
    fn rotate(&mut self) -> Result<(), AuditError> {
        self.sync()?;
        let name = SegmentName { number: self.next_number, stream: self.stream.clone() };
        self.open = create(&mut self.storage, &self.dir, &name)?;
        self.next_number += 1;
        Ok(())
    }

    /// Remembers a failure; what all later records are refused with.
    fn note(&self, result: Result<(), AuditError>) -> AuditError {
        let Err(why) = result else { return AuditError::Closed };
        tracing::error!(%why, "the audit log failed");
        self.shared.failure.get_or_init(|| AuditError::Failed(Arc::new(why.clone())));
        why
    }
}

fn create<S: Storage>(
    storage: &mut S,
    dir: &std::path::Path,
    name: &SegmentName,
) -> Result<Open<S::File>, AuditError> {
    let path = name.path(dir);
    let file = storage
        .create(&name.to_string())
        .map_err(AuditError::file("make the audit file", &path))?;
    Ok(Open { file, path, bytes: 0 })
}

fn refuse(answer: oneshot::Sender<Result<Receipt, AuditError>>, why: &AuditError) {
    drop(answer.send(Err(why.clone())));
}
