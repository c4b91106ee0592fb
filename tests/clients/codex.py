"""How Codex is found, wired to hooks and started offline.

Codex has no switch that makes a failed hook block, and skips a hook that nobody trusted without a
word. Trust is kept in the user's config.toml: a hash over what the hook is, filed by where it
stands. So `trust` says here what `toolgate init codex` must write for itself.
"""

import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess

import claude
import codex_model
import rig

VENDOR = "node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex"
SESSION_WAIT_S = 120.0
HOOK_TIMEOUT_S = 30
# Codex gives SessionEnd no more, and hashes what it gives.
SESSION_END_TIMEOUT_S = 3
# These have nothing to match by: a matcher is dropped before it is hashed.
WITHOUT_MATCHER = ("UserPromptSubmit", "Stop")
# Tools one by one; newer models are given one tool that runs a script of calls.
DIRECT_MODEL = "gpt-5.5"
SCRIPT_MODEL = "gpt-6-sol"
# A model that is not in Codex's list is offered MCP tools and subagents in the open.
UNKNOWN_MODEL = "scripted-model"

USUAL = ("--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")

EVENTS = (
    "PreToolUse",
    "PermissionRequest",
    "PostToolUse",
    "UserPromptSubmit",
    "SessionStart",
    "SessionEnd",
    "Stop",
    "SubagentStart",
    "SubagentStop",
    "PreCompact",
    "PostCompact",
)


def find():
    """The pinned client that tests/install has put there."""
    version = claude.pins()["CODEX_VERSION"]
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", rig.REPOSITORY / "target"))
    codex = target / "clients" / f"codex-{version}" / VENDOR
    if not codex.is_file():
        raise rig.RigError("Codex is not there: run tests/install")
    _, said, _ = rig.run([codex, "--version"])
    if said.strip() != f"codex-cli {version}":
        raise rig.RigError(f"`codex --version` says `{said.strip()}`, the pin is {version}")
    return codex


def label(event):
    """An event's name in keys of trust: PreToolUse is `pre_tool_use` there."""
    return re.sub(r"(?<!^)([A-Z])", r"_\1", event).lower()


def trusted_hash(event, handler, matcher=None):
    """What Codex compares with `trusted_hash` of a hook."""
    timeout = handler.get("timeout", 600)
    if event == "SessionEnd":
        timeout = min(timeout, SESSION_END_TIMEOUT_S)
    what = {
        "type": "command",
        "command": handler["command"],
        "timeout": timeout,
        "async": handler.get("async", False),
    }
    identity = {"event_name": label(event), "hooks": [what]}
    if matcher is not None and event not in WITHOUT_MATCHER:
        identity["matcher"] = matcher
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def trust(file, hooks):
    """The part of config.toml that trusts all hooks of a hooks.json."""
    lines = []
    for event, groups in hooks.items():
        for group, content in enumerate(groups):
            for place, handler in enumerate(content["hooks"]):
                lines.append(f'[hooks.state."{file}:{label(event)}:{group}:{place}"]')
                digest = trusted_hash(event, handler, content.get("matcher"))
                lines.append(f'trusted_hash = "{digest}"')
    return "\n".join(lines) + "\n"


def handler(*argv, timeout=HOOK_TIMEOUT_S, **more):
    """A command hook: Codex gives its command to a shell."""
    return {"type": "command", "command": shlex.join(map(str, argv)), "timeout": timeout, **more}


def every(events, *handlers):
    """The same handlers for several events."""
    return {event: [{"hooks": list(handlers)}] for event in events}


