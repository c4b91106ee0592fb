//! Whether a log is what was written: every line readable, numbered and linked to the one before.
//!
//! Finds every changed, dropped, doubled or moved line. It cannot find an end that was cut off, or
//! a change to the very last line, unless a head that was kept elsewhere is given; nor a chain that
//! was written anew from the start by someone who may write the directory.

use crate::audit::error::AuditError;
use crate::audit::place::{Hash, Head, StreamId};
use crate::audit::proof::chain::{Chain, Flaw};
use crate::audit::segment::{Ending, Kept, Lines, SegmentName, list};
use crate::audit::wire::WireRecord;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

/// What a file's chain came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Whole, and its head is signed.
    Sealed,
    /// Whole, but nobody signed it.
    Unsealed,
    /// Not what was written.
    Broken,
}

/// What was found in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Each file, oldest first.
    pub segments: Vec<SegmentReport>,
    /// Numbers that are missing between records.
    pub gaps: Vec<Gap>,
    /// What is wrong with the log as a whole.
    pub flaws: Vec<Flaw>,
    /// Whole lines read.
    pub records: u64,
    /// The newest record.
    pub head: Option<Head>,
}

/// What was found in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentReport {
    /// Its name.
    pub file: String,
    /// Its stream.
    pub stream: StreamId,
    /// Its state.
    pub state: State,
    /// Whole lines read.
    pub records: u64,
    /// The first record that is wrong.
    pub first_bad: Option<BadRecord>,
    /// Bytes behind the last whole line of the newest file: a record that is being written, or
    /// was when the sidecar died.
    pub torn_bytes: u64,
}

/// A record that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRecord {
    /// Its line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// Records that are missing from a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The stream.
    pub stream: StreamId,
    /// The first number that is missing.
    pub first: u64,
    /// The last number that is missing.
    pub last: u64,
}

impl Report {
    /// The worst of all.
    #[must_use]
    pub fn state(&self) -> State {
        if !self.flaws.is_empty() {
            return State::Broken;
        }
        self.segments.iter().map(|segment| segment.state).max().unwrap_or(State::Unsealed)
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            State::Sealed => "SEALED",
            State::Unsealed => "UNSEALED",
            State::Broken => "BROKEN",
        })
    }
}

/// Reads every record of a directory; `expected` is a head that was kept elsewhere.
///
/// # Errors
/// If a file cannot be read. What is wrong with the log is in the report, not an error.
pub fn verify(dir: &Path, expected: Option<&Head>) -> Result<Report, AuditError> {
    let segments = list(dir)?;
    let mut verifier = Verifier { expected, ..Verifier::default() };
    for (index, segment) in segments.iter().enumerate() {
        let is_newest = index + 1 == segments.len();
        verifier.segment(dir, segment, is_newest)?;
    }
    Ok(verifier.finish())
}

/// Reads every record of the newest file alone: whether what is being written now is whole.
///
/// # Errors
/// As [`verify`].
pub fn verify_newest(dir: &Path) -> Result<Report, AuditError> {
    let mut verifier = Verifier::default();
    if let Some(newest) = list(dir)?.last() {
        let chain = Chain::resume(newest.stream.clone());
        let middle = Stream { chain, last_hash: Hash::ZERO };
        verifier.streams.insert(newest.stream.clone(), middle);
        verifier.segment(dir, newest, true)?;
    }
    Ok(verifier.finish())
}

#[derive(Debug, Default)]
struct Verifier<'a> {
    expected: Option<&'a Head>,
    expected_seen: bool,
    streams: BTreeMap<StreamId, Stream>,
    segments: Vec<SegmentReport>,
    gaps: Vec<Gap>,
    flaws: Vec<Flaw>,
    head: Option<Head>,
}

/// Where one stream stands.
#[derive(Debug, Clone)]
struct Stream {
    chain: Chain,
    /// The hash of its last whole line, whether that is a record or not.
    last_hash: Hash,
}

