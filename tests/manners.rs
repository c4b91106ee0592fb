//! How the sidecar behaves as a service: it ends what it began, tells its manager how it stands,
//! and its messages are lines that can be read and hold nothing of a call.
#![cfg(test)]

#[path = "harness/sidecar.rs"]
mod sidecar;

use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};
use sidecar::{Sidecar, until};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};
use std::path::Path;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use toolgate::service::config::Config;

const POLICY: &str = r#"
schema = 1
[policy]
name    = "manners"
default = "deny"
[read]
allow = ["$workspace/"]
[call]
allow = ["Read", "Bash"]
[exec]
allow = ["cat ..."]
"#;

/// How long anything may take before a test fails: far above what it needs.
const PATIENCE: Duration = Duration::from_secs(60);

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_toolgate"))
}

/// One of the operator's commands, on this sidecar.
fn toolgate(sidecar: &Sidecar, arguments: &[&str]) -> Output {
    let admin = sidecar.socket().with_file_name("admin.sock");
    program().args(arguments).arg("--socket").arg(admin).output().unwrap()
}

fn read(path: &Path) -> String {
    let event = json!({
        "session_id": "s", "cwd": path.parent(), "permission_mode": "default", "tool_use_id": "t",
        "hook_event_name": "PreToolUse", "tool_name": "Read", "tool_input": {"file_path": path},
    });
    event.to_string()
}

/// A call of which half has been sent, so that it is in flight for as long as the test likes.
struct Half {
    stream: UnixStream,
    rest: String,
}

impl Half {
    fn send(sidecar: &Sidecar) -> Half {
        let event = read(&sidecar.path("work/a"));
        let (first, rest) = event.split_at(event.len() / 2);
        let mut stream = UnixStream::connect(sidecar.socket()).unwrap();
        write!(stream, "toolgate/1 claude {}\n{first}", event.len()).unwrap();
        until("the connection is served", || {
            let status = toolgate(sidecar, &["status", "--format", "json"]).stdout;
            let status: Value = serde_json::from_slice(&status).unwrap();
            (status["connections"]["hook"] == 1).then_some(())
        });
        Half { stream, rest: rest.to_owned() }
    }

