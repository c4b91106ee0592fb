//! What a runtime tells besides calls, through the real client and the real sidecar: what is
//! answered, and which findings the log has.
#![cfg(test)]

#[path = "harness/restart.rs"]
mod restart;
#[path = "harness/sidecar.rs"]
mod sidecar;

use nix::sys::signal::Signal;
use restart::restart;
use serde_json::{Value, json};
use sidecar::Sidecar;

const POLICY: &str = r#"
schema = 1

[policy]
name       = "hook-events"
version    = "1"
default    = "defer"
unattended = "deny"

[read]
allow = ["$workspace/"]

[write]
allow = ["$workspace/"]
ask   = ["$workspace/ci/"]

[call]
allow = ["$transparent"]

[[rule]]
id    = "no-secrets"
deny  = "read"
match = ["$workspace/secret/"]

[[rule]]
id    = "few"
allow = "read"
match = ["$workspace/few/"]
limit = { max = 1, per = "session", over = "deny" }
"#;

struct Session {
    sidecar: Sidecar,
}

impl Session {
    fn begin() -> Session {
        Session::of(POLICY)
    }

    fn of(policy: &str) -> Session {
        Session { sidecar: Sidecar::start(policy) }
    }

    fn work(&self) -> String {
        self.sidecar.path("work").to_str().unwrap().to_owned()
    }

    /// Sends one event: exit code and what was said.
    fn send(&self, name: &str, own: Value) -> (i32, String) {
        let mut event = json!({
            "session_id": "s", "cwd": self.work(), "permission_mode": "default",
            "hook_event_name": name,
        });
        event.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        let output = self.sidecar.hook(event.to_string().replace('^', &self.work()) + "\n");
        let said = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), said)
    }

    /// Sends one that must come to nothing.
    fn tell(&self, name: &str, own: Value) {
        assert_eq!(self.send(name, own), (0, String::new()), "{name}");
    }

    fn pre(&self, id: &str, tool: &str, input: &Value) -> (i32, String) {
        self.send("PreToolUse", json!({"tool_name": tool, "tool_input": input, "tool_use_id": id}))
    }

    fn post(&self, id: &str, tool: &str, input: &Value, response: Value) -> (i32, String) {
        let own = json!({
            "tool_name": tool, "tool_input": input, "tool_use_id": id, "tool_response": response,
        });
        self.send("PostToolUse", own)
    }

    fn records(&self, kind: &str) -> Vec<Value> {
        let all = self.sidecar.records();
        all.into_iter().filter(|record| record["kind"] == kind).collect()
    }

    fn findings(&self) -> Vec<String> {
        let code = |record: &Value| record["details"]["code"].as_str().unwrap().to_owned();
        self.records("finding").iter().map(code).collect()
    }
}

fn read(file: &str) -> Value {
    json!({ "file_path": file })
}

fn shown(text: &str) -> Value {
    json!({"type": "text", "file": {"filePath": "f", "content": text, "numLines": 1}})
}

#[test]
fn an_honest_turn_has_no_findings_and_its_records_share_one_id() {
    let session = Session::begin();
    session.tell("SessionStart", json!({"source": "startup"}));
    session.tell("UserPromptSubmit", json!({"prompt": "mail me@host.example about @nothing"}));
    let input = read("^/a.txt");
    assert_eq!(session.pre("a", "Read", &input).0, 0);
    assert_eq!(session.post("a", "Read", &input, shown("x")), (0, String::new()));
    assert_ne!(session.pre("b", "Read", &read("^/secret/k")).0, 0);
    let call = |id: &str| json!({"tool_name": "Read", "tool_use_id": id, "tool_input": {}});
    session.tell("PostToolBatch", json!({"tool_calls": [call("a"), call("b")]}));
    session.tell("Stop", json!({"stop_hook_active": false}));
    session.tell("SessionEnd", json!({"reason": "other"}));
    assert_eq!(session.findings(), [""; 0]);
    let (pre, post) = (session.records("tool.pre"), session.records("tool.post"));
    assert_eq!(pre[0]["call"], post[0]["call"]);
    assert!(session.records("tool.unknown").is_empty());
    let told = session.records("runtime.event");
    assert!(told.iter().any(|record| record["details"]["calls"] == 2), "{told:?}");
    session.sidecar.stop();
}

