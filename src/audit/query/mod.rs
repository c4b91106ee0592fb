//! Questions to the log: which records fit a filter, how many, and counted by what.
//!
//! [`Source`] is asked. A sealed file with an index answers from that (see `index`), and only the
//! frames that hold wanted rows are read; other files are read once, in blocks, and of a line no
//! more than the question needs. An index that does not fit its file is told and not used: it may
//! cost time, never an answer. A line that is no record is told and passed over; the end of a file
//! that is being written is where it ends.

mod field;
mod file;
mod filter;
mod group;
mod json;
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
pub use rows::{Order, Rows};
pub use source::{Answer, Cost, Source};
pub use term::ABSENT;
