//! A moment, as a value: nothing here reads a clock.

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
}
