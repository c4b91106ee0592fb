//! One access against the rules of one layer.

use crate::model::access::{Access, Certainty, Command, Target, Verb};
use crate::model::effect::{Effect, Verdict};
use crate::model::truth::Truth;
use crate::policy::pattern::call::CallPattern;
use crate::policy::pattern::connect::ConnectPattern;
use crate::policy::pattern::exec::{ExecPattern, Writable};
use crate::policy::pattern::path::PathPattern;
use crate::policy::rule::{Layer, Rule, Says, Scope};

/// What one rule answers to one access.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Whether it matches.
    pub truth: Truth,
}

/// What an access is judged with, besides the rules.
pub(super) struct Context<'a> {
    /// Every access of the call: a pipe names its feeders by index.
    pub(super) accesses: &'a [Access],
    pub(super) writable: &'a Writable,
}

/// What a layer says of one access.
pub(super) struct Opinion<'a> {
    /// Nothing, if the access turned out to be none (policy language §11.13).
    pub(super) verdict: Option<Verdict>,
    /// The enforced rules that answered yes or maybe.
    pub(super) answers: Vec<Answer<'a>>,
    /// The rules in shadow that did.
    pub(super) shadows: Vec<Answer<'a>>,
}

/// What the rules of `layer` come to for one access (policy language §11.1).
pub(super) fn judge<'a>(layer: &'a Layer, access: &Access, context: &Context<'_>) -> Opinion<'a> {
    let (shadows, answers): (Vec<_>, Vec<_>) =
        answers_of(&layer.rules, access, context).partition(|answer| answer.rule.shadow);
    let verdict = conclude(&answers, access, default_of(layer, access));
    Opinion { verdict, answers, shadows }
}

/// What the rules of the floor come to: nothing, unless one of them speaks. On commands it speaks
/// of the guard's own program by its name only: what a command is that nobody can read is for the
/// policy to judge.
pub(super) fn judge_floor<'a>(
    floor: &'a [Rule],
    access: &Access,
    context: &Context<'_>,
) -> Opinion<'a> {
    let is_heard = |answer: &Answer<'_>| {
        answer.truth == Truth::Yes || !matches!(answer.rule.scope, Scope::Exec { .. })
    };
    let answers: Vec<_> = answers_of(floor, access, context).filter(is_heard).collect();
    let verdict = conclude(&answers, access, Verdict::Defer);
    Opinion { verdict: verdict.filter(|_| !answers.is_empty()), answers, shadows: Vec::new() }
}

/// Every rule that does not answer no to `access`: what examples and `explain` ask.
pub fn answers<'a>(
    rules: &'a [Rule],
    access: &Access,
    accesses: &[Access],
    writable: &Writable,
) -> Vec<Answer<'a>> {
    answers_of(rules, access, &Context { accesses, writable }).collect()
}

fn answers_of<'a, 'c>(
    rules: &'a [Rule],
    access: &'c Access,
    context: &'c Context<'c>,
) -> impl Iterator<Item = Answer<'a>> + use<'a, 'c> {
    rules
        .iter()
        .map(move |rule| Answer { rule, truth: ask(rule, access, context) })
        .filter(|answer| answer.truth.possible())
}

