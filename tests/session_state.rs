//! What is remembered of sessions, through the gate and, where it matters, through the real socket
//! and a real log: labels, limits, budgets, and that a restart keeps them.
#![cfg(test)]

#[path = "harness/sidecar.rs"]
mod sidecar;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use sidecar::{Sidecar, files_below, until};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, LazyLock};
use toolgate::audit::{Journal, Options};
use toolgate::engine::decide;
use toolgate::gate::permit::{Passage, Terms};
use toolgate::gate::{Bound, Gate};
use toolgate::limits::LABELS_OF_SESSION_MAX;
use toolgate::model::access::{Access, Target};
use toolgate::model::call::{CallId, Phase, ToolCall, ToolName};
use toolgate::model::doubt::Doubt;
use toolgate::model::facts::Facts;
use toolgate::model::path::{AbsPath, Route};
use toolgate::model::principal::{Agent, Principal, Runtime, Sender};
use toolgate::model::time::Moment;
use toolgate::policy::builtin::Protected;
use toolgate::policy::pattern::Anchors;
use toolgate::policy::{Policy, Source, compile};
use toolgate::redact::Redactor;
use toolgate::session::{Asked, Store};
use toolgate::world::{Entry, Frozen, Resolution, Same, World};

fn redactor() -> Redactor {
    static SHIPPED: LazyLock<Redactor> = LazyLock::new(|| Redactor::shipped().unwrap());
    SHIPPED.clone()
}

fn policy_of(texts: &[&str]) -> Policy {
    let source =
        |text: &&str| Source { name: "p.toml".to_owned(), text: (*text).to_owned(), layer: None };
    let sources: Vec<Source> = texts.iter().map(source).collect();
    let compiled = compile(&sources, &Anchors::frozen(None), &Protected::default());
    compiled.policy.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics))
}

/// A world without files in which the runtime's own transcripts are real.
struct WithTranscripts(Frozen);

impl World for WithTranscripts {
    fn walk(&self, route: &Route) -> Resolution {
        self.0.walk(route)
    }

    fn list(&self, directory: &AbsPath) -> Result<Vec<Entry>, Doubt> {
        self.0.list(directory)
    }

    fn open(&self, path: &AbsPath) -> Result<std::fs::File, Doubt> {
        Same { home: None, path: None }.open(path)
    }

    fn find_program(&self, name: &str) -> Result<Option<AbsPath>, Doubt> {
        self.0.find_program(name)
    }

    fn home(&self) -> Option<AbsPath> {
        self.0.home()
    }
}

/// A gate with a log of its own, and one session's runtime, whose word is believed.
struct Bench {
    gate: Arc<Gate>,
    scratch: tempfile::TempDir,
    sender: Sender,
}

impl Bench {
    fn new(texts: &[&str]) -> Bench {
        let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let journal =
            Journal::open(&scratch.path().join("audit"), Options::new(redactor())).unwrap();
        let bound = Bound { policy: policy_of(texts), anchors: Anchors::frozen(None) };
        let gate = Gate::new(bound, redactor(), journal);
        Bench { gate, scratch, sender: Sender::Proven }
    }

    fn call(&self, id: &str, tool: &str, input: Value) -> ToolCall {
        let transcript = self.scratch.path().canonicalize().unwrap().join("s.jsonl");
        ToolCall {
            id: CallId(id.to_owned()),
            principal: Principal {
                runtime: Runtime::Claude,
                session: "s".to_owned(),
                agent: Agent::Main,
                uid: Some(nix::unistd::geteuid().as_raw()),
                sender: self.sender,
            },
            tool: ToolName::parse(tool),
            input,
            phase: Phase::Pre,
            tool_use_id: Some(id.to_owned()),
            cwd: Some(AbsPath::parse("/work").unwrap()),
            permission_mode: Some("default".to_owned()),
            transcript: AbsPath::parse(transcript.to_str().unwrap()).ok(),
            attended: true,
        }
    }

    async fn judge(&self, call: ToolCall) -> Passage {
        self.gate.judge(call, Arc::new(WithTranscripts(Frozen::default()))).await
    }

