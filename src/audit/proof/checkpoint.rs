//! A head of the log as it is signed (C2SP `tlog-checkpoint`), and the record that keeps it.
//!
//! The text says which stream, how many records, and their root; then, as extension lines, the
//! number of the key that signs, when, and, where a key hands over, the next key. A head stands in
//! the log as the record right behind what it covers. That record's line is made of nothing but
//! the head, the tree and its place, so that every byte of it is known to who verifies it.

use crate::audit::place::{Hash, StreamId};
use crate::audit::proof::chain::VERSION;
use crate::audit::proof::merkle::Tree;
use crate::audit::proof::note::{Note, PublicKey};
use crate::model::record::Kind;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// What stands before a stream's id in the first line.
const ORIGIN: &str = "toolgate/";

/// What a head says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The stream.
    pub stream: StreamId,
    /// How many records of it are covered.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// The number of the key that signs, from 0.
    pub epoch: u64,
    /// When it was signed: RFC 3339, UTC, microseconds.
    pub time: String,
    /// The key that signs from here on.
    pub next: Option<PublicKey>,
}

/// A signed head as its record keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::audit) struct Details {
    /// The signed note.
    pub(in crate::audit) note: String,
    /// The roots of the whole subtrees under it, the largest first, so that whoever begins here
    /// need not read what lies before.
    pub(in crate::audit) tree: Vec<String>,
}

/// The part of a record that a signed head stands in.
#[derive(Debug, Deserialize)]
struct Line {
    details: Details,
}

impl Checkpoint {
    /// Reads the text of a note; nothing if it is no head of a log of this program.
    #[must_use]
    pub fn parse(text: &str) -> Option<Checkpoint> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let stream = StreamId::parse(lines.next()?.strip_prefix(ORIGIN)?)?;
        let size = lines.next()?.parse().ok()?;
        let root = decode(lines.next()?)?;
        let epoch = lines.next()?.strip_prefix("epoch ")?.parse().ok()?;
        let time = lines.next()?.strip_prefix("time ")?;
        time.parse::<jiff::Timestamp>().ok()?;
        let next = match lines.next() {
            Some(line) => Some(PublicKey::parse(line.strip_prefix("next ")?)?),
            None => None,
        };
        let read = Checkpoint { stream, size, root, epoch, time: time.to_owned(), next };
        // Numbers have other spellings, and so has what follows.
        (read.to_string() == text).then_some(read)
    }

    /// The kind of record that it stands in.
    pub(in crate::audit) fn kind(&self) -> Kind {
        if self.next.is_some() { Kind::AuditKey } else { Kind::AuditCheckpoint }
    }
}

impl std::fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{ORIGIN}{}\n{}\n{}", self.stream, self.size, encode(&self.root))?;
        writeln!(f, "epoch {}\ntime {}", self.epoch, self.time)?;
        match &self.next {
            Some(key) => writeln!(f, "next {key}"),
            None => Ok(()),
        }
    }
}

impl Details {
    /// What a head's record keeps of it.
    pub(in crate::audit) fn of(note: &Note, tree: &Tree) -> Details {
        Details { note: note.to_string(), tree: tree.nodes().iter().map(encode).collect() }
    }

    /// Reads a record's line; nothing if it keeps no head.
    pub(in crate::audit) fn parse(line: &[u8]) -> Option<Details> {
        let line: Line = serde_json::from_slice(line).ok()?;
        Some(line.details)
    }

    /// The tree of that size.
    pub(in crate::audit) fn tree(&self, size: u64) -> Option<Tree> {
        let nodes = self.tree.iter().map(|node| decode(node)).collect::<Option<Vec<_>>>()?;
        Tree::of(size, nodes)
    }

    /// The record's text between its place and the link to the record before.
    pub(in crate::audit) fn body(&self, kind: Kind) -> String {
        let details = serde_json::to_string(self).unwrap_or_default();
        format!(r#""kind":"{}","details":{details}"#, kind.as_str())
    }

    /// The whole line of the record that keeps this head.
    pub(in crate::audit) fn line(&self, head: &Checkpoint, prev: Hash) -> String {
        let Checkpoint { stream, size, time, .. } = head;
        let (seq, body) = (size.saturating_add(1), self.body(head.kind()));
        let place = format!(r#""v":{VERSION},"seq":{seq},"ts":"{time}","stream":"{stream}""#);
        format!(r#"{{{place},{body},"prev":"{prev}"}}"#)
    }
}

pub(in crate::audit) fn encode(hash: &Hash) -> String {
    STANDARD.encode(hash.as_bytes())
}

pub(in crate::audit) fn decode(text: &str) -> Option<Hash> {
    Some(Hash::from_bytes(STANDARD.decode(text).ok()?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::proof::note::SecretKey;

    #[test]
    fn a_head_has_one_spelling() {
        let key = SecretKey::of("toolgate/a".to_owned(), &[1; 32]).public();
        for next in [None, Some(key)] {
            let head = Checkpoint {
                stream: StreamId::generate(),
                size: 12,
                root: Hash::of(b"a"),
                epoch: 3,
                time: "2026-11-24T15:50:09.000001Z".to_owned(),
                next,
            };
            let text = head.to_string();
            assert_eq!(Checkpoint::parse(&text), Some(head.clone()));
            for (from, to) in [
                ("\n12\n", "\n012\n"),
                ("\n12\n", "\n+12\n"),
                ("epoch 3", "epoch 03"),
                ("toolgate/", "toolgate//"),
                ("time 2026", "time x2026"),
                ("09.000001Z\n", "09.000001Z\n\n"),
                ("09.000001Z\n", "09.000001Z\nx\n"),
                ("09.000001Z\n", "09.000001Z"),
            ] {
                assert_eq!(Checkpoint::parse(&text.replacen(from, to, 1)), None, "{from} {to}");
            }
        }
    }
}
