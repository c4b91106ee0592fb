//! Promise: a record whose receipt was given is in the log, even if the sidecar is killed.
#![forbid(unsafe_code)]
#![cfg(test)]

#[path = "harness/restart.rs"]
mod restart;
#[path = "harness/sidecar.rs"]
#[expect(dead_code, reason = "not every test asks all of the harness")]
mod sidecar;

use nix::sys::signal::Signal;
use restart::{restart, start_again};
use serde_json::{Value, json};
use sidecar::Sidecar;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
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

/// A taint, a day's sum and a budget: what is remembered of a session.
const KEPT: &str = r#"
schema = 1
[policy]
name    = "kept"
default = "defer"
[budget]
calls = 9
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
limit = { sum = "args.amount", max = 5000, per = "day" }
"#;

/// One event of Claude Code; what the client said to it.
fn tell(sidecar: &Sidecar, event: &str, session: &str, id: &str, more: Value) -> String {
    let mut all = json!({
        "session_id": session, "cwd": "/", "hook_event_name": event, "tool_use_id": id,
        "permission_mode": "default",
    });
    all.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
    let output = sidecar.hook(all.to_string());
    let text = String::from_utf8(output.stdout).unwrap();
    let answer: Value = serde_json::from_str(&text).unwrap_or_default();
    let decision = &answer["hookSpecificOutput"]["permissionDecision"];
    decision.as_str().unwrap_or(if output.status.success() { "defer" } else { "deny" }).to_owned()
}

fn ask(sidecar: &Sidecar, session: &str, id: &str, tool: &str, input: Value) -> String {
    tell(sidecar, "PreToolUse", session, id, json!({"tool_name": tool, "tool_input": input}))
}

/// Calls of another session, until the file that is written is followed by the next.
fn fill(sidecar: &Sidecar) {
    let files = || sidecar::files_below(&sidecar.path("audit"));
    let names = || files().iter().filter(|path| path.to_str().unwrap().contains("jsonl")).count();
    let before = names();
    let input = json!({"parts": vec!["0123456789 ".repeat(80); 24]});
    for n in 0.. {
        assert!(n < 200, "it never went on in another file");
        ask(sidecar, "filler", &format!("fill-{n}"), "mcp__a__b", input.clone());
        if names() > before {
            return;
        }
    }
}

fn audit(sidecar: &Sidecar, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    command.arg("audit").args(arguments).arg("--audit").arg(sidecar.path("audit"));
    command.output().unwrap()
}

fn with_end(sidecar: &Sidecar, end: &str) -> Vec<PathBuf> {
    let files = sidecar::files_below(&sidecar.path("audit"));
    files.into_iter().filter(|path| path.to_str().unwrap().ends_with(end)).collect()
}

