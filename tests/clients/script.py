"""The scripted model of the topology rig, in this process and with many conversations.

A prompt that holds `play:NAME` plays the script of that name: its turns in order, then its `end`.
So one session of many prompts plays many scripts, a subagent plays its own, and a resumed session
another. A turn is a dict: `calls` (tool name and input; or a function that says them), and `act`,
called once before the turn is told, in which a test kills or starts what it likes.
"""

import json
import re
import threading
import urllib.parse
from http.server import ThreadingHTTPServer

import model

PLAY = re.compile(r"play:([a-z0-9-]+)")
TOOL_USE_ID = re.compile(r"^toolu_([a-z0-9-]+)_(\d{3})_(\d{2})$")


class Handler(model.Handler):
    """The model's endpoints, also for a client that takes the model for its proxy."""

    def do_POST(self):
        if self.path.startswith("http://"):
            self.server.proxied += 1
            self.path = urllib.parse.urlsplit(self.path).path
        super().do_POST()


class Model(ThreadingHTTPServer):
    """A model on loopback, all that it was told, and all that it may say."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.proxied = 0
        self.scripts = {}
        self.results = {}
        self.bodies = []
        self.errors = []
        self.acted = set()
        self.lock = threading.Lock()
        # What `model.Handler` writes to.
        self.transcript = self
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        """Nothing: a client that was stopped hangs up in the middle."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def script(self, name, *turns, end="done"):
        self.scripts[name] = {"turns": turns, "end": end}

    def keep_body(self, raw):
        """Called by the handler with every request to the model, whole."""
        with self.lock:
            self.bodies.append(raw)

    def write(self, **event):
        """Called by the handler when it cannot answer."""
        with self.lock:
            self.errors.append(event)

    def answer(self, body):
        """The blocks to answer a request with."""
        if not model.is_main(body):
            return [{"type": "text", "text": "topology"}]
        for block in model.tool_results(body):
            told = (bool(block.get("is_error")), model.text_of(block.get("content")))
            self.results.setdefault(block.get("tool_use_id", ""), told)
        name = played(body)
        script = self.scripts[name]
        number = next_turn(body, name)
        if number >= len(script["turns"]):
            return [{"type": "text", "text": script["end"]}]
        turn = script["turns"][number]
        self.act_once(name, number, turn)
        calls = turn["calls"]() if callable(turn["calls"]) else turn["calls"]
        return [
            {"type": "tool_use", "id": tool_use_id(name, number, index), **call}
            for index, call in enumerate(calls)
        ]

    def act_once(self, name, number, turn):
        with self.lock:
            first = (name, number) not in self.acted
            self.acted.add((name, number))
        if first and turn.get("act"):
            turn["act"]()

    def result(self, name, number=0, index=0):
        """What the model was told of a call: (is_error, text), or None for nothing."""
        return self.results.get(tool_use_id(name, number, index))

    def saw(self, text, play=None):
        """Whether any request held this text; with `play`, any of that conversation."""
        needle = json.dumps(text)[1:-1].encode()
        return any(needle in raw and (play is None or of(raw, play)) for raw in self.bodies)


def tool_use_id(name, number, index):
    return f"toolu_{name}_{number:03}_{index:02}"


def of(raw, play):
    """Whether a request belongs to the conversation that this script began."""
    body = json.loads(raw)
    said = [text for message in body["messages"] for text in spoken(message)]
    first = next((PLAY.search(text) for text in said if PLAY.search(text)), None)
    return first is not None and first[1] == play


def spoken(message):
    """The texts that a message says itself: no tool's result."""
    if message.get("role") != "user":
        return []
    content = message.get("content")
    if isinstance(content, str):
        return [content]
    return [part.get("text", "") for part in content or [] if part.get("type") == "text"]


def played(body):
    """The script that the last prompt names."""
    for message in reversed(body.get("messages", [])):
        for text in reversed(spoken(message)):
            named = PLAY.findall(text)
            if named:
                return named[-1]
    raise LookupError("no prompt names a script")


def next_turn(body, name):
    """One more than the script's highest turn that has results."""
    ids = [TOOL_USE_ID.match(block.get("tool_use_id", "")) for block in model.tool_results(body)]
    return max((int(found[2]) + 1 for found in ids if found and found[1] == name), default=0)


def bash(command, **more):
    return {"name": "Bash", "input": {"command": command, "description": "a step", **more}}


def write(path, content="hi\n"):
    return {"name": "Write", "input": {"file_path": str(path), "content": content}}


def read(path):
    return {"name": "Read", "input": {"file_path": str(path)}}


def turn(*calls, act=None):
    return {"calls": calls, "act": act}
