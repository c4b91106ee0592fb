//! Claude Code's events through the real client and the real sidecar: the exact answer to each,
//! and what the log says of it.
#![cfg(test)]

#[path = "harness/sidecar.rs"]
mod sidecar;

use serde_json::{Value, json};
use sidecar::{Sidecar, files_below};
use std::process::Output;

const POLICY: &str = r#"
schema = 1

[policy]
name       = "hook-claude"
version    = "1"
default    = "defer"
unattended = "deny"

[read]
allow = ["$workspace/"]

[write]
allow = ["$workspace/"]
ask   = ["$workspace/ci/"]

[call]
allow = ["$transparent", "mcp:notes/list"]

[[rule]]
id    = "no-secrets"
deny  = "read"
match = ["$workspace/secret/"]
why   = "Ask for a token of your own."

[[rule]]
id     = "keys"
redact = "output"
match  = ["$keys"]
"#;

/// A call before it runs: tool, input, permission mode, what is answered. `@` is the workspace.
type Before = (&'static str, Value, &'static str, Answer);

#[derive(Debug)]
enum Answer {
    Allow(&'static str),
    Ask(&'static str),
    Deny(&'static str),
    Nothing,
}

impl Answer {
    /// Standard output, standard error and exit code, to the byte.
    fn exact(&self) -> (String, String, i32) {
        let say = |decision: &str, reason: &str| {
            format!(
                r#"{{"hookSpecificOutput":{{"hookEventName":"PreToolUse","permissionDecision":"{decision}","permissionDecisionReason":"{reason}"}}}}"#
            )
        };
        match self {
            Answer::Allow(why) => (say("allow", &format!("toolgate: {why}")), String::new(), 0),
            Answer::Ask(why) => (say("ask", &format!("toolgate: {why}")), String::new(), 0),
            Answer::Deny(why) => (say("deny", why), format!("toolgate: {why}\n"), 2),
            Answer::Nothing => (String::new(), String::new(), 0),
        }
    }

    fn effect(&self) -> &'static str {
        match self {
            Answer::Allow(_) => "allow",
            Answer::Ask(_) => "ask",
            Answer::Deny(_) => "deny",
            Answer::Nothing => "defer",
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// An event as Claude Code writes it: one object and a newline.
fn event(name: &str, own: Value) -> String {
    let mut event = json!({
        "session_id": "session-1",
        "transcript_path": "/nowhere/t.jsonl",
        "cwd": "@",
        "permission_mode": "default",
        "hook_event_name": name,
    });
    event.as_object_mut().unwrap().append(&mut own.as_object().unwrap().clone());
    format!("{event}\n")
}

struct Bench {
    sidecar: Sidecar,
    workspace: String,
}

impl Bench {
    fn new() -> Bench {
        let sidecar = Sidecar::start(POLICY);
        let workspace = sidecar.path("work").to_str().unwrap().to_owned();
        Bench { sidecar, workspace }
    }

    fn ask(&self, event: &str) -> Output {
        self.sidecar.hook(event.replace('@', &self.workspace))
    }

    fn check(&self, event: &str, expected: (String, String, i32)) {
        let output = self.ask(event);
        let got = (
            text(&output.stdout).replace(&self.workspace, "@"),
            text(&output.stderr).replace(&self.workspace, "@"),
            output.status.code().unwrap(),
        );
        assert_eq!(got, expected, "{event}");
    }

    fn key_is_nowhere(&self) {
        for file in files_below(&self.sidecar.path("audit")) {
            let bytes = std::fs::read(&file).unwrap();
            let found = bytes.windows(key().len()).any(|window| window == key().as_bytes());
            assert!(!found, "{} holds the key", file.display());
        }
    }

    /// The records of one kind.
    fn records(&self, kind: &str) -> Vec<Value> {
        let mut records = self.sidecar.records();
        records.retain(|record| record["kind"] == kind);
        records
    }
}

fn before() -> Vec<Before> {
    use Answer::{Allow, Ask, Deny, Nothing};
    vec![
        (
            "Read",
            json!({"file_path": "@/a"}),
            "default",
            Allow("allowed by `read.allow:$workspace/`"),
        ),
        (
            "Read",
            json!({"file_path": "@/secret/../secret//key"}),
            "default",
            Deny("denied by rule `no-secrets`: read @/secret/key. Ask for a token of your own."),
        ),
        (
            "Read",
            json!({"file_path": "@/secret/key"}),
            "bypassPermissions",
            Deny("denied by rule `no-secrets`: read @/secret/key. Ask for a token of your own."),
        ),
        ("Read", json!({"file_path": "/etc/hostname"}), "default", Nothing),
        ("Read", json!({"file_path": "/etc/hostname"}), "acceptEdits", Nothing),
        (
            "Read",
            json!({"file_path": "/etc/hostname"}),
            "bypassPermissions",
            Deny("no rule speaks of it: read /etc/hostname; nobody is there to be asked"),
        ),
        (
            "Read",
            json!({"file_path": "/etc/hostname"}),
            "a-mode-of-next-year",
            Deny("no rule speaks of it: read /etc/hostname; nobody is there to be asked"),
        ),
        (
            "Write",
            json!({"file_path": "@/a", "content": "x"}),
            "bypassPermissions",
            Allow("allowed by `write.allow:$workspace/`"),
        ),
        (
            "Write",
            json!({"file_path": "@/ci/a", "content": "x"}),
            "default",
            Ask("rule `write.ask:$workspace/ci/` wants to be asked: write @/ci/a"),
        ),
        (
            "Edit",
            json!({"file_path": "@/ci/a", "old_string": "x", "new_string": "y"}),
            "bypassPermissions",
            Deny(
                "rule `write.ask:$workspace/ci/` wants to be asked: write @/ci/a; nobody is there \
                 to be asked",
            ),
        ),
        (
            "Write",
            json!({"file_path": "@/.claude/settings.json", "content": "{}"}),
            "default",
            Deny(
                "denied by rule `toolgate:wiring`: write @/.claude/settings.json. This file \
                 switches the guard on and off. Ask the person you work for to change it.",
            ),
        ),
        (
            "TodoWrite",
            json!({"todos": []}),
            "dontAsk",
            Allow("allowed by `call.allow:$transparent`"),
        ),
        ("Frobnicate", json!({"file_path": "@/a"}), "default", Nothing),
        (
            "Frobnicate",
            json!({"file_path": "@/a"}),
            "auto",
            Deny(
                "no rule speaks of it: call Frobnicate (no catalogue describes the tool \
                 `Frobnicate`); nobody is there to be asked",
            ),
        ),
        ("mcp__notes__list", json!({}), "dontAsk", Allow("allowed by `call.allow:mcp:notes/list`")),
        (
            "mcp__notes__drop",
            json!({}),
            "dontAsk",
            Deny(
                "no rule speaks of it: call mcp:notes/drop (no catalogue describes the tool \
                 `mcp:notes/drop`); nobody is there to be asked",
            ),
        ),
    ]
}

#[test]
fn a_call_is_answered_to_the_byte_and_recorded() {
    let bench = Bench::new();
    let cases = before();
    for (number, (tool, input, mode, answer)) in cases.iter().enumerate() {
        let call = json!({
            "tool_name": tool, "tool_input": input, "permission_mode": mode,
            "tool_use_id": format!("use-{number}"),
        });
        bench.check(&event("PreToolUse", call), answer.exact());
    }
    let records = bench.records("tool.pre");
    assert_eq!(records.len(), cases.len());
    for (number, ((tool, _, mode, answer), record)) in cases.iter().zip(&records).enumerate() {
        assert_eq!(record["tool_use_id"], format!("use-{number}"));
        assert_eq!(record["decision"]["effect"], answer.effect(), "{tool} {answer:?}");
        assert_eq!(record["details"]["permission_mode"], *mode);
        assert_eq!(
            (&record["session"], &record["runtime"]),
            (&json!("session-1"), &json!("claude"))
        );
        assert_eq!(
            (&record["sender"], &record["agent"]["kind"]),
            (&json!("unproven"), &json!("main"))
        );
    }
    bench.sidecar.stop();
}

#[test]
fn a_subagent_is_judged_alike_and_told_apart_in_the_log() {
    let bench = Bench::new();
    let call = json!({
        "agent_id": "a-7", "agent_type": "Explore", "tool_use_id": "u",
        "tool_name": "Read", "tool_input": {"file_path": "@/secret/key"},
    });
    let why = "denied by rule `no-secrets`: read @/secret/key. Ask for a token of your own.";
    bench.check(&event("PreToolUse", call), Answer::Deny(why).exact());
    assert_eq!(bench.records("tool.pre")[0]["agent"], json!({"id": "a-7", "kind": "Explore"}));
    bench.sidecar.stop();
}

/// A key that no scanner of this repository mistakes for a real one.
fn key() -> String {
    format!("AKIA{}", "A".repeat(16))
}

/// A tool and what it brought back; what the model gets instead, and under which name.
fn outputs() -> Vec<(&'static str, Value, &'static str, Value)> {
    let key = key();
    let gone = "[redacted:aws-access-key-id]";
    vec![
        (
            "Bash",
            json!({"stdout": format!("id {key}\n"), "stderr": "", "interrupted": false, "isImage": false}),
            "updatedToolOutput",
            json!({"stdout": format!("id {gone}\n"), "stderr": "", "interrupted": false, "isImage": false}),
        ),
        (
            "Read",
            json!({"type": "text", "file": {"filePath": "/a", "content": key, "numLines": 1, "startLine": 1, "totalLines": 1}}),
            "updatedToolOutput",
            json!({"type": "text", "file": {"filePath": "/a", "content": gone, "numLines": 1, "startLine": 1, "totalLines": 1}}),
        ),
        (
            "mcp__notes__list",
            json!([{"type": "text", "text": format!("<{key}>")}]),
            "updatedMCPToolOutput",
            json!([{"type": "text", "text": format!("<{gone}>")}]),
        ),
        ("mcp__notes__list", json!(key), "updatedMCPToolOutput", json!(gone)),
    ]
}

#[test]
fn a_key_in_an_output_reaches_neither_the_model_nor_the_log() {
    let bench = Bench::new();
    for (tool, output, name, expected) in outputs() {
        let call = json!({
            "tool_name": tool, "tool_input": {}, "tool_response": output, "duration_ms": 3,
            "tool_use_id": "u",
        });
        let answer = bench.ask(&event("PostToolUse", call));
        assert_eq!((answer.status.code(), text(&answer.stderr)), (Some(0), String::new()));
        let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
        let told = "toolgate redacted this output: aws-access-key-id";
        let expected = json!({"hookSpecificOutput": {
            "hookEventName": "PostToolUse", "additionalContext": told, name: expected,
        }});
        assert_eq!(answer, expected, "{tool}");
    }
    let records = bench.records("tool.post");
    assert_eq!(records.len(), outputs().len());
    for record in &records {
        assert_eq!(record["decision"]["obligations"], json!(["replace_output"]));
        assert_eq!(record["details"]["duration_ms"], 3);
    }
    // Nor may it be in a failure, whose output no answer can replace, nor in a call's own input.
    let failure = json!({
        "tool_name": "Bash", "tool_input": {"command": "x"}, "error": key(), "is_interrupt": false,
    });
    bench.check(&event("PostToolUseFailure", failure), Answer::Nothing.exact());
    let failed = &bench.records("tool.post")[outputs().len()];
    assert_eq!(failed["details"]["failed"], true);
    let write = json!({
        "tool_name": "Write", "tool_input": {"file_path": "@/a", "content": key()},
    });
    bench.check(
        &event("PreToolUse", write),
        Answer::Allow("allowed by `write.allow:$workspace/`").exact(),
    );
    bench.key_is_nowhere();
    bench.sidecar.stop();
}

#[test]
fn a_key_in_any_field_of_an_event_stays_out_of_the_log() {
    let bench = Bench::new();
    let key = key();
    let call = json!({
        "tool_name": "Read", "tool_input": {"file_path": format!("@/{key}"), &key: [&key]},
        "tool_use_id": "u",
    });
    for field in ["session_id", "cwd", "permission_mode", "agent_id", "tool_name", "tool_use_id"] {
        let mut call = call.clone();
        call["agent_id"] = json!("a-1");
        call["agent_type"] = json!(key);
        call[field] = json!(format!("/{key}"));
        bench.ask(&event("PreToolUse", call));
    }
    bench.ask(&event(&key, json!({})));
    bench.ask(&event("SessionStart", json!({"session_id": key, "model": key})));
    bench.ask(&format!("{{\"{key}\": 1, \"{key}\": 2}}"));
    assert_eq!(bench.records("tool.pre").len(), 6);
    bench.key_is_nowhere();
    bench.sidecar.stop();
}

#[test]
fn an_output_without_a_key_passes_as_it_is() {
    let bench = Bench::new();
    let call = json!({
        "tool_name": "Bash", "tool_input": {"command": "true"},
        "tool_response": {"stdout": "fine", "stderr": "", "interrupted": false, "isImage": false},
    });
    bench.check(&event("PostToolUse", call), Answer::Nothing.exact());
    assert_eq!(bench.records("tool.post")[0]["decision"]["effect"], "allow");
    bench.sidecar.stop();
}

#[test]
fn what_is_no_call_is_recorded_and_answered_with_nothing() {
    let bench = Bench::new();
    let told = [
        ("SessionStart", "session.start"),
        ("SessionEnd", "session.end"),
        ("UserPromptSubmit", "runtime.event"),
        ("ConfigChange", "runtime.event"),
        ("Stop", "runtime.event"),
        ("AnEventOfNextYear", "runtime.event"),
    ];
    for (name, kind) in told {
        bench.check(
            &event(name, json!({"source": "policy_settings", "prompt": "hi"})),
            Answer::Nothing.exact(),
        );
        let record = bench.records(kind).pop().unwrap();
        assert_eq!(
            (&record["details"]["event"], &record["session"]),
            (&json!(name), &json!("session-1"))
        );
        assert!(record["decision"].is_null());
    }
    bench.sidecar.stop();
}
