//! Makes proofs from a log: that a record stands in it, and that one head goes on from another.
//!
//! Only what lies between two heads is read for the path itself: the earlier head's record carries
//! the tree up to it. The certificates of the keys are looked for in all files before.

use crate::audit::error::AuditError;
use crate::audit::place::{Hash, StreamId};
use crate::audit::proof::bundle::{Consistency, Inclusion};
use crate::audit::proof::chain::Flaw;
use crate::audit::proof::checkpoint::{Checkpoint, Details, encode};
use crate::audit::proof::link::{self, Own};
use crate::audit::proof::merkle::{Known, leaf};
use crate::audit::proof::note::Note;
use crate::audit::proof::resume::head_of;
use crate::audit::segment::{Blocks, Form, Kept, SegmentName, list};
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::Path;

/// Why there is no proof.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NoProof {
    /// A file cannot be read.
    #[error("{0}")]
    File(#[from] AuditError),
    /// The record is not in the log.
    #[error("record {1} of stream {0} is not in this log")]
    NoRecord(StreamId, u64),
    /// Only its leaf is.
    #[error("record {1} of stream {0} was deleted by retention; only that it stood there is left")]
    Deleted(StreamId, u64),
    /// No head covers it yet.
    #[error(
        "no signed head covers record {1} of stream {0}: a sidecar that writes this log signs one \
             within a second, and one that nobody writes is signed when a sidecar next starts there"
    )]
    NotSigned(StreamId, u64),
    /// No head of that size is in the log.
    #[error("the head of {1} records of stream {0} is not one of this log")]
    NoHead(StreamId, u64),
    /// The log is not what was written.
    #[error("the log is broken there: {0}; see `toolgate audit verify`")]
    Broken(#[from] Flaw),
}

/// A record as it goes by.
struct Passing<'a> {
    seq: u64,
    /// Nothing of a record that retention deleted.
    line: Option<&'a [u8]>,
    own: Own,
    prev: Hash,
    kept: Option<Hash>,
}

impl Passing<'_> {
    fn leaf(&self) -> Hash {
        self.kept.unwrap_or_else(|| self.line.map_or(Hash::ZERO, leaf))
    }

    fn head(&self) -> Option<Result<Signed, Flaw>> {
        let line = self.line.filter(|_| self.own.is_head())?;
        Some(head_of(line, self.prev).map(|(tree, (head, note))| Signed {
            known: Known::after(tree),
            head,
            note,
        }))
    }
}

/// A head in the log.
struct Signed {
    known: Known,
    head: Checkpoint,
    note: Note,
}

/// The proof that a record stands in the log, with the certificates of the key that signed.
///
/// # Errors
/// If there is none.
pub fn prove(dir: &Path, stream: &StreamId, seq: u64) -> Result<Inclusion, NoProof> {
    let (mut proof, head) = place(dir, stream, seq)?;
    proof.keys = certificates(dir, &head)?;
    Ok(proof)
}

