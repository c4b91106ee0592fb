//! Whether a log is what was written: every line readable, numbered, linked to the one before,
//! and covered by a head that a key of this log signed.
//!
//! Finds every changed, dropped, doubled or moved line up to the newest head; behind that, all but
//! a change to the very last line. It cannot find an end that was cut off at a head, nor a log that
//! the holder of its key wrote anew, unless a head or a key that was kept elsewhere is given.
//!
//! Lines are looked at in blocks on all threads (`pass`); here they are put in order. What lies
//! between a line's ends is not read as JSON: a signed head vouches for it. What no head covers is
//! read again, as a whole (`part`).

use crate::audit::error::AuditError;
use crate::audit::place::{Hash, Head, StreamId};
use crate::audit::proof::chain::{Chain, Flaw};
use crate::audit::proof::epochs::Epochs;
use crate::audit::proof::link::{self, Own};
use crate::audit::proof::memory::ROLLED_BACK;
use crate::audit::proof::merkle::{self, Tree};
use crate::audit::proof::outside::{Elsewhere, Outside, Outsides};
use crate::audit::proof::part::Part;
use crate::audit::proof::pass::{Claim, Line, Looked, Lookers};
use crate::audit::proof::report::{BadRecord, Gap, Progress, Report, SignedBy};
use crate::audit::proof::resume::head_of;
use crate::audit::proof::told::{Run, Told, Waiting};
use crate::audit::segment::{Blocks, Form, Kept, SegmentName, list, strangers};
use crate::audit::wire::WireRecord;
use crate::model::json::Json;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;

/// A log below this size is read by the calling thread alone.
const ALONE_BYTES_MAX: u64 = 4 << 20;

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
    let first = segments.first().map_or_else(StreamId::generate, |first| first.stream.clone());
    let mut verifier = Verifier::new(dir, elsewhere, Stream::begin(first));
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
    for stranger in strangers(dir)? {
        verifier.stranger(&stranger);
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
    let segments = list(dir)?;
    let stream = segments.last().map_or_else(StreamId::generate, |newest| newest.stream.clone());
    let mut verifier = Verifier::new(dir, &elsewhere, Stream::middle(stream));
    if let Some(newest) = segments.last() {
        verifier.epochs = None;
        verifier.segment(newest, true, &mut Lookers::none(), &mut |_| {})?;
    }
    verifier.finish()
}

struct Verifier<'a> {
    dir: &'a Path,
    outside: Outsides<'a>,
    /// Nothing where the keys are not known: somewhere in the middle.
    epochs: Option<Epochs>,
    /// The stream that is being read, and those that were.
    stream: Stream,
    streams: BTreeMap<StreamId, Stream>,
    segments: Vec<Part>,
    gaps: Vec<Gap>,
    /// What the log tells is gone, what it tells without anybody vouching for it, and the parts
    /// that are gone.
    told: Told,
    hearsay: Told,
    holes: Vec<(usize, Hash)>,
    head: Option<Head>,
    bytes: u64,
    of: u64,
    records: u64,
}

/// Where one stream stands.
#[derive(Debug, Clone)]
struct Stream {
    id: StreamId,
    /// Nothing of it was read yet.
    is_new: bool,
    chain: Chain,
    /// The hash of its last whole line, whether that is a record or not.
    last_hash: Hash,
    /// Nothing behind a flaw, up to the next signed head, which has it.
    tree: Option<Tree>,
    /// What no head covers yet.
    waiting: Waiting,
    /// How many records its newest head covers, and the one before that.
    covered: [u64; 2],
}

impl Stream {
    fn begin(id: StreamId) -> Stream {
        Stream {
            chain: Chain::begin(id.clone()),
            id,
            is_new: true,
            last_hash: Hash::ZERO,
            tree: Some(Tree::default()),
            waiting: Waiting::default(),
            covered: [0; 2],
        }
    }

