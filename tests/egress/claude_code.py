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
    """The scripted model, in the world of the proxy and for who has the key."""

    def __init__(self, where, script):
        directory = where.directory / "model"
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
        where.start("model", argv, ready, where.world)


def script():
    """One turn for each thing that is tried."""
    fetch = lambda host: {"name": "WebFetch", "input": {"url": f"https://{host}/page.html",
                                                        "prompt": "what does it say?"}}  # fmt: skip
    bash = lambda command: {"name": "Bash", "input": {"command": command, "description": "a step"}}
    turns = [
        [fetch(HOSTS["web"])],
        [fetch(ELSEWHERE)],
        [bash(f"curl -sS https://{HOSTS['web']}/hello.txt")],
        [bash(f"curl -sS https://{ELSEWHERE}/")],
    ]
    return {"turns": [{"tool_use": calls} for calls in turns], "end": END}


def session(where, check, programs):
    model = Model(where, script())
    where.bridge(MODEL, "model")
    home = where.directory / "claude-home"
    work = where.directory / "claude-work"
    (home / ".claude").mkdir(parents=True)
    work.mkdir()
    settings = {"skipWebFetchPreflight": True}
    (home / ".claude" / "settings.json").write_text(json.dumps(settings))
    url = f"http://{MODEL}"
    env = {**where.environment(model=url), **claude.environment(home, url)}
    before = len(where.reasons(ELSEWHERE))
    code, out, error = where.run(
        claude.command(programs.claude), env=env, cwd=work, timeout=180
    )
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


def usage(where, check):
    """What the model's answers cost stands in the log, by session."""
    closed = where.records("--kind", "net.close")
    told = [record.get("details", {}) for record in closed]
    models = [one for one in told if "output_tokens" in json.dumps(one)]
    check("usage-in-the-log", models, told[-3:])