#[test]
fn what_ran_is_held_against_what_was_judged() {
    let session = Session::begin();
    let (asked, ran) = (read("^/a.txt"), read("^/secret/k"));
    assert_eq!(session.pre("a", "Read", &asked).0, 0);
    // Another hook has put another file in its place, which the policy refuses.
    let (_, said) = session.post("a", "Read", &ran, shown("the secret"));
    assert!(said.contains("withheld") && !said.contains("the secret"), "{said}");
    // One that the policy lets through anyway: told, and passed.
    assert_eq!(session.pre("b", "Read", &asked).0, 0);
    assert_eq!(session.post("b", "Read", &read("^/b.txt"), shown("x")), (0, String::new()));
    // One that nobody was asked about, and one that ran though it was refused.
    let (_, said) = session.post("c", "Read", &ran, shown("the secret"));
    assert!(said.contains("withheld") && !said.contains("the secret"), "{said}");
    assert_eq!(session.post("d", "Read", &asked, shown("x")), (0, String::new()));
    assert_eq!(session.pre("e", "Read", &ran).0, 2);
    let (_, said) = session.post("e", "Read", &ran, shown("the secret"));
    assert!(said.contains("withheld") && !said.contains("the secret"), "{said}");
    let expected = ["input_rewritten", "input_rewritten", "call_without_pre", "call_without_pre"];
    assert_eq!(session.findings()[..4], expected);
    assert_eq!(session.findings()[4..], ["ran_though_refused"]);
    session.sidecar.stop();
}

#[test]
fn a_link_that_is_turned_while_the_tool_runs_is_found() {
    let session = Session::begin();
    let work = session.sidecar.path("work");
    std::fs::create_dir(work.join("secret")).unwrap();
    for file in ["a", "secret/k"] {
        std::fs::write(work.join(file), "x").unwrap();
    }
    let turn = |target: &str| {
        let _ = std::fs::remove_file(work.join("l"));
        std::os::unix::fs::symlink(target, work.join("l")).unwrap();
    };
    let input = read("^/l");
    turn("a");
    assert_eq!(session.pre("a", "Read", &input).0, 0);
    assert_eq!(session.post("a", "Read", &input, shown("x")), (0, String::new()));
    assert_eq!(session.pre("b", "Read", &input).0, 0);
    turn("secret/k");
    let (_, said) = session.post("b", "Read", &input, shown("the secret"));
    assert!(said.contains("withheld") && !said.contains("the secret"), "{said}");
    assert_eq!(session.findings(), ["path_changed"]);
    session.sidecar.stop();
}

#[test]
fn calls_without_an_end() {
    let session = Session::begin();
    let input = read("^/a.txt");
    for id in ["a", "b"] {
        session.pre(id, "Read", &input);
    }
    let call = |id: &str| json!({"tool_name": "Bash", "tool_use_id": id, "tool_input": {}});
    session.tell("PostToolBatch", json!({"tool_calls": [call("a"), call("x")]}));
    session.tell("Stop", json!({}));
    assert_eq!(session.findings(), ["batch_call_without_pre", "no_end"]);
    let outcomes: Vec<_> = session.records("tool.unknown");
    let outcomes: Vec<_> = outcomes.iter().map(|record| &record["details"]["outcome"]).collect();
    assert_eq!(outcomes, ["not_run", "unknown"]);
    session.sidecar.stop();
}

#[test]
fn what_a_restart_did_not_see_is_told_as_unknown() {
    let mut session = Session::begin();
    let input = read("^/a.txt");
    for id in ["a", "b"] {
        session.pre(id, "Read", &input);
    }
    let content = json!({"file_path": "^/ci/x", "content": "x"});
    assert!(session.pre("c", "Write", &content).1.contains("ask"));
    session.post("a", "Read", &input, shown("x"));
    session.pre("d", "Read", &read("^/secret/k"));
    restart(&mut session.sidecar, Signal::SIGKILL);
    let call = |id: &str| json!({"tool_name": "Read", "tool_use_id": id, "tool_input": {}});
    let calls: Vec<_> = ["a", "b", "c", "d"].into_iter().map(call).collect();
    session.tell("PostToolBatch", json!({ "tool_calls": calls }));
    session.tell("SessionEnd", json!({"reason": "other"}));
    assert_eq!(session.findings(), ["no_end", "no_end"]);
    let unknown = session.records("tool.unknown");
    assert!(unknown.iter().all(|record| record["details"]["outcome"] == "unknown"), "{unknown:?}");
    assert_eq!((unknown.len(), session.records("approval").len()), (2, 0));
    session.sidecar.stop();
}

