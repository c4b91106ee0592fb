//! Writing down all that is remembered, and building it again from the log.
//!
//! A start reads from the last but one whole snapshot on: the newest was taken only after that one
//! stood in the log, so every change that is not in the newest stands behind it. A log that cannot
//! be read there, or has a gap, says nothing for sure, and then nothing is let through that depends
//! on it.

use super::change::{Change, Item, Part};
use super::key::{Key, User};
use super::store::Store;
use super::user::Remembered;
use crate::audit::wire::WireRecord;
use crate::audit::{AuditError, Log};
use crate::limits::{SNAPSHOT_CHANGES, STATE_BYTES_MAX};
use crate::model::record::{Durability, Kind, Record};
use crate::model::time::Moment;
use crate::redact::Redactor;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::Ordering;

impl Store {
    /// Whether it is time to write everything down once more.
    #[must_use]
    pub fn wants_snapshot(&self) -> bool {
        let sessions = self.sessions.load(Ordering::Relaxed);
        let enough = SNAPSHOT_CHANGES.max(u64::try_from(10 * sessions).unwrap_or(u64::MAX));
        self.lost.is_none() && self.changes.load(Ordering::Relaxed) >= enough
    }

    /// Everything that is remembered, as records for the log: all of them, or none where it is
    /// not known what was. It waits for the users' locks.
    #[must_use]
    pub fn snapshot(&self, now: Moment) -> Vec<Record> {
        if self.lost.is_some() {
            return Vec::new();
        }
        self.changes.store(0, Ordering::Relaxed);
        let mut items = Vec::new();
        for (user, cell) in self.cells() {
            cell.lock().items(user, now, &mut items);
        }
        let snapshot = self.snapshot.fetch_add(1, Ordering::Relaxed) + 1;
        let mut parts = vec![Vec::new()];
        let mut room = STATE_BYTES_MAX;
        for item in items {
            let bytes = serde_json::to_string(&item).map_or(room, |text| text.len()) + 1;
            if bytes > room {
                parts.push(Vec::new());
                room = STATE_BYTES_MAX;
            }
            room = room.saturating_sub(bytes);
            if let Some(part) = parts.last_mut() {
                part.push(item);
            }
        }
        let of = parts.len();
        let record = |(part, items): (usize, Vec<_>)| {
            // A part that could not be told is missing at the next start, and an older whole is
            // read instead.
            let state = serde_json::to_value(Part { snapshot, part, of, items }).ok();
            // All parts are on the disk when the last one is.
            let last = part + 1 == of;
            let durability = if last { Durability::Synced } else { Durability::Written };
            Record { state, durability, ..Record::new(Kind::SessionSnapshot) }
        };
        parts.into_iter().enumerate().map(record).collect()
    }

    /// Builds what is remembered again from the log of a directory.
    ///
    /// # Errors
    /// If the part of the log that matters cannot be read, or has a gap.
    pub fn rebuild(dir: &Path, redactor: Redactor) -> Result<Store, RebuildError> {
        let log = Log::of(dir)?;
        let (first_file, whole) = snapshots(&log);
        let mut newest = whole.iter().rev();
        let (newest, before) = (newest.next().copied(), newest.next().copied());
        let mut reading = Reading { newest, highest: newest.unwrap_or(0), ..Reading::default() };
        if before.is_none() && log.has_holes() {
            let why = "retention deleted files that no snapshot stands behind".to_owned();
            return Err(RebuildError::Unreadable(why));
        }
        let mut begun = before.is_none();
        for entry in log.from(first_file) {
            let entry = match entry {
                Ok(entry) => entry,
                // What lies before that snapshot is in the newest, if it ever mattered.
                Err(_) if !begun => continue,
                Err(error) => return Err(RebuildError::Unreadable(error.to_string())),
            };
            begun = begun || part(&entry.record).is_some_and(|part| Some(part.snapshot) == before);
            if begun {
                let place = || format!("`{}` line {}", entry.file, entry.line);
                reading.take(entry.record).ok_or_else(|| {
                    RebuildError::Unreadable(format!("{}: the state in it is unreadable", place()))
                })?;
            }
        }
        let unreadable =
            || RebuildError::Unreadable("a snapshot of sessions is unreadable".to_owned());
        let (users, highest) = reading.finish().filter(|_| begun).ok_or_else(unreadable)?;
        Ok(Store::restored(redactor, users, highest))
    }
}

