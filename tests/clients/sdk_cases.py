"""The Agent SDKs for Python and Node with toolgate: the recipe, callbacks beside it, and people.

Each case is one session of an SDK's own program (sdk/), whose model is a script on loopback; the
claims are about what is left behind: markers, the model's transcript, toolgate's log.
"""

import json
import os
import pathlib
import secrets
import subprocess

import claude
import rig
import sdk_place

HERE = pathlib.Path(__file__).resolve().parent
# Long enough for a debug build on a busy machine; short where nobody answers at all.
DEADLINE_MS = 20_000
SHORT_DEADLINE_MS = 2000
SESSION_WAIT_S = 120.0
MODES = ("default", "acceptEdits", "plan", "dontAsk", "bypassPermissions")


class Python:
    """The Agent SDK for Python; it brings its own Claude Code along."""

    name = "python"

    def __init__(self, target):
        version = claude.pins()["PYTHON_AGENT_SDK_VERSION"]
        prefix = target / "clients" / f"python-agent-sdk-{version}"
        self.case = [prefix / "bin" / "python", HERE / "sdk" / "python_case.py"]
        self.example = [prefix / "bin" / "python", HERE / "sdk" / "python_agent.py"]
        self.environment = {"PYTHONDONTWRITEBYTECODE": "1"}
        if not self.case[0].exists():
            raise rig.RigError("the Agent SDK for Python is not there: run tests/install")


class Node:
    """The Agent SDK for Node, with the pinned Claude Code."""

    name = "node"

    def __init__(self, target):
        pins = claude.pins()
        prefix = target / "clients" / f"node-agent-sdk-{pins['NODE_AGENT_SDK_VERSION']}"
        self.modules = prefix / "node_modules"
        if not self.modules.is_dir():
            raise rig.RigError("the Agent SDK for Node is not there: run tests/install")
        self.environment = {"CLAUDE_CODE": str(claude.find(pins["CLAUDE_CODE_VERSION"]))}
        self.case = ["node", "node_case.mjs"]
        self.example = ["node", "node_agent.mjs"]


def parts(sdk):
    """The parts of an SDK's claims, each a function of a place and a check."""
    more = [modes, failing, outputs] if sdk.name == "python" else [killed]
    for part in (example, recipe, hostile, callbacks, people, *more):
        yield lambda place, check, part=part: part(place, check, sdk)


def settings(sidecar, deadline_ms=DEADLINE_MS):
    """What `toolgate init claude --print` says; a toolgate that has no `init` yet gets the same."""
    uid = str(os.getuid())
    argv = [sidecar.toolgate, "init", "claude", "--print", "--socket", sidecar.socket]
    argv += ["--server-uid", uid, "--deadline", str(deadline_ms), "--no-client-check"]
    code, out, error = rig.run(argv)
    if code == 0:
        return out
    if "unrecognized subcommand" not in error:
        raise rig.RigError(f"init: {error}")
    return json.dumps(claude.settings(sidecar.toolgate, sidecar.socket, uid, deadline_ms))


