use super::*;
use crate::author::eval::Evaluator;
use crate::gate::Bound;
use crate::policy::builtin::Protected;
use crate::policy::pattern::Anchors;
use crate::policy::{Source, compile};
use crate::redact::Redactor;
use crate::world::Frozen;
use serde_json::{Value, json};

const HEAD: &str = "schema = 1\n[policy]\nname = 'p'\ndefault = 'ask'\n[call]\nallow = ['**']\n";

/// Lines, each with the second at which it comes and the effect that it must get.
fn check(policy: &str, lines: &[(i64, Value, &str)]) {
    let text = format!("{HEAD}{policy}");
    let source = Source { name: "p.toml".to_owned(), text, layer: None };
    let anchors = Anchors::frozen(None);
    let compiled = compile(&[source], &anchors, &Protected::default());
    assert!(compiled.policy.is_some(), "{policy}: {:?}", compiled.diagnostics);
    let bound = Bound { policy: compiled.policy.unwrap(), anchors };
    let redactor = Redactor::shipped().unwrap();
    let sessions = Sessions::new(redactor.clone());
    let world = Frozen::default();
    let mut evaluator = Evaluator { bound: &bound, world: &world, redactor: &redactor, sessions };
    for (number, (second, line, effect)) in lines.iter().enumerate() {
        let now = Moment(second * Moment::SECOND);
        let answer = evaluator.answer(line.to_string().as_bytes(), now);
        let answer: Value = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(answer["error"], Value::Null, "line {number}: {answer}");
        assert_eq!(answer["effect"], *effect, "line {number}: {answer}");
    }
}

const TAINT: &str = "[[rule]]\nid = 'r'\nask = 'read'\nmatch = ['**/.env']\nmark = ['secret']\n\
    [[rule]]\nid = 'd'\ndeny = 'connect'\nmatch = ['**']\nwhen = { seen = 'secret' }\n\
    [connect]\nallow = ['https://a.example']\n";

#[test]
fn a_taint_stays_with_its_session_alone() {
    let read = |session| json!({"read": "/work/.env", "session": session});
    let connect = |session| json!({"connect": "https://a.example", "session": session});
    check(
        TAINT,
        &[
            (0, connect("s"), "allow"),
            (0, read("s"), "ask"),
            (0, connect("s"), "deny"),
            (0, connect("t"), "allow"),
            (0, json!({"connect": "https://a.example"}), "allow"),
            // Without a session nothing is shared.
            (0, json!({"read": "/work/.env"}), "ask"),
            (0, json!({"connect": "https://a.example"}), "allow"),
        ],
    );
}

#[test]
fn what_is_refused_marks_nothing_until_it_is_seen_to_have_happened() {
    let policy = TAINT.replace("ask = 'read'", "deny = 'read'");
    let read = json!({"read": "/work/.env", "session": "s"});
    let mut after = read.clone();
    after["phase"] = "post".into();
    let connect = json!({"connect": "https://a.example", "session": "s"});
    check(
        &policy,
        &[
            (0, read, "deny"),
            (0, connect.clone(), "allow"),
            (0, after, "allow"),
            (0, connect, "deny"),
        ],
    );
}

const PROOF: &str = "[exec]\nallow = ['cargo test', 'git push']\n[write]\nallow = ['$workspace/']\n\
    [[rule]]\nid = 'q'\nask = 'exec'\nmatch = ['git push']\nwhen = { not_seen = 'tested' }\n\
    [[rule]]\nid = 'n'\nnote = 'exec'\nmatch = ['cargo test']\n\
    when = { 'result.exit' = 0 }\nmark = ['tested']\n\
    [[rule]]\nid = 'w'\nnote = 'write'\nmatch = ['$workspace/']\nunmark = ['tested']\n";

