//! From documents to a policy: layers in their order, lists resolved, patterns compiled, labels
//! weighed, every mistake collected.

mod conditions;
mod file;
mod labels;
mod layers;
mod patterns;
mod price;
mod size;

use super::builtin::{self, Protected};
use super::canonical::{Canonical, sha256};
use super::diagnostic::{Diagnostic, Severity, drop_echoes};
use super::document::{self, At, Document, ToolText};
use super::index::Rules;
use super::pattern::Anchors;
use super::pattern::exec::Writable;
use super::rule::{self, Budget, Layer, LayerKind, Policy, Rule, ToolRow, Unattended};
use super::written::WrittenRule;
use crate::limits::DIAGNOSTICS_MAX;
use crate::model::call::ToolName;
use crate::model::decision::PolicyId;
use crate::model::effect::Verdict;
use file::{Compiler, Part};
pub use layers::Layering;
use std::collections::BTreeMap;

/// One policy file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// Its name, as the user gave it.
    pub name: String,
    /// Its text.
    pub text: String,
    /// The layer whose directory it was found in; nothing for a file that was named.
    pub layer: Option<LayerKind>,
}

/// What came of reading a policy.
#[derive(Debug)]
pub struct Compiled {
    /// The policy; nothing if there was an error.
    pub policy: Option<Policy>,
    /// What was written in each file, for examples, tests and tools.
    pub documents: Vec<Document>,
    /// The rules that have examples, each with its file and its place among the file's rules.
    pub exemplified: Vec<(usize, usize, Rule)>,
    /// Files of lower layers that were refused while the layers above them stay in force.
    pub refused: Vec<usize>,
    /// Which file is of which layer, and what each may do.
    pub layering: Layering,
    /// What stands in the rules of the policy once their lists are written out.
    pub written: Vec<WrittenRule>,
    /// The text that the policy's digest is of; empty if there is no policy.
    pub canonical: String,
    /// Every mistake.
    pub diagnostics: Vec<Diagnostic>,
}

/// Compiles policy files, each of a layer, with the places that their names stand for.
#[must_use]
pub fn compile(sources: &[Source], anchors: &Anchors, protected: &Protected) -> Compiled {
    let mut diagnostics = Vec::new();
    let mut documents = Vec::new();
    for source in sources {
        let (document, found) = document::read(&source.name, &source.text);
        diagnostics.extend(found);
        documents.push(document);
    }
    let layering = Layering::of(sources, &documents, &mut diagnostics);
    let mut weighed = labels::weigh(sources, &documents, &layering);
    diagnostics.append(&mut weighed.diagnostics);
    let (parts, found) = {
        let mut compiler = Compiler::new(sources, &documents, &layering, &mut weighed, anchors);
        let mut parts: Vec<(usize, Part)> = Vec::new();
        for file in layering.order() {
            if !compiler.is_refused(file) {
                parts.push((file, compiler.file(file)));
            }
        }
        diagnostics.append(&mut compiler.diagnostics);
        (parts, compiler.finish())
    };
    for source in sources {
        drop_echoes(&mut diagnostics, &source.name, &source.text);
    }
    let refused = weighed.refused;
    let told = |found: &Diagnostic| {
        refused.iter().any(|file| sources.get(*file).is_some_and(|s| s.name == found.file))
    };
    let failed = diagnostics.iter().any(|found| found.severity == Severity::Error && !told(found));
    for source in sources {
        drop_echoes(&mut diagnostics, &source.name, &source.text);
    }
    tidy(&mut diagnostics);
    let mut compiled = Compiled {
        policy: None,
        documents,
        exemplified: Vec::new(),
        refused,
        layering,
        written: Vec::new(),
        canonical: String::new(),
        diagnostics,
    };
    if !failed {
        let policy = assemble(&mut compiled, parts, anchors);
        let prices = price::price(&policy, sources, &compiled.documents);
        compiled.diagnostics.extend(prices);
        tidy(&mut compiled.diagnostics);
        compiled.policy = Some(Policy {
            floor: builtin::floor(protected, anchors).into(),
            labels: found.labels,
            limits: found.limits,
            ..policy
        });
    }
    compiled
}

/// Errors stand before warnings where not all can be told; then by place.
fn tidy(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by_key(|found| std::cmp::Reverse(found.severity));
    diagnostics.truncate(DIAGNOSTICS_MAX);
    diagnostics.sort_by_key(|found| (found.file.clone(), found.span.start));
}

