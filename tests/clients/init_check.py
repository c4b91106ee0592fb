#!/usr/bin/env python3
"""What `toolgate init` writes, held by the real client.

    tests/clients/init_check.py --toolgate PATH [--claude PATH] [--only WORD] [--keep]

For each place that `init` knows, the settings are written as a person would write them and the
pinned client is started with them against a scripted model. Three things must hold: a denied call
is denied while the sidecar is there, nothing runs while it is not, and the settings are not the
agent's to change. Where a place cannot hold, that is shown as well, so that the words `init`
prints of it stay true.

The administrator's settings lie in /etc: they are tried in a mount namespace of their own, where
the machine allows one. Nothing leaves the machine.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "topology"))

import claude
import rig

SESSION_WAIT_S = 120.0
POLICY = """
schema = 1

[policy]
name = "all-but-touch"
default = "deny"
unattended = "deny"

[read]
allow = ["/"]

[write]
allow = ["/"]

[exec]
allow = ["{cd,echo} ..."]

[call]
allow = ["$transparent"]
"""
INSIDE = "TOOLGATE_INIT_CHECK_INSIDE"
OFF = {"disableAllHooks": True}


def bash(command):
    return {"name": "Bash", "input": {"command": command, "description": "a step"}}


def write(path, content="{}"):
    return {"name": "Write", "input": {"file_path": str(path), "content": content}}


class Machine:
    """A home, a workspace and a sidecar; `init` has been run as its arguments say."""

    def __init__(self, tools, directory, *init):
        self.tools, self.directory = tools, directory
        self.home, self.work = directory / "home", directory / "work"
        self.socket = directory / "run" / "hook.sock"
        for folder in (self.home, self.work / ".claude", self.socket.parent, directory / "tmp"):
            folder.mkdir(parents=True, mode=0o700)
        (directory / "policy.toml").write_text(POLICY)
        self.sidecar = None
        self.sessions = 0
        self.start()
        self.said = self.init(*init, "--yes")

    def environment(self, port=0):
        environment = claude.environment(self.home, f"http://127.0.0.1:{port}")
        environment["CLAUDE_CODE_TMPDIR"] = environment["TMPDIR"] = str(self.directory / "tmp")
        del environment["CLAUDE_CONFIG_DIR"]
        return environment

    def init(self, *arguments):
        argv = [self.tools.toolgate, "init", "claude", "--client", self.tools.claude]
        argv += ["--socket", self.socket, "--deadline", "5000", *arguments]
        done = subprocess.run(
            [str(word) for word in argv],
            cwd=self.work,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=rig.TOOL_WAIT_S,
        )
        if done.returncode != 0:
            raise rig.RigError(f"init ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def start(self):
        argv = [self.tools.toolgate, "serve", "--socket", self.socket]
        argv += ["--audit", self.directory / "audit", "--policy", self.directory / "policy.toml"]
        argv += ["--workspace", self.work]
        self.sidecar = rig.Child("sidecar", argv, self.directory)
        ready = "listening on"
        rig.wait_for("sidecar", lambda: ready in self.sidecar.text(), self.sidecar.process)

    def stop(self):
        self.sidecar.kill()

    def play(self, calls, *arguments):
        """One session; what came of each call: True if it ran, False if not, None if unasked."""
        self.sessions += 1
        directory = self.directory / f"session-{self.sessions}"
        directory.mkdir()
        model = rig.Model(directory, {"turns": [{"tool_use": [call]} for call in calls]})
        argv = claude.command(self.tools.claude, *arguments)
        agent = rig.Child("agent", argv, directory, cwd=self.work, env=self.environment(model.port))
        try:
            agent.process.wait(SESSION_WAIT_S)
        finally:
            agent.kill()
            model.child.kill()
        self.last = agent.text()
        results = [model.result(number) for number in range(len(calls))]
        return [None if result is None else not result[0] for result in results]


def held(machine, report, name, *arguments):
    """The sidecar answers, then it is gone, then the program itself is."""
    calls = [bash("echo hi"), bash("touch denied")]
    came = machine.play(calls, *arguments)
    report.check(f"{name}: an allowed call runs, a denied one does not", came == [True, False], came)
    machine.stop()
    came = machine.play([bash("echo hi > ran")], *arguments)
    ran = (machine.work / "ran").exists()
    report.check(f"{name}: nothing runs without the sidecar", not ran and came != [True], came)
    machine.start()


def open_to(machine, report, name, *arguments):
    """The place does not hold, as `init` says of it: else its words are to be changed."""
    came = machine.play([bash("touch open")], *arguments)
    report.check(f"{name}: does not hold, as is said", came == [True], came)


def user(tools, directory, report):
    machine = Machine(tools, directory)
    try:
        held(machine, report, "user")
        settings = machine.home / ".claude" / "settings.json"
        calls = [
            write(settings),
            write(machine.work / ".claude" / "settings.local.json"),
            bash(f"echo '{{}}' > {settings}"),
            bash(f"cd /; echo '{{}}' > {settings}"),
            write(next(settings.parent.glob("settings.json.toolgate-*"))),
            write(machine.work / ".claude" / "commands" / "mine.md"),
            write(machine.work / "CLAUDE.md"),
            write(machine.work / "settings.json"),
        ]
        before = settings.read_bytes()
        came = machine.play(calls)
        wanted = [False] * 5 + [True] * 3
        report.check("user: its settings are not the agent's, its commands are", came == wanted, came)
        report.check("user: the settings are as they were", settings.read_bytes() == before)
        off = machine.work / ".claude" / "settings.json"
        off.write_text(json.dumps(OFF))
        open_to(machine, report, "user, with a project's `disableAllHooks`")
        held(machine, report, "user, and `--settings` with the switch", "--settings", '{"disableAllHooks": false}')
        off.unlink()
        open_to(machine, report, "user, with --safe-mode", "--safe-mode")
        machine.init("--undo", "--yes")
        report.check("user: undo takes the file away", not settings.exists())
    finally:
        machine.stop()


def project(tools, directory, report):
    machine = Machine(tools, directory, "--project")
    try:
        held(machine, report, "project")
        (machine.work / ".claude" / "settings.local.json").write_text(json.dumps(OFF))
        open_to(machine, report, "project, with local settings' `disableAllHooks`")
    finally:
        machine.stop()


def by_name(tools, directory, report):
    settings = directory / "agent.json"
    machine = Machine(tools, directory, "--settings", settings)
    try:
        for file in ("settings.json", "settings.local.json"):
            (machine.work / ".claude" / file).write_text(json.dumps(OFF))
        held(machine, report, "--settings", "--settings", settings)
        came = machine.play([write(settings)], "--settings", settings)
        report.check("--settings: the file is not the agent's", came == [False], came)
        open_to(machine, report, "--settings, with --bare", "--settings", settings, "--bare")
    finally:
        machine.stop()


def managed(tools, directory, report):
    machine = Machine(tools, directory, "--managed")
    try:
        for file in ("settings.json", "settings.local.json"):
            (machine.work / ".claude" / file).write_text(json.dumps(OFF))
        for arguments in ([], ["--bare"], ["--safe-mode"], ["--settings", json.dumps(OFF)]):
            held(machine, report, f"managed {' '.join(arguments)}".strip(), *arguments)
        target = pathlib.Path("/etc/claude-code/managed-settings.d/off.json")
        came = machine.play([write(target), bash(f"echo '{json.dumps(OFF)}' > {target}")])
        report.check("managed: its directory is not the agent's", came == [False, False], came)
        target.parent.mkdir(exist_ok=True)
        target.write_text(json.dumps(OFF))
        open_to(machine, report, "managed, with a later file that switches hooks off")
        said = machine.init("--managed", "--yes")
        report.check("managed: such a file is told of", "switches all hooks off" in said, said)
    finally:
        machine.stop()


def in_namespace():
    """This check again, for the managed settings, with an /etc of its own."""
    script = (
        "set -e; mount -t tmpfs none /mnt; cp -a /etc/. /mnt/; mount --bind /mnt /etc; "
        'exec "$@"'
    )
    words = [sys.executable, *sys.argv, "--only", "managed"]
    argv = ["unshare", "--mount", "sh", "-c", script, "sh", *words]
    return subprocess.run(argv, env={**os.environ, INSIDE: "1"}, check=False)


def can_unshare():
    try:
        probe = "mount -t tmpfs none /mnt"
        return subprocess.run(["unshare", "--mount", "sh", "-c", probe], check=False).returncode == 0
    except FileNotFoundError:
        return False


PLACES = {"user": user, "project": project, "by-name": by_name, "managed": managed}


def check(tools, report, only=None, keep=False):
    """Every place but the managed one, each in a scratch directory of its own."""
    for name, play in PLACES.items():
        if name == "managed" and INSIDE not in os.environ:
            continue
        if only in (None, name):
            directory = target() / "init-check" / f"{name}-{os.getpid()}"
            with rig.scratch(directory, keep):
                play(tools, directory, report)


def target():
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", rig.REPOSITORY / "target"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--toolgate", type=pathlib.Path, required=True)
    parser.add_argument("--claude", type=pathlib.Path, help="the pinned client if not given")
    parser.add_argument("--only", choices=PLACES)
    parser.add_argument("--keep", action="store_true", help="keep the scratch directories")
    tools = parser.parse_args()
    tools.toolgate = tools.toolgate.resolve()
    tools.claude = tools.claude or claude.find(claude.pins()["CLAUDE_CODE_VERSION"])
    report = rig.Report()
    check(tools, report, tools.only, tools.keep)
    inner = 0
    if INSIDE not in os.environ and tools.only in (None, "managed"):
        if can_unshare():
            inner = in_namespace().returncode
        else:
            print("skip  managed: no mount namespace is to be had here")
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed or inner else 0


if __name__ == "__main__":
    sys.exit(main())
