//! Path patterns, filed by what a path must have: its first components, one component anywhere, how
//! one of them begins or ends.
//!
//! A glob with several literals is filed under the one that fewest others have. A lookup cuts the
//! path once and asks each table at each component, so it costs what the path is deep, not what
//! the policy is long. What has nothing literal (`**/*a*`) lies in `rest` and is always asked.

use super::lane::{Lane, place_hash, same, with_folded};
use super::slot::{Entries, Entry, Facet, Filed, Owner, Slot, Visit};
use super::table::{END_BYTES_MAX, Ends, Hash, Table};
use crate::model::path::{AbsPath, Extent, PathTarget, Real};
use crate::model::truth::Truth;
use crate::policy::pattern::Stance;
use crate::policy::pattern::fold::folded;
use crate::policy::pattern::glob::keys::{Has, Key};
use crate::policy::pattern::path::PathPattern;
use crate::policy::pattern::spelling::loosely;
use std::collections::{BTreeMap, HashMap};

/// The one way in which a key decides for a path pattern: the path has it.
const HAS: Facet = 0;

/// The path patterns of one verb, or of one use of paths.
#[derive(Debug, Default)]
pub(super) struct Paths {
    loosen: Half,
    tighten: Half,
    entries: Entries,
}

/// The patterns of one stance.
#[derive(Debug, Default)]
struct Half {
    /// `**`
    every: Slot,
    /// Every rule once: where nothing is known of the path.
    blind: Slot,
    /// By the first components of a path.
    places: Table<Pair>,
    /// By one component.
    names: Table<Pair>,
    /// By what follows the last dot of one.
    extensions: Table<Pair>,
    heads: Ends<Pair>,
    tails: Ends<Pair>,
    rest: Slot,
    /// By the text before the first wildcard, for trees: in order.
    fixed: Box<[(Box<str>, Entry)]>,
    /// Those that have no such text.
    unfixed: Slot,
}

/// What is found where a key stands before a path's end, and what where it stands at its end.
#[derive(Debug, Clone, Copy, Default)]
struct Pair {
    before_end: Slot,
    at_end: Slot,
}

/// A path target and its written lane, cut once for all layers.
pub(super) struct Target<'a> {
    target: &'a PathTarget,
    written: &'a Lane<'a>,
    /// All its lanes are one, and nothing lies below.
    single: bool,
}

impl<'a> Target<'a> {
    /// The target, its written path cut.
    #[inline]
    pub(super) fn of(target: &'a PathTarget, written: &'a Lane<'a>) -> Target<'a> {
        let single = matches!(&target.real, Real::At(real) if *real == target.written)
            && target.hops.is_empty()
            && target.extent == Extent::Itself;
        Target { target, written, single }
    }

    fn fits_a_pattern(&self) -> bool {
        matches!(self.target.extent, Extent::Fitting(_))
    }
}

impl Paths {
    /// Hands out what may match a target. `covers` asks one pattern about one lane, for those that
    /// tighten; `rules` is how many there are.
    pub(super) fn find<V: Visit>(
        &self,
        target: &Target<'_>,
        rules: usize,
        covers: impl Fn(&Entry, &AbsPath) -> bool,
        visitor: &mut V,
    ) {
        self.loosen(target, visitor);
        self.tighten(target, rules, &covers, visitor);
    }

    /// What loosens must cover every lane, the written one among them.
    fn loosen<V: Visit>(&self, target: &Target<'_>, visitor: &mut V) {
        if target.fits_a_pattern() {
            return;
        }
        let Half { every, .. } = &self.loosen;
        self.entries.visit_all(every, Truth::Yes, visitor);
        let truth = target.single.then_some(Truth::Yes);
        self.loosen.lane(target.written, false, |slot| {
            self.entries.visit(slot, |_| truth, visitor);
        });
    }

