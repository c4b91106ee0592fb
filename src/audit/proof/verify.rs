//! Whether a log is what was written: every line readable, numbered, linked to the one before,
//! and covered by a head that a key of this log signed.
//!
//! Finds every changed, dropped, doubled or moved line up to the newest head; behind that, all but
//! a change to the very last line. It cannot find an end that was cut off at a head, nor a log that
//! the holder of its key wrote anew, unless a head or a key that was kept elsewhere is given.
//!
//! Lines are looked at in blocks on all threads (`pass`); here they are put in order. What lies
//! between a line's ends is not read as JSON: a signed head vouches for it. What no head covers is
//! read again, as a whole.

use crate::audit::error::AuditError;
use crate::audit::place::{Hash, Head, StreamId};
use crate::audit::proof::chain::{Chain, Flaw};
use crate::audit::proof::checkpoint::Checkpoint;
use crate::audit::proof::epochs::Epochs;
use crate::audit::proof::link::{self, Own};
use crate::audit::proof::merkle::{self, Tree};
use crate::audit::proof::note::{Note, PublicKey};
use crate::audit::proof::pass::{Line, Looked, Lookers};
use crate::audit::proof::report::{
    BadRecord, Gap, Progress, Report, SegmentReport, SignedBy, State,
};
use crate::audit::proof::resume::head_of;
use crate::audit::segment::{Blocks, Deletions, Ending, Form, Kept, Lines, SegmentName, list};
use crate::audit::wire::WireRecord;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;

/// A log below this size is read by the calling thread alone.
const ALONE_BYTES_MAX: u64 = 4 << 20;

/// What is known of a log from elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Elsewhere {
    /// The log's first key.
    pub key: Option<PublicKey>,
    /// Heads that were kept.
    pub heads: Vec<Outside>,
}

/// A head that was kept elsewhere.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "there are a few of them at most")]
pub enum Outside {
    /// The place of a record.
    Place(Head),
    /// A signed head.
    Signed(Checkpoint, Note),
}

/// Reads every record of a directory; `expected` is a head that was kept elsewhere.
///
/// # Errors
/// If a file cannot be read. What is wrong with the log is in the report, not an error.
pub fn verify(dir: &Path, expected: Option<&Head>) -> Result<Report, AuditError> {
    let heads = expected.map(|head| Outside::Place(head.clone())).into_iter().collect();
    verify_with(dir, &Elsewhere { key: None, heads }, &mut |_| {})
}

/// Reads every record of a directory, and holds it against what is known from elsewhere.
///
/// # Errors
/// As [`verify`].
pub fn verify_with(
    dir: &Path,
    elsewhere: &Elsewhere,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, AuditError> {
    let segments = list(dir)?;
    let size = |segment: &SegmentName| segment.path(dir).metadata().map_or(0, |about| about.len());
    let sizes: Vec<u64> = segments.iter().map(size).collect();
    let mut verifier = Verifier::new(dir, elsewhere);
    verifier.of = sizes.iter().sum();
    let mut go = |lookers: &mut Lookers, verifier: &mut Verifier<'_>| {
        for (index, (segment, size)) in segments.iter().zip(&sizes).enumerate() {
            let is_newest = index + 1 == segments.len();
            verifier.segment(segment, is_newest, lookers, progress)?;
            verifier.bytes += size;
        }
        Ok(())
    };
    if verifier.of <= ALONE_BYTES_MAX {
        go(&mut Lookers::none(), &mut verifier)?;
    } else {
        std::thread::scope(|scope| go(&mut Lookers::start(scope), &mut verifier))?;
    }
    verifier.finish()
}

/// Reads every record of the newest file alone: whether what is being written now is whole. Who
/// signed it is not asked.
///
/// # Errors
/// As [`verify`].
pub fn verify_newest(dir: &Path) -> Result<Report, AuditError> {
    let elsewhere = Elsewhere::default();
    let mut verifier = Verifier::new(dir, &elsewhere);
    if let Some(newest) = list(dir)?.last() {
        let middle = Stream {
            chain: Chain::resume(newest.stream.clone()),
            last_hash: Hash::ZERO,
            tree: None,
            pending: Vec::new(),
        };
        verifier.epochs = None;
        verifier.streams.insert(newest.stream.clone(), middle);
        verifier.segment(newest, true, &mut Lookers::none(), &mut |_| {})?;
    }
    verifier.finish()
}

