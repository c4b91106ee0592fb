//! Rules that others make void: an allow whose every call is denied, an entry that adds nothing.

use super::entries::{Entries, Entry, Written};
use super::index::Index;
use super::{Subject, exception};
use crate::model::effect::Effect;
use crate::policy::diagnostic::Diagnostic;
use crate::policy::pattern::cover::Cover;
use crate::policy::pattern::path::PathPattern;
use crate::policy::rule::{Rule, Targets};

pub(super) fn lint(subject: &Subject<'_>, entries: &Entries<'_>) -> Vec<Diagnostic> {
    let index = Index::of(&entries.all);
    let mut found = Vec::new();
    let mut dead = Vec::new();
    // What a lower layer adds to an open list is not known here.
    for entry in entries.own().filter(|entry| !entry.open) {
        match held_back(entry, &index) {
            Some(by) => dead.push((entry, by)),
            None => found.extend(by_floor(entry, subject).or_else(|| subsumed(entry, &index))),
        }
    }
    found.extend(dead.iter().map(|(entry, by)| {
        let with = dead.iter().filter(|(_, other)| std::ptr::eq(by.rule, other.rule));
        let with: Vec<&Entry<'_>> = with.map(|(entry, _)| *entry).collect();
        told_dead(entry, by, &with, subject)
    }));
    if index.is_spent()
        && let Some(file) = subject.files.first()
    {
        let message = "not all rules were compared with one another".to_owned();
        let note = Diagnostic::note("P044", &file.source.name, 0..0, message);
        found.push(note.with_help("what was found is told; there may be more like it"));
    }
    found
}

/// The rule of the same layer or one above that holds back every call of an allow or an ask.
fn held_back<'a>(entry: &Entry<'_>, index: &Index<'a>) -> Option<&'a Entry<'a>> {
    let stricter: &[Effect] = match entry.effect {
        Effect::Allow => &[Effect::Deny, Effect::Ask],
        Effect::Ask => &[Effect::Deny],
        Effect::Deny => &[],
    };
    stricter.iter().find_map(|effect| {
        let found = index.covering(entry, *effect, |wide| {
            wide.kind <= entry.kind && wide.is_unconditional() && wide.has_verbs_of(entry)
        });
        found.first().copied()
    })
}

/// `with` are all that `by` holds back, `entry` among them: they need one exception together.
fn told_dead(
    entry: &Entry<'_>,
    by: &Entry<'_>,
    with: &[&Entry<'_>],
    subject: &Subject<'_>,
) -> Diagnostic {
    let (help, fix) = exception::advise(entry, by, with, subject);
    dead(entry, by.effect)
        .with_other(by.file, by.at.span.clone(), named(by))
        .with_help(help)
        .with_fix(fix)
}

fn dead(entry: &Entry<'_>, by: Effect) -> Diagnostic {
    let message = format!("this {} can never take effect", word(entry.effect));
    Diagnostic::warning("P021", entry.file, entry.at.span.clone(), message)
        .with_label(format!("every call it matches is {}", done(by)))
}

fn by_floor(entry: &Entry<'_>, subject: &Subject<'_>) -> Option<Diagnostic> {
    let loosens = matches!(entry.effect, Effect::Allow | Effect::Ask);
    let rule = subject.policy.floor.iter().find(|rule| loosens && holds_back(rule, entry))?;
    let help = format!("`{}` is built in and cannot be switched off: remove this", rule.id);
    Some(dead(entry, Effect::Deny).with_help(help))
}

/// Whether this rule of the floor denies all that the entry names.
fn holds_back(rule: &Rule, entry: &Entry<'_>) -> bool {
    let Targets::Paths { verbs, matches, unless } = &rule.scope.targets else { return false };
    let covered = |written: &Written| match &written.pattern {
        super::entries::Pattern::Path(narrow) => {
            matches.iter().any(|wide: &PathPattern| wide.covers_all_of(narrow))
        }
        _ => false,
    };
    unless.is_empty()
        && rule.when.is_empty()
        && entry.verbs.iter().all(|verb| verbs.contains(verb))
        && !entry.patterns.is_empty()
        && entry.patterns.iter().all(covered)
}

/// An entry that another of the same effect and layer covers.
fn subsumed(entry: &Entry<'_>, index: &Index<'_>) -> Option<Diagnostic> {
    let rule = entry.rule;
    let marks_nothing = rule.marks.is_empty() && rule.unmarks.is_empty();
    // With a reason, a limit or an example of its own it does more than to match.
    let is_plain = rule.limit.is_none()
        && rule.capture.is_none()
        && rule.why.is_none()
        && rule.examples.is_empty();
    if !marks_nothing {
        return None;
    }
    let all = index.covering(entry, entry.effect, |wide| {
        let same_rule = std::ptr::eq(wide.rule, rule);
        let may = same_rule || (is_plain && wide.is_unconditional() && wide.source.is_some());
        may && !wide.is(entry) && wide.kind == entry.kind && wide.has_verbs_of(entry)
    });
    // Of two that cover one another, the first stays.
    let by = all.iter().find(|wide| stands_before(wide, entry) || !index.covers(entry, wide))?;
    let says = word(entry.effect);
    let message = format!("this {says} adds nothing");
    let help = match by.text() == entry.text() {
        true => "remove one of the two".to_owned(),
        false => format!("remove it; or narrow the wider {says}, if that is the mistake"),
    };
    Some(
        Diagnostic::warning("P022", entry.file, entry.at.span.clone(), message)
            .with_label(format!("all that it matches is {} already", done(entry.effect)))
            .with_other(by.file, by.at.span.clone(), named(by))
            .with_help(help),
    )
}

fn stands_before(one: &Entry<'_>, other: &Entry<'_>) -> bool {
    one.file != other.file || one.at.span.start < other.at.span.start
}

/// What stands at the place of a rule that decides instead.
fn named(by: &Entry<'_>) -> String {
    match by.is_of_grid() {
        true => format!("{} by this", done(by.effect)),
        false => format!("by `{}`", by.rule.id.value),
    }
}

pub(super) fn word(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "allow",
        Effect::Ask => "ask",
        Effect::Deny => "deny",
    }
}

fn done(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "allowed",
        Effect::Ask => "asked about",
        Effect::Deny => "denied",
    }
}
