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

/// What a command says of the week: exit code, standard output, standard error.
fn said(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    let output = command.args(arguments).arg("--audit").arg(log()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn count(arguments: &[&str]) -> u64 {
    let (_, out, err) = said(&[&["audit", "query", "--count"], arguments].concat());
    out.trim().parse().unwrap_or_else(|_| panic!("{arguments:?}: {out}{err}"))
}

#[test]
fn a_decision_is_counted_once_wherever_it_is_counted() {
    let (_, csv, _) = said(&["audit", "stats", "--by", "rule", "--format", "csv"]);
    let mut decided: BTreeMap<&str, u64> = BTreeMap::new();
    let records: Vec<WireRecord> = all().filter(|one| one.kind == "tool.pre").collect();
    for record in &records {
        *decided.entry(effect(record)).or_default() += 1;
    }
    for (effect, expected) in decided {
        assert_eq!(count(&["--decision", effect]), expected, "{effect}");
    }
    // The same by rule and decision, from questions and from statistics.
    let by = ["audit", "query", "--kind", "tool.pre", "--by", "rule,decision", "--format", "jsonl"];
    let mut asked: BTreeMap<String, [u64; 4]> = BTreeMap::new();
    for line in said(&by).1.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let place =
            ["allow", "ask", "deny", "defer"].iter().position(|one| row["decision"] == *one);
        let rule = row["rule"].as_str().unwrap().to_owned();
        asked.entry(rule).or_default()[place.unwrap()] += row["count"].as_u64().unwrap();
    }
    // Without a rule, the statistics say what decided in its place.
    asked.remove("-");
    let row = |line: &str| -> (String, [u64; 4]) {
        let cells: Vec<&str> = line.split(',').collect();
        let count = |place: usize| cells[place].parse().unwrap();
        (cells[0].to_owned(), [count(2), count(3), count(4), count(5)])
    };
    let rules = csv.lines().filter_map(|line| line.strip_prefix("rule,")).map(row);
    let told: BTreeMap<_, _> = rules.filter(|(rule, _)| !rule.starts_with('(')).collect();
    assert!(told.len() > 5, "{csv}");
    assert_eq!(told, asked);
    // It allowed a part of what another rule refused: heard, and not what decided.
    let by = |field: &str| count(&[field, "docs", "--tool", "Bash", "--decision", "deny"]);
    assert!(by("--matched") > 0 && by("--rule") == 0);
}

#[test]
fn a_denial_says_what_and_why() {
    let (_, out, _) = said(&["audit", "query", "--decision", "deny", "--rule", "no-wipe"]);
    assert!(out.starts_with("record  time (UTC)"), "{out}");
    for line in out.lines().skip(1) {
        let says = ["rm -rf /", "mkfs.ext4"].iter().any(|command| line.contains(command));
        assert!(says && line.contains("no-wipe: That cannot be undone."), "{line}");
    }
    let fields = "seq,rule,target,why";
    let (_, out, _) =
        said(&["audit", "query", "--rule", "no-wipe", "--fields", fields, "--limit", "2"]);
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines.len() == 3 && lines[0].starts_with("seq"), "{out}");
    assert!(lines[1].contains("no-wipe") && lines[1].contains("That cannot be undone."), "{out}");
}

#[test]
fn the_beginning_of_a_session_will_do() {
    let whole = said(&["audit", "session", "triage-story"]).1;
    for cut in ["triage-sto", "triage-sto…"] {
        let (code, out, err) = said(&["audit", "session", cut]);
        assert_eq!((code, &out), (0, &whole), "{err}");
        assert!(err.contains("note: the session is `triage-story`"), "{err}");
        assert_eq!(count(&["--session", cut]), count(&["--session", "triage-story"]));
    }
    let (code, _, err) = said(&["audit", "session", "nobody-at-all"]);
    assert!(code == 1 && err.contains("no record is of the session"), "{err}");
}

