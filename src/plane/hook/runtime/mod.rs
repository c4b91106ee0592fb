//! What each runtime sends and understands. A new runtime is a file here and a line in each match.

mod claude;
mod codex;
mod salvage;

use super::door::Peer;
use super::events;
use super::protocol::Reply;
use crate::gate::permit::Passage;
use crate::model::call::{CallId, ToolCall, ToolName};
use crate::model::json::{self, Json};
use crate::model::path::AbsPath;
use crate::model::principal::{Agent, Principal, Runtime};
use salvage::Salvage;

/// One event of a runtime, read.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A tool call, before or after it ran.
    Call(Box<ToolCall>),
    /// Anything else the runtime tells: its name and what it says.
    Other {
        /// The event's name.
        name: String,
        /// Who sent it.
        principal: Box<Principal>,
        /// All of it.
        body: Json,
    },
}

impl Event {
    /// Who sent it.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        match self {
            Event::Call(call) => &call.principal,
            Event::Other { principal, .. } => principal,
        }
    }
}

/// Why an event cannot be read. It is refused, and a record says so.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// It is no JSON that means one thing.
    #[error("{0}")]
    Json(#[from] json::JsonError),
    /// Something that every event has is missing, or of another type.
    #[error("the event's `{0}` is missing or unreadable")]
    Field(&'static str),
}

/// Reads an event. Who sent it is the listener's to say; `id` is ours to give.
///
/// # Errors
/// If it is no JSON object of the runtime's form.
pub fn read(runtime: Runtime, bytes: &[u8], peer: Peer, id: CallId) -> Result<Event, EventError> {
    let body = json::parse(bytes)?;
    match runtime {
        Runtime::Claude => claude::read(runtime, body, peer, id),
        Runtime::Codex => codex::read(body, peer, id),
    }
}

/// The runtime's own answer to `event`.
#[must_use]
pub fn answer(runtime: Runtime, event: &str, tool: &ToolName, passage: &Passage) -> Reply {
    match runtime {
        Runtime::Claude => claude::answer(event, tool, passage),
        Runtime::Codex => codex::answer(event, passage),
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

/// The answer when the sidecar cannot be asked, or could not answer: a denial, or, for what a tool
/// has already brought back, nothing of it.
#[must_use]
pub fn failure(event: &[u8], reason: &str) -> Reply {
    let event = String::from_utf8_lossy(event);
    let Some(told) = Salvage::read(&event) else { return denial(None, reason) };
    match (told.hook_event_name.as_deref(), told.output()) {
        (Some("PostToolUse"), Some(output)) => {
            let tool = told.tool_name.as_deref().unwrap_or_default();
            claude::withheld(&ToolName::parse(tool), output, reason)
        }
        (name, _) => denial(name, reason),
    }
}

/// Who sent an event, as far as its body and the listener tell. Nothing in its body proves that
/// the sender is the runtime, and not a command that the agent runs.
fn principal(runtime: Runtime, body: &Json, peer: Peer) -> Result<Principal, EventError> {
    let text = |key: &str| body.get(key).and_then(Json::as_str).map(str::to_owned);
    let agent = match text("agent_id") {
        Some(id) => Agent::Sub { id, kind: text("agent_type").unwrap_or_default() },
        None => Agent::Main,
    };
    Ok(Principal {
        runtime,
        session: text("session_id").ok_or(EventError::Field("session_id"))?,
        agent,
        uid: peer.uid,
        sender: peer.sender,
    })
}

fn path(body: &Json, key: &str) -> Option<AbsPath> {
    body.get(key).and_then(Json::as_str).and_then(|text| AbsPath::parse(text).ok())
}
