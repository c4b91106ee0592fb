//! The file that is written, and every line of it that the disk may not have.
//!
//! A line stays in memory until a sync said that it is on the disk, in a file that is at its
//! place. So when a sync fails nothing that was acknowledged is lost with the kernel's pages: the
//! same bytes, with the same numbers, are written again (see `resume`).

use crate::audit::error::AuditError;
use crate::audit::journal::storage::{Place, SegmentFile, Storage};
use crate::audit::place::{Hash, Head, Receipt, StreamId};
use crate::audit::proof::sign::{Due, Signer};
use crate::audit::segment::{Closed, SegmentName};
use crate::audit::wire::{self, Body};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where the pen begins.
pub(in crate::audit) struct Start {
    pub(in crate::audit) dir: PathBuf,
    pub(in crate::audit) stream: StreamId,
    /// The newest record of that stream; nothing for a new one.
    pub(in crate::audit) last: Option<(u64, Hash)>,
    /// The file to append to and its length; nothing to begin a new one.
    pub(in crate::audit) segment: Option<(SegmentName, u64)>,
    /// The number of the next new file.
    pub(in crate::audit) next_number: u64,
    /// Who signs it.
    pub(in crate::audit) signer: Option<Signer>,
    /// Who is to know which files are closed.
    pub(in crate::audit) closed: Option<Closed>,
}

/// The one writer of the log's lines.
pub(super) struct Pen<S: Storage> {
    pub(super) storage: S,
    pub(super) dir: PathBuf,
    pub(super) open: Open<S::File>,
    /// The lines that the disk may not have.
    pub(super) tail: Vec<u8>,
    /// How much of them the kernel was given.
    pub(super) given: usize,
    pub(super) next_number: u64,
    /// The file that has the tail already, and has not its name yet.
    pub(super) prepared: Option<SegmentName>,
    stream: StreamId,
    seq: u64,
    hash: Hash,
    pub(super) signer: Option<Signer>,
    closed: Option<Closed>,
    /// When the newest signed head was made.
    pub(super) signed_at: Option<jiff::Timestamp>,
}

/// The file that is written.
pub(super) struct Open<F> {
    pub(super) file: F,
    pub(super) name: SegmentName,
    pub(super) path: PathBuf,
    /// Its length at the last good sync.
    pub(super) synced: u64,
    /// Since when there is more in it than the log's own records.
    pub(super) worked: Option<Instant>,
}

impl<S: Storage> Pen<S> {
    /// Opens the file to append to, or makes it.
    pub(super) fn new(storage: S, start: Start) -> Result<Pen<S>, AuditError> {
        let Start { dir, stream, last, segment, mut next_number, signer, closed } = start;
        let open = match segment {
            Some((name, synced)) => {
                let path = name.path(&dir);
                let file = storage
                    .reopen(&name.to_string())
                    .map_err(AuditError::file("open the audit file", &path))?;
                Open { file, name, path, synced, worked: None }
            }
            None => {
                let name = SegmentName::plain(next_number, stream.clone());
                next_number += 1;
                create(&storage, &dir, name)?
            }
        };
        let (seq, hash) = last.unwrap_or((0, Hash::ZERO));
        let (tail, given) = (Vec::new(), 0);
        let (prepared, signed_at) = (None, None);
        let pen = Pen {
            storage,
            dir,
            open,
            tail,
            given,
            next_number,
            prepared,
            stream,
            seq,
            hash,
            signer,
            signed_at,
            closed,
        };
        pen.tell_closed();
        Ok(pen)
    }

    /// Makes the line of a record, which follows the one before it from now on.
    pub(super) fn add(&mut self, body: &Body, late: Option<Duration>) -> Receipt {
        if !body.is_of_the_log() {
            self.open.worked.get_or_insert_with(Instant::now);
        }
        let line = self.put(body, late, jiff::Timestamp::now());
        if let (Some(signer), Some(line)) = (&mut self.signer, self.tail.get(line)) {
            signer.took(line);
        }
        Receipt::new(self.head())
    }

    /// Adds a signed head of every line so far; whether the disk must have it at once.
    pub(super) fn sign(&mut self, due: Due) -> bool {
        let Some(signer) = &mut self.signer else { return false };
        let (body, now) = signer.sign(due, &self.stream);
        self.signed_at = Some(now);
        let line = self.put(&body, None, now);
        if let (Some(signer), Some(line)) = (&mut self.signer, self.tail.get(line)) {
            signer.took_own(line);
        }
        // A key that hands over is destroyed only when its certificate cannot be lost.
        due == Due::Key
    }

