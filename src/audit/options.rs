//! How a journal is opened: its bounds, and what a call comes to while nothing can be recorded.

use crate::audit::proof::Signing;
use crate::limits::{JOURNAL_FLUSH, JOURNAL_TIMEOUT, SEGMENT_AGE};
use crate::redact::Redactor;
use std::time::Duration;

/// One file of the log, in bytes: small enough to verify, compress and ship as a piece.
pub const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How a journal works.
#[derive(Debug, Clone)]
pub struct Options {
    /// A file that reached this length is followed by the next.
    pub segment_bytes: u64,
    /// A file in which something happened so long ago is followed by the next.
    pub segment_age: Duration,
    /// Whether files are compressed when they are closed.
    pub seal: bool,
    /// How long a record that need not be durable may stay unsynced.
    pub flush: Duration,
    /// How long an append may take.
    pub timeout: Duration,
    /// Whether every record is on the disk before its answer.
    pub strict: bool,
    /// What a call comes to while the log takes no record.
    pub on_failure: OnFailure,
    /// When the room on the disk is told of.
    pub space: SpaceMarks,
    /// Room that is held back for the last records before a full disk, in bytes; 0 for none.
    pub reserve_bytes: u64,
    /// Takes secrets out of the texts of a record that nobody redacted before.
    pub redactor: Redactor,
    /// How the log is signed; nothing leaves it unsigned.
    pub signing: Option<Signing>,
}

/// What a call comes to while the log takes no record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// It is refused.
    #[default]
    Deny,
    /// It goes on if it only reads, as the policy decides.
    AllowReadonly,
    /// It goes on as the policy decides.
    Allow,
}

/// Free room, in hundredths of the file system, below which it is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpaceMarks {
    /// The first warning.
    pub warn: u8,
    /// The second, which asks what seals and deletes to make room.
    pub low: u8,
}

impl Options {
    /// The bounds of the program, for a log that nobody signs. The room on the disk is not looked
    /// at, nor any held back, unless that is asked for.
    #[must_use]
    pub fn new(redactor: Redactor) -> Options {
        Options {
            segment_bytes: SEGMENT_BYTES_MAX,
            segment_age: SEGMENT_AGE,
            seal: true,
            flush: JOURNAL_FLUSH,
            timeout: JOURNAL_TIMEOUT,
            strict: false,
            on_failure: OnFailure::Deny,
            space: SpaceMarks { warn: 0, low: 0 },
            reserve_bytes: 0,
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

impl OnFailure {
    /// The word in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            OnFailure::Deny => "deny",
            OnFailure::AllowReadonly => "allow_readonly",
            OnFailure::Allow => "allow",
        }
    }
}

impl Default for SpaceMarks {
    fn default() -> SpaceMarks {
        SpaceMarks { warn: 20, low: 10 }
    }
}
