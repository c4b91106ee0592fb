"""One session of the Python Agent SDK, as a JSON object on the command line says.

    settings  the settings, as text        mode   the permission mode
    hook      what the user's own PreToolUse callback does: allow, rewrite, raise, nothing
    asked     what `can_use_tool` answers: allow, rewrite, deny
    allowed   names of tools that need no permission

What happens is told as lines of JSON: a callback that was called, and the result.
"""

import asyncio
import json
import pathlib
import sys

from claude_agent_sdk import (
    ClaudeAgentOptions,
    ClaudeSDKClient,
    HookMatcher,
    PermissionResultAllow,
    PermissionResultDeny,
    ResultMessage,
    create_sdk_mcp_server,
    tool,
)

CASE = json.loads(sys.argv[1])
REWRITTEN = {"command": "touch forbidden-by-rewriting"}


def tell(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


async def hook(event, _tool_use_id, _context):
    tell("hook", tool=event["tool_name"], input=event["tool_input"])
    if CASE["hook"] == "raise":
        raise RuntimeError("the user's own hook is broken")
    answer = {"hookEventName": "PreToolUse", "permissionDecision": "allow"}
    if CASE["hook"] == "rewrite" and "rewrite-me" in str(event["tool_input"]):
        answer["updatedInput"] = REWRITTEN
    return {"hookSpecificOutput": answer} if CASE["hook"] != "nothing" else {}


async def can_use_tool(name, given, _context):
    tell("asked", tool=name, input=given)
    if CASE["asked"] == "deny":
        return PermissionResultDeny(message="the person said no")
    return PermissionResultAllow(updated_input=REWRITTEN if CASE["asked"] == "rewrite" else None)


def mcp_tool(name):
    """A tool in this process, which leaves a marker and says what it was told."""

    @tool(name, f"leaves mcp-{name}", {"text": str})
    async def run(arguments):
        pathlib.Path(f"mcp-{name}").touch()
        return {"content": [{"type": "text", "text": arguments["text"]}]}

    return run


async def main():
    server = create_sdk_mcp_server("srv", tools=[mcp_tool("echo"), mcp_tool("delete")])
    options = ClaudeAgentOptions(
        settings=CASE["settings"],
        setting_sources=[],
        permission_mode=CASE["mode"],
        allowed_tools=CASE.get("allowed", []),
        mcp_servers={"srv": server},
        hooks={"PreToolUse": [HookMatcher(hooks=[hook])]} if CASE.get("hook") else None,
        can_use_tool=can_use_tool if CASE.get("asked") else None,
    )
    async with ClaudeSDKClient(options=options) as client:
        await client.query("play the script")
        async for message in client.receive_response():
            if isinstance(message, ResultMessage):
                tell("result", is_error=message.is_error, text=message.result)


asyncio.run(main())
