//! Finding the entry that covers another without asking each.
//!
//! An entry is found by the rarest word that all it covers must have; those that demand none are
//! always asked. How many comparisons there may be is bounded, and that the bound was met is told.

use super::entries::{Entry, Pattern, Written};
use crate::limits::LINT_COMPARISONS_MAX;
use crate::model::effect::Effect;
use crate::policy::pattern::cover::Cover;
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::mem::discriminant;

/// Entries by what they need of those they cover.
pub(super) struct Index<'a> {
    entries: &'a [Entry<'a>],
    by_word: HashMap<(Kind, String), Vec<Place>>,
    /// Those that need no word.
    any: HashMap<Kind, Vec<Place>>,
    left: Cell<usize>,
}

/// An entry and one of its patterns.
type Place = (usize, usize);

/// Only patterns of one kind and rules of one effect are compared.
type Kind = (Effect, std::mem::Discriminant<Pattern>);

impl<'a> Index<'a> {
    pub(super) fn of(entries: &'a [Entry<'a>]) -> Index<'a> {
        let mut index = Index {
            entries,
            by_word: HashMap::new(),
            any: HashMap::new(),
            left: Cell::new(LINT_COMPARISONS_MAX),
        };
        let mut wanted: Vec<(Kind, Place, Vec<String>)> = Vec::new();
        let mut often: HashMap<(Kind, String), usize> = HashMap::new();
        for (at, entry) in entries.iter().enumerate() {
            for (nth, written) in entry.patterns.iter().enumerate() {
                let kind = (entry.effect, discriminant(&written.pattern));
                let needs = written.pattern.needs();
                for word in &needs {
                    *often.entry((kind, word.clone())).or_default() += 1;
                }
                wanted.push((kind, (at, nth), needs));
            }
        }
        for (kind, place, needs) in wanted {
            let keys = needs.into_iter().map(|word| (kind, word));
            match keys.min_by_key(|key| often.get(key).copied().unwrap_or_default()) {
                Some(key) => index.by_word.entry(key).or_default().push(place),
                None => index.any.entry(kind).or_default().push(place),
            }
        }
        index
    }

    /// The entries with this effect that cover all of `narrow`, of those that `may`.
    pub(super) fn covering(
        &self,
        narrow: &Entry<'_>,
        effect: Effect,
        may: impl Fn(&Entry<'_>) -> bool,
    ) -> Vec<&'a Entry<'a>> {
        let mut left: Option<BTreeSet<usize>> = None;
        for written in &narrow.patterns {
            let kind = (effect, discriminant(&written.pattern));
            let mut found = BTreeSet::new();
            for (at, nth) in self.candidates(kind, &written.pattern) {
                let out = left.as_ref().is_some_and(|left| !left.contains(&at));
                let Some(wide) = self.entries.get(at).filter(|_| !out) else { continue };
                if !self.spend() {
                    return Vec::new();
                }
                if found.contains(&at) || !may(wide) {
                    continue;
                }
                if wide.patterns.get(nth).is_some_and(|one| covers((wide, one), (narrow, written)))
                {
                    found.insert(at);
                }
            }
            if found.is_empty() {
                return Vec::new();
            }
            left = Some(found);
        }
        left.unwrap_or_default().iter().filter_map(|at| self.entries.get(*at)).collect()
    }

    /// Whether one entry covers another; a no if the bound is met.
    pub(super) fn covers(&self, wide: &Entry<'_>, narrow: &Entry<'_>) -> bool {
        let covered = |written: &Written| {
            let mut all = wide.patterns.iter();
            all.any(|one| self.spend() && covers((wide, one), (narrow, written)))
        };
        !narrow.patterns.is_empty() && narrow.patterns.iter().all(covered)
    }

    /// Whether the bound was met: then not every entry was compared.
    pub(super) fn is_spent(&self) -> bool {
        self.left.get() == 0
    }

    fn spend(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0
    }

    fn candidates(&self, kind: Kind, pattern: &Pattern) -> Vec<Place> {
        let words: BTreeSet<String> = pattern.has().into_iter().collect();
        let found = words.into_iter().filter_map(|word| self.by_word.get(&(kind, word)));
        found.chain(self.any.get(&kind)).flatten().copied().collect()
    }
}

/// The same text is the same in the same stance, whatever is made of it.
fn covers((wide, one): (&Entry<'_>, &Written), (narrow, written): (&Entry<'_>, &Written)) -> bool {
    let same = one.text == written.text && wide.effect == narrow.effect;
    same || one.pattern.covers_all_of(&written.pattern)
}
