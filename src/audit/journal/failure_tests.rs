//! What becomes of the log when the disk fails or somebody touches its files, while it is written.

use super::faults::{Faulty, Plan, append_to};
use super::tests::*;
use super::*;
use crate::audit::*;
use crate::limits::JOURNAL_SEAL_EARLY_BYTES;
use crate::model::record::Kind;
use nix::libc;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::Ordering::SeqCst;

/// The details of the newest record of a kind.
fn newest(dir: &Path, kind: &str) -> Option<BTreeMap<String, crate::model::json::Json>> {
    let entries = records(dir).unwrap().map(|entry| entry.unwrap().record);
    entries.filter(|record| record.kind == kind).map(|record| record.details).last()
}

#[test]
fn a_failed_sync_is_never_trusted_and_the_log_goes_on_in_a_new_file() {
    let (dir, plan) = (scratch(), Plan::new());
    let flush = Duration::from_secs(3600);
    let journal = open_faulty(dir.path(), &plan, Options { flush, ..options() }).unwrap();
    journal.append_blocking(event("a")).unwrap();
    let lazy = journal.append_blocking(written("b")).unwrap();
    plan.fail_at.store(plan.steps.load(SeqCst) + 2, SeqCst);
    let receipt = journal.append_blocking(event("c")).unwrap();
    let after = journal.append_blocking(event("d")).unwrap();
    assert_eq!(texts(dir.path()), ["a", "b", "c", "d"]);
    let names = files(dir.path(), "jsonl");
    assert_eq!(names.len(), 2);
    // What was only written is trusted no more than what failed: both stand in the new file.
    let old = std::fs::read_to_string(&names[0]).unwrap();
    let new = std::fs::read_to_string(&names[1]).unwrap();
    for receipt in [&lazy, &receipt] {
        let seq = format!("\"seq\":{},", receipt.seq());
        assert!(!old.contains(&seq) && new.contains(&seq));
    }
    let details = newest(dir.path(), "audit.recovered").unwrap();
    assert_eq!(details["why"], "disk");
    assert_eq!((&details["lost_before"], &details["refused"]), (&0.into(), &0.into()));
    assert!(journal.failure().is_none());
    assert_eq!(journal.standing().failures, BTreeMap::from([("disk", 1)]));
    drop(journal);
    assert_intact(dir.path(), Some(after.head()));
}

#[test]
fn while_it_fails_calls_are_refused_at_once_and_it_goes_on_by_itself() {
    for errno in [libc::EIO, libc::ENOSPC, libc::EDQUOT, libc::EROFS, libc::EACCES] {
        let (dir, plan) = (scratch(), Plan::new());
        let journal = open_faulty(dir.path(), &plan, options()).unwrap();
        let last = journal.append_blocking(event("before")).unwrap();
        plan.sync_fails.store(errno, SeqCst);
        plan.create_fails.store(errno, SeqCst);
        let why = journal.append_blocking(event("failed")).unwrap_err();
        assert!(matches!(why, AuditError::Failed(_)), "{why}");
        let word = why.word();
        for _ in 0..3 {
            let why = journal.append_blocking(written("refused")).unwrap_err();
            assert_eq!(why.word(), word);
        }
        let standing = journal.standing();
        assert_eq!(standing.failure.unwrap().word(), word);
        assert_eq!(standing.last_failure.unwrap().1.word(), word);
        assert_eq!((standing.counts.refused, standing.counts.let_through), (4, 0));
        plan.sync_fails.store(0, SeqCst);
        plan.create_fails.store(0, SeqCst);
        wait_for(|| journal.failure().is_none());
        let receipt = journal.append_blocking(event("after")).unwrap();
        assert_eq!(texts(dir.path()), ["before", "failed", "after"]);
        let details = newest(dir.path(), "audit.recovered").unwrap();
        assert_eq!((&details["why"], &details["refused"]), (&word.into(), &4.into()));
        // Its call was refused, and its record stands: the log says so.
        assert_eq!(details["unanswered"], serde_json::json!([last.seq() + 1]));
        assert!(journal.close().is_ok());
        assert_intact(dir.path(), Some(receipt.head()));
    }
}

