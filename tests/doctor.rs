//! `toolgate doctor`: each way in which a wiring can be broken, and the check that must say so.
//!
//! No real client is here; `tests/clients/doctor_check.py` has one.

#![cfg(test)]

#[path = "harness/sidecar.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod sidecar;

use serde_json::{Value, json};
use sidecar::Sidecar;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use toolgate::doctor::CHECKS;
use toolgate::plane::hook::events::{CLAUDE, CODEX, Role, Wire};

const POLICY: &str = r#"
schema = 1
[policy]
name = "doctor"
version = "1"
default = "deny"
unattended = "deny"
[read]
allow = ["$workspace/"]
[call]
allow = ["$transparent"]
"#;

/// A place for a doctor to look at: a home, a workspace, a program, a client.
struct Ward {
    scratch: tempfile::TempDir,
    socket: String,
}

/// What the doctor said.
struct Said {
    code: Option<i32>,
    /// Each check's outcome and what was seen.
    checks: BTreeMap<String, (String, String)>,
    errors: String,
}

impl Said {
    fn with(&self, outcome: &str) -> BTreeSet<&str> {
        let all = self.checks.iter().filter(|(_, (said, _))| said == outcome);
        all.map(|(id, _)| id.as_str()).collect()
    }

    fn outcome(&self, id: &str) -> &str {
        &self.checks[id].0
    }
}

