//! Whether every text that one pattern stands for is one that another stands for.

use super::{Part, Shape, TextPattern};
use crate::policy::pattern::cover::sequence;

impl TextPattern {
    /// Whether every text that `other` stands for is one that this stands for.
    pub(crate) fn covers(&self, other: &TextPattern) -> bool {
        let takes = |wide: &Part, narrow: &Part| wide == narrow || *wide == Part::Any;
        match (&self.shape, &other.shape) {
            (_, Shape::Plain(text)) => self.matches(text),
            // A wildcard stands for more than one text.
            (Shape::Plain(_), Shape::Wild(_)) => false,
            (Shape::Wild(wide), Shape::Wild(narrow)) => {
                sequence(wide, narrow, |part| *part == Part::Run, |_| true, takes)
            }
        }
    }

    /// The text before the first wildcard.
    pub(crate) fn head(&self) -> String {
        match &self.shape {
            Shape::Plain(text) => text.to_string(),
            Shape::Wild(parts) => parts.iter().map_while(|part| part.literal()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::any;
    use proptest::{prop_assert, proptest};

    #[test]
    fn covering() {
        for (wide, narrow, expected) in [
            ("*", "abc", true),
            ("a*", "ab*", true),
            ("a*", "a", true),
            ("ab*", "a*", false),
            ("*b", "a*b", true),
            ("a*c", "a*b*c", true),
            ("a?c", "abc", true),
            ("a?c", "a*c", false),
            ("?*", "a*", true),
            ("a", "a", true),
            ("a", "?", false),
            ("??", "?", false),
            ("*aab", "aa*aab", true),
        ] {
            let read = TextPattern::parse;
            assert_eq!(read(wide).covers(&read(narrow)), expected, "{wide} {narrow}");
        }
    }

    proptest! {
        #[test]
        fn what_is_covered_matches(
            wide in "[ab*?]{0,6}",
            narrow in "[ab*?]{0,6}",
            texts in proptest::collection::vec("[ab]{0,6}", 20),
            same in any::<bool>(),
        ) {
            let wide = TextPattern::parse(&wide);
            let narrow = if same { wide.clone() } else { TextPattern::parse(&narrow) };
            prop_assert!(!same || wide.covers(&narrow));
            if wide.covers(&narrow) {
                for text in &texts {
                    prop_assert!(!narrow.matches(text) || wide.matches(text), "{text}");
                }
            }
        }
    }
}
