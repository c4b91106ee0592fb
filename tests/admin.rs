//! The operator's door: what the commands say of a running sidecar, who may come in, and that no
//! agent does.
#![cfg(test)]

#[path = "harness/sidecar.rs"]
mod sidecar;

use serde_json::{Value, json};
use sidecar::Sidecar;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output};

/// Allows whatever can be allowed at all.
const EVERYTHING: &str = r#"
schema = 1
[policy]
name    = "everything"
version = "3"
default = "deny"
[read]
allow = ["**"]
[write]
allow = ["**"]
[exec]
allow = ["**"]
[connect]
allow = ["**"]
[call]
allow = ["**"]
"#;

fn admin_socket(sidecar: &Sidecar) -> PathBuf {
    sidecar.socket().with_file_name("admin.sock")
}

/// One of the commands, on this sidecar.
fn toolgate(sidecar: &Sidecar, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    command.args(arguments).arg("--socket").arg(admin_socket(sidecar)).output().unwrap()
}

/// Exit code, standard output, standard error.
fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// What is answered to these bytes.
fn raw(sidecar: &Sidecar, bytes: &[u8]) -> Value {
    let mut stream = UnixStream::connect(admin_socket(sidecar)).unwrap();
    // It may hang up before the end.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    // A reset after the answer, since not all was read.
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.ends_with(b"\n"), "{}", String::from_utf8_lossy(&answer));
    serde_json::from_slice(&answer).unwrap()
}

fn details(sidecar: &Sidecar, kind: &str) -> Vec<Value> {
    let mut records = sidecar.records();
    records.retain(|record| record["kind"] == kind);
    records.into_iter().map(|mut record| record["details"].take()).collect()
}

#[test]
fn the_commands_tell_what_is_and_what_came_of_it() {
    let sidecar = Sidecar::start(EVERYTHING);
    let digest = details(&sidecar, "policy.load")[0]["sha256"].as_str().unwrap().to_owned();
    let status = |sidecar: &Sidecar| {
        let (code, out, err) = told(&toolgate(sidecar, &["status", "--format", "json"]));
        assert_eq!((code, err.as_str()), (0, ""));
        serde_json::from_str::<Value>(&out).unwrap()
    };
    let first = status(&sidecar);
    assert_eq!(first["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(first["pid"], sidecar.pid().as_raw());
    assert_eq!(first["policy"]["name"], "everything@3");
    assert_eq!(first["policy"]["sha256"], json!(digest));
    assert_eq!(first["policy"]["layers"], json!([{"name": "everything@3", "rules": 5}]));
    assert_eq!((&first["reload"], &first["audit"]["failure"]), (&Value::Null, &Value::Null));
    assert_eq!(first["connections"], json!({"hook": 0, "admin": 1}));
    let newest = sidecar.records().pop().unwrap();
    let head = first["audit"]["head"].as_str().unwrap();
    let place = format!("{}/{}/", newest["stream"].as_str().unwrap(), newest["seq"]);
    assert!(head.starts_with(&place), "{head}");

    let (code, out, err) = told(&toolgate(&sidecar, &["reload"]));
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out, format!("unchanged: everything@3 sha256:{digest}\n"));

    std::fs::write(sidecar.path("policy.toml"), "schema = 1\n[polcy]\n").unwrap();
    let (code, out, err) = told(&toolgate(&sidecar, &["reload"]));
    assert_eq!(code, 1);
    assert_eq!(out, format!("refused, the old policy stays: everything@3 sha256:{digest}\n"));
    assert!(err.contains("error[P003]") && err.contains("did you mean `policy`?"), "{err}");
    let refused = status(&sidecar);
    assert_eq!(refused["policy"], first["policy"]);
    assert_eq!(refused["reload"]["outcome"], "refused");
    assert_eq!(refused["reload"]["cause"], "command");
    // Loud, but the old policy does its work.
    let (code, out, err) = told(&toolgate(&sidecar, &["health", "--ready"]));
    assert_eq!((code, out.as_str()), (0, "ready\n"));
    assert!(err.starts_with("warning: the policy's files were refused"), "{err}");

    std::fs::write(sidecar.path("policy.toml"), EVERYTHING.replace("\"3\"", "\"4\"")).unwrap();
    let (code, out, _) = told(&toolgate(&sidecar, &["reload"]));
    assert_eq!(code, 0);
    assert!(out.starts_with("loaded: everything@4 sha256:") && !out.contains(&digest), "{out}");
    let (code, out, err) = told(&toolgate(&sidecar, &["status"]));
    assert_eq!((code, err.as_str()), (0, ""));
    for line in
        ["policy       everything@4", "layer everything@4: 5 rules", "reload       loaded at"]
    {
        assert!(out.contains(line), "{out}");
    }
    assert_eq!(told(&toolgate(&sidecar, &["health"])), (0, "alive\n".into(), String::new()));
    // Whoever names the other socket is told so.
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    let (code, out, err) =
        told(&command.args(["status", "--socket"]).arg(sidecar.socket()).output().unwrap());
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("is the hook socket, not the admin socket"), "{err}");
    let admin = admin_socket(&sidecar);
    sidecar.stop();
    assert!(!admin.exists());
}

