//! `toolgate init` as its users meet it: what it writes into which settings, what it refuses, and
//! that all of it can be taken back. The cases are `tests/cases/init/*.toml`.
#![cfg(test)]

use proptest::prelude::*;
use regex::Regex;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const CLAUDE: &str = "2.1.330 (Claude Code)";
const CODEX: &str = "codex-cli 0.169.0";

/// A machine of its own: a home, two clients and the program that is wired.
struct Machine {
    scratch: TempDir,
}

/// A client that says its version, and finds fault with one value as the real one does.
fn fake(version: &str) -> String {
    format!(
        "#!/bin/sh\ncase \"$1\" in --version) echo '{version}' ;; doctor) echo 'Claude Code doctor'\n\
         if grep -q '\"model\": 5' \"$CLAUDE_CONFIG_DIR/settings.json\"; then\n\
         printf '\\nInvalid settings\\n- /x/settings.json › model: Expected string\\n\\nMore\\n- no\\n'\n\
         fi ;; esac\n"
    )
}

impl Machine {
    fn new(claude: &str, codex: &str) -> Machine {
        let machine = Machine { scratch: tempfile::tempdir().unwrap() };
        for (name, text) in [
            ("bin/claude", fake(claude)),
            ("bin/codex", format!("#!/bin/sh\n[ \"$1\" != --version ] || echo '{codex}'\n")),
            ("opt/toolgate", "#!/bin/sh\nexit 2\n".to_owned()),
        ] {
            machine.write(name, &text);
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(machine.path(name), mode).unwrap();
        }
        std::fs::create_dir(machine.path("work")).unwrap();
        std::fs::create_dir(machine.path("tmp")).unwrap();
        std::fs::create_dir(machine.path("image")).unwrap();
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().canonicalize().unwrap().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.path(name)).ok()
    }

    /// With the machine's directory as `@`.
    fn at(&self, text: &str) -> String {
        text.replace('@', self.path("").to_str().unwrap().trim_end_matches('/'))
    }

    fn unplaced(&self, text: &str) -> String {
        text.replace(self.path("").to_str().unwrap().trim_end_matches('/'), "@")
    }

    fn run(&self, arguments: &[&str], environment: &BTreeMap<String, String>) -> Output {
        let environment = environment.iter().map(|(name, value)| (name, self.at(value)));
        Command::new(env!("CARGO_BIN_EXE_toolgate"))
            .arg("init")
            .args(arguments.iter().map(|argument| self.at(argument)))
            .current_dir(self.path("work"))
            .env_clear()
            .env("HOME", self.path("home"))
            .env("PATH", self.at("relative:@/bin:/usr/bin:/bin"))
            .env("TMPDIR", self.path("tmp"))
            .envs(environment)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// With what every run here needs.
    fn init(&self, arguments: &[&str]) -> Output {
        let common = ["--server-uid", "7", "--binary", "@/opt/toolgate", "--yes"];
        self.run(&[arguments, &common].concat(), &BTreeMap::new())
    }

    /// Every file but the machine's own.
    fn files(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let mut left = vec![self.path("")];
        while let Some(directory) = left.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(self.path("")).unwrap().to_str().unwrap().to_owned();
                match path.is_dir() {
                    true if matches!(name.as_str(), "bin" | "opt") => {}
                    true => left.push(path),
                    // A link that leads nowhere is none.
                    false => found.extend(self.read(&name).map(|text| (name, text))),
                }
            }
        }
        found
    }
}

fn shown(output: &Output) -> String {
    let of = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    format!("{}{}", of(&output.stdout), of(&output.stderr))
}

