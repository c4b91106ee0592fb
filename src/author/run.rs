//! The examples and tests of a policy, run in the frozen world: the same on every machine, so
//! whether a policy loads never depends on where (policy language §11.26).

use super::call::{Circumstances, agent, facts_of};
use super::why::why;
use crate::engine::{answer, decide, finds};
use crate::facts::Place;
use crate::model::call::Phase;
use crate::model::facts::Facts;
use crate::model::json::Json;
use crate::model::path::AbsPath;
use crate::model::time::Moment;
use crate::model::truth::Truth;
use crate::policy::builtin::Protected;
use crate::policy::compile::{Compiled, let_workspace};
use crate::policy::document::{At, CallText, Claim, Document, Example, Expect, Setting, TestText};
use crate::policy::pattern::Anchors;
use crate::policy::rule::{LayerKind, Policy, Rule};
use crate::policy::{Source, compile};
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

/// Runs every example and test of `frozen`, which `sources` were compiled to for `anchors`.
///
/// A test speaks of its own layer and those above it: what a layer below adds can only tighten, and
/// must not keep the layers above from loading.
#[must_use]
pub fn run(
    sources: &[Source],
    frozen: &Compiled,
    anchors: &Anchors,
    redactor: &Redactor,
) -> Vec<Ran> {
    let Some(policy) = &frozen.policy else { return Vec::new() };
    let bench = Bench { policy, anchors, redactor };
    let mut ran = examples(frozen, &bench);
    for kind in LayerKind::ALL {
        let upper = without_lower(sources, frozen, kind, anchors);
        let policy = upper.as_ref().and_then(|upper| upper.policy.as_ref()).unwrap_or(policy);
        let bench = Bench { policy, ..bench };
        for (file, document) in frozen.documents.iter().enumerate() {
            if frozen.layering.kind(file) == kind && !frozen.refused.contains(&file) {
                ran.extend(document.tests.iter().map(|test| bench.ran(file, test)));
            }
        }
    }
    ran
}

/// The same files less those of the layers below `kind`; nothing if there are none, or no test of
/// this layer would see the difference.
fn without_lower(
    sources: &[Source],
    frozen: &Compiled,
    kind: LayerKind,
    anchors: &Anchors,
) -> Option<Compiled> {
    let of = |file: usize| frozen.layering.kind(file);
    let tested =
        |(file, document): (usize, &Document)| of(file) == kind && !document.tests.is_empty();
    let lower = (0..sources.len()).any(|file| of(file) > kind);
    if !lower || !frozen.documents.iter().enumerate().any(tested) {
        return None;
    }
    let upper: Vec<Source> = sources
        .iter()
        .enumerate()
        .filter(|(file, _)| of(*file) <= kind)
        .map(|(_, source)| source.clone())
        .collect();
    Some(compile(&upper, anchors, &Protected::default()))
}

fn examples(frozen: &Compiled, bench: &Bench<'_>) -> Vec<Ran> {
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
    ran
}

/// The frozen world in which one policy is asked.
#[derive(Clone, Copy)]
pub(super) struct Bench<'a> {
    pub(super) policy: &'a Policy,
    pub(super) anchors: &'a Anchors,
    pub(super) redactor: &'a Redactor,
}

impl Bench<'_> {
    fn ran(&self, file: usize, test: &TestText) -> Ran {
        let (kind, outcome) = self.test(test);
        let (span, name) = (test.name.span.clone(), test.name.value.clone());
        Ran { file, span, name, kind, outcome }
    }

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
                detail: why(self.policy, &facts, self.redactor),
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
        // Before any `until`: what a test says never changes by itself.
        session.now = Moment(i64::MIN);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn file(layer: &str, body: &str) -> Source {
        let text = format!("schema = 1\n[policy]\nname = '{layer}'\nlayer = '{layer}'\n{body}");
        Source { name: format!("{layer}.toml"), text, layer: None }
    }

    #[test]
    fn what_a_lower_layer_adds_fails_no_test_above_it() {
        let reads = "[read]\nallow = ['/work/']\n";
        let test = |expect: &str| {
            format!("[[test]]\nname = 't'\ncall = {{ read = 'a' }}\nexpect = '{expect}'\n")
        };
        let none = "default = 'defer'\n[read]\ndeny = ['/work/a']\n";
        for (org, project, held) in [
            // The organisation's claim is of its own layer; the repository's of both.
            (format!("{reads}{}", test("allow")), format!("{none}{}", test("deny")), [true, true]),
            (
                format!("{reads}{}", test("allow")),
                format!("{none}{}", test("allow")),
                [true, false],
            ),
            (format!("{reads}{}", test("deny")), none.to_owned(), [false, true]),
        ] {
            let sources = [file("org", &org), file("project", &project)];
            let anchors = Anchors::frozen(None);
            let frozen = compile(&sources, &anchors, &Protected::default());
            let ran = run(&sources, &frozen, &anchors, &Redactor::shipped().unwrap());
            for (place, expected) in held.iter().enumerate() {
                let mut of_file = ran.iter().filter(|ran| ran.file == place);
                let all = of_file.all(|ran| ran.outcome == RunOutcome::Held);
                assert_eq!(all, *expected, "{place}: {ran:?}");
            }
        }
    }
}
