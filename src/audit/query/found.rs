//! What is found in one line: a walk from key to key, no further than what is asked for.
//!
//! Of a line that the writer wrote the keys stand in the order of [`KEYS`], so nothing that is
//! asked for stands behind the last key that has it; of any other line, all keys are looked at.

use super::json::Walk;
use super::row::{Access, Part, Parts, Piece};
use crate::audit::wire::deciding::Spoke;

/// The keys of a record in their order, each with its parts if it has any.
const KEYS: [(&[u8], &[Part]); 25] = [
    (b"v", &[]),
    (b"seq", &[Part::Seq]),
    (b"ts", &[Part::Ts]),
    (b"stream", &[]),
    (b"kind", &[Part::Kind]),
    (b"call", &[Part::Call]),
    (b"session", &[Part::Session]),
    (b"agent", &[Part::Agent]),
    (b"runtime", &[Part::Runtime]),
    (b"uid", &[Part::Uid]),
    (b"sender", &[]),
    (b"tool", &[Part::Tool]),
    (b"tool_use_id", &[Part::ToolUseId]),
    (b"cwd", &[]),
    (b"accesses", &[Part::Accesses]),
    (b"accesses_more", &[]),
    (b"decision", &[Part::Effect, Part::Decision]),
    (b"policy", &[Part::Policy]),
    (b"decided_us", &[Part::DecidedUs]),
    (b"input", &[]),
    (b"output", &[]),
    (b"state", &[]),
    (b"details", &[Part::Details]),
    (b"late_ms", &[]),
    (b"prev", &[]),
];
/// Places there.
const KIND: usize = 4;
const AGENT: usize = 7;
const ACCESSES: usize = 14;
/// The next key of a line is mostly one of so many.
const NEAR: usize = 4;

/// What stands before the number, between it and the time, and so on up to the kind.
const HEAD: [&[u8]; 4] =
    [b"{\"v\":1,\"seq\":", b",\"ts\":\"", b"\",\"stream\":\"", b"\",\"kind\":"];
/// A time and a stream's id as the writer writes them.
const TIME_BYTES: usize = 27;
const STREAM_BYTES: usize = 36;

/// One rule that spoke.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    pub(super) id: Piece,
    effect: Piece,
    sure: bool,
    pub(super) shadow: bool,
    built_in: bool,
}

/// What was found; used again for each line.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) seq: u64,
    pub(super) ts: Option<Piece>,
    pub(super) kind: Option<Piece>,
    pub(super) call: Option<Piece>,
    pub(super) session: Option<Piece>,
    pub(super) agent_id: Option<Piece>,
    pub(super) agent_kind: Option<Piece>,
    pub(super) runtime: Option<Piece>,
    pub(super) uid: Option<Piece>,
    pub(super) tool: Option<Piece>,
    pub(super) tool_use_id: Option<Piece>,
    pub(super) accesses: Vec<Access>,
    pub(super) effect: Option<Piece>,
    pub(super) basis: Option<Piece>,
    pub(super) reason: Option<Piece>,
    pub(super) attended: Option<Piece>,
    pub(super) rules: Vec<Heard>,
    pub(super) policy: Option<Piece>,
    pub(super) decided_us: Option<u64>,
    pub(super) code: Option<Piece>,
}

/// What is asked for of lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) parts: Parts,
    /// The place of the last key that has any of it; nothing if no key has.
    last: Option<usize>,
}

impl Wanted {
    pub(super) fn of(parts: Parts) -> Wanted {
        let has = |(_, of): &(&[u8], &[Part])| of.iter().any(|part| parts.has(*part));
        Wanted { parts, last: KEYS.iter().rposition(has) }
    }
}

impl Found {
    pub(super) const EMPTY: Found = Found {
        seq: 0,
        ts: None,
        kind: None,
        call: None,
        session: None,
        agent_id: None,
        agent_kind: None,
        runtime: None,
        uid: None,
        tool: None,
        tool_use_id: None,
        accesses: Vec::new(),
        effect: None,
        basis: None,
        reason: None,
        attended: None,
        rules: Vec::new(),
        policy: None,
        decided_us: None,
        code: None,
    };

    pub(super) fn clear(&mut self) {
        let (mut accesses, mut rules) =
            (std::mem::take(&mut self.accesses), std::mem::take(&mut self.rules));
        accesses.clear();
        rules.clear();
        *self = Found { accesses, rules, ..Found::EMPTY };
    }

    /// Walks a line to its end; nothing if it is not as JSON without spaces and odd keys is.
    pub(super) fn whole(&mut self, line: &[u8], wanted: Wanted) -> Option<()> {
        let mut walk = Walk::new(line);
        walk.object(|key, walk| self.value(key, walk, wanted.parts))?;
        walk.is_at_end().then_some(())
    }

