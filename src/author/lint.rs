//! The lints of a policy, and those that need its examples to be run: an example that nearly
//! matches is what shows where a rule ends.

use super::run::{Bench, Ran, RunOutcome};
use crate::engine::answer;
use crate::model::time::Moment;
use crate::model::truth::Truth;
use crate::policy::compile::Compiled;
use crate::policy::diagnostic::Diagnostic;
use crate::policy::document::{Expect, PatternText, RuleText};
use crate::policy::pattern::Anchors;
use crate::policy::rule::{Rule, Says, Targets};
use crate::policy::{Source, lint};
use crate::redact::Redactor;
use std::collections::BTreeSet;

/// Every lint of a policy that was compiled for `anchors`, whose examples came out as `ran` says.
pub(super) fn lint(
    sources: &[Source],
    frozen: &Compiled,
    anchors: &Anchors,
    redactor: &Redactor,
    ran: &[Ran],
    now: Option<Moment>,
) -> Vec<Diagnostic> {
    let mut found = lint::lint(sources, frozen, now);
    let name = |file: usize| sources.get(file).map_or("", |source| source.name.as_str());
    found.extend(ran.iter().filter(|ran| ran.outcome == RunOutcome::Unproved).map(|ran| {
        let message = "this claim is not proved, and not counted as one that holds".to_owned();
        Diagnostic::note("P035", name(ran.file), ran.span.clone(), message)
            .with_help("write a test of one call beside it, until this version can prove it")
    }));
    if let Some(policy) = &frozen.policy {
        let bench = Bench { policy, anchors, redactor };
        found.extend(of_examples(sources, frozen, &bench));
    }
    let place = |found: &Diagnostic| sources.iter().position(|source| source.name == found.file);
    found.sort_by_cached_key(|found| (place(found), found.span.start, found.code));
    found
}

fn of_examples(sources: &[Source], frozen: &Compiled, bench: &Bench<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let name = |file: usize| sources.get(file).map_or("", |source| source.name.as_str());
    for (file, place, rule) in &frozen.exemplified {
        let document = frozen.documents.get(*file).filter(|_| !frozen.refused.contains(file));
        let Some(text) = document.and_then(|document| document.rules.get(*place)) else { continue };
        if !matches!(rule.says, Says::Effect(_)) {
            continue;
        }
        found.extend(no_near_miss(name(*file), text));
        found.extend(exception_untried(name(*file), text, rule, bench));
        found.extend(broader_than_examples(name(*file), text, rule, bench));
    }
    found
}

/// All examples match: none shows what the rule leaves alone.
fn no_near_miss(file: &str, rule: &RuleText) -> Option<Diagnostic> {
    let all_match = rule.examples.iter().all(|example| example.value.expect == Expect::Match);
    // A rule on everything leaves nothing alone.
    let everything = PatternText::Text("**".to_owned());
    let is_bounded = !rule.matches.iter().any(|at| at.value == everything);
    let has_conditions = !rule.when.is_empty() || !rule.unless.is_empty();
    if !all_match || !(is_bounded || has_conditions) {
        return None;
    }
    let message = format!("no example shows what the rule `{}` leaves alone", rule.id.value);
    let lint = Diagnostic::warning("P023", file, rule.id.span.clone(), message);
    Some(
        lint.with_label("all its examples match")
            .with_help("add a call that nearly matches and must not, with `expect = \"skip\"`"),
    )
}

/// The rule has an exception, and no example is skipped for it.
fn exception_untried(
    file: &str,
    text: &RuleText,
    rule: &Rule,
    bench: &Bench<'_>,
) -> Option<Diagnostic> {
    let first = text.unless.first()?;
    let bare = without_exceptions(rule);
    let is_tried = text.examples.iter().any(|example| {
        let facts = bench.facts(&example.value.call, &example.value.setting);
        let expected_otherwise = example.value.expect != Expect::Match;
        expected_otherwise && bench.said(&bare, &facts) > bench.said(rule, &facts)
    });
    // That no example is skipped at all is told already.
    let skips = text.examples.iter().any(|example| example.value.expect == Expect::Skip);
    if is_tried || !skips {
        return None;
    }
    let message = format!("no example tries what the rule `{}` excepts", text.id.value);
    let lint = Diagnostic::note("P045", file, first.span.clone(), message);
    Some(lint.with_help("add a call that `unless` excepts, with `expect = \"skip\"`"))
}

fn without_exceptions(rule: &Rule) -> Rule {
    let mut bare = rule.clone();
    match &mut bare.scope.targets {
        Targets::Paths { unless, .. } => unless.clear(),
        Targets::Exec { unless, .. } => unless.clear(),
        Targets::Connect { unless, .. } => unless.clear(),
        Targets::Call { unless, .. } => unless.clear(),
        Targets::Output { .. } => {}
    }
    bare
}

/// An allow with one pattern that stands for many targets, of which its examples name one.
fn broader_than_examples(
    file: &str,
    text: &RuleText,
    rule: &Rule,
    bench: &Bench<'_>,
) -> Option<Diagnostic> {
    let ([only], true) = (text.matches.as_slice(), is_allow(rule)) else { return None };
    let PatternText::Text(pattern) = &only.value else { return None };
    let is_wide = pattern.contains(['*', '?', '{']) || pattern.ends_with(['/', '.']);
    let mut targets = BTreeSet::new();
    for example in text.examples.iter().filter(|one| one.value.expect == Expect::Match) {
        let facts = bench.facts(&example.value.call, &example.value.setting);
        let matched = facts
            .accesses
            .iter()
            .filter(|access| answer(rule, access, &facts, &bench.policy.writable) == Truth::Yes);
        targets.extend(matched.map(|access| access.target.to_string()));
    }
    let (Some(first), 1) = (targets.first(), targets.len()) else { return None };
    if !is_wide {
        return None;
    }
    let message = format!("the allow `{}` is broader than its examples", text.id.value);
    let lint = Diagnostic::note("P041", file, only.span.clone(), message);
    Some(
        lint.with_label(format!("of all that this stands for, they try only `{first}`"))
            .with_help("add an example that differs where the wildcard stands, or narrow it"),
    )
}

fn is_allow(rule: &Rule) -> bool {
    rule.says == Says::Effect(crate::model::effect::Effect::Allow)
}
