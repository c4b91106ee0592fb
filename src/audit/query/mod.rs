//! Questions to the log: which records fit a filter, how many, and counted by what.
//!
//! [`Source`] is asked. A sealed file with an index answers from that (see `index`), and only the
//! frames that hold wanted rows are read; other files are read once, in blocks, and of a line no
//! more than the question needs. An index that does not fit its file is told and not used: it may
//! cost time, never an answer. A line that is no record is told and passed over; the end of a file
//! that is being written is where it ends.

mod answers;
mod field;
mod file;
mod filter;
mod found;
mod group;
mod held;
mod hits;
mod json;
mod number;
mod plan;
pub(in crate::audit) mod row;
mod rows;
mod scan;
mod source;
mod tally;
mod term;
mod when;

pub use field::Field;
pub use filter::{Filter, FilterError};
pub use group::{Group, Grouping, Groups};
pub use held::{Held, Progress};
pub use rows::{Order, Place, Rows};
pub use source::{Answer, Cost, Source};
pub use term::ABSENT;
pub use when::duration;

/// For the fuzzer: what each field of a line is by the quick way, if that takes it, and by serde.
///
/// # Errors
/// If the line is no record for serde, in words.
pub fn both_ways(line: &[u8]) -> Result<(Vec<String>, Vec<String>), String> {
    let told = |row: &row::Row<'_>| {
        let mut all = vec![format!("{:?} {} {:?}", row.time(), row.seq(), row.decided_us())];
        for field in Field::ALL {
            field.each(row, |value| all.push(format!("{field} {value}")));
        }
        all
    };
    let mut reader = row::Reader::of(row::Parts::ALL);
    let slow = told(&reader.read_odd(line)?);
    let quick = told(&reader.read(line)?);
    Ok((quick, slow))
}
