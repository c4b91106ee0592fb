"""How Claude Code is wired to toolgate and started offline.

The settings are the ones that were measured to fail closed: exec form, absolute path, no help from
the environment, `onFailure: block`, and an explicit `disableAllHooks: false`.
"""

import os
import pathlib

import rig

HOOK_TIMEOUT_S = 30
HOOK_DEADLINE_MS = 5000


def find(version):
    """The pinned client that tests/install has put there."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", rig.REPOSITORY / "target"))
    modules = target / "clients" / f"claude-code-{version}" / "node_modules"
    claude = modules / "@anthropic-ai" / "claude-code-linux-x64" / "claude"
    if not claude.is_file():
        raise rig.RigError("Claude Code is not there: run tests/install")
    _, said, _ = rig.run([claude, "--version"], timeout=rig.TOOL_WAIT_S)
    if said.split()[:1] != [version]:
        raise rig.RigError(f"`claude --version` says `{said.strip()}`, the pin is {version}")
    return claude


def pins():
    """tests/clients.env as a dict."""
    lines = (rig.REPOSITORY / "tests" / "clients.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def settings(toolgate, socket, server_uid, deadline_ms=HOOK_DEADLINE_MS):
    """Settings that put toolgate before and after every tool call."""
    hook = {
        "type": "command",
        "command": str(toolgate),
        "args": hook_arguments(socket, server_uid, deadline_ms),
        "timeout": HOOK_TIMEOUT_S,
        "onFailure": "block",
    }
    every_tool = [{"matcher": "*", "hooks": [hook]}]
    return {
        "disableAllHooks": False,
        "hooks": {"PreToolUse": every_tool, "PostToolUse": every_tool},
    }


def hook_arguments(socket, server_uid, deadline_ms):
    return [
        "hook",
        "claude",
        "--socket",
        str(socket),
        "--server-uid",
        str(server_uid),
        "--deadline",
        str(deadline_ms),
    ]


def environment(home, model_url):
    """The whole environment of the client: nothing is inherited."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "SHELL": "/bin/bash",
        "LANG": "C.UTF-8",
        "CLAUDE_CONFIG_DIR": f"{home}/.claude",
        "IS_SANDBOX": "1",
        "ANTHROPIC_BASE_URL": model_url,
        "ANTHROPIC_API_KEY": "no-key-is-needed",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "DISABLE_AUTOUPDATER": "1",
    }


def command(claude, *more):
    """A session without a person, in the mode that asks for nothing."""
    argv = [str(claude), "-p", "play the script", "--permission-mode", "bypassPermissions"]
    return argv + ["--output-format", "stream-json", "--verbose", *map(str, more)]
