//! One session as one page.

use super::svg::{grouped, waterfall};
use super::{STYLE, content_security_policy};
use crate::limits::REPORT_ROWS_MAX;
use crate::review::moment::{span, to_the_second};
use crate::review::session::{Answer, Item, ItemKind, Outcome, Timeline, Waited};
use crate::review::visible::plain;
use askama::Template;

/// The session as HTML, in one text that needs nothing besides.
///
/// # Errors
/// In words, if the page cannot be written.
pub fn session(timeline: &Timeline) -> Result<String, String> {
    Page::of(timeline).render().map_err(|error| error.to_string())
}

#[derive(Template)]
#[template(path = "session.html", config = "src/review/page/askama.toml")]
struct Page {
    csp: String,
    style: &'static str,
    session: String,
    who: String,
    when: String,
    cwd: String,
    spent: String,
    tiles: Vec<(&'static str, String, &'static str)>,
    picture: String,
    drawn: String,
    items: Vec<ItemPart>,
    more: usize,
    threads: Vec<ThreadPart>,
    files: Vec<[String; 4]>,
    hosts: Vec<[String; 3]>,
}

struct ItemPart {
    place: String,
    at: String,
    turn: String,
    depth: usize,
    name: String,
    about: String,
    effect: String,
    notes: Vec<String>,
    ran: String,
}

struct ThreadPart {
    depth: usize,
    name: String,
    calls: String,
    lasted: String,
}

/// Rows of the picture; more are not seen in it.
const FALLS: usize = 120;

impl Page {
    fn of(timeline: &Timeline) -> Page {
        let sum = &timeline.summary;
        let uid = sum.uid.map(|uid| format!(", uid {uid}")).unwrap_or_default();
        let ended = if sum.ended { "" } else { ", and its end is not told" };
        let calls = timeline.items.iter().filter(|item| item.kind == ItemKind::Call).count();
        let drawn = match calls > FALLS {
            true => format!("The first {FALLS} of {calls} calls."),
            false => String::new(),
        };
        Page {
            csp: content_security_policy(),
            style: STYLE,
            session: plain(&sum.session),
            who: format!("{}{uid}", plain(&sum.runtime)),
            when: format!("{} UTC, {}{ended}", to_the_second(&sum.started), span(sum.lasted_ms)),
            cwd: sum.cwd.as_deref().map(plain).unwrap_or_default(),
            spent: spent(timeline),
            tiles: vec![
                ("", grouped(sum.calls), "calls"),
                ("deny", grouped(sum.denied), "denied"),
                ("ask", grouped(sum.asked), "put to a person"),
                ("allow", grouped(sum.allowed), "allowed"),
                ("", grouped(sum.findings), "findings"),
                ("", grouped(sum.unknown), "without a known end"),
            ],
            picture: if calls > 0 { waterfall(timeline, FALLS) } else { String::new() },
            drawn,
            items: timeline
                .items
                .iter()
                .take(ITEMS)
                .map(|item| ItemPart::of(item, timeline))
                .collect(),
            more: timeline.items.len().saturating_sub(ITEMS),
            threads: threads(timeline),
            files: timeline
                .files
                .iter()
                .take(REPORT_ROWS_MAX)
                .map(|file| {
                    let [read, written, denied] = [file.read, file.written, file.denied].map(few);
                    [plain(&file.path), read, written, denied]
                })
                .collect(),
            hosts: timeline
                .hosts
                .iter()
                .take(REPORT_ROWS_MAX)
                .map(|host| [plain(&host.host), few(host.reached), few(host.denied)])
                .collect(),
        }
    }
}

/// Rows of the table.
const ITEMS: usize = 5_000;

/// A count of which none is not worth reading.
fn few(count: u64) -> String {
    if count == 0 { String::new() } else { grouped(count) }
}

fn spent(timeline: &Timeline) -> String {
    let sum = &timeline.summary;
    let Some(cost) = sum.cost_usd else { return String::new() };
    let models: Vec<String> = sum.models.iter().map(|model| plain(model)).collect();
    let turns = grouped(sum.turns.unwrap_or(0));
    format!("About ${cost:.2} by list prices, {turns} answers of {}.", models.join(", "))
}

fn threads(timeline: &Timeline) -> Vec<ThreadPart> {
    if timeline.threads.len() < 2 {
        return Vec::new();
    }
    let part = |thread: &crate::review::session::ThreadRow| ThreadPart {
        depth: thread.depth.min(4),
        name: match &thread.id {
            Some(id) => format!("{} {}", plain(&thread.kind), plain(id)),
            None => plain(&thread.kind),
        },
        calls: grouped(thread.calls),
        lasted: span(thread.to_ms.saturating_sub(thread.from_ms)),
    };
    timeline.threads.iter().map(part).collect()
}

impl ItemPart {
    fn of(item: &Item, timeline: &Timeline) -> ItemPart {
        let depth = timeline.threads.get(item.thread).map_or(0, |thread| thread.depth).min(4);
        let mut notes = Vec::new();
        if item.effect == "deny" || item.effect == "ask" {
            notes.push(plain(&item.reason));
        }
        notes.extend(item.waited.as_ref().map(waited));
        let outcome = match item.outcome {
            Outcome::Failed => "it failed",
            Outcome::NotRun => "it was not run",
            Outcome::Unknown => "outcome unknown: its end was never told",
            Outcome::Open => "its end is not in the log yet",
            Outcome::None | Outcome::Ran | Outcome::Refused => "",
        };
        if !outcome.is_empty() {
            notes.push(outcome.to_owned());
        }
        if !item.findings.is_empty() {
            notes.push(format!("found: {}", plain(&item.findings.join(", "))));
        }
        ItemPart {
            place: item.seq.to_string(),
            at: span(item.at_ms),
            turn: if item.turn == 0 { String::new() } else { item.turn.to_string() },
            depth,
            name: plain(&item.name),
            about: plain(&item.about),
            effect: match item.effect.as_str() {
                known @ ("allow" | "ask" | "deny" | "defer") => known.to_owned(),
                _ => String::new(),
            },
            notes,
            ran: item.ran_ms.map(span).unwrap_or_default(),
        }
    }
}

fn waited(waited: &Waited) -> String {
    let long = match (waited.ms, waited.exact) {
        (Some(ms), true) => format!(" after {}", span(ms)),
        (Some(ms), false) => format!(" within {}", span(ms)),
        (None, _) => String::new(),
    };
    match waited.answer {
        Answer::Yes => format!("a person said yes{long}"),
        Answer::No => format!("a person said no{long}"),
        Answer::Open => "a person was asked; no answer is in the log".to_owned(),
    }
}
