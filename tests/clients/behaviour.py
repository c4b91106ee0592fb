"""The canaries: what the client itself does with a hook's answer, from claude.toml.

Rows of one kind, mode and `onFailure` share a session, one turn each; the hook knows the row by the
command it is asked about. A row that is `alone` has a session of its own.
"""

import collections
import http.server
import json
import sys
import threading
import tomllib

import rig
import scene
import script

TABLE = rig.REPOSITORY / "tests" / "cases" / "clients" / "claude.toml"
FIXTURES = rig.REPOSITORY / "tests" / "clients"
SETTINGS = ("continue", "block")
KINDS = ("command", "http")
HOOK_TIMEOUT_S = 60


def table():
    return tomllib.loads(TABLE.read_text())


def scenes(report):
    """Groups the rows into scenes; those that do not apply are told at once."""
    data = table()
    groups = collections.defaultdict(list)
    for kind in KINDS:
        for row in data[kind]:
            for on_failure in SETTINGS:
                name = f"client.{kind}.{row['id']}.{on_failure}"
                if not row.get("applies", True):
                    report.skip(name, row["why"])
                elif report.wants(name):
                    alone = row["id"] if row.get("alone") else ""
                    groups[kind, row.get("mode", ""), on_failure, alone].append(row)
    for (kind, mode, on_failure, _), rows in groups.items():
        play = Group(kind, mode or "bypassPermissions", on_failure, rows, data["answers"]).play
        # The claims have the rows' names, whatever scene they are played in.
        yield scene.Scene(f"client.{kind}", play)


class Group:
    """The rows of one session."""

    def __init__(self, kind, mode, on_failure, rows, answers):
        self.kind = kind
        self.mode = mode
        self.on_failure = on_failure
        self.rows = rows
        self.answers = answers

    def play(self, place, check):
        commands = place.directory / "table.json"
        commands.write_text(json.dumps({row["id"]: self.hooks(row) for row in self.rows}))
        server = Answers({row["id"]: self.http(row) for row in self.rows})
        place.at_end(server.end)
        turns = [
            script.turn(*[script.bash(f"touch case-{row['id']}")] * row.get("calls", 1))
            for row in self.rows
        ]
        place.model.script("table", *turns)
        settings = self.settings(commands, server)
        session = place.session(settings=settings, mode=self.mode)
        result = session.play("table")
        for number, row in enumerate(self.rows):
            outcome = self.outcome(place, row, number, result)
            name = f"{row['id']}.{self.on_failure}"
            told = place.model.result("table", number)
            check(name, outcome == row[self.on_failure], f"{outcome}; the model saw: {told}")
            if "told" in row:
                check(f"{name}.told", told and row["told"] in told[1], told)
            if "noted" in row:
                check(f"{name}.noted", place.model.saw(row["noted"]), f"no `{row['noted']}`")
            if "heard" in row:
                check(f"{name}.heard", *self.heard(commands, row))

    def settings(self, commands, server):
        """One handler for each hook that any row wants; rows in company want one."""
        row = self.rows[0]
        count = max(len(self.hooks(row)) for row in self.rows)
        handlers = [self.handler(commands, server, index) for index in range(count)]
        before = [{"matcher": "*", "hooks": handlers}]
        settings = {"hooks": {"PreToolUse": before}, **row.get("settings", {})}
        if "after" in row:
            listener = self.handler(commands, server, count)
            settings["hooks"]["PostToolUse"] = [{"matcher": "*", "hooks": [listener]}]
        if "rules" in row:
            settings["permissions"] = row["rules"]
        return settings

    def handler(self, commands, server, index):
        own = self.rows[0].get("handler", {})
        usual = {"timeout": HOOK_TIMEOUT_S, "onFailure": self.on_failure}
        if self.kind == "http":
            port = closed_port() if self.rows[0].get("at") == "nobody" else server.port
            usual |= {"type": "http", "url": f"http://127.0.0.1:{port}/hook"}
        else:
            arguments = [str(FIXTURES / "hook.py"), str(commands), str(index)]
            usual |= {"type": "command", "command": sys.executable, "args": arguments}
        return usual | own

    def hooks(self, row):
        """What the hooks of a row do, with their answers written out."""
        hooks = row.get("hooks") or [row.get("hook", {})]
        return [
            does | {"print": [self.spelled(part, row) for part in does.get("print", [])]}
            for does in hooks
        ]

    def http(self, row):
        does = row.get("http", {})
        return does | {"body": "".join(self.spelled(part, row) for part in does.get("body", []))}

    def spelled(self, part, row):
        if not part.startswith("$"):
            return part
        name = part.removeprefix("$")
        return self.answers[name] if name in self.answers else answer(name, f"case-{row['id']}")

    def outcome(self, place, row, number, result):
        """What became of the call, by the files it leaves and what the session says."""
        marker = f"case-{row['id']}"
        ran, other = place.there(marker), place.there(f"{marker}-rewritten")
        told = place.model.result("table", number)
        if result.get("stop_reason") == "tool_deferred" and not ran:
            return "deferred"
        if ran and result.get("terminal_reason") == "hook_stopped":
            return "stops"
        if ran or other:
            return "both" if ran and other else "runs" if ran else "rewritten"
        return "blocked" if told and told[0] else "nothing"

    def heard(self, commands, row):
        """Whether each hook was asked about the command that the row says."""
        lines = commands.with_name(f"{commands.name}.events.jsonl").read_text().splitlines()
        events = sorted(map(json.loads, lines), key=lambda line: line["index"])
        said = {
            f"touch case-{row['id']}": "original",
            f"touch case-{row['id']}-rewritten": "rewritten",
        }
        heard = [said.get(line["event"]["tool_input"]["command"]) for line in events]
        return heard == [*row["heard"], row["after"]], heard


