//! Promise: whoever changes the log is found, and nothing honest is called tampering.
//!
//! Real logs, made by the journal, are tampered with as the tables say. Both verifiers, ours and
//! the one in Python that shares no code with it, must say the same of each. What a log cannot
//! show by itself is here too: an end that was cut off at a signed head, and a log that the holder
//! of its key wrote anew. A head or key that was kept elsewhere finds those.
//!
//! `tests/tamper-all` flips every byte of the long log.
#![cfg(test)]
#![expect(clippy::string_slice, reason = "tests know their texts")]

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;
use toolgate::audit::proof::bundle::Bundle;
use toolgate::audit::proof::checkpoint::Checkpoint;
use toolgate::audit::proof::note::{Note, PublicKey, SecretKey};
use toolgate::audit::proof::prove::{prove, prove_consistency};
use toolgate::audit::{
    AuditError, Elsewhere, Flaw, Journal, Options, Outside, Report, Retention, Signing, State,
    delete, due, records, verify_with,
};
use toolgate::model::record::{Durability, Kind, Record};
use toolgate::redact::Redactor;

/// Positions of the long log that each run flips.
const POSITIONS: usize = 5_000;
/// Of those, each of which Python sees: it is a hundred times slower.
const PYTHON_EVERY: usize = 250;

/// A log that was made by the journal and closed.
struct Log {
    dir: tempfile::TempDir,
    files: Vec<(PathBuf, Vec<u8>)>,
    key: PublicKey,
    /// Its newest head.
    head: (Checkpoint, Note),
}

fn options(signing: Signing, segment_bytes: u64) -> Options {
    static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::shipped().unwrap());
    Options { segment_bytes, seal: false, ..Options::new(REDACTOR.clone()).signed(signing) }
}

/// A program that another test starts holds our lock too, from its fork until it runs.
fn open(dir: &Path, options: &Options) -> Journal {
    for _ in 0..500 {
        match Journal::open(dir, options.clone()) {
            Err(AuditError::InUse(_)) => std::thread::sleep(Duration::from_millis(5)),
            opened => return opened.unwrap(),
        }
    }
    panic!("the log stays in use");
}

/// Some starts of the journal, with so many records in each.
fn write(dir: &Path, starts: usize, each: usize, segment_bytes: u64) {
    for start in 0..starts {
        let signing = Signing { every: Duration::from_millis(3), ..Signing::default() };
        let journal = open(dir, &options(signing, segment_bytes));
        for n in 0..each {
            let mut record = Record::new(Kind::RuntimeEvent);
            record.details.push(("text", format!("{start} {n} ünï \"x\"").into()));
            record.durability = Durability::Written;
            journal.append_blocking(record).unwrap();
        }
        journal.close().unwrap();
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let names = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let is_file = |path: &PathBuf| path.extension().is_some_and(|is| is == "jsonl");
    let mut files: Vec<PathBuf> = names.filter(is_file).collect();
    files.sort_by_key(|path| path.to_str().unwrap().rsplit('-').next().unwrap().to_owned());
    files
}

fn parse(note: &str) -> (Checkpoint, Note) {
    let note = Note::parse(note).unwrap();
    (Checkpoint::parse(note.text()).unwrap(), note)
}

fn heads(dir: &Path) -> Vec<(Checkpoint, Note)> {
    let notes = records(dir).unwrap().map(|entry| entry.unwrap().record.details);
    let notes = notes.filter_map(|details| Some(parse(details.get("note")?.as_str()?)));
    notes.collect()
}

impl Log {
    fn write(starts: usize, each: usize, segment_bytes: u64) -> Log {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), starts, each, segment_bytes);
        Log::of(dir)
    }

    fn of(dir: tempfile::TempDir) -> Log {
        let paths = files(dir.path()).into_iter();
        let files = paths.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
        let head = heads(dir.path()).pop().unwrap();
        let key = verify_with(dir.path(), &Elsewhere::default(), &mut |_| {}).unwrap();
        Log { dir, files, key: key.signed.unwrap().first, head }
    }

    /// A log of about so many lines in one file.
    fn short() -> Log {
        let log = Log::write(3, 14, u64::MAX);
        assert!((50..=90).contains(&log.lines(0).len()), "{}", log.lines(0).len());
        log
    }

    /// Several files, in three starts.
    fn in_files() -> Log {
        let log = Log::write(3, 20, 4_000);
        assert!(log.files.len() >= 4, "{}", log.files.len());
        log
    }

    fn lines(&self, file: usize) -> Vec<&[u8]> {
        self.files[file].1.split_inclusive(|byte| *byte == b'\n').collect()
    }

    fn put(&self, file: usize, bytes: &[u8]) {
        std::fs::write(&self.files[file].0, bytes).unwrap();
    }

    fn restore(&self) {
        for path in files(self.dir.path()) {
            std::fs::remove_file(path).unwrap();
        }
        self.files.iter().for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
    }

    fn report(&self, with_head: bool) -> Report {
        let (head, note) = self.head.clone();
        let heads = if with_head { vec![Outside::Signed(head, note)] } else { vec![] };
        let elsewhere = Elsewhere { key: Some(self.key.clone()), heads };
        verify_with(self.dir.path(), &elsewhere, &mut |_| {}).unwrap()
    }

    fn state(&self) -> State {
        self.report(false).state()
    }

    /// The same in Python.
    fn asked(&self, with_head: bool) -> Value {
        let heads = if with_head { vec![self.head.1.to_string()] } else { vec![] };
        json!({ "dir": self.dir.path(), "key": self.key.to_string(), "heads": heads })
    }
}

