use super::*;
use crate::audit::{Due, Journal, Options, Retention, State, delete, due, records, verify};
use crate::model::record::{Capture, Kind, Record, Redaction};
use crate::redact::Redactor;

fn store() -> (tempfile::TempDir, Blobs) {
    let dir = tempfile::tempdir().unwrap();
    let bounds = BlobBounds { one: 1_000, all: 2_000 };
    let blobs = Blobs::open(dir.path(), bounds).unwrap();
    (dir, blobs)
}

#[test]
fn what_is_kept_is_found_under_the_hash_of_its_file() {
    let (dir, blobs) = store();
    let name = blobs.keep("a text").unwrap();
    assert_eq!(blobs.get(name).unwrap(), "a text");
    let path = blobs.path(name);
    assert_eq!(Hash::of(&std::fs::read(&path).unwrap()), name);
    // Nothing tells that two texts are the same.
    let other = blobs.keep("a text").unwrap();
    assert_ne!(name, other);
    assert_eq!(blobs.remove(name).unwrap(), Some(55));
    assert_eq!(blobs.remove(name).unwrap(), None);
    assert!(matches!(blobs.get(name), Err(BlobError::Missing(_))));
    assert_eq!(blobs.get(other).unwrap(), "a text");
    assert_eq!(blobs.all().unwrap().len(), 1);
    for bytes in [&b"changed"[..], b"", b"\xff"] {
        std::fs::write(blobs.path(other), bytes).unwrap();
        assert!(matches!(blobs.get(other), Err(BlobError::Changed(_))));
    }
    drop(dir);
}

#[test]
fn there_is_a_bound_on_each_and_on_all() {
    let (dir, blobs) = store();
    assert!(matches!(blobs.keep(&"x".repeat(1_000)), Err(BlobError::TooLong { .. })));
    let first = blobs.keep(&"x".repeat(900)).unwrap();
    blobs.keep(&"x".repeat(900)).unwrap();
    assert!(matches!(blobs.keep(&"x".repeat(900)), Err(BlobError::Full(_))));
    // What is there counts after a restart, what is erased does not.
    let bounds = BlobBounds { one: 1_000, all: 2_000 };
    let blobs = Blobs::open(dir.path(), bounds).unwrap();
    assert!(matches!(blobs.keep(&"x".repeat(900)), Err(BlobError::Full(_))));
    blobs.remove(first).unwrap();
    blobs.keep(&"x".repeat(900)).unwrap();
}

#[test]
fn what_cannot_be_written_is_not_kept() {
    let (dir, blobs) = store();
    std::fs::write(dir.path().join("blobs"), "in the way").unwrap();
    assert!(matches!(blobs.keep("a text"), Err(BlobError::File { .. })));
    assert_eq!(blobs.held.load(Ordering::Relaxed), 0);
    std::fs::remove_file(dir.path().join("blobs")).unwrap();
    blobs.keep("a text").unwrap();
    // What a crash left half written is gone with the next start.
    let unfinished = dir.path().join("blobs").join(format!("{UNFINISHED}1"));
    std::fs::write(&unfinished, "hal").unwrap();
    Blobs::open(dir.path(), BlobBounds::default()).unwrap();
    assert!(!unfinished.exists());
}

#[test]
fn a_policy_is_kept_once_as_it_is() {
    let (dir, blobs) = store();
    let text = "# a policy\n".repeat(1_000);
    let name = blobs.keep_policy(&text).unwrap();
    assert_eq!(blobs.keep_policy(&text).unwrap(), name);
    assert_eq!((Hash::of(text.as_bytes()), blobs.policy(name).unwrap()), (name, text.clone()));
    let path = dir.path().join("policies").join(name.to_string());
    std::fs::write(&path, "changed").unwrap();
    assert!(matches!(blobs.policy(name), Err(BlobError::Changed(_))));
    blobs.keep_policy(&text).unwrap();
    assert_eq!(blobs.policy(name).unwrap(), text);
    assert_eq!(std::fs::read_dir(dir.path().join("policies")).unwrap().count(), 1);
}

/// What is older than every record left is removed, unless a record left names it.
#[test]
fn texts_go_after_their_records_and_never_before() {
    let (dir, blobs) = store();
    let redactor = Redactor::shipped().unwrap();
    let options = Options { segment_bytes: 1, seal: false, ..Options::new(redactor) };
    let journal = Journal::open(dir.path(), options).unwrap();
    let long_ago = |name: Hash| {
        let file = File::options().write(true).open(blobs.path(name)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        name
    };
    let names: Vec<Hash> = ["a", "b", "c"].map(|text| long_ago(blobs.keep(text).unwrap())).into();
    let unnamed = long_ago(blobs.keep("no record names it").unwrap());
    for name in &names {
        let blob = Some(name.to_string());
        let redaction = Redaction { blob, ..Redaction::new("/text", "toolgate.too-long") };
        let (value, texts) = (None, Vec::new());
        let capture = Capture { value, bytes: 9, redactions: vec![redaction], texts };
        let record = Record { input: Some(capture), ..Record::new(Kind::ToolPre) };
        journal.append_blocking(record).unwrap();
    }
    journal.append_blocking(Record::new(Kind::ServiceStop)).unwrap();
    crate::audit::segment::seal_closed(dir.path());
    // As long as nothing is deleted every text stays, named or not.
    assert_eq!(remove_outlived(&journal, dir.path(), &blobs).unwrap(), 0);
    let days = Retention { days: Some(1), ..Retention::default() };
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(48);
    let all = due(dir.path(), &days, later, None).unwrap();
    // `audit.open`, and the record that names the first text.
    let gone: Vec<String> = all[..2].iter().map(Due::file).collect();
    let would: Vec<Hash> =
        outlived(dir.path(), &blobs, &gone).unwrap().iter().map(|kept| kept.name).collect();
    assert!(would.len() == 2 && would.contains(&names[0]) && would.contains(&unnamed));
    delete(&journal, dir.path(), &all[..2]).unwrap();
    assert!(remove_outlived(&journal, dir.path(), &blobs).unwrap() > 0);
    let there = |name: &Hash| blobs.is_there(*name);
    assert_eq!(names.iter().map(there).collect::<Vec<_>>(), [false, true, true]);
    assert!(!there(&unnamed));
    let told = records(dir.path()).unwrap().map(|entry| entry.unwrap().record);
    let told = told.filter(|one| one.kind == Kind::AuditRetention.as_str()).last().unwrap();
    assert_eq!(told.details["texts"], 2);
    assert!(
        blob_report(dir.path(), &crate::audit::verify(dir.path(), None).unwrap())
            .unwrap()
            .is_fine()
    );
    // Once more finds nothing.
    assert_eq!(remove_outlived(&journal, dir.path(), &blobs).unwrap(), 0);
    let head = journal.close().unwrap();
    let report = verify(dir.path(), head.as_ref()).unwrap();
    assert_eq!(report.state(), State::Unsealed, "{report:?}");
}