class Home:
    """A CODEX_HOME, a workspace, and a model of its own, in one scratch directory."""

    def __init__(self, directory, binary):
        self.binary = binary
        self.directory = directory
        self.work = directory / "work"
        self.codex = directory / "home" / ".codex"
        self.hooks_file = self.codex / "hooks.json"
        for folder in (self.work, self.codex):
            folder.mkdir(parents=True, exist_ok=True)

    def configure(self, model, hooks=None, trusted=True, extra="", name=DIRECT_MODEL, top=""):
        """Writes config.toml and hooks.json."""
        self.hooks_file.unlink(missing_ok=True)
        text = [
            f'model = "{name}"',
            'model_provider = "scripted"',
            top,
            "[model_providers.scripted]",
            'name = "scripted"',
            f'base_url = "{model.url}"',
            'env_key = "SCRIPTED_KEY"',
            'wire_api = "responses"',
            extra,
        ]
        if hooks is not None:
            self.hooks_file.write_text(json.dumps({"hooks": hooks}, indent=1))
            if trusted:
                text.append(trust(self.hooks_file, hooks))
        (self.codex / "config.toml").write_text("\n".join(text) + "\n")

    def environment(self):
        """The whole environment of the client: nothing is inherited."""
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.codex.parent),
            "CODEX_HOME": str(self.codex),
            "SHELL": "/bin/bash",
            "LANG": "C.UTF-8",
            "SCRIPTED_KEY": "no-key-is-needed",
        }

    def exec(self, *options, prompt="play the script", env=None, within=()):
        """One session without a person, in the mode that asks for nothing."""
        argv = ["-C", self.work, *options, prompt]
        return self.run([*within, self.binary, "exec", *USUAL, *argv], env)

    def resume(self, prompt="play the script"):
        """The last session, taken up again."""
        return self.run([self.binary, "exec", "resume", "--last", *USUAL, prompt])

    def run(self, argv, env=None):
        done = subprocess.run(
            [str(word) for word in argv],
            env=self.environment() | (env or {}),
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SESSION_WAIT_S,
        )
        (self.directory / "codex.log").write_text(done.stdout + done.stderr)
        return done

    def there(self, name):
        """Whether a marker of the workspace is there."""
        return (self.work / name).exists()


def model(*turns, threads=None, end="done"):
    """A scripted model of these turns."""
    return codex_model.Model({"turns": list(turns), "threads": threads or {}, "end": end})


def shell(command, **more):
    """A call of the shell tool."""
    return {"name": "exec_command", "arguments": {"cmd": command, **more}}


def patch(text):
    """A call of the tool that edits files."""
    return {"name": "apply_patch", "input": f"*** Begin Patch\n{text}\n*** End Patch"}


def script(text):
    """A script of calls, for the newer models."""
    return {"name": "exec", "namespace": "functions", "input": text}


class Server:
    """`codex app-server`, which a window or a person would speak to: JSON lines."""

    def __init__(self, home):
        self.asked = []
        self.number = 0
        with (home.directory / "app-server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(home.binary), "app-server"],
                env=home.environment(),
                cwd=home.work,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def __enter__(self):
        self.call("initialize", {"clientInfo": {"name": "tests", "version": "1"}})
        self.say({"method": "initialized"})
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def say(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def call(self, method, params):
        self.number += 1
        number = self.number
        self.say({"id": number, "method": method, "params": params})
        answer = self.wait(lambda said: said.get("id") == number and "method" not in said)
        if "result" not in answer:
            raise rig.RigError(f"`{method}`: {answer.get('error')}")
        return answer["result"]

    def wait(self, wanted, reply="accept"):
        """Reads until a message is the wanted one; whatever asks a person gets `reply`."""
        for line in self.process.stdout:
            said = json.loads(line)
            if "method" in said and "id" in said:
                self.asked.append(said["method"])
                self.say({"id": said["id"], "result": {"decision": reply}})
            if wanted(said):
                return said
        raise rig.RigError("the app server ended")

    def play(self, home, policy="on-request", reply="accept", prompt="play the script"):
        """One turn of a session in which a person may be asked."""
        start = {"cwd": str(home.work), "approvalPolicy": policy, "sandbox": "workspace-write"}
        thread = self.call("thread/start", start)["thread"]["id"]
        message = [{"type": "text", "text": prompt}]
        self.call("turn/start", {"threadId": thread, "input": message})
        self.wait(lambda said: said.get("method") == "turn/completed", reply)