impl Verifier<'_> {
    fn segment(
        &mut self,
        dir: &Path,
        segment: &SegmentName,
        is_newest: bool,
    ) -> Result<(), AuditError> {
        let path = segment.path(dir);
        let mut lines = Lines::open(dir, segment)?;
        let mut report = SegmentReport {
            file: segment.to_string(),
            stream: segment.stream.clone(),
            state: State::Unsealed,
            records: 0,
            first_bad: None,
            torn_bytes: 0,
        };
        if let Some(kept) = &lines.kept {
            if let Err(flaw) = self.hole(segment, kept) {
                report.first_bad = Some(BadRecord { line: 0, flaw });
                report.state = State::Broken;
            }
        }
        let (mut line, mut whole) = (Vec::new(), 0);
        while lines.kept.is_none() {
            let ending = match lines.next_into(&mut line) {
                Ok(None) => break,
                Ok(Some(ending)) => ending,
                Err(why) if why.kind() == ErrorKind::InvalidData => {
                    self.lose(&segment.stream);
                    let flaw = Flaw::Damaged(why.to_string());
                    let bad = BadRecord { line: report.records + 1, flaw };
                    report.first_bad = report.first_bad.or(Some(bad));
                    report.state = State::Broken;
                    break;
                }
                Err(why) => return Err(AuditError::file("read", &path)(why)),
            };
            if ending == Ending::Torn && is_newest {
                report.torn_bytes = lines.offset - whole;
                break;
            }
            whole = lines.offset;
            report.records += 1;
            let result = self.line(&segment.stream, &line, ending);
            if let (Err(flaw), None) = (result, &report.first_bad) {
                report.first_bad = Some(BadRecord { line: report.records, flaw });
                report.state = State::Broken;
            }
        }
        self.segments.push(report);
        Ok(())
    }

    fn stream(&mut self, id: &StreamId) -> &mut Stream {
        self.streams
            .entry(id.clone())
            .or_insert_with(|| Stream { chain: Chain::begin(id.clone()), last_hash: Hash::ZERO })
    }

    /// Records that were deleted by retention: the chain goes on behind them.
    fn hole(&mut self, segment: &SegmentName, kept: &Kept) -> Result<(), Flaw> {
        let (first, last) = kept.range();
        let stream = self.stream(&segment.stream);
        stream.last_hash = last.1;
        stream.chain.leap(first, last)
    }

    /// What comes next in this file cannot be read.
    fn lose(&mut self, id: &StreamId) {
        let stream = self.stream(id);
        stream.last_hash = Hash::of(&[]);
        stream.chain.lose();
    }

    fn line(&mut self, id: &StreamId, line: &[u8], ending: Ending) -> Result<(), Flaw> {
        let is_first = !self.streams.contains_key(id);
        let stream = self.stream(id);
        stream.last_hash = Hash::of(line);
        match ending {
            Ending::Whole => {}
            Ending::Torn => {
                stream.chain.lose();
                return Err(Flaw::Torn);
            }
            Ending::TooLong => {
                stream.chain.lose();
                return Err(Flaw::TooLong);
            }
        }
        let result = stream.chain.take(line);
        if let Some((seq, hash)) = stream.chain.last() {
            self.head = Some(Head { stream: id.clone(), seq, hash });
        }
        if let Err(Flaw::Sequence { expected, found }) = &result
            && found > expected
        {
            self.gaps.push(Gap { stream: id.clone(), first: *expected, last: found - 1 });
        }
        self.compare_with_expected();
        result?;
        if is_first { self.stream_before(id, line) } else { Ok(()) }
    }

    /// A new stream names the end of the one before it: an end that was cut off since then shows.
    fn stream_before(&self, id: &StreamId, line: &[u8]) -> Result<(), Flaw> {
        let record: WireRecord =
            serde_json::from_slice(line).map_err(|why| Flaw::Unreadable(why.to_string()))?;
        let Some(previous) = record.details.get("previous") else { return Ok(()) };
        let text = |key: &str| previous.get(key).and_then(|value| value.as_str());
        let name = text("stream").unwrap_or_default();
        if name == id.as_str() {
            return Ok(());
        }
        match self.streams.iter().find(|(stream, _)| stream.as_str() == name) {
            None => Err(Flaw::StreamMissing(name.to_owned())),
            Some((_, before)) if text("head").and_then(Hash::parse) == Some(before.last_hash) => {
                Ok(())
            }
            Some(_) => Err(Flaw::StreamEnd(name.to_owned())),
        }
    }

    fn compare_with_expected(&mut self) {
        let (Some(expected), Some(head)) = (self.expected, &self.head) else { return };
        if (&expected.stream, expected.seq) != (&head.stream, head.seq) {
            return;
        }
        self.expected_seen = true;
        if expected.hash != head.hash {
            self.flaws.push(Flaw::HeadDiffers(expected.seq));
        }
    }

    fn finish(mut self) -> Report {
        if let (Some(expected), false) = (self.expected, self.expected_seen) {
            self.flaws.push(Flaw::HeadMissing(expected.seq));
        }
        Report {
            records: self.segments.iter().map(|segment| segment.records).sum(),
            segments: self.segments,
            gaps: self.gaps,
            flaws: self.flaws,
            head: self.head,
        }
    }
}
