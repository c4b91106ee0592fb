"""What Codex itself does with its hooks, from codex.toml: answers, tools, trust and switches.

Rows of one kind share a session, one turn each; the hook knows the row by the name in its input. A
row that is `alone` has a session of its own.
"""

import json
import sys
import tomllib

import codex
import rig

TABLE = rig.REPOSITORY / "tests" / "cases" / "clients" / "codex.toml"
FIXTURE = rig.REPOSITORY / "tests" / "clients" / "codex_hook.py"
LONG = "x" * 200_000
OUTPUT = "the-output-itself"
MCP_SERVER = rig.REPOSITORY / "tests" / "clients" / "codex_mcp.py"
MODELS = {"script": codex.SCRIPT_MODEL, "unknown": codex.UNKNOWN_MODEL}
# The smallest PNG.
IMAGE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cf"
    "c0000003010100c9fe92ef0000000049454e44ae426082"
)


def parts(data):
    """The parts of this file's claims, each a function of a place and a check."""
    alone = [row for row in data["before"] if row.get("alone")]
    together = [row for row in data["before"] if not row.get("alone")]
    yield lambda place, check: before(place, check, data, together)
    for row in alone:
        yield lambda place, check, row=row: before(place, check, data, [row])
    yield lambda place, check: after(place, check, data)
    for row in data["prompt"]:
        yield lambda place, check, row=row: prompt(place, check, data, row)
    for row in data["permission"]:
        yield lambda place, check, row=row: permission(place, check, data, row)
    for kind in ("", *MODELS):
        yield lambda place, check, kind=kind: tools(place, check, data, kind)
    yield unhooked_shell
    yield shell_of_hooks
    yield reread
    yield trust


def table():
    return tomllib.loads(TABLE.read_text())


class Table:
    """The file that tells the fixture what to do, and what it noted."""

    def __init__(self, place, data, name, rows):
        self.path = place.directory / f"{name}.json"
        written = {key: self.written(data, does) for key, does in rows.items()}
        self.path.write_text(json.dumps(written))

    @staticmethod
    def written(data, does):
        answers = data["answers"] | {"200k": LONG}
        print_ = [
            answers[part[1:]] if part.startswith("$") else part for part in does.get("print", [])
        ]
        return does | {"print": print_}

    def handler(self, **more):
        return codex.handler(sys.executable, FIXTURE, self.path, **more)

    def events(self, name=None):
        path = self.path.with_name(f"{self.path.name}.events.jsonl")
        lines = path.read_text().splitlines() if path.exists() else []
        events = [json.loads(line) for line in lines]
        return [event for event in events if name in (None, event["hook_event_name"])]


def before(place, check, data, rows):
    """What becomes of a call."""
    names = ["hook", "second"] if "second" in rows[0] else ["hook"]
    handlers = []
    for name in names:
        does = {f"PreToolUse:{row['id']}": row.get(name, {}) for row in rows}
        handlers.append(Table(place, data, name, does).handler(**rows[0].get("handler", {})))
    home = place.home
    with codex.model(*[[codex.shell(f"touch case-{row['id']}")] for row in rows]) as model:
        home.configure(model, codex.every(["PreToolUse"], *handlers))
        home.exec()
        for number, row in enumerate(rows):
            told = model.outputs.get(f"call_00_{number:03}_00")
            check(f"before.{row['id']}", outcome(home, row, told) == row["outcome"], told)
            if "told" in row:
                check(f"before.{row['id']}.told", row["told"] in str(told), told)


def outcome(home, row, told):
    if home.there(f"case-{row['id']}"):
        return "runs"
    return "rewritten" if "exited with code 0" in str(told) else "blocked"


def after(place, check, data):
    """What the model is told of an output."""
    rows = data["after"]
    hook = Table(place, data, "hook", {f"PostToolUse:{row['id']}": row["hook"] for row in rows})
    calls = [[codex.shell(f"echo {OUTPUT} case-{row['id']}")] for row in rows]
    with codex.model(*calls) as model:
        place.home.configure(model, codex.every(["PostToolUse"], hook.handler()))
        place.home.exec()
        for number, row in enumerate(rows):
            told = str(model.outputs.get(f"call_00_{number:03}_00"))
            if row["sees"] == "output":
                holds = OUTPUT in told
            else:
                holds = told == row["sees"]
            check(f"after.{row['id']}", holds, told)


