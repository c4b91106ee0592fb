//! What the log proves: that each record follows the one before it, and who wrote it.

pub(in crate::audit) mod chain;
pub mod checkpoint;
mod head;
mod key;
mod link;
pub mod merkle;
pub mod note;
mod resume;
pub(in crate::audit) mod sign;
pub(in crate::audit) mod verify;

pub use chain::Flaw;
pub use head::{HEADS_WAITING_MAX, Heads, SignedHead, Signing};
pub use verify::{BadRecord, Gap, Report, SegmentReport, State, verify, verify_newest};

#[cfg(test)]
mod verify_tests;
