//! What happened, written so that nobody can quietly change it, before the answer goes out.
//!
//! [`Journal::append`] is the only way in. It gives a [`Receipt`] once the record stands in the
//! log as firmly as its durability asks, and nothing else can make one: no Permit without a
//! Receipt (architecture, invariant 1). Each line holds the SHA-256 of the line before it, so a
//! changed, dropped, doubled or moved line shows ([`verify`]). A cut-off end shows only against a
//! head that was kept elsewhere; and who may write the directory can write the chain anew, so it
//! belongs to another user than the agent's.
//!
//! Nothing written since the last good sync is trusted after a failed one: it is written again, to
//! a new file. A journal never appends to a broken chain.

mod beside;
mod blob;
mod commitment;
mod error;
mod index;
mod journal;
mod log;
mod options;
mod place;
pub mod proof;
pub mod query;
mod read;
mod regular;
mod segment;
pub mod sink;
pub mod wire;

pub use beside::Beside;
pub use blob::{
    BlobBounds, BlobError, BlobReport, Blobs, Chosen, EraseError, Erased, Kept, NAMES_ERASED_MAX,
    SelectError, Selection, blob_error, blob_report, erase, outlived, remove_outlived, select,
};
pub use commitment::{commitment_key, commitment_key_file, commitment_key_or_new};
pub use error::AuditError;
pub use index::{false_indexes, reads_whole as index_reads_whole, rebuild_indexes};
pub use journal::{
    Committed, Counts, Journal, Measured, Space, Stage, Standing, Waiting,
    durable_records_per_second,
};
pub use log::{Log, Strict};
pub use options::{OnFailure, Options, SEGMENT_BYTES_MAX, SpaceMarks};
pub use place::{Hash, Head, Proof, Receipt, StreamId, Waiver};
pub use proof::{
    BadRecord, Elsewhere, Flaw, Gap, Outside, Progress, Report, SegmentReport, SignedBy, State,
    verify, verify_newest, verify_with,
};
pub use proof::{HEADS_WAITING_MAX, Heads, KEY_FILE, SignedHead, Signing};
pub use read::{Entry, Records, Unreadable, records};
pub use segment::seal_all;
pub use segment::{Due, Retention, Why, delete, due, kept_header_fits, newest_file};
