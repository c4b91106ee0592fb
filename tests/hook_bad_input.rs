//! Whatever goes wrong between runtime, client and sidecar: the answer holds the call back in the
//! runtime's own words, the sidecar lives, and the log says what it saw.
#![cfg(test)]

#[path = "harness/sidecar.rs"]
mod sidecar;

use serde_json::{Value, json};
use sidecar::{Sidecar, files_below, hook, until};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const POLICY: &str = r#"
schema = 1
[policy]
name    = "hook-bad-input"
default = "deny"
[read]
allow = ["$workspace/"]
[write]
allow = ["$workspace/"]
[call]
allow = ["$transparent"]
"#;

const MIB: usize = 1024 * 1024;

/// An event of Claude Code with these fields of its own.
fn event(name: &str, own: &Value) -> Vec<u8> {
    let mut event = json!({
        "session_id": "s", "cwd": "/", "permission_mode": "default", "hook_event_name": name,
    });
    event.as_object_mut().unwrap().append(&mut own.as_object().unwrap().clone());
    event.to_string().into_bytes()
}

fn pre(sidecar: &Sidecar) -> Vec<u8> {
    let input = json!({"file_path": sidecar.path("work/a")});
    event("PreToolUse", &json!({"tool_name": "Read", "tool_input": input, "tool_use_id": "u"}))
}

