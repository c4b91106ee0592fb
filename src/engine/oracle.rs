//! The law, read aloud: the policy language's §11 as a loop over every rule.
//!
//! This is what the index and `judge` are held against, by property tests and a fuzz target. It
//! shares with them the words of the language, patterns and conditions, and nothing else: no table,
//! no combined slot, no way to conclude. It is slow, and has nothing to be quick for; where the two
//! differ, this page is read beside the policy language, and one of the three is wrong.

use super::condition;
use super::told::{Answer, Told};
use crate::limits::ACCESSES_MAX;
use crate::model::access::{Access, Certainty, Command, Target, Verb};
use crate::model::doubt::Doubt;
use crate::model::effect::{Effect, Verdict};
use crate::model::facts::Facts;
use crate::model::path::AbsPath;
use crate::model::truth::Truth;
use crate::policy::pattern::Stance;
use crate::policy::pattern::call::CallPattern;
use crate::policy::pattern::connect::ConnectPattern;
use crate::policy::pattern::exec::ExecPattern;
use crate::policy::pattern::path::PathPattern;
use crate::policy::rule::{Layer, LayerKind, Policy, Power, Rule, Targets, Unattended};

/// What the policy says of a call before it runs, by the letter.
#[must_use]
pub fn oracle(policy: &Policy, facts: &Facts) -> Told {
    let mut told = Told::refused();
    if facts.accesses.is_empty() || facts.accesses.len() > ACCESSES_MAX {
        // Nothing to judge, or more than anyone can.
        return told;
    }
    let mut drawn: Vec<(usize, usize, Truth)> = Vec::new();
    for (place, access) in facts.accesses.iter().enumerate() {
        told.accesses.push(of_access(policy, place, access, facts, &mut told.answers, &mut drawn));
    }
    told.answers.sort();

    // §11.2: accesses combine per call, deny > ask > defer > allow. What turned out to be no
    // access counts for nothing. A call of which the text merely names all that it might do is
    // none that can be judged, so that a deny more cannot make a question of its refusal (§11.5).
    let judged = told.accesses.iter().flatten().copied();
    let suspected = |access: &Access| matches!(access.certainty, Certainty::Suspected(_));
    let mut verdict = match facts.accesses.iter().all(suspected) {
        true => Verdict::Deny,
        false => judged.max_by_key(|verdict| by_access(*verdict)).unwrap_or(Verdict::Deny),
    };

    // A bound that was met hides what lies beyond it: that is neither allowed nor asked about.
    let hidden = |access: &Access| {
        let unknown = matches!(access.target, Target::Unknown { reason: Doubt::Limit(_), .. });
        unknown && !suspected(access)
    };
    if facts.accesses.iter().any(hidden) {
        verdict = Verdict::Deny;
    }

    // §11.22: the limits that the call draws on, each an effect of its own.
    for (limit, times, truth) in drawn {
        if let Some(over) = over_limit(policy, facts, limit, times, truth) {
            verdict = stricter(verdict, over);
        }
    }
    // A budget that is spent ends the session.
    if super::limits::spent(policy, facts).is_some() {
        verdict = Verdict::Deny;
    }
    told.attended_verdict = verdict;

    // §4: nobody is there. An ask that nobody can answer is a deny; a deferral is what
    // `unattended` says, and one layer that wants it refused is enough.
    told.verdict = match verdict {
        verdict if facts.call.attended => verdict,
        Verdict::Ask | Verdict::Deny => Verdict::Deny,
        Verdict::Allow => Verdict::Allow,
        Verdict::Defer => {
            let refuses = |layer: &Layer| layer.unattended == Unattended::Deny;
            if policy.layers.iter().any(refuses) { Verdict::Deny } else { Verdict::Defer }
        }
    };
    told
}

