//! One record whole: what was decided of what and why, the rules as they stood, what belongs to it,
//! what the current policy would say, and the proof of its place.

mod found;
mod json;

use super::explore::only;
use super::frame::Frame;
use super::overview::session_address;
use super::table::{Moment, address, written};
use super::{Asked, nothing_here, rendered};
use crate::audit::query::Field;
use crate::audit::wire::{WireCapture, WireRecord};
use crate::audit::{Blobs, Hash};
use crate::review::decision::{Again, DecisionView, RuleView, Sibling};
use crate::review::moment::span;
use crate::review::web::link::{encoded, quoted};
use crate::review::web::view::{Link, Mark, Shown, count, length};
use askama::Template;
use axum::http::StatusCode;

#[derive(Template)]
#[template(path = "record.html", config = "src/review/web/askama.toml")]
struct Record {
    frame: Frame,
    mark: Mark,
    title: Shown,
    kind: Shown,
    at: Moment,
    reason: Shown,
    facts: Vec<Fact>,
    accesses: Vec<Access>,
    accesses_more: usize,
    rules: Vec<Rule>,
    policy_doubt: Option<Shown>,
    now: Asking,
    siblings: Vec<Around>,
    input: Option<Value>,
    output: Option<Value>,
    texts: Vec<Text>,
    details: Option<Shown>,
    place: Vec<(&'static str, Shown)>,
    proof: Proof,
    raw: Shown,
    command: Shown,
}

/// Something of the record.
struct Fact {
    name: &'static str,
    value: Shown,
    href: Option<String>,
}

/// One thing that the call would do.
struct Access {
    mark: Mark,
    verb: Shown,
    target: Shown,
    real: Shown,
    certain: Shown,
}

/// One rule that spoke.
struct Rule {
    mark: Mark,
    id: Link,
    place: Shown,
    matched: Shown,
    is_shadow: bool,
    text: Option<Shown>,
}

/// What the current policy says.
struct Asking {
    is_told: bool,
    why_not: Shown,
    mark: Mark,
    is_same: bool,
    reason: Shown,
    policy: Shown,
    caveats: Vec<Shown>,
    rules: Vec<Near>,
}

/// One rule that was asked.
struct Near {
    mark: Mark,
    id: Shown,
    access: Shown,
    matched: Shown,
    differs: Shown,
    place: Shown,
}

/// Another record of the call.
struct Around {
    href: String,
    after: String,
    kind: Shown,
    mark: Mark,
    about: Shown,
}

/// A value that the log kept.
struct Value {
    text: Shown,
    told: Shown,
}

/// A long text that the record only names.
struct Text {
    at: Shown,
    name: Shown,
    text: Option<Shown>,
    why_not: Shown,
}

/// Kept texts that a page shows; more are for `toolgate audit show`.
const TEXTS: usize = 16;

/// The proof of a place.
struct Proof {
    state: Shown,
    class: &'static str,
    told: Shown,
    note: Option<Shown>,
    /// Where it is proved, if it was not.
    prove: Option<String>,
    command: Shown,
}

pub(super) fn make(asked: &Asked<'_>) -> (StatusCode, String) {
    let Some(view) = found::view(asked) else {
        return (StatusCode::NOT_FOUND, nothing_here());
    };
    let record = &view.record;
    let decision = record.decision.as_ref();
    let tool = record.tool.as_deref().unwrap_or(&record.kind);
    let id = found::id(record);
    let page = Record {
        frame: Frame::of(asked, "/explore"),
        mark: Mark::of(decision.map_or("", |decision| &decision.effect)),
        title: Shown::cut(tool, 80),
        kind: Shown::cut(&record.kind, 40),
        at: Moment::of(written(record)),
        reason: Shown::cut(decision.map_or("", |decision| &decision.reason), 1_000),
        facts: facts(record),
        accesses: record.accesses.iter().map(access).collect(),
        accesses_more: record.accesses_more,
        rules: view.rules.iter().map(rule).collect(),
        policy_doubt: view.policy_doubt.as_deref().filter(|_| decision.is_some()).map(Shown::of),
        now: asking(&view.now),
        siblings: siblings(&view),
        input: record.input.as_ref().map(value),
        output: record.output.as_ref().map(value),
        texts: texts(asked, record),
        details: (!record.details.is_empty())
            .then(|| json::shown(&serde_json::json!(record.details))),
        place: place(&view),
        proof: proof(&view, &id),
        raw: Shown::of(&view.raw),
        command: Shown::of(&format!("toolgate audit show {}", quoted(&id))),
    };
    rendered(StatusCode::OK, &page)
}

fn facts(record: &WireRecord) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut add = |name, value: &str, href: Option<String>| {
        if !value.is_empty() {
            facts.push(Fact { name, value: Shown::cut(value, 300), href });
        }
    };
    let session = record.session.as_deref().unwrap_or_default();
    add("session", session, Some(session_address(session)));
    if let Some(agent) = &record.agent {
        add("agent", &[agent.kind.as_str(), agent.id.as_deref().unwrap_or("")].join(" "), None);
    }
    add("runtime", record.runtime.as_deref().unwrap_or_default(), None);
    add("user", &record.uid.map(|uid| uid.to_string()).unwrap_or_default(), None);
    add("sender", record.sender.as_deref().unwrap_or_default(), None);
    add("directory", record.cwd.as_deref().unwrap_or_default(), None);
    if let Some(decision) = &record.decision {
        add("rests on", &decision.basis, None);
        let attended = decision.attended.as_deref();
        add("with somebody there", attended.unwrap_or_default(), None);
        add("to be done", &decision.obligations.join(", "), None);
    }
    add("decided in", &record.decided_us.map(length).unwrap_or_default(), None);
    if let Some(policy) = &record.policy {
        let short = super::table::short(&policy.sha256, 16);
        let href = only(Field::Policy, &policy.sha256);
        add("policy", &format!("{} {short}", policy.name), Some(href));
    }
    add("call", record.call.as_deref().unwrap_or_default(), None);
    add("tool use", record.tool_use_id.as_deref().unwrap_or_default(), None);
    facts
}

