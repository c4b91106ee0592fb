//! Records counted by what they have: by several fields at once, and by spans of time.

use super::field::Field;
use super::row::Row;
use super::term::ABSENT;
use super::when;
use crate::limits::GROUPS_MAX;
use std::collections::HashMap;

/// What to count by. By nothing, all are one group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grouping {
    /// Each combination of their values is a group of its own. A record that has several values of
    /// a field is counted once for each.
    pub by: Vec<Field>,
    /// Spans of time, in microseconds: a group for each in which something was.
    pub bucket: Option<i64>,
}

/// The groups of one grouping.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups {
    /// What was counted by.
    pub grouping: Grouping,
    /// The groups, by bucket and then by key.
    pub groups: Vec<Group>,
    /// Records that are in no group, since there would have been too many groups.
    pub uncounted: u64,
}

/// The records that have the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// Where its span of time begins, in microseconds since 1970, if time was asked for.
    pub bucket: Option<i64>,
    /// Its value of each field, in the grouping's order; `-` if a record has none.
    pub key: Vec<String>,
    /// How many records.
    pub count: u64,
    /// When the first of them was written, in microseconds since 1970.
    pub first: i64,
    /// When the last was.
    pub last: i64,
}

impl Grouping {
    /// By these fields.
    #[must_use]
    pub fn by(fields: &[Field]) -> Grouping {
        Grouping { by: fields.to_vec(), bucket: None }
    }

    /// And by spans of time of this many microseconds.
    #[must_use]
    pub fn every(self, micros: i64) -> Grouping {
        Grouping { bucket: Some(micros.max(1)), ..self }
    }

    /// Reads a span of time: `5m`, `1h`, `1d`.
    #[must_use]
    pub fn span(text: &str) -> Option<i64> {
        when::duration(text).and_then(|micros| i64::try_from(micros).ok()).filter(|span| *span > 0)
    }
}

impl Groups {
    /// The largest first, `n` at most; equal ones by their key.
    #[must_use]
    pub fn top(mut self, n: usize) -> Groups {
        self.sort_by_count();
        self.groups.truncate(n);
        self
    }

    /// The largest first; equal ones by their key.
    pub fn sort_by_count(&mut self) {
        self.groups.sort_by(|a, b| {
            b.count.cmp(&a.count).then_with(|| (a.bucket, &a.key).cmp(&(b.bucket, &b.key)))
        });
    }
}

/// Counts while records come.
#[derive(Debug)]
pub(in crate::audit) struct Counter {
    grouping: Grouping,
    clock: when::Clock,
    /// A number for each text that was seen.
    texts: HashMap<String, u32>,
    names: Vec<String>,
    /// The numbers of texts that came lately, by their looks.
    lately: Vec<u32>,
    places: HashMap<Box<[u64]>, usize>,
    counted: Vec<(Box<[u64]>, Count)>,
    /// The places of keys that came lately, by their looks.
    keys_lately: Vec<usize>,
    /// The key that is being put together, and its values.
    key: Vec<u64>,
    values: Vec<Vec<u32>>,
    uncounted: u64,
}

/// How many texts or keys are remembered as having come lately.
const LATELY: usize = 512;
const LATELY_WIDE: u64 = 512;

/// How many, and between when.
#[derive(Debug, Clone, Copy)]
pub(in crate::audit) struct Count {
    pub(in crate::audit) count: u64,
    first: i64,
    last: i64,
}

impl Count {
    pub(in crate::audit) const NONE: Count = Count { count: 0, first: i64::MAX, last: i64::MIN };

    pub(in crate::audit) fn add(&mut self, time: i64) {
        self.count += 1;
        self.first = self.first.min(time);
        self.last = self.last.max(time);
    }

