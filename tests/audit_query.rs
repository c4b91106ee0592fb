//! Questions to a made-up week's log: sealed, plain and from a stream, each answers as a plain
//! reading of all records does.
#![cfg(test)]

#[path = "week/mod.rs"]
mod week;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use toolgate::audit::query::{Field, Filter, Grouping, Order, Source};
use toolgate::audit::wire::WireRecord;
use week::Options;

const RECORDS: u64 = 3_000;

struct Logs {
    _dir: tempfile::TempDir,
    plain: PathBuf,
    sealed: PathBuf,
    records: Vec<WireRecord>,
}

fn logs() -> Logs {
    let dir = tempfile::tempdir().unwrap();
    let (plain, sealed) = (dir.path().join("plain"), dir.path().join("sealed"));
    let options = Options { segment_bytes: 700_000, ..Options::records(RECORDS) };
    week::write(&plain, options).unwrap();
    week::write(&sealed, options).unwrap();
    assert!(toolgate::audit::seal_all(&sealed).unwrap() > 2);
    let read = toolgate::audit::records(&plain).unwrap();
    let records: Vec<WireRecord> = read.map(|entry| entry.unwrap().record).collect();
    assert_eq!(records.len() as u64, RECORDS);
    Logs { _dir: dir, plain, sealed, records }
}

const FILTERS: &[&[(&str, &str)]] = &[
    &[],
    &[("decision", "deny")],
    &[("decision", "deny,ask"), ("tool", "mcp:*")],
    &[("tool", "mcp__*")],
    &[("rule", "no-dotenv")],
    &[("rule", "-"), ("kind", "tool.pre")],
    &[("session", "triage-story")],
    &[("host", "drop.attacker.example")],
    &[("path", ".env")],
    &[("path", "/work/shop/")],
    &[("call", "story-2")],
    &[("call", "toolu_story2,ada-0000001")],
    &[("not-tool", "Bash,Read"), ("decision", "*")],
    &[("since", "2026-11-18"), ("until", "2026-11-18")],
    &[("since", "2026-11-30")],
    &[("slower-than", "4ms")],
    &[("grep", "signing")],
    &[("grep", "(?i)SIGNING\\.key")],
    &[("agent", "Explore")],
    &[("uid", "990"), ("basis", "unattended")],
    &[("code", "no_end")],
    &[("runtime", "codex"), ("decision", "deny")],
];

fn filter(pairs: &[(&str, &str)]) -> Filter {
    Filter::from_pairs(pairs.iter().copied(), "2026-11-23T00:00:00Z".parse().unwrap()).unwrap()
}

#[test]
fn each_way_to_ask_gives_the_answer_of_a_plain_reading() {
    let logs = logs();
    for pairs in FILTERS {
        let filter = filter(pairs);
        let fitting: Vec<u64> =
            logs.records.iter().filter(|record| filter.fits(record)).map(|one| one.seq).collect();
        for dir in [&logs.plain, &logs.sealed] {
            let source = Source::directory(dir);
            let answer = source.count(&filter).unwrap();
            assert_eq!(answer.value, fitting.len() as u64, "{pairs:?} {}", dir.display());
            assert!(answer.unreadable.is_empty() && answer.notes.is_empty(), "{:?}", answer.notes);
            let seqs = |order| -> Vec<u64> {
                source.rows(&filter, order).unwrap().map(|row| row.unwrap().record.seq).collect()
            };
            assert_eq!(seqs(Order::OldestFirst), fitting, "{pairs:?}");
            let mut newest = seqs(Order::NewestFirst);
            newest.reverse();
            assert_eq!(newest, fitting, "{pairs:?}");
        }
    }
}

#[test]
fn groups_of_both_forms_are_those_of_a_plain_reading() {
    let logs = logs();
    let groupings = [
        Grouping::by(&[Field::Tool, Field::Decision]),
        Grouping::by(&[Field::Rule]),
        Grouping::by(&[Field::Host]).every(week::HOUR),
        Grouping::by(&[Field::Path]),
        Grouping::by(&[Field::Session, Field::Agent, Field::Uid, Field::Rule]),
        Grouping::default().every(week::DAY),
    ];
    for pairs in FILTERS {
        let filter = filter(pairs);
        let plain = Source::directory(&logs.plain).group(&filter, &groupings).unwrap();
        let sealed = Source::directory(&logs.sealed).group(&filter, &groupings).unwrap();
        assert_eq!(plain.value, sealed.value, "{pairs:?}");
        let mut tools: BTreeMap<Vec<String>, u64> = BTreeMap::new();
        for record in logs.records.iter().filter(|record| filter.fits(record)) {
            let none = || "-".to_owned();
            let effect = record.decided().map_or_else(none, |one| one.effect.clone());
            *tools.entry(vec![record.tool.clone().unwrap_or_else(none), effect]).or_default() += 1;
        }
        let counted = plain.value[0].groups.iter();
        let counted: BTreeMap<_, _> = counted.map(|one| (one.key.clone(), one.count)).collect();
        assert_eq!(counted, tools, "{pairs:?}");
    }
}

