//! The questions of `src/review/README.md`, each by the very command that stands there, on the week
//! of a made-up team. What is expected is counted from the records themselves.
#![cfg(test)]

#[path = "week/mod.rs"]
mod week;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use toolgate::audit::wire::WireRecord;
use toolgate::audit::{Blobs, records};
use week::{policy, story};

const GUIDE: &str = include_str!("../src/review/README.md");

/// The commands of the guide, in its order.
fn commands() -> Vec<Vec<&'static str>> {
    let blocks = GUIDE.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let lines = blocks.flat_map(str::lines).filter_map(|line| line.strip_prefix("$ toolgate "));
    lines.map(|line| line.split(' ').collect()).collect()
}

/// The log of the week, made once.
fn log() -> &'static Path {
    static LOG: OnceLock<tempfile::TempDir> = OnceLock::new();
    let dir = LOG.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        week::write(dir.path(), week::Options::records(30_000)).unwrap();
        for text in [policy::BEFORE, policy::AFTER] {
            Blobs::of(dir.path()).keep_policy(text).unwrap();
        }
        dir
    });
    dir.path()
}

fn all() -> impl Iterator<Item = WireRecord> {
    records(log()).unwrap().map(|entry| entry.unwrap().record)
}

/// What the command of a question prints; questions count from 1, as in the guide.
fn answer(question: usize, begins: &str) -> String {
    let commands = commands();
    let words = &commands[question - 1];
    assert!(words.join(" ").starts_with(begins), "{words:?}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    let output = command.args(words).arg("--audit").arg(log()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

fn effect(record: &WireRecord) -> &str {
    record.decision.as_ref().map_or("", |decision| decision.effect.as_str())
}

#[test]
fn the_guide_has_ten_questions_and_one() {
    assert_eq!(commands().len(), 11);
    assert_eq!(GUIDE.matches("\n```console\n").count(), 11);
}

#[test]
fn what_was_blocked_last_night() {
    let told = answer(1, "audit query --decision deny");
    let night = "2026-11-18T00:00:00".."2026-11-18T06:00:00";
    let denied = all().filter(|one| effect(one) == "deny" && night.contains(&one.ts.as_str()));
    let mut count = 0;
    for record in denied {
        count += 1;
        assert!(told.contains(&record.seq.to_string()), "{}\n{told}", record.seq);
    }
    assert!(count > 2, "{count}");
    assert!(told.contains("This session has read a secret."), "{told}");
}

#[test]
fn what_else_that_session_did() {
    let told = answer(2, "audit session");
    for part in [story::PAGE_HOST, story::DROP_HOST, story::SECRET, story::RULE] {
        assert!(told.contains(part), "{part}\n{told}");
    }
}

#[test]
fn what_changed_since_the_new_policy() {
    let told = answer(3, "audit stats");
    for text in [policy::BEFORE, policy::AFTER] {
        assert!(told.contains(&policy::digest(text)), "{told}");
    }
    assert!(told.contains("rules that denied something only under the new one"), "{told}");
    assert!(told.contains("no-curl"), "{told}");
}

#[test]
fn which_hosts_were_reached() {
    let told = answer(4, "audit stats");
    for host in [story::PAGE_HOST, story::DROP_HOST, "registry.pkg.example"] {
        assert!(told.contains(host), "{host}\n{told}");
    }
}

#[test]
fn who_was_asked_what_and_how_long_it_took() {
    let told = answer(5, "audit stats");
    let asked: BTreeSet<u32> =
        all().filter(|one| effect(one) == "ask").filter_map(|one| one.uid).collect();
    assert!(asked.iter().any(|uid| told.contains(&format!("uid {uid},"))), "{told}");
    assert!(told.contains(policy::ALWAYS_YES), "{told}");
}

#[test]
fn which_rules_never_fired() {
    let told = answer(6, "audit stats");
    assert!(told.contains(policy::NEVER), "{told}");
    assert!(!told.contains(policy::ALWAYS_YES) && !told.contains("not known of"), "{told}");
}

#[test]
fn which_questions_are_always_answered_yes() {
    let told = answer(7, "audit stats");
    let mut answers: BTreeMap<String, String> = BTreeMap::new();
    let mut yes = 0;
    for record in all() {
        let call = record.call.clone().unwrap_or_default();
        let rules = record.decision.iter().flat_map(|decision| &decision.rules);
        let asks = rules.filter(|rule| rule.effect == "ask").map(|rule| rule.id.clone()).next();
        if let (true, "ask", Some(rule)) = (record.kind == "tool.pre", effect(&record), asks) {
            answers.insert(call, rule);
        } else if record.kind == "approval" && record.details["answer"] == "yes" {
            yes += u64::from(answers.get(&call).is_some_and(|rule| rule == policy::ALWAYS_YES));
        }
    }
    assert!(yes > 10, "{yes}");
    assert!(told.contains(&format!("{yes} of {yes}")), "{yes}\n{told}");
}

#[test]
fn where_secrets_appeared() {
    let told = answer(8, "audit stats");
    let captures = all().flat_map(|record| [record.input, record.output]).flatten();
    let detectors: BTreeSet<String> = captures
        .flat_map(|capture| capture.redactions)
        .map(|one| one.detector)
        .filter(|detector| !["too-long", "digest-only"].contains(&detector.as_str()))
        .collect();
    assert!(!detectors.is_empty());
    for detector in detectors {
        assert!(told.contains(&detector), "{detector}\n{told}");
    }
}

#[test]
fn nothing_was_taken_from_the_log() {
    let told = answer(9, "audit verify");
    assert!(told.contains("UNSEALED") && !told.contains("BROKEN"), "{told}");
    assert!(told.contains(&all().last().unwrap().seq.to_string()), "{told}");
}

#[test]
fn which_calls_have_no_known_end() {
    let told = answer(10, "audit query --kind tool.unknown");
    let unknown: Vec<u64> =
        all().filter(|one| one.kind == "tool.unknown").map(|one| one.seq).collect();
    assert!(!unknown.is_empty());
    for seq in unknown {
        assert!(told.contains(&seq.to_string()), "{seq}\n{told}");
    }
}

#[test]
fn what_the_policy_of_today_would_have_said() {
    let told = answer(11, "audit show");
    for part in [
        "deny   Bash  curl -d @config/signing.key",
        "| id    = \"egress-after-secret\"",
        "the policy of then, asked again",
        "the current policy",
        &policy::digest(policy::AFTER),
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
}
