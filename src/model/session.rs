//! What is remembered of a session, as one decision sees it.
//!
//! The store (`session/`) keeps it and makes one of these for the policy in force; the decision
//! only reads it. What the decision would change comes back in the decision itself.

use super::time::Moment;
use std::collections::BTreeSet;

/// The state of the session that a call belongs to, at the moment the call is judged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Session {
    /// When the call is judged.
    pub now: Moment,
    /// Every label the session has.
    pub labels: BTreeSet<String>,
    /// The same as bits, for the labels that the policy in force names as they stand.
    pub bits: u64,
    /// How much of each limit of the policy is used, by the limit's place in the policy. A limit
    /// that is missing here counts as used up.
    pub used: Vec<f64>,
    /// What the session has spent of its budget.
    pub spent: Spent,
}

/// What a session has spent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spent {
    /// Calls that were not refused.
    pub calls: u64,
    /// Since the session was first seen, in microseconds.
    pub wall_us: i64,
    /// What tools brought back, in bytes.
    pub output_bytes: u64,
    /// What the transcript tells; nothing where no plane has read one.
    pub transcript: Option<Transcript>,
}

/// What is estimated from the transcript that the runtime keeps. The agent can write to it.
#[derive(Debug, Clone, PartialEq)]
pub enum Transcript {
    /// It was read.
    Read {
        /// Answers of the model.
        turns: u64,
        /// What they cost, in US dollars, by list prices.
        cost_usd: f64,
        /// The models that answered.
        models: BTreeSet<String>,
    },
    /// It could not be read, with the reason: everything counts as spent.
    Unreadable(String),
}
