//! Texts that are too long for a record, kept beside the log as files that can be erased.
//!
//! `DIR/blobs/<aa>/<sha256>` holds one redacted text behind a line with a random salt; its name is
//! the SHA-256 of the whole file, as `sha256sum` prints it, and the record names it. So erasing a
//! text leaves the chain whole, and with the salt goes all by which the name could be compared
//! with a guess. Each text has a file of its own, so that erasing what one session left behind
//! takes nothing from another. `DIR/policies/<sha256>` holds policy files as they are, each once;
//! these are not erased.
//!
//! What [`Blobs::keep`] answered is on the disk; a record never names a text that is not kept.

mod erase;
mod outlived;
mod select;
mod settle;

pub use erase::{EraseError, Erased, NAMES_ERASED_MAX, erase};
pub use outlived::{outlived, remove_outlived};
pub use select::{BlobReport, Chosen, SelectError, Selection, blob_report, select};
pub(in crate::audit) use settle::settle;

use crate::audit::error::AuditError;
use crate::audit::place::Hash;
use crate::audit::regular;
use crate::limits::{BLOB_BYTES_MAX, BLOBS_BYTES_MAX, POLICY_BYTES_MAX};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// What each kept text begins with; its salt and a newline follow.
const MAGIC: &str = "toolgate-blob 1 ";
/// Bytes of the salt.
const SALT_BYTES: usize = 16;
/// Length of the first line.
const HEADER_BYTES: usize = MAGIC.len() + 2 * SALT_BYTES + 1;
/// A file that is being written.
const UNFINISHED: &str = ".unfinished-";

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobBounds {
    /// One text, in bytes.
    pub one: u64,
    /// All of them, in bytes.
    pub all: u64,
}

impl Default for BlobBounds {
    fn default() -> BlobBounds {
        BlobBounds { one: BLOB_BYTES_MAX, all: BLOBS_BYTES_MAX }
    }
}

/// Why a text is not kept, or cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// It was erased, or never was.
    #[error("the text `{0}` is not there")]
    Missing(Hash),
    /// It is not what was kept.
    #[error("the file of the text `{0}` is not what was written")]
    Changed(Hash),
    /// It is too long to be kept.
    #[error("the text has {bytes} bytes, and `blob_bytes_max` is {most}")]
    TooLong {
        /// Its length.
        bytes: u64,
        /// The longest that is kept.
        most: u64,
    },
    /// There is no room for it.
    #[error("the texts kept beside the log have {0} bytes, which is `blobs_bytes_max`")]
    Full(u64),
    /// The system refuses.
    #[error("cannot {doing} `{}`: {why}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What it answered.
        why: io::Error,
    },
}

/// What it is where only the log's own errors are told.
#[must_use]
pub fn blob_error(error: BlobError) -> AuditError {
    match error {
        BlobError::File { doing, path, why } => AuditError::file(doing, &path)(why),
        other => AuditError::file("keep texts beside the log in", Path::new("blobs"))(
            io::Error::other(other.to_string()),
        ),
    }
}

/// The texts beside one log.
#[derive(Debug)]
pub struct Blobs {
    dir: PathBuf,
    bounds: BlobBounds,
    /// The bytes of all texts that are kept.
    held: AtomicU64,
}

impl Blobs {
    /// The texts beside the log in `dir`, to read; there need be none.
    #[must_use]
    pub fn of(dir: &Path) -> Blobs {
        Blobs { dir: dir.to_owned(), bounds: BlobBounds::default(), held: AtomicU64::new(0) }
    }

