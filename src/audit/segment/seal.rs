//! Sealing one closed file: compressed beside it, read back, and only then is the plain one gone.
//!
//! Each step is on the disk before the next. Wherever it stops, the plain file is whole, or the
//! sealed one is; while both are there the plain one counts, and sealing begins anew. A file that
//! holds what is no line of a log is evidence, and stays as it is.

use super::frames::{InOrder, Writer};
use super::name::{Form, SegmentName};
use crate::audit::error::AuditError;
use crate::audit::index;
use crate::audit::journal::{Appending, Shelf};
use crate::audit::segment::lines::{Ending, Lines};
use sha2::{Digest, Sha256};
use std::io::{self, BufRead, ErrorKind, Write};
use std::path::Path;

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
    shelf: &dyn Shelf,
    dir: &Path,
    segment: &SegmentName,
    go_on: &mut dyn FnMut(Step) -> bool,
) -> Result<Sealed, AuditError> {
    let sealed = segment.as_form(Form::Sealed).to_string();
    let index = segment.index_name();
    let work = Work { shelf, dir, segment, sealed, index };
    let done = work.seal(go_on);
    if !matches!(done, Ok(Sealed::Yes { .. } | Sealed::Stopped)) {
        // Nothing of ours may take up room when there is none.
        for leftover in [&work.sealed, &work.index] {
            let _ = shelf.remove(&temporary(leftover));
        }
    }
    done.map_err(AuditError::file("seal", &segment.path(dir)))
}

/// Removes what a sealing that was cut off left behind.
pub(super) fn remove_leftovers(shelf: &dyn Shelf, dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name();
        let ours = name.to_str().filter(|name| {
            name.strip_suffix(".tmp").is_some_and(|name| {
                let whole = match name.strip_suffix(".idx") {
                    Some(stem) => format!("{stem}.jsonl"),
                    None => name.to_owned(),
                };
                SegmentName::parse(&whole).is_some()
            })
        });
        ours.map_or(Ok(()), |name| shelf.remove(name))?;
    }
    Ok(())
}

/// The name under which a file is written before it counts.
pub(super) fn temporary(name: &str) -> String {
    format!("{name}.tmp")
}

struct Work<'a> {
    shelf: &'a dyn Shelf,
    dir: &'a Path,
    segment: &'a SegmentName,
    sealed: String,
    index: String,
}

/// What was read of the plain file.
struct Content {
    bytes: u64,
    digest: [u8; 32],
    index: Vec<u8>,
}

impl Work<'_> {
    fn seal(&self, go_on: &mut dyn FnMut(Step) -> bool) -> io::Result<Sealed> {
        let content = match self.write(go_on)? {
            Ok(content) => content,
            Err(other) => return Ok(other),
        };
        self.read_back(&content)?;
        if !go_on(Step::Written) {
            return Ok(Sealed::Stopped);
        }
        let mut file = Appending(self.shelf.anew(&temporary(&self.index))?);
        file.write_all(&content.index)?;
        file.finish()?;
        if !go_on(Step::IndexWritten) {
            return Ok(Sealed::Stopped);
        }
        self.shelf.rename_to(&temporary(&self.index), &self.index)?;
        if !go_on(Step::IndexNamed) {
            return Ok(Sealed::Stopped);
        }
        self.shelf.rename_to(&temporary(&self.sealed), &self.sealed)?;
        self.shelf.sync_names()?;
        if !go_on(Step::Named) {
            return Ok(Sealed::Stopped);
        }
        self.shelf.remove(&self.segment.to_string())?;
        self.shelf.sync_names()?;
        go_on(Step::Done);
        let sealed = std::fs::metadata(self.dir.join(&self.sealed))?.len();
        Ok(Sealed::Yes { plain: content.bytes, sealed })
    }

    /// Writes the sealed file under its temporary name, all of it to the disk.
    fn write(&self, go_on: &mut dyn FnMut(Step) -> bool) -> io::Result<Result<Content, Sealed>> {
        let mut lines = Lines::open(self.dir, self.segment).map_err(io::Error::other)?;
        let mut writer = Writer::new(Appending(self.shelf.anew(&temporary(&self.sealed))?))?;
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
        writer.finish()?.finish()?;
        let digest = digest.finalize().into();
        Ok(Ok(Content { bytes: lines.offset, digest, index: index.finish() }))
    }

    /// Nothing is removed before its replacement was read.
    fn read_back(&self, content: &Content) -> io::Result<()> {
        let mut file = InOrder::open(&self.dir.join(temporary(&self.sealed)))?;
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
