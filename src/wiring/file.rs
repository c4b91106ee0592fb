//! Settings files on the disk: read, written in one step with a backup beside them, and put back.
//!
//! A backup's name says when it was made and what was written in its place, so that an undo knows
//! whether somebody has changed the file since. A file that was not there has an empty backup
//! whose name says so. A link is followed to the file that it means.

use crate::author::rewrite::rewrite;
use crate::limits::SETTINGS_BYTES_MAX;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// What stands between a file's name and the time in the name of its backup.
const MARK: &str = ".toolgate-";
/// The end of a backup's name if there was no file.
const NONE: &str = ".none";
/// Digits of the SHA-256 in a backup's name: to notice a change, not to resist one.
const DIGITS: usize = 16;

/// Why a file was left as it is.
#[derive(Debug, thiserror::Error)]
#[error("`{}` {why}", path.display())]
pub struct FileError {
    path: PathBuf,
    why: String,
}

impl FileError {
    fn new(path: &Path, why: impl Into<String>) -> FileError {
        FileError { path: path.to_owned(), why: why.into() }
    }

    /// An error of the system, with what was tried.
    fn io(path: &Path, what: &str, error: &std::io::Error) -> FileError {
        FileError::new(path, format!("cannot be {what}: {error}"))
    }
}

/// A file and what it is to hold: text, or nothing for a file that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Where it really lies.
    pub path: PathBuf,
    /// What it holds.
    pub before: Option<String>,
    /// What it is to hold.
    pub after: Option<String>,
}

impl Edit {
    /// The file as it is, with nothing to be changed.
    ///
    /// # Errors
    /// If it is there and cannot be read as text, or is a link that leads nowhere.
    pub fn of(path: &Path) -> Result<Edit, FileError> {
        let real = match path.canonicalize() {
            Ok(real) => real,
            Err(_) if path.is_symlink() => {
                return Err(FileError::new(
                    path,
                    "is a link that leads nowhere; mend or remove it",
                ));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => path.to_owned(),
            Err(error) => return Err(FileError::io(path, "found", &error)),
        };
        let before = read(&real)?;
        Ok(Edit { path: real, after: before.clone(), before })
    }

    /// Whether anything is to be changed.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.before != self.after
    }

    /// The change, line by line.
    #[must_use]
    pub fn diff(&self) -> String {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        super::diff::unified(&text(&self.before), &text(&self.after))
    }

    /// Keeps what the file holds beside it, then writes; says where the backup is.
    ///
    /// # Errors
    /// If any step fails, or the file was changed meanwhile. It is then as it was.
    pub fn write(&self, now: Timestamp) -> Result<PathBuf, FileError> {
        if let Some(directory) = self.path.parent() {
            std::fs::create_dir_all(directory)
                .map_err(|error| FileError::io(directory, "made", &error))?;
        }
        let end = if self.before.is_none() { NONE } else { "" };
        let after = self.after.as_deref().unwrap_or_default();
        let name = format!("{MARK}{}-{}{end}", stamp(now), digest(after));
        let backup = self.keep(&name)?;
        if let Err(error) = self.put() {
            // It keeps nothing that is not in the file.
            let _ = std::fs::remove_file(&backup);
            return Err(error);
        }
        Ok(backup)
    }

    /// Writes what the file held into a new file beside it, with the same mode and owner.
    fn keep(&self, end: &str) -> Result<PathBuf, FileError> {
        let mut name = self.path.clone().into_os_string();
        name.push(end);
        let backup = PathBuf::from(name);
        let kept = create(&backup, 0o600).and_then(|mut file| {
            file.write_all(self.before.as_deref().unwrap_or_default().as_bytes())?;
            if let Ok(there) = std::fs::metadata(&self.path) {
                let made = file.metadata()?;
                if (made.uid(), made.gid()) != (there.uid(), there.gid()) {
                    fchown(&file, Some(there.uid()), Some(there.gid()))?;
                }
                file.set_permissions(there.permissions())?;
            }
            file.sync_all()
        });
        kept.map(|()| backup.clone()).map_err(|error| FileError::io(&backup, "written", &error))
    }

    /// Makes the file hold what it is to hold.
    fn put(&self) -> Result<(), FileError> {
        let failed = |error: std::io::Error| FileError::io(&self.path, "written", &error);
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => rewrite(&self.path, before, after).map_err(failed),
            (None, Some(after)) => make(&self.path, after).map_err(failed),
            (Some(before), None) if read(&self.path)?.as_ref() == Some(before) => {
                std::fs::remove_file(&self.path).map_err(failed)
            }
            (Some(_), None) => Err(FileError::new(&self.path, "was changed meanwhile; try again")),
            (None, None) => Ok(()),
        }
    }
}