/// One access over the floor and all layers; nothing if it turns out to be none.
fn of_access(
    policy: &Policy,
    place: usize,
    access: &Access,
    facts: &Facts,
    answers: &mut Vec<Answer>,
    drawn: &mut Vec<(usize, usize, Truth)>,
) -> Option<Verdict> {
    // The floor stands above all layers, and has no opinion of its own to hold back others. On
    // commands it speaks of the guard's own program by its name, and a maybe of it says nothing.
    let is_heard = |said: &Said<'_>| said.truth == Truth::Yes || access.target.verb() != Verb::Exec;
    let floor: Vec<Said<'_>> = policy
        .floor
        .iter()
        .filter_map(|rule| said(policy, rule, access, facts))
        .filter(is_heard)
        .collect();
    answers.extend(floor.iter().filter_map(|said| said.answer(place, None)));
    let mut verdicts = vec![concluded(&floor, Truth::No, access, Verdict::Defer)];

    let mut spoken_above = false;
    for layer in &policy.layers {
        let all: Vec<Said<'_>> =
            layer.rules.iter().filter_map(|rule| said(policy, rule, access, facts)).collect();
        answers.extend(all.iter().filter_map(|said| said.answer(place, Some(layer.kind))));
        // Rules in shadow are told, and neither speak nor count.
        let enforced: Vec<Said<'_>> = all.into_iter().filter(|said| !said.rule.shadow).collect();
        for said in enforced.iter().filter(|said| said.truth.possible()) {
            if let Some(limit) = said.rule.limit {
                draw(drawn, limit, said.truth);
            }
        }
        let default = default_of(policy, layer, access, facts);
        let apart = by_its_ways(policy, layer, access, facts);
        let mut verdict = concluded(&enforced, apart.1, access, default);
        // §5: *fill* = its allows count only where no upper layer spoke.
        if layer.power == Power::Fill && spoken_above && verdict == Some(Verdict::Allow) {
            verdict = Some(Verdict::Defer);
        }
        spoken_above |= has_spoken(&enforced, default) || apart.0.possible();
        verdicts.push(verdict);
    }
    // §11.2: layers combine per access, deny > ask > allow > defer.
    verdicts.into_iter().flatten().max_by_key(|verdict| match verdict {
        Verdict::Deny => 3,
        Verdict::Ask => 2,
        Verdict::Allow => 1,
        Verdict::Defer => 0,
    })
}

/// What one rule says of an access.
struct Said<'a> {
    rule: &'a Rule,
    effect: Effect,
    /// Whether its `match` covers the access, whatever became of `unless` and `when`.
    covers: Truth,
    /// Whether it says yes, no or maybe.
    truth: Truth,
}

impl Said<'_> {
    fn answer(&self, access: usize, layer: Option<LayerKind>) -> Option<Answer> {
        let Said { rule, effect, truth, .. } = *self;
        truth.possible().then(|| Answer {
            access,
            layer,
            rule: rule.id.clone(),
            file: rule.origin.file.clone(),
            effect,
            shadow: rule.shadow,
            truth,
        })
    }
}

