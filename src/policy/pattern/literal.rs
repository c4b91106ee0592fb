//! What of a pattern over one text is literal: by that an index finds it.

/// What a text must surely have so that a pattern can match it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Literal {
    /// It is this.
    Whole(String),
    /// It begins so; if that is `enough`, whatever does matches.
    Head { text: String, enough: bool },
    /// It ends so; if that is `enough`, whatever does matches.
    Tail { text: String, enough: bool },
    /// Neither of its ends is known.
    Nothing,
}

impl Literal {
    /// The longer of both ends of a pattern with wildcards. `run` tells those that stand for any
    /// text.
    pub(super) fn of<P>(
        parts: &[P],
        literal: impl Fn(&P) -> Option<char>,
        run: impl Fn(&P) -> bool,
    ) -> Literal {
        let head: String = parts.iter().map_while(&literal).collect();
        let tail: Vec<char> = parts.iter().rev().map_while(&literal).collect();
        let tail: String = tail.into_iter().rev().collect();
        let wild = parts.len() - head.chars().count() - tail.chars().count();
        let one_run = wild == 1 && parts.get(head.chars().count()).is_some_and(run);
        if head.is_empty() && tail.is_empty() {
            Literal::Nothing
        } else if head.len() >= tail.len() {
            Literal::Head { enough: one_run && tail.is_empty(), text: head }
        } else {
            Literal::Tail { enough: one_run && head.is_empty(), text: tail }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Literal;
    use crate::policy::pattern::text::TextPattern;

    #[test]
    fn the_longer_end() {
        let head = |text: &str, enough| Literal::Head { text: text.to_owned(), enough };
        let tail = |text: &str, enough| Literal::Tail { text: text.to_owned(), enough };
        for (pattern, expected) in [
            ("abc", Literal::Whole("abc".to_owned())),
            ("", Literal::Whole(String::new())),
            ("ab*", head("ab", true)),
            ("ab?", head("ab", false)),
            ("ab*?", head("ab", false)),
            ("ab*c", head("ab", false)),
            ("*ab", tail("ab", true)),
            ("a*bc", tail("bc", false)),
            ("a*b", head("a", false)),
            ("*ab*", Literal::Nothing),
            ("*", Literal::Nothing),
        ] {
            assert_eq!(TextPattern::parse(pattern).fixed(), expected, "{pattern}");
        }
    }
}
