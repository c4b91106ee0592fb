//! A moment, as a value: nothing here reads a clock.

use std::time::Duration;

/// Microseconds since 1970-01-01T00:00:00Z; before it, negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub i64);

impl Moment {
    /// One second.
    pub const SECOND: i64 = 1_000_000;

    /// How much later this is than `earlier`, in microseconds; never negative.
    #[must_use]
    pub fn since(self, earlier: Moment) -> i64 {
        self.0.saturating_sub(earlier.0).max(0)
    }

    /// Whether this is later than `earlier` by more than `time`.
    #[must_use]
    pub fn is_later_by(self, time: Duration, earlier: Moment) -> bool {
        i64::try_from(time.as_micros()).is_ok_and(|time| self.since(earlier) > time)
    }
}
