//! Which kept texts the records name, which were erased, and which are gone without a word.

use super::{BlobError, Blobs};
use crate::audit::error::AuditError;
use crate::audit::place::Hash;
use crate::audit::proof::Report;
use crate::audit::read::records;
use crate::audit::wire::{WireCapture, WireRecord};
use crate::model::json::Json;
use crate::model::record::Kind;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::SystemTime;

/// Which texts are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// This one.
    One(Hash),
    /// Those that the records of a session name.
    Session(String),
    /// Those that were kept before a time.
    Before(Timestamp),
}

/// A text that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Its name.
    pub name: Hash,
    /// The bytes of its file.
    pub bytes: u64,
    /// The record that names it, if there is one: its time and session.
    pub record: Option<(String, Option<String>)>,
}

/// How the kept texts stand against the records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlobReport {
    /// Texts that records name.
    pub named: usize,
    /// Of those, the ones that were erased, as a record says.
    pub erased: usize,
    /// Of those, the ones that are gone though no record says that they were erased: the name, and
    /// the number of the record.
    pub missing: Vec<(Hash, u64)>,
    /// Of those, the ones that are gone, as only a record says that nobody vouches for.
    pub hearsay: Vec<(Hash, u64)>,
    /// Of those, the ones that are not there and are named at the log's open end: a copy that was
    /// made while the log was written lacks them.
    pub open: usize,
    /// Of those, the ones whose file is not what was written.
    pub changed: Vec<(Hash, u64)>,
    /// Texts that are still there though a record says that they were erased.
    pub undone: Vec<Hash>,
    /// Texts that no record names, as a crash leaves them.
    pub unnamed: usize,
}

impl BlobReport {
    /// Whether nothing is gone or changed without a word.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        self.missing.is_empty() && self.hearsay.is_empty() && self.changed.is_empty()
    }
}

/// A record that names a text.
#[derive(Debug)]
struct Naming {
    stream: String,
    seq: u64,
    ts: String,
    session: Option<String>,
}

/// What the records say of kept texts.
#[derive(Debug, Default)]
struct Told {
    /// The record that names each.
    named: BTreeMap<[u8; 32], Naming>,
    /// Those that a record says are erased: the stream and number of the newest such record.
    erased: BTreeMap<[u8; 32], (String, u64)>,
}

fn told(dir: &Path) -> Result<Told, AuditError> {
    let mut told = Told::default();
    // A line that cannot be read is `verify`'s to tell.
    for entry in records(dir)?.holding("\"blob").flatten() {
        let WireRecord { seq, ts, stream, session, details, input, output, kind, .. } =
            entry.record;
        for name in [&input, &output].into_iter().flatten().flat_map(names) {
            let (stream, ts, session) = (stream.clone(), ts.clone(), session.clone());
            told.named.insert(*name.as_bytes(), Naming { stream, seq, ts, session });
        }
        if kind == Kind::AuditErased.as_str() {
            let names = details.get("blobs").and_then(Json::as_array).into_iter().flatten();
            let hash = |name: &Json| name.as_str().and_then(Hash::parse);
            let names = names.filter_map(hash);
            told.erased.extend(names.map(|name| (*name.as_bytes(), (stream.clone(), seq))));
        }
    }
    Ok(told)
}

/// What the records of the log without these files name.
pub(super) fn named(dir: &Path, without: &[String]) -> Result<BTreeSet<[u8; 32]>, AuditError> {
    let mut named = BTreeSet::new();
    for entry in records(dir)?.holding("\"blob") {
        let WireRecord { input, output, .. } = match entry {
            Ok(entry) if without.contains(&entry.file) => continue,
            Ok(entry) => entry.record,
            // Nothing is removed while it is not known what is named.
            Err(bad) => {
                let why = std::io::Error::new(std::io::ErrorKind::InvalidData, bad.to_string());
                return Err(AuditError::file("see which texts are named in", dir)(why));
            }
        };
        let captures = [&input, &output];
        named.extend(captures.into_iter().flatten().flat_map(names).map(|name| *name.as_bytes()));
    }
    Ok(named)
}

