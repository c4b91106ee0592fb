//! A session for people: its sum, a waterfall of what happened, then what it touched.

use crate::cli::audit::paint_of;
use crate::cli::audit::table::fitted;
use crate::cli::show::{Paint, colour, paint, plain};
use crate::review::moment::{span, to_the_second};
use crate::review::session::{
    Answer, FileRow, HostRow, Item, ItemKind, Outcome, ThreadRow, Timeline, Waited,
};

/// The whole of it, no line wider than `width`.
pub(super) fn whole(timeline: &Timeline, width: usize) -> String {
    let colour = colour();
    let mut screen = Screen { out: String::new(), colour, width, timeline };
    screen.head();
    screen.waterfall();
    screen.threads();
    screen.files();
    screen.hosts();
    screen.out
}

struct Screen<'a> {
    out: String,
    colour: bool,
    width: usize,
    timeline: &'a Timeline,
}

/// The columns of a row but for what it is about and its bar, spaces between included.
const FIXED: usize = 9 + 1 + 5 + 1 + 16 + 1 + 1 + 10;
/// The least columns of a bar.
const BAR_MIN: usize = 12;
/// Paths and hosts that are listed; `--format json` has all.
const ROWS_SHOWN: usize = 40;

impl Screen<'_> {
    fn line(&mut self, text: &str) {
        let shown = fitted(text, self.width);
        self.out.push_str(shown.trim_end());
        self.out.push('\n');
    }

    fn title(&mut self, text: &str) {
        self.out.push_str(&format!("\n{}\n", paint(text, Paint::Dim, self.colour)));
    }

    fn head(&mut self) {
        let sum = &self.timeline.summary;
        let uid = sum.uid.map(|uid| format!(", uid {uid}")).unwrap_or_default();
        let head = format!("session {}  {}{uid}", plain(&sum.session), plain(&sum.runtime));
        let ended = if sum.ended { "" } else { ", and its end is not told" };
        let lasted = span(sum.lasted_ms);
        let when = format!("{} UTC, {lasted}{ended}", to_the_second(&sum.started));
        let calls = format!(
            "{} calls: {} allowed, {} asked ({} yes, {} no), {} denied, {} left to the runtime",
            sum.calls, sum.allowed, sum.asked, sum.approved, sum.declined, sum.denied, sum.deferred
        );
        let odd = format!("{} findings, {} calls without a known end", sum.findings, sum.unknown);
        let mut spent = String::new();
        if let Some(cost) = sum.cost_usd {
            let models: Vec<String> = sum.models.iter().map(|model| plain(model)).collect();
            let turns = sum.turns.unwrap_or(0);
            let models = models.join(", ");
            spent =
                format!("about {cost:.2} US dollars by list prices, {turns} answers of {models}");
        }
        let cwd = sum.cwd.as_deref().map(|cwd| format!("in {}", plain(cwd))).unwrap_or_default();
        for text in [head, when, cwd, calls, odd, spent].iter().filter(|text| !text.is_empty()) {
            self.line(text);
        }
    }

    fn waterfall(&mut self) {
        self.title("what happened");
        let room = self.width.saturating_sub(FIXED);
        let bar = (room / 2).clamp(BAR_MIN, 60).min(room.saturating_sub(8));
        let about = room.saturating_sub(bar);
        let total = self.timeline.summary.lasted_ms.max(1);
        let mut turn = 0;
        for item in &self.timeline.items {
            if item.turn != turn {
                turn = item.turn;
                self.title(&format!("turn {turn}"));
            }
            self.row(item, (about, bar, total));
            self.more(item);
        }
    }

    fn row(&mut self, item: &Item, (about, bar, total): (usize, usize, u64)) {
        let thread = self.timeline.threads.get(item.thread);
        let depth = thread.map_or(0, |thread| thread.depth).min(4);
        let name = format!("{}{}", "› ".repeat(depth), plain(&item.name));
        let time = clock(item.at_ms);
        let effect =
            paint(&format!("{:<5}", plain(&item.effect)), paint_of(&item.effect), self.colour);
        let text = fitted(&plain(&item.about), about);
        let line = format!(
            "{time:>9} {effect} {} {text} {}{:>10}",
            fitted(&name, 16),
            drawn(item, bar, total),
            took(item),
        );
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    /// What a row has no place for: waits, ends, findings, each in a line of its own.
    fn more(&mut self, item: &Item) {
        let mut lines = Vec::new();
        if item.effect == "deny" {
            let by = match item.rules.is_empty() {
                true => String::new(),
                false => format!(" ({})", item.rules.join(", ")),
            };
            lines.push(format!("{}{by}", item.reason));
        }
        lines.extend(item.waited.as_ref().map(waited));
        lines.extend(end(item).map(str::to_owned));
        if !item.findings.is_empty() {
            lines.push(format!("found: {}", item.findings.join(", ")));
        }
        for line in lines {
            self.line(&format!("{:16}{}", "", plain(&line)));
        }
    }

    fn threads(&mut self) {
        if self.timeline.threads.len() < 2 {
            return;
        }
        self.title("who acted");
        for thread in &self.timeline.threads {
            let ThreadRow { id, kind, depth, calls, from_ms, to_ms, .. } = thread;
            let id = id.as_deref().map(|id| format!(" {}", plain(id))).unwrap_or_default();
            let lasted = span(to_ms.saturating_sub(*from_ms));
            let indent = "  ".repeat((*depth).min(20));
            let from = clock(*from_ms);
            let kind = plain(kind);
            self.line(&format!("{indent}{kind}{id}: {calls} calls, from {from} for {lasted}"));
        }
    }

    fn files(&mut self) {
        let files = &self.timeline.files;
        if files.is_empty() {
            return;
        }
        self.title("files that calls named: read, written, refused");
        for FileRow { path, read, written, denied } in files.iter().take(ROWS_SHOWN) {
            self.line(&format!("{read:>5} {written:>5} {denied:>5}  {}", plain(path)));
        }
        self.and_more(files.len());
    }

    fn hosts(&mut self) {
        let hosts = &self.timeline.hosts;
        if hosts.is_empty() {
            return;
        }
        self.title("hosts that calls named: let through, refused");
        for HostRow { host, reached, denied } in hosts.iter().take(ROWS_SHOWN) {
            self.line(&format!("{reached:>5} {denied:>5}  {}", plain(host)));
        }
        self.and_more(hosts.len());
    }

    fn and_more(&mut self, all: usize) {
        if all > ROWS_SHOWN {
            self.line(&format!("and {} more (--format json has all)", all - ROWS_SHOWN));
        }
    }
}

