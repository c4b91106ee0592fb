//! Any bytes: reading them as an event never panics; what is read, written as JSON and read again,
//! is the same event; and if they fail, the answer is one that holds back whatever can be.

use serde_json::json;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use toolgate::model::call::CallId;
use toolgate::model::json::parse;
use toolgate::model::principal::Runtime;
use toolgate::plane::hook::door::Peer;
use toolgate::plane::hook::glimpse::event_name;
use toolgate::plane::hook::protocol::Reply;
use toolgate::plane::hook::runtime::{failure, read};

/// Fails if the property does not hold for these bytes.
pub fn hold(bytes: &[u8]) {
    for runtime in [Runtime::Claude, Runtime::Codex] {
        let of = |bytes: &[u8]| read(runtime, bytes, Peer::user(7), CallId("c".to_owned()));
        if let Ok(event) = of(bytes) {
            let text = parse(bytes).unwrap().to_string();
            assert_eq!(of(text.as_bytes()).unwrap(), event);
        }
        answer(bytes, &failure(runtime, bytes, "a reason"));
        answer(bytes, &failure(runtime, bytes, ""));
    }
}

/// One JSON object with exit 2 and a reason; or, for an output, one in its place; or, for an event
/// that gates nothing, nothing.
fn answer(bytes: &[u8], reply: &Reply) {
    let text = String::from_utf8_lossy(bytes);
    let event: Option<BTreeMap<String, Box<RawValue>>> = serde_json::from_str(&text).ok();
    let name = event.as_ref().and_then(|event| event.get("hook_event_name"));
    let name = name.and_then(|name| serde_json::from_str::<String>(name.get()).ok());
    let name = name.or_else(|| event_name(text.as_bytes()));
    if reply.stdout.is_empty() {
        // Only what is known by its name gates nothing.
        assert!(name.is_some_and(|name| name != "PreToolUse" && name != "PermissionRequest"));
        assert_eq!((reply.code, reply.stderr.as_slice()), (0, &b""[..]));
        return;
    }
    let said = parse(&reply.stdout).unwrap();
    assert!(said.is_object());
    match reply.code {
        0 if said.get("decision").is_some() => {
            assert_eq!(name.as_deref(), Some("PostToolUse"));
            assert_eq!(said, json!({"decision": "block", "reason": said["reason"]}));
        }
        0 => {
            let of = &said["hookSpecificOutput"];
            assert_eq!(of["hookEventName"], "PostToolUse");
            let instead = of.get("updatedToolOutput").or(of.get("updatedMCPToolOutput"));
            assert!(instead.is_some() && of.get("permissionDecision").is_none());
        }
        2 => {
            assert!(reply.stderr.starts_with(b"toolgate: ") && reply.stderr.len() > 11);
            let denies = said["hookSpecificOutput"]["permissionDecision"] == "deny"
                || said["hookSpecificOutput"]["decision"]["behavior"] == "deny"
                || said["decision"] == "block";
            assert!(denies, "{said}");
        }
        other => panic!("exit code {other}"),
    }
}
