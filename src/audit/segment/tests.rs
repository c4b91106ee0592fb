use super::seal::{Sealed, Step, seal};
use super::sealer::Sealer;
use super::*;
use crate::audit::journal::Directory;
use crate::audit::{Head, Journal, Options, State, records, verify};
use crate::model::record::{Kind, Record};
use crate::redact::Redactor;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

pub(super) fn options(segment_bytes: u64) -> Options {
    static REDACTOR: OnceLock<Redactor> = OnceLock::new();
    let redactor = REDACTOR.get_or_init(|| Redactor::shipped().unwrap()).clone();
    Options { segment_bytes, seal: false, ..Options::new(redactor) }
}

/// Writes this many records of about 700 bytes.
pub(super) fn write(dir: &Path, options: Options, count: u64) -> Head {
    let journal = Journal::open(dir, options).unwrap();
    for n in 0..count {
        let mut record = Record::new(Kind::RuntimeEvent);
        record.details.push(("n", n.into()));
        record.details.push(("text", format!("{n} ").repeat(100).into()));
        journal.append_blocking(record).unwrap();
    }
    journal.close().unwrap().unwrap()
}

/// The directory, whoever has its lock.
pub(super) fn shelf(dir: &Path) -> Directory {
    Directory::unlocked(dir).unwrap()
}

/// The lines of the whole log.
fn lines(dir: &Path) -> Vec<String> {
    records(dir).unwrap().map(|entry| entry.unwrap().text).collect()
}

fn blocks(dir: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for segment in list(dir).unwrap() {
        let mut blocks = Blocks::open(dir, &segment).unwrap();
        while let Some(block) = blocks.next_block().unwrap() {
            assert_eq!(block.last(), Some(&b'\n'));
            lines.extend(std::str::from_utf8(block).unwrap().lines().map(str::to_owned));
        }
        assert_eq!((blocks.rest(), blocks.too_long()), (0, 0));
    }
    lines
}

/// Seals all but the newest.
pub(in crate::audit) fn seal_all(dir: &Path) {
    let segments = list(dir).unwrap();
    for segment in segments.iter().rev().skip(1) {
        let sealed = seal(&shelf(dir), dir, segment, &mut |_| true).unwrap();
        assert!(matches!(sealed, Sealed::Yes { .. }), "{sealed:?}");
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn wait_for(what: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !what() {
        assert!(Instant::now() < deadline, "it never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_sealed_log_reads_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let head = write(dir.path(), options(600_000), 2_500);
    let before = lines(dir.path());
    assert_eq!(before.len(), 2_501);
    assert_eq!(blocks(dir.path()), before);
    seal_all(dir.path());
    let forms: Vec<Form> = list(dir.path()).unwrap().iter().map(|one| one.form).collect();
    assert!(forms.len() >= 3, "{forms:?}");
    let (newest, closed) = forms.split_last().unwrap();
    assert_eq!(*newest, Form::Plain);
    assert!(closed.iter().all(|form| *form == Form::Sealed), "{forms:?}");
    assert_eq!(lines(dir.path()), before);
    assert_eq!(blocks(dir.path()), before);
    let report = verify(dir.path(), Some(&head)).unwrap();
    assert_eq!((report.state(), report.records), (State::Unsealed, 2_501), "{report:?}");
}

#[test]
fn zstd_itself_gives_the_lines_back() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), options(600_000), 1_000);
    let segment = list(dir.path()).unwrap().remove(0);
    let plain = std::fs::read(segment.path(dir.path())).unwrap();
    seal(&shelf(dir.path()), dir.path(), &segment, &mut |_| true).unwrap();
    let sealed = segment.as_form(Form::Sealed).path(dir.path());
    // tests/install installs it.
    let out = Command::new("zstd").arg("-dc").arg(&sealed).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(out.stdout == plain);
    let out = Command::new("zstd").arg("--test").arg(&sealed).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// Wherever sealing stops, nothing is lost or doubled, and the next start makes it good.
#[test]
fn a_crash_at_any_step_of_sealing_loses_nothing() {
    let base = tempfile::tempdir().unwrap();
    write(base.path(), options(1_000_000), 2_000);
    let before = lines(base.path());
    let mut steps = Vec::new();
    for stop_after in 0.. {
        let dir = tempfile::tempdir().unwrap();
        for name in names(base.path()) {
            std::fs::copy(base.path().join(&name), dir.path().join(&name)).unwrap();
        }
        let segment = list(dir.path()).unwrap().remove(0);
        let mut taken = 0;
        let mut go_on = |step: Step| {
            taken += 1;
            if taken > stop_after {
                steps.push(step);
            }
            taken <= stop_after
        };
        let done = seal(&shelf(dir.path()), dir.path(), &segment, &mut go_on).unwrap();
        assert_eq!(lines(dir.path()), before, "stopped after {stop_after}");
        assert_eq!(verify(dir.path(), None).unwrap().state(), State::Unsealed);
        // The next start.
        let journal =
            Journal::open(dir.path(), Options { seal: true, ..options(1_000_000) }).unwrap();
        wait_for(|| {
            list(dir.path()).unwrap()[0].form == Form::Sealed && !segment.path(dir.path()).exists()
        });
        journal.close().unwrap();
        let after = lines(dir.path());
        assert_eq!(after[..before.len()], before, "stopped after {stop_after}");
        let left: Vec<_> =
            names(dir.path()).into_iter().filter(|name| name.ends_with(".tmp")).collect();
        assert!(left.is_empty(), "{left:?}");
        if matches!(done, Sealed::Yes { .. }) {
            break;
        }
    }
    for step in [Step::Frame, Step::Written, Step::Named] {
        assert!(steps.contains(&step), "never stopped at {step:?}: {steps:?}");
    }
}

#[test]
fn the_journal_seals_what_it_closes_while_it_writes() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), Options { seal: true, ..options(20_000) }).unwrap();
    for n in 0..200_u64 {
        let mut record = Record::new(Kind::RuntimeEvent);
        record.details.push(("text", format!("{n} ").repeat(100).into()));
        journal.append_blocking(record).unwrap();
        // A reader at any time sees a whole log.
        if n % 20 == 0 {
            assert_eq!(lines(dir.path()).len() as u64, n + 2);
        }
    }
    wait_for(|| {
        let segments = list(dir.path()).unwrap();
        let (newest, closed) = segments.split_last().unwrap();
        newest.form == Form::Plain && closed.iter().all(|one| one.form == Form::Sealed)
    });
    let head = journal.close().unwrap().unwrap();
    assert_eq!(verify(dir.path(), Some(&head)).unwrap().state(), State::Unsealed);
}

