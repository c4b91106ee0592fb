//! The lines of one file of the log, whatever its form, each within the bound of a record.

use super::frames::InOrder;
use super::kept::Kept;
use super::name::{Form, SegmentName};
use crate::audit::error::AuditError;
use crate::audit::regular;
use crate::limits::RECORD_BYTES_MAX;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Take};
use std::path::Path;

/// Reads the lines of one segment, each within the bound of a record. Of a file that retention
/// deleted there are the lines that were kept.
#[derive(Debug)]
pub(in crate::audit) struct Lines {
    source: Source,
    /// What it is about, if retention deleted the file.
    pub(in crate::audit) kept: Option<Kept>,
    /// The bytes of the lines given so far, newlines included.
    pub(in crate::audit) offset: u64,
}

#[derive(Debug)]
enum Source {
    Plain(BufReader<Take<File>>),
    Sealed(Box<InOrder>),
    Damaged(String),
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

/// Opens a file in the form that it has now: it may have been sealed since it was listed, or
/// deleted by retention.
pub(super) fn in_any_form<T>(
    segment: &SegmentName,
    open: impl Fn(&SegmentName) -> Result<T, AuditError>,
) -> Result<T, AuditError> {
    let forms = [Form::Plain, Form::Sealed, Form::Kept];
    let later = forms.into_iter().filter(|form| *form > segment.form);
    let mut opened = open(segment);
    for form in later {
        let missing = matches!(&opened, Err(AuditError::File { why, .. })
            if why.kind() == ErrorKind::NotFound);
        if !missing {
            break;
        }
        match open(&segment.as_form(form)) {
            Err(AuditError::File { why, .. }) if why.kind() == ErrorKind::NotFound => {}
            other => opened = other,
        }
    }
    opened
}

impl Lines {
    pub(in crate::audit) fn open(dir: &Path, segment: &SegmentName) -> Result<Lines, AuditError> {
        in_any_form(segment, |segment| {
            let path = segment.path(dir);
            let failed = AuditError::file("open", &path);
            let opened = match segment.form {
                Form::Plain => regular::open(&path).map(|file| (plain(file.take(u64::MAX)), None)),
                Form::Sealed => {
                    InOrder::open(&path).map(|file| (Source::Sealed(Box::new(file)), None))
                }
                Form::Kept => {
                    Kept::open(&path).and_then(|kept| Ok((plain(kept.lines()?), Some(kept))))
                }
            };
            let (source, kept) = match opened {
                Err(why) if why.kind() == ErrorKind::InvalidData => {
                    (Source::Damaged(why.to_string()), None)
                }
                opened => opened.map_err(failed)?,
            };
            Ok(Lines { source, kept, offset: 0 })
        })
    }

    /// Puts the next line, without its newline, into `line`; nothing at the end of the file. A
    /// file that is not what was sealed or kept is an error of kind `InvalidData`.
    pub(in crate::audit) fn next_into(&mut self, line: &mut Vec<u8>) -> io::Result<Option<Ending>> {
        match &mut self.source {
            Source::Plain(file) => next_line(file, line, &mut self.offset),
            Source::Sealed(file) => next_line(file.as_mut(), line, &mut self.offset),
            Source::Damaged(why) => Err(io::Error::new(ErrorKind::InvalidData, why.clone())),
        }
    }
}

fn plain(file: Take<File>) -> Source {
    Source::Plain(BufReader::with_capacity(1 << 16, file))
}

fn next_line(
    reader: &mut impl BufRead,
    line: &mut Vec<u8>,
    offset: &mut u64,
) -> io::Result<Option<Ending>> {
    line.clear();
    let mut too_long = false;
    let mut read = 0_u64;
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            *offset += read;
            return Ok((read > 0).then_some(Ending::Torn));
        }
        let newline = memchr::memchr(b'\n', buffer);
        let part = buffer.get(..newline.unwrap_or(buffer.len())).unwrap_or_default();
        too_long |= line.len() + part.len() >= RECORD_BYTES_MAX;
        if too_long {
            line.clear();
        } else {
            line.extend_from_slice(part);
        }
        let used = part.len() + usize::from(newline.is_some());
        reader.consume(used);
        read += u64::try_from(used).unwrap_or(u64::MAX);
        if newline.is_some() {
            *offset += read;
            return Ok(Some(if too_long { Ending::TooLong } else { Ending::Whole }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::place::StreamId;

    #[test]
    fn lines_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let segment = SegmentName::plain(1, StreamId::generate());
        let long = "x".repeat(RECORD_BYTES_MAX);
        std::fs::write(segment.path(dir.path()), format!("a\n\n{long}\nb\nc")).unwrap();
        let mut lines = Lines::open(dir.path(), &segment).unwrap();
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
        assert_eq!(lines.offset, std::fs::metadata(segment.path(dir.path())).unwrap().len());
    }
}