    /// What a call comes to before it runs.
    async fn before(&self, id: &str, tool: &str, input: Value) -> &'static str {
        effect(&self.judge(self.call(id, tool, input)).await)
    }

    /// Tells that a call ran.
    async fn after(&self, id: &str, tool: &str, input: Value, output: Value, failed: bool) {
        let phase = Phase::Post { output, duration_ms: None, failed };
        let call = ToolCall { phase, ..self.call(id, tool, input) };
        assert_eq!(effect(&self.judge(call).await), "allow");
    }

    async fn bash(&self, id: &str, command: &str) -> &'static str {
        self.before(id, "Bash", json!({ "command": command })).await
    }

    async fn bash_ran(&self, id: &str, command: &str, output: Value, failed: bool) {
        self.after(id, "Bash", json!({ "command": command }), output, failed).await;
    }

    fn records(&self, kind: &str) -> Vec<Value> {
        let text = |path: PathBuf| std::fs::read_to_string(path).unwrap();
        let all: String =
            files_below(&self.scratch.path().join("audit")).into_iter().map(text).collect();
        let all = all.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        all.filter(|record| record["kind"] == kind).collect()
    }

    /// Appends one answer to the session's transcript.
    fn answer(&self, id: &str, model: &str, output_tokens: u64) {
        let path = self.scratch.path().join("s.jsonl");
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(path, before + &answer(id, model, output_tokens)).unwrap();
    }
}

fn effect(passage: &Passage) -> &'static str {
    match passage {
        Passage::Refusal(_) => "deny",
        Passage::Permit(permit) => match permit.terms() {
            Terms::Allow => "allow",
            Terms::Ask => "ask",
            Terms::Defer => "defer",
        },
    }
}

fn answer(id: &str, model: &str, output_tokens: u64) -> String {
    let usage = json!({"input_tokens": 0, "output_tokens": output_tokens});
    let message = json!({"id": id, "role": "assistant", "model": model, "usage": usage});
    format!("{}\n", json!({"type": "assistant", "message": message}))
}

fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies").join(name);
    std::fs::read_to_string(path).unwrap()
}

fn fetch(url: &str) -> Value {
    json!({"url": url, "prompt": "p"})
}

#[tokio::test]
async fn after_a_secret_the_network_is_closed_whatever_the_lower_layer_allows() {
    let (org, container) = (shipped("2-org.toml"), shipped("1-container.toml"));
    let bench = Bench::new(&[&org, &container]);
    bench.answer("m1", "claude-opus-5-5", 10);
    let docs = fetch("https://docs.rs/x");
    let model = fetch("https://api.anthropic.com/v1");
    assert_eq!(bench.before("1", "WebFetch", docs.clone()).await, "allow");
    assert_eq!(bench.before("2", "WebFetch", model.clone()).await, "allow");
    // A refused read of a secret marks nothing: it did not happen.
    let dotenv = json!({"file_path": "/work/.env"});
    assert_eq!(bench.before("3", "Read", dotenv).await, "deny");
    assert_eq!(bench.before("4", "WebFetch", docs.clone()).await, "allow");
    // A program that nobody parsed brought one back all the same.
    let key = format!("AKIA{}", "A".repeat(16));
    assert_eq!(bench.bash("5", "cargo test").await, "allow");
    bench.bash_ran("5", "cargo test", json!({"stdout": key, "stderr": ""}), false).await;
    assert_eq!(bench.before("6", "WebFetch", docs.clone()).await, "deny");
    assert_eq!(bench.before("7", "WebFetch", model).await, "allow");
    assert_eq!(bench.bash("8", "cat README.md").await, "allow");
    // What the decision rested on stands in its record.
    let refused = bench.records("tool.pre").into_iter().find(|r| r["tool_use_id"] == "6").unwrap();
    assert_eq!(refused["decision"]["rules"][0]["id"], "after-secret-no-egress");
    let state = &refused["state"];
    assert_eq!(state["before"]["labels"], json!(["secret", "untrusted"]));
    assert!(state["before"]["bits"].is_string() && state.get("admitted").is_none());
    assert_eq!(state["before"]["spent"]["transcript"]["turns"], 1);
    // Another session knows nothing of it.
    let mut other = bench.call("9", "WebFetch", docs);
    other.principal.session = "another".to_owned();
    assert_eq!(effect(&bench.judge(other).await), "allow");
}

const REFUNDS: &str = r#"
schema = 1
[policy]
name    = "refunds"
default = "deny"
[[rule]]
id    = "refunds"
allow = "call"
match = ["mcp:billing/refund"]
limit = { sum = "args.amount", max = 5000, per = "day" }
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_come_together_do_not_each_pass_a_limit_that_together_they_break() {
    let bench = Arc::new(Bench::new(&[REFUNDS]));
    for round in 0..3 {
        let mut tasks = Vec::new();
        for number in 0..3 {
            let bench = Arc::clone(&bench);
            let mut call = bench.call(
                &format!("{round}-{number}"),
                "mcp:billing/refund",
                json!({"amount": 2000}),
            );
            // Each round is another user's.
            call.principal.uid = Some(5_000 + round);
            tasks.push(tokio::spawn(async move { effect(&bench.judge(call).await) }));
        }
        let mut effects = Vec::new();
        for task in tasks {
            effects.push(task.await.unwrap());
        }
        effects.sort_unstable();
        assert_eq!(effects, ["allow", "allow", "deny"]);
    }
    let reserved: Vec<Value> = bench
        .records("tool.pre")
        .iter()
        .map(|record| record["state"]["reserved"].clone())
        .collect();
    let taken = reserved.iter().filter(|reserved| reserved.is_array()).count();
    assert_eq!((reserved.len(), taken), (9, 6));
}

