//! What the sidecar counts: the text is what Prometheus reads, the numbers are those of the calls,
//! the operator's guide names all of it, and nothing of a call is in it.
#![cfg(test)]

#[path = "metrics/exposition.rs"]
mod exposition;
#[path = "harness/sidecar.rs"]
mod sidecar;

use exposition::Exposition;
use serde_json::{Value, json};
use sidecar::Sidecar;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const POLICY: &str = r#"
schema = 1
[policy]
name    = "counted"
version = "3"
default = "deny"
[read]
allow = ["$workspace/"]
[call]
allow = ["Read", "Bash"]
[exec]
allow = ["cat ..."]
[[rule]]
id    = "no-dotenv"
deny  = "read"
match = ["**/.env"]
[[rule]]
id    = "ask-notes"
ask   = "read"
match = ["**/notes"]
[[rule]]
id     = "tried"
mode = "shadow"
deny   = "read"
match  = ["**/tried"]
[[rule]]
id     = "hide-keys"
redact = "output"
match  = ["$keys"]
[[rule]]
id    = "tested"
note  = "read"
match = ["$workspace/proof"]
mark  = ["tested"]
[[rule]]
id    = "untested"
ask   = "exec"
match = ["git push"]
when  = { not_seen = "tested" }
"#;

/// A key of the shape that the detectors know, put together so that no scanner takes it for one.
fn key() -> String {
    ["AKIA", "QXZ7RT5VWNP3KLDM"].concat()
}

fn admin_socket(sidecar: &Sidecar) -> PathBuf {
    sidecar.socket().with_file_name("admin.sock")
}

fn toolgate(sidecar: &Sidecar, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    command.args(arguments).arg("--socket").arg(admin_socket(sidecar)).output().unwrap()
}

fn text(sidecar: &Sidecar) -> String {
    let output = toolgate(sidecar, &["metrics"]);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn counted(sidecar: &Sidecar) -> Exposition {
    Exposition::read(&text(sidecar)).unwrap()
}

/// An event of a Read, or of what came back from it.
fn read(path: &Path, came_back: Option<&str>) -> String {
    let mut event = json!({
        "session_id": "s", "cwd": path.parent(), "permission_mode": "default", "tool_use_id": path,
        "hook_event_name": "PreToolUse", "tool_name": "Read", "tool_input": {"file_path": path},
    });
    if let Some(content) = came_back {
        event["hook_event_name"] = "PostToolUse".into();
        event["tool_response"] = json!({
            "type": "text",
            "file": {"filePath": path, "content": content, "numLines": 1, "startLine": 1,
                     "totalLines": 1},
        });
    }
    event.to_string()
}

/// What a call adds: some numbers, all others none.
struct Case {
    what: &'static str,
    event: Box<dyn Fn(&Path) -> String>,
    adds: &'static [&'static str],
}

const ANSWERED: &str = "toolgate_answer_seconds_count{}";
const DECIDED: &str = "toolgate_decision_seconds_count{}";

