#!/usr/bin/env python3
"""A scripted model: speaks enough of the Messages API for Claude Code to be driven offline.

It plays a script, a JSON file:

    {"turns": [{"text": "first", "tool_use": [{"name": "Bash", "input": {"command": "ls"}}]},
               {"gate": "sidecar-killed", "tool_use": [...]}],
     "end": "done"}

Which turn comes next is read from the conversation itself (the highest turn that has results), so
a request that the client repeats gets the same answer again. After the last turn the model says
`end` and stops. A turn with a `gate` is held back until a file of that name appears in the
directory given by --gates: between two turns the driver may thus kill or start what it likes.

What the model saw goes to the transcript, one JSON object a line: `request`, `waiting` and
`tool_result` (each result once). With --bodies every request body is kept whole, so that a test
can claim that a secret never reached the model at all, in a result or elsewhere.

It must never listen on anything but loopback. The driver is `run`, beside this file.
"""

import argparse
import json
import pathlib
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GATE_WAIT_S = 90.0
BODY_BYTES_MAX = 64 * 1024 * 1024
TOOL_USE_ID = re.compile(r"^toolu_topology_(\d{3})_(\d{2})$")


class Script:
    """The turns to play, and which of them a conversation has reached."""

    def __init__(self, path):
        script = json.loads(pathlib.Path(path).read_text())
        self.turns = script["turns"]
        self.end = script.get("end", "done")
        for number, turn in enumerate(self.turns):
            if not turn.get("tool_use"):
                sys.exit(f"model: turn {number} has no tool_use: it would end the session")

    def blocks(self, number):
        """The content of turn `number`: text first, then the calls."""
        if number >= len(self.turns):
            return [{"type": "text", "text": self.end}]
        turn = self.turns[number]
        text = [{"type": "text", "text": turn["text"]}] if turn.get("text") else []
        calls = [
            {
                "type": "tool_use",
                "id": f"toolu_topology_{number:03}_{index:02}",
                "name": call["name"],
                "input": call["input"],
            }
            for index, call in enumerate(turn["tool_use"])
        ]
        return text + calls

    def call(self, tool_use_id):
        """The call that carries this id, or None for an id that is not ours."""
        match = TOOL_USE_ID.match(tool_use_id)
        if not match:
            return None
        return self.turns[int(match[1])]["tool_use"][int(match[2])]


class Transcript:
    """What the model saw, as JSON lines; each tool result is written once."""

    def __init__(self, path, bodies):
        self.path = pathlib.Path(path)
        self.path.write_text("")
        self.bodies = pathlib.Path(bodies) if bodies else None
        self.lock = threading.Lock()
        self.requests = 0
        self.results = set()

    def write(self, **event):
        with self.lock, self.path.open("a") as lines:
            lines.write(json.dumps(event) + "\n")

    def keep_body(self, raw):
        with self.lock:
            self.requests += 1
            number = self.requests
        if self.bodies:
            (self.bodies / f"{number:03}.json").write_bytes(raw)

    def first_time(self, tool_use_id):
        with self.lock:
            new = tool_use_id not in self.results
            self.results.add(tool_use_id)
            return new


def tool_results(body):
    """All tool_result blocks of a conversation, in order."""
    for message in body.get("messages", []):
        if isinstance(message.get("content"), list):
            for block in message["content"]:
                if block.get("type") == "tool_result":
                    yield block


def text_of(content):
    """The text of a block's content, which is a string or a list of blocks."""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content or [])


def is_main(body):
    """The agent's own requests carry tools; titles, topics and quota checks carry none."""
    return any(tool.get("name") == "Bash" for tool in body.get("tools") or [])


def next_turn(body):
    """One more than the highest turn whose results are in the conversation."""
    played = [TOOL_USE_ID.match(block.get("tool_use_id", "")) for block in tool_results(body)]
    return max((int(match[1]) + 1 for match in played if match), default=0)


def message(model, blocks):
    """A whole answer, as sent when the client does not stream."""
    calls = any(block["type"] == "tool_use" for block in blocks)
    return {
        "id": f"msg_topology_{time.monotonic_ns()}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": blocks,
        "stop_reason": "tool_use" if calls else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 10},
    }