const COUNTED: &str = r#"
schema = 1
[policy]
name    = "counted"
default = "defer"
unattended = "deny"
[[rule]]
id    = "asked"
ask   = "call"
match = ["mcp:a/ask"]
limit = "2/session"
[[rule]]
id    = "allowed"
allow = "call"
match = ["mcp:a/allow"]
limit = { sum = "args.n", max = 3, per = "session" }
[[rule]]
id    = "marks"
note  = "call"
match = ["mcp:a/*"]
mark  = ["called"]
[[rule]]
id    = "once-called"
deny  = "call"
match = ["mcp:a/first"]
when  = { seen = "called" }
[budget]
calls = 10
"#;

#[tokio::test]
async fn what_was_not_refused_counts_and_marks_and_what_was_refused_does_not() {
    let bench = Bench::new(&[COUNTED]);
    let nothing = || json!({});
    let n = |n: f64| json!({"n": n});
    // Refused, since nobody is there to be asked: neither marks nor counts.
    for _ in 0..5 {
        let call = bench.call("0", "mcp:a/ask", nothing());
        assert_eq!(effect(&bench.judge(ToolCall { attended: false, ..call }).await), "deny");
    }
    // Over the limit: refused, and the rest is left for others.
    assert_eq!(bench.before("1", "mcp:a/allow", n(4.0)).await, "deny");
    assert_eq!(bench.before("f", "mcp:a/first", nothing()).await, "defer");
    assert_eq!(bench.before("f", "mcp:a/first", nothing()).await, "deny");
    assert_eq!(bench.before("2", "mcp:a/allow", n(2.5)).await, "allow");
    assert_eq!(bench.before("3", "mcp:a/allow", n(0.75)).await, "deny");
    assert_eq!(bench.before("4", "mcp:a/allow", n(0.5)).await, "allow");
    assert_eq!(bench.before("5", "mcp:a/allow", json!({"n": "x"})).await, "deny");
    assert_eq!(bench.before("6", "mcp:a/allow", n(-1.0)).await, "deny");
    // Asked: admitted, whatever the person says.
    assert_eq!(bench.before("7", "mcp:a/ask", nothing()).await, "ask");
    assert_eq!(bench.before("8", "mcp:a/ask", nothing()).await, "ask");
    assert_eq!(bench.before("9", "mcp:a/ask", nothing()).await, "deny");
    // Deferred: counts as a call, which the budget knows: five more.
    for id in 0..5 {
        assert_eq!(bench.before(&format!("d{id}"), "mcp:a/other", nothing()).await, "defer");
    }
    assert_eq!(bench.before("11", "mcp:a/other", nothing()).await, "deny");
}

const TESTED: &str = r#"
schema = 1
[policy]
name    = "tested"
default = "defer"
[[rule]]
id    = "tests-passed"
note  = "exec"
match = ["cargo test"]
when  = { "result.exit" = 0 }
mark  = ["tests-passed"]
[[rule]]
id     = "edit-spoils-tests"
note   = "write"
match  = ["$workspace/"]
unmark = ["tests-passed"]
[[rule]]
id    = "tests-before-push"
ask   = "exec"
match = ["git push ..."]
when  = { not_seen = "tests-passed" }
"#;

#[tokio::test]
async fn a_proof_lands_only_after_success_and_not_after_a_later_edit() {
    let bench = Bench::new(&[TESTED]);
    let edit = || json!({"file_path": "/work/src/a.rs", "content": "x"});
    let fine = || json!({"stdout": "ok", "stderr": ""});
    assert_eq!(bench.bash("p1", "git push").await, "ask");
    assert_eq!(bench.bash("t1", "cargo test").await, "defer");
    assert_eq!(bench.bash("p2", "git push").await, "ask", "it has not run yet");
    bench.bash_ran("t1", "cargo test", json!("Exit code 101\nfailed"), true).await;
    assert_eq!(bench.bash("p3", "git push").await, "ask", "it failed");
    bench.bash("t2", "cargo test; true").await;
    bench.bash_ran("t2", "cargo test; true", fine(), false).await;
    assert_eq!(bench.bash("p4", "git push").await, "ask", "its own status is not known");
    bench.bash("t3", "cargo test").await;
    bench.bash_ran("t3", "cargo test", fine(), false).await;
    assert_eq!(bench.bash("p5", "git push").await, "defer");
    // An edit takes it away as it is admitted.
    assert_eq!(bench.before("e1", "Write", edit()).await, "defer");
    assert_eq!(bench.bash("p6", "git push").await, "ask");
    // An edit between a test's beginning and its end.
    bench.bash("t4", "cargo test").await;
    bench.before("e2", "Write", edit()).await;
    bench.bash_ran("t4", "cargo test", fine(), false).await;
    assert_eq!(bench.bash("p7", "git push").await, "ask");
    // One whose end is told only after the test passed does not take it away once more.
    bench.before("e3", "Write", edit()).await;
    bench.bash("t5", "cargo test").await;
    bench.bash_ran("t5", "cargo test", fine(), false).await;
    bench.after("e3", "Write", edit(), json!({}), false).await;
    assert_eq!(bench.bash("p8", "git push").await, "defer");
    assert!(bench.records("finding").is_empty());
}