fn post(output: &Value) -> Vec<u8> {
    let own = json!({"tool_name": "Bash", "tool_input": {"command": "x"}, "tool_response": output});
    event("PostToolUse", &own)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Standard output, standard error and exit code.
type Answer = (String, String, i32);

fn answer(output: &Output) -> Answer {
    (text(&output.stdout), text(&output.stderr), output.status.code().unwrap())
}

/// The reason of an answer that must be the exact denial.
fn reason(answer: &Answer, context: &str) -> String {
    let (stdout, stderr, code) = answer;
    let reason = stderr.strip_prefix("toolgate: ").and_then(|rest| rest.strip_suffix('\n'));
    let reason = reason.unwrap_or_else(|| panic!("{context}: no reason on stderr: {answer:?}"));
    let quoted = json!(reason);
    let exact = format!(
        r#"{{"hookSpecificOutput":{{"hookEventName":"PreToolUse","permissionDecision":"deny","permissionDecisionReason":{quoted}}}}}"#
    );
    assert_eq!((stdout.as_str(), *code), (exact.as_str(), 2), "{context}");
    reason.to_owned()
}

fn denied(output: &Output, because: &str, context: &str) {
    let reason = reason(&answer(output), context);
    assert!(reason.contains(because), "{context}: `{reason}` does not say `{because}`");
}

/// Bash's output with nothing left in it but its shape.
fn withheld(output: &Output, context: &str) {
    let (stdout, stderr, code) = answer(output);
    assert_eq!((stderr.as_str(), code), ("", 0), "{context}");
    let said: Value = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{context}"));
    let instead = &said["hookSpecificOutput"]["updatedToolOutput"];
    let notice = instead["stdout"].as_str().unwrap_or_else(|| panic!("{context}: {said}"));
    assert!(notice.starts_with("[withheld: "), "{context}: {notice}");
    let shape = json!({"stdout": notice, "stderr": notice, "interrupted": false, "isImage": false});
    assert_eq!(*instead, shape, "{context}");
    let event = &said["hookSpecificOutput"]["hookEventName"];
    assert_eq!(event, "PostToolUse", "{context}");
}

/// The sidecar is there and judges as ever.
fn lives(sidecar: &mut Sidecar) {
    let output = sidecar.hook(pre(sidecar));
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains(r#""permissionDecision":"allow""#));
    assert!(sidecar.is_alive());
}

/// What the log says of inputs that could not be read.
fn bad_inputs(sidecar: &Sidecar) -> Vec<Value> {
    let mut records = sidecar.records();
    records.retain(|record| record["kind"] == "bad_input");
    records.into_iter().map(|mut record| record["details"].take()).collect()
}

/// Events that the sidecar cannot read: a name, the bytes, and what the reason must say.
fn unreadable() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let pre = |own: Value| event("PreToolUse", &own);
    let whole = pre(json!({"tool_name": "Read", "tool_input": {"file_path": "/a"}}));
    let open = text(&whole[..whole.len() - 1]);
    let deep = |from: &str, to: &str| {
        format!("{open},\"x\":{}1{}}}", from.repeat(10_000), to.repeat(10_000)).into_bytes()
    };
    vec![
        ("nothing", vec![], "EOF"),
        ("a newline", b"\n".to_vec(), "EOF"),
        ("garbage", b"read /etc/passwd".to_vec(), "expected"),
        ("bytes", (0..=255).collect(), "expected"),
        ("nuls", vec![0; 64], "expected"),
        ("a nul after it", [&whole[..], b"\0"].concat(), "trailing"),
        ("a second event after it", [&whole[..], &whole[..]].concat(), "trailing"),
        ("a byte order mark", [b"\xef\xbb\xbf", &whole[..]].concat(), "expected"),
        ("utf-16", text(&whole).encode_utf16().flat_map(u16::to_le_bytes).collect(), "cannot be"),
        ("no utf-8", format!("{open},\"x\":\"").bytes().chain(*b"\xff\"}").collect(), "cannot be"),
        ("a lone surrogate", format!("{open},\"x\":\"\\ud800\"}}").into(), "hex escape"),
        ("a doubled key", format!("{open},\"tool_name\":\"Write\"}}").into(), "stands twice"),
        (
            "a doubled key inside",
            format!("{open},\"x\":{{\"a\":1,\"\\u0061\":2}}}}").into(),
            "stands twice",
        ),
        ("arrays in arrays", deep("[", "]"), "nested deeper"),
        ("objects in objects", deep("{\"a\":", "}"), "nested deeper"),
        ("only open brackets", "[".repeat(100_000).into(), "nested deeper"),
        ("a huge number", format!("{open},\"x\":1e999}}").into(), "number"),
        ("an array", b"[]".to_vec(), "`event`"),
        ("a text", b"\"PreToolUse\"".to_vec(), "`event`"),
        ("null", b"null".to_vec(), "`event`"),
        ("an empty object", b"{}".to_vec(), "`hook_event_name`"),
        ("a number for a name", event("x", &json!({"hook_event_name": 7})), "`hook_event_name`"),
        ("no session", br#"{"hook_event_name":"PreToolUse"}"#.to_vec(), "`session_id`"),
        ("a number for a session", pre(json!({"session_id": 7})), "`session_id`"),
        ("no tool", pre(json!({"tool_input": {}})), "`tool_name`"),
        ("a list for a tool", pre(json!({"tool_name": ["Read"], "tool_input": {}})), "`tool_name`"),
        ("no input", pre(json!({"tool_name": "Read"})), "`tool_input`"),
        ("a text for an input", pre(json!({"tool_name": "R", "tool_input": "x"})), "`tool_input`"),
        ("null for an input", pre(json!({"tool_name": "R", "tool_input": null})), "`tool_input`"),
    ]
}

#[test]
fn an_event_that_cannot_be_read_is_denied_and_recorded_by_its_length_alone() {
    let mut sidecar = Sidecar::start(POLICY);
    for (name, bytes, because) in unreadable() {
        let before = bad_inputs(&sidecar).len();
        denied(&sidecar.hook(&bytes), because, name);
        let told = bad_inputs(&sidecar);
        assert_eq!(told.len(), before + 1, "{name}");
        let length = told[before]["bytes"].as_u64().unwrap_or(0);
        assert_eq!(length, bytes.len() as u64, "{name}");
        assert_eq!(told[before]["runtime"], "claude", "{name}");
    }
    lives(&mut sidecar);
    sidecar.stop();
}

#[test]
fn an_event_that_is_cut_anywhere_is_denied() {
    let mut sidecar = Sidecar::start(POLICY);
    let output =
        json!({"stdout": "é\u{1f980}\\\"", "stderr": "", "interrupted": false, "isImage": false});
    for whole in [pre(&sidecar), post(&output)] {
        for cut in (0..whole.len()).step_by(37) {
            let before = bad_inputs(&sidecar).len();
            denied(&sidecar.hook(&whole[..cut]), "cannot read this event", &format!("at {cut}"));
            assert_eq!(bad_inputs(&sidecar).len(), before + 1, "at {cut}");
        }
    }
    lives(&mut sidecar);
    sidecar.stop();
}

#[test]
fn a_large_event_is_judged_and_one_over_the_bound_is_denied() {
    let mut sidecar = Sidecar::start(POLICY);
    let write = |bytes: usize| {
        let input = json!({"file_path": sidecar.path("work/a"), "content": "x".repeat(bytes)});
        event("PreToolUse", &json!({"tool_name": "Write", "tool_input": input}))
    };
    let output = sidecar.hook(write(4_800_000));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains(r#""permissionDecision":"allow""#));
    denied(&sidecar.hook(write(17 * MIB)), "larger than 16 MiB", "17 MiB");
    let of_log: u64 = files_below(&sidecar.path("audit"))
        .iter()
        .map(|file| std::fs::metadata(file).unwrap().len())
        .sum();
    assert!(of_log < 100_000, "the log took {of_log} bytes");
    lives(&mut sidecar);
    sidecar.stop();
}

#[test]
fn an_output_in_an_event_that_cannot_be_read_is_withheld() {
    let mut sidecar = Sidecar::start(POLICY);
    let output = json!({"stdout": "secret", "stderr": "", "interrupted": false, "isImage": false});
    let whole = text(&post(&output));
    let open = whole.strip_suffix('}').unwrap();
    let cases = [
        // What is left of an emoji where a runtime cut a text after so many UTF-16 units.
        ("half a surrogate pair", whole.replace("secret", "secret \\ud83e")),
        ("the other half", whole.replace("secret", "\\\\\\udd80 secret")),
        ("a doubled key", format!("{open},\"x\":1,\"x\":2}}")),
        ("a doubled key inside", whole.replace("\"stderr\"", "\"stdout\":\"secret\",\"stderr\"")),
        ("deep nesting", format!("{open},\"x\":{}{}}}", "[".repeat(9_000), "]".repeat(9_000))),
        ("no session", whole.replace("session_id", "sessionid")),
        ("no input", whole.replace("tool_input", "toolinput")),
    ];
    let cases = cases.map(|(name, text)| (name, text.into_bytes()));
    let latin = whole.replace("secret", "secret @").into_bytes();
    let latin = latin.into_iter().map(|b| if b == b'@' { 0xe9 } else { b }).collect();
    for (name, bytes) in cases.into_iter().chain([("no utf-8", latin)]) {
        let before = bad_inputs(&sidecar).len();
        withheld(&sidecar.hook(&bytes), name);
        assert_eq!(bad_inputs(&sidecar).len(), before + 1, "{name}");
    }
    // Too large to be sent at all: the client withholds it by itself.
    let large = whole.replace("secret", &format!("secret {}", "x".repeat(17 * MIB)));
    withheld(&sidecar.hook(large), "too large");
    // Of an MCP tool any text replaces what came back, whatever that was.
    let deep = format!("{}\"secret\"{}", "[".repeat(9_000), "]".repeat(9_000));
    let own = json!({"tool_name": "mcp__a__b", "tool_input": {}, "tool_response": "@"});
    let deep = text(&event("PostToolUse", &own)).replace("\"@\"", &deep);
    let (stdout, _, code) = answer(&sidecar.hook(deep));
    let said: Value = serde_json::from_str(&stdout).unwrap();
    let instead = said["hookSpecificOutput"]["updatedMCPToolOutput"].as_str().unwrap();
    assert!(code == 0 && instead.starts_with("[withheld: "), "{stdout}");
    lives(&mut sidecar);
    sidecar.stop();
}

#[test]
fn a_path_that_no_file_can_have_is_not_allowed() {
    let mut sidecar = Sidecar::start(POLICY);
    let work = sidecar.path("work");
    let long = "a/".repeat(5_000);
    for name in ["a\0b", "\u{0}", &long, &"x".repeat(256)] {
        let input = json!({"file_path": format!("{}/{name}", work.display())});
        let own = json!({
            "tool_name": "Read", "tool_input": input, "permission_mode": "bypassPermissions",
        });
        denied(&sidecar.hook(event("PreToolUse", &own)), "", &format!("{name:.10?}"));
    }
    lives(&mut sidecar);
    sidecar.stop();
}

/// Fails, with the context, unless this is the right answer.
type Holds = fn(&Output, &str);

/// Events of each kind, and whether what the client says when it fails is right.
fn kinds() -> Vec<(Vec<u8>, Holds)> {
    let bash = json!({"stdout": "s", "stderr": "", "interrupted": false, "isImage": false});
    let call = json!({"tool_name": "Bash", "tool_input": {"command": "x"}});
    let nothing = |output: &Output, context: &str| {
        assert_eq!(answer(output), (String::new(), String::new(), 0), "{context}");
    };
    let blocked = |output: &Output, context: &str| {
        let (stdout, stderr, code) = answer(output);
        let reason = stderr.strip_prefix("toolgate: ").unwrap().trim_end();
        let said: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!((said, code), (json!({"decision": "block", "reason": reason}), 2), "{context}");
    };
    let not_permitted = |output: &Output, context: &str| {
        let (stdout, stderr, code) = answer(output);
        let message = stderr.strip_prefix("toolgate: ").unwrap().trim_end();
        let said: Value = serde_json::from_str(&stdout).unwrap();
        let decision = json!({"behavior": "deny", "message": message});
        let name = "PermissionRequest";
        let exact = json!({"hookSpecificOutput": {"hookEventName": name, "decision": decision}});
        assert_eq!((said, code), (exact, 2), "{context}");
    };
    let deny = |output: &Output, context: &str| denied(output, "the guard", context);
    vec![
        (event("PreToolUse", &call), deny),
        (b"garbage".to_vec(), deny),
        (event("AnEventOfNextYear", &json!({})), deny),
        (event("PermissionRequest", &call), not_permitted),
        (event("UserPromptSubmit", &json!({"prompt": "x"})), blocked),
        (event("ConfigChange", &json!({"source": "project_settings"})), blocked),
        (post(&bash), withheld),
        (event("PostToolUseFailure", &call), nothing),
        (event("SessionStart", &json!({"source": "startup"})), nothing),
        (event("SessionEnd", &json!({})), nothing),
        (event("Stop", &json!({})), nothing),
        (event("Notification", &json!({})), nothing),
    ]
}

/// Every kind of event, asked at a socket that does not answer as it should.
fn fails_closed(socket: &Path, more: &[&str], context: &str) {
    let arguments = [&["claude", "--socket", socket.to_str().unwrap()], more].concat();
    for (event, is_right) in kinds() {
        is_right(&hook(&arguments, &event), &format!("{context}: {}", text(&event)));
    }
}

#[test]
fn a_sidecar_that_is_not_there_holds_everything_back() {
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    fails_closed(&scratch.path().join("absent"), &[], "no socket");
    let left = scratch.path().join("left");
    drop(UnixListener::bind(&left).unwrap());
    fails_closed(&left, &[], "nobody listens");
    let file = scratch.path().join("file");
    std::fs::write(&file, "").unwrap();
    fails_closed(&file, &[], "a file");
    fails_closed(scratch.path(), &[], "a directory");
    fails_closed(&scratch.path().join("x".repeat(200)), &[], "too long a path");
}

/// A request as the client sends it, read whole.
fn take_request(stream: &mut UnixStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while byte != *b"\n" {
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    let length = text(&head).trim_end().rsplit_once(' ').unwrap().1.parse().unwrap();
    stream.read_exact(&mut vec![0; length]).unwrap();
}

/// Until the other side hangs up.
fn hang(stream: &mut UnixStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

/// What a server does with one connection, before it closes it.
type Serve = fn(&mut UnixStream);

/// Servers that do not answer as they should.
fn servers() -> Vec<(&'static str, Serve)> {
    fn say(stream: &mut UnixStream, bytes: &[u8]) {
        take_request(stream);
        // It may have heard enough before the end.
        let _ = stream.write_all(bytes);
    }
    const ALLOW: &[u8] = b"toolgate/1 0 2 0\n{}";
    vec![
        ("accepts and hangs", hang),
        ("takes the event and hangs", |stream| {
            take_request(stream);
            hang(stream);
        }),
        ("says half and hangs", |stream| {
            say(stream, b"toolgate/1 0 2 0\n{");
            hang(stream);
        }),
        ("says all and hangs", |stream| {
            say(stream, ALLOW);
            hang(stream);
        }),
        ("closes at once", |_| {}),
        ("closes after the event", |stream| say(stream, b"")),
        ("says half", |stream| say(stream, &ALLOW[..ALLOW.len() - 1])),
        ("says only a head", |stream| say(stream, b"toolgate/1 0 2 0\n")),
        ("says half a head", |stream| say(stream, b"toolgate/1 0")),
        ("answers twice", |stream| say(stream, &ALLOW.repeat(2))),
        ("says more than it said", |stream| say(stream, b"toolgate/1 0 2 0\n{}\n")),
        ("is a web server", |stream| say(stream, b"HTTP/1.1 200 OK\r\n\r\n{}")),
        ("speaks another version", |stream| say(stream, b"toolgate/2 0 2 0\n{}")),
        ("says plain JSON", |stream| say(stream, b"{}")),
        ("says nuls", |stream| say(stream, &[0; 100])),
        ("ends with 1", |stream| say(stream, b"toolgate/1 1 0 0\n")),
        ("ends with 101", |stream| say(stream, b"toolgate/1 101 0 0\n")),
        ("ends with 256", |stream| say(stream, b"toolgate/1 256 0 0\n")),
        ("wants numbers to overflow", |stream| {
            say(stream, b"toolgate/1 0 18446744073709551615 3\n{}");
        }),
        ("never ends", |stream| {
            take_request(stream);
            while stream.write_all(&[b'x'; 64 * 1024]).is_ok() {}
        }),
    ]
}

#[test]
fn a_server_that_answers_otherwise_holds_everything_back() {
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for (number, (name, serve)) in servers().into_iter().enumerate() {
        let socket = scratch.path().join(number.to_string());
        let listener = UnixListener::bind(&socket).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in kinds() {
                    serve(&mut listener.accept().unwrap().0);
                }
            });
            // Only those that hang come to the deadline; the others must not wait for it.
            let deadline = if name.contains("hangs") { "60" } else { "60000" };
            fails_closed(&socket, &["--deadline", deadline], name);
        });
    }
}

#[test]
fn a_sidecar_that_is_stopped_and_goes_on_answers_again() {
    use nix::sys::signal::{Signal, kill};
    let mut sidecar = Sidecar::start(POLICY);
    kill(sidecar.pid(), Signal::SIGSTOP).unwrap();
    fails_closed(&sidecar.socket(), &["--deadline", "60"], "stopped");
    kill(sidecar.pid(), Signal::SIGCONT).unwrap();
    lives(&mut sidecar);
    kill(sidecar.pid(), Signal::SIGKILL).unwrap();
    until("the sidecar is dead", || (!sidecar.is_alive()).then_some(()));
    fails_closed(&sidecar.socket(), &[], "killed");
}

#[test]
fn who_may_not_be_there_is_not_believed() {
    let ours = nix::unistd::geteuid().as_raw();
    let other = (ours + 1).to_string();
    let mut sidecar = Sidecar::start(POLICY);
    fails_closed(&sidecar.socket(), &["--server-uid", &other], "another server");
    let (socket, event) = (sidecar.socket(), pre(&sidecar));
    let arguments =
        ["claude", "--socket", socket.to_str().unwrap(), "--server-uid", &ours.to_string()];
    assert_eq!(hook(&arguments, &event).status.code(), Some(0));
    lives(&mut sidecar);
    sidecar.stop();

    let strict = format!("allow_uid = [{other}]");
    let command = &mut Command::new(env!("CARGO_BIN_EXE_toolgate"));
    let sidecar = Sidecar::start_with(POLICY, &strict, command);
    let why = "this user may not speak to the guard";
    denied(&sidecar.hook(pre(&sidecar)), why, "another client");
    // The first of them stands there, of whoever it was; those that follow at once are counted.
    let told = bad_inputs(&sidecar);
    assert_eq!((told.len(), &told[0]["why"]), (1, &json!(why)));
    assert_eq!(told[0]["peer_uid"], ours);
    sidecar.stop();
}

/// What the sidecar says to these bytes and then an end.
fn raw(sidecar: &Sidecar, bytes: &[u8]) -> Vec<u8> {
    let mut stream = UnixStream::connect(sidecar.socket()).unwrap();
    // It may have heard enough before the end.
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply);
    reply
}

