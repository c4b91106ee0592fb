//! The store by itself: what is kept, what is refused, and that the log gives it back.

use super::change::Change;
use super::*;
use crate::audit::{Journal, Options};
use crate::limits::{
    LABELS_OF_CALL_MAX, LABELS_OF_SESSION_MAX, SESSIONS_OF_USER_MAX, STATE_BYTES_MAX,
};
use crate::model::call::{CallId, Phase, ToolCall, ToolName};
use crate::model::decision::{Decision, Obligation, Reservation};
use crate::model::effect::Verdict;
use crate::model::principal::{Agent, Principal, Runtime, Sender};
use crate::model::record::{Durability, Kind, Record};
use crate::model::session::Session;
use crate::model::time::Moment;
use crate::policy::builtin::Protected;
use crate::policy::pattern::Anchors;
use crate::policy::{Policy, Source, compile};
use crate::redact::Redactor;
use serde_json::json;
use std::path::Path;
use std::sync::LazyLock;

static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::shipped().unwrap());

/// Two limits and a budget; what marks is the tests' to say.
static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let text = r#"
        schema = 1
        [policy]
        name    = "p"
        default = "deny"
        [budget]
        calls = 1000000
        [labels]
        external = ["approved:*", "secret"]
        [[rule]]
        id    = "sums"
        allow = "call"
        match = ["mcp:a/b"]
        limit = { sum = "args.amount", max = 5000, per = "day" }
        [[rule]]
        id    = "counts"
        allow = "call"
        match = ["mcp:a/c"]
        limit = "5/min"
    "#;
    let source = Source { name: "p.toml".to_owned(), text: text.to_owned(), layer: None };
    let compiled = compile(&[source], &Anchors::frozen(None), &Protected::default());
    compiled.policy.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics))
});

fn call(session: &str, id: &str, sender: Sender) -> ToolCall {
    ToolCall {
        id: CallId("c".to_owned()),
        principal: Principal {
            runtime: Runtime::Claude,
            session: session.to_owned(),
            agent: Agent::Main,
            uid: Some(1000),
            sender,
        },
        tool: ToolName::parse("mcp:a/b"),
        input: json!({}),
        phase: Phase::Pre,
        tool_use_id: Some(id.to_owned()),
        cwd: None,
        permission_mode: None,
        transcript: None,
        attended: true,
    }
}

fn decision(obligations: Vec<Obligation>, reservations: Vec<Reservation>) -> Decision {
    Decision {
        verdict: Verdict::Allow,
        obligations,
        reservations,
        ..Decision::refusal(String::new(), POLICY.id.clone())
    }
}

fn taint(label: &str) -> Obligation {
    Obligation::Mark { label: label.to_owned(), proof: false }
}

fn proof(label: &str) -> Obligation {
    Obligation::Mark { label: label.to_owned(), proof: true }
}

fn unmark(label: &str) -> Obligation {
    Obligation::Unmark(label.to_owned())
}

fn amount(amount: f64) -> Reservation {
    Reservation { limit: 0, rule: "sums".to_owned(), amount }
}

const NOW: Moment = Moment(1_800_000_000 * Moment::SECOND);

/// A store, and the log that its changes go to.
struct Bench {
    store: Store,
    written: Vec<Record>,
}

impl Bench {
    fn new() -> Bench {
        Bench { store: Store::new(REDACTOR.clone()), written: Vec::new() }
    }

    fn take(&mut self, outcome: Outcome) -> (Decision, Vec<&'static str>) {
        let Outcome { decision, state, findings, held } = outcome;
        self.written.push(Record { state, ..Record::new(Kind::ToolPre) });
        held.keep();
        (decision, findings.iter().map(|finding| finding.code.as_str()).collect())
    }

    fn before(&mut self, session: &str, id: &str, sender: Sender, does: Vec<Obligation>) {
        assert_eq!(self.judge(session, id, sender, does), Verdict::Allow);
    }

