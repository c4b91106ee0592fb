//! Records as a table: one row each, with what is read from its line.

use super::explore::only;
use crate::audit::Entry;
use crate::audit::query::Field;
use crate::audit::wire::WireRecord;
use crate::model::finding::Code;
use crate::review::findings;
use crate::review::session::about;
use crate::review::web::link::encoded;
use crate::review::web::view::{Link, Mark, Shown, clock, day, length, stamp};
use askama::Template;

/// Some records.
#[derive(Template)]
#[template(path = "table.html", config = "src/review/web/askama.toml")]
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    pub(super) caption: &'static str,
    pub(super) empty: &'static str,
    /// Without the columns that a narrow place has no room for.
    pub(super) is_short: bool,
}

// The template escapes whatever it writes in.
impl askama::filters::HtmlSafe for Table {}

/// One of them.
pub(super) struct Row {
    pub(super) href: String,
    pub(super) at: Moment,
    pub(super) mark: Mark,
    pub(super) kind: Shown,
    pub(super) tool: Shown,
    pub(super) what: Shown,
    pub(super) why: Shown,
    pub(super) rule: Option<Link>,
    pub(super) session: Option<Link>,
    pub(super) took: String,
}

/// When, as it is written and as it is meant.
pub(super) struct Moment {
    pub(super) day: String,
    pub(super) clock: String,
    pub(super) stamp: String,
}

impl Moment {
    pub(super) fn of(micros: i64) -> Moment {
        Moment { day: day(micros), clock: clock(micros), stamp: stamp(micros) }
    }
}

/// The address of a record's page.
pub(super) fn address(record: &WireRecord) -> String {
    format!("/record?id={}", encoded(&format!("{}/{}", record.stream, record.seq)))
}

/// When a record was written, in microseconds.
pub(super) fn written(record: &WireRecord) -> i64 {
    record.ts.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_microsecond)
}

impl Row {
    pub(super) fn of(entry: &Entry) -> Row {
        let record = &entry.record;
        let decision = record.decision.as_ref();
        let effect = decision.map_or("", |decision| decision.effect.as_str());
        let rule = record.deciding().into_iter().next();
        let rule = rule.map(|rule| Link::to(only(Field::Rule, &rule.id), &short(&rule.id, 40)));
        let session = record.session.as_ref().filter(|session| !session.is_empty());
        let session = session.map(|session| {
            Link::to(format!("/session?id={}", encoded(session)), &short(session, 14))
        });
        let why = decision.map_or("", |decision| decision.reason.as_str());
        Row {
            href: address(record),
            at: Moment::of(written(record)),
            mark: match record.kind.as_str() {
                "finding" => Mark { word: Shown::of("finding"), class: "deny", shape: "▲" },
                _ => Mark::of(effect),
            },
            kind: Shown::cut(&record.kind, 24),
            tool: Shown::cut(record.tool.as_deref().unwrap_or_default(), 40),
            what: what(record),
            why: Shown::cut(why, 200),
            rule,
            session,
            took: record.decided_us.map(length).unwrap_or_default(),
        }
    }
}

/// No longer than this, with a sign that there is more.
pub(super) fn short(text: &str, chars: usize) -> String {
    let mut kept: String = text.chars().take(chars).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    kept
}

/// What a record is about, in one line.
pub(super) fn what(record: &WireRecord) -> Shown {
    const CHARS: usize = 160;
    let effect = record.decision.as_ref().map(|decision| decision.effect.as_str());
    let decisive = record.accesses.iter().find(|access| Some(access.verdict.as_str()) == effect);
    // What could not be read is better told by the call as it was made.
    let told = |target: &str| !target.starts_with('⟨') || about(record).is_empty();
    if let Some(access) = decisive.or(record.accesses.first())
        && told(&access.target)
    {
        return Shown::cut(&format!("{} {}", access.verb, access.target), CHARS);
    }
    let code = record.details.get("code").and_then(|code| code.as_str());
    let text = findings::what(record);
    match code {
        Some(code) if text.is_empty() => {
            let meant = Code::ALL.into_iter().find(|one| one.as_str() == code);
            let meaning = meant.map_or_else(String::new, |code| format!(": {}", code.meaning()));
            Shown::cut(&format!("{code}{meaning}"), CHARS)
        }
        Some(code) => Shown::cut(&format!("{code}: {text}"), CHARS),
        None if text.is_empty() => Shown::cut(&about(record), CHARS),
        None => Shown::cut(&text, CHARS),
    }
}