/// The answer in a reply of the sidecar.
fn unwrap_reply(reply: &[u8], context: &str) -> Answer {
    let reply = toolgate::plane::hook::protocol::Reply::parse(reply);
    let reply = reply.unwrap_or_else(|_| panic!("{context}: no reply"));
    (text(&reply.stdout), text(&reply.stderr), i32::from(reply.code))
}

#[test]
fn a_client_that_speaks_otherwise_is_denied_and_recorded() {
    let mut sidecar = Sidecar::start(POLICY);
    let long = [b"toolgate/1 claude 1".repeat(10), b"\n{".to_vec()].concat();
    let cases: [(&str, &[u8], &str); 13] = [
        ("nothing", b"", "cut short"),
        ("half a head", b"toolgate/1 cla", "cut short"),
        ("half an event", b"toolgate/1 claude 100\n{\"session_id\":", "cut short"),
        ("a head without an event", b"toolgate/1 claude 100\n", "cut short"),
        ("a long head", &long, "does not begin as this protocol does"),
        ("a long head without an end", &[b'x'; 64], "does not begin as this protocol does"),
        ("no utf-8", b"\xff\xfe\n", "no text"),
        ("a web client", b"POST / HTTP/1.1\n", "not of this protocol"),
        ("another version", b"toolgate/2 claude 2\n{}", "not of this protocol"),
        ("another runtime", b"toolgate/1 nobody 2\n{}", "not of this protocol"),
        ("a length that overflows", b"toolgate/1 claude 99999999999999999999\n", "not of this"),
        ("a length over the bound", b"toolgate/1 claude 16777217\n", "larger than 16 MiB"),
        ("a negative length", b"toolgate/1 claude -1\n", "not of this protocol"),
    ];
    for (name, bytes, because) in cases {
        let before = bad_inputs(&sidecar).len();
        let said = reason(&unwrap_reply(&raw(&sidecar, bytes), name), name);
        assert!(said.contains(because), "{name}: {said}");
        assert_eq!(bad_inputs(&sidecar).len(), before + 1, "{name}");
    }
    lives(&mut sidecar);
    sidecar.stop();
}