    fn judge(&mut self, session: &str, id: &str, sender: Sender, does: Vec<Obligation>) -> Verdict {
        let asked = Asked::of(&call(session, id, sender), None);
        let outcome = self.store.admit(&asked, &POLICY, NOW, |_| decision(does, Vec::new()));
        self.take(outcome).0.verdict
    }

    fn after(
        &mut self,
        session: &str,
        id: &str,
        sender: Sender,
        does: Vec<Obligation>,
    ) -> Vec<&'static str> {
        let asked = Asked::of(&call(session, id, sender), None);
        let outcome = self.store.finish(&asked, 10, &POLICY, NOW, |_| decision(does, Vec::new()));
        self.take(outcome).1
    }

    fn see(&self, session: &str) -> Session {
        see(&self.store, session)
    }

    fn labels(&self, session: &str) -> Vec<String> {
        self.see(session).labels.into_iter().collect()
    }

    /// The store that this one's log gives back.
    fn again(self) -> Store {
        let scratch = tempfile::tempdir().unwrap();
        write(scratch.path(), self.written);
        Store::rebuild(scratch.path(), REDACTOR.clone()).unwrap()
    }
}

fn see(store: &Store, session: &str) -> Session {
    let mut seen = None;
    let asked = Asked::of(&call(session, "look", Sender::Unproven), None);
    // A refusal changes nothing that is looked at here.
    let outcome = store.admit(&asked, &POLICY, NOW, |session| {
        seen = Some(session);
        Decision::refusal(String::new(), POLICY.id.clone())
    });
    outcome.held.keep();
    seen.unwrap()
}

fn write(dir: &Path, records: Vec<Record>) {
    let journal = Journal::open(dir, Options::new(REDACTOR.clone())).unwrap();
    for record in records {
        journal.append_blocking(record).unwrap();
    }
}

use Sender::{Proven, Unproven};

#[test]
fn a_taint_lands_at_once_and_a_proof_when_its_call_has_succeeded() {
    let mut bench = Bench::new();
    assert_eq!(bench.judge("s", "1", Proven, vec![taint("secret"), proof("no")]), Verdict::Allow);
    assert_eq!(bench.labels("s"), ["secret"]);
    assert!(bench.after("s", "1", Proven, vec![proof("tested"), taint("seen")]).is_empty());
    assert_eq!(bench.labels("s"), ["secret", "seen", "tested"]);
    assert!(bench.labels("other").is_empty());
    bench.before("s", "2", Proven, vec![unmark("tested")]);
    assert_eq!(bench.labels("s"), ["secret", "seen"]);
    let again = bench.again();
    assert_eq!(see(&again, "s").labels.into_iter().collect::<Vec<_>>(), ["secret", "seen"]);
}

#[test]
fn a_proof_lands_only_if_nothing_took_it_away_since_its_call_was_admitted() {
    // A later edit; the same call's own; every key; another key; another label.
    for (own, later, label, lands) in [
        (None, None, "t:1", true),
        (None, Some("t:1"), "t:1", false),
        (None, Some("t:*"), "t:1", false),
        (None, Some("t:2"), "t:1", true),
        (None, Some("u"), "t", true),
        (Some("t:1"), None, "t:1", false),
        (Some("t:*"), None, "t:1", false),
    ] {
        let mut bench = Bench::new();
        bench.before("s", "early", Proven, vec![unmark(label)]);
        bench.before("s", "test", Proven, own.map(unmark).into_iter().collect());
        bench.before("s", "edit", Proven, later.map(unmark).into_iter().collect());
        assert!(bench.after("s", "test", Proven, vec![proof(label)]).is_empty());
        assert_eq!(bench.labels("s").len(), usize::from(lands), "{own:?} {later:?} {label}");
    }
    // What was taken away between the end and its record.
    let mut bench = Bench::new();
    bench.before("s", "test", Proven, Vec::new());
    let asked = Asked::of(&call("s", "test", Proven), None);
    let ended =
        bench.store.finish(&asked, 0, &POLICY, NOW, |_| decision(vec![proof("t")], Vec::new()));
    bench.before("s", "edit", Proven, vec![unmark("t")]);
    let _ = bench.take(ended);
    assert!(bench.labels("s").is_empty());
    assert!(see(&bench.again(), "s").labels.is_empty());
}

