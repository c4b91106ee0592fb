//! What each runtime sends and understands. A new runtime is a file here and a line in each match.

mod claude;
mod codex;
mod event;
mod salvage;

pub use event::{Event, EventError, read};

use super::events;
use super::protocol::Reply;
use crate::gate::permit::Passage;
use crate::model::call::ToolName;
use crate::model::principal::Runtime;
pub(super) use claude::output_key;
pub(super) use codex::instead_of_output;
pub(super) use salvage::Salvage;

/// The runtime's own answer to `event`.
#[must_use]
pub fn answer(runtime: Runtime, event: &str, tool: &ToolName, passage: &Passage) -> Reply {
    match runtime {
        Runtime::Claude => claude::answer(event, tool, passage),
        Runtime::Codex => codex::answer(event, passage),
        Runtime::Unknown => denial(Some(event), "this runtime has no hooks"),
    }
}

/// "No opinion", in every runtime's words.
#[must_use]
pub fn no_opinion() -> Reply {
    Reply { code: 0, stdout: Vec::new(), stderr: Vec::new() }
}

/// The one answer that blocks in every runtime that was tried: the exact JSON denial with a
/// reason, the reason on standard error too, and exit code 2. `event` is the event's name; what is
/// not known to gate nothing is answered as the event that gates most.
#[must_use]
pub fn denial(event: Option<&str>, reason: &str) -> Reply {
    let reason = if reason.trim().is_empty() { "refused" } else { reason };
    let stdout = match event {
        Some(name) if events::role(name) != events::Role::Gates => return no_opinion(),
        Some("PermissionRequest") => serde_json::json!({"hookSpecificOutput": {
            "hookEventName": "PermissionRequest",
            "decision": {"behavior": "deny", "message": reason},
        }}),
        Some("UserPromptSubmit") => serde_json::json!({"decision": "block", "reason": reason}),
        Some("ConfigChange") => serde_json::json!({"decision": "block", "reason": reason}),
        Some(_) | None => serde_json::json!({"hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": reason,
        }}),
    };
    Reply {
        code: 2,
        stdout: stdout.to_string().into_bytes(),
        stderr: format!("toolgate: {reason}\n").into_bytes(),
    }
}

/// The answer when the sidecar cannot be asked, or could not answer, in the form of the event: a
/// denial; for what a tool has already brought back, nothing of it; for what only tells, nothing.
#[must_use]
pub fn failure(runtime: Runtime, event: &[u8], reason: &str) -> Reply {
    let event = String::from_utf8_lossy(event);
    let told = Salvage::of(&event);
    match runtime {
        Runtime::Claude | Runtime::Unknown => claude::failure(&told, reason),
        Runtime::Codex => codex::failure(&told, reason),
    }
}