    /// No file is left, nor the log closed, with records in it that are not signed.
    pub(super) fn sign_the_rest(&mut self) {
        if self.signer.as_ref().is_some_and(Signer::is_behind) {
            self.sign(Due::Head);
        }
    }

    /// Gathers one more line; where it stands in the tail, without its newline.
    fn put(&mut self, body: &Body, late: Option<Duration>, now: jiff::Timestamp) -> Range<usize> {
        let start = self.tail.len();
        let place = (&self.stream, self.seq + 1, self.hash);
        self.hash = wire::write_line(&mut self.tail, body, late, place, now);
        self.seq += 1;
        start..self.tail.len().saturating_sub(1)
    }

    /// The newest line.
    pub(super) fn head(&self) -> Head {
        Head { stream: self.stream.clone(), seq: self.seq, hash: self.hash }
    }

    /// What was written to the file, on the disk or not.
    pub(super) fn bytes(&self) -> u64 {
        self.open.synced.saturating_add(u64::try_from(self.given).unwrap_or(u64::MAX))
    }

    /// Hands every line to the kernel.
    pub(super) fn flush(&mut self) -> Result<(), AuditError> {
        while let Some(rest) = self.tail.get(self.given..)
            && !rest.is_empty()
        {
            match self.open.file.write(rest) {
                Ok(0) => {
                    let why = io::Error::from(ErrorKind::WriteZero);
                    return Err(AuditError::file("write to", &self.open.path)(why));
                }
                Ok(count) => self.given += count,
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(why) => return Err(AuditError::file("write to", &self.open.path)(why)),
            }
        }
        Ok(())
    }

    /// Waits for the disk, which then has every line that the kernel was given, in a file that has
    /// its name.
    pub(super) fn sync(&mut self) -> Result<(), AuditError> {
        self.open.file.sync().map_err(AuditError::file("sync", &self.open.path))?;
        self.check_place()?;
        self.open.synced = self.bytes();
        self.tail.drain(..self.given.min(self.tail.len()));
        self.given = 0;
        if self.tail.is_empty() {
            self.signer.iter_mut().for_each(Signer::synced);
        }
        Ok(())
    }

    /// Whether the file is what was written, as far as a look from outside tells.
    pub(super) fn check_place(&self) -> Result<(), AuditError> {
        let (path, written) = (self.open.path.clone(), self.bytes());
        let place = self.open.file.place(written).map_err(AuditError::file("look at", &path))?;
        match place {
            Place::Here => Ok(()),
            Place::Shorter(found) => Err(AuditError::Shortened { path, written, found }),
            Place::Longer(found) => Err(AuditError::Lengthened { path, written, found }),
            Place::Removed | Place::Replaced => Err(self.where_is(place, path)),
        }
    }

    /// A file without its name may have gone with its directory.
    fn where_is(&self, place: Place, path: PathBuf) -> AuditError {
        match self.storage.is_in_place() {
            Ok(false) => AuditError::DirectoryGone(self.dir.clone()),
            Ok(true) | Err(_) if place == Place::Replaced => AuditError::Replaced(path),
            Ok(true) | Err(_) => AuditError::Removed(path),
        }
    }

    /// Goes on in a new file. The full one is synced first: a file must never be on the disk
    /// when the one before it is not. The name of the full one.
    pub(super) fn rotate(&mut self) -> Result<SegmentName, AuditError> {
        self.flush()?;
        self.sync()?;
        let open = create(&self.storage, &self.dir, self.next_name())?;
        self.next_number += 1;
        let full = std::mem::replace(&mut self.open, open).name;
        self.tell_closed();
        Ok(full)
    }

    /// Nobody writes to the files before this one any more.
    pub(super) fn tell_closed(&self) {
        if let Some(closed) = &self.closed {
            closed.below(self.open.name.number);
        }
    }

    pub(super) fn next_name(&self) -> SegmentName {
        SegmentName::plain(self.next_number, self.stream.clone())
    }
}

/// A new file with a durable name; if that fails, without one.
fn create<S: Storage>(
    storage: &S,
    dir: &Path,
    name: SegmentName,
) -> Result<Open<S::File>, AuditError> {
    let path = name.path(dir);
    let failed = |why| AuditError::file("make the audit file", &path)(why);
    let file = storage.create(&name.to_string()).map_err(failed)?;
    if let Err(why) = storage.sync_dir() {
        // If it stays it is an empty file, which nothing is read from.
        drop(storage.unlink(&name.to_string()));
        return Err(failed(why));
    }
    Ok(Open { file, name, path, synced: 0, worked: None })
}