#[test]
fn a_file_grows_old_only_by_what_happens() {
    let dir = tempfile::tempdir().unwrap();
    let old = Options { segment_age: Duration::from_millis(1), ..options(1 << 30) };
    let journal = Journal::open(dir.path(), old).unwrap();
    let append = |kind| {
        std::thread::sleep(Duration::from_millis(5));
        journal.append_blocking(Record::new(kind)).unwrap();
    };
    (0..3).for_each(|_| append(Kind::AuditRecovered));
    assert_eq!(list(dir.path()).unwrap().len(), 1);
    (0..3).for_each(|_| append(Kind::RuntimeEvent));
    assert_eq!(list(dir.path()).unwrap().len(), 3);
}

#[test]
fn what_is_no_log_stays_as_it_is() {
    for content in ["{}\n{\"cut", &format!("{}\n", "x".repeat(crate::limits::RECORD_BYTES_MAX))] {
        let dir = tempfile::tempdir().unwrap();
        let segment = SegmentName::plain(1, crate::audit::StreamId::generate());
        std::fs::write(segment.path(dir.path()), content).unwrap();
        let done = seal(&shelf(dir.path()), dir.path(), &segment, &mut |_| true).unwrap();
        assert!(matches!(done, Sealed::Evidence(_)), "{done:?}");
        assert_eq!(names(dir.path()), [segment.to_string()]);
    }
}

#[test]
fn where_nothing_can_be_written_the_plain_file_stays() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), options(20_000), 100);
    let segment = list(dir.path()).unwrap().remove(0);
    // Something that no file can be made in place of.
    let place = dir.path().join(format!("{segment}.zst.tmp"));
    std::fs::create_dir_all(place.join("full")).unwrap();
    assert!(seal(&shelf(dir.path()), dir.path(), &segment, &mut |_| true).is_err());
    let before = lines(dir.path());
    let sealer = Sealer::start(Arc::new(shelf(dir.path())), dir.path()).unwrap();
    sealer.closed().unwrap().below(2);
    drop(sealer);
    assert_eq!(lines(dir.path()), before);
    assert!(segment.path(dir.path()).exists());
}

