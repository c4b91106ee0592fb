//! Everything for the person who writes policy. All that judges is `decide` again, in a frozen
//! world, so it cannot disagree with what is enforced.

pub mod call;
pub mod check;
pub mod eval;
pub mod explain;
pub mod fix;
pub mod format;
pub mod groups;
pub mod import;
pub mod line;
mod lint;
pub mod nearest;
pub mod report;
pub mod rewrite;
pub mod run;
pub mod session;
pub mod show;
mod why;
