//! Times: of records, and as a person says them.

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::Offset;
use jiff::{Span, Timestamp, ToSpan};

/// The time of a record, in microseconds since 1970. Its one spelling is read by hand.
pub(in crate::audit) fn of_record(text: &str) -> Option<i64> {
    canonical(text.as_bytes()).or_else(|| text.parse().ok().map(Timestamp::as_microsecond))
}

/// Reads times of records one after the other: most are of the same minute as the one before.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// A minute as it is written, with its colon, and when it begins.
    minute: [u8; MINUTE_BYTES],
    begins: i64,
}

const MINUTE_BYTES: usize = 17;

impl Clock {
    /// As [`of_record`].
    pub(super) fn read(&mut self, text: &str) -> Option<i64> {
        let Some((minute, rest)) = text.as_bytes().split_first_chunk::<MINUTE_BYTES>() else {
            return of_record(text);
        };
        let digit = |byte: u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
        let within = |rest: &[u8]| {
            let [ten, one, b'.', micros @ .., b'Z'] = rest else { return None };
            let second = digit(*ten)? * 10 + digit(*one)?;
            let micros = <&[u8; 6]>::try_from(micros).ok()?;
            let micros = micros.iter().try_fold(0, |all, byte| Some(all * 10 + digit(*byte)?))?;
            (second < 60).then_some(second * 1_000_000 + micros)
        };
        let Some(within) = within(rest) else { return of_record(text) };
        if *minute != self.minute {
            let Some(time) = canonical(text.as_bytes()) else { return of_record(text) };
            (self.minute, self.begins) = (*minute, time - within);
        }
        Some(self.begins + within)
    }
}

/// `2026-11-24T15:50:08.123456Z`, and nothing else.
fn canonical(text: &[u8]) -> Option<i64> {
    let shape = b"dddd-dd-ddTdd:dd:dd.ddddddZ";
    let fits = text.len() == shape.len()
        && text.iter().zip(shape).all(|(byte, form)| match form {
            b'd' => byte.is_ascii_digit(),
            form => byte == form,
        });
    if !fits {
        return None;
    }
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to).unwrap_or_default();
        digits.iter().fold(0_i64, |number, digit| number * 10 + i64::from(digit - b'0'))
    };
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let (hour, minute, second) = (number(11, 13), number(14, 16), number(17, 19));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if day == 0 || day > days || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days since 1970 in the calendar that begins its years in March (Howard Hinnant).
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some(seconds * 1_000_000 + number(20, 26))
}

/// Which end of a span of time a day stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Since,
    Until,
}

/// A moment in microseconds, as a person says it: a time, a day, or how long ago.
pub(super) fn moment(text: &str, end: End, now: Timestamp) -> Result<i64, String> {
    let day = |date: Date| -> Option<Timestamp> {
        let date = match end {
            End::Since => date,
            // Until a day is until its end.
            End::Until => date.checked_add(1.day()).ok()?,
        };
        Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()
    };
    let today = Offset::UTC.to_datetime(now).date();
    let found = match text {
        "now" => Some(now),
        "today" => day(today),
        "yesterday" => today.yesterday().ok().and_then(day),
        // From six in the evening to six in the morning.
        "last night" | "last-night" => match end {
            End::Since => today.yesterday().ok().and_then(|date| at(date.at(18, 0, 0, 0))),
            End::Until => at(today.at(6, 0, 0, 0)),
        },
        _ => weekday(text, today)
            .and_then(day)
            .or_else(|| of_day(text, today, now))
            .or_else(|| absolute(text, day))
            .or_else(|| ago(text, now)),
    };
    found.map(Timestamp::as_microsecond).ok_or_else(|| {
        format!(
            "`{text}` is no time; write 2h, 7d, 30m, today, yesterday, last-night, monday, 02:00, \
             a day (2026-11-24) or a time (2026-11-24T09:30:00Z); all are UTC"
        )
    })
}

fn at(time: DateTime) -> Option<Timestamp> {
    Offset::UTC.to_timestamp(time).ok()
}

/// The last day of that name; today, if it is its name.
fn weekday(text: &str, today: Date) -> Option<Date> {
    const DAYS: [(&str, Weekday); 7] = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    let (_, named) = DAYS.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text))?;
    today.checked_sub(i64::from(today.weekday().since(named)).days()).ok()
}

/// `02:00`: that time today, or yesterday if it is still to come.
fn of_day(text: &str, today: Date, now: Timestamp) -> Option<Timestamp> {
    let (hour, minute) = text.split_once(':').filter(|_| text.len() == "02:00".len())?;
    let two =
        |text: &str| text.parse::<i8>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    let time = jiff::civil::Time::new(two(hour)?, two(minute)?, 0, 0).ok()?;
    let then = at(today.to_datetime(time))?;
    match then > now {
        true => at(today.yesterday().ok()?.to_datetime(time)),
        false => Some(then),
    }
}

fn absolute(text: &str, day: impl Fn(Date) -> Option<Timestamp>) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    if text.len() == "2026-11-24".len() {
        return day(text.parse().ok()?);
    }
    // Without a zone it is UTC, as all times of the log are.
    let civil = text.starts_with(|c: char| c.is_ascii_digit()) && text.contains(':');
    let time = civil.then(|| text.parse::<DateTime>().ok()).flatten()?;
    Offset::UTC.to_timestamp(time).ok()
}

