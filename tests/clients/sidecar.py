"""A real sidecar for a scene, and the client's settings that put it before and after every call."""

import copy
import json
import os
import pathlib
import signal

import claude
import rig

HERE = pathlib.Path(__file__).resolve().parent
DEADLINE_MS = 3000
# What toolgate is told of beside the calls; a failure there must not keep a session from ending.
TOLD_ONLY = ("PostToolUseFailure", "Stop", "SubagentStop")


class Sidecar:
    """`toolgate serve`, one after another on the same socket and log."""

    def __init__(self, place, within=()):
        self.place = place
        self.toolgate = place.tools.toolgate
        self.within = [str(word) for word in within]
        self.socket = place.directory / "run" / "s"
        self.audit = place.directory / "audit"
        self.socket.parent.mkdir(mode=0o700)
        self.audit.mkdir(mode=0o700)
        self.starts = 0
        self.child = None
        place.at_end(self.kill)

    def start(self):
        self.starts += 1
        argv = [*self.within, self.toolgate, "serve", "--socket", self.socket]
        argv += ["--audit", self.audit, "--policy", HERE / "policy.toml"]
        argv += ["--workspace", self.place.work]
        self.child = rig.Child(f"sidecar-{self.starts}", argv, self.place.directory)
        ready = lambda: "listening on" in self.child.text()
        rig.wait_for(self.child.name, ready, self.child.process)
        return self

    def freeze(self):
        self.child.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.child.process.send_signal(signal.SIGCONT)

    def kill(self):
        if self.child is not None:
            self.child.kill()

    def settings(self, uid=None, deadline_ms=DEADLINE_MS, command=None):
        """The settings of the topology rig, and the events that are only told of."""
        uid = os.getuid() if uid is None else uid
        settings = claude.settings(self.toolgate, self.socket, uid, deadline_ms)
        for event in TOLD_ONLY:
            [group] = copy.deepcopy(settings["hooks"]["PreToolUse"])
            del group["hooks"][0]["onFailure"]
            settings["hooks"][event] = [group]
        if command is not None:
            for [group] in settings["hooks"].values():
                group["hooks"][0]["command"] = str(command)
        return settings

    def wiring(self):
        """What `toolgate init` wires: every event of its table."""
        argv = [self.toolgate, "init", "claude", "--print", "--no-client-check"]
        argv += ["--socket", self.socket, "--server-uid", os.getuid(), "--deadline", DEADLINE_MS]
        code, out, error = rig.run(argv)
        if code != 0:
            raise rig.RigError(f"`toolgate init` says no: {error}")
        return json.loads(out)

    def records(self, *filters):
        """The records of the log, by `audit query`."""
        argv = [self.toolgate, "audit", "query", "--audit", self.audit, "--format", "jsonl"]
        code, out, error = rig.run([*argv, *filters])
        if code != 0:
            raise rig.RigError(f"the log cannot be read: {error}")
        return [json.loads(line) for line in out.splitlines() if line.strip()]

    def findings(self):
        """The codes of all findings."""
        found = self.records("--kind", "finding")
        return [record.get("details", {}).get("code") for record in found]

    def hook_pids(self):
        """The hook clients that speak to this socket at the moment."""
        return [pid for pid, words in processes() if b"hook" in words and self.named(words)]

    def named(self, words):
        return os.fsencode(self.socket) in words

    def connections(self):
        """How many have connected: the kernel's list has their ends beside the listener."""
        lines = pathlib.Path("/proc/net/unix").read_text().splitlines()
        return sum(line.endswith(f" {self.socket}") for line in lines) - 1


def processes():
    """Every process with its arguments."""
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                yield int(entry.name), (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
