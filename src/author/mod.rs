//! Everything for the person who writes policy. All that judges is `decide` again, in a frozen
//! world, so it cannot disagree with what is enforced.

pub mod call;
pub mod check;
pub mod eval;
pub mod fix;
pub mod format;
mod lint;
pub mod rewrite;
pub mod run;
