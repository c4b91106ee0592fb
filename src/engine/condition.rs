//! Whether the conditions of a rule hold: for this call, in this state of the session.
//!
//! What is not known is a maybe, never silently false (policy language §2, §11.19-21).

use super::short::Short;
use crate::model::access::{Access, Status, Target};
use crate::model::facts::{Brought, Facts};
use crate::model::json::Json;
use crate::model::principal::Agent;
use crate::model::truth::Truth;
use crate::policy::condition::{Condition, Conditions, Test};
use crate::policy::label::{LabelPart, LabelText};
use std::fmt::Write;

/// Whether all conditions hold for `access`.
pub(super) fn hold(conditions: &Conditions, facts: &Facts, access: Option<&Access>) -> Truth {
    let bits = facts.session.bits;
    if bits & conditions.seen != conditions.seen || bits & conditions.not_seen != 0 {
        return Truth::No;
    }
    let mut answer = Truth::Yes;
    for condition in &conditions.rest {
        answer = answer.and(holds(condition, facts, access));
        if answer == Truth::No {
            break;
        }
    }
    answer
}

fn holds(condition: &Condition, facts: &Facts, access: Option<&Access>) -> Truth {
    match condition {
        Condition::Seen(label) => seen(label, facts),
        Condition::NotSeen(label) => !seen(label, facts),
        Condition::Argument(keys, test) => argument(keys, test, facts),
        Condition::Agent(test) => match &facts.call.principal.agent {
            Agent::Main => of_text(test, "main"),
            Agent::Sub { kind, .. } if kind.is_empty() => Truth::Maybe,
            Agent::Sub { kind, .. } => of_text(test, kind),
        },
        Condition::PermissionMode(test) => match &facts.call.permission_mode {
            Some(mode) => of_text(test, mode),
            None => Truth::Maybe,
        },
        Condition::Exit(test) => exit(test, facts, access),
        // What was not seen is taken for the worst: it is never too late for a person to do it.
        Condition::Brings => Truth::from(facts.brought != Brought::Nothing),
        Condition::Pinned => Truth::Maybe,
    }
}

/// Whether the session has the label, its arguments filled in from the call.
fn seen(label: &LabelText, facts: &Facts) -> Truth {
    let Some(text) = text_of(label, facts) else { return Truth::Maybe };
    let labels = &facts.session.labels;
    let family = label.family();
    // A mark whose key was not known stands for every key.
    let any = || labels.contains(every_key(family).as_str());
    Truth::from(labels.contains(text.as_str()) || (text.as_str() != family && any()))
}

/// A label's text with the call's arguments inserted as they are; nothing if one is no plain value.
pub(super) fn text_of(label: &LabelText, facts: &Facts) -> Option<Short> {
    let mut text = Short::default();
    for part in &label.parts {
        match part {
            LabelPart::Plain(plain) => text.push(plain),
            LabelPart::Argument(keys) => match found(keys_of(keys), &facts.call.input)? {
                Json::String(value) if !value.is_empty() => text.push(value),
                // Writing to it never fails.
                Json::Number(value) => write!(text, "{value}").ok()?,
                Json::Bool(value) => text.push(if *value { "true" } else { "false" }),
                Json::String(_) | Json::Null | Json::Array(_) | Json::Object(_) => return None,
            },
        }
    }
    Some(text)
}

/// Every key of a family.
pub(super) fn every_key(family: &str) -> Short {
    let mut text = Short::default();
    text.push(family);
    text.push(":*");
    text
}

/// The argument that the keys lead to. A key may hold dots, as JSON's may.
pub(super) fn found<'a, 'k>(
    mut keys: impl Iterator<Item = &'k str>,
    input: &'a Json,
) -> Option<&'a Json> {
    keys.try_fold(input, |value, key| value.get(key))
}

fn keys_of(keys: &[String]) -> impl Iterator<Item = &str> {
    keys.iter().map(String::as_str)
}

fn argument(keys: &[String], test: &Test, facts: &Facts) -> Truth {
    match found(keys_of(keys), &facts.call.input) {
        Some(value) => of_value(test, value),
        None if asks_absence(test) => of_absence(test),
        // What the schema lets a call leave out is not there; else nobody knows.
        None => match keys.first() {
            Some(first) if facts.omittable.iter().any(|name| name == first) => Truth::No,
            Some(_) | None => Truth::Maybe,
        },
    }
}

fn asks_absence(test: &Test) -> bool {
    match test {
        Test::Absent(_) => true,
        Test::Any(all) => all.iter().any(asks_absence),
        Test::Glob(_) | Test::Regex(_) | Test::Number(..) | Test::Bool(_) => false,
    }
}

fn of_absence(test: &Test) -> Truth {
    match test {
        Test::Absent(absent) => Truth::from(*absent),
        Test::Any(all) => all.iter().map(of_absence).max().unwrap_or(Truth::No),
        Test::Glob(_) | Test::Regex(_) | Test::Number(..) | Test::Bool(_) => Truth::No,
    }
}

fn of_value(test: &Test, value: &Json) -> Truth {
    match (test, value) {
        (Test::Any(all), _) => {
            all.iter().map(|one| of_value(one, value)).max().unwrap_or(Truth::No)
        }
        (Test::Absent(absent), _) => Truth::from(!absent),
        (Test::Glob(_) | Test::Regex(_), Json::String(text)) => of_text(test, text),
        (Test::Bool(expected), Json::Bool(value)) => Truth::from(expected == value),
        (Test::Number(comparison, bound), Json::Number(value)) => match value.as_f64() {
            Some(value) if value.is_finite() => Truth::from(comparison.holds(value, *bound)),
            Some(_) | None => Truth::Maybe,
        },
        // A value of another type than the author thought of.
        (Test::Glob(_) | Test::Regex(_) | Test::Bool(_) | Test::Number(..), _) => Truth::Maybe,
    }
}

fn of_text(test: &Test, text: &str) -> Truth {
    match test {
        Test::Glob(pattern) => Truth::from(pattern.matches(text)),
        Test::Regex(regex) => Truth::from(regex.is_match(text)),
        Test::Any(all) => all.iter().map(|one| of_text(one, text)).max().unwrap_or(Truth::No),
        Test::Absent(absent) => Truth::from(!absent),
        Test::Number(..) | Test::Bool(_) => Truth::Maybe,
    }
}

/// The exit status is a command's own only where nothing else decides it (§11.21).
fn exit(test: &Test, facts: &Facts, access: Option<&Access>) -> Truth {
    let Some(status) = facts.exit else { return Truth::Maybe };
    let known = match access.map(|access| &access.target) {
        Some(Target::Exec(command)) => match command.status {
            Status::Whole => true,
            Status::Chained => status == 0,
            Status::Hidden => false,
        },
        Some(_) | None => false,
    };
    if !known {
        return Truth::Maybe;
    }
    of_value(test, &Json::from(status))
}
