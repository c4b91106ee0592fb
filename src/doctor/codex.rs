//! Codex: its hooks and whether it trusts them, read and not tried.
use super::check::{Outcome, Watch};
use super::subject::Subject;
pub(super) fn hooks(_: &Subject, _: &Watch) -> Outcome { Outcome::Skipped("x".to_owned()) }
pub(super) fn trust(_: &Subject, _: &Watch) -> Outcome { Outcome::Skipped("x".to_owned()) }
pub(super) fn canary(_: &Subject, _: &Watch) -> Outcome { Outcome::Skipped("x".to_owned()) }
