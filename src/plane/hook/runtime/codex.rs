//! OpenAI Codex CLI (0.169): payloads like Claude's, a stricter reader of answers.
//!
//! Codex runs the tool whenever it cannot make sense of an answer, so it is told one of two things
//! only: nothing, or the exact denial.

use super::{denial, no_opinion};
use crate::gate::permit::{Passage, Terms};
use crate::plane::hook::protocol::Reply;

pub(super) fn answer(event: &str, passage: &Passage) -> Reply {
    match passage {
        Passage::Refusal(refusal) => denial(Some(event), refusal.reason()),
        Passage::Permit(permit) => match permit.terms() {
            // `ask` is not understood, and what is not understood runs.
            Terms::Ask => denial(Some(event), permit.reason()),
            Terms::Allow | Terms::Defer => no_opinion(),
        },
    }
}
