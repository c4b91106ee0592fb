//! What does not agree: a Pre and its Post, two planes, a sender who was not believed.

use super::frame::Frame;
use super::overview::{Share, shares};
use super::table::{Row, Table};
use super::{Asked, rendered};
use crate::audit::query::{Field, Filter, Grouping, Order, Place};
use crate::review::web::link::address;
use crate::review::web::select::names;
use crate::review::web::view::count;
use askama::Template;
use axum::http::StatusCode;

#[derive(Template)]
#[template(path = "findings.html", config = "src/review/web/askama.toml")]
struct Findings {
    frame: Frame,
    total: String,
    codes: Vec<Share>,
    table: Table,
    older: Option<String>,
    all: String,
}

/// Findings of one page.
const ROWS: usize = 50;

pub(super) fn make(asked: &Asked<'_>) -> (StatusCode, String) {
    let filter = Filter::default().toggled(Field::Kind, "finding");
    let groupings = [Grouping::default(), Grouping::by(&[Field::Code])];
    let groups = asked.log.groups(&filter, &groupings);
    let total = groups.first().iter().flat_map(|groups| &groups.groups).map(|one| one.count).sum();
    let before = asked.parameter("before").and_then(Place::parse);
    let found = asked.log.records(&filter, Order::NewestFirst, before, ROWS);
    let last = found.entries.last().map(|(place, _)| *place).filter(|_| found.is_more);
    let page = Findings {
        codes: shares(&names(groups.get(1)), Field::Code, &filter, 20),
        table: Table {
            rows: found.entries.iter().map(|(_, entry)| Row::of(entry)).collect(),
            caption: "Findings",
            empty: "No finding. What the planes saw agrees.",
            is_short: false,
        },
        older: last.or(found.stopped).map(|at| format!("/findings?before={at}")),
        all: address(&filter),
        total: count(total),
        frame: Frame::of(asked, "/findings"),
    };
    rendered(StatusCode::OK, &page)
}
