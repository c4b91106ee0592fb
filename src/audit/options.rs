//! How a journal works; the bounds come from `limits`.

use crate::audit::proof::Signing;
use crate::limits::{JOURNAL_FLUSH, JOURNAL_TIMEOUT};
use crate::redact::Redactor;
use std::time::Duration;

/// One file of the log, in bytes: small enough to verify, compress and ship as a piece.
pub const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How a journal works.
#[derive(Debug, Clone)]
pub struct Options {
    /// A file that reached this length is followed by the next.
    pub segment_bytes: u64,
    /// How long a record that need not be durable may stay unsynced.
    pub flush: Duration,
    /// How long an append may take.
    pub timeout: Duration,
    /// Takes secrets out of the texts of a record that nobody redacted before.
    pub redactor: Redactor,
    /// How the log is signed; nothing leaves it unsigned.
    pub signing: Option<Signing>,
}

impl Options {
    /// The bounds of the program, for a log that nobody signs.
    #[must_use]
    pub fn new(redactor: Redactor) -> Options {
        Options {
            segment_bytes: SEGMENT_BYTES_MAX,
            flush: JOURNAL_FLUSH,
            timeout: JOURNAL_TIMEOUT,
            redactor,
            signing: None,
        }
    }

    /// The same, for a log that is signed.
    #[must_use]
    pub fn signed(self, signing: Signing) -> Options {
        Options { signing: Some(signing), ..self }
    }
}
