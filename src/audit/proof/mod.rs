//! What the log proves: that each record follows the one before it, and who wrote it.

pub mod bundle;
pub(in crate::audit) mod chain;
pub mod checkpoint;
mod epochs;
mod head;
mod key;
mod link;
mod memory;
pub mod merkle;
pub mod note;
mod outside;
mod part;
mod pass;
pub mod prove;
mod report;
mod resume;
pub(in crate::audit) mod sign;
mod told;
pub(in crate::audit) mod verify;

pub use chain::Flaw;
pub use head::{HEADS_WAITING_MAX, Heads, SignedHead, Signing};
pub use key::KEY_FILE;
pub(in crate::audit) use memory::ROLLED_BACK;
pub use outside::{Elsewhere, Outside};
pub use report::{BadRecord, Gap, Progress, Report, SegmentReport, SignedBy, State};
pub use verify::{verify, verify_newest, verify_with};

#[cfg(test)]
mod signed_tests;
#[cfg(test)]
mod verify_tests;
