//! The first page: is the log whole, is the sidecar well, what was refused lately.

use super::frame::{Badge, Frame};
use super::table::{Row, Table};
use super::{Asked, rendered};
use crate::audit::State;
use crate::review::web::board::State as Read;
use crate::review::web::chart::{Histogram, histogram};
use crate::review::web::link::{Filter, Moment, encoded};
use crate::review::web::rows::{Field, Numbers, Rows};
use crate::review::web::select::{Bins, Counted, Test, count as count_rows, newest};
use crate::review::web::view::{Shown, ago, count, length, stamp};
use askama::Template;
use axum::http::StatusCode;
use std::sync::PoisonError;

#[derive(Template)]
#[template(path = "overview.html", config = "src/review/web/askama.toml")]
struct Overview {
    frame: Frame,
    ranges: Vec<Range>,
    figures: Vec<Figure>,
    all: Histogram,
    held: Histogram,
    integrity: Integrity,
    health: Vec<Fact>,
    sinks: Vec<Fact>,
    refusing: Vec<Share>,
    tools: Vec<Share>,
    denials: Table,
    findings: Table,
}

/// A stretch of time that can be chosen.
struct Range {
    href: String,
    text: &'static str,
    is_here: bool,
}

/// One number.
struct Figure {
    name: &'static str,
    value: String,
    class: &'static str,
    href: String,
}

/// Something of the sidecar.
pub(super) struct Fact {
    name: Shown,
    value: Shown,
    class: &'static str,
}

/// A name with its part of a whole.
pub(super) struct Share {
    pub(super) href: String,
    pub(super) name: Shown,
    pub(super) count: String,
    /// Of a thousand.
    pub(super) width: u64,
}

/// Whether the log is whole.
struct Integrity {
    badge: Badge,
    facts: Vec<Fact>,
}

const RANGES: [(&str, &str, Option<i64>); 4] = [
    ("24h", "24 hours", Some(86_400)),
    ("7d", "7 days", Some(7 * 86_400)),
    ("30d", "30 days", Some(30 * 86_400)),
    ("all", "everything", None),
];

/// What decides a call, and not its end once more.
fn is_no_call(read: &Read) -> impl Fn(&Rows, usize) -> bool {
    let number = |text: &str| read.names.of(Field::Kind).known(text);
    let post = number("tool.post");
    move |rows: &Rows, row: usize| {
        let is = |field: Field, wanted: Option<u32>| match rows.numbers(field, row) {
            Numbers::One(number) => Some(number) == wanted,
            Numbers::Several(_) => false,
        };
        is(Field::Kind, post) || is(Field::Decision, Some(0))
    }
}

pub(super) fn make(asked: &Asked<'_>) -> (StatusCode, String) {
    let read = asked.web.board.read();
    let now = asked.now.as_microsecond();
    let (first, last) = read.span().unwrap_or((now - 3_600_000_000, now));
    let fitting =
        RANGES.iter().find(|(.., long)| long.is_none_or(|s| now - first <= s * 1_100_000));
    // What is chosen if nobody chooses: all of it, if that is a month; else the last week.
    let usual = match fitting {
        Some((key, ..)) if *key != "all" => *key,
        _ => "7d",
    };
    let chosen = asked.parameter("range").unwrap_or(usual);
    let (range, _, long) = RANGES.iter().find(|(key, ..)| *key == chosen).unwrap_or(&RANGES[1]);
    let (from, filter) = match long {
        Some(seconds) => {
            let since = Some(Moment::Ago(*seconds, (*range).to_owned()));
            (now - seconds * 1_000_000, Filter::default().within(since, None))
        }
        None => (first, Filter::default()),
    };
    let to = if long.is_some() { now } else { last.max(first) + 1 };
    let test = Test::of(&filter, &read, asked.now);
    let counted = count_rows(&read, &test, Bins::over(from, to, 96), &is_no_call(&read));
    let page = Overview {
        frame: Frame::of(asked, &read, "/"),
        ranges: RANGES
            .iter()
            .map(|(key, text, _)| Range {
                href: format!("/?range={key}"),
                text,
                is_here: key == range,
            })
            .collect(),
        figures: figures(&read, &counted, &filter, &test),
        all: chart(&counted, Bins::over(from, to, 96), &filter, &[1, 2, 3]),
        held: chart(&counted, Bins::over(from, to, 96), &filter, &[2, 3]),
        integrity: integrity(asked),
        health: health(asked),
        sinks: sinks(asked),
        refusing: shares(&read, &held_of(&read, asked, &filter), Field::Rule, &filter, 6),
        tools: shares(&read, &counted, Field::Tool, &filter, 6),
        denials: some(asked, &read, &[(Field::Decision, "deny"), (Field::Decision, "ask")], 10),
        findings: some(asked, &read, &[(Field::Kind, "finding")], 6),
    };
    rendered(StatusCode::OK, &page)
}

