//! Reading an event: which of the few things that are done with events it asks for.
//!
//! Claude Code and Codex send the same shape. What is read here is what the runtime states, and
//! the agent's own commands can state the same: nothing in it proves who sent it.

use crate::limits::EVENT_NAME_BYTES_MAX;
use crate::model::call::{CallId, Phase, ToolCall, ToolName};
use crate::model::json::{self, Json};
use crate::model::path::AbsPath;
use crate::model::principal::{Agent, Principal, Runtime};
use crate::model::told::{Batched, Ends, Told};
use crate::plane::hook::door::Peer;
use crate::plane::hook::mention::mentions;
use crate::plane::hook::wiring::Bases;

/// One event of a runtime, read.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A tool call, before or after it ran.
    Call(Box<ToolCall>),
    /// The runtime is about to ask a person whether a call may run.
    Question(Box<ToolCall>),
    /// A person's prompt, and the files that it puts before the model, as reads.
    Prompt(Box<Told>, Vec<ToolCall>),
    /// The runtime's settings have changed, in this file if it says so.
    Config(Box<Told>, Option<AbsPath>),
    /// Text that steers the model came in from a file: the same, and its read.
    Instructions(Box<Told>, Box<ToolCall>),
    /// Anything else the runtime tells.
    Told(Box<Told>),
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
    /// Its prompt mentions more files than are looked at.
    #[error("the prompt mentions more files than can be looked at; mention fewer with `@`")]
    Mentions,
}

impl Event {
    /// Who sent it.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        match self {
            Event::Call(call) | Event::Question(call) => &call.principal,
            Event::Prompt(told, _)
            | Event::Config(told, _)
            | Event::Instructions(told, _)
            | Event::Told(told) => &told.principal,
        }
    }

    /// Where it says that its session's settings lie.
    #[must_use]
    pub fn bases(&self) -> Bases<'_> {
        let (cwd, transcript) = match self {
            Event::Call(call) | Event::Question(call) => (&call.cwd, &call.transcript),
            Event::Prompt(told, _)
            | Event::Config(told, _)
            | Event::Instructions(told, _)
            | Event::Told(told) => (&told.cwd, &told.transcript),
        };
        Bases { cwd: cwd.as_ref(), transcript: transcript.as_ref() }
    }
}

/// Where a failed call's output stands.
const FAILURE_OUTPUT: &str = "error";

/// Reads an event. `peer` is whom the listener sees; `id` is ours to give.
///
/// # Errors
/// If it is no JSON object of the runtime's form.
pub fn read(runtime: Runtime, bytes: &[u8], peer: Peer, id: CallId) -> Result<Event, EventError> {
    let body = json::parse(bytes)?;
    if !body.is_object() {
        return Err(EventError::Field("event"));
    }
    let name = self::name(&body, "hook_event_name")?.ok_or(EventError::Field("hook_event_name"))?;
    let principal = principal(runtime, &body, peer)?;
    Ok(match name.as_str() {
        "PreToolUse" => Event::Call(call(principal, body, id, None)?),
        "PostToolUse" => Event::Call(call(principal, body, id, Some("tool_response"))?),
        "PostToolUseFailure" => Event::Call(call(principal, body, id, Some(FAILURE_OUTPUT))?),
        "PermissionRequest" => Event::Question(call(principal, body, id, None)?),
        // Any other event with a tool's input is a call by a name that is not understood.
        other if body.get("tool_input").is_some() && other != "PermissionDenied" => {
            return Err(EventError::Field("hook_event_name"));
        }
        "UserPromptSubmit" => {
            let prompt = text(&body, "prompt").ok_or(EventError::Field("prompt"))?;
            let files = mentions(&prompt).ok_or(EventError::Mentions)?;
            let reads = files.into_iter().map(|file| mentioned(&principal, &body, file));
            let reads = reads.collect();
            Event::Prompt(told(name, principal, &body), reads)
        }
        "ConfigChange" => {
            let file = path(&body, "file_path");
            Event::Config(told(name, principal, &body), file)
        }
        "InstructionsLoaded" => match text(&body, "file_path") {
            Some(file) => {
                let read = mentioned(&principal, &body, file);
                Event::Instructions(told(name, principal, &body), Box::new(read))
            }
            None => Event::Told(told(name, principal, &body)),
        },
        _ => Event::Told(told(name, principal, &body)),
    })
}

