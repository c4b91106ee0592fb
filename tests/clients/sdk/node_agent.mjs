// An agent of the Claude Agent SDK whose every tool call toolgate judges first. One option does it.
//
//     toolgate serve &                            // the sidecar, under a user of its own
//     toolgate init claude --print > guard.json   // once; where the agent cannot write
//     node node_agent.mjs guard.json "what to do"
//
// Without the sidecar no tool runs. What the settings of the project or of the user say changes
// nothing: `settingSources: []` leaves them out.

import { readFileSync } from "node:fs";
import { query } from "@anthropic-ai/claude-agent-sdk";

const [guard, prompt] = process.argv.slice(2);
const options = {
  settings: readFileSync(guard, "utf8"),
  settingSources: [],
  permissionMode: "bypassPermissions",
  allowDangerouslySkipPermissions: true,
  // Only where Claude Code is not the one that the SDK brings along.
  pathToClaudeCodeExecutable: process.env.CLAUDE_CODE,
};
for await (const message of query({ prompt, options })) {
  if (message.type === "result") console.log(message.result);
}