fn chart(counted: &Counted, bins: Bins, filter: &Filter, shown: &[usize]) -> Histogram {
    let mut base = filter.clone();
    if !shown.contains(&1) {
        base.values.push((Field::Decision, "deny".to_owned()));
        base.values.push((Field::Decision, "ask".to_owned()));
    }
    histogram(bins, &counted.bins, shown, &|from, to| stretch(&base, from, to))
}

/// The address of what is between two times.
pub(super) fn stretch(filter: &Filter, from: i64, to: i64) -> String {
    let at = |micros: i64| Moment::parse(&stamp(micros));
    filter.within(at(from), at(to)).address()
}

fn figures(read: &Read, counted: &Counted, filter: &Filter, test: &Test) -> Vec<Figure> {
    let [_, allowed, asks, denied] = counted.classes;
    let with = |field: Field, value: &str| filter.toggled(field, value).address();
    let figure = |name, value: u64, class, href| Figure { name, value: count(value), class, href };
    let sessions = counted.facet(read, Field::Session).len();
    vec![
        figure("decisions", allowed + asks + denied, "", filter.address()),
        figure("denied", denied, "deny", with(Field::Decision, "deny")),
        figure("asked", asks, "ask", with(Field::Decision, "ask")),
        figure("findings", findings(read, test), "finding", with(Field::Kind, "finding")),
        figure("sessions", u64::try_from(sessions).unwrap_or_default(), "", "/sessions".to_owned()),
    ]
}

fn findings(read: &Read, test: &Test) -> u64 {
    let Some(finding) = read.names.of(Field::Kind).known("finding") else { return 0 };
    let is_one = |rows: &Rows, row: usize| {
        let kind = rows.numbers(Field::Kind, row);
        matches!(kind, Numbers::One(number) if number == finding) && test.fits(rows, row)
    };
    let fits = |rows: &Rows| (0..rows.len()).filter(|row| is_one(rows, *row)).count();
    read.files.iter().map(|part| u64::try_from(fits(&part.rows)).unwrap_or_default()).sum()
}

/// The same stretch, but only what was held back.
fn held_of(read: &Read, asked: &Asked<'_>, filter: &Filter) -> Counted {
    let filter = filter.toggled(Field::Decision, "deny").toggled(Field::Decision, "ask");
    let test = Test::of(&filter, read, asked.now);
    count_rows(read, &test, Bins { from: 0, width: 1, count: 1 }, &is_no_call(read))
}

/// The most frequent names of a field.
pub(super) fn shares(
    read: &Read,
    counted: &Counted,
    field: Field,
    filter: &Filter,
    most: usize,
) -> Vec<Share> {
    let all = counted.facet(read, field);
    let highest = all.first().map_or(1, |(_, count)| *count);
    let shared = all.into_iter().take(most).map(|(name, number)| Share {
        href: filter.toggled(field, name).address(),
        name: Shown::cut(name, 60),
        count: count(number),
        width: (number * 1_000 / highest.max(1)).max(4),
    });
    shared.collect()
}

/// The newest records with one of these values.
fn some(asked: &Asked<'_>, read: &Read, values: &[(Field, &str)], most: usize) -> Table {
    let values = values.iter().map(|(field, value)| (*field, (*value).to_owned())).collect();
    let filter = Filter { values, ..Filter::default() };
    let test = Test::of(&filter, read, asked.now);
    let rows = newest(read, &test, None).take(most);
    Table {
        rows: rows.filter_map(|at| Row::read(asked.web, at)).collect(),
        caption: "",
        empty: "None.",
        is_short: true,
    }
}

