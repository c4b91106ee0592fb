//! Claude Code, and the Agent SDK, which runs it (payloads and answers as of 2.1.330).

use super::{denial, no_opinion};
use crate::gate::permit::{Passage, Permit, Terms};
use crate::model::call::ToolName;
use crate::model::decision::Obligation;
use crate::model::json::Json;
use crate::plane::hook::protocol::Reply;
use crate::redact::withhold::withhold;
use serde_json::json;

pub(super) fn answer(event: &str, tool: &ToolName, passage: &Passage) -> Reply {
    match passage {
        Passage::Refusal(refusal) => denial(Some(event), refusal.reason()),
        Passage::Permit(permit) if event == "PreToolUse" => before(permit),
        Passage::Permit(permit) => after(event, tool, permit),
    }
}

fn before(permit: &Permit) -> Reply {
    let decision = match permit.terms() {
        Terms::Allow => "allow",
        Terms::Ask => "ask",
        Terms::Defer => return no_opinion(),
    };
    say(&json!({"hookSpecificOutput": {
        "hookEventName": "PreToolUse",
        "permissionDecision": decision,
        "permissionDecisionReason": format!("toolgate: {}", permit.reason()),
    }}))
}

/// What came back is replaced where the runtime can. `PostToolUseFailure` has no such answer; the
/// record says what was found.
fn after(event: &str, tool: &ToolName, permit: &Permit) -> Reply {
    let replaced = permit.obligations().iter().find_map(|obligation| match obligation {
        Obligation::ReplaceOutput { output, because } => Some((output, because)),
        Obligation::ReplaceInput(_) | Obligation::Mark { .. } | Obligation::Unmark(_) => None,
    });
    match (replaced, event) {
        (Some((output, because)), "PostToolUse") => {
            let told = format!("toolgate redacted this output: {}", because.join(", "));
            replace(tool, output.clone(), &told)
        }
        _ => no_opinion(),
    }
}

/// Nothing of what came back, in the tool's own shape.
pub(super) fn withheld(tool: &ToolName, mut output: Json, reason: &str) -> Reply {
    withhold(&mut output, &format!("[withheld: {reason}]"));
    replace(tool, output, &format!("toolgate withheld this output: {reason}"))
}

fn replace(tool: &ToolName, output: Json, told: &str) -> Reply {
    let key = match tool.mcp() {
        Some(_) => "updatedMCPToolOutput",
        None => "updatedToolOutput",
    };
    let mut specific = json!({ "hookEventName": "PostToolUse", "additionalContext": told });
    if let Some(fields) = specific.as_object_mut() {
        fields.insert(key.to_owned(), output);
    }
    say(&json!({ "hookSpecificOutput": specific }))
}

fn say(answer: &Json) -> Reply {
    Reply { code: 0, stdout: answer.to_string().into_bytes(), stderr: Vec::new() }
}
