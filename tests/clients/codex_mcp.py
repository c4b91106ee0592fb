"""An MCP server with one tool that says what it is told, and one resource; over stdio."""

import json
import sys

TOOL = {
    "name": "echo",
    "description": "says what it is told",
    "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}},
}


def answer(method, params):
    """The result of a request."""
    if method == "initialize":
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}, "resources": {}},
            "serverInfo": {"name": "probe", "version": "1"},
        }
    if method == "tools/list":
        return {"tools": [TOOL]}
    if method == "tools/call":
        text = params.get("arguments", {}).get("text", "")
        return {"content": [{"type": "text", "text": text}], "isError": False}
    if method == "resources/list":
        return {"resources": [{"uri": "probe://a.example", "name": "a"}]}
    if method == "resources/read":
        return {"contents": [{"uri": "probe://a.example", "text": "a resource"}]}
    return {}


def main():
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            result = answer(message["method"], message.get("params", {}))
            said = {"jsonrpc": "2.0", "id": message["id"], "result": result}
            print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
