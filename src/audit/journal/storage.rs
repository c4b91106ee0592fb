//! The few file operations of the journal, behind a trait so that tests can make each one fail.

use crate::audit::error::AuditError;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Where segments are made.
pub(in crate::audit) trait Storage: Send + 'static {
    /// Its files.
    type File: SegmentFile;

    /// Makes a file that was not there; its name is durable when this returns.
    fn create(&mut self, name: &str) -> io::Result<Self::File>;

    /// Opens a file to append to.
    fn reopen(&mut self, name: &str) -> io::Result<Self::File>;
}

/// One file that is appended to.
pub(in crate::audit) trait SegmentFile: Send + 'static {
    /// Appends some of the bytes and says how many.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Waits until all written bytes are on the disk.
    fn sync(&mut self) -> io::Result<()>;

    /// Whether its name still leads to it, and it holds the `bytes` that were written, no fewer.
    fn is_in_place(&self, bytes: u64) -> io::Result<bool>;
}

/// A directory of the real file system.
#[derive(Debug)]
pub(in crate::audit) struct Directory {
    path: PathBuf,
    /// Open for its lock and to make new names durable. The lock is on the directory itself: a
    /// lock file could be removed, and then two writers would both hold one.
    handle: File,
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
            Ok(()) => Ok(Directory { path: path.to_owned(), handle }),
            Err(TryLockError::WouldBlock) => Err(AuditError::InUse(path.to_owned())),
            Err(TryLockError::Error(why)) => Err(AuditError::file("lock", path)(why)),
        }
    }
}

fn append_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.append(true).mode(0o600).custom_flags(nix::libc::O_NOFOLLOW);
    options
}

impl Storage for Directory {
    type File = RealFile;

    fn create(&mut self, name: &str) -> io::Result<RealFile> {
        let path = self.path.join(name);
        let file = append_only().create_new(true).open(&path)?;
        self.handle.sync_all()?;
        Ok(RealFile { path, file })
    }

    fn reopen(&mut self, name: &str) -> io::Result<RealFile> {
        let path = self.path.join(name);
        let file = append_only().open(&path)?;
        Ok(RealFile { path, file })
    }
}

impl SegmentFile for RealFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn is_in_place(&self, bytes: u64) -> io::Result<bool> {
        let open = self.file.metadata()?;
        match std::fs::symlink_metadata(&self.path) {
            Ok(named) => {
                let same = (open.dev(), open.ino()) == (named.dev(), named.ino());
                Ok(open.nlink() > 0 && same && open.len() == bytes)
            }
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(why) => Err(why),
        }
    }
}
