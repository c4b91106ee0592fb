//! The first page: is the log whole, is the sidecar well, what was refused lately.

use super::frame::{Badge, Frame};
use super::table::{Row, Table};
use super::{Asked, rendered};
use crate::audit::State;
use crate::audit::query::{ABSENT, Field, Filter, Grouping};
use crate::review::web::chart::{Histogram, histogram};
use crate::review::web::link::{address, asks, encoded};
use crate::review::web::select::{Bins, Counted, names};
use crate::review::web::sidecar::SinkState;
use crate::review::web::view::{Shown, ago, count, length};
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

pub(super) fn make(asked: &Asked<'_>) -> (StatusCode, String) {
    let now = asked.now.as_microsecond();
    let (first, last) = asked.log.span().unwrap_or((now - 3_600_000_000, now));
    let fitting =
        RANGES.iter().find(|(.., long)| long.is_none_or(|s| now - first <= s * 1_100_000));
    // What is chosen if nobody chooses: all of it, if that is a month; else the last week.
    let usual = match fitting {
        Some((key, ..)) if *key != "all" => *key,
        _ => "7d",
    };
    let chosen = asked.parameter("range").unwrap_or(usual);
    let (range, _, long) = RANGES.iter().find(|(key, ..)| *key == chosen).unwrap_or(&RANGES[1]);
    let (within, bins) = match long {
        Some(seconds) => {
            // A log that began later is not shown as if nothing had happened before.
            let from = (now - seconds * 1_000_000).max(first.min(now));
            (asks(&[("since", *range)], asked.now), Bins::over(from, now, 96))
        }
        None => (Filter::default(), Bins::over(first, last.max(first) + 1, 96)),
    };
    let calls = calls(long.map(|_| *range), asked);
    let by = |field| Grouping::by(&[field]);
    let groupings = [bins.grouping(), by(Field::Tool), by(Field::Session)];
    let groups = asked.log.groups(&calls, &groupings);
    let counted = Counted::of(groups.first(), bins);
    let held = held(&calls);
    let refusing = asked.log.groups(&held, &[by(Field::Rule)]);
    let sessions = names(groups.get(2)).len();
    let page = Overview {
        ranges: RANGES
            .iter()
            .map(|(key, text, _)| Range {
                href: format!("/?range={key}"),
                text,
                is_here: key == range,
            })
            .collect(),
        figures: figures(asked, &counted, (&within, &calls), sessions),
        all: histogram(bins, &counted.bins, &[1, 2, 3], &|from, to| stretch(&calls, from, to)),
        held: histogram(bins, &counted.bins, &[2, 3], &|from, to| stretch(&held, from, to)),
        integrity: integrity(asked),
        health: health(asked),
        sinks: sinks(asked),
        refusing: shares(&names(refusing.first()), Field::Rule, &held, 6),
        tools: shares(&names(groups.get(1)), Field::Tool, &calls, 6),
        denials: some(asked, &self::held(&Filter::default()), 10),
        findings: some(asked, &Filter::default().toggled(Field::Kind, "finding"), 6),
        frame: Frame::of(asked, "/"),
    };
    rendered(StatusCode::OK, &page)
}

/// What decided a call, and not its end once more.
fn calls(since: Option<&str>, asked: &Asked<'_>) -> Filter {
    let mut pairs = vec![("not-kind", "tool.post"), ("not-decision", ABSENT)];
    pairs.extend(since.map(|since| ("since", since)));
    asks(&pairs, asked.now)
}

/// Of it, what was held back.
fn held(filter: &Filter) -> Filter {
    filter.clone().toggled(Field::Decision, "deny").toggled(Field::Decision, "ask")
}

/// The address of what is between two times.
pub(super) fn stretch(filter: &Filter, from: i64, to: i64) -> String {
    address(&filter.clone().between(Some(from), Some(to)))
}

fn figures(
    asked: &Asked<'_>,
    counted: &Counted,
    (within, calls): (&Filter, &Filter),
    sessions: usize,
) -> Vec<Figure> {
    let [_, _, asks, denied] = counted.classes;
    let only = |value: &str| address(&calls.clone().toggled(Field::Decision, value));
    let figure = |name, value: u64, class, href| Figure { name, value: count(value), class, href };
    let findings = within.clone().toggled(Field::Kind, "finding");
    vec![
        figure("decisions", counted.rows, "", address(calls)),
        figure("denied", denied, "deny", only("deny")),
        figure("asked", asks, "ask", only("ask")),
        figure("findings", asked.log.count(&findings), "finding", address(&findings)),
        figure("sessions", u64::try_from(sessions).unwrap_or_default(), "", "/sessions".to_owned()),
    ]
}

/// The most frequent names of a field.
pub(super) fn shares(
    all: &[(&str, u64)],
    field: Field,
    filter: &Filter,
    most: usize,
) -> Vec<Share> {
    let highest = all.first().map_or(1, |(_, count)| *count);
    let shared = all.iter().take(most).map(|(name, number)| Share {
        href: address(&filter.clone().toggled(field, name)),
        name: Shown::cut(name, 60),
        count: count(*number),
        width: (number * 1_000 / highest.max(1)).max(4),
    });
    shared.collect()
}

/// The newest records of a filter.
fn some(asked: &Asked<'_>, filter: &Filter, most: usize) -> Table {
    Table {
        rows: asked.log.newest(filter, most).iter().map(Row::of).collect(),
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
        let on_trust = report.on_trust();
        if on_trust > 0 {
            facts.push(fact("found unsigned, taken on trust", &count(on_trust), "warn"));
        }
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
    facts.push(match standing.signed_head {
        Some(at) => fact("newest signed head", &ago(at, asked.now.as_microsecond()), ""),
        None => fact("newest signed head", "none since the start", "warn"),
    });
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
    let standing = &asked.standing;
    let mut facts = vec![match &standing.log_failure {
        None => fact("files", "✓ written", "good"),
        Some(why) => fact("files", &format!("✕ {why}"), "bad"),
    }];
    let told = standing.sinks.iter().map(|sink| {
        let (shape, class) = match sink.state {
            SinkState::Well => ("✓", "good"),
            SinkState::Behind => ("!", "warn"),
            SinkState::Failing => ("✕", "bad"),
        };
        let class = if sink.required || class != "bad" { class } else { "warn" };
        Fact {
            name: Shown::cut(&format!("{} ({})", sink.name, sink.kind), 60),
            value: Shown::cut(&format!("{shape} {} · {}", power(sink.required), sink.told), 300),
            class,
        }
    });
    facts.extend(told);
    if standing.sinks.is_empty() {
        facts.push(fact("sinks", "none is configured; the files are all there is", "muted"));
    }
    facts
}

fn power(required: bool) -> &'static str {
    if required { "required" } else { "best effort" }
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