/// §11.1: *base, then doubt*.
fn concluded(
    said: &[Said<'_>],
    apart: Truth,
    access: &Access,
    default: Verdict,
) -> Option<Verdict> {
    let doubts = said.iter().any(|said| said.effect != Effect::Allow && said.truth == Truth::Maybe);
    // §11.13: what the text merely names counts only if an ask or a deny fits it, as a maybe.
    if matches!(access.certainty, Certainty::Suspected(_)) {
        return doubts.then_some(Verdict::Ask);
    }
    // The base is the strictest effect among the rules that say yes.
    let yes = said.iter().filter(|said| said.truth == Truth::Yes).map(|said| said.effect);
    let sure = yes.chain((apart == Truth::Yes).then_some(Effect::Allow)).max();
    let maybe_allowed = apart == Truth::Maybe
        || said.iter().any(|said| said.effect == Effect::Allow && said.truth == Truth::Maybe);
    let base = match (sure, default) {
        (Some(effect), _) => Verdict::from(effect),
        // If none says yes it is the default, or `ask` where that is deny and an allow says maybe.
        (None, Verdict::Deny) if maybe_allowed => Verdict::Ask,
        (None, default) => default,
    };
    // Then each ask or deny rule that says maybe adds an ask, and the strictest stands.
    Some(if doubts { stricter(base, Verdict::Ask) } else { base })
}

/// §2: an allow needs every way of looking at a path inside. One rule may cover them all; or each
/// way is covered by some rule, as if the path were written so. Whether they name the path, and
/// whether they say yes.
fn by_its_ways(policy: &Policy, layer: &Layer, access: &Access, facts: &Facts) -> (Truth, Truth) {
    let ways = super::lanes::apart(access);
    if ways.is_empty() {
        return (Truth::No, Truth::No);
    }
    let (mut covers, mut truth) = (Truth::Yes, Truth::Yes);
    for way in &ways {
        let parts = layer.rules.iter().filter(|rule| super::lanes::speaks_for_a_part(rule));
        let said: Vec<_> = parts.filter_map(|rule| said(policy, rule, way, facts)).collect();
        covers = covers.min(said.iter().map(|said| said.covers).max().unwrap_or(Truth::No));
        truth = truth.min(said.iter().map(|said| said.truth).max().unwrap_or(Truth::No));
    }
    (covers, truth)
}

/// §11.2: a layer has spoken if the `match` of one of its allows covers the access, if one of its
/// asks or denies says yes or maybe, or if its default is deny or ask.
fn has_spoken(said: &[Said<'_>], default: Verdict) -> bool {
    matches!(default, Verdict::Deny | Verdict::Ask)
        || said.iter().any(|said| match said.effect {
            Effect::Allow => said.covers.possible(),
            Effect::Ask | Effect::Deny => said.truth.possible(),
        })
}

/// What the layer says where no rule does.
fn default_of(policy: &Policy, layer: &Layer, access: &Access, facts: &Facts) -> Verdict {
    match &access.target {
        // §11.9: for an allow, pure wrappers need only what they run to be allowed.
        Target::Exec(command) if command.transparent => Verdict::Allow,
        // §11.18: `opaque` for the call of a tool that no catalogue and no row knows; a row of a
        // lower layer describes a tool to that layer alone.
        Target::Call(tool) => {
            let mut rows = policy.tools.iter().filter(|row| row.layer <= layer.kind);
            let known = facts.described || rows.any(|row| row.tool == *tool);
            if known { layer.default.verdict() } else { layer.opaque.verdict() }
        }
        _ => layer.default.verdict(),
    }
}

/// What a rule that decides says; nothing of rules that do not.
fn said<'a>(policy: &Policy, rule: &'a Rule, access: &Access, facts: &Facts) -> Option<Said<'a>> {
    let effect = rule.effect()?;
    // §11.25: a rule that has lapsed says nothing.
    if rule.until.is_some_and(|until| until <= facts.session.now) {
        return Some(Said { rule, effect, covers: Truth::No, truth: Truth::No });
    }
    let (mut covers, excepted) = named(policy, &rule.scope.targets, access, facts);
    // §11.13: of what may not happen at all, each ask or deny that would say yes says maybe; what
    // an allow names it may do, if it happens. But a tool is called all the same, whatever is known
    // of it (§11.18).
    let called = matches!(access.target, Target::Call(_));
    let let_through = effect == Effect::Allow && matches!(access.certainty, Certainty::Possible(_));
    if access.certainty != Certainty::Certain && !called && !let_through {
        covers = covers.min(Truth::Maybe);
    }
    // What a pattern may name, there or not, is only there for asks and denies.
    if effect == Effect::Allow && access.is_of_pattern() {
        covers = Truth::No;
    }
    // §11.3: in a deny or ask an exception excepts only on yes; in an allow on yes or maybe.
    let silenced = match rule.scope.stance {
        Stance::Tighten => {
            excepted == Truth::Yes || excepted_by_its_ways(policy, rule, access, facts)
        }
        Stance::Loosen => excepted != Truth::No,
    };
    let held = condition::hold(&rule.when, facts, Some(access));
    let truth = if silenced { Truth::No } else { covers.min(held) };
    Some(Said { rule, effect, covers, truth })
}

/// §11.3: every lane that matched must itself be excepted.
fn excepted_by_its_ways(policy: &Policy, rule: &Rule, access: &Access, facts: &Facts) -> bool {
    let Targets::Paths { matches, .. } = &rule.scope.targets else { return false };
    let names = |path: &AbsPath| matches.iter().any(|pattern| pattern.covers(path));
    let ways = super::lanes::apart_with_its_tree(access, names);
    let excepted = ways.iter().map(|way| named(policy, &rule.scope.targets, way, facts));
    !ways.is_empty()
        && excepted
            .into_iter()
            .all(|(matched, excepted)| matched == Truth::No || excepted == Truth::Yes)
}

