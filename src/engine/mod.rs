//! The decision: pure and total. The same policy and facts give the same decision, always.
//!
//! `ask` is what one rule means; `judge` concludes for one access over the layers; `decide` for the
//! whole call; `limits`, `marks` and `condition` are its session's part; `output` says what must be
//! done with what came back; `explain` tells how all of it came about. The strictest stands at
//! every step, so order never matters.

mod ask;
mod condition;
mod decide;
mod explain;
mod judge;
mod lanes;
mod limits;
mod marks;
pub mod oracle;
mod output;
pub mod reach;
mod reason;
mod short;
mod told;

use crate::model::access::Access;
use crate::model::facts::Facts;
use crate::model::truth::Truth;
use crate::policy::pattern::exec::Writable;
use crate::policy::rule::Rule;

pub use decide::{Ruling, decide, rule, tell};
pub use explain::{
    Base, Candidate, ConditionAnswer, Drawn, ExplainedAccess, ExplainedLayer, Explanation,
    Fallback, LaneAnswer, PatternAnswer, explain,
};
pub use output::finds;
pub use told::{Answer, Told};

/// What a rule answers to one access: what examples ask.
pub fn answer(rule: &Rule, access: &Access, facts: &Facts, writable: &Writable) -> Truth {
    ask::ask(rule, access, &ask::Context { facts, writable }).truth
}
