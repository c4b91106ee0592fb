//! Lists that nothing names, and packs that are named twice.

use super::entries::list_name;
use super::{File, Subject};
use crate::policy::diagnostic::{Diagnostic, Fix};
use crate::policy::document::{Claim, Document, PatternText};
use crate::policy::rule::LayerKind;
use std::collections::BTreeSet;

pub(super) fn lint(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for file in &subject.files {
        found.extend(packs(file));
        let used = used(file.document);
        let opened_above = |name: &str| opens_above(subject, file.kind, name);
        let own = file.document.lists.iter().filter(|(name, _)| name.value != "workspace");
        // What is added to a list from above is used there.
        let open = file.document.open.iter().filter(|(name, _)| !opened_above(&name.value));
        for (name, _) in own.chain(open).filter(|(name, _)| !used.contains(name.value.as_str())) {
            let message = format!("the list `{}` is never used", name.value);
            let lint = Diagnostic::warning("P026", &file.source.name, name.span.clone(), message);
            found.push(lint.with_help(format!(
                "write `${}` where its entries are meant, or remove it",
                name.value
            )));
        }
    }
    found
}

/// What a file includes a second time.
fn packs(file: &File<'_>) -> Vec<Diagnostic> {
    let include = &file.document.header.include;
    let (name, text) = (&file.source.name, &file.source.text);
    let mut found = Vec::new();
    for (place, pack) in include.iter().enumerate() {
        let before = include.get(..place).unwrap_or_default();
        let Some(first) = before.iter().find(|one| one.value == pack.value) else { continue };
        let message = format!("the pack `{}` is included twice", pack.value);
        let end = before.last().map_or(pack.span.start, |one| one.span.end);
        // With the comma before it, if nothing else stands there.
        let is_plain = text.get(end..pack.span.start).is_some_and(|gap| gap.trim() == ",");
        let fix = is_plain.then(|| Fix::new("remove it", end..pack.span.end, ""));
        found.push(
            Diagnostic::warning("P022", name, pack.span.clone(), message)
                .with_other(name, first.span.clone(), "the first time")
                .with_help("remove it")
                .with_fix(fix),
        );
    }
    found
}

/// The lists that a file names: in its rules, its claims, and in other lists.
fn used(document: &Document) -> BTreeSet<&str> {
    let rules = document.rules.iter().flat_map(|rule| rule.matches.iter().chain(&rule.unless));
    let claims = document.tests.iter().flat_map(|test| match &test.claim {
        Claim::Every(_, unless) => unless.as_slice(),
        Claim::Call(_) => &[],
    });
    let patterns = rules.chain(claims).filter_map(|at| match &at.value {
        PatternText::Text(text) => Some(text.as_str()),
        PatternText::Regex(_) | PatternText::Entropy { .. } => None,
    });
    let lists = document.lists.iter().chain(&document.open).flat_map(|(_, values)| values);
    patterns.chain(lists.map(|value| value.value.as_str())).filter_map(list_name).collect()
}

fn opens_above(subject: &Subject<'_>, kind: LayerKind, list: &str) -> bool {
    let mut above = subject.files.iter().filter(|file| file.kind < kind);
    above.any(|file| file.document.open.iter().any(|(name, _)| name.value == list))
}
