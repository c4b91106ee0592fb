//! What verifying a log came to.

use crate::audit::place::{Head, StreamId};
use crate::audit::proof::chain::Flaw;
use crate::audit::proof::note::PublicKey;
use std::collections::BTreeSet;

/// What a file's chain came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Whole, and covered by heads that were signed as it was written.
    Sealed,
    /// Whole as far as it tells, but no head covers its end, or a start took some of it on trust.
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
    /// Whole lines read, or kept as leaves by retention.
    pub records: u64,
    /// The newest record.
    pub head: Option<Head>,
    /// Who signed it; nothing if nobody did.
    pub signed: Option<SignedBy>,
    /// Texts kept beside the log that were erased, as the log tells and vouches for.
    pub erased: BTreeSet<[u8; 32]>,
    /// If its end is not signed: the stream, and how many of its records the last head but one
    /// covers. Behind that a copy of a log that was being written may lack what lies beside it.
    pub open_end: Option<(StreamId, u64)>,
}

/// Who signed a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBy {
    /// The log's first key.
    pub first: PublicKey,
    /// Whether that key was known from elsewhere; else it is only what the log itself says.
    pub is_trusted: bool,
    /// How many keys signed, one after the other.
    pub keys: u64,
    /// When the newest head was signed, as it says: RFC 3339.
    pub newest: String,
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
    /// How many of them no signed head covers.
    pub uncovered: u64,
    /// How many of them a start found unsigned and signed over: a crash leaves some, and so does
    /// who wrote them there without the key.
    pub on_trust: u64,
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

/// How far verifying is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of files that were read.
    pub bytes: u64,
    /// Of all.
    pub of: u64,
    /// Records that were read.
    pub records: u64,
}

impl Report {
    /// The worst of all.
    #[must_use]
    pub fn state(&self) -> State {
        if !self.flaws.is_empty() {
            return State::Broken;
        }
        // A file without records, as a crash leaves it, says nothing.
        let is_empty = |one: &SegmentReport| one.records == 0 && one.state != State::Broken;
        let segments = self.segments.iter().filter(|one| !is_empty(one) || one.torn_bytes > 0);
        segments.map(|segment| segment.state).max().unwrap_or(State::Unsealed)
    }

    /// Records that a start took on trust.
    #[must_use]
    pub fn on_trust(&self) -> u64 {
        self.segments.iter().map(|segment| segment.on_trust).sum()
    }

    /// Records that no signed head covers.
    #[must_use]
    pub fn uncovered(&self) -> u64 {
        self.segments.iter().map(|segment| segment.uncovered).sum()
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
