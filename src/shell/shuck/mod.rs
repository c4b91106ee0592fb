//! shuck, behind our own trait: the only place that knows its tree.

mod lower;
mod redirect;
mod spans;
mod tokens;

use super::frontend::{Frontend, Parsed, Reading};
use crate::model::doubt::Doubt;
use shuck_parser::parser::{ParseStatus, Parser};
use shuck_parser::{ShellDialect, ShellProfile};

/// The parser's own bound on its steps; a text of `SHELL_BYTES_MAX` takes far fewer.
const FUEL: usize = 1_000_000;

/// The parser of choice: the fastest of five, and the one that splits words as bash does.
pub(super) struct Shuck;

impl Frontend for Shuck {
    fn read(&self, text: &str, reading: Reading<'_>) -> Result<Parsed, Doubt> {
        let profile = ShellProfile::native(ShellDialect::Bash);
        // It cuts some texts inside of a character and panics (a backquote between quotes, before
        // a letter of several bytes). Nothing of ours is touched meanwhile: what it leaves is lost.
        let parser = || Parser::with_limits_and_profile(text, reading.depth, FUEL, profile).parse();
        let Ok(parsed) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(parser)) else {
            return Err(Doubt::Unparsable("the parser failed on it".to_owned()));
        };
        if parsed.status != ParseStatus::Clean {
            let why = match (&parsed.terminal_error, parsed.diagnostics.first()) {
                (Some(error), _) => error.to_string(),
                (None, Some(diagnostic)) => diagnostic.message.clone(),
                (None, None) => "it is no shell text".to_owned(),
            };
            return Err(bound_in(&why).map_or(Doubt::Unparsable(why), Doubt::Limit));
        }
        let lowering = lower::Lowering::new(text, reading);
        let script = lowering.sequence(&parsed.file.body)?;
        Ok(Parsed { script, quoted_bodies: lowering.quoted.into_inner() })
    }
}

/// The bound that the parser met, as it tells it: no text that it merely cannot read.
fn bound_in(why: &str) -> Option<&'static str> {
    let bounds = [
        ("AST nesting too deep", "shell nesting"),
        ("parser fuel exhausted", "parser steps"),
        ("chain too long", "shell nesting"),
    ];
    bounds.iter().find(|(told, _)| why.contains(told)).map(|(_, name)| *name)
}
