//! Sessions: one row for each, and one session whole.

mod list;
mod timeline;

pub use list::{SessionRow, Sessions, host_of};
pub(in crate::review) use timeline::about;
pub use timeline::{
    Answer, FileRow, HostRow, Item, ItemKind, Outcome, ThreadRow, Timeline, Timelines, Waited,
};
