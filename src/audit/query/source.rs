//! Where a question is asked: a log's directory, one file, or standard input.

use super::filter::Filter;
use super::group::{Counter, Grouping, Groups};
use super::row::{Part, Reader};
use crate::audit::error::AuditError;
use crate::audit::read::{Entry, Unreadable, records};
use std::path::{Path, PathBuf};

/// What can be asked.
#[derive(Debug, Clone)]
pub struct Source {
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Directory(PathBuf),
}

/// In which order records are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As they were written.
    OldestFirst,
    /// The newest first.
    NewestFirst,
}

/// An answer, and what could not be read on the way to it.
#[derive(Debug, Clone, Default)]
pub struct Answer<T> {
    /// The answer, over all that could be read.
    pub value: T,
    /// The first lines and files that could not be read.
    pub unreadable: Vec<Unreadable>,
    /// How many more there were.
    pub unreadable_more: u64,
}

impl Source {
    /// A log's directory, as it is now.
    #[must_use]
    pub fn directory(dir: &Path) -> Source {
        Source { place: Place::Directory(dir.to_owned()) }
    }

    /// How many records fit.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn count(&self, filter: &Filter) -> Result<Answer<u64>, AuditError> {
        let groups = self.group(filter, &[Grouping::default()])?;
        let Answer { value, unreadable, unreadable_more } = groups;
        let counts = value.iter().flat_map(|one| &one.groups).map(|group| group.count);
        Ok(Answer { value: counts.sum(), unreadable, unreadable_more })
    }

    /// The records that fit, counted by each of several groupings in one pass.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn group(
        &self,
        filter: &Filter,
        groupings: &[Grouping],
    ) -> Result<Answer<Vec<Groups>>, AuditError> {
        let mut answer = Answer::default();
        let mut counters: Vec<Counter> = groupings.iter().cloned().map(Counter::new).collect();
        let parts = groupings.iter().flat_map(|grouping| &grouping.by);
        let parts = parts.fold(filter.parts().and(Part::Ts), |all, field| all.or(field.parts()));
        let mut reader = Reader::of(parts);
        let Place::Directory(dir) = &self.place;
        for entry in records(dir)? {
            let row = match &entry {
                Ok(entry) => reader.read(entry.text.as_bytes()).ok(),
                Err(bad) => {
                    answer.unreadable.push(bad.clone());
                    None
                }
            };
            let Some(row) = row.filter(|row| filter.fits_row(row)) else { continue };
            for counter in &mut counters {
                let mut values = Vec::new();
                for field in counter.grouping().by.clone() {
                    let mut codes = Vec::new();
                    field.each(&row, |value| codes.push(counter.code(value)));
                    if codes.is_empty() {
                        codes.push(0);
                    }
                    values.push(codes);
                }
                counter.add(row.time().unwrap_or_default(), &values);
            }
        }
        answer.value = counters.into_iter().map(Counter::finish).collect();
        Ok(answer)
    }

    /// The records that fit.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn rows(&self, filter: &Filter, order: Order) -> Result<Rows, AuditError> {
        let Place::Directory(dir) = &self.place;
        let mut found: Vec<Result<Entry, Unreadable>> = records(dir)?
            .filter(|entry| entry.as_ref().map_or(true, |entry| filter.fits(&entry.record)))
            .collect();
        if order == Order::OldestFirst {
            found.reverse();
        }
        Ok(Rows { found })
    }
}

/// The records that fit a filter, one after the other.
#[derive(Debug)]
pub struct Rows {
    found: Vec<Result<Entry, Unreadable>>,
}

impl Iterator for Rows {
    type Item = Result<Entry, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        self.found.pop()
    }
}