def prompt(place, check, data, row):
    """Whether a prompt reaches the model."""
    hook = Table(place, data, "hook", {f"UserPromptSubmit:{row['id']}": row["hook"]})
    with codex.model() as model:
        place.home.configure(model, codex.every(["UserPromptSubmit"], hook.handler()))
        place.home.exec(prompt=f"case-{row['id']}")
        seen = "runs" if model.bodies else "blocked"
        check(f"prompt.{row['id']}", seen == row["outcome"], seen)


def permission(place, check, data, row):
    """Whether a person is asked, who says yes."""
    name = f"case-{row['id']}"
    hook = Table(place, data, "hook", {f"PermissionRequest:{row['id']}": row["hook"]})
    call = codex.shell(f"touch {name}", sandbox_permissions="require_escalated")
    with codex.model([call]) as model:
        place.home.configure(model, codex.every(["PermissionRequest"], hook.handler()))
        with codex.Server(place.home) as server:
            server.play(place.home)
            seen = "runs" if place.home.there(name) else "blocked"
            if server.asked:
                seen = "asked"
        check(f"permission.{row['id']}", seen == row["outcome"], seen)
        [event] = hook.events()
        check(f"permission.{row['id']}.no-id", "tool_use_id" not in event, event)


def tools(place, check, data, kind):
    """Which tools reach a hook, by what name and with what input."""
    rows = [row for row in data["tool"] if row.get("model", "") == kind]
    hook = Table(place, data, "hook", {})
    (place.home.work / "image.png").write_bytes(IMAGE)
    server = f'[mcp_servers.probe]\ncommand = "{sys.executable}"\nargs = ["{MCP_SERVER}"]\n'
    threads = {"SUBTASK": []}
    for row in rows:
        place.home.hooks_file.unlink(missing_ok=True)
        heard = len(hook.events())
        with codex.model([row["call"]], threads=threads) as model:
            events = codex.every(["PreToolUse", "PostToolUse"], hook.handler())
            name = MODELS.get(kind, codex.DIRECT_MODEL)
            place.home.configure(model, events, extra=server, name=name)
            place.home.exec()
        events = hook.events()[heard:]
        for key, event in (("before", "PreToolUse"), ("after", "PostToolUse")):
            found = [one for one in events if one["hook_event_name"] == event]
            wanted = row.get(key)
            holds = not found if wanted is None else len(found) == 1 and fits(found[0], wanted)
            check(f"tool.{row['id']}.{key}", holds, f"{found}; the model: {model.outputs}")


def fits(event, wanted):
    return all(event.get(key) == value for key, value in wanted.items())


def unhooked_shell(place, check):
    """A shell that is left running is typed into without a hook, and read without one."""
    data = {"answers": {}}
    hook = Table(place, data, "hook", {})
    type_ = lambda text: {
        "name": "write_stdin",
        "arguments": {"session_id": "$SESSION", "chars": text, "yield_time_ms": 2000},
    }
    turns = [
        [codex.shell("sh", tty=True, yield_time_ms=500)],
        [type_("touch typed; echo first-out''put\n")],
        [type_("exit\n")],
    ]
    with codex.model(*turns) as model:
        events = codex.every(["PreToolUse", "PostToolUse"], hook.handler())
        place.home.configure(model, events)
        place.home.exec()
        commands = [event["tool_input"]["command"] for event in hook.events("PreToolUse")]
        check("unhooked.write-stdin", place.home.there("typed") and commands == ["sh"], commands)
        outputs = [event["tool_response"] for event in hook.events("PostToolUse")]
        unseen = "first-output" in model.said_to_model() and "first-output" not in str(outputs)
        check("unhooked.output-in-between", unseen, outputs)


def shell_of_hooks(place, check):
    """A shell starts the hook: what its files and its environment may do to that."""
    home = place.home
    hook = Table(place, {"answers": table()["answers"]}, "hook", {"PreToolUse:": DENY})
    wired = codex.every(["PreToolUse"], hook.handler())
    ends = place.directory / "ends"
    ends.write_text("exit 0\n")
    for name in (".bash_profile", ".bashrc", ".profile"):
        (home.codex.parent / name).write_text("exit 0\n")
    rows = [
        ("login-files", {}, "blocked"),
        ("other-shell", {"SHELL": "/bin/false"}, "blocked"),
        ("bash-env", {"BASH_ENV": str(ends)}, "unasked"),
    ]
    for name, env, wanted in rows:
        before = len(hook.events())
        # Nothing that the shell of a tool would trip over: only the hook is looked at.
        with codex.model([codex.patch("*** Add File: ran\n+x")]) as model:
            home.configure(model, wired)
            home.exec(env=env)
        asked = len(hook.events()) > before
        seen = "unasked" if home.there("ran") and not asked else "blocked"
        check(f"shell.{name}", seen == wanted, f"{seen}: {model.outputs}")
        (home.work / "ran").unlink(missing_ok=True)


