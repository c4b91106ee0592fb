//! The one thread that writes: it takes all waiting records, writes them in one go, syncs once,
//! and answers all of them (group commit).
//!
//! When a write or sync fails it goes on in a new file at once if it can (`resume`). If it cannot,
//! every record is refused, or waived as the operator chose, until a later try succeeds; callers
//! never wait for that, and what happened is told in the log's next record.

use crate::audit::error::AuditError;
use crate::audit::journal::kept::Kept;
use crate::audit::journal::park::block_until;
use crate::audit::journal::pen::{Pen, Start};
use crate::audit::journal::room::Room;
use crate::audit::journal::standing::{Shared, Stage};
use crate::audit::journal::storage::Storage;
use crate::audit::journal::trouble::Trouble;
use crate::audit::options::Options;
use crate::audit::place::{Proof, Receipt};
use crate::audit::proof::sign::Signer;
use crate::audit::wire::{self, Body};
use crate::limits::{JOURNAL_SEAL_EARLY_BYTES, JOURNAL_SPACE_CHECK, JOURNAL_UNSYNCED_BYTES_MAX};
use crate::model::record::{Durability, Record};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Records written in one go; more would make the first of them wait for the last.
const BATCH_RECORDS_MAX: usize = 512;
/// Bytes gathered before they are handed to the kernel.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// How often the file is looked for at its place when no synced record asks for it.
const PLACE_CHECK: Duration = Duration::from_secs(1);

/// One record on its way to the log.
pub(in crate::audit) struct Job {
    pub(in crate::audit) body: Body,
    pub(in crate::audit) durability: Durability,
    pub(in crate::audit) answer: oneshot::Sender<Result<Proof, AuditError>>,
    /// When it was taken.
    pub(in crate::audit) accepted: Instant,
    /// Nothing is written after it.
    pub(in crate::audit) last: bool,
    /// Whether it may be answered without standing in the log, if that fails.
    pub(in crate::audit) waivable: bool,
    /// A head is signed right behind it.
    pub(in crate::audit) signed: bool,
}

/// A record that was given its line and has no answer yet.
struct Unanswered {
    answer: oneshot::Sender<Result<Proof, AuditError>>,
    receipt: Receipt,
    durability: Durability,
    waivable: bool,
}

/// The writer.
pub(in crate::audit) struct Owner<S: Storage> {
    pub(super) pen: Pen<S>,
    pub(super) options: Options,
    pub(super) shared: Arc<Shared>,
    pub(super) room: Room,
    /// While the log takes no records.
    pub(super) trouble: Option<Trouble>,
    /// Since when something written is not synced.
    pub(super) unsynced: Option<Instant>,
    checked: Instant,
    /// The last record was written.
    ended: bool,
}