/// After files are sealed, and after retention deleted some, a start remembers what sessions did,
/// and proofs go on. Of calls under way it remembers those whose beginning is still there; the end
/// of another is a finding, never an allow.
#[test]
fn a_start_after_sealing_and_retention_remembers_and_proves_what_it_did_before() {
    let keys = "segment_mb = 1\nblobs = true\n[audit.retention]\ndays = 0\nallow_short = true\n\
                hold = true";
    let mut serve = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    let mut sidecar = Sidecar::start_logging(KEPT, "", None, keys, &mut serve);
    let docs = || json!({"url": "https://docs.example/x", "prompt": "p"});
    let secret = json!({"file_path": sidecar.path("work/secret")});
    let refund = |amount: u32| json!({"amount": amount});
    assert_eq!(ask(&sidecar, "s", "1", "WebFetch", docs()), "allow");
    assert_eq!(ask(&sidecar, "s", "2", "Read", secret.clone()), "allow");
    assert_eq!(ask(&sidecar, "s", "3", "mcp__billing__refund", refund(3_000)), "allow");
    // Its end comes after its beginning was deleted.
    assert_eq!(ask(&sidecar, "s", "old", "Read", secret.clone()), "allow");
    let long = |n: u32| json!({"text": format!("{n} is long ").repeat(10_000)});
    ask(&sidecar, "t", "long-old", "mcp__a__b", long(1));
    let blobs = sidecar.path("audit/blobs");
    let texts = || {
        let kept = toolgate::audit::Blobs::of(blobs.parent().unwrap()).all().unwrap();
        kept.iter().map(|one| one.name.to_string()).collect::<Vec<_>>()
    };
    let old = texts();
    assert_eq!(old.len(), 1);
    fill(&sidecar);
    assert_eq!(ask(&sidecar, "s", "new", "Read", secret.clone()), "allow");
    ask(&sidecar, "t", "long-new", "mcp__a__b", long(2));
    sidecar::until("the full file is sealed", || {
        (with_end(&sidecar, ".jsonl.zst").len() == 1 && with_end(&sidecar, ".jsonl").len() == 1)
            .then_some(())
    });

    // Under a legal hold nothing goes, and one can see what would without it.
    restart(&mut sidecar, Signal::SIGKILL);
    assert_eq!(ask(&sidecar, "s", "4", "WebFetch", docs()), "deny", "after sealing");
    let config = sidecar.path("toolgate.toml");
    let retention = |more: &[&str]| {
        let output = audit(&sidecar, &[&["retention"], more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stderr).unwrap();
        (String::from_utf8(output.stdout).unwrap(), said)
    };
    let (none, why) = retention(&["--config", config.to_str().unwrap()]);
    assert!(none.is_empty() && why.contains("`hold`"), "{why}");
    assert!(retention(&[]).1.contains("sets no `days`"));
    let (rows, said) = retention(&["--days", "0", "--format", "jsonl"]);
    let row: Value = serde_json::from_str(rows.trim_end()).unwrap();
    assert_eq!(row["why"], "days");
    assert!(said.contains(" kept texts") && !said.contains(" 0 kept texts"), "{said}");
    assert!(texts().contains(&old[0]));
    assert!(with_end(&sidecar, ".kept").is_empty());

    // It is lifted: the sealed file goes, with the text that only it named.
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("hold = true", "hold = false")).unwrap();
    restart(&mut sidecar, Signal::SIGTERM);
    sidecar::until("the old file and its text are gone", || {
        let is_gone = with_end(&sidecar, ".jsonl.zst").is_empty() && !texts().contains(&old[0]);
        (is_gone && with_end(&sidecar, ".kept").len() == 1).then_some(())
    });
    let named = || {
        let dir = sidecar.path("audit");
        let report = toolgate::audit::verify(&dir, None).unwrap();
        toolgate::audit::blob_report(&dir, &report).unwrap()
    };
    sidecar::until("so are those of others", || (named().unnamed == 0).then_some(()));
    assert!(named().is_fine() && named().named > 0, "{:?}", named());
    let told = sidecar.records();
    let told: Vec<_> = told.iter().filter(|one| one["kind"] == "audit.retention").collect();
    assert_eq!(told[0]["details"]["files"][0]["why"], "days");
    assert!(told[1]["details"]["texts"].as_u64().unwrap() >= 1);

    // What is left remembers and proves.
    for round in 0..2 {
        restart(&mut sidecar, Signal::SIGKILL);
        assert_eq!(ask(&sidecar, "s", "4", "WebFetch", docs()), "deny", "{round}");
        assert_eq!(ask(&sidecar, "s", "5", "mcp__billing__refund", refund(2_500)), "deny");
        assert_eq!(
            ask(&sidecar, "u", &format!("6-{round}"), "WebFetch", docs()),
            "allow",
            "{round}"
        );
    }
    let ran = json!({"tool_name": "Read", "tool_input": secret, "tool_response": {"type": "text"}});
    tell(&sidecar, "PostToolUse", "s", "new", ran.clone());
    let findings = |sidecar: &Sidecar| {
        let all = sidecar.records();
        let all = all.iter().filter(|one| one["kind"] == "finding");
        all.map(|one| one["details"]["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(findings(&sidecar), Vec::<String>::new());
    tell(&sidecar, "PostToolUse", "s", "old", ran);
    assert_eq!(findings(&sidecar), ["call_without_pre"]);
    // 1, 2, 3, old and new were admitted of nine.
    for number in 0..4 {
        assert_eq!(ask(&sidecar, "s", "9", "mcp__a__b", json!({})), "defer", "{number}");
    }
    assert_eq!(ask(&sidecar, "s", "9", "mcp__a__b", json!({})), "deny");
    let proof = audit(&sidecar, &["prove", "new"]);
    assert!(proof.status.success(), "{}", String::from_utf8_lossy(&proof.stderr));
    let file = sidecar.path("proof.json");
    std::fs::write(&file, proof.stdout).unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    assert!(check.args(["audit", "verify-proof"]).arg(file).status().unwrap().success());
    // It holds the log against itself.
    sidecar.stop();
}

/// The real sidecar, killed again and again under several clients at once, with small files that
/// are sealed: every call that was answered stands in the log.
#[test]
fn what_the_sidecar_answered_survives_its_death_again_and_again() {
    let keys = "segment_mb = 1";
    let mut serve = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    let mut sidecar = Sidecar::start_logging(KEPT, "", None, keys, &mut serve);
    let mut answered = BTreeSet::new();
    for round in 0..4 {
        let killed = AtomicBool::new(false);
        let done = AtomicUsize::new(0);
        let input = json!({"parts": vec!["0123456789 ".repeat(80); 24]});
        let (socket, pid) = (sidecar.socket(), sidecar.pid());
        let (killed, done, input) = (&killed, &done, &input);
        let new = std::thread::scope(|scope| {
            let client = |client: usize| {
                let socket = socket.clone();
                scope.spawn(move || {
                    let mut answered = Vec::new();
                    for n in 0.. {
                        let id = format!("{round}-{client}-{n}");
                        // Reads are only handed to the kernel before they are answered.
                        let tool = if n % 2 == 0 { "mcp__a__b" } else { "Read" };
                        let input =
                            if n % 2 == 0 { input.clone() } else { json!({"file_path": "/x"}) };
                        let event = json!({
                            "session_id": id, "cwd": "/", "hook_event_name": "PreToolUse",
                            "tool_use_id": id, "permission_mode": "default",
                            "tool_name": tool, "tool_input": input,
                        });
                        let arguments = ["claude", "--socket", socket.to_str().unwrap()];
                        let output = sidecar::hook(&arguments, event.to_string().as_bytes());
                        if !output.status.success() || killed.load(SeqCst) {
                            break;
                        }
                        answered.push(id);
                        done.fetch_add(1, SeqCst);
                    }
                    answered
                })
            };
            let clients: Vec<_> = (0..4).map(client).collect();
            sidecar::until("enough calls are answered", || {
                (done.load(SeqCst) >= 25 * (round + 1)).then_some(())
            });
            nix::sys::signal::kill(pid, Signal::SIGKILL).unwrap();
            killed.store(true, SeqCst);
            let ends = clients.into_iter().flat_map(|client| client.join().unwrap());
            ends.collect::<Vec<_>>()
        });
        answered.extend(new);
        sidecar.child.wait().unwrap();
        let there: BTreeSet<String> = records(&sidecar.path("audit"))
            .unwrap()
            .filter_map(|entry| entry.unwrap().record.tool_use_id)
            .collect();
        let lost: Vec<_> = answered.difference(&there).collect();
        assert!(lost.is_empty(), "round {round}: {lost:?}");
        start_again(&mut sidecar);
    }
    assert!(answered.len() >= 200, "{}", answered.len());
    sidecar::until("what is closed is sealed", || {
        (with_end(&sidecar, ".jsonl").len() == 1).then_some(())
    });
    assert!(!with_end(&sidecar, ".jsonl.zst").is_empty());
    sidecar.stop();
}

/// `audit tail -f` shows each call once, in order, while files are closed, sealed and begun anew.
#[test]
fn following_goes_on_across_files_and_sealing() {
    let mut serve = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    let mut sidecar = Sidecar::start_logging(KEPT, "", None, "segment_mb = 1", &mut serve);
    ask(&sidecar, "s", "before", "Read", json!({"file_path": "/x"}));
    let mut tail = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    tail.args(["audit", "tail", "-f", "-n", "1", "--kind", "tool.pre", "--format", "jsonl"]);
    tail.arg("--audit").arg(sidecar.path("audit")).stdout(Stdio::piped());
    let mut tail = tail.spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let mut next = || {
        let line = lines.next().unwrap().unwrap();
        let record: Value = serde_json::from_str(&line).unwrap();
        record["tool_use_id"].as_str().unwrap().to_owned()
    };
    assert_eq!(next(), "before");
    let mut expected = Vec::new();
    for part in ["a", "b"] {
        let calls = |sidecar: &Sidecar| {
            let all = sidecar.records();
            let pre = all.iter().filter(|one| one["kind"] == "tool.pre");
            pre.map(|one| one["tool_use_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        fill(&sidecar);
        ask(&sidecar, "s", part, "Read", json!({"file_path": "/x"}));
        sidecar::until("what is closed is sealed", || {
            (with_end(&sidecar, ".jsonl").len() == 1).then_some(())
        });
        restart(&mut sidecar, Signal::SIGTERM);
        ask(&sidecar, "s", &format!("{part} after"), "Read", json!({"file_path": "/x"}));
        expected = calls(&sidecar);
    }
    for id in &expected[1..] {
        assert_eq!(&next(), id);
    }
    tail.kill().unwrap();
    tail.wait().unwrap();
    sidecar.stop();
}

/// An index is derived: a wrong one is no tampering with the log. It is told with its file's name,
/// since queries go by it, and made anew; one that is gone is only made anew.
#[test]
fn a_wrong_index_is_told_by_name_and_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let signed = options().unwrap().signed(toolgate::audit::Signing::default());
    let journal = Journal::open(dir.path(), signed).unwrap();
    for n in 0..200_u32 {
        let mut record = Record::new(Kind::RuntimeEvent);
        record.details.push(("text", format!("{n} {}", "x".repeat(600)).into()));
        journal.append_blocking(record).unwrap();
    }
    journal.close().unwrap();
    toolgate::audit::seal_all(dir.path()).unwrap();
    let verify = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
        command.args(["audit", "verify", "--format", "json", "--audit"]).arg(dir.path());
        let output = command.args(more).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["state"], "SEALED");
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), report["false_indexes"].clone(), said)
    };
    let mut indexes: Vec<PathBuf> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "idx"))
        .collect();
    indexes.sort();
    assert!(indexes.len() >= 3, "{indexes:?}");
    assert_eq!(verify(&[]), (Some(0), json!([]), String::new()));
    // Whole, but another file's; damaged; gone.
    let whole: Vec<Vec<u8>> = indexes.iter().map(|path| std::fs::read(path).unwrap()).collect();
    std::fs::write(&indexes[0], &whole[1]).unwrap();
    std::fs::write(&indexes[1], &whole[1][..whole[1].len() / 2]).unwrap();
    std::fs::remove_file(&indexes[2]).unwrap();
    let name =
        |path: &PathBuf| format!("{}.jsonl.zst", path.file_stem().unwrap().to_str().unwrap());
    let (code, wrong, said) = verify(&[]);
    assert_eq!((code, wrong), (Some(1), json!([name(&indexes[0]), name(&indexes[1])])));
    assert!(said.contains("--rebuild-index"), "{said}");
    let (code, wrong, said) = verify(&["--rebuild-index"]);
    assert_eq!((code, wrong), (Some(0), json!([])), "{said}");
    assert_eq!(said.matches("made anew").count(), 3, "{said}");
    assert_eq!(verify(&["--rebuild-index"]), (Some(0), json!([]), String::new()));
}
