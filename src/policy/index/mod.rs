//! The rules of a layer, filed by what is literal in their patterns.
//!
//! A lookup hands out every rule that can say yes or maybe to a target, and of the others few; what
//! it costs does not grow with the rules that are filed elsewhere. Where the key alone decides (a
//! whole tool name, a directory, `**/*.pem`, `git push ...`, a host) and the rule has no condition,
//! exception or limit, nothing of the rule is read: its effect lies combined with the others' in
//! the slot. Each verb's file says what of it is filed how, and what is always asked; beside that:
//!
//! - A target that is not known at all is spoken of by every rule of its verb. The plain ones are
//!   combined beforehand, the others are asked one by one. So it is with denies of paths where a
//!   path's links cannot be followed.
//! - A tree is looked up path by path, and asks each rule at most once. Trees, and paths of more
//!   than 16 components, are the only targets that a lookup allocates for.
//! - A rule with many exceptions has an index of them.
//!
//! The engine asks here, and `engine/oracle.rs` never does: the two are held equal.

mod call;
mod connect;
mod cost;
mod exec;
mod lane;
mod path;
mod slot;
mod table;

use super::pattern::Stance;
use super::pattern::exec::Writable;
use super::pattern::path::PathPattern;
use super::rule::{Rule, Targets};
use crate::model::access::{Target, Verb};
use crate::model::call::ToolName;
use crate::model::effect::Effect;
use crate::model::path::{AbsPath, PathTarget};
use crate::model::truth::Truth;
use crate::model::url::{Destination, Network};
use slot::Owner;

pub use cost::Cost;
pub use lane::Lane;
pub use slot::{Effects, Entry, Visit};

/// Exceptions of a rule that are asked one by one; more have an index.
const EXCEPTIONS_MAX: usize = 16;

/// Rules with their index, which is made with them and so is always theirs.
#[derive(Debug, Default)]
pub struct Rules {
    all: Vec<Rule>,
    index: Index,
    /// The exceptions of rules that have many, by the rule's place; in order.
    exceptions: Vec<(u32, Index)>,
    /// The rules that mark or unmark a session, by place.
    marking: Vec<u32>,
    /// The rules on output, by place.
    output: Vec<u32>,
    keeps_state: bool,
}

/// The patterns of some rules, by verb.
#[derive(Debug, Default)]
struct Index {
    read: path::Paths,
    write: path::Paths,
    exec: exec::Exec,
    connect: connect::Connect,
    call: call::Call,
}

/// A target, cut into what an index is asked for: once for all layers.
pub struct Probe<'a>(Kind<'a>);