    /// From somewhere in its middle.
    fn middle(id: StreamId) -> Stream {
        let chain = Chain::resume(id.clone());
        Stream { chain, is_new: false, tree: None, ..Stream::begin(id) }
    }
}

impl<'a> Verifier<'a> {
    fn new(dir: &'a Path, elsewhere: &'a Elsewhere, stream: Stream) -> Verifier<'a> {
        Verifier {
            dir,
            outside: Outsides::of(elsewhere),
            stream,
            epochs: Some(Epochs::trusting(elsewhere.key.as_ref())),
            streams: BTreeMap::new(),
            segments: Vec::new(),
            gaps: Vec::new(),
            told: Told::default(),
            hearsay: Told::default(),
            holes: Vec::new(),
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
        self.segments.push(Part::of(segment));
        self.turn_to(&segment.stream);
        let read = match segment.form {
            Form::Kept => self.kept(segment),
            Form::Plain | Form::Sealed => self.lines(segment, is_newest, lookers, progress),
        };
        match read {
            Err(AuditError::File { why, .. }) if why.kind() == ErrorKind::InvalidData => {
                self.bad(Flaw::Damaged(why.to_string()));
                // No stream may name this as the end of the one before it.
                self.stream.last_hash = Hash::of(&[]);
                Ok(())
            }
            read => read,
        }
    }

