//! Call patterns: a tool's name, `mcp:server/tool_*`, or `$transparent`.

use super::text::TextPattern;
use super::{PatternError, braces, check_text};
use crate::model::call::ToolName;
use crate::model::truth::Truth;
use crate::policy::builtin::{OTHER_TOOLS, TRANSPARENT};

mod cover;

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
        check_text(text)?;
        let read = |text: &String| {
            check_name(text)?;
            Ok(TextPattern::parse(ToolName::parse(text).as_str()))
        };
        let names = braces::expand(text)?.iter().map(read).collect::<Result<_, PatternError>>()?;
        Ok(CallPattern { names, everything: text == "**" })
    }

    /// Whether it names this tool. A name is known, so the answer is never maybe.
    pub fn matches(&self, tool: &ToolName) -> Truth {
        Truth::from(self.everything || self.names.iter().any(|name| name.matches(tool.as_str())))
    }

    /// What its braces stand for.
    pub(crate) fn names(&self) -> &[TextPattern] {
        &self.names
    }

    /// Whether it is `**` alone.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.everything
    }
}

/// A name that no tool has, though it looks like one of a tool.
pub(crate) fn check_name(text: &str) -> Result<(), PatternError> {
    if text.contains(['(', ')']) {
        let name = text.split('(').next().unwrap_or_default();
        return Err(PatternError::new(format!("`{text}` is no tool's name"))
            .help(format!("write `{name}`; which commands it may run is for [exec]")));
    }
    if text.contains('|') {
        let each: Vec<&str> = text.split('|').map(str::trim).collect();
        return Err(PatternError::new(format!("`{text}` is no tool's name"))
            .help(format!("write an entry for each, or `{{{}}}`", each.join(","))));
    }
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(PatternError::new(format!(
            "`{text}` is no tool's name: it has a blank or none"
        ))
        .help("write the name alone, each tool an entry of its own"));
    }
    let server = text.strip_prefix("mcp:").or_else(|| text.strip_prefix("mcp__"));
    if let Some(server) = server
        && ToolName::parse(text)
            .mcp()
            .is_none_or(|(server, tool)| server.is_empty() || tool.is_empty())
    {
        let server = server.trim_matches(['_', '/']);
        return Err(PatternError::new(format!("`{text}` names a server but no tool of it"))
            .help(format!("write `mcp:{server}/*` for all of its tools")));
    }
    let mut known = TRANSPARENT.iter().chain(OTHER_TOOLS);
    if let Some(meant) = known.clone().find(|name| name.eq_ignore_ascii_case(text))
        && !known.any(|name| *name == text)
    {
        return Err(PatternError::new(format!("`{text}` is no tool: names are compared by case"))
            .help(format!("did you mean `{meant}`?"))
            .fix(text, *meant));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matching() {
        for (pattern, tool, expected) in [
            ("Read", "Read", true),
            ("Read", "read", false),
            ("mcp:github/*", "mcp__github__get_me", true),
            ("Task", "Agent", true),
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
        for (text, help) in [
            ("", "`**`"),
            ("Bash(git push:*)", "[exec]"),
            (" Read", "the name alone"),
            ("Read ", "the name alone"),
            ("Read\u{200b}", "invisible"),
            ("mcp:a", "mcp:a/*"),
            ("mcp:a/", "mcp:a/*"),
            ("mcp__a", "mcp:a/*"),
            ("bash", "`Bash`"),
            ("{Read,websearch}", "`WebSearch`"),
        ] {
            let error = CallPattern::parse(text).unwrap_err();
            let told = format!("{} {}", error.message, error.help.unwrap_or_default());
            assert!(told.contains(help), "{text}: {told}");
        }
    }
}
