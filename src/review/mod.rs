//! For the person who reads the log: what is shown, and that it does no harm.
//!
//! Everything here is plain data that terminal, pages, report and exports render: it is collected
//! from records one by one (`take`, then `finish`), so that it does not matter whether they come
//! from the whole log, from a filter or from one session. Texts in it stand as they were logged,
//! which is hostile: whoever shows them passes them through [`visible`] first.

pub mod decision;
pub mod export;
pub mod findings;
pub mod moment;
pub mod page;
pub mod policies;
pub mod report;
pub mod session;
pub mod stats;
pub mod visible;
pub mod web;

use crate::audit::wire::WireRecord;

/// What a record is about, in one line: its input's most telling text, else what it would do, else
/// what its details say.
#[must_use]
pub fn subject(record: &WireRecord) -> String {
    session::about(record)
}