    /// What tightens fires on any lane.
    fn tighten<V: Visit>(
        &self,
        target: &Target<'_>,
        rules: usize,
        covers: &impl Fn(&Entry, &AbsPath) -> bool,
        visitor: &mut V,
    ) {
        let half = &self.tighten;
        if half.is_empty() {
            return;
        }
        if target.fits_a_pattern() {
            // Whether two patterns meet, no key tells.
            half.fixed.iter().for_each(|(_, entry)| visitor.ask(entry, None));
            return self.entries.visit(&half.unfixed, |_| None, visitor);
        }
        self.entries.visit_all(&half.every, Truth::Yes, visitor);
        let Target { target, written, single } = target;
        // Of a tree's many lanes, each rule hears of one that it surely names, and of no more.
        let mut seen = match &target.extent {
            Extent::Below(paths) | Extent::Seen(paths) if !paths.is_empty() => vec![false; rules],
            Extent::Itself
            | Extent::Below(_)
            | Extent::Seen(_)
            | Extent::BelowUnknown(_)
            | Extent::Fitting(_) => Vec::new(),
        };
        let mut lane = |cut: &Lane<'_>, path: &AbsPath| {
            self.tighten_lane(cut, path, &mut seen, covers, visitor);
            if let Some(read) = loosely(path.as_str()) {
                self.tighten_lane(&cut_of(&read), path, &mut seen, covers, visitor);
            }
        };
        lane(written, &target.written);
        if *single {
            return;
        }
        let real = match &target.real {
            Real::At(real) => Some(real),
            Real::Unknown(_) => None,
        };
        let below: &[AbsPath] = match &target.extent {
            Extent::Below(paths) | Extent::Seen(paths) => paths,
            Extent::Itself | Extent::BelowUnknown(_) | Extent::Fitting(_) => &[],
        };
        let mut other = Lane::empty();
        for path in real.into_iter().chain(&target.hops).chain(below) {
            other.cut(path.as_str());
            lane(&other, path);
        }
        if real.is_none() {
            self.entries.visit_all(&half.blind, Truth::Maybe, visitor);
        }
        if matches!(target.extent, Extent::Below(_) | Extent::BelowUnknown(_)) {
            for root in std::iter::once(&target.written).chain(real) {
                let mut each = Covering { path: root, seen: &mut seen, covers, visitor };
                half.fixed_below(root).for_each(|entry| each.ask(entry, Some(Truth::Yes)));
            }
        }
        if matches!(target.extent, Extent::BelowUnknown(_)) {
            for entry in half.fixed_above(&target.written) {
                visitor.ask(entry, Some(Truth::Maybe));
            }
            self.entries.visit_all(&half.unfixed, Truth::Maybe, visitor);
        }
    }

    fn tighten_lane<V: Visit>(
        &self,
        cut: &Lane<'_>,
        path: &AbsPath,
        seen: &mut [bool],
        covers: &impl Fn(&Entry, &AbsPath) -> bool,
        visitor: &mut V,
    ) {
        let mut each = Covering { path, seen, covers, visitor };
        self.tighten.lane(cut, true, |slot| {
            self.entries.visit(slot, |_| Some(Truth::Yes), &mut each);
        });
    }