#[test]
fn a_proof_is_believed_only_of_the_runtime_and_of_a_call_that_was_admitted() {
    for (before, after, found) in [
        (Some(Proven), Proven, None),
        (Some(Proven), Unproven, Some("proof_from_unproven_sender")),
        (Some(Unproven), Unproven, Some("proof_from_unproven_sender")),
        (Some(Unproven), Proven, Some("proof_without_admitted_call")),
        (None, Proven, Some("proof_without_admitted_call")),
    ] {
        let mut bench = Bench::new();
        if let Some(sender) = before {
            bench.before("s", "1", sender, Vec::new());
        }
        let findings = bench.after("s", "1", after, vec![proof("t"), taint("x")]);
        assert_eq!(findings, found.into_iter().collect::<Vec<_>>(), "{before:?} {after:?}");
        let expected: &[&str] = if found.is_none() { &["t", "x"] } else { &["x"] };
        assert_eq!(bench.labels("s"), expected);
        // An end that anyone told does not stand in the way of the real one.
        if before == Some(Proven) && after == Unproven {
            assert!(bench.after("s", "1", Proven, vec![proof("t")]).is_empty());
            assert_eq!(bench.labels("s"), ["t", "x"]);
        }
    }
    // A refused call was not admitted.
    let mut bench = Bench::new();
    let asked = Asked::of(&call("s", "1", Proven), None);
    let refused = |_| Decision::refusal(String::new(), POLICY.id.clone());
    let outcome = bench.store.admit(&asked, &POLICY, NOW, refused);
    let _ = bench.take(outcome);
    assert_eq!(bench.after("s", "1", Proven, vec![proof("t")]), ["proof_without_admitted_call"]);
}

#[test]
fn the_end_of_a_call_takes_away_only_what_its_beginning_did_not() {
    let mut bench = Bench::new();
    bench.before("s", "edit", Proven, vec![unmark("t")]);
    bench.before("s", "test", Proven, Vec::new());
    bench.after("s", "test", Proven, vec![proof("t"), proof("u")]);
    bench.after("s", "edit", Proven, vec![unmark("t"), unmark("u")]);
    assert_eq!(bench.labels("s"), ["t"]);
    // Nothing is known of how it began.
    bench.after("s", "unheard-of", Proven, vec![unmark("t")]);
    assert!(bench.labels("s").is_empty());
}

#[test]
fn a_label_that_the_log_cannot_keep_stands_for_every_key() {
    let secret = format!("AKIA{}", "A".repeat(16));
    let mut bench = Bench::new();
    bench.before("s", "1", Proven, vec![taint(&format!("seen:{secret}"))]);
    assert_eq!(bench.labels("s"), ["seen:*"]);
    let findings = bench.after("s", "1", Proven, vec![proof(&format!("ok:{secret}"))]);
    assert_eq!(findings, ["proof_not_kept"]);
    assert_eq!(bench.judge("s", "2", Proven, vec![taint(&secret)]), Verdict::Deny);
    assert_eq!(bench.after("s", "3", Proven, vec![taint(&secret)]), ["session_closed"]);
    assert_eq!(bench.judge("s", "4", Proven, Vec::new()), Verdict::Deny);
    assert_eq!(bench.judge("t", "4", Proven, Vec::new()), Verdict::Allow);
    let mut again = Bench { store: bench.again(), written: Vec::new() };
    assert_eq!(again.judge("s", "5", Proven, Vec::new()), Verdict::Deny);
    assert_eq!(again.judge("t", "5", Proven, Vec::new()), Verdict::Allow);
}