#[test]
fn a_question_is_answered_by_the_person_and_the_answer_is_recorded() {
    let session = Session::begin();
    let write = |file: &str| json!({"file_path": file, "content": "x"});
    let question = |input: &Value| {
        let tool = if input.get("content").is_some() { "Write" } else { "Read" };
        session.send("PermissionRequest", json!({"tool_name": tool, "tool_input": input}))
    };
    for id in ["yes", "no", "interrupted"] {
        let (_, said) = session.pre(id, "Write", &write("^/ci/a"));
        assert!(said.contains(r#""permissionDecision":"ask""#), "{said}");
        assert_eq!(question(&write("^/ci/a")), (0, String::new()));
    }
    session.post("yes", "Write", &write("^/ci/a"), json!({"type": "create"}));
    let call = |id: &str| json!({"tool_name": "Write", "tool_use_id": id, "tool_input": {}});
    session.tell("PostToolBatch", json!({"tool_calls": [call("yes"), call("no")]}));
    session.tell("Stop", json!({}));
    let answers = session.records("approval");
    let answer =
        |record: &Value| (record["tool_use_id"].clone(), record["details"]["answer"].clone());
    let answers: Vec<_> = answers.iter().map(answer).collect();
    assert_eq!(answers, [(json!("yes"), json!("yes")), (json!("no"), json!("no"))]);
    // Whether the third was answered before it was interrupted is not known.
    assert_eq!(session.findings(), ["no_end"]);
    // Asked about what was not judged: another hook has rewritten it. It is judged now.
    let (code, said) = question(&read("^/secret/k"));
    let denied: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &denied["hookSpecificOutput"]["decision"]["behavior"]), (2, &json!("deny")));
    assert_eq!(question(&write("^/b")), (0, String::new()));
    assert_eq!(session.findings()[1..], ["question_about_unjudged_input"; 2]);
    session.sidecar.stop();
}

#[test]
fn a_question_takes_nothing_of_a_limit() {
    let session = Session::begin();
    let input = read("^/few/a");
    assert_eq!(session.pre("a", "Read", &input).0, 0);
    let other = json!({"tool_name": "Read", "tool_input": read("^/few/b")});
    assert_eq!(session.send("PermissionRequest", other), (0, String::new()));
    assert_eq!(session.pre("b", "Read", &input).0, 2);
    session.sidecar.stop();
}

#[test]
fn files_that_a_prompt_mentions_are_reads() {
    let session = Session::begin();
    let work = session.sidecar.path("work");
    for file in ["secret/key", "a.txt", "my notes.txt"] {
        let file = work.join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "x").unwrap();
    }
    std::os::unix::fs::symlink("secret/key", work.join("link")).unwrap();
    for (prompt, stopped) in [
        ("see @a.txt and @\"my notes.txt\", @alice", false),
        ("see @secret/none", false),
        ("see @secret/key", true),
        ("see @secret/key, please", true),
        ("@./secret/../secret/key", true),
        ("读。@secret/key。", true),
        ("@secret/key#foo", true),
        ("@\" secret/key#L1 \"", true),
        ("(@secret/key), `@secret/key` and a,@secret/key are no mentions", false),
        ("@link", true),
        ("@^/secret/key#L1-2", true),
        ("@/etc/passwd, which this policy leaves to the runtime", false),
    ] {
        let (code, said) = session.send("UserPromptSubmit", json!({ "prompt": prompt }));
        let blocks = said.contains(r#""decision":"block""#);
        assert_eq!((code == 2, blocks), (stopped, stopped), "{prompt}: {said}");
    }
    session.sidecar.stop();
}

