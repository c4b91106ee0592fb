//! What was written: one policy file as values with their places, before any name is resolved.

mod reader;
mod state;

use super::rule::{LayerKind, Power, Says, Unattended};
use crate::model::access::Verb;
use crate::model::effect::Verdict;
use crate::model::json::Json;
use crate::model::record::CaptureLevel;
use crate::model::time::Moment;

pub use super::read::At;
pub use reader::read;
pub use state::{BudgetText, ConditionText, LimitText, Per, Tested};

/// One policy file, as written.
#[derive(Debug, Default)]
pub struct Document {
    /// `[policy]`
    pub header: Header,
    /// `[layers]`: what each lower layer may do, if this file says so.
    pub layers: Vec<(LayerKind, At<Power>)>,
    /// `[let]`: names and what they stand for.
    pub lists: Vec<(At<String>, Vec<At<String>>)>,
    /// `[let.open]`: lists that a lower layer may add to, or what a lower layer adds to one.
    pub open: Vec<(At<String>, Vec<At<String>>)>,
    /// The grid and the rules, in one form.
    pub rules: Vec<RuleText>,
    /// `[[test]]`
    pub tests: Vec<TestText>,
    /// `[tool."name"]`: the name, then verb and argument.
    pub tools: Vec<ToolText>,
    /// `[budget]`
    pub budget: Option<BudgetText>,
    /// `[mcp.NAME]`
    pub servers: Vec<ServerText>,
    /// `[labels] external`
    pub external: Vec<At<String>>,
}

/// `[tool."name"]`, as written.
#[derive(Debug)]
pub struct ToolText {
    /// The tool's name.
    pub name: At<String>,
    /// Each argument, as `args.path`, with the verb it stands for.
    pub arguments: Vec<(Verb, At<String>)>,
}

/// `[mcp.NAME]`, as written.
#[derive(Debug)]
pub struct ServerText {
    /// The server's name.
    pub name: At<String>,
    /// How it is started.
    pub command: Vec<String>,
    /// Where it is reached.
    pub url: Option<String>,
    /// What of it is pinned: `lock` or `none`.
    pub pin: Option<&'static str>,
    /// What a change of what is pinned comes to: `deny` or `ask`.
    pub on_change: Option<&'static str>,
}

/// `[policy]`
#[derive(Debug, Default)]
pub struct Header {
    /// The policy's name.
    pub name: Option<At<String>>,
    /// Its version.
    pub version: Option<At<String>>,
    /// Whose policy it says it is.
    pub layer: Option<At<LayerKind>>,
    /// Who must have signed it.
    pub signers: Vec<At<String>>,
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
    /// `when`
    pub when: Vec<ConditionText>,
    /// `mark`
    pub marks: Vec<At<String>>,
    /// `unmark`
    pub unmarks: Vec<At<String>>,
    /// `limit`
    pub limit: Option<At<LimitText>>,
    /// `mode = "shadow"`
    pub shadow: bool,
    /// `until`
    pub until: Option<At<Moment>>,
    /// `capture`
    pub capture: Option<CaptureLevel>,
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
#[derive(Debug, Clone, PartialEq)]
pub enum PatternText {
    /// A string.
    Text(String),
    /// `{ regex = "..." }`
    Regex(String),
    /// `{ entropy = 4.5, near = "..." }`
    Entropy {
        /// The least bits for a character.
        bits: f64,
        /// The word that must stand before.
        near: Option<String>,
    },
}

/// A call that a rule must match or skip.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The call.
    pub call: CallText,
    /// What the rule must say.
    pub expect: Expect,
    /// Where and when it is judged.
    pub setting: Setting,
}

/// What an example or a test says of the world and the session around its call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Setting {
    /// Files that are there.
    pub files: Vec<At<String>>,
    /// The working directory, if it is not the workspace.
    pub cwd: Option<At<String>>,
    /// Labels that the session has.
    pub after: Vec<At<String>>,
    /// The agent, if it is not the main thread.
    pub agent: Option<At<String>>,
    /// The runtime's permission mode.
    pub permission_mode: Option<At<String>>,
    /// The command's exit status; then the call has run.
    pub exit: Option<i64>,
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
    /// What some tool brought back.
    Output(String),
}

/// `[[test]]`
#[derive(Debug)]
pub struct TestText {
    /// What is claimed.
    pub name: At<String>,
    /// Of what.
    pub claim: Claim,
    /// What the merged policy must say.
    pub expect: Verdict,
    /// Where and when it is judged.
    pub setting: Setting,
}

/// What a test speaks of.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// One call.
    Call(CallText),
    /// Every target of a verb, with exceptions. It is read, and not proved yet.
    Every(Phase, Vec<At<PatternText>>),
}
