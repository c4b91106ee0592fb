r"""An agent of the Claude Agent SDK whose every tool call toolgate judges first. One option does it.

    toolgate serve &                               # the sidecar, under a user of its own
    toolgate init claude --print --no-client-check --socket /run/toolgate/hook.sock \
        --server-uid 10001 > guard.new && mv guard.new guard.json
    python3 python_agent.py guard.json "what to do"

Once, where the agent cannot write; by way of a second file, since the shell makes it empty even if
`init` fails. `--server-uid` is the sidecar's user. `--no-client-check`, because the SDK brings its
own Claude Code along; `--client PATH` asks one. Without the sidecar no tool runs; without a hook
in the settings every tool would, so they are refused. What the settings of the project or of the
user say changes nothing: `setting_sources=[]` leaves them out.
"""

import asyncio
import json
import pathlib
import sys

from claude_agent_sdk import ClaudeAgentOptions, ResultMessage, query


def settings(guard):
    """The settings' text, if a hook in them stands before each tool call."""
    text = pathlib.Path(guard).read_text()
    try:
        groups = json.loads(text)["hooks"]["PreToolUse"]
        hooks = [hook for group in groups for hook in group["hooks"]]
    except (ValueError, LookupError, TypeError):
        hooks = []
    if not hooks:
        sys.exit(f"error: `{guard}` has no hook before tool calls: write it with `toolgate init`")
    return text


async def main(guard, prompt):
    options = ClaudeAgentOptions(
        settings=settings(guard),
        setting_sources=[],
        permission_mode="bypassPermissions",
    )
    async for message in query(prompt=prompt, options=options):
        if isinstance(message, ResultMessage):
            print(message.result)


asyncio.run(main(*sys.argv[1:]))