/// The texts that a captured value names.
fn names(capture: &WireCapture) -> impl Iterator<Item = Hash> {
    capture.redactions.iter().filter_map(|one| one.blob.as_deref().and_then(Hash::parse))
}

/// The texts that are there and meant.
///
/// # Errors
/// If the log or the texts cannot be read.
pub fn select(dir: &Path, selection: &Selection) -> Result<Vec<Chosen>, SelectError> {
    let told = told(dir)?;
    let time = |at: SystemTime| Timestamp::try_from(at).ok();
    let mut chosen = Vec::new();
    for kept in Blobs::of(dir).all()? {
        let record = told.named.get(kept.name.as_bytes());
        let is_meant = match selection {
            Selection::One(name) => kept.name == *name,
            Selection::Session(session) => {
                record.is_some_and(|one| one.session.as_ref() == Some(session))
            }
            Selection::Before(then) => {
                let at = record.and_then(|one| one.ts.parse::<Timestamp>().ok());
                at.or_else(|| time(kept.at)).is_some_and(|at| at < *then)
            }
        };
        if is_meant {
            let record = record.map(|one| (one.ts.clone(), one.session.clone()));
            chosen.push(Chosen { name: kept.name, bytes: kept.bytes, record });
        }
    }
    chosen.sort_by(|one, other| one.record.cmp(&other.record));
    Ok(chosen)
}

/// How the kept texts of a log stand against its records, of which `verify` said this.
///
/// # Errors
/// If the log or the texts cannot be read.
pub fn blob_report(dir: &Path, verified: &Report) -> Result<BlobReport, SelectError> {
    let told = told(dir)?;
    // Since then more may have been erased, of a log that is being written.
    let since = |(stream, seq): &(String, u64)| {
        let head = verified.head.as_ref();
        head.is_some_and(|head| head.stream.as_str() == stream && *seq > head.seq)
    };
    let is_erased = |name: &[u8; 32]| {
        verified.erased.contains(name) || told.erased.get(name).is_some_and(since)
    };
    // What a copy lacks that was made while the log was written: see `Report::open_end`.
    let is_open = |one: &Naming| {
        let end = verified.open_end.as_ref();
        end.is_some_and(|(stream, seq)| stream.as_str() == one.stream && one.seq > *seq)
    };
    let blobs = Blobs::of(dir);
    let mut report = BlobReport { named: told.named.len(), ..BlobReport::default() };
    for (name, naming) in &told.named {
        let (seq, is_erased) = (&naming.seq, is_erased(name));
        let is_hearsay = !is_erased && told.erased.contains_key(name);
        let name = Hash::from_bytes(*name);
        match blobs.get(name) {
            Ok(_) if is_erased || is_hearsay => report.undone.push(name),
            Ok(_) => {}
            Err(BlobError::Missing(_)) if is_erased => report.erased += 1,
            Err(BlobError::Missing(_)) if is_hearsay => report.hearsay.push((name, *seq)),
            Err(BlobError::Missing(_)) if is_open(naming) => report.open += 1,
            Err(BlobError::Missing(_)) => report.missing.push((name, *seq)),
            Err(BlobError::Changed(_)) => report.changed.push((name, *seq)),
            Err(why) => return Err(why.into()),
        }
    }
    let all = blobs.all()?;
    report.unnamed =
        all.iter().filter(|kept| !told.named.contains_key(kept.name.as_bytes())).count();
    Ok(report)
}

/// Why the texts cannot be looked through.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// The log cannot be read.
    #[error("{0}")]
    Audit(#[from] AuditError),
    /// The texts cannot be read.
    #[error("{0}")]
    Blob(#[from] BlobError),
}
