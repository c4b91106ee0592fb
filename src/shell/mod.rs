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
use shuck_parser::parser::{ParseStatus, Parser};
use shuck_parser::{ShellDialect, ShellProfile};
use std::cell::Cell;

/// How often one call's bytes may be read again for the texts nested in them.
const REREAD_MAX: usize = 16;

/// The parser's own bound on its steps; a text of `SHELL_BYTES_MAX` takes far fewer.
const FUEL: usize = 1_000_000;
/// How deep a text may nest that stands in many others.
const NESTED_DEPTH: usize = 8;

/// What one substitution in another takes from the depth that is left. Each is read by a parser of
/// its own, whose stack comes on top of those around it.
const SUBSTITUTION_COST: usize = 6;

/// Reads a shell text whole. `level` counts the texts it is nested in (`sh -c 'sh -c ...'`): the
/// deeper a text lies, the less it may nest itself, for every level adds to one stack.
///
/// # Errors
/// A doubt, if any of it is not understood or a bound is met.
pub fn parse(text: &str, level: usize) -> Result<Script, Doubt> {
    let budget = Cell::new(SHELL_BYTES_MAX * REREAD_MAX);
    let halved = u32::try_from(level).ok().and_then(|level| SHELL_DEPTH_MAX.checked_shr(level));
    parse_within(text, halved.unwrap_or_default().max(NESTED_DEPTH), &budget)
}

/// Reads a text nested in another: `depth` levels are left, `budget` bytes may still be read.
fn parse_within(text: &str, depth: usize, budget: &Cell<usize>) -> Result<Script, Doubt> {
    if depth == 0 {
        return Err(Doubt::Limit("shell nesting"));
    }
    let left = budget.get().checked_sub(text.len()).ok_or(Doubt::Limit("shell bytes"))?;
    budget.set(left);
    hygiene::check_bounds(text)?;
    let profile = ShellProfile::native(ShellDialect::Bash);
    let parsed = Parser::with_limits_and_profile(text, depth, FUEL, profile).parse();
    if parsed.status != ParseStatus::Clean {
        let why = match (&parsed.terminal_error, parsed.diagnostics.first()) {
            (Some(error), _) => error.to_string(),
            (None, Some(diagnostic)) => diagnostic.message.clone(),
            (None, None) => "it is no shell text".to_owned(),
        };
        return Err(Doubt::Unparsable(why));
    }
    let lowering = lower::Lowering::new(text, depth, budget);
    let script = lowering.sequence(&parsed.file.body)?;
    hygiene::check_operators(text, &lowering.quoted_bodies())?;
    hygiene::check_characters(text, &lowering.quoted_bodies())?;
    Ok(script)
}
