//! Charts as shapes in a box of fixed size; the page stretches the box and writes the words.

use super::select::{Bins, Classes};
use super::view::{clock, count, day};

/// The box of a chart.
pub(super) const WIDTH: f64 = 1_000.0;
/// See [`WIDTH`].
pub(super) const HEIGHT: f64 = 100.0;
/// What is there at all is seen.
const LEAST: f64 = 2.5;

/// Stacked bars over time.
pub(super) struct Histogram {
    pub(super) bars: Vec<Bar>,
    /// What the highest bar counts.
    pub(super) most: String,
    /// Words below, from left to right.
    pub(super) ticks: Vec<Tick>,
    /// What a bar spans.
    pub(super) width: String,
}

/// A word below.
pub(super) struct Tick {
    /// In the box.
    pub(super) x: String,
    /// Of the width.
    pub(super) percent: String,
    pub(super) text: String,
    part: f64,
}

/// One bar, which is a link.
pub(super) struct Bar {
    pub(super) x: String,
    pub(super) width: String,
    pub(super) href: String,
    pub(super) title: String,
    pub(super) parts: Vec<Slice>,
}

/// One piece of a bar.
pub(super) struct Slice {
    pub(super) class: &'static str,
    pub(super) y: String,
    pub(super) height: String,
}

/// The classes that stand in a bar, from the ground up: what matters is where it is seen.
const ORDER: [(usize, &str, &str); 4] =
    [(3, "deny", "denied"), (2, "ask", "asked"), (1, "allow", "allowed"), (0, "other", "other")];

/// Bars of these classes; `href` says where the bar from one time to another leads.
pub(super) fn histogram(
    bins: Bins,
    counts: &[Classes],
    shown: &[usize],
    href: &dyn Fn(i64, i64) -> String,
) -> Histogram {
    let of =
        |classes: &Classes| -> u64 { shown.iter().filter_map(|class| classes.get(*class)).sum() };
    let most = counts.iter().map(of).max().unwrap_or_default();
    let slot = WIDTH / number(u64::try_from(bins.count).unwrap_or(1));
    let mut bars = Vec::new();
    for (at, classes) in counts.iter().enumerate().filter(|(_, classes)| of(classes) > 0) {
        let begin = bins.begin(at);
        let mut top = HEIGHT;
        let (mut parts, mut words) = (Vec::new(), Vec::new());
        for (class, name, word) in ORDER.into_iter().filter(|(class, ..)| shown.contains(class)) {
            let here = classes.get(class).copied().unwrap_or_default();
            if here == 0 {
                continue;
            }
            let height = (number(here) / number(most.max(1)) * (HEIGHT - 3.0 * LEAST)).max(LEAST);
            top -= height;
            parts.push(Slice { class: name, y: exact(top.max(0.0)), height: exact(height) });
            words.push(format!("{} {word}", count(here)));
        }
        bars.push(Bar {
            x: exact(slot * number(u64::try_from(at).unwrap_or_default())),
            width: exact((slot - 1.0).max(slot * 0.8)),
            href: href(begin, begin + bins.width),
            title: format!("{} {}: {}", day(begin), clock(begin), words.join(", ")),
            parts,
        });
    }
    Histogram { bars, most: count(most), ticks: ticks(bins), width: span(bins.width) }
}

/// Where the words below a chart stand: at the beginnings of days, hours or minutes, some six of
/// them, none so near to an end that it would leave the box.
fn ticks(bins: Bins) -> Vec<Tick> {
    const DAY: i64 = 86_400;
    const STEPS: [i64; 14] = [
        10,
        60,
        300,
        900,
        1_800,
        3_600,
        10_800,
        21_600,
        43_200,
        DAY,
        2 * DAY,
        7 * DAY,
        30 * DAY,
        365 * DAY,
    ];
    const TICKS: i64 = 8;
    let whole = bins.width.saturating_mul(i64::try_from(bins.count).unwrap_or(1));
    let fits = |step: &i64| whole / (step * 1_000_000) < TICKS;
    let step = STEPS.into_iter().find(fits).unwrap_or(whole / TICKS / 1_000_000 + 1) * 1_000_000;
    let first = bins.from.div_euclid(step) * step;
    let end = bins.from.saturating_add(whole);
    let times = (1..=TICKS + 1).map(|number| first + number * step).filter(|at| *at < end);
    let tick = |at: i64| {
        let past = number(u64::try_from(at - bins.from).unwrap_or_default());
        let part = past / number(u64::try_from(whole.max(1)).unwrap_or(1));
        let time = clock(at);
        let text = match (step % (DAY * 1_000_000), time.as_str()) {
            (0, _) | (_, "00:00:00") => day(at),
            _ => time.strip_suffix(":00").unwrap_or(&time).to_owned(),
        };
        Tick { x: exact(part * WIDTH), percent: exact(part * 100.0), text, part }
    };
    times.map(tick).filter(|tick| (0.03..=0.97).contains(&tick.part)).collect()
}

/// How long a bar is, in words.
pub(super) fn span(micros: i64) -> String {
    let seconds = micros / 1_000_000;
    for (unit, name) in [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")] {
        if seconds >= unit && seconds % unit == 0 {
            return match seconds / unit {
                1 => format!("a {name}").replace("a hour", "an hour"),
                many => format!("{many} {name}s"),
            };
        }
    }
    format!("{seconds} seconds")
}

/// A number in the box.
#[expect(clippy::cast_precision_loss, reason = "pixels")]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}

/// A length as it is written.
pub(super) fn exact(length: f64) -> String {
    format!("{length:.2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_stays_in_its_box_and_what_is_there_is_seen() {
        let bins = Bins { from: 0, width: 60_000_000, count: 3 };
        let counts = [[0, 1_000_000, 1, 1], [0; 4], [9, 0, 0, 0]];
        let drawn = histogram(bins, &counts, &[1, 2, 3], &|from, to| format!("{from}-{to}"));
        assert_eq!(drawn.bars.len(), 1);
        let bar = &drawn.bars[0];
        assert_eq!(bar.href, "0-60000000");
        let classes: Vec<_> = bar.parts.iter().map(|part| part.class).collect();
        assert_eq!(classes, ["deny", "ask", "allow"]);
        for part in &bar.parts {
            let (y, height): (f64, f64) = (part.y.parse().unwrap(), part.height.parse().unwrap());
            assert!(y >= 0.0 && height >= 2.0 && y + height <= HEIGHT + 0.1, "{y} {height}");
        }
        assert!(bar.title.contains("1 denied") && drawn.width == "a minute");
    }
}