/// The verifier in Python, asked one thing after the other.
struct Python {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Python {
    fn start() -> Python {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verify_log.py");
        let mut child = Command::new("python3")
            .args(["-B".as_ref(), script.as_os_str(), "--batch".as_ref()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Python { child, answers }
    }

    fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.child.stdin.as_mut().unwrap(), "{request}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Both verifiers say the same of each file and of the whole.
    fn agrees(&mut self, log: &Log, with_head: bool, told: &str) -> Report {
        let (ours, theirs) = (log.report(with_head), self.ask(&log.asked(with_head)));
        assert_eq!(theirs["state"], ours.state().to_string(), "{told}: {ours:#?} {theirs:#}");
        assert_eq!(theirs["records"], ours.records, "{told}");
        let files = theirs["files"].as_array().unwrap();
        assert_eq!(files.len(), ours.segments.len(), "{told}");
        for (theirs, ours) in files.iter().zip(&ours.segments) {
            let told = format!("{told}: {theirs} {ours:?}");
            assert_eq!(theirs["state"], ours.state.to_string(), "{told}");
            assert_eq!(theirs["torn"], ours.torn_bytes, "{told}");
            assert_eq!(theirs["bad"].is_null(), ours.first_bad.is_none(), "{told}");
            if let Some(bad) = &ours.first_bad {
                // A line that cannot be read breaks the link of the next one too, and a line that
                // a head covers is not read: either may be told.
                let theirs = theirs["bad"][0].as_u64().unwrap();
                assert!(theirs <= bad.line && bad.line <= theirs + 1, "{told}");
            } else {
                assert_eq!(theirs["uncovered"], ours.uncovered, "{told}");
                assert_eq!(theirs["on_trust"], ours.on_trust, "{told}");
            }
        }
        ours
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

#[test]
fn every_flipped_byte_of_a_short_log_is_found() {
    let (log, mut python) = (Log::short(), Python::start());
    let whole = log.files[0].1.clone();
    assert_eq!(python.agrees(&log, true, "honest").state(), State::Sealed);
    let last_line = whole.len() - log.lines(0).last().unwrap().len();
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= [0x01, 0x20, 0x80][place % 3];
        log.put(0, &bytes);
        let told = format!("byte {place}");
        // The last line may no longer be the head that it was: then nothing covers the end.
        let expected =
            if place < last_line { [State::Broken; 2] } else { [State::Unsealed, State::Broken] };
        assert!(expected.contains(&log.state()), "{told}");
        if place % 23 == 0 {
            python.agrees(&log, false, &told);
        }
        if place >= last_line {
            // The outside head ends before this line, which is only the record that keeps it.
            assert_ne!(log.report(true).state(), State::Sealed, "{told}");
        }
    }
}

/// The same numbers for the same seed (splitmix64).
fn places(seed: u64, count: usize, below: usize) -> impl Iterator<Item = (usize, u8)> {
    let mut state = seed;
    (0..count).map(move |_| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let bit = 1 << (z >> 61);
        (usize::try_from(z % u64::try_from(below).unwrap()).unwrap(), bit)
    })
}

fn flip_in_the_long_log(places: impl Iterator<Item = (usize, u8)>, python_every: usize) {
    let (log, mut python) = (Log::write(5, 195, u64::MAX), Python::start());
    let whole = log.files[0].1.clone();
    assert!(log.lines(0).len() >= 1_000);
    assert_eq!(python.agrees(&log, true, "honest").state(), State::Sealed);
    let last_line = whole.len() - log.lines(0).last().unwrap().len();
    let mut bytes = whole.clone();
    for (number, (place, bit)) in places.enumerate() {
        let place = place % whole.len();
        bytes[place] ^= bit;
        // What stands far behind the change cannot hide it, and takes time.
        let end = bytes.len().min(place + 20_000);
        log.put(0, &bytes[..end]);
        let state = log.state();
        let is_found = state == State::Broken || (place >= last_line && state == State::Unsealed);
        assert!(is_found, "byte {place}, bit {bit}: {state}");
        if number % python_every == 0 {
            python.agrees(&log, false, &format!("byte {place}"));
        }
        bytes[place] ^= bit;
    }
}

#[test]
fn flipped_bits_of_a_long_log_are_found() {
    flip_in_the_long_log(places(6, POSITIONS, usize::MAX / 2), PYTHON_EVERY);
}

#[test]
#[ignore = "takes many minutes; run by tests/tamper-all"]
fn every_byte_of_the_long_log() {
    let log = Log::write(5, 195, u64::MAX);
    let length = log.files[0].1.len();
    flip_in_the_long_log((0..length).map(|place| (place, 1 << (place % 8))), usize::MAX);
}

#[test]
fn lines_dropped_doubled_swapped_and_cut_off_are_found() {
    let (log, mut python) = (Log::short(), Python::start());
    let lines = log.lines(0);
    let last = lines.len() - 1;
    let write = |lines: &[&[u8]]| log.put(0, &lines.concat());
    for at in 0..lines.len() {
        let mut changed = lines.clone();
        changed.remove(at);
        write(&changed);
        // Without its last line the log is one that was cut off: only an outside head shows it.
        assert_eq!(log.state() == State::Broken, at < last, "{at} dropped");
        let state = python.agrees(&log, true, "dropped").state();
        assert_eq!(state == State::Broken, at < last, "{at} dropped");
        let mut changed = lines.clone();
        changed.insert(at, lines[at]);
        write(&changed);
        assert_eq!(python.agrees(&log, false, "doubled").state(), State::Broken, "{at} doubled");
        if at < last {
            let mut changed = lines.clone();
            changed.swap(at, at + 1);
            write(&changed);
            assert_eq!(python.agrees(&log, false, "swapped").state(), State::Broken, "{at}");
        }
        write(&lines[..at]);
        let report = python.agrees(&log, true, "cut off");
        let is_missing = |flaw: &Flaw| matches!(flaw, Flaw::HeadMissing(_) | Flaw::HeadKey(_));
        assert_eq!(report.flaws.iter().any(is_missing), at < last, "{at}: {report:#?}");
        // By itself it is whole, but for what no head covers.
        let at_head =
            at > 0 && String::from_utf8_lossy(lines[at - 1]).contains("\"kind\":\"audit.");
        let report = log.report(false);
        assert!(!at_head || report.state() != State::Broken || report.signed.is_none(), "{at}");
    }
    // An end that is being written is no tampering.
    log.put(0, &[&lines.concat()[..], b"{\"v\":1,\"se"].concat());
    let report = python.agrees(&log, true, "torn");
    assert_eq!((report.state(), report.segments[0].torn_bytes), (State::Unsealed, 10));
}

#[test]
fn files_dropped_doubled_swapped_and_cut_off_are_found() {
    let (log, mut python) = (Log::in_files(), Python::start());
    assert_eq!(python.agrees(&log, true, "honest").state(), State::Sealed);
    let last = log.files.len() - 1;
    for at in 0..=last {
        let (path, bytes) = &log.files[at];
        std::fs::remove_file(path).unwrap();
        let told = format!("file {at} dropped");
        assert_eq!(log.state() == State::Broken, at < last, "{told}");
        assert_eq!(python.agrees(&log, true, &told).state(), State::Broken, "{told}");
        log.restore();
        let name = path.file_name().unwrap().to_str().unwrap();
        let (stem, _) = name.rsplit_once('-').unwrap();
        std::fs::write(log.dir.path().join(format!("{stem}-000099.jsonl")), bytes).unwrap();
        let told = format!("file {at} doubled");
        assert_eq!(python.agrees(&log, false, &told).state(), State::Broken, "{told}");
        log.restore();
        if at < last {
            log.put(at, &log.files[at + 1].1);
            log.put(at + 1, bytes);
            let told = format!("file {at} swapped");
            assert_eq!(python.agrees(&log, false, &told).state(), State::Broken, "{told}");
            log.put(at + 1, &log.files[at + 1].1);
            log.put(at, &bytes[..bytes.len() - 1]);
            let told = format!("file {at} torn");
            assert_eq!(python.agrees(&log, false, &told).state(), State::Broken, "{told}");
        }
        log.restore();
    }
    assert_eq!(log.state(), State::Sealed);
}

/// Rebuilds the chain behind a change, as anybody can who may write the file; only signatures fail.
fn relink(lines: &[String]) -> Vec<u8> {
    let mut prev = "0".repeat(64);
    let mut out = Vec::new();
    for (number, line) in (1..).zip(lines) {
        let mut record: Value = serde_json::from_str(line).unwrap();
        let ts = record["ts"].as_str().unwrap().to_owned();
        let old = (record["seq"].clone(), record["prev"].as_str().unwrap().to_owned());
        record["seq"] = json!(number);
        let line = line.replacen(&format!("\"seq\":{}", old.0), &format!("\"seq\":{number}"), 1);
        let line = line.replace(&old.1, &prev);
        assert!(line.contains(&ts));
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
        prev = toolgate::audit::Hash::of(line.as_bytes()).to_string();
    }
    out
}

#[test]
fn a_chain_that_was_written_anew_without_the_key_is_found() {
    let (log, mut python) = (Log::short(), Python::start());
    let lines: Vec<String> = log
        .lines(0)
        .iter()
        .map(|line| String::from_utf8_lossy(line).trim_end().to_owned())
        .collect();
    assert_eq!(relink(&lines), log.files[0].1, "nothing changes an honest log");
    let is_event = |line: &String| line.contains("runtime.event");
    let events: Vec<usize> = (0..lines.len()).filter(|at| is_event(&lines[*at])).collect();
    for at in events.into_iter().step_by(5) {
        let mut changed = lines.clone();
        changed[at] = changed[at].replace("ünï", "other");
        log.put(0, &relink(&changed));
        let told = format!("line {at} changed");
        let report = python.agrees(&log, false, &told);
        // The chain is whole: it is the next head that does not fit.
        let bad = report.segments[0].first_bad.clone().unwrap();
        assert!(matches!(bad.flaw, Flaw::Root(_)) && bad.line > at as u64 + 1, "{told}: {bad:?}");
        let mut changed = lines.clone();
        changed.remove(at);
        log.put(0, &relink(&changed));
        assert_eq!(python.agrees(&log, false, "removed").state(), State::Broken, "{told}");
    }
    // Without any head it is a log that nobody signed: a key that was kept shows it.
    let bare: Vec<String> = lines.iter().filter(|line| is_event(line)).cloned().collect();
    log.put(0, &relink(&bare));
    let report = python.agrees(&log, false, "heads removed");
    assert_eq!(report.flaws, [Flaw::KeyUnseen]);
    let alone = verify_with(log.dir.path(), &Elsewhere::default(), &mut |_| {}).unwrap();
    assert_eq!((alone.state(), alone.signed), (State::Unsealed, None));
}

#[test]
fn lines_that_nobody_signed_are_no_part_of_a_sealed_log() {
    let (log, mut python) = (Log::short(), Python::start());
    let lines = log.lines(0);
    let text = String::from_utf8_lossy(lines[5]).into_owned();
    for (told, line) in [
        ("a text", "hello\n".to_owned()),
        ("an empty line", "\n".to_owned()),
        ("an object", "{}\n".to_owned()),
        ("a record without its place", text.replace("\"seq\"", "\"sequence\"")),
        ("a record of another stream", text.replacen("\"stream\":\"0", "\"stream\":\"1", 1)),
        ("a long line", format!("{}\n", "x".repeat(70_000))),
    ] {
        for at in [0, 1, lines.len() / 2, lines.len() - 1] {
            let mut mixed = lines.clone();
            mixed.insert(at, line.as_bytes());
            log.put(0, &mixed.concat());
            let report = python.agrees(&log, false, told);
            assert_eq!(report.state(), State::Broken, "{told} at {at}");
            assert!(report.segments[0].first_bad.as_ref().unwrap().line <= at as u64 + 2);
        }
        // At the end it is either no record, or one that no head covers.
        let mut mixed = lines.clone();
        mixed.push(line.as_bytes());
        log.put(0, &mixed.concat());
        assert_eq!(python.agrees(&log, false, told).state(), State::Broken, "{told} at the end");
    }
    // A record that fits the chain can be added by anybody: it is not covered, and told so.
    let last = String::from_utf8_lossy(lines[lines.len() - 1]).trim_end().to_owned();
    let hash = toolgate::audit::Hash::of(last.as_bytes());
    let seq = lines.len() + 1;
    let added = text.trim_end().replace(&text[text.len() - 67..text.len() - 3], &hash.to_string());
    let added = added.replacen("\"seq\":6", &format!("\"seq\":{seq}"), 1);
    log.put(0, &[&log.files[0].1[..], added.as_bytes(), b"\n"].concat());
    let report = python.agrees(&log, false, "added");
    assert_eq!((report.state(), report.uncovered()), (State::Unsealed, 1), "{report:#?}");
}

/// The line of a head, as `proof::checkpoint` writes it.
fn head_line(note: &Note, tree: &[String], prev: &str) -> String {
    let head = Checkpoint::parse(note.text()).unwrap();
    let kind = if head.next.is_some() { "audit.key" } else { "audit.checkpoint" };
    let (note, tree) = (json!(note.to_string()), json!(tree));
    format!(
        r#"{{"v":1,"seq":{},"ts":"{}","stream":"{}","kind":"{kind}","details":{{"note":{note},"tree":{tree}}},"prev":"{prev}"}}"#,
        head.size + 1,
        head.time,
        head.stream
    )
}

#[test]
fn what_a_thief_of_a_later_key_signs_anew_is_found() {
    let (log, mut python) = (Log::short(), Python::start());
    let lines: Vec<String> = log
        .lines(0)
        .iter()
        .map(|line| String::from_utf8_lossy(line).trim_end().to_owned())
        .collect();
    // The key of now, as somebody steals it.
    let text = std::fs::read_to_string(log.dir.path().join("toolgate.key")).unwrap();
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let seed =
        base64::Engine::decode(&base64::prelude::BASE64_STANDARD, field("current ")).unwrap();
    let stolen = SecretKey::of(field("name ").to_owned(), &seed.try_into().unwrap());
    let other = SecretKey::of(field("name ").to_owned(), &[9; 32]);
    let epoch: u64 = field("epoch ").parse().unwrap();
    assert_eq!(epoch, 2);
    let heads: Vec<usize> = (0..lines.len())
        .filter(|at| lines[*at].contains("\"kind\":\"audit.checkpoint\""))
        .collect();
    let of_the_first_key = heads.iter().filter(|at| lines[**at].contains("epoch 0\\n"));
    let mut tried = 0;
    for at in of_the_first_key {
        let record: Value = serde_json::from_str(&lines[*at]).unwrap();
        let note = Note::parse(record["details"]["note"].as_str().unwrap()).unwrap();
        let tree: Vec<String> = serde_json::from_value(record["details"]["tree"].clone()).unwrap();
        let prev = record["prev"].as_str().unwrap();
        let honest = Checkpoint::parse(note.text()).unwrap();
        assert_eq!(head_line(&note, &tree, prev), lines[*at]);
        // Re-sealed with the newer key, which says that it is the older or that it is itself; and
        // with a key that is nobody's. Then truncated there and continued.
        for (key, epoch) in [(&stolen, 0), (&stolen, epoch), (&other, 0)] {
            let forged = key.sign(Checkpoint { epoch, ..honest.clone() }.to_string());
            let forged = head_line(&forged, &tree, prev);
            for end in [*at + 1, lines.len()] {
                let mut changed = lines[..end].to_vec();
                changed[*at].clone_from(&forged);
                log.put(0, &relink(&changed));
                let report = python.agrees(&log, false, "re-sealed");
                let bad = report.segments[0].first_bad.clone().unwrap();
                assert_eq!((bad.line, bad.flaw), (*at as u64 + 1, Flaw::KeyUnknown));
                tried += 1;
            }
        }
    }
    assert!(tried >= 6, "{tried}");
    // What is behind the stolen key's own certificate it can sign anew: only an outside head tells.
    let last = *heads.last().unwrap();
    let record: Value = serde_json::from_str(&lines[last]).unwrap();
    let note = Note::parse(record["details"]["note"].as_str().unwrap()).unwrap();
    let honest = Checkpoint::parse(note.text()).unwrap();
    assert_eq!(honest.epoch, epoch);
    let mut tree = toolgate::audit::proof::merkle::Tree::default();
    let mut changed = lines[..last].to_vec();
    let event = changed.iter().rposition(|line| line.contains("runtime.event")).unwrap();
    if heads.iter().any(|at| *at > event && *at < last) {
        // A head stands between: it would have to be signed anew too.
        return;
    }
    changed[event] = changed[event].replace("ünï", "other");
    let relinked = relink(&changed);
    let mut prev = String::new();
    for line in relinked.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        tree.push(toolgate::audit::proof::merkle::leaf(line));
        prev = toolgate::audit::Hash::of(line).to_string();
    }
    let forged = stolen.sign(Checkpoint { root: tree.root(), ..honest }.to_string());
    let encode = |hash: &toolgate::audit::Hash| {
        base64::Engine::encode(&base64::prelude::BASE64_STANDARD, hash.as_bytes())
    };
    let nodes: Vec<String> = tree.nodes().iter().map(encode).collect();
    let line = head_line(&forged, &nodes, &prev);
    log.put(0, &[&relinked[..], line.as_bytes(), b"\n"].concat());
    assert_eq!(python.agrees(&log, false, "by the holder of the key").state(), State::Sealed);
    let report = python.agrees(&log, true, "... and an outside head");
    assert!(report.flaws.iter().any(|flaw| matches!(flaw, Flaw::HeadDiffers(_))), "{report:#?}");
}

#[test]
fn a_log_of_another_key_is_not_the_one_that_is_trusted() {
    let (log, other) = (Log::short(), Log::short());
    let mut python = Python::start();
    let mixed = Log { key: other.key.clone(), ..log };
    let report = python.agrees(&mixed, false, "wrong key");
    let first = report.segments[0].first_bad.clone().unwrap();
    assert!(matches!(first.flaw, Flaw::KeyOther(_)), "{first:?}");
    let foreign = Log { head: other.head.clone(), key: mixed.key.clone(), ..other };
    let swapped = Log { head: mixed.head.clone(), ..foreign };
    let report = python.agrees(&swapped, true, "a head of another log");
    assert!(matches!(report.flaws[..], [Flaw::HeadKey(_)]), "{report:#?}");
}

#[test]
fn nothing_honest_is_called_tampering() {
    let mut python = Python::start();
    // Every head that the log ever had, kept elsewhere.
    let log = Log::in_files();
    let all = heads(log.dir.path());
    let kept: Vec<Outside> =
        all.iter().map(|(head, note)| Outside::Signed(head.clone(), note.clone())).collect();
    let elsewhere = Elsewhere { key: Some(log.key.clone()), heads: kept };
    let report = verify_with(log.dir.path(), &elsewhere, &mut |_| {}).unwrap();
    assert_eq!(report.state(), State::Sealed, "{report:#?}");
    // The log went on since a head was kept.
    write(log.dir.path(), 2, 9, 4_000);
    let later = verify_with(log.dir.path(), &elsewhere, &mut |_| {}).unwrap();
    assert_eq!(later.state(), State::Sealed, "{later:#?}");
    // A clock that stepped back: the same log, with the times of its records and heads in reverse.
    let times: BTreeSet<String> =
        records(log.dir.path()).unwrap().map(|entry| entry.unwrap().record.ts).collect();
    assert!(times.len() > 10);
    let clock = stepped_back();
    assert_eq!(python.agrees(&clock, true, "a clock that stepped back").state(), State::Sealed);
    // Killed in the middle: a tail that no head covers.
    let lines = clock.lines(0);
    let event = (0..lines.len())
        .rfind(|at| String::from_utf8_lossy(lines[*at]).contains("\"kind\":\"runtime.event\""));
    clock.put(0, &lines[..=event.unwrap()].concat());
    let report = python.agrees(&clock, false, "killed");
    assert_eq!(report.state(), State::Unsealed, "{report:#?}");
    assert!(report.uncovered() > 0);
    // The next start takes it on trust, and counts it.
    write(clock.dir.path(), 1, 3, u64::MAX);
    let uncovered = report.uncovered();
    let report = python.agrees(&clock, false, "killed and started");
    assert_eq!((report.state(), report.on_trust()), (State::Unsealed, uncovered));
    assert_eq!(report.uncovered(), 0);
}

/// What retention would have left of a file.
fn as_kept(name: &str, lines: &[&[u8]]) -> Vec<u8> {
    let hash = |line: &[u8]| toolgate::audit::Hash::of(&line[..line.len() - 1]).to_string();
    let records: Vec<Value> =
        lines.iter().map(|line| serde_json::from_slice(line).unwrap()).collect();
    let (first, last) = (&records[0], records.last().unwrap());
    let is_own = |record: &Value| record["kind"].as_str().unwrap().starts_with("audit.");
    let own: Vec<&[u8]> = (lines.iter().zip(&records))
        .filter_map(|(line, record)| is_own(record).then_some(*line))
        .collect();
    let own = own.concat();
    let header = json!({
        "v": 1, "file": name, "first": first["seq"], "last": last["seq"], "prev": first["prev"],
        "head": hash(lines.last().unwrap()), "kept_bytes": own.len(),
    });
    let mut kept = format!("{header}\n").into_bytes();
    kept.extend(own);
    for line in lines {
        let leaf = toolgate::audit::proof::merkle::leaf(&line[..line.len() - 1]);
        kept.extend(leaf.as_bytes());
    }
    kept
}

/// Adds a record at the end as anybody can who may write there.
fn add_unsigned(file: &Path, kind: &str, details: &Value) {
    let bytes = std::fs::read(file).unwrap();
    let last = bytes.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty()).unwrap();
    let before: Value = serde_json::from_slice(last).unwrap();
    let (seq, ts) = (before["seq"].as_u64().unwrap() + 1, &before["ts"]);
    let (stream, prev) = (&before["stream"], toolgate::audit::Hash::of(last));
    let line = format!(
        "{{\"v\":1,\"seq\":{seq},\"ts\":{ts},\"stream\":{stream},\"kind\":\"{kind}\",\
         \"details\":{details},\"prev\":\"{prev}\"}}\n"
    );
    std::fs::write(file, [&bytes[..], line.as_bytes()].concat()).unwrap();
}

#[test]
fn a_deletion_of_which_only_an_unsigned_record_tells_is_found() {
    let (log, mut python) = (Log::in_files(), Python::start());
    let (victim, last) = (&log.files[1].0, &log.files.last().unwrap().0);
    let name = victim.with_extension("kept");
    let name = name.file_name().unwrap().to_str().unwrap();
    let kept = as_kept(name, &log.lines(1));
    let digest = toolgate::audit::Hash::of(&kept).to_string();
    std::fs::write(log.dir.path().join(name), kept).unwrap();
    std::fs::remove_file(victim).unwrap();
    let untold = python.agrees(&log, true, "deleted");
    assert_eq!(untold.segments[1].first_bad.clone().unwrap().flaw, Flaw::Untold);
    let files = json!([{ "file": name.trim_end_matches(".kept"), "kept": digest }]);
    add_unsigned(last, "audit.retention", &json!({ "bytes": 1, "files": files }));
    for told in ["told by nobody", "and signed over by the next start"] {
        let report = python.agrees(&log, true, told);
        assert_eq!(report.segments[1].first_bad.clone().unwrap().flaw, Flaw::Hearsay, "{told}");
        assert_eq!((report.state(), report.segments[1].state), (State::Broken, State::Broken));
        write(log.dir.path(), 1, 3, u64::MAX);
    }
}

#[test]
fn what_retention_deletes_is_vouched_for_before_it_is_gone() {
    let (log, mut python) = (Log::in_files(), Python::start());
    toolgate::audit::seal_all(log.dir.path()).unwrap();
    let journal = open(log.dir.path(), &options(Signing::default(), u64::MAX));
    let days = Retention { days: Some(1), ..Retention::default() };
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(48);
    let all = due(log.dir.path(), &days, later, None).unwrap();
    assert!(delete(&journal, log.dir.path(), &all[..2]).unwrap() > 0);
    // As if it were killed now: whoever looks at the log as it lies there finds nothing wrong.
    let report = python.agrees(&log, true, "right after");
    assert_eq!(report.state(), State::Sealed, "{report:#?}");
    journal.close().unwrap();
    assert_eq!(python.agrees(&log, true, "closed").state(), State::Sealed);
}

#[test]
fn an_end_that_was_written_anew_without_the_key_is_never_vouched_for() {
    let (log, mut python) = (Log::short(), Python::start());
    let lines: Vec<String> = log
        .lines(0)
        .iter()
        .map(|line| String::from_utf8_lossy(line).trim_end().to_owned())
        .collect();
    // Cut off at the newest key's first head, and gone on with by somebody else.
    let head = lines.iter().rposition(|line| line.contains("\"kind\":\"audit.key\"")).unwrap();
    let event = lines.iter().find(|line| line.contains("runtime.event")).unwrap();
    let forged = [&lines[..=head], &vec![event.replace("ünï", "other"); 12][..]].concat();
    log.put(0, &relink(&forged));
    let key = log.dir.path().join("toolgate.key");
    let key_then = std::fs::read(&key).unwrap();
    let report = python.agrees(&log, false, "written anew");
    assert_eq!((report.state(), report.uncovered()), (State::Unsealed, 12), "{report:#?}");
    for start in 0..2 {
        write(log.dir.path(), 1, 3, u64::MAX);
        let report = python.agrees(&log, false, &format!("start {start}"));
        let counts = (report.state(), report.uncovered(), report.on_trust());
        assert_eq!(counts, (State::Unsealed, 0, 12), "{report:#?}");
    }
    // Who writes a start there too is not the start that signs.
    let opening = lines.iter().find(|line| line.contains("audit.open")).unwrap();
    let fake = [&forged[..], std::slice::from_ref(opening), &forged[head + 1..]].concat();
    log.put(0, &relink(&fake));
    std::fs::write(&key, key_then).unwrap();
    write(log.dir.path(), 1, 3, u64::MAX);
    let report = python.agrees(&log, false, "with a start of their own");
    assert_eq!((report.state(), report.on_trust()), (State::Unsealed, 25), "{report:#?}");
}

#[test]
fn what_is_no_file_takes_neither_the_verdict_nor_the_start() {
    use nix::sys::stat::Mode;
    use std::os::unix::fs::symlink;
    let mut python = Python::start();
    type Makes = fn(&Path);
    let odd: [(&str, Makes); 5] = [
        ("pipe", |path| nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap()),
        ("device", |path| symlink("/dev/zero", path).unwrap()),
        ("link", |path| symlink("/nowhere", path).unwrap()),
        ("directory", |path| std::fs::create_dir(path).unwrap()),
        ("huge number", |_| {}),
    ];
    for (told, make) in odd {
        for end in ["jsonl", "jsonl.zst", "kept"] {
            let log = Log::short();
            let file = log.files[0].0.to_str().unwrap().to_owned();
            let number = if told == "huge number" { "18446744073709551615" } else { "000002" };
            let path = PathBuf::from(file.replace("000001.jsonl", &format!("{number}.{end}")));
            make(&path);
            if told == "huge number" {
                std::fs::write(&path, "").unwrap();
            }
            let told = format!("{told} as .{end}");
            let report = python.agrees(&log, false, &told);
            assert_eq!(report.state(), State::Broken, "{told}: {report:#?}");
            assert_eq!(report.segments[0].state, State::Sealed, "{told}");
            // The start goes on, and its records are there.
            let before = records(log.dir.path()).unwrap().filter(Result::is_ok).count();
            write(log.dir.path(), 1, 3, u64::MAX);
            let after = records(log.dir.path()).unwrap().filter(Result::is_ok).count();
            assert!(after > before + 3, "{told}: {before} {after}");
            assert_eq!(python.agrees(&log, false, &told).state(), State::Broken, "{told}");
        }
    }
}

/// A log whose later records have earlier times, signed so by its own key.
fn stepped_back() -> Log {
    let dir = tempfile::tempdir().unwrap();
    let key = SecretKey::of("toolgate/clock".to_owned(), &[5; 32]);
    let stream = "01900000-0000-7000-8000-000000000001";
    let mut tree = toolgate::audit::proof::merkle::Tree::default();
    let (mut prev, mut text) = ("0".repeat(64), String::new());
    let encode = |hash: &toolgate::audit::Hash| {
        base64::Engine::encode(&base64::prelude::BASE64_STANDARD, hash.as_bytes())
    };
    for seq in 1..=12_u64 {
        let time = format!("2026-11-24T15:{:02}:00.000000Z", 59 - seq);
        let line = if seq % 4 == 2 || seq == 12 {
            let root = encode(&tree.root());
            let next = if seq == 2 { format!("next {}\n", key.public()) } else { String::new() };
            let size = seq - 1;
            let head = format!("toolgate/{stream}\n{size}\n{root}\nepoch 0\ntime {time}\n{next}");
            let nodes: Vec<String> = tree.nodes().iter().map(encode).collect();
            head_line(&key.sign(head), &nodes, &prev)
        } else {
            format!(
                r#"{{"v":1,"seq":{seq},"ts":"{time}","stream":"{stream}","kind":"runtime.event","prev":"{prev}"}}"#
            )
        };
        tree.push(toolgate::audit::proof::merkle::leaf(line.as_bytes()));
        prev = toolgate::audit::Hash::of(line.as_bytes()).to_string();
        text.push_str(&line);
        text.push('\n');
    }
    std::fs::write(dir.path().join(format!("toolgate-{stream}-000001.jsonl")), text).unwrap();
    // What the journal would have kept, so that it can go on.
    let seed = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, [5_u8; 32]);
    let file = dir.path().join("toolgate.key");
    let kept = format!("toolgate log key 1\nname toolgate/clock\nepoch 0\ncurrent {seed}\n");
    std::fs::write(&file, kept).unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    Log::of(dir)
}