fn cases() -> Vec<Case> {
    let case = |what, event: fn(&Path) -> String, adds| Case { what, event: Box::new(event), adds };
    vec![
        case(
            "an allow",
            |work| read(&work.join("a"), None),
            &[
                ANSWERED,
                DECIDED,
                "toolgate_decisions_total{effect=allow,phase=pre,plane=hook}",
                "toolgate_decision_bases_total{basis=rule,effect=allow}",
                "toolgate_rule_matches_total{effect=allow,rule=call.allow:Read}",
                "toolgate_rule_matches_total{effect=allow,rule=read.allow:$workspace/}",
                "toolgate_sessions{}",
            ],
        ),
        case(
            "a deny, by its rule",
            |work| read(&work.join(".env"), None),
            &[
                ANSWERED,
                DECIDED,
                "toolgate_decisions_total{effect=deny,phase=pre,plane=hook}",
                "toolgate_decision_bases_total{basis=rule,effect=deny}",
                "toolgate_rule_matches_total{effect=deny,rule=no-dotenv}",
                "toolgate_rule_matches_total{effect=allow,rule=call.allow:Read}",
                "toolgate_rule_matches_total{effect=allow,rule=read.allow:$workspace/}",
            ],
        ),
        case(
            "a deny by no rule",
            |_| read(Path::new("/elsewhere/x"), None),
            &[
                ANSWERED,
                DECIDED,
                "toolgate_decisions_total{effect=deny,phase=pre,plane=hook}",
                "toolgate_decision_bases_total{basis=default,effect=deny}",
                "toolgate_rule_matches_total{effect=allow,rule=call.allow:Read}",
            ],
        ),
        case(
            "an ask",
            |work| read(&work.join("notes"), None),
            &[
                ANSWERED,
                DECIDED,
                "toolgate_decisions_total{effect=ask,phase=pre,plane=hook}",
                "toolgate_decision_bases_total{basis=rule,effect=ask}",
                "toolgate_rule_matches_total{effect=ask,rule=ask-notes}",
                "toolgate_rule_matches_total{effect=allow,rule=call.allow:Read}",
                "toolgate_rule_matches_total{effect=allow,rule=read.allow:$workspace/}",
            ],
        ),
        case(
            "a rule in shadow mode",
            |work| read(&work.join("tried"), None),
            &[
                ANSWERED,
                DECIDED,
                "toolgate_decisions_total{effect=allow,phase=pre,plane=hook}",
                "toolgate_decision_bases_total{basis=rule,effect=allow}",
                "toolgate_shadow_rule_matches_total{effect=deny,rule=tried}",
                "toolgate_rule_matches_total{effect=allow,rule=call.allow:Read}",
                "toolgate_rule_matches_total{effect=allow,rule=read.allow:$workspace/}",
            ],
        ),
        case(
            "an output that is redacted",
            |work| read(&work.join("a"), Some(&key())),
            &[
                ANSWERED,
                DECIDED,
                "toolgate_decisions_total{effect=allow,phase=post,plane=hook}",
                "toolgate_decision_bases_total{basis=rule,effect=allow}",
                "toolgate_rule_matches_total{effect=redact,rule=hide-keys}",
                "toolgate_obligations_total{obligation=replace_output}",
            ],
        ),
        case(
            "what nobody can read",
            |_| "{".to_owned(),
            &[ANSWERED, "toolgate_bad_inputs_total{listener=hook}"],
        ),
        case(
            "an event that holds no call",
            |_| {
                json!({"session_id": "s", "cwd": "/", "hook_event_name": "SessionStart",
                   "source": "startup"})
                .to_string()
            },
            &[ANSWERED],
        ),
    ]
}

