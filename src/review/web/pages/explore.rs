//! Records by filter: counts of every field, a histogram to narrow by, a table to walk through.
//!
//! The filter is that of `audit::query`: it stands in the address, and as the command that finds
//! the same. A facet counts what would be there if its own field were left free, so that another
//! value can be added.

use super::frame::Frame;
use super::overview::stretch;
use super::table::{Row, Table, written};
use super::{Asked, rendered};
use crate::audit::query::{Field, Filter, Grouping, Groups, Order, Place};
use crate::review::web::chart::{Histogram, histogram};
use crate::review::web::link::{address, command, filter as read};
use crate::review::web::log::Found;
use crate::review::web::select::{Bins, Counted, names};
use crate::review::web::view::{Shown, clock, count, day};
use askama::Template;
use axum::http::StatusCode;

#[derive(Template)]
#[template(path = "explore.html", config = "src/review/web/askama.toml")]
struct Explore {
    frame: Frame,
    wrong: Vec<String>,
    total: String,
    since: Shown,
    until: Shown,
    text: Shown,
    /// What else the form sends along.
    kept: Vec<(String, Shown)>,
    chips: Vec<Chip>,
    all: Histogram,
    wider: Option<String>,
    facets: Vec<Facet>,
    table: Table,
    newer: Option<String>,
    older: Option<String>,
    /// How far a search for text came.
    searched: Option<String>,
    /// There are more than were counted.
    at_least: bool,
    command: Shown,
}

/// Something that is filtered by, and the address without it.
struct Chip {
    name: String,
    value: Shown,
    href: String,
}

/// One field with its most frequent names.
struct Facet {
    name: &'static str,
    values: Vec<Value>,
    more: usize,
    is_open: bool,
}

/// One name.
struct Value {
    name: Shown,
    count: String,
    href: String,
    is_on: bool,
}

/// Rows of one page.
const ROWS: usize = 50;
/// Names of a facet that are shown.
const NAMES: usize = 8;

/// What is counted by name.
const FACETS: [Field; 11] = [
    Field::Decision,
    Field::Tool,
    Field::Rule,
    Field::Host,
    Field::Session,
    Field::Agent,
    Field::Kind,
    Field::Code,
    Field::Runtime,
    Field::Uid,
    Field::Policy,
];

pub(super) fn make(asked: &Asked<'_>) -> (StatusCode, String) {
    let (filter, wrong) = read(&asked.parameters, asked.now);
    let bins = bins(&filter, asked);
    let groupings = FACETS.iter().map(|field| Grouping::by(&[*field]));
    let groupings: Vec<Grouping> = std::iter::once(bins.grouping()).chain(groupings).collect();
    let groups = asked.log.groups(&filter, &groupings);
    let at_least = asked.log.noted().cut;
    let counted = Counted::of(groups.first(), bins);
    let place = |name: &str| asked.parameter(name).and_then(Place::parse);
    let page = page(asked, &filter, (place("before"), place("after")));
    let with = |name: &str, at: Place| {
        let query = filter.to_query();
        let and = if query.is_empty() { "" } else { "&" };
        format!("/explore?{query}{and}{name}={at}")
    };
    let pairs = filter.to_pairs();
    let typed = |name: &str| {
        let found = pairs.iter().find(|(one, _)| one == name);
        Shown::of(found.map_or("", |(_, text)| text))
    };
    let in_form = |name: &str| matches!(name, "since" | "until" | "grep");
    let kept = pairs.iter().filter(|(name, _)| !in_form(name));
    let explore = Explore {
        wrong,
        total: count(counted.rows),
        at_least,
        since: typed("since"),
        until: typed("until"),
        text: typed("grep"),
        kept: kept.map(|(name, text)| (name.clone(), Shown::of(text))).collect(),
        chips: chips(&pairs, asked),
        all: histogram(bins, &counted.bins, &[0, 1, 2, 3], &|from, to| stretch(&filter, from, to)),
        wider: wider(&filter, bins),
        facets: facets(asked, &groups, &filter),
        table: Table {
            rows: page.rows,
            caption: "Records",
            empty: match &page.searched {
                Some(_) => "None found yet.",
                None => {
                    "No record fits. Take something out of the filter, or look at a longer time."
                }
            },
            is_short: false,
        },
        newer: page.newer.map(|at| with("after", at)),
        older: page.older.map(|at| with("before", at)),
        searched: page.searched,
        command: Shown::of(&command(&filter)),
        frame: Frame::of(asked, "/explore"),
    };
    rendered(StatusCode::OK, &explore)
}

/// The stretch that the histogram shows: that of the filter, as far as there is something.
fn bins(filter: &Filter, asked: &Asked<'_>) -> Bins {
    let now = asked.now.as_microsecond();
    let (first, last) = asked.log.span().unwrap_or((now - 3_600_000_000, now));
    let from = filter.since().map_or(first, |since| since.max(first));
    let to = filter.until().unwrap_or(i64::MAX).min(last.saturating_add(1));
    Bins::over(from, to.max(from.saturating_add(1)), 80)
}