    /// The patterns whose keys one of the target's lanes has, each to be asked: for patterns that
    /// are a part of others.
    pub(super) fn find_candidates<V: Visit>(&self, target: &Target<'_>, visitor: &mut V) {
        let Target { target: path, written, single } = target;
        for (half, fold) in [(&self.loosen, false), (&self.tighten, true)] {
            if half.is_empty() {
                continue;
            }
            let known = matches!(path.real, Real::At(_)) && path.extent == Extent::Itself;
            if fold && !known {
                self.entries.visit(&half.blind, |_| None, visitor);
                continue;
            }
            self.entries.visit(&half.every, |_| None, visitor);
            let mut lane = |cut: &Lane<'_>| {
                half.lane(cut, fold, |slot| self.entries.visit(slot, |_| None, visitor));
            };
            lane(written);
            if !fold {
                continue;
            }
            let real = match &path.real {
                Real::At(real) if !single => Some(real),
                Real::At(_) | Real::Unknown(_) => None,
            };
            for path in real.into_iter().chain(&path.hops) {
                lane(&cut_of(path.as_str()));
            }
            for path in std::iter::once(&path.written).chain(real).chain(&path.hops) {
                if let Some(read) = loosely(path.as_str()) {
                    lane(&cut_of(&read));
                }
            }
        }
    }

    /// Hands out what speaks of a path of which nothing is known (policy language §11.6).
    pub(super) fn find_unknown<V: Visit>(&self, visitor: &mut V) {
        for half in [&self.loosen, &self.tighten] {
            self.entries.visit_all(&half.every, Truth::Yes, visitor);
            self.entries.visit_all(&half.blind, Truth::Maybe, visitor);
        }
    }

    /// The patterns that are asked one by one: always, and at most by one key besides.
    pub(super) fn asked(&self) -> (Vec<&[Entry]>, Vec<&[Entry]>) {
        let halves = [&self.loosen, &self.tighten];
        let always = halves.iter().map(|half| self.entries.asked(&half.rest)).collect();
        let longest = |half: &&Half| self.entries.longest(half.slots());
        (always, halves.iter().map(longest).collect())
    }
}

/// Asks a pattern about one lane, where its key does not decide.
struct Covering<'a, C, V> {
    path: &'a AbsPath,
    /// By rule, for trees only.
    seen: &'a mut [bool],
    covers: &'a C,
    visitor: &'a mut V,
}

impl<C: Fn(&Entry, &AbsPath) -> bool, V: Visit> Visit for Covering<'_, C, V> {
    const EACH: bool = V::EACH;

    fn sure(&mut self, effects: super::Effects, truth: Truth) {
        self.visitor.sure(effects, truth);
    }

    fn ask(&mut self, entry: &Entry, matched: Option<Truth>) {
        let seen = usize::try_from(entry.rule).ok().and_then(|rule| self.seen.get_mut(rule));
        if seen.as_ref().is_some_and(|seen| **seen) {
            return;
        }
        if matched.is_some() || (self.covers)(entry, self.path) {
            if let Some(seen) = seen {
                *seen = true;
            }
            self.visitor.ask(entry, Some(Truth::Yes));
        }
    }
}

impl Half {
    fn is_empty(&self) -> bool {
        self.blind.is_empty()
    }

    /// Each slot that a lane leads to, but for `**`.
    #[inline]
    fn lane(&self, lane: &Lane<'_>, fold: bool, mut found: impl FnMut(&Slot)) {
        if self.is_empty() {
            return;
        }
        let ends = !(self.heads.is_empty() && self.tails.is_empty());
        for step in lane.steps() {
            let at_end = lane.ends_at(step);
            let mut one = |pair: &Pair| found(if at_end { &pair.at_end } else { &pair.before_end });
            let place = |key: &[u8]| same(key, lane.place(step), fold);
            if let Some(pair) = self.places.get(step.place_hash(fold), place) {
                one(pair);
            }
            let name = |key: &[u8]| same(key, lane.component(step), fold);
            if let Some(pair) = self.names.get(step.name_hash(fold), name) {
                one(pair);
            }
            if !self.extensions.is_empty()
                && let Some(extension) = lane.extension(step)
            {
                match fold && !step.is_folded {
                    true => with_folded(str::from_utf8(extension).unwrap_or_default(), |folded| {
                        self.extension(folded, &mut one);
                    }),
                    false => self.extension(extension, &mut one),
                }
            }
            if ends {
                let component = lane.component(step);
                match fold && !step.is_folded {
                    true => with_folded(component, |folded| self.ends(folded, &mut one)),
                    false => self.ends(component.as_bytes(), &mut one),
                }
            }
        }
        found(&self.rest);
    }

    fn extension(&self, extension: &[u8], one: &mut impl FnMut(&Pair)) {
        if let Some(pair) = self.extensions.get(Hash::of(extension), |key| key == extension) {
            one(pair);
        }
    }

    fn ends(&self, component: &[u8], one: &mut impl FnMut(&Pair)) {
        self.heads.each(component, &mut *one);
        self.tails.each(component, one);
    }