#[test]
fn every_call_is_counted_once_and_with_its_rules() {
    let sidecar = Sidecar::start(POLICY);
    let work = sidecar.path("work");
    for case in cases() {
        let before = counted(&sidecar);
        sidecar.hook((case.event)(&work));
        let added = counted(&sidecar).since(&before);
        let expected = case.adds.iter().map(|name| ((*name).to_owned(), 1.0)).collect();
        assert_eq!(added, expected, "{}", case.what);
    }
    let all = counted(&sidecar);
    let sum = |name: &str| all.sum(name);
    assert_eq!(sum("toolgate_decisions_total"), 6.0);
    assert_eq!(sum("toolgate_decision_bases_total"), 6.0);
    assert_eq!(sum("toolgate_decision_seconds_count"), 6.0);
    assert_eq!(all.value("toolgate_ready{}"), Some(1.0));
    assert_eq!(all.value("toolgate_log_failed{}"), Some(0.0));
    assert_eq!(all.value("toolgate_connections{listener=admin}"), Some(1.0));
    assert_eq!(all.value("toolgate_connections{listener=hook}"), Some(0.0));
    let build = format!("toolgate_build_info{{version={}}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(all.value(&build), Some(1.0));
    sidecar.stop();
}

#[test]
fn reloads_findings_and_refused_requests_are_counted() {
    let sidecar = Sidecar::start(&format!("{POLICY}[labels]\nexternal = [\"approved:*\"]\n"));
    let work = sidecar.path("work");
    let policy = |text: &str| std::fs::write(sidecar.path("policy.toml"), text).unwrap();
    let added = |act: &dyn Fn()| {
        let before = counted(&sidecar);
        act();
        counted(&sidecar).since(&before).into_iter().collect::<Vec<_>>()
    };
    let one = |name: &str| vec![(name.to_owned(), 1.0)];
    let reload = || drop(toolgate(&sidecar, &["reload"]));
    assert_eq!(added(&reload), one("toolgate_reloads_total{outcome=unchanged}"));
    policy("schema = 1\n[polcy]\n");
    assert_eq!(added(&reload), one("toolgate_reloads_total{outcome=refused}"));
    // The rules are others now: one is gone with its count, and there is a new one at zero.
    sidecar.hook(read(&work.join(".env"), None));
    assert_eq!(counted(&sidecar).rules().get("no-dotenv"), Some(&1.0));
    policy(&POLICY.replace("no-dotenv", "no-env-files").replace("\"3\"", "\"4\""));
    assert_eq!(added(&reload)[0], ("toolgate_reloads_total{outcome=loaded}".to_owned(), 1.0));
    let rules = counted(&sidecar).rules();
    assert_eq!((rules.get("no-dotenv"), rules.get("no-env-files")), (None, Some(&0.0)));
    sidecar.hook(read(&work.join(".env"), None));
    assert_eq!(counted(&sidecar).rules().get("no-env-files"), Some(&1.0));

    let nonsense = || {
        let mut stream = std::os::unix::net::UnixStream::connect(admin_socket(&sidecar)).unwrap();
        stream.write_all(b"\"stop\"\n").unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    };
    assert_eq!(added(&nonsense), one("toolgate_bad_inputs_total{listener=admin}"));

    // The end of a call that nobody admitted would set a proof.
    sidecar.hook(read(&work.join("proof"), Some("x")));
    let all = counted(&sidecar);
    let codes: Vec<String> = sidecar
        .records()
        .iter()
        .filter(|record| record["kind"] == "finding")
        .map(|record| record["details"]["code"].as_str().unwrap().to_owned())
        .collect();
    assert!(!codes.is_empty());
    assert_eq!(all.sum("toolgate_findings_total"), codes.len() as f64);
    for code in codes {
        assert!(all.value(&format!("toolgate_findings_total{{code={code}}}")).is_some(), "{code}");
    }
    sidecar.stop();
}

#[test]
fn a_sidecar_that_cannot_record_says_so_and_counts_its_refusals() {
    let sidecar = Sidecar::start(POLICY);
    let before = counted(&sidecar);
    std::fs::rename(sidecar.path("audit"), sidecar.path("moved")).unwrap();
    for _ in 0..2 {
        // A denial waits for the disk, and so finds that the log is gone.
        assert_eq!(sidecar.hook(read(Path::new("/elsewhere/a"), None)).status.code(), Some(2));
    }
    let after = counted(&sidecar);
    assert_eq!(after.value("toolgate_log_failed{}"), Some(1.0));
    assert_eq!(after.value("toolgate_ready{}"), Some(0.0));
    let added = after.since(&before);
    let refused = "toolgate_decision_bases_total{basis=unrecorded,effect=deny}";
    assert_eq!(added.get(refused), Some(&2.0), "{added:?}");
}

#[test]
fn nothing_of_a_call_is_in_it() {
    let sidecar = Sidecar::start(POLICY);
    let mark = "Zq7Secret";
    let events = [
        json!({"session_id": mark, "cwd": format!("/{mark}"), "permission_mode": mark,
               "tool_use_id": mark, "hook_event_name": "PreToolUse", "tool_name": mark,
               "tool_input": {mark: mark}}),
        json!({"session_id": mark, "cwd": "/", "permission_mode": "default", "tool_use_id": mark,
               "hook_event_name": "PreToolUse", "tool_name": "Bash",
               "tool_input": {"command": format!("cat {mark} {}", key())}}),
        json!({"session_id": "s", "cwd": "/", "hook_event_name": mark}),
        Value::String(mark.to_owned()),
    ];
    for event in events {
        sidecar.hook(event.to_string());
    }
    let told = text(&sidecar);
    assert!(counted(&sidecar).sum("toolgate_decisions_total") >= 2.0);
    assert!(!told.contains(mark) && !told.contains(&key()), "{told}");
    assert!(sidecar.records().iter().any(|record| record.to_string().contains(mark)));
    sidecar.stop();
}

#[test]
fn the_operators_guide_names_every_metric_and_no_other() {
    let guide = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/service/README.md"),
    )
    .unwrap();
    let (_, section) = guide.split_once("\n## Metrics\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    // | `name{labels}` | type | meaning |
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let (name, kind) = (cells.next()?.strip_suffix('`')?, cells.next()?);
        let (name, labels) = match name.strip_suffix('}').and_then(|name| name.split_once('{')) {
            Some((name, labels)) => (name, labels.split(',').map(str::to_owned).collect()),
            None => (name, BTreeSet::new()),
        };
        Some((name.to_owned(), kind.to_owned(), labels))
    };
    let named: BTreeSet<_> = section.lines().filter_map(row).collect();
    let policy = format!("{POLICY}[labels]\nexternal = [\"approved:*\"]\n");
    // A sink, so that its families are there.
    let sink = "[[audit.sink]]\nkind = \"stdout\"\nname = \"out\"";
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    let sidecar = Sidecar::start_logging(&policy, "", None, sink, &mut command);
    // A finding, so that their family is there.
    sidecar.hook(read(&sidecar.path("work/proof"), Some("x")));
    assert_eq!(named, counted(&sidecar).families());
    sidecar.stop();
}

