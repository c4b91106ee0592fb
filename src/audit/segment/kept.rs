//! What stays of a file that retention deleted, so that the chain and the proofs go on across it.
//!
//! The first line says which records those were, and between which hashes they stood. Behind it
//! stand, whole, the log's own lines (checkpoints, keys, deletions: every `audit.` kind), and
//! behind these 32 bytes for each record, in order: its leaf in the log's tree. What a call was
//! about is gone; that it was recorded, and where, can still be proved.

use crate::audit::place::{Hash, StreamId};
use crate::audit::proof::merkle;
use crate::audit::regular;
use crate::audit::segment::name::SegmentName;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Take, Write};
use std::path::{Path, PathBuf};

/// The version of this format.
const VERSION: u32 = 1;
/// The first line; it has a few hundred bytes.
const HEADER_BYTES_MAX: u64 = 4 * 1024;
const LEAF_BYTES: u64 = 32;

/// What stays of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::audit) struct Kept {
    path: PathBuf,
    /// The stream.
    pub(in crate::audit) stream: StreamId,
    /// The numbers of the first and the last record.
    pub(in crate::audit) first: u64,
    pub(in crate::audit) last: u64,
    /// What the first one named as the hash of the line before it.
    pub(in crate::audit) prev: Hash,
    /// The hash of the last line.
    pub(in crate::audit) head: Hash,
    /// Where the kept lines begin, and where they end and the leaves begin.
    lines_at: u64,
    leaves_at: u64,
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    v: u32,
    file: String,
    first: u64,
    last: u64,
    prev: String,
    head: String,
    /// The bytes of the kept lines.
    kept_bytes: u64,
}

impl Kept {
    /// Opens such a file; nothing of its size is read into memory.
    pub(in crate::audit) fn open(path: &Path) -> io::Result<Kept> {
        let file = regular::open(path)?;
        let length = file.metadata()?.len();
        let mut line = Vec::new();
        let read = BufReader::new(file.take(HEADER_BYTES_MAX)).read_until(b'\n', &mut line)?;
        let lines_at = u64::try_from(read).unwrap_or(u64::MAX);
        Kept::of(path, &line, lines_at, length)
    }

    /// What a first line says, of a file of this name and length in which it has `lines_at` bytes.
    fn of(path: &Path, line: &[u8], lines_at: u64, length: u64) -> io::Result<Kept> {
        let header: Header = serde_json::from_slice(line).map_err(|why| wrong(&why.to_string()))?;
        let leaves_at = lines_at.checked_add(header.kept_bytes);
        let records = header.last.checked_sub(header.first).and_then(|more| more.checked_add(1));
        let end = records
            .and_then(|records| records.checked_mul(LEAF_BYTES))
            .zip(leaves_at)
            .and_then(|(leaves, at)| at.checked_add(leaves));
        if header.v != VERSION || header.first == 0 || end != Some(length) {
            return Err(wrong("its first line does not fit it"));
        }
        let stream = SegmentName::parse(&header.file).map(|segment| segment.stream);
        let named = path.file_name().is_some_and(|name| name == header.file.as_str());
        let (Some(stream), true) = (stream, named) else {
            return Err(wrong("it has the name of another"));
        };
        let hash = |text: &str| Hash::parse(text).ok_or_else(|| wrong("a hash is none"));
        Ok(Kept {
            path: path.to_owned(),
            stream,
            first: header.first,
            last: header.last,
            prev: hash(&header.prev)?,
            head: hash(&header.head)?,
            lines_at,
            leaves_at: leaves_at.unwrap_or(u64::MAX),
        })
    }

    /// How many records there were.
    pub(in crate::audit) fn records(&self) -> u64 {
        self.last - self.first + 1
    }

    /// Its first record's number and the hash it named, its last one's number and hash.
    pub(in crate::audit) fn range(&self) -> ((u64, Hash), (u64, Hash)) {
        ((self.first, self.prev), (self.last, self.head))
    }

    /// The SHA-256 of the whole file.
    pub(in crate::audit) fn digest(&self) -> io::Result<Hash> {
        let mut file = BufReader::new(regular::open(&self.path)?);
        let mut digest = Sha256::new();
        loop {
            let part = file.fill_buf()?;
            if part.is_empty() {
                return Ok(Hash::from_bytes(digest.finalize().into()));
            }
            digest.update(part);
            let count = part.len();
            file.consume(count);
        }
    }

    /// The lines that were kept whole.
    pub(in crate::audit) fn lines(&self) -> io::Result<Take<File>> {
        self.part(self.lines_at, self.leaves_at - self.lines_at)
    }

