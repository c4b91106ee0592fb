//! Reading a policy for use: compile it, run its examples and tests, and yield it only if all hold.
//!
//! Examples and tests run in a frozen world, so whether a policy loads never depends on the
//! machine (policy language §11.26).

use super::call::facts_of;
use crate::engine::{answers, decide};
use crate::facts::Place;
use crate::model::path::AbsPath;
use crate::model::truth::Truth;
use crate::policy::builtin::{PACKS, Protected, pack};
use crate::policy::compile::{Compiled, let_workspace};
use crate::policy::diagnostic::{Diagnostic, Severity};
use crate::policy::document::{self, At, CallText, Document, Example, Expect};
use crate::policy::pattern::Anchors;
use crate::policy::rule::{Layer, Policy, Rule};
use crate::policy::{Source, compile};
use crate::redact::Redactor;
use crate::world::Frozen;

/// What came of reading a policy for use.
#[derive(Debug)]
pub struct Checked {
    /// The policy, bound to its real places; nothing if anything was wrong.
    pub policy: Option<Policy>,
    /// Every mistake.
    pub diagnostics: Vec<Diagnostic>,
    /// How many examples and tests were run.
    pub ran: usize,
}

/// Reads policy files, runs their examples and tests, and binds them to `anchors`.
#[must_use]
pub fn check(
    sources: &[Source],
    anchors: &Anchors,
    protected: &Protected,
    redactor: &Redactor,
) -> Checked {
    let mut real = compile(sources, anchors, protected);
    let mut ran = 0;
    if real.policy.is_some() {
        let frozen_anchors = Anchors::frozen(stated_workspace(&real.documents));
        let frozen = compile(sources, &frozen_anchors, &Protected::default());
        let (failed, count) = run_all(sources, &frozen, &frozen_anchors, redactor);
        real.diagnostics.extend(failed);
        ran = count;
    }
    let failed = real.diagnostics.iter().any(|found| found.severity == Severity::Error);
    Checked { policy: real.policy.filter(|_| !failed), diagnostics: real.diagnostics, ran }
}

/// The workspace that the files themselves state, if one does.
#[must_use]
pub fn stated_workspace(documents: &[Document]) -> Option<AbsPath> {
    let text = documents.iter().find_map(let_workspace)?;
    AbsPath::parse(&text.value).ok()
}

/// The workspace that some policy text states, before anything else is known of it.
#[must_use]
pub fn workspace_in(sources: &[Source]) -> Option<AbsPath> {
    let documents: Vec<Document> =
        sources.iter().map(|source| document::read(&source.name, &source.text).0).collect();
    stated_workspace(&documents)
}

fn run_all(
    sources: &[Source],
    frozen: &Compiled,
    anchors: &Anchors,
    redactor: &Redactor,
) -> (Vec<Diagnostic>, usize) {
    let Some(policy) = &frozen.policy else { return (frozen.diagnostics.clone(), 0) };
    let mut bench = Bench { policy, anchors, redactor, file: "", failed: Vec::new(), ran: 0 };
    for ((source, document), layer) in sources.iter().zip(&frozen.documents).zip(&policy.layers) {
        bench.file = &source.name;
        bench.document(document, layer);
    }
    (bench.failed, bench.ran)
}

/// Runs the examples and tests of one policy in the frozen world.
struct Bench<'a> {
    policy: &'a Policy,
    anchors: &'a Anchors,
    redactor: &'a Redactor,
    file: &'a str,
    failed: Vec<Diagnostic>,
    ran: usize,
}

impl Bench<'_> {
    fn document(&mut self, document: &Document, layer: &Layer) {
        // The rules of a layer stand in the order of its document.
        for (text, rule) in document.rules.iter().zip(&layer.rules) {
            for example in &text.examples {
                self.example(rule, example);
            }
        }
        for test in &document.tests {
            self.ran += 1;
            let facts = self.facts(&test.call, &test.files, test.cwd.as_ref());
            let decision = decide(self.policy, &facts, self.redactor);
            if decision.attended_verdict != test.expect {
                self.fail(
                    "P031",
                    &test.name,
                    format!(
                        "the test `{}` expects {}, the policy says {}",
                        test.name.value, test.expect, decision.attended_verdict
                    ),
                    decision.reason,
                );
            }
        }
    }

    fn example(&mut self, rule: &Rule, example: &At<Example>) {
        self.ran += 1;
        let Example { call, expect, files, cwd } = &example.value;
        let facts = self.facts(call, files, cwd.as_ref());
        let answer = facts
            .accesses
            .iter()
            .flat_map(|access| {
                answers(std::slice::from_ref(rule), access, &facts.accesses, &self.policy.writable)
            })
            .map(|answer| answer.truth)
            .max()
            .unwrap_or(Truth::No);
        let wanted = match expect {
            Expect::Match => Truth::Yes,
            Expect::Maybe => Truth::Maybe,
            Expect::Skip => Truth::No,
        };
        if answer != wanted {
            let named = |truth| match truth {
                Truth::Yes => "match",
                Truth::Maybe => "maybe",
                Truth::No => "skip",
            };
            let message = format!(
                "rule `{}`: the example expects {}, the rule says {}",
                rule.id,
                named(wanted),
                named(answer)
            );
            let seen: Vec<String> = facts
                .accesses
                .iter()
                .map(|access| format!("{} {}", access.target.verb(), access.target))
                .collect();
            self.fail("P030", example, message, format!("it would do: {}", seen.join(", ")));
        }
    }

    fn facts(
        &self,
        call: &CallText,
        files: &[At<String>],
        cwd: Option<&At<String>>,
    ) -> crate::model::facts::Facts {
        let workspace = &self.anchors.workspace;
        let there: Vec<AbsPath> =
            files.iter().filter_map(|file| workspace.join(&file.value).ok()).collect();
        let world = Frozen::with_files(&there);
        let place = Place { world: &world, workspace, tmp: &self.anchors.tmp };
        let cwd = cwd.and_then(|cwd| workspace.join(&cwd.value).ok());
        facts_of(call, cwd.as_ref().unwrap_or(workspace), &self.policy.tools, &place)
    }

    fn fail<T>(&mut self, code: &'static str, at: &At<T>, message: String, help: String) {
        let error = Diagnostic::error(code, self.file, at.span.clone(), message);
        self.failed.push(error.with_help(help));
    }
}

/// Every shipped pack, read for use: what its own test runs.
#[must_use]
pub fn check_packs(redactor: &Redactor) -> Vec<(&'static str, Checked)> {
    let one = |name: &'static str| {
        let text = pack(name).unwrap_or_default().to_owned();
        let source = Source { name: name.to_owned(), text };
        (name, check(&[source], &Anchors::frozen(None), &Protected::default(), redactor))
    };
    PACKS.iter().copied().map(one).collect()
}
