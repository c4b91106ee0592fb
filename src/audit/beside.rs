//! What stands beside the journal: the texts that records leave out, and the sinks that must have
//! them. The gate asks it before and after it writes; it never holds a call up for long.

use crate::audit::blob::{self, Blobs};
use crate::audit::error::AuditError;
use crate::audit::sink::{Publisher, Sinks};
use crate::limits::BLOB_TIMEOUT;
use crate::model::record::Record;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What stands beside one journal; nothing unless it is configured.
#[derive(Debug, Default)]
pub struct Beside {
    /// Keeps long texts.
    pub blobs: Option<Arc<Blobs>>,
    /// Where records go besides the file.
    pub sinks: Option<Arc<Sinks>>,
    /// Sends signed heads away.
    pub publisher: Option<Arc<Publisher>>,
    /// Texts that could not be kept.
    not_kept: AtomicU64,
}

impl Beside {
    /// All of it.
    #[must_use]
    pub fn new(
        blobs: Option<Arc<Blobs>>,
        sinks: Option<Arc<Sinks>>,
        publisher: Option<Arc<Publisher>>,
    ) -> Beside {
        Beside { blobs, sinks, publisher, not_kept: AtomicU64::new(0) }
    }

    /// The record, its long texts kept and named as far as that could be done.
    pub async fn settled(&self, mut record: Record) -> Record {
        let not_kept = blob::settle(self.blobs.as_ref(), &mut record, BLOB_TIMEOUT).await;
        self.not_kept.fetch_add(not_kept, Ordering::Relaxed);
        record
    }

    /// Whether every sink that must have the records has them.
    ///
    /// # Errors
    /// If one has not taken them within its deadline; then it is as if the log had failed.
    pub fn check(&self) -> Result<(), AuditError> {
        self.sinks.as_ref().map_or(Ok(()), |sinks| sinks.check())
    }

    /// How many long texts could not be kept since the start.
    #[must_use]
    pub fn not_kept(&self) -> u64 {
        self.not_kept.load(Ordering::Relaxed)
    }
}
