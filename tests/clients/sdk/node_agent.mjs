// An agent of the Claude Agent SDK whose every tool call toolgate judges first. One option does it.
//
//     toolgate serve &                            // the sidecar, under a user of its own
//     toolgate init claude --print --no-client-check --socket /run/toolgate/hook.sock \
//         --server-uid 10001 > guard.new && mv guard.new guard.json
//     node node_agent.mjs guard.json "what to do"
//
// Once, where the agent cannot write; by way of a second file, since the shell makes it empty even
// if `init` fails. `--server-uid` is the sidecar's user. `--no-client-check`, as the SDK brings its
// own Claude Code along; `--client PATH` asks one. Without the sidecar no tool runs; without a hook
// in the settings every tool would, so they are refused. What the settings of the project or of
// the user say changes nothing: `settingSources: []` leaves them out.

import { readFileSync } from "node:fs";
import { query } from "@anthropic-ai/claude-agent-sdk";

// The settings' text, if a hook in them stands before each tool call.
function settings(guard) {
  const text = readFileSync(guard, "utf8");
  let hooks = [];
  try {
    hooks = JSON.parse(text).hooks.PreToolUse.flatMap((group) => group.hooks ?? []);
  } catch {
    // Said below.
  }
  if (!hooks.length) {
    console.error(`error: "${guard}" has no hook before tool calls: write it with "toolgate init"`);
    process.exit(1);
  }
  return text;
}

const [guard, prompt] = process.argv.slice(2);
const options = {
  settings: settings(guard),
  settingSources: [],
  permissionMode: "bypassPermissions",
  allowDangerouslySkipPermissions: true,
  // Only where Claude Code is not the one that the SDK brings along.
  pathToClaudeCodeExecutable: process.env.CLAUDE_CODE,
};
for await (const message of query({ prompt, options })) {
  if (message.type === "result") console.log(message.result);
}