class Session:
    """One session of an SDK, whole."""

    def __init__(self, place, sdk, *calls, gates=(), deadline_ms=DEADLINE_MS, **case):
        self.place = place
        self.sdk = sdk
        self.work = place.work
        self.case = case
        self.deadline_ms = deadline_ms
        self.home = place.directory / "home"
        turns = [{"tool_use": call if isinstance(call, list) else [call]} for call in calls]
        for number, gate in gates:
            turns[number]["gate"] = gate
        scratch = place.directory / f"model-{len(place.ends)}"
        scratch.mkdir()
        self.model = rig.Model(scratch, {"turns": turns, "end": "the script is done"})
        place.at_end(self.model.child.kill)

    def start(self, sidecar, argv=None):
        """The program, started; `argv` instead of a case is the example's."""
        case = {"mode": "bypassPermissions", **self.case}
        case["settings"] = settings(sidecar, self.deadline_ms)
        command = argv or [*self.sdk.case, json.dumps(case)]
        directory = self.work
        environment = claude.environment(self.home, f"http://127.0.0.1:{self.model.port}")
        # All tools at once: a deferred one could not be called.
        environment |= {"ENABLE_TOOL_SEARCH": "false", **self.sdk.environment}
        environment |= {"TMPDIR": str(self.place.directory)}
        command = [str(self.located(word)) for word in command]
        self.process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.place.at_end(self.process.kill)
        return self

    def located(self, word):
        """A Node program finds its modules from where it lies: it is put beside them, by links."""
        if not str(word).endswith(".mjs"):
            return word
        programs = self.place.directory / "programs"
        programs.mkdir(exist_ok=True)
        modules = programs / "node_modules"
        if not modules.exists():
            modules.symlink_to(self.sdk.modules)
        program = programs / word
        program.write_text((HERE / "sdk" / word).read_text())
        return program

    def code(self):
        """Its exit code, once it has ended."""
        self.out, self.error = self.process.communicate(timeout=SESSION_WAIT_S)
        (self.place.directory / "sdk.log").write_text(self.out + self.error)
        return self.process.returncode

    def end(self):
        """Waits for its end."""
        code = self.code()
        if code != 0:
            raise rig.RigError(f"the session ended with {code}: {self.error[-600:]}")
        return self

    def play(self, sidecar, argv=None):
        return self.start(sidecar, argv).end()

    def told(self, event):
        """What the program said of callbacks and results."""
        lines = [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def there(self, *names):
        """Which of these markers are there."""
        return [name for name in names if (self.work / name).exists()]

    def results(self, count):
        return [self.model.result(number) for number in range(count)]


def bash(command):
    return {"name": "Bash", "input": {"command": command, "description": "a step"}}


def mcp(name, text="hello"):
    return {"name": f"mcp__srv__{name}", "input": {"text": text}}


# Settings that hold nothing back; the first is what a shell leaves where `init` has failed.
UNGUARDED = {
    "empty": "",
    "half": '{"hooks":',
    "hookless": '{"disableAllHooks": false}',
    "other-events": '{"hooks": {"Stop": [{"hooks": [{"type": "command"}]}]}}',
    "no-handler": '{"hooks": {"PreToolUse": [{"matcher": "*", "hooks": []}]}}',
}


def guard(place):
    return sdk_place.Sidecar(place).start()


def example(place, check, sdk):
    """The program that the guide shows."""
    sidecar = guard(place)
    file = place.directory / "guard.json"
    file.write_text(settings(sidecar))
    session = Session(place, sdk, bash("touch allowed"), bash("touch forbidden"))
    session.play(sidecar, [*sdk.example, file, "play the script"])
    there = session.there("allowed", "forbidden")
    check("example.calls", there == ["allowed"], f"{there}: {session.results(2)}")
    check("example.says", session.out.strip() == "the script is done", session.out)
    for name, text in UNGUARDED.items():
        file.write_text(text)
        session = Session(place, sdk, bash("touch unguarded"))
        code = session.start(sidecar, [*sdk.example, file, "play the script"]).code()
        refused = code == 1 and "no hook before tool calls" in session.error
        check(f"example.refuses-{name}", refused and not session.there("unguarded"), session.error)


def recipe(place, check, sdk):
    """Built-in tools and tools of the program itself, with the one option and nothing else."""
    outside = place.directory / "outside.txt"
    calls = [
        bash("touch allowed"),
        bash("touch forbidden"),
        {"name": "Write", "input": {"file_path": f"{place.work}/written", "content": "x"}},
        {"name": "Write", "input": {"file_path": str(outside), "content": "x"}},
        {"name": "Read", "input": {"file_path": "/etc/hostname"}},
        mcp("echo"),
        mcp("delete"),
        [bash("touch side"), bash("touch forbidden-side"), mcp("delete")],
    ]
    sidecar = guard(place)
    session = Session(place, sdk, *calls).play(sidecar)
    seen = session.results(7)
    markers = ("allowed", "written", "mcp-echo", "side")
    check("recipe.allowed", len(session.there(*markers)) == len(markers), seen)
    denied = session.there("forbidden", "mcp-delete", "forbidden-side")
    check("recipe.denied", not denied and not outside.exists(), f"{denied}: {seen}")
    check("recipe.denied-read", seen[4] and seen[4][0], seen[4])
    effects = {}
    for record in sidecar.records("--kind", "tool.pre"):
        effects.setdefault(record["tool"], []).append(record["decision"]["effect"])
    own = [effect for tool, effect in effects.items() if "echo" in tool or "delete" in tool]
    check("recipe.records-own-tools", sorted(sum(own, [])) == ["allow", "deny", "deny"], effects)
    check("recipe.result", not session.told("result")[0]["is_error"], session.out)


def hostile(place, check, sdk):
    """A repository whose settings switch hooks off, and bring a variable for the hook."""
    folder = place.work / ".claude"
    folder.mkdir()
    off = {"disableAllHooks": True, "env": {"PATH": "/nowhere", "LD_PRELOAD": "/nowhere.so"}}
    for name in ("settings.json", "settings.local.json"):
        (folder / name).write_text(json.dumps(off))
    user = place.directory / "home" / ".claude"
    user.mkdir(parents=True, exist_ok=True)
    (user / "settings.json").write_text(json.dumps({"disableAllHooks": True}))
    session = Session(place, sdk, bash("touch allowed"), bash("touch forbidden"))
    session.play(guard(place))
    there = session.there("allowed", "forbidden")
    check("hostile.settings", there == ["allowed"], f"{there}: {session.results(2)}")


def callbacks(place, check, sdk):
    """The user's own hook callback beside ours."""
    sidecar = guard(place)
    for does in ("nothing", "allow", "raise"):
        (place.work / "allowed").unlink(missing_ok=True)
        session = Session(place, sdk, bash("touch allowed"), bash("touch forbidden"), hook=does)
        session.play(sidecar)
        there = session.there("allowed", "forbidden")
        check(f"callback.{does}", there == ["allowed"], f"{there}: {session.results(2)}")
        check(f"callback.{does}.called", len(session.told("hook")) == 2, session.out)
    session = Session(place, sdk, bash("touch rewrite-me"), hook="rewrite").play(sidecar)
    # All hooks see what the model said, so ours cannot: it must be found afterwards.
    there = session.there("forbidden-by-rewriting", "rewrite-me")
    check("callback.rewrite", there == ["forbidden-by-rewriting"], session.results(1))
    found = sidecar.findings()
    check("callback.rewrite.found", "input_rewritten" in found, found)


def people(place, check, sdk):
    """`can_use_tool`: whoever answers is asked for our asks alone, and never beats our denial."""
    sidecar = guard(place)
    (place.work / "ci").mkdir()
    calls = [bash("touch ci/asked"), bash("touch allowed"), bash("touch forbidden")]
    for answer, wanted in (("deny", ["allowed"]), ("allow", ["ci/asked", "allowed"])):
        (place.work / "allowed").unlink(missing_ok=True)
        before = len(sidecar.records())
        session = Session(place, sdk, *calls, mode="default", asked=answer).play(sidecar)
        there = session.there("ci/asked", "allowed", "forbidden")
        check(f"people.{answer}", there == wanted, f"{there}: {session.results(3)}")
        asked = [line["input"].get("command") for line in session.told("asked")]
        check(f"people.{answer}.asked", asked == ["touch ci/asked"], asked)
        records = sidecar.records()[before:]
        pre = [one for one in records if one["kind"] == "tool.pre"]
        effects = [one["decision"]["effect"] for one in pre]
        check(f"people.{answer}.records", effects == ["ask", "allow", "deny"], effects)
        ran = [one["tool_use_id"] for one in records if one["kind"] == "tool.post"]
        yes = bool(pre) and pre[0]["tool_use_id"] in ran
        check(f"people.{answer}.recorded", yes == (answer == "allow"), records)
    told = session.results(3)[2]
    check("people.denial-stands", told and told[0] and "denied by rule" in told[1], told)
    session = Session(place, sdk, calls[0], mode="default", asked="rewrite").play(sidecar)
    found = sidecar.findings()
    check("people.rewrite.found", "input_rewritten" in found, found)


def killed(place, check, sdk):
    """The sidecar is killed in mid-session, and comes back."""
    calls = [bash("touch first"), bash("touch while-dead"), mcp("echo"), bash("touch last")]
    sidecar = guard(place)
    session = Session(place, sdk, *calls, gates=[(1, "dead"), (3, "back")]).start(sidecar)
    rig.wait_for("the first gate", lambda: session.model.waits_at("dead"), session.process, 60)
    sidecar.kill()
    session.model.open("dead")
    rig.wait_for("the second gate", lambda: session.model.waits_at("back"), session.process, 60)
    sidecar.start()
    session.model.open("back")
    session.end()
    there = session.there("first", "while-dead", "mcp-echo", "last")
    check("killed.calls", there == ["first", "last"], f"{there}: {session.results(4)}")
    check("killed.result", not session.told("result")[0]["is_error"], session.out)


def failing(place, check, sdk):
    """The same, and a sidecar that hangs; with callbacks that would allow everything."""
    killed(place, check, sdk)
    for name, fail in (("gone", "kill"), ("frozen", "freeze")):
        other = sdk_place.Place(place.tools, place.directory / name)
        place.at_end(lambda other=other: other.__exit__())
        sidecar = guard(other)
        getattr(sidecar, fail)()
        calls = [bash("touch forbidden"), mcp("echo")]
        beside = {"hook": "allow", "asked": "allow", "mode": "default"}
        session = Session(other, sdk, *calls, deadline_ms=SHORT_DEADLINE_MS, **beside)
        session.play(sidecar)
        there = session.there("forbidden", "mcp-echo")
        check(f"failing.{name}", not there, f"{there}: {session.results(2)}")


def modes(place, check, sdk):
    """Whatever the permission mode: what is denied is denied, an ask without a person is a no."""
    sidecar = guard(place)
    (place.work / "ci").mkdir()
    for mode in MODES:
        (place.work / "allowed").unlink(missing_ok=True)
        calls = [bash("touch allowed"), bash("touch forbidden"), bash("touch ci/asked")]
        session = Session(place, sdk, *calls, mcp("delete"), mode=mode).play(sidecar)
        there = session.there("allowed", "forbidden", "ci/asked", "mcp-delete")
        # In plan mode the client itself runs no command that changes something.
        wanted = [] if mode == "plan" else ["allowed"]
        check(f"mode.{mode}", there == wanted, f"{there}: {session.results(4)}")


def outputs(place, check, sdk):
    """Secrets in what built-in tools and the program's own tools bring back."""
    redacted = f"RED-{secrets.token_hex(16)}"
    withheld = f"DEN-{secrets.token_hex(16)}"
    (place.work / "one.txt").write_text(f"before {redacted} after\n")
    (place.work / "two.txt").write_text(f"before {withheld} after\n")
    read = {"name": "Read", "input": {"file_path": f"{place.work}/one.txt"}}
    calls = [bash("cat one.txt"), bash("cat two.txt"), read, mcp("echo", f"a {redacted} b")]
    session = Session(place, sdk, *calls).play(guard(place))
    seen = session.results(4)
    for number, name in enumerate(("bash", "bash-withheld", "read", "own-tool")):
        text = str(seen[number])
        holds = redacted not in text and withheld not in text
        check(f"outputs.{name}", seen[number] and holds, text)
    check("outputs.rest-stays", "before" in str(seen[0]) and "after" in str(seen[0]), seen[0])
