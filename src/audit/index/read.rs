//! Reads an index, strictly and within bounds: whatever is not as the builder makes it is no index.

use super::column::{Column, Cursor, unzigzag};
use super::{CALL, Chunk, DECIDED, FRAMES, Header, INDEXED, MAGIC, TIME, TOOL_USE};
use crate::audit::place::Hash;
use crate::audit::query::Field;
use crate::limits::{INDEX_COLUMN_BYTES_MAX, INDEX_HEADER_BYTES_MAX, INDEX_ROWS_MAX};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What a sealed file may have behind its last frame: a digest, and a table of eight or twelve
/// bytes for each frame.
const TAIL_BYTES: u64 = 256;
const TAIL_BYTES_PER_FRAME: u64 = 12;
/// The magic, the header's length, its digest in hexadecimal.
const FRONT_BYTES: usize = MAGIC.len() + 4 + 64;

/// Why an index is not used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It is not there, or cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It is not as one is made.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// It is that of another file, or of what this one was before.
    #[error("it is not that of its file")]
    Stale,
    /// It says of itself that it does not hold all lines.
    #[error("its file holds lines that no index can hold")]
    Odd,
}

/// The rows of one frame of the sealed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::audit) struct Rows {
    /// The frame's length there.
    pub(in crate::audit) bytes: u64,
    pub(in crate::audit) first: usize,
    pub(in crate::audit) count: usize,
}

/// An index, whose columns are read as they are asked for.
#[derive(Debug)]
pub struct Index {
    bytes: Bytes,
    header: Header,
    /// Where the first chunk begins.
    chunks_at: u64,
}

#[derive(Debug)]
enum Bytes {
    File(File),
    Memory(Vec<u8>),
}

impl Bytes {
    fn read(&self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        match self {
            Bytes::File(file) => {
                let mut out = vec![0; length];
                file.read_exact_at(&mut out, at)?;
                Ok(out)
            }
            Bytes::Memory(bytes) => {
                let from = usize::try_from(at).unwrap_or(usize::MAX);
                let part = bytes.get(from..).and_then(|rest| rest.get(..length));
                part.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
            }
        }
    }

    fn length(&self) -> io::Result<u64> {
        match self {
            Bytes::File(file) => Ok(file.metadata()?.len()),
            Bytes::Memory(bytes) => Ok(super::column::wide(bytes.len())),
        }
    }
}

impl Index {
    /// Opens the index of a sealed file, whose length and first record's number are these.
    ///
    /// # Errors
    /// If it is not that file's, or does not hold all of it.
    pub fn open(path: &Path, stream: &str, sealed_bytes: u64) -> Result<Index, Unusable> {
        let index = Index::of(Bytes::File(crate::audit::regular::open(path)?))?;
        let header = &index.header;
        let frames = super::column::wide(index.frames()?.len());
        let tail = TAIL_BYTES + TAIL_BYTES_PER_FRAME * frames;
        let behind = sealed_bytes.checked_sub(header.sealed_bytes);
        if header.stream != stream || behind.is_none_or(|behind| behind > tail) {
            return Err(Unusable::Stale);
        }
        Ok(index)
    }

