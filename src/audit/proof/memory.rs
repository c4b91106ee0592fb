//! What a key remembers of the log that it signed: the newest head, in a file beside the key.
//!
//! Whoever can write the log's directory, but not read the key, can cut the log off at a head that
//! the key signed and write another end. Where the key lies elsewhere it remembers how far it was,
//! and a start that finds less says so in the log, for good. In the log's own directory that file
//! would be as easy to write as the log: there is none.
//!
//! It is written when all that the head covers is on the disk, and need not reach the disk itself:
//! one that is behind is as good as none for what came since, and never wrong.

use crate::audit::error::AuditError;
use crate::audit::proof::checkpoint::Checkpoint;
use crate::audit::proof::note::Note;
use crate::audit::proof::resume::newest_head;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The detail of a start's record that says that the log was more.
pub(in crate::audit) const ROLLED_BACK: &str = "rolled_back";
/// A signed head is shorter.
const NOTE_BYTES_MAX: u64 = 4096;

/// Where a key remembers.
#[derive(Debug)]
pub(super) struct Memory {
    path: PathBuf,
    /// That it cannot be written was told.
    told: bool,
}

impl Memory {
    /// Beside the key, if that does not lie in the log's directory.
    pub(super) fn beside(key: &Path, dir: &Path) -> Option<Memory> {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let parent = key.parent().filter(|parent| !parent.as_os_str().is_empty());
        if real(parent.unwrap_or(Path::new("."))) == real(dir) {
            return None;
        }
        let mut name = key.file_name()?.to_owned();
        name.push(".signed");
        Some(Memory { path: key.with_file_name(name), told: false })
    }

    /// What of the newest head that was signed is not in the log any more: the head.
    pub(super) fn missed(&self, dir: &Path) -> Result<Option<Checkpoint>, AuditError> {
        let text = match self.read() {
            Ok(text) => text,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(why) => {
                return Err(AuditError::file("read what the key signed in", &self.path)(why));
            }
        };
        let head = Note::parse(&text).ok().and_then(|note| Checkpoint::parse(note.text()));
        let Some(head) = head else {
            // As a power failure may leave it.
            tracing::warn!(path = %self.path.display(), "what the key signed last is not known");
            return Ok(None);
        };
        let there = newest_head(dir, &head.stream)?;
        let goes_on = there.is_some_and(|(there, _)| {
            there.size > head.size || (there.size == head.size && there.root == head.root)
        });
        Ok((!goes_on).then_some(head))
    }

    fn read(&self) -> io::Result<String> {
        let mut options = OpenOptions::new();
        let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
        let file = options.read(true).custom_flags(flags).open(&self.path)?;
        let mut text = String::new();
        file.take(NOTE_BYTES_MAX).read_to_string(&mut text)?;
        Ok(text)
    }

    /// All that this head covers is on the disk.
    pub(super) fn remember(&mut self, note: &str) {
        let mut beside = self.path.clone().into_os_string();
        beside.push(".new");
        let write = || -> io::Result<()> {
            match std::fs::remove_file(&beside) {
                Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
                Ok(()) | Err(_) => {}
            }
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(&beside)?;
            file.write_all(note.as_bytes())?;
            std::fs::rename(&beside, &self.path)
        };
        match write() {
            Ok(()) => self.told = false,
            Err(why) if !self.told => {
                self.told = true;
                tracing::warn!(%why, path = %self.path.display(), "the key cannot remember");
            }
            Err(_) => {}
        }
    }
}
