//! Records by filter: counts of every field, a histogram to narrow by, a table to walk through.
//!
//! The filter stands in the address, and as the command that finds the same.

use super::frame::Frame;
use super::overview::stretch;
use super::table::{Row, Table, record};
use super::{Asked, rendered};
use crate::limits::{REGEX_BYTES_MAX, REVIEW_SEARCH_TIME};
use crate::review::web::board::{Part, State as Read};
use crate::review::web::chart::{Histogram, histogram};
use crate::review::web::link::{Filter, Moment, encoded};
use crate::review::web::rows::Field;
use crate::review::web::select::{
    Bins, Counted, Place, Test, count as count_rows, newest, oldest_behind,
};
use crate::review::web::view::{Shown, clock, count, day};
use askama::Template;
use axum::http::StatusCode;
use regex::bytes::{Regex, RegexBuilder};
use std::time::Instant;

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
    kept: Vec<(&'static str, Shown)>,
    chips: Vec<Chip>,
    all: Histogram,
    wider: Option<String>,
    facets: Vec<Facet>,
    table: Table,
    newer: Option<String>,
    older: Option<String>,
    /// How far a search for text came.
    searched: Option<String>,
    command: Shown,
}

/// Something that is filtered by, and the address without it.
struct Chip {
    name: &'static str,
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

pub(super) fn make(asked: &Asked<'_>) -> (StatusCode, String) {
    let (filter, mut wrong) = Filter::read(&asked.parameters);
    let search = filter.text.as_deref().map(|text| {
        RegexBuilder::new(text).size_limit(REGEX_BYTES_MAX).build().map_err(|error| {
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().to_owned();
            wrong.push(format!("the text is no regular expression: {why}"));
        })
    });
    let search = search.and_then(Result::ok);
    let read = asked.web.board.read();
    let test = Test::of(&filter, &read, asked.now);
    let bins = bins(&read, &test, asked);
    let counted = count_rows(&read, &test, bins, &|_, _| false);
    let place = |name: &str| asked.parameter(name).and_then(Place::parse);
    let page = page(asked, &read, &test, (place("before"), place("after")), search.as_ref());
    let with = |name: &str, at: Place| {
        let query = filter.query();
        let and = if query.is_empty() { "" } else { "&" };
        format!("/explore?{query}{and}{name}={at}")
    };
    let searched = page
        .searched_to
        .map(|at| format!("Looked through records back to {} {}.", day(at), clock(at)));
    let explore = Explore {
        frame: Frame::of(asked, &read, "/explore"),
        wrong,
        total: count(counted.rows),
        since: Shown::of(&filter.since.as_ref().map_or_else(String::new, ToString::to_string)),
        until: Shown::of(&filter.until.as_ref().map_or_else(String::new, ToString::to_string)),
        text: Shown::of(filter.text.as_deref().unwrap_or_default()),
        kept: filter.values.iter().map(|(field, value)| (field.key(), Shown::of(value))).collect(),
        chips: chips(&filter),
        all: histogram(bins, &counted.bins, &[0, 1, 2, 3], &|from, to| stretch(&filter, from, to)),
        wider: wider(&filter, bins),
        facets: facets(&read, &counted, &filter),
        table: Table {
            rows: page.rows,
            caption: "Records",
            empty: "No record fits. Take something out of the filter, or look at a longer time.",
            is_short: false,
        },
        newer: page.newer.map(|at| with("after", at)),
        older: page.older.map(|at| with("before", at)),
        searched,
        command: Shown::of(&filter.command()),
    };
    rendered(StatusCode::OK, &explore)
}

/// The stretch that the histogram shows: that of the filter, as far as there is something.
fn bins(read: &Read, test: &Test, asked: &Asked<'_>) -> Bins {
    let now = asked.now.as_microsecond();
    let (first, last) = read.span().unwrap_or((now - 3_600_000_000, now));
    let (from, to) = (test.time.0.max(first), test.time.1.min(last.saturating_add(1)));
    Bins::over(from, to.max(from.saturating_add(1)), 80)
}

/// Four times as much time, around what is shown.
fn wider(filter: &Filter, bins: Bins) -> Option<String> {
    filter.since.as_ref().or(filter.until.as_ref())?;
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
    searched_to: Option<i64>,
}

fn page(
    asked: &Asked<'_>,
    read: &Read,
    test: &Test,
    (before, after): (Option<Place>, Option<Place>),
    search: Option<&Regex>,
) -> OnePage {
    let (found, is_more, searched_to) = match after {
        Some(after) => {
            let (mut found, is_more, searched) =
                take(asked, oldest_behind(read, test, Some(after)), search);
            found.reverse();
            (found, is_more, searched)
        }
        None => take(asked, newest(read, test, before), search),
    };
    let first = found.first().map(|(at, _)| *at);
    let last = found.last().map(|(at, _)| *at);
    let has_newer = match (after, first) {
        (Some(_), _) => is_more,
        (None, Some(first)) => {
            before.is_some() && oldest_behind(read, test, Some(first)).next().is_some()
        }
        (None, None) => false,
    };
    let has_older = if after.is_some() { last.is_some() } else { is_more };
    // A search that ran out of time goes on where it stopped, whether it found anything or not.
    let older = match searched_to {
        Some((at, _)) if after.is_none() => Some(at),
        _ => last.filter(|_| has_older),
    };
    OnePage {
        rows: found.into_iter().map(|(_, row)| row).collect(),
        newer: first.filter(|_| has_newer),
        older,
        searched_to: searched_to.map(|(_, at)| at),
    }
}

/// As many rows as fit a page; whether there are more; where a search was given up.
#[expect(clippy::type_complexity, reason = "it is taken apart where it is made")]
fn take<'a>(
    asked: &Asked<'_>,
    rows: impl Iterator<Item = (&'a Part, usize)>,
    search: Option<&Regex>,
) -> (Vec<(Place, Row)>, bool, Option<(Place, i64)>) {
    let began = Instant::now();
    let mut found = Vec::new();
    for (part, row) in rows {
        let place = Place { file: part.number, row };
        if found.len() == ROWS {
            return (found, true, None);
        }
        if search.is_some() && began.elapsed() > REVIEW_SEARCH_TIME {
            let at = part.rows.at.get(row).copied().unwrap_or_default();
            return (found, true, Some((place, at)));
        }
        let fits = search.is_none_or(|search| {
            let offset = part.rows.offset.get(row).copied().unwrap_or_default();
            let line = record(asked.web, &part.file, offset);
            line.is_some_and(|(_, text)| search.is_match(text.as_bytes()))
        });
        if fits {
            found.extend(Row::read(asked.web, (part, row)).map(|row| (place, row)));
        }
    }
    (found, false, None)
}

fn chips(filter: &Filter) -> Vec<Chip> {
    let mut chips = Vec::new();
    for (field, value) in &filter.values {
        let href = filter.toggled(*field, value).address();
        chips.push(Chip { name: field.key(), value: Shown::cut(value, 60), href });
    }
    let mut moment = |name, moment: &Option<Moment>, without: Filter| {
        chips.extend(moment.as_ref().map(|at| Chip {
            name,
            value: Shown::of(&at.to_string()),
            href: without.address(),
        }));
    };
    moment("since", &filter.since, filter.within(None, filter.until.clone()));
    moment("until", &filter.until, filter.within(filter.since.clone(), None));
    if let Some(text) = &filter.text {
        let without = Filter { text: None, ..filter.clone() };
        chips.push(Chip { name: "text", value: Shown::cut(text, 60), href: without.address() });
    }
    chips
}

fn facets(read: &Read, counted: &Counted, filter: &Filter) -> Vec<Facet> {
    let mut facets = Vec::new();
    for field in Field::ALL {
        let all = counted.facet(read, field);
        let is_used = filter.values.iter().any(|(one, _)| *one == field);
        let shown = all.iter().enumerate();
        let shown = shown.filter(|(at, (name, _))| *at < NAMES || filter.names(field, name));
        let values: Vec<Value> = shown
            .map(|(_, (name, number))| Value {
                name: Shown::cut(&short_of(field, name), 60),
                count: count(*number),
                href: filter.toggled(field, name).address(),
                is_on: filter.names(field, name),
            })
            .collect();
        if values.is_empty() {
            continue;
        }
        facets.push(Facet {
            name: field.key(),
            more: all.len().saturating_sub(values.len()),
            values,
            is_open: is_used || !matches!(field, Field::Policy | Field::Runtime | Field::Code),
        });
    }
    facets
}

/// A digest is told by its beginning.
fn short_of(field: Field, name: &str) -> String {
    match field {
        Field::Policy => super::table::short(name, 16),
        _ => name.to_owned(),
    }
}

/// The address of what one value selects.
pub(super) fn only(field: Field, value: &str) -> String {
    format!("/explore?{}={}", field.key(), encoded(value))
}