/// The text with our groups as `"<ours>"`, and without the events that hold nothing else, of which
/// `PreToolUse` stays: thirty alike would hide what a case is about.
fn abridged(text: &str) -> String {
    let ours = r#"\{\s*(?:"matcher": "\*",\s*)?"hooks": \[\s*\{\s*"type": "command",\s*"command": "@/opt/toolgate[^{}]*\}\s*\]\s*\}"#;
    let text = Regex::new(ours).unwrap().replace_all(text, "\"<ours>\"").into_owned();
    let ours = concat!(
        r"(?:\[\[hooks\.\w+\]\]\n\[\[hooks\.\w+\.hooks\]\]\n",
        r#"type = "command"\ncommand = "@/opt/toolgate.*\ntimeout = \d+\n)+"#
    );
    let text = Regex::new(ours).unwrap().replace_all(&text, "<ours>\n").into_owned();
    let alone = Regex::new(r#",\s*"(\w+)": \[\s*"<ours>"\s*\]"#).unwrap();
    alone
        .replace_all(&text, |found: &regex::Captures<'_>| match &found[1] {
            "PreToolUse" => found[0].to_owned(),
            _ => String::new(),
        })
        .into_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// All arguments after `init`; `plain` leaves out what every run needs.
    args: Vec<String>,
    #[serde(default)]
    plain: bool,
    /// What the clients say they are.
    claude: Option<String>,
    codex: Option<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    links: BTreeMap<String, String>,
    #[serde(default)]
    before: BTreeMap<String, String>,
    /// The files afterwards, without backups, abridged; all are as before if it says nothing.
    after: Option<BTreeMap<String, String>>,
    #[serde(default)]
    exit: i32,
    /// What is said on either stream.
    #[serde(default)]
    says: Vec<String>,
    /// What is not.
    #[serde(default)]
    says_not: Vec<String>,
}

#[test]
fn each_case() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/init");
    let (mut count, mut wrong) = (0, Vec::new());
    for file in std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_some_and(|end| end == "toml") {
            let text = std::fs::read_to_string(&file).unwrap();
            let cases: Cases = toml::from_str(&text).unwrap();
            count += cases.case.len();
            wrong.extend(cases.case.iter().filter_map(|case| check(case).err()));
        }
    }
    assert!(count >= 30, "the cases were not found: {count}");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
}

fn check(case: &Case) -> Result<(), String> {
    let said = |client: &Option<String>, usual: &str| client.clone().unwrap_or(usual.to_owned());
    let machine = Machine::new(&said(&case.claude, CLAUDE), &said(&case.codex, CODEX));
    for (name, text) in &case.before {
        machine.write(name, &machine.at(text));
    }
    for (link, to) in &case.links {
        std::fs::create_dir_all(machine.path(link).parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(machine.at(to), machine.path(link)).unwrap();
    }
    let before = match case.links.is_empty() {
        true => machine.files(),
        false => BTreeMap::new(),
    };
    let mut arguments: Vec<&str> = case.args.iter().map(String::as_str).collect();
    if !case.plain {
        arguments.extend(["--server-uid", "7", "--binary", "@/opt/toolgate"]);
    }
    let output = machine.run(&arguments, &case.env);
    let told = machine.unplaced(&shown(&output));
    let wrong = |what: String| Err(format!("{}: {what}\n{told}", case.name));
    if output.status.code() != Some(case.exit) {
        return wrong(format!("{}", output.status));
    }
    if let Some(text) = case.says.iter().find(|text| !told.contains(*text)) {
        return wrong(format!("no `{text}` in"));
    }
    if let Some(text) = case.says_not.iter().find(|text| told.contains(*text)) {
        return wrong(format!("`{text}` in"));
    }
    let mut files = machine.files();
    if let Some(after) = &case.after {
        files.retain(|name, _| !name.contains(".toolgate-"));
        let short = |text: String| abridged(&machine.unplaced(&text));
        let files: BTreeMap<_, _> =
            files.into_iter().map(|(name, text)| (name, short(text))).collect();
        if let Some((name, text)) = files.iter().find(|(name, text)| after.get(*name) != Some(text))
        {
            return wrong(format!("{name} holds\n{text}"));
        }
        if let Some(name) = after.keys().find(|name| !files.contains_key(*name)) {
            return wrong(format!("no {name}"));
        }
    } else if case.links.is_empty() && files != before {
        return wrong(format!("not as before: {:?}", files.keys()));
    }
    Ok(())
}

/// `BLESS=1` writes them anew: what a whole file is, to be read by a person.
#[test]
fn whole_files_are_as_they_were_read() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/init/whole");
    let machine = Machine::new(CLAUDE, CODEX);
    for (name, arguments) in [
        ("claude.json", &["claude", "--print"][..]),
        ("claude-http.json", &["claude", "--print", "--http", "http://127.0.0.1:8787"]),
        ("claude-managed.json", &["claude", "--print", "--managed", "--no-bypass"]),
        ("codex-hooks.json", &["codex", "--print"]),
        ("codex-requirements.toml", &["codex", "--print", "--managed"]),
    ] {
        let output = machine.init(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
        let printed = machine.unplaced(&String::from_utf8(output.stdout).unwrap());
        let file = directory.join(name);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&file, &printed).unwrap();
        }
        assert_eq!(printed, std::fs::read_to_string(&file).unwrap(), "{name}");
    }
    assert_eq!(machine.files(), BTreeMap::new());
}

