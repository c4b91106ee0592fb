//! Points and spans of time as records have them and as people read them.

use jiff::Timestamp;

/// A record's time in microseconds since 1970; nothing for a text that is no time.
#[must_use]
pub fn micros(ts: &str) -> Option<i64> {
    ts.parse::<Timestamp>().ok().map(Timestamp::as_microsecond)
}

/// A time as records have it.
#[must_use]
pub fn text(micros: i64) -> String {
    let time = Timestamp::from_microsecond(micros).unwrap_or_default();
    format!("{time:.6}")
}

/// Date and time to the second, in UTC: `2026-11-24 15:50:11`.
#[must_use]
pub fn to_the_second(ts: &str) -> String {
    match (ts.get(..10), ts.get(11..19)) {
        (Some(date), Some(time)) => format!("{date} {time}"),
        _ => ts.to_owned(),
    }
}

/// A span in the unit that a person would name it in: `340 ms`, `4.2 s`, `3 min 5 s`, `2 h 10 min`.
#[must_use]
pub fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
        _ => format!("{} h {} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

/// The milliseconds from one time to a later one; none if the clock was set back between.
#[must_use]
pub fn between(from_micros: i64, to_micros: i64) -> u64 {
    u64::try_from(to_micros.saturating_sub(from_micros)).unwrap_or(0) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_their_unit() {
        for (ms, told) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (4_230, "4.2 s"),
            (59_999, "59.9 s"),
            (185_000, "3 min 5 s"),
            (7_800_000, "2 h 10 min"),
        ] {
            assert_eq!(span(ms), told);
        }
    }

    #[test]
    fn a_time_that_was_read_is_written_alike() {
        let ts = "2026-11-24T15:50:11.123456Z";
        assert_eq!(text(micros(ts).unwrap()), ts);
        assert_eq!(to_the_second(ts), "2026-11-24 15:50:11");
        assert_eq!(micros("no time"), None);
    }
}
