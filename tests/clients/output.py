"""What a tool brings back: a secret that is redacted or withheld never reaches the model.

The same calls are played without toolgate first: what the client does not show its model anyway
proves nothing. Each call has a secret of its own, in the file that it shows.
"""

import dataclasses
import functools
import pathlib
import re
import secrets
import sys
from collections.abc import Callable

import rig
import scene
import script
import sidecar

KINDS = {"redact": "RED-", "deny": "DEN-"}
MCP = "mcp__probe__"
NOTICE_WAIT_S = 20.0


@dataclasses.dataclass
class Case:
    """One tool that shows a file; `name` is the file's, without its kind."""

    name: str
    # The turns of calls, given the place and the file.
    turns: Callable
    # Whether the client shows it to the model at all, and whether a hook can change that.
    shown: bool = True
    hooked: bool = True
    # What else holds the secret: a script of a subagent, a skill.
    furnish: Callable = lambda place, file, secret: None
    # Comes after the turn: in a message that no call asked for.
    later: bool = False


def one(make):
    """A case of a single call."""
    return lambda place, file: [script.turn(make(place.work / file))]


def tool(name, **arguments):
    return {"name": name, "input": arguments}


def after_read(call):
    """A file must have been read before it is changed; the read shows its other half only."""
    return lambda place, file: [
        script.turn(tool("Read", file_path=f"{place.work}/{file}", limit=1)),
        script.turn(call(place.work / file)),
    ]


def background(place, file):
    """A command in the background, then a look at what it wrote."""
    name = file.removesuffix(".txt")

    def look():
        told = place.model.result(f"out-{name}")[1]
        path = pathlib.Path(re.search(r"(/\S+\.output)", told)[1])
        rig.wait_for("the output in the background", lambda: "here" in path.read_text())
        return [script.read(path)]

    command = script.bash(f"cat {file}", run_in_background=True)
    return [script.turn(command), {"calls": look, "act": None}]


def agent(in_background):
    def make(place, file):
        arguments = {"description": "sub", "subagent_type": "general-purpose"}
        arguments["prompt"] = f"play:sub-{file.removesuffix('.txt')}"
        return [script.turn(tool("Agent", **arguments, run_in_background=in_background))]

    return make


def subagent(place, file, secret):
    name = file.removesuffix(".txt")
    turns = [script.turn(script.bash("echo working"))]
    place.model.script(f"sub-{name}", *turns, end=f"The subagent found {secret}.")


def skill_file(place, file, secret):
    name = file.removesuffix(".txt")
    text = f"---\nname: {name}\ndescription: a skill\n---\n\nRemember {secret}.\n"
    place.settings(f"work/.claude/skills/{name}/SKILL.md", text)


CASES = [
    Case("bash", one(lambda path: script.bash(f"cat {path.name}"))),
    Case("bash-stderr", one(lambda path: script.bash(f"cat {path.name} >&2"))),
    Case("bash-fails", one(lambda path: script.bash(f"cat {path.name}; false")), hooked=False),
    Case(
        "bash-fails-stderr",
        one(lambda path: script.bash(f"cat {path.name} >&2; false")),
        hooked=False,
    ),
    Case("bash-background", background),
    Case("read", one(script.read)),
    Case(
        "edit",
        after_read(
            lambda path: tool("Edit", file_path=str(path), old_string="first", new_string="second")
        ),
        shown=False,
    ),
    Case("write", after_read(lambda path: script.write(path)), shown=False),
    Case("mcp", one(lambda path: tool(f"{MCP}show", file=path.name))),
    Case("mcp-structured", one(lambda path: tool(f"{MCP}structured", file=path.name))),
    Case("mcp-embedded", one(lambda path: tool(f"{MCP}link", file=path.name))),
    Case("mcp-fails", one(lambda path: tool(f"{MCP}fail", file=path.name)), hooked=False),
    Case(
        "mcp-resource",
        one(lambda path: tool("ReadMcpResourceTool", server="probe", uri=f"probe://{path.name}")),
    ),
    Case("mcp-list", one(lambda path: tool("ListMcpResourcesTool", server="probe"))),
    Case("agent", agent(False), furnish=subagent),
    Case(
        "skill",
        lambda place, file: [script.turn(tool("Skill", skill=file.removesuffix(".txt")))],
        furnish=skill_file,
        hooked=False,
    ),
    Case("agent-background", agent(True), furnish=subagent, hooked=False, later=True),
    Case(
        "monitor",
        one(
            lambda path: tool(
                "Monitor", description="watch", timeout_ms=5000, command=f"cat {path.name}"
            )
        ),
        hooked=False,
        later=True,
    ),
]


