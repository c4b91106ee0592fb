//! Many lines at once, for whoever looks at all of a file: blocks of whole lines, without a copy
//! for each line.
//!
//! A block is a frame of a sealed file, or about a megabyte of a plain one. What is no whole line
//! is in no block: an end that is still being written ([`Blocks::rest`]), and a line that has no
//! end where the longest record had one, which is only counted ([`Blocks::too_long`]).

use super::frames::Frames;
use super::kept::Kept;
use super::lines::in_any_form;
use super::name::{Form, SegmentName};
use crate::audit::error::AuditError;
use crate::audit::regular;
use crate::limits::RECORD_BYTES_MAX;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Take};
use std::path::Path;

/// What is read of a plain file at once.
const BLOCK_BYTES: usize = 1 << 20;

/// Reads one file of the log in blocks of whole lines.
#[derive(Debug)]
pub struct Blocks {
    source: Source,
    /// The block that was given last, and behind it, of a plain file, the beginning of a line.
    buffer: Vec<u8>,
    given: usize,
    offset: u64,
    too_long: u64,
}

#[derive(Debug)]
enum Source {
    /// Of what retention left, the lines that were kept whole.
    Plain {
        file: Take<File>,
        /// The rest of a line that is too long is passed.
        skipping: bool,
    },
    Sealed {
        frames: Box<Frames>,
        next: usize,
        /// Of all frames so far, until they were held against what was sealed.
        digest: Option<Sha256>,
    },
}

impl Blocks {
    /// Opens a file in the form that it has now.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open(dir: &Path, segment: &SegmentName) -> Result<Blocks, AuditError> {
        in_any_form(segment, |segment| {
            let path = segment.path(dir);
            let source = match segment.form {
                Form::Plain => regular::open(&path).map(|file| plain(file.take(u64::MAX))),
                Form::Sealed => Frames::open(&path).map(|frames| Source::Sealed {
                    frames: Box::new(frames),
                    next: 0,
                    digest: Some(Sha256::new()),
                }),
                Form::Kept => Kept::open(&path).and_then(|kept| Ok(plain(kept.lines()?))),
            };
            let source = source.map_err(AuditError::file("open", &path))?;
            Ok(Blocks { source, buffer: Vec::new(), given: 0, offset: 0, too_long: 0 })
        })
    }

    /// The next block; nothing at the end. Of a plain file there may be more later, when more was
    /// written.
    ///
    /// # Errors
    /// If the file cannot be read, or a sealed one is damaged (`InvalidData`).
    pub fn next_block(&mut self) -> io::Result<Option<&[u8]>> {
        let there = match &mut self.source {
            Source::Plain { .. } => self.read_plain()?,
            Source::Sealed { frames, next, digest } => {
                if *next >= frames.table().len() {
                    // At the end it shows whether these are the frames that were sealed.
                    digest.take().map_or(Ok(()), |digest| frames.check(digest))?;
                    return Ok(None);
                }
                frames.read(*next, &mut self.buffer)?;
                if let Some(digest) = digest {
                    frames.add_to(digest);
                }
                *next += 1;
                self.given = self.buffer.len();
                self.given > 0
            }
        };
        if !there {
            return Ok(None);
        }
        self.offset += u64::try_from(self.given).unwrap_or(u64::MAX);
        Ok(Some(self.buffer.get(..self.given).unwrap_or_default()))
    }

    /// Where the next block begins among all lines' bytes.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes at the end that are no whole line (yet). Only a plain file has them.
    #[must_use]
    pub fn rest(&self) -> usize {
        match self.source {
            Source::Plain { skipping: false, .. } => self.buffer.len().saturating_sub(self.given),
            Source::Plain { skipping: true, .. } | Source::Sealed { .. } => 0,
        }
    }

    /// Lines that were passed because no record is as long.
    #[must_use]
    pub fn too_long(&self) -> u64 {
        self.too_long
    }

    fn read_plain(&mut self) -> io::Result<bool> {
        let Source::Plain { file, skipping } = &mut self.source else { return Ok(false) };
        self.buffer.drain(..self.given);
        self.given = 0;
        loop {
            let had = self.buffer.len();
            let room = u64::try_from(BLOCK_BYTES).unwrap_or(u64::MAX);
            let count = file.by_ref().take(room).read_to_end(&mut self.buffer)?;
            if *skipping {
                let end = memchr::memchr(b'\n', &self.buffer).map(|end| end + 1);
                let passed = end.unwrap_or(self.buffer.len());
                self.buffer.drain(..passed);
                self.offset += u64::try_from(passed).unwrap_or(u64::MAX);
                *skipping = end.is_none();
            }
            let from = if *skipping { 0 } else { had.min(self.buffer.len()) };
            let fresh = self.buffer.get(from..).unwrap_or_default();
            if let Some(end) = memchr::memrchr(b'\n', fresh) {
                self.given = from + end + 1;
                return Ok(true);
            }
            if self.buffer.len() >= RECORD_BYTES_MAX {
                self.too_long += 1;
                self.offset += u64::try_from(self.buffer.len()).unwrap_or(u64::MAX);
                self.buffer.clear();
                *skipping = true;
            }
            if count == 0 {
                return Ok(false);
            }
        }
    }
}

fn plain(file: Take<File>) -> Source {
    Source::Plain { file, skipping: false }
}
