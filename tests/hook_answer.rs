//! What of all replies a runtime is told: the few answers that are toolgate's own, and else a
//! failure in the event's form.
#![cfg(test)]

#[path = "../fuzz/targets_shared/answer.rs"]
mod answer;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::path::{Path, PathBuf};

/// Of the known replies in the fuzz target's corpus, those that are handed over as they are.
const ACCEPTED: [&str; 13] = [
    "allow",
    "ask",
    "block-to-codex",
    "deny",
    "deny-to-codex",
    "no-event-denied",
    "nothing-said",
    "output",
    "output-of-server",
    "permission",
    "prompt",
    "stop-nothing",
    "unknown-event",
];

fn corpus() -> Vec<(PathBuf, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/answer");
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

#[test]
fn only_what_toolgate_says_itself_is_handed_over() {
    let accepted = |(path, bytes): &(PathBuf, Vec<u8>)| {
        answer::hold(bytes).then(|| path.file_name().unwrap().to_str().unwrap().to_owned())
    };
    let mut names: Vec<String> = corpus().iter().filter_map(accepted).collect();
    names.sort();
    assert_eq!(names, ACCEPTED);
}

/// A known reply to any event of any runtime, with some bytes of it taken out or put in, and its
/// head made right again.
fn changed() -> impl Strategy<Value = Vec<u8>> {
    let pieces =
        select(vec![&b""[..], b" ", b"\n", b"}", b",\"x\":1", b"\"", b"{}", b"\0", b"allow"]);
    let edit = (any::<Index>(), 0usize..12, pieces);
    (any::<Index>(), any::<[u8; 2]>(), vec(edit, 0..3)).prop_map(|(which, [a, b], edits)| {
        let known = corpus();
        let bytes = &known[which.index(known.len())].1;
        let reply = toolgate::plane::hook::protocol::Reply::parse(&bytes[2.min(bytes.len())..]);
        let Ok(mut reply) = reply else { return bytes.clone() };
        for (at, out, piece) in edits {
            let at = at.index(reply.stdout.len() + 1);
            let end = (at + out).min(reply.stdout.len());
            reply.stdout.splice(at..end, piece.iter().copied());
        }
        [&[a, b][..], &reply.to_bytes()].concat()
    })
}

proptest! {
    #[test]
    fn whatever_comes_is_an_answer_or_held_back(bytes in prop_oneof![changed(), any::<Vec<u8>>()]) {
        answer::hold(&bytes);
    }
}