fn ago(text: &str, now: Timestamp) -> Option<Timestamp> {
    let span: Span = text.parse().ok()?;
    let text = text.trim();
    if span.is_zero() || text.starts_with(['-', '+', 'P', 'p']) {
        return None;
    }
    let then = Offset::UTC.to_datetime(now).checked_sub(span.abs()).ok()?;
    Offset::UTC.to_timestamp(then).ok()
}

/// How long, in microseconds: `250us`, `5ms`, `1.5s`, `2m`, `1h`, `30d`, `2w`.
#[must_use]
pub fn duration(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at_checked(end)?;
    let unit = match unit {
        "us" | "µs" => 1_u64,
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        "w" => 604_800_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.len() > 6 || number.ends_with('.') {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    let parts: u64 = format!("{fraction:0<6}").parse().ok()?;
    let fraction = u128::from(parts) * u128::from(unit) / 1_000_000;
    whole.checked_add(u64::try_from(fraction).ok()?)
}

/// A time as it is written in the log, without what is zero at its end.
pub(super) fn show(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map_or_else(|_| micros.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: &str = "2026-11-24T15:30:00Z";

    fn said(text: &str, end: End) -> Result<String, String> {
        moment(text, end, NOW.parse().unwrap()).map(show)
    }

    #[test]
    fn moments_are_read_as_a_person_says_them() {
        for (text, since, until) in [
            ("now", "2026-11-24T15:30:00Z", "2026-11-24T15:30:00Z"),
            ("today", "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z"),
            ("yesterday", "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"),
            ("last night", "2026-11-23T18:00:00Z", "2026-11-24T06:00:00Z"),
            ("last-night", "2026-11-23T18:00:00Z", "2026-11-24T06:00:00Z"),
            // It is a Tuesday, half past three.
            ("monday", "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"),
            ("Tuesday", "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z"),
            ("wednesday", "2026-11-18T00:00:00Z", "2026-11-19T00:00:00Z"),
            ("02:00", "2026-11-24T02:00:00Z", "2026-11-24T02:00:00Z"),
            ("15:45", "2026-11-23T15:45:00Z", "2026-11-23T15:45:00Z"),
            ("2026-11-20", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"),
            ("2h", "2026-11-24T13:30:00Z", "2026-11-24T13:30:00Z"),
            ("90s", "2026-11-24T15:28:30Z", "2026-11-24T15:28:30Z"),
            ("1h30m", "2026-11-24T14:00:00Z", "2026-11-24T14:00:00Z"),
            ("7d", "2026-11-17T15:30:00Z", "2026-11-17T15:30:00Z"),
            ("1w", "2026-11-17T15:30:00Z", "2026-11-17T15:30:00Z"),
            ("2 hours ago", "2026-11-24T13:30:00Z", "2026-11-24T13:30:00Z"),
            ("2026-11-20T10:00", "2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z"),
            ("2026-11-20 10:00:05", "2026-11-20T10:00:05Z", "2026-11-20T10:00:05Z"),
            ("2026-11-20T10:00:00+02:00", "2026-11-20T08:00:00Z", "2026-11-20T08:00:00Z"),
        ] {
            assert_eq!(said(text, End::Since).as_deref(), Ok(since), "{text}");
            assert_eq!(said(text, End::Until).as_deref(), Ok(until), "{text}");
        }
        for bad in [
            "24:00",
            "2:00",
            "+1:00",
            "monda",
            "",
            "soon",
            "2",
            "h",
            "-2h",
            "2026-13-01",
            "2026-11-24T25:00",
            "0s",
            "P1D",
        ] {
            assert!(said(bad, End::Since).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_have_a_unit() {
        for (text, micros) in [
            ("250us", Some(250)),
            ("5ms", Some(5_000)),
            ("1.5s", Some(1_500_000)),
            ("0.0005ms", Some(0)),
            ("2m", Some(120_000_000)),
            ("5", None),
            ("ms", None),
            ("1.s", None),
            ("5 ms", None),
            ("99999999999999999999s", None),
        ] {
            assert_eq!(duration(text), micros, "{text}");
        }
    }

    proptest! {
        #[test]
        fn times_of_records_are_read_as_jiff_reads_them(
            micros in -60_000_000_000_000_000_i64..250_000_000_000_000_000
        ) {
            let text = format!("{:.6}", Timestamp::from_microsecond(micros).unwrap());
            prop_assert_eq!(canonical(text.as_bytes()), Some(micros));
            let mut clock = Clock::default();
            prop_assert_eq!(clock.read(&text), Some(micros));
            prop_assert_eq!(clock.read(&text), Some(micros));
        }

        #[test]
        fn what_is_read_by_hand_jiff_reads_too(
            text in "20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9](:[0-6][0-9]){2}\\.[0-9]{6}Z"
        ) {
            let mut clock = Clock::default();
            prop_assert_eq!(clock.read(&text), of_record(&text));
            prop_assert_eq!(clock.read(&text), of_record(&text));
            if let Some(micros) = canonical(text.as_bytes()) {
                let jiff: Timestamp = text.parse().unwrap();
                prop_assert_eq!(jiff.as_microsecond(), micros);
            }
        }
    }
}
