//! A sealed file: zstd frames of whole lines, a digest, and the table of the frames.
//!
//! The layout is the standard zstd seekable format: any zstd reads the file from its start and
//! gets the plain lines, and the table, in a frame that is skipped, says where each frame is. The
//! frame before it, skipped as well and in the table as one without content, holds the SHA-256 of
//! all frames before: zstd itself does not look at every bit.
//!
//! A file may be hostile. What is allocated is bound by what a frame can be, and by the table's
//! own bytes; anything that the sealer would not write is an error ([`ErrorKind::InvalidData`]).

use crate::audit::regular;
use crate::limits::{RECORD_BYTES_MAX, SEALED_FRAME_BYTES, SEALED_FRAMES_MAX};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::CParameter;

/// Fast, and on such lines smaller than the levels above it.
const LEVEL: i32 = 1;
/// The plain bytes of one frame at most: it ends at the first line end behind its size.
const PLAIN_BYTES_MAX: usize = SEALED_FRAME_BYTES + RECORD_BYTES_MAX;
/// A frame of bytes that cannot be compressed is a little longer than they are.
const FRAME_BYTES_MAX: usize = PLAIN_BYTES_MAX + PLAIN_BYTES_MAX / 128 + 512;
const DIGEST_MAGIC: u32 = 0x184D_2A50;
const TABLE_MAGIC: u32 = 0x184D_2A5E;
const SEEKABLE_MAGIC: u32 = 0x8F92_EAB1;
/// A skipped frame's magic number and length.
const SKIPPED_HEAD: usize = 8;
const DIGEST_BYTES: usize = SKIPPED_HEAD + 32;
const ENTRY_BYTES: usize = 8;
/// The number of frames, a byte that says what entries hold, the magic number.
const FOOTER_BYTES: usize = 9;

/// One frame of a sealed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Where it begins in the file.
    pub offset: u64,
    /// Its length there.
    pub bytes: usize,
    /// Where its lines begin among all lines' bytes.
    pub plain_offset: u64,
    /// The length of its lines.
    pub plain_bytes: usize,
}

/// A sealed file, open for reading any of its frames.
pub struct Frames {
    file: File,
    table: Vec<Frame>,
    digest: [u8; 32],
    compressed: Vec<u8>,
    decompressor: Decompressor<'static>,
}

impl Frames {
    /// Opens a sealed file and reads its table.
    ///
    /// # Errors
    /// If it cannot be read, or is none.
    pub fn open(path: &Path) -> io::Result<Frames> {
        let file = regular::open(path)?;
        let (table, digest) = read_table(&file)?;
        Ok(Frames {
            file,
            table,
            digest,
            compressed: Vec::new(),
            decompressor: Decompressor::new()?,
        })
    }

    /// Its frames, in order.
    #[must_use]
    pub fn table(&self) -> &[Frame] {
        &self.table
    }

    /// Puts the lines of one frame into `plain`, in place of what was there: whole lines, each
    /// with its newline.
    ///
    /// # Errors
    /// If the frame is not there, cannot be read, or is not what the table says.
    pub fn read(&mut self, number: usize, plain: &mut Vec<u8>) -> io::Result<()> {
        plain.clear();
        let Some(frame) = self.table.get(number).copied() else {
            return Err(wrong("there is no such frame"));
        };
        self.compressed.resize(frame.bytes, 0);
        self.file.read_exact_at(&mut self.compressed, frame.offset)?;
        plain.reserve(frame.plain_bytes);
        self.decompressor
            .decompress_to_buffer(self.compressed.as_slice(), plain)
            .map_err(|why| wrong(&format!("a frame cannot be decompressed: {why}")))?;
        if plain.len() != frame.plain_bytes {
            return Err(wrong("a frame is not as long as the table says"));
        }
        match plain.last() {
            Some(b'\n') => Ok(()),
            _ => Err(wrong("a frame does not end with a line")),
        }
    }

    /// Counts the frame that was read last.
    pub(super) fn add_to(&self, digest: &mut Sha256) {
        digest.update(&self.compressed);
    }

    /// Whether all frames together are those that were sealed.
    pub(super) fn check(&self, digest: Sha256) -> io::Result<()> {
        match digest.finalize().as_slice() == self.digest {
            true => Ok(()),
            false => Err(wrong("its frames are not those that were sealed")),
        }
    }
}

impl std::fmt::Debug for Frames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frames").field("table", &self.table).finish_non_exhaustive()
    }
}

/// Reads all frames in order, and says at the end whether they are those that were sealed.
#[derive(Debug)]
pub(super) struct InOrder {
    frames: Frames,
    next: usize,
    digest: Sha256,
    plain: Vec<u8>,
    used: usize,
    checked: bool,
}

impl InOrder {
    pub(super) fn open(path: &Path) -> io::Result<InOrder> {
        Ok(InOrder {
            frames: Frames::open(path)?,
            next: 0,
            digest: Sha256::new(),
            plain: Vec::new(),
            used: 0,
            checked: false,
        })
    }
}

