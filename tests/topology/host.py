"""The place without containers: toolgate and Claude Code as two processes of one user."""

import json
import os
import signal

import claude
import rig
import story


class Host:
    """One scratch directory holds everything."""

    name = "host"

    def __init__(self, tools, directory, secret):
        self.toolgate = tools.toolgate
        self.tools = tools
        self.directory = directory
        self.workspace = self.workspace_here = directory / "work"
        self.outside = self.outside_here = directory / "outside"
        self.audit_here = directory / "audit"
        self.socket = directory / "run" / "hook.sock"
        self.home = directory / "home"
        self.temporary = directory / "tmp"
        story.furnish(self.workspace, self.outside, secret)
        for folder in (self.socket.parent, self.home, self.temporary, self.audit_here):
            folder.mkdir(mode=0o700)
        self.starts = 0
        self.sidecar = None

    def __enter__(self):
        try:
            self.restart()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.sidecar is not None:
            self.sidecar.kill()

    def restart(self):
        """A new sidecar on the same socket and the same log."""
        self.starts += 1
        argv = [self.toolgate, "serve", "--socket", self.socket, "--audit", self.audit_here]
        argv += ["--policy", rig.HERE / "policy.toml", "--workspace", self.workspace]
        self.sidecar = rig.Child(f"sidecar-{self.starts}", argv, self.directory)
        rig.wait_for(
            self.sidecar.name,
            lambda: "listening on" in self.sidecar.text(),
            self.sidecar.process,
        )

    def freeze(self):
        self.sidecar.process.send_signal(signal.SIGSTOP)

    def kill(self):
        self.sidecar.kill()

    def stop(self):
        return self.sidecar.stop()

    def start_agent(self, model):
        settings = self.directory / "settings.json"
        wiring = claude.settings(self.toolgate, self.socket, os.getuid())
        settings.write_text(json.dumps(wiring, indent=1))
        argv = claude.command(self.tools.claude, "--settings", settings)
        environment = claude.environment(self.home, f"http://127.0.0.1:{model.port}")
        # Else the client leaves a directory of its own in the machine's.
        environment["CLAUDE_CODE_TMPDIR"] = environment["TMPDIR"] = str(self.temporary)
        return rig.Child("agent", argv, self.directory, cwd=self.workspace, env=environment)