#[tokio::test]
async fn each_budget_ends_the_session_when_it_is_spent() {
    let of = |terms: &str| {
        format!("schema = 1\n[policy]\nname = \"b\"\ndefault = \"defer\"\n[budget]\n{terms}\n")
    };
    let go = async |bench: &Bench, id: &str| {
        let passage = bench.judge(bench.call(id, "mcp:a/b", json!({}))).await;
        match &passage {
            Passage::Refusal(refusal) => refusal.reason().to_owned(),
            Passage::Permit(_) => effect(&passage).to_owned(),
        }
    };
    let spent = |why: &str| format!("the budget of `b` is spent: {why}");

    let bench = Bench::new(&[&of("calls = 2")]);
    let told = [go(&bench, "1").await, go(&bench, "2").await, go(&bench, "3").await];
    assert_eq!(told, ["defer".to_owned(), "defer".to_owned(), spent("2 calls")]);

    let bench = Bench::new(&[&of("output_bytes = 100")]);
    assert_eq!(go(&bench, "1").await, "defer");
    bench.after("1", "mcp:a/b", json!({}), json!("x".repeat(90)), false).await;
    assert_eq!(go(&bench, "2").await, "defer");
    bench.after("2", "mcp:a/b", json!({}), json!("x".repeat(90)), true).await;
    assert_eq!(go(&bench, "3").await, spent("100 bytes of output"));

    let bench = Bench::new(&[&of("wall = \"1s\"")]);
    assert_eq!(go(&bench, "1").await, "defer");
    let mut calls = 1;
    let refused = loop {
        calls += 1;
        match go(&bench, &calls.to_string()).await.as_str() {
            "defer" => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            refused => break refused.to_owned(),
        }
    };
    assert_eq!(refused, spent("1 s since its first call"));

    let bench = Bench::new(&[&of("turns = 2")]);
    let unreadable = go(&bench, "1").await;
    assert!(unreadable.contains("the transcript that counts it cannot be read"), "{unreadable}");
    bench.answer("m1", "claude-opus-5-5", 10);
    assert_eq!(go(&bench, "2").await, "defer");
    bench.answer("m2", "claude-opus-5-5", 10);
    bench.answer("m2", "claude-opus-5-5", 20);
    assert_eq!(go(&bench, "3").await, "defer");
    bench.answer("m3", "claude-opus-5-5", 10);
    assert_eq!(go(&bench, "4").await, spent("3 turns of 2 (estimated)"));
    // A transcript that was cut gives nothing back, and is found.
    std::fs::write(bench.scratch.path().join("s.jsonl"), answer("m4", "x", 1)).unwrap();
    assert_eq!(go(&bench, "5").await, spent("3 turns of 2 (estimated)"));
    let found = bench.records("finding").pop().unwrap();
    assert_eq!(found["details"]["code"], "transcript_rewound");
    assert_eq!(found["details"]["what"], json!(["1 of 3 turns"]));

    // 100,000 tokens out at 20 dollars a million.
    let bench = Bench::new(&[&of("cost_usd = 3.5")]);
    bench.answer("m1", "claude-opus-5-5", 100_000);
    assert_eq!(go(&bench, "1").await, "defer");
    bench.answer("m2", "claude-opus-5-5", 100_000);
    assert_eq!(go(&bench, "2").await, spent("4.00 of 3.50 US dollars (estimated)"));

    let bench = Bench::new(&[&of("models = [\"claude-haiku-4-5\"]")]);
    assert_eq!(go(&bench, "1").await, "defer", "no plane has seen a model");
    bench.answer("m1", "claude-haiku-4-5", 10);
    assert_eq!(go(&bench, "2").await, "defer");
    bench.answer("m2", "claude-opus-5-5", 10);
    let other = go(&bench, "3").await;
    assert_eq!(other, spent("the model `claude-opus-5-5` is not one it names"));
}

