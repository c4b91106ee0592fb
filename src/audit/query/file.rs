//! One file of the log as blocks of whole lines, any of which can be read by itself.
//!
//! A block is a frame of a sealed file; of a plain one it is the lines that begin within a span of
//! bytes, so that the file can be read from either end. A plain file is as long as it was when it
//! was opened: what is written later is for who asks later. A line without an end at its end is
//! one that is being written, and is in no block.

use super::held::Span;
use crate::audit::error::AuditError;
use crate::audit::index::Index;
use crate::audit::regular;
use crate::audit::segment::{Blocks, Form, Frames, SegmentName};
use crate::limits::RECORD_BYTES_MAX;
use memchr::{memchr, memrchr};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The span of one block of a plain file: what fits beside the work on it in a core's cache.
pub(super) const BLOCK_BYTES: usize = 256 * 1024;
/// What is read behind a span at first, to find the end of its last line.
const BEHIND_BYTES: usize = 4 * 1024;

/// One file, open.
pub(super) struct LogFile {
    /// Its name, to be told.
    pub(super) name: String,
    pub(super) index: Option<Arc<Index>>,
    /// Why its index is not used, if it should have one.
    pub(super) index_trouble: Option<String>,
    content: Content,
    /// Which of its blocks are asked.
    part: Span,
    /// Lines that were longer than a record can be, in the blocks that were read.
    pub(super) too_long: u64,
}

enum Content {
    Plain {
        file: File,
        bytes: usize,
    },
    Sealed(Box<Frames>),
    /// Read from its beginning to its end, once.
    Stream {
        from: Box<dyn Read>,
        held: Vec<u8>,
        ended: bool,
    },
    Memory(Vec<u8>),
}

impl LogFile {
    /// A file of a directory, in the form that it has now.
    pub(super) fn open(dir: &Path, segment: &SegmentName) -> Result<LogFile, AuditError> {
        let mut opened = open_form(dir, segment);
        for form in [Form::Sealed, Form::Kept] {
            let gone = matches!(&opened, Err(AuditError::File { why, .. })
                if why.kind() == ErrorKind::NotFound);
            if gone && form > segment.form {
                opened = open_form(dir, &segment.as_form(form));
            }
        }
        opened
    }