#[test]
fn a_proof_lands_only_once_its_call_succeeded_and_if_nothing_took_it_since() {
    let before = json!({"bash": "cargo test", "session": "s"});
    let after = |response: Value| json!({"bash": "cargo test", "session": "s", "phase": "post", "tool_response": response});
    let good = after(json!({"stdout": "ok"}));
    let bad = after(json!("Exit code 101\nfailed"));
    let push = json!({"bash": "git push", "session": "s"});
    let write = json!({"write": "/work/a", "session": "s"});
    check(
        PROOF,
        &[
            (0, push.clone(), "ask"),
            (0, before.clone(), "allow"),
            (0, push.clone(), "ask"),
            (0, bad, "allow"),
            (0, push.clone(), "ask"),
            (0, before.clone(), "allow"),
            (0, good.clone(), "allow"),
            (0, push.clone(), "allow"),
            (0, write.clone(), "allow"),
            (0, push.clone(), "ask"),
            // Written while the tests ran: what they prove is of another tree.
            (0, before.clone(), "allow"),
            (0, write, "allow"),
            (0, good.clone(), "allow"),
            (0, push.clone(), "ask"),
            (0, before, "allow"),
            (0, good.clone(), "allow"),
            (0, push.clone(), "allow"),
        ],
    );
    // The end of a call that nobody saw begin proves nothing.
    check(PROOF, &[(0, good, "allow"), (0, push, "ask")]);
}

fn refund(amount: f64, session: &str) -> Value {
    json!({"call": "pay", "args": {"n": amount}, "session": session})
}

#[test]
fn a_sum_per_day_is_the_users_and_is_free_again_a_day_later() {
    let policy = "[[rule]]\nid = 'r'\nallow = 'call'\nmatch = ['pay']\n\
                  limit = { sum = 'args.n', max = 100, per = 'day' }\n";
    check(
        policy,
        &[
            (0, refund(60.0, "s"), "allow"),
            (10, refund(60.0, "t"), "deny"),
            (20, refund(40.0, "t"), "allow"),
            (30, refund(0.5, "s"), "deny"),
            (86_399, refund(1.0, "s"), "deny"),
            (87_300, refund(1.0, "s"), "allow"),
            (87_300, refund(99.5, "s"), "deny"),
            (87_300, refund(99.0, "s"), "allow"),
            // Without a session nothing was used.
            (87_300, json!({"call": "pay", "args": {"n": 100}}), "allow"),
        ],
    );
}

#[test]
fn a_count_per_minute_is_the_sessions() {
    let policy = "[[rule]]\nid = 'r'\nallow = 'call'\nmatch = ['pay']\nlimit = '2/min'\n";
    check(
        policy,
        &[
            (0, refund(1.0, "s"), "allow"),
            (30, refund(1.0, "s"), "allow"),
            (59, refund(1.0, "s"), "deny"),
            (59, refund(1.0, "t"), "allow"),
            (61, refund(1.0, "s"), "allow"),
            (62, refund(1.0, "s"), "deny"),
            (91, refund(1.0, "s"), "allow"),
        ],
    );
}

#[test]
fn budgets_count_calls_time_and_output_and_no_transcript_is_none_spent() {
    let call = json!({"call": "x", "session": "s"});
    let post = |bytes: usize| json!({"call": "x", "session": "s", "phase": "post", "tool_response": "x".repeat(bytes)});
    check(
        "[budget]\ncalls = 2\nturns = 1\ncost_usd = 1.0\nmodels = ['m']\n",
        &[(0, call.clone(), "allow"), (0, call.clone(), "allow"), (0, call.clone(), "deny")],
    );
    check(
        "[budget]\nwall = '1m'\n",
        &[(5, call.clone(), "allow"), (64, call.clone(), "allow"), (65, call.clone(), "deny")],
    );
    check(
        "[budget]\noutput_bytes = 100\n",
        &[
            (0, call.clone(), "allow"),
            (0, post(97), "allow"),
            (0, call.clone(), "allow"),
            (0, post(97), "allow"),
            (0, call, "deny"),
        ],
    );
}