#[tokio::test]
async fn a_transcript_that_tells_of_no_answer_is_not_taken_for_a_session_that_costs_nothing() {
    let budget = "schema = 1\n[policy]\nname = \"b\"\ndefault = \"defer\"\n[budget]\nturns = 60\n";
    let bench = Bench::new(&[budget]);
    let line = format!("{}\n", json!({"type": "of-another-form", "message": {"id": "m1"}}));
    std::fs::write(bench.scratch.path().join("s.jsonl"), line).unwrap();
    let mut passed = 0;
    while bench.before(&passed.to_string(), "mcp:a/b", json!({})).await == "defer" {
        passed += 1;
    }
    assert_eq!(passed, toolgate::limits::TRANSCRIPT_SILENT_CALLS_MAX);
}

#[tokio::test]
async fn a_session_with_no_room_for_another_taint_is_refused_one() {
    let keyed = r#"
        schema = 1
        [policy]
        name    = "keyed"
        default = "defer"
        [[rule]]
        id    = "visited"
        note  = "call"
        match = ["mcp:a/visit"]
        mark  = ["visited:${args.host}"]
        [[rule]]
        id    = "not-twice"
        deny  = "call"
        match = ["mcp:a/post"]
        when  = { seen = "visited:${args.host}" }
    "#;
    let bench = Bench::new(&[keyed]);
    let host = |number: usize| json!({ "host": format!("h{number}") });
    for number in 0..LABELS_OF_SESSION_MAX {
        assert_eq!(bench.before("v", "mcp:a/visit", host(number)).await, "defer");
    }
    assert_eq!(bench.before("v", "mcp:a/visit", host(LABELS_OF_SESSION_MAX)).await, "deny");
    assert_eq!(bench.before("v", "mcp:a/visit", host(0)).await, "defer");
    assert_eq!(bench.before("p", "mcp:a/post", host(0)).await, "deny");
    assert_eq!(bench.before("p", "mcp:a/post", host(LABELS_OF_SESSION_MAX)).await, "defer");
}

#[tokio::test]
async fn a_call_that_could_not_be_recorded_gives_back_what_it_took() {
    let bench = Bench::new(&[REFUNDS]);
    let refund = || json!({"amount": 2000});
    assert_eq!(bench.before("1", "mcp:billing/refund", refund()).await, "allow");
    let audit = bench.scratch.path().join("audit");
    std::fs::rename(&audit, bench.scratch.path().join("elsewhere")).unwrap();
    for id in ["2", "3", "4"] {
        assert_eq!(bench.before(id, "mcp:billing/refund", refund()).await, "deny");
    }
    let Passage::Refusal(refusal) =
        bench.judge(bench.call("5", "mcp:billing/refund", refund())).await
    else {
        panic!("the log is gone")
    };
    // Not the limit: two of 2,000 would still fit.
    assert!(refusal.reason().contains("could not be written to the log"), "{}", refusal.reason());
}

// Admissions in any order never come to more than the limit.

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_order_calls_come_in_no_limit_is_passed(
        amounts in proptest::collection::vec(0_u32..3_000, 1..40),
        unwritten in proptest::collection::vec(proptest::bool::ANY, 40),
        threads in 1_usize..6,
    ) {
        static POLICY: LazyLock<Policy> = LazyLock::new(|| policy_of(&[REFUNDS]));
        let store = Store::new(redactor());
        let calls: Vec<(u32, bool)> = amounts.iter().copied().zip(unwritten).collect();
        let admitted: u32 = std::thread::scope(|scope| {
            let one = |calls: Vec<(u32, bool)>| {
                let store = &store;
                scope.spawn(move || calls.into_iter().map(|call| admit(store, &POLICY, call)).sum::<u32>())
            };
            let share = calls.len().div_ceil(threads);
            let handles: Vec<_> = calls.chunks(share).map(|some| one(some.to_vec())).collect();
            handles.into_iter().map(|handle| handle.join().unwrap()).sum()
        });
        proptest::prop_assert!(admitted <= 5_000, "{admitted}");
        // And what was given back is free again: what is left is refused no call.
        let left = 5_000 - admitted;
        proptest::prop_assert_eq!(admit(&store, &POLICY, (left + 1, false)), 0);
        proptest::prop_assert_eq!(admit(&store, &POLICY, (left, false)), left);
    }
}

