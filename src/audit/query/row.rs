//! The few fields of a record that a question needs, found in its line without reading all of it.
//!
//! A line as the writer writes it is walked from key to key: no whitespace between tokens. Strings
//! are skipped to their unescaped quote, so no text of an agent can pass for a key. A line that the
//! writer wrote has its keys in the order of [`WireRecord`], and is walked no further than the last
//! that is asked for (`found`). Anything else that a line may hold is read by serde, written anew
//! and walked whole, so that all ways answer alike; `fuzz/targets_shared/scan.rs` and a property
//! hold them against each other.
//!
//! It does not judge a line that it need not read: that is `verify`.

use super::found::{Found, Wanted};
use crate::audit::wire::WireRecord;
use crate::audit::wire::deciding::{Made, came_back};
use std::borrow::Cow;

/// A text of a line: where it stands between its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::audit) struct Piece {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) escaped: bool,
}

/// One access: its verb, its target, and where that really leads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Access {
    pub(super) verb: Piece,
    pub(super) target: Piece,
    pub(super) real: Option<Piece>,
}

/// Which parts of a record are asked for, in the order in which they stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(in crate::audit) enum Part {
    Seq,
    Ts,
    Kind,
    Call,
    Session,
    Agent,
    Runtime,
    Uid,
    Tool,
    ToolUseId,
    Accesses,
    Effect,
    /// All of what was decided.
    Decision,
    Policy,
    DecidedUs,
    Details,
}

/// A set of parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::audit) struct Parts(u32);

impl Parts {
    pub(in crate::audit) const ALL: Parts = Parts((1 << (Part::Details as u32 + 1)) - 1);

    pub(in crate::audit) fn of(parts: &[Part]) -> Parts {
        parts.iter().fold(Parts::default(), |all, part| all.and(*part))
    }

    pub(in crate::audit) fn and(self, part: Part) -> Parts {
        Parts(self.0 | (1 << part as u32))
    }

    pub(in crate::audit) fn or(self, other: Parts) -> Parts {
        Parts(self.0 | other.0)
    }

    pub(super) fn has(self, part: Part) -> bool {
        self.0 & (1 << part as u32) != 0
    }
}

/// Finds the parts of one line after the other.
#[derive(Debug)]
pub(in crate::audit) struct Reader {
    wanted: Wanted,
    found: Found,
    /// An odd line, written anew.
    anew: Vec<u8>,
}

/// What was asked for of one record.
#[derive(Debug, Clone, Copy)]
pub(in crate::audit) struct Row<'a> {
    line: &'a [u8],
    found: &'a Found,
}

impl Reader {
    /// Finds these parts, and no others.
    pub(in crate::audit) fn of(parts: Parts) -> Reader {
        Reader { wanted: Wanted::of(parts), found: Found::EMPTY, anew: Vec::new() }
    }

    /// The parts of a line.
    ///
    /// # Errors
    /// If it is no record, in words.
    pub(in crate::audit) fn read<'a>(&'a mut self, line: &'a [u8]) -> Result<Row<'a>, String> {
        self.found.clear();
        if self.found.whole(line, self.wanted).is_some() {
            return Ok(Row { line, found: &self.found });
        }
        self.read_odd(line)
    }

    /// The same of a line that, as far as one can know, the writer wrote.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub(super) fn read_written<'a>(&'a mut self, line: &'a [u8]) -> Result<Row<'a>, String> {
        self.found.clear();
        if self.found.written(line, self.wanted).is_some() {
            return Ok(Row { line, found: &self.found });
        }
        self.read(line)
    }

    /// The way of a line that the writer did not write so.
    pub(super) fn read_odd<'a>(&'a mut self, line: &[u8]) -> Result<Row<'a>, String> {
        let wrong = |why: serde_json::Error| format!("the line is no record: {why}");
        let text = std::str::from_utf8(line).map_err(|why| why.to_string())?;
        serde_json::from_str::<WireRecord>(text).map_err(wrong)?;
        let value: serde_json::Value = serde_json::from_str(text).map_err(wrong)?;
        self.anew.clear();
        let Some(fields) = value.as_object() else {
            return Err("the line is no record: it is no object".to_owned());
        };
        // What serde takes for absent is left out, as the writer does.
        let fields: serde_json::Map<String, serde_json::Value> = fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), without_nulls(name, value)))
            .collect();
        serde_json::to_writer(&mut self.anew, &fields).map_err(wrong)?;
        self.found.clear();
        match self.found.whole(&self.anew, self.wanted) {
            Some(()) => Ok(Row { line: &self.anew, found: &self.found }),
            None => Err("the line is no record that could be looked at".to_owned()),
        }
    }
}

