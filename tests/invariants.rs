//! The invariants of the architecture, each held by the tests that bear its number.
//!
//! Two of the eight belong to planes that are not built yet, and have no test here until then:
//!
//! - 4, what was checked is what is used: the egress plane dials, and rewrites an input.
//! - 6, planes share only the gate: there is one plane. (That it reaches for no other module than
//!   it may is held by `tests/architecture.rs`.)
#![cfg(test)]

#[path = "harness/room.rs"]
mod room;
#[path = "harness/sidecar.rs"]
mod sidecar;

use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq};
use room::Room;
use serde_json::{Value, json};
use sidecar::Sidecar;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex, mpsc};
use toolgate::audit::{Journal, Options};
use toolgate::engine::decide;
use toolgate::facts::{Place, gather};
use toolgate::gate::permit::{Passage, Terms};
use toolgate::gate::{Bound, Gate};
use toolgate::limits::ACCESSES_MAX;
use toolgate::model::access::{Access, Target, Verb};
use toolgate::model::call::{CallId, Phase, ToolCall, ToolName};
use toolgate::model::decision::Decision;
use toolgate::model::doubt::Doubt;
use toolgate::model::effect::Verdict;
use toolgate::model::facts::Facts;
use toolgate::model::path::{AbsPath, Extent, PathTarget, Route};
use toolgate::model::principal::{Agent, Principal, Runtime, Sender};
use toolgate::model::url::Destination;
use toolgate::policy::builtin::Protected;
use toolgate::policy::pattern::Anchors;
use toolgate::policy::{Policy, Source, compile};
use toolgate::redact::Redactor;
use toolgate::world::{Entry, Frozen, Reported, Resolution, World};

/// Allows whatever can be allowed at all.
const EVERYTHING: &str = r#"
schema = 1
[policy]
name    = "everything"
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

/// Allows what lies in the workspace.
const WORKSPACE: &str = r#"
schema = 1
[policy]
name    = "workspace"
default = "deny"
[read]
allow = ["$workspace/"]
[write]
allow = ["$workspace/"]
[call]
allow = ["$transparent"]
"#;

fn at(text: &str) -> AbsPath {
    AbsPath::parse(text).unwrap()
}

/// The shipped one; its detectors are compiled once.
fn redactor() -> Redactor {
    static SHIPPED: LazyLock<Redactor> = LazyLock::new(|| Redactor::shipped().unwrap());
    SHIPPED.clone()
}

fn policy(text: &str, protected: &Protected) -> Policy {
    let source = Source { name: "p.toml".to_owned(), text: text.to_owned(), layer: None };
    let compiled = compile(&[source], &Anchors::frozen(None), protected);
    compiled.policy.unwrap_or_else(|| panic!("{text}\n{:?}", compiled.diagnostics))
}

fn gate(text: &str, audit: &Path) -> Arc<Gate> {
    let anchors = Anchors::frozen(None);
    let bound = Bound { policy: policy(text, &Protected::default()), anchors };
    let journal = Journal::open(audit, Options::new(redactor())).unwrap();
    Gate::new(bound, redactor(), journal)
}

fn call(tool: &str, input: Value, attended: bool) -> ToolCall {
    ToolCall {
        id: CallId("call-1".to_owned()),
        principal: Principal {
            runtime: Runtime::Claude,
            session: "s".to_owned(),
            agent: Agent::Main,
            uid: None,
            sender: Sender::Unproven,
        },
        tool: ToolName::parse(tool),
        input,
        phase: Phase::Pre,
        tool_use_id: None,
        cwd: Some(at("/work")),
        permission_mode: None,
        transcript: None,
        attended,
    }
}