/// The amount that was let through for good.
fn admit(store: &Store, policy: &Policy, (amount, unwritten): (u32, bool)) -> u32 {
    let call = ToolCall {
        id: CallId(String::new()),
        principal: Principal {
            runtime: Runtime::Claude,
            session: "s".to_owned(),
            agent: Agent::Main,
            uid: Some(1),
            sender: Sender::Unproven,
        },
        tool: ToolName::parse("mcp:billing/refund"),
        input: json!({ "amount": amount }),
        phase: Phase::Pre,
        tool_use_id: None,
        cwd: None,
        permission_mode: None,
        transcript: None,
        attended: true,
    };
    let asked = Asked::of(&call, None);
    let accesses = vec![Access::certain(Target::Call(call.tool.clone()))];
    let mut facts = Facts::of(call, accesses);
    let outcome = store.admit(&asked, policy, Moment(0), |session| {
        facts.session = session;
        // Others come meanwhile.
        std::thread::yield_now();
        decide(policy, &facts, &redactor())
    });
    let allowed = outcome.state.is_some_and(|state| state["admitted"] == true);
    if allowed && unwritten {
        return 0;
    }
    outcome.held.keep();
    if allowed { amount } else { 0 }
}

// Through the real client, the real socket and the real log.

fn event(name: &str, session: &str, id: &str, own: Value) -> String {
    let mut event = json!({
        "session_id": session, "cwd": "/", "hook_event_name": name, "tool_use_id": id,
        "permission_mode": "default",
    });
    event.as_object_mut().unwrap().append(&mut own.as_object().unwrap().clone());
    event.to_string()
}

fn tool(name: &str, input: Value) -> Value {
    json!({"tool_name": name, "tool_input": input})
}

fn told(output: &Output) -> String {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    if text.is_empty() {
        return "defer".to_owned();
    }
    let answer: Value = serde_json::from_str(&text).unwrap();
    let decision = &answer["hookSpecificOutput"]["permissionDecision"];
    decision.as_str().unwrap_or("output").to_owned()
}

fn ask(sidecar: &Sidecar, session: &str, id: &str, name: &str, input: Value) -> String {
    told(&sidecar.hook(event("PreToolUse", session, id, tool(name, input))))
}

/// Starts it anew on what it left behind, with these bytes as its policy.
fn start_again(sidecar: &mut Sidecar) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    command.arg("serve").arg("--config").arg(sidecar.path("toolgate.toml"));
    sidecar.child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("it listens again", || {
        assert!(sidecar.is_alive(), "it did not start again");
        std::os::unix::net::UnixStream::connect(sidecar.socket()).ok()
    });
}

fn kill(sidecar: &mut Sidecar) {
    nix::sys::signal::kill(sidecar.pid(), Signal::SIGKILL).unwrap();
    sidecar.child.wait().unwrap();
}

/// A taint, a day's sum, a count, a proof by an operator, and a budget.
const KEPT: &str = r#"
schema = 1
[policy]
name    = "kept"
default = "defer"
[labels]
external = ["approved:*"]
[budget]
calls = 12
[read]
allow = ["$workspace/"]
[call]
allow = ["Read", "WebFetch"]
[connect]
allow = ["https://docs.example"]
[[rule]]
id    = "secrets"
allow = "read"
match = ["$workspace/secret"]
mark  = ["secret"]
[[rule]]
id    = "no-egress"
deny  = "connect"
match = ["**"]
when  = { seen = "secret" }
[[rule]]
id    = "refunds"
allow = "call"
match = ["mcp:billing/refund"]
when  = { seen = "approved:${args.ticket}" }
limit = { sum = "args.amount", max = 5000, per = "day" }
"#;

#[test]
fn a_restart_keeps_labels_counts_and_budgets() {
    let mut sidecar = Sidecar::start(KEPT);
    let read = json!({"file_path": sidecar.path("work/secret")});
    let refund = |amount: u32| json!({"amount": amount, "ticket": "T1"});
    let docs = || fetch("https://docs.example/x");
    assert_eq!(ask(&sidecar, "s", "1", "WebFetch", docs()), "allow");
    assert_eq!(ask(&sidecar, "s", "2", "Read", read), "allow");
    assert_eq!(ask(&sidecar, "s", "3", "mcp__billing__refund", refund(1)), "defer");
    let admin = sidecar.socket().with_file_name("admin.sock");
    let mut label = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    label.args(["label", "add", "s", "approved:T1", "--socket"]).arg(admin);
    assert!(label.status().unwrap().success());
    assert_eq!(ask(&sidecar, "s", "4", "mcp__billing__refund", refund(3_000)), "allow");
    // Twice: the second start reads from a snapshot on.
    for round in 0..2 {
        kill(&mut sidecar);
        start_again(&mut sidecar);
        assert_eq!(ask(&sidecar, "s", "5", "WebFetch", docs()), "deny", "{round}");
        assert_eq!(ask(&sidecar, "t", "6", "WebFetch", docs()), "allow", "{round}");
        assert_eq!(ask(&sidecar, "s", "7", "mcp__billing__refund", refund(2_500)), "deny");
        assert_eq!(ask(&sidecar, "s", "8", "mcp__billing__refund", refund(500)), "allow");
    }
    // 1, 2, 3, 4 and two of 8 were admitted.
    for number in 0..6 {
        assert_eq!(ask(&sidecar, "s", "9", "mcp__a__b", json!({})), "defer", "{number}");
    }
    assert_eq!(ask(&sidecar, "s", "9", "mcp__a__b", json!({})), "deny");
    assert_eq!(ask(&sidecar, "t", "9", "mcp__a__b", json!({})), "defer");
    let snapshots = sidecar.records().iter().filter(|r| r["kind"] == "session.snapshot").count();
    assert_eq!(snapshots, 3);
    sidecar.stop();
}

