//! One rule, asked of one access: yes, no or maybe.
//!
//! This is what `match`, `unless` and `when` mean, and the only place that says so: the decision,
//! examples and `explain` all ask here. The decision asks one pattern of a rule, which the index
//! found; the strongest of those is what the whole rule says. The oracle says it once more, in the
//! words of the law, so that this page can be held against it.

use super::{condition, lanes};
use crate::model::access::{Access, Certainty, Command, Target, Verb};
use crate::model::effect::Effect;
use crate::model::facts::Facts;
use crate::model::path::AbsPath;
use crate::model::truth::Truth;
use crate::policy::index::{Any, Entry, Probe, Rules};
use crate::policy::pattern::Stance;
use crate::policy::pattern::call::CallPattern;
use crate::policy::pattern::connect::ConnectPattern;
use crate::policy::pattern::exec::{ExecPattern, Writable};
use crate::policy::pattern::path::PathPattern;
use crate::policy::rule::{Rule, Scope, Targets};

/// What an access is asked with, besides the rule.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    /// The call, its accesses (a pipe names its feeders by index), and the session.
    pub(super) facts: &'a Facts,
    /// The roots below which no program is trusted.
    pub(super) writable: &'a Writable,
}

/// What a rule answers to an access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    /// Whether its `match` names the access: then its layer has spoken, if it is an allow.
    pub(super) covers: Truth,
    /// Whether the rule speaks: `match`, less `unless`, with `when`.
    pub(super) truth: Truth,
}

impl Asked {
    pub(super) const SILENT: Asked = Asked { covers: Truth::No, truth: Truth::No };

    /// The stronger of what two patterns of one rule come to.
    pub(super) fn or(self, other: Asked) -> Asked {
        Asked { covers: self.covers.or(other.covers), truth: self.truth.or(other.truth) }
    }
}

/// Asks the rule. One that has ended by itself says nothing.
pub(super) fn ask(rule: &Rule, access: &Access, context: &Context<'_>) -> Asked {
    let matched = strongest(&rule.scope.targets, Which::Match, access, context);
    let excepted = || strongest(&rule.scope.targets, Which::Unless, access, context);
    conclude(rule, matched, excepted, access, context)
}

/// Asks a rule that the index found by one of its patterns. `matched` is how surely that pattern
/// matches, if the index knows.
pub(super) fn ask_found(
    rules: &Rules,
    rule: &Rule,
    entry: &Entry,
    matched: Option<Truth>,
    (access, probe): (&Access, &Probe<'_>),
    context: &Context<'_>,
) -> Asked {
    let targets = &rule.scope.targets;
    let one = |which| strongest(targets, which, access, context);
    let matched = matched.unwrap_or_else(|| one(Which::OneMatch(entry.pattern)));
    let excepted = || {
        let matches = |entry: &Entry| one(Which::OneUnless(entry.pattern));
        let mut any = Any { truth: Truth::No, matches };
        let by_index = !access.is_of_pattern();
        match by_index && rules.find_exceptions(entry.rule, probe, &mut any) {
            true => any.truth,
            false => one(Which::Unless),
        }
    };
    conclude(rule, matched, excepted, access, context)
}

/// Whether `match` names the access, and whether it does so less `unless`.
pub(super) fn ask_scope(scope: &Scope, access: &Access, context: &Context<'_>) -> (Truth, Truth) {
    let named = strongest(&scope.targets, Which::Match, access, context);
    let matched = happens(named, access, None);
    let excepted = || strongest(&scope.targets, Which::Unless, access, context);
    (matched, except(scope, matched, excepted, access, context))
}

/// What one pattern of a rule says by itself: of its `match`, or of its `unless`.
pub(super) fn ask_pattern(
    scope: &Scope,
    place: u32,
    excepts: bool,
    access: &Access,
    context: &Context<'_>,
) -> Truth {
    let which = if excepts { Which::OneUnless(place) } else { Which::OneMatch(place) };
    strongest(&scope.targets, which, access, context)
}

/// What a rule says of an access that its `match` names so surely.
fn conclude(
    rule: &Rule,
    matched: Truth,
    excepted: impl FnOnce() -> Truth,
    access: &Access,
    context: &Context<'_>,
) -> Asked {
    if rule.has_lapsed(context.facts.session.now) {
        return Asked::SILENT;
    }
    let covers = happens(matched, access, rule.effect());
    let truth = except(&rule.scope, covers, excepted, access, context);
    if truth == Truth::No {
        return Asked { covers, truth };
    }
    let held = condition::hold(&rule.when, context.facts, Some(access));
    Asked { covers, truth: truth.and(held) }
}

/// A match of what may not happen at all is a maybe. But a tool that nothing describes is called
/// all the same: the rules on it count as ever. And an allow that surely names the target lets it
/// through whether it happens or not; whether all was seen that may happen is asked of the command.
pub(super) fn happens(matched: Truth, access: &Access, effect: Option<Effect>) -> Truth {
    match (&access.certainty, effect) {
        // What a pattern may name, there or not, is only there for asks and denies.
        (_, Some(Effect::Allow) | None) if access.is_of_pattern() => Truth::No,
        _ if matches!(access.target, Target::Call(_)) => matched,
        (Certainty::Certain, _) | (Certainty::Possible(_), Some(Effect::Allow)) => matched,
        (Certainty::Possible(_) | Certainty::Suspected(_), _) => matched.doubted(),
    }
}

/// In what tightens, an exception excepts only on yes; in what loosens, on yes or maybe (policy
/// language §11.3).
fn except(
    scope: &Scope,
    matched: Truth,
    excepted: impl FnOnce() -> Truth,
    access: &Access,
    context: &Context<'_>,
) -> Truth {
    if matched == Truth::No {
        return matched;
    }
    let silenced = match scope.stance {
        Stance::Loosen => excepted().possible(),
        Stance::Tighten => {
            excepted() == Truth::Yes || excepted_apart(&scope.targets, access, context)
        }
    };
    if silenced { Truth::No } else { matched }
}

/// Whether every way of looking at a path that matched is itself excepted.
fn excepted_apart(targets: &Targets, access: &Access, context: &Context<'_>) -> bool {
    let Targets::Paths { matches, unless, .. } = targets else { return false };
    if unless.is_empty() {
        return false;
    }
    let names = |path: &AbsPath| matches.iter().any(|pattern| pattern.covers(path));
    let ways = lanes::apart_with_its_tree(access, names);
    let is_excepted = |way: &Access| {
        !strongest(targets, Which::Match, way, context).possible()
            || strongest(targets, Which::Unless, way, context) == Truth::Yes
    };
    !ways.is_empty() && ways.iter().all(is_excepted)
}

/// Which patterns of a rule are asked.
#[derive(Clone, Copy)]
enum Which {
    Match,
    Unless,
    /// One of either.
    OneMatch(u32),
    OneUnless(u32),
}

impl Which {
    fn of<'a, P>(self, matches: &'a [P], unless: &'a [P]) -> &'a [P] {
        let one = |list: &'a [P], place: u32| {
            let place = usize::try_from(place).unwrap_or(usize::MAX);
            list.get(place).map(std::slice::from_ref).unwrap_or_default()
        };
        match self {
            Which::Match => matches,
            Which::Unless => unless,
            Which::OneMatch(place) => one(matches, place),
            Which::OneUnless(place) => one(unless, place),
        }
    }
}

