//! A day's calls of an agent come out as a sensible author of the shipped policy wants them.

use toolgate::author::check::{Checked, check};
use toolgate::policy::Source;
use toolgate::policy::builtin::Protected;
use toolgate::policy::pattern::Anchors;
use toolgate::redact::Redactor;
use toolgate::service::load::{DEFAULT_POLICY, render};

#[test]
fn ordinary_work_under_the_shipped_policy() {
    // The calls are `[[test]]`s of the language: behind the policy's own text they are its tests.
    let calls = include_str!("cases/ordinary/default.toml");
    let text = format!("{DEFAULT_POLICY}\n{calls}");
    let sources =
        [Source { name: "default.toml with ordinary work".to_owned(), text, layer: None }];
    let redactor = Redactor::shipped().unwrap();
    let checked = check(&sources, &Anchors::frozen(None), &Protected::default(), &redactor);
    let held = checked.held();
    let Checked { policy, diagnostics, .. } = checked;
    assert!(policy.is_some(), "{}", render(&diagnostics, &sources, false));
    assert!(held >= 120, "only {held} calls were judged");
}
