//! The compiled policy: what the engine asks.

use super::pattern::call::CallPattern;
use super::pattern::connect::ConnectPattern;
use super::pattern::exec::{ExecPattern, Writable};
use super::pattern::output::OutputPattern;
use super::pattern::path::PathPattern;
use crate::model::access::Verb;
use crate::model::call::ToolName;
use crate::model::decision::PolicyId;
use crate::model::effect::{Effect, Verdict};

/// Everything that one decision is made by. Immutable; a reload makes another.
#[derive(Debug)]
pub struct Policy {
    /// What records and answers name it by.
    pub id: PolicyId,
    /// One for each file, none above another yet: the strictest verdict stands.
    pub layers: Vec<Layer>,
    /// The floor that no policy can switch off (architecture, invariant 8).
    pub floor: Vec<Rule>,
    /// The roots below which no program is trusted.
    pub writable: Writable,
    /// What the policy itself says of tools that no catalogue describes.
    pub tools: Vec<ToolRow>,
}

/// One `[tool."name"]`: what the tool's arguments mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolRow {
    /// The tool.
    pub tool: ToolName,
    /// Each argument by its dotted name, with the verb it stands for.
    pub arguments: Vec<(Verb, String)>,
}

/// The rules of one file and of the packs it includes.
#[derive(Debug)]
pub struct Layer {
    /// The policy's name, for messages.
    pub name: String,
    /// What an access comes to that no rule speaks of.
    pub default: Default,
    /// The same for a call of a tool that nothing describes.
    pub opaque: Default,
    /// What a question or a deferral comes to where nobody can be asked.
    pub unattended: Unattended,
    /// The rules, in no order that matters.
    pub rules: Vec<Rule>,
}

/// What an access comes to that no rule speaks of. There is no `allow` (policy language §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// Refused.
    Deny,
    /// A person is asked.
    Ask,
    /// This policy has no opinion.
    Defer,
}

/// What a deferral comes to where nobody will be asked. An ask is then always a deny.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unattended {
    /// Refused.
    Deny,
    /// Left to what the runtime would do by itself.
    Defer,
}

/// One rule, compiled.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its id, as it stands in every log line and message.
    pub id: String,
    /// What it says.
    pub says: Says,
    /// What it speaks of.
    pub scope: Scope,
    /// Evaluated and told, never enforced.
    pub shadow: bool,
    /// Goes to the agent.
    pub why: Option<String>,
    /// Where it stands.
    pub origin: Origin,
}

/// What a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// Allow, ask or deny; on output, `deny` withholds it.
    Effect(Effect),
    /// Replace what matched in the output.
    Redact,
    /// Decide nothing; only told.
    Note,
}

/// The targets that a rule speaks of: `match`, less `unless`.
#[derive(Debug, Clone)]
pub enum Scope {
    /// Paths that are read or written.
    Paths {
        /// Which of the two, or both.
        verbs: Vec<Verb>,
        /// What it names.
        matches: Vec<PathPattern>,
        /// What it excepts.
        unless: Vec<PathPattern>,
    },
    /// Commands.
    Exec {
        /// What it names.
        matches: Vec<ExecPattern>,
        /// What it excepts.
        unless: Vec<ExecPattern>,
    },
    /// Connections.
    Connect {
        /// What it names.
        matches: Vec<ConnectPattern>,
        /// What it excepts.
        unless: Vec<ConnectPattern>,
    },
    /// Tools.
    Call {
        /// What it names.
        matches: Vec<CallPattern>,
        /// What it excepts.
        unless: Vec<CallPattern>,
    },
    /// What came back.
    Output {
        /// What it looks for.
        matches: Vec<OutputPattern>,
    },
}

/// Where a rule stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file, as it was named; `built-in` for the floor.
    pub file: String,
    /// The line, from 1; 0 for the floor.
    pub line: usize,
}

impl Default {
    /// The verdict it stands for.
    pub fn verdict(self) -> Verdict {
        match self {
            Default::Deny => Verdict::Deny,
            Default::Ask => Verdict::Ask,
            Default::Defer => Verdict::Defer,
        }
    }
}

impl Rule {
    /// The effect, if it decides anything before the tool runs.
    #[must_use]
    pub fn effect(&self) -> Option<Effect> {
        match (self.says, &self.scope) {
            (_, Scope::Output { .. }) | (Says::Redact | Says::Note, _) => None,
            (Says::Effect(effect), _) => Some(effect),
        }
    }
}
