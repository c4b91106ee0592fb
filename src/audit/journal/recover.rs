//! What is found in a directory when a journal opens there, and what to make of it.
//!
//! A cut-off last line is the trace of a crash: it is kept aside and the stream goes on. A chain
//! that is broken before its end is no such trace: nothing is ever appended there again, and a new
//! stream says so in its first record.
//!
//! Only the newest file is read whole, with its link to the file before; the rest of the log is
//! `verify`'s, so that opening does not take longer with every year of log.

use crate::audit::error::AuditError;
use crate::audit::journal::resume::copy_part;
use crate::audit::journal::storage::{Place, SegmentFile, Storage};
use crate::audit::place::{Hash, StreamId};
use crate::audit::proof::chain::{Chain, Flaw};
use crate::audit::segment::{Ending, Form, Lines, SegmentName, list};
use crate::model::json::Json;
use crate::model::record::{Kind, Record};
use serde_json::json;
use std::io::ErrorKind;
use std::path::Path;

/// Names that are tried for what is kept aside.
const NAMES_MAX: usize = 1_000;

/// What is there.
#[derive(Debug)]
pub(in crate::audit) struct Found {
    /// The newest file with records in it, if there is one.
    pub(in crate::audit) newest: Option<Newest>,
    /// Ends of files that are no whole line: the file, and where its last whole line ends.
    torn: Vec<(SegmentName, u64)>,
    /// The number of the next new file.
    pub(in crate::audit) next_number: u64,
}

/// The newest file with records in it.
#[derive(Debug)]
pub(in crate::audit) struct Newest {
    pub(in crate::audit) segment: SegmentName,
    /// Its length without a torn end.
    pub(in crate::audit) bytes: u64,
    /// Its last whole line: number, if it can be read, and hash.
    last_seq: Option<u64>,
    last_hash: Hash,
    /// The first line that does not fit, if one does not.
    broken: Option<(u64, Flaw)>,
}

impl Newest {
    /// The stream and its head if it can go on.
    pub(in crate::audit) fn intact(&self) -> Option<(StreamId, u64, Hash)> {
        match (&self.broken, self.last_seq) {
            (None, Some(seq)) => Some((self.segment.stream.clone(), seq, self.last_hash)),
            (Some(_), _) | (None, None) => None,
        }
    }
}

/// Looks at a directory without changing anything.
pub(in crate::audit) fn survey(dir: &Path) -> Result<Found, AuditError> {
    let segments = list(dir)?;
    let highest = segments.iter().map(|segment| segment.number).max().unwrap_or(0);
    let mut found =
        Found { newest: None, torn: Vec::new(), next_number: highest.saturating_add(1) };
    for (index, segment) in segments.iter().enumerate().rev() {
        let older = segments.get(..index).unwrap_or_default();
        let chain = chain_before(dir, segment, older)?;
        let (newest, whole, total) = read(dir, segment, chain)?;
        // What is behind the end of a broken chain is evidence, and stays where it is.
        let broken = newest.as_ref().is_some_and(|newest| newest.intact().is_none());
        // Nor is anything ever cut off what was closed.
        if total > whole && !broken && segment.form == Form::Plain {
            found.torn.push((segment.clone(), whole));
        }
        if newest.is_some() {
            found.newest = newest;
            break;
        }
        // A file without one whole line is what a crash leaves: the file before it counts.
    }
    Ok(found)
}

/// The stream as it stands before this file: after the last line of the newest file before.
pub(super) fn chain_before(
    dir: &Path,
    segment: &SegmentName,
    older: &[SegmentName],
) -> Result<Chain, AuditError> {
    let mut chain = Chain::resume(segment.stream.clone());
    for candidate in older.iter().rev().filter(|older| older.stream == segment.stream) {
        let path = candidate.path(dir);
        let mut lines = Lines::open(dir, candidate)?;
        if let Some(kept) = &lines.kept {
            let (first, last) = kept.range();
            drop(chain.leap(first, last));
            return Ok(chain);
        }
        let (mut line, mut last) = (Vec::new(), None);
        loop {
            match lines.next_into(&mut line) {
                Ok(None) => break,
                Ok(Some(Ending::Whole)) => last = Some(std::mem::take(&mut line)),
                Ok(Some(Ending::Torn | Ending::TooLong)) => {}
                // What is damaged tells nothing; that is not this file's.
                Err(why) if why.kind() == ErrorKind::InvalidData => return Ok(chain),
                Err(why) => return Err(AuditError::file("read", &path)(why)),
            }
        }
        if let Some(last) = last {
            // If it cannot be read the chain is resumed unknown; the line is not this file's.
            drop(chain.take(&last));
            return Ok(chain);
        }
    }
    Ok(chain)
}

