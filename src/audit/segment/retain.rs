//! Retention: whole sealed files are deleted when the operator's bounds say so, oldest first.
//!
//! Before anything is gone, what the proofs need is on the disk ([`Keeping`]), and so is a record
//! `audit.retention` in the log, which names the files, their records and the SHA-256 of what was
//! kept. A file that is missing without such a record is missing. What cannot be read, or is no
//! unbroken run of records, is evidence, and is never deleted.

use super::frames::Frames;
use super::kept::{Keeping, written_at};
use super::lines::{Ending, Lines};
use super::name::{Form, SegmentName, list};
use super::seal::temporary;
use crate::audit::error::AuditError;
use crate::audit::journal::{Appending, Journal, Shelf};
use crate::limits::RETENTION_FILES_MAX;
use crate::model::json::Json;
use crate::model::record::{Kind, Record};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::io;
use std::path::Path;

/// How long the log is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retention {
    /// What is older than so many days is deleted.
    pub days: Option<u32>,
    /// While the log takes more bytes, its oldest files are deleted.
    pub max_bytes: Option<u64>,
    /// But nothing younger than so many days, whatever its size.
    pub min_days: u32,
    /// Nothing is deleted.
    pub hold: bool,
}

/// Why a file is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is too old.
    Days,
    /// The log is too large.
    Bytes,
}

/// A file that is to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    segment: SegmentName,
    /// What it takes, with its index.
    pub bytes: u64,
    /// When its newest record was written.
    pub newest: Timestamp,
    /// Why.
    pub why: Why,
}

impl Due {
    /// Its name.
    #[must_use]
    pub fn file(&self) -> String {
        self.segment.to_string()
    }
}

impl Why {
    /// The word in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Why::Days => "days",
            Why::Bytes => "bytes",
        }
    }
}

/// The files that the bounds ask to delete, oldest first; never the newest, nor any from number
/// `needed` on.
///
/// # Errors
/// If the directory cannot be read.
pub fn due(
    dir: &Path,
    retention: &Retention,
    now: Timestamp,
    needed: Option<u64>,
) -> Result<Vec<Due>, AuditError> {
    if retention.hold || (retention.days.is_none() && retention.max_bytes.is_none()) {
        return Ok(Vec::new());
    }
    let mut segments = list(dir)?;
    let size = |path: &Path| path.metadata().map_or(0, |about| about.len());
    let bytes = |one: &SegmentName| size(&one.path(dir)) + size(&one.index_path(dir));
    // What retention left of a file never goes, so it is not weighed: else it would crowd out, file
    // by file, all that can still be read.
    let readable = segments.iter().filter(|one| one.form != Form::Kept);
    let mut total: u64 = readable.map(bytes).sum();
    segments.pop();
    // Nor what a required sink has not taken.
    let needed = [needed, crate::audit::sink::least(dir)?].into_iter().flatten().min();
    segments.retain(|one| needed.is_none_or(|needed| one.number < needed));
    let mut due = Vec::new();
    for segment in segments.into_iter().filter(|one| one.form == Form::Sealed) {
        let Some(newest) = written(dir, &segment) else {
            tracing::warn!(file = %segment, "a file of the log is damaged, so it is not deleted");
            continue;
        };
        let is_older = |days: u32| {
            let age = SignedDuration::from_hours(24 * i64::from(days));
            now.checked_sub(age).is_ok_and(|edge| newest < edge)
        };
        let why = if retention.days.is_some_and(is_older) {
            Why::Days
        } else if retention.max_bytes.is_some_and(|max| total > max) && is_older(retention.min_days)
        {
            Why::Bytes
        } else {
            break;
        };
        let bytes = bytes(&segment);
        total = total.saturating_sub(bytes);
        due.push(Due { segment, bytes, newest, why });
    }
    Ok(due)
}

/// The number of the newest file, if there is one.
///
/// # Errors
/// If the directory cannot be read.
pub fn newest_file(dir: &Path) -> Result<Option<u64>, AuditError> {
    Ok(list(dir)?.last().map(|segment| segment.number))
}