    /// What has its fixed part strictly below this directory.
    fn fixed_below(&self, root: &AbsPath) -> impl Iterator<Item = &Entry> {
        let text = root.as_str();
        let prefix = if text == "/" { "/".to_owned() } else { format!("{text}/") };
        let from = self.fixed.partition_point(|(fixed, _)| **fixed < *prefix);
        let after = self.fixed.get(from..).unwrap_or_default().iter();
        after
            .take_while(move |(fixed, _)| fixed.starts_with(&*prefix))
            .filter(move |(fixed, _)| **fixed != *text)
            .map(|(_, entry)| entry)
    }

    /// What has this path, or a directory above it, as its fixed part.
    fn fixed_above(&self, path: &AbsPath) -> impl Iterator<Item = &Entry> {
        let text = path.as_str();
        let ends = text.match_indices('/').map(|(at, _)| at).skip(1).chain([text.len()]);
        let places = ends.filter_map(|end| text.get(..end)).filter(|place| *place != "/");
        std::iter::once("/").chain(places).flat_map(|place| {
            let from = self.fixed.partition_point(|(fixed, _)| **fixed < *place);
            let after = self.fixed.get(from..).unwrap_or_default().iter();
            after.take_while(move |(fixed, _)| **fixed == *place).map(|(_, entry)| entry)
        })
    }

    fn slots(&self) -> impl Iterator<Item = Slot> {
        let tables =
            self.places.values().chain(self.names.values()).chain(self.extensions.values());
        let pairs = tables.chain(self.heads.values()).chain(self.tails.values());
        pairs.flat_map(|pair| [pair.before_end, pair.at_end])
    }
}

fn cut_of(text: &str) -> Lane<'_> {
    let mut lane = Lane::empty();
    lane.cut(text);
    lane
}

/// Collects path patterns.
#[derive(Default)]
pub(super) struct Filing {
    loosen: HalfFiling,
    tighten: HalfFiling,
}

#[derive(Default)]
struct HalfFiling {
    every: Vec<Filed>,
    blind: Vec<Filed>,
    globs: Vec<Glob>,
    fixed: Vec<(Box<str>, Entry)>,
    unfixed: Vec<Filed>,
}

/// One glob and all that finds it.
struct Glob {
    owner: Owner,
    pattern: usize,
    keys: Vec<Key>,
}

impl Filing {
    /// Files one pattern of a rule.
    pub(super) fn add(&mut self, owner: Owner, place: usize, pattern: &PathPattern) {
        let fold = pattern.stance() == Stance::Tighten;
        let half = if fold { &mut self.tighten } else { &mut self.loosen };
        if pattern.is_everything() {
            half.every.push(owner.files(place, Some(HAS)));
            return;
        }
        for (mut keys, fixed) in pattern.keys() {
            if fold {
                keys.iter_mut().for_each(|key| fold_text(&mut key.has));
            }
            match fixed {
                _ if !fold => {}
                Some(fixed) => {
                    half.fixed.push((fixed.as_str().into(), owner.files(place, None).entry()));
                }
                None => half.unfixed.push(owner.files(place, Some(HAS))),
            }
            half.globs.push(Glob { owner, pattern: place, keys });
        }
    }

    /// Notes that such a rule, or pattern, speaks where nothing is known.
    pub(super) fn add_blind(&mut self, owner: Owner, place: usize, stance: Stance) {
        let half = match stance {
            Stance::Loosen => &mut self.loosen,
            Stance::Tighten => &mut self.tighten,
        };
        half.blind.push(owner.files(place, Some(HAS)));
    }

    pub(super) fn seal(self) -> Paths {
        let mut entries = Entries::default();
        let loosen = self.loosen.seal(&mut entries);
        let tighten = self.tighten.seal(&mut entries);
        Paths { loosen, tighten, entries: entries.sealed() }
    }
}

/// Denies are filed without case.
fn fold_text(has: &mut Has) {
    let (Has::Place(text) | Has::Name(text) | Has::Head(text) | Has::Tail(text)) = has;
    *text = text.chars().map(folded).collect();
}

