//! The log for whoever builds something from it: file by file from its end, and then without a gap.
//!
//! Reading it strictly, each line must be a record that follows the one before it. It is no
//! `verify`: what lies before the file that one begins with is not looked at.

use crate::audit::error::AuditError;
use crate::audit::proof::chain::Chain;
use crate::audit::read::{Entry, Records, Unreadable};
use crate::audit::segment::{Ending, Form, Lines, SegmentName, list};
use std::path::{Path, PathBuf};

/// The files of a directory.
#[derive(Debug)]
pub struct Log {
    dir: PathBuf,
    segments: Vec<SegmentName>,
}

impl Log {
    /// The log of a directory as it is now.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn of(dir: &Path) -> Result<Log, AuditError> {
        Ok(Log { dir: dir.to_owned(), segments: list(dir)? })
    }

    /// How many files there are.
    #[must_use]
    pub fn files(&self) -> usize {
        self.segments.len()
    }

    /// Whether retention deleted any.
    #[must_use]
    pub fn has_holes(&self) -> bool {
        self.segments.iter().any(|segment| segment.form == Form::Kept)
    }

    /// The records of one file, the oldest file being 0; what cannot be read is told and passed.
    #[must_use]
    pub fn file(&self, number: usize) -> Records {
        Records::of(&self.dir, self.segments.get(number).cloned().into_iter().collect())
    }

    /// All records from a file on, each of which must follow the one before it.
    #[must_use]
    pub fn from(&self, file: usize) -> Strict {
        let mut segments = self.segments.get(file..).unwrap_or_default().to_vec();
        segments.reverse();
        Strict { dir: self.dir.clone(), segments, chain: None, current: None }
    }
}

/// Iterates over records without a gap; after an error it goes on with what it can.
#[derive(Debug)]
pub struct Strict {
    dir: PathBuf,
    /// The files still to come, the next one last.
    segments: Vec<SegmentName>,
    chain: Option<(SegmentName, Chain)>,
    current: Option<(String, u64, Lines)>,
}

impl Iterator for Strict {
    type Item = Result<Entry, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((file, line, lines)) = &mut self.current {
                let chain = self.chain.as_mut().map(|(_, chain)| chain);
                match next(lines, chain) {
                    Ok(None) => self.current = None,
                    Ok(Some((record, text))) => {
                        *line += 1;
                        let (file, line) = (file.clone(), *line);
                        return Some(Ok(Entry { record, text, file, line }));
                    }
                    Err((why, go_on)) => {
                        *line += 1;
                        let bad = Unreadable { file: file.clone(), line: *line, why };
                        if !go_on {
                            self.current = None;
                        }
                        return Some(Err(bad));
                    }
                }
            } else {
                let segment = self.segments.pop()?;
                self.begin(&segment);
                let file = segment.to_string();
                match Lines::open(&self.dir, &segment) {
                    Ok(Lines { kept: Some(kept), .. }) => {
                        let chain = self.chain.as_mut().map(|(_, chain)| chain);
                        let (first, last) = kept.range();
                        if let Some(Err(flaw)) = chain.map(|chain| chain.leap(first, last)) {
                            let why = flaw.to_string();
                            return Some(Err(Unreadable { file, line: 0, why }));
                        }
                    }
                    Ok(lines) => self.current = Some((file, 0, lines)),
                    Err(why) => {
                        return Some(Err(Unreadable { file, line: 0, why: why.to_string() }));
                    }
                }
            }
        }
    }
}

impl Strict {
    /// A file goes on with the stream of the one before it, or begins another.
    fn begin(&mut self, segment: &SegmentName) {
        let chain = match self.chain.take() {
            Some((before, chain)) if before.stream == segment.stream => chain,
            Some(_) => Chain::begin(segment.stream.clone()),
            None => Chain::resume(segment.stream.clone()),
        };
        self.chain = Some((segment.clone(), chain));
    }
}

/// The next record of a file; an error says whether the file can be read on.
fn next(
    lines: &mut Lines,
    chain: Option<&mut Chain>,
) -> Result<Option<(crate::audit::wire::WireRecord, String)>, (String, bool)> {
    let mut line = Vec::new();
    let ending = match lines.next_into(&mut line) {
        Ok(None) => return Ok(None),
        Ok(Some(ending)) => ending,
        Err(why) => return Err((why.to_string(), false)),
    };
    let Some(chain) = chain else { return Err(("the file has no stream".to_owned(), false)) };
    match ending {
        Ending::Whole => {}
        Ending::Torn => return Err(("the line is cut off".to_owned(), false)),
        Ending::TooLong => {
            chain.lose();
            return Err(("the line is longer than a record can be".to_owned(), true));
        }
    }
    chain.take(&line).map_err(|flaw| (flaw.to_string(), true))?;
    let text = String::from_utf8(line).map_err(|why| (why.to_string(), true))?;
    match serde_json::from_str(&text) {
        Ok(record) => Ok(Some((record, text))),
        Err(why) => Err((format!("the line is no record: {why}"), true)),
    }
}
