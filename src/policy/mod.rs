//! From TOML text to a compiled policy, or to every mistake at once.
//!
//! The steps are files: `diagnostic` says what is wrong and where; `read` walks the spanned TOML
//! by the key table in `keys`; `document` is what was written; `pattern` is one syntax per verb;
//! `compile` binds names to places and yields the `Policy` that the engine asks; `written` and
//! `canonical` are for those who read a policy, and for its digest; `schema` tells editors what
//! `keys` has. Nothing here touches a file, a clock or the environment.

pub mod builtin;
pub mod canonical;
pub mod compile;
pub mod condition;
pub mod diagnostic;
pub mod document;
pub mod index;
pub mod keys;
pub mod label;
pub mod lint;
pub mod pattern;
mod read;
pub mod rule;
pub mod schema;
pub mod written;

pub use compile::{Source, compile};
pub use diagnostic::{Diagnostic, Severity};
pub use rule::{Policy, Rule};
