use super::*;
use crate::audit::journal::faults::{Faulty, Plan};
use crate::audit::*;
use crate::model::record::{Durability, Kind, Record};
use crate::redact::Redactor;
use nix::libc;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

pub(super) fn options() -> Options {
    static REDACTOR: std::sync::OnceLock<Redactor> = std::sync::OnceLock::new();
    let redactor = REDACTOR.get_or_init(|| Redactor::shipped().unwrap()).clone();
    Options { seal: false, ..Options::new(redactor) }
}

pub(super) fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

pub(super) fn open(dir: &Path) -> Journal {
    Journal::open(dir, options()).unwrap()
}

pub(super) fn open_faulty(
    dir: &Path,
    plan: &Arc<Plan>,
    options: Options,
) -> Result<Journal, AuditError> {
    Journal::open_with(dir, options, Faulty::lock(dir, plan))
}

pub(super) fn event(text: &str) -> Record {
    let mut record = Record::new(Kind::RuntimeEvent);
    record.details.push(("text", text.into()));
    record
}

pub(super) fn written(text: &str) -> Record {
    Record { durability: Durability::Written, ..event(text) }
}

/// The `text` of every event in the log, in order.
pub(super) fn texts(dir: &Path) -> Vec<String> {
    let events = records(dir).unwrap().map(|entry| entry.unwrap().record);
    let events = events.filter(|record| record.kind == "runtime.event");
    events.map(|record| record.details["text"].as_str().unwrap().to_owned()).collect()
}

pub(super) fn kinds(dir: &Path) -> Vec<String> {
    records(dir).unwrap().map(|entry| entry.unwrap().record.kind).collect()
}

pub(super) fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let names = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        names.filter(|path| path.extension().is_some_and(|is| is == extension)).collect();
    files.sort_by_key(|path| path.to_str().unwrap().rsplit('-').next().unwrap().to_owned());
    files
}

pub(super) fn assert_intact(dir: &Path, head: Option<&Head>) {
    let report = verify(dir, head).unwrap();
    assert_eq!(report.state(), State::Unsealed, "{report:#?}");
    assert!(report.gaps.is_empty() && report.segments.iter().all(|one| one.torn_bytes == 0));
}

#[test]
fn a_record_is_in_the_file_when_its_receipt_is_given() {
    let dir = scratch();
    let journal = open(dir.path());
    for (seq, record) in [(2, event("a")), (3, written("b")), (4, event("c"))] {
        let receipt = journal.append_blocking(record).unwrap();
        let newest = records(dir.path()).unwrap().last().unwrap().unwrap();
        assert_eq!((receipt.seq(), newest.record.seq), (seq, seq));
        assert_eq!(receipt.hash(), Hash::of(newest.text.as_bytes()));
        assert_eq!(receipt.stream().as_str(), newest.record.stream);
        assert_eq!(journal.head().as_ref(), Some(receipt.head()));
    }
    assert_eq!(kinds(dir.path())[0], "audit.open");
    let head = journal.close().unwrap();
    assert_intact(dir.path(), head.as_ref());
}

#[test]
fn only_the_owner_may_read_the_log_and_none_else_write_it() {
    let dir = scratch();
    let log = dir.path().join("a/log");
    open(&log).close().unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&log), 0o700);
    assert_eq!(mode(&files(&log, "jsonl")[0]), 0o600);
    std::fs::set_permissions(&log, PermissionsExt::from_mode(0o770)).unwrap();
    assert!(matches!(Journal::open(&log, options()), Err(AuditError::Exposed(_))));
    if nix::unistd::geteuid().is_root() {
        std::fs::set_permissions(&log, PermissionsExt::from_mode(0o700)).unwrap();
        std::os::unix::fs::chown(&log, Some(1), None).unwrap();
        assert!(matches!(Journal::open(&log, options()), Err(AuditError::Exposed(_))));
    }
}

#[test]
fn two_journals_never_share_a_directory() {
    let dir = scratch();
    let first = open(dir.path());
    let second = Journal::open(dir.path(), options());
    let why = second.unwrap_err();
    assert!(matches!(why, AuditError::InUse(_)) && why.to_string().contains("another toolgate"));
    first.append_blocking(event("a")).unwrap();
    drop(first);
    open(dir.path()).append_blocking(event("b")).unwrap();
    assert_eq!(texts(dir.path()), ["a", "b"]);
}