/// The user's file with an old one of ours in it, and what is done is undone.
#[test]
fn undo_gives_back_the_bytes_and_the_mode() {
    let machine = Machine::new(CLAUDE, CODEX);
    let text = "{\"model\":   \"x\"}";
    machine.write("home/.claude/settings.json", text);
    let settings = machine.path("home/.claude/settings.json");
    std::fs::set_permissions(&settings, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(machine.init(&["claude"]).status.code(), Some(0));
    let once = machine.files();
    assert_eq!(once.len(), 2, "{:?}", once.keys());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert!(once.keys().all(|name| mode(&machine.path(name)) == 0o640));
    let again = machine.init(&["claude", "--deadline", "1000"]);
    assert_eq!(again.status.code(), Some(0), "{}", shown(&again));
    assert_eq!(machine.files().len(), 3);
    // One step back, and one more, and no further.
    let undone = machine.init(&["claude", "--undo"]);
    assert!(shown(&undone).contains("is as it was"), "{}", shown(&undone));
    assert_eq!(machine.files(), once);
    assert_eq!(machine.init(&["claude", "--undo"]).status.code(), Some(0));
    assert_eq!(machine.read("home/.claude/settings.json").as_deref(), Some(text));
    assert_eq!((machine.files().len(), mode(&settings)), (1, 0o640));
    let none = machine.init(&["claude", "--undo"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(shown(&none).contains("no backup"), "{}", shown(&none));
}

#[test]
fn undo_takes_a_new_file_away_for_each_runtime() {
    for runtime in ["claude", "codex"] {
        let machine = Machine::new(CLAUDE, CODEX);
        assert_eq!(machine.init(&[runtime]).status.code(), Some(0), "{runtime}");
        assert!(!machine.files().is_empty(), "{runtime}");
        let undone = machine.init(&[runtime, "--undo"]);
        assert_eq!(undone.status.code(), Some(0), "{}", shown(&undone));
        assert_eq!(machine.files(), BTreeMap::new(), "{runtime}");
    }
}

#[test]
fn undo_keeps_what_was_changed_since() {
    let machine = Machine::new(CLAUDE, CODEX);
    let name = "home/.claude/settings.json";
    machine.write(name, "{}");
    assert_eq!(machine.init(&["claude"]).status.code(), Some(0));
    machine.write(name, "{\"model\": \"later\"}");
    let refused = machine.init(&["claude", "--undo"]);
    assert_eq!(refused.status.code(), Some(2));
    let told = shown(&refused);
    assert!(told.contains("changed since") && told.contains("later"), "{told}");
    let forced = machine.init(&["claude", "--undo", "--force"]);
    assert_eq!(forced.status.code(), Some(0), "{}", shown(&forced));
    assert_eq!(machine.read(name).as_deref(), Some("{}"));
    let kept: Vec<_> = machine.files().into_iter().filter(|(file, _)| file != name).collect();
    assert_eq!(kept.len(), 1);
    assert!(kept[0].1.contains("later") && kept[0].0.contains(".toolgate-undone-"));
}

/// The change is long; what is to be known stands at its end.
#[test]
fn warnings_come_last_after_a_summary() {
    for (runtime, summary) in [("claude", "in all: 29 hooks, 4 deny rules"), ("codex", "in all: 1")]
    {
        let machine = Machine::new(CLAUDE, CODEX);
        let told = String::from_utf8(machine.init(&[runtime]).stderr).unwrap();
        let last = |start: &str| told.rfind(start).unwrap_or_else(|| panic!("{start}: {told}"));
        let first = told.find("\nwarning: ").unwrap();
        assert!(last("\n+") < last(summary) && last(summary) < first, "{told}");
    }
}

#[test]
fn what_was_done_is_told_to_programs() {
    let machine = Machine::new(CLAUDE, CODEX);
    let report = |output: &Output| -> Value { serde_json::from_slice(&output.stdout).unwrap() };
    let done = report(&machine.init(&["claude", "--format", "json"]));
    assert_eq!(done["runtime"], "claude");
    assert_eq!(done["client"], json!({"path": machine.path("bin/claude"), "version": "2.1.330"}));
    assert_eq!(done["files"][0]["path"], json!(machine.path("home/.claude/settings.json")));
    assert_eq!(done["files"][0]["done"], "written");
    let backup = done["files"][0]["backup"].as_str().unwrap();
    assert!(backup.ends_with(".none") && Path::new(backup).exists(), "{backup}");
    assert!(done["warnings"].as_array().is_some_and(|warnings| !warnings.is_empty()));
    let again = report(&machine.init(&["claude", "--format", "json"]));
    assert_eq!(again["files"][0]["done"], "unchanged");
    let list: Value = report(&machine.run(&["--list", "--format", "json"], &BTreeMap::new()));
    assert_eq!(list.as_array().unwrap().len(), 33 + 11);
}

/// The second run must find each entry that the first has made.
#[test]
fn codex_is_told_to_trust_each_hook_and_keeps_its_configuration() {
    let machine = Machine::new(CLAUDE, CODEX);
    let config = "model = \"x\" # mine\n\n[features]\nhooks = false # once\n";
    machine.write("home/.codex/config.toml", config);
    let output = machine.init(&["codex"]);
    let told = shown(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    for says in ["no switch that makes a failed hook block", "`[features] hooks` was `false`"] {
        assert!(told.contains(says), "{told}");
    }
    let text = machine.read("home/.codex/config.toml").unwrap();
    assert!(text.starts_with(&config.replace("false", "true")), "{text}");
    let config: toml::Table = text.parse().unwrap();
    let hooks = machine.path("home/.codex/hooks.json");
    for label in ["pre_tool_use", "session_end", "stop", "post_compact"] {
        let entry = &config["hooks"]["state"][&format!("{}:{label}:0:0", hooks.display())];
        let hash = entry["trusted_hash"].as_str().unwrap();
        assert!(hash.starts_with("sha256:") && hash.len() == 7 + 64, "{hash}");
    }
    assert_eq!(config["hooks"]["state"].as_table().unwrap().len(), 11);
    let again = machine.init(&["codex"]);
    assert_eq!(shown(&again).matches("nothing to do").count(), 2, "{}", shown(&again));
    // What stands before ours moves it, and its trust with it.
    let text = machine.read("home/.codex/hooks.json").unwrap();
    let other = "\"PreToolUse\": [{\"hooks\": [{\"type\": \"command\", \"command\": \"x\"}]},";
    machine.write("home/.codex/hooks.json", &text.replace("\"PreToolUse\": [", other));
    assert_eq!(machine.init(&["codex"]).status.code(), Some(0));
    let text = machine.read("home/.codex/config.toml").unwrap();
    assert!(text.contains("hooks.json:pre_tool_use:1:0"), "{text}");
}

/// Any JSON.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~é\n\"]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 20, 4, |inner| {
        let members = prop::collection::btree_map("[a-z\"\n]{0,3}", inner.clone(), 0..4);
        let object = members.prop_map(|members| Value::Object(members.into_iter().collect()));
        prop_oneof![prop::collection::vec(inner, 0..4).prop_map(Value::from), object]
    })
}

/// Settings with hooks of ours and others' in any mixture, here and there with something else.
fn settings() -> impl Strategy<Value = Value> {
    let handler = prop_oneof![
        Just(json!({"type": "command", "command": "/old/toolgate hook claude --socket /s"})),
        Just(json!({"type": "command", "command": "/old/toolgate", "args": ["hook", "claude"]})),
        Just(json!({"type": "command", "command": "mine", "args": ["hook", "claude"]})),
        Just(json!({"type": "http", "url": "x", "allowedEnvVars": ["TOOLGATE_HOOK_TOKEN"]})),
    ];
    let handlers = prop::collection::vec(handler, 0..4);
    let group = prop_oneof![
        handlers.clone().prop_map(|hooks| json!({ "hooks": hooks })),
        handlers.prop_map(|hooks| json!({"hooks": hooks, "matcher": "*", "other": 1})),
    ];
    let groups = prop_oneof![
        40 => prop::collection::vec(group, 0..4).prop_map(Value::from),
        1 => anything(),
    ];
    let event = prop_oneof![
        Just("PreToolUse".to_owned()),
        Just("Stop".to_owned()),
        Just("WorktreeCreate".to_owned()),
        Just("CwdChanged".to_owned()),
        "[A-Z]{1,3}",
    ];
    let hooks = prop::collection::btree_map(event, groups, 0..5);
    let deny = prop_oneof![4 => Just(json!(["Read(./.env)"])), 1 => anything()];
    (hooks, deny, anything()).prop_map(|(hooks, deny, rest)| {
        json!({"other": rest, "hooks": hooks, "permissions": {"deny": deny, "allow": ["Read"]}})
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever settings there are: they are left alone, or a second run changes nothing, nobody
    /// else's hook is gone, and ours stands once at each event.
    #[test]
    fn a_second_run_changes_nothing(settings in settings(), is_pretty: bool) {
        use toolgate::plane::hook::events::{CLAUDE, Wire};
        use toolgate::wiring::claude::{Claude, merge};
        let wiring = Claude {
            hook: toolgate::wiring::Hook {
                binary: "/opt/toolgate/bin/toolgate".to_owned(),
                socket: "/s".to_owned(),
                server_uid: 7,
                deadline: std::time::Duration::from_secs(20),
            },
            http: None,
            managed: None,
            elsewhere: vec![],
        };
        let text = match is_pretty {
            true => format!("{settings:#}\n"),
            false => settings.to_string(),
        };
        let Ok((once, _)) = merge(&text, &wiring) else { return Ok(()) };
        prop_assert_eq!(&merge(&once, &wiring).unwrap().0, &once);
        let after: Value = serde_json::from_str(&once).unwrap();
        prop_assert_eq!(&after["other"], &settings["other"]);
        prop_assert_eq!(&after["permissions"]["allow"], &settings["permissions"]["allow"]);
        let count = |value: &Value, part: &str| value.to_string().matches(part).count();
        prop_assert_eq!(count(&after["hooks"], "\"mine\""), count(&settings["hooks"], "\"mine\""));
        let own = "\"/opt/toolgate/bin/toolgate\"";
        for event in CLAUDE {
            let wired = usize::from(event.wire == Wire::Command);
            prop_assert_eq!(count(&after["hooks"][event.name], own), wired, "{}", event.name);
        }
    }
}