/// Four times as much time, around what is shown.
fn wider(filter: &Filter, bins: Bins) -> Option<String> {
    filter.since().or(filter.until())?;
    let span = bins.width.saturating_mul(i64::try_from(bins.count).unwrap_or(1));
    let half = span.saturating_mul(3) / 2;
    let (from, to) = (bins.from.saturating_sub(half), bins.begin(bins.count).saturating_add(half));
    Some(stretch(filter, from, to))
}

/// The rows of one page, and where its neighbours begin.
struct OnePage {
    rows: Vec<Row>,
    newer: Option<Place>,
    older: Option<Place>,
    searched: Option<String>,
}

fn page(
    asked: &Asked<'_>,
    filter: &Filter,
    (before, after): (Option<Place>, Option<Place>),
) -> OnePage {
    let mut found = match after {
        Some(after) => asked.log.records(filter, Order::OldestFirst, Some(after), ROWS),
        None => asked.log.records(filter, Order::NewestFirst, before, ROWS),
    };
    if after.is_some() {
        found.entries.reverse();
    }
    let first = found.entries.first().map(|(at, _)| *at);
    let last = found.entries.last().map(|(at, _)| *at);
    let has_newer = match (after, first) {
        (Some(_), _) => found.is_more,
        (None, Some(first)) => before.is_some() && is_one_behind(asked, filter, first),
        (None, None) => false,
    };
    let has_older = if after.is_some() { last.is_some() } else { found.is_more };
    // A search that ran out of time goes on where it stopped, whether it found anything or not.
    let stopped = found.stopped.filter(|_| after.is_none());
    OnePage {
        newer: first.filter(|_| has_newer),
        older: stopped.or(last.filter(|_| has_older)),
        searched: stopped.map(|at| searched(asked, at)),
        rows: found.entries.iter().map(|(_, entry)| Row::of(entry)).collect(),
    }
}

fn is_one_behind(asked: &Asked<'_>, filter: &Filter, place: Place) -> bool {
    let Found { entries, .. } = asked.log.records(filter, Order::OldestFirst, Some(place), 1);
    !entries.is_empty()
}

/// How far back a search came, in words.
fn searched(asked: &Asked<'_>, at: Place) -> String {
    let all = Filter::default();
    let found = asked.log.records(&all, Order::NewestFirst, Some(at), 1);
    match found.entries.first() {
        Some((_, entry)) => {
            let at = written(&entry.record);
            format!("Looked through records back to {} {}.", day(at), clock(at))
        }
        None => "Looked through the newest records.".to_owned(),
    }
}

/// Each condition, and the address without it.
fn chips(pairs: &[(String, String)], asked: &Asked<'_>) -> Vec<Chip> {
    let chip = |(at, (name, text)): (usize, &(String, String))| {
        let others = pairs.iter().enumerate().filter(|(other, _)| *other != at);
        let others: Vec<_> = others.map(|(_, pair)| pair.clone()).collect();
        let (name, value) = (name.replace('-', " "), Shown::cut(text, 60));
        Chip { name, value, href: address(&read(&others, asked.now).0) }
    };
    pairs.iter().enumerate().map(chip).collect()
}

fn facets(asked: &Asked<'_>, groups: &[Groups], filter: &Filter) -> Vec<Facet> {
    let mut facets = Vec::new();
    let used: Vec<Field> = filter.fields().collect();
    for (at, field) in FACETS.into_iter().enumerate() {
        let is_used = used.contains(&field);
        // To look into texts once more would take too long.
        let free = (is_used && !filter.looks_into_texts())
            .then(|| asked.log.groups(&filter.clone().without(field), &[Grouping::by(&[field])]));
        let all = names(free.as_ref().map_or(groups.get(at + 1), |free| free.first()));
        let shown = all.iter().enumerate();
        let shown = shown.filter(|(at, (name, _))| *at < NAMES || filter.names(field, name));
        let values: Vec<Value> = shown
            .map(|(_, (name, number))| Value {
                name: Shown::cut(&short_of(field, name), 60),
                count: count(*number),
                href: address(&filter.clone().toggled(field, name)),
                is_on: filter.names(field, name),
            })
            .collect();
        if values.is_empty() {
            continue;
        }
        facets.push(Facet {
            name: field.as_str(),
            more: all.len().saturating_sub(values.len()),
            values,
            is_open: is_used || !CLOSED.contains(&field),
        });
    }
    facets
}

/// Facets that are not open unless they are used.
const CLOSED: [Field; 5] = [Field::Policy, Field::Runtime, Field::Code, Field::Agent, Field::Uid];

/// A digest is told by its beginning.
fn short_of(field: Field, name: &str) -> String {
    match field {
        Field::Policy => super::table::short(name, 16),
        _ => name.to_owned(),
    }
}

/// The address of what one value selects.
pub(super) fn only(field: Field, value: &str) -> String {
    address(&Filter::default().with(field, value))
}
