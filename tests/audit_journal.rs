//! Promise: a record whose receipt was given is in the log, even if the sidecar is killed.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use toolgate::audit::{Hash, Journal, Options, State, records, verify};
use toolgate::model::record::{Durability, Kind, Record};
use toolgate::redact::{RedactError, Redactor};

/// Tells the child where to write; without it the child's test does nothing.
const DIR: &str = "TOOLGATE_TEST_AUDIT_DIR";
const WRITERS: usize = 4;

fn options() -> Result<Options, RedactError> {
    Ok(Options { segment_bytes: 50_000, ..Options::new(Redactor::shipped()?) })
}

/// Not a test of its own: the process that `what_was_acknowledged_survives_a_kill` kills.
#[test]
fn child_that_appends_until_it_is_killed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let journal = Journal::open(Path::new(&dir), options().unwrap()).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let journal = &journal;
            scope.spawn(move || {
                for n in 0.. {
                    let mut record = Record::new(Kind::RuntimeEvent);
                    record
                        .details
                        .push(("text", format!("{writer} {n} {}", "x".repeat(n % 999)).into()));
                    if n % 2 == 0 {
                        record.durability = Durability::Written;
                    }
                    let receipt = journal.append_blocking(record).unwrap();
                    let line = format!("acked {} {}\n", receipt.seq(), receipt.hash());
                    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                }
            });
        }
    });
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut acked: BTreeMap<u64, String> = BTreeMap::new();
    for round in 1..=5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_appends_until_it_is_killed", "--nocapture"])
            .env(DIR, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut note = |line: String| {
            // The last line may be cut off by the kill.
            let words: Vec<&str> = line.split(' ').collect();
            if let ["acked", seq, hash] = words[..]
                && hash.len() == 64
            {
                acked.insert(seq.parse().unwrap(), hash.to_owned());
            }
        };
        lines.by_ref().take(100 * round).for_each(|line| note(line.unwrap()));
        child.kill().unwrap();
        child.wait().unwrap();
        lines.map_while(Result::ok).for_each(note);
        let written: BTreeMap<u64, String> = records(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.record.seq, Hash::of(entry.text.as_bytes()).to_string()))
            .collect();
        for (seq, hash) in &acked {
            assert_eq!(written.get(seq), Some(hash), "record {seq}, round {round}");
        }
    }
    assert!(acked.len() > 1_000);
    let head = Journal::open(dir.path(), options().unwrap()).unwrap().close().unwrap();
    let report = verify(dir.path(), head.as_ref()).unwrap();
    assert_eq!(report.state(), State::Unsealed, "{report:#?}");
    assert!(report.segments.len() > 1);
    assert_eq!(report.records, head.unwrap().seq);
}

#[tokio::test]
async fn async_callers_and_a_closed_log() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), options().unwrap()).unwrap();
    let receipt = journal.append(Record::new(Kind::ServiceStart)).await.unwrap();
    assert_eq!(receipt.seq(), 2);
    assert_eq!(journal.close().unwrap().as_ref(), Some(receipt.head()));
}