#[test]
fn a_full_store_refuses_and_forgets_no_taint() {
    let mut bench = Bench::new();
    for number in 0..LABELS_OF_SESSION_MAX {
        let does = vec![taint(&format!("n:{number}"))];
        assert_eq!(bench.judge("s", "x", Proven, does), Verdict::Allow);
    }
    assert_eq!(bench.judge("s", "x", Proven, vec![taint("n:0")]), Verdict::Allow);
    assert_eq!(bench.judge("s", "x", Proven, vec![taint("more")]), Verdict::Deny);
    assert_eq!(bench.labels("s").len(), LABELS_OF_SESSION_MAX);
    // What happened all the same, and cannot be remembered, ends the session.
    assert_eq!(bench.after("s", "y", Proven, vec![taint("more")]), ["session_closed"]);
    assert_eq!(bench.judge("s", "x", Proven, Vec::new()), Verdict::Deny);

    let many = |count: usize| (0..count).map(|number| taint(&format!("m:{number}"))).collect();
    assert_eq!(bench.judge("t", "x", Proven, many(LABELS_OF_CALL_MAX + 1)), Verdict::Deny);
    assert_eq!(bench.judge("t", "x", Proven, many(LABELS_OF_CALL_MAX)), Verdict::Allow);

    let mut full = Bench::new();
    full.before("tainted", "x", Proven, vec![taint("secret")]);
    for number in 1..SESSIONS_OF_USER_MAX {
        full.before(&format!("s{number}"), "x", Proven, Vec::new());
    }
    assert_eq!(full.judge("one-more", "x", Proven, Vec::new()), Verdict::Deny);
    assert_eq!(full.judge("s1", "x", Proven, Vec::new()), Verdict::Allow);
    assert_eq!(full.labels("tainted"), ["secret"]);
    // What runs all the same in a session that is not known is written down as its end.
    let asked = Asked::of(&call("one-more", "x", Proven), None);
    let ran = full.store.finish(&asked, 0, &POLICY, NOW, |_| panic!("nothing is known of it"));
    assert_eq!(ran.decision.verdict, Verdict::Deny);
    assert_eq!(ran.state.unwrap()["closed"], true);
}

#[test]
fn the_time_of_a_session_never_runs_backwards() {
    let bench = Bench::new();
    let asked = Asked::of(&call("s", "x", Proven), None);
    let wall = |seconds: i64| {
        let now = Moment(NOW.0 + seconds * Moment::SECOND);
        let mut wall = 0;
        let outcome = bench.store.admit(&asked, &POLICY, now, |session| {
            wall = session.spent.wall_us / Moment::SECOND;
            decision(Vec::new(), Vec::new())
        });
        outcome.held.keep();
        wall
    };
    for (at, expected) in [(0, 0), (5, 5), (9, 9), (-100, 9), (3, 103), (1_000, 1_100)] {
        assert_eq!(wall(at), expected, "{at}");
    }
}

#[test]
fn places_of_sessions_with_nothing_to_remember_are_given_up_when_places_are_short() {
    let text = "schema = 1\n[policy]\nname = \"q\"\ndefault = \"deny\"\n";
    let source = Source { name: "q".to_owned(), text: text.to_owned(), layer: None };
    let plain = compile(&[source], &Anchors::frozen(None), &Protected::default()).policy.unwrap();
    let store = Store::new(REDACTOR.clone());
    let admit = |session: &str, policy: &Policy, now: Moment, does: Vec<Obligation>| {
        let asked = Asked::of(&call(session, "x", Proven), None);
        let outcome = store.admit(&asked, policy, now, |_| decision(does, Vec::new()));
        outcome.held.keep();
        outcome.decision.verdict
    };
    for number in 0..SESSIONS_OF_USER_MAX {
        let does = if number % 1_000 == 0 { vec![taint("secret")] } else { Vec::new() };
        assert_eq!(admit(&format!("s{number}"), &plain, NOW, does), Verdict::Allow);
    }
    let later = |days: i64| Moment(NOW.0 + days * 24 * 60 * 60 * Moment::SECOND);
    assert_eq!(admit("new", &plain, later(1), Vec::new()), Verdict::Deny);
    // A budget would begin anew.
    assert_eq!(admit("new", &POLICY, later(9), Vec::new()), Verdict::Deny);
    assert_eq!(admit("new", &plain, later(9), Vec::new()), Verdict::Allow);
    assert!(see(&store, "s1000").labels.contains("secret"));
}