    /// Walks a line that the writer wrote as far as needed; nothing if its keys are others, or in
    /// another order.
    pub(super) fn written(&mut self, line: &[u8], wanted: Wanted) -> Option<()> {
        let Some(last) = wanted.last else { return Some(()) };
        let mut walk = Walk::new(line);
        self.head(&mut walk, wanted.parts)?;
        if last < KIND {
            return Some(());
        }
        self.value(b"kind", &mut walk, wanted.parts)?;
        let mut place = KIND + 1;
        while place <= last && walk.more(b'}')? {
            let at = next_key(&mut walk, place)?;
            if at > last {
                return Some(());
            }
            let (_, of) = KEYS.get(at)?;
            match of.iter().find(|part| wanted.parts.has(**part)) {
                Some(Part::Effect) if at == last && !wanted.parts.has(Part::Decision) => {
                    return self.effect(&mut walk);
                }
                Some(part) => self.part(*part, &mut walk)?,
                None => skip_written(at, &mut walk)?,
            }
            place = at + 1;
        }
        Some(())
    }

    /// What each line begins with, up to the value of its kind.
    fn head(&mut self, walk: &mut Walk<'_>, parts: Parts) -> Option<()> {
        let [begins, time, stream, kind] = HEAD;
        walk.pass(begins)?;
        match parts.has(Part::Seq) {
            true => self.seq = walk.number()?,
            false => {
                walk.digits()?;
            }
        }
        walk.pass(time)?;
        self.ts = Some(walk.plain(TIME_BYTES)?);
        walk.pass(stream)?;
        walk.plain(STREAM_BYTES)?;
        walk.pass(kind)
    }

    /// Only what was decided, which the writer writes first.
    fn effect(&mut self, walk: &mut Walk<'_>) -> Option<()> {
        walk.pass(b"{\"effect\":")?;
        self.effect = Some(walk.text()?);
        Some(())
    }

    /// The value of a key: read if it is asked for, else passed.
    fn value(&mut self, key: &[u8], walk: &mut Walk<'_>, parts: Parts) -> Option<()> {
        let of = place_of(key).and_then(|place| KEYS.get(place)).map_or(&[][..], |(_, of)| of);
        match of.iter().find(|part| parts.has(**part)) {
            Some(part) => self.part(*part, walk),
            None => walk.skip_value(),
        }
    }

    fn part(&mut self, part: Part, walk: &mut Walk<'_>) -> Option<()> {
        match part {
            Part::Seq => self.seq = walk.number()?,
            Part::Ts => self.ts = Some(walk.text()?),
            Part::Kind => self.kind = Some(walk.text()?),
            Part::Call => self.call = Some(walk.text()?),
            Part::Session => self.session = Some(walk.text()?),
            Part::Agent => self.agent(walk)?,
            Part::Runtime => self.runtime = Some(walk.text()?),
            Part::Uid => self.uid = Some(walk.digits()?),
            Part::Tool => self.tool = Some(walk.text()?),
            Part::ToolUseId => self.tool_use_id = Some(walk.text()?),
            Part::Accesses => self.accesses(walk)?,
            Part::Effect | Part::Decision => self.decision(walk)?,
            Part::Policy => walk.object(|key, walk| {
                match key {
                    b"sha256" => self.policy = Some(walk.text()?),
                    _ => walk.skip_value()?,
                }
                Some(())
            })?,
            Part::DecidedUs => self.decided_us = Some(walk.number()?),
            Part::Details => walk.object(|key, walk| {
                match key {
                    // Any value may stand there; only a text is a code.
                    b"code" if walk.is_text() => self.code = Some(walk.text()?),
                    b"code" => {
                        self.code = None;
                        walk.skip_value()?;
                    }
                    _ => walk.skip_value()?,
                }
                Some(())
            })?,
        }
        Some(())
    }

    fn agent(&mut self, walk: &mut Walk<'_>) -> Option<()> {
        walk.object(|key, walk| {
            match key {
                b"id" => self.agent_id = Some(walk.text()?),
                b"kind" => self.agent_kind = Some(walk.text()?),
                _ => walk.skip_value()?,
            }
            Some(())
        })
    }

    fn accesses(&mut self, walk: &mut Walk<'_>) -> Option<()> {
        walk.array(|walk| {
            let (mut verb, mut target, mut real) = (None, None, None);
            walk.object(|key, walk| {
                match key {
                    b"verb" => verb = Some(walk.text()?),
                    b"target" => target = Some(walk.text()?),
                    b"real" => real = Some(walk.text()?),
                    _ => walk.skip_value()?,
                }
                Some(())
            })?;
            self.accesses.push(Access { verb: verb?, target: target?, real });
            Some(())
        })
    }

    fn decision(&mut self, walk: &mut Walk<'_>) -> Option<()> {
        walk.object(|key, walk| {
            match key {
                b"effect" => self.effect = Some(walk.text()?),
                b"basis" => self.basis = Some(walk.text()?),
                b"reason" => self.reason = Some(walk.text()?),
                b"attended" => self.attended = Some(walk.text()?),
                b"rules" => walk.array(|walk| {
                    self.rules.push(Heard::of(walk)?);
                    Some(())
                })?,
                _ => walk.skip_value()?,
            }
            Some(())
        })
    }
}

