//! Lints: what in a policy that loads its author hardly meant.
//!
//! A lint is never wrong, or says nothing: it is told to people who will believe it, and what it
//! says is never a reason to refuse a policy. The files are by what they look at: `overlap` at
//! rules that others make void, `labels` and `lists` at names, `planes` at what nothing can see,
//! `hosts`, `opaque` and `syntax` at single patterns, `layers` at rules that never act.

mod entries;
mod exception;
mod hosts;
mod index;
mod labels;
mod layers;
mod lists;
mod opaque;
mod overlap;
mod planes;
mod syntax;

use super::compile::{Compiled, Source, let_workspace};
use super::diagnostic::Diagnostic;
use super::document::{self, Document};
use super::pattern::Anchors;
use super::pattern::cover::places;
use super::rule::{LayerKind, Policy, Power};
use super::{builtin, rule};
use crate::limits::DIAGNOSTICS_MAX;
use crate::model::path::AbsPath;
use crate::model::time::Moment;
use entries::Entries;

/// A policy that loads, as the lints look at it.
struct Subject<'a> {
    files: Vec<File<'a>>,
    /// The packs that the files include; a rule of one belongs to the file's layer.
    packs: Vec<Pack<'a>>,
    policy: &'a Policy,
    /// Of which nothing is known but what the policy itself says.
    anchors: Anchors,
    now: Option<Moment>,
}

/// One file that is in force.
#[derive(Clone, Copy)]
struct File<'a> {
    source: &'a Source,
    document: &'a Document,
    kind: LayerKind,
}

struct Pack<'a> {
    name: &'a str,
    document: Document,
    kind: LayerKind,
}

/// Everything that a policy's author should look at, in the order of its places. `now` is asked
/// for what has ended; without it nothing has.
#[must_use]
pub fn lint(sources: &[Source], compiled: &Compiled, now: Option<Moment>) -> Vec<Diagnostic> {
    let Some(policy) = &compiled.policy else { return Vec::new() };
    let subject = Subject::of(sources, compiled, policy, now);
    let entries = Entries::of(&subject);
    let mut found = overlap::lint(&subject, &entries);
    found.extend(labels::lint(&subject));
    found.extend(lists::lint(&subject));
    found.extend(planes::lint(&subject, &entries));
    found.extend(hosts::lint(&subject, &entries));
    found.extend(opaque::lint(&subject, &entries));
    found.extend(syntax::lint(&subject));
    found.extend(layers::lint(&subject, &entries));
    let place = |found: &Diagnostic| sources.iter().position(|source| source.name == found.file);
    found.sort_by_key(|found| std::cmp::Reverse(found.severity));
    found.truncate(DIAGNOSTICS_MAX);
    found.sort_by_cached_key(|found| (place(found), found.span.start, found.code));
    found
}

impl<'a> Subject<'a> {
    fn of(
        sources: &'a [Source],
        compiled: &'a Compiled,
        policy: &'a Policy,
        now: Option<Moment>,
    ) -> Subject<'a> {
        let all = sources.iter().zip(&compiled.documents).enumerate();
        let files: Vec<File<'a>> = all
            .filter(|(place, _)| !compiled.refused.contains(place))
            .map(|(place, (source, document))| File {
                source,
                document,
                kind: compiled.layering.kind(place),
            })
            .collect();
        let packs = files.iter().flat_map(|file| packs_of(file.document, file.kind)).collect();
        let stated = files.iter().find_map(|file| let_workspace(file.document));
        let workspace = stated.and_then(|text| AbsPath::parse(&text.value).ok());
        Subject { packs, policy, anchors: places(workspace), now, files }
    }

    fn power(&self, kind: LayerKind) -> Power {
        let layer = self.policy.layers.iter().find(|layer| layer.kind == kind);
        layer.map_or(Power::Tighten, |layer| layer.power)
    }

    fn default(&self, kind: LayerKind) -> rule::Default {
        let layer = self.policy.layers.iter().find(|layer| layer.kind == kind);
        layer.map_or(rule::Default::Deny, |layer| layer.default)
    }
}

fn packs_of(document: &Document, kind: LayerKind) -> impl Iterator<Item = Pack<'_>> {
    document.header.include.iter().filter_map(move |name| {
        let text = builtin::pack(&name.value)?;
        let (document, _) = document::read(&name.value, text);
        Some(Pack { name: &name.value, document, kind })
    })
}