    /// The leaf of each record, in order.
    pub(in crate::audit) fn leaves(
        &self,
    ) -> io::Result<impl Iterator<Item = io::Result<Hash>> + use<>> {
        let mut part = BufReader::new(self.part(self.leaves_at, self.records() * LEAF_BYTES)?);
        Ok((0..self.records()).map(move |_| {
            let mut leaf = [0; 32];
            part.read_exact(&mut leaf)?;
            Ok(Hash::from_bytes(leaf))
        }))
    }

    fn part(&self, at: u64, bytes: u64) -> io::Result<Take<File>> {
        let mut file = regular::open(&self.path)?;
        file.seek(SeekFrom::Start(at))?;
        Ok(file.take(bytes))
    }
}

/// Gathers what is to stay of a file, line by line.
pub(in crate::audit) struct Keeping {
    stream: StreamId,
    first: Option<(u64, Hash)>,
    last: Option<(u64, Hash)>,
    lines: Vec<u8>,
    leaves: Vec<u8>,
}

/// What is read of a record here.
#[derive(Deserialize)]
struct Line<'a> {
    seq: u64,
    #[serde(borrow)]
    stream: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    prev: Cow<'a, str>,
}

impl Keeping {
    pub(in crate::audit) fn new(stream: StreamId) -> Keeping {
        Keeping { stream, first: None, last: None, lines: Vec::new(), leaves: Vec::new() }
    }

    /// Takes the next line; nothing if it is not the record that has to come: such a file is
    /// evidence.
    pub(in crate::audit) fn line(&mut self, line: &[u8]) -> Option<()> {
        let record: Line<'_> = serde_json::from_slice(line).ok()?;
        let prev = Hash::parse(&record.prev)?;
        let follows = match self.last {
            None => record.seq > 0,
            Some((seq, hash)) => seq.checked_add(1) == Some(record.seq) && hash == prev,
        };
        if !follows || record.stream != self.stream.as_str() {
            return None;
        }
        self.first.get_or_insert((record.seq, prev));
        self.last = Some((record.seq, Hash::of(line)));
        if record.kind.starts_with("audit.") {
            self.lines.extend_from_slice(line);
            self.lines.push(b'\n');
        }
        self.leaves.extend_from_slice(merkle::leaf(line).as_bytes());
        Some(())
    }

    /// The first record's number and the hash it names, the last one's number and its hash.
    pub(in crate::audit) fn range(&self) -> Option<((u64, Hash), (u64, Hash))> {
        self.first.zip(self.last)
    }

    /// Writes the file of this name; the SHA-256 of what was written, or nothing if there was no
    /// record.
    pub(in crate::audit) fn write(
        &self,
        name: &SegmentName,
        mut out: impl Write,
    ) -> io::Result<Option<Hash>> {
        let Some(((first, prev), (last, head))) = self.range() else { return Ok(None) };
        let header = Header {
            v: VERSION,
            file: name.to_string(),
            first,
            last,
            prev: prev.to_string(),
            head: head.to_string(),
            kept_bytes: u64::try_from(self.lines.len()).unwrap_or(u64::MAX),
        };
        let mut bytes = serde_json::to_vec(&header)?;
        bytes.push(b'\n');
        let parts = [bytes.as_slice(), &self.lines, &self.leaves];
        let mut digest = Sha256::new();
        for part in parts {
            digest.update(part);
            out.write_all(part)?;
        }
        Ok(Some(Hash::from_bytes(digest.finalize().into())))
    }
}

/// For the fuzzer: reads bytes as the first line of what was kept of a file of this name, whose
/// length fits if any does; whether it is one, after which its parts fit into that length.
#[must_use]
pub fn kept_header_fits(name: &str, line: &[u8], length: u64) -> bool {
    let lines_at = u64::try_from(line.len()).unwrap_or(u64::MAX);
    Kept::of(Path::new(name), line, lines_at, length).is_ok_and(|kept| {
        kept.first <= kept.last
            && kept.lines_at <= kept.leaves_at
            && kept.leaves_at.checked_add(kept.records().saturating_mul(LEAF_BYTES)) == Some(length)
    })
}

/// When a record was written, as its line says.
pub(super) fn written_at(line: &[u8]) -> Option<jiff::Timestamp> {
    #[derive(Deserialize)]
    struct Written<'a> {
        #[serde(borrow)]
        ts: Cow<'a, str>,
    }
    serde_json::from_slice::<Written<'_>>(line).ok()?.ts.parse().ok()
}

fn wrong(what: &str) -> io::Error {
    let what = format!("what retention kept is damaged: {what}");
    io::Error::new(ErrorKind::InvalidData, what)
}
