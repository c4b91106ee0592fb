//! Claude Code, and the Agent SDK, which runs it (payloads and answers as of 2.1.330).

use super::{Salvage, denial, no_opinion};
use crate::gate::permit::{Passage, Permit, Terms};
use crate::model::call::ToolName;
use crate::model::json::Json;
use crate::model::principal::Runtime;
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
    match (permit.replaced_output(), event) {
        (Some((output, because)), "PostToolUse") => {
            let told = format!("toolgate redacted this output: {}", because.join(", "));
            replace(tool, output.clone(), &told)
        }
        _ => no_opinion(),
    }
}

pub(super) fn failure(told: &Salvage<'_>, reason: &str) -> Reply {
    match told.answered_as(Runtime::Claude) {
        Some("PostToolUse") => match told.output() {
            Some(output) => {
                let tool = told.tool_name.as_deref().unwrap_or_default();
                withheld(&ToolName::parse(tool), output, reason)
            }
            None => no_opinion(),
        },
        name => denial(name, reason),
    }
}

/// Nothing of what came back, in the tool's own shape.
fn withheld(tool: &ToolName, mut output: Json, reason: &str) -> Reply {
    withhold(&mut output, &format!("[withheld: {reason}]"));
    replace(tool, output, &format!("toolgate withheld this output: {reason}"))
}

fn replace(tool: &ToolName, output: Json, told: &str) -> Reply {
    let mut specific = json!({ "hookEventName": "PostToolUse", "additionalContext": told });
    if let Some(fields) = specific.as_object_mut() {
        fields.insert(output_key(tool).to_owned(), output);
    }
    say(&json!({ "hookSpecificOutput": specific }))
}

/// Under which name another output of this tool is said.
pub(in crate::plane::hook) fn output_key(tool: &ToolName) -> &'static str {
    match tool.mcp() {
        Some(_) => "updatedMCPToolOutput",
        None => "updatedToolOutput",
    }
}

fn say(answer: &Json) -> Reply {
    Reply { code: 0, stdout: answer.to_string().into_bytes(), stderr: Vec::new() }
}