#[test]
fn reopening_continues_the_chain() {
    let dir = scratch();
    for n in 0..3 {
        let journal = open(dir.path());
        assert_eq!(journal.append_blocking(event("x")).unwrap().seq(), 2 + 2 * n);
        let head = journal.close().unwrap();
        assert_intact(dir.path(), head.as_ref());
    }
    assert_eq!(files(dir.path(), "jsonl").len(), 1);
    let second = records(dir.path()).unwrap().nth(2).unwrap().unwrap().record;
    assert_eq!(
        (second.kind.as_str(), &second.details["previous"]["seq"]),
        ("audit.open", &2.into())
    );
    assert_eq!(second.details["previous"]["head"], second.prev.as_str());
}

#[test]
fn a_full_file_is_followed_by_the_next_and_the_chain_goes_on() {
    let dir = scratch();
    let small = Options { segment_bytes: 1000, ..options() };
    for _ in 0..2 {
        let journal = Journal::open(dir.path(), small.clone()).unwrap();
        for n in 0..20 {
            journal.append_blocking(event(&n.to_string())).unwrap();
        }
        let head = journal.close().unwrap();
        assert_intact(dir.path(), head.as_ref());
    }
    assert!(files(dir.path(), "jsonl").len() > 5);
    assert_eq!(texts(dir.path()).len(), 40);
    // One file of the middle is missing.
    std::fs::remove_file(&files(dir.path(), "jsonl")[2]).unwrap();
    let report = verify(dir.path(), None).unwrap();
    assert_eq!((report.state(), report.gaps.len()), (State::Broken, 1));
}

#[test]
fn a_torn_last_line_is_kept_aside_wherever_it_was_torn() {
    let dir = scratch();
    let journal = open(dir.path());
    journal.append_blocking(event("kept")).unwrap();
    journal.append_blocking(event("torn")).unwrap();
    drop(journal);
    let file = files(dir.path(), "jsonl").remove(0);
    let whole = std::fs::read(&file).unwrap();
    let start = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for cut in start..whole.len() {
        let dir = scratch();
        let file = dir.path().join(file.file_name().unwrap());
        std::fs::write(&file, &whole[..cut]).unwrap();
        let receipt = open(dir.path()).append_blocking(event("after")).unwrap();
        assert_intact(dir.path(), Some(receipt.head()));
        assert_eq!(texts(dir.path()), ["kept", "after"]);
        let torn = files(dir.path(), "torn");
        if cut == start {
            assert!(torn.is_empty());
            continue;
        }
        assert_eq!(std::fs::read(&torn[0]).unwrap(), &whole[start..cut]);
        let recovered = records(dir.path()).unwrap().map(Result::unwrap);
        let recovered = recovered.map(|entry| entry.record).find(|r| r.kind == "audit.recovered");
        let details = recovered.unwrap().details;
        assert_eq!(details["bytes"], cut - start);
        assert_eq!(details["sha256"], Hash::of(&whole[start..cut]).to_string());
        assert_eq!(details["file"], torn[0].file_name().unwrap().to_str().unwrap());
    }
}

#[test]
fn a_torn_first_line_and_a_long_torn_end_are_recovered_too() {
    for (kept, torn) in [(0, b"{\"v\":1,\"se".to_vec()), (1, vec![0; 200_000])] {
        let dir = scratch();
        drop(open(dir.path()));
        let file = files(dir.path(), "jsonl").remove(0);
        let mut bytes = if kept == 0 { Vec::new() } else { std::fs::read(&file).unwrap() };
        bytes.extend_from_slice(&torn);
        std::fs::write(&file, bytes).unwrap();
        let receipt = open(dir.path()).append_blocking(event("a")).unwrap();
        assert_intact(dir.path(), Some(receipt.head()));
        assert_eq!(std::fs::read(&files(dir.path(), "torn")[0]).unwrap(), torn);
    }
}

