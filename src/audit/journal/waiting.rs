//! What the journal has taken and not yet put on the disk: how far the disk is behind.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How far the disk is behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Records that were taken and are not on the disk.
    pub records: u64,
    /// How long the oldest of them has waited.
    pub oldest: Duration,
}

/// The count behind it, shared by the owner and the journal's handles.
#[derive(Debug, Default)]
pub(in crate::audit) struct Tally {
    accepted: AtomicU64,
    /// Of those, what stands on the disk or was refused.
    done: AtomicU64,
    /// Written and not synced; only the owner touches it.
    written: AtomicU64,
    /// When the oldest record that the owner has in hand was taken. What still lies in the queue
    /// is younger, and the owner takes it at once when its hands are free.
    oldest: Mutex<Option<Instant>>,
}

impl Tally {
    /// A record was taken.
    pub(in crate::audit) fn accept(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// The owner took records in hand, the oldest of which was accepted then.
    pub(in crate::audit) fn begin(&self, accepted: Instant) {
        self.set_oldest(|oldest| Some(oldest.unwrap_or(accepted)));
    }

    /// The kernel has these too.
    pub(in crate::audit) fn write(&self, records: usize) {
        self.written.fetch_add(u64::try_from(records).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// All that was written is on the disk.
    pub(in crate::audit) fn sync(&self) {
        let written = self.written.swap(0, Ordering::Relaxed);
        self.done.fetch_add(written, Ordering::Relaxed);
        self.set_oldest(|_| None);
    }

    /// These will never be written.
    pub(in crate::audit) fn refuse(&self, records: usize) {
        self.done.fetch_add(u64::try_from(records).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How far the disk is behind.
    pub(in crate::audit) fn now(&self) -> Waiting {
        // In this order: what is accepted in between counts as waiting, never as less than none.
        let done = self.done.load(Ordering::Relaxed);
        let accepted = self.accepted.load(Ordering::Relaxed);
        let oldest = *self.oldest.lock().unwrap_or_else(PoisonError::into_inner);
        let records = accepted.saturating_sub(done);
        Waiting { records, oldest: oldest.map_or(Duration::ZERO, |at| at.elapsed()) }
    }

    fn set_oldest(&self, change: impl FnOnce(Option<Instant>) -> Option<Instant>) {
        let mut oldest = self.oldest.lock().unwrap_or_else(PoisonError::into_inner);
        *oldest = change(*oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_what_was_accepted_and_is_not_done() {
        let tally = Tally::default();
        assert_eq!(tally.now(), Waiting::default());
        let long_ago = Instant::now().checked_sub(Duration::from_secs(3)).unwrap();
        (0..5).for_each(|_| tally.accept());
        assert_eq!(tally.now().records, 5);
        tally.begin(long_ago);
        // The younger batch does not make the older one younger.
        tally.begin(Instant::now());
        tally.write(3);
        assert_eq!(tally.now().records, 5);
        assert!(tally.now().oldest >= Duration::from_secs(3));
        tally.sync();
        assert_eq!(tally.now(), Waiting { records: 2, oldest: Duration::ZERO });
        tally.refuse(2);
        assert_eq!(tally.now(), Waiting::default());
    }
}
