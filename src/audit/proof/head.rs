//! A signed head on its way out of this machine.
//!
//! Whoever publishes heads gives the journal the sending end of a bounded channel. A head is sent
//! only when all that it covers is on the disk, so that no honest power failure makes a head that
//! was sent away name records that are not there. The journal never waits for the receiver: what
//! finds no room is left out, and the next head says all that it did.

use crate::audit::place::{Hash, StreamId};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::mpsc;

/// A signed head of the log: kept elsewhere, it shows a log that was cut off or written anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// The stream.
    pub stream: StreamId,
    /// How many records of it are covered.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// The signed note (C2SP checkpoint) that says so, with its newline at the end.
    pub note: String,
}

/// Where new heads are handed to whoever publishes them.
pub type Heads = mpsc::Sender<SignedHead>;

/// Heads that may wait for their publisher: at one a second that is a minute of a network that
/// is away.
pub const HEADS_WAITING_MAX: usize = 64;

/// How a log is signed.
#[derive(Debug, Clone)]
pub struct Signing {
    /// The file of the signing key; nothing for the one in the log's directory.
    pub key: Option<PathBuf>,
    /// How long a record may stand unsigned.
    pub every: Duration,
    /// How long there may be no new head although no record comes.
    pub heartbeat: Duration,
    /// How long a key signs before the next one does; zero for ever.
    pub rotate: Duration,
    /// Whoever publishes the heads.
    pub heads: Option<Heads>,
}

impl Default for Signing {
    fn default() -> Signing {
        Signing {
            key: None,
            every: crate::limits::CHECKPOINT_EVERY,
            heartbeat: crate::limits::CHECKPOINT_HEARTBEAT,
            rotate: crate::limits::KEY_ROTATION,
            heads: None,
        }
    }
}