impl Ward {
    fn new(socket: &str) -> Ward {
        let scratch = tempfile::Builder::new().prefix("d").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        let ward = Ward { scratch: scratch.unwrap(), socket: socket.to_owned() };
        for name in ["home/.claude", "home/.codex", "work/.claude", "work/.codex", "managed", "tmp"]
        {
            std::fs::create_dir_all(ward.path(name)).unwrap();
        }
        // The head of an ELF program without any part: it names no loader, and is never run.
        let mut program = b"\x7fELF\x02\x01\x01".to_vec();
        program.resize(64, 0);
        ward.program("toolgate", &program);
        ward
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.scratch.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn write(&self, name: &str, content: &Value) {
        std::fs::write(self.path(name), content.to_string()).unwrap();
    }

    fn program(&self, name: &str, content: &[u8]) -> String {
        std::fs::write(self.path(name), content).unwrap();
        std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o755)).unwrap();
        self.text(name)
    }

    fn client(&self, version: &str) -> String {
        let script = format!(
            "#!/bin/sh\nif [ \"$1\" != doctor ]; then echo '{version}'; exit; fi\n\
             echo 'Claude Code doctor'\n\
             if grep -q '\"allow\":\"Bash\"' \"$CLAUDE_CONFIG_DIR/settings.json\"; then\n\
             printf '\\nInvalid settings\\n- /x › permissions.allow: Expected array\\n'\nfi\n"
        );
        self.program("client", script.as_bytes())
    }

    /// Settings as they should be.
    fn settings(&self) -> Value {
        let handler = |role| {
            json!({
                "type": "command", "command": self.text("toolgate"),
                "args": [
                    "hook", "claude", "--socket", self.socket,
                    "--server-uid", nix::unistd::geteuid().to_string(), "--deadline", "5000",
                ],
                "timeout": 10,
                "onFailure": if role == Role::Tells { "continue" } else { "block" },
            })
        };
        let events = CLAUDE.iter().filter(|event| event.wire == Wire::Command);
        let hooks: serde_json::Map<_, _> = events
            .map(|event| {
                let group = json!([{ "matcher": "*", "hooks": [handler(event.role)] }]);
                (event.name.to_owned(), group)
            })
            .collect();
        json!({ "disableAllHooks": false, "hooks": hooks })
    }

    fn doctor(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
        command.args(["doctor", "--format", "json", "--workspace"]).arg(self.path("work"));
        command.arg("--managed").arg(self.path("managed")).args(arguments);
        command.env("HOME", self.path("home")).env("PATH", "/usr/bin:/bin");
        command.env("TMPDIR", self.path("tmp")).env_remove("CLAUDE_CONFIG_DIR");
        command.env_remove("CODEX_HOME").env_remove("XDG_CONFIG_HOME");
        let output = command.output().unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
        let checks = said["checks"].as_array().into_iter().flatten();
        let left = std::fs::read_dir(self.path("tmp")).unwrap().count();
        assert_eq!(left, 0, "the doctor left something behind");
        Said {
            code: output.status.code(),
            checks: checks
                .map(|check| (text(check, "id"), (text(check, "outcome"), text(check, "seen"))))
                .collect(),
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The checks that only read the settings.
    fn wiring(&self, more: &[&str]) -> Said {
        let mut arguments = more.to_vec();
        for check in CHECKS.iter().filter(|check| check.id.starts_with("claude.")) {
            arguments.extend(["--only", check.id]);
        }
        let client = self.client("2.1.330 (Claude Code)");
        arguments.extend(["--client", &client]);
        self.doctor(&arguments)
    }
}

/// The hook before a call.
fn before(settings: &mut Value) -> &mut Value {
    &mut settings["hooks"]["PreToolUse"][0]["hooks"][0]
}

/// A way to break the user's settings, and the checks that fail of it.
type Break = (&'static str, fn(&Ward, &mut Value), &'static [&'static str]);

/// Every such way.
const BROKEN: &[Break] = &[
    ("as they should be", |_, _| (), &[]),
    ("no hooks at all", |_, all| all["hooks"] = json!({}), &["claude.events"]),
    ("an event is missing", |_, all| drop(all["hooks"]["Stop"].take()), &["claude.events"]),
    (
        "only for some tools",
        |_, all| all["hooks"]["PreToolUse"][0]["matcher"] = json!("Bash"),
        &["claude.events"],
    ),
    ("only if", |_, all| before(all)["if"] = json!("Bash(rm *)"), &["claude.events"]),
    (
        "an event that must not be there",
        |_, all| all["hooks"]["WorktreeCreate"] = all["hooks"]["Stop"].clone(),
        &["claude.events"],
    ),
    (
        "a shell between",
        |ward, all| {
            *before(all) = json!({
                "type": "command", "timeout": 10, "onFailure": "block",
                "command": format!("{} hook claude --deadline 5000", ward.text("toolgate")),
            });
        },
        &["claude.exec"],
    ),
    (
        "an option that nobody knows",
        |_, all| before(all)["args"][6] = json!("--deadlin"),
        &["claude.exec", "claude.timeout"],
    ),
    ("a bare name", |_, all| before(all)["command"] = json!("toolgate"), &["claude.absolute"]),
    (
        "a relative path",
        |_, all| before(all)["command"] = json!("./toolgate"),
        &["claude.absolute"],
    ),
    (
        "a script",
        |ward, all| {
            before(all)["command"] = json!(ward.program("toolgate-script", b"#!/bin/sh\n"));
        },
        &["claude.program"],
    ),
    (
        "a program that is linked dynamically",
        |_, all| before(all)["command"] = json!(env!("CARGO_BIN_EXE_toolgate")),
        &["claude.program"],
    ),
    (
        "no program",
        |ward, all| before(all)["command"] = json!(ward.text("none/toolgate")),
        &["claude.program"],
    ),
    (
        "a failure goes on",
        |_, all| before(all)["onFailure"] = json!("continue"),
        &["claude.failure"],
    ),
    (
        "nothing is said of failures",
        |_, all| drop(before(all).as_object_mut().unwrap().remove("onFailure")),
        &["claude.failure"],
    ),
    (
        "a value that is none",
        |_, all| before(all)["onFailure"] = json!("deny"),
        &["claude.failure", "claude.settings"],
    ),
    ("not waited for", |_, all| before(all)["async"] = json!(true), &["claude.failure"]),
    ("only once", |_, all| before(all)["once"] = json!(true), &["claude.failure"]),
    ("the runtime stops first", |_, all| before(all)["timeout"] = json!(5), &["claude.timeout"]),
    (
        "no timeout",
        |_, all| drop(before(all).as_object_mut().unwrap().remove("timeout")),
        &["claude.timeout"],
    ),
    (
        "a timeout as text",
        |_, all| before(all)["timeout"] = json!("10"),
        &["claude.settings", "claude.timeout"],
    ),
    (
        "nothing is said of the switch",
        |_, all| drop(all.as_object_mut().unwrap().remove("disableAllHooks")),
        &["claude.switch"],
    ),
    ("all off", |_, all| all["disableAllHooks"] = json!(true), &["claude.switch"]),
    (
        "off in the project",
        |ward, _| ward.write("work/.claude/settings.json", &json!({ "disableAllHooks": true })),
        &["claude.switch"],
    ),
    (
        "off in the project's local file",
        |ward, _| {
            ward.write("work/.claude/settings.local.json", &json!({ "disableAllHooks": true }));
        },
        &["claude.switch"],
    ),
    (
        "off for all but managed hooks",
        |ward, _| {
            ward.write("managed/managed-settings.json", &json!({ "allowManagedHooksOnly": true }));
        },
        &["claude.events"],
    ),
    (
        "a value elsewhere that drops every hook",
        |_, all| all["permissions"] = json!({ "allow": "Bash" }),
        &["claude.settings"],
    ),
    (
        "another file cannot be read",
        |ward, _| std::fs::write(ward.path("work/.claude/settings.json"), "{").unwrap(),
        &["claude.settings"],
    ),
];

#[test]
fn each_way_to_break_a_wiring_fails_its_check() {
    for (what, broken, failing) in BROKEN {
        let ward = Ward::new("/nowhere/s");
        let mut settings = ward.settings();
        broken(&ward, &mut settings);
        ward.write("home/.claude/settings.json", &settings);
        let said = ward.wiring(&[]);
        assert_eq!(said.with("failed"), failing.iter().copied().collect(), "{what}");
        assert_eq!(said.code, Some(i32::from(!failing.is_empty())), "{what}");
        let count = CHECKS.iter().filter(|check| check.id.starts_with("claude.")).count();
        assert_eq!(said.checks.len(), count, "{what}");
    }
}

/// One cause fails one check; what hangs on it is skipped, and says of what.
#[test]
fn without_hooks_the_rest_of_the_wiring_is_skipped() {
    let rest = ["absolute", "exec", "failure", "others", "program", "switch", "timeout"];
    for (settings, cause) in [(Some("{}"), "events"), (Some("{"), "settings"), (None, "settings")] {
        let ward = Ward::new("/nowhere/s");
        if let Some(text) = settings {
            std::fs::write(ward.path("home/.claude/settings.json"), text).unwrap();
        }
        let said = ward.wiring(&["--only", "sidecar.uid", "--only", "canary.policy"]);
        assert_eq!(said.with("failed"), BTreeSet::from([format!("claude.{cause}").as_str()]));
        let rest = rest.iter().map(|name| format!("claude.{name}"));
        for id in rest.chain(["sidecar.uid".to_owned(), "canary.policy".to_owned()]) {
            let (outcome, seen) = &said.checks[&id];
            assert_eq!(outcome, "skipped", "{id}");
            assert!(seen.contains(&format!("because `claude.{cause}` failed")), "{id}: {seen}");
        }
    }
}

#[test]
fn a_wiring_over_http_is_said_to_be_not_looked_at() {
    let ward = Ward::new("/nowhere/s");
    let mut settings = ward.settings();
    let http = json!({
        "type": "http", "url": "http://127.0.0.1:8787/v1/hook/claude", "timeout": 30,
        "headers": { "Authorization": "Bearer $TOOLGATE_HOOK_TOKEN" }, "onFailure": "block",
    });
    // The client sends these by a command alone.
    let stay = ["SessionStart", "Setup"];
    for only_http in [false, true] {
        for (event, groups) in settings["hooks"].as_object_mut().unwrap() {
            if only_http || !stay.contains(&event.as_str()) {
                groups[0]["hooks"][0] = http.clone();
            }
        }
        ward.write("home/.claude/settings.json", &settings);
        let said = ward.wiring(&["--only", "canary.policy"]);
        assert_eq!(said.with("failed"), BTreeSet::new(), "{:?}", said.checks);
        for id in ["claude.events", "canary.policy"] {
            assert_eq!(said.outcome(id), "skipped", "{id}");
            assert!(said.checks[id].1.contains("over HTTP, at `http://127.0.0.1:8787"), "{id}");
        }
    }
}

#[test]
fn what_no_client_was_asked_about_is_not_known_to_be_read() {
    let ward = Ward::new("/nowhere/s");
    ward.write("home/.claude/settings.json", &ward.settings());
    let said = ward.doctor(&["--only", "claude.settings", "--only", "claude.version"]);
    assert_eq!(said.outcome("claude.settings"), "warning");
    assert_eq!(said.outcome("claude.version"), "skipped");
}

#[test]
fn a_switch_above_the_project_holds() {
    let ward = Ward::new("/nowhere/s");
    ward.write("flag.json", &ward.settings());
    let flag = ward.text("flag.json");
    assert_eq!(ward.wiring(&["--settings", &flag]).outcome("claude.switch"), "ok");
    ward.write("work/.claude/settings.json", &json!({ "disableAllHooks": true }));
    assert_eq!(ward.wiring(&["--settings", &flag]).outcome("claude.switch"), "warning");
    ward.write("managed/managed-settings.json", &json!({ "disableAllHooks": true }));
    assert_eq!(ward.wiring(&["--settings", &flag]).outcome("claude.switch"), "failed");
    let mut managed = ward.settings();
    ward.write("managed/managed-settings.json", &managed);
    assert_eq!(ward.wiring(&[]).outcome("claude.switch"), "warning");
    // What the user's file says of managed hooks is nothing.
    managed.as_object_mut().unwrap().remove("disableAllHooks");
    ward.write("managed/managed-settings.json", &managed);
    ward.write("home/.claude/settings.json", &json!({ "disableAllHooks": false }));
    assert_eq!(ward.wiring(&[]).outcome("claude.switch"), "failed");
}

#[test]
fn another_hook_before_a_call_is_told_of() {
    let ward = Ward::new("/nowhere/s");
    ward.write("home/.claude/settings.json", &ward.settings());
    assert_eq!(ward.wiring(&[]).outcome("claude.others"), "ok");
    let other = json!({ "hooks": { "PreToolUse": [
        { "hooks": [{ "type": "command", "command": "/o/rewrites" }] },
    ]}});
    ward.write("work/.claude/settings.json", &other);
    let said = ward.wiring(&[]);
    assert_eq!(said.outcome("claude.others"), "warning");
    assert!(said.checks["claude.others"].1.contains("/o/rewrites"));
}

#[test]
fn modes_are_held_against_the_agents_user() {
    let ward = Ward::new("/nowhere/s");
    ward.write("home/.claude/settings.json", &ward.settings());
    assert_eq!(ward.wiring(&[]).outcome("claude.held"), "skipped");
    assert_eq!(ward.wiring(&["--agent-uid", "0"]).outcome("claude.held"), "skipped");
    let path = ward.path("home/.claude/settings.json");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
    let said = ward.wiring(&["--agent-uid", "4000000"]);
    assert_eq!(said.outcome("claude.held"), "failed", "{:?}", said.checks["claude.held"]);
}

#[test]
fn where_nothing_is_there_nothing_passes() {
    let ward = Ward::new("/nowhere/s");
    let missing = ward.text("none");
    let said = ward.doctor(&[
        "--client",
        &missing,
        "--agent-uid",
        "4000000",
        "--admin",
        &missing,
        "--audit",
        &missing,
    ]);
    assert_eq!(said.checks.len(), CHECKS.len());
    assert_eq!(said.with("ok"), BTreeSet::new());
    assert_eq!(said.with("warning"), BTreeSet::new());
    assert_eq!(said.code, Some(1));
    assert!(said.checks.values().all(|(_, seen)| !seen.is_empty()));
    // What is only skipped is no success either.
    let said = ward.doctor(&["--client", &missing, "--only", "canary.stopped"]);
    assert_eq!((said.outcome("canary.stopped"), said.code), ("skipped", Some(2)));
    assert!(said.errors.contains("nothing could be checked"), "{}", said.errors);
}

#[test]
fn a_client_that_cannot_fail_closed_is_not_played() {
    let ward = Ward::new("/nowhere/s");
    ward.write("home/.claude/settings.json", &ward.settings());
    for version in ["2.1.294 (Claude Code)", "1.9.999", "something else", ""] {
        let client = ward.client(version);
        let said = ward.doctor(&[
            "--client",
            &client,
            "--only",
            "claude.version",
            "--only",
            "canary.allowed",
        ]);
        assert_eq!(said.outcome("claude.version"), "failed", "{version}");
        assert_eq!(said.outcome("canary.allowed"), "skipped", "{version}");
    }
    for (version, outcome) in [("2.1.295", "warning"), ("2.1.330", "ok"), ("3.0.0", "warning")] {
        let client = ward.client(version);
        let said = ward.doctor(&["--client", &client, "--only", "claude.version"]);
        assert_eq!(said.outcome("claude.version"), outcome, "{version}");
    }
}

#[test]
fn a_client_that_plays_nothing_passes_no_canary() {
    let ward = Ward::new("/nowhere/s");
    ward.write("home/.claude/settings.json", &ward.settings());
    let client = ward.client("2.1.330 (Claude Code)");
    let canaries: Vec<&str> =
        CHECKS.iter().map(|check| check.id).filter(|id| id.starts_with("canary.")).collect();
    let mut arguments = vec!["--client", client.as_str()];
    canaries.iter().for_each(|id| arguments.extend(["--only", id]));
    let said = ward.doctor(&arguments);
    assert_eq!(said.code, Some(1));
    for id in canaries.into_iter().filter(|id| *id != "canary.isolated") {
        let (outcome, seen) = &said.checks[id];
        assert!(["failed", "skipped"].contains(&outcome.as_str()), "{id}: {seen}");
        assert!(seen.contains("the client ended with exit code 0"), "{id}: {seen}");
    }
}

#[test]
fn the_running_sidecar_is_looked_at() {
    let mut sidecar = Sidecar::start(POLICY);
    let socket = sidecar.socket().display().to_string();
    let ward = Ward::new(&socket);
    ward.write("home/.claude/settings.json", &ward.settings());
    let config = sidecar.path("toolgate.toml").display().to_string();
    let look = || {
        let mut arguments = vec!["--config", config.as_str()];
        for check in CHECKS.iter().filter(|check| check.id.starts_with("sidecar.")) {
            arguments.extend(["--only", check.id]);
        }
        ward.doctor(&arguments)
    };
    let said = look();
    let fine = ["floor", "log", "ready", "socket", "uid"].map(|name| format!("sidecar.{name}"));
    assert_eq!(said.with("ok"), fine.iter().map(String::as_str).collect(), "{:?}", said.checks);
    assert_eq!(said.code, Some(0));
    // A directory that others can write.
    let run = Path::new(&socket).parent().unwrap().to_owned();
    std::fs::set_permissions(&run, PermissionsExt::from_mode(0o777)).unwrap();
    assert_eq!(look().with("failed"), BTreeSet::from(["sidecar.socket"]));
    std::fs::set_permissions(&run, PermissionsExt::from_mode(0o700)).unwrap();
    // Hooks that ask for another user.
    let mut settings = ward.settings();
    before(&mut settings)["args"][5] = json!("4000000");
    ward.write("home/.claude/settings.json", &settings);
    let said = look();
    assert_eq!(said.with("failed"), BTreeSet::from(["sidecar.uid"]));
    assert!(said.checks["sidecar.uid"].1.contains(" and 4000000, so"), "{:?}", said.checks);
    ward.write("home/.claude/settings.json", &ward.settings());
    // A line of the log that was changed where it lies.
    let newest = sidecar::files_below(&sidecar.path("audit")).pop().unwrap();
    let text = std::fs::read_to_string(&newest).unwrap();
    std::fs::write(&newest, text.replacen("service.start", "service.stark", 1)).unwrap();
    assert_eq!(look().with("failed"), BTreeSet::from(["sidecar.log"]));
    std::fs::write(&newest, text).unwrap();
    // A log that is another one.
    let other = ward.text("tmp-log");
    std::fs::create_dir(&other).unwrap();
    let said = ward.doctor(&["--config", &config, "--audit", &other, "--only", "sidecar.log"]);
    assert_eq!(said.outcome("sidecar.log"), "failed");
    // Nobody there any more.
    sidecar.child.kill().unwrap();
    sidecar.child.wait().unwrap();
    let said = look();
    let gone = ["sidecar.ready", "sidecar.socket"];
    assert_eq!(said.with("failed"), BTreeSet::from(gone), "{:?}", said.checks);
    assert_eq!(said.with("ok"), BTreeSet::new());
    assert!(said.checks["sidecar.floor"].1.contains("because `sidecar.socket` failed"));
}

/// A sidecar without the floor is what a fake one is: it allows everything.
#[test]
fn a_sidecar_that_allows_writes_to_its_own_fails() {
    use std::io::{Read, Write};
    let ward = Ward::new("unused");
    let socket = ward.path("fake");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0u8; 32];
            let _ = stream.read(&mut head);
            let _ = stream.write_all(b"toolgate/1 0 0 0\n");
        }
    });
    let ward = Ward { socket: socket.display().to_string(), ..ward };
    ward.write("home/.claude/settings.json", &ward.settings());
    let said = ward.doctor(&["--only", "sidecar.floor"]);
    assert_eq!((said.outcome("sidecar.floor"), said.code), ("failed", Some(1)));
    assert!(said.checks["sidecar.floor"].1.contains("is not denied; name it in `[hook] wiring`"));
}

