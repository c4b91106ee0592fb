//! Erasing kept texts: a record says so first, and the chain stays whole.
//!
//! First the record, then the file: a text that is gone although no record says so would look
//! like evidence that somebody took away. After a crash in between, the same command ends it.

use super::{BlobError, Blobs};
use crate::audit::error::AuditError;
use crate::audit::place::Hash;
use crate::model::json::Json;
use crate::model::record::{Kind, Record};

/// Names in one record of an erasure; with more it would not fit its line.
pub const NAMES_ERASED_MAX: usize = 256;

/// What was erased.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    /// Texts that are gone now.
    pub texts: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Why not all of it was erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// It could not be recorded, so nothing more was erased.
    #[error("the erasure cannot be recorded, so nothing is erased: {0}")]
    Audit(#[from] AuditError),
    /// A file could not be removed.
    #[error("the erasure is recorded, but not done; erase once more: {0}")]
    Blob(#[from] BlobError),
}

/// The record of an erasure: these texts, on whose order, and why.
#[must_use]
pub fn erasure(names: &[Hash], by: u32, why: &str) -> Record {
    let names: Json = names.iter().map(Hash::to_string).collect();
    Record {
        details: vec![("blobs", names), ("by_uid", by.into()), ("why", why.into())],
        ..Record::new(Kind::AuditErased)
    }
}

/// Removes texts whose erasure stands in the log.
///
/// # Errors
/// If one cannot be removed.
fn remove(blobs: &Blobs, names: &[Hash]) -> Result<Erased, BlobError> {
    let mut erased = Erased::default();
    for name in names {
        if let Some(bytes) = blobs.remove(*name)? {
            erased.texts += 1;
            erased.bytes += bytes;
        }
    }
    Ok(erased)
}

/// Records with `write` that texts are erased, and erases them.
///
/// # Errors
/// If it cannot be recorded, or a file cannot be removed.
pub async fn erase<W>(
    blobs: &Blobs,
    names: &[Hash],
    (by, why): (u32, &str),
    write: impl Fn(Record) -> W,
) -> Result<Erased, EraseError>
where
    W: Future<Output = Result<(), AuditError>>,
{
    let mut erased = Erased::default();
    for names in names.chunks(NAMES_ERASED_MAX) {
        write(erasure(names, by, why)).await?;
        let done = remove(blobs, names)?;
        erased.texts += done.texts;
        erased.bytes += done.bytes;
    }
    Ok(erased)
}