struct Verifier<'a> {
    dir: &'a Path,
    heads: Vec<(&'a Outside, bool)>,
    /// Nothing where the keys are not known: somewhere in the middle.
    epochs: Option<Epochs>,
    streams: BTreeMap<StreamId, Stream>,
    segments: Vec<Part>,
    gaps: Vec<Gap>,
    /// What the log tells was deleted, and the parts that are.
    deletions: Deletions,
    holes: Vec<(usize, Hash)>,
    flaws: Vec<Flaw>,
    head: Option<Head>,
    bytes: u64,
    of: u64,
    records: u64,
}

/// Where one stream stands.
#[derive(Debug, Clone)]
struct Stream {
    chain: Chain,
    /// The hash of its last whole line, whether that is a record or not.
    last_hash: Hash,
    /// Nothing behind a flaw, up to the next signed head, which has it.
    tree: Option<Tree>,
    /// Records that no head covers yet: in which file, from which line on, how many.
    pending: Vec<(usize, u64, u64)>,
}

/// One file.
struct Part {
    name: SegmentName,
    report: SegmentReport,
    /// The first line that no head covers.
    uncovered_from: Option<u64>,
}

impl<'a> Verifier<'a> {
    fn new(dir: &'a Path, elsewhere: &'a Elsewhere) -> Verifier<'a> {
        Verifier {
            dir,
            heads: elsewhere.heads.iter().map(|head| (head, false)).collect(),
            epochs: Some(Epochs::trusting(elsewhere.key.as_ref())),
            streams: BTreeMap::new(),
            segments: Vec::new(),
            gaps: Vec::new(),
            deletions: Deletions::default(),
            holes: Vec::new(),
            flaws: Vec::new(),
            head: None,
            bytes: 0,
            of: 0,
            records: 0,
        }
    }

    fn segment(
        &mut self,
        segment: &SegmentName,
        is_newest: bool,
        lookers: &mut Lookers,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), AuditError> {
        let report = SegmentReport {
            file: segment.to_string(),
            stream: segment.stream.clone(),
            state: State::Unsealed,
            records: 0,
            uncovered: 0,
            first_bad: None,
            torn_bytes: 0,
        };
        self.segments.push(Part { name: segment.clone(), report, uncovered_from: None });
        let read = match segment.form {
            Form::Kept => self.kept(segment),
            Form::Plain | Form::Sealed => self.lines(segment, is_newest, lookers, progress),
        };
        match read {
            Err(AuditError::File { why, .. }) if why.kind() == ErrorKind::InvalidData => {
                self.bad(&segment.stream, Flaw::Damaged(why.to_string()));
                // No stream may name this as the end of the one before it.
                self.stream(&segment.stream).last_hash = Hash::of(&[]);
                Ok(())
            }
            read => read,
        }
    }

    fn lines(
        &mut self,
        segment: &SegmentName,
        is_newest: bool,
        lookers: &mut Lookers,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), AuditError> {
        let path = segment.path(self.dir);
        let mut blocks = Blocks::open(self.dir, segment)?;
        let (mut too_long, mut offset) = (0, 0);
        let result = loop {
            let block = match blocks.next_block() {
                Ok(Some(block)) => lookers.give(block, &segment.stream),
                Ok(None) => break Ok(()),
                Err(why) => break Err(AuditError::file("read", &path)(why)),
            };
            if blocks.too_long() > too_long {
                // What came before it must be in its place first.
                while let Some(looked) = lookers.take() {
                    self.block(&segment.stream, &looked);
                }
                too_long = blocks.too_long();
                self.bad(&segment.stream, Flaw::TooLong);
            }
            if let Some(looked) = block {
                self.block(&segment.stream, &looked);
                offset = blocks.offset();
            }
            let bytes = self.bytes.saturating_add(offset).min(self.of);
            progress(Progress { bytes, of: self.of, records: self.records });
        };
        while let Some(looked) = lookers.take() {
            self.block(&segment.stream, &looked);
        }
        result?;
        if blocks.too_long() > too_long {
            self.bad(&segment.stream, Flaw::TooLong);
        }
        let rest = u64::try_from(blocks.rest()).unwrap_or(u64::MAX);
        if rest > 0 && !is_newest {
            self.bad(&segment.stream, Flaw::Torn);
        } else if let Some(part) = self.segments.last_mut() {
            part.report.torn_bytes = rest;
        }
        Ok(())
    }

    fn block(&mut self, stream: &StreamId, looked: &Looked) {
        for line in &looked.lines {
            let text = looked.block.get(line.at.clone()).unwrap_or_default();
            match &line.claim {
                Ok(_) => self.record(stream, line, text),
                Err(flaw) => self.bad(stream, flaw.clone()),
            }
        }
    }

    /// A line that is no record: nothing that follows it in its stream is known to follow.
    fn bad(&mut self, id: &StreamId, flaw: Flaw) {
        self.count();
        let stream = self.stream(id);
        stream.chain.lose();
        self.flaw(id, flaw);
    }

    fn count(&mut self) {
        self.records += 1;
        if let Some(part) = self.segments.last_mut() {
            part.report.records += 1;
        }
    }

    fn stream(&mut self, id: &StreamId) -> &mut Stream {
        self.streams.entry(id.clone()).or_insert_with(|| Stream {
            chain: Chain::begin(id.clone()),
            last_hash: Hash::ZERO,
            tree: Some(Tree::default()),
            pending: Vec::new(),
        })
    }

    /// The newest line has this flaw.
    fn flaw(&mut self, id: &StreamId, flaw: Flaw) {
        if let Flaw::Sequence { expected, found } = &flaw
            && found > expected
        {
            self.gaps.push(Gap { stream: id.clone(), first: *expected, last: found - 1 });
        }
        let stream = self.stream(id);
        stream.tree = None;
        let pending = std::mem::take(&mut stream.pending);
        self.uncovered(pending);
        if let Some(Part { report, .. }) = self.segments.last_mut()
            && report.first_bad.is_none()
        {
            report.first_bad = Some(BadRecord { line: report.records, flaw });
        }
    }

    fn uncovered(&mut self, pending: Vec<(usize, u64, u64)>) {
        for (index, from, count) in pending {
            if let Some(part) = self.segments.get_mut(index) {
                part.report.uncovered += count;
                part.uncovered_from.get_or_insert(from);
            }
        }
    }

    fn record(&mut self, id: &StreamId, line: &Line, text: &[u8]) {
        let Ok(claim) = &line.claim else { return };
        self.count();
        let is_first = !self.streams.contains_key(id);
        let stream = self.stream(id);
        stream.last_hash = line.hash;
        let place = (claim.seq, line.hash);
        let result = stream.chain.follow(place, claim.prev, claim.foreign.clone());
        let result = result.and_then(|()| match claim.own {
            Own::Other => Ok(()),
            Own::Head | Own::Key => self.head(id, text, claim.prev.unwrap_or(Hash::ZERO)),
        });
        let result = match result {
            Ok(()) if is_first => self.stream_before(id, text),
            result => result,
        };
        if let Err(flaw) = result {
            self.flaw(id, flaw);
        } else {
            self.leaf(id, line.leaf, claim.own == Own::Other);
            self.deletions.line(text);
        }
        self.head = Some(Head { stream: id.clone(), seq: claim.seq, hash: line.hash });
        self.compare_place();
    }

    /// A record that fits goes into the tree, where that is known.
    fn leaf(&mut self, id: &StreamId, leaf: Hash, is_open: bool) {
        let index = self.segments.len().saturating_sub(1);
        let at = self.segments.last().map_or(0, |part| part.report.records);
        let stream = self.stream(id);
        if let Some(tree) = &mut stream.tree {
            tree.push(leaf);
        }
        if is_open {
            match stream.pending.last_mut() {
                Some((file, _, count)) if *file == index => *count += 1,
                Some(_) | None => stream.pending.push((index, at, 1)),
            }
        }
        self.compare_root(id);
    }

    /// A record in which a head of the log is kept.
    fn head(&mut self, id: &StreamId, text: &[u8], prev: Hash) -> Result<(), Flaw> {
        let (listed, (head, note)) = head_of(text, prev)?;
        if let Some(epochs) = &mut self.epochs {
            epochs.take(&head, &note)?;
        }
        let stream = self.stream(id);
        match &stream.tree {
            Some(tree) if tree.size() != head.size || tree.root() != head.root => {
                let covered = tree.size() - stream.pending.iter().map(|(.., n)| n).sum::<u64>();
                stream.tree = None;
                return Err(Flaw::Root(covered.saturating_add(1)));
            }
            Some(_) => {}
            None => stream.tree = Some(listed),
        }
        stream.pending.clear();
        Ok(())
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

    /// What retention left of a file. Its leaves are held against the next signed head.
    fn kept(&mut self, segment: &SegmentName) -> Result<(), AuditError> {
        let path = segment.path(self.dir);
        let failed = || AuditError::file("read", &path);
        let kept = Kept::open(&path).map_err(failed())?;
        let part = self.segments.len().saturating_sub(1);
        self.holes.push((part, kept.digest().map_err(failed())?));
        let ((first, prev), (last, end)) = kept.range();
        let id = &segment.stream;
        if let Err(flaw) = self.stream(id).chain.leap((first, prev), (last, end)) {
            self.flaw(id, flaw);
        }
        let mut own = BufReader::new(kept.lines().map_err(failed())?).split(b'\n');
        let mut next = own.next().transpose().map_err(failed())?;
        for (seq, leaf) in (first..=last).zip(kept.leaves().map_err(failed())?) {
            let leaf = leaf.map_err(failed())?;
            self.count();
            let Some(line) = &next else {
                self.leaf(id, leaf, true);
                continue;
            };
            let Ok(link) = link::strictly(line) else {
                self.flaw(id, Flaw::NoHead);
                break;
            };
            if link.seq != seq {
                self.leaf(id, leaf, true);
                continue;
            }
            let prev = link.prev.unwrap_or(Hash::ZERO);
            let result = match link.own {
                _ if merkle::leaf(line) != leaf => Err(Flaw::Link),
                Own::Other => {
                    self.deletions.line(line);
                    Ok(())
                }
                Own::Head | Own::Key => self.head(id, line, prev),
            };
            match result {
                Ok(()) => self.leaf(id, leaf, link.own == Own::Other),
                Err(flaw) => self.flaw(id, flaw),
            }
            next = own.next().transpose().map_err(failed())?;
        }
        self.stream(id).last_hash = end;
        self.head = Some(Head { stream: id.clone(), seq: last, hash: end });
        self.compare_place();
        Ok(())
    }

    fn compare_place(&mut self) {
        let Some(head) = &self.head else { return };
        for (outside, seen) in &mut self.heads {
            let Outside::Place(place) = outside else { continue };
            if (&place.stream, place.seq) == (&head.stream, head.seq) {
                *seen = true;
                if place.hash != head.hash {
                    self.flaws.push(Flaw::HeadDiffers(place.seq));
                }
            }
        }
    }

    fn compare_root(&mut self, id: &StreamId) {
        let Some(tree) = self.streams.get(id).and_then(|stream| stream.tree.as_ref()) else {
            return;
        };
        for (outside, seen) in &mut self.heads {
            let Outside::Signed(head, _) = outside else { continue };
            if head.size == tree.size() && head.stream == *id {
                *seen = true;
                if head.root != tree.root() {
                    self.flaws.push(Flaw::HeadDiffers(head.size));
                }
            }
        }
    }

    fn finish(mut self) -> Result<Report, AuditError> {
        let pending = self.streams.values_mut().flat_map(|one| std::mem::take(&mut one.pending));
        let pending = pending.collect();
        self.uncovered(pending);
        let dir = self.dir;
        self.segments.iter_mut().try_for_each(|part| part.read_again(dir))?;
        for (part, kept) in &self.holes {
            if let Some(Part { name, report, .. }) = self.segments.get_mut(*part)
                && !self.deletions.tell_of(name, *kept)
            {
                report.first_bad.get_or_insert(BadRecord { line: 0, flaw: Flaw::Untold });
            }
        }
        let epochs = self.epochs.unwrap_or_default();
        let is_signed = epochs.first().is_some();
        for part in &mut self.segments {
            let report = &mut part.report;
            let is_whole = is_signed && report.uncovered == 0 && report.torn_bytes == 0;
            report.state = match &report.first_bad {
                Some(_) => State::Broken,
                None if is_whole => State::Sealed,
                None => State::Unsealed,
            };
        }
        if epochs.unseen() {
            self.flaws.push(Flaw::KeyUnseen);
        }
        for (outside, seen) in self.heads {
            match outside {
                Outside::Signed(head, note) if !epochs.knows(head, note) => {
                    self.flaws.push(Flaw::HeadKey(head.size));
                }
                Outside::Place(Head { seq, .. })
                | Outside::Signed(Checkpoint { size: seq, .. }, _)
                    if !seen =>
                {
                    self.flaws.push(Flaw::HeadMissing(*seq));
                }
                Outside::Place(_) | Outside::Signed(..) => {}
            }
        }
        let signed = epochs.first().map(|first| SignedBy {
            first: first.clone(),
            is_trusted: epochs.is_trusted(),
            keys: epochs.count(),
            newest: epochs.newest().unwrap_or_default().to_owned(),
        });
        Ok(Report {
            records: self.records,
            segments: self.segments.into_iter().map(|part| part.report).collect(),
            gaps: self.gaps,
            flaws: self.flaws,
            head: self.head,
            signed,
        })
    }
}

impl Part {
    /// Nothing vouches for what no head covers: its lines must at least be records.
    fn read_again(&mut self, dir: &Path) -> Result<(), AuditError> {
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