    /// The same to keep more, by the one who writes the log. What a crash left half written goes.
    ///
    /// # Errors
    /// If what is there cannot be counted.
    pub fn open(dir: &Path, bounds: BlobBounds) -> Result<Blobs, BlobError> {
        let blobs = Blobs { bounds, ..Blobs::of(dir) };
        for place in [blobs.place(), blobs.policies()] {
            for path in entries(&place)? {
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                if name.starts_with(UNFINISHED) {
                    std::fs::remove_file(&path).map_err(failed("remove", &path))?;
                }
            }
        }
        let held = blobs.all()?.iter().map(|kept| kept.bytes).sum();
        Ok(Blobs { held: AtomicU64::new(held), ..blobs })
    }

    /// The directory of the log that it stands beside.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.dir
    }

    fn place(&self) -> PathBuf {
        self.dir.join("blobs")
    }

    fn policies(&self) -> PathBuf {
        self.dir.join("policies")
    }

    /// Where a text of this name stands, or would.
    #[must_use]
    pub fn path(&self, name: Hash) -> PathBuf {
        let name = name.to_string();
        self.place().join(name.get(..2).unwrap_or_default()).join(name)
    }

    /// Keeps a redacted text; the name under which it now stands on the disk.
    ///
    /// # Errors
    /// If it is too long, there is no room, or the disk refuses; then nothing is kept.
    pub fn keep(&self, text: &str) -> Result<Hash, BlobError> {
        let bytes = u64::try_from(text.len() + HEADER_BYTES).unwrap_or(u64::MAX);
        if bytes > self.bounds.one {
            return Err(BlobError::TooLong { bytes, most: self.bounds.one });
        }
        let within = |held: u64| held.checked_add(bytes).filter(|sum| *sum <= self.bounds.all);
        self.held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, within)
            .map_err(|_| BlobError::Full(self.bounds.all))?;
        let kept = self.keep_salted(text);
        if kept.is_err() {
            self.held.fetch_sub(bytes, Ordering::Relaxed);
        }
        kept
    }

    fn keep_salted(&self, text: &str) -> Result<Hash, BlobError> {
        let mut salt = [0_u8; SALT_BYTES];
        getrandom::fill(&mut salt)
            .map_err(|why| failed("salt a text for", &self.place())(io::Error::other(why)))?;
        let mut content = MAGIC.as_bytes().to_vec();
        salt.iter().for_each(|byte| content.extend_from_slice(format!("{byte:02x}").as_bytes()));
        content.push(b'\n');
        content.extend_from_slice(text.as_bytes());
        let name = Hash::of(&content);
        self.put(&self.place(), &self.path(name), &content)?;
        Ok(name)
    }

    /// Keeps a policy file's text, once; its SHA-256.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn keep_policy(&self, text: &str) -> Result<Hash, BlobError> {
        let name = Hash::of(text.as_bytes());
        if self.policy(name).is_ok_and(|kept| kept == text) {
            return Ok(name);
        }
        let path = self.policies().join(name.to_string());
        self.put(&self.policies(), &path, text.as_bytes())?;
        Ok(name)
    }

    /// A policy file's text by its SHA-256.
    ///
    /// # Errors
    /// If it is not there, or is not what was kept.
    pub fn policy(&self, name: Hash) -> Result<String, BlobError> {
        let path = self.policies().join(name.to_string());
        let most = u64::try_from(POLICY_BYTES_MAX).unwrap_or(u64::MAX);
        read(&path, name, most)
    }

    /// A kept text by its name, as it was kept.
    ///
    /// # Errors
    /// If it is not there, or is not what was kept.
    pub fn get(&self, name: Hash) -> Result<String, BlobError> {
        let content = read(&self.path(name), name, u64::MAX)?;
        let text = content.get(HEADER_BYTES..).filter(|_| content.starts_with(MAGIC));
        text.map(str::to_owned).ok_or(BlobError::Changed(name))
    }

    /// Whether the file of a text is there, whatever is in it.
    #[must_use]
    pub fn is_there(&self, name: Hash) -> bool {
        self.path(name).exists()
    }

    /// Writes a file whole, makes it durable, and only then gives it its name.
    fn put(&self, place: &Path, path: &Path, content: &[u8]) -> Result<(), BlobError> {
        let parent = path.parent().unwrap_or(place);
        let mut made = Vec::new();
        for dir in [place, parent] {
            match DirBuilder::new().mode(0o700).create(dir) {
                Ok(()) => made.extend(dir.parent()),
                Err(why) if why.kind() == ErrorKind::AlreadyExists => {}
                Err(why) => return Err(failed("make the directory", dir)(why)),
            }
        }
        let unfinished = place.join(format!("{UNFINISHED}{}", uuid::Uuid::now_v7()));
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .custom_flags(nix::libc::O_NOFOLLOW)
                .open(&unfinished)?;
            file.write_all(content)?;
            file.sync_all()?;
            std::fs::rename(&unfinished, path)?;
            made.into_iter().chain([parent]).try_for_each(sync_directory)
        };
        write().map_err(|why| {
            // Whatever of it is there has no name that a record knows.
            let _ = std::fs::remove_file(&unfinished);
            failed("keep a text in", path)(why)
        })
    }

    /// Removes a text for good; its bytes, or nothing if it was not there.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn remove(&self, name: Hash) -> Result<Option<u64>, BlobError> {
        let path = self.path(name);
        let remove = || -> io::Result<u64> {
            let bytes = std::fs::symlink_metadata(&path)?.len();
            std::fs::remove_file(&path)?;
            path.parent().map_or(Ok(()), sync_directory)?;
            Ok(bytes)
        };
        match remove() {
            Ok(bytes) => {
                let less = |held: u64| Some(held.saturating_sub(bytes));
                let _ = self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
                Ok(Some(bytes))
            }
            Err(why) if why.kind() == ErrorKind::NotFound => Ok(None),
            Err(why) => Err(failed("erase", &path)(why)),
        }
    }

    /// Every text that is there.
    ///
    /// # Errors
    /// If the directories cannot be read.
    pub fn all(&self) -> Result<Vec<Kept>, BlobError> {
        let mut all = Vec::new();
        for dir in entries(&self.place())? {
            if !dir.is_dir() {
                continue;
            }
            for path in entries(&dir)? {
                let name = path.file_name().and_then(|name| name.to_str());
                let Some(name) = name.and_then(Hash::parse) else { continue };
                let about = path.symlink_metadata().map_err(failed("look at", &path))?;
                let at = about.modified().map_err(failed("look at", &path))?;
                all.push(Kept { name, bytes: about.len(), at });
            }
        }
        Ok(all)
    }
}