/// What `match` and `unless` say of the access.
fn named(policy: &Policy, targets: &Targets, access: &Access, facts: &Facts) -> (Truth, Truth) {
    match (targets, &access.target) {
        (Targets::Paths { verbs, matches, unless }, Target::Read(path) | Target::Write(path))
            if verbs.contains(&access.target.verb()) =>
        {
            let ask = |pattern: &PathPattern| pattern.matches(path);
            (any(matches, ask), any(unless, ask))
        }
        (Targets::Exec { matches, unless }, Target::Exec(command)) => {
            // §11.14: the commands whose output reaches this one.
            let feeders = || command.fed_by.iter().filter_map(|at| command_at(facts, *at));
            let ask = |pattern: &ExecPattern| pattern.matches(command, feeders, &policy.writable);
            (any(matches, ask), any(unless, ask))
        }
        (Targets::Connect { matches, unless }, Target::Connect(to)) => {
            let ask = |pattern: &ConnectPattern| pattern.matches(to);
            (any(matches, ask), any(unless, ask))
        }
        (Targets::Call { matches, unless }, Target::Call(tool)) => {
            let ask = |pattern: &CallPattern| pattern.matches(tool);
            (any(matches, ask), any(unless, ask))
        }
        // §11.6: `**` alone is every target of the verb, and unknown; anything else may be it.
        (Targets::Paths { verbs, matches, unless }, Target::Unknown { verb, .. })
            if verbs.contains(verb) =>
        {
            let ask = |pattern: &PathPattern| unknown(pattern.is_everything());
            (any(matches, ask), any(unless, ask))
        }
        (Targets::Exec { matches, unless }, Target::Unknown { verb: Verb::Exec, .. }) => {
            let ask = |pattern: &ExecPattern| unknown(pattern.is_everything());
            (any(matches, ask), any(unless, ask))
        }
        (Targets::Connect { matches, unless }, Target::Unknown { verb: Verb::Connect, .. }) => {
            let ask = |pattern: &ConnectPattern| unknown(pattern.is_everything());
            (any(matches, ask), any(unless, ask))
        }
        (Targets::Call { matches, unless }, Target::Unknown { verb: Verb::Call, .. }) => {
            let ask = |pattern: &CallPattern| unknown(pattern.is_everything());
            (any(matches, ask), any(unless, ask))
        }
        // A rule on another verb.
        _ => (Truth::No, Truth::No),
    }
}

fn any<P>(patterns: &[P], ask: impl Fn(&P) -> Truth) -> Truth {
    patterns.iter().map(ask).max().unwrap_or(Truth::No)
}

fn unknown(everything: bool) -> Truth {
    if everything { Truth::Yes } else { Truth::Maybe }
}

fn command_at(facts: &Facts, place: usize) -> Option<&Command> {
    match facts.accesses.get(place).map(|access| &access.target) {
        Some(Target::Exec(command)) => Some(command),
        _ => None,
    }
}

/// Each access that a limited rule matches draws on its limit once.
fn draw(drawn: &mut Vec<(usize, usize, Truth)>, limit: usize, truth: Truth) {
    match drawn.iter_mut().find(|(known, ..)| *known == limit) {
        Some((_, times, strongest)) => {
            *times += 1;
            *strongest = (*strongest).max(truth);
        }
        None => drawn.push((limit, 1, truth)),
    }
}

/// §11.22: what a limit says of a call that goes over it. Summed values are finite and at least 0;
/// what is not known is too much. Where the rule may not have matched, it is asked about.
fn over_limit(
    policy: &Policy,
    facts: &Facts,
    place: usize,
    times: usize,
    truth: Truth,
) -> Option<Verdict> {
    let terms = &policy.limits.get(place)?.terms;
    let amount = match &terms.sum {
        None => u32::try_from(times).ok().map(f64::from),
        Some(argument) => {
            let start = Some(&facts.call.input);
            let value = argument.split('.').fold(start, |value, key| value?.get(key));
            let number = value.and_then(crate::model::json::Json::as_f64);
            number.filter(|number| number.is_finite() && *number >= 0.0)
        }
    };
    let used = facts.session.used.get(place);
    let fits = amount.zip(used).is_some_and(|(amount, used)| used + amount <= terms.max);
    match truth {
        _ if fits => None,
        Truth::Yes => Some(terms.over.into()),
        Truth::Maybe | Truth::No => Some(Verdict::Ask),
    }
}

fn stricter(one: Verdict, other: Verdict) -> Verdict {
    if by_access(other) > by_access(one) { other } else { one }
}

/// §11.2: deny > ask > defer > allow.
fn by_access(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Deny => 3,
        Verdict::Ask => 2,
        Verdict::Defer => 1,
        Verdict::Allow => 0,
    }
}
