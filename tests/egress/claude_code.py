"""Claude Code where it has neither a key nor a network: its model by the model's listener, its
WebFetch by the proxy, and its commands in its own sandbox with that proxy's ports."""

import json
import sys

import claude
import place
import rig
from clients import ELSEWHERE, REFUSED
from origins import HOSTS, WORKS

# What only the sidecar knows.
KEY = "sk-the-operators-own-key-0123456789"
# What the agent has in its stead.
NO_KEY = "no-key-is-needed"
MODEL = "127.0.0.1:8787"
END = "the script is over"


class Model(rig.Model):
    """The scripted model, in the world of the proxy and for who has the key; until it is stopped."""

    def __init__(self, where, name, script):
        directory = where.directory / name
        directory.mkdir()
        self.gates, self.bodies = directory / "gates", directory / "bodies"
        self.transcript = directory / "transcript.jsonl"
        for folder in (self.gates, self.bodies):
            folder.mkdir()
        (directory / "script.json").write_text(json.dumps(script))
        argv = [sys.executable, place.HERE / "keyed_model.py", KEY, "--port", str(where.model_port)]
        argv += ["--script", directory / "script.json", "--transcript", self.transcript]
        argv += ["--bodies", self.bodies, "--gates", self.gates]
        ready = lambda child: "listening on 127.0.0.1:" in child.text()
        self.child = where.start(name, argv, ready, where.world)


def cases(programs):
    """Each with its name."""
    yield "claude-code", lambda *to: session(*to, programs)
    yield "claude-sandbox", lambda *to: sandbox(*to, programs)


def bash(command):
    return {"name": "Bash", "input": {"command": command, "description": "a step"}}


def script():
    """One turn for each thing that is tried."""
    fetch = lambda host: {"name": "WebFetch", "input": {"url": f"https://{host}/page.html",
                                                        "prompt": "what does it say?"}}  # fmt: skip
    turns = [
        [fetch(HOSTS["web"])],
        [fetch(ELSEWHERE)],
        [bash(f"curl -sS https://{HOSTS['web']}/hello.txt")],
        [bash(f"curl -sS https://{ELSEWHERE}/")],
    ]
    return {"turns": [{"tool_use": calls} for calls in turns], "end": END}


class Agent:
    """A client with its settings, in the agent's namespace."""

    def __init__(self, where, name, settings, programs):
        self.where = where
        self.home, self.work = (where.directory / f"{name}-{part}" for part in ("home", "work"))
        (self.home / ".claude").mkdir(parents=True)
        self.work.mkdir()
        (self.home / ".claude" / "settings.json").write_text(json.dumps(settings))
        self.argv = claude.command(programs.claude)

    def run(self):
        url = f"http://{MODEL}"
        env = {**self.where.environment(model=url), **claude.environment(self.home, url)}
        return self.where.run(self.argv, env=env, cwd=self.work, timeout=180)


def session(where, check, programs):
    """Neither key nor network, and all that it does goes by the plane."""
    model = Model(where, "model", script())
    agent = Agent(where, "claude", {"skipWebFetchPreflight": True}, programs)
    before = len(where.reasons(ELSEWHERE))
    code, out, error = agent.run()
    check("ends", code == 0 and END in out, (code, out[-600:], error[-600:]))
    strangers = model.events("stranger")
    check("no-key-in-the-agent", not strangers and model.events("request"), strangers)
    check("key-never-told", not model.saw(KEY) and KEY not in out + error, "the key was seen")
    seen = any(WORKS.strip() in body.read_text() for body in model.bodies.iterdir())
    check("web-fetch", seen, "no request of the model's holds the page")
    is_error, said = model.result(1) or (None, None)
    check("web-fetch-refused", is_error is not None and WORKS.strip() not in said, said)
    is_error, said = model.result(2) or (None, None)
    check("curl", said and WORKS.strip() in said, said)
    is_error, said = model.result(3) or (None, None)
    check("curl-refused", is_error and "403" in said, said)
    reasons = where.reasons(ELSEWHERE)[before:]
    check("refused-in-the-log", len(reasons) >= 2 and set(reasons) == {REFUSED}, reasons)
    usage(where, check)
    model.child.stop()


def sandbox(where, check, programs):
    """Its own sandbox, told to take our port for its proxy's."""
    port = int(place.BRIDGE.rpartition(":")[2])
    network = {"httpProxyPort": port, "socksProxyPort": port, "allowedDomains": ["*.example"]}
    settings = {
        "sandbox": {
            "enabled": True,
            "failIfUnavailable": True,
            "allowUnsandboxedCommands": False,
            "network": network,
        }
    }
    proof = "cat /proc/net/dev | wc -l; echo proxy=$HTTPS_PROXY"
    turns = [
        [bash(f"curl -sS https://{HOSTS['web']}/hello.txt; {proof}")],
        [bash(f"curl -sS -x $ALL_PROXY https://{HOSTS['web']}/hello.txt")],
        [bash(f"curl -sS https://{ELSEWHERE}/")],
    ]
    script = {"turns": [{"tool_use": calls} for calls in turns], "end": END}
    model = Model(where, "sandbox-model", script)
    before = len(where.reasons(ELSEWHERE))
    code, out, error = Agent(where, "sandbox", settings, programs).run()
    check("ends", code == 0 and END in out, (code, out[-600:], error[-600:]))
    for number, way in ((0, "http"), (1, "socks")):
        is_error, said = model.result(number) or (None, None)
        check(way, said and WORKS.strip() in said, said)
    reasons = where.reasons(ELSEWHERE)[before:]
    check("refused", reasons and set(reasons) == {REFUSED}, (reasons, model.result(2)))
    model.child.stop()


def usage(where, check):
    """What the model's answers cost stands in the log, by session."""
    closed = where.records("--kind", "net.close")
    told = [record.get("details", {}) for record in closed]
    models = [one for one in told if "output_tokens" in json.dumps(one)]
    check("usage-in-the-log", models, told[-3:])
