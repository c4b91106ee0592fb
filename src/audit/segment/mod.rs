//! The files of the log: their names, their order, and their lines.
//!
//! `toolgate-<stream>-<number>.jsonl`; the number counts over all streams of the directory, so
//! that the order of the files never rests on a clock.

use crate::audit::error::AuditError;
use crate::audit::place::StreamId;
use crate::limits::RECORD_BYTES_MAX;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// The name of one file of the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::audit) struct SegmentName {
    /// Its place among all files of the directory.
    pub(in crate::audit) number: u64,
    /// The stream whose records it holds.
    pub(in crate::audit) stream: StreamId,
}

impl SegmentName {
    /// Reads a file's name; nothing if it is no segment.
    pub(in crate::audit) fn parse(name: &str) -> Option<SegmentName> {
        let middle = name.strip_prefix("toolgate-")?.strip_suffix(".jsonl")?;
        let (stream, number) = middle.rsplit_once('-')?;
        let segment =
            SegmentName { number: number.parse().ok()?, stream: StreamId::parse(stream)? };
        (segment.to_string() == name).then_some(segment)
    }

    pub(in crate::audit) fn path(&self, dir: &Path) -> PathBuf {
        dir.join(self.to_string())
    }
}

impl std::fmt::Display for SegmentName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "toolgate-{}-{:06}.jsonl", self.stream, self.number)
    }
}

/// The segments of a directory, oldest first.
pub(in crate::audit) fn list(dir: &Path) -> Result<Vec<SegmentName>, AuditError> {
    let mut segments = Vec::new();
    let entries = std::fs::read_dir(dir).map_err(AuditError::file("read", dir))?;
    for entry in entries {
        let name = entry.map_err(AuditError::file("read", dir))?.file_name();
        segments.extend(name.to_str().and_then(SegmentName::parse));
    }
    segments.sort();
    Ok(segments)
}

/// Reads the lines of one segment, each within the bound of a record.
#[derive(Debug)]
pub(in crate::audit) struct Lines {
    reader: BufReader<File>,
    /// The bytes of the lines given so far, newlines included.
    pub(in crate::audit) offset: u64,
}

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::audit) enum Ending {
    /// With a newline.
    Whole,
    /// With the file: cut off, or still being written.
    Torn,
    /// It is longer than a record can be; its bytes were skipped.
    TooLong,
}

impl Lines {
    pub(in crate::audit) fn open(path: &Path) -> Result<Lines, AuditError> {
        let file = File::open(path).map_err(AuditError::file("open", path))?;
        Ok(Lines { reader: BufReader::with_capacity(1 << 16, file), offset: 0 })
    }

    /// Puts the next line, without its newline, into `line`; nothing at the end of the file.
    pub(in crate::audit) fn next_into(&mut self, line: &mut Vec<u8>) -> io::Result<Option<Ending>> {
        line.clear();
        let mut too_long = false;
        let mut read = 0_u64;
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                self.offset += read;
                return Ok((read > 0).then_some(Ending::Torn));
            }
            let newline = buffer.iter().position(|byte| *byte == b'\n');
            let part = buffer.get(..newline.unwrap_or(buffer.len())).unwrap_or_default();
            too_long |= line.len() + part.len() >= RECORD_BYTES_MAX;
            if too_long {
                line.clear();
            } else {
                line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(newline.is_some());
            self.reader.consume(used);
            read += u64::try_from(used).unwrap_or(u64::MAX);
            if newline.is_some() {
                self.offset += read;
                return Ok(Some(if too_long { Ending::TooLong } else { Ending::Whole }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_spelling_and_sort_by_number() {
        let segment = SegmentName { number: 7, stream: StreamId::generate() };
        let name = segment.to_string();
        assert!(name.ends_with("-000007.jsonl"));
        assert_eq!(SegmentName::parse(&name), Some(segment.clone()));
        assert_eq!(SegmentName::parse(&name.replace("-000007", "-7")), None);
        assert_eq!(SegmentName::parse(&format!("{name}.torn")), None);
        let later = SegmentName { number: 1_000_000, stream: StreamId::generate() };
        assert_eq!(SegmentName::parse(&later.to_string()), Some(later.clone()));
        assert!(segment < later);
    }

    #[test]
    fn lines_are_bounded() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let long = "x".repeat(RECORD_BYTES_MAX);
        std::fs::write(file.path(), format!("a\n\n{long}\nb\nc")).unwrap();
        let mut lines = Lines::open(file.path()).unwrap();
        let mut got = Vec::new();
        let mut line = Vec::new();
        while let Some(ending) = lines.next_into(&mut line).unwrap() {
            got.push((String::from_utf8(line.clone()).unwrap(), ending));
        }
        let expected = [
            ("a", Ending::Whole),
            ("", Ending::Whole),
            ("", Ending::TooLong),
            ("b", Ending::Whole),
            ("c", Ending::Torn),
        ];
        assert_eq!(got, expected.map(|(text, ending)| (text.to_owned(), ending)));
        assert_eq!(lines.offset, std::fs::metadata(file.path()).unwrap().len());
    }
}
