//! One rule, asked of one access: yes, no or maybe.
//!
//! This is what `match`, `unless` and `when` mean, and the only place that says so: the decision,
//! the oracle, examples and `explain` all ask here.

use super::condition;
use crate::model::access::{Access, Certainty, Command, Target, Verb};
use crate::model::facts::Facts;
use crate::model::truth::Truth;
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

const SILENT: Asked = Asked { covers: Truth::No, truth: Truth::No };

/// Asks the rule. One that has ended by itself says nothing.
pub(super) fn ask(rule: &Rule, access: &Access, context: &Context<'_>) -> Asked {
    if rule.has_lapsed(context.facts.session.now) {
        return SILENT;
    }
    let (covers, truth) = ask_scope(&rule.scope, access, context);
    if truth == Truth::No {
        return Asked { covers, truth };
    }
    let held = condition::hold(&rule.when, context.facts, Some(access));
    Asked { covers, truth: truth.and(held) }
}

/// Whether `match` names the access, and whether it does so less `unless`. In what tightens, an
/// exception excepts only on yes; in what loosens, on yes or maybe (policy language §11.3).
pub(super) fn ask_scope(scope: &Scope, access: &Access, context: &Context<'_>) -> (Truth, Truth) {
    let (matched, excepted) = targets(&scope.targets, access, context);
    let (matched, excepted) = match &access.certainty {
        // A tool that nothing describes is called all the same; the rules on it count as ever.
        _ if matches!(access.target, Target::Call(_)) => (matched, excepted),
        Certainty::Certain => (matched, excepted),
        Certainty::Possible(_) | Certainty::Suspected(_) => (matched.doubted(), excepted),
    };
    let silenced = match scope.stance {
        Stance::Loosen => excepted.possible(),
        Stance::Tighten => excepted == Truth::Yes,
    };
    (matched, if silenced { Truth::No } else { matched })
}

/// What `match` and `unless` say, each for itself.
pub(super) fn targets(targets: &Targets, access: &Access, context: &Context<'_>) -> (Truth, Truth) {
    const NO: (Truth, Truth) = (Truth::No, Truth::No);
    match (targets, &access.target) {
        (_, Target::Unknown { verb, .. }) => unknown(targets, *verb),
        (Targets::Paths { verbs, matches, unless }, Target::Read(path)) => {
            match verbs.contains(&Verb::Read) {
                true => both(matches, unless, |pattern| pattern.matches(path)),
                false => NO,
            }
        }
        (Targets::Paths { verbs, matches, unless }, Target::Write(path)) => {
            match verbs.contains(&Verb::Write) {
                true => both(matches, unless, |pattern| pattern.matches(path)),
                false => NO,
            }
        }
        (Targets::Exec { matches, unless }, Target::Exec(command)) => {
            both(matches, unless, |pattern| {
                let feeders = || feeders(command, &context.facts.accesses);
                pattern.matches(command, feeders, context.writable)
            })
        }
        (Targets::Connect { matches, unless }, Target::Connect(to)) => {
            both(matches, unless, |pattern| pattern.matches(to))
        }
        (Targets::Call { matches, unless }, Target::Call(tool)) => {
            both(matches, unless, |pattern| pattern.matches(tool))
        }
        (_, Target::Read(_) | Target::Write(_) | Target::Exec(_)) => NO,
        (_, Target::Connect(_) | Target::Call(_)) => NO,
    }
}

/// The strongest answer of each list; the exceptions are asked only where they could matter.
fn both<P>(matches: &[P], unless: &[P], asks: impl Fn(&P) -> Truth) -> (Truth, Truth) {
    let strongest = |patterns: &[P]| {
        let mut answer = Truth::No;
        for pattern in patterns {
            answer = answer.or(asks(pattern));
            if answer == Truth::Yes {
                break;
            }
        }
        answer
    };
    match strongest(matches) {
        Truth::No => (Truth::No, Truth::No),
        matched => (matched, strongest(unless)),
    }
}

/// A target that is not known is covered by `**` alone; any other pattern may name it (§11.6).
fn unknown(targets: &Targets, verb: Verb) -> (Truth, Truth) {
    fn named<P>(patterns: &[P], everything: fn(&P) -> bool) -> Truth {
        match patterns.iter().any(everything) {
            true => Truth::Yes,
            false if patterns.is_empty() => Truth::No,
            false => Truth::Maybe,
        }
    }
    fn of<P>(matches: &[P], unless: &[P], everything: fn(&P) -> bool) -> (Truth, Truth) {
        (named(matches, everything), named(unless, everything))
    }
    match (targets, verb) {
        (Targets::Paths { verbs, matches, unless }, _) if verbs.contains(&verb) => {
            of(matches, unless, PathPattern::is_everything)
        }
        (Targets::Exec { matches, unless }, Verb::Exec) => {
            of(matches, unless, ExecPattern::is_everything)
        }
        (Targets::Connect { matches, unless }, Verb::Connect) => {
            of(matches, unless, ConnectPattern::is_everything)
        }
        (Targets::Call { matches, unless }, Verb::Call) => {
            of(matches, unless, CallPattern::is_everything)
        }
        (Targets::Paths { .. } | Targets::Exec { .. }, _) => (Truth::No, Truth::No),
        (Targets::Connect { .. } | Targets::Call { .. }, _) => (Truth::No, Truth::No),
        (Targets::Output { .. }, _) => (Truth::No, Truth::No),
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