impl BufRead for InOrder {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used >= self.plain.len() {
            self.used = 0;
            self.plain.clear();
            if self.next < self.frames.table.len() {
                self.frames.read(self.next, &mut self.plain)?;
                self.frames.add_to(&mut self.digest);
                self.next += 1;
            } else if !self.checked {
                self.frames.check(self.digest.clone())?;
                self.checked = true;
            }
        }
        Ok(self.plain.get(self.used..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.used = self.used.saturating_add(amount).min(self.plain.len());
    }
}

impl Read for InOrder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

/// Writes a sealed file, line by line.
pub(super) struct Writer<W> {
    out: W,
    compressor: Compressor<'static>,
    plain: Vec<u8>,
    compressed: Vec<u8>,
    digest: Sha256,
    /// Length in the file, and of its lines.
    table: Vec<(u32, u32)>,
    offset: u64,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W) -> io::Result<Writer<W>> {
        let mut compressor = Compressor::new(LEVEL)?;
        compressor.set_parameter(CParameter::ChecksumFlag(true))?;
        Ok(Writer {
            out,
            compressor,
            plain: Vec::with_capacity(PLAIN_BYTES_MAX),
            compressed: Vec::with_capacity(FRAME_BYTES_MAX),
            digest: Sha256::new(),
            table: Vec::new(),
            offset: 0,
        })
    }

    /// Takes a line without its newline; where the frame that it ended is, if it ended one.
    pub(super) fn line(&mut self, line: &[u8]) -> io::Result<Option<(u64, u64)>> {
        if line.len() >= RECORD_BYTES_MAX {
            return Err(wrong("a line is longer than a record can be"));
        }
        self.plain.extend_from_slice(line);
        self.plain.push(b'\n');
        if self.plain.len() < SEALED_FRAME_BYTES {
            return Ok(None);
        }
        self.end_frame()
    }

    /// Ends the frame that was begun, if one was.
    pub(super) fn end_frame(&mut self) -> io::Result<Option<(u64, u64)>> {
        if self.plain.is_empty() {
            return Ok(None);
        }
        if self.table.len() >= SEALED_FRAMES_MAX {
            return Err(wrong("the file is longer than a sealed file can be"));
        }
        self.compressed.clear();
        self.compressor.compress_to_buffer(self.plain.as_slice(), &mut self.compressed)?;
        self.digest.update(&self.compressed);
        self.out.write_all(&self.compressed)?;
        let frame = (self.offset, wide(self.compressed.len()));
        self.table.push((narrow(self.compressed.len())?, narrow(self.plain.len())?));
        self.offset += frame.1;
        self.plain.clear();
        Ok(Some(frame))
    }

    /// Ends the file with digest and table. The last frame was ended.
    pub(super) fn finish(mut self) -> io::Result<W> {
        let mut tail = Vec::new();
        tail.extend_from_slice(&DIGEST_MAGIC.to_le_bytes());
        tail.extend_from_slice(&32_u32.to_le_bytes());
        tail.extend_from_slice(&self.digest.finalize());
        self.table.push((narrow(DIGEST_BYTES)?, 0));
        tail.extend_from_slice(&TABLE_MAGIC.to_le_bytes());
        let bytes = self.table.len() * ENTRY_BYTES + FOOTER_BYTES;
        tail.extend_from_slice(&narrow(bytes)?.to_le_bytes());
        for (bytes, plain) in &self.table {
            tail.extend_from_slice(&bytes.to_le_bytes());
            tail.extend_from_slice(&plain.to_le_bytes());
        }
        tail.extend_from_slice(&narrow(self.table.len())?.to_le_bytes());
        tail.push(0);
        tail.extend_from_slice(&SEEKABLE_MAGIC.to_le_bytes());
        self.out.write_all(&tail)?;
        Ok(self.out)
    }
}

