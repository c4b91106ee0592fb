//! What the engine says of a whole call, and what must be done with it.

use super::access::{Access, Verb};
use super::effect::{Effect, Verdict};
use super::json::Json;
use super::record::CaptureLevel;
use super::truth::Truth;

/// What the engine says of a whole call. Pure data: the same policy and facts give the same one.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Decision {
    /// What it comes to, with `unattended` already applied.
    pub verdict: Verdict,
    /// What it was before `unattended` was applied.
    pub attended_verdict: Verdict,
    /// Why, in one or two sentences for the agent and the person behind it.
    pub reason: String,
    /// What the verdict rests on.
    pub basis: Basis,
    /// The rules that spoke, strictest first; of the same strictness, the most telling first.
    pub rules: Vec<Fired>,
    /// Every access, with its own verdict.
    pub accesses: Vec<Judged>,
    /// What must be done with the answer, whatever the verdict.
    pub obligations: Vec<Obligation>,
    /// What the call takes of the limits, if it is admitted: all of it or nothing.
    pub reservations: Vec<Reservation>,
    /// How much of the call the log keeps: the least that a rule which spoke wants.
    pub capture: CaptureLevel,
    /// The policy that was in force.
    pub policy: PolicyId,
}

impl Decision {
    /// What is to stand in the place of an output, and because of what.
    #[must_use]
    pub fn replaced_output(&self) -> Option<(&Json, &[String])> {
        self.obligations.iter().find_map(|obligation| match obligation {
            Obligation::ReplaceOutput { output, because } => Some((output, because.as_slice())),
            Obligation::ReplaceInput(_) | Obligation::Mark { .. } | Obligation::Unmark(_) => None,
        })
    }
}

/// What a verdict rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// One or more rules.
    Rule,
    /// The policy's `default` or `opaque`: no rule spoke.
    Default,
    /// `unattended`: nobody was there to be asked.
    Unattended,
    /// A floor that no policy can switch off (architecture, invariant 8).
    BuiltIn,
    /// A rule's limit: its `over` spoke.
    Limit,
    /// A budget of the session is spent.
    Budget,
    /// Something failed, so the call was refused.
    Failsafe,
}

/// One rule that spoke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fired {
    /// The rule's id.
    pub id: String,
    /// What it says.
    pub effect: Effect,
    /// The verb of the access it spoke of first; nothing for an output.
    pub verb: Option<Verb>,
    /// Whether it matched, or may have.
    pub truth: Truth,
    /// The file it stands in.
    pub file: String,
    /// Its line there, from 1; 0 for a built-in one.
    pub line: usize,
    /// Its `why`, if it has one.
    pub why: Option<String>,
    /// True for a rule in shadow mode: it is told, never enforced.
    pub shadow: bool,
}

/// One access and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The access.
    pub access: Access,
    /// What was concluded of it alone.
    pub verdict: Verdict,
}

/// What must be done with an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Obligation {
    /// Replace the tool's output by this, which has the tool's own shape.
    ReplaceOutput {
        /// The new output.
        output: Json,
        /// The detectors that fired, by id, or the rule that withheld it.
        because: Vec<String>,
    },
    /// Replace the tool's input by this; it has been judged again, whole.
    ReplaceInput(Json),
    /// Set a label on the session.
    Mark {
        /// The label.
        label: String,
        /// It loosens, so it lands only if nothing took it away since its call was admitted.
        proof: bool,
    },
    /// Remove a label from the session.
    Unmark(String),
}

/// What a call takes of one limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Reservation {
    /// The limit, by its place in the policy.
    pub limit: usize,
    /// The rule it belongs to, by which the count is kept.
    pub rule: String,
    /// How much.
    pub amount: f64,
}

/// Which policy was in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyId {
    /// `name@version` of the policy.
    pub name: String,
    /// SHA-256 over the merged policy text, in lower-case hexadecimal.
    pub sha256: String,
}