fn write(path: &str) -> ToolCall {
    call("Write", json!({"file_path": path, "content": "x"}), true)
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn allows(passage: &Passage) -> bool {
    matches!(passage, Passage::Permit(permit) if permit.terms() == Terms::Allow)
}

// 1. No Permit without a Receipt.

#[tokio::test]
async fn invariant_1_a_permit_names_the_place_of_its_record_in_the_log() {
    let scratch = scratch();
    let audit = scratch.path().join("audit");
    let gate = gate(WORKSPACE, &audit);
    for _ in 0..3 {
        let passage = gate.judge(write("/work/a"), Arc::new(Frozen::default())).await;
        let Passage::Permit(permit) = passage else { panic!("{passage:?}") };
        let place = permit.proof().receipt().unwrap();
        let standing = toolgate::audit::records(&audit).unwrap().map(Result::unwrap).any(|entry| {
            let hash = toolgate::audit::Hash::of(entry.text.as_bytes());
            entry.record.seq == place.seq() && hash == place.hash()
        });
        assert!(standing, "record {} is not in the log", place.seq());
    }
}

#[tokio::test]
async fn invariant_1_a_log_that_is_gone_refuses_what_the_policy_allows() {
    let scratch = scratch();
    let audit = scratch.path().join("audit");
    let gate = gate(WORKSPACE, &audit);
    assert!(allows(&gate.judge(write("/work/a"), Arc::new(Frozen::default())).await));
    std::fs::rename(&audit, scratch.path().join("moved")).unwrap();
    for _ in 0..3 {
        let passage = gate.judge(write("/work/a"), Arc::new(Frozen::default())).await;
        let Passage::Refusal(refusal) = passage else { panic!("{passage:?}") };
        assert!(refusal.receipt().is_none());
        assert!(refusal.reason().contains("could not be written to the log"));
    }
}

#[test]
fn invariant_1_on_a_full_disk_no_call_goes_on_and_no_more_were_let_on_than_are_recorded() {
    let mount = tempfile::Builder::new().prefix("d").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
    let mount = mount.unwrap();
    let mut room = Room::with_disk(mount.path(), "1m");
    let log = mount.path().join("log");
    let mut sidecar = Sidecar::start_logging(WORKSPACE, "", Some(&log), "", &mut room.command());
    let event = |name: &str| {
        let input = json!({"file_path": sidecar.path("work/a"), "content": "x"});
        let output = json!({"filePath": "a"});
        json!({
            "session_id": "s", "hook_event_name": name, "tool_name": "Write", "cwd": "/",
            "tool_input": input, "tool_response": output, "permission_mode": "default",
        })
        .to_string()
    };
    let mut allowed = 0;
    let full = loop {
        let output = sidecar.hook(event("PreToolUse"));
        if allowed == 3 {
            let filler = mount.path().join("filler");
            room.says(&format!("cat /dev/zero > '{}' 2> /dev/null", filler.display()));
        }
        match output.status.code() {
            Some(0) => allowed += 1,
            _ => break output,
        }
        assert!(allowed < 1_000, "the disk was never full");
    };
    assert_eq!(full.status.code(), Some(2));
    let told = String::from_utf8(full.stdout).unwrap();
    assert!(told.contains(r#""permissionDecision":"deny""#), "{told}");
    assert!(told.contains("the decision could not be written to the log"), "{told}");
    // The file system is seen only from inside.
    let mut query = room.command();
    query.args(["audit", "query", "--kind", "tool.pre", "--count", "--audit"]).arg(&log);
    let counted = String::from_utf8(query.output().unwrap().stdout).unwrap();
    let recorded: usize = counted.trim().parse().unwrap();
    assert!(allowed > 3 && allowed <= recorded, "{allowed} were let on, {recorded} recorded");
    // And so it stays: what a tool brought back is withheld, and a question is no way round.
    for _ in 0..2 {
        assert_eq!(sidecar.hook(event("PreToolUse")).status.code(), Some(2));
    }
    let after = String::from_utf8(sidecar.hook(event("PostToolUse")).stdout).unwrap();
    assert!(after.contains("[withheld: "), "{after}");
    assert!(sidecar.is_alive());
}

#[test]
fn invariant_1_without_a_log_there_is_no_sidecar() {
    let scratch = scratch();
    let policy = scratch.path().join("p.toml");
    std::fs::write(&policy, WORKSPACE).unwrap();
    let file = scratch.path().join("file");
    std::fs::write(&file, "").unwrap();
    for audit in [file.clone(), file.join("below")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
        command.arg("serve").arg("--policy").arg(&policy).arg("--audit").arg(audit);
        command.arg("--socket").arg(scratch.path().join("run/s"));
        command.arg("--workspace").arg(scratch.path());
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("the log cannot be written"), "{told}");
        assert!(!scratch.path().join("run/s").exists());
    }
}

// 2. An error is never an allow.

/// A world that does something else than answer.
struct Broken<F>(F);

impl<F: Fn() + Send + Sync> World for Broken<F> {
    fn walk(&self, route: &Route) -> Resolution {
        (self.0)();
        Frozen::default().walk(route)
    }

    fn list(&self, directory: &AbsPath) -> Result<Vec<Entry>, Doubt> {
        Frozen::default().list(directory)
    }

    fn find_program(&self, name: &str) -> Result<Option<AbsPath>, Doubt> {
        Frozen::default().find_program(name)
    }

    fn home(&self) -> Option<AbsPath> {
        None
    }
}

#[tokio::test]
async fn invariant_2_a_panic_and_a_timeout_are_refusals_and_the_gate_goes_on() {
    let scratch = scratch();
    let gate = gate(EVERYTHING, &scratch.path().join("audit"));
    let panics: Arc<dyn World> = Arc::new(Broken(|| panic!("as this test wants it")));
    let (free, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    // Until the test is over; the gate must not wait for it.
    let hangs: Arc<dyn World> = Arc::new(Broken(move || {
        let _ = held.lock().unwrap().recv();
    }));
    for (world, because) in [(panics, "internal error"), (hangs, "in time")] {
        let passage = gate.judge(write("/work/a"), world).await;
        let Passage::Refusal(refusal) = passage else { panic!("{passage:?}") };
        assert!(refusal.reason().contains(because), "{}", refusal.reason());
        assert!(refusal.receipt().is_some());
        assert!(allows(&gate.judge(write("/work/a"), Arc::new(Frozen::default())).await));
    }
    drop(free);
}

fn judge(policy: &Policy, call: ToolCall, world: &dyn World) -> Decision {
    let place = Place { world, workspace: &at("/work"), tmp: &at("/tmp") };
    decide(policy, &gather(call, &policy.tools, &place), &redactor())
}

#[test]
fn invariant_2_what_is_not_understood_is_never_allowed() {
    let long = format!("/work/{}", "x".repeat(256));
    let cases: Vec<(&str, Value)> = vec![
        ("Frobnicate", json!({"file_path": "/work/a"})),
        ("mcp__a__b", json!({})),
        ("write", json!({"file_path": "/work/a"})),
        ("Write ", json!({"file_path": "/work/a"})),
        ("", json!({})),
        ("Write", json!({})),
        ("Write", json!({"path": "/work/a"})),
        ("Write", json!({"file_path": null})),
        ("Write", json!({"file_path": ["/work/a"]})),
        ("Write", json!({"file_path": ""})),
        ("Write", json!({"file_path": "/work/a\u{0}b"})),
        ("Write", json!({"file_path": long})),
        ("Read", json!({"file_path": "~/a"})),
        ("Read", json!({"file_path": "/work/../etc/passwd"})),
        ("WebFetch", json!({"url": "no url"})),
        ("WebFetch", json!({"url": "http://0x7f.1/"})),
        ("Bash", json!({})),
        ("Bash", json!({"command": 7})),
        ("Bash", json!({"command": "echo 'not closed"})),
    ];
    let policy = policy(WORKSPACE, &Protected::default());
    for (tool, input) in cases {
        let told = format!("{tool} {input:.80}");
        let attended = judge(&policy, call(tool, input.clone(), true), &Frozen::default());
        assert!(matches!(attended.verdict, Verdict::Ask | Verdict::Deny), "{told}");
        let alone = judge(&policy, call(tool, input, false), &Frozen::default());
        assert_eq!(alone.verdict, Verdict::Deny, "{told}");
    }
    // The same call is allowed where everything about it is known, and is not where nothing is.
    let known = judge(&policy, write("/work/a"), &Frozen::default());
    assert_eq!(known.verdict, Verdict::Allow);
    let nowhere = judge(&policy, write("/work/a"), &Reported::default());
    assert!(matches!(nowhere.verdict, Verdict::Ask | Verdict::Deny));
}

#[test]
fn invariant_2_a_call_that_does_nothing_or_too_much_is_denied_even_if_everything_is_allowed() {
    let policy = policy(EVERYTHING, &Protected::default());
    let one = Access::certain(Target::Read(PathTarget::plain(at("/work/a"))));
    for (count, expected) in
        [(0, Verdict::Deny), (1, Verdict::Allow), (ACCESSES_MAX + 1, Verdict::Deny)]
    {
        let accesses = vec![one.clone(); count];
        let facts = Facts::of(call("Read", json!({}), true), accesses);
        assert_eq!(decide(&policy, &facts, &redactor()).verdict, expected, "{count}");
    }
}

// 3 and 5. The decision is pure, and order-free; a deny only ever tightens.

/// One rule: its effect, verbs, what it matches and what it excepts.
#[derive(Debug, Clone)]
struct Draft {
    effect: &'static str,
    verbs: &'static [&'static str],
    matches: Vec<&'static str>,
    unless: Vec<&'static str>,
}

const PATHS: &[&str] =
    &["**", "$workspace/", "$workspace/a/", "$workspace/*.txt", "**/.env", "~/", "/etc/"];
const TOOLS: &[&str] = &["**", "$transparent", "Read", "mcp:a/*", "mcp:a/b", "W*"];
const HOSTS: &[&str] = &["**", "https://a.example", "GET https://**.example/x", "$private"];

fn draft_of(effects: &'static [&'static str]) -> impl Strategy<Value = Draft> {
    let verbs: [(&'static [&'static str], &'static [&'static str]); 5] = [
        (&["read"], PATHS),
        (&["write"], PATHS),
        (&["read", "write"], PATHS),
        (&["call"], TOOLS),
        (&["connect"], HOSTS),
    ];
    let effect = prop::sample::select(effects);
    (effect, prop::sample::select(verbs.to_vec())).prop_flat_map(|(effect, (verbs, patterns))| {
        let some = |size| prop::collection::vec(prop::sample::select(patterns), size);
        (Just(effect), Just(verbs), some(1..3), some(0..2))
            .prop_map(|(effect, verbs, matches, unless)| Draft { effect, verbs, matches, unless })
    })
}

