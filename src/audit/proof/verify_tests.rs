use super::*;
use crate::audit::*;
use crate::model::record::{Kind, Record};
use crate::redact::Redactor;
use std::path::PathBuf;

/// A log of 30 records in one file.
struct Log {
    dir: tempfile::TempDir,
    file: PathBuf,
    lines: Vec<String>,
    head: Head,
}

fn log() -> Log {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), Options::new(Redactor::shipped().unwrap())).unwrap();
    for n in 0..29 {
        let mut record = Record::new(Kind::RuntimeEvent);
        record.details.push(("n", n.into()));
        journal.append_blocking(record).unwrap();
    }
    let head = journal.close().unwrap().unwrap();
    let name = records(dir.path()).unwrap().next().unwrap().unwrap().file;
    let file = dir.path().join(name);
    let lines = std::fs::read_to_string(&file).unwrap().lines().map(str::to_owned).collect();
    Log { dir, file, lines, head }
}

impl Log {
    fn verify_lines(&self, lines: &[&str], head: Option<&Head>) -> Report {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        self.verify_bytes(text.as_bytes(), head)
    }

    fn verify_bytes(&self, bytes: &[u8], head: Option<&Head>) -> Report {
        std::fs::write(&self.file, bytes).unwrap();
        verify(self.dir.path(), head).unwrap()
    }

    fn lines(&self) -> Vec<&str> {
        self.lines.iter().map(String::as_str).collect()
    }
}

#[test]
fn every_flipped_byte_is_found() {
    let log = log();
    let whole = std::fs::read(&log.file).unwrap();
    assert_eq!(log.verify_bytes(&whole, Some(&log.head)).state(), State::Unsealed);
    let last_line = whole.len() - log.lines[29].len() - 1;
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= [0x01, 0x20, 0x80][place % 3];
        // In the last line nothing inside the log can tell; before it everything does.
        let head = (place >= last_line).then_some(&log.head);
        let report = log.verify_bytes(&bytes, head);
        assert_eq!(report.state(), State::Broken, "byte {place}");
    }
}

#[test]
fn dropped_doubled_and_swapped_lines_are_found() {
    let log = log();
    for at in 0..29 {
        let mut dropped = log.lines();
        dropped.remove(at);
        let report = log.verify_lines(&dropped, None);
        assert_eq!(report.state(), State::Broken, "{at} dropped");
        let gap =
            Gap { stream: log.head.stream.clone(), first: at as u64 + 1, last: at as u64 + 1 };
        assert_eq!(report.gaps, [gap]);
        let bad = report.segments[0].first_bad.clone().unwrap();
        assert_eq!(bad.line, at as u64 + 1);

        let mut swapped = log.lines();
        swapped.swap(at, at + 1);
        assert_eq!(log.verify_lines(&swapped, None).state(), State::Broken, "{at} swapped");
    }
    for at in 0..30 {
        let mut doubled = log.lines();
        doubled.insert(at, log.lines()[at]);
        let report = log.verify_lines(&doubled, None);
        let flaw = report.segments[0].first_bad.clone().unwrap().flaw;
        let (expected, found) = (at as u64 + 2, at as u64 + 1);
        assert_eq!(flaw, Flaw::Sequence { expected, found });
    }
}

#[test]
fn a_cut_off_end_is_found_against_a_head_that_was_kept() {
    let log = log();
    let whole = std::fs::read(&log.file).unwrap();
    for cut in 0..whole.len() {
        let report = log.verify_bytes(&whole[..cut], Some(&log.head));
        assert_eq!(report.flaws, [Flaw::HeadMissing(30)], "{cut}");
        let alone = log.verify_bytes(&whole[..cut], None);
        let at_line_end = cut == 0 || whole[cut - 1] == b'\n';
        assert_eq!(alone.segments[0].torn_bytes == 0, at_line_end, "{cut}");
        assert_eq!(alone.state(), State::Unsealed, "a log cannot know its own end");
    }
    // An older head is no reproach to a log that went on.
    let older =
        Head { seq: 12, hash: Hash::of(log.lines[11].as_bytes()), stream: log.head.stream.clone() };
    assert_eq!(log.verify_bytes(&whole, Some(&older)).state(), State::Unsealed);
    let other = Head { hash: Hash::ZERO, ..older };
    assert_eq!(log.verify_bytes(&whole, Some(&other)).flaws, [Flaw::HeadDiffers(12)]);
}

#[test]
fn what_no_record_is() {
    let log = log();
    let change = |from: &str, to: &str| {
        let mut lines = log.lines();
        let changed = lines[4].replacen(from, to, 1);
        lines[4] = &changed;
        log.verify_lines(&lines, None).segments[0].first_bad.clone().unwrap()
    };
    let stream = log.head.stream.as_str();
    for (from, to, line) in [
        ("{\"v\":1", "{\"v\":2", 5),
        ("{\"v\":1", "{\"v\":1,\"v\":1", 5),
        ("\"seq\":5", "\"seq\":-5", 5),
        ("\"seq\":5", "\"seq\":18446744073709551615", 5),
        (stream, "another", 5),
        ("\"kind\"", "\"kinds\"", 6),
        ("{", "\0{", 5),
        ("}", "\u{feff}", 5),
    ] {
        assert_eq!(change(from, to).line, line, "{from} -> {to}");
    }
    let long = "x".repeat(crate::limits::RECORD_BYTES_MAX);
    let mut lines = log.lines();
    lines[4] = &long;
    let bad = log.verify_lines(&lines, None).segments[0].first_bad.clone().unwrap();
    assert_eq!(bad, BadRecord { line: 5, flaw: Flaw::TooLong });
}

#[test]
fn reading_passes_over_what_is_no_record() {
    let log = log();
    let mut lines = log.lines();
    lines[4] = "garbage";
    let mut bytes = lines.join("\n").into_bytes();
    bytes.truncate(bytes.len() - 3);
    std::fs::write(&log.file, bytes).unwrap();
    let (good, bad): (Vec<_>, Vec<_>) = records(log.dir.path()).unwrap().partition(Result::is_ok);
    assert_eq!((good.len(), bad.len()), (28, 1));
    assert_eq!(bad[0].as_ref().unwrap_err().line, 5);
    assert_eq!(good[27].as_ref().unwrap().line, 29);
    assert!(records(&log.dir.path().join("nowhere")).is_err());
}

#[test]
fn the_newest_file_alone_is_held_against_itself() {
    let log = log();
    let newest = |lines: &[&str]| {
        std::fs::write(&log.file, lines.join("\n") + "\n").unwrap();
        verify_newest(log.dir.path()).unwrap()
    };
    let lines = log.lines();
    let report = newest(&lines);
    assert_eq!(
        (report.state(), report.records, report.head),
        (State::Unsealed, 30, Some(log.head.clone()))
    );
    // A file from the middle of a stream is whole by itself; one with a line missing is not.
    assert_eq!(newest(&lines[10..]).state(), State::Unsealed);
    let (before, after) = lines.split_at(10);
    assert_eq!(newest(&[before, &after[1..]].concat()).state(), State::Broken);
    let changed = lines[20].replace("\"n\":19", "\"n\":91");
    assert_ne!(changed, lines[20]);
    let mut all = lines.clone();
    all[20] = &changed;
    assert_eq!(newest(&all).state(), State::Broken);
    std::fs::remove_file(&log.file).unwrap();
    assert_eq!(verify_newest(log.dir.path()).unwrap().records, 0);
}