/// The base is the strictest effect among those that say yes; then each doubtful ask or deny adds
/// an ask. A maybe never replaces the default, so a new deny never turns a refusal into a question.
fn conclude(answers: &[Answer<'_>], access: &Access, default: Verdict) -> Option<Verdict> {
    let said = |truth: Truth| {
        answers.iter().filter(move |a| a.truth == truth).filter_map(|a| a.rule.effect())
    };
    let doubted = said(Truth::Maybe).any(|effect| effect != Effect::Allow);
    if matches!(access.certainty, Certainty::Suspected(_)) {
        return doubted.then_some(Verdict::Ask);
    }
    let base = match said(Truth::Yes).max() {
        Some(effect) => Verdict::from(effect),
        None if default == Verdict::Deny && said(Truth::Maybe).any(|e| e == Effect::Allow) => {
            Verdict::Ask
        }
        None => default,
    };
    Some(if doubted { base.stricter_access(Verdict::Ask) } else { base })
}

/// What this layer says of an access that no rule of it speaks of.
fn default_of(layer: &Layer, access: &Access) -> Verdict {
    match &access.target {
        // A wrapper needs only what it runs to be allowed (policy language §11.9).
        Target::Exec(command) if command.transparent => Verdict::Allow,
        Target::Call(_) if access.certainty != Certainty::Certain => layer.opaque.verdict(),
        Target::Read(_)
        | Target::Write(_)
        | Target::Exec(_)
        | Target::Connect(_)
        | Target::Call(_)
        | Target::Unknown { .. } => layer.default.verdict(),
    }
}

/// Whether `rule` speaks of `access`.
fn ask(rule: &Rule, access: &Access, context: &Context<'_>) -> Truth {
    let answer = match (&rule.scope, &access.target) {
        (Scope::Paths { verbs, matches, unless }, Target::Read(path))
            if verbs.contains(&Verb::Read) =>
        {
            scope(rule, matches, unless, |pattern| pattern.matches(path))
        }
        (Scope::Paths { verbs, matches, unless }, Target::Write(path))
            if verbs.contains(&Verb::Write) =>
        {
            scope(rule, matches, unless, |pattern| pattern.matches(path))
        }
        (Scope::Exec { matches, unless }, Target::Exec(command)) => {
            let feeders = feeders(command, context.accesses);
            let asks = |p: &ExecPattern| p.matches(command, &feeders, context.writable);
            scope(rule, matches, unless, asks)
        }
        (Scope::Connect { matches, unless }, Target::Connect(to)) => {
            scope(rule, matches, unless, |pattern| pattern.matches(to))
        }
        (Scope::Call { matches, unless }, Target::Call(tool)) => {
            scope(rule, matches, unless, |pattern| pattern.matches(tool))
        }
        (_, Target::Unknown { verb, .. }) => unknown(&rule.scope, *verb),
        (_, Target::Read(_) | Target::Write(_) | Target::Exec(_)) => Truth::No,
        (_, Target::Connect(_) | Target::Call(_)) => Truth::No,
    };
    match &access.certainty {
        // A tool that nothing describes is called all the same; the rules on it count as ever.
        _ if matches!(access.target, Target::Call(_)) => answer,
        Certainty::Certain => answer,
        Certainty::Possible(_) | Certainty::Suspected(_) => answer.doubted(),
    }
}

/// `match` less `unless`. In a deny or ask an exception excepts only on yes; in an allow it
/// excepts on yes or maybe (policy language §11.3).
fn scope<P>(rule: &Rule, matches: &[P], unless: &[P], asks: impl Fn(&P) -> Truth) -> Truth {
    let matched = matches.iter().map(&asks).max().unwrap_or(Truth::No);
    if matched == Truth::No {
        return matched;
    }
    let excepted = unless.iter().map(&asks).max().unwrap_or(Truth::No);
    let silenced = match rule.says {
        Says::Effect(Effect::Allow) => excepted.possible(),
        Says::Effect(Effect::Ask | Effect::Deny) | Says::Redact | Says::Note => {
            excepted == Truth::Yes
        }
    };
    if silenced { Truth::No } else { matched }
}

/// A target that is not known is covered by `**` alone; any other pattern may name it.
fn unknown(scope: &Scope, verb: Verb) -> Truth {
    let (speaks, everything) = match scope {
        Scope::Paths { verbs, matches, unless } => (
            verbs.contains(&verb),
            matches.iter().any(PathPattern::is_everything) && unless.is_empty(),
        ),
        Scope::Exec { matches, unless } => (
            verb == Verb::Exec,
            matches.iter().any(ExecPattern::is_everything) && unless.is_empty(),
        ),
        Scope::Connect { matches, unless } => (
            verb == Verb::Connect,
            matches.iter().any(ConnectPattern::is_everything) && unless.is_empty(),
        ),
        Scope::Call { matches, unless } => (
            verb == Verb::Call,
            matches.iter().any(CallPattern::is_everything) && unless.is_empty(),
        ),
        Scope::Output { .. } => (false, false),
    };
    match (speaks, everything) {
        (false, _) => Truth::No,
        (true, true) => Truth::Yes,
        (true, false) => Truth::Maybe,
    }
}

fn feeders<'a>(command: &Command, accesses: &'a [Access]) -> Vec<&'a Command> {
    let of = |index: &usize| match accesses.get(*index).map(|access| &access.target) {
        Some(Target::Exec(feeder)) => Some(feeder),
        Some(_) | None => None,
    };
    command.fed_by.iter().filter_map(of).collect()
}
