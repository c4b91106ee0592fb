//! The newest record that is on the disk, for those who follow the log and must not run ahead of
//! it: what is only in the kernel may be gone after a power cut.

use crate::audit::place::Head;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The newest record on the disk. The journal's owner sets it after each sync.
#[derive(Debug, Default)]
pub struct Committed {
    head: Mutex<Option<Head>>,
    moved: Condvar,
}

impl Committed {
    /// The newest record on the disk, if there is one.
    #[must_use]
    pub fn get(&self) -> Option<Head> {
        self.head.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All up to this record is on the disk.
    pub(in crate::audit) fn set(&self, head: Head) {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = Some(head);
        self.moved.notify_all();
    }

    /// Wakes whoever waits, though nothing moved.
    pub(in crate::audit) fn wake(&self) {
        drop(self.head.lock().unwrap_or_else(PoisonError::into_inner));
        self.moved.notify_all();
    }

    /// Waits until something else than `known` is the newest, for as long as `patience`.
    pub(in crate::audit) fn wait(&self, known: Option<&Head>, patience: Duration) -> Option<Head> {
        let head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        if head.as_ref() != known {
            return head.clone();
        }
        let waited = self.moved.wait_timeout(head, patience);
        waited.unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}
