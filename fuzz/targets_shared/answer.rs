//! Any bytes: whatever comes as a reply to an event, what the runtime is told is an answer of the
//! few that let something through, whole and as it came, or it holds back in the event's own form;
//! and what holds back is itself an answer to that event.
//!
//! The first byte chooses the runtime, the second the event; the rest is the reply.

use serde_json::{Value, json};
use toolgate::model::principal::Runtime;
use toolgate::plane::hook::answer::accept;
use toolgate::plane::hook::events::{Role, role};
use toolgate::plane::hook::protocol::Reply;
use toolgate::plane::hook::runtime::failure;

/// The events that replies are held against; the last has no name.
const EVENTS: [&str; 11] = [
    r#"{"hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{"command":"x"}}"#,
    r#"{"hook_event_name":"PostToolUse","tool_name":"Bash","tool_response":
        {"stdout":"s","stderr":"","interrupted":false,"isImage":false}}"#,
    r#"{"hook_event_name":"PostToolUse","tool_name":"mcp__a__b","tool_response":["s"]}"#,
    r#"{"hook_event_name":"PermissionRequest","tool_name":"Bash"}"#,
    r#"{"hook_event_name":"UserPromptSubmit","prompt":"x"}"#,
    r#"{"hook_event_name":"ConfigChange"}"#,
    r#"{"hook_event_name":"PostToolUseFailure","tool_name":"Bash","error":"s"}"#,
    r#"{"hook_event_name":"Stop"}"#,
    r#"{"hook_event_name":"Stop","cut":"sho"#,
    r#"{"hook_event_name":"SomethingNew"}"#,
    "garbage",
];

/// Fails if the property does not hold for these bytes; else whether the reply was handed over.
pub fn hold(bytes: &[u8]) -> bool {
    let [runtime, event, reply @ ..] = bytes else { return false };
    let runtime = if runtime % 2 == 0 { Runtime::Claude } else { Runtime::Codex };
    let event = EVENTS[usize::from(*event) % EVENTS.len()];
    let asked = Reply::parse(reply);
    let accepted = match asked.clone() {
        Ok(reply) => accept(runtime, event.as_bytes(), reply),
        Err(_) => Err("unreadable".to_owned()),
    };
    match accepted {
        Ok(said) => {
            assert_eq!(Ok(&said), asked.as_ref());
            let is_empty = said.stdout.is_empty() && said.code == 0;
            assert!((is_empty && event != "garbage") || form(runtime, event, &said));
            true
        }
        Err(why) => {
            let said = failure(runtime, event.as_bytes(), &why);
            let is_silent = said.stdout.is_empty() && said.stderr.is_empty() && said.code == 0;
            assert!((is_silent && only_tells(event)) || holds_back(runtime, event, &said));
            assert_eq!(accept(runtime, event.as_bytes(), said.clone()), Ok(said));
            false
        }
    }
}

fn name(event: &str) -> &str {
    event.split('"').nth(3).unwrap_or_default()
}

fn only_tells(event: &str) -> bool {
    role(name(event)) == Role::Tells
}

/// Lets through, or holds back.
fn form(runtime: Runtime, event: &str, said: &Reply) -> bool {
    let value: Value = serde_json::from_slice(&said.stdout).unwrap();
    let reason = &value["hookSpecificOutput"]["permissionDecisionReason"];
    let lets = ["allow", "ask"].iter().any(|decision| {
        value
            == json!({"hookSpecificOutput": {
                "hookEventName": "PreToolUse",
                "permissionDecision": decision,
                "permissionDecisionReason": reason,
            }})
    });
    let lets = lets && reason.as_str().is_some_and(|reason| !reason.trim().is_empty());
    let may = runtime == Runtime::Claude && name(event) == "PreToolUse" && said.code == 0;
    (lets && may && said.stderr.is_empty()) || holds_back(runtime, event, said)
}

fn holds_back(runtime: Runtime, event: &str, said: &Reply) -> bool {
    let value: Value = serde_json::from_slice(&said.stdout).unwrap();
    let of = &value["hookSpecificOutput"];
    if name(event) == "PostToolUse" {
        let instead = match runtime {
            Runtime::Codex => value == json!({"decision": "block", "reason": value["reason"]}),
            Runtime::Claude if event.contains("mcp") => of.get("updatedMCPToolOutput").is_some(),
            Runtime::Unknown => false,
            Runtime::Claude => ["stdout", "stderr", "interrupted", "isImage"]
                .iter()
                .all(|key| of["updatedToolOutput"].get(key).is_some()),
        };
        return instead && said.code == 0 && said.stderr.is_empty();
    }
    let reason = std::str::from_utf8(&said.stderr).unwrap();
    let reason = reason.strip_prefix("toolgate: ").unwrap().strip_suffix('\n').unwrap();
    let denial = match name(event) {
        "UserPromptSubmit" | "ConfigChange" => json!({"decision": "block", "reason": reason}),
        "PermissionRequest" => json!({"hookSpecificOutput": {
            "hookEventName": "PermissionRequest",
            "decision": {"behavior": "deny", "message": reason},
        }}),
        _ => json!({"hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": reason,
        }}),
    };
    said.code == 2 && value == denial && !reason.trim().is_empty()
}