/// Puts the files' parts together, layer by layer.
fn assemble(compiled: &mut Compiled, parts: Vec<(usize, Part)>, anchors: &Anchors) -> Policy {
    let mut canonical = Canonical::default();
    let Compiled { documents, exemplified, layering, written, .. } = compiled;
    let mut names = Vec::new();
    let mut policy = Policy {
        id: PolicyId { name: String::new(), sha256: String::new() },
        layers: Vec::new(),
        floor: Rules::default(),
        writable: Writable::default(),
        tools: Vec::new(),
        labels: super::label::Labels::default(),
        limits: Vec::new(),
        budgets: Vec::new(),
        notices: Vec::new(),
    };
    let mut writable = Vec::new();
    let mut rules: BTreeMap<LayerKind, Vec<Rule>> = BTreeMap::new();
    for (file, part) in parts {
        let Some(document) = documents.get(file) else { continue };
        let kind = layering.kind(file);
        let power = layering.power(kind);
        canonical.file(kind, power, document);
        canonical.rules(kind, power, part.canonical);
        canonical.packs(kind, power, part.packs);
        written.extend(part.written);
        names.push(full_name(document));
        writable.extend(part.writable);
        policy.tools.extend(document.tools.iter().map(|text| tool_row(text, kind)));
        policy.budgets.extend(
            document
                .budget
                .iter()
                .map(|terms| Budget { policy: full_name(document), terms: terms.clone() }),
        );
        policy.notices.extend(part.notices);
        exemplified.extend(part.exemplified.into_iter().map(|(place, rule)| (file, place, rule)));
        rules.entry(kind).or_default().extend(part.rules);
        join(&mut policy.layers, document, kind, power);
    }
    // What a layer holds is filed once, when all of it is there.
    for layer in &mut policy.layers {
        layer.rules = rules.remove(&layer.kind).unwrap_or_default().into();
    }
    let places = [&anchors.workspace, &anchors.tmp].into_iter();
    let roots = places.flat_map(|place| anchors.names_of(place)).cloned().collect::<Vec<_>>();
    policy.writable = Writable { roots, patterns: writable.into() };
    compiled.canonical = canonical.finish();
    policy.id = PolicyId { name: names.join("+"), sha256: sha256(&compiled.canonical) };
    policy
}

/// A file joins the layer it belongs to; of two defaults the stricter stands.
fn join(layers: &mut Vec<Layer>, document: &Document, kind: LayerKind, power: rule::Power) {
    let default = document.header.default.unwrap_or(rule::Default::Deny);
    let opaque = document.header.opaque.unwrap_or(default);
    let unattended = document.header.unattended.unwrap_or(Unattended::Deny);
    let name = full_name(document);
    match layers.iter_mut().find(|layer| layer.kind == kind) {
        Some(layer) => {
            layer.name = format!("{}+{name}", layer.name);
            layer.default = stricter(layer.default, default);
            layer.opaque = stricter(layer.opaque, opaque);
            if unattended == Unattended::Deny {
                layer.unattended = unattended;
            }
        }
        None => {
            let rules = Rules::default();
            layers.push(Layer { kind, power, name, default, opaque, unattended, rules });
        }
    }
}

fn stricter(one: rule::Default, other: rule::Default) -> rule::Default {
    match one.verdict().stricter_layer(other.verdict()) {
        Verdict::Deny => rule::Default::Deny,
        Verdict::Ask => rule::Default::Ask,
        Verdict::Allow | Verdict::Defer => rule::Default::Defer,
    }
}

fn tool_row(text: &ToolText, layer: LayerKind) -> ToolRow {
    let bare = |text: &str| text.strip_prefix("args.").unwrap_or(text).to_owned();
    ToolRow {
        tool: ToolName::parse(&text.name.value),
        layer,
        arguments: text.arguments.iter().map(|(verb, at)| (*verb, bare(&at.value))).collect(),
    }
}

fn full_name(document: &Document) -> String {
    let text = |at: &Option<At<String>>| at.as_ref().map(|text| text.value.clone());
    let name = text(&document.header.name).unwrap_or_else(|| "unnamed".to_owned());
    match text(&document.header.version) {
        Some(version) => format!("{name}@{version}"),
        None => name,
    }
}

/// The workspace that a file's `[let]` names, if it does.
#[must_use]
pub fn let_workspace(document: &Document) -> Option<&At<String>> {
    let (_, values) = document.lists.iter().find(|(name, _)| name.value == "workspace")?;
    values.first()
}

#[cfg(test)]
mod tests;
