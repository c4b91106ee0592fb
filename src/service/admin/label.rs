//! Labels that an operator sets and removes (policy language §11.20).
//!
//! A label may open what was closed, so the gate writes the change to the log before it makes it.

use crate::session;
use serde::{Deserialize, Serialize};

/// A label to add to a session, or to take from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelChange {
    /// The session, as the runtime names it.
    pub session: String,
    /// What to do.
    pub change: Change,
    /// The label, with its key if it has one: `approved:T1`.
    pub label: String,
}

/// What to do with a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Set it.
    Add,
    /// Take it away.
    Remove,
}

impl Change {
    /// The word in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Change::Add => "add",
            Change::Remove => "remove",
        }
    }
}

impl LabelChange {
    /// The operator's wish, as the gate takes it.
    pub(super) fn wished(&self, by: u32) -> session::LabelChange {
        let LabelChange { session, change, label } = self.clone();
        session::LabelChange { session, add: change == Change::Add, label, by }
    }
}