    fn join(&mut self, other: Count) {
        self.count += other.count;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

impl Counter {
    pub(in crate::audit) fn new(grouping: Grouping) -> Counter {
        let mut counter = Counter {
            values: vec![Vec::new(); grouping.by.len()],
            grouping,
            clock: when::Clock::default(),
            texts: HashMap::new(),
            names: Vec::new(),
            lately: vec![u32::MAX; LATELY],
            places: HashMap::new(),
            counted: Vec::new(),
            keys_lately: vec![usize::MAX; LATELY],
            key: Vec::new(),
            uncounted: 0,
        };
        counter.code(ABSENT);
        counter
    }

    pub(in crate::audit) fn grouping(&self) -> &Grouping {
        &self.grouping
    }

    /// The number of a text; that of "none" is 0. Most texts come again and again: what a text
    /// looks like finds it without a hash, and only costs time if it finds another.
    pub(in crate::audit) fn code(&mut self, text: &str) -> u32 {
        let ends =
            (text.len(), text.as_bytes().last_chunk::<4>(), text.as_bytes().first_chunk::<4>());
        let looks = [ends.1, ends.2].into_iter().flatten().fold(ends.0, |looks, chunk| {
            looks.wrapping_mul(31) ^ usize::try_from(u32::from_le_bytes(*chunk)).unwrap_or_default()
        });
        let looks = looks ^ (looks >> 11) ^ (looks >> 22);
        let place = looks % LATELY;
        let known = self.lately.get(place).and_then(|code| {
            let name = self.names.get(usize::try_from(*code).ok()?)?;
            (name == text).then_some(*code)
        });
        if let Some(code) = known {
            return code;
        }
        let code = match self.texts.get(text) {
            Some(code) => *code,
            None => {
                let code = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
                self.names.push(text.to_owned());
                self.texts.insert(text.to_owned(), code);
                code
            }
        };
        if let Some(lately) = self.lately.get_mut(place) {
            *lately = code;
        }
        code
    }

    /// The span of time that a time is in.
    pub(in crate::audit) fn span(&self, time: i64) -> (i64, i64) {
        match self.grouping.bucket {
            Some(span) => {
                let from = time.div_euclid(span).saturating_mul(span);
                (from, from.saturating_add(span))
            }
            None => (i64::MIN, i64::MAX),
        }
    }

    /// Counts one record.
    pub(in crate::audit) fn record(&mut self, row: &Row<'_>) {
        let time = self.clock.read(&row.ts()).unwrap_or_default();
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        key.push(self.span(time).0.cast_unsigned());
        let mut is_single = true;
        for place in 0..self.grouping.by.len() {
            let Some(field) = self.grouping.by.get(place).copied() else { continue };
            let (mut code, mut values) = (0, 0);
            field.each(row, |value| {
                code = self.code(value);
                values += 1;
            });
            key.push(u64::from(code));
            is_single &= values < 2;
        }
        if is_single {
            let mut count = Count::NONE;
            count.add(time);
            self.add_key(&key, count);
        }
        self.key = key;
        if !is_single {
            self.record_of_many(row, time);
        }
    }

    /// Counts a record that has several values of a field.
    fn record_of_many(&mut self, row: &Row<'_>, time: i64) {
        let mut values = std::mem::take(&mut self.values);
        for (place, codes) in values.iter_mut().enumerate() {
            let Some(field) = self.grouping.by.get(place).copied() else { continue };
            codes.clear();
            field.each(row, |value| codes.push(self.code(value)));
            if codes.is_empty() {
                codes.push(0);
            }
        }
        self.add(time, &values);
        self.values = values;
    }

    /// Counts one record by the codes of its values: one list for each field, each not empty.
    pub(in crate::audit) fn add(&mut self, time: i64, values: &[Vec<u32>]) {
        let mut count = Count::NONE;
        count.add(time);
        self.add_many(self.span(time).0, values, count);
    }

    /// Counts records that have the same values and span of time.
    pub(in crate::audit) fn add_many(&mut self, bucket: i64, values: &[Vec<u32>], count: Count) {
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        key.push(bucket.cast_unsigned());
        self.each_key(&mut key, values, count);
        self.key = key;
    }

    /// Counts what another counter of the same grouping counted.
    pub(in crate::audit) fn add_groups(&mut self, groups: &Groups) {
        for group in &groups.groups {
            let values: Vec<Vec<u32>> =
                group.key.iter().map(|value| vec![self.code(value)]).collect();
            let count = Count { count: group.count, first: group.first, last: group.last };
            self.add_many(group.bucket.unwrap_or(i64::MIN), &values, count);
        }
        self.uncounted += groups.uncounted;
    }

    fn each_key(&mut self, key: &mut Vec<u64>, rest: &[Vec<u32>], count: Count) {
        let Some((field, rest)) = rest.split_first() else {
            return self.add_key(key, count);
        };
        for (at, code) in field.iter().enumerate() {
            // The same value twice is one.
            if field.iter().take(at).any(|before| before == code) {
                continue;
            }
            key.push(u64::from(*code));
            self.each_key(key, rest, count);
            key.pop();
        }
    }

    fn add_key(&mut self, key: &[u64], count: Count) {
        let looks = key.iter().fold(0_u64, |looks, code| {
            (looks ^ code).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23)
        });
        let place = usize::try_from(looks % LATELY_WIDE).unwrap_or_default();
        let lately = self.keys_lately.get(place).copied().unwrap_or(usize::MAX);
        if let Some((there, counted)) = self.counted.get_mut(lately)
            && **there == *key
        {
            return counted.join(count);
        }
        let at = match self.places.get(key) {
            Some(at) => *at,
            None if self.counted.len() >= GROUPS_MAX => {
                self.uncounted += count.count;
                return;
            }
            None => {
                self.counted.push((key.into(), Count::NONE));
                self.places.insert(key.into(), self.counted.len() - 1);
                self.counted.len() - 1
            }
        };
        if let Some((_, counted)) = self.counted.get_mut(at) {
            counted.join(count);
        }
        if let Some(lately) = self.keys_lately.get_mut(place) {
            *lately = at;
        }
    }

    pub(in crate::audit) fn finish(self) -> Groups {
        let Counter { grouping, names, counted, uncounted, .. } = self;
        let name = |code: &u64| {
            let name = usize::try_from(*code).ok().and_then(|code| names.get(code));
            name.cloned().unwrap_or_default()
        };
        let mut groups: Vec<Group> = counted
            .iter()
            .filter_map(|(key, counted)| {
                let (bucket, key) = key.split_first()?;
                Some(Group {
                    bucket: grouping.bucket.map(|_| bucket.cast_signed()),
                    key: key.iter().map(name).collect(),
                    count: counted.count,
                    first: counted.first,
                    last: counted.last,
                })
            })
            .collect();
        groups.sort_unstable();
        Groups { grouping, groups, uncounted }
    }
}
