//! A pattern over one text without structure: literal characters, `*` and `?`.

/// Literal characters, `*` for any run and `?` for any one; `\` escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPattern {
    parts: Vec<Part>,
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
        TextPattern { parts }
    }

    /// The text it stands for, if it stands for one only.
    #[must_use]
    pub fn literal(&self) -> Option<String> {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Char(c) => Some(*c),
                Part::Any | Part::Run => None,
            })
            .collect()
    }

    /// Whether `text` is one of the texts it stands for. Linear in text times pattern.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        // The set of pattern positions that the text read so far can stand at.
        let mut at = vec![false; self.parts.len() + 1];
        if let Some(first) = at.first_mut() {
            *first = true;
        }
        self.close(&mut at);
        for c in text.chars() {
            let mut next = vec![false; self.parts.len() + 1];
            for (index, part) in self.parts.iter().enumerate() {
                if !at.get(index).copied().unwrap_or_default() {
                    continue;
                }
                let target = match part {
                    Part::Run => index,
                    Part::Any => index + 1,
                    Part::Char(expected) if *expected == c => index + 1,
                    Part::Char(_) => continue,
                };
                if let Some(slot) = next.get_mut(target) {
                    *slot = true;
                }
            }
            self.close(&mut next);
            at = next;
        }
        at.last().copied().unwrap_or_default()
    }

    /// Whether some text that begins with `prefix` could match.
    #[must_use]
    pub fn could_match_with_prefix(&self, prefix: &str) -> bool {
        let mut chars = prefix.chars();
        for part in &self.parts {
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

    /// A `*` may stand for nothing: whoever stands before one also stands after it.
    fn close(&self, at: &mut [bool]) {
        for (index, part) in self.parts.iter().enumerate() {
            if *part == Part::Run
                && at.get(index).copied().unwrap_or_default()
                && let Some(slot) = at.get_mut(index + 1)
            {
                *slot = true;
            }
        }
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
            ("a?c", "abc", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
        ] {
            assert_eq!(TextPattern::parse(pattern).matches(text), expected, "{pattern} {text}");
        }
        assert!(TextPattern::parse("ab*").could_match_with_prefix("a"));
        assert!(!TextPattern::parse("ab").could_match_with_prefix("abc"));
        assert!(!TextPattern::parse("ab*").could_match_with_prefix("b"));
    }

    #[test]
    fn many_stars_stay_linear() {
        let pattern = TextPattern::parse(&"*a".repeat(200));
        assert!(!pattern.matches(&"b".repeat(20_000)));
    }
}