#[test]
fn without_a_sidecar_no_command_says_yes() {
    let nowhere = std::env::temp_dir().join("no-sidecar/admin.sock");
    for arguments in [
        &["status"][..],
        &["reload"],
        &["health"],
        &["health", "--ready"],
        &["label", "add", "s", "approved:T1"],
        &["label", "remove", "s", "approved:T1"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
        let output = command.args(arguments).arg("--socket").arg(&nowhere).output().unwrap();
        let (code, out, err) = told(&output);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}");
        assert!(err.starts_with("error: no sidecar can be reached at `"), "{err}");
    }
}

#[test]
fn a_label_is_set_on_a_session_that_is_known_and_recorded_before() {
    let labels = "[labels]\nexternal = [\"approved:*\"]\n";
    let sidecar = Sidecar::start(&format!("{EVERYTHING}{labels}[budget]\ncalls = 9\n"));
    let set = |change: &str, session: &str, label: &str| {
        told(&toolgate(&sidecar, &["label", change, session, label]))
    };
    let refused = |why: &str| (2, String::new(), format!("error: {why}\n"));
    let unknown = refused("no session `s` has made a call yet");
    assert_eq!(set("add", "s", "approved:T1"), unknown);
    let call = json!({
        "session_id": "s", "hook_event_name": "PreToolUse", "tool_name": "Read", "cwd": "/",
        "tool_input": {"file_path": "/a"}, "permission_mode": "default",
    });
    assert_eq!(sidecar.hook(call.to_string()).status.code(), Some(0));
    let why = "the policy in force lets no operator set `other`; name it in `[labels] external`";
    assert_eq!(set("add", "s", "other"), refused(why));
    assert_eq!(set("add", "s", "approved:*"), refused("`approved:*` is no label that can be kept"));
    assert!(details(&sidecar, "label").is_empty());
    let (code, out, err) = set("add", "s", "approved:T1");
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out, "`approved:T1` is set on session `s`\n");
    let gone = (0, "session `s` is without `approved:T1` now\n".into(), String::new());
    assert_eq!(set("remove", "s", "approved:T1"), gone);
    let uid = nix::unistd::geteuid().as_raw();
    let by = |change: &str| json!({"session": "s", "change": change, "label": "approved:T1", "peer_uid": uid});
    assert_eq!(details(&sidecar, "label"), [by("add"), by("remove")]);
    sidecar.stop();
}

#[test]
fn a_sidecar_that_cannot_record_is_alive_and_not_ready() {
    let sidecar = Sidecar::start(EVERYTHING);
    std::fs::rename(sidecar.path("audit"), sidecar.path("moved")).unwrap();
    std::fs::write(sidecar.path("policy.toml"), EVERYTHING.replace("\"3\"", "\"4\"")).unwrap();
    let (code, _, err) = told(&toolgate(&sidecar, &["reload"]));
    assert_eq!(code, 1);
    assert!(err.contains("the log cannot be written"), "{err}");
    let (code, out, err) = told(&toolgate(&sidecar, &["health", "--ready"]));
    assert_eq!((code, out.as_str()), (1, "alive, not ready\n"));
    assert!(err.contains("problem: the log failed"), "{err}");
    assert_eq!(told(&toolgate(&sidecar, &["health"])).0, 0);
    let (_, out, _) = told(&toolgate(&sidecar, &["status"]));
    assert!(out.contains("FAILED, every call is refused") && out.contains("everything@3"), "{out}");
}

#[test]
fn a_sidecar_whose_hook_socket_is_gone_is_not_ready() {
    let sidecar = Sidecar::start(EVERYTHING);
    std::fs::remove_file(sidecar.socket()).unwrap();
    let (code, out, err) = told(&toolgate(&sidecar, &["health", "--ready"]));
    assert_eq!((code, out.as_str()), (1, "alive, not ready\n"));
    assert!(err.contains("was removed or replaced"), "{err}");
}