#[test]
fn each_cause_is_named_with_what_to_do() {
    let path = Path::new("/log/x");
    for (errno, word, advice) in [
        (libc::ENOSPC, "no_space", "free space"),
        (libc::EDQUOT, "quota", "raise it"),
        (libc::EROFS, "read_only", "mount it writable"),
        (libc::EIO, "disk", "sound disk"),
        (libc::EACCES, "forbidden", "chown"),
        (libc::EPERM, "forbidden", "chattr"),
        (libc::EFBIG, "refused", "File too large"),
    ] {
        let why = AuditError::file("sync", path)(std::io::Error::from_raw_os_error(errno));
        let text = AuditError::Failed(Arc::new(why.clone())).to_string();
        assert_eq!(why.word(), word);
        assert!(text.contains(advice) && text.contains("`/log/x`"), "{text}");
    }
}

/// Does something to the file of a running journal.
type Touch = fn(&Path);

#[test]
fn what_somebody_does_to_the_file_is_named_and_the_log_goes_on() {
    let cases: [(&str, Touch, &str, State); 6] = [
        ("removed", |file| std::fs::remove_file(file).unwrap(), "put_back", State::Unsealed),
        (
            "replaced",
            |file| {
                std::fs::copy(file, file.with_extension("copy")).unwrap();
                std::fs::rename(file.with_extension("copy"), file).unwrap();
            },
            "replaced_by",
            State::Unsealed,
        ),
        (
            "lengthened",
            |file| append_to(file).write_all(b"{\"forged\":1}\n").unwrap(),
            "sha256",
            State::Unsealed,
        ),
        // Records that stood on the disk are gone: that is tampering, and says so.
        ("shortened", |file| append_to(file).set_len(0).unwrap(), "cut_off_bytes", State::Broken),
        (
            "shortened",
            |file| append_to(file).set_len(file.metadata().unwrap().len() - 9).unwrap(),
            "cut_off_bytes",
            State::Broken,
        ),
        (
            "removed",
            |file| std::fs::rename(file, file.with_extension("moved")).unwrap(),
            "put_back",
            State::Unsealed,
        ),
    ];
    for (word, touch, told, state) in cases {
        let dir = scratch();
        let journal = open(dir.path());
        journal.append_blocking(event("a")).unwrap();
        journal.append_blocking(event("b")).unwrap();
        touch(&files(dir.path(), "jsonl")[0]);
        let receipt = journal.append_blocking(event("c")).unwrap();
        let details = newest(dir.path(), "audit.recovered").unwrap();
        assert_eq!(details["why"], word);
        assert!(details.contains_key(told), "{word}: {details:?}");
        assert_eq!(journal.standing().failures, BTreeMap::from([(word, 1)]));
        journal.append_blocking(event("d")).unwrap();
        drop(journal);
        let report = verify(dir.path(), Some(receipt.head())).unwrap();
        assert_eq!(report.state(), state, "{word}: {report:#?}");
        if state == State::Unsealed {
            assert_eq!(texts(dir.path()), ["a", "b", "c", "d"], "{word}");
        } else {
            assert_eq!(texts(dir.path()).last().unwrap(), "d");
        }
    }
}

#[test]
fn a_touched_file_is_noticed_though_no_record_comes() {
    let dir = scratch();
    let journal = open(dir.path());
    std::fs::remove_file(&files(dir.path(), "jsonl")[0]).unwrap();
    wait_for(|| !journal.standing().failures.is_empty());
    let receipt = journal.append_blocking(event("b")).unwrap();
    assert_intact(dir.path(), Some(receipt.head()));
}

#[test]
fn a_directory_that_is_gone_is_named_until_it_is_back() {
    let above = scratch();
    let (dir, moved) = (above.path().join("log"), above.path().join("moved"));
    let journal = open(&dir);
    journal.append_blocking(event("a")).unwrap();
    std::fs::rename(&dir, &moved).unwrap();
    let why = journal.append_blocking(event("b")).unwrap_err();
    assert_eq!(why.word(), "directory_gone", "{why}");
    std::fs::rename(&moved, &dir).unwrap();
    wait_for(|| journal.failure().is_none());
    let receipt = journal.append_blocking(event("c")).unwrap();
    assert_eq!(texts(&dir), ["a", "b", "c"]);
    drop(journal);
    assert_intact(&dir, Some(receipt.head()));
}