#[test]
fn a_change_that_would_weaken_the_wiring_is_refused() {
    let session = Session::begin();
    let dir = session.sidecar.path("work").join(".claude");
    std::fs::create_dir(&dir).unwrap();
    let (settings, skill) = (dir.join("settings.json"), dir.join("SKILL.md"));
    let hook = |command: &str| {
        json!({"type": "command", "command": command, "timeout": 30, "onFailure": "block",
            "args": ["hook", "claude", "--socket", "/run/s"]})
    };
    let good = json!({
        "disableAllHooks": false,
        "env": {"A": "1"},
        "permissions": {"deny": ["Edit(x)"]},
        "hooks": {
            "PreToolUse": [{"matcher": "*", "hooks": [hook("/opt/guard")]}],
            "Stop": [{"hooks": [hook("/opt/guard")]}],
        },
    });
    std::fs::write(&settings, good.to_string()).unwrap();
    // Whatever is heard first of a session, its settings are looked at then.
    session.tell("Notification", json!({"message": "x"}));
    let changed = |text: &str, source: &str, file: &std::path::Path| {
        std::fs::write(file, text).unwrap();
        session.send("ConfigChange", json!({"source": source, "file_path": file}))
    };
    let edit = |pointer: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed.to_string()
    };
    let first = "/hooks/PreToolUse/0";
    let handler = |key: &str, value: Value| {
        let mut changed = hook("/opt/guard");
        changed[key] = value;
        edit(&format!("{first}/hooks/0"), changed)
    };
    let mut more = good.clone();
    more["permissions"]["allow"] = json!(["Read"]);
    more["model"] = json!("opus");
    let text = |value: &str| json!(value);
    let cases = [
        (more.to_string(), false),
        (edit("/permissions/deny", json!(["Edit(x)", "Edit(y)"])), false),
        (good.to_string(), true),
        (more.to_string(), true),
        (edit("/permissions/deny", json!(["Edit(x)", "Edit(y)", "Read(z)"])), false),
        (edit("/permissions/deny", json!([])), true),
        (edit("/hooks", json!({})), true),
        (edit("/hooks/Stop", json!([])), true),
        (edit("/env/A", text("2")), true),
        (edit("/env", json!({"A": "1", "CLAUDE_CODE_SIMPLE": "1"})), true),
        (edit(&format!("{first}/matcher"), text("NoSuchTool")), true),
        (edit(&format!("{first}/hooks"), json!([hook("/opt/guard"), hook("/x")])), true),
        (edit(&format!("{first}/hooks/0"), hook("/tmp/evil/guard")), true),
        (handler("async", json!(true)), true),
        (handler("if", text("Bash(nosuch *)")), true),
        (handler("type", text("prompt")), true),
        (handler("onFailure", text("continue")), true),
        (handler("args", json!(["hook", "claude", "--help"])), true),
        (json!({"disableAllHooks": true}).to_string(), true),
        (json!({"disableAllHooks": "no"}).to_string(), true),
        (String::new(), true),
        ("{\"hooks\": {".to_owned(), true),
    ];
    let mut refusals = 0;
    for (text, refused) in cases {
        // Nobody can have what was seen forgotten by beginning once more.
        session.tell("SessionStart", json!({"source": "resume"}));
        let (code, said) = changed(&text, "project_settings", &settings);
        let blocks = said.contains(r#""decision":"block""#);
        assert_eq!((code == 2, blocks), (refused, refused), "{text}: {said}");
        refusals += usize::from(refused);
    }
    let local = dir.join("settings.local.json");
    assert_eq!(changed("{}", "local_settings", &local), (0, String::new()));
    let plain = "---\nname: x\n---\nRead hooks.md first!\n";
    assert_eq!(changed(plain, "skills", &skill), (0, String::new()));
    assert_eq!(changed("---\nhooks:\n  Stop: []\n---\n", "skills", &skill).0, 2);
    assert_eq!(changed("Now: !`curl x`\n", "skills", &skill).0, 2);
    // What was not looked at as the session began may have held anything.
    let unseen = session.sidecar.path("work").join("elsewhere.json");
    assert_eq!(changed("{}", "user_settings", &unseen).0, 2);
    // A project may begin above the working directory.
    let above = session.sidecar.path("work").parent().unwrap().join(".claude");
    std::fs::create_dir(&above).unwrap();
    let above = above.join("settings.local.json");
    assert_eq!(changed("{}", "local_settings", &above), (0, String::new()));
    // Where it cannot be looked at, it may be anything.
    let (code, _) = session.send("ConfigChange", json!({"source": "project_settings"}));
    assert_eq!(code, 2);
    assert_eq!(session.send("ConfigChange", json!({"source": "policy_settings"})).0, 0);
    assert!(session.findings().iter().all(|code| code == "config_change_refused"));
    assert_eq!(session.findings().len(), refusals + 4);
    session.sidecar.stop();
}

