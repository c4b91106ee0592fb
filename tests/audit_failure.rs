//! Promise: while the log cannot be written no call goes on unless the operator chose so, and the
//! log goes on by itself once it can. On real file systems, with real processes.
#![forbid(unsafe_code)]
#![cfg(test)]

#[path = "harness/room.rs"]
mod room;
#[path = "harness/sidecar.rs"]
#[expect(dead_code, reason = "not every test asks all of the harness")]
mod sidecar;

use room::Room;
use serde_json::{Value, json};
use sidecar::Sidecar;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Allows what lies in the workspace.
const POLICY: &str = r#"
schema = 1
[policy]
name    = "failure"
default = "deny"
[read]
allow = ["$workspace/"]
[write]
allow = ["$workspace/"]
[call]
allow = ["$transparent", "mcp:*/*", "UnknownTool"]
"#;

fn event(sidecar: &Sidecar, tool: &str) -> String {
    json!({
        "session_id": "s", "hook_event_name": "PreToolUse", "tool_name": tool, "cwd": "/",
        "tool_input": {"file_path": sidecar.path("work/a"), "content": "x".repeat(2_000)},
        "permission_mode": "default",
    })
    .to_string()
}

fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn toolgate(sidecar: &Sidecar, arguments: &[&str]) -> (Option<i32>, String) {
    let socket = sidecar.path("run/admin.sock");
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    let output = command.args(arguments).arg("--socket").arg(socket).output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(told).unwrap())
}

fn metrics(sidecar: &Sidecar) -> String {
    toolgate(sidecar, &["metrics"]).1
}

/// A sidecar whose `[audit]` says more.
fn start(audit: &str) -> Sidecar {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    Sidecar::start_logging(POLICY, "", None, audit, &mut command)
}

#[test]
fn a_full_disk_fails_closed_with_its_last_records_and_goes_on_when_there_is_room() {
    let mount = tempfile::Builder::new().prefix("d").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
    let mount = mount.unwrap();
    let mut room = Room::with_disk(mount.path(), "1m");
    let log = mount.path().join("log");
    let mut command = room.command();
    let sidecar = Sidecar::start_logging(POLICY, "", Some(&log), "", &mut command);
    assert_eq!(sidecar.hook(event(&sidecar, "Write")).status.code(), Some(0));
    // Another program fills the disk.
    let filler = mount.path().join("filler");
    room.says(&format!("cat /dev/zero > '{}' 2> /dev/null", filler.display()));
    let mut allowed = 1;
    let refused = loop {
        let output = sidecar.hook(event(&sidecar, "Write"));
        match output.status.code() {
            Some(0) => allowed += 1,
            _ => break String::from_utf8(output.stdout).unwrap(),
        }
        assert!(allowed < 1_000, "the disk was never full");
    };
    assert!(refused.contains("the disk of the log is full"), "{refused}");
    let (code, health) = toolgate(&sidecar, &["health", "--ready"]);
    assert_eq!(code, Some(1));
    assert!(health.contains("the disk of the log is full"), "{health}");
    assert!(metrics(&sidecar).contains("toolgate_log_space_stage 3"), "{}", metrics(&sidecar));
    // It is not a matter of luck: nothing is let through until there is room.
    for _ in 0..3 {
        assert_eq!(sidecar.hook(event(&sidecar, "Write")).status.code(), Some(2));
    }
    room.says(&format!("rm '{}'", filler.display()));
    wait_for("it never went on", || {
        (toolgate(&sidecar, &["health", "--ready"]).0 == Some(0)).then_some(())
    });
    assert_eq!(sidecar.hook(event(&sidecar, "Write")).status.code(), Some(0));
    let copy = mount.path().join("copy");
    // The file system is seen only from inside.
    room.says(&format!("cp -r '{}' '{}'", log.display(), copy.display()));
    let mut verify = room.command();
    let output = verify.args(["audit", "verify", "--audit"]).arg(&copy).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    let query = |arguments: &[&str]| {
        let mut query = room.command();
        query.args(["audit", "query", "--audit"]).arg(&copy).args(arguments);
        String::from_utf8(query.output().unwrap().stdout).unwrap()
    };
    let space = query(&["--kind", "audit.space", "--format", "jsonl"]);
    assert_eq!(space.matches("\"stage\":\"full\"").count(), 1, "{space}");
    let calls = query(&["--kind", "tool.pre", "--count"]);
    assert!(calls.trim().parse::<u32>().unwrap() > allowed, "{calls} of {allowed}");
}