#[test]
fn codexs_hooks_must_be_there_and_trusted() {
    let ward = Ward::new("/nowhere/s");
    let looked = || ward.doctor(&["--only", "codex.hooks", "--only", "codex.trust"]);
    let command = format!("{} hook codex --deadline 2000", ward.text("toolgate"));
    let handler = json!({ "type": "command", "command": command, "timeout": 3 });
    let group = json!([{ "hooks": [handler] }]);
    let hooks: serde_json::Map<_, _> =
        CODEX.iter().map(|event| (event.name.to_owned(), group.clone())).collect();
    ward.write("home/.codex/hooks.json", &json!({ "hooks": hooks }));
    let said = looked();
    assert_eq!((said.outcome("codex.hooks"), said.outcome("codex.trust")), ("ok", "failed"));
    // Switched off by the user, and by the project.
    for name in ["home/.codex/config.toml", "work/.codex/config.toml"] {
        std::fs::write(ward.path(name), "[features]\nhooks = false\n").unwrap();
        assert_eq!(looked().outcome("codex.hooks"), "failed", "{name}");
        std::fs::remove_file(ward.path(name)).unwrap();
    }
    let mut fewer = hooks;
    fewer.remove("PermissionRequest");
    ward.write("home/.codex/hooks.json", &json!({ "hooks": fewer }));
    assert_eq!(looked().outcome("codex.hooks"), "failed");
}

#[test]
fn the_list_is_the_guides_table() {
    let ward = Ward::new("/nowhere/s");
    assert_eq!(ward.doctor(&["--list"]).code, Some(0));
    let unknown = ward.doctor(&["--only", "claude.verison"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.errors.contains("`claude.verison`"), "{}", unknown.errors);
    let guide = include_str!("../src/service/README.md");
    let table = guide.split("## Doctor").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows: Vec<String> =
        table.lines().filter(|line| line.starts_with("| `")).map(str::to_owned).collect();
    let expected: Vec<String> = CHECKS
        .iter()
        .map(|check| format!("| `{}` | {} | {} |", check.id, check.title, check.matters))
        .collect();
    assert_eq!(rows, expected);
}