def events(answer):
    """The same answer as the events of a stream."""
    start = dict(answer, content=[], stop_reason=None)
    yield {"type": "message_start", "message": start}
    for index, block in enumerate(answer["content"]):
        if block["type"] == "text":
            empty = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": block["text"]}
        else:
            empty = dict(block, input={})
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    stop = {"stop_reason": answer["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 10}}
    yield {"type": "message_stop"}


def stream(answer):
    """The bytes of a server-sent event stream that holds the answer."""
    return "".join(
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events(answer)
    ).encode()


class Model(ThreadingHTTPServer):
    """The server: a script, a transcript and the directory of the gates."""

    daemon_threads = True

    def __init__(self, port, script, transcript, gates):
        super().__init__(("127.0.0.1", port), Handler)
        self.script = script
        self.transcript = transcript
        self.gates = pathlib.Path(gates) if gates else None

    def answer(self, body):
        """The blocks to answer a request with."""
        if not is_main(body):
            self.transcript.write(event="request", kind="side")
            return [{"type": "text", "text": "topology"}]
        self.note_results(body)
        number = next_turn(body)
        self.transcript.write(event="request", kind="main", turn=number)
        self.wait_at_gate(number)
        return self.script.blocks(number)

    def note_results(self, body):
        for block in tool_results(body):
            tool_use_id = block.get("tool_use_id", "")
            if self.transcript.first_time(tool_use_id):
                self.transcript.write(
                    event="tool_result",
                    tool_use_id=tool_use_id,
                    call=self.script.call(tool_use_id),
                    is_error=bool(block.get("is_error")),
                    content=text_of(block.get("content")),
                )

    def wait_at_gate(self, number):
        turns = self.script.turns
        gate = turns[number].get("gate") if number < len(turns) else None
        if gate is None:
            return
        self.transcript.write(event="waiting", gate=gate)
        patience = time.monotonic() + GATE_WAIT_S
        while not (self.gates / gate).exists():
            if time.monotonic() > patience:
                raise TimeoutError(f"gate {gate} was not opened")
            time.sleep(0.05)


class Handler(BaseHTTPRequestHandler):
    """The two endpoints the client calls; everything else is not found."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        raw = self.rfile.read(min(int(self.headers.get("content-length", 0)), BODY_BYTES_MAX))
        path = self.path.split("?")[0]
        if path == "/v1/messages/count_tokens":
            return self.send(200, b'{"input_tokens": 10}')
        if path != "/v1/messages":
            return self.not_found()
        self.server.transcript.keep_body(raw)
        try:
            body = json.loads(raw)
            answer = message(body.get("model", "scripted"), self.server.answer(body))
        except (ValueError, LookupError, TimeoutError) as error:
            self.server.transcript.write(event="error", error=str(error))
            return self.send(400, error_body("invalid_request_error", str(error)))
        if body.get("stream"):
            return self.send(200, stream(answer), "text/event-stream")
        return self.send(200, json.dumps(answer).encode())

    def do_GET(self):
        self.not_found()

    do_HEAD = do_GET

    def not_found(self):
        self.send(404, error_body("not_found_error", f"the model does not serve `{self.path}`"))

    def send(self, status, payload, kind="application/json"):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)

    def log_message(self, *_):
        """Nothing: the transcript is the log."""


def error_body(kind, text):
    return json.dumps({"type": "error", "error": {"type": kind, "message": text}}).encode()


def main():
    parser = argparse.ArgumentParser(description="A scripted model on 127.0.0.1.")
    parser.add_argument("--script", required=True, help="JSON file with the turns")
    parser.add_argument("--transcript", required=True, help="JSON lines: what the model saw")
    parser.add_argument("--bodies", help="directory that keeps every request body")
    parser.add_argument("--gates", help="directory in which the driver opens gates")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    options = parser.parse_args()
    script = Script(options.script)
    if options.gates is None and any("gate" in turn for turn in script.turns):
        parser.error("the script has gates: --gates is needed")
    transcript = Transcript(options.transcript, options.bodies)
    model = Model(options.port, script, transcript, options.gates)
    print(f"listening on 127.0.0.1:{model.server_address[1]}", flush=True)
    model.serve_forever()


if __name__ == "__main__":
    main()