#[test]
fn a_log_that_is_touched_while_it_is_written_goes_on_and_tells_of_it() {
    type Touch = fn(&Path);
    let cases: [(&str, Touch); 3] = [
        ("removed", |file| std::fs::remove_file(file).unwrap()),
        ("replaced", |file| {
            std::fs::copy(file, file.with_extension("copy")).unwrap();
            std::fs::rename(file.with_extension("copy"), file).unwrap();
        }),
        // Who may write the file already has it open: a mode is no failure.
        ("", |file| std::fs::set_permissions(file, PermissionsExt::from_mode(0o000)).unwrap()),
    ];
    for (word, touch) in cases {
        let sidecar = start("");
        assert_eq!(sidecar.hook(event(&sidecar, "Write")).status.code(), Some(0));
        let files = sidecar::files_below(&sidecar.path("audit"));
        let file = files.iter().rfind(|path| path.extension().is_some_and(|is| is == "jsonl"));
        touch(file.unwrap());
        assert_eq!(sidecar.hook(event(&sidecar, "Write")).status.code(), Some(0), "{word}");
        let told = metrics(&sidecar);
        if word.is_empty() {
            let failed = |line: &str| {
                line.starts_with("toolgate_log_failures_total{") && !line.ends_with(" 0")
            };
            assert!(!told.lines().any(failed), "{told}");
            std::fs::set_permissions(file.unwrap(), PermissionsExt::from_mode(0o600)).unwrap();
        } else {
            let failed = format!("toolgate_log_failures_total{{why=\"{word}\"}} 1");
            assert!(told.contains(&failed), "{told}");
            let (code, health) = toolgate(&sidecar, &["health"]);
            assert!(code == Some(0) && health.contains("goes on"), "{health}");
        }
        let decided = sidecar.records().iter().filter(|one| one["kind"] == "tool.pre").count();
        assert_eq!(decided, 2, "{word}");
        sidecar.stop();
    }
}

#[test]
fn what_the_operator_chose_is_what_calls_come_to() {
    for (choice, read, write) in [
        ("deny", Some(2), Some(2)),
        ("allow_readonly", Some(0), Some(2)),
        ("allow", Some(0), Some(0)),
    ] {
        let sidecar = start(&format!("on_audit_failure = \"{choice}\""));
        let loud = std::fs::read_to_string(sidecar.path("stderr")).unwrap();
        assert_eq!(loud.contains("calls will go on"), choice != "deny", "{loud}");
        let (log, moved) = (sidecar.path("audit"), sidecar.path("moved"));
        std::fs::rename(&log, &moved).unwrap();
        wait_for("the failure was never seen", || {
            (toolgate(&sidecar, &["health", "--ready"]).0 == Some(1)).then_some(())
        });
        assert_eq!(sidecar.hook(event(&sidecar, "Read")).status.code(), read, "{choice}");
        assert_eq!(sidecar.hook(event(&sidecar, "Write")).status.code(), write, "{choice}");
        // What is not known to read may change something: the call of a server's tool, a tool
        // that runs others, one that nobody knows.
        for tool in ["mcp__github__delete_repo", "Agent", "UnknownTool", "KillShell"] {
            let output = sidecar.hook(event(&sidecar, tool));
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            let refused = output.status.code() == Some(2) || told.contains("could not be written");
            assert_eq!(refused, choice != "allow", "{choice} {tool}: {told}");
        }
        let (_, status) = toolgate(&sidecar, &["status"]);
        assert!(status.contains("FAILED"), "{status}");
        std::fs::rename(&moved, &log).unwrap();
        wait_for("it never went on", || {
            (toolgate(&sidecar, &["health", "--ready"]).0 == Some(0)).then_some(())
        });
        let records = sidecar.records();
        let late = |one: &&Value| one["kind"] == "tool.pre" && one["late_ms"].is_u64();
        let others = if choice == "allow" { 4 } else { 0 };
        let through = others + [read, write].iter().filter(|code| **code == Some(0)).count();
        assert_eq!(records.iter().filter(late).count(), through, "{choice}");
        let told = records.iter().rfind(|one| one["kind"] == "audit.recovered").unwrap();
        assert_eq!(told["details"]["why"], "directory_gone");
        assert_eq!(told["details"]["lost_before"], 0);
        let finding = |one: &Value| one["details"]["code"] == "let_through_unrecorded";
        assert_eq!(records.iter().any(finding), through > 0, "{choice}");
        sidecar.stop();
    }
}

#[test]
fn of_two_daemons_at_one_directory_one_writes_and_the_other_says_so() {
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let policy = scratch.path().join("p.toml");
    std::fs::write(&policy, POLICY).unwrap();
    let serve = |name: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
        command.arg("serve").arg("--policy").arg(&policy);
        command.arg("--audit").arg(scratch.path().join("audit"));
        command.arg("--socket").arg(scratch.path().join(name).join("s"));
        command.arg("--workspace").arg(scratch.path()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    // Again and again, since a race that is lost once in a while is lost.
    for round in 0..5 {
        let mut both = [serve(&format!("a{round}")), serve(&format!("b{round}"))];
        let loser =
            wait_for("both run", || (0..2).find(|one| both[*one].try_wait().unwrap().is_some()));
        let code = both[loser].wait().unwrap().code();
        let mut told = String::new();
        let stderr = both[loser].stderr.take().unwrap();
        std::io::Read::read_to_string(&mut { stderr }, &mut told).unwrap();
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains("in use by another toolgate"), "{told}");
        assert!(both[1 - loser].try_wait().unwrap().is_none());
        both[1 - loser].kill().unwrap();
        both[1 - loser].wait().unwrap();
    }
    let report = toolgate::audit::verify(&scratch.path().join("audit"), None).unwrap();
    assert_ne!(report.state(), toolgate::audit::State::Broken, "{report:#?}");
}
