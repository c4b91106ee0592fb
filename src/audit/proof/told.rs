//! What stands in a stream and is not vouched for yet, and what the log tells is gone.
//!
//! A head vouches for what the process wrote that signed it. What a start found behind the newest
//! head it cannot vouch for: a crash leaves such an end, and so does whoever wrote it there without
//! the key. It goes on with it and signs over it, so that it cannot be changed any more; but it is
//! counted as taken on trust, and what it tells of deletions excuses nothing. Each start writes its
//! record before it signs anything, so that every reader sees where it began.

use crate::audit::place::Hash;
use crate::audit::segment::SegmentName;
use crate::audit::wire::WireRecord;
use crate::model::json::Json;
use crate::model::record::Kind;
use std::collections::BTreeSet;

/// What the log tells is gone.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    /// A file's name without its end, and the digest of what was kept of it.
    deleted: BTreeSet<(String, String)>,
    /// Texts that were kept beside the log.
    erased: BTreeSet<[u8; 32]>,
}

impl Told {
    /// Takes a line of the log if it tells of any.
    fn line(&mut self, line: &[u8]) {
        let Ok(record) = serde_json::from_slice::<WireRecord>(line) else { return };
        let list = |key: &str| record.details.get(key).and_then(Json::as_array);
        if record.kind == Kind::AuditRetention.as_str() {
            for file in list("files").into_iter().flatten() {
                let text = |key: &str| file.get(key).and_then(Json::as_str).map(str::to_owned);
                self.deleted.extend(text("file").zip(text("kept")));
            }
        } else if record.kind == Kind::AuditErased.as_str() {
            let names = list("blobs").into_iter().flatten();
            let names = names.filter_map(|name| name.as_str().and_then(Hash::parse));
            self.erased.extend(names.map(|name| *name.as_bytes()));
        }
    }

    fn take(&mut self, mut other: Told) {
        self.deleted.append(&mut other.deleted);
        self.erased.append(&mut other.erased);
    }

    /// Whether it told of this file, of which this was kept.
    pub(super) fn tells_of(&self, segment: &SegmentName, kept: Hash) -> bool {
        self.deleted.contains(&(segment.stem(), kept.to_string()))
    }

    /// The texts of which it told.
    pub(super) fn erased(self) -> BTreeSet<[u8; 32]> {
        self.erased
    }
}

/// Records of one file: which, from which line on, how many.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) file: usize,
    pub(super) from: u64,
    pub(super) count: u64,
}

/// What no head of a stream covers yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting {
    /// What a start found so.
    found: Part,
    /// What was written since.
    written: Part,
}

#[derive(Debug, Clone, Default)]
struct Part {
    runs: Vec<Run>,
    told: Told,
}

impl Waiting {
    /// One more record, at this line of this file.
    pub(super) fn record(&mut self, file: usize, line: u64) {
        match self.written.runs.last_mut() {
            Some(run) if run.file == file && run.from + run.count == line => run.count += 1,
            Some(_) | None => self.written.runs.push(Run { file, from: line, count: 1 }),
        }
    }

    /// That record tells of something that is gone.
    pub(super) fn tells(&mut self, line: &[u8]) {
        self.written.told.line(line);
    }

    /// A start: all that waits it found.
    pub(super) fn start(&mut self) {
        let Part { runs, told } = std::mem::take(&mut self.written);
        self.found.runs.extend(runs);
        self.found.told.take(told);
    }

    /// How many records wait.
    pub(super) fn count(&self) -> u64 {
        self.found.runs.iter().chain(&self.written.runs).map(|run| run.count).sum()
    }

    /// A head covers all of it: what is vouched for is told, the rest are runs taken on trust.
    pub(super) fn covered(&mut self, (told, hearsay): (&mut Told, &mut Told)) -> Vec<Run> {
        let Waiting { found, written } = std::mem::take(self);
        told.take(written.told);
        hearsay.take(found.told);
        found.runs
    }

    /// No head will cover any of it.
    pub(super) fn lost(&mut self, hearsay: &mut Told) -> Vec<Run> {
        let Waiting { found, written } = std::mem::take(self);
        hearsay.take(found.told);
        hearsay.take(written.told);
        [found.runs, written.runs].concat()
    }
}
