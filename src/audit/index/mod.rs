//! The index of a sealed file (`.idx`): columns of what its records are asked and counted by.
//!
//! It is made from the lines and the places of their frames alone, so whoever has the file can make
//! it again and compare ([`same`]). Each column is a chunk of its own, dictionary-coded, compressed
//! and hashed, so that a question reads only the columns it asks. A reader trusts none of it for a
//! row's content: an index that is damaged, or is not its file's, is not used (`query::plan`).
//!
//! Layout: [`MAGIC`], the header's length (u32, little-endian), its SHA-256, the header as JSON,
//! the chunks in the header's order. A chunk's plain bytes are told in `column`.

mod build;
mod column;
mod read;
mod rebuild;

pub(in crate::audit) use build::Builder;
pub(in crate::audit) use column::Column;
pub(in crate::audit) use read::Rows;
pub(in crate::audit) use read::{Index, Unusable};
pub use rebuild::{false_indexes, rebuild_indexes};

use super::query::Field;
use serde::{Deserialize, Serialize};

/// How each index begins; the number is the layout's.
const MAGIC: &[u8; 16] = b"toolgate-index 2";

/// The fields that have a column, in the order of the columns.
pub(in crate::audit) const INDEXED: [Field; 12] = [
    Field::Decision,
    Field::Kind,
    Field::Tool,
    Field::Rule,
    Field::Session,
    Field::Agent,
    Field::Host,
    Field::Uid,
    Field::Runtime,
    Field::Code,
    Field::Policy,
    Field::Basis,
];

/// The columns that are no field.
const FRAMES: &str = "frames";
const TIME: &str = "time";
const DECIDED: &str = "decided_us";
const CALL: &str = "call_mark";
const TOOL_USE: &str = "tool_use_mark";

/// What stands at the front: whose index it is, and where its columns are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    /// The stream of its records.
    stream: String,
    first_seq: u64,
    last_seq: u64,
    /// The earliest and the latest time, in microseconds since 1970.
    min_time: i64,
    max_time: i64,
    records: u64,
    /// Lines that do not fit in columns; with any, the index answers nothing.
    odd: u64,
    /// Where the last frame ends in the sealed file.
    sealed_bytes: u64,
    columns: Vec<Chunk>,
}

/// Where a column is, and what it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Chunk {
    name: String,
    /// Its length in the file, compressed.
    bytes: u64,
    /// Its plain length.
    plain_bytes: u64,
    /// SHA-256 of the compressed bytes.
    sha256: String,
}

/// Two bytes of a text that has too many values for a dictionary: most other texts differ in them.
pub(in crate::audit) fn mark(text: &str) -> u16 {
    // FNV-1a, folded. 0 stands for none. Who chooses texts so that they collide makes a question
    // read more lines, and no more than that.
    let hash = text
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let [a, b, c, d] = hash.to_le_bytes();
    u16::from_le_bytes([a ^ c, b ^ d]).max(1)
}

#[cfg(test)]
mod tests;

/// For the fuzzer: reads bytes as an index and all columns of it; whether it is one.
#[must_use]
pub fn reads_whole(bytes: &[u8]) -> bool {
    let Ok(index) = Index::from_bytes(bytes.to_vec()) else { return false };
    let rows = index.rows();
    let columns = INDEXED.iter().all(|field| {
        index.field(*field).is_ok_and(|column| {
            column.codes.len() == rows
                && column.codes.iter().all(|code| (*code as usize) < column.entries.len())
        })
    });
    columns
        && index.time().is_ok_and(|times| times.len() == rows)
        && index.decided().is_ok()
        && index.marks().is_ok()
        && index.frames().is_ok()
}
