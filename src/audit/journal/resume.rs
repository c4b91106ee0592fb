//! Going on after a failed write or sync, or after somebody touched the file, without a restart.
//!
//! Nothing behind the last good sync is trusted. The lines that came after it, byte for byte as
//! they were, go to a new file of the same stream, and the old file is cut back to that sync: each
//! receipt stays true, and no line stands twice. The new file gets its name last; a death before
//! that leaves it to the next start, which adds what the old file lacks (`recover`). What somebody
//! else left there is kept aside, and what they took away is put back if the open file still has
//! it. If they cut off what was on the disk, the stream goes on with the gap, which `verify` then
//! names: it is no accident.
//!
//! Each step may fail and is tried again by the owner; none undoes another.

use crate::audit::error::AuditError;
use crate::audit::journal::pen::{Open, Pen};
use crate::audit::journal::recover::{free_name, keep_aside};
use crate::audit::journal::storage::{Place, SegmentFile, Storage};
use crate::audit::place::Hash;
use crate::audit::proof::sign::Signer;
use crate::limits::RECORD_BYTES_MAX;
use crate::model::json::Json;
use sha2::{Digest, Sha256};
use std::io;

/// What ends the name of a file that is not yet one of the log's.
pub(super) const PREPARED: &str = ".new";
/// Bytes copied at a time.
const BLOCK: usize = 64 * 1024;

/// What was done to go on, for the record of it.
#[derive(Debug, Default)]
pub(super) struct Resumed {
    /// What is told, by name.
    pub(super) details: Vec<(&'static str, Json)>,
}

impl<S: Storage> Pen<S> {
    /// Puts the file in order and goes on in a new one, with what the disk may not have.
    pub(super) fn resume(&mut self, resumed: &mut Resumed) -> Result<(), AuditError> {
        let failed = |why| AuditError::file("look at", &self.dir)(why);
        if !self.storage.is_in_place().map_err(failed)? {
            return Err(AuditError::DirectoryGone(self.dir.clone()));
        }
        self.prepare()?;
        let failed = |why| AuditError::file("look at", &self.open.path)(why);
        let place = self.open.file.place(self.bytes()).map_err(failed)?;
        if matches!(place, Place::Removed | Place::Replaced) {
            let path = self.open.path.clone();
            self.put_back(place, resumed).map_err(AuditError::file("put back", &path))?;
        }
        let path = self.open.path.clone();
        self.cut_back(resumed).map_err(AuditError::file("cut back", &path))?;
        self.enter()
    }

    /// Writes what the disk may not have to a file that is none of the log's yet: cutting it off
    /// here before it stands there would lose it to a death in between.
    fn prepare(&mut self) -> Result<(), AuditError> {
        if self.prepared.is_some() {
            return Ok(());
        }
        if self.next_name().path(&self.dir).exists() {
            self.next_number += 1;
        }
        let name = self.next_name();
        let path = name.path(&self.dir);
        let prepared = format!("{name}{PREPARED}");
        let write = || {
            self.storage.unlink_if_there(&prepared)?;
            let mut file = self.storage.create(&prepared)?;
            let written = write_all(&mut file, &self.tail)
                .and_then(|()| file.sync())
                .and_then(|()| self.storage.sync_dir());
            if written.is_err() {
                drop(self.storage.unlink(&prepared));
            }
            written
        };
        write().map_err(AuditError::file("make the audit file", &path))?;
        self.prepared = Some(name);
        Ok(())
    }

    /// Makes the prepared file the one that is written.
    fn enter(&mut self) -> Result<(), AuditError> {
        let Some(name) = self.prepared.clone() else { return Ok(()) };
        let path = name.path(&self.dir);
        let enter = || {
            // It may have its name already, if only that was not durable.
            if !path.exists() {
                self.storage.rename(&format!("{name}{PREPARED}"), &name.to_string())?;
            }
            self.storage.sync_dir()?;
            self.storage.reopen(&name.to_string())
        };
        let file = enter().map_err(AuditError::file("make the audit file", &path))?;
        let synced = u64::try_from(self.tail.len()).unwrap_or(u64::MAX);
        self.open = Open { file, name, path, synced, worked: self.open.worked };
        self.tail.clear();
        self.given = 0;
        self.next_number += 1;
        self.prepared = None;
        self.tell_closed();
        self.check_place()?;
        self.signer.iter_mut().for_each(Signer::synced);
        Ok(())
    }