/// A sidecar that answers over HTTP, and its port, which the system chose.
fn with_http() -> (Sidecar, u16) {
    let admin = "[admin]\nlisten = \"127.0.0.1:0\"";
    let sidecar =
        Sidecar::start_with(POLICY, admin, &mut Command::new(env!("CARGO_BIN_EXE_toolgate")));
    let told = std::fs::read_to_string(sidecar.path("stderr")).unwrap();
    let (_, port) = told.split_once("127.0.0.1:").unwrap();
    let port = port.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
    (sidecar, port)
}

/// What is answered: the status line, the head and the body.
fn ask(port: u16, request: &str) -> (String, String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let (status, head) = head.split_once("\r\n").unwrap_or((head, ""));
    (status.to_owned(), head.to_lowercase(), body.to_owned())
}

fn get(port: u16, path: &str) -> (String, String, String) {
    ask(port, &format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"))
}

#[test]
fn the_same_is_told_over_http() {
    let (sidecar, port) = with_http();
    sidecar.hook(read(&sidecar.path("work/.env"), None));
    let (status, head, body) = get(port, "/metrics");
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    let over_http = Exposition::read(&body).unwrap();
    let added = counted(&sidecar).since(&over_http);
    // Only whoever asks over the socket is one more.
    assert_eq!(added.into_keys().collect::<Vec<_>>(), ["toolgate_connections{listener=admin}"]);
    for path in ["/livez", "/readyz"] {
        let (status, _, body) = get(port, path);
        assert_eq!((status.as_str(), body.as_str()), ("HTTP/1.1 200 OK", "ok\n"), "{path}");
    }
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 Not Found"),
        ("GET /metrics/ HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 Not Found"),
        ("GET /reload HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 Not Found"),
        ("POST /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"),
        ("DELETE /readyz HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"),
        ("\"status\"\n\n", "HTTP/1.1 400 Bad Request"),
    ] {
        assert_eq!(ask(port, request).0, status, "{request}");
    }
    std::fs::remove_file(sidecar.socket()).unwrap();
    let (status, _, body) = get(port, "/readyz");
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert!(body.contains("was removed or replaced"), "{body}");
    assert_eq!(get(port, "/livez").0, "HTTP/1.1 200 OK");
}

#[test]
fn other_machines_are_not_answered_unless_it_was_said() {
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let scratch = tempfile::tempdir().unwrap();
        let (at, file) = (scratch.path().display(), scratch.path().join("toolgate.toml"));
        let config = format!(
            "[hook]\nsocket = \"{at}/run/s\"\n[audit]\ndir = \"{at}/audit\"\n\
             [policy]\nworkspace = \"{at}/work\"\n[admin]\nlisten = \"{listen}\"\n"
        );
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
        let output = command.arg("serve").arg("--config").arg(file).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{listen}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("add `expose = true`"), "{told}");
    }
}

#[test]
fn whoever_says_nothing_over_http_is_hung_up_on_and_holds_up_nobody() {
    let (sidecar, port) = with_http();
    let mut silent: Vec<TcpStream> =
        (0..8).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    silent[0].write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n").unwrap();
    assert_eq!(get(port, "/livez").0, "HTTP/1.1 200 OK");
    for stream in &mut silent {
        // Ends only when the sidecar ends it.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    sidecar.stop();
}