/// The strongest answer of these patterns.
fn strongest(targets: &Targets, which: Which, access: &Access, context: &Context<'_>) -> Truth {
    match (targets, &access.target) {
        (_, Target::Unknown { verb, .. }) => unknown(targets, which, *verb),
        (Targets::Paths { verbs, matches, unless }, Target::Read(path) | Target::Write(path)) => {
            match verbs.contains(&access.target.verb()) {
                true => any(which.of(matches, unless), |pattern| pattern.matches(path)),
                false => Truth::No,
            }
        }
        (Targets::Exec { matches, unless }, Target::Exec(command)) => {
            any(which.of(matches, unless), |pattern| {
                let feeders = || feeders(command, &context.facts.accesses);
                pattern.matches(command, feeders, context.writable)
            })
        }
        (Targets::Connect { matches, unless }, Target::Connect(to)) => {
            any(which.of(matches, unless), |pattern| pattern.matches(to))
        }
        (Targets::Call { matches, unless }, Target::Call(tool)) => {
            any(which.of(matches, unless), |pattern| pattern.matches(tool))
        }
        (_, Target::Read(_) | Target::Write(_) | Target::Exec(_)) => Truth::No,
        (_, Target::Connect(_) | Target::Call(_)) => Truth::No,
    }
}

fn any<P>(patterns: &[P], asks: impl Fn(&P) -> Truth) -> Truth {
    let mut answer = Truth::No;
    for pattern in patterns {
        answer = answer.or(asks(pattern));
        if answer == Truth::Yes {
            break;
        }
    }
    answer
}

/// A target that is not known is covered by `**` alone; any other pattern may name it (§11.6).
fn unknown(targets: &Targets, which: Which, verb: Verb) -> Truth {
    fn named<P>(patterns: &[P], everything: fn(&P) -> bool) -> Truth {
        match patterns.iter().any(everything) {
            true => Truth::Yes,
            false if patterns.is_empty() => Truth::No,
            false => Truth::Maybe,
        }
    }
    match (targets, verb) {
        (Targets::Paths { verbs, matches, unless }, _) if verbs.contains(&verb) => {
            named(which.of(matches, unless), PathPattern::is_everything)
        }
        (Targets::Exec { matches, unless }, Verb::Exec) => {
            named(which.of(matches, unless), ExecPattern::is_everything)
        }
        (Targets::Connect { matches, unless }, Verb::Connect) => {
            named(which.of(matches, unless), ConnectPattern::is_everything)
        }
        (Targets::Call { matches, unless }, Verb::Call) => {
            named(which.of(matches, unless), CallPattern::is_everything)
        }
        (Targets::Paths { .. } | Targets::Exec { .. }, _) => Truth::No,
        (Targets::Connect { .. } | Targets::Call { .. }, _) => Truth::No,
        (Targets::Output { .. }, _) => Truth::No,
    }
}

fn feeders<'a>(
    command: &'a Command,
    accesses: &'a [Access],
) -> impl Iterator<Item = &'a Command> + 'a {
    command.fed_by.iter().filter_map(|index| match accesses.get(*index).map(|a| &a.target) {
        Some(Target::Exec(feeder)) => Some(feeder),
        Some(_) | None => None,
    })
}
