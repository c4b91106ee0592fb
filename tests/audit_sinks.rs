//! Where records go besides the file: into a real rsyslog, over Unix socket and TCP, with the
//! sidecar and the daemon killed in between; to standard output; and what calls come to while a
//! sink that they depend on hangs, refuses or is gone.
#![cfg(test)]

#[path = "harness/restart.rs"]
mod restart;
#[path = "harness/sidecar.rs"]
#[expect(dead_code, reason = "not every test asks all of the harness")]
mod sidecar;

use nix::sys::signal::Signal;

use restart::restart;
use serde_json::{Value, json};
use sidecar::{Sidecar, files_below, until};
use std::collections::BTreeSet;

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const POLICY: &str = r#"
schema = 1
[policy]
name    = "reader"
version = "1"
default = "deny"
[read]
allow = ["**"]
[call]
allow = ["**"]
"#;

/// The rsyslog of the operator's guide: every record whole, a line each.
fn rsyslog_conf(at: &Path, input: &str) -> String {
    format!(
        r#"global(workDirectory="{at}" maxMessageSize="128k" parser.escapeControlCharactersOnReceive="off")
module(load="imuxsock" SysSock.Use="off")
module(load="imtcp")
{input}
template(name="line" type="string" string="%msg%\n")
template(name="data" type="string" string="%pri% %app-name% %msgid% %structured-data%\n")
if $app-name == "toolgate" then {{
    action(type="omfile" file="{at}/records.jsonl" template="line" asyncWriting="off" flushOnTXEnd="on")
    action(type="omfile" file="{at}/data" template="data" asyncWriting="off" flushOnTXEnd="on")
}}
"#,
        at = at.display()
    )
}

/// A rsyslog of the test's own, which ends with it.
struct Rsyslog {
    at: PathBuf,
    child: Child,
}

impl Rsyslog {
    fn start(at: &Path, input: &str) -> Rsyslog {
        std::fs::create_dir_all(at).unwrap();
        std::fs::write(at.join("conf"), rsyslog_conf(at, input)).unwrap();
        Rsyslog { at: at.to_owned(), child: Rsyslog::spawn(at) }
    }

