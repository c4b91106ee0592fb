//! Times, and what is told of them.

use crate::Failure;
use std::time::{Duration, Instant};

/// Rounds that are not counted.
pub const WARM_UP: usize = 20;

/// What one thing took, again and again.
#[derive(Debug, Default)]
pub struct Series(Vec<Duration>);

impl Series {
    /// Does it and, if it counts, keeps how long it took.
    ///
    /// # Errors
    /// If it fails.
    pub fn add(
        &mut self,
        counted: bool,
        work: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let started = Instant::now();
        work()?;
        if counted {
            self.0.push(started.elapsed());
        }
        Ok(())
    }

    /// Keeps what was timed elsewhere.
    pub fn extend(&mut self, times: impl IntoIterator<Item = Duration>) {
        self.0.extend(times);
    }

    /// How many were timed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The share of the series that is at most this long, in milliseconds.
    #[must_use]
    pub fn ms(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort();
        let at = ((sorted.len() as f64 - 1.0) * share) as usize;
        sorted.get(at).copied().unwrap_or_default().as_secs_f64() * 1000.0
    }
}
