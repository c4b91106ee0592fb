//! The last look at a reply before a runtime sees it.
//!
//! A runtime runs the tool, or shows its output, whenever it cannot make sense of its hook's
//! answer: plain text, a log line before the JSON, a key it does not know, an answer to another
//! event. So whoever hands one over, the client and the HTTP listener, holds it here against the
//! closed set of answers that toolgate itself gives to that event of that runtime. What is not one
//! of them is never handed over; a failure in the event's own form is.

use super::events::{Role, role};
use super::protocol::Reply;
use super::runtime::{Salvage, denial, instead_of_output, output_key};
use crate::model::call::ToolName;
use crate::model::json::{self, Json};
use crate::model::principal::Runtime;

/// Why a reply is not handed over.
const STRANGE: &str = "the guard's answer is none to this event";

/// The same reply, if it is an answer to this event.
///
/// # Errors
/// If it is not: with the reason of a denial in general, which can be said again in the event's
/// own form, or else in words for the agent.
pub fn accept(runtime: Runtime, event: &[u8], reply: Reply) -> Result<Reply, String> {
    let event = String::from_utf8_lossy(event);
    let told = Salvage::of(&event);
    if is_answer(runtime, &told, &reply) {
        return Ok(reply);
    }
    match reason(&reply) {
        Some(reason) if reply == denial(None, reason) => Err(reason.to_owned()),
        Some(_) | None => Err(STRANGE.to_owned()),
    }
}

fn is_answer(runtime: Runtime, told: &Salvage<'_>, reply: &Reply) -> bool {
    let name = told.answered_as(runtime);
    let is_quiet = reply.code == 0 && reply.stderr.is_empty();
    if reply.stdout.is_empty() {
        // What has no name is never let through.
        return is_quiet && name.is_some();
    }
    match (name, name.map(role)) {
        (_, Some(Role::Tells)) => false,
        (_, Some(Role::Returns)) => is_quiet && replaces(runtime, told, reply),
        (Some("PreToolUse"), _) if is_quiet => runtime == Runtime::Claude && lets(&reply.stdout),
        (_, Some(Role::Gates) | None) => {
            reason(reply).is_some_and(|reason| *reply == denial(name, reason))
        }
    }
}

/// The reason of a denial, as it stands on standard error.
fn reason(reply: &Reply) -> Option<&str> {
    let text = std::str::from_utf8(&reply.stderr).ok()?;
    text.strip_prefix("toolgate: ")?.strip_suffix('\n')
}

/// Whether this is what Claude Code is told of a call that may run, or that a person is asked of.
fn lets(stdout: &[u8]) -> bool {
    let Some(said) = specific(stdout, "PreToolUse") else { return false };
    let text = |key: &str| said.get(key).and_then(Json::as_str).unwrap_or_default();
    said.len() == 3
        && matches!(text("permissionDecision"), "allow" | "ask")
        && !text("permissionDecisionReason").trim().is_empty()
}

/// Whether this puts another output in the place of the one that came back.
fn replaces(runtime: Runtime, told: &Salvage<'_>, reply: &Reply) -> bool {
    match runtime {
        Runtime::Unknown => false,
        Runtime::Codex => {
            let said = json::parse(&reply.stdout).unwrap_or_default();
            let text = said.get("reason").and_then(Json::as_str);
            text.is_some_and(|text| *reply == instead_of_output(text))
        }
        Runtime::Claude => {
            let Some(said) = specific(&reply.stdout, "PostToolUse") else { return false };
            let tool = ToolName::parse(told.tool_name.as_deref().unwrap_or_default());
            let (Some(new), Some(old)) = (said.get(output_key(&tool)), told.output()) else {
                return false;
            };
            said.len() == 3
                && said.get("additionalContext").is_some_and(Json::is_string)
                // A server's output may be anything; of a tool of its own, Claude Code ignores one
                // of another shape in silence.
                && (tool.mcp().is_some() || is_shaped_alike(new, &old))
        }
    }
}

/// What stands in an answer to this event, if nothing stands beside it.
fn specific(stdout: &[u8], event: &str) -> Option<serde_json::Map<String, Json>> {
    let is_bare = stdout.first() == Some(&b'{') && stdout.last() == Some(&b'}');
    let Json::Object(mut said) = json::parse(stdout).ok().filter(|_| is_bare)? else { return None };
    match said.remove("hookSpecificOutput") {
        Some(Json::Object(inner)) if said.is_empty() => {
            Some(inner).filter(|inner| inner.get("hookEventName").is_some_and(|name| name == event))
        }
        Some(_) | None => None,
    }
}

/// Whether two outputs differ in their texts alone. Of an object, names may differ too: a secret
/// may stand in one.
fn is_shaped_alike(new: &Json, old: &Json) -> bool {
    match (new, old) {
        (Json::Object(new), Json::Object(old)) => {
            let alike = |(key, new): (&String, &Json)| {
                old.get(key).is_none_or(|old| is_shaped_alike(new, old))
            };
            new.len() == old.len() && new.iter().all(alike)
        }
        (Json::Array(new), Json::Array(old)) => {
            new.len() == old.len() && new.iter().zip(old).all(|(n, o)| is_shaped_alike(n, o))
        }
        (Json::String(_), Json::String(_))
        | (Json::Number(_), Json::Number(_))
        | (Json::Bool(_), Json::Bool(_))
        | (Json::Null, Json::Null) => true,
        _ => false,
    }
}