    fn spawn(at: &Path) -> Child {
        let said = std::fs::File::create(at.join("stderr")).unwrap();
        let mut command = Command::new("rsyslogd");
        command.args(["-n", "-f"]).arg(at.join("conf")).arg("-i").arg(at.join("pid"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn().unwrap()
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn start_again(&mut self) {
        let _ = std::fs::remove_file(self.at.join("pid"));
        self.child = Rsyslog::spawn(&self.at);
    }

    /// The lines that arrived, each once, in the order in which they first did.
    fn records(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.at.join("records.jsonl")).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let mut seen = BTreeSet::new();
        whole.lines().filter(|line| seen.insert(*line)).map(str::to_owned).collect()
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody has at this moment.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A sidecar with more lines behind `[audit]`.
fn with_sinks(audit: &str, command: &mut Command) -> Sidecar {
    Sidecar::start_logging(POLICY, "", None, &format!("[[audit.sink]]\n{audit}"), command)
}

/// The lines of the log, in order.
fn lines(sidecar: &Sidecar) -> Vec<String> {
    let files = files_below(&sidecar.path("audit"));
    let text: String = files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    text.lines().map(str::to_owned).collect()
}

/// What the client says to one call, and how long it took.
fn read(sidecar: &Sidecar, number: usize) -> (String, Duration) {
    let event = json!({
        "hook_event_name": "PreToolUse", "session_id": "s-1", "cwd": sidecar.path("work"),
        "tool_name": "Read", "tool_input": {"file_path": sidecar.path(&format!("work/{number}"))},
        "tool_use_id": format!("toolu_{number}"),
    });
    let began = Instant::now();
    let output = sidecar.hook(event.to_string());
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let decision = answer["hookSpecificOutput"]["permissionDecision"].as_str().unwrap_or("none");
    (decision.to_owned(), began.elapsed())
}

fn health(sidecar: &Sidecar) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    command.arg("health").arg("--socket").arg(sidecar.socket().with_file_name("admin.sock"));
    let output = command.output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// All of the log is in rsyslog's file, in the log's order, with nothing between.
fn arrives(sidecar: &Sidecar, rsyslog: &Rsyslog) {
    until("every record arrives", || {
        (rsyslog.records().len() >= lines(sidecar).len()).then_some(())
    });
    let (got, expected) = (rsyslog.records(), lines(sidecar));
    let differs = got.iter().zip(&expected).find(|(one, other)| one != other);
    assert!(got.len() == expected.len() && differs.is_none(), "{differs:?}");
}

#[test]
fn rsyslog_has_every_line_though_both_are_killed() {
    for transport in ["unix", "tcp"] {
        let scratch = tempfile::Builder::new().prefix("r").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        let scratch = scratch.unwrap();
        let (input, to) = match transport {
            "unix" => {
                let socket = scratch.path().join("log").display().to_string();
                (
                    format!(
                        "input(type=\"imuxsock\" Socket=\"{socket}\" CreatePath=\"on\" \
                  UseSpecialParser=\"off\" ParseHostname=\"on\" RateLimit.Interval=\"0\")"
                    ),
                    format!("unix:{socket}"),
                )
            }
            _ => {
                let port = free_port();
                (
                    format!("input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")"),
                    format!("tcp://127.0.0.1:{port}"),
                )
            }
        };
        let mut rsyslog = Rsyslog::start(&scratch.path().join("d"), &input);
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
        let sink = format!("kind = \"syslog\"\nto = \"{to}\"\n");
        let mut sidecar = with_sinks(&sink, &mut command);
        (0..5).for_each(|number| assert_eq!(read(&sidecar, number).0, "allow"));
        arrives(&sidecar, &rsyslog);
        // The sidecar is killed, and goes on where it was.
        restart(&mut sidecar, Signal::SIGKILL);
        (5..10).for_each(|number| assert_eq!(read(&sidecar, number).0, "allow"));
        arrives(&sidecar, &rsyslog);
        // The daemon is killed, misses some, and both are back.
        rsyslog.kill();
        (10..15).for_each(|number| assert_eq!(read(&sidecar, number).0, "allow"));
        restart(&mut sidecar, Signal::SIGKILL);
        (15..20).for_each(|number| assert_eq!(read(&sidecar, number).0, "allow"));
        rsyslog.start_again();
        arrives(&sidecar, &rsyslog);
        let data = std::fs::read_to_string(rsyslog.at.join("data")).unwrap();
        let call = data.lines().find(|line| line.contains("tool.pre")).unwrap();
        for part in [
            "86 toolgate tool.pre [toolgate@32473 stream=\"",
            "decision=\"allow\"",
            "tool=\"Read\"",
            "session=\"s-1\"",
        ] {
            assert!(call.contains(part), "{call}");
        }
        sidecar.stop();
    }
}

#[test]
fn standard_output_has_the_log_as_it_stands() {
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let out = scratch.path().join("out");
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    command.stdout(std::fs::File::create(&out).unwrap());
    let sidecar =
        with_sinks("kind = \"stdout\"\nmode = \"required\"\ndeadline_ms = 30000\n", &mut command);
    (0..3).for_each(|number| assert_eq!(read(&sidecar, number).0, "allow"));
    let text = || std::fs::read_to_string(&out).unwrap();
    until("all is there", || (text().lines().count() >= lines(&sidecar).len()).then_some(()));
    assert!(text().lines().eq(lines(&sidecar)));
    sidecar.stop();
}

#[test]
fn calls_are_refused_while_a_required_sink_hangs_refuses_or_is_gone() {
    // It listens and never reads: sooner or later the sender's buffer is full, as behind a
    // firewall that swallows everything.
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = hangs.local_addr().unwrap();
    let sink =
        format!("kind = \"syslog\"\nto = \"tcp://{to}\"\nmode = \"required\"\ndeadline_ms = 100\n");
    let sidecar = with_sinks(&sink, &mut Command::new(env!("CARGO_BIN_EXE_toolgate")));
    until("a call is let through", || (read(&sidecar, 0).0 == "allow").then_some(()));
    // It is gone, and with it what it had not read.
    let (stream, _) = hangs.accept().unwrap();
    drop((stream, hangs));
    let refused = until("a call is refused", || {
        let (decision, took) = read(&sidecar, 1);
        (decision == "deny").then_some(took)
    });
    // No call waits for the sink: what takes time is starting the client.
    assert!(refused < Duration::from_secs(5), "{refused:?}");
    let told = health(&sidecar);
    assert!(told.contains("the sink `syslog` is"), "{told}");
    let records = sidecar.records();
    let newest = records.iter().rev().find(|record| record["kind"] == "tool.pre").unwrap();
    assert_eq!(newest["decision"]["effect"], "deny");
    let reason = newest["decision"]["reason"].as_str().unwrap();
    assert!(reason.contains("the sink `syslog` has not taken"), "{reason}");
    // Somebody takes them again.
    let listener = until("the port is free", || TcpListener::bind(to).ok());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream: TcpStream = stream.unwrap();
            std::thread::spawn(move || std::io::copy(&mut stream, &mut std::io::sink()));
        }
    });
    until("calls go on", || (read(&sidecar, 2).0 == "allow").then_some(()));
    sidecar.stop();
}

#[test]
fn a_best_effort_sink_that_is_gone_costs_no_call() {
    let sink = format!("kind = \"syslog\"\nto = \"tcp://127.0.0.1:{}\"\n", free_port());
    let sidecar = with_sinks(&sink, &mut Command::new(env!("CARGO_BIN_EXE_toolgate")));
    until("it is told of", || health(&sidecar).contains("the sink `syslog` is").then_some(()));
    (0..3).for_each(|number| assert_eq!(read(&sidecar, number).0, "allow"));
    sidecar.stop();
}

#[test]
fn no_call_waits_for_a_required_sink_that_hangs() {
    let scratch = tempfile::Builder::new().prefix("h").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
    let path = scratch.as_ref().unwrap().path().join("log");
    // Nobody reads from it, so that the queue behind it fills and sending blocks.
    let hangs = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    let sink = format!(
        "kind = \"syslog\"\nto = \"unix:{}\"\nmode = \"required\"\ndeadline_ms = 100\n",
        path.display()
    );
    let sidecar = with_sinks(&sink, &mut Command::new(env!("CARGO_BIN_EXE_toolgate")));
    let mut number = 0;
    let took = until("a call is refused", || {
        number += 1;
        let (decision, took) = read(&sidecar, number);
        (decision == "deny").then_some(took)
    });
    // Starting the client takes all of this; the sink's own limit is ten seconds.
    assert!(took < Duration::from_secs(5), "{took:?}");
    let reader = std::thread::spawn(move || {
        let mut bytes = vec![0; 1 << 17];
        hangs.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        while hangs.recv(&mut bytes).is_ok_and(|length| length > 1) {}
    });
    until("calls go on", || (read(&sidecar, 0).0 == "allow").then_some(()));
    sidecar.stop();
    std::os::unix::net::UnixDatagram::unbound().unwrap().send_to(b"x", &path).unwrap();
    reader.join().unwrap();
}

#[test]
fn signed_heads_leave_as_they_are_made_and_hold_the_log_to_its_end() {
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (newest, all) = (scratch.path().join("newest"), scratch.path().join("all"));
    let audit = format!(
        "checkpoint_ms = 10\n[[audit.head]]\nto = \"file:{}\"\n[[audit.head]]\nto = \"file:{}\"\n\
         append = true\n",
        newest.display(),
        all.display()
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    let sidecar = Sidecar::start_logging(POLICY, "", None, &audit, &mut command);
    // The size of the tree stands in a note's second line.
    let size = || {
        let note = std::fs::read_to_string(&newest).ok()?;
        note.lines().nth(1)?.parse::<usize>().ok()
    };
    let before = until("a head comes", size);
    (0..3).for_each(|number| assert_eq!(read(&sidecar, number).0, "allow"));
    until("the calls are under a head", || size().filter(|size| *size >= before + 3));
    assert!(std::fs::read_to_string(&all).unwrap().matches("\n\n\u{2014} ").count() >= 2);
    let verify = |head: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
        command.args(["audit", "verify", "--audit"]).arg(sidecar.path("audit"));
        command.arg("--head").arg(head).output().unwrap()
    };
    let kept = scratch.path().join("kept");
    std::fs::copy(&newest, &kept).unwrap();
    let told = verify(&kept);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stdout));
    // Cut off behind the first records, the log no longer reaches what the head says.
    let log = files_below(&sidecar.path("audit")).pop().unwrap();
    let text = std::fs::read_to_string(&log).unwrap();
    let short: String = text.lines().take(3).map(|line| format!("{line}\n")).collect();
    std::fs::write(&log, short).unwrap();
    assert_eq!(verify(&kept).status.code(), Some(1));
}

