//! How single things are written on a page: logged texts, times, counts, decisions.

use crate::review::visible::plain;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// A logged text, harmless: what is hidden in it is shown. The template escapes it besides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shown(String);

impl Shown {
    pub(super) fn of(text: &str) -> Shown {
        Shown(plain(text))
    }

    /// No longer than this, with a sign that there is more.
    pub(super) fn cut(text: &str, chars: usize) -> Shown {
        let mut kept: String = text.chars().take(chars).collect();
        if kept.len() < text.len() {
            kept.push('…');
        }
        Shown(plain(&kept))
    }

    /// The same with its lines kept, for a place that shows lines.
    pub(super) fn lines(text: &str) -> Shown {
        let lines: Vec<String> =
            text.split('\n').map(|line| plain(&line.replace('\t', "    "))).collect();
        Shown(lines.join("\n"))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A decision as a word, a shape and a colour: the first two are enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) word: Shown,
    /// The name of its style.
    pub(super) class: &'static str,
    pub(super) shape: &'static str,
}

impl Mark {
    pub(super) fn of(effect: &str) -> Mark {
        let (class, shape) = match effect {
            "allow" => ("allow", "○"),
            "defer" => ("allow", "◌"),
            "ask" => ("ask", "◆"),
            "deny" => ("deny", "■"),
            "" => ("other", ""),
            _ => ("deny", "?"),
        };
        Mark { word: Shown::cut(effect, 24), class, shape }
    }
}

/// A link with its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) href: String,
    pub(super) text: Shown,
}

impl Link {
    pub(super) fn to(href: String, text: &str) -> Link {
        Link { href, text: Shown::of(text) }
    }
}

/// A count with its thousands apart.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

fn civil(micros: i64) -> Option<DateTime> {
    Timestamp::from_microsecond(micros).ok().map(|at| Offset::UTC.to_datetime(at))
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Nov 24`
pub(super) fn day(micros: i64) -> String {
    let Some(at) = civil(micros) else { return String::new() };
    let month = usize::try_from(at.month()).ok().and_then(|month| MONTHS.get(month - 1));
    format!("{} {}", month.copied().unwrap_or_default(), at.day())
}

/// `15:59:17`
pub(super) fn clock(micros: i64) -> String {
    let at = |at: DateTime| format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second());
    civil(micros).map_or_else(String::new, at)
}

/// `2026-11-24T15:59:17Z`, as filters take it.
pub(super) fn stamp(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map_or_else(|_| String::new(), |at| at.to_string())
}

/// A length of time in microseconds, in two words at most.
pub(super) fn length(micros: u64) -> String {
    let seconds = micros / 1_000_000;
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", micros / 1_000),
        1_000_000..10_000_000 => format!("{}.{} s", seconds, micros % 1_000_000 / 100_000),
        10_000_000..60_000_000 => format!("{seconds} s"),
        60_000_000..3_600_000_000 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600_000_000..86_400_000_000 => {
            format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60)
        }
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// How long ago, in one word.
pub(super) fn ago(micros: i64, now: i64) -> String {
    let past = u64::try_from(now.saturating_sub(micros)).unwrap_or_default();
    match past / 1_000_000 {
        0..2 => "now".to_owned(),
        seconds @ 2..60 => format!("{seconds} s ago"),
        seconds @ 60..3_600 => format!("{} min ago", seconds / 60),
        seconds @ 3_600..86_400 => format!("{} h ago", seconds / 3_600),
        seconds => format!("{} d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_things_are_written() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(count),
            ["0", "999", "1\u{202f}000", "1\u{202f}234\u{202f}567"]
        );
        let at = "2026-11-04T05:06:07.5Z".parse::<Timestamp>().unwrap().as_microsecond();
        assert_eq!((day(at).as_str(), clock(at).as_str()), ("Nov 4", "05:06:07"));
        assert_eq!(stamp(at), "2026-11-04T05:06:07.5Z");
        let lengths = [5, 5_000, 5_500_000, 59_000_000, 61_000_000, 3_700_000_000, 90_000_000_000];
        let words = ["5 µs", "5 ms", "5.5 s", "59 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"];
        assert_eq!(lengths.map(length), words);
        assert_eq!(ago(at, at + 7_200_000_000), "2 h ago");
        assert_eq!(Shown::cut("ab\u{202e}cd", 3).to_string(), "ab\\u{202e}…");
        assert_eq!(Mark::of("deny").shape, "■");
    }
}