#[test]
fn a_broken_chain_is_never_appended_to() {
    let dir = scratch();
    let journal = open(dir.path());
    for text in ["a", "b", "c"] {
        journal.append_blocking(event(text)).unwrap();
    }
    drop(journal);
    let file = files(dir.path(), "jsonl").remove(0);
    let broken = std::fs::read_to_string(&file).unwrap().replace("\"b\"", "\"B\"");
    std::fs::write(&file, &broken).unwrap();

    // A crash right after the new stream's file was made must not hide the break.
    let crashed = "toolgate-01900000-0000-7000-8000-000000000001-000002.jsonl";
    std::fs::write(dir.path().join(crashed), "").unwrap();

    let journal = open(dir.path());
    assert_eq!(journal.append_blocking(event("d")).unwrap().seq(), 2);
    drop(journal);
    std::fs::remove_file(dir.path().join(crashed)).unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), broken);
    let newest = files(dir.path(), "jsonl").remove(1);
    let first: wire::WireRecord =
        serde_json::from_str(std::fs::read_to_string(&newest).unwrap().lines().next().unwrap())
            .unwrap();
    assert_eq!((first.seq, first.prev), (1, "0".repeat(64)));
    let last = broken.lines().last().unwrap();
    assert_eq!(first.details["previous"]["seq"], 4);
    assert_eq!(first.details["previous"]["head"], Hash::of(last.as_bytes()).to_string());
    assert_eq!(first.details["broken"]["line"], 4);

    // The next start goes on with the new stream; the break stays visible.
    assert_eq!(open(dir.path()).append_blocking(event("e")).unwrap().seq(), 4);
    let report = verify(dir.path(), None).unwrap();
    let states: Vec<State> = report.segments.iter().map(|segment| segment.state).collect();
    assert_eq!(states, [State::Broken, State::Unsealed]);
    assert_eq!(report.segments[0].first_bad, Some(BadRecord { line: 4, flaw: Flaw::Link }));

    // Cutting the broken stream's end off afterwards shows too.
    std::fs::write(&file, broken.lines().take(2).map(|l| format!("{l}\n")).collect::<String>())
        .unwrap();
    let bad = verify(dir.path(), None).unwrap().segments[1].first_bad.clone().unwrap();
    assert!(matches!(bad.flaw, Flaw::StreamEnd(_)), "{bad:?}");
    std::fs::remove_file(&file).unwrap();
    let bad = verify(dir.path(), None).unwrap().segments[0].first_bad.clone().unwrap();
    assert!(matches!(bad.flaw, Flaw::StreamMissing(_)), "{bad:?}");
}

#[test]
fn short_and_interrupted_writes_lose_nothing() {
    let dir = scratch();
    let plan = Plan::new();
    plan.write_max.store(7, SeqCst);
    let journal = open_faulty(dir.path(), &plan, options()).unwrap();
    for n in 0..5 {
        journal.append_blocking(event(&n.to_string())).unwrap();
    }
    let head = journal.close().unwrap();
    assert_intact(dir.path(), head.as_ref());
    assert_eq!(texts(dir.path()).len(), 5);
}

#[test]
fn written_records_are_synced_soon_though_nobody_waits() {
    let dir = scratch();
    let plan = Plan::new();
    let journal = open_faulty(dir.path(), &plan, options()).unwrap();
    let before = plan.syncs.load(SeqCst);
    for n in 0..50 {
        journal.append_blocking(written(&n.to_string())).unwrap();
    }
    wait_for(|| plan.syncs.load(SeqCst) > before);
    assert!(plan.syncs.load(SeqCst) - before < 50);
}

#[test]
fn an_append_gives_up_when_the_disk_hangs() {
    let dir = scratch();
    let plan = Plan::new();
    let impatient = Options { timeout: Duration::from_millis(300), ..options() };
    let journal = open_faulty(dir.path(), &plan, impatient).unwrap();
    plan.sync_ms.store(1_000, SeqCst);
    let why = journal.append_blocking(event("a")).unwrap_err();
    assert!(matches!(why, AuditError::Timeout(_)), "{why}");
}

#[test]
fn who_waits_together_shares_a_sync() {
    let dir = scratch();
    let plan = Plan::new();
    let journal = open_faulty(dir.path(), &plan, options()).unwrap();
    let before = plan.syncs.load(SeqCst);
    plan.sync_ms.store(50, SeqCst);
    std::thread::scope(|scope| {
        for n in 0..64 {
            let journal = &journal;
            scope.spawn(move || journal.append_blocking(event(&n.to_string())).unwrap());
        }
    });
    // Without sharing it would be 64.
    assert!(plan.syncs.load(SeqCst) - before <= 16, "{:?}", plan.syncs);
    assert_eq!(texts(dir.path()).len(), 64);
}

