//! What extends a runtime is written only where it is seen to hold no command of its own, and what
//! starts programs is never an agent's to write (invariant 8).
#![cfg(test)]

#[path = "harness/cases.rs"]
mod cases;

use cases::{Cases, loads, source, tests, with_tests};

const EVERYTHING: &str = r#"
schema = 1

[policy]
name    = "everything"
default = "defer"

[read]
allow = ["**"]

[write]
allow = ["**"]

[exec]
allow = ["**"]

[connect]
allow = ["**"]

[call]
allow = ["**"]
"#;

#[test]
fn an_agent_writes_itself_no_code_that_no_hook_sees() {
    let Cases { files, group } = toml::from_str(include_str!("cases/extensions.toml")).unwrap();
    let tests = tests(&group, &files);
    let text = with_tests(EVERYTHING, &tests);
    let held = loads(&[source("the policy and the cases", &text, None)]).held();
    assert!(held >= tests.len(), "only {held} calls were judged");
}
