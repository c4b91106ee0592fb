//! What is refused before or beside the parser: size, nesting, characters that mislead.
//!
//! The parser recurses and a stack overflow cannot be caught, so brackets are counted first, blind
//! to quoting: a text that nests deeper even as plain characters is not read at all. Control,
//! bidirectional and invisible characters make what a person reads differ from what a shell runs;
//! they may stand only in the body of a quoted here-document, which is data.

use crate::limits::{SHELL_BYTES_MAX, SHELL_DEPTH_MAX};
use crate::model::doubt::Doubt;
use std::ops::Range;

/// Refuses a text that is too long, too deep, or holds NUL.
pub(super) fn check_bounds(text: &str) -> Result<(), Doubt> {
    if text.len() > SHELL_BYTES_MAX {
        return Err(Doubt::Limit("shell bytes"));
    }
    if text.contains('\0') {
        return Err(Doubt::StrangeCharacter('\0'));
    }
    let mut depth = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'(' | b'{' | b'[' => depth += 1,
            b')' | b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > SHELL_DEPTH_MAX {
            return Err(Doubt::Limit("shell nesting"));
        }
    }
    let mut run = 0_usize;
    // Each of these takes what follows it for its own, and the parser counts none of them.
    for word in text.split(|c: char| c.is_whitespace() || c == '\\').filter(|w| !w.is_empty()) {
        let nests = matches!(word, "time" | "-p" | "--" | "!" | "coproc") || word.ends_with("()");
        run = if nests { run + 1 } else { 0 };
        if run > SHELL_DEPTH_MAX {
            return Err(Doubt::Limit("shell nesting"));
        }
    }
    Ok(())
}

/// How deep a text could nest at most, whatever in it is quoted: everything counts that a parser
/// could recurse on. Prose comes to much more than it nests, so this refuses nothing; it tells
/// which texts want a deep stack.
#[must_use]
pub fn nesting(text: &str) -> usize {
    const KEYWORDS: [&str; 10] =
        ["if", "for", "while", "until", "case", "select", "time", "coproc", "function", "else"];
    let brackets = text.bytes().filter(|byte| b"({[`!".contains(byte)).count();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    brackets + words.filter(|word| KEYWORDS.contains(word)).count()
}

/// Refuses a continued line in the midst of an operator, which the parser reads as two.
pub(super) fn check_operators(text: &str, quoted: &[Range<usize>]) -> Result<(), Doubt> {
    let operator = |c: Option<char>| c.is_some_and(|c| "<>&|;()$`".contains(c));
    let mut passed = 0;
    for (at, _) in text.match_indices("\\\n") {
        // Of several in a row the first speaks for all.
        if at < passed {
            continue;
        }
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at..).unwrap_or_default().trim_start_matches("\\\n");
        passed = text.len() - after.len();
        if operator(before.chars().next_back())
            && operator(after.chars().next())
            && !quoted.iter().any(|body| body.contains(&at))
        {
            return Err(super::word::continued());
        }
    }
    Ok(())
}

/// Refuses strange characters outside `quoted`, the bodies of quoted here-documents.
pub(super) fn check_characters(text: &str, quoted: &[Range<usize>]) -> Result<(), Doubt> {
    for (at, c) in text.char_indices() {
        if is_strange(c) && !quoted.iter().any(|body| body.contains(&at)) {
            return Err(Doubt::StrangeCharacter(c));
        }
    }
    Ok(())
}

fn is_strange(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}' => true,
        '\u{2060}'..='\u{2069}' | '\u{061c}' | '\u{180e}' | '\u{feff}' => true,
        '\u{e0000}'..='\u{e007f}' => true,
        c => c.is_control(),
    }
}