#[test]
fn sixty_four_writers_keep_their_order() {
    let dir = scratch();
    let small = Options { segment_bytes: 20_000, ..options() };
    let journal = Arc::new(Journal::open(dir.path(), small).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let writers: Vec<_> = (0..64)
        .map(|writer| {
            let journal = Arc::clone(&journal);
            runtime.spawn(async move {
                let mut receipts = Vec::new();
                for n in 0..10 {
                    let record = if n % 2 == 0 { event("") } else { written("") };
                    let mut record = record;
                    record.details = vec![("text", format!("{writer} {n}").into())];
                    receipts.push((format!("{writer} {n}"), journal.append(record).await.unwrap()));
                }
                receipts
            })
        })
        .collect();
    let receipts: BTreeMap<u64, (String, Receipt)> = runtime.block_on(async {
        let mut all = BTreeMap::new();
        for writer in writers {
            for (text, receipt) in writer.await.unwrap() {
                all.insert(receipt.seq(), (text, receipt));
            }
        }
        all
    });
    assert_eq!(receipts.keys().copied().collect::<Vec<_>>(), (2..642).collect::<Vec<_>>());
    for entry in records(dir.path()).unwrap().skip(1) {
        let entry = entry.unwrap();
        let (text, receipt) = &receipts[&entry.record.seq];
        assert_eq!(&entry.record.details["text"], text.as_str());
        assert_eq!(receipt.hash(), Hash::of(entry.text.as_bytes()));
    }
    let mut next = BTreeMap::new();
    for text in texts(dir.path()) {
        let (writer, n) = text.split_once(' ').unwrap();
        let expected = next.entry(writer.to_owned()).or_insert(0);
        assert_eq!(n.parse::<i32>().unwrap(), *expected);
        *expected += 1;
    }
    drop(journal);
    assert_intact(dir.path(), Some(receipts[&641].1.head()));
}

#[test]
fn durable_records_can_be_measured() {
    let dir = scratch();
    let measured =
        durable_records_per_second(dir.path(), options(), 4, Duration::from_millis(50)).unwrap();
    assert!(measured.records > 0 && measured.per_second() > 0.0);
    assert_eq!(verify(dir.path(), None).unwrap().records, measured.records + 1);
}

pub(super) fn wait_for(condition: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < until, "it never came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn nothing_is_written_after_the_last_record() {
    let dir = scratch();
    let journal = open(dir.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        // Sent together: what comes in one batch with the last record and after it is refused too.
        let (first, last, late) = tokio::join!(
            journal.append(event("a")),
            journal.append_last(Record::new(Kind::ServiceStop)),
            journal.append(event("b")),
        );
        assert!(first.is_ok() && last.is_ok());
        assert!(matches!(late, Err(AuditError::Closed)), "{late:?}");
        let again = journal.append_last(Record::new(Kind::ServiceStop)).await;
        assert!(matches!(again, Err(AuditError::Closed)), "{again:?}");
    });
    assert_eq!(journal.waiting(), Waiting::default());
    let head = journal.close().unwrap();
    assert_eq!(kinds(dir.path()), ["audit.open", "runtime.event", "service.stop"]);
    assert_intact(dir.path(), head.as_ref());
}

#[test]
fn what_waits_for_the_disk_is_told() {
    let (dir, plan) = (scratch(), Plan::new());
    let flush = Duration::from_secs(3600);
    let journal = open_faulty(dir.path(), &plan, Options { flush, ..options() }).unwrap();
    assert_eq!(journal.waiting(), Waiting::default());
    for n in 1..=3 {
        journal.append_blocking(written("a")).unwrap();
        assert_eq!(journal.waiting().records, n);
    }
    assert!(journal.waiting().oldest > Duration::ZERO);
    journal.append_blocking(event("b")).unwrap();
    assert_eq!(journal.waiting(), Waiting::default());
    plan.sync_fails.store(libc::EIO, SeqCst);
    journal.append_blocking(event("c")).unwrap_err();
    assert_eq!(journal.waiting().records, 1);
}
