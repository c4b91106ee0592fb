//! Follows the log behind a cursor: over all files, plain and sealed, up to what is on the disk.
//!
//! A record that it gave is not given again unless it is asked to go back; one that is missing is
//! counted, and never waited for.

use super::cursor::holding;
use super::deliver::Line;
use crate::audit::error::AuditError;
use crate::audit::place::Head;
use crate::audit::segment::{Ending, Lines, SegmentName, list};
use crate::audit::wire::WireRecord;
use std::path::{Path, PathBuf};

/// Where a reader is.
#[derive(Debug)]
pub(super) struct Reader {
    dir: PathBuf,
    /// The newest record that was given.
    last: Option<(String, u64)>,
    open: Option<Open>,
    /// The number of the newest file that was read to its end.
    done: Option<u64>,
    /// Records that could not be read, or were not there.
    pub(super) skipped: u64,
}

#[derive(Debug)]
struct Open {
    segment: SegmentName,
    lines: Lines,
    /// It was read to its end after a newer file was there.
    drained: bool,
}

impl Reader {
    /// A reader that begins behind a record, or with the oldest one.
    pub(super) fn behind(dir: &Path, last: Option<(String, u64)>) -> Reader {
        Reader { dir: dir.to_owned(), last, open: None, done: None, skipped: 0 }
    }

    /// The next record that is on the disk; nothing if there is none yet.
    ///
    /// # Errors
    /// If a file cannot be read now.
    pub(super) fn next(&mut self, committed: &Head) -> Result<Option<Line>, AuditError> {
        loop {
            // Behind it there may be half a line.
            let at_head = self.last.as_ref().is_some_and(|(stream, seq)| {
                stream == committed.stream.as_str() && *seq >= committed.seq
            });
            if at_head {
                return Ok(None);
            }
            if self.open.is_none() && !self.open_next()? {
                return Ok(None);
            }
            let Some(open) = &mut self.open else { return Ok(None) };
            let path = open.segment.path(&self.dir);
            let mut line = Vec::new();
            let ending = open.lines.next_into(&mut line);
            match ending.map_err(AuditError::file("read", &path))? {
                Some(Ending::Whole) => {
                    open.drained = false;
                    if let Some(line) = self.take(line) {
                        return Ok(Some(line));
                    }
                }
                Some(Ending::TooLong) => self.skipped += 1,
                Some(Ending::Torn) | None => {
                    if !self.is_over()? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// A line as a record, unless it was given before.
    fn take(&mut self, line: Vec<u8>) -> Option<Line> {
        let read = String::from_utf8(line).ok().and_then(|text| {
            let record: WireRecord = serde_json::from_str(&text).ok()?;
            Some(Line { record, text })
        });
        let Some(line) = read else {
            self.skipped += 1;
            return None;
        };
        let (stream, seq) = (&line.record.stream, line.record.seq);
        if let Some((of, last)) = self.last.as_ref().filter(|(of, _)| of == stream) {
            if seq <= *last {
                return None;
            }
            if seq - last > 1 {
                let missing = seq - last - 1;
                tracing::warn!(stream = %of, after = last, missing, "records are missing");
                self.skipped += missing;
            }
        }
        self.last = Some((stream.clone(), seq));
        Some(line)
    }

    /// Opens the file that comes next; false if there is none.
    fn open_next(&mut self) -> Result<bool, AuditError> {
        let segments = list(&self.dir)?;
        let next = match (self.done, &self.last) {
            (Some(done), _) => segments.iter().position(|segment| segment.number > done),
            (None, Some((stream, seq))) => {
                // Of a stream that is not there any more nothing is left to give.
                Some(holding(&self.dir, &segments, stream, *seq).unwrap_or(0))
            }
            (None, None) => Some(0),
        };
        let Some(segment) = next.and_then(|index| segments.get(index)) else { return Ok(false) };
        let lines = open(&self.dir, segment)?;
        self.open = Some(Open { segment: segment.clone(), lines, drained: false });
        Ok(true)
    }

    /// At the end of a file: whether it will not grow any more. If it may have grown since its end
    /// was seen it is looked at once more.
    fn is_over(&mut self) -> Result<bool, AuditError> {
        let Some(open) = &mut self.open else { return Ok(true) };
        let number = open.segment.number;
        if open.drained {
            self.done = Some(number);
            self.open = None;
            return Ok(true);
        }
        open.drained = list(&self.dir)?.iter().any(|segment| segment.number > number);
        Ok(open.drained)
    }
}

/// The number of the first record of a file, if it has one.
pub(super) fn first_seq(dir: &Path, segment: &SegmentName) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct Place {
        seq: u64,
    }
    let mut lines = open(dir, segment).ok()?;
    let mut line = Vec::new();
    while let Ok(Some(ending)) = lines.next_into(&mut line) {
        if ending == Ending::Whole
            && let Ok(place) = serde_json::from_slice::<Place>(&line)
        {
            return Some(place.seq);
        }
    }
    None
}

fn open(dir: &Path, segment: &SegmentName) -> Result<Lines, AuditError> {
    Lines::open(dir, segment)
}
