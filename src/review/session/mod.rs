//! Sessions: one row for each, and one session whole.

mod gather;
mod list;
mod timeline;

pub use gather::Timelines;
pub(in crate::review) use gather::about;
pub use list::{SessionRow, Sessions, host_of};
pub use timeline::{
    Answer, FileRow, HostRow, Item, ItemKind, Outcome, ThreadRow, Timeline, Waited,
};