    /// What was written to a file that lost its name is still in it, as long as it is open.
    fn put_back(&mut self, place: Place, resumed: &mut Resumed) -> io::Result<()> {
        let name = self.open.name.to_string();
        let copy = format!("{name}.back");
        self.storage.unlink_if_there(&copy)?;
        let mut file = self.storage.create(&copy)?;
        copy_part(&self.open.file, (0, self.open.synced), &mut file)?;
        file.sync()?;
        if place == Place::Replaced {
            let aside = free_name(&self.dir, &format!("{name}.replaced"))?;
            self.storage.rename(&name, &aside)?;
            resumed.details.push(("replaced_by", aside.into()));
        }
        self.storage.rename(&copy, &name)?;
        self.storage.sync_dir()?;
        self.open.file = self.storage.reopen(&name)?;
        self.given = 0;
        resumed.details.push(("put_back", name.into()));
        Ok(())
    }

    /// Cuts the file back to the last good sync.
    fn cut_back(&mut self, resumed: &mut Resumed) -> io::Result<()> {
        let length = match self.open.file.place(self.bytes())? {
            Place::Shorter(bytes) | Place::Longer(bytes) => bytes,
            Place::Here | Place::Removed | Place::Replaced => self.bytes(),
        };
        let ours = self.length_without_given(length)?;
        let keep = match ours.checked_sub(self.open.synced) {
            Some(_) => self.open.synced,
            None => last_line_end(&self.open.file, ours)?,
        };
        if keep < self.open.synced {
            let missing = self.open.synced - keep;
            resumed.details.push(("cut_off_bytes", missing.into()));
        }
        // What is no part of our lines is somebody else's, and evidence.
        if ours > keep {
            let file = (self.open.name.to_string(), &self.open.file);
            let part = (keep, length);
            let kept = keep_aside(&self.dir, &self.storage, (&file.0, file.1), part)?;
            resumed.details.extend(kept);
        }
        if length > keep {
            self.open.file.truncate(keep)?;
        }
        (self.open.synced, self.given) = (keep, 0);
        Ok(())
    }

    /// The length of the file without the lines that we gave it since the last sync, if these are
    /// what it ends in.
    fn length_without_given(&self, length: u64) -> io::Result<u64> {
        let given = u64::try_from(self.given).unwrap_or(u64::MAX);
        match length.checked_sub(given) {
            Some(before) if self.is_ours(before, length)? => Ok(before),
            Some(_) | None => Ok(length),
        }
    }

    /// Whether a part of the file is the beginning of our unsynced lines.
    fn is_ours(&self, from: u64, to: u64) -> io::Result<bool> {
        let mut at = from;
        let mut block = vec![0; BLOCK];
        while at < to {
            let known = usize::try_from(at - from).unwrap_or(usize::MAX);
            let left = usize::try_from(to - at).unwrap_or(usize::MAX);
            let room = block.get_mut(..left.min(BLOCK)).unwrap_or_default();
            let read = read_some(&self.open.file, at, room)?;
            if read == 0 {
                return Ok(false);
            }
            let expected = self.tail.get(known..known.saturating_add(read));
            if expected != block.get(..read) {
                return Ok(false);
            }
            at += u64::try_from(read).unwrap_or(u64::MAX);
        }
        Ok(true)
    }
}

/// Where the last whole line ends that lies before `length`.
pub(super) fn last_line_end<F: SegmentFile>(file: &F, length: u64) -> io::Result<u64> {
    let bound = u64::try_from(RECORD_BYTES_MAX).unwrap_or(u64::MAX);
    let from = length.saturating_sub(bound);
    let mut block = vec![0; usize::try_from(length - from).unwrap_or_default()];
    let mut filled = 0;
    while filled < block.len() {
        let at = from + u64::try_from(filled).unwrap_or_default();
        match read_some(file, at, block.get_mut(filled..).unwrap_or_default())? {
            0 => break,
            read => filled += read,
        }
    }
    let newline = block.iter().rposition(|byte| *byte == b'\n');
    Ok(newline.map_or(0, |at| from + u64::try_from(at).unwrap_or_default() + 1))
}

/// Copies a part of one file to the end of another; its hash.
pub(super) fn copy_part<F: SegmentFile>(
    from: &F,
    part: (u64, u64),
    to: &mut F,
) -> io::Result<Hash> {
    let (mut at, end) = part;
    let mut block = vec![0; BLOCK];
    let mut hash = Sha256::new();
    while at < end {
        let left = usize::try_from(end - at).unwrap_or(usize::MAX).min(BLOCK);
        let read = read_some(from, at, block.get_mut(..left).unwrap_or_default())?;
        let Some(bytes) = block.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        hash.update(bytes);
        write_all(to, bytes)?;
        at += u64::try_from(read).unwrap_or(u64::MAX);
    }
    Ok(Hash::from(hash))
}

/// Writes all of the bytes.
pub(super) fn write_all<F: SegmentFile>(to: &mut F, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
        }
    }
    Ok(())
}

fn read_some<F: SegmentFile>(file: &F, at: u64, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read_at(at, into) {
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
