//! Calls in groups, each group with its verdict and its reason, as the `[[test]]`s of a policy.

use serde::{Deserialize, Serialize};
use toolgate::author::check::{Checked, check, workspace_in};
use toolgate::policy::Source;
use toolgate::policy::builtin::Protected;
use toolgate::policy::pattern::Anchors;
use toolgate::policy::rule::LayerKind;
use toolgate::redact::Redactor;
use toolgate::service::load::render;

/// A file of cases.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cases {
    /// What lies in the workspace.
    pub files: Vec<String>,
    pub group: Vec<Group>,
}

/// Calls of one verdict, for one reason.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    pub why: String,
    pub expect: String,
    /// Instead of the files of all.
    pub files: Option<Vec<String>>,
    /// The labels that the session has.
    #[serde(default)]
    pub after: Vec<String>,
    /// A text is a Bash command; else the call as a `[[test]]` has it.
    pub calls: Vec<toml::Value>,
}

/// One call, as a `[[test]]` states it.
#[derive(Debug, Clone, Serialize)]
pub struct Test {
    pub name: String,
    pub call: toml::Value,
    pub expect: String,
    pub files: Vec<String>,
    pub after: Vec<String>,
}

#[derive(Serialize)]
struct Tests<'a> {
    test: &'a [Test],
}

impl Test {
    /// The command, or the whole call.
    pub fn text(&self) -> String {
        let command = self.call.get("bash").and_then(toml::Value::as_str);
        command.map_or_else(|| self.call.to_string(), str::to_owned)
    }
}

/// Every call of the groups.
pub fn tests(groups: &[Group], files: &[String]) -> Vec<Test> {
    let mut tests = Vec::new();
    for group in groups {
        for call in &group.calls {
            let call = match call {
                toml::Value::String(_) => {
                    toml::Table::from_iter([("bash".to_owned(), call.clone())]).into()
                }
                call => call.clone(),
            };
            let mut test = Test {
                name: String::new(),
                call,
                expect: group.expect.clone(),
                files: group.files.clone().unwrap_or_else(|| files.to_vec()),
                after: group.after.clone(),
            };
            test.name = format!("{}: {}", group.why, test.text());
            tests.push(test);
        }
    }
    tests
}

/// The text of a policy with the tests behind its own.
pub fn with_tests(policy: &str, tests: &[Test]) -> String {
    format!("{policy}\n{}", toml::to_string(&Tests { test: tests }).unwrap())
}

/// A file of a policy.
pub fn source(name: &str, text: &str, layer: Option<LayerKind>) -> Source {
    Source { name: name.to_owned(), text: text.to_owned(), layer }
}

/// Loads a policy, runs its examples and tests in the frozen world, and panics with every mistake.
/// Returns what was checked.
pub fn loads(sources: &[Source]) -> Checked {
    let redactor = Redactor::shipped().unwrap();
    let anchors = Anchors::frozen(workspace_in(sources));
    let checked = check(sources, &anchors, &Protected::default(), &redactor);
    assert!(checked.policy.is_some(), "{}", render(&checked.diagnostics, sources, false));
    checked
}
