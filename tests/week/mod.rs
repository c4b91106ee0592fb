//! A week of a team's log, made up: the same for the same seed, to the byte.
//!
//! Real records ([`WireRecord`]) in the log's own line format and chain, one stream over several
//! files. Several people's sessions run beside each other; subagents, MCP tools, questions and
//! their answers; a policy that changes on Thursday morning; a nightly job that is refused what
//! nobody is there to be asked for; slow decisions; secrets that were redacted; texts meant to
//! harm whoever looks at them; and one attack (see `story`). What is in it is counted by whoever
//! tests with it, from the same records: this is no truth of its own.

#![allow(dead_code, reason = "each of several programs uses its own part of it")]

mod calls;
pub mod people;
pub mod policy;
mod random;
pub mod story;

use people::Session;
use random::Random;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use toolgate::audit::Hash;
use toolgate::audit::wire::WireRecord;

/// The one stream of the week.
pub const STREAM: &str = "0199a1b2-0000-7000-8000-000000000001";
/// Monday, 2026-11-16, midnight UTC, in microseconds since 1970.
pub const MONDAY: i64 = 1_794_787_200_000_000;
/// When the policy changes: Thursday, 09:00.
pub const CHANGE: i64 = MONDAY + 3 * DAY + 9 * HOUR;
/// An hour in microseconds.
pub const HOUR: i64 = 3_600_000_000;
/// A day in microseconds.
pub const DAY: i64 = 24 * HOUR;
/// The end of the week.
pub const END: i64 = MONDAY + 7 * DAY;

/// What to make.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How many records.
    pub records: u64,
    /// What is different from another week of as many.
    pub seed: u64,
    /// How long a file may be before the next one begins.
    pub segment_bytes: u64,
}

impl Options {
    /// So many records, in files of the log's usual size.
    pub fn records(records: u64) -> Options {
        Options { records, seed: 1, segment_bytes: toolgate::audit::SEGMENT_BYTES_MAX }
    }
}

/// What was made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Made {
    /// Records.
    pub records: u64,
    /// Bytes of all lines, newlines included.
    pub bytes: u64,
    /// Files.
    pub files: u64,
}

/// Hands over every record in order: all but stream, number and link, which [`write`] gives it.
pub fn each(options: Options, mut take: impl FnMut(i64, WireRecord)) {
    let mut random = Random::new(options.seed);
    let mut left = options.records;
    let mut take = |time: i64, record: WireRecord| {
        if left > 0 {
            left -= 1;
            take(time, record);
        }
        left > 0
    };
    // Times come in order because the earliest of all that is to come is taken next.
    let mut queue: BinaryHeap<Reverse<(i64, u64)>> = BinaryHeap::new();
    let mut coming: std::collections::HashMap<u64, Coming> = std::collections::HashMap::new();
    let mut ids = 0_u64;
    let mut add = |queue: &mut BinaryHeap<Reverse<(i64, u64)>>,
                   coming: &mut std::collections::HashMap<u64, Coming>,
                   time: i64,
                   what: Coming| {
        ids += 1;
        queue.push(Reverse((time, ids)));
        coming.insert(ids, what);
    };
    for (time, record) in policy::beginning(MONDAY) {
        if !take(time, record) {
            return;
        }
    }
    add(&mut queue, &mut coming, CHANGE, Coming::Record(Box::new(policy::changed())));
    for (time, record) in story::records() {
        add(&mut queue, &mut coming, time, Coming::Record(Box::new(record)));
    }
    let people = people::all(options.records, &mut random);
    for person in people {
        let time = person.wakes(MONDAY + 2_000_000, &mut random);
        add(&mut queue, &mut coming, time, Coming::Person(Box::new(person)));
    }
    while let Some(Reverse((time, id))) = queue.pop() {
        match coming.remove(&id) {
            Some(Coming::Record(record)) => match take(time, *record) {
                true => {}
                false => return,
            },
            Some(Coming::Person(mut person)) => {
                for (later, record) in person.next(time, &mut random) {
                    add(&mut queue, &mut coming, later, Coming::Record(Box::new(record)));
                }
                let next = person.wakes(time, &mut random);
                add(&mut queue, &mut coming, next, Coming::Person(person));
            }
            None => {}
        }
    }
}

enum Coming {
    Record(Box<WireRecord>),
    Person(Box<Session>),
}

/// Writes a week's log into a directory, which is made.
pub fn write(dir: &Path, options: Options) -> io::Result<Made> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let open = |number: u64| {
        let path = dir.join(format!("toolgate-{STREAM}-{number:06}.jsonl"));
        let file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        Ok::<_, io::Error>(BufWriter::with_capacity(1 << 20, file))
    };
    let mut made = Made { files: 1, ..Made::default() };
    let mut file = open(1)?;
    let (mut in_file, mut failure) = (0, None);
    let mut prev = Hash::ZERO;
    each(options, |time, mut record| {
        if failure.is_some() {
            return;
        }
        made.records += 1;
        placed(&mut record, time, made.records, prev);
        let mut line = serde_json::to_vec(&record).unwrap_or_default();
        prev = Hash::of(&line);
        line.push(b'\n');
        let bytes = line.len() as u64;
        let written = (|| {
            if in_file > 0 && in_file + bytes > options.segment_bytes {
                file.flush()?;
                made.files += 1;
                file = open(made.files)?;
                in_file = 0;
            }
            in_file += bytes;
            made.bytes += bytes;
            file.write_all(&line)
        })();
        failure = written.err();
    });
    match failure {
        Some(why) => Err(why),
        None => file.flush().map(|()| made),
    }
}

/// Gives a record its place.
pub fn placed(record: &mut WireRecord, time: i64, seq: u64, prev: Hash) {
    record.v = 1;
    record.seq = seq;
    record.ts = at(time);
    record.stream = STREAM.to_owned();
    record.prev = prev.to_string();
}

/// A time as records have it.
pub fn at(micros: i64) -> String {
    let time = jiff::Timestamp::from_microsecond(micros).unwrap_or_default();
    format!("{time:.6}")
}
