//! The parts of the statistics that are lists with columns of their own, as rows for programs.

use super::Part;
use crate::review::stats::{SlowCall, Stats};

/// A head, and rows below it.
pub(super) struct List {
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
}

/// Such a part, whole; nothing of one that counts by a name.
pub(super) fn of(stats: &Stats, part: Part) -> Option<List> {
    let list = |head: &[&'static str], rows| Some(List { head: head.to_vec(), rows });
    match part {
        Part::NeverFired => list(
            &["policy", "sha256", "rule", "says", "shadow", "file", "line"],
            stats
                .never_fired
                .iter()
                .map(|one| {
                    let (says, shadow) = (one.says.clone(), one.shadow.to_string());
                    let (file, line) = (one.file.clone(), one.line.to_string());
                    let (policy, digest) = (one.policy.clone(), one.sha256.clone());
                    vec![policy, digest, one.id.clone(), says, shadow, file, line]
                })
                .collect(),
        ),
        Part::Approved => list(
            &["rule", "tool", "asked", "yes", "open", "waited_ms"],
            stats
                .always_approved
                .iter()
                .map(|one| {
                    let numbers = [one.asked, one.yes, one.open, one.waited_ms];
                    with([one.rule.clone(), one.tool.clone()], &numbers)
                })
                .collect(),
        ),
        Part::Approvals => list(
            &["principal", "rule", "tool", "asked", "yes", "no", "waited_ms", "longest_ms", "by"],
            stats
                .approvals
                .iter()
                .map(|one| {
                    let texts = [one.principal.clone(), one.rule.clone(), one.tool.clone()];
                    let numbers = [one.asked, one.yes, one.no, one.waited_ms, one.longest_ms];
                    [with(texts, &numbers), vec![one.by.clone()]].concat()
                })
                .collect(),
        ),
        Part::Secrets => list(
            &["detector", "tool", "of", "pointer", "session", "count", "seq"],
            stats
                .secrets
                .iter()
                .map(|one| {
                    let (detector, tool) = (one.detector.clone(), one.tool.clone());
                    let (of, pointer) = (one.of.to_string(), one.pointer.clone());
                    let texts = [detector, tool, of, pointer, one.session.clone()];
                    with(texts, &[one.count, one.seq])
                })
                .collect(),
        ),
        Part::Slow => list(
            &["what", "tool", "about", "stream", "call", "seq", "us"],
            [("deciding", &stats.slow_decisions), ("running", &stats.slow_calls)]
                .into_iter()
                .flat_map(|(what, calls)| calls.iter().map(move |one| slow(what, one)))
                .collect(),
        ),
        Part::Findings => list(
            &["finding", "count"],
            stats.findings.iter().map(|(code, n)| with([code.clone()], &[*n])).collect(),
        ),
        Part::Tool
        | Part::Rule
        | Part::Shadow
        | Part::Host
        | Part::Principal
        | Part::Policy
        | Part::Denied => None,
    }
}

fn slow(what: &str, one: &SlowCall) -> Vec<String> {
    let call = one.call.clone().unwrap_or_default();
    let (tool, about, stream) = (one.tool.clone(), one.about.clone(), one.stream.clone());
    with([what.to_owned(), tool, about, stream, call], &[one.seq, one.us])
}

fn with<const N: usize>(texts: [String; N], numbers: &[u64]) -> Vec<String> {
    texts.into_iter().chain(numbers.iter().map(u64::to_string)).collect()
}
