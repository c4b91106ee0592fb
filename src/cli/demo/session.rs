//! The recording: what real Claude Code sent to its hooks (made by `tests/topology/record_demo`).

use super::path;
use crate::model::json::{self, Json};
use crate::model::path::AbsPath;

/// Where the recorded workspace stands in the demo's world.
pub(super) const WORKSPACE: &str = "/work/shop";
/// The recorded agent's home in the demo's world.
const HOME: &str = "/home/agent";

/// One line of the recording.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Line {
    /// What the agent is up to.
    Say(String),
    /// One event, as the runtime sent it.
    Event(Event),
}

/// One event of the recording.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    /// Its name.
    pub(super) name: String,
    /// The runtime's id of the call.
    pub(super) call: String,
    /// The tool.
    pub(super) tool: String,
    /// What the call is about, in a few words.
    pub(super) about: String,
    /// All of it, as bytes.
    pub(super) bytes: Vec<u8>,
}

/// The recorded lines, in order.
pub(super) fn read() -> Result<Vec<Line>, String> {
    include_str!("session.jsonl").lines().map(line).collect()
}

/// The files of the recorded workspace.
pub(super) fn files() -> Result<Vec<AbsPath>, String> {
    let files = json::parse(include_bytes!("workspace.json")).map_err(|error| error.to_string())?;
    let names = files.as_object().ok_or("the recording is broken: no files")?.keys();
    names.map(|name| path(&format!("{WORKSPACE}/{name}"))).collect()
}

fn line(text: &str) -> Result<Line, String> {
    let placed = text.replace("{{WORKSPACE}}", WORKSPACE).replace("{{HOME}}", HOME);
    let value = json::parse(placed.as_bytes()).map_err(|error| error.to_string())?;
    if let Some(say) = value.get("say").and_then(Json::as_str) {
        return Ok(Line::Say(say.to_owned()));
    }
    let event = value.get("event").ok_or("the recording is broken: a line says nothing")?;
    let text = |key: &str| event.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
    let input = event.get("tool_input").cloned().unwrap_or_default();
    Ok(Line::Event(Event {
        name: text("hook_event_name"),
        call: text("tool_use_id"),
        tool: text("tool_name"),
        about: about(&input),
        bytes: event.to_string().into_bytes(),
    }))
}

/// The argument that says most.
fn about(input: &Json) -> String {
    let keys = ["command", "file_path", "url", "description"];
    let found = keys.iter().find_map(|key| input.get(key).and_then(Json::as_str));
    let text = found.map_or_else(|| input.to_string(), str::to_owned);
    let shown = text.replace(&format!("{WORKSPACE}/"), "").replace(HOME, "~");
    shown.replace('\n', "⏎")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recording_can_be_played() {
        let recording = read().unwrap();
        let before = |line: &&Line| matches!(line, Line::Event(e) if e.name == "PreToolUse");
        assert!(recording.iter().filter(before).count() >= 20);
        assert!(files().unwrap().len() >= 5);
    }
}