#[test]
fn on_a_full_disk_the_last_records_stand_and_the_log_waits_for_room() {
    let (dir, plan) = (scratch(), Plan::new());
    let options = Options { reserve_bytes: 64 * 1024, ..options() };
    let journal = open_faulty(dir.path(), &plan, options).unwrap();
    assert!(journal.standing().has_reserve);
    // The second write meets a full disk; what frees room is that the reserve goes.
    plan.fail_with.store(libc::ENOSPC, SeqCst);
    plan.fail_at.store(plan.steps.load(SeqCst) + 1, SeqCst);
    plan.room.store(60_000, SeqCst);
    journal.append_blocking(event("last")).unwrap();
    wait_for(|| journal.failure().is_some());
    assert!(journal.append_blocking(event("refused")).is_err());
    let standing = journal.standing();
    assert_eq!((standing.stage, standing.has_reserve), (Stage::Full, false));
    assert!(!dir.path().join("reserve").exists());
    assert_eq!(newest(dir.path(), "audit.space").unwrap()["stage"], "full");
    assert_eq!(texts(dir.path()), ["last"]);
    plan.room.store(u64::MAX, SeqCst);
    wait_for(|| journal.failure().is_none());
    assert!(journal.standing().has_reserve && dir.path().join("reserve").exists());
    let receipt = journal.append_blocking(event("after")).unwrap();
    assert_eq!(newest(dir.path(), "audit.recovered").unwrap()["refused"], 1);
    drop(journal);
    assert_eq!(texts(dir.path()), ["last", "after"]);
    assert_intact(dir.path(), Some(receipt.head()));
}

#[test]
fn what_the_operator_lets_through_is_kept_written_later_and_told() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for (on_failure, expected) in [
        (OnFailure::Deny, [false, false]),
        (OnFailure::AllowReadonly, [true, false]),
        (OnFailure::Allow, [true, true]),
    ] {
        let (dir, plan) = (scratch(), Plan::new());
        let options = Options { on_failure, ..options() };
        let journal = open_faulty(dir.path(), &plan, options).unwrap();
        plan.sync_fails.store(libc::EIO, SeqCst);
        journal.append_blocking(event("failed")).unwrap_err();
        let answers = runtime.block_on(async {
            let read = journal.append_or_waive(written("read")).await;
            let write = journal.append_or_waive(event("write")).await;
            [read, write]
        });
        for (answer, waived) in answers.iter().zip(expected) {
            assert_eq!(matches!(answer, Ok(Proof::Waiver(_))), waived, "{on_failure:?}");
            assert_eq!(answer.is_ok(), waived);
        }
        // What has no choice is never waived.
        journal.append_blocking(written("always refused")).unwrap_err();
        let through = expected.iter().filter(|waived| **waived).count();
        let standing = journal.standing();
        assert_eq!((standing.kept, standing.counts.let_through), (through, through as u64));
        plan.sync_fails.store(0, SeqCst);
        wait_for(|| journal.failure().is_none());
        let mut expected: Vec<&str> = ["read", "write"].into_iter().take(through).collect();
        expected.insert(0, "failed");
        assert_eq!(texts(dir.path()), expected);
        let late = records(dir.path()).unwrap().map(|entry| entry.unwrap().record);
        assert_eq!(late.filter(|record| record.late_ms.is_some()).count(), through);
        assert_eq!(newest(dir.path(), "audit.recovered").unwrap()["let_through"], through);
        let code = newest(dir.path(), "finding").map(|details| details["code"].clone());
        assert_eq!(code, (through > 0).then(|| "let_through_unrecorded".into()));
        let head = journal.close().unwrap();
        assert_intact(dir.path(), head.as_ref());
    }
}