/// Takes what is posted to it over TLS, and adds it to a file.
const HTTPS_RECEIVER: &str = r#"
import http.server, ssl, sys
at, = sys.argv[1:]
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        with open(at + "/posted", "ab") as out:
            out.write(body)
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(at + "/cert", at + "/key")
server.socket = context.wrap_socket(server.socket, server_side=True)
with open(at + "/port.new", "w") as out:
    out.write(str(server.server_port))
import os
os.rename(at + "/port.new", at + "/port")
server.serve_forever()
"#;

#[test]
fn heads_go_by_https_to_who_is_trusted_and_to_nobody_else() {
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let at = scratch.path();
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ]);
    openssl.args(["-days", "2", "-subj", "/CN=heads.example", "-addext"]);
    openssl.args(["subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]);
    openssl.arg("-out").arg(at.join("cert")).arg("-keyout").arg(at.join("key"));
    let made = openssl.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut receiver = Command::new("python3");
    receiver.args(["-c", HTTPS_RECEIVER]).arg(at).stderr(Stdio::null());
    let receiver = Rsyslog { at: at.to_owned(), child: receiver.spawn().unwrap() };
    let port = until("the receiver listens", || std::fs::read_to_string(at.join("port")).ok());
    let audit =
        format!("checkpoint_ms = 10\n[[audit.head]]\nto = \"https://127.0.0.1:{port}/heads\"");
    let posted = || std::fs::read_to_string(at.join("posted")).unwrap_or_default();
    let start = |trusts: bool| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
        if trusts {
            command.env("SSL_CERT_FILE", at.join("cert"));
        }
        Sidecar::start_logging(POLICY, "", None, &audit, &mut command)
    };
    // Its certificate is nobody's that this machine trusts: no head goes there, and that is told.
    let sidecar = start(false);
    let said = || std::fs::read_to_string(sidecar.path("stderr")).unwrap();
    until("the failure is told", || {
        assert!(!said().contains("panicked"), "{}", said());
        said().contains("certificate").then_some(())
    });
    assert_eq!(read(&sidecar, 0).0, "allow");
    assert_eq!(posted(), "");
    sidecar.stop();

    let sidecar = start(true);
    assert_eq!(read(&sidecar, 0).0, "allow");
    let note = until("a head comes", || {
        let all = format!("\n{}", posted());
        let (_, last) = all.rsplit_once("\ntoolgate/")?;
        (last.lines().nth(1)?.parse::<usize>().ok()? > 3 && last.ends_with('\n'))
            .then(|| format!("toolgate/{last}"))
    });
    let head = at.join("head");
    std::fs::write(&head, note).unwrap();
    let mut verify = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    verify.args(["audit", "verify", "--audit"]).arg(sidecar.path("audit"));
    let told = verify.arg("--head").arg(&head).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stdout));
    sidecar.stop();
    drop(receiver);
}
