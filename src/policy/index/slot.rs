//! What is filed under one key: the rules that the key alone decides, already combined, and those
//! that must still be asked.

use super::table::{Ends, Hash, Table};
use crate::model::effect::Effect;
use crate::model::truth::Truth;
use std::collections::{BTreeMap, HashMap};

/// A way in which a key can answer for a pattern: by what is seen of the target once for all
/// patterns, not for each. Which there are is the verb's to say.
pub(super) type Facet = u8;

/// Facets of one verb: as many as have room in a slot, three bits each.
pub(super) const FACETS_MAX: Facet = 10;

/// Some of the three effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effects(u8);

/// One pattern of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The rule, by its place in the layer.
    pub rule: u32,
    /// The pattern, by its place in the rule's `match` (or `unless`, in an index of that).
    pub pattern: u32,
    /// The effect of a rule that depends on nothing but its `match`.
    pub plain: Option<Effect>,
    /// How the key answers for the pattern, if it does.
    facet: Option<Facet>,
}

/// An entry on its way into a slot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filed {
    entry: Entry,
    /// The rule is told and never speaks.
    shadow: bool,
}

/// Whose pattern is being filed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    pub(super) rule: u32,
    pub(super) plain: Option<Effect>,
    pub(super) shadow: bool,
}

/// What is found under one key: a piece of its verb's entries.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slot {
    /// The effects of the plain rules that the key decides, by facet.
    sure: u32,
    /// Where its entries begin.
    from: u32,
    /// So many of them must be asked, whatever the key says.
    asked: u32,
    /// So many there are.
    all: u32,
}

/// The entries of all slots of a verb.
#[derive(Debug, Default)]
pub(super) struct Entries(Vec<Entry>);

/// Takes what is found.
pub trait Visit {
    /// Whether every rule is wanted, and not only what they come to.
    const EACH: bool;

    /// Plain rules with these effects match the target, this surely.
    fn sure(&mut self, effects: Effects, truth: Truth);

    /// A rule of which nothing is known but that a pattern of it was found: how surely it matches
    /// the target, or nothing if the pattern must be asked.
    fn ask(&mut self, entry: &Entry, matched: Option<Truth>);
}

impl Effects {
    /// One effect.
    #[must_use]
    pub fn one(effect: Effect) -> Effects {
        Effects(match effect {
            Effect::Allow => 1,
            Effect::Ask => 2,
            Effect::Deny => 4,
        })
    }

    /// Whether this one is among them.
    #[must_use]
    pub fn has(self, effect: Effect) -> bool {
        self.0 & Effects::one(effect).0 != 0
    }

    /// The strictest of them.
    #[must_use]
    pub fn strictest(self) -> Option<Effect> {
        [Effect::Deny, Effect::Ask, Effect::Allow].into_iter().find(|effect| self.has(*effect))
    }
}

impl Owner {
    /// One pattern of the rule, decided by its key in this way or not at all.
    pub(super) fn files(self, pattern: usize, facet: Option<Facet>) -> Filed {
        let pattern = u32::try_from(pattern).unwrap_or(u32::MAX);
        let entry = Entry { rule: self.rule, pattern, plain: self.plain, facet };
        Filed { entry, shadow: self.shadow }
    }
}

impl Slot {
    pub(super) fn is_empty(&self) -> bool {
        self.all == 0
    }
}

impl Entries {
    /// A slot of these.
    pub(super) fn slot(&mut self, filed: &[Filed]) -> Slot {
        let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let from = number(self.0.len());
        let mut sure = 0_u32;
        for Filed { entry, .. } in filed.iter().filter(|filed| !filed.is_asked()) {
            if let (Some(effect), Some(facet)) = (entry.plain, entry.facet) {
                sure |= u32::from(Effects::one(effect).0).unbounded_shl(u32::from(facet) * 3);
            }
        }
        let (asked, told): (Vec<&Filed>, Vec<&Filed>) =
            filed.iter().partition(|filed| filed.is_asked());
        let slot = Slot { sure, from, asked: number(asked.len()), all: number(filed.len()) };
        self.0.extend(asked.into_iter().chain(told).map(|filed| filed.entry));
        slot
    }

