//! What was written of conditions, limits and budgets.

use super::At;
use crate::model::effect::Effect;
use std::time::Duration;

/// One condition of a rule's `when`.
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionText {
    /// What is asked for: `seen`, `agent`, `args.NAME` ...
    pub key: At<String>,
    /// What it must be.
    pub test: At<Tested>,
}

/// What a value must be.
#[derive(Debug, Clone, PartialEq)]
pub enum Tested {
    /// A text, or a comparison such as `<= 500`.
    Text(String),
    /// This number.
    Number(f64),
    /// This.
    Bool(bool),
    /// `{ regex = "..." }`
    Regex(String),
    /// `{ absent = true }`
    Absent(bool),
    /// Any of these.
    Any(Vec<Tested>),
}

/// `limit`, as written.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitText {
    /// The most there may be.
    pub max: f64,
    /// In what time.
    pub per: Per,
    /// The argument that is added up, without `args.`; else accesses are counted.
    pub sum: Option<String>,
    /// What is said of what goes over it.
    pub over: Effect,
    /// Whether the count is the user's, over all sessions.
    pub of_user: bool,
}

/// The time in which a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Per {
    /// Any minute.
    Minute,
    /// Any hour.
    Hour,
    /// Any 24 hours.
    Day,
    /// The whole session.
    Session,
}

/// `[budget]`, as written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BudgetText {
    /// Turns of the model.
    pub turns: Option<u64>,
    /// US dollars.
    pub cost_usd: Option<f64>,
    /// Time since the session's first call.
    pub wall: Option<Duration>,
    /// Calls that were not refused.
    pub calls: Option<u64>,
    /// Bytes that tools brought back.
    pub output_bytes: Option<u64>,
    /// Models that may be used.
    pub models: Option<Vec<String>>,
}

impl Per {
    /// The word in policies and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Per::Minute => "min",
            Per::Hour => "hour",
            Per::Day => "day",
            Per::Session => "session",
        }
    }
}
