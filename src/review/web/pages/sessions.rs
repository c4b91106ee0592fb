//! The list of sessions, those that were active last first.

use super::frame::Frame;
use super::overview::session_address;
use super::table::Moment;
use super::{Asked, rendered};
use crate::review::web::board::State as Read;
use crate::review::web::rows::{Field, Numbers};
use crate::review::web::select::{Class, class_of, classes};
use crate::review::web::view::{Shown, count, length};
use askama::Template;
use axum::http::StatusCode;

#[derive(Template)]
#[template(path = "sessions.html", config = "src/review/web/askama.toml")]
struct Sessions {
    frame: Frame,
    total: String,
    only_held: bool,
    sessions: Vec<Session>,
    older: Option<String>,
}

/// One session.
struct Session {
    href: String,
    id: Shown,
    runtime: Shown,
    last: Moment,
    lasted: String,
    records: String,
    calls: String,
    denied: String,
    asked: String,
    findings: String,
}

/// What is counted of a session.
#[derive(Clone, Default)]
struct Sum {
    first: i64,
    last: i64,
    records: u64,
    calls: u64,
    asked: u64,
    denied: u64,
    findings: u64,
    runtime: u32,
}

/// Sessions of one page.
const SESSIONS: usize = 100;

pub(super) fn make(asked: &Asked<'_>) -> (StatusCode, String) {
    let read = asked.web.board.read();
    let only_held = asked.parameter("held").is_some();
    let from = asked.parameter("from").and_then(|from| from.parse().ok()).unwrap_or(0_usize);
    let sums = sums(&read);
    let mut all: Vec<(&str, &Sum)> = read
        .names
        .of(Field::Session)
        .texts()
        .zip(&sums)
        .skip(1)
        .filter(|(_, s)| s.records > 0)
        .collect();
    all.retain(|(_, sum)| !only_held || sum.denied + sum.asked + sum.findings > 0);
    all.sort_by(|a, b| b.1.last.cmp(&a.1.last).then(a.0.cmp(b.0)));
    let held = if only_held { "&held=1" } else { "" };
    let next = from.saturating_add(SESSIONS);
    let page = Sessions {
        frame: Frame::of(asked, &read, "/sessions"),
        total: count(u64::try_from(all.len()).unwrap_or_default()),
        only_held,
        older: (next < all.len()).then(|| format!("/sessions?from={next}{held}")),
        sessions: all.iter().skip(from).take(SESSIONS).map(|one| session(&read, *one)).collect(),
    };
    rendered(StatusCode::OK, &page)
}

fn session(read: &Read, (id, sum): (&str, &Sum)) -> Session {
    let lasted = u64::try_from(sum.last - sum.first).unwrap_or_default();
    let some = |number: u64| if number == 0 { String::new() } else { count(number) };
    Session {
        href: session_address(id),
        id: Shown::cut(id, 48),
        runtime: Shown::of(read.names.of(Field::Runtime).text(sum.runtime)),
        last: Moment::of(sum.last),
        lasted: length(lasted),
        records: count(sum.records),
        calls: count(sum.calls),
        denied: some(sum.denied),
        asked: some(sum.asked),
        findings: some(sum.findings),
    }
}

/// What each session comes to, by its number.
fn sums(read: &Read) -> Vec<Sum> {
    let mut sums = vec![Sum::default(); read.names.of(Field::Session).len()];
    let classes = classes(read);
    let known = |kind: &str| read.names.of(Field::Kind).known(kind);
    let (post, finding) = (known("tool.post"), known("finding"));
    for part in &read.files {
        for row in 0..part.rows.len() {
            let number = |field: Field| match part.rows.numbers(field, row) {
                Numbers::One(number) => number,
                Numbers::Several(_) => 0,
            };
            let session = usize::try_from(number(Field::Session)).unwrap_or_default();
            let Some(sum) = sums.get_mut(session) else { continue };
            let at = part.rows.at.get(row).copied().unwrap_or_default();
            if sum.records == 0 {
                sum.first = at;
            }
            sum.last = sum.last.max(at);
            sum.records += 1;
            sum.runtime = sum.runtime.max(number(Field::Runtime));
            let kind = Some(number(Field::Kind));
            sum.findings += u64::from(kind == finding);
            if kind != post {
                match class_of(&classes, &part.rows, row) {
                    Class::Other => {}
                    Class::Allow => sum.calls += 1,
                    Class::Ask => (sum.calls, sum.asked) = (sum.calls + 1, sum.asked + 1),
                    Class::Deny => (sum.calls, sum.denied) = (sum.calls + 1, sum.denied + 1),
                }
            }
        }
    }
    sums
}