fn rules() -> impl Strategy<Value = Vec<Draft>> {
    prop::collection::vec(draft_of(&["allow", "allow", "ask", "deny"]), 0..8)
}

fn header() -> impl Strategy<Value = String> {
    let default = prop::sample::select(vec!["deny", "ask", "defer"]);
    let opaque = prop::sample::select(vec!["deny", "ask", "defer"]);
    let unattended = prop::sample::select(vec!["deny", "defer"]);
    (default, opaque, unattended).prop_map(|(default, opaque, unattended)| {
        format!(
            "schema = 1\n[policy]\nname = \"p\"\ndefault = \"{default}\"\nopaque = \"{opaque}\"\n\
             unattended = \"{unattended}\"\n"
        )
    })
}

/// The policy of these rules, each with an id that stays with it.
fn text(header: &str, rules: &[(usize, Draft)]) -> String {
    let one = |(id, draft): &(usize, Draft)| {
        let Draft { effect, verbs, matches, unless } = draft;
        let except = if unless.is_empty() { "" } else { &format!("unless = {unless:?}\n") };
        format!("[[rule]]\nid = \"r{id}\"\n{effect} = {verbs:?}\nmatch = {matches:?}\n{except}")
    };
    format!("{header}{}", rules.iter().map(one).collect::<String>())
}