fn access(access: &crate::audit::wire::WireAccess) -> Access {
    let certain = match (access.certain, access.doubt.as_deref()) {
        (true, None) => "certain".to_owned(),
        (true, Some(doubt)) => doubt.to_owned(),
        (false, doubt) => format!("maybe: {}", doubt.unwrap_or("not known")),
    };
    Access {
        mark: Mark::of(&access.verdict),
        verb: Shown::cut(&access.verb, 20),
        target: Shown::cut(&access.target, 600),
        real: Shown::cut(access.real.as_deref().unwrap_or_default(), 600),
        certain: Shown::cut(&certain, 300),
    }
}

fn rule(rule: &RuleView) -> Rule {
    let place = match rule.line {
        0 => rule.file.clone(),
        line => format!("{}:{line}", rule.file),
    };
    Rule {
        mark: Mark::of(&rule.effect),
        id: Link::to(only(Field::Rule, &rule.id), &rule.id),
        place: Shown::cut(&place, 160),
        matched: Shown::cut(&rule.matched, 20),
        is_shadow: rule.shadow,
        text: rule.text.as_deref().map(json::lines),
    }
}

fn asking(again: &Again) -> Asking {
    let near = |rule: &crate::review::decision::NearRule| Near {
        mark: Mark::of(&rule.says),
        id: Shown::cut(&rule.id, 80),
        access: Shown::cut(&rule.access, 160),
        matched: Shown::of(&rule.matched),
        differs: Shown::cut(&rule.differs, 200),
        place: Shown::cut(&format!("{}:{}", rule.file, rule.line), 120),
    };
    Asking {
        is_told: again.told,
        why_not: Shown::cut(&again.why_not, 300),
        mark: Mark::of(&again.effect),
        is_same: again.same,
        reason: Shown::cut(&again.reason, 600),
        policy: Shown::cut(&again.policy, 80),
        caveats: again.caveats.iter().map(|caveat| Shown::cut(caveat, 200)).collect(),
        rules: again.rules.iter().take(60).map(near).collect(),
    }
}

fn siblings(view: &DecisionView) -> Vec<Around> {
    let around = |sibling: &Sibling| Around {
        href: address(&sibling.record),
        after: format!("+ {}", span(sibling.after_ms)),
        kind: Shown::cut(&sibling.record.kind, 30),
        mark: Mark::of(sibling.record.decision.as_ref().map_or("", |one| &one.effect)),
        about: Shown::cut(&sibling.about, 200),
    };
    view.siblings.iter().map(around).collect()
}

/// Long texts that are kept beside the log, and may be erased there.
fn texts(asked: &Asked<'_>, record: &WireRecord) -> Vec<Text> {
    let blobs = Blobs::of(asked.web.log.dir());
    let captures = [("input", &record.input), ("output", &record.output)];
    let named = captures.into_iter().flat_map(|(of, capture)| {
        let redactions = capture.iter().flat_map(|capture| &capture.redactions);
        redactions.filter_map(move |one| Some((of, &one.pointer, one.blob.as_deref()?)))
    });
    let text = |(of, pointer, name): (&str, &String, &str)| {
        let kept = Hash::parse(name).ok_or_else(|| "its name is none".to_owned());
        let kept = kept.and_then(|name| blobs.get(name).map_err(|why| why.to_string()));
        let (text, why_not) = match kept {
            Ok(text) => (Some(json::lines(&text)), Shown::default()),
            Err(why) => (None, Shown::cut(&why, 200)),
        };
        Text {
            at: Shown::cut(&format!("{of} {pointer}"), 120),
            name: Shown::cut(name, 64),
            text,
            why_not,
        }
    };
    named.take(TEXTS).map(text).collect()
}

fn value(capture: &WireCapture) -> Value {
    let bytes = u64::try_from(capture.bytes).unwrap_or_default();
    let mut told = vec![format!("{} bytes", count(bytes))];
    for one in capture.redactions.iter().take(20) {
        told.push(format!("{} taken out at {}", one.detector, one.pointer));
    }
    if capture.redactions_more > 0 {
        told.push(format!("and {} more", capture.redactions_more));
    }
    Value {
        text: capture.value.as_ref().map(json::shown).unwrap_or_default(),
        told: Shown::cut(&told.join("; "), 600),
    }
}

fn place(view: &DecisionView) -> Vec<(&'static str, Shown)> {
    let record = &view.record;
    vec![
        ("stream", Shown::cut(&record.stream, 60)),
        ("number", Shown::of(&record.seq.to_string())),
        ("file", Shown::cut(&view.file, 120)),
        ("record before", Shown::cut(&record.prev, 80)),
    ]
}

fn proof(view: &DecisionView, id: &str) -> Proof {
    let proof = &view.proof;
    let class = match proof.state.as_str() {
        "SEALED" => "sealed",
        "UNSEALED" => "unsealed",
        "BROKEN" => "broken",
        _ => "unknown",
    };
    let state = if proof.state.is_empty() { "NOT CHECKED" } else { proof.state.as_str() };
    Proof {
        state: Shown::of(state),
        class,
        told: Shown::cut(&proof.told, 400),
        note: proof.note.as_deref().map(json::lines),
        prove: proof.state.is_empty().then(|| format!("/record?id={}&prove=1", encoded(id))),
        command: Shown::of(&format!("toolgate audit prove {}", quoted(id))),
    }
}
