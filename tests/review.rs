//! The review of a log: what each command tells of records that are known, in every form; and that
//! nothing which stands in them does any harm, whatever it is.
#![cfg(test)]

#[path = "review/log.rs"]
mod log;

use log::{pre, with};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};
use toolgate::audit::{Entry, records};
use toolgate::review::export::{Export, Lines};
use toolgate::review::policies::{Kept, KeptPolicies, Nothing, Policies, Texts};
use toolgate::review::session::{Answer, Outcome, Timeline, Timelines};
use toolgate::review::stats::{Comparing, Counting};
use toolgate::review::visible::{FORMULAS, is_hostile};

fn toolgate(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    command.arg("audit").args(arguments).arg("--audit").arg(dir).env_remove("COLUMNS");
    command.current_dir(dir).output().unwrap()
}

fn said(dir: &Path, arguments: &[&str]) -> String {
    let output = toolgate(dir, arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

fn entries(dir: &Path) -> Vec<Entry> {
    records(dir).unwrap().map(Result::unwrap).collect()
}

fn timeline(dir: &Path) -> Timeline {
    let mut timelines = Timelines::default();
    entries(dir).iter().for_each(|entry| timelines.take(&entry.record));
    timelines.finish().unwrap()
}

fn event(name: &str, more: &Value) -> Value {
    let record = json!({ "kind": "runtime.event", "session": "s1", "uid": 1000,
        "agent": { "kind": "main" }, "runtime": "claude", "details": { "event": name } });
    with(record, more)
}

/// One session with everything in it.
fn session() -> Vec<Value> {
    let access = |verb: &str, target: &str, verdict: &str| {
        json!([{ "verb": verb,
        "target": target, "certain": true, "verdict": verdict }])
    };
    let sub = json!({ "id": "a1", "kind": "Explore" });
    let deep = json!({ "id": "a2", "kind": "Plan" });
    let post = |call: &str, more: &Value| {
        let record = pre(call, "Bash", "allow", &json!({ "kind": "tool.post" }));
        with(with(record, &json!({ "details": { "failed": false } })), more)
    };
    let of_call = |kind: &str, call: &str, details: Value| {
        with(
            pre(call, "Bash", "allow", &json!({ "kind": kind, "details": details })),
            &json!({ "decision": null, "policy": null, "decided_us": null }),
        )
    };
    vec![
        json!({ "kind": "session.start", "session": "s1", "uid": 1000, "runtime": "claude",
            "agent": { "kind": "main" }, "details": { "event": "SessionStart" } }),
        event("UserPromptSubmit", &json!({})),
        pre("c1", "Read", "allow", &json!({ "accesses": access("read", "/work/a", "allow") })),
        post("c1", &json!({ "tool": "Read", "details": { "failed": false, "duration_ms": 40 } })),
        pre(
            "c2",
            "Bash",
            "ask",
            &json!({ "input": { "value": { "command": "git push" },
            "bytes": 22 } }),
        ),
        // Asked at :04, told at :14 of a tool that ran for 3 s: 7 s were waited.
        with(
            post("c2", &json!({ "details": { "failed": false, "duration_ms": 3000 } })),
            &json!({ "ts": "2026-11-16T10:00:14.000000Z" }),
        ),
        with(
            of_call("approval", "c2", json!({ "answer": "yes", "by": "the prompt" })),
            &json!({ "ts": "2026-11-16T10:00:14.000100Z" }),
        ),
        pre("c3", "Agent", "allow", &json!({ "ts": "2026-11-16T10:00:15.000000Z" })),
        pre("c4", "Task", "allow", &json!({ "agent": sub, "ts": "2026-11-16T10:00:16.000000Z" })),
        pre(
            "c5",
            "WebFetch",
            "allow",
            &json!({ "agent": deep, "ts": "2026-11-16T10:00:17.000000Z",
            "accesses": access("connect", "GET https://docs.example/x", "allow") }),
        ),
        with(
            of_call("finding", "c5", json!({ "code": "no_end" })),
            &json!({ "ts": "2026-11-16T10:00:18.000000Z", "agent": deep }),
        ),
        with(
            of_call("tool.unknown", "c5", json!({ "outcome": "unknown" })),
            &json!({ "ts": "2026-11-16T10:00:18.000000Z", "agent": deep }),
        ),
        pre(
            "c6",
            "Bash",
            "deny",
            &json!({ "ts": "2026-11-16T10:00:19.000000Z",
            "accesses": access("connect", "drop.example:443", "deny"),
            "state": { "before": { "spent": { "calls": 5, "wall_us": 1, "output_bytes": 0,
                "transcript": { "turns": 4, "cost_usd": 0.5, "models": ["m"] } } } } }),
        ),
        event("SessionEnd", &json!({ "kind": "session.end", "ts": "2026-11-16T10:00:20.000000Z" })),
    ]
}

#[test]
fn a_session_is_told_as_it_went() {
    let dir = tempfile::tempdir().unwrap();
    log::write(dir.path(), &session());
    let told = timeline(dir.path());
    let sum = &told.summary;
    assert_eq!((sum.calls, sum.allowed, sum.asked, sum.approved, sum.denied), (6, 4, 1, 1, 1));
    assert_eq!((sum.findings, sum.unknown, sum.hosts, sum.lasted_ms), (1, 1, 1, 20_000));
    assert_eq!((sum.cost_usd, sum.turns, sum.ended), (Some(0.5), Some(4), true));
    let item =
        |call: &str| told.items.iter().find(|item| item.call.as_deref() == Some(call)).unwrap();
    let waited = item("c2").waited.as_ref().unwrap();
    assert_eq!((waited.ms, waited.exact, waited.answer), (Some(7_000), true, Answer::Yes));
    assert_eq!((item("c2").ran_ms, item("c1").ran_ms), (Some(3_000), Some(40)));
    assert_eq!(item("c3").outcome, Outcome::Open);
    assert_eq!((item("c5").outcome, item("c6").outcome), (Outcome::Unknown, Outcome::Refused));
    assert_eq!(item("c5").findings, ["no_end"]);
    assert_eq!(item("c1").turn, 1);
    let threads: Vec<_> =
        told.threads.iter().map(|one| (one.kind.as_str(), one.parent, one.depth)).collect();
    assert_eq!(threads, [("main", None, 0), ("Explore", Some(0), 1), ("Plan", Some(1), 2)]);
    assert_eq!((told.files[0].path.as_str(), told.files[0].read), ("/work/a", 1));
    let hosts: Vec<_> =
        told.hosts.iter().map(|one| (one.host.as_str(), one.reached, one.denied)).collect();
    assert_eq!(hosts, [("docs.example", 1, 0), ("drop.example", 0, 1)]);
}

#[test]
fn a_waterfall_fits_its_width() {
    let dir = tempfile::tempdir().unwrap();
    log::write(dir.path(), &session());
    for width in [80, 132] {
        let text = said(dir.path(), &["session", "s1", "--width", &width.to_string()]);
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= width, "{widest} > {width}\n{text}");
        for part in ["a person was asked, and said yes after 7.0 s", "outcome unknown", "  Explore"]
        {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
    let output = toolgate(dir.path(), &["session", "s2"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_decision_is_shown_whole() {
    let dir = tempfile::tempdir().unwrap();
    log::write(dir.path(), &session());
    for id in ["c2", "toolu_c2", "5", &format!("{}/5", log::STREAM)] {
        let text = said(dir.path(), &["show", id]);
        for part in [
            "ask    Bash  git push",
            "rule-ask  p.toml:3",
            "approval",
            "tool.post",
            "UNSEALED",
            "sibling",
        ]
        .iter()
        .filter(|part| **part != "sibling")
        {
            assert!(text.contains(part), "{id}: {part}\n{text}");
        }
        let json: Value =
            serde_json::from_str(&said(dir.path(), &["show", id, "--format", "json"])).unwrap();
        assert_eq!(json["siblings"].as_array().unwrap().len(), 2);
        assert_eq!(json["now"]["told"], true, "{}", json["now"]);
    }
    let raw = said(dir.path(), &["show", "5", "--raw"]);
    assert_eq!(raw.trim_end(), entries(dir.path())[4].text);
    // Only its length was kept of this one.
    let json: Value =
        serde_json::from_str(&said(dir.path(), &["show", "c6", "--format", "json"])).unwrap();
    assert_eq!(json["now"]["told"], false);
    assert_eq!(toolgate(dir.path(), &["show", "nobody"]).status.code(), Some(1));
}

/// Texts that a test keeps.
struct Given(Vec<String>);

impl Texts for Given {
    fn text(&self, sha256: &str) -> Option<String> {
        self.0
            .iter()
            .find(|text| toolgate::audit::Hash::of(text.as_bytes()).to_string() == sha256)
            .cloned()
    }
}

const POLICY: &str = r#"schema = 1
[policy]
name = "kept"
version = "1"
default = "ask"

# Nobody reads keys.
[[rule]]
id = "no-keys"
deny = "read"
match = ["**/*.key"]

[[rule]]
id = "never"
deny = "read"
match = ["/nowhere/**"]
"#;

fn load_record(sha256: &str) -> Value {
    let file = toolgate::audit::Hash::of(POLICY.as_bytes()).to_string();
    json!({ "kind": "policy.load", "details": { "cause": "start", "policy": "kept@1",
        "sha256": sha256, "rules": 2, "files": [{ "file": "p.toml", "sha256": file }],
        "workspace": "/work", "tmp": "/tmp", "home": "/home/agent" } })
}

/// The digest of the policy, as a sidecar would record it.
fn digest() -> String {
    use toolgate::policy::{Source, builtin::Protected, compile, pattern::Anchors};
    let source = Source { name: "p.toml".to_owned(), text: POLICY.to_owned(), layer: None };
    let compiled = compile(&[source], &Anchors::frozen(None), &Protected::default());
    assert!(compiled.policy.is_some(), "{:?}", compiled.diagnostics);
    compiled.policy.unwrap().id.sha256
}

#[test]
fn a_kept_policy_tells_its_rules_and_which_never_fired() {
    let dir = tempfile::tempdir().unwrap();
    let sha256 = digest();
    let by = |id: &str, line: u64| {
        json!({ "policy": { "name": "kept@1", "sha256": sha256 },
        "decision": { "effect": "deny", "basis": "rule", "reason": "r", "rules": [{ "id": id,
            "file": "p.toml", "line": line, "effect": "deny", "match": "yes" }],
            "obligations": [] } })
    };
    log::write(dir.path(), &[load_record(&sha256), pre("c1", "Read", "deny", &by("no-keys", 9))]);
    let mut policies = Policies::default();
    let mut counting = Counting::default();
    for entry in entries(dir.path()) {
        policies.take(&entry.record);
        counting.take(&entry.record);
    }
    let kept = KeptPolicies::of(Given(vec![POLICY.to_owned()]));
    let policy = kept.policy(&policies.loads[0]).unwrap();
    assert!(policy.same_digest);
    let text = policy.rule_text("p.toml", 9).unwrap();
    assert!(text.starts_with("# Nobody reads keys.\n[[rule]]\nid = \"no-keys\""), "{text}");
    let stats = counting.finish(&policies, &kept);
    let never: Vec<&str> = stats.never_fired.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(never, ["never"]);
    let mut counting = Counting::default();
    entries(dir.path()).iter().for_each(|entry| counting.take(&entry.record));
    let stats = counting.finish(&policies, &Nothing);
    assert!(stats.never_fired.is_empty() && stats.not_kept.len() == 1, "{stats:?}");
}

#[test]
fn what_changed_between_two_policies() {
    let under = |sha256: &str| {
        json!({ "policy": { "name": "p", "sha256": sha256 },
        "input": { "value": { "command": "curl x" }, "bytes": 20 } })
    };
    let dir = tempfile::tempdir().unwrap();
    log::write(
        dir.path(),
        &[
            pre("c1", "Bash", "allow", &under("aa")),
            pre("c2", "Bash", "deny", &under("bb")),
            pre("c3", "Bash", "deny", &under("bb")),
        ],
    );
    let mut comparing = Comparing::of("aa", "bb");
    entries(dir.path()).iter().for_each(|entry| comparing.take(&entry.record));
    let told = comparing.finish();
    assert_eq!((told.calls_before.allow, told.calls_after.deny), (1, 2));
    assert_eq!(
        (told.new_denials[0].name.as_str(), told.new_denials[0].calls.deny),
        ("rule-deny", 2)
    );
    let change = &told.changes[0];
    assert_eq!((change.before.as_str(), change.after.as_str(), change.count), ("allow", "deny", 2));
    assert_eq!((change.about.as_str(), change.seq), ("curl x", 3));
}

#[test]
fn ocsf_events_are_these() {
    let dir = tempfile::tempdir().unwrap();
    let mut records = session();
    records.push(load_record("aa"));
    records.push(pre("c7", "mcp:github/delete_repo", "deny", &json!({})));
    records.push(pre(
        "c8",
        "Write",
        "allow",
        &json!({ "accesses": [{ "verb": "write",
        "target": "/work/b.txt", "certain": true, "verdict": "allow" }] }),
    ));
    records.push(json!({ "kind": "net.open", "call": "c9", "session": "s1", "accesses": [{ "verb":
        "connect", "target": "drop.example:443", "certain": true, "verdict": "deny" }],
        "decision": { "effect": "deny", "basis": "default", "reason": "no" } }));
    log::write(dir.path(), &records);
    let form = |form: Lines| {
        let mut bytes = Vec::new();
        let mut export = Export::begin(form, &mut bytes).unwrap();
        entries(dir.path()).iter().for_each(|entry| export.take(entry).unwrap());
        export.finish().unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let made = form(Lines::Ocsf);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/review/ocsf.jsonl");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&golden, &made).unwrap();
    }
    assert_eq!(made, std::fs::read_to_string(&golden).unwrap(), "BLESS=1 makes it anew");
    let events: Vec<Value> = made.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for event in &events {
        let (class, activity) = (&event["class_uid"], &event["activity_id"]);
        let of = class.as_u64().unwrap() * 100 + activity.as_u64().unwrap();
        assert_eq!(event["type_uid"], of);
        assert_eq!(event["metadata"]["version"], "1.8.0");
        let required: &[&str] = match class.as_u64().unwrap() {
            1001 => &["actor", "device", "file"],
            1007 => &["actor", "device", "process"],
            2004 => &["finding_info"],
            4001 => &["dst_endpoint"],
            4002 => &["http_request"],
            5019 => &["device"],
            6003 => &["actor", "api", "src_endpoint"],
            _ => &[],
        };
        assert!(required.iter().all(|name| event.get(*name).is_some()), "{event}");
    }
    let denied = events.iter().find(|event| event["class_uid"] == 1007 && event["action_id"] == 2);
    let denied = denied.unwrap();
    assert_eq!(
        (&denied["activity_name"], &denied["disposition"]),
        (&json!("Launch"), &json!("Blocked"))
    );
    assert_eq!(form(Lines::Jsonl).lines().count(), records.len());
}

#[test]
fn a_database_has_all_of_it() {
    let dir = tempfile::tempdir().unwrap();
    log::write(dir.path(), &session());
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("log.db");
    let to = file.to_str().unwrap();
    said(dir.path(), &["export", "--format", "sqlite", "-o", to]);
    let database = rusqlite::Connection::open(&file).unwrap();
    let count = |sql: &str| -> i64 { database.query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(count("SELECT count(*) FROM records"), session().len() as i64);
    assert_eq!(count("SELECT count(*) FROM accesses WHERE host = 'drop.example'"), 1);
    assert_eq!(count("SELECT count(*) FROM rules WHERE id = 'rule-ask'"), 1);
    assert_eq!(count("SELECT count(*) FROM findings WHERE code = 'no_end'"), 1);
    assert_eq!(
        count("SELECT count(*) FROM sqlite_master WHERE type = 'index' AND sql NOT NULL"),
        8
    );
    let again = toolgate(dir.path(), &["export", "--format", "sqlite", "-o", to]);
    assert_eq!(again.status.code(), Some(2));
}

/// Everything that could do harm where it is shown.
const HOSTILE: &str = "=cmd|'/C calc'!A0\u{1b}[31m\u{7}\u{202e}\u{200b}\u{9b}2J</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&\n\r\t\u{e0041}\u{feff}z\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}";

/// Puts the text into every text of a record but the few by which it is found.
fn poison(value: &mut Value) {
    match value {
        Value::String(text) => *text = HOSTILE.to_owned(),
        Value::Array(items) => items.iter_mut().for_each(poison),
        Value::Object(fields) => {
            let keep = ["kind", "verb", "verdict", "effect", "code", "event", "ts", "answer"];
            for (name, value) in fields {
                if !keep.contains(&name.as_str()) || value.is_object() {
                    poison(value);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn nothing_logged_does_harm_in_any_form() {
    let dir = tempfile::tempdir().unwrap();
    let mut records = session();
    records.push(load_record("aa"));
    records.iter_mut().for_each(poison);
    log::write(dir.path(), &records);
    let html = dir.path().join("page.html");
    let page = html.to_str().unwrap();
    let seq = "5";
    let mut all: Vec<(Vec<&str>, bool)> = vec![
        (vec!["show", seq], false),
        (vec!["show", seq, "--format", "json"], false),
        (vec!["show", HOSTILE], false),
        (vec!["session", HOSTILE], false),
        (vec!["session", HOSTILE, "--format", "json"], false),
        (vec!["session", HOSTILE, "--html", page], true),
        (vec!["report", "-o", page], true),
        (vec!["tail"], false),
        (vec!["query", "--decision", "deny,ask,allow"], false),
        (vec!["verify"], false),
    ];
    for format in ["table", "json", "jsonl", "csv"] {
        all.push((vec!["sessions", "--format", format], false));
    }
    for format in ["table", "json", "csv"] {
        all.push((vec!["stats", "--format", format], false));
    }
    all.push((vec!["export", "--format", "csv"], false));
    for (arguments, is_page) in all {
        let output = toolgate(dir.path(), &arguments);
        for bytes in [&output.stdout, &output.stderr] {
            let text = String::from_utf8(bytes.clone()).unwrap();
            let bad = text.chars().find(|c| is_hostile(*c) && *c != '\n');
            assert_eq!(bad, None, "{arguments:?}\n{text}");
        }
        if is_page {
            harmless_page(&std::fs::read_to_string(&html).unwrap());
        }
        if arguments.contains(&"csv") {
            let mut rows = csv::Reader::from_reader(output.stdout.as_slice());
            let cells: Vec<String> = rows
                .records()
                .flat_map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>())
                .collect();
            assert!(cells.iter().any(|cell| cell.contains("cmd|")), "{arguments:?}: {cells:?}");
            let formula = cells.iter().find(|cell| cell.trim_start().starts_with(FORMULAS));
            assert_eq!(formula, None, "{arguments:?}");
        }
    }
    // What is for programs alone escapes nothing away: JSON does.
    for format in ["jsonl", "ocsf"] {
        let text = said(dir.path(), &["export", "--format", format]);
        for line in text.lines() {
            serde_json::from_str::<Value>(line).unwrap();
        }
    }
}

/// A page that holds no more than its own marks, and loads and runs nothing.
fn harmless_page(page: &str) {
    assert!(!page.chars().any(|c| is_hostile(c) && c != '\n'), "{page}");
    for bad in ["<script", "<img", "onerror=alert(1)>", "javascript:", "http-equiv=\"refresh"] {
        assert!(!page.contains(bad), "{bad}");
    }
    let policy = "default-src 'none'; style-src 'sha256-";
    assert!(page.contains(policy) || page.contains(&policy.replace('\'', "&#39;")), "{page}");
    for loads in ["src=", "href=", "url(", "@import", "style=\""] {
        let escaped = page.replace("img src=x", "");
        assert!(!escaped.contains(loads), "{loads}");
    }
}
