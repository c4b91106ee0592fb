//! One file in the report of `verify`: which of its lines no head covers, the second reading of
//! those, and what the file comes to.

use crate::audit::error::AuditError;
use crate::audit::proof::chain::Flaw;
use crate::audit::proof::link;
use crate::audit::proof::report::{BadRecord, SegmentReport, State};
use crate::audit::segment::{Ending, Form, Lines, SegmentName};
use std::io::ErrorKind;
use std::path::Path;

/// One file.
pub(super) struct Part {
    pub(super) name: SegmentName,
    pub(super) report: SegmentReport,
    /// The first line that no head covers.
    uncovered_from: Option<u64>,
}

impl Part {
    /// A file of which nothing was read yet.
    pub(super) fn of(segment: &SegmentName) -> Part {
        let report = SegmentReport {
            file: segment.to_string(),
            stream: segment.stream.clone(),
            state: State::Unsealed,
            records: 0,
            uncovered: 0,
            on_trust: 0,
            first_bad: None,
            torn_bytes: 0,
        };
        Part { name: segment.clone(), report, uncovered_from: None }
    }

    /// The newest line has this flaw.
    pub(super) fn flaw(&mut self, flaw: Flaw) {
        let line = self.report.records;
        self.report.first_bad.get_or_insert(BadRecord { line, flaw });
    }

    /// No head covers so many lines, of which this is the first.
    pub(super) fn uncovered(&mut self, from: u64, count: u64) {
        self.report.uncovered += count;
        self.uncovered_from.get_or_insert(from);
    }

    /// What it comes to, once all is known.
    pub(super) fn judge(&mut self, is_signed: bool) {
        let report = &mut self.report;
        let is_whole = is_signed
            && report.records > 0
            && report.uncovered == 0
            && report.on_trust == 0
            && report.torn_bytes == 0;
        report.state = match &report.first_bad {
            Some(_) => State::Broken,
            None if is_whole => State::Sealed,
            None => State::Unsealed,
        };
    }

    /// Nothing vouches for what no head covers: its lines must at least be records.
    pub(super) fn read_again(&mut self, dir: &Path) -> Result<(), AuditError> {
        let Some(from) = self.uncovered_from.filter(|_| self.name.form != Form::Kept) else {
            return Ok(());
        };
        let path = self.name.path(dir);
        let mut lines = Lines::open(dir, &self.name)?;
        let (mut line, mut number) = (Vec::new(), 0);
        let end = self.report.first_bad.as_ref().map_or(u64::MAX, |bad| bad.line);
        loop {
            let ending = match lines.next_into(&mut line) {
                Ok(Some(ending)) => ending,
                Ok(None) => break,
                // Told already, where it was read first.
                Err(why) if why.kind() == ErrorKind::InvalidData => break,
                Err(why) => return Err(AuditError::file("read", &path)(why)),
            };
            number += 1;
            if number >= end || ending == Ending::Torn {
                break;
            }
            if number < from || ending == Ending::TooLong {
                continue;
            }
            if let Err(flaw) = link::strictly(&line) {
                self.report.first_bad = Some(BadRecord { line: number, flaw });
                break;
            }
        }
        Ok(())
    }
}