    /// The answer, once the rest has been sent too.
    fn end(mut self) -> String {
        self.stream.write_all(self.rest.as_bytes()).unwrap();
        self.stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

fn ended(sidecar: &mut Sidecar) -> ExitStatus {
    until("the sidecar ends", || sidecar.child.try_wait().unwrap())
}

#[test]
fn what_is_in_flight_is_answered_and_nothing_new_is() {
    let mut sidecar = Sidecar::start(POLICY);
    let half = Half::send(&sidecar);
    assert_eq!(toolgate(&sidecar, &["health", "--ready"]).status.code(), Some(0));
    kill(sidecar.pid(), Signal::SIGTERM).unwrap();
    until("it stops listening", || (!sidecar.socket().exists()).then_some(()));
    // Whoever asks is still told how it stands.
    let health = toolgate(&sidecar, &["health", "--ready"]);
    assert_eq!(health.status.code(), Some(1));
    assert_eq!(String::from_utf8(health.stderr).unwrap(), "problem: the sidecar is stopping\n");
    assert_eq!(toolgate(&sidecar, &["health"]).status.code(), Some(0));
    let new = sidecar.hook(read(&sidecar.path("work/b")));
    assert_eq!(new.status.code(), Some(2));
    assert!(String::from_utf8(new.stdout).unwrap().contains(r#""permissionDecision":"deny""#));
    let answer = half.end();
    assert!(answer.starts_with("toolgate/1 0 "), "{answer}");
    assert!(answer.contains(r#""permissionDecision":"allow""#), "{answer}");
    assert_eq!(ended(&mut sidecar).code(), Some(0));
    let records = sidecar.records();
    let mut records = records;
    // The last signed head stands after the last record of the work.
    records.retain(|record| record["kind"] != "audit.checkpoint");
    let [.., call, last] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((&call["kind"], &last["kind"]), (&json!("tool.pre"), &json!("service.stop")));
    assert_eq!(toolgate(&sidecar, &["health"]).status.code(), Some(2));
    let mut verify = program();
    verify.args(["audit", "verify", "--audit"]).arg(sidecar.path("audit"));
    assert!(verify.output().unwrap().status.success());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for second in [Signal::SIGTERM, Signal::SIGINT] {
        let mut sidecar = Sidecar::start(POLICY);
        let half = Half::send(&sidecar);
        kill(sidecar.pid(), Signal::SIGTERM).unwrap();
        until("it stops listening", || (!sidecar.socket().exists()).then_some(()));
        kill(sidecar.pid(), second).unwrap();
        assert_eq!(ended(&mut sidecar).code(), Some(2));
        let told = std::fs::read_to_string(sidecar.path("stderr")).unwrap();
        assert!(told.contains("stopped at once by a second signal"), "{told}");
        // The call has no answer, which its client takes for a denial.
        let Half { mut stream, .. } = half;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty());
        assert!(sidecar.records().iter().all(|record| record["kind"] != "service.stop"));
    }
}

/// A service manager that hears all that is said to it, as it is said: a socket holds ten messages.
struct Manager {
    messages: Receiver<String>,
    heard: Vec<String>,
}

impl Manager {
    fn listen(at: &SocketAddr) -> Manager {
        let socket = UnixDatagram::bind_addr(at).unwrap();
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read) = socket.recv(&mut bytes) {
                if sender.send(String::from_utf8(bytes[..read].to_vec()).unwrap()).is_err() {
                    break;
                }
            }
        });
        Manager { messages, heard: Vec::new() }
    }

    /// The next message that holds this line.
    fn hears(&mut self, line: &str) -> String {
        loop {
            let message = self.messages.recv_timeout(PATIENCE).expect(line);
            self.heard.push(message.clone());
            if message.lines().any(|said| said == line) {
                return message;
            }
        }
    }

    /// The next message, whatever it is.
    fn next(&self) -> String {
        self.messages.recv_timeout(PATIENCE).unwrap()
    }
}

#[test]
fn the_service_manager_is_told_how_it_stands() {
    let scratch = tempfile::Builder::new().prefix("n").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
    let path = scratch.unwrap().keep().join("notify");
    let hidden = format!("toolgate-test-{}", std::process::id());
    let sockets = [
        (path.to_str().unwrap().to_owned(), SocketAddr::from_pathname(&path).unwrap()),
        (format!("@{hidden}"), SocketAddr::from_abstract_name(&hidden).unwrap()),
    ];
    for (name, at) in sockets {
        let mut manager = Manager::listen(&at);
        let mut command = program();
        command.env("NOTIFY_SOCKET", &name).env("WATCHDOG_USEC", "20000");
        let mut sidecar = Sidecar::start_with(POLICY, "", &mut command);
        assert!(manager.hears("READY=1").contains("STATUS=judging by manners"));
        manager.hears("WATCHDOG=1");
        manager.hears("WATCHDOG=1");

        std::fs::write(sidecar.path("policy.toml"), "schema = 1\n[polcy]\n").unwrap();
        kill(sidecar.pid(), Signal::SIGHUP).unwrap();
        let reloading = manager.hears("RELOADING=1");
        let micros = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
        assert!(micros.unwrap().parse::<u64>().unwrap() > 0, "{reloading}");
        let refused = manager.hears("READY=1");
        assert!(refused.contains("; its files were refused: error[P002]"), "{refused}");
        assert_eq!(refused.lines().count(), 2, "{refused}");
        std::fs::write(sidecar.path("policy.toml"), POLICY.replace("manners", "better")).unwrap();
        assert!(toolgate(&sidecar, &["reload"]).status.success());
        manager.hears("RELOADING=1");
        assert_eq!(manager.hears("READY=1"), "READY=1\nSTATUS=judging by better");

        kill(sidecar.pid(), Signal::SIGTERM).unwrap();
        manager.hears("STOPPING=1");
        assert_eq!(ended(&mut sidecar).code(), Some(0));
    }
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn a_sidecar_that_cannot_do_its_work_gives_no_sign_of_life() {
    let name = format!("toolgate-test-watchdog-{}", std::process::id());
    let mut manager = Manager::listen(&SocketAddr::from_abstract_name(&name).unwrap());
    let mut command = program();
    command.env("NOTIFY_SOCKET", format!("@{name}")).env("WATCHDOG_USEC", "20000");
    let sidecar = Sidecar::start_with(POLICY, "", &mut command);
    manager.hears("WATCHDOG=1");
    // A log that fails is tried again, and a new start would not help: life goes on.
    let (log, moved) = (sidecar.path("audit"), sidecar.path("moved"));
    std::fs::rename(&log, &moved).unwrap();
    // A denial waits for the disk, and so finds that the log is gone.
    assert_eq!(sidecar.hook(read(Path::new("/elsewhere/a"))).status.code(), Some(2));
    let mended = |message: &str| message.starts_with("WATCHDOG=1\nSTATUS=the log failed");
    let told = std::iter::repeat_with(|| manager.next()).find(|message| mended(message)).unwrap();
    assert!(told.contains("was moved or removed"), "{told}");
    std::fs::rename(&moved, &log).unwrap();
    manager.hears("STATUS=judging again");
    std::fs::remove_file(sidecar.path("run/s")).unwrap();
    let failing =
        |message: &str| message.starts_with("STATUS=refusing every call: the hook socket");
    while !failing(&manager.next()) {}
    // From then on it says nothing else.
    let said: Vec<String> = (0..10).map(|_| manager.next()).collect();
    assert!(said.iter().all(|message| failing(message)), "{said:?}");
}

#[test]
fn a_watchdog_of_another_process_is_not_fed() {
    let name = format!("toolgate-test-other-{}", std::process::id());
    let mut manager = Manager::listen(&SocketAddr::from_abstract_name(&name).unwrap());
    let mut command = program();
    command.env("NOTIFY_SOCKET", format!("@{name}")).env("WATCHDOG_USEC", "1000");
    command.env("WATCHDOG_PID", std::process::id().to_string());
    let sidecar = Sidecar::start_with(POLICY, "", &mut command);
    manager.hears("READY=1");
    sidecar.hook(read(&sidecar.path("work/a")));
    sidecar.stop();
    manager.hears("STOPPING=1");
    assert!(manager.heard.iter().all(|said| !said.contains("WATCHDOG")), "{:?}", manager.heard);
}

/// A key of the shape that the detectors know, put together so that no scanner takes it for one.
fn key() -> String {
    ["AKIA", "QXZ7RT5VWNP3KLDM"].concat()
}

#[test]
fn every_message_is_a_line_of_json_and_holds_nothing_of_a_call() {
    let mark = "Zq7Secret";
    let mut command = program();
    command.env("TOOLGATE_LOG", "trace").stdout(Stdio::piped());
    // The arguments of the harness come after these: `serve` takes them in any order.
    let mut sidecar = Sidecar::start_with(POLICY, "", log_as_json(&mut command));
    for event in [
        read(&sidecar.path("work").join(mark)),
        json!({"session_id": mark, "cwd": format!("/{mark}"), "permission_mode": mark,
               "hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_use_id": mark,
               "tool_input": {"command": format!("cat {} {mark} $(", key())}})
        .to_string(),
        json!({"session_id": mark, "cwd": "/", "permission_mode": "default",
               "hook_event_name": "PostToolUse", "tool_name": "Bash", "tool_use_id": mark,
               "tool_input": {"command": "cat a"}, "tool_response": {"stdout": key(), "stderr": "",
               "interrupted": false, "isImage": false}})
        .to_string(),
        format!("{{\"hook_event_name\": \"{mark}"),
        format!("{mark}{}", key()),
    ] {
        sidecar.hook(event);
    }
    std::fs::write(sidecar.path("policy.toml"), "schema = 1\n[polcy]\n").unwrap();
    toolgate(&sidecar, &["reload"]);
    kill(sidecar.pid(), Signal::SIGTERM).unwrap();
    assert_eq!(ended(&mut sidecar).code(), Some(0));
    let mut out = Vec::new();
    sidecar.child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
    assert_eq!(String::from_utf8_lossy(&out), "");
    let told = std::fs::read_to_string(sidecar.path("stderr")).unwrap();
    let messages: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let says = |what: &str| {
        messages.iter().any(|message| {
            message["fields"]["message"].as_str().is_some_and(|said| said.starts_with(what))
        })
    };
    assert!(says("listening on ") && says("a policy was refused"), "{told}");
    let loaded = messages.iter().find(|said| said["fields"]["message"] == "the policy is loaded");
    let fields = &loaded.unwrap()["fields"];
    assert_eq!(
        (&fields["policy"], &fields["log"]),
        (&json!("manners"), &json!(sidecar.path("audit")))
    );
    assert!(!told.contains(mark) && !told.contains(&key()), "{told}");
}

#[test]
fn a_sidecar_that_does_not_start_says_so_in_json_too() {
    let mut command = program();
    command.args(["serve", "--log-format", "json", "--config", "/nowhere/toolgate.toml"]);
    let output = command.output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    let message: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(message["level"], "ERROR");
    assert!(message["fields"]["why"].as_str().unwrap().contains("`/nowhere/toolgate.toml`"));
}

#[test]
fn what_was_taken_is_told_without_colour_and_a_filter_that_is_none_is_not_obeyed() {
    let sidecar = Sidecar::start_with(
        POLICY,
        "",
        program().env("TOOLGATE_LOG", "bogus").env_remove("NO_COLOR"),
    );
    let told = std::fs::read_to_string(sidecar.path("stderr")).unwrap();
    assert!(told.contains("this is no filter") && told.contains("bogus"), "{told}");
    let work = sidecar.path("work");
    assert!(told.contains("policy=manners sha256="), "{told}");
    assert!(told.contains(&format!("workspace={} ", work.display())), "{told}");
    assert!(!told.contains('\u{1b}'), "{told}");
}

#[test]
fn a_workspace_that_is_not_there_is_refused_where_it_would_be_seen() {
    let mut command = program();
    command.args(["serve", "--workspace", "/nonexistent/work"]).env("HOME", "/nonexistent");
    let output = command.env_remove("XDG_CONFIG_HOME").output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(told.contains("the workspace `/nonexistent/work` is no directory here"), "{told}");
}

#[test]
fn a_socket_that_cannot_be_made_says_what_names_it() {
    let scratch = tempfile::Builder::new().prefix("m").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
    let scratch = scratch.unwrap();
    let at = scratch.path().display();
    for (hook, admin, named) in [
        ("no/run", "run", "--socket, or `socket` in `[hook]`"),
        ("run", "no/run", "`socket` in `[admin]`"),
    ] {
        let config = format!(
            "[hook]\nsocket = \"{at}/{hook}/s\"\n[admin]\nsocket = \"{at}/{admin}/a\"\n\
             [policy]\nworkspace = \"{at}\"\n[audit]\ndir = \"{at}/audit\"\n"
        );
        let file = scratch.path().join("toolgate.toml");
        std::fs::write(&file, config).unwrap();
        let output = program().args(["serve", "--config"]).arg(&file).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.ends_with(&format!("make it, or name another with {named}\n")), "{told}");
    }
}

/// A shell puts the argument behind those of the harness.
fn log_as_json(command: &mut Command) -> &mut Command {
    let through = std::mem::replace(command, Command::new("sh"));
    command.args(["-c", "exec \"$0\" \"$@\" --log-format json"]).arg(through.get_program());
    for (name, value) in through.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.stdout(Stdio::piped())
}

/// The unit of the operator's guide, if there is a systemd here to ask.
#[test]
fn the_unit_of_the_operators_guide_is_one() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/service/README.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let (_, unit) = guide.split_once("```ini\n").unwrap();
    let (unit, _) = unit.split_once("```\n").unwrap();
    // It starts what the guide's configuration says, as an ordinary user.
    let (_, config) = guide.split_once("```toml\n").unwrap();
    let (config, _) = config.split_once("```\n").unwrap();
    let config: Config = toml::from_str(config).unwrap();
    let admin = config.admin_socket().unwrap();
    let group = format!("SupplementaryGroups={}", config.hook.group.unwrap());
    let reload = format!("ExecReload=/usr/local/bin/toolgate reload --socket {}", admin.display());
    for line in ["Type=notify", "WatchdogSec=30", &group, &reload] {
        assert!(unit.lines().any(|said| said == line), "{line}");
    }
    let made = unit.lines().find_map(|line| line.strip_prefix("RuntimeDirectory=")).unwrap();
    for socket in [config.hook.socket.clone(), admin] {
        let directory = socket.parent().unwrap();
        assert!(made.split(' ').any(|name| directory == Path::new("/run").join(name)), "{made}");
    }
    let is_here = |path: &&str| Path::new(path).exists();
    let Some(analyze) =
        ["/usr/bin/systemd-analyze", "/bin/systemd-analyze"].into_iter().find(is_here)
    else {
        eprintln!("skipped: there is no systemd-analyze here");
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    // The program and its user as they are here; all else as it stands.
    let unit = unit
        .replace("/usr/local/bin/toolgate", env!("CARGO_BIN_EXE_toolgate"))
        .replace("User=toolgate\nGroup=toolgate\n", "");
    let file = scratch.path().join("toolgate.service");
    std::fs::write(&file, unit).unwrap();
    let output = Command::new(analyze).args(["verify", "--man=no"]).arg(&file).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let ours: Vec<_> = told.lines().filter(|line| line.contains("toolgate")).collect();
    assert!(output.status.success() && ours.is_empty(), "{told}");
}

/// `toolgate audit`, on this sidecar's log: exit code, standard output, standard error.
fn audit(sidecar: &Sidecar, arguments: &[&str]) -> (i32, String, String) {
    let mut command = program();
    command.arg("audit").args(arguments).arg("--audit").arg(sidecar.path("audit"));
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_log_is_read_by_people() {
    let sidecar = Sidecar::start(POLICY);
    assert_eq!(sidecar.hook(read(&sidecar.path("work/a"))).status.code(), Some(0));
    // A call that no hook was asked about, and what is no event.
    let after = json!({
        "session_id": "s", "cwd": "/", "permission_mode": "default", "tool_use_id": "other",
        "hook_event_name": "PostToolUse", "tool_name": "Read", "tool_response": "x",
        "tool_input": {"file_path": sidecar.path("work/b")},
    });
    sidecar.hook(after.to_string());
    sidecar.hook("no event");
    let ran = |arguments: &[&str]| {
        let (code, out, err) = audit(&sidecar, arguments);
        assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}");
        out
    };
    // The one below the head.
    let line = |arguments: &[&str]| {
        let out = ran(arguments);
        assert_eq!(out.lines().count(), 2, "{arguments:?}: {out}");
        out.lines().nth(1).unwrap().to_owned()
    };
    let finding = line(&["query", "--kind", "finding"]);
    assert!(finding.contains("  finding ") && finding.contains("call_without_pre"), "{finding}");
    assert_eq!(line(&["query", "--code", "call_without_pre"]), finding);
    let (code, out, err) = audit(&sidecar, &["query", "--code", "no_end"]);
    assert!(code == 0 && out.is_empty() && err.contains("nothing fits"), "{out}{err}");
    assert!(ran(&["tail"]).contains(&finding));
    // Its number is what `show` takes.
    let seq = finding.split_whitespace().next().unwrap();
    let shown = ran(&["show", seq, "--raw"]);
    assert!(shown.contains("\"code\":\"call_without_pre\""), "{shown}");
    assert!(ran(&["query", "--kind", "bad_input"]).lines().all(|line| line.len() > 70));
    assert!(ran(&["query", "--kind", "policy.load"]).contains("start: manners"));
    for what in ["tool", "session", "rule"] {
        let (code, out, err) = audit(&sidecar, &["query", &format!("--{what}"), "nobody"]);
        assert_eq!((code, out.as_str()), (0, ""));
        assert!(err.contains("warning: no record") && err.contains("`nobody`"), "{err}");
    }
    for (option, slip) in [("--decision", "dny"), ("--kind", "findings"), ("--code", "noend")] {
        let (code, out, err) = audit(&sidecar, &["query", option, slip]);
        assert_eq!((code, out.as_str()), (2, ""));
        assert!(err.contains(&format!("`{slip}`")), "{err}");
    }
    let none = "error: no record has the id `9999`\n".to_owned();
    assert_eq!(audit(&sidecar, &["show", "9999"]), (1, String::new(), none));
    let newest = sidecar::files_below(&sidecar.path("audit")).pop().unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(newest).unwrap();
    file.write_all(b"no record\n").unwrap();
    assert_eq!(audit(&sidecar, &["query", "--count"]).0, 1);
    assert_eq!(audit(&sidecar, &["tail"]).0, 1);
}
