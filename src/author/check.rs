//! Reading a policy for use: compile it, run its examples and tests, and yield it only if all hold.

use super::lint::lint;
use super::run::{Ran, RunKind, RunOutcome, run, stated_workspace};
use crate::model::path::AbsPath;
use crate::model::time::Moment;
use crate::policy::builtin::{PACKS, Protected, pack};
use crate::policy::compile::Compiled;
use crate::policy::diagnostic::{Diagnostic, Severity};
use crate::policy::document::{self, Document};
use crate::policy::pattern::Anchors;
use crate::policy::rule::Policy;
use crate::policy::{Source, compile};
use crate::redact::Redactor;

/// What came of reading a policy for use.
#[derive(Debug)]
pub struct Checked {
    /// The policy, bound to its real places; nothing if anything was wrong.
    pub policy: Option<Policy>,
    /// The policy that can be read and does not do what its examples and tests say: for those who
    /// ask why, never to be in force.
    pub unsound: Option<Policy>,
    /// Every mistake.
    pub diagnostics: Vec<Diagnostic>,
    /// Every example and test, and how it came out.
    pub ran: Vec<Ran>,
}

impl Checked {
    /// How many examples and tests came out as they say.
    #[must_use]
    pub fn held(&self) -> usize {
        self.ran.iter().filter(|ran| ran.outcome == RunOutcome::Held).count()
    }

    /// How many claims could not be proved.
    #[must_use]
    pub fn unproved(&self) -> usize {
        self.ran.iter().filter(|ran| ran.outcome == RunOutcome::Unproved).count()
    }
}

/// Reads policy files, runs their examples and tests, and binds them to `anchors`.
#[must_use]
pub fn check(
    sources: &[Source],
    anchors: &Anchors,
    protected: &Protected,
    redactor: &Redactor,
) -> Checked {
    read(sources, anchors, protected, redactor).0
}

/// The same with all that the author should look at; whether the policy loads is as before. `now`
/// is asked for what has ended.
#[must_use]
pub fn check_and_lint(
    sources: &[Source],
    anchors: &Anchors,
    protected: &Protected,
    redactor: &Redactor,
    now: Option<Moment>,
) -> Checked {
    let (mut checked, frozen) = read(sources, anchors, protected, redactor);
    if let Some((frozen, anchors)) = frozen {
        let found = lint(sources, &frozen, &anchors, redactor, &checked.ran, now);
        checked.diagnostics.extend(found);
    }
    checked
}

/// What came of it, and the policy in the frozen world if it can be read.
fn read(
    sources: &[Source],
    anchors: &Anchors,
    protected: &Protected,
    redactor: &Redactor,
) -> (Checked, Option<(Compiled, Anchors)>) {
    let Compiled { policy, documents, mut diagnostics, .. } = compile(sources, anchors, protected);
    if policy.is_none() {
        return (Checked { policy, unsound: None, diagnostics, ran: Vec::new() }, None);
    }
    let frozen_anchors = Anchors::frozen(stated_workspace(&documents));
    let frozen = compile(sources, &frozen_anchors, &Protected::default());
    let ran = run(sources, &frozen, &frozen_anchors, redactor);
    let failed: Vec<Diagnostic> = ran.iter().filter_map(|ran| failure(ran, sources)).collect();
    // A policy that cannot even be read for its examples is none to trust.
    let sound = failed.is_empty() && frozen.policy.is_some();
    diagnostics.extend(failed);
    if frozen.policy.is_none() {
        diagnostics.extend(frozen.diagnostics);
        return (Checked { policy: None, unsound: None, diagnostics, ran }, None);
    }
    let (policy, unsound) = if sound { (policy, None) } else { (None, policy) };
    (Checked { policy, unsound, diagnostics, ran }, Some((frozen, frozen_anchors)))
}

/// An example or test that did not come out as it says, as a mistake.
pub(super) fn failure(ran: &Ran, sources: &[Source]) -> Option<Diagnostic> {
    let RunOutcome::Failed { message, detail } = &ran.outcome else { return None };
    let code = match ran.kind {
        RunKind::Example => "P030",
        RunKind::Test | RunKind::Claim => "P031",
    };
    let file = sources.get(ran.file).map_or("", |source| source.name.as_str());
    let error = Diagnostic::error(code, file, ran.span.clone(), message.clone());
    Some(error.with_help(detail.clone()))
}

/// The workspace that some policy text states, before anything else is known of it.
#[must_use]
pub fn workspace_in(sources: &[Source]) -> Option<AbsPath> {
    let documents: Vec<Document> =
        sources.iter().map(|source| document::read(&source.name, &source.text).0).collect();
    stated_workspace(&documents)
}

/// Whether anything in these mistakes keeps a policy from loading.
#[must_use]
pub fn errors(diagnostics: &[Diagnostic]) -> usize {
    diagnostics.iter().filter(|found| found.severity == Severity::Error).count()
}

/// Every shipped pack, read for use: what its own test runs.
#[must_use]
pub fn check_packs(redactor: &Redactor) -> Vec<(&'static str, Checked)> {
    let one = |name: &'static str| {
        let text = pack(name).unwrap_or_default().to_owned();
        let source = Source { name: name.to_owned(), text, layer: None };
        (name, check(&[source], &Anchors::frozen(None), &Protected::default(), redactor))
    };
    PACKS.iter().copied().map(one).collect()
}
