//! Records counted by what they have: by several fields at once, and by spans of time.

use super::field::Field;
use super::term::ABSENT;
use super::when;
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
    /// A number for each text that was seen.
    texts: HashMap<String, u32>,
    names: Vec<String>,
    counted: HashMap<Box<[u64]>, Count>,
    /// The key that is being put together.
    key: Vec<u64>,
}

/// How many, and between when.
#[derive(Debug, Clone, Copy)]
pub(in crate::audit) struct Count {
    pub(in crate::audit) count: u64,
    pub(in crate::audit) first: i64,
    pub(in crate::audit) last: i64,
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
            grouping,
            texts: HashMap::new(),
            names: Vec::new(),
            counted: HashMap::new(),
            key: Vec::new(),
        };
        counter.code(ABSENT);
        counter
    }

    pub(in crate::audit) fn grouping(&self) -> &Grouping {
        &self.grouping
    }

    /// The number of a text; that of "none" is 0.
    pub(in crate::audit) fn code(&mut self, text: &str) -> u32 {
        if let Some(code) = self.texts.get(text) {
            return *code;
        }
        let code = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(text.to_owned());
        self.texts.insert(text.to_owned(), code);
        code
    }

    /// The bucket that a time is in.
    pub(in crate::audit) fn bucket(&self, time: i64) -> i64 {
        self.grouping.bucket.map_or(0, |span| time.div_euclid(span).saturating_mul(span))
    }

    /// Counts one record by the codes of its values: one list for each field, each not empty.
    pub(in crate::audit) fn add(&mut self, time: i64, values: &[Vec<u32>]) {
        let mut count = Count::NONE;
        count.add(time);
        self.add_many(self.bucket(time), values, count);
    }

    /// Counts records that have the same values.
    pub(in crate::audit) fn add_many(&mut self, bucket: i64, values: &[Vec<u32>], count: Count) {
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        key.push(bucket.cast_unsigned());
        self.each_key(&mut key, values, count);
        self.key = key;
    }

    fn each_key(&mut self, key: &mut Vec<u64>, rest: &[Vec<u32>], count: Count) {
        let Some((field, rest)) = rest.split_first() else {
            match self.counted.get_mut(key.as_slice()) {
                Some(there) => there.join(count),
                None => {
                    self.counted.insert(key.as_slice().into(), count);
                }
            }
            return;
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

    /// How many groups there are so far.
    pub(in crate::audit) fn len(&self) -> usize {
        self.counted.len()
    }

    pub(in crate::audit) fn finish(self) -> Groups {
        let Counter { grouping, names, counted, .. } = self;
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
        Groups { grouping, groups }
    }
}
