//! Verifying a log beside a bare pass over its SHA-256 chain, in one run on the same log.
//!
//! The bare pass reads the file and hashes each line, on one thread, and compares with the link in
//! the next. `audit verify` makes a second hash for the tree, on all threads.
//!
//! `cargo bench --bench verify [-- RECORDS]`

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a measurement that cannot be made ends there"
)]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};
use toolgate::audit::proof::checkpoint::Checkpoint;
use toolgate::audit::proof::merkle::{Tree, leaf};
use toolgate::audit::proof::note::SecretKey;
use toolgate::audit::{Elsewhere, Hash, State, StreamId, verify_with};

const RECORDS: u64 = 1_000_000;
const ROUNDS: usize = 5;
/// Records between two heads: a second of a busy sidecar.
const EACH: u64 = 5_000;
const STREAM: &str = "01900000-0000-7000-8000-000000000001";
const TIME: &str = "2026-11-24T15:50:09.000001Z";

fn main() {
    let stated = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let records = stated.unwrap_or(RECORDS);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(format!("toolgate-{STREAM}-000001.jsonl"));
    write(&file, records);
    let bytes = file.metadata().unwrap().len();
    println!("{records} records, {} bytes each on average", bytes / records);
    let (mut bare, mut whole) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        bare = bare.min(time(|| assert_eq!(chain(&file), records)));
        whole = whole.min(time(|| {
            let report = verify_with(dir.path(), &Elsewhere::default(), &mut |_| {}).unwrap();
            assert_eq!((report.state(), report.records), (State::Sealed, records), "{report:#?}");
        }));
    }
    let rate = |took: Duration| records as f64 / took.as_secs_f64();
    println!("bare chain pass  {:>9.0} records/s", rate(bare));
    println!("audit verify     {:>9.0} records/s", rate(whole));
    println!("ratio            {:>9.2}   (goal 0.5)", rate(whole) / rate(bare));
}

fn time(what: impl FnOnce()) -> Duration {
    let began = Instant::now();
    what();
    began.elapsed()
}

/// The bare pass: one hash for each line.
fn chain(file: &Path) -> u64 {
    let text = std::fs::read(file).unwrap();
    let (mut count, mut from, mut before) = (0, 0, "0".repeat(64));
    for end in memchr::memchr_iter(b'\n', &text) {
        let line = &text[from..end];
        from = end + 1;
        assert_eq!(&line[line.len() - 66..line.len() - 2], before.as_bytes());
        before = black_box(Hash::of(line)).to_string();
        count += 1;
    }
    count
}

/// A log as the journal writes it, of records of about 700 bytes, with a head now and then.
fn write(file: &Path, records: u64) {
    let key = SecretKey::of("toolgate/bench".to_owned(), &[7; 32]);
    let encode =
        |hash: &Hash| base64::Engine::encode(&base64::prelude::BASE64_STANDARD, hash.as_bytes());
    let filler = "measuring what is verified ".repeat(17);
    let (mut tree, mut prev, mut text) = (Tree::default(), "0".repeat(64), String::new());
    for seq in 1..=records {
        let is_key = seq == 2;
        let body = if is_key || seq % EACH == 0 || seq == records {
            let head = Checkpoint {
                stream: StreamId::parse(STREAM).unwrap(),
                size: tree.size(),
                root: tree.root(),
                epoch: 0,
                time: TIME.to_owned(),
                next: is_key.then(|| key.public()),
            };
            let kind = if is_key { "audit.key" } else { "audit.checkpoint" };
            let nodes: Vec<String> = tree.nodes().iter().map(encode).collect();
            let note = serde_json::json!(key.sign(head.to_string()).to_string());
            let nodes = serde_json::json!(nodes);
            format!(r#""kind":"{kind}","details":{{"note":{note},"tree":{nodes}}}"#)
        } else {
            format!(r#""kind":"tool.pre","call":"call-{seq}","details":{{"text":"{filler}"}}"#)
        };
        let line = format!(
            r#"{{"v":1,"seq":{seq},"ts":"{TIME}","stream":"{STREAM}",{body},"prev":"{prev}"}}"#
        );
        tree.push(leaf(line.as_bytes()));
        prev = Hash::of(line.as_bytes()).to_string();
        text.push_str(&line);
        text.push('\n');
    }
    std::fs::write(file, text).unwrap();
}
