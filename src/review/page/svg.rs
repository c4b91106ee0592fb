//! Small pictures as SVG in a page: stacked bars over time, bars by name, the waterfall of a
//! session.
//!
//! Colours are classes of the page's style, so that they follow its light and dark; numbers stand
//! in the picture or in the table beside it, so that colour never carries meaning alone. Each text
//! goes through `visible::html`: an agent chose the names of tools and hosts.

use crate::review::moment::{micros, span};
use crate::review::session::{Item, ItemKind, Outcome, Timeline};
use crate::review::stats::{Bucket, Counts, Row};
use crate::review::visible::html;
use std::fmt::Write;

/// The effects from the ground up: what matters stands where it is seen first.
const EFFECTS: [&str; 4] = ["deny", "ask", "defer", "allow"];

fn of(counts: &Counts, effect: &str) -> u64 {
    match effect {
        "deny" => counts.deny,
        "ask" => counts.ask,
        "defer" => counts.defer,
        _ => counts.allow,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a picture is exact to a pixel")]
fn number(count: u64) -> f64 {
    count as f64
}

/// What is there at all is seen.
const LEAST: f64 = 1.5;

/// Calls over time, stacked by what was decided, with both axes.
#[must_use]
pub fn over_time(buckets: &[Bucket], bucket_s: u64) -> String {
    const WIDTH: f64 = 960.0;
    const HEIGHT: f64 = 240.0;
    const LEFT: f64 = 52.0;
    const BOTTOM: f64 = 34.0;
    const TOP: f64 = 10.0;
    let most = nice(buckets.iter().map(|bucket| bucket.calls.total).max().unwrap_or(0));
    let (inner_w, inner_h) = (WIDTH - LEFT - 8.0, HEIGHT - BOTTOM - TOP);
    let mut out = begin(WIDTH, HEIGHT, "calls over time, stacked by what was decided");
    for step in 0..=4_u64 {
        let y = TOP + inner_h - inner_h * number(step) / 4.0;
        let x = WIDTH - 8.0;
        line(&mut out, "grid", (LEFT, y), (x, y));
        if (most * step).is_multiple_of(4) {
            text(&mut out, "axis end", (LEFT - 8.0, y + 4.0), &grouped(most * step / 4));
        }
    }
    let slot = inner_w / number(u64::try_from(buckets.len().max(1)).unwrap_or(1));
    let bar = (slot * 0.82).min(64.0);
    for (place, bucket) in buckets.iter().enumerate() {
        let x = LEFT + slot * number(u64::try_from(place).unwrap_or(0)) + (slot - bar) / 2.0;
        let mut y = TOP + inner_h;
        let _ = write!(out, "<g><title>{}</title>", html(&title(bucket, bucket_s)));
        for effect in EFFECTS {
            let count = of(&bucket.calls, effect);
            if count == 0 {
                continue;
            }
            let height = (inner_h * number(count) / number(most)).max(LEAST);
            y -= height;
            rect(&mut out, effect, (x, y.max(TOP)), (bar, height));
        }
        out.push_str("</g>");
    }
    let every = (buckets.len() / 8).max(1);
    for (place, bucket) in buckets.iter().enumerate().step_by(every) {
        let x = LEFT + slot * (number(u64::try_from(place).unwrap_or(0)) + 0.5);
        let (above, below) = labels(&bucket.from, bucket_s);
        text(&mut out, "axis middle", (x, HEIGHT - BOTTOM + 15.0), &above);
        text(&mut out, "axis middle faint", (x, HEIGHT - BOTTOM + 29.0), &below);
    }
    line(&mut out, "base", (LEFT, TOP + inner_h), (WIDTH - 8.0, TOP + inner_h));
    out.push_str("</svg>");
    out
}

/// What a bar says when somebody points at it.
fn title(bucket: &Bucket, bucket_s: u64) -> String {
    let counts = &bucket.calls;
    let from = bucket.from.get(..16).unwrap_or(&bucket.from).replace('T', " ");
    let long = span(bucket_s.saturating_mul(1_000));
    let Counts { total, allow, ask, deny, defer } = counts;
    format!(
        "{from} UTC, {long}: {total} calls, {deny} denied, {ask} asked, {allow} allowed, {defer} \
         left to the runtime"
    )
}

/// What stands below a bar: the time, and the day.
fn labels(from: &str, bucket_s: u64) -> (String, String) {
    let part = |range: std::ops::Range<usize>| from.get(range).unwrap_or_default().to_owned();
    if bucket_s >= 86_400 { (part(5..10), part(0..4)) } else { (part(11..16), part(5..10)) }
}

/// Bars by name, stacked by what was decided, each with its number.
#[must_use]
pub fn by_name(rows: &[Row], most_rows: usize, what: &str) -> String {
    const WIDTH: f64 = 460.0;
    const ROW: f64 = 24.0;
    const NAMES: f64 = 168.0;
    const NUMBERS: f64 = 56.0;
    let shown = rows.get(..most_rows.min(rows.len())).unwrap_or_default();
    let most = number(shown.iter().map(|row| row.calls.total).max().unwrap_or(1).max(1));
    let height = ROW * number(u64::try_from(shown.len().max(1)).unwrap_or(1)) + 4.0;
    let mut out = begin(WIDTH, height, &format!("calls by {what}"));
    for (place, row) in shown.iter().enumerate() {
        let y = ROW * number(u64::try_from(place).unwrap_or(0)) + 2.0;
        let Counts { total, allow, ask, deny, defer } = row.calls;
        let told = format!(
            "{}: {total} calls, {deny} denied, {ask} asked, {allow} allowed, {defer} left to the \
             runtime",
            row.name
        );
        let _ = write!(out, "<g><title>{}</title>", html(&told));
        text(&mut out, "label end", (NAMES - 10.0, y + 15.0), &shortened(&row.name, 24));
        let mut x = NAMES;
        for effect in EFFECTS {
            let count = of(&row.calls, effect);
            if count == 0 {
                continue;
            }
            let width = ((WIDTH - NAMES - NUMBERS) * number(count) / most).max(LEAST);
            rect(&mut out, effect, (x, y + 3.0), (width, ROW - 8.0));
            x += width;
        }
        text(&mut out, "axis", (x + 8.0, y + 15.0), &grouped(total));
        out.push_str("</g>");
    }
    out.push_str("</svg>");
    out
}

/// A session from its beginning to its end, a row for each call.
#[must_use]
pub fn waterfall(timeline: &Timeline, most_rows: usize) -> String {
    const WIDTH: f64 = 960.0;
    const ROW: f64 = 20.0;
    const NAMES: f64 = 190.0;
    const TOP: f64 = 22.0;
    let calls: Vec<&Item> =
        timeline.items.iter().filter(|item| item.kind == ItemKind::Call).take(most_rows).collect();
    let total = number(timeline.summary.lasted_ms.max(1));
    let inner = WIDTH - NAMES - 12.0;
    let height = TOP + ROW * number(u64::try_from(calls.len()).unwrap_or(0)) + 8.0;
    let mut out = begin(WIDTH, height, "the session's calls from its beginning to its end");
    for step in 0..=4_u64 {
        let x = NAMES + inner * number(step) / 4.0;
        line(&mut out, "grid", (x, TOP - 4.0), (x, height - 4.0));
        let anchor = if step == 4 { "axis end" } else { "axis middle" };
        let at = timeline.summary.lasted_ms * step / 4;
        text(&mut out, anchor, (x, TOP - 8.0), &span(at));
    }
    for (place, item) in calls.iter().enumerate() {
        let y = TOP + ROW * number(u64::try_from(place).unwrap_or(0));
        fall(&mut out, timeline, item, (y, NAMES, inner, total));
    }
    out.push_str("</svg>");
    out
}

/// One row of the waterfall: waiting pale, running full, in the colour of what was decided.
fn fall(
    out: &mut String,
    timeline: &Timeline,
    item: &Item,
    (y, names, inner, total): (f64, f64, f64, f64),
) {
    let depth = timeline.threads.get(item.thread).map_or(0, |thread| thread.depth).min(4);
    let name = format!("{}{}", "› ".repeat(depth), item.name);
    let told = format!("{} {}: {} {}", item.name, item.effect, item.about, item.reason);
    let _ = write!(out, "<g><title>{}</title>", html(&shortened(&told, 300)));
    text(out, "label end", (names - 10.0, y + 14.0), &shortened(&name, 26));
    let x = names + inner * number(item.at_ms) / total;
    let end_ms = item.end_ms.unwrap_or(item.at_ms).max(item.at_ms);
    let width = (inner * number(end_ms - item.at_ms) / total).max(3.0);
    let effect = match item.effect.as_str() {
        known @ ("allow" | "ask" | "deny" | "defer") => known,
        _ => "defer",
    };
    let waited = item.waited.as_ref().and_then(|waited| waited.ms).unwrap_or(0);
    let waiting = (inner * number(waited) / total).min(width);
    if waiting > 0.0 {
        rect(out, &format!("{effect} pale"), (x, y + 4.0), (waiting, 12.0));
    }
    if width - waiting > 0.5 {
        rect(out, effect, (x + waiting, y + 4.0), (width - waiting, 12.0));
    }
    let mark = match item.outcome {
        Outcome::Refused => "refused",
        Outcome::Failed => "failed",
        Outcome::NotRun => "not run",
        Outcome::Unknown => "outcome unknown",
        Outcome::Open => "no end yet",
        Outcome::None | Outcome::Ran => "",
    };
    if !mark.is_empty() {
        // To the left where there is no room on the right.
        let (class, x) = match x + width > names + inner * 0.85 {
            true => ("axis end", x - 6.0),
            false => ("axis", x + width + 6.0),
        };
        text(out, class, (x, y + 14.0), mark);
    }
    out.push_str("</g>");
}

fn begin(width: f64, height: f64, label: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{}\">",
        html(label)
    )
}

fn rect(out: &mut String, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
    let _ = write!(
        out,
        "<rect class=\"{}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
         height=\"{height:.1}\"/>",
        html(class)
    );
}

fn line(out: &mut String, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
    let _ = write!(
        out,
        "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
    );
}

fn text(out: &mut String, class: &str, (x, y): (f64, f64), text: &str) {
    let _ = write!(out, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", html(text));
}

/// The first characters, with a mark where something is left out.
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// A number with its thousands apart.
#[must_use]
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The end of an axis: a round number that is no less.
fn nice(most: u64) -> u64 {
    let mut step = 1_u64;
    loop {
        for factor in [4, 5, 6, 8, 12, 20, 32] {
            let end = step.saturating_mul(factor);
            // Its quarters are whole numbers.
            if end >= most && end % 4 == 0 {
                return end;
            }
        }
        step = step.saturating_mul(10);
    }
}

/// The day of a time, for heads.
#[must_use]
pub fn day(ts: &str) -> String {
    match micros(ts) {
        Some(_) => ts.get(..10).unwrap_or(ts).to_owned(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        for (most, end) in [(0, 4), (4, 4), (5, 8), (13, 20), (41, 60), (399, 400), (4_001, 5_000)]
        {
            assert_eq!(nice(most), end);
        }
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(12), "12");
    }

    #[test]
    fn names_do_no_harm_in_pictures() {
        let name = "<script>\u{202e}\"'&".to_owned();
        let calls = Counts { total: 1, deny: 1, ..Counts::default() };
        let picture = by_name(&[Row { name, calls }], 5, "tool");
        assert!(!picture.contains("<script") && !picture.contains('\u{202e}'), "{picture}");
        assert!(picture.contains("&lt;script&gt;\\u{202e}&quot;&#39;&amp;"), "{picture}");
        assert_eq!(picture.matches("class=\"deny\"").count(), 1);
    }
}