    /// A file by its path: sealed if its name ends so, else plain lines.
    pub(super) fn at(path: &Path) -> Result<LogFile, AuditError> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        if let Some(segment) = SegmentName::parse(&name) {
            let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
            return open_form(dir.unwrap_or(Path::new(".")), &segment);
        }
        let file = File::open(path).map_err(AuditError::file("open", path))?;
        let about = file.metadata().map_err(AuditError::file("read", path))?;
        if about.is_dir() {
            let why = io::Error::from(ErrorKind::IsADirectory);
            return Err(AuditError::file("read", path)(why));
        }
        let sealed = name.ends_with(".zst");
        let content = match (about.is_file(), sealed) {
            (_, true) => Frames::open(path).map(|frames| Content::Sealed(Box::new(frames))),
            (true, false) => Ok(plain(file, about.len())),
            (false, false) => Ok(stream(Box::new(file))),
        };
        Ok(LogFile::of(name, content.map_err(AuditError::file("open", path))?))
    }

    /// Plain lines from a stream.
    pub(super) fn stream(name: &str, from: Box<dyn Read>) -> LogFile {
        LogFile::of(name.to_owned(), stream(from))
    }

    fn of(name: String, content: Content) -> LogFile {
        let part = Span::default();
        LogFile { name, index: None, index_trouble: None, content, part, too_long: 0 }
    }

    /// Asks no more than a part of a plain file, by an index of that part. In another form, the
    /// part that begins with the file is all of it.
    pub(super) fn only(&mut self, part: Span, index: Option<Arc<Index>>) {
        match &self.content {
            Content::Plain { .. } => (self.part, self.index) = (part, index),
            _ if part.first > 0 => self.content = Content::Memory(Vec::new()),
            _ => {}
        }
    }

    /// Lines before the first block.
    pub(super) fn lines_before(&self) -> u64 {
        self.part.lines_before
    }

    /// How many blocks a plain file has.
    pub(super) fn plain_blocks(&self) -> Option<usize> {
        matches!(self.content, Content::Plain { .. }).then(|| self.all_blocks()).flatten()
    }

    /// How many blocks there are; nothing of a stream.
    pub(super) fn blocks(&self) -> Option<usize> {
        let behind = self.all_blocks()?.saturating_sub(self.part.first);
        Some(self.part.blocks.map_or(behind, |blocks| blocks.min(behind)))
    }

    fn all_blocks(&self) -> Option<usize> {
        match &self.content {
            Content::Plain { bytes, .. } => Some(bytes.div_ceil(BLOCK_BYTES)),
            Content::Sealed(frames) => Some(frames.table().len()),
            Content::Memory(_) => Some(1),
            Content::Stream { .. } => None,
        }
    }

    /// All of a stream is read, so that it has blocks.
    pub(super) fn hold(&mut self) -> io::Result<()> {
        if let Content::Stream { from, held, .. } = &mut self.content {
            let mut all = std::mem::take(held);
            from.read_to_end(&mut all)?;
            self.content = Content::Memory(all);
        }
        Ok(())
    }

    /// Reads one block into `buffer`: where its lines are there, each with its newline. Nothing
    /// behind the last; of a stream, each is asked once and in order.
    pub(super) fn read(
        &mut self,
        number: usize,
        buffer: &mut Vec<u8>,
    ) -> io::Result<Option<Range<usize>>> {
        if self.part.blocks.is_some_and(|blocks| number >= blocks) {
            return Ok(None);
        }
        let number = number.saturating_add(self.part.first);
        match &mut self.content {
            Content::Sealed(frames) => {
                if number >= frames.table().len() {
                    return Ok(None);
                }
                frames.read(number, buffer)?;
                Ok(Some(0..buffer.len()))
            }
            Content::Plain { file, bytes } => {
                let bytes = *bytes;
                let Some(from) = number.checked_mul(BLOCK_BYTES).filter(|from| *from < bytes)
                else {
                    return Ok(None);
                };
                let (range, too_long) = read_plain(file, bytes, from, buffer)?;
                self.too_long += u64::from(too_long);
                Ok(Some(range))
            }
            Content::Stream { from, held, ended } => {
                let (range, too_long) = read_stream(from, held, ended, buffer)?;
                self.too_long += too_long;
                Ok(range)
            }
            Content::Memory(all) => {
                if number > 0 {
                    return Ok(None);
                }
                let end = memrchr(b'\n', all).map_or(0, |end| end + 1);
                buffer.clear();
                buffer.extend_from_slice(all.get(..end).unwrap_or_default());
                Ok(Some(0..end))
            }
        }
    }
}

fn open_form(dir: &Path, segment: &SegmentName) -> Result<LogFile, AuditError> {
    let path = segment.path(dir);
    let failed = |doing| AuditError::file(doing, &path);
    let mut opened = match segment.form {
        Form::Plain => {
            let file = regular::open(&path).map_err(failed("open"))?;
            let bytes = file.metadata().map_err(failed("read"))?.len();
            LogFile::of(segment.to_string(), plain(file, bytes))
        }
        Form::Sealed => {
            let frames = Frames::open(&path).map_err(failed("open"))?;
            LogFile::of(segment.to_string(), Content::Sealed(Box::new(frames)))
        }
        Form::Kept => {
            // Checkpoints and little else: few lines.
            let mut blocks = Blocks::open(dir, segment)?;
            let mut all = Vec::new();
            while let Some(block) = blocks.next_block().map_err(failed("read"))? {
                all.extend_from_slice(block);
            }
            LogFile::of(segment.to_string(), Content::Memory(all))
        }
    };
    if segment.form == Form::Sealed {
        opened.take_index(&segment.index_path(dir), &path, segment.stream.as_str());
    }
    Ok(opened)
}

impl LogFile {
    fn take_index(&mut self, index: &Path, sealed: &PathBuf, stream: &str) {
        let Content::Sealed(frames) = &self.content else { return };
        let bytes = std::fs::metadata(sealed).map_or(0, |about| about.len());
        let opened = Index::open(index, stream, bytes).and_then(|index| {
            let there = frames.table().iter().map(|frame| u64::try_from(frame.bytes).ok());
            let fits = there.eq(index.frames()?.iter().map(|frame| Some(frame.bytes)));
            fits.then_some(index).ok_or(crate::audit::index::Unusable::Stale)
        });
        match opened {
            Ok(index) => self.index = Some(Arc::new(index)),
            Err(why) => self.index_trouble = Some(why.to_string()),
        }
    }
}