/// The proof that a record stands in the log, without any certificate, and the head it leads to:
/// the first that covers the record.
///
/// # Errors
/// If there is none.
pub fn place(dir: &Path, stream: &StreamId, seq: u64) -> Result<(Inclusion, Checkpoint), NoProof> {
    let files = files_of(dir, stream)?;
    let from = beginning(dir, &files, seq)?;
    let (mut known, mut line, mut found) = (Known::default(), None, None);
    for file in files.get(from..).unwrap_or_default() {
        let done = each(dir, file, &mut |passing| {
            let head = passing.head().transpose()?;
            match head {
                Some(signed) if passing.seq <= seq => known = signed.known,
                Some(signed) if line.is_some() => {
                    found = Some((signed.head, signed.note));
                    return Ok(ControlFlow::Break(()));
                }
                Some(_) | None => {}
            }
            if passing.seq == seq {
                let Some(text) = passing.line else {
                    return Err(NoProof::Deleted(stream.clone(), seq));
                };
                line = Some(String::from_utf8_lossy(text).into_owned());
            }
            // A file whose beginning is not here has no tree before its first head.
            if known.size() + 1 == passing.seq {
                known.push(passing.leaf());
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if done.is_break() {
            break;
        }
    }
    let line = line.ok_or_else(|| NoProof::NoRecord(stream.clone(), seq))?;
    let (head, note) = found.ok_or_else(|| NoProof::NotSigned(stream.clone(), seq))?;
    let index = seq.saturating_sub(1);
    let path = known.inclusion(index, head.size).ok_or(Flaw::NoHead)?;
    let path = path.iter().map(encode).collect();
    let proof =
        Inclusion { line, index, size: head.size, path, head: note.to_string(), keys: Vec::new() };
    Ok((proof, head))
}

/// The proof that the log's newest head in that stream goes on from an older one.
///
/// # Errors
/// If there is none.
pub fn prove_consistency(
    dir: &Path,
    first: &Checkpoint,
    note: &Note,
) -> Result<Consistency, NoProof> {
    let none = || NoProof::NoHead(first.stream.clone(), first.size);
    let files = files_of(dir, &first.stream)?;
    let from = beginning(dir, &files, first.size.saturating_add(1))?;
    let (mut known, mut newest) = (Known::default(), None);
    for file in files.get(from..).unwrap_or_default() {
        let _ = each(dir, file, &mut |passing| {
            if let Some(signed) = passing.head().transpose()? {
                if passing.seq <= first.size.saturating_add(1) {
                    known = signed.known;
                }
                newest = Some((signed.head, signed.note));
            }
            if known.size() + 1 == passing.seq {
                known.push(passing.leaf());
            }
            Ok(ControlFlow::Continue(()))
        })?;
    }
    let (head, second) = newest.filter(|(head, _)| head.size >= first.size).ok_or_else(none)?;
    let path = known.consistency(first.size, head.size).ok_or_else(none)?;
    Ok(Consistency {
        first: note.to_string(),
        second: second.to_string(),
        path: path.iter().map(encode).collect(),
        keys: certificates(dir, &head)?,
    })
}

/// The certificates in the log up to a head, which itself is left out, oldest first.
///
/// # Errors
/// If a file cannot be read.
pub fn certificates(dir: &Path, head: &Checkpoint) -> Result<Vec<String>, NoProof> {
    let mut notes = Vec::new();
    for file in list(dir)? {
        let done = each(dir, &file, &mut |passing| {
            if !passing.own.is_head() {
                return Ok(ControlFlow::Continue(()));
            }
            if file.stream == head.stream && passing.seq == head.size.saturating_add(1) {
                return Ok(ControlFlow::Break(()));
            }
            if passing.own == Own::Key {
                notes.extend(passing.line.and_then(Details::parse).map(|details| details.note));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if done.is_break() {
            break;
        }
    }
    Ok(notes)
}

/// The keys of a log, each in the head in which it was certified, oldest first.
///
/// # Errors
/// If a file cannot be read.
pub fn keys(dir: &Path) -> Result<Vec<Checkpoint>, NoProof> {
    let mut heads = Vec::new();
    for file in list(dir)? {
        let _ = each(dir, &file, &mut |passing| {
            if passing.own == Own::Key {
                let details = passing.line.and_then(Details::parse);
                let note = details.and_then(|details| Note::parse(&details.note).ok());
                heads.extend(note.and_then(|note| Checkpoint::parse(note.text())));
            }
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(heads)
}

fn files_of(dir: &Path, stream: &StreamId) -> Result<Vec<SegmentName>, NoProof> {
    let mut files = list(dir)?;
    files.retain(|file| file.stream == *stream);
    Ok(files)
}

/// The file that reading must begin with, so that a head at or before that record is in it.
fn beginning(dir: &Path, files: &[SegmentName], seq: u64) -> Result<usize, NoProof> {
    for (index, file) in files.iter().enumerate().rev() {
        let mut begins = false;
        let _ = each(dir, file, &mut |passing| {
            if passing.seq > seq {
                return Ok(ControlFlow::Break(()));
            }
            begins = passing.own.is_head();
            Ok(if begins { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        if begins {
            return Ok(index);
        }
    }
    Ok(0)
}

/// Hands over each record of a file in its order, until it is enough.
fn each(
    dir: &Path,
    file: &SegmentName,
    hand: &mut dyn FnMut(Passing<'_>) -> Result<ControlFlow<()>, NoProof>,
) -> Result<ControlFlow<()>, NoProof> {
    let path = file.path(dir);
    let failed = || AuditError::file("read", &path);
    if file.form == Form::Kept {
        return each_kept(&path, hand);
    }
    let mut blocks = Blocks::open(dir, file)?;
    while let Some(block) = blocks.next_block().map_err(failed())? {
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', block) {
            let line = block.get(from..end).unwrap_or_default();
            from = end + 1;
            let link = link::parse(line)?;
            let (seq, own, prev) = (link.seq, link.own, link.prev.unwrap_or(Hash::ZERO));
            if hand(Passing { seq, line: Some(line), own, prev, kept: None })?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn each_kept(
    path: &Path,
    hand: &mut dyn FnMut(Passing<'_>) -> Result<ControlFlow<()>, NoProof>,
) -> Result<ControlFlow<()>, NoProof> {
    let failed = || AuditError::file("read", path);
    let kept = Kept::open(path).map_err(failed())?;
    let mut own = BufReader::new(kept.lines().map_err(failed())?).split(b'\n');
    let mut next = own.next().transpose().map_err(failed())?;
    for (seq, leaf) in (kept.first..=kept.last).zip(kept.leaves().map_err(failed())?) {
        let leaf = Some(leaf.map_err(failed())?);
        let link = next.as_deref().map(link::strictly).transpose()?;
        let link = link.filter(|link| link.seq == seq);
        let (is_kept, kind) = (link.is_some(), link.as_ref().map_or(Own::Other, |link| link.own));
        let prev = link.and_then(|link| link.prev).unwrap_or(Hash::ZERO);
        let line = next.as_deref().filter(|_| is_kept);
        if hand(Passing { seq, line, own: kind, prev, kept: leaf })?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        if is_kept {
            next = own.next().transpose().map_err(failed())?;
        }
    }
    Ok(ControlFlow::Continue(()))
}