/// Absent fields of the parts that are walked into.
fn without_nulls(name: &str, value: &serde_json::Value) -> serde_json::Value {
    let mut value = value.clone();
    let objects = match name {
        "agent" => vec![&mut value],
        "accesses" => value.as_array_mut().into_iter().flatten().collect(),
        _ => Vec::new(),
    };
    for object in objects {
        if let Some(fields) = object.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
    }
    value
}

/// Of a record of which nothing is asked.
static NOTHING: Found = Found::EMPTY;

impl<'a> Row<'a> {
    /// A record of which nothing was asked.
    pub(super) fn of_nothing(line: &'a [u8]) -> Row<'a> {
        Row { line, found: &NOTHING }
    }

    /// The line, or what an odd one was written anew as.
    pub(super) fn line(&self) -> &'a [u8] {
        self.line
    }

    fn text(&self, piece: Piece) -> Cow<'a, str> {
        piece.text(self.line)
    }

    fn maybe(&self, piece: Option<Piece>) -> Option<Cow<'a, str>> {
        piece.map(|piece| self.text(piece))
    }

    pub(in crate::audit) fn seq(&self) -> u64 {
        self.found.seq
    }

    /// When it was written, as it stands there.
    pub(super) fn ts(&self) -> Cow<'a, str> {
        self.maybe(self.found.ts).unwrap_or_default()
    }

    /// When it was written, in microseconds; nothing if that is no time.
    pub(in crate::audit) fn time(&self) -> Option<i64> {
        super::when::of_record(&self.maybe(self.found.ts)?)
    }

    pub(in crate::audit) fn kind(&self) -> Cow<'a, str> {
        self.maybe(self.found.kind).unwrap_or_default()
    }

    pub(in crate::audit) fn call(&self) -> Option<Cow<'a, str>> {
        self.maybe(self.found.call)
    }

    pub(in crate::audit) fn tool_use_id(&self) -> Option<Cow<'a, str>> {
        self.maybe(self.found.tool_use_id)
    }

    pub(in crate::audit) fn session(&self) -> Option<Cow<'a, str>> {
        self.maybe(self.found.session)
    }

    /// The thread of the runtime: its kind, and of a subagent `kind/id`.
    pub(in crate::audit) fn agent(&self) -> Option<Cow<'a, str>> {
        let kind = self.maybe(self.found.agent_kind)?;
        Some(match self.maybe(self.found.agent_id) {
            Some(id) => Cow::Owned(format!("{kind}/{id}")),
            None => kind,
        })
    }

    pub(in crate::audit) fn runtime(&self) -> Option<Cow<'a, str>> {
        self.maybe(self.found.runtime)
    }

    pub(in crate::audit) fn uid(&self) -> Option<Cow<'a, str>> {
        self.maybe(self.found.uid)
    }

    pub(in crate::audit) fn tool(&self) -> Option<Cow<'a, str>> {
        self.maybe(self.found.tool)
    }

    /// What was decided; nothing of a record of what came back.
    pub(in crate::audit) fn effect(&self) -> Option<Cow<'a, str>> {
        self.maybe(self.found.effect).filter(|_| !self.came_back())
    }

    /// What that rests on.
    pub(in crate::audit) fn basis(&self) -> Option<Cow<'a, str>> {
        self.maybe(self.found.basis).filter(|_| !self.came_back())
    }

    /// Every rule that matched or may have.
    pub(in crate::audit) fn heard(&self) -> impl Iterator<Item = Cow<'a, str>> + '_ {
        let enforced = self.found.rules.iter().filter(|rule| !rule.shadow);
        enforced.map(|rule| self.text(rule.id))
    }

    /// Hands over the rules that made the decision, or changed what came back.
    pub(in crate::audit) fn each_rule(&self, mut take: impl FnMut(&str)) {
        let rules = &self.found.rules;
        if rules.is_empty() {
            return;
        }
        let bytes = |piece: Option<Piece>| {
            piece.and_then(|piece| self.line.get(piece.from..piece.to)).unwrap_or_default()
        };
        let basis = bytes(self.found.basis);
        // Only of a limit does the reason say which rule it was.
        let reason = self.found.reason.filter(|_| basis == b"limit");
        let reason = self.maybe(reason).unwrap_or_default();
        let made = match self.came_back() {
            true => Made::Enforced,
            false => Made::of(
                bytes(self.found.attended.or(self.found.effect)),
                basis,
                &reason,
                rules.iter().map(|rule| rule.spoke(self.line)),
            ),
        };
        for (place, rule) in rules.iter().enumerate() {
            let named = || matches!(made, Made::Named(id) if id == self.text(rule.id));
            if made.is(place, rule.spoke(self.line), named) {
                take(&self.text(rule.id));
            }
        }
    }

    fn came_back(&self) -> bool {
        self.found.kind.is_some_and(|kind| came_back(&self.text(kind)))
    }

    pub(in crate::audit) fn policy(&self) -> Option<Cow<'a, str>> {
        self.maybe(self.found.policy)
    }

    pub(in crate::audit) fn decided_us(&self) -> Option<u64> {
        self.found.decided_us
    }

    pub(in crate::audit) fn code(&self) -> Option<Cow<'a, str>> {
        self.maybe(self.found.code)
    }

    /// What was connected to, or would have been: hosts, in lower case.
    pub(in crate::audit) fn hosts(&self) -> impl Iterator<Item = String> + '_ {
        let connects = self.found.accesses.iter().filter(|one| self.text(one.verb) == "connect");
        connects.filter_map(|access| host_of(&self.text(access.target)).map(str::to_lowercase))
    }

    /// The paths that would be read or written: as stated, and where they really lead.
    pub(in crate::audit) fn paths(&self) -> impl Iterator<Item = Cow<'a, str>> + '_ {
        let files = |access: &&Access| matches!(&*self.text(access.verb), "read" | "write");
        self.found.accesses.iter().filter(files).flat_map(|access| {
            [Some(access.target), access.real].into_iter().flatten().map(|piece| self.text(piece))
        })
    }
}

impl Piece {
    /// The text that stands there in the line it was found in; it was read once already.
    pub(super) fn text(self, line: &[u8]) -> Cow<'_, str> {
        let raw = line.get(self.from..self.to).unwrap_or_default();
        if !self.escaped {
            return match std::str::from_utf8(raw) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => String::from_utf8_lossy(raw),
            };
        }
        let quoted = line.get(self.from.saturating_sub(1)..=self.to).unwrap_or_default();
        Cow::Owned(serde_json::from_slice(quoted).unwrap_or_default())
    }
}

/// The host of what a connect access is shown as: `POST https://host:443/path`, `host:22`.
pub(in crate::audit) fn host_of(target: &str) -> Option<&str> {
    let place = target.rsplit(' ').next().unwrap_or_default();
    if place.starts_with("unix:") || place.starts_with('⟨') || target.starts_with('⟨') {
        return None;
    }
    let place = place.split_once("://").map_or(place, |(_, rest)| rest);
    let authority = place.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            Some(_) | None => authority,
        },
    };
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
#[path = "row_tests.rs"]
mod tests;