/// Calls that a rule could speak of, in worlds that know much or nothing.
fn facts() -> impl Strategy<Value = Facts> {
    let path = prop::sample::select(vec![
        "/work/a",
        "/work/a/b.txt",
        "/work/x.txt",
        "/work/.env",
        "/etc/passwd",
        "~/x",
        "$X/y",
        "",
        "/home/agent/.ssh/id_rsa",
        "../etc/x",
    ]);
    let url = prop::sample::select(vec![
        "https://a.example/",
        "https://b.example/x",
        "http://10.0.0.1/",
        "ftp://a.example/",
        "a b",
    ]);
    let tool = prop::sample::select(vec![
        "Read",
        "Write",
        "Edit",
        "Grep",
        "WebFetch",
        "Bash",
        "TodoWrite",
        "mcp__a__b",
        "mcp__c__d",
        "Nobody",
    ]);
    (path, url, tool, any::<bool>(), any::<bool>()).prop_map(
        |(path, url, tool, known, attended)| {
            let input = json!({"file_path": path, "path": path, "url": url, "command": "true"});
            let frozen = Frozen::with_files(&[at("/work/a/b.txt"), at("/work/.env")]);
            let world: &dyn World = if known { &frozen } else { &Reported::default() };
            let place = Place { world, workspace: &at("/work"), tmp: &at("/tmp") };
            gather(call(tool, input, attended), &[], &place)
        },
    )
}

