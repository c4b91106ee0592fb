//! The team's policy before and after Thursday, and the records of its coming into force.

use super::{CHANGE, MONDAY};
use serde_json::json;
use std::collections::BTreeMap;
use toolgate::audit::Hash;
use toolgate::audit::wire::{WirePolicy, WireRecord, WireRule};
use toolgate::policy::builtin::Protected;
use toolgate::policy::pattern::Anchors;
use toolgate::policy::{Source, compile};

/// The policy until Thursday.
pub const BEFORE: &str = include_str!("policies/team-3.toml");
/// The policy from Thursday on.
pub const AFTER: &str = include_str!("policies/team-4.toml");
/// Where it lies.
pub const FILE: &str = "/etc/toolgate/team.toml";
/// The rule that never speaks in the whole week.
pub const NEVER: &str = "no-mainframe";
/// The rule whose questions are always answered with yes.
pub const ALWAYS_YES: &str = "ask-push";

/// The policy that is in force at a time.
pub fn at(time: i64) -> WirePolicy {
    let (name, text) = if time < CHANGE { ("team@3", BEFORE) } else { ("team@4", AFTER) };
    WirePolicy { name: name.to_owned(), sha256: digest(text) }
}

/// A policy's digest, as a sidecar gives it.
pub fn digest(text: &str) -> String {
    use std::sync::OnceLock;
    static BOTH: OnceLock<[String; 2]> = OnceLock::new();
    let both = BOTH.get_or_init(|| [BEFORE, AFTER].map(compiled));
    both[usize::from(text == AFTER)].clone()
}

fn compiled(text: &str) -> String {
    let source = Source { name: FILE.to_owned(), text: text.to_owned(), layer: None };
    let compiled = compile(&[source], &Anchors::frozen(None), &Protected::default());
    compiled.policy.expect("the week's policies are right").id.sha256
}

/// The policy's file, as its record names it.
fn file(text: &str) -> serde_json::Value {
    json!([{ "file": FILE, "sha256": Hash::of(text.as_bytes()).to_string() }])
}

/// A rule of the policy, with its line there.
pub fn rule(time: i64, id: &str, effect: &str) -> WireRule {
    let text = if time < CHANGE { BEFORE } else { AFTER };
    let named = format!("= \"{id}\"");
    let says = |line: &str| line.starts_with("id ") && line.ends_with(&named);
    let line = text.lines().position(says).map_or(0, |line| line + 1);
    WireRule {
        id: id.to_owned(),
        file: FILE.to_owned(),
        line,
        effect: effect.to_owned(),
        matched: "yes".to_owned(),
        shadow: false,
    }
}

/// The first records of the week.
pub fn beginning(start: i64) -> Vec<(i64, WireRecord)> {
    let record = |kind: &str, details: serde_json::Value| WireRecord {
        kind: kind.to_owned(),
        details: fields(details),
        ..WireRecord::default()
    };
    let loaded = at(MONDAY);
    vec![
        (start, record("audit.open", json!({ "toolgate": env!("CARGO_PKG_VERSION") }))),
        (
            start + 900,
            record(
                "service.start",
                json!({ "pid": 412, "version": "0.1.0", "workspace": "/work" }),
            ),
        ),
        (
            start + 1_400,
            record(
                "policy.load",
                json!({ "cause": "start", "policy": loaded.name, "sha256": loaded.sha256,
                    "rules": BEFORE.matches("[[rule]]").count(), "files": file(BEFORE),
                    "workspace": "/work", "tmp": "/tmp", "home": "/home/dev" }),
            ),
        ),
    ]
}

/// The record of the change.
pub fn changed() -> WireRecord {
    let (before, now) = (at(CHANGE - 1), at(CHANGE));
    let details = json!({ "cause": "poll", "policy": now.name, "sha256": now.sha256,
        "rules": AFTER.matches("[[rule]]").count(), "files": file(AFTER),
        "workspace": "/work", "tmp": "/tmp", "home": "/home/dev",
        "before": before.name, "before_sha256": before.sha256 });
    WireRecord { kind: "policy.load".to_owned(), details: fields(details), ..WireRecord::default() }
}

/// The fields of an object.
pub fn fields(value: serde_json::Value) -> BTreeMap<String, serde_json::Value> {
    match value {
        serde_json::Value::Object(fields) => fields.into_iter().collect(),
        _ => BTreeMap::new(),
    }
}