    /// The entries, once all are there.
    pub(super) fn sealed(mut self) -> Entries {
        self.0.shrink_to_fit();
        self
    }

    /// Hands out what is in a slot. `truth` is how surely its patterns match if it is the key that
    /// decides in this way; nothing if they must be asked.
    #[inline]
    pub(super) fn visit<V: Visit>(
        &self,
        slot: &Slot,
        truth: impl Fn(Facet) -> Option<Truth>,
        visitor: &mut V,
    ) {
        if slot.is_empty() {
            return;
        }
        let known = V::EACH || Entries::sure(slot, &truth, visitor);
        let count = if known && !V::EACH { slot.asked } else { slot.all };
        for entry in self.of(slot, count) {
            visitor.ask(entry, entry.facet.and_then(&truth));
        }
    }

    /// The same where all of a slot's patterns match alike, whatever their key says.
    pub(super) fn visit_all<V: Visit>(&self, slot: &Slot, matched: Truth, visitor: &mut V) {
        if slot.is_empty() {
            return;
        }
        if !V::EACH {
            Entries::sure(slot, &|_| Some(matched), visitor);
        }
        let count = if V::EACH { slot.all } else { slot.asked };
        for entry in self.of(slot, count) {
            visitor.ask(entry, Some(matched));
        }
    }

    /// Tells what the slot's plain rules come to; false if some of them must be asked instead.
    #[inline]
    fn sure<V: Visit>(
        slot: &Slot,
        truth: &impl Fn(Facet) -> Option<Truth>,
        visitor: &mut V,
    ) -> bool {
        let (mut sure, mut facet, mut known) = (slot.sure, 0, true);
        while sure != 0 {
            // Three bits.
            let effects = Effects((sure & 7) as u8);
            if effects.0 != 0 {
                match truth(facet) {
                    Some(Truth::No) => {}
                    Some(truth) => visitor.sure(effects, truth),
                    None => known = false,
                }
            }
            (sure, facet) = (sure >> 3, facet + 1);
        }
        known
    }

    /// The most entries that one of these slots has to be asked.
    pub(super) fn longest<S: std::borrow::Borrow<Slot>>(
        &self,
        slots: impl Iterator<Item = S>,
    ) -> &[Entry] {
        let longest = slots.map(|slot| *slot.borrow()).max_by_key(|slot| slot.asked);
        longest.map_or(&[], |slot| self.asked(&slot))
    }

    /// The entries of a slot that are asked one by one.
    pub(super) fn asked(&self, slot: &Slot) -> &[Entry] {
        self.of(slot, slot.asked)
    }

    fn of(&self, slot: &Slot, count: u32) -> &[Entry] {
        let place = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let from = place(slot.from);
        self.0.get(from..from.saturating_add(place(count))).unwrap_or_default()
    }
}

impl Filed {
    pub(super) fn entry(&self) -> Entry {
        self.entry
    }

    /// Whether the rule must be asked even where its key decides for its pattern.
    fn is_asked(&self) -> bool {
        !self.shadow && (self.entry.plain.is_none() || self.entry.facet.is_none())
    }
}

/// What will be filed under each key of a table.
pub(super) type Piles<K = Filed> = HashMap<Vec<u8>, Vec<K>>;

/// A table of slots.
pub(super) fn table(
    piles: Piles,
    entries: &mut Entries,
    hash: impl Fn(&[u8]) -> Hash,
) -> Table<Slot> {
    let slots: Vec<_> = piles.into_iter().map(|(key, filed)| (key, entries.slot(&filed))).collect();
    Table::of(slots.into_iter(), hash)
}

/// Slots by the ends of texts.
pub(super) fn ends(
    piles: BTreeMap<Vec<u8>, Vec<Filed>>,
    tails: bool,
    entries: &mut Entries,
) -> Ends<Slot> {
    let slots = piles.into_iter().map(|(key, filed)| (key, entries.slot(&filed)));
    Ends::of(slots.collect(), tails)
}