#[test]
fn what_stands_in_no_record_is_told() {
    for (arguments, says) in [
        (["--tool", "bash"], "has the tool `bash`; did you mean `Bash`?"),
        (["--rule", "no-dotenw"], "has the rule `no-dotenw`; did you mean `no-dotenv`?"),
        (["--runtime", "cladue"], "has the runtime `cladue`; did you mean `claude`?"),
        (["--host", "registry.pkg.exmple"], "did you mean `registry.pkg.example`?"),
    ] {
        let (code, _, err) = said(&[&["audit", "query", "--count"], &arguments[..]].concat());
        assert!(code == 0 && err.contains(says), "{arguments:?}: {err}");
    }
    let (_, _, err) = said(&["audit", "stats", "--tool", "bash"]);
    assert!(err.contains("did you mean `Bash`?"), "{err}");
    let (_, out, err) = said(&["audit", "query", "--tool", "bash"]);
    assert!(out.is_empty() && err.starts_with("nothing fits"), "{err}");
    let (code, _, err) =
        said(&["audit", "query", "--since", "2026-11-20", "--until", "2026-11-18"]);
    assert!(code == 2 && err.contains("no later than --since"), "{err}");
}

#[test]
fn every_part_of_the_statistics_has_rows_as_csv() {
    for part in ["slow", "never-fired", "secrets", "rule"] {
        let (code, out, err) = said(&["audit", "stats", "--by", part, "--format", "csv"]);
        assert!(code == 0 && out.lines().count() > 1, "{part}: {out}{err}");
        let columns = |line: &str| {
            csv::ReaderBuilder::new()
                .has_headers(false)
                .from_reader(line.as_bytes())
                .records()
                .next()
                .unwrap()
                .unwrap()
                .len()
        };
        let head = columns(out.lines().next().unwrap());
        assert!(out.lines().all(|line| columns(line) == head), "{part}: {out}");
    }
    let (code, _, err) = said(&["audit", "stats", "--by", "slow,tool", "--format", "csv"]);
    assert!(code == 2 && err.contains("columns of its own"), "{err}");
    let (_, out, _) = said(&["audit", "stats", "--by", "slow", "--top", "3"]);
    let measured = |title: &str| -> u64 {
        let rest = out.split(title).nth(1).unwrap().lines().nth(1).unwrap();
        rest.split(' ').next().unwrap().parse().unwrap()
    };
    for title in ["how long deciding took", "how long calls ran"] {
        assert!(out.contains(&format!("and {} more", measured(title) - 3)), "{title}: {out}");
    }
}

#[test]
fn policies_are_compared_by_their_names_down_to_the_rules() {
    let whole = said(&["audit", "stats", "--compare", "team@3,team@4", "--by", "policy"]);
    assert_eq!(whole.0, 0, "{}", whole.2);
    let told = whole.1;
    assert!(told.contains("the rules that changed\nadded    no-curl"), "{told}");
    assert!(told.contains("+ id    = \"no-curl\""), "{told}");
    let (before, after) = (policy::digest(policy::BEFORE), policy::digest(policy::AFTER));
    let start_of = |digest: &str| digest.chars().take(6).collect::<String>();
    let (before, after) = (start_of(&before), start_of(&after));
    let apart = said(&["audit", "stats", "--by", "policy", "--compare", &before, &after]);
    assert_eq!(apart.1, told, "{}", apart.2);
    let (code, _, err) = said(&["audit", "stats", "--compare", "team@3,team@9"]);
    assert!(code == 2 && err.contains("`team@9`") && err.contains("team@4 "), "{err}");
    assert_eq!(said(&["audit", "stats", "--compare", "team@3"]).0, 2);
}

#[test]
fn an_export_overwrites_nothing_unless_it_is_told_to() {
    let scratch = tempfile::tempdir().unwrap();
    for format in ["csv", "jsonl", "ocsf", "sqlite"] {
        let file = scratch.path().join(format);
        let file = file.to_str().unwrap();
        let export = ["audit", "export", "--rule", "no-wipe", "--format", format, "-o", file];
        assert_eq!(said(&export).0, 0);
        let (code, _, err) = said(&export);
        assert!(code == 2 && err.contains("add --force"), "{err}");
        assert_eq!(said(&[&export[..], &["--force"]].concat()).0, 0);
    }
}

#[test]
fn an_empty_directory_is_not_called_whole() {
    let empty = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    let output = command.args(["audit", "verify", "--audit"]).arg(empty.path()).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]));
    assert!(String::from_utf8(output.stderr).unwrap().contains("there is no record in"));
}