/// Why it is not known what sessions did.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The log's files cannot be listed.
    #[error("{0}")]
    Audit(#[from] AuditError),
    /// A line that matters is none, or one is missing.
    #[error(
        "the log does not tell what sessions did: {0}; with another directory (--audit) every \
         session begins anew, without labels and counts"
    )]
    Unreadable(String),
}

/// The part of a snapshot that a record holds.
fn part(record: &WireRecord) -> Option<Part> {
    if record.kind != Kind::SessionSnapshot.as_str() {
        return None;
    }
    serde_json::from_value(record.state.clone()?).ok()
}

/// The file to read from, and the numbers of the newest whole snapshots, in order.
fn snapshots(log: &Log) -> (usize, Vec<u64>) {
    // By number: how many parts were seen, and the file that its first part stands in.
    let mut seen: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
    let mut whole = Vec::new();
    for file in (0..log.files()).rev() {
        for entry in log.file(file).holding(Kind::SessionSnapshot.as_str()).flatten() {
            let Some(Part { snapshot, part, of, .. }) = part(&entry.record) else { continue };
            let (parts, first) = seen.entry(snapshot).or_insert((0, file));
            *parts += 1;
            if part == 0 {
                *first = file;
            }
            if *parts == of {
                whole.push(snapshot);
            }
        }
        if whole.len() >= 2 {
            whole.sort_unstable();
            let before = whole.iter().rev().nth(1).and_then(|number| seen.get(number));
            return (before.map_or(0, |(_, first)| *first), whole);
        }
    }
    (0, whole)
}

/// What was read so far.
#[derive(Debug, Default)]
struct Reading {
    newest: Option<u64>,
    /// The highest number of any snapshot, whole or not.
    highest: u64,
    /// Parts of the newest that are still to come; nothing before its first.
    missing: Option<usize>,
    items: Vec<Item>,
    changes: BTreeMap<User, BTreeMap<u64, Change>>,
}

impl Reading {
    fn take(&mut self, record: WireRecord) -> Option<()> {
        let Some(state) = record.state else { return Some(()) };
        if record.kind == Kind::SessionSnapshot.as_str() {
            let part: Part = serde_json::from_value(state).ok()?;
            self.highest = self.highest.max(part.snapshot);
            if Some(part.snapshot) == self.newest {
                self.missing = Some(self.missing.unwrap_or(part.of).saturating_sub(1));
                self.items.extend(part.items);
            }
            return Some(());
        }
        let change: Change = serde_json::from_value(state).ok()?;
        self.changes.entry(User(change.user)).or_default().insert(change.seq, change);
        Some(())
    }

    /// What is remembered, and the number of the last snapshot.
    fn finish(self) -> Option<(BTreeMap<User, Remembered>, u64)> {
        if self.newest.is_some() && self.missing != Some(0) {
            return None;
        }
        let mut users: BTreeMap<User, Remembered> = BTreeMap::new();
        for item in self.items {
            users.entry(item.user()).or_default().restore(item)?;
        }
        for (user, changes) in self.changes {
            let memory = users.entry(user).or_default();
            // What the snapshot holds already is not done twice.
            let held = memory.seq;
            for (_, change) in changes.into_iter().filter(|(seq, _)| *seq > held) {
                let Key { session, .. } = change.key()?;
                memory.apply(session, &change, true);
            }
        }
        Some((users, self.highest))
    }
}
