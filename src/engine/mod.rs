//! The decision: pure and total. The same policy and facts give the same decision, always.
//!
//! `judge` asks every rule of one access; `decide` concludes over accesses and layers; `output`
//! says what must be done with what came back. The strictest stands at every step, so order never
//! matters. This is the naive evaluator, a loop over rules; an index comes beside it, never
//! instead of it.

mod decide;
mod judge;
mod output;
mod reason;

pub use decide::decide;
pub use judge::{Answer, answers};