/// How much a verdict lets through.
fn freedom(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Deny => 0,
        Verdict::Ask => 1,
        Verdict::Defer => 2,
        Verdict::Allow => 3,
    }
}

/// All of a decision that order must not change; the words of its reason may name another rule.
fn essence(decision: &Decision) -> (Verdict, Verdict, String, Vec<(String, String)>) {
    let mut rules: Vec<_> =
        decision.rules.iter().map(|rule| (rule.id.clone(), format!("{:?}", rule.truth))).collect();
    rules.sort();
    let judged: Vec<_> = decision.accesses.iter().map(|judged| judged.verdict).collect();
    let rest = format!("{:?} {judged:?}", decision.basis);
    (decision.verdict, decision.attended_verdict, rest, rules)
}

/// Rules, each with a number that stays with it.
type Numbered = Vec<(usize, Draft)>;

fn numbered(rules: Vec<Draft>) -> Numbered {
    rules.into_iter().enumerate().collect()
}

proptest::proptest! {
    // Few policies, since compiling one takes longest, and many calls for each.
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(40))]

    #[test]
    fn invariant_3_the_same_policy_and_facts_give_the_same_decision(
        header in header(),
        rules in rules(),
        all in prop::collection::vec(facts(), 16),
    ) {
        let text = text(&header, &numbered(rules));
        let once = policy(&text, &Protected::default());
        let again = policy(&text, &Protected::default());
        for facts in all {
            let decision = decide(&once, &facts, &redactor());
            prop_assert_eq!(&decide(&once, &facts, &redactor()), &decision);
            prop_assert_eq!(&decide(&again, &facts.clone(), &redactor()), &decision);
        }
    }

    #[test]
    fn invariant_5_a_deny_rule_more_never_lets_more_through(
        header in header(),
        rules in rules(),
        more in draft_of(&["deny"]),
        all in prop::collection::vec(facts(), 32),
    ) {
        let mut rules = numbered(rules);
        let fewer = policy(&text(&header, &rules), &Protected::default());
        rules.push((99, more));
        let policy = policy(&text(&header, &rules), &Protected::default());
        for facts in all {
            let with = decide(&policy, &facts, &redactor());
            let without = decide(&fewer, &facts, &redactor());
            prop_assert!(freedom(with.verdict) <= freedom(without.verdict));
            prop_assert!(freedom(with.attended_verdict) <= freedom(without.attended_verdict));
        }
    }

    #[test]
    fn invariant_5_the_order_of_rules_never_matters(
        header in header(),
        (rules, shuffled) in orders(),
        all in prop::collection::vec(facts(), 32),
    ) {
        let one = policy(&text(&header, &rules), &Protected::default());
        let other = policy(&text(&header, &shuffled), &Protected::default());
        for facts in all {
            let of = |policy: &Policy| essence(&decide(policy, &facts, &redactor()));
            prop_assert_eq!(of(&one), of(&other));
        }
    }
}

/// The same rules in two orders.
fn orders() -> impl Strategy<Value = (Numbered, Numbered)> {
    let both = |rules: Vec<_>| (Just(rules.clone()), Just(rules).prop_shuffle());
    rules().prop_map(numbered).prop_flat_map(both)
}

