#!/usr/bin/env python3
"""What `toolgate init` writes, held by the real clients.

    tests/clients/init_check.py --toolgate PATH [--claude PATH] [--codex PATH] [--only PLACE]
        [--keep]

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
import shutil
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "topology"))

import claude
import codex as codex_client
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


class Guard:
    """A sidecar that can be stopped and started."""

    def __init__(self, tools, directory, work):
        self.tools, self.directory, self.work = tools, directory, work
        self.socket = directory / "run" / "hook.sock"
        self.socket.parent.mkdir(mode=0o700)
        (directory / "policy.toml").write_text(POLICY)
        self.start()

    def start(self):
        argv = [self.tools.toolgate, "serve", "--socket", self.socket]
        argv += ["--audit", self.directory / "audit", "--policy", self.directory / "policy.toml"]
        argv += ["--workspace", self.work]
        self.sidecar = rig.Child("sidecar", argv, self.directory)
        ready = "listening on"
        rig.wait_for("sidecar", lambda: ready in self.sidecar.text(), self.sidecar.process)

    def stop(self):
        self.sidecar.kill()


class Machine(Guard):
    """A home, a workspace and a sidecar; `init` has been run as its arguments say."""

    def __init__(self, tools, directory, *init):
        self.home = directory / "home"
        for folder in (self.home, directory / "work" / ".claude", directory / "tmp"):
            folder.mkdir(parents=True, mode=0o700)
        self.program = directory / "bin" / "toolgate"
        self.program.parent.mkdir()
        shutil.copy(tools.toolgate, self.program)
        self.sessions = 0
        super().__init__(tools, directory, directory / "work")
        self.said = self.init(*init, "--yes")

    def environment(self, port=0):
        environment = claude.environment(self.home, f"http://127.0.0.1:{port}")
        environment["CLAUDE_CODE_TMPDIR"] = environment["TMPDIR"] = str(self.directory / "tmp")
        del environment["CLAUDE_CONFIG_DIR"]
        return environment

    def init(self, *arguments):
        argv = [self.tools.toolgate, "init", "claude", "--client", self.tools.claude]
        argv += ["--binary", self.program, "--socket", self.socket, "--deadline", "5000"]
        argv += arguments
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
    """The sidecar answers; then it is gone, and then the program itself."""
    calls = [bash("echo hi"), bash("touch denied")]
    came = machine.play(calls, *arguments)
    what = f"{name}: an allowed call runs, a denied one does not"
    report.check(what, came == [True, False], came)
    machine.stop()
    nothing_runs(machine, report, f"{name}: nothing runs without the sidecar", *arguments)
    away = machine.program.with_suffix(".away")
    machine.program.rename(away)
    nothing_runs(machine, report, f"{name}: nothing runs without the program", *arguments)
    away.rename(machine.program)
    machine.start()


def nothing_runs(machine, report, name, *arguments):
    came = machine.play([bash("echo hi > ran")], *arguments)
    ran = (machine.work / "ran").exists()
    report.check(name, not ran and came != [True], came)


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
        name = "user: its settings are not the agent's, its commands are"
        report.check(name, came == wanted, came)
        report.check("user: the settings are as they were", settings.read_bytes() == before)
        off = machine.work / ".claude" / "settings.json"
        off.write_text(json.dumps(OFF))
        open_to(machine, report, "user, with a project's `disableAllHooks`")
        switch = ["--settings", '{"disableAllHooks": false}']
        held(machine, report, "user, and `--settings` with the switch", *switch)
        off.unlink()
        open_to(machine, report, "user, with --safe-mode", "--safe-mode")
        machine.init("--undo", "--yes")
        report.check("user: undo takes the file away", not settings.exists())
        settings.write_text('{"model": 5}')
        unread(machine, report)
    finally:
        machine.stop()


def unread(machine, report):
    """A wrong value anywhere, and the client runs no hook of the file: `init` must not write it."""
    try:
        said = machine.init("--yes")
    except rig.RigError as error:
        said = str(error)
    name = "user: settings that the client drops are not written"
    report.check(name, "would not read the settings whole" in said and "model" in said, said)


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


def codex(tools, directory, report):
    codex_hooks(tools, directory, report, "codex", "trusted", "init", "codex")


def codex_managed(tools, directory, report):
    words = ["init", "codex", "--managed"]
    codex_hooks(tools, directory, report, "codex managed", "managed", *words)


def codex_hooks(tools, directory, report, name, trust, *words):
    """Codex says itself which hooks it trusts, by whatever name its home has; then it plays."""
    place = codex_client.Home(directory, tools.codex)
    guard = Guard(tools, directory, place.work)
    link = directory / "link"
    link.symlink_to(place.codex)
    turns = [[codex_client.shell("touch denied")], [codex_client.shell("echo hi > ran")]]
    argv = [tools.toolgate, *words, "--client", tools.codex, "--socket", guard.socket]
    argv += ["--deadline", "5000", "--yes"]
    try:
        for away in (False, True):
            with codex_client.model(*turns) as model:
                place.configure(model)
                environment = place.environment() | {"CODEX_HOME": str(link)}
                subprocess.run(
                    [str(word) for word in argv],
                    cwd=place.work,
                    env=environment,
                    check=True,
                    capture_output=True,
                    timeout=rig.TOOL_WAIT_S,
                )
                if away:
                    guard.stop()
                    (place.work / "ran").unlink(missing_ok=True)
                else:
                    hooks = listed(tools.codex, place.work, environment)
                    seen = [(hook["trustStatus"], hook["enabled"]) for hook in hooks]
                    wanted = [(trust, True)] * len(codex_client.EVENTS)
                    report.check(f"{name}: all hooks are {trust}", seen == wanted, seen)
                place.exec(env=environment)
            came = [place.there("denied"), place.there("ran")]
            what = "an allowed call runs, a denied one does not"
            what = "nothing runs without the sidecar" if away else what
            report.check(f"{name}: {what}", came == [False, not away], model.outputs)
    finally:
        guard.stop()


def listed(program, work, environment):
    """What the app server says of the hooks of a directory."""
    asked = [
        {
            "id": 1,
            "method": "initialize",
            "params": {"clientInfo": {"name": "check", "version": "1"}},
        },
        {"method": "initialized"},
        {"id": 2, "method": "hooks/list", "params": {"cwds": [str(work)]}},
    ]
    server = subprocess.Popen(
        [program, "app-server"],
        cwd=work,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    late = threading.Timer(rig.TOOL_WAIT_S, server.kill)
    late.start()
    try:
        server.stdin.write("".join(json.dumps(line) + "\n" for line in asked))
        server.stdin.flush()
        answers = (json.loads(line) for line in server.stdout)
        answer = next((answer for answer in answers if answer.get("id") == 2), None)
    finally:
        late.cancel()
        server.kill()
        server.wait()
    if answer is None or "result" not in answer:
        raise rig.RigError(f"the app server did not list its hooks: {answer}")
    return [hook for place in answer["result"]["data"] for hook in place["hooks"]]


def in_namespace():
    """This check again, for the administrator's settings, with an /etc of its own."""
    script = (
        "set -e; mount -t tmpfs none /mnt; cp -a /etc/. /mnt/; mount --bind /mnt /etc; "
        'mkdir -p /etc/claude-code /etc/codex; exec "$@"'
    )
    words = [sys.executable, *sys.argv]
    argv = ["unshare", "--mount", "sh", "-c", script, "sh", *words]
    return subprocess.run(argv, env={**os.environ, INSIDE: "1"}, check=False)