#[test]
fn counts_are_taken_all_or_none_and_given_back_only_for_what_did_not_run() {
    let bench = Bench::new();
    let reserve = |id: &str, amounts: Vec<Reservation>| {
        let asked = Asked::of(&call("s", id, Proven), None);
        bench.store.admit(&asked, &POLICY, NOW, |_| decision(Vec::new(), amounts))
    };
    reserve("1", vec![amount(40.0)]).held.keep();
    assert_eq!(bench.see("s").used, [40.0, 0.0]);
    assert_eq!(bench.see("s").spent.calls, 1);
    // Another session of the user sees the day's count, and no other user does.
    assert_eq!(bench.see("other").used, [40.0, 0.0]);
    // A limit that is not known: nothing of it is taken.
    let unknown = Reservation { limit: 9, rule: "gone".to_owned(), amount: 1.0 };
    let outcome = reserve("2", vec![amount(7.0), unknown]);
    assert_eq!(outcome.decision.verdict, Verdict::Deny);
    outcome.held.keep();
    assert_eq!(bench.see("s").used, [40.0, 0.0]);
    // Its record was not written: refunded.
    let count = Reservation { limit: 1, rule: "counts".to_owned(), amount: 2.0 };
    let outcome = reserve("3", vec![amount(7.0), count]);
    assert_eq!(bench.see("s").used, [47.0, 2.0]);
    drop(outcome);
    assert_eq!(bench.see("s").used, [40.0, 0.0]);
    assert_eq!(bench.see("s").spent.calls, 1);
}

#[test]
fn the_log_gives_everything_back_in_whatever_order_it_was_written() {
    let mut bench = Bench::new();
    bench.before("s", "1", Proven, vec![taint("secret"), taint("k:*")]);
    bench.after("s", "1", Proven, vec![proof("t:1"), proof("t:2"), proof("u")]);
    bench.before("s", "2", Proven, vec![unmark("t:*")]);
    let asked = Asked::of(&call("s", "3", Proven), None);
    let outcome =
        bench.store.admit(&asked, &POLICY, NOW, |_| decision(Vec::new(), vec![amount(12.5)]));
    let _ = bench.take(outcome);
    let Session { labels, used, spent, .. } = bench.see("s");
    bench.written.reverse();
    let again = see(&bench.again(), "s");
    assert_eq!((again.labels, again.used, again.spent), (labels.clone(), used, spent));
    assert_eq!(labels.into_iter().collect::<Vec<_>>(), ["k:*", "secret", "u"]);
}

