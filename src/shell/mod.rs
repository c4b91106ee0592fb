//! From the text of a shell command to what the shell would do with it.
//!
//! `parse` reads a text into a [`ir::Script`]; `expand` turns its words into what the commands get.
//! The grammar is a parser's behind `frontend`; the words are read here, from the very bytes,
//! because a policy stands or falls with quoting. Nothing here may guess: a text that is not read
//! whole is [`Doubt::Unparsable`], and the caller makes that an unknown access of every verb.
//! The only caller is `facts::commands`. No I/O, no clock, no environment.

mod ansi;
mod braces;
pub mod expand;
mod frontend;
mod hygiene;
pub mod ir;
mod shuck;
mod spans;
#[cfg(test)]
mod tests;
pub mod vars;
mod word;

use crate::limits::{SHELL_BYTES_MAX, SHELL_DEPTH_MAX};
use crate::model::doubt::Doubt;
use frontend::Reading;
pub use hygiene::nesting;
use ir::Script;
use std::cell::Cell;

/// How often one call's bytes may be read again for the texts nested in them.
const REREAD_MAX: usize = 16;
/// How deep a text may nest that stands in many others.
const NESTED_DEPTH: usize = 8;

/// Reads a shell text whole. `level` counts the texts it is nested in (`sh -c 'sh -c ...'`): the
/// deeper a text lies, the less it may nest itself, for every level adds to one stack.
///
/// # Errors
/// A doubt, if any of it is not understood or a bound is met.
pub fn parse(text: &str, level: usize) -> Result<Script, Doubt> {
    let budget = Cell::new(SHELL_BYTES_MAX * REREAD_MAX);
    let halved = u32::try_from(level).ok().and_then(|level| SHELL_DEPTH_MAX.checked_shr(level));
    let depth = halved.unwrap_or_default().max(NESTED_DEPTH);
    Reading { parser: &shuck::Shuck, depth, budget: &budget }.whole(text)
}
