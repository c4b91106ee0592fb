//! Sealing one closed file: compressed beside it, read back, and only then is the plain one gone.
//!
//! Each step is on the disk before the next. Wherever it stops, the plain file is whole, or the
//! sealed one is; while both are there the plain one counts, and sealing begins anew. A file that
//! holds what is no line of a log is evidence, and stays as it is.

use super::frames::{InOrder, Writer};
use super::name::{Form, SegmentName};
use crate::audit::error::AuditError;
use crate::audit::index;
use crate::audit::segment::lines::{Ending, Lines};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What was just done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A frame was written under the temporary name.
    Frame,
    /// All of the file is on the disk under the temporary name, and was read back.
    Written,
    /// So is the index.
    IndexWritten,
    /// The index has its name.
    IndexNamed,
    /// The sealed file has its name.
    Named,
    /// The plain file is gone.
    Done,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sealed {
    /// It is sealed: its length before, and now.
    Yes { plain: u64, sealed: u64 },
    /// It stays as it is, since it is no log.
    Evidence(&'static str),
    /// It was to stop.
    Stopped,
}

/// Seals a plain file that nobody writes any more. `go_on` is asked after each step.
pub(super) fn seal(
    dir: &Path,
    segment: &SegmentName,
    go_on: &mut dyn FnMut(Step) -> bool,
) -> Result<Sealed, AuditError> {
    let sealed = segment.as_form(Form::Sealed);
    let work = Work {
        dir,
        segment,
        sealed_temporary: temporary(&sealed.path(dir)),
        index_temporary: temporary(&segment.index_path(dir)),
    };
    let done = work.seal(&sealed, go_on);
    if !matches!(done, Ok(Sealed::Yes { .. } | Sealed::Stopped)) {
        // Nothing of ours may take up room when there is none.
        for leftover in [&work.sealed_temporary, &work.index_temporary] {
            let _ = std::fs::remove_file(leftover);
        }
    }
    done.map_err(AuditError::file("seal", &segment.path(dir)))
}

/// Removes what a sealing that was cut off left behind.
pub(super) fn remove_leftovers(dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let ours = name.to_str().and_then(|name| name.strip_suffix(".tmp")).is_some_and(|name| {
            let whole = match name.strip_suffix(".idx") {
                Some(stem) => format!("{stem}.jsonl"),
                None => name.to_owned(),
            };
            SegmentName::parse(&whole).is_some()
        });
        if ours {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The name under which a file is written before it counts.
pub(super) fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    PathBuf::from(name)
}

/// Makes a file of ours anew.
pub(super) fn create(path: &Path) -> io::Result<File> {
    match std::fs::remove_file(path) {
        Err(why) if why.kind() != ErrorKind::NotFound => return Err(why),
        _ => {}
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(path)
}

/// Waits until the directory's names are on the disk.
pub(super) fn sync_names(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

struct Work<'a> {
    dir: &'a Path,
    segment: &'a SegmentName,
    sealed_temporary: PathBuf,
    index_temporary: PathBuf,
}

/// What was read of the plain file.
struct Content {
    bytes: u64,
    digest: [u8; 32],
    index: Vec<u8>,
}

impl Work<'_> {
    fn seal(
        &self,
        sealed: &SegmentName,
        go_on: &mut dyn FnMut(Step) -> bool,
    ) -> io::Result<Sealed> {
        let content = match self.write(go_on)? {
            Ok(content) => content,
            Err(other) => return Ok(other),
        };
        self.read_back(&content)?;
        if !go_on(Step::Written) {
            return Ok(Sealed::Stopped);
        }
        let index = self.segment.index_path(self.dir);
        let mut file = create(&self.index_temporary)?;
        file.write_all(&content.index)?;
        file.sync_all()?;
        if !go_on(Step::IndexWritten) {
            return Ok(Sealed::Stopped);
        }
        std::fs::rename(&self.index_temporary, index)?;
        if !go_on(Step::IndexNamed) {
            return Ok(Sealed::Stopped);
        }
        let path = sealed.path(self.dir);
        std::fs::rename(&self.sealed_temporary, &path)?;
        sync_names(self.dir)?;
        if !go_on(Step::Named) {
            return Ok(Sealed::Stopped);
        }
        std::fs::remove_file(self.segment.path(self.dir))?;
        sync_names(self.dir)?;
        go_on(Step::Done);
        Ok(Sealed::Yes { plain: content.bytes, sealed: std::fs::metadata(path)?.len() })
    }

    /// Writes the sealed file under its temporary name, all of it to the disk.
    fn write(&self, go_on: &mut dyn FnMut(Step) -> bool) -> io::Result<Result<Content, Sealed>> {
        let mut lines = Lines::open(self.dir, self.segment).map_err(io::Error::other)?;
        let mut writer = Writer::new(create(&self.sealed_temporary)?)?;
        let (mut digest, mut index) = (Sha256::new(), index::Builder::new());
        let mut line = Vec::new();
        while let Some(ending) = lines.next_into(&mut line)? {
            match ending {
                Ending::Whole => {}
                Ending::Torn => return Ok(Err(Sealed::Evidence("it ends in half a line"))),
                Ending::TooLong => {
                    return Ok(Err(Sealed::Evidence("a line is longer than a record can be")));
                }
            }
            digest.update(&line);
            digest.update(b"\n");
            index.line(&line);
            if let Some((offset, bytes)) = writer.line(&line)? {
                index.frame(offset, bytes);
                if !go_on(Step::Frame) {
                    return Ok(Err(Sealed::Stopped));
                }
            }
        }
        if let Some((offset, bytes)) = writer.end_frame()? {
            index.frame(offset, bytes);
        }
        writer.finish()?.sync_all()?;
        let digest = digest.finalize().into();
        Ok(Ok(Content { bytes: lines.offset, digest, index: index.finish() }))
    }

    /// Nothing is removed before its replacement was read.
    fn read_back(&self, content: &Content) -> io::Result<()> {
        let mut file = InOrder::open(&self.sealed_temporary)?;
        let mut digest = Sha256::new();
        let mut bytes = 0;
        loop {
            let plain = file.fill_buf()?;
            if plain.is_empty() {
                break;
            }
            digest.update(plain);
            let count = plain.len();
            bytes += u64::try_from(count).unwrap_or(u64::MAX);
            file.consume(count);
        }
        if bytes != content.bytes || digest.finalize().as_slice() != content.digest {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                "what was sealed reads differently",
            ));
        }
        Ok(())
    }
}