def reread(place, check):
    """Hooks are read once; the next session reads what was written meanwhile."""
    home = place.home
    off = "printf '[features]\\nhooks = false\\n' >> "
    rows = [
        ("hooks-removed", f"rm {home.hooks_file}", "runs"),
        ("feature-off", f"{off}{home.codex}/config.toml", "runs"),
    ]
    for name, command, afterwards in rows:
        (home.work / "ran").unlink(missing_ok=True)
        hook = Table(place, {"answers": table()["answers"]}, name, {"PreToolUse:ran": DENY})
        touch = codex.shell("touch ran # case-ran")
        with codex.model([codex.shell(f"{command}; sleep 3")], [touch]) as model:
            home.configure(model, codex.every(["PreToolUse"], hook.handler()))
            home.exec()
            check(f"reread.{name}.same-session", not home.there("ran"), model.outputs)
            model.go_on([touch])
            home.resume()
        seen = "runs" if home.there("ran") else "blocked"
        check(f"reread.{name}.next-session", seen == afterwards, model.outputs)


def trust(place, check):
    """Whose hooks run, and what switches them off."""
    home = place.home
    hook = Table(place, {"answers": table()["answers"]}, "hook", {"PreToolUse:": DENY})
    wired = codex.every(["PreToolUse"], hook.handler())
    key = f'[hooks.state."{home.hooks_file}:pre_tool_use:0:0"]\n'
    off = "[features]\nhooks = false\n"
    ours = f'[projects."{home.work}"]\ntrust_level = "trusted"\n'
    project = home.work / ".codex" / "config.toml"
    rows = [
        ("trusted", {}, [], "", "blocked"),
        ("untrusted", {"trusted": False}, [], "", "runs"),
        ("untrusted-by-flag", {"trusted": False}, [BYPASS], "", "blocked"),
        ("other-hash", {"trusted": False, "extra": f'{key}trusted_hash = "sha256:00"\n'}, [], "",
         "runs"),
        ("disabled", {"trusted": False, "extra": f"{key}enabled = false\n"}, [BYPASS], "", "runs"),
        ("feature-off", {"extra": off}, [], "", "runs"),
        ("feature-off-by-flag", {}, ["--disable", "hooks"], "", "runs"),
        ("project-off", {"extra": ours}, [], off, "runs"),
        ("project-off-untrusted", {}, [], off, "blocked"),
        ("project-off-flag-on", {"extra": ours}, ["--enable", "hooks"], off, "blocked"),
        ("project-disables", {"extra": ours}, [], f"{key}enabled = false\n", "blocked"),
    ]  # fmt: skip
    for name, configured, options, of_project, wanted in rows:
        (home.work / "ran").unlink(missing_ok=True)
        project.parent.mkdir(exist_ok=True)
        project.write_text(of_project)
        with codex.model([codex.shell("touch ran")]) as model:
            home.configure(model, wired, **configured)
            home.exec(*options)
        seen = "runs" if home.there("ran") else "blocked"
        check(f"trust.{name}", seen == wanted, seen)
    listed(place, check, wired)


def listed(place, check, wired):
    """Codex's own list of hooks agrees with the hashes that were made here."""
    many = codex.every(codex.EVENTS, codex.handler("/bin/true", "it's", timeout=9))
    many["PreToolUse"] = [{"matcher": "*", "hooks": many["PreToolUse"][0]["hooks"]}]
    with codex.model() as model:
        place.home.configure(model, many)
        with codex.Server(place.home) as server:
            answer = server.call("hooks/list", {"cwds": [str(place.home.work)]})
    [found] = answer["data"]
    status = {hook["eventName"]: hook["trustStatus"] for hook in found["hooks"]}
    holds = len(status) == len(codex.EVENTS) and set(status.values()) == {"trusted"}
    check("trust.hashes", holds, status)


BYPASS = "--dangerously-bypass-hook-trust"
DENY = {"print": ["$deny"]}
