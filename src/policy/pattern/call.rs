//! Call patterns: a tool's name, `mcp:server/tool_*`, or `$transparent`.

use super::text::TextPattern;
use super::{PatternError, braces};
use crate::model::call::ToolName;
use crate::model::truth::Truth;

/// A compiled tool pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallPattern {
    names: Vec<TextPattern>,
    everything: bool,
}

impl CallPattern {
    /// Reads a pattern. `mcp__server__tool` is accepted and normalised.
    ///
    /// # Errors
    /// If it is empty, or its braces are not closed.
    pub fn parse(text: &str) -> Result<CallPattern, PatternError> {
        if text.is_empty() {
            return Err(PatternError::new("a tool pattern is empty")
                .help("write the tool's name, or `**` for every tool"));
        }
        let read = |text: &String| TextPattern::parse(ToolName::parse(text).as_str());
        let names = braces::expand(text)?.iter().map(read).collect();
        Ok(CallPattern { names, everything: text == "**" })
    }

    /// Whether it names this tool. A name is known, so the answer is never maybe.
    pub fn matches(&self, tool: &ToolName) -> Truth {
        Truth::from(self.everything || self.names.iter().any(|name| name.matches(tool.as_str())))
    }

    /// Whether it is `**` alone.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.everything
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matching() {
        for (pattern, tool, expected) in [
            ("Read", "Read", true),
            ("Read", "read", false),
            ("Agent", "Task", true),
            ("mcp:github/{get,list}_*", "mcp__github__list_issues", true),
            ("mcp:github/{get,list}_*", "mcp__github__delete_repo", false),
            ("mcp__github__get_*", "mcp__github__get_me", true),
            ("mcp:*/read", "mcp__fs__read", true),
            ("**", "Anything", true),
        ] {
            let truth = CallPattern::parse(pattern).unwrap().matches(&ToolName::parse(tool));
            assert_eq!(truth, Truth::from(expected), "{pattern} {tool}");
        }
        assert!(CallPattern::parse("").is_err());
    }
}
