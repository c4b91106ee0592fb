//! Labels that lack their other half: read and never set, or set and never read.

use super::{File, Subject};
use crate::policy::diagnostic::{Diagnostic, did_you_mean};
use crate::policy::document::{At, Document, RuleText, Tested};
use std::collections::BTreeSet;
use std::ops::Range;

/// A family of labels where it is named.
struct Named<'a> {
    family: String,
    file: &'a str,
    span: Range<usize>,
}

pub(super) fn lint(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let documents = || subject.files.iter().map(|file| file.document);
    let packs = || subject.packs.iter().map(|pack| &pack.document);
    let set: BTreeSet<String> = documents().chain(packs()).flat_map(set_by).collect();
    let read: BTreeSet<String> = documents()
        .chain(packs())
        .flat_map(|document| document.rules.iter().flat_map(reads))
        .map(|(family, _)| family)
        .collect();
    let mut found = Vec::new();
    for file in &subject.files {
        for use_of in uses(file).filter(|use_of| !set.contains(&use_of.family)) {
            found.push(never_set(&use_of, &set));
        }
        for mark in marks(file).filter(|mark| !read.contains(&mark.family)) {
            let message = format!("no rule reads the label `{}`", mark.family);
            let note = Diagnostic::note("P042", mark.file, mark.span, message);
            found
                .push(note.with_help("it is told in the log and by `status`, and decides nothing"));
        }
        for label in file.document.tests.iter().flat_map(|test| &test.setting.after) {
            found.extend(never_read(file, label, &read));
        }
        let examples = file.document.rules.iter().flat_map(|rule| &rule.examples);
        for label in examples.flat_map(|example| &example.value.setting.after) {
            found.extend(never_read(file, label, &read));
        }
    }
    found
}

fn never_set(use_of: &Named<'_>, set: &BTreeSet<String>) -> Diagnostic {
    let family = &use_of.family;
    let message = format!("nothing ever sets the label `{family}`");
    let help = match did_you_mean(family, set.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!(
            "mark it by a rule; if an operator sets it, or a layer that is not here, say so: \
             [labels] external = [\"{family}\"]"
        ),
    };
    Diagnostic::warning("P025", use_of.file, use_of.span.clone(), message).with_help(help)
}

/// A test that sets what no rule asks for tests less than it says.
fn never_read(file: &File<'_>, label: &At<String>, read: &BTreeSet<String>) -> Option<Diagnostic> {
    let family = family(&label.value);
    if read.contains(&family) {
        return None;
    }
    let message = format!("no rule reads the label `{family}`, so the test sets it in vain");
    let help = match did_you_mean(&family, read.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "name a label that a rule has in its `seen` or `not_seen`, or remove it".to_owned(),
    };
    let span = label.span.clone();
    Some(Diagnostic::warning("P025", &file.source.name, span, message).with_help(help))
}

/// What asks for a label, or takes one away.
fn uses<'a>(file: &File<'a>) -> impl Iterator<Item = Named<'a>> {
    let name = file.source.name.as_str();
    file.document.rules.iter().flat_map(move |rule| {
        let taken = rule.unmarks.iter().map(|label| (family(&label.value), label.span.clone()));
        let both = reads(rule).chain(taken);
        both.map(move |(family, span)| Named { family, file: name, span })
    })
}

fn marks<'a>(file: &File<'a>) -> impl Iterator<Item = Named<'a>> {
    let name = file.source.name.as_str();
    let all = file.document.rules.iter().flat_map(|rule| &rule.marks);
    all.map(move |label| Named {
        family: family(&label.value),
        file: name,
        span: label.span.clone(),
    })
}

/// The families that a file's rules mark, or that it says are set from outside.
fn set_by(document: &Document) -> impl Iterator<Item = String> {
    let marks = document.rules.iter().flat_map(|rule| &rule.marks);
    marks.chain(&document.external).map(|label| family(&label.value))
}

fn reads(rule: &RuleText) -> impl Iterator<Item = (String, Range<usize>)> {
    let of_labels = rule
        .when
        .iter()
        .filter(|condition| matches!(condition.key.value.as_str(), "seen" | "not_seen"));
    of_labels.flat_map(|condition| {
        let span = condition.test.span.clone();
        let families = texts(&condition.test.value);
        families.into_iter().map(move |text| (family(text), span.clone()))
    })
}

fn texts(tested: &Tested) -> Vec<&str> {
    match tested {
        Tested::Text(text) => vec![text],
        Tested::Any(all) => all.iter().flat_map(texts).collect(),
        Tested::Number(_) | Tested::Bool(_) | Tested::Regex(_) | Tested::Absent(_) => Vec::new(),
    }
}

fn family(label: &str) -> String {
    label.split(':').next().unwrap_or_default().to_owned()
}
