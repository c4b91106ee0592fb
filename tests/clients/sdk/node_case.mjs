// One session of the Node Agent SDK, as a JSON object on the command line says: see python_case.py.

import { writeFileSync } from "node:fs";
import { createSdkMcpServer, query, tool } from "@anthropic-ai/claude-agent-sdk";
import { z } from "zod";

const given = JSON.parse(process.argv[2]);
const REWRITTEN = { command: "touch forbidden-by-rewriting" };

function tell(event, more) {
  console.log(JSON.stringify({ event, ...more }));
}

async function hook(event) {
  tell("hook", { tool: event.tool_name, input: event.tool_input });
  if (given.hook === "raise") throw new Error("the user's own hook is broken");
  if (given.hook === "nothing") return {};
  const answer = { hookEventName: "PreToolUse", permissionDecision: "allow" };
  if (given.hook === "rewrite" && JSON.stringify(event.tool_input).includes("rewrite-me")) {
    answer.updatedInput = REWRITTEN;
  }
  return { hookSpecificOutput: answer };
}

async function canUseTool(name, input) {
  tell("asked", { tool: name, input });
  if (given.asked === "deny") return { behavior: "deny", message: "the person said no" };
  return { behavior: "allow", updatedInput: given.asked === "rewrite" ? REWRITTEN : input };
}

// A tool in this process, which leaves a marker and says what it was told.
function mcpTool(name) {
  return tool(name, `leaves mcp-${name}`, { text: z.string() }, async ({ text }) => {
    writeFileSync(`mcp-${name}`, "");
    return { content: [{ type: "text", text }] };
  });
}

// Callbacks need a prompt that stays open until the end.
async function* prompt(done) {
  yield { type: "user", message: { role: "user", content: "play the script" } };
  await done;
}

let finish;
const done = new Promise((resolve) => (finish = resolve));
const tools = [mcpTool("echo"), mcpTool("delete")];
const options = {
  settings: given.settings,
  settingSources: [],
  permissionMode: given.mode,
  allowDangerouslySkipPermissions: given.mode === "bypassPermissions",
  allowedTools: given.allowed ?? [],
  mcpServers: { srv: createSdkMcpServer({ name: "srv", tools }) },
  hooks: given.hook ? { PreToolUse: [{ hooks: [hook] }] } : undefined,
  canUseTool: given.asked ? canUseTool : undefined,
  pathToClaudeCodeExecutable: process.env.CLAUDE_CODE,
};
for await (const message of query({ prompt: prompt(done), options })) {
  if (message.type === "result") {
    tell("result", { is_error: message.is_error, text: message.result });
    finish();
  }
}
