//! What a filter selects, counted in one pass over the columns.
//!
//! A facet counts what would be there if its own field were left free, so that another value can be
//! added. Names are compared once for each name, and never once for each row.

use super::board::{Part, State};
use super::link::Filter;
use super::rows::{Field, Names, Numbers, Rows};
use crate::policy::pattern::text::TextPattern;
use jiff::Timestamp;

/// What a decision is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// The record decides nothing.
    Other,
    /// Allowed, or no opinion.
    Allow,
    /// A person was to say yes.
    Ask,
    /// Refused.
    Deny,
}

/// How many of each class.
pub(super) type Classes = [u64; 4];

/// A filter, by the numbers of its names.
pub(super) struct Test {
    wanted: Vec<(Field, Vec<bool>)>,
    /// In microseconds; the second is not in it.
    pub(super) time: (i64, i64),
}

/// Where a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The file's number.
    pub(super) file: u64,
    /// The row in it.
    pub(super) row: usize,
}

/// Stretches of time of one width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bins {
    pub(super) from: i64,
    pub(super) width: i64,
    pub(super) count: usize,
}

/// All that one pass counts.
pub(super) struct Counted {
    pub(super) rows: u64,
    pub(super) classes: Classes,
    pub(super) bins: Vec<Classes>,
    /// For each field of [`Field::ALL`], how many of each name.
    facets: Vec<Vec<u64>>,
}

impl Test {
    pub(super) fn of(filter: &Filter, state: &State, now: Timestamp) -> Test {
        let mut wanted = Vec::new();
        for field in Field::ALL {
            let values = filter.values.iter().filter(|(one, _)| *one == field);
            let values: Vec<&str> = values.map(|(_, value)| value.as_str()).collect();
            if !values.is_empty() {
                wanted.push((field, accepted(&values, state.names.of(field))));
            }
        }
        let micros = |moment: &super::link::Moment| moment.micros(now);
        let from = filter.since.as_ref().map_or(i64::MIN, micros);
        let to = filter.until.as_ref().map_or(i64::MAX, micros);
        Test { wanted, time: (from, to) }
    }

    fn is_in_time(&self, rows: &Rows, row: usize) -> bool {
        let at = rows.at.get(row).copied().unwrap_or_default();
        self.time.0 <= at && at < self.time.1
    }

    /// Whether a row is selected.
    pub(super) fn fits(&self, rows: &Rows, row: usize) -> bool {
        let fits = |(field, wanted): &(Field, Vec<bool>)| is_wanted(rows, row, *field, wanted);
        self.is_in_time(rows, row) && self.wanted.iter().all(fits)
    }

    /// Nothing, if a row fits; else the one field that it fails, if it is only one.
    fn fails(&self, rows: &Rows, row: usize) -> Option<Option<Field>> {
        let mut failed = None;
        for (field, wanted) in &self.wanted {
            if !is_wanted(rows, row, *field, wanted) {
                if failed.is_some() {
                    return Some(None);
                }
                failed = Some(*field);
            }
        }
        failed.map(Some)
    }
}

fn is_wanted(rows: &Rows, row: usize, field: Field, wanted: &[bool]) -> bool {
    let has = |number: u32| {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        wanted.get(at).copied().unwrap_or_default()
    };
    match rows.numbers(field, row) {
        Numbers::One(number) => has(number),
        Numbers::Several(numbers) => numbers.iter().any(|number| has(*number)),
    }
}

/// Which names fit one of the values.
fn accepted(values: &[&str], names: &Names) -> Vec<bool> {
    let mut accepted = vec![false; names.len()];
    for value in values {
        if let Some(at) = names.known(value).and_then(|number| usize::try_from(number).ok())
            && let Some(one) = accepted.get_mut(at)
        {
            *one = true;
        }
        if value.contains('*') {
            let pattern = TextPattern::parse(value);
            for (one, name) in accepted.iter_mut().zip(names.texts()) {
                *one |= !name.is_empty() && pattern.matches(name);
            }
        }
    }
    accepted
}

impl Bins {
    /// At most so many, of a width that people use.
    pub(super) fn over(from: i64, to: i64, most: usize) -> Bins {
        const SECONDS: [i64; 16] = [
            1, 5, 15, 60, 300, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 604_800,
            2_592_000, 31_536_000,
        ];
        let span = to.saturating_sub(from).max(1);
        let most = i64::try_from(most).unwrap_or(i64::MAX).max(1);
        let fits = |seconds: &i64| span / (seconds * 1_000_000) < most;
        let last = span / most / 1_000_000 + 1;
        let width = SECONDS.into_iter().find(fits).unwrap_or(last) * 1_000_000;
        let from = from.div_euclid(width) * width;
        let count = (to.saturating_sub(from).max(1) + width - 1) / width;
        Bins { from, width, count: usize::try_from(count).unwrap_or(1).max(1) }
    }

    fn of(&self, at: i64) -> Option<usize> {
        usize::try_from(at.checked_sub(self.from)?.div_euclid(self.width)).ok()
    }

    /// When the one with this number begins.
    pub(super) fn begin(&self, number: usize) -> i64 {
        self.from + i64::try_from(number).unwrap_or_default() * self.width
    }
}