#[test]
fn a_start_reads_from_the_last_but_one_snapshot_on() {
    let scratch = tempfile::tempdir().unwrap();
    let mut bench = Bench::new();
    for number in 0..500 {
        let does = (0..40).map(|n| taint(&format!("n{number}:{n}"))).collect();
        bench.before(&format!("s{}", number % 100), "x", Proven, does);
    }
    let first = bench.store.snapshot(NOW);
    assert!(first.len() > 3, "several parts");
    bench.before("late", "x", Proven, vec![taint("between")]);
    // Taken before this change is written: the change stands behind the snapshot before.
    let second = bench.store.snapshot(NOW);
    let mut lines: Vec<Record> = Vec::new();
    lines.append(&mut bench.written);
    let between = lines.pop().unwrap();
    lines.extend(first);
    bench.before("last", "x", Proven, vec![taint("not in it")]);
    lines.append(&mut bench.written);
    lines.push(between);
    lines.extend(second);
    write(scratch.path(), lines);
    let expect = |store: &Store| {
        for (session, count) in [("s0", 200), ("s99", 200), ("late", 1), ("last", 1)] {
            assert_eq!(see(store, session).labels.len(), count, "{session}");
        }
    };
    expect(&Store::rebuild(scratch.path(), REDACTOR.clone()).unwrap());
    // What lies before is not needed, and may be unreadable.
    let file = std::fs::read_dir(scratch.path()).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&file).unwrap();
    let early: Vec<&str> = text.lines().collect();
    let bad = format!("{}\nno record\n{}\n", early[..5].join("\n"), early[6..].join("\n"));
    std::fs::write(&file, bad).unwrap();
    expect(&Store::rebuild(scratch.path(), REDACTOR.clone()).unwrap());
    // A line that matters must be there, and be what was written.
    for (what, mend) in [("gone", ""), ("unreadable", "no record\n")] {
        let place = early.len() - 3;
        let bad =
            format!("{}\n{mend}{}\n", early[..place].join("\n"), early[place + 1..].join("\n"));
        std::fs::write(&file, bad).unwrap();
        let error = Store::rebuild(scratch.path(), REDACTOR.clone()).unwrap_err().to_string();
        assert!(error.contains("the log does not tell what sessions did"), "{what}: {error}");
    }
}

#[test]
fn a_snapshot_that_is_not_whole_counts_for_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let mut bench = Bench::new();
    for number in 0..300 {
        let does = (0..60).map(|n| taint(&format!("n{number}:{n}"))).collect();
        bench.before(&format!("s{number}"), "x", Proven, does);
    }
    let mut lines = std::mem::take(&mut bench.written);
    let mut cut = bench.store.snapshot(NOW);
    assert!(cut.len() > 3);
    cut.remove(1);
    lines.extend(cut);
    write(scratch.path(), lines);
    let again = Store::rebuild(scratch.path(), REDACTOR.clone()).unwrap();
    assert_eq!(see(&again, "s299").labels.len(), 60);
    // The next one has another number.
    let next = again.snapshot(NOW).remove(0).state.unwrap();
    assert_eq!(next["snapshot"], 2);
}

#[test]
fn what_is_not_known_lets_nothing_through_and_is_not_written_as_nothing() {
    let store = Store::lost(REDACTOR.clone(), "a test".to_owned());
    let mut bench = Bench { store, written: Vec::new() };
    assert_eq!(bench.judge("s", "1", Proven, Vec::new()), Verdict::Deny);
    assert!(bench.store.snapshot(NOW).is_empty());
}

#[test]
fn one_record_has_room_for_whatever_one_call_changes() {
    // Every label as long and as dear to write as one may be.
    let long = |number: usize| format!("f:{}{number:03}", "\"".repeat(120));
    let mut bench = Bench::new();
    for round in 0..3 {
        let does = (0..20).map(|n| taint(&long(20 * round + n))).collect();
        assert_eq!(bench.judge("s", "x", Proven, does), Verdict::Allow);
    }
    let does = (0..LABELS_OF_CALL_MAX).map(|n| taint(&long(100 + n))).collect();
    let amounts: Vec<Reservation> = (0..64).map(|_| amount(0.123_456_789)).collect();
    let asked = Asked::of(&call("s", "y", Proven), None);
    let outcome = bench.store.admit(&asked, &POLICY, NOW, |_| decision(does, amounts));
    // Too much for one record: refused, and nothing of it done.
    assert_eq!(outcome.decision.verdict, Verdict::Deny);
    assert!(outcome.state.is_none());
    outcome.held.keep();
    assert_eq!((bench.labels("s").len(), bench.see("s").used[0]), (60, 0.0));
    // Whatever is written fits on its line, with the greatest of all other fields beside it.
    for record in bench.written {
        let state = record.state.clone().unwrap();
        assert!(state.to_string().len() <= STATE_BYTES_MAX);
        let mut record = record;
        let control = "\u{1}".repeat(10_000);
        record.cwd = Some(control.clone());
        record.tool_use_id = Some(control.clone());
        record.details = vec![("a", json!(control)), ("b", json!([control]))];
        let mut decision = decision(vec![taint(&control); 100], Vec::new());
        decision.reason = control;
        record.decision = Some(Box::new(decision));
        let scratch = tempfile::tempdir().unwrap();
        write(scratch.path(), vec![record]);
        let read = crate::audit::records(scratch.path()).unwrap().last().unwrap().unwrap();
        assert_eq!(read.record.state, Some(state.clone()));
        let change: Change = serde_json::from_value(state).unwrap();
        assert_eq!(change.marked.len(), 20);
    }
}