// 7. Every record names the digest of the policy in force.

#[test]
fn invariant_7_every_decision_in_the_log_names_the_policy_it_was_made_by() {
    let sidecar = Sidecar::start(WORKSPACE);
    let event = |name: &str, tool: &str, path: &str| {
        json!({
            "session_id": "s", "hook_event_name": name, "tool_name": tool, "cwd": "/",
            "permission_mode": "default", "tool_input": {"file_path": path},
            "tool_response": {"x": 1},
        })
        .to_string()
    };
    let work = sidecar.path("work/a").to_str().unwrap().to_owned();
    for path in [work.as_str(), "/etc/passwd", ""] {
        sidecar.hook(event("PreToolUse", "Read", path));
        sidecar.hook(event("PreToolUse", "Nobody", path));
        sidecar.hook(event("PostToolUse", "Read", path));
    }
    let records = sidecar.records();
    let loaded = records.iter().find(|record| record["kind"] == "policy.load").unwrap();
    let digest = &loaded["details"]["sha256"];
    // The digest is that of what the files say: anyone who has them can tell.
    let name = sidecar.path("policy.toml").to_str().unwrap().to_owned();
    let source = |text: &str| Source { name: name.clone(), text: text.to_owned(), layer: None };
    let of = |text: &str| {
        let compiled = compile(&[source(text)], &Anchors::frozen(None), &Protected::default());
        json!(compiled.policy.unwrap().id.sha256)
    };
    assert_eq!(*digest, of(WORKSPACE));
    assert_eq!(*digest, of(&format!("{WORKSPACE}\n# the same\n")));
    assert_ne!(*digest, of(&WORKSPACE.replace("$transparent", "Read")));
    let decided: Vec<_> = records.iter().filter(|record| !record["decision"].is_null()).collect();
    assert_eq!(decided.len(), 9);
    for record in decided {
        assert_eq!(&record["policy"]["sha256"], digest, "{record}");
    }
    sidecar.stop();
}

// 8. The agent can never write the policy, the hook wiring, the log or the socket.

#[test]
fn invariant_8_what_is_the_guards_own_is_not_written_though_the_policy_allows_everything() {
    let sidecar = Sidecar::start(EVERYTHING);
    let own = |name: &str| sidecar.path(name).to_str().unwrap().to_owned();
    let segment = sidecar::files_below(&sidecar.path("audit"));
    let work = sidecar.path("work");
    for (link, to) in [("log", "audit"), ("rules", "policy.toml"), ("up", "")] {
        std::os::unix::fs::symlink(sidecar.path(to), work.join(link)).unwrap();
    }
    std::fs::create_dir_all(work.join("real/.claude")).unwrap();
    std::os::unix::fs::symlink(work.join("real/.claude"), work.join("harmless")).unwrap();
    let targets = [
        own("policy.toml"),
        own("toolgate.toml"),
        own("audit"),
        own("audit/new.jsonl"),
        segment[0].to_str().unwrap().to_owned(),
        own("run/s"),
        own("work/../policy.toml"),
        own("work//./../run//s"),
        own("work/rules"),
        own("work/log/x"),
        own("work/up/policy.toml"),
        own("work/up/run/s"),
        own("work/.claude/settings.json"),
        own("work/.claude/settings.local.json"),
        own("work/.claude/hooks/x"),
        own("work/a/b/.claude/settings.json"),
        own("work/.claude/remote-settings.json"),
        own("work/.claude/settings.json.toolgate-20260101T000000.000Z-0123456789abcdef"),
        own("work/agent.json.toolgate-20260101T000000.000Z-0123456789abcdef.none"),
        own("work/.codex/config.toml.toolgate-undone-20260101T000000.000Z"),
        own("work/harmless/settings.json"),
        own("work/.mcp.json"),
        own("work/.codex/config.toml"),
        own("work/.codex/hooks.json"),
        own("home/.claude/settings.json"),
        "~/.claude/settings.json".to_owned(),
        "/etc/claude-code/managed-settings.json".to_owned(),
        "/etc/claude-code/managed-settings.d/x.json".to_owned(),
        "/etc/codex/requirements.toml".to_owned(),
        env!("CARGO_BIN_EXE_toolgate").to_owned(),
    ];
    let ask = |tool: &str, path: &str, mode: &str| {
        let event = json!({
            "session_id": "s", "hook_event_name": "PreToolUse", "permission_mode": mode,
            "tool_name": tool, "cwd": "/",
            "tool_input": {"file_path": path, "notebook_path": path, "content": "x"},
        });
        sidecar.hook(event.to_string())
    };
    for path in &targets {
        for (tool, mode) in [("Write", "default"), ("Edit", "bypassPermissions")] {
            let output = ask(tool, path, mode);
            let told = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{tool} {path}");
            assert!(told.contains("toolgate:"), "{tool} {path}: {told}");
        }
        assert_eq!(ask("NotebookEdit", path, "acceptEdits").status.code(), Some(2), "{path}");
    }
    // The policy does allow everything else.
    let honest = [
        "work/a",
        "x",
        "work/.claude/x.md",
        "work/.claude/commands/x.md",
        "work/.claude/agents/settings.md",
        "work/CLAUDE.md",
        "work/settings.json",
        "work/.codex/prompts/x.md",
        "work/toolgate-notes.json",
        "work/a.json.toolgate",
    ];
    for path in honest.map(own).into_iter().chain(["/etc/hostname".to_owned()]) {
        assert_eq!(ask("Write", &path, "default").status.code(), Some(0), "{path}");
    }
    sidecar.stop();
}

