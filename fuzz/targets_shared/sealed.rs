//! Any bytes as a sealed file, or as what retention kept of one: they are read to an end or are
//! told to be damaged; what is read of a sealed file is whole lines, none longer than a record.

use std::path::{Path, PathBuf};
use toolgate::audit::{State, records, verify};

const STEM: &str = "toolgate-01900000-0000-7000-8000-000000000001-000001";

/// Fails if the property does not hold for these bytes; the first one says which form they have.
pub fn hold(bytes: &[u8]) {
    let Some((form, bytes)) = bytes.split_first() else { return };
    let dir = scratch();
    let end = if form % 2 == 0 { "jsonl.zst" } else { "kept" };
    std::fs::write(dir.join(format!("{STEM}.{end}")), bytes).unwrap();
    let mut told = false;
    for entry in records(&dir).unwrap() {
        match entry {
            Ok(entry) => assert!(!entry.text.contains('\n') && entry.text.len() < 64 * 1024),
            Err(_) => told = true,
        }
    }
    let report = verify(&dir, None).unwrap();
    // No deletion is told of here, so nothing that was kept can stand for itself.
    assert!(end != "kept" || report.state() == State::Broken);
    assert!(!told || report.state() == State::Broken);
    std::fs::remove_dir_all(&dir).unwrap();
}

/// A directory that no other thread has.
fn scratch() -> PathBuf {
    let thread = format!("{:?}", std::thread::current().id());
    let name = format!("toolgate-fuzz-sealed-{}-{thread}", std::process::id());
    let dir = Path::new(&std::env::temp_dir()).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir(&dir).unwrap();
    dir
}