enum Kind<'a> {
    Read(path::Target<'a>),
    Write(path::Target<'a>),
    Exec(exec::Target<'a>),
    Network(&'a Network),
    Socket(path::Target<'a>),
    Call(&'a ToolName),
    Unknown(Verb),
}

impl<'a> Probe<'a> {
    /// Of a target, whose path is cut already if it has one ([`Lane::path_of`]): it counts as not
    /// known else. `writable` are the roots below which no program is trusted.
    #[inline]
    #[must_use]
    pub fn of(target: &'a Target, writable: &Writable, lane: Option<&'a Lane<'a>>) -> Probe<'a> {
        Probe(match (target, lane) {
            (Target::Read(path), Some(lane)) => Kind::Read(path::Target::of(path, lane)),
            (Target::Write(path), Some(lane)) => Kind::Write(path::Target::of(path, lane)),
            (Target::Exec(command), _) if command.program.file.is_none() || lane.is_some() => {
                Kind::Exec(exec::Target::of(command, writable, lane))
            }
            (Target::Connect(Destination::Network(to)), _) => Kind::Network(to),
            (Target::Connect(Destination::Unix(path)), Some(lane)) => {
                Kind::Socket(path::Target::of(path, lane))
            }
            (Target::Call(tool), _) => Kind::Call(tool),
            (Target::Unknown { .. } | Target::Read(_) | Target::Write(_) | Target::Exec(_), _)
            | (Target::Connect(Destination::Unix(_)), None) => Kind::Unknown(target.verb()),
        })
    }
}

impl From<Vec<Rule>> for Rules {
    fn from(all: Vec<Rule>) -> Rules {
        let numbered = || (0_u32..).zip(&all);
        let deciding = numbered().filter_map(|(place, rule)| {
            let effect = rule.effect()?;
            let plain = rule.is_plain().then_some(effect);
            let owner = Owner { rule: place, plain, shadow: rule.shadow };
            Some((owner, rule.scope.stance, Which::Match, &rule.scope.targets))
        });
        let index = Index::of(deciding);
        let excepting = |(place, rule): (u32, &Rule)| {
            let many = rule.effect().is_some() && rule.scope.targets.unless() > EXCEPTIONS_MAX;
            // Which effect it is does not matter: only that it is one.
            let owner = Owner { rule: place, plain: Some(Effect::Allow), shadow: false };
            let scope = (owner, rule.scope.stance.other(), Which::Unless, &rule.scope.targets);
            many.then(|| (place, Index::of(std::iter::once(scope))))
        };
        let exceptions = numbered().filter_map(excepting).collect();
        let places = |wanted: fn(&Rule) -> bool| {
            numbered().filter(|(_, rule)| wanted(rule)).map(|(place, _)| place).collect()
        };
        let marking = places(|rule| !rule.marks.is_empty());
        let output = places(|rule| matches!(rule.scope.targets, Targets::Output { .. }));
        let keeps_state = all.iter().any(Rule::keeps_state);
        Rules { index, exceptions, marking, output, keeps_state, all }
    }
}

impl Rules {
    /// Hands out every rule that can say yes or maybe to a target.
    pub fn find<V: Visit>(&self, probe: &Probe<'_>, visitor: &mut V) {
        let covers = |entry: &Entry, lane: &AbsPath| {
            let rule = self.at(entry.rule);
            let pattern = rule.and_then(|rule| rule.scope.targets.path(entry, Which::Match));
            pattern.is_none_or(|pattern| pattern.covers(lane))
        };
        self.index.find(probe, self.all.len(), covers, visitor);
    }

    /// The same of the exceptions of one rule, if it has so many that they have an index.
    #[must_use]
    pub fn find_exceptions<V: Visit>(
        &self,
        place: u32,
        probe: &Probe<'_>,
        visitor: &mut V,
    ) -> bool {
        let Ok(at) = self.exceptions.binary_search_by_key(&place, |(place, _)| *place) else {
            return false;
        };
        let Some((_, index)) = self.exceptions.get(at) else { return false };
        let rule = self.at(place);
        let covers = |entry: &Entry, lane: &AbsPath| {
            let pattern = rule.and_then(|rule| rule.scope.targets.path(entry, Which::Unless));
            pattern.is_none_or(|pattern| pattern.covers(lane))
        };
        index.find(probe, self.all.len(), covers, visitor);
        true
    }

    /// The rule at this place.
    #[must_use]
    pub fn at(&self, place: u32) -> Option<&Rule> {
        self.all.get(usize::try_from(place).ok()?)
    }

    /// Those that mark or unmark a session.
    pub fn marking(&self) -> impl Iterator<Item = &Rule> {
        self.marking.iter().filter_map(|place| self.at(*place))
    }

    /// Those on output.
    pub fn output(&self) -> impl Iterator<Item = &Rule> {
        self.output.iter().filter_map(|place| self.at(*place))
    }

    /// Whether any reads or changes the session's labels or counts.
    #[must_use]
    pub fn keep_state(&self) -> bool {
        self.keeps_state
    }
}

impl std::ops::Deref for Rules {
    type Target = [Rule];

    fn deref(&self) -> &[Rule] {
        &self.all
    }
}

impl<'a> IntoIterator for &'a Rules {
    type Item = &'a Rule;
    type IntoIter = std::slice::Iter<'a, Rule>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.iter()
    }
}

/// Which of a rule's lists is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Match,
    Unless,
}

impl Targets {
    /// How many exceptions there are.
    fn unless(&self) -> usize {
        match self {
            Targets::Paths { unless, .. } => unless.len(),
            Targets::Exec { unless, .. } => unless.len(),
            Targets::Connect { unless, .. } => unless.len(),
            Targets::Call { unless, .. } => unless.len(),
            Targets::Output { .. } => 0,
        }
    }

    /// The path pattern of an entry, that of a socket too.
    fn path(&self, entry: &Entry, which: Which) -> Option<&PathPattern> {
        let place = usize::try_from(entry.pattern).ok()?;
        match (self, which) {
            (Targets::Paths { matches: list, .. }, Which::Match)
            | (Targets::Paths { unless: list, .. }, Which::Unless) => list.get(place),
            (Targets::Connect { matches: list, .. }, Which::Match)
            | (Targets::Connect { unless: list, .. }, Which::Unless) => list.get(place)?.socket(),
            (Targets::Exec { .. } | Targets::Call { .. } | Targets::Output { .. }, _) => None,
        }
    }
}

impl Index {
    /// Files the patterns of these, asked in this stance.
    fn of<'a>(scopes: impl Iterator<Item = (Owner, Stance, Which, &'a Targets)>) -> Index {
        let (mut read, mut write) = (path::Filing::default(), path::Filing::default());
        let mut exec = exec::Filing::default();
        let mut connect = connect::Filing::default();
        let mut call = call::Filing::default();
        for (owner, stance, which, targets) in scopes {
            match (targets, which) {
                (Targets::Paths { verbs, matches: list, .. }, Which::Match)
                | (Targets::Paths { verbs, unless: list, .. }, Which::Unless) => {
                    for (verb, filing) in [(Verb::Read, &mut read), (Verb::Write, &mut write)] {
                        if verbs.contains(&verb) && !list.is_empty() {
                            filing.add_blind(owner, 0, stance);
                            each(list, |place, pattern| filing.add(owner, place, pattern));
                        }
                    }
                }
                (Targets::Exec { matches: list, .. }, Which::Match)
                | (Targets::Exec { unless: list, .. }, Which::Unless) => {
                    if !list.is_empty() {
                        exec.add_blind(owner);
                        each(list, |place, pattern| exec.add(owner, place, pattern));
                    }
                }
                (Targets::Connect { matches: list, .. }, Which::Match)
                | (Targets::Connect { unless: list, .. }, Which::Unless) => {
                    if !list.is_empty() {
                        connect.add_blind(owner);
                        each(list, |place, pattern| connect.add(owner, place, pattern));
                    }
                }
                (Targets::Call { matches: list, .. }, Which::Match)
                | (Targets::Call { unless: list, .. }, Which::Unless) => {
                    if !list.is_empty() {
                        call.add_blind(owner);
                        each(list, |place, pattern| call.add(owner, place, pattern));
                    }
                }
                (Targets::Output { .. }, _) => {}
            }
        }
        Index {
            read: read.seal(),
            write: write.seal(),
            exec: exec.seal(),
            connect: connect.seal(),
            call: call.seal(),
        }
    }

    fn find<V: Visit>(
        &self,
        probe: &Probe<'_>,
        rules: usize,
        covers: impl Fn(&Entry, &AbsPath) -> bool,
        visitor: &mut V,
    ) {
        match &probe.0 {
            Kind::Read(path) => self.read.find(path, rules, covers, visitor),
            Kind::Write(path) => self.write.find(path, rules, covers, visitor),
            Kind::Exec(command) => self.exec.find(command, visitor),
            Kind::Network(to) => self.connect.find(to, visitor),
            Kind::Socket(path) => self.connect.find_socket(path, rules, covers, visitor),
            Kind::Call(tool) => self.call.find(tool, visitor),
            Kind::Unknown(Verb::Read) => self.read.find_unknown(visitor),
            Kind::Unknown(Verb::Write) => self.write.find_unknown(visitor),
            Kind::Unknown(Verb::Exec) => self.exec.find_unknown(visitor),
            Kind::Unknown(Verb::Connect) => self.connect.find_unknown(visitor),
            Kind::Unknown(Verb::Call) => self.call.find_unknown(visitor),
        }
    }
}

fn each<'a, P>(list: &'a [P], mut file: impl FnMut(usize, &'a P)) {
    list.iter().enumerate().for_each(|(place, pattern)| file(place, pattern));
}

/// Paths that something may lie below, of patterns that tighten, with their index.
#[derive(Debug, Default)]
pub struct PathSet {
    patterns: Vec<PathPattern>,
    paths: path::Paths,
}

impl From<Vec<PathPattern>> for PathSet {
    fn from(patterns: Vec<PathPattern>) -> PathSet {
        let mut filing = path::Filing::default();
        let owner = Owner { rule: 0, plain: Some(Effect::Allow), shadow: false };
        each(&patterns, |place, pattern| {
            filing.add_blind(owner, place, pattern.stance());
            filing.add(owner, place, pattern);
        });
        PathSet { paths: filing.seal(), patterns }
    }
}

impl PathSet {
    /// Whether some pattern says yes or maybe to the target.
    #[must_use]
    pub fn may_cover(&self, target: &PathTarget) -> bool {
        if self.patterns.is_empty() {
            return false;
        }
        let pattern = |entry: &Entry| self.patterns.get(usize::try_from(entry.pattern).ok()?);
        let covers =
            |entry: &Entry, lane: &AbsPath| pattern(entry).is_some_and(|it| it.covers(lane));
        let matches = |entry: &Entry| pattern(entry).map_or(Truth::No, |it| it.matches(target));
        let mut any = Any { truth: Truth::No, matches };
        let mut lane = Lane::empty();
        lane.cut(target.written.as_str());
        self.paths.find(&path::Target::of(target, &lane), 1, covers, &mut any);
        any.truth.possible()
    }
}

/// Hears the strongest answer of patterns.
pub struct Any<M> {
    /// The answer.
    pub truth: Truth,
    /// Asks one pattern.
    pub matches: M,
}

impl<M: Fn(&Entry) -> Truth> Visit for Any<M> {
    const EACH: bool = false;

    fn sure(&mut self, _: Effects, truth: Truth) {
        self.truth = self.truth.or(truth);
    }

    fn ask(&mut self, entry: &Entry, matched: Option<Truth>) {
        if self.truth != Truth::Yes {
            self.truth = self.truth.or(matched.unwrap_or_else(|| (self.matches)(entry)));
        }
    }
}

#[cfg(test)]
mod tests;
