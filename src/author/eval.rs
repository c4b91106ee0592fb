//! The batch door: one call a line in, one decision a line out (`policy eval`, `policy explain`).
//!
//! A line that cannot be read is answered with a deny and its error, and the run goes on.

use super::call::{Circumstances, facts_of};
use crate::engine::decide;
use crate::facts::Place;
use crate::gate::Bound;
use crate::model::access::Verb;
use crate::model::decision::{Decision, Obligation};
use crate::model::effect::Verdict;
use crate::model::json::{self, Json};
use crate::model::path::AbsPath;
use crate::policy::document::CallText;
use crate::redact::Redactor;
use crate::world::World;
use serde_json::json;

/// The keys of one line.
const KEYS: [&str; 19] = [
    "id",
    "tool_name",
    "tool_input",
    "cwd",
    "session",
    "bash",
    "read",
    "write",
    "exec",
    "connect",
    "call",
    "args",
    "runtime",
    "phase",
    "agent",
    "tool_response",
    "unattended",
    "permission_mode",
    "note",
];

/// What one line asks for.
struct Line {
    id: Json,
    call: CallText,
    cwd: Option<AbsPath>,
    unattended: bool,
}

/// The answer to one line, as `design` has it: effect, reason, rules, accesses, obligations.
#[must_use]
pub fn answer(line: &str, bound: &Bound, world: &dyn World, redactor: &Redactor) -> Json {
    let policy = format!("sha256:{}", bound.policy.id.sha256);
    match read(line) {
        Ok(line) => {
            let decision = judge(&line, bound, world, redactor);
            let verdict =
                if line.unattended { decision.verdict } else { decision.attended_verdict };
            render(line.id, verdict, &decision, &policy)
        }
        Err(error) => json!({
            "id": json::parse(line.as_bytes()).ok().and_then(|v| v.get("id").cloned()),
            "effect": Verdict::Deny.as_str(),
            "reason": "the line cannot be read",
            "rules": [], "accesses": [], "obligations": [], "policy": policy, "error": error,
        }),
    }
}

fn judge(line: &Line, bound: &Bound, world: &dyn World, redactor: &Redactor) -> Decision {
    let workspace = &bound.anchors.workspace;
    let place = Place { world, workspace, tmp: &bound.anchors.tmp };
    let cwd = line.cwd.as_ref().unwrap_or(workspace);
    let around = Circumstances { attended: !line.unattended, ..Circumstances::plain(cwd.clone()) };
    let facts = facts_of(&line.call, &around, &bound.policy.tools, &place);
    decide(&bound.policy, &facts, redactor)
}

fn render(id: Json, verdict: Verdict, decision: &Decision, policy: &str) -> Json {
    let rules: Vec<Json> = decision
        .rules
        .iter()
        .map(|rule| {
            json!({
                "id": rule.id, "file": rule.file, "line": rule.line,
                "effect": rule.effect.as_str(), "match": rule.truth.to_string(),
            })
        })
        .collect();
    let accesses: Vec<Json> = decision
        .accesses
        .iter()
        .map(|judged| {
            json!({
                "verb": judged.access.target.verb().as_str(),
                "target": judged.access.target.to_string(),
                "certain": judged.access.is_certain(),
                "verdict": judged.verdict.as_str(),
            })
        })
        .collect();
    let obligations: Vec<&str> = decision
        .obligations
        .iter()
        .map(|obligation| match obligation {
            Obligation::ReplaceOutput { .. } => "replace_output",
            Obligation::ReplaceInput(_) => "replace_input",
            Obligation::Mark { .. } => "mark",
            Obligation::Unmark(_) => "unmark",
        })
        .collect();
    json!({
        "id": id, "effect": verdict.as_str(), "reason": decision.reason, "rules": rules,
        "accesses": accesses, "obligations": obligations, "policy": policy, "error": null,
    })
}

fn read(line: &str) -> Result<Line, String> {
    let value = json::parse(line.as_bytes()).map_err(|error| error.to_string())?;
    let object = value.as_object().ok_or("a call is one JSON object")?;
    if let Some(key) = object.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(format!("`{key}` is no key of a call; the keys are: {}", KEYS.join(", ")));
    }
    let text = |key: &str| match object.get(key) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("`{key}` must be a string")),
    };
    let cwd = text("cwd")?
        .map(|cwd| AbsPath::parse(&cwd).map_err(|error| format!("`cwd`: {error}")))
        .transpose()?;
    if text("phase")?.is_some_and(|phase| phase != "pre") {
        return Err(
            "only calls before they run (`\"phase\": \"pre\"`) can be judged yet".to_owned()
        );
    }
    if text("runtime")?.is_some_and(|runtime| runtime != "claude") {
        return Err("only `\"runtime\": \"claude\"` can be judged yet".to_owned());
    }
    let empty = || Json::Object(serde_json::Map::new());
    let short = |key: &str| -> Result<Option<CallText>, String> {
        Ok(text(key)?.map(|text| match key {
            "bash" => CallText::Bash(text),
            "read" => CallText::Bare(Verb::Read, text),
            "write" => CallText::Bare(Verb::Write, text),
            "exec" => CallText::Bare(Verb::Exec, text),
            "connect" => CallText::Bare(Verb::Connect, text),
            "call" => CallText::Tool(text, object.get("args").cloned().unwrap_or_else(empty)),
            _ => CallText::Tool(text, object.get("tool_input").cloned().unwrap_or_else(empty)),
        }))
    };
    let mut found = Vec::new();
    for key in ["tool_name", "bash", "read", "write", "exec", "connect", "call"] {
        found.extend(short(key)?);
    }
    let (Some(call), true) = (found.pop(), found.is_empty()) else {
        return Err(
            "a call is exactly one of tool_name, bash, read, write, exec, connect, call".to_owned()
        );
    };
    let unattended = object.get("unattended").and_then(Json::as_bool).unwrap_or(false);
    Ok(Line { id: object.get("id").cloned().unwrap_or(Json::Null), call, cwd, unattended })
}
