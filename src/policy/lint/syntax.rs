//! Patterns that mean something in another tool's language, and something else here.

use super::Subject;
use super::overlap::word;
use crate::model::access::Verb;
use crate::model::effect::Effect;
use crate::policy::diagnostic::Diagnostic;
use crate::policy::document::{At, PatternText, RuleText};
use crate::policy::lint::entries::verbs;
use crate::policy::rule::Says;

pub(super) fn lint(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for file in &subject.files {
        for rule in file.document.rules.iter().filter(|rule| verbs(rule) == [Verb::Exec]) {
            found.extend(rule.matches.iter().filter_map(|at| told(&file.source.name, rule, at)));
        }
    }
    found
}

fn told(file: &str, rule: &RuleText, at: &At<PatternText>) -> Option<Diagnostic> {
    let (PatternText::Text(text), Says::Effect(effect)) = (&at.value, rule.says) else {
        return None;
    };
    let says = word(effect);
    let words: Vec<&str> = text.split_whitespace().collect();
    let (last, before) = words.split_last()?;
    // `npm run test:*` names scripts by their first part.
    let names_scripts = matches!(before.first(), Some(&("npm" | "pnpm" | "yarn" | "bun")));
    let prefix = last.strip_suffix(":*").filter(|prefix| !names_scripts && !prefix.contains('/'));
    let (message, label, meant) = if let Some(prefix) = prefix {
        let meant: Vec<&str> = before.iter().copied().chain([prefix]).collect();
        let label = format!("one word that begins with `{prefix}:`");
        (format!("the `:*` of this {says} belongs to its last word"), label, meant)
    } else if *last == "*" && !before.is_empty() && !before.contains(&"...") {
        let label = "one argument, no more and no less".to_owned();
        (format!("the `*` of this {says} is exactly one argument"), label, before.to_vec())
    } else {
        return None;
    };
    // Of an allow, what it does not match is not let through: that is no trap.
    if effect == Effect::Allow && prefix.is_none() {
        return None;
    }
    let meant = meant.join(" ");
    let lint = Diagnostic::warning("P037", file, at.span.clone(), message).with_label(label);
    Some(lint.with_help(format!("for `{meant}` with whatever may follow, write `{meant} ...`")))
}
