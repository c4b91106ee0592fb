//! `{a,b}` as text, expanded before a pattern is read.

use super::PatternError;
use crate::limits::PATTERN_BRACES_MAX;

/// Every text that `pattern`'s braces stand for, in order. `\` keeps the next character as it is.
///
/// A pair without a comma is left alone, as a shell leaves it.
///
/// # Errors
/// If a brace is not closed, or the texts would be more than [`PATTERN_BRACES_MAX`].
pub fn expand(pattern: &str) -> Result<Vec<String>, PatternError> {
    let mut done = Vec::new();
    let mut open = vec![pattern.to_owned()];
    while let Some(text) = open.pop() {
        match first_group(&text)? {
            None => done.push(text),
            Some(group) => {
                // Pushed last to first, so that they come off the stack in order.
                for choice in group.choices.iter().rev() {
                    open.push(format!("{}{choice}{}", group.before, group.after));
                }
            }
        }
        if done.len() + open.len() > PATTERN_BRACES_MAX {
            return Err(PatternError::new(format!(
                "the braces stand for more than {PATTERN_BRACES_MAX} patterns"
            ))
            .help("write fewer braces in one pattern, or split it into several entries"));
        }
    }
    Ok(done)
}

struct Group {
    before: String,
    choices: Vec<String>,
    after: String,
}

/// The first outermost group that has a comma.
fn first_group(text: &str) -> Result<Option<Group>, PatternError> {
    let mut depth = 0usize;
    let mut escaped = false;
    let mut start = 0usize;
    let mut choices: Vec<String> = Vec::new();
    let mut current = String::new();
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else {
            match c {
                '\\' => escaped = true,
                '{' => {
                    depth += 1;
                    if depth == 1 {
                        start = at;
                        continue;
                    }
                }
                '}' if depth > 0 => {
                    depth -= 1;
                    if depth == 0 && !choices.is_empty() {
                        choices.push(std::mem::take(&mut current));
                        let before = text.get(..start).unwrap_or_default().to_owned();
                        let after = text.get(at + 1..).unwrap_or_default().to_owned();
                        return Ok(Some(Group { before, choices, after }));
                    }
                    if depth == 0 {
                        current.clear();
                    }
                }
                ',' if depth == 1 => {
                    choices.push(std::mem::take(&mut current));
                    continue;
                }
                _ => {}
            }
        }
        if depth > 0 {
            current.push(c);
        }
    }
    if depth > 0 {
        return Err(PatternError::new("a `{` is not closed").help("close it, or write `\\{`"));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn expansion() {
        for (pattern, expected) in [
            ("a", vec!["a"]),
            ("{a,b}c", vec!["ac", "bc"]),
            ("git {a,b} {c,d}", vec!["git a c", "git a d", "git b c", "git b d"]),
            ("{a,{b,c}}", vec!["a", "b", "c"]),
            ("a{,x}", vec!["a", "ax"]),
            ("a{b}c", vec!["a{b}c"]),
            ("\\{a,b\\}", vec!["\\{a,b\\}"]),
            ("}", vec!["}"]),
        ] {
            assert_eq!(expand(pattern).unwrap(), expected, "{pattern}");
        }
        assert!(expand("{a,b").is_err());
        assert!(expand(&"{a,b}".repeat(20)).is_err());
        assert!(expand(&"{".repeat(100_000)).is_err());
    }
}