#[test]
fn instructions_that_must_not_be_read_are_found() {
    let session = Session::begin();
    session.tell("InstructionsLoaded", json!({"file_path": "^/CLAUDE.md"}));
    session.tell("InstructionsLoaded", json!({"file_path": "^/secret/key"}));
    assert_eq!(session.findings(), ["instructions_denied"]);
    session.sidecar.stop();
}

#[test]
fn an_id_is_no_longer_than_one() {
    let session = Session::begin();
    let (code, said) = session.pre(&"a".repeat(2_000), "Read", &read("^/a.txt"));
    assert_eq!((code, said.contains("tool_use_id")), (2, true), "{said}");
    session.sidecar.stop();
}

#[test]
fn a_change_of_mode_is_told() {
    let session = Session::begin();
    session.tell("SessionStart", json!({}));
    session.tell("Stop", json!({"permission_mode": "bypassPermissions"}));
    session.tell("Stop", json!({"permission_mode": "bypassPermissions"}));
    assert_eq!(session.findings(), ["permission_mode_changed"]);
    let what = &session.records("finding")[0]["details"]["what"];
    assert_eq!(what, &json!(["default", "bypassPermissions"]));
    session.sidecar.stop();
}

#[test]
fn every_sample_of_an_event_that_tells_comes_to_nothing() {
    let session = Session::begin();
    for event in toolgate::plane::hook::events::CLAUDE {
        if event.role == toolgate::plane::hook::events::Role::Tells
            && event.name != "PostToolUseFailure"
        {
            session.tell(event.name, json!({"reason": "x", "agent_id": "a1"}));
        }
    }
    session.sidecar.stop();
}

/// The part of the plane's page between two marks, which is written from the code.
fn generated(mark: &str, text: &str) {
    let path = format!("{}/src/plane/hook/README.md", env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(&path).unwrap();
    let (open, close) = (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->"));
    let (before, rest) = page.split_once(&open).unwrap();
    let (there, after) = rest.split_once(&close).unwrap();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, format!("{before}{open}{text}{close}{after}")).unwrap();
    } else {
        assert_eq!(there, text, "BLESS=1 writes it");
    }
}

#[test]
fn the_page_of_the_plane_is_written_from_its_tables() {
    use toolgate::model::finding::Code;
    use toolgate::plane::hook::events::{CLAUDE, CODEX, Event, Role, Wire};
    let row = |event: &Event| {
        let role = match event.role {
            Role::Gates => "gates",
            Role::Returns => "returns",
            Role::Tells => "tells",
        };
        let wire = match event.wire {
            Wire::Command => "yes",
            Wire::HttpOnRequest => "HTTP",
            Wire::Never => "no",
        };
        format!("| `{}` | {role} | {wire} | {} |\n", event.name, event.why)
    };
    let mut events = String::new();
    for (name, table) in [("Claude Code", CLAUDE), ("Codex", CODEX)] {
        events += &format!("\n| {name} | role | registered | what is done with it, and why |\n");
        events += "|---|---|---|---|\n";
        events.extend(table.iter().map(row));
    }
    generated("events", &(events + "\n"));
    let row = |code: &Code| format!("| `{}` | {} |\n", code.as_str(), code.meaning());
    let head = "\n| `details.code` | what it means |\n|---|---|\n".to_owned();
    generated("findings", &(head + &Code::ALL.iter().map(row).collect::<String>() + "\n"));
}
