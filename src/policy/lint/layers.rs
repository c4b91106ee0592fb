//! Rules that never act: they have ended, contradict themselves, or no tool may run at all.

use super::entries::{Entries, Entry, Texts, Written, written};
use super::{File, Subject};
use crate::model::access::Verb;
use crate::model::effect::Effect;
use crate::policy::diagnostic::Diagnostic;
use crate::policy::document::{At, PatternText, RuleText};
use crate::policy::lint::entries::verbs;
use crate::policy::pattern::Stance;
use crate::policy::pattern::cover::Cover;
use crate::policy::rule::{Default, LayerKind, Says};

pub(super) fn lint(subject: &Subject<'_>, entries: &Entries<'_>) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> =
        LayerKind::ALL.iter().filter_map(|kind| no_tool(*kind, subject, entries)).collect();
    for file in &subject.files {
        for rule in &file.document.rules {
            found.extend(ended(file, rule, subject));
            found.extend(excepts_all(file, rule, subject));
        }
    }
    found
}

/// A layer that allows what tools do, and no tool.
fn no_tool(kind: LayerKind, subject: &Subject<'_>, entries: &Entries<'_>) -> Option<Diagnostic> {
    if subject.default(kind) == Default::Defer {
        return None;
    }
    let of_layer = |entry: &&Entry<'_>| entry.kind == kind && entry.effect == Effect::Allow;
    let first = entries.own().find(of_layer)?;
    if entries.own().filter(of_layer).any(|entry| entry.verbs.contains(&Verb::Call)) {
        return None;
    }
    let message = "this policy allows what tools do, and no tool".to_owned();
    let held = match subject.default(kind) {
        Default::Ask => "asked about",
        Default::Deny | Default::Defer => "refused",
    };
    let lint = Diagnostic::warning("P029", first.file, first.at.span.clone(), message);
    Some(
        lint.with_label(format!("the call of the tool itself is {held}"))
            .with_help("add [call] allow = [\"$transparent\"]: what the known tools touch decides"),
    )
}

fn ended(file: &File<'_>, rule: &RuleText, subject: &Subject<'_>) -> Option<Diagnostic> {
    let until =
        rule.until.as_ref().filter(|until| subject.now.is_some_and(|now| until.value <= now))?;
    let date = file.source.text.get(until.span.clone()).unwrap_or_default();
    let message = format!("the rule `{}` has ended", rule.id.value);
    let help = match (rule.shadow, rule.says) {
        (true, Says::Effect(Effect::Ask | Effect::Deny)) => {
            "remove `mode` and `until` to enforce it, or remove the rule"
        }
        _ => "remove it, or give it a later date",
    };
    let lint = Diagnostic::warning("P028", &file.source.name, until.span.clone(), message);
    Some(lint.with_label(format!("says nothing since {date}")).with_help(help))
}

/// A rule whose exceptions leave nothing of it. What tightens may still fire where a link leads
/// elsewhere, so of paths, commands and hosts this is told of allows alone.
fn excepts_all(file: &File<'_>, rule: &RuleText, subject: &Subject<'_>) -> Option<Diagnostic> {
    let verbs = verbs(rule);
    let allows = rule.says == Says::Effect(Effect::Allow);
    let first = rule.unless.first()?;
    if verbs.is_empty() || !(allows || verbs == [Verb::Call]) {
        return None;
    }
    let read = |all: &[At<PatternText>], stance| {
        let mut texts = Texts::default();
        all.iter().for_each(|at| texts.add(&at.value, file.document, 0));
        written(&texts.all, &verbs, stance, &subject.anchors).filter(|_| !texts.open)
    };
    let matches = read(&rule.matches, Stance::Loosen)?;
    let unless = read(&rule.unless, Stance::Tighten)?;
    let excepted =
        |one: &Written| unless.iter().any(|wide| wide.pattern.covers_all_of(&one.pattern));
    if matches.is_empty() || !matches.iter().all(excepted) {
        return None;
    }
    let message = format!("the rule `{}` can never speak", rule.id.value);
    let lint = Diagnostic::warning("P038", &file.source.name, first.span.clone(), message);
    let named = rule.matches.first().map_or(0..0, |at| at.span.clone());
    Some(
        lint.with_label("excepts all")
            .with_other(&file.source.name, named, "that it matches")
            .with_help("narrow `unless`, or remove the rule"),
    )
}
