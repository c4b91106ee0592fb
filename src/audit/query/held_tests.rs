use super::*;
use crate::audit::place::StreamId;
use crate::audit::query::{Field, Filter, Grouping, Order, Place, Source};
use std::io::Write;
use std::time::Instant;

/// A file that grows, with records of several kinds and one line that is none.
struct Log {
    scratch: tempfile::TempDir,
    segment: SegmentName,
    written: u64,
}

impl Log {
    fn new() -> Log {
        let scratch = tempfile::tempdir().unwrap();
        let segment = SegmentName::plain(1, StreamId::generate());
        Log { scratch, segment, written: 0 }
    }

    fn write(&mut self, records: u64) {
        let path = self.segment.path(self.scratch.path());
        let mut file = File::options().create(true).append(true).open(path).unwrap();
        for _ in 0..records {
            self.written += 1;
            let seq = self.written;
            let effect = if seq.is_multiple_of(7) { "deny" } else { "allow" };
            let (stream, pad) = (&self.segment.stream, "x".repeat(300));
            writeln!(
                file,
                r#"{{"v":1,"seq":{seq},"ts":"2026-11-20T10:{:02}:{:02}.000000Z","stream":"{stream}","kind":"tool.pre","call":"c{}","session":"s{}","tool":"Bash","decision":{{"effect":"{effect}","basis":"rule","reason":"{pad}","rules":[],"obligations":[]}},"prev":"0"}}"#,
                seq / 60 % 60,
                seq % 60,
                seq / 2,
                seq % 11,
            )
            .unwrap();
        }
    }

    fn held(&self) -> Arc<Held> {
        Arc::new(Held::of(self.scratch.path(), 1 << 20))
    }

    fn plain(&self) -> Source {
        Source::directory(self.scratch.path())
    }
}

use std::fs::File;

fn filters() -> Vec<Filter> {
    let now = jiff::Timestamp::UNIX_EPOCH;
    let one = |pairs: &[(&str, &str)]| Filter::from_pairs(pairs.iter().copied(), now).unwrap();
    vec![
        one(&[]),
        one(&[("decision", "deny")]),
        one(&[("session", "s3"), ("not-decision", "deny")]),
        one(&[("call", "c700")]),
        one(&[("since", "2026-11-20T10:20:00Z"), ("until", "2026-11-20T10:31:00Z")]),
        one(&[("grep", "c9.9$")]),
    ]
}

/// Every answer is the same with what is held and without.
fn assert_same(log: &Log, held: &Arc<Held>) {
    let by =
        [Grouping::by(&[Field::Decision, Field::Session]), Grouping::by(&[]).every(60_000_000)];
    for filter in filters() {
        let (with, without) = (Source::held(held), log.plain());
        let count = without.count(&filter).unwrap();
        assert_eq!(with.count(&filter).unwrap().value, count.value, "{filter:?}");
        let groups = without.group(&filter, &by).unwrap().value;
        for _again in 0..2 {
            assert_eq!(with.group(&filter, &by).unwrap().value, groups, "{filter:?}");
        }
        for order in [Order::OldestFirst, Order::NewestFirst] {
            let rows = |source: &Source| -> Vec<_> {
                source.rows(&filter, order).unwrap().map(|entry| entry.unwrap()).collect()
            };
            let rows = (rows(&with), rows(&without));
            assert_eq!(rows.0, rows.1, "{filter:?} {order:?}");
            assert_eq!(u64::try_from(rows.0.len()).unwrap(), count.value);
            // From each of some places on, the rest.
            for at in (0..rows.0.len()).step_by(rows.0.len() / 2 + 1) {
                let from = Place::of(&rows.0[at]).unwrap();
                let rest = with.rows_from(&filter, order, from).unwrap();
                let rest: Vec<_> = rest.map(|entry| entry.unwrap()).collect();
                assert_eq!(rest, rows.0[at + 1..], "{filter:?} {order:?} {from}");
            }
        }
    }
}

#[test]
fn what_is_held_answers_as_the_lines_do_while_the_file_grows() {
    let mut log = Log::new();
    let held = log.held();
    log.write(10);
    for more in [0, 1_400, 900, 30] {
        log.write(more);
        assert_same(&log, &held);
        let before = held.version();
        held.read_on().unwrap();
        assert_eq!(held.version() != before, more > 0 || before == 0);
        assert!(held.progress().whole);
        assert_same(&log, &held);
    }
    assert!(held.progress().bytes > 0);
    for seq in [1, 700, log.written] {
        for stream in [None, Some(log.segment.stream.as_str())] {
            let found = Source::held(&held).numbered(stream, seq).unwrap().unwrap();
            assert_eq!((found.record.seq, found.line), (seq, seq));
            assert_eq!(log.plain().numbered(stream, seq).unwrap(), Some(found));
        }
    }
    assert_eq!(Source::held(&held).numbered(None, log.written + 1).unwrap(), None);
    assert_eq!(Source::held(&held).numbered(Some("other"), 1).unwrap(), None);
    held.clear();
    assert_eq!(held.progress(), Progress::default());
    assert_same(&log, &held);
}

#[test]
fn a_line_that_no_index_holds_is_told_and_the_rest_is_answered() {
    let mut log = Log::new();
    log.write(1_200);
    let path = log.segment.path(log.scratch.path());
    File::options().append(true).open(path).unwrap().write_all(b"no record\n").unwrap();
    log.write(1_200);
    let held = log.held();
    held.read_on().unwrap();
    let answer = Source::held(&held).count(&Filter::default()).unwrap();
    assert_eq!((answer.value, answer.unreadable.len()), (2_400, 1));
}

#[test]
fn no_more_is_held_than_there_is_room_for() {
    let mut log = Log::new();
    log.write(2_000);
    let held = Arc::new(Held::of(log.scratch.path(), 0));
    held.read_on().unwrap();
    let progress = held.progress();
    assert_eq!((progress.bytes, progress.beyond, progress.whole), (0, 1, true));
    assert_same(&log, &held);
}

#[test]
fn what_is_given_up_says_so_and_where() {
    let mut log = Log::new();
    log.write(2_000);
    let held = log.held();
    held.read_on().unwrap();
    let source = Source::held(&held).until(Instant::now());
    let filter = Filter::from_pairs([("grep", "c")], jiff::Timestamp::UNIX_EPOCH).unwrap();
    let answer = source.count(&filter).unwrap();
    assert!(answer.cut && answer.value == 0);
    let mut rows = source.rows(&filter, Order::NewestFirst).unwrap();
    assert_eq!(rows.by_ref().count(), 0);
    let from = rows.stopped().unwrap();
    let rest = Source::held(&held).rows_from(&filter, Order::NewestFirst, from).unwrap();
    assert_eq!(rest.count(), 2_000);
    assert!(!Source::held(&held).count(&filter).unwrap().cut);
}
