//! The Messages API as far as it is spoken here: requests read, answers written.

use super::{Call, ToolResult, call_of, id_of};
use crate::model::json::Json;
use serde_json::json;

/// The tools without which a request is none of the agent's own: titles and topics carry none.
const AGENT_TOOLS: &[&str] = &["Bash", "Read", "Write"];

/// Whether the agent itself asks.
pub(super) fn is_main(body: &Json) -> bool {
    let tools = body.get("tools").and_then(Json::as_array);
    let name = |tool: &Json| tool.get("name").and_then(Json::as_str).map(str::to_owned);
    tools.is_some_and(|tools| {
        tools.iter().filter_map(name).any(|name| AGENT_TOOLS.contains(&name.as_str()))
    })
}

/// Every result of one of our calls in the conversation, in order.
pub(super) fn results(body: &Json) -> Vec<ToolResult> {
    let messages = body.get("messages").and_then(Json::as_array);
    let blocks = messages
        .into_iter()
        .flatten()
        .filter_map(|message| message.get("content").and_then(Json::as_array));
    let result = |block: &Json| {
        let (turn, index) = call_of(block.get("tool_use_id").and_then(Json::as_str)?)?;
        let is_error = block.get("is_error").and_then(Json::as_bool).unwrap_or_default();
        let text = block.get("content").map(text_of).unwrap_or_default();
        Some(ToolResult { turn, index, is_error, text })
    };
    blocks.flatten().filter_map(result).collect()
}

/// The text of a block's content, which is a string or a list of blocks.
fn text_of(content: &Json) -> String {
    let part = |part: &Json| part.get("text").and_then(Json::as_str).map(str::to_owned);
    match content {
        Json::String(text) => text.clone(),
        Json::Array(parts) => parts.iter().filter_map(part).collect::<Vec<_>>().join("\n"),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_) => String::new(),
    }
}

/// One more than the highest turn that has results.
pub(super) fn next_turn(results: &[ToolResult]) -> usize {
    results.iter().map(|result| result.turn + 1).max().unwrap_or_default()
}

/// The content of a turn: its calls, or a last word.
pub(super) fn content(number: usize, calls: &[Call]) -> Vec<Json> {
    if calls.is_empty() {
        return text("done");
    }
    let call = |(index, call): (usize, &Call)| {
        json!({
            "type": "tool_use", "id": id_of(number, index), "name": call.name, "input": call.input,
        })
    };
    calls.iter().enumerate().map(call).collect()
}

/// Content that is only text.
pub(super) fn text(text: &str) -> Vec<Json> {
    vec![json!({ "type": "text", "text": text })]
}

/// A whole answer, as it is sent where the client does not stream.
pub(super) fn message(body: &Json, content: Vec<Json>) -> Json {
    let is_call = |block: &Json| block.get("type").and_then(Json::as_str) == Some("tool_use");
    let stop = if content.iter().any(is_call) { "tool_use" } else { "end_turn" };
    json!({
        "id": format!("msg_doctor_{}", uuid::Uuid::now_v7().simple()),
        "type": "message",
        "role": "assistant",
        "model": body.get("model").cloned().unwrap_or_else(|| "scripted".into()),
        "content": content,
        "stop_reason": stop,
        "stop_sequence": null,
        "usage": { "input_tokens": 10, "output_tokens": 10 },
    })
}

/// The same answer as a stream of server-sent events.
pub(super) fn stream(message: &Json) -> Vec<u8> {
    let mut start = message.clone();
    if let Some(fields) = start.as_object_mut() {
        fields.insert("content".to_owned(), json!([]));
        fields.insert("stop_reason".to_owned(), Json::Null);
    }
    let mut events = vec![json!({ "type": "message_start", "message": start })];
    let blocks = message.get("content").and_then(Json::as_array);
    for (index, block) in blocks.into_iter().flatten().enumerate() {
        let (empty, delta) = halves(block);
        events.push(json!({ "type": "content_block_start", "index": index,
                            "content_block": empty }));
        events.push(json!({ "type": "content_block_delta", "index": index, "delta": delta }));
        events.push(json!({ "type": "content_block_stop", "index": index }));
    }
    events.push(json!({
        "type": "message_delta",
        "delta": { "stop_reason": message.get("stop_reason"), "stop_sequence": null },
        "usage": { "output_tokens": 10 },
    }));
    events.push(json!({ "type": "message_stop" }));
    let line = |event: &Json| {
        let kind = event.get("type").and_then(Json::as_str).unwrap_or_default();
        format!("event: {kind}\ndata: {event}\n\n")
    };
    events.iter().map(line).collect::<String>().into_bytes()
}

/// A block as a stream begins it, and what is then added.
fn halves(block: &Json) -> (Json, Json) {
    let Some(input) = block.get("input") else {
        let delta = json!({ "type": "text_delta", "text": block.get("text") });
        return (json!({ "type": "text", "text": "" }), delta);
    };
    let mut empty = block.clone();
    if let Some(fields) = empty.as_object_mut() {
        fields.insert("input".to_owned(), json!({}));
    }
    (empty, json!({ "type": "input_json_delta", "partial_json": input.to_string() }))
}

/// An error in the API's form.
pub(super) fn error(kind: &str, message: &str) -> Json {
    json!({ "type": "error", "error": { "type": kind, "message": message } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_turn_is_read_from_the_conversation() {
        let body = json!({ "tools": [{ "name": "Bash" }], "messages": [
            { "role": "user", "content": "go" },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": id_of(0, 1), "is_error": true,
                  "content": [{ "type": "text", "text": "no" }] },
                { "type": "tool_result", "tool_use_id": "toolu_other", "content": "x" },
            ]},
        ]});
        assert!(is_main(&body) && !is_main(&json!({ "tools": [] })));
        let found = results(&body);
        let no = ToolResult { turn: 0, index: 1, is_error: true, text: "no".to_owned() };
        assert_eq!((next_turn(&found), found), (1, vec![no]));
        assert_eq!(next_turn(&results(&json!({}))), 0);
    }

    #[test]
    fn a_stream_holds_the_whole_answer() {
        let calls = [Call { name: "Read".to_owned(), input: json!({ "file_path": "/a\n\"" }) }];
        let message = message(&json!({ "model": "m" }), content(3, &calls));
        let stream = String::from_utf8(stream(&message)).unwrap();
        let events: Vec<Json> = stream
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .map(|data| serde_json::from_str(data).unwrap())
            .collect();
        let names: Vec<&str> = events.iter().map(|e| e["type"].as_str().unwrap()).collect();
        assert_eq!(
            names,
            [
                "message_start",
                "content_block_start",
                "content_block_delta",
                "content_block_stop",
                "message_delta",
                "message_stop",
            ]
        );
        let input = events[2]["delta"]["partial_json"].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Json>(input).unwrap(), calls[0].input);
        assert_eq!(events[1]["content_block"]["id"], "toolu_doctor_003_00");
        assert_eq!(events[4]["delta"]["stop_reason"], "tool_use");
        assert_eq!(content(1, &[]), text("done"));
    }
}
