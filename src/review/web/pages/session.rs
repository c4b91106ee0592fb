//! One session as it went: a waterfall of its calls, its subagents, files, hosts and cost.
//!
//! Long silences are shortened, so that what happened has the room.

use super::frame::Frame;
use super::table::Moment;
use super::{Asked, nothing_here, rendered};
use crate::audit::query::{Field, Filter, Order, Place};
use crate::audit::wire::WireRecord;
use crate::limits::REVIEW_SESSION_ROWS_MAX;
use crate::review::moment::{micros, span};
use crate::review::session::{Answer, Item, ItemKind, Outcome, Timeline, Timelines};
use crate::review::web::chart::{WIDTH, exact, number};
use crate::review::web::link::{address, encoded, quoted};
use crate::review::web::view::{Mark, Shown, count};
use askama::Template;
use axum::http::StatusCode;

#[derive(Template)]
#[template(path = "session.html", config = "src/review/web/askama.toml")]
struct Session {
    frame: Frame,
    id: Shown,
    facts: Vec<(&'static str, Shown)>,
    figures: Vec<(&'static str, String, &'static str)>,
    threads: Vec<Thread>,
    items: Vec<Step>,
    ticks: Vec<String>,
    is_shortened: bool,
    more: Option<String>,
    files: Vec<Touched>,
    hosts: Vec<Touched>,
    command: Shown,
    explore: String,
}

/// A thread of the runtime.
struct Thread {
    name: Shown,
    depth: usize,
    told: String,
}

/// One line of the waterfall.
struct Step {
    href: String,
    at: Moment,
    mark: Mark,
    name: Shown,
    about: Shown,
    depth: usize,
    thread: Shown,
    is_call: bool,
    bars: Vec<Bar>,
    told: Shown,
    findings: Vec<Shown>,
}

/// One piece of a line.
struct Bar {
    class: &'static str,
    x: String,
    width: String,
}

/// A file or host.
struct Touched {
    name: Shown,
    told: String,
    denied: String,
}

/// Files and hosts that are listed.
const TOUCHED: usize = 40;
/// A longer silence is drawn as something between these, in milliseconds.
const SILENCE_MIN: u64 = 100;
/// See [`SILENCE_MIN`].
const SILENCE_MAX: u64 = 20_000;

pub(super) fn make(asked: &Asked<'_>) -> (StatusCode, String) {
    let id = asked.parameter("id").unwrap_or_default();
    let filter = Filter::default().with(Field::Session, id);
    let from = asked.parameter("from").and_then(Place::parse);
    let (records, next) = records(asked, &filter, from);
    let mut collected = Timelines::default();
    records.iter().for_each(|record| collected.take(record));
    let Some(timeline) = collected.finish() else {
        return (StatusCode::NOT_FOUND, nothing_here());
    };
    let scale = Scale::of(&timeline);
    let page = Session {
        frame: Frame::of(asked, "/sessions"),
        id: Shown::cut(id, 120),
        facts: facts(&timeline),
        figures: figures(&timeline),
        threads: threads(&timeline),
        items: timeline.items.iter().map(|item| step(item, &timeline, &scale)).collect(),
        ticks: scale.ticks(),
        is_shortened: scale.is_shortened,
        more: next.map(|at| format!("/session?id={}&from={at}", encoded(id))),
        files: timeline
            .files
            .iter()
            .take(TOUCHED)
            .map(|file| Touched {
                name: Shown::cut(&file.path, 200),
                told: times(&[(file.written, "written"), (file.read, "read")]),
                denied: times(&[(file.denied, "denied")]),
            })
            .collect(),
        hosts: timeline
            .hosts
            .iter()
            .take(TOUCHED)
            .map(|host| Touched {
                name: Shown::cut(&host.host, 200),
                told: times(&[(host.reached, "reached")]),
                denied: times(&[(host.denied, "denied")]),
            })
            .collect(),
        command: Shown::of(&format!("toolgate audit session {}", quoted(id))),
        explore: address(&filter),
    };
    rendered(StatusCode::OK, &page)
}

/// The session's records, as many as a page shows, and where the rest begins.
fn records(
    asked: &Asked<'_>,
    filter: &Filter,
    from: Option<Place>,
) -> (Vec<WireRecord>, Option<Place>) {
    let found = asked.log.records(filter, Order::OldestFirst, from, REVIEW_SESSION_ROWS_MAX);
    let next = found.entries.last().map(|(place, _)| *place).filter(|_| found.is_more);
    (found.entries.into_iter().map(|(_, entry)| entry.record).collect(), next)
}

fn facts(timeline: &Timeline) -> Vec<(&'static str, Shown)> {
    let summary = &timeline.summary;
    let mut facts = vec![
        ("runtime", Shown::cut(&summary.runtime, 40)),
        ("began", Shown::of(&moment(&summary.started))),
        ("last record", Shown::of(&moment(&summary.last))),
        ("lasted", Shown::of(&span(summary.lasted_ms))),
        ("ended", Shown::of(if summary.ended { "yes" } else { "the log tells of no end" })),
    ];
    facts.extend(summary.uid.map(|uid| ("user", Shown::of(&uid.to_string()))));
    facts.extend(summary.cwd.as_deref().map(|cwd| ("directory", Shown::cut(cwd, 160))));
    if let Some(cost) = summary.cost_usd {
        facts.push(("cost", Shown::of(&format!("${cost:.2} by list prices"))));
    }
    facts.extend(summary.turns.map(|turns| ("answers of models", Shown::of(&count(turns)))));
    if !summary.models.is_empty() {
        let models: Vec<&str> = summary.models.iter().map(String::as_str).collect();
        facts.push(("models", Shown::cut(&models.join(", "), 160)));
    }
    facts
}

fn moment(ts: &str) -> String {
    crate::review::moment::to_the_second(ts)
}

fn figures(timeline: &Timeline) -> Vec<(&'static str, String, &'static str)> {
    let summary = &timeline.summary;
    vec![
        ("calls", count(summary.calls), ""),
        ("denied", count(summary.denied), "deny"),
        ("asked", count(summary.asked), "ask"),
        ("answered yes", count(summary.approved), ""),
        ("findings", count(summary.findings), "finding"),
    ]
}

fn threads(timeline: &Timeline) -> Vec<Thread> {
    let thread = |row: &crate::review::session::ThreadRow| Thread {
        name: Shown::cut(&named(row), 80),
        depth: row.depth.min(3),
        told: format!(
            "{} calls, {}",
            count(row.calls),
            span(row.to_ms.saturating_sub(row.from_ms))
        ),
    };
    timeline.threads.iter().map(thread).collect()
}

fn named(row: &crate::review::session::ThreadRow) -> String {
    match &row.id {
        None => "main".to_owned(),
        Some(id) => format!("{} {id}", row.kind),
    }
}

fn times(counts: &[(u64, &str)]) -> String {
    let some = counts.iter().filter(|(number, _)| *number > 0);
    let some = some.map(|(number, word)| match number {
        1 => (*word).to_owned(),
        many => format!("{word} {} times", count(*many)),
    });
    some.collect::<Vec<_>>().join(", ")
}

fn step(item: &Item, timeline: &Timeline, scale: &Scale) -> Step {
    let thread = timeline.threads.get(item.thread);
    let mark = match item.kind {
        ItemKind::Call => Mark::of(&item.effect),
        ItemKind::Finding => Mark { word: Shown::of("finding"), class: "deny", shape: "▲" },
        _ => Mark::of(""),
    };
    let name = if item.name.is_empty() { "–" } else { item.name.as_str() };
    Step {
        href: format!("/record?id={}", encoded(&format!("{}/{}", item.stream, item.seq))),
        at: Moment::of(micros(&item.ts).unwrap_or_default()),
        mark,
        name: Shown::cut(name, 40),
        about: Shown::cut(&item.about, 160),
        depth: thread.map_or(0, |thread| thread.depth.min(3)),
        thread: Shown::cut(
            &thread.filter(|row| row.id.is_some()).map_or_else(String::new, named),
            40,
        ),
        is_call: item.kind == ItemKind::Call,
        bars: bars(item, scale),
        told: Shown::of(&told(item)),
        findings: item.findings.iter().map(|code| Shown::cut(code, 60)).collect(),
    }
}

fn bars(item: &Item, scale: &Scale) -> Vec<Bar> {
    let bar = |class, from: u64, to: u64| {
        let (x, end) = (scale.at(from), scale.at(to));
        let width = (end - x).max(4.0);
        Bar { class, x: exact(x.min(WIDTH - width)), width: exact(width) }
    };
    let class = match item.effect.as_str() {
        "deny" => "deny",
        "ask" => "ask",
        "" => "other",
        _ => "allow",
    };
    let end = item.end_ms.unwrap_or(item.at_ms);
    match &item.waited {
        Some(waited) => {
            let answered = waited.ms.map_or(end, |ms| waited.asked_ms.saturating_add(ms));
            vec![
                bar("wait", waited.asked_ms, answered.min(end.max(waited.asked_ms))),
                bar(class, answered.min(end), end),
            ]
        }
        None => vec![bar(class, item.at_ms, end)],
    }
}

/// What became of it, in a few words.
fn told(item: &Item) -> String {
    let mut words = Vec::new();
    if let Some(waited) = &item.waited {
        let long = waited.ms.map(span).unwrap_or_default();
        let most = if waited.exact || long.is_empty() { "" } else { "at most " };
        words.push(match waited.answer {
            Answer::Yes => format!("yes after {most}{long}"),
            Answer::No => format!("no after {most}{long}"),
            Answer::Open => "not answered".to_owned(),
        });
    }
    words.extend(match item.outcome {
        Outcome::None | Outcome::Refused => None,
        Outcome::Ran => item.ran_ms.map(span),
        Outcome::Failed => Some("failed".to_owned()),
        Outcome::NotRun => Some("not run".to_owned()),
        Outcome::Unknown => Some("end unknown".to_owned()),
        Outcome::Open => Some("no end yet".to_owned()),
    });
    words.join(", ")
}

/// Time along the waterfall, with long silences shortened.
struct Scale {
    /// A time and where it is drawn, both in milliseconds, rising.
    points: Vec<(u64, u64)>,
    is_shortened: bool,
}

impl Scale {
    /// All of it takes part in which something ran or was waited for; time between is shortened so
    /// that it has some half of the room.
    fn of(timeline: &Timeline) -> Scale {
        let mut times: Vec<u64> = vec![0];
        let mut busy: Vec<(u64, u64)> = Vec::new();
        for item in &timeline.items {
            times.push(item.at_ms);
            if let Some(end) = item.end_ms {
                times.push(end);
                busy.push((item.at_ms, end));
            }
            times.extend(item.waited.as_ref().map(|waited| waited.asked_ms));
            let answered = item.waited.as_ref().and_then(|one| Some(one.asked_ms + one.ms?));
            times.extend(answered);
        }
        times.sort_unstable();
        times.dedup();
        busy.sort_unstable();
        let (mut reached, mut next, mut active, mut idle) = (0, 0, 0, 0_u64);
        let mut gaps: Vec<(u64, bool)> = Vec::with_capacity(times.len());
        for pair in times.windows(2) {
            let (&[from, to], true) = (pair, pair.len() == 2) else { continue };
            while let Some((begin, end)) = busy.get(next).filter(|(begin, _)| *begin <= from) {
                reached = reached.max(*end).max(*begin);
                next += 1;
            }
            let is_busy = reached >= to;
            active += if is_busy { to - from } else { 0 };
            idle += u64::from(!is_busy);
            gaps.push((to, is_busy));
        }
        let silence = (active / idle.max(1)).clamp(SILENCE_MIN, SILENCE_MAX);
        let (mut drawn, mut before, mut is_shortened) = (0, 0, false);
        let mut points = vec![(0, 0)];
        for (to, is_busy) in gaps {
            let gap = to - before;
            is_shortened |= !is_busy && gap > silence;
            drawn += if is_busy { gap } else { gap.min(silence) };
            before = to;
            points.push((to, drawn));
        }
        Scale { points, is_shortened }
    }

    /// Where a time is drawn, in the box of the chart.
    fn at(&self, ms: u64) -> f64 {
        let whole = self.points.last().map_or(1, |(_, drawn)| (*drawn).max(1));
        let found = self.points.binary_search_by_key(&ms, |(at, _)| *at);
        let place = found.unwrap_or_else(|next| next.saturating_sub(1));
        let drawn = self.points.get(place).map_or(0, |(_, drawn)| *drawn);
        number(drawn) / number(whole) * WIDTH
    }

    /// The times at the quarters.
    fn ticks(&self) -> Vec<String> {
        let whole = self.points.last().map_or(1, |(_, drawn)| *drawn);
        let tick = |part: u64| {
            let at = self.points.partition_point(|(_, drawn)| *drawn * 4 < whole * part);
            span(self.points.get(at).map_or(0, |(at, _)| *at))
        };
        (0..4).map(tick).collect()
    }
}