/// Reads one file: what it holds, its length in whole lines, and its length.
fn read(
    dir: &Path,
    segment: &SegmentName,
    mut chain: Chain,
) -> Result<(Option<Newest>, u64, u64), AuditError> {
    let path = segment.path(dir);
    let mut lines = Lines::open(dir, segment)?;
    if let Some(kept) = &lines.kept {
        let (first, last) = kept.range();
        let broken = chain.leap(first, last).err().map(|flaw| (0, flaw));
        let (segment, last_seq, last_hash) = (segment.clone(), Some(last.0), last.1);
        return Ok((Some(Newest { segment, bytes: 0, last_seq, last_hash, broken }), 0, 0));
    }
    let (mut line, mut number, mut whole) = (Vec::new(), 0, 0);
    let mut newest: Option<Newest> = None;
    let mut damaged = false;
    while !damaged {
        let result = match lines.next_into(&mut line) {
            Ok(None | Some(Ending::Torn)) => break,
            Ok(Some(Ending::Whole)) => chain.take(&line),
            Ok(Some(Ending::TooLong)) => {
                chain.lose();
                Err(Flaw::TooLong)
            }
            Err(why) if why.kind() == ErrorKind::InvalidData => {
                damaged = true;
                line.clear();
                chain.lose();
                Err(Flaw::Damaged(why.to_string()))
            }
            Err(why) => return Err(AuditError::file("read", &path)(why)),
        };
        number += 1;
        whole = lines.offset;
        let broken = newest.and_then(|newest| newest.broken);
        newest = Some(Newest {
            segment: segment.clone(),
            bytes: whole,
            last_seq: chain.last().map(|(seq, _)| seq),
            last_hash: Hash::of(&line),
            broken: broken.or_else(|| result.err().map(|flaw| (number, flaw))),
        });
    }
    Ok((newest, whole, lines.offset))
}

impl Found {
    /// Keeps torn ends aside, cuts them off, and says so in records for the log.
    pub(in crate::audit) fn cut_torn<S: Storage>(
        &self,
        dir: &Path,
        storage: &S,
    ) -> Result<Vec<Record>, AuditError> {
        self.torn.iter().map(|(segment, whole)| cut(dir, storage, segment, *whole)).collect()
    }

    /// The first record of this start: what was found.
    pub(in crate::audit) fn opening(&self) -> Record {
        let mut record = Record::new(Kind::AuditOpen);
        record.details.push(("toolgate", Json::from(env!("CARGO_PKG_VERSION"))));
        let Some(newest) = &self.newest else { return record };
        let previous = json!({
            "stream": newest.segment.stream.as_str(),
            "seq": newest.last_seq,
            "head": newest.last_hash.to_string(),
        });
        record.details.push(("previous", previous));
        let unreadable = (0, Flaw::Unreadable("the last line".to_owned()));
        let flaw = match (&newest.broken, newest.last_seq) {
            (Some(flaw), _) => flaw,
            (None, None) => &unreadable,
            (None, Some(_)) => return record,
        };
        let broken = json!({
            "file": newest.segment.to_string(),
            "line": flaw.0,
            "why": flaw.1.to_string(),
        });
        record.details.push(("broken", broken));
        record
    }
}

/// The torn end goes to a file of its own before it is cut off: it is evidence.
fn cut<S: Storage>(
    dir: &Path,
    storage: &S,
    segment: &SegmentName,
    whole: u64,
) -> Result<Record, AuditError> {
    let path = segment.path(dir);
    let name = segment.to_string();
    let cut = || -> std::io::Result<Vec<(&'static str, Json)>> {
        let mut file = storage.reopen(&name)?;
        let end = match file.place(whole)? {
            Place::Longer(bytes) => bytes,
            Place::Here | Place::Shorter(_) | Place::Removed | Place::Replaced => whole,
        };
        let details = keep_aside(dir, storage, (&name, &file), (whole, end))?;
        file.truncate(whole)?;
        Ok(details)
    };
    let details = cut().map_err(AuditError::file("recover", &path))?;
    Ok(Record { details, ..Record::new(Kind::AuditRecovered) })
}

/// Copies a part of a file to one of its own; what the log's record of it says.
pub(super) fn keep_aside<S: Storage>(
    dir: &Path,
    storage: &S,
    (name, file): (&str, &S::File),
    part: (u64, u64),
) -> std::io::Result<Vec<(&'static str, Json)>> {
    let aside = free_name(dir, &format!("{}.{}.torn", name.trim_end_matches(".jsonl"), part.0))?;
    let mut copy = storage.create(&aside)?;
    let kept = copy_part(file, part, &mut copy).and_then(|hash| {
        copy.sync()?;
        storage.sync_dir()?;
        Ok(hash)
    });
    match kept {
        Ok(hash) => Ok(vec![
            ("file", aside.into()),
            ("bytes", part.1.saturating_sub(part.0).into()),
            ("sha256", hash.to_string().into()),
        ]),
        Err(why) => {
            drop(storage.unlink(&aside));
            Err(why)
        }
    }
}

/// A name that no file bears: what was kept aside before stays.
pub(super) fn free_name(dir: &Path, wish: &str) -> std::io::Result<String> {
    let (stem, end) = wish.rsplit_once('.').unwrap_or((wish, ""));
    let mut names = (1..NAMES_MAX).map(|number| match number {
        1 => wish.to_owned(),
        _ => format!("{stem}-{number}.{end}"),
    });
    let is_free = |name: &String| !dir.join(name).exists();
    names.find(is_free).ok_or_else(|| std::io::ErrorKind::AlreadyExists.into())
}
