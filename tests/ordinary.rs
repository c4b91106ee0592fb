//! A day's calls of an agent come out as a sensible author of the policy wants them.
//!
//! `tests/cases/ordinary` has them in groups, each with its reason. Every call becomes a `[[test]]`
//! of the language behind the policy's own text, so it is judged as that policy's tests are.
#![cfg(test)]

#[path = "harness/cases.rs"]
mod cases;

use cases::{Cases, loads, source, tests, with_tests};

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

fn every_call_comes_out(policy: &str, cases: &str) {
    let Cases { files, group } = toml::from_str(cases).unwrap();
    let tests = tests(&group, &files);
    let count = tests.len();
    assert!(count >= 130, "only {count} calls");
    for kind in KINDS {
        assert!(tests.iter().any(|test| test.text().contains(kind)), "no call has `{kind}`");
    }
    let held_back = tests.iter().filter(|test| test.expect != "allow").count();
    assert!(held_back * 4 >= count, "only {held_back} of {count} calls are held back");
    assert!(held_back * 4 <= count * 3, "only {} of {count} calls are allowed", count - held_back);
    let text = with_tests(policy, &tests);
    let held = loads(&[source("the policy and the cases", &text, None)]).held();
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
