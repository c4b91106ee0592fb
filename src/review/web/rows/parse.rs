//! What a row needs of a record's line, read without keeping the rest.

use serde::Deserialize;
use std::borrow::Cow;

/// The few fields of a record that a row is made of.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::review::web) struct Lean<'a> {
    #[serde(borrow)]
    pub(super) ts: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) call: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) session: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) runtime: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) tool: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) accesses: Vec<LeanAccess<'a>>,
    #[serde(borrow)]
    pub(super) decision: Option<LeanDecision<'a>>,
    #[serde(borrow)]
    pub(super) policy: Option<LeanPolicy<'a>>,
    pub(super) decided_us: Option<u64>,
    pub(super) details: Option<LeanDetails>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LeanAccess<'a> {
    #[serde(borrow)]
    pub(super) verb: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) target: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LeanDecision<'a> {
    #[serde(borrow)]
    pub(super) effect: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) rules: Vec<LeanRule<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LeanRule<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LeanPolicy<'a> {
    #[serde(borrow)]
    pub(super) sha256: Cow<'a, str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LeanDetails {
    #[serde(deserialize_with = "text_or_none")]
    pub(super) code: Option<String>,
}

/// Details are anything: a code that is no text is none.
fn text_or_none<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    Ok(value.as_str().map(str::to_owned))
}

impl Lean<'_> {
    /// Reads a line; nothing if it is no record.
    pub(in crate::review::web) fn read(line: &[u8]) -> Option<Lean<'_>> {
        serde_json::from_slice(line).ok()
    }

    /// When, in microseconds since 1970.
    pub(super) fn at(&self) -> i64 {
        self.ts.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_microsecond)
    }
}

/// The host of a target, as accesses write it: `https://host:port`, `host:port` or `host`.
pub(in crate::review::web) fn host(target: &str) -> Option<&str> {
    let rest = target.split_once("://").map_or(target, |(_, rest)| rest);
    let rest = rest.split(['/', '?', '#', ' ']).next().unwrap_or_default();
    let host = match rest.strip_prefix('[') {
        Some(inside) => inside.split(']').next().unwrap_or_default(),
        None => rest.split(':').next().unwrap_or_default(),
    };
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_targets() {
        for (target, expected) in [
            ("https://a.example:443", Some("a.example")),
            ("a.example:80", Some("a.example")),
            ("https://[::1]:8080/x", Some("::1")),
            ("a.example", Some("a.example")),
            ("", None),
            ("https://", None),
        ] {
            assert_eq!(host(target), expected, "{target}");
        }
    }
}
