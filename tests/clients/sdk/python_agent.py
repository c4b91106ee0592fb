"""An agent of the Claude Agent SDK whose every tool call toolgate judges first. One option does it.

    toolgate serve &                               # the sidecar, under a user of its own
    toolgate init claude --print > guard.json      # once; where the agent cannot write
    python3 python_agent.py guard.json "what to do"

Without the sidecar no tool runs. What the settings of the project or of the user say changes
nothing: `setting_sources=[]` leaves them out.
"""

import asyncio
import pathlib
import sys

from claude_agent_sdk import ClaudeAgentOptions, ResultMessage, query


async def main(guard, prompt):
    options = ClaudeAgentOptions(
        settings=pathlib.Path(guard).read_text(),
        setting_sources=[],
        permission_mode="bypassPermissions",
    )
    async for message in query(prompt=prompt, options=options):
        if isinstance(message, ResultMessage):
            print(message.result)


asyncio.run(main(*sys.argv[1:]))