/// A time since the session's first record: `0:00.0`, `1:02:03`.
fn clock(ms: u64) -> String {
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}.{}", ms % 1_000 / 100),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// The bar of an item: dots while a person was waited for, blocks while it ran.
fn drawn(item: &Item, columns: usize, total: u64) -> String {
    let place = |ms: u64| {
        let last = u64::try_from(columns.saturating_sub(1)).unwrap_or(0);
        usize::try_from(ms.min(total) * last / total).unwrap_or(0)
    };
    let from = place(item.at_ms);
    let mut bar = " ".repeat(from);
    if item.kind != ItemKind::Call {
        bar.push('·');
        return fitted(&bar, columns);
    }
    let to = place(item.end_ms.unwrap_or(item.at_ms));
    let length = to.saturating_sub(from) + 1;
    let waited = item.waited.as_ref().and_then(|waited| waited.ms).unwrap_or(0);
    let all = item.end_ms.unwrap_or(item.at_ms).saturating_sub(item.at_ms).max(1);
    let dots = u64::try_from(length).unwrap_or(1) * waited.min(all) / all;
    let dots = usize::try_from(dots).unwrap_or(0).min(length);
    match item.outcome {
        Outcome::Refused => bar.push('×'),
        Outcome::Unknown | Outcome::Open => {
            bar.push_str(&"░".repeat(length.saturating_sub(1)));
            bar.push('?');
        }
        Outcome::NotRun => bar.push_str(&"░".repeat(length)),
        Outcome::None | Outcome::Ran | Outcome::Failed => {
            bar.push_str(&"░".repeat(dots));
            bar.push_str(&"█".repeat(length - dots));
        }
    }
    fitted(&bar, columns)
}

fn took(item: &Item) -> String {
    item.ran_ms.map(span).unwrap_or_default()
}

fn waited(waited: &Waited) -> String {
    let by = match waited.by.as_str() {
        "" => String::new(),
        by => format!(", by {by}"),
    };
    let long = match (waited.ms, waited.exact) {
        (Some(ms), true) => format!(" after {}", span(ms)),
        (Some(ms), false) => format!(" within {}", span(ms)),
        (None, _) => String::new(),
    };
    match waited.answer {
        Answer::Yes => format!("a person was asked, and said yes{long}{by}"),
        Answer::No => format!("a person was asked, and said no{long}{by}"),
        Answer::Open => format!("a person was asked{long}; no answer is in the log"),
    }
}

fn end(item: &Item) -> Option<&'static str> {
    match item.outcome {
        Outcome::Failed => Some("it failed"),
        Outcome::NotRun => Some("it was not run"),
        Outcome::Unknown => Some("outcome unknown: it was let through, and its end was never told"),
        Outcome::Open => Some("its end is not in the log yet"),
        Outcome::None | Outcome::Ran | Outcome::Refused => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_since_the_beginning() {
        assert_eq!(clock(0), "0:00.0");
        assert_eq!(clock(62_340), "1:02.3");
        assert_eq!(clock(3_723_000), "1:02:03");
    }
}