#[test]
fn a_sealed_log_is_counted_without_a_line_of_it() {
    let logs = logs();
    let source = Source::directory(&logs.sealed);
    let cost = source.count(&filter(&[("decision", "deny")])).unwrap().cost;
    assert_eq!((cost.by_index, cost.blocks), (cost.files, 0));
    let cost = source.count(&filter(&[("since", "2026-11-30")])).unwrap().cost;
    assert_eq!(cost.passed, cost.files);
    let cost = source.count(&filter(&[("call", "story-2")])).unwrap().cost;
    assert!((1..=2).contains(&cost.blocks), "{cost:?}");
    assert!(toolgate::audit::false_indexes(&logs.sealed).unwrap().is_empty());
}

/// The first index of a sealed log.
fn first_index(dir: &Path) -> PathBuf {
    let names = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<_> =
        names.filter(|path| path.extension().is_some_and(|end| end == "idx")).collect();
    names.sort();
    names.swap_remove(0)
}

#[test]
fn an_index_that_is_damaged_or_another_files_costs_time_and_no_answer() {
    let logs = logs();
    let deny = filter(&[("decision", "deny")]);
    let expected = Source::directory(&logs.plain).count(&deny).unwrap().value;
    let index = first_index(&logs.sealed);
    let good = std::fs::read(&index).unwrap();
    let other = std::fs::read_dir(&logs.sealed).unwrap().map(|entry| entry.unwrap().path());
    let other =
        other.filter(|path| path.extension().is_some_and(|end| end == "idx") && *path != index);
    let other = std::fs::read(other.max().unwrap()).unwrap();
    let mut flipped = good.clone();
    let end = flipped.len() - 1;
    flipped[end] ^= 1;
    for bad in [b"".to_vec(), good[..good.len() / 2].to_vec(), flipped, other] {
        std::fs::write(&index, bad).unwrap();
        for field in [Field::Decision, Field::Basis] {
            let groups = Source::directory(&logs.sealed).group(&deny, &[Grouping::by(&[field])]);
            let groups = groups.unwrap();
            let count: u64 = groups.value[0].groups.iter().map(|group| group.count).sum();
            assert_eq!(count, expected);
        }
        assert_eq!(toolgate::audit::false_indexes(&logs.sealed).unwrap().len(), 1);
    }
}

fn query(arguments: &[&str], stdin: Option<&Path>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    command.args(["audit", "query"]).args(arguments);
    if let Some(path) = stdin {
        command.stdin(std::fs::File::open(path).unwrap());
    }
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.code().is_some_and(|code| code < 2), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_command_answers_from_every_place() {
    let logs = logs();
    let dir = logs.sealed.to_str().unwrap();
    let count = |arguments: &[&str]| text(&query(arguments, None)).trim().to_owned();
    let expected = Source::directory(&logs.plain).count(&filter(&[("decision", "deny")])).unwrap();
    let denied = expected.value.to_string();
    assert_eq!(count(&["--audit", dir, "--decision", "deny", "--count"]), denied);
    assert_eq!(count(&["--decision", "deny", "--count", logs.plain.to_str().unwrap()]), denied);
    // As plain lines on standard input.
    let whole = logs.plain.join("whole");
    let lines: Vec<String> =
        logs.records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
    std::fs::write(&whole, lines.join("\n")).unwrap();
    let answer = query(&["--decision", "deny", "--count", "-"], Some(&whole));
    assert_eq!(text(&answer).trim(), denied);
    // What it prints of its filter asks the same again.
    let asked =
        ["--audit", dir, "--tool", "mcp:*", "--not", "rule=tracker", "--count", "--print-command"];
    let answer = query(&asked, None);
    let told = String::from_utf8(answer.stderr.clone()).unwrap();
    assert!(told.starts_with("toolgate audit query --tool 'mcp:*' --not rule=tracker\n"), "{told}");
    let code = |arguments: &[&str]| query(arguments, None).status.code();
    assert_eq!(code(&["--audit", dir, "--exit-code", "--count"]), Some(1));
    assert_eq!(code(&["--audit", dir, "--exit-code", "--decision", "allow", "--count"]), Some(0));
    assert_eq!(code(&["--audit", dir, "--decision", "dney"]), Some(2));
    assert_eq!(code(&["--audit", dir, "--by", "tol"]), Some(2));
}

#[test]
fn nothing_that_was_logged_does_harm_where_it_is_printed() {
    let logs = logs();
    let dir = logs.sealed.to_str().unwrap();
    for format in ["table", "csv"] {
        let out =
            text(&query(&["--audit", dir, "--format", format, "--fields", "seq,path,text"], None));
        let hostile = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}' || c == '\u{200b}';
        assert!(!out.contains(hostile), "{format}");
    }
    let out = text(&query(&["--audit", dir, "--by", "tool", "--format", "csv"], None));
    assert!(out.starts_with("tool,count\n"), "{out}");
}

#[test]
fn a_line_that_is_no_record_is_told_and_the_rest_answered() {
    let logs = logs();
    let dir = logs.plain.to_str().unwrap();
    let mut files: Vec<_> =
        std::fs::read_dir(&logs.plain).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let bytes = std::fs::read(&files[0]).unwrap();
    std::fs::write(&files[0], [b"not a record\n".as_slice(), &bytes].concat()).unwrap();
    let answer = query(&["--audit", dir, "--count"], None);
    assert_eq!(answer.status.code(), Some(1));
    assert_eq!(text(&answer).trim(), RECORDS.to_string());
    assert!(String::from_utf8_lossy(&answer.stderr).contains("line 1: the line is no record"));
}
