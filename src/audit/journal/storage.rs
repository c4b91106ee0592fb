//! The few file operations of the log, behind a trait so that tests can make each one fail.
//!
//! Whoever writes in the log's directory does it through here, the journal and what seals and
//! removes its files alike: only what goes this way is killed at every step by `faults`.

use crate::audit::error::AuditError;
use nix::fcntl::{FallocateFlags, fallocate};
use std::fmt::Debug;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The directory of a log, locked. Its clones are the same directory under the same lock.
pub(in crate::audit) trait Storage: Clone + Debug + Send + Sync + 'static {
    /// Its files.
    type File: SegmentFile;

    /// Makes a file that was not there. Its name is durable after [`Storage::sync_dir`].
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// Opens a file to append to.
    fn reopen(&self, name: &str) -> io::Result<Self::File>;

    /// Gives a file another name, in the place of what bore it. Durable as a new name is.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Durable as a new name is.
    fn unlink(&self, name: &str) -> io::Result<()>;

    /// As [`Storage::unlink`], if the name is there.
    fn unlink_if_there(&self, name: &str) -> io::Result<()> {
        match self.unlink(name) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    /// Makes what was done to names durable.
    fn sync_dir(&self) -> io::Result<()>;

    /// What room there is.
    fn space(&self) -> io::Result<Space>;

    /// Whether the directory's own name still leads to it.
    fn is_in_place(&self) -> io::Result<bool>;
}

/// One file that is appended to.
pub(in crate::audit) trait SegmentFile: Send + 'static {
    /// Appends some of the bytes and says how many.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Waits until all written bytes are on the disk.
    fn sync(&mut self) -> io::Result<()>;

    /// Reads what is there from `at` on; 0 at the end.
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Cuts its end off; durable when it returns.
    fn truncate(&mut self, bytes: u64) -> io::Result<()>;

    /// Makes it `bytes` long, with room on the disk for all of them.
    fn allocate(&mut self, bytes: u64) -> io::Result<()>;

    /// How it stands, of which `bytes` were written.
    fn place(&self, bytes: u64) -> io::Result<Place>;
}

/// A directory for those who put whole files there, whatever storage it is on. A file counts only
/// under its own name, which it gets when all of it is on the disk.
pub(in crate::audit) trait Shelf: Debug + Send + Sync {
    /// Makes a file under a name that is ours to write, in the place of what an earlier try left.
    fn anew(&self, name: &str) -> io::Result<Box<dyn SegmentFile>>;

    /// As [`Storage::rename`].
    fn rename_to(&self, from: &str, to: &str) -> io::Result<()>;

    /// As [`Storage::unlink_if_there`].
    fn remove(&self, name: &str) -> io::Result<()>;

    /// As [`Storage::sync_dir`].
    fn sync_names(&self) -> io::Result<()>;
}

impl<S: Storage> Shelf for S {
    fn anew(&self, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        self.unlink_if_there(name)?;
        Ok(Box::new(self.create(name)?))
    }

    fn rename_to(&self, from: &str, to: &str) -> io::Result<()> {
        self.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.unlink_if_there(name)
    }

    fn sync_names(&self) -> io::Result<()> {
        self.sync_dir()
    }
}

/// For whoever writes to a file as to any other.
pub(in crate::audit) struct Appending(pub(in crate::audit) Box<dyn SegmentFile>);

impl Appending {
    /// All of it is on the disk when this returns.
    pub(in crate::audit) fn finish(mut self) -> io::Result<()> {
        self.0.sync()
    }
}

impl Write for Appending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How an open file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::audit) enum Place {
    /// Its name leads to it, and it is as long as what was written.
    Here,
    /// No name leads to it.
    Removed,
    /// Its name leads to another file.
    Replaced,
    /// Somebody cut it off; so long is it now.
    Shorter(u64),
    /// Somebody else wrote to it; so long is it now.
    Longer(u64),
}