def can_unshare():
    try:
        argv = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /mnt"]
        return subprocess.run(argv, check=False).returncode == 0
    except FileNotFoundError:
        return False


PLACES = {"user": user, "project": project, "by-name": by_name, "codex": codex}
IN_ETC = {"managed": managed, "codex-managed": codex_managed}


def check(tools, report, only=None, keep=False):
    """Every place, each in a scratch directory; those in /etc only where /etc is our own."""
    places = IN_ETC if INSIDE in os.environ else PLACES
    for name, play in places.items():
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
    parser.add_argument("--codex", type=pathlib.Path, help="the pinned client if not given")
    parser.add_argument("--only", choices=[*PLACES, *IN_ETC])
    parser.add_argument("--keep", action="store_true", help="keep the scratch directories")
    tools = parser.parse_args()
    tools.toolgate = tools.toolgate.resolve()
    tools.claude = tools.claude or claude.find(claude.pins()["CLAUDE_CODE_VERSION"])
    tools.codex = tools.codex or codex_client.find()
    report = rig.Report()
    check(tools, report, tools.only, tools.keep)
    inner = 0
    if INSIDE not in os.environ and tools.only in (None, *IN_ETC):
        if can_unshare():
            inner = in_namespace().returncode
        else:
            print("skip  managed places: no mount namespace is to be had here")
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed or inner else 0


if __name__ == "__main__":
    sys.exit(main())