/// A text that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Its name.
    pub name: Hash,
    /// The bytes of its file.
    pub bytes: u64,
    /// When it was kept.
    pub at: SystemTime,
}

/// Reads a file whose name says what is in it.
fn read(path: &Path, name: Hash, most: u64) -> Result<String, BlobError> {
    let file = match regular::open(path) {
        Ok(file) => file,
        Err(why) if why.kind() == ErrorKind::InvalidData => return Err(BlobError::Changed(name)),
        Err(why) if why.kind() == ErrorKind::NotFound => return Err(BlobError::Missing(name)),
        Err(why) => return Err(failed("open", path)(why)),
    };
    let mut content = Vec::new();
    file.take(most).read_to_end(&mut content).map_err(failed("read", path))?;
    if Hash::of(&content) != name {
        return Err(BlobError::Changed(name));
    }
    String::from_utf8(content).map_err(|_| BlobError::Changed(name))
}

/// What is in a directory; nothing if it is not there.
fn entries(dir: &Path) -> Result<Vec<PathBuf>, BlobError> {
    let read = match std::fs::read_dir(dir) {
        Ok(read) => read,
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(failed("read", dir)(why)),
    };
    let paths = read.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>();
    paths.map_err(failed("read", dir))
}

fn sync_directory(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BlobError {
    let path = path.to_owned();
    move |why| BlobError::File { doing, path, why }
}

#[cfg(test)]
mod tests;