/// The room of a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// What can still be written.
    pub free: u64,
    /// All of it.
    pub total: u64,
}

/// A directory of the real file system.
#[derive(Debug, Clone)]
pub(in crate::audit) struct Directory {
    path: Arc<Path>,
    /// Open for its lock and to make new names durable. The lock is on the directory itself: a
    /// lock file could be removed, and then two writers would both hold one.
    handle: Arc<File>,
}

/// A file of the real file system.
#[derive(Debug)]
pub(in crate::audit) struct RealFile {
    path: PathBuf,
    file: File,
}

impl Directory {
    /// Makes the directory if need be and locks it against every other writer.
    pub(in crate::audit) fn lock(path: &Path) -> Result<Directory, AuditError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(AuditError::file("make the audit directory", path))?;
        let handle =
            File::open(path).map_err(AuditError::file("open the audit directory", path))?;
        let about = handle.metadata().map_err(AuditError::file("look at", path))?;
        // An owner can always give itself the right to write.
        if about.mode() & 0o022 != 0 || about.uid() != nix::unistd::geteuid().as_raw() {
            return Err(AuditError::Exposed(path.to_owned()));
        }
        match handle.try_lock() {
            Ok(()) => Ok(Directory { path: path.into(), handle: Arc::new(handle) }),
            Err(TryLockError::WouldBlock) => Err(AuditError::InUse(path.to_owned())),
            Err(TryLockError::Error(why)) => Err(AuditError::file("lock", path)(why)),
        }
    }

    /// A directory that is no log, or one under a lock that the caller knows of.
    pub(in crate::audit) fn unlocked(path: &Path) -> io::Result<Directory> {
        let handle = File::open(path)?;
        Ok(Directory { path: path.into(), handle: Arc::new(handle) })
    }
}

fn append_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    options.read(true).append(true).mode(0o600).custom_flags(flags);
    options
}

/// Whether a name leads to an open file; nothing if it leads nowhere.
fn leads_to(path: &Path, open: &std::fs::Metadata) -> io::Result<Option<bool>> {
    match std::fs::symlink_metadata(path) {
        Ok(named) => Ok(Some((open.dev(), open.ino()) == (named.dev(), named.ino()))),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(why),
    }
}

impl Storage for Directory {
    type File = RealFile;

    fn create(&self, name: &str) -> io::Result<RealFile> {
        let path = self.path.join(name);
        let file = append_only().create_new(true).open(&path)?;
        Ok(RealFile { path, file })
    }

    fn reopen(&self, name: &str) -> io::Result<RealFile> {
        let path = self.path.join(name);
        let file = append_only().open(&path)?;
        Ok(RealFile { path, file })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.path.join(from), self.path.join(to))
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    fn space(&self) -> io::Result<Space> {
        let about = nix::sys::statvfs::fstatvfs(self.handle.as_ref())?;
        let bytes = |blocks: u64| blocks.saturating_mul(about.fragment_size());
        Ok(Space { free: bytes(about.blocks_available()), total: bytes(about.blocks()) })
    }

    fn is_in_place(&self) -> io::Result<bool> {
        Ok(leads_to(&self.path, &self.handle.metadata()?)? == Some(true))
    }
}

impl SegmentFile for RealFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(into, at)
    }

    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)?;
        self.file.sync_all()
    }

    fn allocate(&mut self, bytes: u64) -> io::Result<()> {
        let bytes = i64::try_from(bytes).map_err(io::Error::other)?;
        Ok(fallocate(&self.file, FallocateFlags::empty(), 0, bytes)?)
    }

    fn place(&self, bytes: u64) -> io::Result<Place> {
        let open = self.file.metadata()?;
        Ok(match leads_to(&self.path, &open)? {
            None => Place::Removed,
            Some(false) => Place::Replaced,
            Some(true) if open.len() < bytes => Place::Shorter(open.len()),
            Some(true) if open.len() > bytes => Place::Longer(open.len()),
            Some(true) => Place::Here,
        })
    }
}
