//! A small log with the records that a test wants, in the log's own form and chain.

use serde_json::{Value, json};
use std::path::Path;
use toolgate::audit::Hash;
use toolgate::audit::wire::WireRecord;

/// The stream of such a log.
pub const STREAM: &str = "0199a1b2-0000-7000-8000-00000000000a";

/// Writes records, one a second from 10:00 unless they say when.
pub fn write(dir: &Path, records: &[Value]) {
    let mut text = String::new();
    let mut prev = Hash::ZERO;
    for (place, record) in records.iter().enumerate() {
        let mut record: WireRecord = serde_json::from_value(record.clone()).unwrap();
        record.v = 1;
        record.seq = place as u64 + 1;
        record.stream = STREAM.to_owned();
        if record.ts.is_empty() {
            record.ts = format!("2026-11-16T10:{:02}:{:02}.000000Z", place / 60, place % 60);
        }
        record.prev = prev.to_string();
        let line = serde_json::to_string(&record).unwrap();
        prev = Hash::of(line.as_bytes());
        text.push_str(&line);
        text.push('\n');
    }
    std::fs::write(dir.join(format!("toolgate-{STREAM}-000001.jsonl")), text).unwrap();
}

/// A decision before a call, with what differs.
pub fn pre(call: &str, tool: &str, effect: &str, more: &Value) -> Value {
    let record = json!({
        "kind": "tool.pre", "call": call, "tool_use_id": format!("toolu_{call}"), "session": "s1",
        "agent": { "kind": "main" }, "runtime": "claude", "uid": 1000, "sender": "proven",
        "tool": tool, "cwd": "/work", "decided_us": 120,
        "decision": { "effect": effect, "basis": "rule", "reason": format!("because {effect}"),
            "rules": [{ "id": format!("rule-{effect}"), "file": "p.toml", "line": 3,
                "effect": effect, "match": "yes" }], "obligations": [] },
        "policy": { "name": "p@1", "sha256": "aa11" },
    });
    with(record, more)
}

/// A record with other fields put into it.
pub fn with(mut record: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        record[name] = value.clone();
    }
    record
}