#[test]
fn clients_that_hang_cost_nobody_else_an_answer() {
    let mut sidecar = Sidecar::start(POLICY);
    let halves: [&[u8]; 4] =
        [b"", b"toolgate/1", b"toolgate/1 claude 9\n", b"toolgate/1 claude 9\n{"];
    let hanging: Vec<UnixStream> = halves
        .iter()
        .map(|half| {
            let mut stream = UnixStream::connect(sidecar.socket()).unwrap();
            stream.write_all(half).unwrap();
            stream
        })
        .collect();
    for _ in 0..3 {
        lives(&mut sidecar);
    }
    // Each is told in the end, and so is the log.
    for mut stream in hanging {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        let said = reason(&unwrap_reply(&reply, "late"), "late");
        assert!(said.contains("did not arrive in time"), "{said}");
    }
    let late = |told: &&Value| told["why"].as_str().unwrap().contains("in time");
    assert_eq!(bad_inputs(&sidecar).iter().filter(late).count(), halves.len());
    lives(&mut sidecar);
    sidecar.stop();
}

#[test]
fn three_hundred_clients_at_once_are_all_answered() {
    let mut sidecar = Sidecar::start(POLICY);
    let event = pre(&sidecar);
    let head = format!("toolgate/1 claude {}\n", event.len());
    let connect = |_| UnixStream::connect(sidecar.socket()).unwrap();
    let mut all: Vec<UnixStream> = (0..300).map(connect).collect();
    for stream in &mut all {
        stream.write_all(&[head.as_bytes(), &event].concat()).unwrap();
    }
    for mut stream in all {
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        let (stdout, _, code) = unwrap_reply(&reply, "one of many");
        assert!(code == 0 && stdout.contains(r#""permissionDecision":"allow""#), "{stdout}");
    }
    lives(&mut sidecar);
    let judged = sidecar.records().iter().filter(|record| record["kind"] == "tool.pre").count();
    assert_eq!(judged, 301);
    sidecar.stop();
}

#[test]
fn a_runtime_that_does_not_finish_its_event_is_denied() {
    let sidecar = Sidecar::start(POLICY);
    let event = pre(&sidecar);
    for sent in [&b""[..], &event[..event.len() / 2], &event] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
        command.args(["hook", "claude", "--deadline", "100", "--socket"]).arg(sidecar.socket());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut open = child.stdin.take().unwrap();
        open.write_all(sent).unwrap();
        denied(&child.wait_with_output().unwrap(), "sent no whole event", "it stays open");
        drop(open);
    }
    sidecar.stop();
}

#[test]
fn a_client_that_cannot_say_its_answer_still_denies() {
    let sidecar = Sidecar::start(POLICY);
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    command.args(["hook", "claude", "--socket"]).arg(sidecar.socket());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(&pre(&sidecar)).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    sidecar.stop();
}

#[test]
fn a_client_that_was_wired_wrong_denies() {
    let cases: [&[&str]; 7] = [
        &[],
        &["gemini"],
        &["Claude"],
        &["claude", "--sokcet", "/x"],
        &["claude", "--socket"],
        &["claude", "--server-uid", "root"],
        &["claude", "--deadline", "1s"],
    ];
    for arguments in cases {
        denied(&hook(arguments, b"{}"), "", &format!("{arguments:?}"));
    }
}
