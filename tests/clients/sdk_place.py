"""One scratch directory of a part of these tests: Codex's home, a workspace, a real sidecar."""

import json
import os
import pathlib
import signal

import codex
import rig

HERE = pathlib.Path(__file__).resolve().parent


class Place:
    """What a part is played in; whatever it starts is stopped at its end."""

    def __init__(self, tools, directory):
        self.tools = tools
        self.directory = directory
        self.home = codex.Home(directory, tools.codex)
        self.work = self.home.work
        self.ends = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for end in reversed(self.ends):
            end()

    def at_end(self, act):
        self.ends.append(act)


class Sidecar:
    """`toolgate serve`, one after another on the same socket and log."""

    def __init__(self, place, policy=HERE / "sdk_policy.toml"):
        self.place = place
        self.policy = policy
        self.toolgate = place.tools.toolgate
        self.socket = place.directory / "run" / "s"
        self.audit = place.directory / "audit"
        self.socket.parent.mkdir(mode=0o700)
        self.audit.mkdir(mode=0o700)
        self.starts = 0
        self.child = None
        place.at_end(self.kill)

    def start(self):
        self.starts += 1
        argv = [self.toolgate, "serve", "--socket", self.socket, "--audit", self.audit]
        argv += ["--policy", self.policy, "--workspace", self.place.work]
        self.child = rig.Child(f"sidecar-{self.starts}", argv, self.place.directory)
        ready = lambda: "listening on" in self.child.text()
        rig.wait_for(self.child.name, ready, self.child.process)
        return self

    def freeze(self):
        self.child.process.send_signal(signal.SIGSTOP)

    def kill(self):
        if self.child is not None:
            self.child.kill()

    def hook(self, runtime, deadline_ms):
        """The command line of the hook client."""
        argv = [self.toolgate, "hook", runtime, "--socket", self.socket]
        return [*argv, "--server-uid", os.getuid(), "--deadline", deadline_ms]

    def findings(self):
        """The codes of all findings."""
        return [one.get("details", {}).get("code") for one in self.records("--kind", "finding")]

    def records(self, *filters):
        """The records of the log, by `audit query`."""
        argv = [self.toolgate, "audit", "query", "--audit", self.audit, "--format", "jsonl"]
        code, out, error = rig.run([*argv, *filters])
        if code != 0:
            raise rig.RigError(f"the log cannot be read: {error}")
        return [json.loads(line) for line in out.splitlines() if line.strip()]