    /// A file with the name of one of the log's, which this log never came to.
    fn stranger(&mut self, segment: &SegmentName) {
        let mut part = Part::of(segment);
        part.flaw(Flaw::Damaged("its number is none that a log comes to".to_owned()));
        self.segments.push(part);
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
                self.blocks(lookers);
                too_long = blocks.too_long();
                self.bad(Flaw::TooLong);
            }
            if let Some(looked) = block {
                self.block(looked, lookers);
                offset = blocks.offset();
            }
            let bytes = self.bytes.saturating_add(offset).min(self.of);
            progress(Progress { bytes, of: self.of, records: self.records });
        };
        self.blocks(lookers);
        result?;
        if blocks.too_long() > too_long {
            self.bad(Flaw::TooLong);
        }
        let rest = u64::try_from(blocks.rest()).unwrap_or(u64::MAX);
        if rest > 0 && !is_newest {
            self.bad(Flaw::Torn);
        } else if let Some(part) = self.segments.last_mut() {
            part.report.torn_bytes = rest;
        }
        Ok(())
    }

    /// All blocks that are still on their way.
    fn blocks(&mut self, lookers: &mut Lookers) {
        while let Some(looked) = lookers.take() {
            self.block(looked, lookers);
        }
    }

    fn block(&mut self, looked: Looked, lookers: &mut Lookers) {
        for line in &looked.lines {
            let text = looked.block.get(line.at.clone()).unwrap_or_default();
            match &line.claim {
                Ok(claim) => self.record(line, claim, text),
                Err(flaw) => self.bad(flaw.clone()),
            }
        }
        lookers.reuse(looked);
    }

    /// A line that is no record: nothing that follows it in its stream is known to follow.
    fn bad(&mut self, flaw: Flaw) {
        self.count();
        self.stream.chain.lose();
        self.flaw(flaw);
    }

    fn count(&mut self) {
        self.records += 1;
        self.stream.is_new = false;
        if let Some(part) = self.segments.last_mut() {
            part.report.records += 1;
        }
    }

    /// Goes on with the stream of the next file.
    fn turn_to(&mut self, id: &StreamId) {
        if self.stream.id == *id {
            return;
        }
        let next = self.streams.remove(id).unwrap_or_else(|| Stream::begin(id.clone()));
        let before = std::mem::replace(&mut self.stream, next);
        self.streams.insert(before.id.clone(), before);
    }

    /// The newest line has this flaw.
    fn flaw(&mut self, flaw: Flaw) {
        if let Flaw::Sequence { expected, found } = &flaw
            && found > expected
        {
            let stream = self.stream.id.clone();
            self.gaps.push(Gap { stream, first: *expected, last: found - 1 });
        }
        self.stream.tree = None;
        let lost = self.stream.waiting.lost(&mut self.hearsay);
        self.uncovered(lost);
        if let Some(part) = self.segments.last_mut() {
            part.flaw(flaw);
        }
    }

    fn uncovered(&mut self, runs: Vec<Run>) {
        for Run { file, from, count } in runs {
            if let Some(part) = self.segments.get_mut(file) {
                part.uncovered(from, count);
            }
        }
    }

    fn record(&mut self, line: &Line, claim: &Claim, text: &[u8]) {
        let is_first = self.stream.is_new;
        self.count();
        self.stream.last_hash = line.hash;
        let place = (claim.seq, line.hash);
        let result = self.stream.chain.follow(place, claim.prev, claim.foreign.clone());
        let prev = claim.prev.unwrap_or(Hash::ZERO);
        let result = result.and_then(|()| self.own(claim.own, text, prev));
        let result = match result {
            Ok(()) if is_first => self.stream_before(text),
            result => result,
        };
        if let Err(flaw) = result {
            self.flaw(flaw);
        } else {
            self.leaf(line.leaf, claim.own, text);
        }
        self.at(claim.seq, line.hash);
    }

    /// What a record says of the log itself.
    fn own(&mut self, own: Own, text: &[u8], prev: Hash) -> Result<(), Flaw> {
        match own {
            Own::Head | Own::Key => self.head(text, prev),
            Own::Open => {
                self.stream.waiting.start();
                rolled_back(text)
            }
            Own::Gone | Own::Other => Ok(()),
        }
    }

    /// A record that fits goes into the tree, where that is known.
    fn leaf(&mut self, leaf: Hash, own: Own, text: &[u8]) {
        let file = self.segments.len().saturating_sub(1);
        let at = self.segments.last().map_or(0, |part| part.report.records);
        let stream = &mut self.stream;
        if let Some(tree) = &mut stream.tree {
            tree.push(leaf);
            self.outside.root(&stream.id, tree);
        }
        if !own.is_head() {
            stream.waiting.record(file, at);
        }
        if own == Own::Gone {
            stream.waiting.tells(text);
        }
    }

    /// The newest record that was read.
    fn at(&mut self, seq: u64, hash: Hash) {
        let head = Head { stream: self.stream.id.clone(), seq, hash };
        self.outside.place(&head);
        self.head = Some(head);
    }

    /// A record in which a head of the log is kept.
    fn head(&mut self, text: &[u8], prev: Hash) -> Result<(), Flaw> {
        let (listed, (head, note)) = head_of(text, prev)?;
        if let Some(epochs) = &mut self.epochs {
            epochs.take(&head, &note)?;
        }
        let stream = &mut self.stream;
        match &stream.tree {
            Some(tree) if tree.size() != head.size || tree.root() != head.root => {
                let covered = tree.size().saturating_sub(stream.waiting.count());
                stream.tree = None;
                return Err(Flaw::Root(covered.saturating_add(1)));
            }
            Some(_) => {}
            None => stream.tree = Some(listed),
        }
        stream.covered = [head.size, stream.covered[0]];
        let on_trust = stream.waiting.covered((&mut self.told, &mut self.hearsay));
        for Run { file, count, .. } in on_trust {
            if let Some(part) = self.segments.get_mut(file) {
                part.report.on_trust += count;
            }
        }
        Ok(())
    }

    /// A new stream names the end of the one before it: an end that was cut off since then shows.
    fn stream_before(&self, line: &[u8]) -> Result<(), Flaw> {
        let record: WireRecord =
            serde_json::from_slice(line).map_err(|why| Flaw::Unreadable(why.to_string()))?;
        let Some(previous) = record.details.get("previous") else { return Ok(()) };
        let text = |key: &str| previous.get(key).and_then(|value| value.as_str());
        let name = text("stream").unwrap_or_default();
        if name == self.stream.id.as_str() {
            return Ok(());
        }
        let named = |stream: &&Stream| !stream.is_new && stream.id.as_str() == name;
        match self.streams.values().find(named) {
            None => Err(Flaw::StreamMissing(name.to_owned())),
            Some(before) if text("head").and_then(Hash::parse) == Some(before.last_hash) => Ok(()),
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
        self.stream.is_new = false;
        if let Err(flaw) = self.stream.chain.leap((first, prev), (last, end)) {
            self.flaw(flaw);
        }
        let mut own = BufReader::new(kept.lines().map_err(failed())?).split(b'\n');
        let mut next = own.next().transpose().map_err(failed())?;
        for (seq, leaf) in (first..=last).zip(kept.leaves().map_err(failed())?) {
            let leaf = leaf.map_err(failed())?;
            self.count();
            let Some(line) = &next else {
                self.leaf(leaf, Own::Other, &[]);
                continue;
            };
            let Ok(link) = link::strictly(line) else {
                self.flaw(Flaw::NoHead);
                break;
            };
            if link.seq != seq {
                self.leaf(leaf, Own::Other, &[]);
                continue;
            }
            let prev = link.prev.unwrap_or(Hash::ZERO);
            let result = match merkle::leaf(line) == leaf {
                true => self.own(link.own, line, prev),
                false => Err(Flaw::Link),
            };
            match result {
                Ok(()) => self.leaf(leaf, link.own, line),
                Err(flaw) => self.flaw(flaw),
            }
            next = own.next().transpose().map_err(failed())?;
        }
        self.stream.last_hash = end;
        self.at(last, end);
        Ok(())
    }

    fn finish(mut self) -> Result<Report, AuditError> {
        let torn = self.segments.last().is_some_and(|part| part.report.torn_bytes > 0);
        let open = torn || self.stream.waiting.count() > 0;
        let open_end = open.then(|| (self.stream.id.clone(), self.stream.covered[1]));
        let streams = self.streams.values_mut().chain([&mut self.stream]);
        let hearsay = &mut self.hearsay;
        let lost = streams.flat_map(|one| one.waiting.lost(hearsay)).collect();
        self.uncovered(lost);
        let dir = self.dir;
        self.segments.iter_mut().try_for_each(|part| part.read_again(dir))?;
        let is_signed = self.epochs.as_ref().is_some_and(|epochs| epochs.first().is_some());
        for (part, kept) in &self.holes {
            let Some(Part { name, report, .. }) = self.segments.get_mut(*part) else { continue };
            let is_hearsay = self.hearsay.tells_of(name, *kept);
            if !self.told.tells_of(name, *kept) && (is_signed || !is_hearsay) {
                let flaw = if is_hearsay { Flaw::Hearsay } else { Flaw::Untold };
                report.first_bad.get_or_insert(BadRecord { line: 0, flaw });
            }
        }
        let mut erased = self.told.erased();
        if !is_signed {
            // Where nobody signs, nothing is vouched for, and the log says no more than that.
            erased.append(&mut self.hearsay.erased());
        }
        let epochs = self.epochs.unwrap_or_default();
        self.segments.iter_mut().for_each(|part| part.judge(is_signed));
        let flaws = self.outside.finish(&epochs);
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
            flaws,
            head: self.head,
            signed,
            erased,
            open_end,
        })
    }
}

/// A start that found the log to be less than what its key had signed says so.
fn rolled_back(line: &[u8]) -> Result<(), Flaw> {
    let record: WireRecord =
        serde_json::from_slice(line).map_err(|why| Flaw::Unreadable(why.to_string()))?;
    let Some(signed) = record.details.get(ROLLED_BACK) else { return Ok(()) };
    Err(Flaw::RolledBack(signed.get("size").and_then(Json::as_u64).unwrap_or(0)))
}