#[test]
fn an_operators_label_is_set_after_its_record_and_never_without() {
    let mut bench = Bench::new();
    let wish = |session: &str, add: bool, label: &str| LabelChange {
        session: session.to_owned(),
        add,
        label: label.to_owned(),
        by: 0,
    };
    let unknown = bench.store.label(&wish("s", true, "secret"), &POLICY, NOW, |_| Ok(()));
    assert_eq!(unknown, Err(LabelError::NoSession("s".to_owned())));
    bench.before("s", "1", Proven, Vec::new());
    for (label, error) in [
        ("other", LabelError::NotExternal("other".to_owned())),
        ("approved:*", LabelError::NoLabel("approved:*".to_owned())),
        ("approved:${args.x}", LabelError::NoLabel("approved:${args.x}".to_owned())),
    ] {
        let told = bench.store.label(&wish("s", true, label), &POLICY, NOW, |_| panic!());
        assert_eq!(told, Err(error));
    }
    let failed = bench
        .store
        .label(&wish("s", true, "approved:T1"), &POLICY, NOW, |_| Err("disk full".to_owned()));
    assert_eq!(failed, Err(LabelError::Unrecorded("disk full".to_owned())));
    assert!(bench.labels("s").is_empty());
    let mut written = Vec::new();
    for (add, label) in [(true, "approved:T1"), (true, "secret"), (false, "secret")] {
        let told = bench.store.label(&wish("s", add, label), &POLICY, NOW, |record| {
            written.push(record);
            Ok(())
        });
        assert_eq!(told, Ok(()));
    }
    bench.written.extend(written);
    assert_eq!(bench.labels("s"), ["approved:T1"]);
    // The same name of another runtime is another session.
    let mut codex = call("s", "1", Proven);
    codex.principal.runtime = Runtime::Codex;
    let other = Asked::of(&codex, None);
    let outcome = bench.store.admit(&other, &POLICY, NOW, |_| decision(Vec::new(), Vec::new()));
    let _ = bench.take(outcome);
    let set = |name: &str| bench.store.label(&wish(name, true, "secret"), &POLICY, NOW, |_| Ok(()));
    assert_eq!(set("s"), Err(LabelError::Ambiguous("s".to_owned())));
    assert_eq!(set("7/codex/s"), Err(LabelError::NoSession("7/codex/s".to_owned())));
    assert_eq!(set("1000/codex/s"), Ok(()));
    assert_eq!(bench.labels("s"), ["approved:T1"]);
    assert_eq!(see(&bench.again(), "s").labels.into_iter().collect::<Vec<_>>(), ["approved:T1"]);
}

#[test]
fn an_operator_who_takes_a_label_away_leaves_no_call_to_prove_it() {
    let mut bench = Bench::new();
    bench.before("s", "1", Proven, Vec::new());
    let wish =
        LabelChange { session: "s".to_owned(), add: false, label: "approved:T1".to_owned(), by: 0 };
    bench.store.label(&wish, &POLICY, NOW, |_| Ok(())).unwrap();
    bench.after("s", "1", Proven, vec![proof("approved:T1"), proof("approved:T2")]);
    assert_eq!(bench.labels("s"), ["approved:T2"]);
}