#[test]
fn invariant_8_neither_a_directory_above_nor_a_connection_to_the_socket_is_a_way_round() {
    let protected = Protected {
        paths: vec![at("/g/policy.toml"), at("/g/audit")],
        links: vec![at("/g/link")],
        sockets: vec![at("/run/g/s")],
        secrets: vec![at("/g/token")],
    };
    let policy = policy(EVERYTHING, &protected);
    let verdict = |target: Target| {
        let accesses = vec![Access::certain(target)];
        let facts = Facts::of(call("Bash", json!({}), true), accesses);
        decide(&policy, &facts, &redactor()).verdict
    };
    let tree = |path: &str, extent: Extent| {
        Target::Write(PathTarget { extent, ..PathTarget::plain(at(path)) })
    };
    let read = |path: &str| Target::Read(PathTarget::plain(at(path)));
    assert_eq!(verdict(read("/g/token")), Verdict::Deny);
    assert_eq!(verdict(tree("/g/token", Extent::Itself)), Verdict::Deny);
    assert_eq!(verdict(read("/g/policy.toml")), Verdict::Allow);
    let below = Extent::Below(vec![at("/g/x"), at("/g/audit")]);
    assert_eq!(verdict(tree("/g", below)), Verdict::Deny);
    assert_eq!(verdict(tree("/g/audit", Extent::Itself)), Verdict::Deny);
    for above in ["/g", "/", "/run", "/run/g"] {
        let unknown = verdict(tree(above, Extent::BelowUnknown(Doubt::TreeUnknown)));
        assert!(matches!(unknown, Verdict::Ask | Verdict::Deny), "{above}");
    }
    let unknown = Target::Unknown { verb: Verb::Write, reason: Doubt::TreeUnknown };
    assert!(matches!(verdict(unknown), Verdict::Ask | Verdict::Deny));
    let unix = |path: &str| Target::Connect(Destination::Unix(PathTarget::plain(at(path))));
    assert_eq!(verdict(unix("/run/g/s")), Verdict::Deny);
    assert_eq!(verdict(unix("/run/other")), Verdict::Allow);
    assert_eq!(verdict(tree("/h", Extent::Itself)), Verdict::Allow);
    // A link that leads to the guard's own must stay; what lies behind it is judged by itself.
    assert_eq!(verdict(tree("/g/link", Extent::Itself)), Verdict::Deny);
    assert_eq!(verdict(tree("/g/link/x", Extent::Itself)), Verdict::Allow);
}