impl Heard {
    fn of(walk: &mut Walk<'_>) -> Option<Heard> {
        let (mut id, mut effect, mut sure, mut shadow, mut line) = (None, None, false, false, 0);
        walk.object(|key, walk| {
            match key {
                b"id" => id = Some(walk.text()?),
                b"effect" => effect = Some(walk.text()?),
                b"match" => {
                    let matched = walk.text()?;
                    sure = walk.bytes(matched) == b"yes";
                }
                b"shadow" => shadow = walk.truth()?,
                b"line" => line = walk.number()?,
                _ => walk.skip_value()?,
            }
            Some(())
        })?;
        Some(Heard { id: id?, effect: effect?, sure, shadow, built_in: line == 0 })
    }

    pub(super) fn spoke<'a>(&self, line: &'a [u8]) -> Spoke<'a> {
        let effect = line.get(self.effect.from..self.effect.to).unwrap_or_default();
        Spoke { effect, sure: self.sure, shadow: self.shadow, built_in: self.built_in }
    }
}

/// The next key of a line that the writer wrote, with its colon: its place, not before this one.
fn next_key(walk: &mut Walk<'_>, from: usize) -> Option<usize> {
    let word = walk.word()?;
    for (place, (begins, mask)) in BEGINNINGS.iter().enumerate().skip(from).take(NEAR) {
        if word & mask == *begins {
            let (key, _) = KEYS.get(place)?;
            if walk.pass_key(key).is_some() {
                return Some(place);
            }
        }
    }
    let key = walk.key()?;
    place_of(key).filter(|at| *at >= from)
}

/// The first eight bytes of each key with its first quote, and which bits of them it has.
const BEGINNINGS: [(u64, u64); KEYS.len()] = {
    let mut all = [(0, 0); KEYS.len()];
    let (mut place, mut keys) = (0, KEYS.as_slice());
    while let [(key, _), rest @ ..] = keys {
        let (mut word, mut mask, mut shift) = (b'"' as u64, 0xff_u64, 8);
        let mut bytes = *key;
        while let [byte, rest @ ..] = bytes
            && shift < 64
        {
            word |= (*byte as u64) << shift;
            mask |= 0xff << shift;
            shift += 8;
            bytes = rest;
        }
        if let Some(one) = all.as_mut_slice().split_at_mut(place).1.first_mut() {
            *one = (word, mask);
        }
        place += 1;
        keys = rest;
    }
    all
};

/// Goes over a value of which nothing is asked: those that are in most lines, by their usual form.
fn skip_written(place: usize, walk: &mut Walk<'_>) -> Option<()> {
    match place {
        AGENT if walk.pass(b"{\"kind\":\"main\"}").is_some() => Some(()),
        ACCESSES => {
            let mut quick = walk.clone();
            if skip_accesses(&mut quick).is_none() {
                return walk.skip_value();
            }
            *walk = quick;
            Some(())
        }
        _ => walk.skip_value(),
    }
}

/// Accesses as most are.
fn skip_accesses(walk: &mut Walk<'_>) -> Option<()> {
    walk.pass(b"[")?;
    loop {
        walk.pass(b"{\"verb\":")?;
        walk.raw_text()?;
        walk.pass(b",\"target\":")?;
        walk.raw_text()?;
        if walk.pass(b",\"real\":").is_some() {
            walk.raw_text()?;
        }
        walk.pass(b",\"certain\":true,\"verdict\":")?;
        walk.raw_text()?;
        walk.pass(b"}")?;
        if !walk.more(b']')? {
            return Some(());
        }
    }
}

/// A key's place among [`KEYS`].
fn place_of(key: &[u8]) -> Option<usize> {
    Some(match key {
        b"v" => 0,
        b"seq" => 1,
        b"ts" => 2,
        b"stream" => 3,
        b"kind" => KIND,
        b"call" => 5,
        b"session" => 6,
        b"agent" => AGENT,
        b"runtime" => 8,
        b"uid" => 9,
        b"sender" => 10,
        b"tool" => 11,
        b"tool_use_id" => 12,
        b"cwd" => 13,
        b"accesses" => ACCESSES,
        b"accesses_more" => 15,
        b"decision" => 16,
        b"policy" => 17,
        b"decided_us" => 18,
        b"input" => 19,
        b"output" => 20,
        b"state" => 21,
        b"details" => 22,
        b"late_ms" => 23,
        b"prev" => 24,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_place() {
        for (place, (key, _)) in KEYS.iter().enumerate() {
            assert_eq!(place_of(key), Some(place), "{}", String::from_utf8_lossy(key));
        }
        assert_eq!(place_of(b"tools"), None);
    }
}
