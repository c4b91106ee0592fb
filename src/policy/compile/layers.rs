//! Which file is of which layer, what each layer may do, and what a lower one adds to the lists
//! that an upper one opened (policy language §5, §11.24).

use super::Source;
use crate::policy::diagnostic::Diagnostic;
use crate::policy::document::{At, Document};
use crate::policy::rule::{LayerKind, Power};
use std::collections::BTreeMap;

/// The layers of some policy files.
#[derive(Debug)]
pub struct Layering {
    /// The layer of each file.
    kinds: Vec<LayerKind>,
    powers: BTreeMap<LayerKind, Power>,
    /// What lower layers add to each file's open lists, with the adding file.
    additions: Vec<Additions>,
}

/// By the list's name: each entry with the file that adds it.
type Additions = BTreeMap<String, Vec<(usize, At<String>)>>;

impl Layering {
    pub(super) fn of(
        sources: &[Source],
        documents: &[Document],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Layering {
        let mut kinds = Vec::new();
        for (source, document) in sources.iter().zip(documents) {
            kinds.push(kind_of(source, document, diagnostics));
        }
        let mut layering = Layering {
            powers: powers(sources, documents, &kinds, diagnostics),
            kinds,
            additions: vec![BTreeMap::new(); documents.len()],
        };
        layering.add(sources, documents, diagnostics);
        layering
    }

    /// The layer of a file.
    #[must_use]
    pub fn kind(&self, file: usize) -> LayerKind {
        self.kinds.get(file).copied().unwrap_or(LayerKind::Project)
    }

    /// What a layer may do.
    #[must_use]
    pub fn power(&self, kind: LayerKind) -> Power {
        self.powers.get(&kind).copied().unwrap_or(Power::Tighten)
    }

    /// The files, those of the upper layers first.
    #[must_use]
    pub fn order(&self) -> Vec<usize> {
        let mut files: Vec<usize> = (0..self.kinds.len()).collect();
        files.sort_by_key(|file| self.kind(*file));
        files
    }

    /// What lower layers add to an open list of this file.
    #[must_use]
    pub fn additions(&self, file: usize, list: &str) -> &[(usize, At<String>)] {
        let of_file = self.additions.get(file);
        of_file.and_then(|lists| lists.get(list)).map(Vec::as_slice).unwrap_or_default()
    }

    /// Takes each `[let.open]` of a lower layer that names a list opened above it.
    fn add(
        &mut self,
        sources: &[Source],
        documents: &[Document],
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        for (adding, document) in documents.iter().enumerate() {
            for (name, values) in &document.open {
                let above: Vec<usize> = (0..documents.len())
                    .filter(|file| self.kind(*file) < self.kind(adding))
                    .filter(|file| opens(documents.get(*file), &name.value))
                    .collect();
                if above.is_empty() {
                    continue;
                }
                if self.power(self.kind(adding)) != Power::Fill {
                    let file = sources.get(adding).map_or("", |source| source.name.as_str());
                    let message =
                        format!("what this adds to the open list `{}` is ignored", name.value);
                    diagnostics.push(
                        Diagnostic::warning("P033", file, name.span.clone(), message).with_help(
                            "the layer above lets this one only tighten: ask its author for \
                             `fill`, or for the entries",
                        ),
                    );
                    continue;
                }
                for file in above {
                    let Some(lists) = self.additions.get_mut(file) else { continue };
                    let list = lists.entry(name.value.clone()).or_default();
                    list.extend(values.iter().map(|value| (adding, value.clone())));
                }
            }
        }
    }
}

fn opens(document: Option<&Document>, list: &str) -> bool {
    document.is_some_and(|document| document.open.iter().any(|(name, _)| name.value == list))
}

/// A file has the layer of the directory it was found in; one that was named has the layer it
/// states, `user` if it states none.
fn kind_of(source: &Source, document: &Document, diagnostics: &mut Vec<Diagnostic>) -> LayerKind {
    let stated = document.header.layer.as_ref();
    match (source.layer, stated) {
        (Some(found), Some(stated)) if stated.value != found => {
            let message = format!(
                "the file says that it is of the layer `{}`, and lies in the directory of `{}`",
                stated.value.as_str(),
                found.as_str()
            );
            diagnostics.push(
                Diagnostic::error("P020", &source.name, stated.span.clone(), message)
                    .with_help("remove `layer`, or move the file"),
            );
            found
        }
        (Some(found), _) => found,
        (None, Some(stated)) => stated.value,
        (None, None) => LayerKind::User,
    }
}

/// The uppermost layer may do all. One below may do what every layer above lets it: where one of
/// them says nothing, it may tighten only.
fn powers(
    sources: &[Source],
    documents: &[Document],
    kinds: &[LayerKind],
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<LayerKind, Power> {
    let mut powers = BTreeMap::new();
    let Some(top) = kinds.iter().min().copied() else { return powers };
    for ((source, document), kind) in sources.iter().zip(documents).zip(kinds) {
        check_below(source, document, *kind, diagnostics);
    }
    powers.insert(top, Power::Full);
    for kind in LayerKind::ALL.into_iter().filter(|kind| *kind > top) {
        let mut power = None;
        for ((source, document), above) in sources.iter().zip(documents).zip(kinds) {
            let Some(said) = document.layers.iter().find(|(below, _)| *below == kind) else {
                continue;
            };
            if *above >= kind {
                continue;
            }
            let said = &said.1;
            let granted = granted(*above, kind, said.value);
            if granted != said.value {
                let message = "a repository's policy fills only if it was trusted by its hash, \
                               which this version cannot check: it tightens"
                    .to_owned();
                let span = said.span.clone();
                diagnostics.push(Diagnostic::warning("P033", &source.name, span, message));
            }
            power = Some(power.map_or(granted, |so_far: Power| so_far.min(granted)));
        }
        powers.insert(kind, power.unwrap_or(Power::Tighten));
    }
    powers
}

/// A file speaks only of the layers below its own.
fn check_below(
    source: &Source,
    document: &Document,
    kind: LayerKind,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for (below, said) in document.layers.iter().filter(|(below, _)| *below <= kind) {
        let message = format!("`[layers]` speaks of `{}`, which is not below", below.as_str());
        diagnostics.push(
            Diagnostic::error("P020", &source.name, said.span.clone(), message)
                .with_help("only a layer above says what a layer may do: remove it"),
        );
    }
}

/// A user cannot let a repository fill by a key alone: the agent can write the repository's file,
/// so its exact hash must be trusted out of band (policy language §5).
fn granted(above: LayerKind, below: LayerKind, said: Power) -> Power {
    match (above, below) {
        (LayerKind::User, LayerKind::Project) => said.min(Power::Tighten),
        _ => said,
    }
}