/// What is filed under one key, by where in the path it must stand.
#[derive(Default)]
struct PairFiling {
    before_end: Vec<Filed>,
    at_end: Vec<Filed>,
}

impl HalfFiling {
    fn seal(self, entries: &mut Entries) -> Half {
        let mut common: HashMap<&Has, usize> = HashMap::new();
        for key in self.globs.iter().flat_map(|glob| &glob.keys) {
            *common.entry(&key.has).or_default() += 1;
        }
        let mut places: HashMap<Vec<u8>, PairFiling> = HashMap::new();
        let mut names: HashMap<Vec<u8>, PairFiling> = HashMap::new();
        let mut extensions: HashMap<Vec<u8>, PairFiling> = HashMap::new();
        let mut heads: BTreeMap<Vec<u8>, PairFiling> = BTreeMap::new();
        let mut tails: BTreeMap<Vec<u8>, PairFiling> = BTreeMap::new();
        let mut rest = Vec::new();
        for Glob { owner, pattern, keys } in &self.globs {
            // Of two that are as rare, the one that is looked up with less work.
            let Some(key) = keys.iter().min_by_key(|key| (common.get(&key.has), work(&key.has)))
            else {
                rest.push(owner.files(*pattern, None));
                continue;
            };
            let mut enough = key.enough;
            let pair = match &key.has {
                Has::Place(place) => places.entry(place.clone().into()).or_default(),
                Has::Name(name) => names.entry(name.clone().into()).or_default(),
                Has::Head(head) => {
                    let head = head.as_bytes();
                    enough &= head.len() <= END_BYTES_MAX;
                    let cut = head.get(..END_BYTES_MAX).unwrap_or(head);
                    heads.entry(cut.to_vec()).or_default()
                }
                Has::Tail(tail) => match tail.rsplit_once('.') {
                    Some((before, extension)) => {
                        enough &= before.is_empty();
                        extensions.entry(extension.into()).or_default()
                    }
                    None => {
                        let tail = tail.as_bytes();
                        enough &= tail.len() <= END_BYTES_MAX;
                        let from = tail.len().saturating_sub(END_BYTES_MAX);
                        tails.entry(tail.get(from..).unwrap_or(tail).to_vec()).or_default()
                    }
                },
            };
            let filed = owner.files(*pattern, enough.then_some(HAS));
            if key.before_end {
                pair.before_end.push(filed);
            }
            if key.at_end {
                pair.at_end.push(filed);
            }
        }
        let mut fixed = self.fixed;
        fixed.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut pair = |(key, filing): (Vec<u8>, PairFiling)| (key, filing.seal(entries));
        let places: Vec<_> = places.into_iter().map(&mut pair).collect();
        let names: Vec<_> = names.into_iter().map(&mut pair).collect();
        let extensions: Vec<_> = extensions.into_iter().map(&mut pair).collect();
        let heads = heads.into_iter().map(&mut pair).collect();
        let tails = tails.into_iter().map(&mut pair).collect();
        Half {
            every: entries.slot(&self.every),
            blind: entries.slot(&self.blind),
            places: Table::of(places.into_iter(), place_hash),
            names: Table::of(names.into_iter(), Hash::of),
            extensions: Table::of(extensions.into_iter(), Hash::of),
            heads: Ends::of(heads, false),
            tails: Ends::of(tails, true),
            rest: entries.slot(&rest),
            fixed: fixed.into(),
            unfixed: entries.slot(&self.unfixed),
        }
    }
}

impl PairFiling {
    fn seal(self, entries: &mut Entries) -> Pair {
        let before_end = entries.slot(&self.before_end);
        Pair { before_end, at_end: entries.slot(&self.at_end) }
    }
}

fn work(has: &Has) -> u8 {
    match has {
        Has::Place(_) => 0,
        Has::Name(_) => 1,
        Has::Tail(tail) if tail.contains('.') => 2,
        Has::Head(_) => 3,
        Has::Tail(_) => 4,
    }
}
