//! From the text of a shell command to what the shell would do with it.
//!
//! `parse` reads a text into a [`ir::Script`]; `expand` turns its words into what the commands get.
//! The grammar is shuck's, behind `lower`; the words are read here, from the very bytes, because a
//! policy stands or falls with quoting. Nothing here may guess: a text that is not read whole is
//! [`Doubt::Unparsable`], and the caller makes that an unknown access of every verb.
//! The only caller is `facts::commands`. No I/O, no clock, no environment.

mod ansi;
mod braces;
pub mod expand;
mod hygiene;
pub mod ir;
mod lower;
mod spans;
#[cfg(test)]
mod tests;
pub mod vars;
mod word;

use crate::limits::{SHELL_BYTES_MAX, SHELL_DEPTH_MAX};
use crate::model::doubt::Doubt;
use ir::Script;
use std::cell::Cell;

/// How often one call's bytes may be read again for the texts nested in them.
const REREAD_MAX: usize = 16;

/// Reads a shell text whole.
///
/// # Errors
/// A doubt, if any of it is not understood or a bound is met.
pub fn parse(text: &str) -> Result<Script, Doubt> {
    let budget = Cell::new(SHELL_BYTES_MAX * REREAD_MAX);
    parse_within(text, SHELL_DEPTH_MAX, &budget)
}

/// Reads a text nested in another: `depth` levels are left, `budget` bytes may still be read.
fn parse_within(text: &str, depth: usize, budget: &Cell<usize>) -> Result<Script, Doubt> {
    if depth == 0 {
        return Err(Doubt::Limit("shell nesting"));
    }
    let left = budget.get().checked_sub(text.len()).ok_or(Doubt::Limit("shell bytes"))?;
    budget.set(left);
    hygiene::check_bounds(text)?;
    let parsed = shuck_parser::parser::Parser::new(text).parse();
    if parsed.status != shuck_parser::parser::ParseStatus::Clean {
        let why = match (&parsed.terminal_error, parsed.diagnostics.first()) {
            (Some(error), _) => error.to_string(),
            (None, Some(diagnostic)) => diagnostic.message.clone(),
            (None, None) => "it is no shell text".to_owned(),
        };
        return Err(Doubt::Unparsable(why));
    }
    let lowering = lower::Lowering::new(text, depth, budget);
    let script = lowering.sequence(&parsed.file.body)?;
    hygiene::check_characters(text, &lowering.quoted_bodies())?;
    Ok(script)
}
