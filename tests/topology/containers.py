"""The place with containers: the deployment that the product is made for.

    agent    uid 10002, no network; has the workspace, /run/toolgate and the static hook client
    sidecar  uid 10001, no network, FROM scratch; alone has the log and the policy
    model    uid 10001, the host's network; carries bytes from a socket to the scripted model

All three share group 10000, which may connect to the sockets in /run/toolgate and no more: only
the sidecar's uid can write that directory, so nobody else can put a socket of that name there.
"""

import json
import os

import agent_root
import claude
import podman
import rig
import story

SIDECAR_UID, AGENT_UID, STRANGER_UID, GROUP = 10001, 10002, 10003, 10000
SOCKET = "/run/toolgate/hook.sock"
MODEL_SOCKET = "/run/toolgate/model.sock"
# Loopback inside the agent's own network namespace: nothing else can be there.
MODEL_PORT = 8787
IMAGE = "toolgate-topology"

CONFIG = f"""\
[hook]
socket    = "{SOCKET}"
mode      = "0660"
group     = {GROUP}
allow_uid = [{AGENT_UID}]
world     = "mounted"
mounts    = ["/work"]

[policy]
files     = ["/etc/toolgate/policy.toml"]
workspace = "/work"

[audit]
dir       = "/var/lib/toolgate/audit"
"""


