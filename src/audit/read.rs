//! Reads the records of a log in order, for `audit tail`, `audit show` and the demo.
//!
//! It does not judge the chain; that is `verify`. A torn end is where a record is being written,
//! and ends the reading; another line that is no record is told and passed over.

use crate::audit::error::AuditError;
use crate::audit::segment::{Ending, Lines, SegmentName, list};
use crate::audit::wire::WireRecord;
use std::path::{Path, PathBuf};

/// One record and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The record.
    pub record: WireRecord,
    /// The line as it stands in the file, without its newline.
    pub text: String,
    /// The file's name.
    pub file: String,
    /// The line in it, from 1.
    pub line: u64,
}

/// A line that is no record, or a file that cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{file}` line {line}: {why}")]
pub struct Unreadable {
    /// The file's name.
    pub file: String,
    /// The line in it, from 1.
    pub line: u64,
    /// The reason.
    pub why: String,
}

/// The records of a directory, oldest first.
///
/// # Errors
/// If the directory cannot be read.
pub fn records(dir: &Path) -> Result<Records, AuditError> {
    Ok(Records::of(dir, list(dir)?))
}

/// Iterates over the records of a directory.
#[derive(Debug)]
pub struct Records {
    dir: PathBuf,
    /// The files still to come, the next one last.
    segments: Vec<SegmentName>,
    /// Lines without this text are passed unread.
    holding: &'static str,
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    file: String,
    line: u64,
    lines: Lines,
}

impl Records {
    /// The records of these files, in their order.
    pub(super) fn of(dir: &Path, mut segments: Vec<SegmentName>) -> Records {
        segments.reverse();
        Records { dir: dir.to_owned(), segments, holding: "", current: None }
    }

    /// Only those whose line holds this text: finding it costs far less than reading a record.
    #[must_use]
    pub fn holding(self, text: &'static str) -> Records {
        Records { holding: text, ..self }
    }
}

impl Iterator for Records {
    type Item = Result<Entry, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(current) = &mut self.current {
                match current.next(self.holding) {
                    Some(Ok(entry)) => return Some(Ok(entry)),
                    Some(Err((why, go_on))) => {
                        let Current { file, line, .. } = current;
                        let bad = Unreadable { file: file.clone(), line: *line, why };
                        if !go_on {
                            self.current = None;
                        }
                        return Some(Err(bad));
                    }
                    None => self.current = None,
                }
            }
            let segment = self.segments.pop()?;
            match Lines::open(&self.dir, &segment) {
                Ok(lines) => {
                    self.current = Some(Current { file: segment.to_string(), line: 0, lines });
                }
                Err(why) => {
                    let file = segment.to_string();
                    return Some(Err(Unreadable { file, line: 0, why: why.to_string() }));
                }
            }
        }
    }
}

impl Current {
    /// The next record; an error says whether the file can be read on.
    fn next(&mut self, holding: &str) -> Option<Result<Entry, (String, bool)>> {
        let mut line = Vec::new();
        let text = loop {
            let ending = match self.lines.next_into(&mut line) {
                Ok(None | Some(Ending::Torn)) => return None,
                Ok(Some(ending)) => ending,
                Err(why) => return Some(Err((why.to_string(), false))),
            };
            self.line += 1;
            if ending == Ending::TooLong {
                let why = "the line is longer than a record can be";
                return Some(Err((why.to_owned(), true)));
            }
            match String::from_utf8(std::mem::take(&mut line)) {
                Ok(text) if text.contains(holding) => break text,
                Ok(passed) => line = passed.into_bytes(),
                Err(why) => return Some(Err((why.to_string(), true))),
            }
        };
        Some(match serde_json::from_str(&text) {
            Ok(record) => Ok(Entry { record, text, file: self.file.clone(), line: self.line }),
            Err(why) => Err((format!("the line is no record: {why}"), true)),
        })
    }
}
