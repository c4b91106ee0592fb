//! What is remembered of sessions: labels, counts, budgets (policy language §3, §11.20-22).
//!
//! One lock for each user. Under it a call is judged by the state as it stands, and what the
//! decision sets, takes away and reserves is done at once, all of it or nothing: so calls that come
//! together never pass a limit that together they break. What a call changes stands in its record,
//! from which the state is built again at the next start (`replay`). What loosens, a proof, lands
//! only when its record stands in the log and its sender is shown to be the runtime.
//!
//! Nothing is forgotten that could tighten: where there is no room left, calls are refused.

mod change;
mod connect;
mod end;
mod key;
mod labels;
mod look;
mod operator;
mod replay;
mod store;
mod transcript;
mod user;
mod window;

pub use connect::Connects;
pub use key::{Key, SessionId, User};
pub use operator::{LabelChange, LabelError};
pub use replay::RebuildError;
pub use store::{Asked, Held, Outcome, Store};
pub use transcript::Counts;

#[cfg(test)]
mod tests;
