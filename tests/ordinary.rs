//! A day's calls of an agent come out as a sensible author of the policy wants them.
//!
//! `tests/cases/ordinary` has them in groups, each with its reason. Every call becomes a `[[test]]`
//! of the language behind the policy's own text, so it is judged as that policy's tests are.
#![cfg(test)]

use serde::{Deserialize, Serialize};
use toolgate::author::check::{Checked, check};
use toolgate::policy::Source;
use toolgate::policy::builtin::Protected;
use toolgate::policy::pattern::Anchors;
use toolgate::redact::Redactor;
use toolgate::service::load::render;

/// What an agent does every day: each file of cases has a call with each of these in it.
const KINDS: &[&str] = &[
    "git commit -m \"$(cat <<'EOF'",
    "git add -A",
    "cd sub && cargo test 2>&1 | tail",
    "RUST_LOG=debug cargo test",
    "grep -rn x ",
    "2>/dev/null",
    "for f in ",
    "while read -r ",
    "| xargs ",
    "-exec ",
    "diff <(",
    "mkdir -p ",
    "sed -i ",
    "python3 -c ",
    "call = \"Read\"",
    "call = \"Write\"",
    "call = \"Edit\"",
    "call = \"Grep\"",
    "call = \"WebFetch\"",
    "call = \"Agent\"",
    "call = \"TodoWrite\"",
    "call = \"mcp__",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    /// What lies in the workspace.
    files: Vec<String>,
    group: Vec<Group>,
}

/// Calls of one verdict, for one reason.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    why: String,
    expect: String,
    /// Instead of the files of all.
    files: Option<Vec<String>>,
    /// A text is a Bash command; else the call as a `[[test]]` has it.
    calls: Vec<toml::Value>,
}

#[derive(Serialize)]
struct Tests {
    test: Vec<Test>,
}

#[derive(Serialize)]
struct Test {
    name: String,
    call: toml::Value,
    expect: String,
    files: Vec<String>,
}

impl Test {
    fn text(&self) -> String {
        let command = self.call.get("bash").and_then(toml::Value::as_str);
        command.map_or_else(|| self.call.to_string(), str::to_owned)
    }
}

impl Cases {
    fn tests(self) -> Vec<Test> {
        let mut tests = Vec::new();
        for group in self.group {
            for call in group.calls {
                let call = match call {
                    toml::Value::String(text) => toml::toml! { bash = text }.into(),
                    call => call,
                };
                tests.push(Test {
                    name: group.why.clone(),
                    call,
                    expect: group.expect.clone(),
                    files: group.files.clone().unwrap_or_else(|| self.files.clone()),
                });
            }
        }
        for test in &mut tests {
            test.name = format!("{}: {}", test.name, test.text());
        }
        tests
    }
}

fn every_call_comes_out(policy: &str, cases: &str) {
    let tests = toml::from_str::<Cases>(cases).unwrap().tests();
    let count = tests.len();
    assert!(count >= 130, "only {count} calls");
    for kind in KINDS {
        assert!(tests.iter().any(|test| test.text().contains(kind)), "no call has `{kind}`");
    }
    let held_back = tests.iter().filter(|test| test.expect != "allow").count();
    assert!(held_back * 4 >= count, "only {held_back} of {count} calls are held back");
    assert!(held_back * 4 <= count * 3, "only {} of {count} calls are allowed", count - held_back);

    let text = format!("{policy}\n{}", toml::to_string(&Tests { test: tests }).unwrap());
    let sources = [Source { name: "the policy and the cases".to_owned(), text, layer: None }];
    let redactor = Redactor::shipped().unwrap();
    let anchors = Anchors::frozen(toolgate::author::check::workspace_in(&sources));
    let checked = check(&sources, &anchors, &Protected::default(), &redactor);
    let held = checked.held();
    let Checked { policy, diagnostics, .. } = checked;
    assert!(policy.is_some(), "{}", render(&diagnostics, &sources, false));
    assert!(held >= count, "only {held} calls were judged");
}

#[test]
fn under_the_default_policy() {
    every_call_comes_out(
        include_str!("../policies/default.toml"),
        include_str!("cases/ordinary/default.toml"),
    );
}

#[test]
fn under_the_policy_of_a_container() {
    every_call_comes_out(
        include_str!("../policies/1-container.toml"),
        include_str!("cases/ordinary/container.toml"),
    );
}
