//! What each runtime is told of an output, what is told where the client itself fails, and what the
//! log keeps of an output that a policy would not show.
#![cfg(test)]

#[path = "harness/sidecar.rs"]
mod sidecar;

use serde_json::{Value, json};
use sidecar::{Sidecar, files_below, hook};
use std::io::Write;
use std::process::{Command, Output, Stdio};

const POLICY: &str = r#"
schema = 1
[policy]
name       = "hook-forms"
default    = "deny"
unattended = "deny"
[exec]
allow = ["true"]
ask   = ["sleep 1"]
[call]
allow = ["$transparent"]
[[rule]]
id     = "redacted"
redact = "output"
match  = [{ regex = "RED-[0-9]+" }]
[[rule]]
id    = "withheld"
deny  = "output"
match = [{ regex = "DEN-[0-9]+" }]
"#;

/// One that leaves every call to the runtime: an output is then all that is judged.
fn outputs_only() -> String {
    POLICY.replace("default    = \"deny\"", "default    = \"defer\"")
}

fn event(name: &str, own: &Value) -> String {
    let mut event = json!({
        "session_id": "s", "cwd": "/", "permission_mode": "default", "hook_event_name": name,
    });
    event.as_object_mut().unwrap().append(&mut own.as_object().unwrap().clone());
    event.to_string()
}

fn post(tool: &str, output: &Value) -> String {
    let own =
        json!({"tool_name": tool, "tool_input": {"command": "true"}, "tool_response": output});
    event("PostToolUse", &own)
}

fn pre(command: &str) -> String {
    event("PreToolUse", &json!({"tool_name": "Bash", "tool_input": {"command": command}}))
}

fn codex(sidecar: &Sidecar, event: &str) -> Output {
    hook(&["codex", "--socket", sidecar.socket().to_str().unwrap()], event.as_bytes())
}

/// What was printed, as JSON if there is any, and the exit code.
fn said(output: &Output) -> (Value, i32) {
    let stdout = match output.stdout.as_slice() {
        [] => Value::Null,
        some => serde_json::from_slice(some).unwrap(),
    };
    (stdout, output.status.code().unwrap())
}

fn block(reason: &str) -> Value {
    json!({"decision": "block", "reason": reason})
}

fn denies(output: &Output) -> bool {
    let (stdout, code) = said(output);
    let decision = &stdout["hookSpecificOutput"]["permissionDecision"];
    code == 2 && *decision == "deny" && output.stderr.starts_with(b"toolgate: ")
}

/// Nothing at all: nothing that could force a turn.
fn is_silent(output: &Output) -> bool {
    said(output) == (Value::Null, 0) && output.stderr.is_empty()
}

#[test]
fn codex_is_told_another_output_as_a_text() {
    let sidecar = Sidecar::start(&outputs_only());
    let image = json!([{"type": "input_image", "image_url": "RED-1"}]);
    let cases = [
        ("Bash", json!("a RED-1 b"), "a [redacted:redacted] b"),
        ("Bash", json!("a DEN-1 b"), "[withheld by rule withheld]"),
        ("apply_patch", json!("RED-1"), "[redacted:redacted]"),
        ("view_image", image, r#"[{"image_url":"[redacted:redacted]","type":"input_image"}]"#),
        (
            "mcp__a__b",
            json!({"content": [{"type": "text", "text": "RED-1"}], "isError": false}),
            r#"{"content":[{"text":"[redacted:redacted]","type":"text"}],"isError":false}"#,
        ),
    ];
    for (tool, output, instead) in cases {
        let output = codex(&sidecar, &post(tool, &output));
        assert_eq!(said(&output), (block(instead), 0), "{tool}");
        assert!(output.stderr.is_empty());
    }
    assert!(is_silent(&codex(&sidecar, &post("Bash", &json!("fine")))));
    sidecar.stop();
}

#[test]
fn codex_is_told_nothing_but_denials_of_a_call() {
    let sidecar = Sidecar::start(POLICY);
    assert!(is_silent(&codex(&sidecar, &pre("true"))));
    assert!(denies(&codex(&sidecar, &pre("rm /x"))));
    // There is nobody whom Codex would ask.
    let asked = codex(&sidecar, &pre("sleep 1"));
    assert!(denies(&asked) && String::from_utf8_lossy(&asked.stderr).contains("to be asked"));
    sidecar.stop();
}

#[test]
fn codex_is_told_of_a_failure_in_its_own_form() {
    let nowhere = ["codex", "--socket", "/nowhere/s"];
    for event in [post("Bash", &json!("SECRET")), post("view_image", &json!([1]))] {
        // Cut short, too: its form asks for nothing that the event holds.
        let event = event.as_bytes();
        for event in [event, &event[..event.len() - 3]] {
            let output = hook(&nowhere, event);
            let (stdout, code) = said(&output);
            let reason = stdout["reason"].as_str().unwrap();
            assert!(reason.starts_with("[withheld: ") && !reason.contains("SECRET"), "{reason}");
            assert_eq!((&stdout, code, output.stderr.len()), (&block(reason), 0, 0));
        }
    }
    assert!(denies(&hook(&nowhere, pre("true").as_bytes())));
    let (stdout, code) = said(&hook(&nowhere, event("UserPromptSubmit", &json!({})).as_bytes()));
    assert_eq!((&stdout["decision"], code), (&json!("block"), 2));
    let (stdout, code) = said(&hook(&nowhere, event("PermissionRequest", &json!({})).as_bytes()));
    let decision = &stdout["hookSpecificOutput"]["decision"]["behavior"];
    assert_eq!((decision, code), (&json!("deny"), 2));
}

/// The client with this event, of which `sent` bytes come before it has to wait.
fn kept_waiting(arguments: &[&str], sent: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    command.arg("hook").args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut open = child.stdin.take().unwrap();
    open.write_all(sent).unwrap();
    let output = child.wait_with_output().unwrap();
    drop(open);
    output
}

#[test]
fn a_failure_of_the_client_forces_no_turn() {
    let stop = event("Stop", &json!({"stop_hook_active": false}));
    let call = pre("true");
    for runtime in ["claude", "codex"] {
        let wired: [&[&str]; 4] = [
            &[runtime, "--socket", "/nowhere/s"],
            &[runtime, "--sokcet", "/nowhere/s"],
            &[runtime, "--deadline"],
            &[runtime, "--deadline", "0"],
        ];
        for arguments in wired {
            assert!(is_silent(&hook(arguments, stop.as_bytes())), "{arguments:?}");
            assert!(denies(&hook(arguments, call.as_bytes())), "{arguments:?}");
        }
        let cut = |text: &str| kept_waiting(&[runtime, "--deadline", "50"], &text.as_bytes()[..90]);
        assert!(is_silent(&cut(&stop)) && denies(&cut(&call)));
    }
}

/// What a program takes once it is loaded, in bytes: the segments of its ELF file (elf(5)).
fn loaded(program: &str) -> u64 {
    let file = std::fs::read(program).unwrap();
    let number = |at: usize, bytes: usize| {
        let mut whole = [0; 8];
        whole[..bytes].copy_from_slice(&file[at..at + bytes]);
        u64::from_le_bytes(whole)
    };
    let (table, count) = (usize::try_from(number(0x20, 8)).unwrap(), number(0x38, 2));
    let segments = (0..usize::try_from(count).unwrap()).map(|n| table + n * 56);
    segments.filter(|at| number(*at, 4) == 1).map(|at| number(at + 40, 8)).sum()
}

#[test]
fn a_client_without_memory_denies_in_words() {
    let large = |name: &str| event(name, &json!({"z": "@"})).replace('@', &"x".repeat(40 << 20));
    // Room for the program itself and little more, in KiB.
    let limit = loaded(env!("CARGO_BIN_EXE_toolgate")) / 1024 + 24_000;
    let limited = |event: String| {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -v {limit} && exec \"$@\""), "sh"]);
        command.arg(env!("CARGO_BIN_EXE_toolgate"));
        command.args(["hook", "codex", "--socket", "/nowhere/s"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut open = child.stdin.take().unwrap();
        // It does not read to the end.
        let _ = open.write_all(event.as_bytes());
        drop(open);
        child.wait_with_output().unwrap()
    };
    let output = limited(large("PreToolUse"));
    assert!(denies(&output) && String::from_utf8_lossy(&output.stderr).contains("memory"));
    assert!(is_silent(&limited(large("Stop"))));
}