/// The frames of a sealed file, and the digest of them.
fn read_table(file: &File) -> io::Result<(Vec<Frame>, [u8; 32])> {
    let length = file.metadata()?.len();
    let behind = |bytes: usize| {
        length.checked_sub(wide(bytes)).ok_or_else(|| wrong("it is too short for a sealed file"))
    };
    let mut footer = [0; FOOTER_BYTES];
    file.read_exact_at(&mut footer, behind(FOOTER_BYTES)?)?;
    let (count, end) = footer.split_at(4);
    if end.first() != Some(&0) || end.get(1..) != Some(SEEKABLE_MAGIC.to_le_bytes().as_slice()) {
        return Err(wrong("it has no table of frames at its end"));
    }
    let count = usize::try_from(number(count)).unwrap_or(usize::MAX);
    if count == 0 || count > SEALED_FRAMES_MAX + 1 {
        return Err(wrong("its table has too many frames, or none"));
    }
    let table_bytes = SKIPPED_HEAD + count * ENTRY_BYTES + FOOTER_BYTES;
    let tail_at = behind(table_bytes + DIGEST_BYTES)?;
    let mut tail = vec![0; table_bytes + DIGEST_BYTES - FOOTER_BYTES];
    file.read_exact_at(&mut tail, tail_at)?;
    let (digest, table) = tail.split_at(DIGEST_BYTES);
    let (head, digest) = digest.split_at(SKIPPED_HEAD);
    let digest = <[u8; 32]>::try_from(digest).map_err(|_| wrong("its digest is cut off"))?;
    let (table_head, entries) = table.split_at(SKIPPED_HEAD);
    let skipped = |magic: u32, bytes: usize| -> io::Result<Vec<u8>> {
        Ok([magic.to_le_bytes(), narrow(bytes)?.to_le_bytes()].concat())
    };
    if head != skipped(DIGEST_MAGIC, 32)?
        || table_head != skipped(TABLE_MAGIC, table_bytes - SKIPPED_HEAD)?
    {
        return Err(wrong("its digest or its table is not where it should be"));
    }
    let mut frames = Vec::with_capacity(count);
    let (mut offset, mut plain_offset) = (0, 0);
    let (entries, last) = entries.split_at(entries.len().saturating_sub(ENTRY_BYTES));
    for entry in entries.chunks_exact(ENTRY_BYTES) {
        let (bytes, plain) = entry.split_at(4);
        let size = |bytes: &[u8], max: usize| {
            let size = usize::try_from(number(bytes)).unwrap_or(usize::MAX);
            let fits = size > 0 && size <= max;
            fits.then_some(size).ok_or_else(|| wrong("its table has a frame that cannot be"))
        };
        let (bytes, plain_bytes) = (size(bytes, FRAME_BYTES_MAX)?, size(plain, PLAIN_BYTES_MAX)?);
        frames.push(Frame { offset, bytes, plain_offset, plain_bytes });
        offset += wide(bytes);
        plain_offset += wide(plain_bytes);
    }
    if last != skipped(narrow(DIGEST_BYTES)?, 0)? || offset != tail_at {
        return Err(wrong("its table does not fit its length"));
    }
    Ok((frames, digest))
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("the sealed file is damaged: {what}"))
}

fn number(bytes: &[u8]) -> u32 {
    <[u8; 4]>::try_from(bytes).map_or(u32::MAX, u32::from_le_bytes)
}

fn narrow(length: usize) -> io::Result<u32> {
    u32::try_from(length).map_err(|_| wrong("a length does not fit"))
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sealed(lines: &[Vec<u8>]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new()).unwrap();
        for line in lines {
            writer.line(line).unwrap();
        }
        writer.end_frame().unwrap();
        writer.finish().unwrap()
    }

    fn read_back(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let mut plain = Vec::new();
        InOrder::open(file.path())?.read_to_end(&mut plain)?;
        Ok(plain)
    }

    fn joined(lines: &[Vec<u8>]) -> Vec<u8> {
        lines.iter().flat_map(|line| line.iter().copied().chain([b'\n'])).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_sealed_is_read_line_for_line(
            lines in prop::collection::vec(prop::collection::vec(
                any::<u8>().prop_map(|byte| byte.max(b'\n' + 1)), 0..3_000), 0..400)
        ) {
            let bytes = sealed(&lines);
            prop_assert_eq!(read_back(&bytes).unwrap(), joined(&lines));
            // Any zstd reads it.
            prop_assert_eq!(zstd::decode_all(bytes.as_slice()).unwrap(), joined(&lines));
        }
    }

    #[test]
    fn any_frame_is_read_by_itself() {
        let lines: Vec<Vec<u8>> = (0..9_000).map(|n| vec![b'a' + (n % 26) as u8; 100]).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), sealed(&lines)).unwrap();
        let whole = joined(&lines);
        let mut frames = Frames::open(file.path()).unwrap();
        assert_eq!(frames.table().len(), 4);
        let mut plain = Vec::new();
        for (number, frame) in frames.table().to_vec().into_iter().enumerate().rev() {
            frames.read(number, &mut plain).unwrap();
            let from = usize::try_from(frame.plain_offset).unwrap();
            assert_eq!(plain, whole[from..from + frame.plain_bytes]);
        }
        assert!(frames.read(4, &mut plain).is_err());
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let lines: Vec<Vec<u8>> = (0..40).map(|n| format!("{{\"n\":{n}}}").into_bytes()).collect();
        let mut bytes = sealed(&lines);
        assert!(read_back(&bytes).is_ok());
        for place in 0..bytes.len() {
            for bit in 0..8 {
                bytes[place] ^= 1 << bit;
                assert!(read_back(&bytes).is_err(), "byte {place} bit {bit}");
                bytes[place] ^= 1 << bit;
            }
        }
        for length in 0..bytes.len() {
            assert!(read_back(&bytes[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_line_that_is_no_record_is_not_sealed() {
        let mut writer = Writer::new(Vec::new()).unwrap();
        assert!(writer.line(&vec![b'x'; RECORD_BYTES_MAX]).is_err());
        assert!(writer.line(&vec![b'x'; RECORD_BYTES_MAX - 1]).is_ok());
    }
}
