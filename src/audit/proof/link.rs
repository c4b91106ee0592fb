//! The few fields of a line that the chain is made of, read without reading the rest.
//!
//! Lines are written with these fields at their ends (`wire`), and are read there; a line that is
//! written otherwise is read as JSON. What lies between is not looked at: a head's signature
//! covers it, and what no head covers is read again as JSON ([`strictly`]).

use crate::audit::place::Hash;
use crate::audit::proof::chain::{Flaw, VERSION};
use crate::model::record::Kind;
use serde::Deserialize;
use std::borrow::Cow;

/// The place that a line claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::audit) struct Link<'a> {
    pub(in crate::audit) v: u32,
    pub(in crate::audit) seq: u64,
    pub(in crate::audit) stream: Cow<'a, str>,
    /// Nothing if it is no hash.
    pub(in crate::audit) prev: Option<Hash>,
    pub(in crate::audit) own: Own,
}

/// What the record is to the log itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::audit) enum Own {
    /// A signed head.
    Head,
    /// One in which a key hands over.
    Key,
    /// A start.
    Open,
    /// It tells of something that was deleted.
    Gone,
    /// A record like any other.
    Other,
}

#[derive(Debug, Deserialize)]
struct Whole<'a> {
    v: u32,
    seq: u64,
    #[serde(borrow)]
    stream: Cow<'a, str>,
    #[serde(borrow)]
    prev: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
}

impl Own {
    /// Whether a signed head stands in it.
    pub(in crate::audit) fn is_head(self) -> bool {
        matches!(self, Own::Head | Own::Key)
    }

    fn of(kind: &str) -> Own {
        if !kind.starts_with("audit.") {
            return Own::Other;
        }
        if kind == Kind::AuditCheckpoint.as_str() {
            Own::Head
        } else if kind == Kind::AuditKey.as_str() {
            Own::Key
        } else if kind == Kind::AuditOpen.as_str() {
            Own::Open
        } else if kind == Kind::AuditRetention.as_str() || kind == Kind::AuditErased.as_str() {
            Own::Gone
        } else {
            Own::Other
        }
    }
}

/// Reads the place that a line claims.
pub(in crate::audit) fn parse(line: &[u8]) -> Result<Link<'_>, Flaw> {
    match at_its_ends(line) {
        Some(link) => Ok(link),
        None => strictly(line),
    }
}

/// Reads all of a line.
pub(in crate::audit) fn strictly(line: &[u8]) -> Result<Link<'_>, Flaw> {
    let text = std::str::from_utf8(line).map_err(|why| Flaw::Unreadable(why.to_string()))?;
    let Whole { v, seq, stream, prev, kind } =
        serde_json::from_str(text).map_err(|why| Flaw::Unreadable(why.to_string()))?;
    Ok(Link { v, seq, stream, prev: Hash::parse(&prev), own: Own::of(&kind) })
}

fn at_its_ends(line: &[u8]) -> Option<Link<'_>> {
    let rest = line.strip_prefix(b"{\"v\":1,\"seq\":")?;
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let (number, rest) = rest.split_at_checked(digits)?;
    if number.first() == Some(&b'0') {
        return None;
    }
    let seq = std::str::from_utf8(number).ok()?.parse().ok()?;
    let rest = rest.strip_prefix(b",\"ts\":\"")?;
    let quote = rest.iter().take(64).position(|byte| *byte == b'"')?;
    let rest = rest.get(quote..)?.strip_prefix(b"\",\"stream\":\"")?;
    let (stream, rest) = rest.split_at_checked(36)?;
    let rest = rest.strip_prefix(b"\",\"kind\":\"")?;
    let quote = rest.iter().take(64).position(|byte| *byte == b'"')?;
    let kind = std::str::from_utf8(rest.get(..quote)?).ok()?;
    let (_, end) = line.split_at_checked(line.len().checked_sub(75)?)?;
    let prev = end.strip_prefix(b",\"prev\":\"")?.strip_suffix(b"\"}")?;
    Some(Link {
        v: VERSION,
        seq,
        stream: Cow::Borrowed(std::str::from_utf8(stream).ok()?),
        prev: Some(Hash::parse(std::str::from_utf8(prev).ok()?)?),
        own: Own::of(kind),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = concat!(
        r#"{"v":1,"seq":7,"ts":"2026-11-24T15:50:09.000001Z","#,
        r#""stream":"01900000-0000-7000-8000-000000000001","#,
        r#""kind":"tool.pre","#,
        r#""details":{"a":"b"},"#,
        r#""prev":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}"#,
    );

    #[test]
    fn both_ways_of_reading_agree() {
        let link = at_its_ends(LINE.as_bytes()).unwrap();
        assert_eq!(link, strictly(LINE.as_bytes()).unwrap());
        assert_eq!((link.seq, link.own), (7, Own::Other));
        for (kind, own) in [
            ("audit.key", Own::Key),
            ("audit.checkpoint", Own::Head),
            ("audit.open", Own::Open),
            ("audit.retention", Own::Gone),
            ("audit.erased", Own::Gone),
            ("audit.space", Own::Other),
        ] {
            let line = LINE.replace("tool.pre", kind);
            assert_eq!(at_its_ends(line.as_bytes()).unwrap().own, own);
            assert_eq!(parse(line.as_bytes()), strictly(line.as_bytes()));
        }
        // What is written otherwise is read as JSON; a number has one spelling there too.
        for (from, to) in
            [("\"v\":1", "\"v\": 1"), (":7", ":007"), (":7", ":-7"), ("\"prev\":", "\"prev\" :")]
        {
            let line = LINE.replace(from, to);
            assert_eq!(at_its_ends(line.as_bytes()), None);
            assert_eq!(parse(line.as_bytes()), strictly(line.as_bytes()));
        }
    }

    #[test]
    fn every_changed_byte_that_is_read_counts_the_same_both_ways() {
        for place in 0..LINE.len() {
            for change in [1, 2, 0x20] {
                let mut line = LINE.as_bytes().to_vec();
                line[place] ^= change;
                let (quick, whole) = (at_its_ends(&line), strictly(&line));
                if let (Some(quick), Ok(whole)) = (quick, whole) {
                    assert_eq!(quick, whole, "{}", String::from_utf8_lossy(&line));
                }
            }
        }
    }
}