def answer(name, marker):
    """The answers that depend on the row."""
    inputs = {
        "rewrite": {"command": f"touch {marker}-rewritten", "description": "another"},
        "rewrite_allow": {"command": f"touch {marker}-rewritten", "description": "another"},
        "rewrite_other": {"command": f"touch {marker}-other", "description": "a third"},
        "rewrite_part": {"description": "only this"},
        "rewrite_invalid": {"command": 7},
    }
    specific = {"hookEventName": "PreToolUse"}
    if name == "deny_200_kb":
        specific["permissionDecision"] = "deny"
        specific["permissionDecisionReason"] = "no " * 70_000
    else:
        specific["updatedInput"] = inputs[name]
        if name != "rewrite":
            specific["permissionDecision"] = "allow"
    return json.dumps({"hookSpecificOutput": specific})


def closed_port():
    """A port that nobody listens on: it was just given back."""
    server = http.server.HTTPServer(("127.0.0.1", 0), None)
    server.server_close()
    return server.server_address[1]


class Answers(http.server.ThreadingHTTPServer):
    """The HTTP hook: it answers each call as the row of its command says."""

    daemon_threads = True

    def __init__(self, rows):
        super().__init__(("127.0.0.1", 0), Answer)
        self.rows = rows
        self.over = threading.Event()
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def end(self):
        self.over.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, *_):
        """Nothing: the client may hang up whenever it likes."""


class Answer(http.server.BaseHTTPRequestHandler):
    """One answer."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        event = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
        marker = event["tool_input"]["command"].removeprefix("touch case-")
        does = self.server.rows[marker]
        if does.get("hang"):
            self.server.over.wait(HOOK_TIMEOUT_S)
        if does.get("hang") or does.get("drop") == "before":
            self.close_connection = True
            return
        body = does["body"].encode()
        self.send_response(does["status"])
        if does.get("location"):
            self.send_header("location", f"http://127.0.0.1:{self.server.port}/elsewhere")
        self.send_header("content-type", does.get("type", "application/json"))
        if does["status"] not in (204, 304):
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        if does.get("drop") == "inside":
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def do_GET(self):
        """What a redirect would lead to, if it were followed."""
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        """Nothing: the client's own messages say what it made of it."""