/// When the last record of a sealed file was written.
fn written(dir: &Path, segment: &SegmentName) -> Option<Timestamp> {
    let mut frames = Frames::open(&segment.path(dir)).ok()?;
    let mut plain = Vec::new();
    frames.read(frames.table().len().checked_sub(1)?, &mut plain).ok()?;
    let lines = plain.strip_suffix(b"\n")?;
    let begin = memchr::memrchr(b'\n', lines).map_or(0, |end| end + 1);
    written_at(lines.get(begin..)?)
}

/// When the first record of a file was written; nothing if it cannot be read.
pub(in crate::audit) fn first_written(dir: &Path, segment: &SegmentName) -> Option<Timestamp> {
    let mut line = Vec::new();
    match Lines::open(dir, segment).ok()?.next_into(&mut line) {
        Ok(Some(Ending::Whole)) => written_at(&line),
        Ok(_) | Err(_) => None,
    }
}

/// Deletes files, which the log tells first; how many bytes that freed.
///
/// # Errors
/// If that cannot be recorded, or the disk refuses. What was not deleted then is due again.
pub fn delete(journal: &Journal, dir: &Path, due: &[Due]) -> Result<u64, AuditError> {
    let shelf = journal.shelf();
    let mut freed = 0;
    for part in due.chunks(RETENTION_FILES_MAX) {
        let mut files = Vec::new();
        let mut gone = Vec::new();
        for one in part {
            match keep(shelf, dir, one)
                .map_err(AuditError::file("keep what proofs need of", dir))?
            {
                Some(told) => {
                    files.push(told);
                    gone.push(one);
                }
                None => tracing::warn!(
                    file = %one.segment,
                    "a file of the log is no unbroken run of records, so it is not deleted"
                ),
            }
        }
        if gone.is_empty() {
            continue;
        }
        shelf.sync_names().map_err(AuditError::file("sync", dir))?;
        let bytes: u64 = gone.iter().map(|one| one.bytes).sum();
        let mut record = Record::new(Kind::AuditRetention);
        record.details.push(("bytes", Json::from(bytes)));
        record.details.push(("files", Json::from(files)));
        // It is on the disk when this returns, and a signed head covers it: nobody without the key
        // can tell the log that something was deleted.
        journal.append_signed_blocking(record)?;
        for one in &gone {
            // The index first: without its file it would be left for good. Not every file has one.
            for name in [one.segment.index_name(), one.segment.to_string()] {
                let path = dir.join(&name);
                shelf.remove(&name).map_err(AuditError::file("delete", &path))?;
            }
        }
        shelf.sync_names().map_err(AuditError::file("sync", dir))?;
        tracing::info!(files = gone.len(), bytes, "the log's oldest files are deleted");
        freed += bytes;
    }
    Ok(freed)
}

/// Writes what is to stay of a file, and what the log is to tell of it; nothing if it is evidence.
fn keep(shelf: &dyn Shelf, dir: &Path, due: &Due) -> io::Result<Option<Json>> {
    let segment = &due.segment;
    let mut keeping = Keeping::new(segment.stream.clone());
    let mut lines = Lines::open(dir, segment).map_err(io::Error::other)?;
    let mut line = Vec::new();
    loop {
        match lines.next_into(&mut line) {
            Ok(None) => break,
            Ok(Some(Ending::Whole)) if keeping.line(&line).is_some() => {}
            Ok(Some(_)) => return Ok(None),
            Err(why) if why.kind() == io::ErrorKind::InvalidData => return Ok(None),
            Err(why) => return Err(why),
        }
    }
    let Some(((first, prev), (last, head))) = keeping.range() else { return Ok(None) };
    let kept = segment.as_form(Form::Kept);
    let temporary = temporary(&kept.to_string());
    let mut file = Appending(shelf.anew(&temporary)?);
    let Some(digest) = keeping.write(&kept, &mut file)? else { return Ok(None) };
    file.finish()?;
    shelf.rename_to(&temporary, &kept.to_string())?;
    Ok(Some(json!({
        "file": segment.stem(),
        "first": first,
        "last": last,
        "prev": prev.to_string(),
        "head": head.to_string(),
        "bytes": due.bytes,
        "why": due.why.as_str(),
        "kept": digest.to_string(),
    })))
}
