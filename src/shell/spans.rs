//! Where the parser saw the nested constructs of a word: start to end, in bytes.
//!
//! The word reader needs to know where a `$(` ends, which only a whole grammar can tell (a `)` may
//! stand in a comment or a `case`). The parser knows; everything else about the word is read anew.

use std::ops::Range;

/// Every nested construct by its place, and whether it is arithmetic: `$((` may also open a
/// substitution whose first command is a subshell.
#[derive(Debug, Default)]
pub(super) struct Spans(Vec<(Range<usize>, bool)>);

impl Spans {
    /// Where the construct that starts at `start` ends.
    pub(super) fn end_of(&self, start: usize) -> Option<usize> {
        self.at(start).map(|(span, _)| span.end)
    }

    /// Whether arithmetic starts at `start`.
    pub(super) fn is_arithmetic(&self, start: usize) -> bool {
        self.at(start).is_some_and(|(_, arithmetic)| *arithmetic)
    }

    /// One more construct; of two that start alike the later one counts.
    pub(super) fn insert(&mut self, span: Range<usize>, arithmetic: bool) {
        let place = self.0.partition_point(|(known, _)| known.start < span.start);
        match self.0.get_mut(place) {
            Some(known) if known.0.start == span.start => *known = (span, arithmetic),
            _ => self.0.insert(place, (span, arithmetic)),
        }
    }

    fn at(&self, start: usize) -> Option<&(Range<usize>, bool)> {
        let place = self.0.partition_point(|(known, _)| known.start < start);
        self.0.get(place).filter(|(span, _)| span.start == start)
    }
}