#[test]
fn both_verifiers_agree_on_every_proof_and_on_every_changed_one() {
    let (log, mut python) = (Log::in_files(), Python::start());
    let entries: Vec<_> = records(log.dir.path()).unwrap().map(Result::unwrap).collect();
    let all = heads(log.dir.path());
    let stream = &log.head.0.stream;
    let mut bundles = Vec::new();
    for entry in &entries[..entries.len() - 1] {
        let proof = prove(log.dir.path(), stream, entry.record.seq).unwrap();
        assert_eq!(proof.line, entry.text);
        bundles.push(Bundle::Inclusion(proof));
    }
    assert!(prove(log.dir.path(), stream, entries.len() as u64).is_err(), "nothing covers it yet");
    assert!(prove(log.dir.path(), stream, 0).is_err());
    for (head, note) in &all {
        let proof = prove_consistency(log.dir.path(), head, note).unwrap();
        bundles.push(Bundle::Consistency(proof));
    }
    let mut agree = |bundle: &Value, told: &str| {
        let parsed = serde_json::from_value::<Bundle>(bundle.clone());
        let ours = parsed.is_ok_and(|bundle| bundle.check(Some(&log.key)).is_ok());
        let theirs = python.ask(&json!({ "proof": bundle, "key": log.key.to_string() }));
        assert_eq!(theirs.get("proved").is_some(), ours, "{told}: {theirs} {bundle:#}");
        ours
    };
    for (number, bundle) in bundles.iter().enumerate() {
        let proven = bundle.check(Some(&log.key)).unwrap();
        assert!(proven.is_trusted && bundle.check(None).is_ok_and(|proven| !proven.is_trusted));
        assert!(bundle.check(Some(&SecretKey::of("a".to_owned(), &[1; 32]).public())).is_err());
        let value = serde_json::to_value(bundle).unwrap();
        assert!(agree(&value, "honest"));
        if number % 7 > 0 {
            continue;
        }
        let mut changed = Vec::new();
        let mut change = |with: &dyn Fn(&mut Value)| {
            let mut value = value.clone();
            with(&mut value);
            changed.push(value);
        };
        let flip = |text: &mut Value| {
            let mut bytes = text.as_str().unwrap().as_bytes().to_vec();
            let middle = bytes.len() / 2;
            bytes[middle] = if bytes[middle] == b'A' { b'B' } else { b'A' };
            *text = String::from_utf8_lossy(&bytes).into_owned().into();
        };
        for key in ["line", "head", "first", "second"] {
            change(&|value| {
                value.get_mut(key).into_iter().for_each(flip);
            });
        }
        for key in ["path", "keys"] {
            change(&|value| value[key].as_array_mut().unwrap().iter_mut().take(1).for_each(flip));
            change(&|value| drop(value[key].as_array_mut().unwrap().pop()));
            change(&|value| {
                let items = value[key].as_array_mut().unwrap();
                items.extend(items.first().cloned());
            });
            change(&|value| value[key].as_array_mut().unwrap().reverse());
        }
        for key in ["index", "size"] {
            change(&|value| {
                value.get_mut(key).into_iter().for_each(|n| *n = json!(n.as_u64().unwrap() + 1));
            });
        }
        change(&|value| value["toolgate_proof"] = json!("inclusion 2"));
        change(&|value| value["more"] = json!("nobody checks it"));
        for value in changed.iter().filter(|changed| **changed != value) {
            agree(value, "changed");
        }
        assert!(changed.len() >= 12);
    }
}
