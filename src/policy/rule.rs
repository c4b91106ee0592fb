//! The compiled policy: what the engine asks.

use super::condition::Conditions;
use super::document::{BudgetText, LimitText};
use super::index::Rules;
use super::label::{LabelText, Labels};
use super::pattern::Stance;
use super::pattern::call::CallPattern;
use super::pattern::connect::ConnectPattern;
use super::pattern::exec::{ExecPattern, Writable};
use super::pattern::output::OutputPattern;
use super::pattern::path::PathPattern;
use crate::model::access::Verb;
use crate::model::call::ToolName;
use crate::model::decision::PolicyId;
use crate::model::effect::{Effect, Verdict};
use crate::model::record::CaptureLevel;
use crate::model::time::Moment;

/// Everything that one decision is made by. Immutable; a reload makes another.
#[derive(Debug)]
pub struct Policy {
    /// What records and answers name it by.
    pub id: PolicyId,
    /// Org, user, project, as far as there are files of each; the upper first.
    pub layers: Vec<Layer>,
    /// The floor that no policy can switch off (architecture, invariant 8).
    pub floor: Rules,
    /// The roots below which no program is trusted.
    pub writable: Writable,
    /// What the policy itself says of tools that no catalogue describes.
    pub tools: Vec<ToolRow>,
    /// The labels that its rules name.
    pub labels: Labels,
    /// The limits of its rules, of all layers.
    pub limits: Vec<Limit>,
    /// The budgets of its files; each holds.
    pub budgets: Vec<Budget>,
    /// What must be told whenever the policy comes into force: that a signature was not checked.
    pub notices: Vec<String>,
}

/// A rule's limit: how much of what, and whose count it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// The rule's id, by which the count is kept over a reload.
    pub rule: String,
    /// What was written.
    pub terms: LimitText,
}

/// One file's budget.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// The policy that sets it.
    pub policy: String,
    /// What was written.
    pub terms: BudgetText,
}

/// Whose policy it is. Who stands above may say what those below may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LayerKind {
    /// The organisation's.
    Org,
    /// The user's own.
    User,
    /// The repository's. The agent can write it, so it is not trusted.
    Project,
}

/// What a layer may do besides tightening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Power {
    /// Nothing: its allows are ignored.
    Tighten,
    /// Its allows count where no layer above has spoken.
    Fill,
    /// All: no layer stands above it.
    Full,
}

/// One `[tool."name"]`: what the tool's arguments mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolRow {
    /// The tool.
    pub tool: ToolName,
    /// Whose row it is: a lower layer's adds accesses, and describes the tool to itself alone.
    pub layer: LayerKind,
    /// Each argument by its dotted name, with the verb it stands for.
    pub arguments: Vec<(Verb, String)>,
}

/// The rules of one layer: of all its files, and of the packs they include.
#[derive(Debug)]
pub struct Layer {
    /// Whose it is.
    pub kind: LayerKind,
    /// What it may do.
    pub power: Power,
    /// The policies' names, for messages.
    pub name: String,
    /// What an access comes to that no rule speaks of.
    pub default: Default,
    /// The same for a call of a tool that nothing describes.
    pub opaque: Default,
    /// What a question or a deferral comes to where nobody can be asked.
    pub unattended: Unattended,
    /// The rules, in no order that matters.
    pub rules: Rules,
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
    /// What must hold besides.
    pub when: Conditions,
    /// What it does to the session's labels.
    pub marks: Marks,
    /// Its limit, by place in the policy's `limits`.
    pub limit: Option<usize>,
    /// Evaluated and told, never enforced.
    pub shadow: bool,
    /// From then on it says nothing.
    pub until: Option<Moment>,
    /// How much of the call the log keeps.
    pub capture: Option<CaptureLevel>,
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

/// What a rule does to the session's labels, and where it is asked for that.
///
/// A mark has a stance of its own: a taint lands where the rule may have matched, a proof only
/// where it surely did (policy language §11.16). Where that is not the stance of the rule's own
/// scope, the scope stands here once more in the other.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    /// Taints that the session gets.
    pub taints: Vec<LabelText>,
    /// Proofs that it loses.
    pub unmarks: Vec<LabelText>,
    /// Proofs that it gets once the call succeeded.
    pub proofs: Vec<LabelText>,
    /// Where taints and unmarks are asked, if the rule's scope loosens.
    pub tightening: Option<Box<Scope>>,
    /// Where proofs are asked, if the rule's scope tightens.
    pub loosening: Option<Box<Scope>>,
}

