"""The story that every scenario plays, and what must hold after it.

One real Claude Code session, in a repository whose own settings try to switch all hooks off. The
sidecar is alive, then frozen, then killed, then back; the session goes on through all of it.

A place is where the story happens (`host.py`, `containers.py`). It offers:

    name, toolgate          its name in the report; the binary to ask about the log
    workspace, outside      two directories as the agent names them
    workspace_here, ...     the same two as the rig names them (`_here`)
    audit_here              the audit directory
    start_agent(model)      -> Child, a running session
    freeze(), kill(), restart(), stop() -> exit code of the sidecar
"""

import functools
import json
import os
import secrets

import rig

SESSION_WAIT_S = 100.0
SIDECAR_FROZEN, SIDECAR_KILLED, SIDECAR_BACK = "frozen", "killed", "back"

# The turns of the script, in order.
ECHO, CAT, CAT_SECRET, READ_SECRET, WRITE_OUTSIDE, WHILE_FROZEN, WHILE_DEAD, AFTERWARDS = range(8)


class Secret:
    """What must never reach the model or the log."""

    def __init__(self):
        self.text = secrets.token_hex(16)


def furnish(workspace, outside, secret, owner=None):
    """Lays the workspace out: a secret, and settings that a hostile repository would bring."""
    hostile = {"disableAllHooks": True, "env": {"TOOLGATE_SOCKET": "/nonexistent"}}
    (workspace / ".claude").mkdir(parents=True)
    (workspace / ".claude" / "settings.json").write_text(json.dumps(hostile))
    (workspace / ".env").write_text(f"TOKEN={secret.text}\n")
    outside.mkdir(parents=True)
    if owner is not None:
        for path in (workspace, *workspace.rglob("*"), outside):
            os.chown(path, *owner)


def script(place):
    """The turns, in the order of the constants above."""
    work, outside = place.workspace, place.outside
    return {
        "turns": [
            {"text": "I begin.", "tool_use": [bash(f"echo hi > {work}/allowed.txt")]},
            {"tool_use": [bash(f"cat {work}/allowed.txt")]},
            {"tool_use": [bash(f"cat {work}/.env")]},
            {"tool_use": [{"name": "Read", "input": {"file_path": f"{work}/.env"}}]},
            {"tool_use": [write(f"{outside}/outside.txt")]},
            {"gate": SIDECAR_FROZEN, "tool_use": [bash(f"echo hi > {work}/frozen.txt")]},
            {
                "gate": SIDECAR_KILLED,
                "tool_use": [bash(f"echo hi > {work}/dead.txt"), write(f"{work}/dead-2.txt")],
            },
            {"gate": SIDECAR_BACK, "tool_use": [bash(f"echo hi > {work}/back.txt")]},
        ],
        "end": "the script is played",
    }


def bash(command):
    return {"name": "Bash", "input": {"command": command}}


def write(path):
    return {"name": "Write", "input": {"file_path": path, "content": "hi\n"}}


def play(place, model):
    """Runs the session, and does to the sidecar what each gate stands for."""
    agent = place.start_agent(model)
    acts = {
        SIDECAR_FROZEN: place.freeze,
        SIDECAR_KILLED: place.kill,
        SIDECAR_BACK: place.restart,
    }
    try:
        for gate, act in acts.items():
            reached = functools.partial(model.waits_at, gate)
            rig.wait_for(f"gate {gate}", reached, agent.process, SESSION_WAIT_S)
            act()
            model.open(gate)
        return agent.process.wait(SESSION_WAIT_S)
    finally:
        agent.kill()


def check_session(place, model, exit_code, secret, report):
    """What must hold once the session has ended."""
    check = Checks(place, model, report)
    check.that("session-ends-well", exit_code == 0, f"exit code {exit_code}")
    check.ran("allowed-write-runs", ECHO, "allowed.txt")
    check.that("allowed-output-is-seen", model.result(CAT) == (False, "hi"), model.result(CAT))
    check.refused("secret-by-bash-is-denied", CAT_SECRET, because="no-dotenv")
    check.refused("secret-by-read-is-denied", READ_SECRET, because="no-dotenv")
    check.that("secret-never-reaches-model", not model.saw(secret.text), "it is in a request")
    check.refused("write-outside-is-denied", WRITE_OUTSIDE)
    outside = list(place.outside_here.iterdir())
    check.that("write-outside-leaves-nothing", not outside, outside)
    check.refused("frozen-sidecar-blocks", WHILE_FROZEN)
    check.absent("frozen-sidecar-leaves-nothing", "frozen.txt")
    check.refused("dead-sidecar-blocks-bash", WHILE_DEAD)
    check.refused("dead-sidecar-blocks-write", WHILE_DEAD, 1)
    check.absent("dead-sidecar-leaves-nothing", "dead.txt", "dead-2.txt")
    check.ran("restarted-sidecar-allows", AFTERWARDS, "back.txt")


def check_audit(place, secret, report):
    """What must hold of the log, after the sidecar was told to end."""
    check = Checks(place, None, report)
    exit_code = place.stop()
    check.that("sidecar-ends-well", exit_code == 0, f"exit code {exit_code}")
    files = [path for path in place.audit_here.rglob("*") if path.is_file()]
    check.that("audit-has-files", bool(files), "the directory is empty")
    leaks = [path for path in files if secret.text.encode() in path.read_bytes()]
    check.that("audit-holds-no-secret", not leaks, leaks)
    audit = [place.toolgate, "audit"]
    where = ["--audit", place.audit_here]
    code, out, error = rig.run([*audit, "verify", *where])
    check.that("audit-verifies", code == 0, f"exit code {code}: {out} {error}")
    query = [*audit, "query", *where, "--rule", "no-dotenv", "--format", "jsonl"]
    code, out, error = rig.run(query)
    records = [line for line in out.splitlines() if line.strip()]
    check.that("audit-has-both-denials", len(records) >= 2, f"exit code {code}: {out} {error}")


class Checks:
    """Assertions under the place's name."""

    def __init__(self, place, model, report):
        self.place = place
        self.model = model
        self.report = report

    def that(self, name, holds, otherwise=""):
        self.report.check(f"{self.place.name}.{name}", holds, otherwise)

    def ran(self, name, turn, file):
        """The call succeeded, by its file and by what the model was told."""
        result = self.model.result(turn)
        there = (self.place.workspace_here / file).is_file()
        good = result is not None and not result[0] and there
        self.that(name, good, f"file there: {there}, the model saw: {result}")

    def refused(self, name, turn, index=0, because=""):
        """The model was told of an error that names its reason."""
        result = self.model.result(turn, index)
        good = result is not None and result[0] and because in result[1]
        self.that(name, good, f"the model saw: {result}")

    def absent(self, name, *files):
        there = [file for file in files if (self.place.workspace_here / file).exists()]
        self.that(name, not there, there)