#[test]
fn what_is_no_request_is_answered_and_recorded() {
    let sidecar = Sidecar::start(EVERYTHING);
    let before = details(&sidecar, "bad_input").len();
    let long = [&b"\""[..], &[b'x'; 70_000], b"\"\n"].concat();
    let bad: [(&[u8], &str); 8] = [
        (b"", "cut short"),
        (b"\"status\"", "cut short"),
        (b"status\n", "JSON"),
        (b"\"stop\"\n", "no request"),
        (b"\"status\"\n\"status\"\n", "one line"),
        (b"\xff\n", "JSON"),
        (&long, "too long"),
        (&[b'['; 70_000], "too long"),
    ];
    for (bytes, because) in &bad {
        let answer = raw(&sidecar, bytes);
        let why = answer["error"].as_str().unwrap();
        assert!(why.contains(because), "`{why}` does not say `{because}`");
    }
    let recorded = details(&sidecar, "bad_input").split_off(before);
    assert_eq!(recorded.len(), bad.len());
    for (details, (_, because)) in recorded.iter().zip(bad) {
        assert_eq!(details["socket"], "admin");
        assert!(details["why"].as_str().unwrap().contains(because), "{details}");
    }
    assert!(raw(&sidecar, b"\"health\"\n")["health"]["ready"].as_bool().unwrap());
    sidecar.stop();
}

#[test]
fn only_the_sidecars_user_and_root_may_speak() {
    // In a directory that other users can see, unlike the test's own.
    let scratch = tempfile::tempdir().unwrap();
    std::fs::set_permissions(scratch.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let (program, socket) = (scratch.path().join("toolgate"), scratch.path().join("admin"));
    // By another process: a child that a neighbouring test starts would hold our open file busy.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_toolgate")).arg(&program).status();
    assert!(copied.unwrap().success());
    let admin = format!("[admin]\nsocket = \"{}\"", socket.display());
    let sidecar = Sidecar::start_with(EVERYTHING, &admin, &mut Command::new(&program));
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!admin_socket(&sidecar).exists());
    if !nix::unistd::geteuid().is_root() {
        // Nobody else can be played here; who may speak is held by a test of `operators` too.
        return;
    }
    // Even if somebody opens the socket to all.
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o666)).unwrap();
    for request in ["status", "reload", "health"] {
        let mut command = Command::new(&program);
        command.arg(request).arg("--socket").arg(&socket).uid(65_534).gid(65_534);
        let (code, out, err) = told(&command.output().unwrap());
        assert_eq!((code, out.as_str()), (2, ""), "{request}");
        assert_eq!(err, "error: this user may not speak to the guard's admin socket\n");
    }
    let refused = details(&sidecar, "bad_input");
    let refused: Vec<_> = refused.iter().filter(|details| details["socket"] == "admin").collect();
    assert_eq!(refused.len(), 3);
    assert!(refused.iter().all(|details| details["peer_uid"] == 65_534));
}

#[test]
fn no_agent_comes_in_though_the_policy_allows_everything() {
    let sidecar = Sidecar::start(EVERYTHING);
    let socket = admin_socket(&sidecar).to_str().unwrap().to_owned();
    let ask = |tool: &str, input: Value| {
        let event = json!({
            "session_id": "s", "hook_event_name": "PreToolUse", "permission_mode": "default",
            "tool_name": tool, "cwd": sidecar.path("work"), "tool_input": input,
        });
        told(&sidecar.hook(event.to_string()))
    };
    let bash = |command: &str| ask("Bash", json!({"command": command}));
    let held = [
        ("toolgate label add s approved:T1".to_owned(), "toolgate:admin"),
        ("toolgate label remove s secret".to_owned(), "toolgate:admin"),
        (format!("toolgate reload --socket {socket}"), "toolgate:admin"),
        ("sudo -u guard /usr/local/bin/toolgate label add s x".to_owned(), "toolgate:admin"),
        ("bash -c 'sleep 1; toolgate label add s x'".to_owned(), "toolgate:admin"),
        (format!("rm {socket}"), "toolgate:self"),
        (format!("ln -sf /dev/null {socket}"), "toolgate:self"),
    ];
    for (command, rule) in held {
        let (code, _, err) = bash(&command);
        assert_eq!(code, 2, "{command}");
        assert!(err.contains(rule), "{command}: {err}");
    }
    assert_eq!(ask("Write", json!({"file_path": socket, "content": "x"})).0, 2);
    // What only tells, and what nobody can read, is for the policy to judge.
    for command in ["toolgate status", "toolgate health --ready", "$X label add", "touch work/a"] {
        let (code, out, err) = bash(command);
        assert!(code == 0 && out.contains(r#""permissionDecision":"allow""#), "{command}: {err}");
    }
    sidecar.stop();
}
