//! A pattern over one text without structure: literal characters, `*` and `?`.
//!
//! Asking allocates nothing: the last `*` alone is ever tried again, so the time is at most the
//! product of text and pattern.

use super::literal::Literal;

mod cover;

/// Literal characters, `*` for any run and `?` for any one; `\` escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPattern {
    shape: Shape,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    /// This very text.
    Plain(Box<str>),
    Wild(Box<[Part]>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Char(char),
    Any,
    Run,
}

impl TextPattern {
    /// Reads a pattern; every text is one.
    #[must_use]
    pub fn parse(pattern: &str) -> TextPattern {
        let mut parts = Vec::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => parts.push(Part::Char(chars.next().unwrap_or('\\'))),
                '*' if parts.last() == Some(&Part::Run) => {}
                '*' => parts.push(Part::Run),
                '?' => parts.push(Part::Any),
                other => parts.push(Part::Char(other)),
            }
        }
        let plain = parts.iter().map(|part| part.literal()).collect::<Option<String>>();
        let shape = match plain {
            Some(text) => Shape::Plain(text.into()),
            None => Shape::Wild(parts.into()),
        };
        TextPattern { shape }
    }

    /// Whether it is `*` alone, which every text is.
    pub(crate) fn is_any(&self) -> bool {
        matches!(&self.shape, Shape::Wild(parts) if parts.as_ref() == [Part::Run])
    }

    /// Some text that it stands for.
    pub(crate) fn example(&self) -> String {
        match &self.shape {
            Shape::Plain(text) => text.to_string(),
            Shape::Wild(parts) => parts.iter().map(|part| part.literal().unwrap_or('x')).collect(),
        }
    }

    /// The text it stands for, if it stands for one only.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        match &self.shape {
            Shape::Plain(text) => Some(text),
            Shape::Wild(_) => None,
        }
    }

    /// What is literal at its ends, for an index; of a text without wildcards, nothing.
    pub(crate) fn ends(&self) -> Literal {
        let parts = match &self.shape {
            Shape::Plain(_) => &[][..],
            Shape::Wild(parts) => parts,
        };
        Literal::of(parts, |part| part.literal(), |part| *part == Part::Run)
    }

    /// Whether `text` is one of the texts it stands for.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match &self.shape {
            Shape::Plain(plain) => **plain == *text,
            Shape::Wild(parts) => fits(parts, text.chars()),
        }
    }

    /// The same for a text that is put together on the way.
    #[must_use]
    pub fn matches_chars(&self, text: impl Iterator<Item = char> + Clone) -> bool {
        match &self.shape {
            Shape::Plain(plain) => plain.chars().eq(text),
            Shape::Wild(parts) => fits(parts, text),
        }
    }

    /// Whether some text that begins with `prefix` could match.
    #[must_use]
    pub fn could_match_with_prefix(&self, prefix: &str) -> bool {
        let parts = match &self.shape {
            Shape::Plain(plain) => return plain.starts_with(prefix),
            Shape::Wild(parts) => parts,
        };
        let mut chars = prefix.chars();
        for part in parts {
            match part {
                Part::Run => return true,
                Part::Any => {
                    if chars.next().is_none() {
                        return true;
                    }
                }
                Part::Char(expected) => match chars.next() {
                    None => return true,
                    Some(c) if c == *expected => {}
                    Some(_) => return false,
                },
            }
        }
        chars.next().is_none()
    }
}

impl Part {
    fn literal(self) -> Option<char> {
        match self {
            Part::Char(c) => Some(c),
            Part::Any | Part::Run => None,
        }
    }
}

fn fits(parts: &[Part], mut left: impl Iterator<Item = char> + Clone) -> bool {
    let mut at = 0;
    let mut again = None;
    loop {
        let mut ahead = left.clone();
        let fits = match (parts.get(at), ahead.next()) {
            (None, None) => return true,
            (Some(Part::Run), _) => {
                at += 1;
                again = Some((at, left.clone()));
                continue;
            }
            (Some(Part::Any), Some(_)) => true,
            (Some(Part::Char(expected)), Some(c)) => *expected == c,
            (None, Some(_)) | (Some(_), None) => false,
        };
        if fits {
            at += 1;
            left = ahead;
            continue;
        }
        let Some((part, rest)) = &mut again else { return false };
        if rest.next().is_none() {
            return false;
        }
        at = *part;
        left = rest.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::TextPattern;

    #[test]
    fn matching() {
        for (pattern, text, expected) in [
            ("push", "push", true),
            ("push", "pushed", false),
            ("--force*", "--force-with-lease", true),
            ("mkfs.*", "mkfs.ext4", true),
            ("mkfs.*", "mkfs", false),
            ("*", "", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXbXb", false),
            ("a*bc", "abcbc", true),
            ("*aab", "aaaab", true),
            ("a?c", "abc", true),
            ("a?", "a", false),
            ("?*", "", false),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("é?", "éü", true),
        ] {
            let read = TextPattern::parse(pattern);
            assert_eq!(read.matches(text), expected, "{pattern} {text}");
            assert_eq!(read.matches_chars(text.chars()), expected, "{pattern} {text}");
        }
        assert!(TextPattern::parse("ab*").could_match_with_prefix("a"));
        assert!(TextPattern::parse("ab").could_match_with_prefix("ab"));
        assert!(!TextPattern::parse("ab").could_match_with_prefix("abc"));
        assert!(!TextPattern::parse("ab*").could_match_with_prefix("b"));
    }

    /// By the rules of a set of positions, which is what it was before.
    fn reference(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), None) => reference(rest, text),
            (Some(('*', rest)), Some((_, later))) => {
                reference(rest, text) || reference(pattern, later)
            }
            (Some(('?', rest)), Some((_, later))) => reference(rest, later),
            (Some((p, rest)), Some((t, later))) if p == t => reference(rest, later),
            _ => false,
        }
    }

    proptest::proptest! {
        #[test]
        fn it_is_as_the_rules_have_it(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            let read = TextPattern::parse(&pattern).matches(&text);
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            proptest::prop_assert_eq!(read, reference(&chars(&pattern), &chars(&text)));
        }
    }

    #[test]
    fn many_stars_stay_linear() {
        let pattern = TextPattern::parse(&"*a".repeat(200));
        assert!(!pattern.matches(&"b".repeat(20_000)));
        assert!(
            !TextPattern::parse(&format!("{}b", "*a".repeat(200))).matches(&"a".repeat(20_000))
        );
    }
}