#[test]
fn a_flipped_byte_of_a_sealed_file_breaks_the_log() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), options(10_000), 40);
    seal_all(dir.path());
    let first = list(dir.path()).unwrap().remove(0).path(dir.path());
    let whole = std::fs::read(&first).unwrap();
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x55;
        std::fs::write(&first, bytes).unwrap();
        let report = verify(dir.path(), None).unwrap();
        assert_eq!(report.state(), State::Broken, "byte {place}");
    }
    std::fs::write(&first, &whole).unwrap();
    assert_eq!(verify(dir.path(), None).unwrap().state(), State::Unsealed);
}

/// The newest file with records is sealed when nothing was written behind it.
#[test]
fn the_stream_goes_on_behind_a_sealed_file() {
    let dir = tempfile::tempdir().unwrap();
    let head = write(dir.path(), options(1 << 30), 20);
    let segment = list(dir.path()).unwrap().remove(0);
    let empty = SegmentName::plain(2, segment.stream.clone());
    std::fs::write(empty.path(dir.path()), "").unwrap();
    seal(&shelf(dir.path()), dir.path(), &segment, &mut |_| true).unwrap();
    let after = write(dir.path(), options(1 << 30), 1);
    assert_eq!((after.stream, after.seq), (head.stream, head.seq + 2));
    let report = verify(dir.path(), None).unwrap();
    assert_eq!((report.state(), report.records), (State::Unsealed, 23), "{report:?}");
}

#[test]
fn blocks_pass_what_is_no_line() {
    let dir = tempfile::tempdir().unwrap();
    let segment = SegmentName::plain(1, crate::audit::StreamId::generate());
    let path: PathBuf = segment.path(dir.path());
    let long = "x".repeat(3_000_000);
    std::fs::write(&path, format!("a\nb\n{long}\nc\nd")).unwrap();
    let mut blocks = Blocks::open(dir.path(), &segment).unwrap();
    let mut got = Vec::new();
    while let Some(block) = blocks.next_block().unwrap() {
        got.extend_from_slice(block);
    }
    assert_eq!(got, b"a\nb\nc\n");
    assert_eq!((blocks.too_long(), blocks.rest()), (1, 1));
    // What was being written is there later.
    std::fs::write(&path, format!("a\nb\n{long}\nc\ndone\n")).unwrap();
    assert_eq!(blocks.next_block().unwrap(), Some(b"done\n".as_slice()));
    assert_eq!(blocks.next_block().unwrap(), None);
}

pub(super) fn in_days(days: i64) -> jiff::Timestamp {
    jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days)
}

/// A signed or unsigned log of several sealed files, open for writing.
fn aged(dir: &Path) -> Journal {
    write(dir, options(20_000), 150);
    let journal = Journal::open(dir, options(20_000)).unwrap();
    seal_all(dir);
    journal
}

#[test]
fn what_is_due_is_old_or_too_much_and_never_needed() {
    let dir = tempfile::tempdir().unwrap();
    let _journal = aged(dir.path());
    let files = list(dir.path()).unwrap();
    let closed = files.len() - 1;
    assert!(closed >= 4, "{files:?}");
    let days = Retention { days: Some(200), min_days: 180, ..Retention::default() };
    let count = |retention: &Retention, at, needed| {
        due(dir.path(), retention, in_days(at), needed).unwrap().len()
    };
    assert_eq!(count(&days, 199, None), 0);
    assert_eq!(count(&days, 201, None), closed);
    assert_eq!(count(&days, 201, Some(files[2].number)), 2);
    assert_eq!(count(&Retention { hold: true, ..days.clone() }, 201, None), 0);
    let total: u64 = names(dir.path())
        .iter()
        .map(|name| std::fs::metadata(dir.path().join(name)).unwrap().len())
        .sum();
    let bytes = |max| Retention { max_bytes: Some(max), min_days: 180, ..Retention::default() };
    assert_eq!(count(&bytes(total), 201, None), 0);
    assert_eq!(count(&bytes(total - 1), 201, None), 1);
    assert_eq!(count(&bytes(0), 201, None), closed);
    // Not while it is young.
    assert_eq!(count(&bytes(0), 100, None), 0);
    assert_eq!(count(&Retention::default(), 1_000, None), 0);
}

