//! The request as the runtime stated it.

use super::json::Json;
use super::path::AbsPath;
use super::principal::Principal;

/// One tool call, before or after it ran, as the runtime stated it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// Our own id: joins the records of every plane that see this call.
    pub id: CallId,
    /// Who asks.
    pub principal: Principal,
    /// The tool's name in its canonical spelling.
    pub tool: ToolName,
    /// The tool's arguments, as stated.
    pub input: Json,
    /// Before the tool runs, or after.
    pub phase: Phase,
    /// The runtime's own id of the call, which joins a Post to its Pre; not every event has one.
    pub tool_use_id: Option<String>,
    /// The working directory that the runtime stated. The agent controls it.
    pub cwd: Option<AbsPath>,
    /// The runtime's permission mode, as stated, such as `bypassPermissions`.
    pub permission_mode: Option<String>,
    /// The transcript of the session that the runtime keeps, as stated.
    pub transcript: Option<AbsPath>,
    /// Where a person can be asked: only then can an ask be more than a deny.
    pub attended: bool,
}

/// Our id of a call, a UUID version 7 in text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallId(pub String);

/// When a call is judged.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// Before the tool runs.
    Pre,
    /// After it ran: what came back.
    Post {
        /// The tool's response in the runtime's own shape.
        output: Json,
        /// How long it took, in milliseconds, if the runtime said so.
        duration_ms: Option<u64>,
        /// Whether the runtime reports it as failed; such an output cannot be replaced.
        failed: bool,
    },
}

/// A tool's name: a built-in tool, or a tool of an MCP server as `mcp:server/tool`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToolName(String);

impl ToolName {
    /// Reads a name in any runtime's spelling: `mcp__server__tool` becomes `mcp:server/tool`, and
    /// `Task` is `Agent`. Anything else is kept byte for byte: a name is never guessed at.
    #[must_use]
    pub fn parse(text: &str) -> ToolName {
        if let Some((server, tool)) =
            text.strip_prefix("mcp__").and_then(|rest| rest.split_once("__"))
            && !server.is_empty()
            && !tool.is_empty()
        {
            return ToolName(format!("mcp:{server}/{tool}"));
        }
        ToolName(if text == "Task" { "Agent".to_owned() } else { text.to_owned() })
    }

    /// The canonical spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The MCP server and its tool, if it is one.
    #[must_use]
    pub fn mcp(&self) -> Option<(&str, &str)> {
        self.0.strip_prefix("mcp:")?.split_once('/')
    }
}

impl std::fmt::Display for ToolName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::ToolName;

    #[test]
    fn names_have_one_spelling() {
        for (text, expected) in [
            ("Bash", "Bash"),
            ("Task", "Agent"),
            ("bash", "bash"),
            ("Bash ", "Bash "),
            ("mcp__github__list_issues", "mcp:github/list_issues"),
            ("mcp__a__b__c", "mcp:a/b__c"),
            ("mcp__x", "mcp__x"),
            ("mcp____x", "mcp____x"),
        ] {
            assert_eq!(ToolName::parse(text).as_str(), expected);
        }
    }
}
