//! The log as pages ask it: by [`Source`], with the indexes of its unsealed files held in memory
//! while somebody looks, and never for longer than a page may take.

use crate::audit::query::{Filter, Grouping, Groups, Held, Order, Place, Progress, Source};
use crate::audit::{AuditError, Entry};
use crate::limits::{REVIEW_ASK_TIME, REVIEW_HELD_BYTES_MAX, REVIEW_SEARCH_TIME};
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The log in a directory.
pub(super) struct Log {
    held: Arc<Held>,
}

/// What should be known of the answers that a page is made of.
#[derive(Debug, Clone, Default)]
pub(super) struct Noted {
    /// Not all was counted in time.
    pub(super) cut: bool,
    /// Lines that are no records.
    pub(super) unreadable: u64,
    /// Why something cannot be read.
    pub(super) trouble: Option<String>,
}

/// What one page asks, and until when.
pub(super) struct Asking {
    held: Arc<Held>,
    deadline: Instant,
    noted: RefCell<Noted>,
}

/// Some records, in the order asked for.
#[derive(Default)]
pub(super) struct Found {
    /// They, with their places.
    pub(super) entries: Vec<(Place, Entry)>,
    /// Whether there are more.
    pub(super) is_more: bool,
    /// Where the looking was given up, since it took too long.
    pub(super) stopped: Option<Place>,
}

impl Log {
    pub(super) fn of(dir: &Path) -> Log {
        Log { held: Arc::new(Held::of(dir, REVIEW_HELD_BYTES_MAX)) }
    }

    pub(super) fn dir(&self) -> &Path {
        self.held.dir()
    }

    /// Reads what is new, and at first everything; at once if another thread does so already.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(super) fn read_on(&self) -> Result<(), AuditError> {
        self.held.read_on()
    }

    /// Which state of the log was seen last.
    pub(super) fn version(&self) -> u64 {
        self.held.version()
    }

    /// How far the reading came.
    pub(super) fn progress(&self) -> Progress {
        self.held.progress()
    }

    /// Gives up what is held.
    pub(super) fn clear(&self) {
        self.held.clear();
    }

    /// Asks for one page.
    pub(super) fn ask(&self) -> Asking {
        Asking {
            held: Arc::clone(&self.held),
            deadline: Instant::now() + REVIEW_ASK_TIME,
            noted: RefCell::default(),
        }
    }
}

impl Asking {
    /// Where a filter is asked: one that looks into texts reads lines, and has less time for it.
    fn source(&self, filter: &Filter) -> Source {
        let time = match filter.looks_into_texts() {
            true => REVIEW_SEARCH_TIME,
            false => Duration::MAX,
        };
        let deadline = Instant::now().checked_add(time).unwrap_or(self.deadline);
        Source::held(&self.held).until(deadline.min(self.deadline))
    }

    /// What should be known of the answers so far.
    pub(super) fn noted(&self) -> Noted {
        self.noted.borrow().clone()
    }

    fn failed(&self, why: &AuditError) {
        self.noted.borrow_mut().trouble.get_or_insert_with(|| why.to_string());
    }

    /// The records that fit, counted by each of several groupings.
    pub(super) fn groups(&self, filter: &Filter, groupings: &[Grouping]) -> Vec<Groups> {
        let none = || groupings.iter().map(|_| Groups::default()).collect();
        match self.source(filter).group(filter, groupings) {
            Ok(answer) => {
                let told = u64::try_from(answer.unreadable.len()).unwrap_or_default();
                let unreadable = told.saturating_add(answer.unreadable_more);
                let mut noted = self.noted.borrow_mut();
                noted.cut |= answer.cut;
                noted.unreadable = noted.unreadable.max(unreadable);
                answer.value
            }
            Err(why) => {
                self.failed(&why);
                none()
            }
        }
    }

    /// How many records fit.
    pub(super) fn count(&self, filter: &Filter) -> u64 {
        let groups = self.groups(filter, &[Grouping::default()]);
        groups.iter().flat_map(|groups| &groups.groups).map(|group| group.count).sum()
    }

    /// No more than so many records, from a place on.
    pub(super) fn records(
        &self,
        filter: &Filter,
        order: Order,
        from: Option<Place>,
        most: usize,
    ) -> Found {
        let source = self.source(filter);
        let rows = match from {
            Some(from) => source.rows_from(filter, order, from),
            None => source.rows(filter, order),
        };
        let mut rows = match rows {
            Ok(rows) => rows,
            Err(why) => {
                self.failed(&why);
                return Found::default();
            }
        };
        let mut found = Found::default();
        // What cannot be read is counted by `groups`.
        for entry in rows.by_ref().flatten() {
            if found.entries.len() == most {
                found.is_more = true;
                return found;
            }
            let place = Place::of(&entry).unwrap_or(Place { file: 0, line: entry.line });
            found.entries.push((place, entry));
        }
        found.stopped = rows.stopped();
        found
    }

    /// The records of [`Asking::records`] without their places.
    pub(super) fn newest(&self, filter: &Filter, most: usize) -> Vec<Entry> {
        let found = self.records(filter, Order::NewestFirst, None, most);
        found.entries.into_iter().map(|(_, entry)| entry).collect()
    }

    /// The record of a number.
    pub(super) fn numbered(&self, stream: Option<&str>, seq: u64) -> Option<Entry> {
        let found = Source::held(&self.held).numbered(stream, seq);
        found.unwrap_or_else(|why| {
            self.failed(&why);
            None
        })
    }

    /// When the first and the last record were written, in microseconds since 1970.
    pub(super) fn span(&self) -> Option<(i64, i64)> {
        let all = Filter::default();
        let at = |order| {
            let found = self.records(&all, order, None, 1);
            let time = found.entries.first()?.1.record.ts.parse::<jiff::Timestamp>();
            time.ok().map(jiff::Timestamp::as_microsecond)
        };
        Some((at(Order::OldestFirst)?, at(Order::NewestFirst)?))
    }
}
