"""Where the clients of the egress rig run: a network that is whole, and one that has no way out.

Two network namespaces. In `world` live the proxy and the origins, at public addresses that nobody
else has there. In `agent` there is nothing but the loopback interface, and on it the port of a
`toolgate bridge`, which leads to the proxy's Unix socket: the file system is shared, the network is
not. So what a client reaches, it reached through the proxy.
"""

import json
import os
import pathlib
import subprocess

import rig

HERE = pathlib.Path(__file__).resolve().parent
# Public addresses: nothing outside of the namespace is ever asked for them.
ORIGIN = "45.9.1.10"
OTHER = "45.9.1.20"
PRIVATE = "10.77.0.1"
METADATA = "169.254.169.254"
ADDRESSES = (ORIGIN, OTHER, PRIVATE, METADATA)
BRIDGE = "127.0.0.1:3128"


class Namespace:
    """A network namespace with its loopback interface up, until it is ended."""

    def __init__(self, name):
        self.name = f"toolgate-{name}-{os.getpid()}"
        self.ip("netns", "add", self.name)
        self.ip("-n", self.name, "link", "set", "lo", "up")

    @staticmethod
    def ip(*words):
        code, _, error = rig.run(["ip", *words])
        if code != 0:
            raise rig.RigError(f"`ip {' '.join(words)}`: {error.strip()}")

    def address(self, address):
        self.ip("-n", self.name, "addr", "add", f"{address}/32", "dev", "lo")

    def within(self, *argv):
        return ["ip", "netns", "exec", self.name, *[str(word) for word in argv]]

    def end(self):
        rig.run(["ip", "netns", "del", self.name])


class Place:
    """Both namespaces, the certificates, and what runs in them; all ended by `close`."""

    def __init__(self, toolgate, directory):
        self.toolgate = toolgate
        self.directory = directory
        self.children = []
        self.namespaces = []
        self.world = self.namespace("world")
        for address in ADDRESSES:
            self.world.address(address)
        self.agent = self.namespace("agent")
        self.audit = directory / "audit"
        # Nobody else listens in a namespace of our own.
        self.model_port = 8999
        self.sockets = directory / "run"
        self.sockets.mkdir(mode=0o700)
        self.authority = Authority(directory / "tls")

    def namespace(self, name):
        self.namespaces.append(Namespace(name))
        return self.namespaces[-1]

    def start(self, name, argv, ready, within=None, **options):
        """Starts a program in a namespace, and waits until it says so."""
        argv = within.within(*argv) if within else argv
        child = rig.Child(name, argv, self.directory, **options)
        self.children.append(child)
        rig.wait_for(name, lambda: ready(child), child.process)
        return child

    def proxy(self, config, policy):
        """The sidecar with its egress plane, and the bridge to it."""
        (self.directory / "policy.toml").write_text(policy)
        (self.directory / "toolgate.toml").write_text(config)
        argv = [self.toolgate, "serve", "--config", self.directory / "toolgate.toml"]
        ready = lambda child: "listening on" in child.text() and self.socket("egress").exists()
        sidecar = self.start("sidecar", argv, ready, self.world)
        self.bridge(BRIDGE, "egress")
        return sidecar

    def bridge(self, listen, socket):
        argv = [self.toolgate, "bridge", "--listen", listen, "--socket", self.socket(socket)]
        argv += ["--server-uid", os.getuid()]
        ready = lambda child: "listening at" in child.text()
        return self.start(f"bridge-{socket}", argv, ready, self.agent)

    def socket(self, name):
        return self.sockets / f"{name}.sock"

    def environment(self, model=None, **more):
        """What an agent's environment holds: what `egress env` says, and what programs need."""
        argv = [self.toolgate, "egress", "env", "--proxy", BRIDGE, "--format", "json"]
        argv += ["--ca-bundle", self.authority.certificate]
        argv += ["--model", model] if model else []
        code, out, error = rig.run(argv)
        if code != 0:
            raise rig.RigError(f"`toolgate egress env` says no: {error}")
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return {**kept, "HOME": str(home), **json.loads(out), **more}

    def run(self, argv, env=None, timeout=90, **options):
        """Runs a client in the agent's namespace; (exit code, stdout, stderr)."""
        try:
            return rig.run(
                self.agent.within(*argv), env=env or self.environment(), timeout=timeout, **options
            )
        except subprocess.TimeoutExpired:
            return 124, "", f"not done after {timeout} s"

    def build(self, argv, env):
        """Compiles a client, where the machine's own files are."""
        return rig.run(argv, env=env, timeout=180)

    def records(self, *filters):
        """The records of the log, by `audit query`."""
        argv = [self.toolgate, "audit", "query", "--audit", self.audit, "--format", "jsonl"]
        code, out, error = rig.run([*argv, *filters])
        if code != 0:
            raise rig.RigError(f"the log cannot be read: {error}")
        return [json.loads(line) for line in out.splitlines() if line.strip()]

    def reasons(self, host):
        """The reason codes in the records of one host, in their order."""
        records = self.records("--kind", "net.open")
        details = [record.get("details", {}) for record in records]
        return [one.get("reason") for one in details if one.get("host") == host]

    def close(self):
        for child in reversed(self.children):
            child.stop()
        for namespace in self.namespaces:
            namespace.end()


class Authority:
    """A certificate authority of the test's own, by openssl."""

    def __init__(self, directory):
        directory.mkdir()
        self.directory = directory
        self.key = directory / "ca.key"
        self.certificate = directory / "ca.pem"
        self.openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "2", "-subj", "/CN=test authority", "-keyout", self.key,
            "-out", self.certificate,
            "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign",
        )  # fmt: skip

    def leaf(self, *names):
        """A certificate for these names, and its key."""
        base = self.directory / names[0]
        request, key, certificate = (base.with_suffix(end) for end in (".csr", ".key", ".pem"))
        self.openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={names[0]}", "-keyout", key, "-out", request,
        )  # fmt: skip
        more = self.directory / "more.cnf"
        more.write_text("subjectAltName=" + ",".join(f"DNS:{name}" for name in names))
        self.openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key,
            "-CAcreateserial", "-days", "2", "-extfile", more, "-out", certificate,
        )  # fmt: skip
        return certificate, key

    @staticmethod
    def openssl(*words):
        code, _, error = rig.run(["openssl", *words])
        if code != 0:
            raise rig.RigError(f"openssl: {error.strip()[-400:]}")