#[test]
fn a_log_that_does_not_tell_what_was_lets_nothing_through_that_depends_on_it() {
    let mut sidecar = Sidecar::start(KEPT);
    let read = json!({"file_path": sidecar.path("work/secret")});
    assert_eq!(ask(&sidecar, "s", "1", "Read", read), "allow");
    kill(&mut sidecar);
    let log = files_below(&sidecar.path("audit")).pop().unwrap();
    let text = std::fs::read_to_string(&log).unwrap();
    let taint = text.lines().position(|line| line.contains("\"marked\"")).unwrap();
    let without: Vec<&str> =
        text.lines().enumerate().filter(|(line, _)| *line != taint).map(|(_, text)| text).collect();
    std::fs::write(&log, format!("{}\nx\n", without.join("\n"))).unwrap();
    let config = sidecar.path("toolgate.toml");
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
        command.arg("serve").arg("--config").arg(&config);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let refused = start().wait_with_output().unwrap();
    let why = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{why}");
    assert!(why.contains("the log does not tell what sessions did"), "{why}");
    assert!(why.contains("--audit"), "{why}");
    // A policy that remembers nothing is served; one that comes later lets nothing through.
    let plain = "schema = 1\n[policy]\nname = \"plain\"\ndefault = \"defer\"\n";
    std::fs::write(sidecar.path("policy.toml"), plain).unwrap();
    start_again(&mut sidecar);
    assert_eq!(ask(&sidecar, "s", "2", "mcp__a__b", json!({})), "defer");
    std::fs::write(sidecar.path("policy.toml"), KEPT).unwrap();
    let admin = sidecar.socket().with_file_name("admin.sock");
    let mut reload = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    reload.args(["reload", "--socket"]).arg(admin);
    assert!(reload.output().unwrap().status.success());
    assert_eq!(ask(&sidecar, "s", "3", "mcp__a__b", json!({})), "deny");
    // Nor is it written that there was nothing.
    let mut newest = files_below(&sidecar.path("audit")).into_iter().rev();
    let newest = newest.find(|file| file.extension().is_some_and(|end| end == "jsonl"));
    assert!(!std::fs::read_to_string(newest.unwrap()).unwrap().contains("session.snapshot"));
    kill(&mut sidecar);
    let again = start();
    assert_eq!(again.wait_with_output().unwrap().status.code(), Some(2));
}

