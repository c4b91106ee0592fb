//! The examples of the language reference and the shipped policies load, and hold their own tests.
#![expect(clippy::unwrap_used, reason = "a file that cannot be read fails the test")]

use std::path::{Path, PathBuf};
use toolgate::author::check::{Checked, check, check_packs};
use toolgate::policy::Source;
use toolgate::policy::builtin::Protected;
use toolgate::policy::pattern::Anchors;
use toolgate::redact::Redactor;
use toolgate::service::load::render;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Loads a policy and returns how many examples and tests it ran.
fn loads(name: &str, text: &str) -> usize {
    let sources = [Source { name: name.to_owned(), text: text.to_owned(), layer: None }];
    let redactor = Redactor::shipped().unwrap();
    let checked = check(&sources, &Anchors::frozen(None), &Protected::default(), &redactor);
    let held = checked.held();
    let Checked { policy, diagnostics, .. } = checked;
    assert!(policy.is_some(), "{name}:\n{}", render(&diagnostics, &sources, false));
    held
}

#[test]
fn every_example_of_the_reference_loads() {
    let reference = text(&root().join("policies/README.md"));
    let blocks: Vec<&str> = reference
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(blocks.len() >= 2);
    for (index, block) in blocks.iter().enumerate() {
        assert!(loads(&format!("block {index}"), block) >= 2, "block {index} runs nothing");
    }
}

#[test]
fn the_shipped_policy_loads_and_holds() {
    assert!(loads("default.toml", &text(&root().join("policies/default.toml"))) >= 6);
}

#[test]
fn every_pack_loads_and_holds() {
    let redactor = Redactor::shipped().unwrap();
    for (name, checked) in check_packs(&redactor) {
        assert!(checked.policy.is_some(), "{name}: {:?}", checked.diagnostics);
        assert!(checked.held() >= 3, "{name}");
    }
}