    /// An index that is in memory already.
    ///
    /// # Errors
    /// If it is none.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Index, Unusable> {
        Index::of(Bytes::Memory(bytes))
    }

    fn of(bytes: Bytes) -> Result<Index, Unusable> {
        let front = bytes.read(0, FRONT_BYTES)?;
        let (magic, rest) = front.split_at(MAGIC.len());
        let (length, digest) = rest.split_at(4);
        if magic != MAGIC {
            return Err(Unusable::Damaged("it does not begin as one"));
        }
        let length = <[u8; 4]>::try_from(length).map_or(u32::MAX, u32::from_le_bytes);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > INDEX_HEADER_BYTES_MAX {
            return Err(Unusable::Damaged("its header is too long"));
        }
        let text = bytes.read(super::column::wide(FRONT_BYTES), length)?;
        if Hash::of(&text).to_string().as_bytes() != digest {
            return Err(Unusable::Damaged("its header is not what was written"));
        }
        let header: Header = serde_json::from_slice(&text)
            .map_err(|_| Unusable::Damaged("its header cannot be read"))?;
        if header.odd > 0 {
            return Err(Unusable::Odd);
        }
        let chunks_at = super::column::wide(FRONT_BYTES + length);
        let index = Index { bytes, header, chunks_at };
        index.check()?;
        Ok(index)
    }

    /// What a header must be before anything is allocated by it.
    fn check(&self) -> Result<(), Unusable> {
        let header = &self.header;
        let wrong = Unusable::Damaged("its header does not fit itself");
        let names = [FRAMES, TIME, DECIDED, CALL, TOOL_USE].into_iter();
        let names = names.chain(INDEXED.iter().map(|field| field.as_str()));
        let span = header.last_seq.checked_sub(header.first_seq).map(|span| span + 1);
        let rows_fit = header.records > 0
            && usize::try_from(header.records).is_ok_and(|rows| rows <= INDEX_ROWS_MAX)
            && span == Some(header.records)
            && header.min_time <= header.max_time;
        let fits = |chunk: &Chunk| {
            usize::try_from(chunk.plain_bytes).is_ok_and(|bytes| bytes <= INDEX_COLUMN_BYTES_MAX)
        };
        let chunks = header.columns.iter().try_fold(0_u64, |all, chunk| {
            fits(chunk).then(|| all.checked_add(chunk.bytes)).flatten()
        });
        let length = chunks.and_then(|chunks| chunks.checked_add(self.chunks_at));
        if !rows_fit
            || !names.eq(header.columns.iter().map(|chunk| chunk.name.as_str()))
            || length != Some(self.bytes.length()?)
        {
            return Err(wrong);
        }
        Ok(())
    }

    /// How many records.
    #[must_use]
    pub fn rows(&self) -> usize {
        usize::try_from(self.header.records).unwrap_or_default()
    }

    /// The earliest and the latest time, in microseconds since 1970.
    #[must_use]
    pub fn times(&self) -> (i64, i64) {
        (self.header.min_time, self.header.max_time)
    }

    /// The row of a record's number, if it is one of them.
    pub(in crate::audit) fn row_of(&self, seq: u64) -> Option<usize> {
        let row = seq.checked_sub(self.header.first_seq)?;
        (seq <= self.header.last_seq).then(|| usize::try_from(row).ok()).flatten()
    }

    fn column(&self, name: &str) -> Result<Vec<u8>, Unusable> {
        let mut at = self.chunks_at;
        for chunk in &self.header.columns {
            if chunk.name == name {
                return self.chunk(at, chunk);
            }
            at += chunk.bytes;
        }
        Err(Unusable::Damaged("a column is missing"))
    }

    fn chunk(&self, at: u64, chunk: &Chunk) -> Result<Vec<u8>, Unusable> {
        let wrong = Unusable::Damaged("a column is not what was written");
        let length = usize::try_from(chunk.bytes).unwrap_or(usize::MAX);
        // The chunks together are as long as the file, so this is bounded by it.
        let bytes = self.bytes.read(at, length)?;
        if Hash::of(&bytes).to_string() != chunk.sha256 {
            return Err(wrong);
        }
        let plain_bytes = usize::try_from(chunk.plain_bytes).unwrap_or_default();
        match zstd::bulk::decompress(&bytes, plain_bytes) {
            Ok(plain) if plain.len() == plain_bytes => Ok(plain),
            Ok(_) | Err(_) => Err(wrong),
        }
    }

    /// The values of one field.
    ///
    /// # Errors
    /// If the column is damaged, or there is none of this field.
    pub fn field(&self, field: Field) -> Result<Column, Unusable> {
        let plain = self.column(field.as_str())?;
        Column::read(&plain, self.rows())
            .ok_or(Unusable::Damaged("a column of values cannot be read"))
    }

    /// When each record was written, in microseconds since 1970.
    ///
    /// # Errors
    /// If the column is damaged.
    pub fn time(&self) -> Result<Vec<i64>, Unusable> {
        let plain = self.column(TIME)?;
        let mut at = Cursor(&plain);
        let mut times = Vec::with_capacity(self.rows());
        let mut time = 0_i64;
        for _ in 0..self.rows() {
            let delta = at.number().ok_or(Unusable::Damaged("a time cannot be read"))?;
            time = time.wrapping_add(unzigzag(delta));
            times.push(time);
        }
        let (min, max) = (times.iter().min(), times.iter().max());
        let within = (min, max) == (Some(&self.header.min_time), Some(&self.header.max_time));
        (at.0.is_empty() && within).then_some(times).ok_or(Unusable::Damaged("its times"))
    }

    /// How long deciding took, in microseconds, plus one; 0 where nothing was decided.
    pub(in crate::audit) fn decided(&self) -> Result<Vec<u64>, Unusable> {
        let plain = self.column(DECIDED)?;
        let mut at = Cursor(&plain);
        let numbers: Option<Vec<u64>> = (0..self.rows()).map(|_| at.number()).collect();
        numbers.filter(|_| at.0.is_empty()).ok_or(Unusable::Damaged("its durations"))
    }

    /// The marks of each record's call and tool use (see [`super::mark`]).
    pub(in crate::audit) fn marks(&self) -> Result<[Vec<u16>; 2], Unusable> {
        let read = |name| {
            let plain = self.column(name)?;
            let marks = plain.as_chunks::<2>();
            let fits = marks.1.is_empty() && marks.0.len() == self.rows();
            let marks = marks.0.iter().map(|mark| u16::from_le_bytes(*mark)).collect();
            fits.then_some(marks).ok_or(Unusable::Damaged("its marks"))
        };
        Ok([read(CALL)?, read(TOOL_USE)?])
    }

    /// Which rows each frame holds.
    pub(in crate::audit) fn frames(&self) -> Result<Vec<Rows>, Unusable> {
        let wrong = Unusable::Damaged("its frames");
        let plain = self.column(FRAMES)?;
        let mut at = Cursor(&plain);
        let (mut frames, mut first, mut end) = (Vec::new(), 0, 0_u64);
        while !at.0.is_empty() {
            let (Some(bytes), Some(count)) = (at.number(), at.length()) else { return Err(wrong) };
            frames.push(Rows { bytes, first, count });
            let next: Option<usize> = first.checked_add(count);
            let Some(next) = next.filter(|next| count > 0 && *next <= self.rows()) else {
                return Err(wrong);
            };
            first = next;
            end = end.saturating_add(bytes);
        }
        (first == self.rows() && end == self.header.sealed_bytes).then_some(frames).ok_or(wrong)
    }

    /// All that it says, whatever it was compressed with.
    fn content(&self) -> Result<Vec<Vec<u8>>, Unusable> {
        let Header {
            stream, first_seq, last_seq, min_time, max_time, records, sealed_bytes, ..
        } = &self.header;
        let own = format!(
            "{stream} {first_seq} {last_seq} {min_time} {max_time} {records} {sealed_bytes}"
        );
        let columns = self.header.columns.iter().map(|chunk| self.column(&chunk.name));
        std::iter::once(Ok(own.into_bytes())).chain(columns).collect()
    }
}

/// Whether two indexes say the same of the same file; another release's zstd may have made one.
#[must_use]
pub fn same(one: &[u8], other: &[u8]) -> bool {
    let content = |bytes: &[u8]| Index::from_bytes(bytes.to_vec())?.content();
    match (content(one), content(other)) {
        (Ok(one), Ok(other)) => one == other,
        (Err(Unusable::Odd), Err(Unusable::Odd)) => true,
        _ => false,
    }
}
