//! The agent's world as the sidecar can see it: files, programs, home, time.
//!
//! A path is judged in the world of the process that will use it. Each listener's configuration
//! says which that is; where none is configured, every path is a maybe. No answer from here is
//! ever "there is nothing, so go on": what cannot be looked at is a [`Doubt`].

mod frozen;
mod mounted;
mod open;
mod pinned;
mod reported;
mod resolve;

pub use frozen::Frozen;
pub use mounted::{Mounted, Same};
pub use pinned::Pinned;
pub use reported::Reported;

use crate::model::doubt::Doubt;
use crate::model::path::{AbsPath, Real, Route};

/// The agent's world.
pub trait World: Send + Sync {
    /// Follows every link on the way, and takes `..` where it stands.
    fn walk(&self, route: &Route) -> Resolution;

    /// Follows every link on the way to `path`, which has no `..`.
    fn resolve(&self, path: &AbsPath) -> Resolution {
        self.walk(&Route::from(path))
    }

    /// The names in a directory.
    ///
    /// # Errors
    /// A doubt, if it is no directory, cannot be read, or has more than a bound.
    fn list(&self, directory: &AbsPath) -> Result<Vec<Entry>, Doubt>;

    /// Opens a regular file for reading: what the runtime keeps of itself, or would run by itself;
    /// never the data that a call names.
    ///
    /// # Errors
    /// A doubt, if it is none, is a link, or is not the agent's as far as is known here.
    fn open(&self, _path: &AbsPath) -> Result<std::fs::File, Doubt> {
        Err(Doubt::NoWorld)
    }

    /// Where a bare program name leads on the agent's PATH, if that is known.
    fn find_program(&self, name: &str) -> Result<Option<AbsPath>, Doubt>;

    /// The agent's home directory, if it is known.
    fn home(&self) -> Option<AbsPath>;
}

/// What following a path's links came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// What the kernel would reach.
    pub real: Real,
    /// The path as it would be written by way of each link that was met, in order.
    pub hops: Vec<AbsPath>,
    /// What lies there.
    pub kind: Result<FileKind, Doubt>,
    /// Which file it is, if it is one that has other names too.
    pub twin: Option<Twin>,
}

/// A file that has more than one name, by what all of them share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Twin {
    /// The file system.
    pub device: u64,
    /// The file.
    pub inode: u64,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// What it is; a link is not followed.
    pub kind: FileKind,
    /// Its number in its file system, where there is one.
    pub inode: Option<u64>,
}

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Nothing.
    Absent,
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link (only in listings; resolution follows it).
    Link,
    /// A device, socket or pipe.
    Other,
}