/// Counts what a test selects. `skip` is left out, though it fits.
pub(super) fn count(
    state: &State,
    test: &Test,
    bins: Bins,
    skip: &dyn Fn(&Rows, usize) -> bool,
) -> Counted {
    let mut counted = Counted {
        rows: 0,
        classes: Classes::default(),
        bins: vec![Classes::default(); bins.count],
        facets: Field::ALL.map(|field| vec![0; state.names.of(field).len()]).into(),
    };
    let classes = classes(state);
    for part in &state.files {
        for row in 0..part.rows.len() {
            if !test.is_in_time(&part.rows, row) || skip(&part.rows, row) {
                continue;
            }
            match test.fails(&part.rows, row) {
                None => {
                    counted.rows += 1;
                    let class = class_of(&classes, &part.rows, row);
                    add(&mut counted.classes, class);
                    let at = part.rows.at.get(row).copied().unwrap_or_default();
                    let bin = bins.of(at).and_then(|bin| counted.bins.get_mut(bin));
                    if let Some(bin) = bin {
                        add(bin, class);
                    }
                    for (field, counts) in Field::ALL.into_iter().zip(&mut counted.facets) {
                        tally(counts, &part.rows, row, field);
                    }
                }
                Some(Some(field)) => {
                    if let Some(counts) = counted.facets.get_mut(place(field)) {
                        tally(counts, &part.rows, row, field);
                    }
                }
                Some(None) => {}
            }
        }
    }
    counted
}

fn place(field: Field) -> usize {
    Field::ALL.iter().position(|one| *one == field).unwrap_or_default()
}

fn add(classes: &mut Classes, class: Class) {
    let place = match class {
        Class::Other => 0,
        Class::Allow => 1,
        Class::Ask => 2,
        Class::Deny => 3,
    };
    if let Some(count) = classes.get_mut(place) {
        *count += 1;
    }
}

fn tally(counts: &mut [u64], rows: &Rows, row: usize, field: Field) {
    let mut one = |number: u32| {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(count) = counts.get_mut(at) {
            *count += 1;
        }
    };
    match rows.numbers(field, row) {
        Numbers::One(number) => one(number),
        Numbers::Several(numbers) => numbers.iter().for_each(|number| one(*number)),
    }
}

/// The class of each name of a decision.
pub(super) fn classes(state: &State) -> Vec<Class> {
    let class = |text: &str| match text {
        "allow" | "defer" => Class::Allow,
        "ask" => Class::Ask,
        "" => Class::Other,
        // A word of a newer version is more likely a refusal than a permission.
        _ => Class::Deny,
    };
    state.names.of(Field::Decision).texts().map(class).collect()
}

/// What a row is counted as.
pub(super) fn class_of(classes: &[Class], rows: &Rows, row: usize) -> Class {
    match rows.numbers(Field::Decision, row) {
        Numbers::One(number) => {
            let at = usize::try_from(number).unwrap_or(usize::MAX);
            classes.get(at).copied().unwrap_or(Class::Other)
        }
        Numbers::Several(_) => Class::Other,
    }
}

impl Counted {
    /// The names of a field with their counts, the most frequent first; not the one for none.
    pub(super) fn facet<'a>(&self, state: &'a State, field: Field) -> Vec<(&'a str, u64)> {
        let counts = self.facets.get(place(field)).map(Vec::as_slice).unwrap_or_default();
        let names = state.names.of(field).texts().zip(counts.iter().copied()).skip(1);
        let mut all: Vec<_> = names.filter(|(_, count)| *count > 0).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        all
    }
}

/// The rows that a test selects, newest first, from before a place on.
pub(super) fn newest<'a>(
    state: &'a State,
    test: &'a Test,
    before: Option<Place>,
) -> impl Iterator<Item = (&'a Part, usize)> + 'a {
    let files = state.files.iter().rev();
    let files = files.filter(move |part| before.is_none_or(|at| part.number <= at.file));
    files.flat_map(move |part| {
        let end = match before {
            Some(at) if at.file == part.number => at.row.min(part.rows.len()),
            _ => part.rows.len(),
        };
        (0..end).rev().filter(|row| test.fits(&part.rows, *row)).map(move |row| (part, row))
    })
}

/// The rows that a test selects, oldest first, from behind a place on.
pub(super) fn oldest_behind<'a>(
    state: &'a State,
    test: &'a Test,
    behind: Option<Place>,
) -> impl Iterator<Item = (&'a Part, usize)> + 'a {
    let is_behind = move |part: &&Part| behind.is_none_or(|at| part.number >= at.file);
    state.files.iter().filter(is_behind).flat_map(move |part| {
        let begin = match behind {
            Some(at) if at.file == part.number => at.row.saturating_add(1),
            _ => 0,
        };
        let rows = (begin..part.rows.len()).filter(|row| test.fits(&part.rows, *row));
        rows.map(move |row| (part, row))
    })
}

impl Place {
    /// As it stands in an address.
    pub(super) fn parse(text: &str) -> Option<Place> {
        let (file, row) = text.split_once('.')?;
        Some(Place { file: file.parse().ok()?, row: row.parse().ok()? })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.file, self.row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_have_a_width_that_people_use_and_hold_all_of_it() {
        let hour = 3_600_000_000_i64;
        for (from, to, most) in [(0, hour, 60), (hour + 1, 30 * hour, 100), (5, 6, 10), (9, 9, 1)] {
            let bins = Bins::over(from, to, most);
            assert!(bins.count <= most + 1, "{bins:?}");
            assert!(bins.from <= from && bins.begin(bins.count) >= to, "{bins:?}");
            assert_eq!(bins.of(from), Some(0));
        }
        assert_eq!(Bins::over(0, hour, 61).width, 60_000_000);
        assert!(Bins::over(0, i64::MAX / 2, 10).count <= 11);
    }

    #[test]
    fn a_place_comes_back() {
        let place = Place { file: 7, row: 12 };
        assert_eq!(Place::parse(&place.to_string()), Some(place));
        assert_eq!(["", "7", "7.", ".1", "a.b", "-1.2"].map(Place::parse), [None; 6]);
    }
}
