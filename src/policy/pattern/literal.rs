//! What of a pattern over one text is literal: by that an index finds it.

/// The text before the first wildcard, and that after the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Literal {
    /// How every text begins that matches.
    pub(crate) head: String,
    /// How every text ends that matches.
    pub(crate) tail: String,
    /// Between them stands one wildcard, for any text.
    one_run: bool,
}

impl Literal {
    /// Of a pattern with wildcards; `run` tells those that stand for any text.
    pub(super) fn of<P>(
        parts: &[P],
        literal: impl Fn(&P) -> Option<char>,
        run: impl Fn(&P) -> bool,
    ) -> Literal {
        let head: Vec<char> = parts.iter().map_while(&literal).collect();
        let tail: Vec<char> = parts.iter().rev().map_while(&literal).collect();
        let wild = parts.get(head.len()..parts.len() - tail.len()).unwrap_or_default();
        let one_run = matches!(wild, [only] if run(only));
        let (head, tail) = (head.into_iter().collect(), tail.into_iter().rev().collect());
        Literal { head, tail, one_run }
    }

    /// Whether every text that begins with the head matches.
    pub(crate) fn is_head(&self) -> bool {
        self.one_run && self.tail.is_empty()
    }

    /// Whether every text that ends in the tail matches.
    pub(crate) fn is_tail(&self) -> bool {
        self.one_run && self.head.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::pattern::text::TextPattern;

    #[test]
    fn both_ends() {
        for (pattern, head, tail, is_head, is_tail) in [
            ("ab*", "ab", "", true, false),
            ("ab?", "ab", "", false, false),
            ("ab*?", "ab", "", false, false),
            ("ab*c", "ab", "c", false, false),
            ("*ab", "", "ab", false, true),
            ("a*b*c", "a", "c", false, false),
            ("*ab*", "", "", false, false),
            ("*", "", "", true, true),
            ("é*\\*", "é", "*", false, false),
        ] {
            let ends = TextPattern::parse(pattern).ends();
            let got = (ends.head.as_str(), ends.tail.as_str(), ends.is_head(), ends.is_tail());
            assert_eq!(got, (head, tail, is_head, is_tail), "{pattern}");
        }
    }
}
