//! OpenAI Codex CLI (0.169): payloads like Claude's, a stricter reader of answers.
//!
//! Codex runs the tool whenever it cannot make sense of an answer, and shows an output whenever one
//! key is not its own. So it is told one of three things only: nothing, the exact denial, or, for
//! an output, the text that the model gets in its place.

use super::{Salvage, denial, no_opinion};
use crate::gate::permit::{Passage, Terms};
use crate::model::json::Json;
use crate::model::principal::Runtime;
use crate::plane::hook::protocol::Reply;
use serde_json::json;

/// The event that brings an output back.
const OUTPUT: &str = "PostToolUse";

pub(super) fn answer(event: &str, passage: &Passage) -> Reply {
    match passage {
        Passage::Refusal(refusal) if event == OUTPUT => withheld(refusal.reason()),
        Passage::Refusal(refusal) => denial(Some(event), refusal.reason()),
        Passage::Permit(permit) if event == OUTPUT => match permit.replaced_output() {
            Some((output, _)) => instead_of_output(&text(output)),
            None => no_opinion(),
        },
        Passage::Permit(permit) => match permit.terms() {
            // `ask` is not understood, and what is not understood runs.
            Terms::Ask => denial(Some(event), permit.reason()),
            Terms::Allow | Terms::Defer => no_opinion(),
        },
    }
}

pub(super) fn failure(told: &Salvage<'_>, reason: &str) -> Reply {
    match told.answered_as(Runtime::Codex) {
        Some(OUTPUT) => withheld(reason),
        name => denial(name, reason),
    }
}

fn withheld(reason: &str) -> Reply {
    instead_of_output(&format!("[withheld: {reason}]"))
}

/// What the model gets in the place of an output. The exit code must be 0: with 2, it gets what
/// stands on standard error.
pub(in crate::plane::hook) fn instead_of_output(text: &str) -> Reply {
    // Without a reason the output stays.
    let text = if text.trim().is_empty() { "[withheld]" } else { text };
    let stdout = json!({"decision": "block", "reason": text}).to_string().into_bytes();
    Reply { code: 0, stdout, stderr: Vec::new() }
}

fn text(output: &Json) -> String {
    match output {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}
