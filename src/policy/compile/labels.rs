//! Which way each label is used, over all files, before any rule is compiled.
//!
//! The upper layers are weighed first. A lower file that would use a label the other way is itself
//! refused, and the layers above stay in force (policy language §11.24).

use super::Source;
use super::layers::Layering;
use crate::model::effect::Effect;
use crate::policy::diagnostic::Diagnostic;
use crate::policy::document::{At, ConditionText, Document, RuleText, Tested};
use crate::policy::label::{LabelText, Labels, Polarity};
use crate::policy::rule::{LayerKind, Says};
use std::collections::BTreeMap;

/// The labels of a policy, weighed.
#[derive(Debug, Default)]
pub(super) struct Weighed {
    pub(super) labels: Labels,
    /// The uppermost layer that reads each family.
    pub(super) readers: BTreeMap<String, LayerKind>,
    /// Files that use a label against a layer above them.
    pub(super) refused: Vec<usize>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// A use of a label that goes against another.
struct Clash {
    conflict: Box<Diagnostic>,
    family: String,
    way: Polarity,
}

/// One use of a label: its family, which way, and where.
type Use = (String, Polarity, std::ops::Range<usize>);

pub(super) fn weigh(sources: &[Source], documents: &[Document], layering: &Layering) -> Weighed {
    let mut weighed = Weighed::default();
    let top = layering.order().first().map(|file| layering.kind(*file));
    for file in layering.order() {
        let (Some(source), Some(document)) = (sources.get(file), documents.get(file)) else {
            continue;
        };
        match weighed.file(&source.name, document) {
            Ok(polarity) => {
                weighed.labels.polarity = polarity;
                weighed.read_by(document, layering.kind(file));
            }
            Err(Clash { mut conflict, family, way }) => {
                let told = |file: &usize| !weighed.refused.contains(file);
                let files = layering.order().into_iter().filter(told);
                let until = files.take_while(|other| *other != file).chain([file]);
                let mut others = until.filter_map(|file| {
                    let found = documents.get(file)?.rules.iter().flat_map(uses);
                    let other = found.filter(|(name, _, _)| *name == family);
                    let (_, _, span) = other.into_iter().find(|(_, used, _)| *used != way)?;
                    Some((sources.get(file)?.name.as_str(), span))
                });
                if let Some((other, span)) = others.next() {
                    let label = match way {
                        Polarity::Taint => "loosens here",
                        Polarity::Proof => "tightens here",
                    };
                    *conflict = conflict.with_other(other, span, label);
                }
                if Some(layering.kind(file)) != top {
                    conflict.help = Some(
                        "the layers above read it the other way, so this file is refused: name \
                         the label differently"
                            .to_owned(),
                    );
                    weighed.refused.push(file);
                }
                weighed.diagnostics.push(*conflict);
            }
        }
        for label in &document.external {
            weighed.external(&source.name, label);
        }
    }
    weighed
}

impl Weighed {
    /// The uses so far with those of one file, or the first that does not fit.
    fn file(&self, name: &str, document: &Document) -> Result<BTreeMap<String, Polarity>, Clash> {
        let mut polarity = self.labels.polarity.clone();
        let decided = document.rules.iter().filter(|rule| rule.says != Says::Note);
        for found in decided.flat_map(uses) {
            take(&mut polarity, found, name)?;
        }
        // What a note reads is used the way of what it marks; that may be what a note reads.
        let notes: Vec<&RuleText> =
            document.rules.iter().filter(|rule| rule.says == Says::Note).collect();
        for _ in 0..=notes.len().min(NOTE_CHAIN_MAX) {
            let before = polarity.len();
            for note in &notes {
                for found in note_uses(note, &polarity) {
                    take(&mut polarity, found, name)?;
                }
            }
            if polarity.len() == before {
                break;
            }
        }
        Ok(polarity)
    }

    fn read_by(&mut self, document: &Document, kind: LayerKind) {
        for (condition, _) in document.rules.iter().flat_map(|rule| read(&rule.when)) {
            for family in families(&condition.test.value) {
                self.readers.entry(family).or_insert(kind);
            }
        }
    }

