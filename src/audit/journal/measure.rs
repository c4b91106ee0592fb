//! How many durable records a second this disk takes: for benches, and for `doctor`.

use crate::audit::error::AuditError;
use crate::audit::journal::Journal;
use crate::audit::options::Options;
use crate::model::record::{Kind, Record};
use std::path::Path;
use std::time::{Duration, Instant};

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Records that were answered.
    pub records: u64,
    /// How long that took.
    pub took: Duration,
}

impl Measured {
    /// Records per second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        f64::from(u32::try_from(self.records).unwrap_or(u32::MAX)) / self.took.as_secs_f64()
    }
}

/// Lets `writers` threads append synced records to a log in `dir` for as long as `time`.
///
/// # Errors
/// The first error of any append.
pub fn durable_records_per_second(
    dir: &Path,
    options: Options,
    writers: usize,
    time: Duration,
) -> Result<Measured, AuditError> {
    let journal = Journal::open(dir, options)?;
    let began = Instant::now();
    let write = || {
        let mut count = 0_u64;
        while began.elapsed() < time {
            journal.append_blocking(sample(count))?;
            count += 1;
        }
        Ok(count)
    };
    let records = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..writers).map(|_| scope.spawn(write)).collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined.map(|count| count.unwrap_or(Err(AuditError::Closed))).sum::<Result<u64, _>>()
    })?;
    let took = began.elapsed();
    journal.close()?;
    Ok(Measured { records, took })
}

/// A record of about the size of a real one.
fn sample(count: u64) -> Record {
    let mut record = Record::new(Kind::Finding);
    record.cwd = Some("/work/project".to_owned());
    record.details.push(("count", count.into()));
    record.details.push(("text", "measuring ".repeat(40).into()));
    record
}