#[test]
fn three_clients_at_once_and_two_sessions_share_one_days_limit() {
    let sidecar = Sidecar::start(REFUNDS);
    let refund = || json!({"amount": 2000});
    let asks: Vec<String> = std::thread::scope(|scope| {
        let one = |number: usize| {
            let sidecar = &sidecar;
            let session = format!("s{}", number % 2);
            scope.spawn(move || {
                ask(sidecar, &session, &number.to_string(), "mcp__billing__refund", refund())
            })
        };
        let all: Vec<_> = (0..3).map(one).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(asks.iter().filter(|told| *told == "allow").count(), 2, "{asks:?}");
    assert_eq!(ask(&sidecar, "s9", "4", "mcp__billing__refund", json!({"amount": 1001})), "deny");
    assert_eq!(ask(&sidecar, "s9", "5", "mcp__billing__refund", json!({"amount": 1000})), "allow");
    sidecar.stop();
}

#[test]
fn a_proof_from_a_sender_that_is_not_shown_to_be_the_runtime_is_a_finding() {
    let sidecar = Sidecar::start(TESTED);
    let tested = json!({"tool_name": "Bash", "tool_input": {"command": "cargo test"}});
    assert_eq!(told(&sidecar.hook(event("PreToolUse", "s", "t", tested.clone()))), "defer");
    let mut ended = tested;
    ended["tool_response"] = json!({"stdout": "ok", "stderr": "", "interrupted": false});
    assert_eq!(told(&sidecar.hook(event("PostToolUse", "s", "t", ended))), "defer");
    assert_eq!(ask(&sidecar, "s", "p", "Bash", json!({"command": "git push"})), "ask");
    let records = sidecar.records();
    let found: Vec<&Value> = records.iter().filter(|record| record["kind"] == "finding").collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["details"]["code"], "proof_from_unproven_sender");
    assert_eq!(found[0]["details"]["what"], json!(["tests-passed"]));
    assert_eq!(
        (found[0]["session"].as_str(), found[0]["sender"].as_str()),
        (Some("s"), Some("unproven"))
    );
    sidecar.stop();
}

#[test]
fn conditions_on_the_agent_and_the_permission_mode_hold_for_real_events() {
    let sidecar = Sidecar::start(
        r#"
        schema = 1
        [policy]
        name       = "who"
        default    = "defer"
        unattended = "defer"
        [[rule]]
        id    = "reviewers-only-look"
        deny  = "call"
        match = ["Write"]
        when  = { agent = "reviewer" }
        [[rule]]
        id    = "main-is-asked"
        ask   = "call"
        match = ["Write"]
        when  = { agent = "main", permission_mode = ["acceptEdits", "plan"] }
        capture = "digest"
        "#,
    );
    let write = |own: Value| {
        let mut call = tool("Write", json!({"file_path": "/a", "content": "text of the file"}));
        call.as_object_mut().unwrap().append(&mut own.as_object().unwrap().clone());
        told(&sidecar.hook(event("PreToolUse", "s", "w", call)))
    };
    let sub = |kind: &str, mode: &str| json!({"agent_id": "a1", "agent_type": kind, "permission_mode": mode});
    assert_eq!(write(sub("reviewer", "default")), "deny");
    assert_eq!(write(sub("writer", "acceptEdits")), "defer");
    assert_eq!(write(json!({"permission_mode": "default"})), "defer");
    assert_eq!(write(json!({"permission_mode": "acceptEdits"})), "ask");
    let records = sidecar.records();
    let asked = records.iter().find(|record| record["decision"]["effect"] == "ask").unwrap();
    // That rule wants no more of such a call in the log than its digest.
    assert_eq!(asked["input"]["redactions"][0]["detector"], "digest-only");
    // It is short, so that even its digest is one under a key.
    assert!(asked["input"]["value"]["hmac"].as_str().unwrap().starts_with("k1:"));
    assert!(!asked.to_string().contains("text of the file"));
    let other = records.iter().find(|record| record["decision"]["effect"] == "defer").unwrap();
    assert_eq!(other["input"]["value"]["content"], "text of the file");
    sidecar.stop();
}

#[test]
fn a_policy_that_names_signers_is_served_only_if_the_operator_says_so() {
    let signed = "schema = 1\n[policy]\nname = \"signed\"\nversion = \"1\"\ndefault = \"defer\"\n\
                  signers = [\"s@acme.example\"]\n";
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let policy = scratch.path().join("p.toml");
    std::fs::write(&policy, signed).unwrap();
    let toolgate = || Command::new(env!("CARGO_BIN_EXE_toolgate"));
    let refused = toolgate()
        .args(["serve", "--policy"])
        .arg(&policy)
        .arg("--audit")
        .arg(scratch.path().join("audit"))
        .arg("--socket")
        .arg(scratch.path().join("run/s"))
        .output()
        .unwrap();
    let why = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{why}");
    assert!(why.contains("`signed@1` names signers") && why.contains("--unsigned-ok"), "{why}");
    // Whoever writes it is only warned.
    let checked = toolgate().args(["policy", "check"]).arg(&policy).output().unwrap();
    assert!(checked.status.success());
    assert!(String::from_utf8(checked.stderr).unwrap().contains("P034"));
    // With it, every activation says so.
    let plain = signed.replace("signers = [\"s@acme.example\"]\n", "");
    let mut sidecar = Sidecar::start(&plain);
    std::fs::write(sidecar.path("policy.toml"), signed).unwrap();
    let ask = |sidecar: &Sidecar, command: &str| {
        let admin = sidecar.socket().with_file_name("admin.sock");
        let output = toolgate().args([command, "--socket"]).arg(admin).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, _, why) = ask(&sidecar, "reload");
    assert_eq!(code, Some(1));
    assert!(why.contains("--unsigned-ok"), "{why}");
    kill(&mut sidecar);
    let config = std::fs::read_to_string(sidecar.path("toolgate.toml")).unwrap();
    let config = config.replace("[policy]\n", "[policy]\nunsigned_ok = true\n");
    std::fs::write(sidecar.path("toolgate.toml"), config).unwrap();
    start_again(&mut sidecar);
    let notice = "the policy `signed@1` names signers, and none was checked";
    let load = sidecar.records().into_iter().rfind(|r| r["kind"] == "policy.load").unwrap();
    assert_eq!(load["details"]["unsigned"], json!([notice]));
    assert!(ask(&sidecar, "status").1.contains(&format!("UNSIGNED: {notice}")));
    assert!(ask(&sidecar, "health").2.contains(notice));
    sidecar.stop();
}
