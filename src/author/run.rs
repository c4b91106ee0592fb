//! The examples and tests of a policy, run in the frozen world: the same on every machine, so
//! whether a policy loads never depends on where (policy language §11.26).

use super::call::{Circumstances, agent, facts_of};
use crate::engine::{answer, decide, finds};
use crate::facts::Place;
use crate::model::call::Phase;
use crate::model::facts::Facts;
use crate::model::json::Json;
use crate::model::path::AbsPath;
use crate::model::truth::Truth;
use crate::policy::compile::{Compiled, let_workspace};
use crate::policy::document::{At, CallText, Claim, Document, Example, Expect, Setting, TestText};
use crate::policy::pattern::Anchors;
use crate::policy::rule::{Policy, Rule};
use crate::redact::Redactor;
use crate::world::Frozen;
use std::ops::Range;

/// One example or test, and how it came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// The file it stands in, by its place among the sources.
    pub file: usize,
    /// Its place there, in bytes.
    pub span: Range<usize>,
    /// The rule of an example, or the name of a test.
    pub name: String,
    /// Which of the two it is.
    pub kind: RunKind,
    /// How it came out.
    pub outcome: RunOutcome,
}

/// What was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunKind {
    /// An example of a rule.
    Example,
    /// A test of one call.
    Test,
    /// A claim over all targets of a verb.
    Claim,
}

/// How it came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunOutcome {
    /// As it says.
    Held,
    /// Otherwise: in one sentence, and in detail.
    Failed {
        /// What was expected and what came.
        message: String,
        /// Why.
        detail: String,
    },
    /// It cannot be proved by this version, and is never counted as held.
    Unproved,
}

/// The workspace that the files themselves state, if one does.
#[must_use]
pub fn stated_workspace(documents: &[Document]) -> Option<AbsPath> {
    let text = documents.iter().find_map(let_workspace)?;
    AbsPath::parse(&text.value).ok()
}

/// Runs every example and test of `frozen`, which was compiled for `anchors`.
#[must_use]
pub fn run(frozen: &Compiled, anchors: &Anchors, redactor: &Redactor) -> Vec<Ran> {
    let Some(policy) = &frozen.policy else { return Vec::new() };
    let bench = Bench { policy, anchors, redactor };
    let mut ran = Vec::new();
    for (file, place, rule) in &frozen.exemplified {
        let texts = frozen.documents.get(*file).and_then(|document| document.rules.get(*place));
        let examples = texts.map(|text| text.examples.as_slice()).unwrap_or_default();
        ran.extend(examples.iter().map(|example| Ran {
            file: *file,
            span: example.span.clone(),
            name: rule.id.clone(),
            kind: RunKind::Example,
            outcome: bench.example(rule, &example.value),
        }));
    }
    for (file, document) in frozen.documents.iter().enumerate() {
        if frozen.refused.contains(&file) {
            continue;
        }
        ran.extend(document.tests.iter().map(|test| {
            let (kind, outcome) = bench.test(test);
            let (span, name) = (test.name.span.clone(), test.name.value.clone());
            Ran { file, span, name, kind, outcome }
        }));
    }
    ran
}

/// The frozen world in which one policy is asked.
pub(super) struct Bench<'a> {
    pub(super) policy: &'a Policy,
    pub(super) anchors: &'a Anchors,
    pub(super) redactor: &'a Redactor,
}

impl Bench<'_> {
    fn test(&self, test: &TestText) -> (RunKind, RunOutcome) {
        let call = match &test.claim {
            Claim::Call(call) => call,
            Claim::Every(..) => return (RunKind::Claim, RunOutcome::Unproved),
        };
        let facts = self.facts(call, &test.setting);
        let decision = decide(self.policy, &facts, self.redactor);
        let outcome = match decision.attended_verdict == test.expect {
            true => RunOutcome::Held,
            false => RunOutcome::Failed {
                message: format!(
                    "the test `{}` expects {}, the policy says {}",
                    test.name.value, test.expect, decision.attended_verdict
                ),
                detail: decision.reason,
            },
        };
        (RunKind::Test, outcome)
    }

    fn example(&self, rule: &Rule, example: &Example) -> RunOutcome {
        let facts = self.facts(&example.call, &example.setting);
        let said = self.said(rule, &facts);
        let wanted = match example.expect {
            Expect::Match => Truth::Yes,
            Expect::Maybe => Truth::Maybe,
            Expect::Skip => Truth::No,
        };
        if said == wanted {
            return RunOutcome::Held;
        }
        let named = |truth| match truth {
            Truth::Yes => "match",
            Truth::Maybe => "maybe",
            Truth::No => "skip",
        };
        let seen: Vec<String> = facts
            .accesses
            .iter()
            .map(|access| format!("{} {}", access.target.verb(), access.target))
            .collect();
        RunOutcome::Failed {
            message: format!(
                "rule `{}`: the example expects {}, the rule says {}",
                rule.id,
                named(wanted),
                named(said)
            ),
            detail: format!("it would do: {}", seen.join(", ")),
        }
    }

    /// The strongest that the rule says of any access, or of what came back.
    pub(super) fn said(&self, rule: &Rule, facts: &Facts) -> Truth {
        let of_access = |access| answer(rule, access, facts, &self.policy.writable);
        let said = facts.accesses.iter().map(of_access).max().unwrap_or(Truth::No);
        match &facts.call.phase {
            Phase::Post { output, .. } => said.or(finds(rule, facts, output, self.redactor)),
            Phase::Pre => said,
        }
    }

    pub(super) fn facts(&self, call: &CallText, setting: &Setting) -> Facts {
        let workspace = &self.anchors.workspace;
        let at = |text: &At<String>| workspace.join(&text.value).ok();
        let there: Vec<AbsPath> = setting.files.iter().filter_map(at).collect();
        let world = Frozen::with_files(&there);
        let place = Place { world: &world, workspace, tmp: &self.anchors.tmp };
        let cwd = setting.cwd.as_ref().and_then(at).unwrap_or_else(|| workspace.clone());
        let mut around = Circumstances::plain(cwd);
        if let Some(named) = &setting.agent {
            around.agent = agent(&named.value);
        }
        around.permission_mode = setting.permission_mode.as_ref().map(|mode| mode.value.clone());
        if let Some(exit) = setting.exit {
            let output = Json::String(format!("Exit code {exit}"));
            around.phase = Phase::Post { output, duration_ms: None, failed: exit != 0 };
        }
        let mut facts = facts_of(call, &around, &self.policy.tools, &place);
        let session = &mut facts.session;
        session.labels = setting.after.iter().map(|label| label.value.clone()).collect();
        session.bits = self.policy.labels.bits_of(&session.labels);
        // Nothing is used and nothing is spent before an example.
        session.used = vec![0.0; self.policy.limits.len()];
        session.spent.transcript = Some(crate::model::session::Transcript::Read {
            turns: 0,
            cost_usd: 0.0,
            models: Default::default(),
        });
        facts
    }
}
