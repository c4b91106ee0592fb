use crate::audit::*;
use crate::model::record::{Durability, Kind, Record};
use crate::redact::Redactor;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn options(signing: Signing) -> Options {
    static REDACTOR: std::sync::OnceLock<Redactor> = std::sync::OnceLock::new();
    let redactor = REDACTOR.get_or_init(|| Redactor::shipped().unwrap());
    Options { seal: false, ..Options::new(redactor.clone()).signed(signing) }
}

fn open(dir: &Path) -> Journal {
    Journal::open(dir, options(Signing::default())).unwrap()
}

fn event(text: &str) -> Record {
    let mut record = Record::new(Kind::RuntimeEvent);
    record.details.push(("text", text.into()));
    record.durability = Durability::Written;
    record
}

fn kinds(dir: &Path) -> Vec<String> {
    records(dir).unwrap().map(|entry| entry.unwrap().record.kind).collect()
}

fn state(dir: &Path) -> State {
    let report = verify(dir, None).unwrap();
    assert!(report.state() != State::Broken, "{report:#?}");
    report.state()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let names = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        names.filter(|path| path.extension().is_some_and(|is| is == "jsonl")).collect();
    files.sort_by_key(|path| path.to_str().unwrap().rsplit('-').next().unwrap().to_owned());
    files
}

fn wait_for(condition: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < until, "it never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_log_is_sealed_whenever_it_is_closed_and_each_start_has_a_key_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    for starts in 1..=4 {
        let journal = open(dir.path());
        journal.append_blocking(event("a")).unwrap();
        let head = journal.close().unwrap();
        let report = verify(dir.path(), head.as_ref()).unwrap();
        assert_eq!((report.state(), report.uncovered()), (State::Sealed, 0), "{report:#?}");
        // The first key only certified itself.
        let signed = report.signed.unwrap();
        assert_eq!((signed.keys, signed.is_trusted), (starts, false));
        let trusting = Elsewhere { key: Some(signed.first.clone()), ..Elsewhere::default() };
        let report = verify_with(dir.path(), &trusting, &mut |_| {}).unwrap();
        assert!(report.state() == State::Sealed && report.signed.unwrap().is_trusted);
    }
    let each = ["audit.open", "audit.key", "runtime.event", "audit.checkpoint"];
    let kinds = kinds(dir.path());
    assert_eq!(kinds.len(), 4 * each.len());
    assert_eq!(kinds.iter().filter(|kind| *kind == "audit.key").count(), 4);
}

#[test]
fn every_full_file_ends_signed() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let small = Options { segment_bytes: 2_000, ..options(Signing::default()) };
        let journal = Journal::open(dir.path(), small).unwrap();
        for n in 0..30 {
            journal.append_blocking(event(&n.to_string())).unwrap();
        }
        drop(journal);
        assert_eq!(state(dir.path()), State::Sealed);
    }
    let files = files(dir.path());
    assert!(files.len() > 9);
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        let last = text.lines().last().unwrap();
        let ends_in = |kind: &str| last.contains(&format!("\"kind\":\"audit.{kind}\""));
        assert!(ends_in("checkpoint") || ends_in("key"), "{last}");
    }
    // What was cut off at a head does not show, but to who kept a later one.
    let last = std::fs::read_to_string(files.last().unwrap()).unwrap();
    let note = records(dir.path()).unwrap().last().unwrap().unwrap().record;
    let note = proof::note::Note::parse(note.details["note"].as_str().unwrap()).unwrap();
    let head = proof::checkpoint::Checkpoint::parse(note.text()).unwrap();
    std::fs::remove_file(files.last().unwrap()).unwrap();
    assert_eq!(state(dir.path()), State::Sealed);
    let kept = Elsewhere {
        heads: vec![Outside::Signed(head.clone(), note.clone())],
        ..Elsewhere::default()
    };
    let report = verify_with(dir.path(), &kept, &mut |_| {}).unwrap();
    assert_eq!(report.flaws, [Flaw::HeadMissing(head.size)]);
    std::fs::write(files.last().unwrap(), last).unwrap();
    let report = verify_with(dir.path(), &kept, &mut |_| {}).unwrap();
    assert_eq!(report.state(), State::Sealed, "{report:#?}");
}