    /// A label that an operator sets: one label, or with `:*` every key of a family.
    fn external(&mut self, file: &str, label: &At<String>) {
        let plain = label.value.strip_suffix(":*").unwrap_or(&label.value);
        match LabelText::parse(plain) {
            Ok(text) if text.as_plain().is_some() => {
                self.labels.external.push(label.value.clone());
            }
            Ok(_) | Err(_) => {
                let message = format!("`{}` is no label that can be set from outside", label.value);
                self.diagnostics.push(
                    Diagnostic::error("P019", file, label.span.clone(), message)
                        .with_help("write a label, or `name:*` for every key of one"),
                );
            }
        }
    }
}

/// Notes that read what other notes mark, one after another; more are a knot, not a policy.
const NOTE_CHAIN_MAX: usize = 64;

fn take(
    polarity: &mut BTreeMap<String, Polarity>,
    (family, way, span): Use,
    file: &str,
) -> Result<(), Clash> {
    let so_far = *polarity.entry(family.clone()).or_insert(way);
    if so_far == way {
        return Ok(());
    }
    let message = format!("the label `{family}` both tightens and loosens");
    let conflict = Diagnostic::error("P017", file, span, message).with_help(
        "a label is a taint (`seen` in ask or deny, `not_seen` in allow) or a proof (`seen` in \
         allow, `not_seen` in ask or deny; only a proof can be unmarked): use two labels",
    );
    let conflict = Box::new(conflict.with_label(match way {
        Polarity::Taint => "tightens here",
        Polarity::Proof => "loosens here",
    }));
    Err(Clash { conflict, family, way })
}

/// The conditions on labels, and whether each asks for the label or for its absence.
fn read(when: &[ConditionText]) -> impl Iterator<Item = (&ConditionText, bool)> {
    when.iter().filter_map(|condition| match condition.key.value.as_str() {
        "seen" => Some((condition, true)),
        "not_seen" => Some((condition, false)),
        _ => None,
    })
}

fn families(test: &Tested) -> Vec<String> {
    match test {
        Tested::Text(text) => {
            LabelText::parse(text).map(|label| vec![label.family().to_owned()]).unwrap_or_default()
        }
        Tested::Any(all) => all.iter().flat_map(families).collect(),
        Tested::Number(_) | Tested::Bool(_) | Tested::Regex(_) | Tested::Absent(_) => Vec::new(),
    }
}

/// How a rule that decides uses the labels it reads and unmarks.
fn uses(rule: &RuleText) -> Vec<Use> {
    let loosens = rule.says == Says::Effect(Effect::Allow);
    let mut found = reads(rule, loosens);
    found.extend(unmarks(rule));
    found
}

/// A note tightens by a taint or an unmark, and loosens by a proof.
fn note_uses(note: &RuleText, polarity: &BTreeMap<String, Polarity>) -> Vec<Use> {
    let marked = |mark: &At<String>| {
        let family = LabelText::parse(&mark.value).ok()?.family().to_owned();
        Some(polarity.get(&family).copied().unwrap_or(Polarity::Taint))
    };
    let marks: Vec<Polarity> = note.marks.iter().filter_map(marked).collect();
    let mut found: Vec<Use> = unmarks(note).collect();
    if marks.contains(&Polarity::Proof) {
        found.extend(reads(note, true));
    }
    if marks.contains(&Polarity::Taint) || !note.unmarks.is_empty() || marks.is_empty() {
        found.extend(reads(note, false));
    }
    found
}

fn reads(rule: &RuleText, loosens: bool) -> Vec<Use> {
    let mut found = Vec::new();
    for (condition, seen) in read(&rule.when) {
        // Seen by what loosens, or not seen by what tightens.
        let way = if seen == loosens { Polarity::Proof } else { Polarity::Taint };
        for family in families(&condition.test.value) {
            found.push((family, way, condition.test.span.clone()));
        }
    }
    found
}

fn unmarks(rule: &RuleText) -> impl Iterator<Item = Use> {
    rule.unmarks.iter().filter_map(|label| {
        let family = LabelText::parse(&label.value).ok()?.family().to_owned();
        Some((family, Polarity::Proof, label.span.clone()))
    })
}
