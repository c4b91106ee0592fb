//! Sealing, a key that hands over, and retention, killed, without power or failing at every step.

use super::seal::{remove_leftovers, seal};
use super::tests::{in_days, options, shelf};
use super::*;
use crate::audit::journal::Shelf;
use crate::audit::journal::faults::{Faulty, Plan};
use crate::audit::{Head, Journal, Options, Signing, State, records, verify};
use crate::model::record::{Kind, Record};
use nix::libc;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

/// What was answered: each record's place and text.
type Answered = Vec<(Head, String)>;

fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

fn signed(options: Options) -> Options {
    options.signed(Signing { every: Duration::from_millis(1), ..Signing::default() })
}

fn write(journal: &Journal, count: usize, answered: &mut Answered) {
    for _ in 0..count {
        let mut record = Record::new(Kind::RuntimeEvent);
        let text = format!("{} ", answered.len()).repeat(60);
        record.details.push(("text", text.clone().into()));
        if let Ok(receipt) = journal.append_blocking(record) {
            answered.push((receipt.head().clone(), text));
        }
    }
}

/// Two starts, so that a key hands over; files fill up and are sealed; half of them are deleted.
fn live(dir: &Path, plan: &Arc<Plan>, answered: &mut Answered) {
    for _ in 0..2 {
        let storage = Faulty::lock(dir, plan);
        let small = Options { reserve_bytes: 0, ..signed(options(1_200)) };
        let Ok(journal) = Journal::open_with(dir, small, storage.clone()) else { return };
        write(&journal, 4, answered);
        seal_closed(&storage, dir);
        retain(&journal, dir);
        write(&journal, 1, answered);
    }
}

fn seal_closed(shelf: &dyn Shelf, dir: &Path) {
    let closed = list(dir).unwrap();
    for segment in closed.iter().rev().skip(1).filter(|one| one.form == Form::Plain) {
        drop(seal(shelf, dir, segment, &mut |_| true));
    }
}

fn retain(journal: &Journal, dir: &Path) {
    let days = Retention { days: Some(1), ..Retention::default() };
    let all = due(dir, &days, in_days(2), None).unwrap();
    drop(delete(journal, dir, &all[..all.len() / 2]));
}

/// Every answered record is in the log, or in a file of which retention says that it was deleted;
/// and a start goes on with all that was cut off.
fn assert_nothing_is_lost(dir: &Path, answered: &Answered, told: &str) {
    remove_leftovers(&shelf(dir), dir).unwrap();
    let left = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_str().unwrap().ends_with(".tmp")).collect();
    assert!(left.is_empty(), "{told}: {left:?}");
    let journal =
        Journal::open(dir, signed(options(1_200))).unwrap_or_else(|why| panic!("{told}: {why}"));
    write(&journal, 3, &mut Vec::new());
    seal_closed(&shelf(dir), dir);
    assert!(list(dir).unwrap().iter().rev().skip(1).all(|one| one.form != Form::Plain), "{told}");
    retain(&journal, dir);
    journal.close().unwrap_or_else(|why| panic!("{told}: {why}"));
    // A head that names a deleted record's hash cannot be compared: each record is looked for below.
    let report = verify(dir, None).unwrap();
    // What was written last before the death, no head covers: that start took it on trust.
    assert!(report.state() != State::Broken && report.uncovered() == 0, "{told}: {report:#?}");
    let kept: Vec<Kept> = list(dir)
        .unwrap()
        .iter()
        .filter(|one| one.form == Form::Kept)
        .map(|one| Kept::open(&one.path(dir)).unwrap())
        .collect();
    let there: Vec<_> = records(dir).unwrap().map(|entry| entry.unwrap().record).collect();
    for (head, text) in answered {
        let is_deleted = kept
            .iter()
            .any(|one| one.stream == head.stream && (one.first..=one.last).contains(&head.seq));
        let found = there.iter().filter(|one| {
            one.seq == head.seq
                && one.stream == head.stream.as_str()
                && one.details.get("text").is_some_and(|there| there == text.as_str())
        });
        assert_eq!(found.count(), usize::from(!is_deleted), "{told}: record {}", head.seq);
    }
}

fn steps() -> u64 {
    let (dir, plan) = (in_memory(), Plan::new());
    let mut answered = Vec::new();
    live(dir.path(), &plan, &mut answered);
    assert_eq!(answered.len(), 10);
    let forms: Vec<Form> = list(dir.path()).unwrap().iter().map(|one| one.form).collect();
    assert!([Form::Plain, Form::Sealed, Form::Kept].iter().all(|one| forms.contains(one)));
    assert_nothing_is_lost(dir.path(), &answered, "undisturbed");
    plan.steps.load(SeqCst)
}

#[test]
fn killed_or_without_power_at_every_step_of_sealing_and_retention_nothing_is_lost() {
    let powers = [None, Some((0, false)), None, Some((50, false)), None, Some((100, true))];
    for dying in 1..=steps() {
        let cut = powers[dying as usize % powers.len()];
        let (dir, plan) = (in_memory(), Plan::new());
        plan.die_at.store(dying, SeqCst);
        let mut answered = Vec::new();
        live(dir.path(), &plan, &mut answered);
        if let Some((written, zeros)) = cut {
            plan.cut_power(dir.path(), written, zeros);
        }
        assert_nothing_is_lost(dir.path(), &answered, &format!("step {dying}, {cut:?}"));
    }
}

#[test]
fn failing_once_at_every_step_of_sealing_and_retention_nothing_is_lost() {
    for failing in 1..=steps() {
        let errno = [libc::EIO, libc::ENOSPC, libc::EROFS][failing as usize % 3];
        let (dir, plan) = (in_memory(), Plan::new());
        plan.fail_with.store(errno, SeqCst);
        plan.fail_at.store(failing, SeqCst);
        let mut answered = Vec::new();
        live(dir.path(), &plan, &mut answered);
        assert_nothing_is_lost(dir.path(), &answered, &format!("step {failing}, error {errno}"));
    }
}