/// What a rule speaks of: `match`, less `unless`.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Which way doubt falls in `match`; `unless` falls the other way.
    pub stance: Stance,
    /// The targets.
    pub targets: Targets,
}

/// The targets that a rule names and excepts.
#[derive(Debug, Clone)]
pub enum Targets {
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

impl Targets {
    /// How many patterns there are that name targets, and how many that except.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        match self {
            Targets::Paths { matches, unless, .. } => (matches.len(), unless.len()),
            Targets::Exec { matches, unless } => (matches.len(), unless.len()),
            Targets::Connect { matches, unless } => (matches.len(), unless.len()),
            Targets::Call { matches, unless } => (matches.len(), unless.len()),
            Targets::Output { matches } => (matches.len(), 0),
        }
    }
}

impl Says {
    /// The word in policies and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Says::Effect(effect) => effect.as_str(),
            Says::Redact => "redact",
            Says::Note => "note",
        }
    }
}

impl Power {
    /// The word in policies and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Power::Tighten => "tighten",
            Power::Fill => "fill",
            Power::Full => "full",
        }
    }
}

impl LayerKind {
    /// All, the upper first.
    pub const ALL: [LayerKind; 3] = [LayerKind::Org, LayerKind::User, LayerKind::Project];

    /// The word in policies, log and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            LayerKind::Org => "org",
            LayerKind::User => "user",
            LayerKind::Project => "project",
        }
    }
}

impl Policy {
    /// Whether a `[tool]` row of this layer, or of one above it, describes the tool.
    #[must_use]
    pub fn describes(&self, tool: &ToolName, to: LayerKind) -> bool {
        self.tools.iter().any(|row| row.layer <= to && row.tool == *tool)
    }

    /// Whether the policy describes the tool as one that only reads files. A project's word, which
    /// an agent may have written, does not count for that, but against it.
    #[must_use]
    pub fn only_reads(&self, tool: &ToolName) -> bool {
        let rows = || self.tools.iter().filter(|row| row.tool == *tool);
        rows().any(|row| row.layer < LayerKind::Project && !row.arguments.is_empty())
            && rows().flat_map(|row| &row.arguments).all(|(verb, _)| *verb == Verb::Read)
    }

    /// Whether a decision depends on what the session did before, or changes it.
    #[must_use]
    pub fn keeps_state(&self) -> bool {
        !self.labels.bits.is_empty()
            || !self.limits.is_empty()
            || !self.budgets.is_empty()
            || self.layers.iter().any(|layer| layer.rules.keep_state())
    }
}

impl Marks {
    /// Whether it does nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.taints.is_empty() && self.unmarks.is_empty() && self.proofs.is_empty()
    }
}

impl Rule {
    /// Whether it reads or changes the session's labels or counts.
    #[must_use]
    pub fn keeps_state(&self) -> bool {
        !self.marks.is_empty() || self.limit.is_some() || !self.when.is_empty()
    }

    /// Whether what it says depends on its `match` alone: it has no exception, condition, limit or
    /// end, and is enforced.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let excepts = match &self.scope.targets {
            Targets::Paths { unless, .. } => !unless.is_empty(),
            Targets::Exec { unless, .. } => !unless.is_empty(),
            Targets::Connect { unless, .. } => !unless.is_empty(),
            Targets::Call { unless, .. } => !unless.is_empty(),
            Targets::Output { .. } => false,
        };
        let bound = excepts || self.limit.is_some() || self.until.is_some() || self.shadow;
        !bound && self.when.is_empty()
    }

    /// Whether it has ended by itself.
    #[must_use]
    pub fn has_lapsed(&self, now: Moment) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// The effect, if it decides anything before the tool runs.
    #[must_use]
    pub fn effect(&self) -> Option<Effect> {
        match (self.says, &self.scope.targets) {
            (_, Targets::Output { .. }) | (Says::Redact | Says::Note, _) => None,
            (Says::Effect(effect), _) => Some(effect),
        }
    }
}
