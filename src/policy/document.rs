//! What was written: one policy file as values with their places, before any name is resolved.

mod reader;

use super::rule::{Says, Unattended};
use crate::model::access::Verb;
use crate::model::effect::Verdict;
use crate::model::json::Json;

pub use super::read::At;
pub use reader::read;

/// One policy file, as written.
#[derive(Debug, Default)]
pub struct Document {
    /// `[policy]`
    pub header: Header,
    /// `[let]`: lists of patterns, and `workspace`.
    pub lists: Vec<(At<String>, Vec<At<String>>)>,
    /// The grid and the rules, in one form.
    pub rules: Vec<RuleText>,
    /// `[[test]]`
    pub tests: Vec<TestText>,
    /// `[tool."name"]`: the name, then verb and argument.
    pub tools: Vec<ToolText>,
}

/// `[tool."name"]`, as written.
#[derive(Debug)]
pub struct ToolText {
    /// The tool's name.
    pub name: At<String>,
    /// Each argument, as `args.path`, with the verb it stands for.
    pub arguments: Vec<(Verb, At<String>)>,
}

/// `[policy]`
#[derive(Debug, Default)]
pub struct Header {
    /// The policy's name.
    pub name: Option<At<String>>,
    /// Its version.
    pub version: Option<At<String>>,
    /// What an access comes to that no rule speaks of.
    pub default: Option<super::rule::Default>,
    /// The same for tools that nothing describes.
    pub opaque: Option<super::rule::Default>,
    /// What a deferral comes to where nobody can be asked.
    pub unattended: Option<Unattended>,
    /// Packs of rules.
    pub include: Vec<At<String>>,
}

/// One rule, as written; an entry of the grid is a rule with one pattern and no reason.
#[derive(Debug)]
pub struct RuleText {
    /// Its id; for the grid, `verb.effect:pattern`.
    pub id: At<String>,
    /// What it says.
    pub says: Says,
    /// What it speaks of.
    pub verbs: Vec<At<Phase>>,
    /// `match`
    pub matches: Vec<At<PatternText>>,
    /// `unless`
    pub unless: Vec<At<PatternText>>,
    /// `mode = "shadow"`
    pub shadow: bool,
    /// `why`
    pub why: Option<String>,
    /// `examples`
    pub examples: Vec<At<Example>>,
}

/// A verb that is judged before the tool runs, or its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Before.
    Before(Verb),
    /// After.
    Output,
}

/// A pattern, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PatternText {
    /// A string.
    Text(String),
    /// `{ regex = "..." }`
    Regex(String),
}

/// A call that a rule must match or skip.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The call.
    pub call: CallText,
    /// What the rule must say.
    pub expect: Expect,
    /// Files that are there.
    pub files: Vec<At<String>>,
    /// The working directory, if it is not the workspace.
    pub cwd: Option<At<String>>,
}

/// What a rule must say of an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Yes to some access.
    Match,
    /// Yes to none, maybe to some.
    Maybe,
    /// No to all.
    Skip,
}

/// A call in the short form of examples, tests and `policy eval`.
#[derive(Debug, Clone, PartialEq)]
pub enum CallText {
    /// A whole Bash call.
    Bash(String),
    /// One bare access, without `call`.
    Bare(Verb, String),
    /// A tool with its arguments.
    Tool(String, Json),
}

/// `[[test]]`
#[derive(Debug)]
pub struct TestText {
    /// What is claimed.
    pub name: At<String>,
    /// The call.
    pub call: CallText,
    /// What the merged policy must say.
    pub expect: Verdict,
    /// Files that are there.
    pub files: Vec<At<String>>,
    /// The working directory, if it is not the workspace.
    pub cwd: Option<At<String>>,
}