#[test]
fn records_are_signed_soon_and_silence_is_too() {
    let dir = tempfile::tempdir().unwrap();
    let (heads, mut received) = tokio::sync::mpsc::channel(HEADS_WAITING_MAX);
    let signing = Signing {
        every: Duration::from_millis(20),
        heartbeat: Duration::from_millis(100),
        heads: Some(heads),
        ..Signing::default()
    };
    let journal = Journal::open(dir.path(), options(signing)).unwrap();
    journal.append_blocking(event("a")).unwrap();
    let checkpoints =
        || kinds(dir.path()).iter().filter(|kind| *kind == "audit.checkpoint").count();
    wait_for(|| checkpoints() >= 3);
    drop(journal);
    assert_eq!(state(dir.path()), State::Sealed);
    let mut sizes = Vec::new();
    while let Ok(head) = received.try_recv() {
        assert!(head.note.starts_with(&format!("toolgate/{}\n{}\n", head.stream, head.size)));
        sizes.push(head.size);
    }
    assert!(sizes.len() >= 3 && sizes.is_sorted());
    // Each was on the disk when it was sent, and each stands in the log.
    let notes = records(dir.path()).unwrap().map(|entry| entry.unwrap().record);
    let notes = notes.filter(|record| record.details.contains_key("note"));
    let written: Vec<u64> = notes.map(|record| record.seq - 1).collect();
    assert!(sizes.iter().all(|size| written.contains(size)), "{sizes:?} {written:?}");
}

#[test]
fn a_key_hands_over_while_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let signing = Signing {
        every: Duration::from_millis(5),
        rotate: Duration::from_millis(30),
        ..Signing::default()
    };
    let journal = Journal::open(dir.path(), options(signing.clone())).unwrap();
    let mut n = 0;
    while kinds(dir.path()).iter().filter(|kind| *kind == "audit.key").count() < 4 {
        journal.append_blocking(event(&n.to_string())).unwrap();
        n += 1;
        assert!(n < 10_000);
    }
    drop(journal);
    let report = verify(dir.path(), None).unwrap();
    assert_eq!(report.state(), State::Sealed, "{report:#?}");
    assert!(report.signed.unwrap().keys >= 4);
    // A key that never hands over is the same for ever.
    let dir = tempfile::tempdir().unwrap();
    let signing = Signing { rotate: Duration::ZERO, ..signing };
    for _ in 0..3 {
        Journal::open(dir.path(), options(signing.clone())).unwrap().close().unwrap();
    }
    assert_eq!(verify(dir.path(), None).unwrap().signed.unwrap().keys, 1);
    assert_eq!(state(dir.path()), State::Sealed);
}

#[test]
fn a_log_that_nobody_signed_is_signed_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let plain = Options { signing: None, ..options(Signing::default()) };
        let journal = Journal::open(dir.path(), plain).unwrap();
        journal.append_blocking(event("a")).unwrap();
        drop(journal);
        assert_eq!(state(dir.path()), State::Unsealed);
    }
    drop(open(dir.path()));
    // Who signed it then had not written it, and says so.
    let report = verify(dir.path(), None).unwrap();
    assert_eq!((report.state(), report.uncovered(), report.on_trust()), (State::Unsealed, 0, 4));
    let opening = records(dir.path()).unwrap().map(|entry| entry.unwrap().record);
    let opening = opening.filter(|record| record.kind == "audit.open").last().unwrap();
    assert_eq!(opening.details["on_trust"], 4);
}

