//! What is found in a directory when a journal opens there, and what to make of it.
//!
//! A cut-off last line is the trace of a crash: it is kept aside and the stream goes on. A chain
//! that is broken before its end is no such trace: nothing is ever appended there again, and a new
//! stream says so in its first record.
//!
//! Only the newest file is read whole, with its link to the file before; the rest of the log is
//! `verify`'s, so that opening does not take longer with every year of log.

use crate::audit::error::AuditError;
use crate::audit::place::{Hash, StreamId};
use crate::audit::proof::chain::{Chain, Flaw};
use crate::audit::segment::{Ending, Form, Lines, SegmentName, list};
use crate::model::json::Json;
use crate::model::record::{Kind, Record};
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

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
    let mut found = Found { newest: None, torn: Vec::new(), next_number: highest + 1 };
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
fn chain_before(
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
    pub(in crate::audit) fn cut_torn(&self, dir: &Path) -> Result<Vec<Record>, AuditError> {
        self.torn.iter().map(|(segment, whole)| cut(dir, segment, *whole)).collect()
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
fn cut(dir: &Path, segment: &SegmentName, whole: u64) -> Result<Record, AuditError> {
    let path = segment.path(dir);
    let failed = AuditError::file("recover", &path);
    let aside = format!("{}.{whole}.torn", segment.to_string().trim_end_matches(".jsonl"));
    let cut = || -> std::io::Result<Vec<u8>> {
        let mut torn = Vec::new();
        let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
        file.seek(SeekFrom::Start(whole))?;
        file.read_to_end(&mut torn)?;
        let mut copy = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(dir.join(&aside))?;
        copy.write_all(&torn)?;
        copy.sync_all()?;
        File::open(dir)?.sync_all()?;
        file.set_len(whole)?;
        file.sync_all()?;
        Ok(torn)
    };
    let torn = cut().map_err(failed)?;
    let mut record = Record::new(Kind::AuditRecovered);
    record.details.push(("file", Json::from(aside)));
    record.details.push(("bytes", Json::from(torn.len())));
    record.details.push(("sha256", Json::from(Hash::of(&torn).to_string())));
    Ok(record)
}