/// Found by the property below.
#[test]
fn a_call_that_takes_every_key_away_proves_none() {
    let mut bench = Bench::new();
    bench.before("s", "1", Proven, Vec::new());
    bench.after("s", "1", Proven, vec![proof("t:1"), unmark("t:*")]);
    assert!(bench.labels("s").is_empty());
    assert!(see(&bench.again(), "s").labels.is_empty());
}

#[derive(Debug, Clone)]
enum Step {
    Before(usize, u8, Vec<Obligation>, Option<u32>),
    After(usize, u8, Vec<Obligation>),
    Operator(usize, bool),
    Snapshot,
}

fn steps() -> impl proptest::strategy::Strategy<Value = Vec<Step>> {
    use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};
    let label = prop::sample::select(vec!["a", "t:1", "t:2", "u"]);
    let does = prop_oneof![
        label.clone().prop_map(taint),
        label.clone().prop_map(proof),
        label.prop_map(unmark),
        Just(unmark("t:*")),
    ];
    let does = prop::collection::vec(does, 0..3);
    let (session, call) = (0..2_usize, 0..4_u8);
    let amount = prop::option::of(0..100_u32);
    let step = prop_oneof![
        4 => (session.clone(), call.clone(), does.clone(), amount)
            .prop_map(|(session, call, does, amount)| Step::Before(session, call, does, amount)),
        4 => (session.clone(), call, does)
            .prop_map(|(session, call, does)| Step::After(session, call, does)),
        1 => (session, any::<bool>()).prop_map(|(session, add)| Step::Operator(session, add)),
        1 => Just(Step::Snapshot),
    ];
    prop::collection::vec(step, 1..40)
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
    #[test]
    fn whatever_happened_the_log_gives_it_back(steps in steps(), order in 0..u64::MAX) {
        let mut bench = Bench::new();
        let sessions = ["s0", "s1"];
        // Records reach the log in any order, but those of a snapshot after what it holds.
        let (mut log, mut waiting) = (Vec::new(), Vec::new());
        let mut seed = order;
        for step in steps {
            match step {
                Step::Before(session, call, does, sum) => {
                    let call = super::tests::call(sessions[session], &call.to_string(), Proven);
                    let asked = Asked::of(&call, None);
                    let amounts = sum.into_iter().map(|sum| amount(f64::from(sum))).collect();
                    let outcome =
                        bench.store.admit(&asked, &POLICY, NOW, |_| decision(does, amounts));
                    let _ = bench.take(outcome);
                }
                Step::After(session, call, does) => {
                    let _ = bench.after(sessions[session], &call.to_string(), Proven, does);
                }
                Step::Operator(session, add) => {
                    let (session, label) = (sessions[session].to_owned(), "secret".to_owned());
                    let wish = LabelChange { session, add, label, by: 0 };
                    let mut written = None;
                    let _ = bench.store.label(&wish, &POLICY, NOW, |record| {
                        written = Some(record);
                        Ok(())
                    });
                    bench.written.extend(written);
                }
                Step::Snapshot => {
                    log.append(&mut waiting);
                    log.append(&mut bench.store.snapshot(NOW));
                }
            }
            for record in bench.written.drain(..) {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let place = usize::try_from(seed >> 33).unwrap() % (waiting.len() + 1);
                waiting.insert(place, record);
            }
        }
        log.append(&mut waiting);
        let written = |record| Record { durability: Durability::Written, ..record };
        let scratch = tempfile::tempdir().unwrap();
        write(scratch.path(), log.into_iter().map(written).collect());
        let again = Store::rebuild(scratch.path(), REDACTOR.clone()).unwrap();
        for session in sessions {
            proptest::prop_assert_eq!(see(&bench.store, session), see(&again, session));
        }
    }
}