#[test]
fn what_does_not_fit_in_memory_is_counted() {
    let (dir, plan) = (scratch(), Plan::new());
    let options = Options { on_failure: OnFailure::Allow, ..options() };
    let journal = open_faulty(dir.path(), &plan, options).unwrap();
    plan.sync_fails.store(libc::EIO, SeqCst);
    journal.append_blocking(event("failed")).unwrap_err();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let big = "x".repeat(40_000);
    let most = crate::limits::JOURNAL_KEPT_BYTES_MAX / 40_000;
    let all = most + 10;
    runtime.block_on(async {
        for _ in 0..all {
            let mut record = Record::new(Kind::RuntimeEvent);
            record.details.push(("text", big.as_str().into()));
            assert!(journal.append_or_waive(record).await.unwrap().receipt().is_none());
        }
    });
    let Standing { kept, counts, .. } = journal.standing();
    assert!(kept < all && kept as u64 + counts.lost == all as u64, "{kept} {counts:?}");
    plan.sync_fails.store(0, SeqCst);
    wait_for(|| journal.failure().is_none());
    let details = newest(dir.path(), "audit.recovered").unwrap();
    assert_eq!(details["lost_before"], counts.lost);
    assert_eq!(texts(dir.path()).len(), kept + 1);
    assert_eq!(journal.standing().counts, counts);
    let head = journal.close().unwrap();
    assert_intact(dir.path(), head.as_ref());
}

#[test]
fn the_stages_of_room_are_recorded_once_each() {
    let (dir, plan) = (scratch(), Plan::new());
    let options = || Options { space: SpaceMarks::default(), ..options() };
    plan.total.store(1 << 30, SeqCst);
    plan.free.store(1 << 27, SeqCst);
    let journal = open_faulty(dir.path(), &plan, options()).unwrap();
    journal.append_blocking(event("a")).unwrap();
    wait_for(|| newest(dir.path(), "audit.space").is_some());
    assert_eq!(newest(dir.path(), "audit.space").unwrap()["stage"], "warn");
    assert_eq!(journal.standing().stage, Stage::Warn);
    drop(journal);
    plan.free.store(1 << 26, SeqCst);
    let journal = open_faulty(dir.path(), &plan, options()).unwrap();
    journal.append_blocking(event("b")).unwrap();
    drop(journal);
    let stages = records(dir.path()).unwrap().map(|entry| entry.unwrap().record);
    let stages: Vec<_> = stages.filter(|record| record.kind == "audit.space").collect();
    assert_eq!(stages.len(), 2);
    assert_eq!(stages[1].details["stage"], "low");
}

#[test]
fn on_an_almost_full_disk_the_file_is_closed_and_sealed_early() {
    let (dir, plan) = (scratch(), Plan::new());
    let options =
        Options { space: SpaceMarks::default(), seal: true, segment_bytes: 64 << 20, ..options() };
    plan.total.store(1 << 30, SeqCst);
    plan.free.store(1 << 29, SeqCst);
    let journal = open_faulty(dir.path(), &plan, options).unwrap();
    let text = "x".repeat(30_000);
    for _ in 0..=JOURNAL_SEAL_EARLY_BYTES / 30_000 {
        journal.append_blocking(written(&text)).unwrap();
    }
    assert!(files(dir.path(), "zst").is_empty());
    plan.free.store(1 << 26, SeqCst);
    wait_for(|| files(dir.path(), "zst").len() == 1 && files(dir.path(), "jsonl").len() == 1);
    let details = newest(dir.path(), "audit.space").unwrap();
    assert_eq!((&details["stage"], &details["sealing"]), (&"low".into(), &"asked".into()));
    let receipt = journal.append_blocking(event("after")).unwrap();
    drop(journal);
    assert_intact(dir.path(), Some(receipt.head()));
}

#[test]
fn strict_syncs_every_record() {
    let (dir, plan) = (scratch(), Plan::new());
    let options = Options { strict: true, flush: Duration::from_secs(3600), ..options() };
    let journal = open_faulty(dir.path(), &plan, options).unwrap();
    for n in 1..=5 {
        let before = plan.syncs.load(SeqCst);
        journal.append_blocking(written(&n.to_string())).unwrap();
        assert_eq!(plan.syncs.load(SeqCst), before + 1);
        assert_eq!(journal.waiting(), Waiting::default());
    }
}