/// The call in an event; `output` names what came back, if it has run.
fn call(
    principal: Principal,
    mut body: Json,
    id: CallId,
    output: Option<&'static str>,
) -> Result<Box<ToolCall>, EventError> {
    let tool = name(&body, "tool_name")?.ok_or(EventError::Field("tool_name"))?;
    let permission_mode = name(&body, "permission_mode")?;
    let tool_use_id = name(&body, "tool_use_id")?;
    let (cwd, transcript) = (path(&body, "cwd"), path(&body, "transcript_path"));
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
    Ok(Box::new(ToolCall {
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
    }))
}

/// A file that a prompt mentions goes to the model as if it had been read; no hook is asked.
fn mentioned(principal: &Principal, body: &Json, file: String) -> ToolCall {
    let permission_mode = text(body, "permission_mode");
    ToolCall {
        id: CallId(uuid::Uuid::now_v7().to_string()),
        principal: principal.clone(),
        tool: ToolName::parse("Read"),
        input: serde_json::json!({ "file_path": file }),
        phase: Phase::Pre,
        tool_use_id: None,
        cwd: path(body, "cwd"),
        attended: permission_mode.as_deref().is_some_and(is_attended),
        permission_mode,
        transcript: None,
    }
}

/// The modes in which the runtime asks a person, or refuses where there is none (`-p`). Under
/// `bypassPermissions`, `dontAsk`, `auto` and whatever comes later, nobody is asked.
fn is_attended(mode: &str) -> bool {
    matches!(mode, "default" | "acceptEdits" | "plan" | "manual")
}

/// What the log keeps of an event: names and words of the runtime, never a person's text.
const KEPT: &[&str] = &[
    "source",
    "reason",
    "trigger",
    "model",
    "turn_id",
    "file_path",
    "memory_type",
    "load_reason",
    "directory",
    "old_cwd",
    "new_cwd",
    "worktree_path",
    "expansion_type",
    "command_name",
    "command_source",
    "notification_type",
    "mcp_server_name",
    "mode",
    "url",
    "action",
    "error",
    "tool_name",
    "tool_use_id",
    "task_id",
    "teammate_name",
    "stop_hook_active",
];

fn told(name: String, principal: Principal, body: &Json) -> Box<Told> {
    let ends = match name.as_str() {
        "Stop" | "StopFailure" => Ends::Turn,
        "SubagentStop" => Ends::Agent,
        "SessionEnd" => Ends::Session,
        "PostToolBatch" => Ends::Batch(batch(body)),
        _ => Ends::Nothing,
    };
    let short = |value: &Json| value.is_string() || value.is_boolean() || value.is_number();
    let kept = KEPT.iter().filter_map(|key| {
        let value = body.get(*key).filter(|value| short(value))?;
        Some((*key, value.clone()))
    });
    Box::new(Told {
        permission_mode: text(body, "permission_mode"),
        cwd: path(body, "cwd"),
        transcript: path(body, "transcript_path"),
        details: kept.collect(),
        event: name,
        principal,
        ends,
    })
}

fn batch(body: &Json) -> Vec<Batched> {
    let calls = body.get("tool_calls").and_then(Json::as_array).map(Vec::as_slice);
    let one = |call: &Json| {
        let tool = ToolName::parse(&text(call, "tool_name")?);
        Some(Batched { tool_use_id: text(call, "tool_use_id")?, tool })
    };
    calls.unwrap_or_default().iter().filter_map(one).collect()
}

/// Who sent an event, as far as its body and the listener tell.
fn principal(runtime: Runtime, body: &Json, peer: Peer) -> Result<Principal, EventError> {
    let agent = match name(body, "agent_id")? {
        Some(id) => Agent::Sub { id, kind: name(body, "agent_type")?.unwrap_or_default() },
        None => Agent::Main,
    };
    Ok(Principal {
        runtime,
        session: name(body, "session_id")?.ok_or(EventError::Field("session_id"))?,
        agent,
        uid: peer.uid,
        sender: peer.sender,
    })
}

fn text(body: &Json, key: &str) -> Option<String> {
    body.get(key).and_then(Json::as_str).map(str::to_owned)
}

/// A name or id, if there is one: no longer than any that a runtime gives.
fn name(body: &Json, key: &'static str) -> Result<Option<String>, EventError> {
    let name = text(body, key);
    match &name {
        Some(text) if text.len() > EVENT_NAME_BYTES_MAX => Err(EventError::Field(key)),
        Some(_) | None => Ok(name),
    }
}

fn path(body: &Json, key: &str) -> Option<AbsPath> {
    body.get(key).and_then(Json::as_str).and_then(|text| AbsPath::parse(text).ok())
}