#[test]
fn the_log_keeps_an_output_as_it_went_to_the_model() {
    let sidecar = Sidecar::start(&outputs_only());
    for output in ["a RED-123 b", "a DEN-123 b", "fine"] {
        let bash = json!({"stdout": output, "stderr": "", "interrupted": false, "isImage": false});
        sidecar.hook(post("Bash", &bash));
        codex(&sidecar, &post("Bash", &json!(output)));
        let failed =
            json!({"tool_name": "Bash", "tool_input": {"command": "true"}, "error": output});
        assert!(is_silent(&sidecar.hook(event("PostToolUseFailure", &failed))), "{output}");
    }
    let records = sidecar.records();
    let kinds = |kind: &str| {
        let of_kind = records.iter().filter(|record| record["kind"] == kind);
        of_kind.cloned().collect::<Vec<Value>>()
    };
    let posts = kinds("tool.post");
    let (gone, none) = ("a [redacted:redacted] b", "[withheld by rule withheld]");
    let kept: Vec<&Value> = posts.iter().map(|record| &record["output"]["value"]).collect();
    for (record, text) in kept.chunks(3).zip([gone, none, "fine"]) {
        assert_eq!(
            (&record[0]["stdout"], record[1], record[2]),
            (&json!(text), &json!(text), &json!(text))
        );
    }
    // How long it was is told of what came back.
    assert_eq!(posts[1]["output"]["bytes"], r#""a RED-123 b""#.len());
    // A failure was seen, and the log says so.
    let told = "the runtime cannot rewrite a failed call's output";
    let because = |record: &Value| record["decision"]["reason"].as_str().unwrap().to_owned();
    assert_eq!(because(&posts[1]), "the output was redacted: redacted");
    for (number, rule) in [(2, "redacted"), (5, "withheld")] {
        let record = &posts[number];
        assert_eq!(record["details"]["not_enforced"], told);
        assert_eq!(record["decision"]["obligations"], json!(["replace_output"]));
        let why = format!("the output should be redacted, but a failed call's cannot be: {rule}");
        assert_eq!(because(record), why);
    }
    assert!(posts[8]["details"].get("not_enforced").is_none());
    let found = kinds("finding").into_iter().map(|one| one["details"].clone());
    // No hook was asked before any of them.
    let found: Vec<Value> = found.filter(|one| one["code"] != "call_without_pre").collect();
    let finding = |rule: &str| json!({"code": "output_not_rewritten", "what": [rule]});
    assert_eq!(found, [finding("redacted"), finding("withheld")]);
    for file in files_below(&sidecar.path("audit")) {
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        assert!(!text.contains("RED-1") && !text.contains("DEN-1"), "{}", file.display());
    }
    sidecar.stop();
}
