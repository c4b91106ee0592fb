//! What the author should know of patterns that no index can take: what they cost.

use super::{Document, Source};
use crate::limits::PATTERNS_ASKED_MAX;
use crate::policy::diagnostic::Diagnostic;
use crate::policy::index::Cost;
use crate::policy::rule::{Policy, Rule};
use std::ops::Range;

/// What comparing one pattern takes, roughly, where it is not looked up.
const NANOSECONDS_EACH: usize = 50;

/// A warning for each verb of a layer that has many patterns which are compared one by one. A few
/// are nobody's trouble.
pub(super) fn price(
    policy: &Policy,
    sources: &[Source],
    documents: &[Document],
) -> Vec<Diagnostic> {
    let costs = policy.layers.iter().flat_map(|layer| layer.rules.cost());
    let dear = costs.filter(|cost| cost.most() > PATTERNS_ASKED_MAX);
    dear.filter_map(|cost| {
        let rule = cost.first?;
        let span = place_of(rule, sources, documents)?;
        let warning = Diagnostic::warning("P040", &rule.origin.file, span, message(&cost, rule));
        Some(warning.with_help(
            "a pattern is looked up by what is literal in it: a directory, a name, `*.ext`, a \
             program and its first word, a host, a tool's name",
        ))
    })
    .collect()
}

fn message(cost: &Cost<'_>, rule: &Rule) -> String {
    let Cost { verb, always, together, .. } = *cost;
    let (id, most) = (&rule.id, cost.most());
    let takes = format!("{} µs", (most * NANOSECONDS_EACH).div_ceil(1_000));
    if always >= together {
        format!(
            "no index finds `{id}` and {} more patterns: each {verb} is compared with all of \
             them, which takes about {takes}",
            most - 1
        )
    } else {
        format!(
            "`{id}` and {} more patterns are found by the same text: each {verb} that has it is \
             compared with all of them, which takes about {takes}",
            most - 1
        )
    }
}

/// Where a rule stands; nothing if it is of a pack.
fn place_of(rule: &Rule, sources: &[Source], documents: &[Document]) -> Option<Range<usize>> {
    let mut files = sources.iter().zip(documents);
    let (_, document) = files.find(|(source, _)| source.name == rule.origin.file)?;
    let text = document.rules.iter().find(|text| text.id.value == rule.id)?;
    Some(text.id.span.clone())
}