fn plain(file: File, bytes: u64) -> Content {
    Content::Plain { file, bytes: usize::try_from(bytes).unwrap_or(usize::MAX) }
}

fn stream(from: Box<dyn Read>) -> Content {
    Content::Stream { from, held: Vec::new(), ended: false }
}

/// The lines that begin in the span at `from`; and whether one of them has no end where the
/// longest record has one, and is left out.
fn read_plain(
    file: &File,
    bytes: usize,
    from: usize,
    buffer: &mut Vec<u8>,
) -> io::Result<(Range<usize>, bool)> {
    // One byte more before it says whether a line begins right there.
    let before = usize::from(from > 0);
    let span = BLOCK_BYTES.min(bytes - from);
    let start = from - before;
    let mut length = before + span;
    let mut wanted = (length + BEHIND_BYTES).min(bytes - start);
    // What stands in the buffer from before is written over, and costs nothing.
    let mut filled = 0;
    loop {
        if buffer.len() < wanted {
            buffer.resize(wanted, 0);
        }
        let rest = buffer.get_mut(filled..wanted).unwrap_or_default();
        let read = read_up_to(file, rest, start + filled)?;
        let at_end = read < wanted - filled || start + filled + read >= bytes;
        filled += read;
        let there = buffer.get(..filled).unwrap_or_default();
        // It may have been cut off since it was opened.
        length = length.min(filled);
        let begins = match before {
            0 => 0,
            _ => memchr(b'\n', there).map_or(filled, |end| end + 1),
        };
        if begins >= length {
            return Ok((0..0, false));
        }
        let last = there.get(length - 1..).unwrap_or_default();
        if let Some(end) = memchr(b'\n', last) {
            return Ok((begins..length + end, false));
        }
        let too_long = filled > length + RECORD_BYTES_MAX;
        if at_end || too_long {
            let whole = memrchr(b'\n', there.get(begins..length).unwrap_or_default());
            let end = whole.map_or(begins, |end| begins + end + 1);
            return Ok((begins..end, too_long));
        }
        wanted = (wanted + RECORD_BYTES_MAX).min(bytes - start);
    }
}

fn read_up_to(file: &File, mut into: &mut [u8], at: usize) -> io::Result<usize> {
    let mut done = 0;
    while !into.is_empty() {
        let place = u64::try_from(at + done).unwrap_or(u64::MAX);
        match file.read_at(into, place) {
            Ok(0) => break,
            Ok(read) => {
                done += read;
                into = into.get_mut(read..).unwrap_or_default();
            }
            Err(why) if why.kind() == ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
        }
    }
    Ok(done)
}

/// The next whole lines of a stream, and how many before them were longer than a record can be. A
/// last line without an end is whole there: nobody is writing it any more.
fn read_stream(
    from: &mut Box<dyn Read>,
    held: &mut Vec<u8>,
    ended: &mut bool,
    buffer: &mut Vec<u8>,
) -> io::Result<(Option<Range<usize>>, u64)> {
    buffer.clear();
    buffer.append(held);
    let mut too_long = 0;
    let mut skipping = false;
    loop {
        if *ended {
            if buffer.last().is_some_and(|byte| *byte != b'\n') && !skipping {
                buffer.push(b'\n');
            }
            return Ok(((!buffer.is_empty()).then_some(0..buffer.len()), too_long));
        }
        let there = buffer.len();
        buffer.resize(there + BLOCK_BYTES, 0);
        let read = from.read(buffer.get_mut(there..).unwrap_or_default());
        buffer.truncate(there + *read.as_ref().unwrap_or(&0));
        match read {
            Err(why) if why.kind() == ErrorKind::Interrupted => continue,
            Err(why) => return Err(why),
            Ok(0) => {
                *ended = true;
                continue;
            }
            Ok(_) => {}
        }
        if skipping {
            match memchr(b'\n', buffer) {
                Some(end) => {
                    buffer.drain(..=end);
                    skipping = false;
                }
                None => {
                    buffer.clear();
                    continue;
                }
            }
        }
        if let Some(end) = memrchr(b'\n', buffer) {
            held.extend_from_slice(buffer.get(end + 1..).unwrap_or_default());
            return Ok((Some(0..end + 1), too_long));
        }
        if buffer.len() > RECORD_BYTES_MAX {
            too_long += 1;
            skipping = true;
            buffer.clear();
        }
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