/// The way back: the newest backup of a file, and what it would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undo {
    /// What would be done.
    pub edit: Edit,
    /// The backup that it is from.
    pub backup: PathBuf,
    /// Whether somebody has changed the file since the backup was made.
    pub is_changed: bool,
}

impl Undo {
    /// The way back of one file; nothing if it has no backup.
    ///
    /// # Errors
    /// If the file or its backup cannot be read.
    pub fn of(path: &Path) -> Result<Option<Undo>, FileError> {
        let mut edit = Edit::of(path)?;
        let Some((backup, written)) = newest(&edit.path)? else { return Ok(None) };
        let now = edit.before.as_deref().map(digest);
        edit.after = if is_backup_of_nothing(&backup) { None } else { read(&backup)? };
        Ok(Some(Undo { edit, backup, is_changed: now != Some(written) }))
    }

    /// Puts the file back and takes the backup away. What somebody changed since is kept beside
    /// it; the path is told.
    ///
    /// # Errors
    /// If any step fails. The backup then stays.
    pub fn write(&self, now: Timestamp) -> Result<Option<PathBuf>, FileError> {
        let kept = match self.is_changed && self.edit.before.is_some() {
            true => Some(self.edit.keep(&format!("{MARK}undone-{}", stamp(now)))?),
            false => None,
        };
        self.edit.put()?;
        std::fs::remove_file(&self.backup)
            .map_err(|error| FileError::io(&self.backup, "removed", &error))?;
        Ok(kept)
    }
}

/// Whether there was no file when this backup was made.
#[must_use]
pub fn is_backup_of_nothing(backup: &Path) -> bool {
    backup.to_string_lossy().ends_with(NONE)
}

/// The newest backup of a file, and the digest of what was written in its place.
fn newest(path: &Path) -> Result<Option<(PathBuf, String)>, FileError> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
    let prefix = format!("{}{MARK}", name.to_string_lossy());
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::io(directory, "read", &error)),
    };
    let found = entries.filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        let rest = name.strip_prefix(&prefix)?;
        let (time, digest) = rest.strip_suffix(NONE).unwrap_or(rest).split_once('-')?;
        let is_time = time.starts_with(|c: char| c.is_ascii_digit()) && time.ends_with('Z');
        let is_digest = digest.len() == DIGITS && digest.chars().all(|c| c.is_ascii_hexdigit());
        (is_time && is_digest).then(|| (time.to_owned(), name.clone(), digest.to_owned()))
    });
    Ok(found.max().map(|(_, name, digest)| (directory.join(name), digest)))
}

/// The text of a file; nothing if it is not there.
fn read(path: &Path) -> Result<Option<String>, FileError> {
    let failed = |error: &std::io::Error| FileError::io(path, "read", error);
    let there = match std::fs::metadata(path) {
        Ok(there) => there,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    if !there.is_file() {
        return Err(FileError::new(path, "is no regular file"));
    }
    let mut bytes = Vec::new();
    let limit = SETTINGS_BYTES_MAX + 1;
    let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    let read = read.map_err(|error| failed(&error))?;
    if u64::try_from(read).is_ok_and(|read| read > SETTINGS_BYTES_MAX) {
        return Err(FileError::new(path, "is far too large for settings"));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| FileError::new(path, "is not UTF-8 text"))
}

/// A new file in one step: nobody sees it half, and what was made meanwhile stays. The client must
/// be able to read it, whoever wires, and it holds no secret.
fn make(path: &Path, text: &str) -> std::io::Result<()> {
    let mut hidden = path.as_os_str().to_owned();
    hidden.push(format!(".new-{}", std::process::id()));
    let new = PathBuf::from(hidden);
    let made = create(&new, 0o644).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.set_permissions(Permissions::from_mode(0o644))?;
        file.sync_all()?;
        std::fs::hard_link(&new, path)
    });
    let removed = std::fs::remove_file(&new);
    made.and(removed)
}

fn create(path: &Path, mode: u32) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

/// A time that sorts as text, to the millisecond.
fn stamp(now: Timestamp) -> String {
    now.strftime("%Y%m%dT%H%M%S.%3fZ").to_string()
}

fn digest(text: &str) -> String {
    let mut digits = String::new();
    for byte in Sha256::digest(text.as_bytes()).iter().take(DIGITS / 2) {
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}
