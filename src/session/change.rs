//! One change of state as the log has it, and all that is remembered, in parts.
//!
//! A change says what the call met (labels, budget) and what it did. What it did is applied from
//! here, when it happens and when the log is read again, so the two cannot disagree. Numbers count
//! one by one for each user: records may reach the log in another order, and are put back in this.
//! Unknown keys are errors: a newer toolgate may have written what an older one must not overlook.

use super::key::{Key, SessionId, User};
use super::transcript::Counts;
use super::window::{self, CounterId};
use crate::limits::{STATE_BEFORE_BYTES_MAX, STATE_BYTES_MAX};
use crate::model::json::Json;
use crate::model::session::{Session, Transcript};
use crate::model::time::Moment;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What one call met and did, or what an operator did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    /// Whose it is.
    pub(super) user: Option<u32>,
    pub(super) session: String,
    /// Its number among the user's changes.
    pub(super) seq: u64,
    /// When, in microseconds.
    pub(super) at: i64,
    /// What it met.
    #[serde(default, skip_serializing_if = "Before::is_nothing")]
    pub(super) before: Before,
    /// A call was admitted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) admitted: bool,
    /// Labels that the session got.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) marked: Vec<String>,
    /// Labels that it lost; `family:*` is every key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) unmarked: Vec<String>,
    /// Labels that a call proved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) proved: Vec<String>,
    /// What the call took of limits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) reserved: Vec<Reserved>,
    /// Bytes that a tool brought back.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) output_bytes: u64,
    /// The most that the transcript has told, if it is more than before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) transcript: Option<Told>,
    /// The session is over: it did what could not be remembered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) closed: bool,
}

/// What a decision rested on besides the call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Before {
    /// The labels that the policy names, as the bits it gives them, in hexadecimal.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) bits: String,
    /// The session's labels, as far as they fit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) labels: Vec<String>,
    /// How many did not.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(super) labels_more: usize,
    /// What was spent, if the policy has a budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) spent: Option<Spent>,
}

/// What a session had spent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Spent {
    pub(super) calls: u64,
    pub(super) wall_us: i64,
    pub(super) output_bytes: u64,
    /// Estimated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) transcript: Option<Told>,
    /// Why the transcript could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unreadable: Option<String>,
}

/// What a transcript told; all of it estimated.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) turns: u64,
    pub(super) cost_usd: f64,
    pub(super) models: BTreeSet<String>,
}

/// What was taken of one limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reserved {
    /// Which count it is.
    pub(super) counter: String,
    /// For the reader: the rule, cut short.
    pub(super) rule: String,
    pub(super) per: String,
    /// Whether the count is the user's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) of_user: bool,
    /// How much was used before.
    pub(super) used: f64,
    pub(super) amount: f64,
    /// The bucket that it was counted in.
    pub(super) bucket: i64,
}

/// A part of all that is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    /// Counts up with each writing.
    pub(super) snapshot: u64,
    /// From 0.
    pub(super) part: usize,
    /// How many there are.
    pub(super) of: usize,
    pub(super) items: Vec<Item>,
}

/// One thing that is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Item {
    /// A user, and the number of his last change in here.
    User { user: Option<u32>, seq: u64 },
    /// A session; one with many labels has several.
    Session {
        user: Option<u32>,
        session: String,
        first: i64,
        latest: i64,
        wall_us: i64,
        calls: u64,
        output_bytes: u64,
        #[serde(default)]
        closed: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transcript: Option<Told>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        labels: Vec<String>,
    },
    /// A count, of a session or of the user.
    Counter {
        user: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
        counter: String,
        per: String,
        buckets: Vec<(i64, f64)>,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

impl Change {
    pub(super) fn new(key: Key, seq: u64, now: Moment) -> Change {
        let Key { user: User(user), session } = key;
        Change { user, session: session.to_string(), seq, at: now.0, ..Change::default() }
    }

    /// Whose it is, if all of it can be understood.
    pub(super) fn key(&self) -> Option<Key> {
        let known = |one: &Reserved| {
            CounterId::parse(&one.counter).is_some() && window::per(&one.per).is_some()
        };
        let session =
            SessionId::parse(&self.session).filter(|_| self.reserved.iter().all(known))?;
        Some(Key { user: User(self.user), session })
    }

    /// The change as JSON; nothing if it is more than a record has room for.
    pub(super) fn to_json(&self) -> Option<Json> {
        let json = serde_json::to_value(self).ok()?;
        (json.to_string().len() <= STATE_BYTES_MAX).then_some(json)
    }
}

impl Item {
    /// Whose it is.
    pub(super) fn user(&self) -> User {
        match self {
            Item::User { user, .. } | Item::Session { user, .. } | Item::Counter { user, .. } => {
                User(*user)
            }
        }
    }
}

impl Before {
    /// What a decision meets.
    pub(super) fn of(session: &Session, has_budget: bool) -> Before {
        let mut room = STATE_BEFORE_BYTES_MAX;
        let fits = |label: &&String| {
            room = room.saturating_sub(label.len() + 3);
            room > 0
        };
        let labels: Vec<String> = session.labels.iter().take_while(fits).cloned().collect();
        let bits = match session.bits {
            0 => String::new(),
            bits => format!("{bits:x}"),
        };
        let labels_more = session.labels.len() - labels.len();
        let spent = has_budget.then(|| Spent::of(&session.spent));
        Before { bits, labels, labels_more, spent }
    }

    fn is_nothing(&self) -> bool {
        *self == Before::default()
    }
}

impl Spent {
    fn of(spent: &crate::model::session::Spent) -> Spent {
        let (transcript, unreadable) = match &spent.transcript {
            Some(Transcript::Read { turns, cost_usd, models }) => {
                let told = Told { turns: *turns, cost_usd: *cost_usd, models: models.clone() };
                (Some(told), None)
            }
            Some(Transcript::Unreadable(why)) => (None, Some(why.clone())),
            None => (None, None),
        };
        Spent {
            calls: spent.calls,
            wall_us: spent.wall_us,
            output_bytes: spent.output_bytes,
            transcript,
            unreadable,
        }
    }
}

impl From<&Counts> for Told {
    fn from(counts: &Counts) -> Told {
        let Counts { turns, cost_usd, models } = counts.clone();
        // JSON has no infinity; what costs that much costs more than any budget.
        Told { turns, cost_usd: cost_usd.min(f64::MAX), models }
    }
}

impl From<Told> for Counts {
    fn from(told: Told) -> Counts {
        let Told { turns, cost_usd, models } = told;
        Counts { turns, cost_usd, models }
    }
}
