//! The labels of a policy: which way each is used, who marks it and who reads it.

use super::Shown;
use crate::model::json::Json;
use crate::policy::builtin::pack;
use crate::policy::document::{self, RuleText, Tested};
use crate::policy::label::{LabelText, Polarity};
use serde_json::json;
use std::collections::BTreeMap;

/// One family of labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShownLabel {
    /// The family: what stands before a `:`.
    pub family: String,
    /// `taint` or `proof`.
    pub polarity: &'static str,
    /// Rules that mark it.
    pub marked_by: Vec<String>,
    /// Rules that take it away.
    pub unmarked_by: Vec<String>,
    /// Rules that read it.
    pub read_by: Vec<String>,
    /// How an operator may set it, if he may.
    pub external: Vec<String>,
}

impl ShownLabel {
    /// The label as one JSON object.
    #[must_use]
    pub fn json(&self) -> Json {
        json!({
            "label": self.family, "polarity": self.polarity, "marked_by": self.marked_by,
            "unmarked_by": self.unmarked_by, "read_by": self.read_by, "external": self.external,
        })
    }
}

/// Every label that a policy names, by family.
#[must_use]
pub fn labels(shown: &Shown<'_>) -> Vec<ShownLabel> {
    let mut families: BTreeMap<String, ShownLabel> = BTreeMap::new();
    for (_, _, document, _) in shown.files().filter(|(.., refused)| !refused) {
        document.rules.iter().for_each(|rule| note(rule, &mut families));
    }
    for (_, name) in shown.packs() {
        let document = document::read(&name, pack(&name).unwrap_or_default()).0;
        document.rules.iter().for_each(|rule| note(rule, &mut families));
    }
    for label in &shown.policy.labels.external {
        let family = label.split(':').next().unwrap_or_default().to_owned();
        families.entry(family).or_default().external.push(label.clone());
    }
    let finish = |(family, label): (String, ShownLabel)| {
        let polarity = match shown.policy.labels.polarity_of(&family) {
            Polarity::Taint => "taint",
            Polarity::Proof => "proof",
        };
        ShownLabel { family, polarity, ..label }
    };
    families.into_iter().map(finish).collect()
}

fn note(rule: &RuleText, families: &mut BTreeMap<String, ShownLabel>) {
    let mut add = |text: &str, to: fn(&mut ShownLabel) -> &mut Vec<String>| {
        let Ok(label) = LabelText::parse(text) else { return };
        let rules = to(families.entry(label.family().to_owned()).or_default());
        if !rules.contains(&rule.id.value) {
            rules.push(rule.id.value.clone());
        }
    };
    rule.marks.iter().for_each(|label| add(&label.value, |shown| &mut shown.marked_by));
    rule.unmarks.iter().for_each(|label| add(&label.value, |shown| &mut shown.unmarked_by));
    for condition in &rule.when {
        if let "seen" | "not_seen" = condition.key.value.as_str() {
            each_text(&condition.test.value, &mut |text| add(text, |shown| &mut shown.read_by));
        }
    }
}

fn each_text(test: &Tested, with: &mut dyn FnMut(&str)) {
    match test {
        Tested::Text(text) => with(text),
        Tested::Any(all) => all.iter().for_each(|one| each_text(one, with)),
        Tested::Number(_) | Tested::Bool(_) | Tested::Regex(_) | Tested::Absent(_) => {}
    }
}
