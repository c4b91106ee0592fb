"""A scripted model: speaks enough of the Responses API for Codex to be driven offline.

It plays a script, turn by turn:

    {"turns": [[{"name": "exec_command", "arguments": {"cmd": "ls"}}],
               [{"name": "apply_patch", "input": "*** Begin Patch ..."}],
               [{"item": {"type": "web_search_call", ...}}]],
     "threads": {"MARK": [...]}, "end": "done"}

A call with `arguments` is a function call, in which `"$SESSION"` stands for the last command that
was left running; one with `input` a custom tool call; `item` is sent as it stands. A turn may be a
function that says its calls: it is called once, when the turn comes, and may do what it likes.

Which turn comes next is read from the conversation (the highest turn that has outputs), so that a
request sent again gets the same answer. A conversation in which a user says a name of `threads`
plays those turns instead: subagents have conversations of their own. After the last turn the model
says `end`.

Every request body is kept, so that a test can claim that a secret never reached the model at all.
It must never listen on anything but loopback.
"""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY_BYTES_MAX = 64 * 1024 * 1024
CALL_ID = re.compile(r"^call_(\d{2})_(\d{3})_(\d{2})$")
SESSION = re.compile(r"session ID (\d+)")
USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 10,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 20,
}


class Model:
    """The server; start it with `with`, then look at `url`, `bodies` and `outputs`."""

    def __init__(self, script):
        self.threads = [("", script["turns"]), *script.get("threads", {}).items()]
        self.end = script.get("end", "done")
        self.bodies = []
        self.reached = {}
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler(self))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def go_on(self, *turns):
        """More turns for a conversation that is taken up again."""
        self.threads[0][1].extend(turns)

    def answer(self, body):
        """The items to answer a request with."""
        with self.lock:
            self.bodies.append(body)
            index = self.thread(body)
            played = [match for match in map(CALL_ID.match, call_ids(body)) if match]
            ours = [int(match[2]) + 1 for match in played if int(match[1]) == index]
            number = max([self.reached.get(index, 0), *ours])
            self.reached[index] = number
        turns = self.threads[index][1]
        if not tools(body) or number >= len(turns):
            return [text_item(self.end)]
        if callable(turns[number]):
            turns[number] = turns[number]()
        return [
            call_item(call, f"call_{index:02}_{number:03}_{place:02}", running(body))
            for place, call in enumerate(turns[number])
        ]

    def thread(self, body):
        """The thread whose name stands in the conversation, the last of them; else the first."""
        said = " ".join(user_texts(body))
        found = [
            index for index, (name, _) in enumerate(self.threads) if name and name in said
        ]
        return found[-1] if found else 0

    @property
    def outputs(self):
        """What the model was told of its calls, by call id, as one text each."""
        told = {}
        for body in self.bodies:
            for item in body.get("input", []):
                if item.get("type", "").endswith("_output"):
                    output = item.get("output", item)
                    text = output if isinstance(output, str) else json.dumps(output)
                    told[item.get("call_id")] = text
        return told

    def said_to_model(self):
        """Everything that ever reached the model, as one text."""
        return json.dumps(self.bodies)


def tools(body):
    """The tools that a request offers: newer models are told of them in the conversation."""
    told = [item.get("tools") or [] for item in body.get("input", []) if "tools" in item]
    return sum(told, list(body.get("tools") or []))


def call_ids(body):
    for item in body.get("input", []):
        if item.get("type", "").endswith("_output"):
            yield item.get("call_id") or ""


def user_texts(body):
    for item in body.get("input", []):
        if item.get("role") == "user":
            for part in item.get("content") or []:
                yield part.get("text", "") if isinstance(part, dict) else str(part)


def running(body):
    """The number of the last command that was left running, for `write_stdin`."""
    found = SESSION.findall(json.dumps(body.get("input", [])))
    return found[-1] if found else "0"


def call_item(call, call_id, session):
    """One item of an answer."""
    if "item" in call:
        return dict(call["item"], id=f"item_{call_id}")
    item = {"id": f"item_{call_id}", "call_id": call_id, "name": call["name"]}
    if "namespace" in call:
        item["namespace"] = call["namespace"]
    if "input" in call:
        return dict(item, type="custom_tool_call", input=call["input"], status="completed")
    arguments = json.dumps(call["arguments"]).replace('"$SESSION"', session)
    return dict(item, type="function_call", arguments=arguments)


def text_item(text):
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"id": "item_end", "type": "message", "role": "assistant", "content": content}


def events(items):
    """An answer as the events of a stream."""
    response = {"id": "resp_scripted", "object": "response", "status": "in_progress", "output": []}
    yield {"type": "response.created", "response": response}
    for index, item in enumerate(items):
        yield {"type": "response.output_item.added", "output_index": index, "item": item}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    whole = dict(response, status="completed", output=items, usage=USAGE)
    yield {"type": "response.completed", "response": whole}


def handler(model):
    class Handler(BaseHTTPRequestHandler):
        """The one endpoint that the client needs; everything else is not found."""

        protocol_version = "HTTP/1.1"

        def do_POST(self):
            raw = self.rfile.read(min(int(self.headers.get("content-length", 0)), BODY_BYTES_MAX))
            if self.path.split("?")[0] != "/v1/responses":
                return self.not_found()
            stream = "".join(
                f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
                for event in events(model.answer(json.loads(raw)))
            )
            self.send(200, stream.encode(), "text/event-stream")

        def not_found(self):
            self.send(404, b'{"error": {"message": "not served"}}', "application/json")

        do_GET = do_HEAD = not_found

        def send(self, status, payload, kind):
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(payload)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(payload)

        def log_message(self, *_):
            pass

    return Handler
