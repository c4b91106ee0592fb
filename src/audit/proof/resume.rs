//! Where a stream's tree stands when its log is opened: at its newest head, and what came since.
//!
//! A head's record carries the tree that it signs, so that only what stands behind the newest one
//! is read: the end of one file, or of two. Only a stream without any head, as an older version
//! left it, is read whole.

use crate::audit::error::AuditError;
use crate::audit::place::{Hash, StreamId};
use crate::audit::proof::chain::Flaw;
use crate::audit::proof::checkpoint::{Checkpoint, Details};
use crate::audit::proof::link;
use crate::audit::proof::merkle::{Tree, leaf};
use crate::audit::proof::note::Note;
use crate::audit::segment::{Ending, Lines, SegmentName, list};
use std::io::ErrorKind;
use std::path::Path;

/// Where a stream stands.
#[derive(Debug, Default)]
pub(in crate::audit) struct Resumed {
    /// The tree over all of its records.
    pub(in crate::audit) tree: Tree,
    /// Its newest head.
    pub(in crate::audit) head: Option<(Checkpoint, Note)>,
}

/// Finds out where the stream stands whose newest record has this number; a flaw if the log does
/// not say so.
pub(in crate::audit) fn resume(
    dir: &Path,
    stream: &StreamId,
    last: u64,
) -> Result<Result<Resumed, Flaw>, AuditError> {
    let mut files = list(dir)?;
    files.retain(|file| file.stream == *stream);
    let mut newer: Vec<Vec<Hash>> = Vec::new();
    let mut base = None;
    for file in files.iter().rev() {
        let end = read(dir, file)?;
        newer.push(end.leaves);
        if end.newest.is_some() {
            base = end.newest;
            break;
        }
    }
    let (mut tree, head) = match base {
        None => (Tree::default(), None),
        Some((line, prev)) => match head_of(&line, prev) {
            Ok((tree, head)) => (tree, Some(head)),
            Err(flaw) => return Ok(Err(flaw)),
        },
    };
    newer.into_iter().rev().flatten().for_each(|leaf| tree.push(leaf));
    if tree.size() != last {
        return Ok(Err(Flaw::Sequence { expected: tree.size(), found: last }));
    }
    Ok(Ok(Resumed { tree, head }))
}

/// The newest head of a stream, if there is one that can be read.
pub(super) fn newest_head(
    dir: &Path,
    stream: &StreamId,
) -> Result<Option<(Checkpoint, Note)>, AuditError> {
    let files = list(dir)?;
    for file in files.iter().rev().filter(|file| file.stream == *stream) {
        if let Some((line, prev)) = read(dir, file)?.newest {
            return Ok(head_of(&line, prev).ok().map(|(_, head)| head));
        }
    }
    Ok(None)
}

/// What stands at the end of a file.
#[derive(Debug, Default)]
struct End {
    /// The line of the newest head in it, and the hash of the line before.
    newest: Option<(Vec<u8>, Hash)>,
    /// The leaves from that line on, or all.
    leaves: Vec<Hash>,
}

fn read(dir: &Path, file: &SegmentName) -> Result<End, AuditError> {
    let path = file.path(dir);
    let mut lines = Lines::open(dir, file)?;
    let (mut end, mut line, mut from) = (End::default(), Vec::new(), 0);
    let failed = || AuditError::file("read", &path);
    loop {
        match lines.next_into(&mut line) {
            Ok(Some(Ending::Whole)) => {}
            Ok(_) => break,
            // The tree comes out too small, which is told.
            Err(why) if why.kind() == ErrorKind::InvalidData => break,
            Err(why) => return Err(failed()(why)),
        }
        if let Ok(link) = link::parse(&line)
            && link.own.is_head()
        {
            end.newest = Some((line.clone(), link.prev.unwrap_or(Hash::ZERO)));
            end.leaves.clear();
            from = link.seq;
        }
        if lines.kept.is_none() {
            end.leaves.push(leaf(&line));
        }
    }
    if let Some(kept) = &lines.kept {
        // Of the other lines, only their leaves are here.
        let before = usize::try_from(from.saturating_sub(kept.first)).unwrap_or(usize::MAX);
        let leaves = kept.leaves().map_err(failed())?.skip(before);
        end.leaves = leaves.collect::<Result<_, _>>().map_err(failed())?;
    }
    Ok(end)
}

/// A head's record is what it must be: its line holds nothing else, and its tree has its root.
pub(in crate::audit) fn head_of(
    line: &[u8],
    prev: Hash,
) -> Result<(Tree, (Checkpoint, Note)), Flaw> {
    let details = Details::parse(line).ok_or(Flaw::NoHead)?;
    let note = Note::parse(&details.note).map_err(|_| Flaw::NoHead)?;
    let head = Checkpoint::parse(note.text()).ok_or(Flaw::NoHead)?;
    let tree = details.tree(head.size).ok_or(Flaw::NoHead)?;
    let is_alone = note.signatures().len() == 1 && note.to_string() == details.note;
    if !is_alone || details.line(&head, prev).as_bytes() != line || tree.root() != head.root {
        return Err(Flaw::NoHead);
    }
    Ok((tree, (head, note)))
}
