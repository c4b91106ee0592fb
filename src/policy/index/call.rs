//! Tool patterns, filed by the whole name, or by the longer of its literal ends (`mcp:github/`,
//! `_delete`). `*get*` has neither and is always asked. A name is matched alike in either stance.

use super::slot::{Entries, Entry, Filed, Owner, Piles, Slot, Visit, ends, table};
use super::table::{END_BYTES_MAX, Ends, Hash, Table};
use crate::model::call::ToolName;
use crate::model::truth::Truth;
use crate::policy::pattern::call::CallPattern;
use std::collections::BTreeMap;

/// The tool patterns of a layer.
#[derive(Debug, Default)]
pub(super) struct Call {
    every: Slot,
    /// Every rule once: where the tool is not known.
    blind: Slot,
    whole: Table<Slot>,
    heads: Ends<Slot>,
    tails: Ends<Slot>,
    rest: Slot,
    entries: Entries,
}

impl Call {
    /// Hands out what may match a tool.
    pub(super) fn find<V: Visit>(&self, tool: &ToolName, visitor: &mut V) {
        if self.blind.is_empty() {
            return;
        }
        let name = tool.as_str().as_bytes();
        let mut visit = |slot: &Slot| self.entries.visit(slot, |_| Some(Truth::Yes), visitor);
        visit(&self.every);
        if let Some(slot) = self.whole.get(Hash::of(name), |key| key == name) {
            visit(slot);
        }
        self.heads.each(name, &mut visit);
        self.tails.each(name, &mut visit);
        visit(&self.rest);
    }

    /// The patterns that are asked one by one: always, and at most by one key besides.
    pub(super) fn asked(&self) -> (Vec<&[Entry]>, Vec<&[Entry]>) {
        let whole = self.entries.longest(self.whole.values());
        let ends = self.entries.longest(self.heads.values().chain(self.tails.values()));
        (vec![self.entries.asked(&self.rest)], vec![whole, ends])
    }

    /// Hands out what speaks of a tool of which nothing is known.
    pub(super) fn find_unknown<V: Visit>(&self, visitor: &mut V) {
        self.entries.visit_all(&self.every, Truth::Yes, visitor);
        self.entries.visit_all(&self.blind, Truth::Maybe, visitor);
    }
}

/// Collects tool patterns.
#[derive(Default)]
pub(super) struct Filing {
    every: Vec<Filed>,
    blind: Vec<Filed>,
    whole: Piles,
    heads: BTreeMap<Vec<u8>, Vec<Filed>>,
    tails: BTreeMap<Vec<u8>, Vec<Filed>>,
    rest: Vec<Filed>,
}

impl Filing {
    /// Files one pattern of a rule.
    pub(super) fn add(&mut self, owner: Owner, place: usize, pattern: &CallPattern) {
        if pattern.is_everything() {
            self.every.push(owner.files(place, Some(0)));
            return;
        }
        for name in pattern.names() {
            let ends = name.ends();
            let (head, tail) = (ends.head.as_bytes(), ends.tail.as_bytes());
            if let Some(name) = name.literal() {
                let pile = self.whole.entry(name.into()).or_default();
                pile.push(owner.files(place, Some(0)));
            } else if head.is_empty() && tail.is_empty() {
                self.rest.push(owner.files(place, None));
            } else if head.len() >= tail.len() {
                let enough = ends.is_head() && head.len() <= END_BYTES_MAX;
                let cut = head.get(..END_BYTES_MAX).unwrap_or(head);
                let pile = self.heads.entry(cut.to_vec()).or_default();
                pile.push(owner.files(place, enough.then_some(0)));
            } else {
                let enough = ends.is_tail() && tail.len() <= END_BYTES_MAX;
                let cut = tail.get(tail.len().saturating_sub(END_BYTES_MAX)..).unwrap_or(tail);
                let pile = self.tails.entry(cut.to_vec()).or_default();
                pile.push(owner.files(place, enough.then_some(0)));
            }
        }
    }

    /// Notes that a rule speaks where nothing is known.
    pub(super) fn add_blind(&mut self, owner: Owner) {
        self.blind.push(owner.files(0, Some(0)));
    }

    pub(super) fn seal(self) -> Call {
        let mut entries = Entries::default();
        Call {
            every: entries.slot(&self.every),
            blind: entries.slot(&self.blind),
            whole: table(self.whole, &mut entries, Hash::of),
            heads: ends(self.heads, false, &mut entries),
            tails: ends(self.tails, true, &mut entries),
            rest: entries.slot(&self.rest),
            entries: entries.sealed(),
        }
    }
}