#[test]
fn a_log_is_not_gone_on_with_by_another_key_or_behind_a_head_that_does_not_fit() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let (key, aside) = (dir.path().join("toolgate.key"), dir.path().join("aside"));
    std::fs::rename(&key, &aside).unwrap();
    let why = Journal::open(dir.path(), options(Signing::default())).unwrap_err();
    assert!(matches!(&why, AuditError::Key { path, .. } if *path == key), "{why}");
    assert!(why.to_string().contains("--audit"));

    // The log is older than its key: its end was cut off.
    std::fs::rename(&aside, &key).unwrap();
    let first = std::fs::read(&files(dir.path())[0]).unwrap();
    drop(open(dir.path()));
    drop(open(dir.path()));
    std::fs::write(&files(dir.path())[0], first).unwrap();
    drop(open(dir.path()));
    let report = verify(dir.path(), None).unwrap();
    assert_eq!(report.segments.len(), 2);
    let flaw = report.segments[1].first_bad.clone().unwrap().flaw;
    assert_eq!((report.state(), flaw), (State::Broken, Flaw::KeyUnknown));
    let opening = records(dir.path()).unwrap().map(Result::unwrap);
    let opening = opening.filter(|entry| entry.record.kind == "audit.open").last().unwrap();
    assert!(opening.record.details.contains_key("broken"));
}

#[test]
fn a_key_that_lies_elsewhere_remembers_what_it_signed() {
    let (dir, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let key = keys.path().join("log.key");
    let signing = Signing {
        key: Some(key.clone()),
        every: Duration::from_millis(3),
        rotate: Duration::ZERO,
        ..Signing::default()
    };
    let write = |text: &str| {
        let journal = Journal::open(dir.path(), options(signing.clone())).unwrap();
        journal.append_blocking(event(text)).unwrap();
        journal.close().unwrap();
    };
    (0..3).for_each(|n| write(&n.to_string()));
    assert_eq!(state(dir.path()), State::Sealed);
    let memory = keys.path().join("log.key.signed");
    let (file, now) = (files(dir.path()).remove(0), std::fs::read_to_string(&memory).unwrap());
    let whole = std::fs::read_to_string(&file).unwrap();
    // A restored key remembers less, or nothing, or what a power failure left: that is no harm.
    let older = whole.lines().find(|line| line.contains("audit.checkpoint")).unwrap();
    let older: serde_json::Value = serde_json::from_str(older).unwrap();
    for left in [older["details"]["note"].as_str().unwrap(), "", "toolgate/"] {
        std::fs::write(&memory, left).unwrap();
        write("more");
        assert_eq!(state(dir.path()), State::Sealed);
    }
    std::fs::remove_file(&memory).unwrap();
    write("more");
    assert_eq!(state(dir.path()), State::Sealed);
    // Cut off at a head that the key of now signed, the log shows nothing; the key does.
    std::fs::write(&memory, now).unwrap();
    let is_head = |line: &&str| line.contains("\"kind\":\"audit.checkpoint\"");
    let first = whole.split_inclusive('\n').position(|line| is_head(&line)).unwrap();
    let cut: String = whole.split_inclusive('\n').take(first + 1).collect();
    std::fs::write(&file, cut).unwrap();
    assert_eq!(state(dir.path()), State::Sealed);
    write("after");
    write("and later");
    let report = verify(dir.path(), None).unwrap();
    let flaws: Vec<_> = report.segments.iter().map(|one| one.first_bad.clone()).collect();
    assert!(matches!(&flaws[..], [None, Some(BadRecord { line: 1, flaw: Flaw::RolledBack(_) })]));
    assert_eq!(report.state(), State::Broken);
    let opening = records(dir.path()).unwrap().map(Result::unwrap);
    let told = opening.filter(|entry| entry.record.details.contains_key("rolled_back")).count();
    assert_eq!(told, 1);
    // In the log's own directory it would be worth nothing.
    let inside = tempfile::tempdir().unwrap();
    drop(open(inside.path()));
    assert!(!inside.path().join("toolgate.key.signed").exists());
}

#[test]
fn a_stream_after_a_broken_one_goes_on_with_the_keys() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    for text in ["a", "b", "c"] {
        journal.append_blocking(event(text)).unwrap();
    }
    drop(journal);
    let file = files(dir.path()).remove(0);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"b\"", "\"B\"")).unwrap();
    drop(open(dir.path()));
    drop(open(dir.path()));
    let report = verify(dir.path(), None).unwrap();
    let states: Vec<State> = report.segments.iter().map(|segment| segment.state).collect();
    assert_eq!(states, [State::Broken, State::Sealed], "{report:#?}");
    assert_eq!(report.signed.unwrap().keys, 3);
}