def scenes():
    yield scene.Scene("output.control", control)
    for kind in KINDS:
        yield scene.Scene(f"output.{kind}", functools.partial(guarded, kind))


def furnish(place, kinds):
    """The files, each with its secret: (case, kind) to secret."""
    found = {}
    for kind in kinds:
        for case in CASES:
            secret = KINDS[kind] + secrets.token_hex(16)
            file = f"{kind}-{case.name}.txt"
            (place.work / file).write_text(f"first line\nand {secret} is here\n")
            case.furnish(place, file, secret)
            found[case.name, kind] = secret
    arguments = [str(sidecar.HERE / "mcp_server.py"), str(place.work)]
    servers = {"probe": {"command": sys.executable, "args": arguments}}
    place.settings("mcp.json", {"mcpServers": servers})
    return found


def play(place, session, case, kind, secret):
    """Plays one case; what comes later is waited for, where it comes at all."""
    name = f"out-{kind}-{case.name}"
    place.model.script(name, *case.turns(place, f"{kind}-{case.name}.txt"))
    session.play(name)
    if case.later:
        rig.wait_for(f"the notice of {name}", lambda: place.model.saw(secret), None, NOTICE_WAIT_S)
    return place.model.result(name, len(place.model.scripts[name]["turns"]) - 1)


def control(place, check):
    """Without toolgate: what the client shows its model."""
    found = furnish(place, ["redact"])
    session = place.session("--mcp-config", place.directory / "mcp.json", settings={})
    for case in CASES:
        secret = found[case.name, "redact"]
        told = play(place, session, case, "redact", secret)
        what = "is-shown" if case.shown else "is-not-shown"
        check(f"{case.name}.{what}", place.model.saw(secret) == case.shown, told)


def guarded(kind, place, check):
    """With toolgate: what it takes out, and what no hook can."""
    found = furnish(place, [kind])
    guard = sidecar.Sidecar(place).start()
    session = place.session("--mcp-config", place.directory / "mcp.json", settings=guard.settings())
    for case in CASES:
        secret = found[case.name, kind]
        told = play(place, session, case, kind, secret)
        seen = place.model.saw(secret)
        if not case.hooked:
            check(f"{case.name}.no-hook-can", seen, f"a hook can, now: {told}")
            continue
        check(f"{case.name}.never-reaches-the-model", not seen, told)
        if case.shown:
            notice = "[redacted:" if kind == "redact" else "withheld"
            check(f"{case.name}.says-so", told and notice in told[1], told)
        else:
            check(f"{case.name}.succeeds", told and not told[0], told)
    failures(check, guard, kind)
    log = [path for path in guard.audit.rglob("*") if path.is_file()]
    text = b"".join(path.read_bytes() for path in log)
    leaked = [name for (name, _), secret in found.items() if secret.encode() in text]
    check("log-holds-no-secret", not leaked, leaked)


def failures(check, guard, kind):
    """Of what no hook can change, the log says that it came back as it was."""
    records = guard.records("--kind", "tool.post")
    by_use = {record.get("tool_use_id"): record for record in records}
    use = lambda case: script.tool_use_id(f"out-{kind}-{case}", 0, 0)
    taken_out = by_use[use("bash")]["decision"]
    for case in ("bash-fails", "bash-fails-stderr", "mcp-fails"):
        said = by_use[use(case)]["decision"]
        rule = "redacted" if kind == "redact" else "withheld"
        names = [rule["id"] for rule in said["rules"]]
        check(f"{case}.the-record-names-the-rule", names == [rule], said)
        # The same words for what was taken out, and for what the model saw, would be untrue.
        differs = (said["reason"], said["obligations"]) != (
            taken_out["reason"],
            taken_out["obligations"],
        )
        check(f"{case}.the-record-says-it-passed", differs, said)
