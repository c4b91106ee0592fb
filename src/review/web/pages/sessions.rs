//! The list of sessions, those that were active last first.

use super::frame::Frame;
use super::overview::session_address;
use super::table::Moment;
use super::{Asked, rendered};
use crate::audit::query::{ABSENT, Field, Grouping};
use crate::review::web::link::asks;
use crate::review::web::select::class;
use crate::review::web::view::{Shown, count, length};
use askama::Template;
use axum::http::StatusCode;
use std::collections::HashMap;

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
    runtime: String,
}

/// Sessions of one page.
const SESSIONS: usize = 100;

pub(super) fn make(asked: &Asked<'_>) -> (StatusCode, String) {
    let only_held = asked.parameter("held").is_some();
    let from = asked.parameter("from").and_then(|from| from.parse().ok()).unwrap_or(0_usize);
    let mut all: Vec<(String, Sum)> = sums(asked).into_iter().collect();
    all.retain(|(_, sum)| !only_held || sum.denied + sum.asked + sum.findings > 0);
    all.sort_by(|a, b| b.1.last.cmp(&a.1.last).then_with(|| a.0.cmp(&b.0)));
    let held = if only_held { "&held=1" } else { "" };
    let next = from.saturating_add(SESSIONS);
    let page = Sessions {
        frame: Frame::of(asked, "/sessions"),
        total: count(u64::try_from(all.len()).unwrap_or_default()),
        only_held,
        older: (next < all.len()).then(|| format!("/sessions?from={next}{held}")),
        sessions: all.iter().skip(from).take(SESSIONS).map(session).collect(),
    };
    rendered(StatusCode::OK, &page)
}

fn session((id, sum): &(String, Sum)) -> Session {
    let lasted = u64::try_from(sum.last - sum.first).unwrap_or_default();
    let some = |number: u64| if number == 0 { String::new() } else { count(number) };
    Session {
        href: session_address(id),
        id: Shown::cut(id, 48),
        runtime: Shown::cut(&sum.runtime, 40),
        last: Moment::of(sum.last),
        lasted: length(lasted),
        records: count(sum.records),
        calls: count(sum.calls),
        denied: some(sum.denied),
        asked: some(sum.asked),
        findings: some(sum.findings),
    }
}

/// What each session comes to, by its name.
fn sums(asked: &Asked<'_>) -> HashMap<String, Sum> {
    let filter = asks(&[("not-session", ABSENT)], asked.now);
    let groupings = [
        Grouping::by(&[Field::Session, Field::Kind, Field::Decision]),
        Grouping::by(&[Field::Session, Field::Runtime]),
    ];
    let groups = asked.log.groups(&filter, &groupings);
    let mut sums: HashMap<String, Sum> = HashMap::new();
    for group in groups.first().iter().flat_map(|groups| &groups.groups) {
        let [session, kind, decision] = group.key.as_slice() else { continue };
        let sum = sums.entry(session.clone()).or_insert_with(|| Sum {
            first: i64::MAX,
            last: i64::MIN,
            ..Sum::default()
        });
        sum.first = sum.first.min(group.first);
        sum.last = sum.last.max(group.last);
        sum.records += group.count;
        match (kind.as_str(), class(decision)) {
            ("finding", _) => sum.findings += group.count,
            // The end of a call is no call once more.
            ("tool.post", _) | (_, 0) => {}
            (_, class) => {
                sum.calls += group.count;
                sum.asked += if class == 2 { group.count } else { 0 };
                sum.denied += if class == 3 { group.count } else { 0 };
            }
        }
    }
    for group in groups.get(1).iter().flat_map(|groups| &groups.groups) {
        let [session, runtime] = group.key.as_slice() else { continue };
        if let Some(sum) = sums.get_mut(session).filter(|_| runtime != ABSENT) {
            sum.runtime.clone_from(runtime);
        }
    }
    sums
}