#[test]
fn the_log_goes_on_across_what_retention_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let journal = aged(dir.path());
    let before = lines(dir.path());
    let files = list(dir.path()).unwrap();
    let days = Retention { days: Some(1), ..Retention::default() };
    let all = due(dir.path(), &days, in_days(2), None).unwrap();
    let freed = delete(&journal, dir.path(), &all[..2]).unwrap();
    assert!(freed > 0);
    let forms: Vec<Form> = list(dir.path()).unwrap().iter().map(|one| one.form).collect();
    assert_eq!(forms[..3], [Form::Kept, Form::Kept, Form::Sealed]);
    let told = Journal::open(dir.path(), options(20_000));
    assert!(told.is_err(), "it is in use");
    let head = journal.close().unwrap().unwrap();
    let report = verify(dir.path(), Some(&head)).unwrap();
    assert_eq!(report.state(), State::Unsealed, "{report:?}");
    assert_eq!(report.records as usize, before.len() + 1);
    assert!(report.gaps.is_empty());
    // What was kept of the first file is its own line, `audit.open`.
    let left = lines(dir.path());
    assert_eq!(left[0], before[0]);
    assert!(left.len() < before.len() && left.last().unwrap().contains("audit.retention"));
    // A start goes on with the stream, and a later deletion keeps what tells of this one.
    let after = write(dir.path(), options(20_000), 100);
    assert_eq!(after.stream, head.stream);
    seal_all_closed(dir.path());
    let journal = Journal::open(dir.path(), options(20_000)).unwrap();
    let all = due(dir.path(), &days, in_days(2), None).unwrap();
    delete(&journal, dir.path(), &all).unwrap();
    let head = journal.close().unwrap().unwrap();
    let report = verify(dir.path(), Some(&head)).unwrap();
    assert_eq!(report.state(), State::Unsealed, "{report:?}");
    assert!(report.segments.len() > files.len());
}

/// As [`seal_all`], where some are no longer plain.
fn seal_all_closed(dir: &Path) {
    let segments = list(dir).unwrap();
    for segment in segments.iter().rev().skip(1).filter(|one| one.form == Form::Plain) {
        seal(&shelf(dir), dir, segment, &mut |_| true).unwrap();
    }
}

#[test]
fn what_vanished_without_a_record_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let journal = aged(dir.path());
    let days = Retention { days: Some(1), ..Retention::default() };
    let all = due(dir.path(), &days, in_days(2), None).unwrap();
    delete(&journal, dir.path(), &all[..1]).unwrap();
    journal.close().unwrap();
    let files = list(dir.path()).unwrap();
    let kept = files[0].path(dir.path());
    let whole = std::fs::read(&kept).unwrap();
    // Every byte of what was kept counts.
    for place in (0..whole.len()).step_by(7) {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        std::fs::write(&kept, bytes).unwrap();
        assert_eq!(verify(dir.path(), None).unwrap().state(), State::Broken, "byte {place}");
    }
    std::fs::write(&kept, &whole).unwrap();
    assert_eq!(verify(dir.path(), None).unwrap().state(), State::Unsealed);
    std::fs::remove_file(&kept).unwrap();
    assert_eq!(verify(dir.path(), None).unwrap().state(), State::Broken);
    std::fs::write(&kept, &whole).unwrap();
    // Another file goes without a word.
    let other = files[1].path(dir.path());
    std::fs::remove_file(&other).unwrap();
    assert_eq!(verify(dir.path(), None).unwrap().state(), State::Broken);
}

/// About 700 bytes a record, as real ones differ: what one takes when it is sealed.
#[test]
fn a_sealed_record_takes_a_fraction_of_a_plain_one() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), options(600_000), 1_000);
    let segment = list(dir.path()).unwrap().remove(0);
    let Sealed::Yes { plain, sealed } =
        seal(&shelf(dir.path()), dir.path(), &segment, &mut |_| true).unwrap()
    else {
        panic!("it was not sealed");
    };
    let index = std::fs::metadata(segment.index_path(dir.path())).unwrap().len();
    println!("{plain} bytes plain, {sealed} sealed, {index} in the index");
    assert!(sealed + index < plain / 2);
}
