//! What does not agree: a Pre and its Post, two planes, a sender who was not believed.

use super::explore::only;
use super::frame::Frame;
use super::overview::{Share, shares};
use super::table::{Row, Table};
use super::{Asked, rendered};
use crate::review::web::link::Filter;
use crate::review::web::rows::Field;
use crate::review::web::select::{Bins, Place, Test, count as count_rows, newest};
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
    let read = asked.web.board.read();
    let filter = Filter::default().toggled(Field::Kind, "finding");
    let test = Test::of(&filter, &read, asked.now);
    let counted = count_rows(&read, &test, Bins { from: 0, width: 1, count: 1 }, &|_, _| false);
    let before = asked.parameter("before").and_then(Place::parse);
    let mut found: Vec<_> = newest(&read, &test, before).take(ROWS + 1).collect();
    let has_more = found.len() > ROWS;
    found.truncate(ROWS);
    let last = found.last().map(|(part, row)| Place { file: part.number, row: *row });
    let page = Findings {
        frame: Frame::of(asked, &read, "/findings"),
        total: count(counted.rows),
        codes: shares(&read, &counted, Field::Code, &filter, 20),
        table: Table {
            rows: found.into_iter().filter_map(|at| Row::read(asked.web, at)).collect(),
            caption: "Findings",
            empty: "No finding. What the planes saw agrees.",
            is_short: false,
        },
        older: last.filter(|_| has_more).map(|at| format!("/findings?before={at}")),
        all: only(Field::Kind, "finding"),
    };
    rendered(StatusCode::OK, &page)
}
