//! Records kept in memory while the log takes none, where the operator lets calls go on all the
//! same; and the count of all that was refused or lost meanwhile.
//!
//! The first that come are kept: what an agent does later must not push out what it did before.

use crate::audit::wire::Body;
use crate::limits::{JOURNAL_KEPT_BYTES_MAX, JOURNAL_KEPT_RECORDS_MAX};
use std::time::Instant;

/// What is kept, and what could not be.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The records, and when each was made.
    pub(super) records: Vec<(Body, Instant)>,
    bytes: usize,
    /// What happened since the log last told of it.
    pub(super) counts: Counts,
}

/// What happened while the log took no records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records that are lost: there was no room to keep them.
    pub lost: u64,
    /// Records that were answered without standing in the log.
    pub let_through: u64,
    /// Records that were refused, and so the calls that they were of.
    pub refused: u64,
}

impl Kept {
    /// Keeps a record, or counts it as lost.
    pub(super) fn keep(&mut self, body: Body) {
        self.counts.let_through += 1;
        let bytes = self.bytes.saturating_add(body.len());
        if bytes > JOURNAL_KEPT_BYTES_MAX || self.records.len() >= JOURNAL_KEPT_RECORDS_MAX {
            self.counts.lost += 1;
            return;
        }
        self.bytes = bytes;
        self.records.push((body, Instant::now()));
    }

    /// Gives all of it away.
    pub(super) fn take(&mut self) -> Kept {
        std::mem::take(self)
    }

    /// Whether there is nothing to tell.
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.counts == Counts::default()
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.lost += other.lost;
        self.let_through += other.let_through;
        self.refused += other.refused;
    }
}
