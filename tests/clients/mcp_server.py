#!/usr/bin/env python3
"""An MCP server over stdio that shows files, in every way in which a tool can.

    mcp_server.py DIRECTORY

Tools take `file`, a name in the directory: `show` (text), `structured` (structured content),
`fail` (an error), `link` (an embedded resource). Each file is also the resource `probe://NAME`.
"""

import json
import pathlib
import sys

SCHEMA = {"type": "object", "properties": {"file": {"type": "string"}}, "required": ["file"]}
TOOLS = ("show", "structured", "fail", "link")


def main():
    directory = pathlib.Path(sys.argv[1])
    for line in sys.stdin:
        request = json.loads(line)
        if "id" in request:
            result = answer(directory, request["method"], request.get("params", {}))
            reply = {"jsonrpc": "2.0", "id": request["id"], "result": result}
            print(json.dumps(reply), flush=True)


def answer(directory, method, parameters):
    if method == "initialize":
        return {
            "protocolVersion": parameters["protocolVersion"],
            "capabilities": {"tools": {}, "resources": {}},
            "serverInfo": {"name": "probe", "version": "1"},
        }
    if method == "tools/list":
        about = {"description": "Shows a file.", "inputSchema": SCHEMA}
        return {"tools": [{"name": name, **about} for name in TOOLS]}
    if method == "tools/call":
        return call(directory, parameters["name"], parameters["arguments"]["file"])
    if method == "resources/list":
        files = sorted(directory.glob("*mcp-list*"))
        return {"resources": [resource(file, "description", file.read_text()) for file in files]}
    if method == "resources/read":
        file = directory / parameters["uri"].removeprefix("probe://")
        return {"contents": [resource(file, "text", file.read_text())]}
    return {}


def call(directory, tool, name):
    text = (directory / name).read_text()
    if tool == "structured":
        shown = [{"type": "text", "text": json.dumps({"line": text})}]
        return {"content": shown, "structuredContent": {"line": text}}
    if tool == "link":
        embedded = resource(directory / name, "text", text)
        return {"content": [{"type": "resource", "resource": embedded}]}
    return {"content": [{"type": "text", "text": text}], "isError": tool == "fail"}


def resource(file, key, text):
    return {"uri": f"probe://{file.name}", "name": file.name, "mimeType": "text/plain", key: text}


if __name__ == "__main__":
    main()