impl<S: Storage> Owner<S> {
    /// Opens the file to append to, or makes it.
    pub(in crate::audit) fn open(
        storage: S,
        start: Start,
        options: Options,
        shared: Arc<Shared>,
    ) -> Result<Owner<S>, AuditError> {
        let mut room = Room::new(options.space, options.reserve_bytes);
        room.look(&storage);
        if let Err(why) = room.hold(&storage) {
            tracing::warn!(%why, "no room can be held back for the last records of a full disk");
        }
        shared.set_space(room.space, room.stage, room.has_reserve);
        room.forget();
        let pen = Pen::new(storage, start)?;
        let (trouble, unsynced, checked, ended) = (None, None, Instant::now(), false);
        Ok(Owner { pen, options, shared, room, trouble, unsynced, checked, ended })
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
            self.serve(std::mem::take(&mut jobs));
            self.keep_up();
        }
        if self.trouble.is_some() {
            self.try_again();
        } else if let Err(why) = self.close() {
            self.fail(why);
        }
    }

    /// Signs and syncs what is not yet.
    fn close(&mut self) -> Result<(), AuditError> {
        self.pen.sign_the_rest();
        self.settle()?;
        if self.unsynced.is_some() { self.sync() } else { Ok(()) }
    }

    /// When there is something to do although no record came.
    fn deadline(&self) -> Instant {
        if let Some(trouble) = &self.trouble {
            return trouble.next;
        }
        let check = self.checked + PLACE_CHECK;
        let due = self.pen.signer.as_ref().map_or(check, |signer| check.min(signer.deadline()));
        self.unsynced.map_or(due, |since| due.min(since + self.options.flush))
    }

    /// Does what time asks for: the next try, the late sync, the looks around.
    fn keep_up(&mut self) {
        if let Some(trouble) = &self.trouble {
            if trouble.next <= Instant::now() {
                self.try_again();
            }
            return;
        }
        let done = self.keep_up_with_time();
        if let Err(why) = done {
            self.fail(why);
        }
    }

    fn keep_up_with_time(&mut self) -> Result<(), AuditError> {
        if let Some(due) = self.pen.signer.as_ref().and_then(Signer::due) {
            let now = self.pen.sign(due);
            self.settle()?;
            if now {
                self.sync()?;
            }
        }
        if self.unsynced.is_some_and(|since| since.elapsed() >= self.options.flush) {
            self.sync()?;
        }
        if self.checked.elapsed() >= PLACE_CHECK {
            self.checked = Instant::now();
            self.pen.check_place()?;
            if let Some(kept) = self.shared.take_kept() {
                self.tell_of_counts(kept);
            }
        }
        if self.room.looked.is_none_or(|at| at.elapsed() >= JOURNAL_SPACE_CHECK) {
            let before = self.room.stage;
            if self.room.look(&self.pen.storage) && self.tell_of_room(before) {
                self.rotate()?;
            }
            self.shared.set_space(self.room.space, self.room.stage, self.room.has_reserve);
        }
        self.settle()
    }

    /// Writes the records and answers each when it stands as firmly as it asked for.
    fn serve(&mut self, jobs: Vec<Job>) {
        let jobs = self.up_to_the_last(jobs);
        let Some(oldest) = jobs.first().map(|job| job.accepted) else { return };
        let mut jobs = jobs.into_iter().peekable();
        while jobs.peek().is_some() {
            if self.trouble.is_some() {
                jobs.by_ref().for_each(|job| self.turn_away(job));
                return;
            }
            self.shared.waiting.begin(oldest);
            let mut batch = Vec::new();
            let Err(why) = self.write(&mut jobs, &mut batch) else { continue };
            if self.fail(why) {
                // All lines are on the disk after all, in a new file.
                batch.into_iter().for_each(Unanswered::answer);
            } else {
                self.answer_unwritten(batch);
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
        late.into_iter().for_each(|job| drop(job.answer.send(Err(AuditError::Closed))));
        jobs
    }

    /// Makes the lines of the next jobs, hands them to the kernel, and syncs if one asks for it.
    /// What it answered is no longer in `batch`.
    fn write(
        &mut self,
        jobs: &mut impl Iterator<Item = Job>,
        batch: &mut Vec<Unanswered>,
    ) -> Result<(), AuditError> {
        let age = self.pen.open.worked.map_or(Duration::ZERO, |since| since.elapsed());
        if self.pen.bytes() >= self.options.segment_bytes || age >= self.options.segment_age {
            // Before a job is taken: if this fails none has a line.
            self.rotate()?;
        }
        let before = self.pen.tail.len();
        for Job { body, durability, answer, waivable, signed, .. } in jobs.by_ref() {
            let receipt = self.pen.add(&body, None);
            if signed {
                self.pen.sign_the_rest();
            }
            self.shared.waiting.write(1);
            batch.push(Unanswered { answer, receipt, durability, waivable });
            if self.pen.tail.len().saturating_sub(before) >= BATCH_BYTES_MAX {
                break;
            }
        }
        self.settle()?;
        let is_written = |one: &mut Unanswered| one.durability == Durability::Written;
        batch.extract_if(.., is_written).for_each(Unanswered::answer);
        if !batch.is_empty() || self.pen.tail.len() >= JOURNAL_UNSYNCED_BYTES_MAX {
            self.sync()?;
            batch.drain(..).for_each(Unanswered::answer);
        }
        Ok(())
    }

    /// Hands what was added to the kernel.
    pub(super) fn settle(&mut self) -> Result<(), AuditError> {
        if self.pen.tail.len() == self.pen.given {
            return Ok(());
        }
        self.unsynced.get_or_insert_with(Instant::now);
        self.pen.flush()?;
        self.shared.set_head(self.pen.head(), self.pen.signed_at);
        Ok(())
    }

    /// Waits for the disk.
    pub(super) fn sync(&mut self) -> Result<(), AuditError> {
        self.pen.sync()?;
        self.checked = Instant::now();
        self.unsynced = None;
        self.shared.waiting.sync();
        self.shared.commit();
        Ok(())
    }

    fn rotate(&mut self) -> Result<(), AuditError> {
        self.pen.sign_the_rest();
        self.settle()?;
        self.sync()?;
        self.pen.rotate().map(|_| ())
    }

    /// Adds a record of the log's own; the next `settle` writes it.
    pub(super) fn note(&mut self, record: Record) {
        let body = wire::body(record, &self.options.redactor);
        self.pen.add(&body, None);
    }

    /// What happened to records although the log takes some: its queue was full for too long.
    fn tell_of_counts(&mut self, kept: Kept) {
        let late = AuditError::Timeout(self.options.timeout);
        self.note_kept(kept, &Trouble::new(late));
    }

    /// A new stage of the room on the disk; whether the file is to be closed, so that it is sealed.
    fn tell_of_room(&mut self, before: Stage) -> bool {
        let stage = self.room.stage;
        let free = self.room.space.map(|space| space.free);
        match stage {
            Stage::Enough if before == Stage::Enough => return false,
            Stage::Enough => tracing::info!(free, "the disk of the log has enough room again"),
            Stage::Warn => tracing::warn!(free, "the disk of the log is filling up"),
            Stage::Low | Stage::Full => tracing::error!(free, "the disk of the log is almost full"),
        }
        let mut record = self.room.record(stage);
        let is_worth_it = self.pen.bytes() >= JOURNAL_SEAL_EARLY_BYTES;
        let seal = stage >= Stage::Low && self.options.seal && is_worth_it;
        if seal {
            record.details.push(("sealing", "asked".into()));
        }
        self.note(record);
        seal
    }

    /// What becomes of a record that gets no line.
    fn turn_away(&mut self, job: Job) {
        self.shared.waiting.refuse(1);
        let answer = match self.shared.turn_away(job.body, job.waivable) {
            Ok(answer) => answer,
            // Only this thread lets the log take records again.
            Err(_) => Err(AuditError::Closed),
        };
        drop(job.answer.send(answer));
    }

    /// Records that have lines, which will be written once the log goes on.
    fn answer_unwritten(&mut self, batch: Vec<Unanswered>) {
        for one in batch {
            let answer = self.shared.answer_unwritten(one.waivable);
            if let (Err(_), Some(trouble)) = (&answer, &mut self.trouble) {
                trouble.unanswered.push(one.receipt.seq());
            }
            drop(one.answer.send(answer));
        }
    }
}

impl Unanswered {
    /// Who does not wait any more needs no answer: hence no look at the result.
    fn answer(self) {
        drop(self.answer.send(Ok(Proof::Receipt(self.receipt))));
    }
}