class Containers:
    """Three containers over one scratch directory."""

    name = "containers"
    workspace = "/work"
    outside = "/home/agent/outside"

    def __init__(self, tools, directory, secret):
        if os.getuid() != 0:
            raise rig.RigError("containers with fixed user ids need root")
        self.tools = tools
        self.toolgate = tools.toolgate
        self.directory = directory
        self.workspace_here = directory / "work"
        self.outside_here = directory / "home" / "outside"
        self.audit_here = directory / "state" / "audit"
        self.podman = None
        self.starts = 0
        story.furnish(self.workspace_here, self.outside_here, secret, (AGENT_UID, GROUP))
        self.furnish()

    def furnish(self):
        """The directories that the containers share, each with its owner."""
        owned("home", self.directory, AGENT_UID, 0o700)
        owned("run", self.directory, SIDECAR_UID, 0o750)
        owned("state", self.directory, SIDECAR_UID, 0o700)
        for name in ("etc", "opt", "image"):
            (self.directory / name).mkdir()
        (self.directory / "etc" / "toolgate.toml").write_text(CONFIG)
        agent_root.copy(rig.HERE / "policy.toml", self.directory / "etc" / "policy.toml")
        agent_root.copy(self.tools.toolgate, self.directory / "image" / "toolgate")
        agent_root.copy(self.tools.toolgate, self.directory / "opt" / "toolgate")
        agent_root.copy(self.tools.forward, self.directory / "opt" / "forward")
        root = self.directory / "agent-root"
        self.claude = agent_root.build(root, self.tools.claude, AGENT_UID, GROUP)
        managed = root / "etc" / "claude-code" / "managed-settings.json"
        managed.parent.mkdir()
        wiring = claude.settings("/opt/toolgate/toolgate", SOCKET, SIDECAR_UID)
        managed.write_text(json.dumps(wiring, indent=1))

    def __enter__(self):
        self.podman = podman.Podman()
        try:
            self.podman.image(IMAGE, self.directory / "image")
            self.start_sidecar()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            for name in ("sidecar", "model"):
                (self.directory / f"{name}.log").write_text(self.podman.logs(name))
        finally:
            left = self.podman.close()
        if left:
            raise rig.RigError(f"containers were left behind: {left}")

    def start_sidecar(self):
        options = ["--user", f"{SIDECAR_UID}:{GROUP}", "--network", "none"]
        options += self.volume("run", "/run/toolgate", "rw")
        options += self.volume("state", "/var/lib/toolgate", "rw")
        options += self.volume("etc", "/etc/toolgate", "ro")
        options += self.volume("work", "/work", "ro")
        words = [IMAGE, "serve", "--config", "/etc/toolgate/toolgate.toml"]
        self.podman.start("sidecar", options, words)
        self.await_sidecar()

    def restart(self):
        self.podman.must("start", self.podman.container("sidecar"))
        self.await_sidecar()

    def await_sidecar(self):
        """The log goes on over restarts: there is one more ready line for each start."""
        self.starts += 1

        def ready():
            runs = self.podman.state("sidecar", "Running") == "true"
            log = self.podman.logs("sidecar")
            if not runs:
                raise rig.RigError(f"the sidecar ended: {log}")
            return log.count("listening on") >= self.starts

        rig.wait_for("the sidecar", ready)

    def freeze(self):
        self.signal("STOP")

    def kill(self):
        self.signal("KILL")
        self.podman.must("wait", self.podman.container("sidecar"))

    def stop(self):
        """SIGTERM, and SIGKILL (137) if that is not heeded: process 1 has to ask for signals."""
        stop = ["stop", "--time", str(int(rig.STOP_WAIT_S))]
        self.podman.must(*stop, self.podman.container("sidecar"))
        return int(self.podman.state("sidecar", "ExitCode"))

    def signal(self, name):
        self.podman.must("kill", "--signal", name, self.podman.container("sidecar"))

    def start_agent(self, model):
        """The model's socket, then the client behind its own end of it."""
        options = ["--user", f"{SIDECAR_UID}:{GROUP}", "--network", "host"]
        options += self.volume("run", "/run/toolgate", "rw")
        options += self.volume("opt", "/opt/toolgate", "ro")
        options += ["--entrypoint", "/opt/toolgate/forward"]
        way = ["--listen", f"unix:{MODEL_SOCKET}", "--mode", "0660"]
        way += ["--to", f"tcp:127.0.0.1:{model.port}"]
        self.podman.start("model", options, [IMAGE, *way])
        socket = self.directory / "run" / "model.sock"
        rig.wait_for("the model's socket", socket.is_socket)
        way = ["--listen", f"tcp:127.0.0.1:{MODEL_PORT}", "--to", f"unix:{MODEL_SOCKET}", "--"]
        words = ["/opt/toolgate/forward", *way, *claude.command(self.claude)]
        argv = self.podman.foreground("agent", self.agent_options(), self.in_agent_root(words))
        return rig.Child("agent", argv, self.directory)

    def agent_options(self, uid=AGENT_UID):
        """A container such as the agent's, whoever runs in it."""
        options = ["--user", f"{uid}:{GROUP}", "--network", "none", "--workdir", "/work"]
        options += self.volume("work", "/work", "rw")
        options += self.volume("home", "/home/agent", "rw")
        options += self.volume("run", "/run/toolgate", "ro")
        options += self.volume("opt", "/opt/toolgate", "ro")
        variables = claude.environment("/home/agent", f"http://127.0.0.1:{MODEL_PORT}")
        return options + [f"--env={name}={value}" for name, value in variables.items()]

    def in_agent_root(self, words):
        return ["--rootfs", self.directory / "agent-root", *words]

    def volume(self, here, there, mode):
        return ["--volume", f"{self.directory / here}:{there}:{mode}"]

    def check_walls(self, report):
        """What the containers themselves must hold, tried without the client."""
        check = story.Checks(self, None, report)
        allowed = self.ask_hook(AGENT_UID, SIDECAR_UID)
        check.that("hook-answers-the-agent", allowed[0] == 0, allowed)
        stranger = self.ask_hook(STRANGER_UID, SIDECAR_UID)
        check.that("hook-refuses-another-uid", stranger[0] == 2, stranger)
        impostor = self.ask_hook(AGENT_UID, STRANGER_UID)
        check.that("hook-refuses-another-server", impostor[0] == 2, impostor)
        for name, script in WALLS.items():
            code, out, error = self.in_agent(AGENT_UID, ["/bin/sh", "-c", script])
            check.that(name, code == 0, f"exit code {code}: {out} {error}")
        socket = (self.directory / "run" / "hook.sock").stat()
        seen = (socket.st_uid, socket.st_gid, f"{socket.st_mode & 0o7777:o}")
        check.that("socket-has-its-owner", seen == (SIDECAR_UID, GROUP, "660"), seen)

    def ask_hook(self, uid, server_uid):
        """One call put to the hook client by hand."""
        words = claude.hook_arguments(SOCKET, server_uid, claude.HOOK_DEADLINE_MS)
        return self.in_agent(uid, ["/opt/toolgate/toolgate", *words], json.dumps(PROBE))

    def in_agent(self, uid, words, text=""):
        options = ["--interactive", *self.agent_options(uid)]
        return rig.run(self.podman.foreground("probe", options, self.in_agent_root(words)), text)


# Each says 0 when the wall holds.
WALLS = {
    "agent-cannot-write-run": "! touch /run/toolgate/planted && ! rm -f /run/toolgate/hook.sock",
    "agent-cannot-write-wiring": "! touch /etc/claude-code/managed-settings.json",
    "agent-cannot-write-client": "! touch /opt/toolgate/toolgate",
    "agent-has-no-log": "! ls /var/lib/toolgate",
    "agent-has-no-policy": "! ls /etc/toolgate",
}

PROBE = {
    "session_id": "11111111-2222-4333-8444-555555555555",
    "transcript_path": "/home/agent/.claude/projects/work/probe.jsonl",
    "cwd": "/work",
    "permission_mode": "bypassPermissions",
    "hook_event_name": "PreToolUse",
    "tool_name": "Bash",
    "tool_input": {"command": "ls /work"},
    "tool_use_id": "toolu_topology_probe",
}


def owned(name, directory, uid, mode):
    """A directory of this owner; made if it is not there yet."""
    path = directory / name
    path.mkdir(exist_ok=True)
    os.chown(path, uid, GROUP)
    path.chmod(mode)
