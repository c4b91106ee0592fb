//! The parser, as the rest of the house sees it: what stands behind [`Frontend`] may be replaced.
//!
//! A parser is never handed a text as it came. Size and nesting are checked before, since it
//! recurses and a stack overflow cannot be caught; what misleads a reader is checked behind it. A
//! text in a text (`$(...)`) comes back here, so that it is guarded like the outermost.

use super::hygiene;
use super::ir::Script;
use crate::model::doubt::Doubt;
use std::cell::Cell;
use std::ops::Range;

/// What one substitution in another takes from the depth that is left. Each is read by a parser of
/// its own, whose stack comes on top of those around it.
const SUBSTITUTION_COST: usize = 6;

/// A parser of shell text.
pub(super) trait Frontend {
    /// Reads a whole text that was found to be within bounds, nesting no deeper than
    /// `reading.depth`. Texts nested in it go through `reading`.
    ///
    /// # Errors
    /// A doubt, if any of it is not understood: a tree read in part would be judged in part.
    fn read(&self, text: &str, reading: Reading<'_>) -> Result<Parsed, Doubt>;
}

/// A text as a parser read it.
pub(super) struct Parsed {
    pub(super) script: Script,
    /// Where the bodies of quoted here-documents lie: they are data.
    pub(super) quoted_bodies: Vec<Range<usize>>,
}

/// The reading of one call's text, as far as it has come.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) parser: &'a dyn Frontend,
    /// Levels that are left.
    pub(super) depth: usize,
    /// Bytes that may still be read.
    pub(super) budget: &'a Cell<usize>,
}

impl Reading<'_> {
    /// Reads a text whole.
    pub(super) fn whole(self, text: &str) -> Result<Script, Doubt> {
        if self.depth == 0 {
            return Err(Doubt::Limit("shell nesting"));
        }
        let left = self.budget.get().checked_sub(text.len());
        self.budget.set(left.ok_or(Doubt::Limit("shell bytes"))?);
        hygiene::check_bounds(text)?;
        let Parsed { script, quoted_bodies } = self.parser.read(text, self)?;
        hygiene::check_operators(text, &quoted_bodies)?;
        hygiene::check_characters(text, &quoted_bodies)?;
        Ok(script)
    }

    /// Reads a text that stands in the one being read.
    pub(super) fn nested(self, text: &str) -> Result<Script, Doubt> {
        let depth = self.depth.saturating_sub(SUBSTITUTION_COST);
        Reading { depth, ..self }.whole(text)
    }
}