pub(super) fn fact(name: &str, value: &str, class: &'static str) -> Fact {
    Fact { name: Shown::of(name), value: Shown::cut(value, 300), class }
}

fn integrity(asked: &Asked<'_>) -> Integrity {
    let verified = asked.web.verified.lock().unwrap_or_else(PoisonError::into_inner);
    let mut facts = Vec::new();
    if let Some((Ok(report), at)) = &verified.report {
        let now = asked.now.as_microsecond();
        facts.push(fact("verified", &ago(at.as_microsecond(), now), ""));
        facts.push(fact("records", &count(report.records), ""));
        let of = |state: State| report.segments.iter().filter(|one| one.state == state).count();
        let (sealed, unsealed, broken) =
            (of(State::Sealed), of(State::Unsealed), of(State::Broken));
        let files = format!("{sealed} sealed, {unsealed} unsealed, {broken} broken");
        facts.push(fact("files", &files, if broken > 0 { "bad" } else { "" }));
        let gaps = u64::try_from(report.gaps.len()).unwrap_or_default();
        facts.push(fact("gaps", &count(gaps), if gaps > 0 { "bad" } else { "" }));
        let bad = report.segments.iter().find_map(|one| {
            one.first_bad
                .as_ref()
                .map(|bad| format!("{} line {}: {}", one.file, bad.line, bad.flaw))
        });
        facts.extend(bad.map(|bad| fact("first bad record", &bad, "bad")));
    }
    drop(verified);
    let standing = &asked.standing;
    if let Some((stream, seq, hash)) = &standing.head {
        facts.push(fact("head", &format!("{stream}/{seq}/{hash}"), "id"));
    }
    facts.push(match standing.lost {
        0 => fact("lost records", "none", ""),
        lost => fact("lost records", &count(lost), "bad"),
    });
    Integrity { badge: Badge::of(asked), facts }
}

fn health(asked: &Asked<'_>) -> Vec<Fact> {
    let standing = &asked.standing;
    let ready = match (standing.ready, standing.warnings.is_empty()) {
        (true, true) => fact("sidecar", "✓ judges and records", "good"),
        (true, false) => fact("sidecar", "! judges and records; see the warnings", "warn"),
        (false, _) => fact("sidecar", "✕ is not ready", "bad"),
    };
    let mut facts = vec![
        ready,
        fact("up for", &length(standing.uptime_s.saturating_mul(1_000_000)), ""),
        fact("policy", &standing.policy, ""),
        fact("sessions remembered", &standing.sessions.to_string(), ""),
        fact("waiting for the disk", &format!("{} records", standing.waiting), ""),
    ];
    if let Some((free, all)) = standing.space {
        let percent = u128::from(free) * 100 / u128::from(all.max(1));
        let class = match percent {
            0..10 => "bad",
            10..20 => "warn",
            _ => "",
        };
        facts.push(fact("space", &format!("{} free, {percent} %", bytes(free)), class));
    }
    let open = standing.connections.iter().map(|(name, open)| format!("{open} {name}"));
    facts.push(fact("connections", &open.collect::<Vec<_>>().join(", "), ""));
    facts
}

fn sinks(asked: &Asked<'_>) -> Vec<Fact> {
    let mut facts = vec![match &asked.standing.log_failure {
        None => fact("files", "✓ written", "good"),
        Some(why) => fact("files", &format!("✕ {why}"), "bad"),
    }];
    facts.extend(asked.standing.sinks.iter().map(|sink| {
        let (shape, class) = if sink.is_well { ("✓", "good") } else { ("✕", "bad") };
        fact(&sink.name, &format!("{shape} {}", sink.told), class)
    }));
    facts
}

/// A size as people say it.
pub(super) fn bytes(bytes: u64) -> String {
    let units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} B"),
    }
}

/// The address of a session's page.
pub(super) fn session_address(id: &str) -> String {
    format!("/session?id={}", encoded(id))
}
