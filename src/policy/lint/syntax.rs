//! Patterns that mean something in another tool's language, and something else here.

use super::Subject;
use super::overlap::word;
use crate::model::access::Verb;
use crate::model::effect::Effect;
use crate::policy::builtin::{OTHER_TOOLS, TRANSPARENT};
use crate::policy::diagnostic::{Diagnostic, Fix, surely_meant};
use crate::policy::document::{At, PatternText, RuleText};
use crate::policy::lint::entries::verbs;
use crate::policy::rule::{Says, ToolRow};

pub(super) fn lint(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for file in &subject.files {
        let name = &file.source.name;
        for rule in &file.document.rules {
            let each = rule.matches.iter();
            match verbs(rule).as_slice() {
                [Verb::Exec] => found.extend(
                    each.filter_map(|at| told(name, rule, at).or_else(|| of_tokens(name, at))),
                ),
                [Verb::Call] => {
                    found.extend(each.filter_map(|at| of_tool(subject, name, at)));
                }
                [Verb::Read | Verb::Write, ..] => {
                    found.extend(each.filter_map(|at| of_anchor(name, rule, at)));
                }
                _ => {}
            }
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
    } else if let Some(start) = last.strip_suffix('*').filter(|start| is_word(start)) {
        let meant: Vec<&str> = before.iter().copied().chain([start]).collect();
        let label = format!("one word that begins with `{start}`");
        (format!("the `*` of this {says} belongs to its last word"), label, meant)
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

/// A word of which a `*` at its end makes no path, option or assignment.
fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// `**` and `[--x]` among other words.
fn of_tokens(file: &str, at: &At<PatternText>) -> Option<Diagnostic> {
    let PatternText::Text(text) = &at.value else { return None };
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_bracketed = |word: &&&str| word.starts_with("[-") && word.ends_with(']');
    let (message, label, help) = if words.len() > 1 && words.contains(&"**") {
        let help = "for any number of arguments, write `...`".to_owned();
        ("a `**` among other words is a `*`", "one argument, no more and no less", help)
    } else {
        let word = words.iter().skip(1).find(is_bracketed)?;
        let inner = word.trim_start_matches('[').trim_end_matches(']');
        let help = format!("for an option that may be absent, write `{inner}?`");
        ("brackets stand for themselves", "a word with brackets", help)
    };
    let lint = Diagnostic::warning("P037", file, at.span.clone(), message.to_owned());
    Some(lint.with_label(label).with_help(help))
}

/// A tool that nobody knows, named nearly as one that is known.
fn of_tool(subject: &Subject<'_>, file: &str, at: &At<PatternText>) -> Option<Diagnostic> {
    let PatternText::Text(text) = &at.value else { return None };
    let known = || TRANSPARENT.iter().chain(OTHER_TOOLS).copied();
    let is_taught = |tool: &ToolRow| tool.tool.as_str() == text;
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric());
    if !is_plain || known().any(|name| name == text) || subject.policy.tools.iter().any(is_taught) {
        return None;
    }
    let meant = surely_meant(text, known())?;
    let message = format!("no tool that is known has the name `{text}`");
    let lint = Diagnostic::warning("P037", file, at.span.clone(), message);
    Some(lint.with_help(format!("did you mean `{meant}`?")))
}

/// An allow of a directory that lets through nothing in it.
fn of_anchor(file: &str, rule: &RuleText, at: &At<PatternText>) -> Option<Diagnostic> {
    let PatternText::Text(text) = &at.value else { return None };
    let is_allow = rule.says == Says::Effect(Effect::Allow);
    if !is_allow || !matches!(text.as_str(), "$workspace" | "$home" | "$tmp" | "~") {
        return None;
    }
    let meant = format!("{text}/");
    let message = "this allows the directory itself and nothing in it".to_owned();
    let lint = Diagnostic::warning("P037", file, at.span.clone(), message);
    let lint = lint.with_help(format!("for what lies in it, write `{meant}`"));
    // A whole home is more than anybody should be given without a look.
    let is_small = matches!(text.as_str(), "$workspace" | "$tmp");
    Some(lint.with_fix(Fix::requote(text, &at.span, &meant).filter(|_| is_small)))
}
