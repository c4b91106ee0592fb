//! Claude Code, and the Agent SDK, which runs it (payloads and answers as of 2.1.330).

use super::{Event, EventError, denial, no_opinion, path, principal};
use crate::gate::permit::{Passage, Permit, Terms};
use crate::model::call::{CallId, Phase, ToolCall, ToolName};
use crate::model::decision::Obligation;
use crate::model::json::Json;
use crate::model::principal::{Principal, Runtime};
use crate::plane::hook::door::Peer;
use crate::plane::hook::protocol::Reply;
use crate::redact::withhold::withhold;
use serde_json::json;

/// Where a failed call's output stands.
const FAILURE_OUTPUT: &str = "error";

pub(super) fn read(
    runtime: Runtime,
    mut body: Json,
    peer: Peer,
    id: CallId,
) -> Result<Event, EventError> {
    if !body.is_object() {
        return Err(EventError::Field("event"));
    }
    let text = |key: &str| body.get(key).and_then(Json::as_str).map(str::to_owned);
    let name = text("hook_event_name").ok_or(EventError::Field("hook_event_name"))?;
    let principal = principal(runtime, &body, peer)?;
    let output = match name.as_str() {
        "PreToolUse" => None,
        "PostToolUse" => Some("tool_response"),
        "PostToolUseFailure" => Some(FAILURE_OUTPUT),
        "PermissionRequest" | "PermissionDenied" => return Ok(other(name, principal, body)),
        // Any other event with a tool's input is a call by a name that is not understood.
        _ if body.get("tool_input").is_some() => {
            return Err(EventError::Field("hook_event_name"));
        }
        _ => return Ok(other(name, principal, body)),
    };
    let tool = text("tool_name").ok_or(EventError::Field("tool_name"))?;
    let permission_mode = text("permission_mode");
    let tool_use_id = text("tool_use_id");
    let cwd = path(&body, "cwd");
    let transcript = path(&body, "transcript_path");
    let duration_ms = body.get("duration_ms").and_then(Json::as_u64);
    let mut take =
        |key: &'static str| body.get_mut(key).map(Json::take).ok_or(EventError::Field(key));
    let input = take("tool_input")?;
    if !input.is_object() {
        return Err(EventError::Field("tool_input"));
    }
    let phase = match output {
        None => Phase::Pre,
        Some(key) => Phase::Post { output: take(key)?, duration_ms, failed: key == FAILURE_OUTPUT },
    };
    let attended = permission_mode.as_deref().is_some_and(is_attended);
    Ok(Event::Call(Box::new(ToolCall {
        id,
        principal,
        tool: ToolName::parse(&tool),
        input,
        phase,
        tool_use_id,
        cwd,
        permission_mode,
        transcript,
        attended,
    })))
}

fn other(name: String, principal: Principal, body: Json) -> Event {
    Event::Other { name, principal: Box::new(principal), body }
}

/// The modes in which the runtime asks a person, or refuses where there is none (`-p`). Under
/// `bypassPermissions`, `dontAsk`, `auto` and whatever comes later, nobody is asked.
fn is_attended(mode: &str) -> bool {
    matches!(mode, "default" | "acceptEdits" | "plan" | "manual")
}

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
