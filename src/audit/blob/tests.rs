use super::*;

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

#[test]
fn retention_removes_what_is_older() {
    let (_dir, blobs) = store();
    let name = blobs.keep("old").unwrap();
    let file = File::options().write(true).open(blobs.path(name)).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let new = blobs.keep("new").unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1);
    assert_eq!(blobs.remove_before(long_ago).unwrap(), [name]);
    assert!(blobs.is_there(new) && !blobs.is_there(name));
}