/// What is on the disk is told by the plan here; the real one would only be slow.
fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| scratch())
}

/// What a journal goes through: files fill up, records of both kinds, and `acked` what was
/// answered, with whether it was to survive a power cut.
fn live(dir: &Path, plan: &Arc<Plan>, acked: &mut Vec<(String, bool)>) {
    let small = Options { segment_bytes: 1_500, reserve_bytes: 64 * 1024, ..options() };
    let options = small.signed(Signing { every: Duration::from_millis(1), ..Signing::default() });
    let Ok(journal) = Journal::open_with(dir, options, Faulty::lock(dir, plan)) else { return };
    for n in 0..12 {
        let synced = n % 3 == 0;
        let text = format!("{n} of {}", acked.len());
        let record = if synced { event(&text) } else { written(&text) };
        if journal.append_blocking(record).is_ok() {
            acked.push((text, synced));
        }
    }
}

fn assert_nothing_is_lost(dir: &Path, acked: &[(String, bool)], power: bool, told: &str) {
    let reopened = Journal::open(dir, options().signed(Signing::default()))
        .unwrap_or_else(|why| panic!("{told}: {why}"));
    reopened.append_blocking(event("end")).unwrap();
    drop(reopened);
    let there = texts(dir);
    for (text, synced) in acked {
        let count = there.iter().filter(|one| *one == text).count();
        let promised = *synced || !power;
        assert!(count == 1 || (count == 0 && !promised), "{told}: `{text}` {count} times");
    }
    let report = verify(dir, None).unwrap();
    assert_ne!(report.state(), State::Broken, "{told}: {report:#?}");
}

#[test]
fn killed_or_without_power_at_every_step_no_acknowledged_record_is_lost() {
    let run = |failing: u64, dying: u64, acked: &mut Vec<(String, bool)>| {
        let (dir, plan) = (in_memory(), Plan::new());
        plan.fail_at.store(failing, SeqCst);
        plan.die_at.store(dying, SeqCst);
        live(dir.path(), &plan, acked);
        (dir, plan)
    };
    let steps = run(0, 0, &mut Vec::new()).1.steps.load(SeqCst);
    assert!(steps > 20, "{steps}");
    // With a failure on the way, the steps of going on are killed too.
    for failing in [0, 19, 24] {
        for dying in 1..=steps + 15 {
            let powers = [(0, false), (50, false), (100, true)];
            for cut in [None, powers.get(dying as usize % powers.len()).copied()] {
                let mut acked = Vec::new();
                let (dir, plan) = run(failing, dying, &mut acked);
                if let Some((written, zeros)) = cut {
                    plan.cut_power(dir.path(), written, zeros);
                }
                let told = format!("step {dying}, failure at {failing}, {cut:?}");
                assert_nothing_is_lost(dir.path(), &acked, cut.is_some(), &told);
            }
        }
    }
}

#[test]
fn failing_once_at_every_step_nothing_is_lost_and_the_log_goes_on() {
    let steps = {
        let (dir, plan) = (scratch(), Plan::new());
        live(dir.path(), &plan, &mut Vec::new());
        plan.steps.load(SeqCst)
    };
    for errno in [libc::EIO, libc::ENOSPC, libc::EDQUOT, libc::EROFS] {
        for failing in 1..=steps {
            let (dir, plan) = (in_memory(), Plan::new());
            plan.fail_with.store(errno, SeqCst);
            plan.fail_at.store(failing, SeqCst);
            let mut acked = Vec::new();
            live(dir.path(), &plan, &mut acked);
            let told = format!("step {failing}, error {errno}");
            // The first ones are of the start, which then fails as a whole.
            assert!(
                acked.len() >= 11 || (acked.is_empty() && failing < 16),
                "{told}: {} answered",
                acked.len()
            );
            assert_nothing_is_lost(dir.path(), &acked, false, &told);
        }
    }
}
