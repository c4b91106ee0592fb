//! Wildcards below which anybody may have a name: `*.github.io` is whoever has a page there.
//!
//! Below a suffix of a registry (`*.com`) such a pattern does not load at all; see
//! `pattern/connect/suffix.rs`.

use super::entries::{Entries, Pattern, stance, written};
use super::{Subject, entries};
use crate::model::access::Verb;
use crate::model::effect::Effect;
use crate::policy::diagnostic::Diagnostic;
use crate::policy::document::{At, PatternText};
use crate::policy::pattern::Stance;
use crate::policy::pattern::connect::suffix::{Suffix, suffix};
use crate::policy::rule::Says;

pub(super) fn lint(subject: &Subject<'_>, entries: &Entries<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for entry in entries.own().filter(|entry| stance(entry.effect) == Stance::Loosen) {
        found
            .extend(entry.patterns.iter().find_map(|one| told(entry.file, entry.at, &one.pattern)));
    }
    // What is excepted from an ask or a deny is let through as well.
    for file in &subject.files {
        let excepting = file.document.rules.iter().filter(|rule| {
            matches!(rule.says, Says::Effect(Effect::Ask | Effect::Deny))
                && entries::verbs(rule) == [Verb::Connect]
                && !rule.shadow
        });
        for at in excepting.flat_map(|rule| &rule.unless) {
            let mut texts = entries::Texts::default();
            texts.add(&at.value, file.document, 0);
            let read = written(&texts.all, &[Verb::Connect], Stance::Loosen, &subject.anchors);
            let patterns = read.unwrap_or_default();
            let name = &file.source.name;
            found.extend(patterns.iter().find_map(|one| told(name, at, &one.pattern)));
        }
    }
    found
}

fn told(file: &str, at: &At<PatternText>, pattern: &Pattern) -> Option<Diagnostic> {
    let Pattern::Connect(pattern) = pattern else { return None };
    let apex = pattern.apex()?;
    if suffix(apex) != Some(Suffix::Private) {
        return None;
    }
    let message = format!("anybody can have a name below `{}`", apex.as_str());
    let lint = Diagnostic::warning("P039", file, at.span.clone(), message);
    Some(
        lint.with_label("lets through what its owners do not speak for")
            .with_help("name the hosts that are meant"),
    )
}
