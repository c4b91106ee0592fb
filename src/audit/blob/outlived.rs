//! Kept texts whose records retention deleted: they go after them, and the log says how many.
//!
//! A text is kept before the record that names it is written, so one that is older than the oldest
//! record left may still be named by that one; and clocks are set back. What a record left names is
//! never removed, whatever its age. What no record ever named, as a crash leaves it, goes in time.

use super::select::named;
use super::{Blobs, Kept, blob_error};
use crate::audit::error::AuditError;
use crate::audit::journal::Journal;
use crate::audit::segment::{Form, SegmentName, first_written, list};
use crate::model::record::{Kind, Record};
use jiff::Timestamp;
use std::path::Path;

/// When the oldest record was written that is left of the log without these files; nothing if there
/// is none, or retention deleted nothing and is not to delete anything.
fn oldest(dir: &Path, without: &[String]) -> Result<Option<Timestamp>, AuditError> {
    let is_going = |one: &SegmentName| without.contains(&one.to_string());
    let segments = list(dir)?;
    if !segments.iter().any(|one| one.form == Form::Kept || is_going(one)) {
        return Ok(None);
    }
    let left = segments.iter().filter(|one| one.form != Form::Kept && !is_going(one));
    Ok(left.filter_map(|one| first_written(dir, one)).min())
}

/// The texts that nothing in the log without these files names, and that are older than all of it.
///
/// # Errors
/// If the log or the texts cannot be read.
pub fn outlived(dir: &Path, blobs: &Blobs, without: &[String]) -> Result<Vec<Kept>, AuditError> {
    let Some(oldest) = oldest(dir, without)? else { return Ok(Vec::new()) };
    let is_older = |kept: &Kept| Timestamp::try_from(kept.at).is_ok_and(|at| at < oldest);
    let mut old: Vec<Kept> =
        blobs.all().map_err(blob_error)?.into_iter().filter(is_older).collect();
    if !old.is_empty() {
        // Only now: this reads the whole log.
        let named = named(dir, without)?;
        old.retain(|kept| !named.contains(kept.name.as_bytes()));
    }
    Ok(old)
}

/// Removes the texts that outlived their records, which the log tells first; how many bytes that
/// freed.
///
/// # Errors
/// If that cannot be recorded, or the disk refuses. What was not removed then is found again.
pub fn remove_outlived(journal: &Journal, dir: &Path, blobs: &Blobs) -> Result<u64, AuditError> {
    let old = outlived(dir, blobs, &[])?;
    if old.is_empty() {
        return Ok(0);
    }
    let bytes: u64 = old.iter().map(|kept| kept.bytes).sum();
    let mut record = Record::new(Kind::AuditRetention);
    record.details.push(("texts", old.len().into()));
    record.details.push(("text_bytes", bytes.into()));
    // It is on the disk when this returns.
    journal.append_blocking(record)?;
    for kept in &old {
        blobs.remove(kept.name).map_err(blob_error)?;
    }
    tracing::info!(texts = old.len(), bytes, "kept texts of deleted records are removed");
    Ok(bytes)
}
