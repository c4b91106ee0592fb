//! What every sink is to its thread.

use crate::audit::wire::WireRecord;
use std::time::Duration;

/// A record on its way to a sink.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// The record.
    pub(super) record: WireRecord,
    /// Its line as it stands in the log.
    pub(super) text: String,
}

/// A sink. It is called from its own thread, and may block; its own time limits end that.
pub(super) trait Deliver: Send {
    /// Hands on some records, in order; all of them, or what was handed on comes again.
    ///
    /// # Errors
    /// In words for the operator.
    fn send(&mut self, batch: &[Line]) -> Result<(), Refused>;

    /// How long it takes until what was sent cannot be lost on the way any more: where the other
    /// side says that it has it, no time at all.
    fn settles(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether the other side is still there; what was sent and has not settled comes again if it
    /// is not.
    ///
    /// # Errors
    /// In words for the operator, if it is not.
    fn is_there(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// Why a sink did not take records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// In words for the operator.
    pub(super) why: String,
    /// How long it asks us to wait.
    pub(super) wait: Option<Duration>,
}

impl From<String> for Refused {
    fn from(why: String) -> Refused {
        Refused { why, wait: None }
    }
}
