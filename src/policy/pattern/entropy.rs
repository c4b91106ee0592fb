//! `{ entropy = 4.5, near = "password" }`: what looks drawn by a machine, where a word says so.
//!
//! A run is 16 or more letters, digits and `+ / - _` (base64, base64url, hex), with the `=` that
//! pad it. One pass, and of each run a window of bounded length: linear in the text. What was
//! replaced counts as one character of what stands before later runs, so that to replace again
//! changes nothing, and no rule's own name is taken for the word.

use super::fold::folded;
use super::{PatternError, check_text};
use crate::model::entropy::entropy;

/// The least length of a run, in characters.
const RUN_MIN: usize = 16;
/// How far before a run the word may begin, in characters.
const NEAR_CHARS: usize = 64;
/// The most `=` that pad a key.
const PADDING_MAX: usize = 2;
/// What stands for a replaced run in the text before the next one.
const REPLACED: char = '\u{fffc}';

/// Runs of much entropy, near a word or anywhere.
#[derive(Debug, Clone)]
pub struct HighEntropy {
    bits: f64,
    /// Without its case.
    near: Option<String>,
}

impl HighEntropy {
    /// Reads the least entropy, in bits for a character, and the word.
    ///
    /// # Errors
    /// If no text has such entropy, or no word can stand so near.
    pub fn new(bits: f64, near: Option<&str>) -> Result<HighEntropy, PatternError> {
        if !(0.0..=8.0).contains(&bits) {
            let message = format!("`entropy` is from 0 to 8 bits for a character, not {bits}");
            return Err(PatternError::new(message)
                .help("4.5 is usual: hex has at most 4, base64 at most 6"));
        }
        let near = near.map(|word| {
            check_text(word)?;
            match word.chars().count() {
                1..=NEAR_CHARS => Ok(word.chars().map(folded).collect()),
                0 => Err(PatternError::new("`near` names no word").help("write one, or remove it")),
                _ => {
                    Err(PatternError::new(format!("`near` has more than {NEAR_CHARS} characters"))
                        .help("no such word stands so near: write fewer"))
                }
            }
        });
        Ok(HighEntropy { bits, near: near.transpose()? })
    }

    /// The text with `mark`, which begins with `[`, in place of each run; nothing if there is none.
    /// `key` is the name of the member that holds the text, and counts as text before it.
    #[must_use]
    pub fn replace(&self, key: &str, text: &str, mark: &str) -> Option<String> {
        let mut clean = String::with_capacity(text.len());
        let mut before = format!("{key}\n");
        let (mut rest, mut found) = (text, false);
        while !rest.is_empty() {
            let is_mark = rest.starts_with(mark);
            let length = if is_mark { mark.len() } else { piece(rest) };
            let Some((piece, after)) = rest.split_at_checked(length.max(1)) else { break };
            rest = after;
            if is_mark {
                before.push(REPLACED);
                clean.push_str(mark);
                continue;
            }
            let begin = before.len();
            before.push_str(piece);
            if self.matches(piece, &before, begin) {
                before.truncate(begin);
                before.push(REPLACED);
                clean.push_str(mark);
                found = true;
            } else {
                clean.push_str(piece);
            }
        }
        // The loop stops early nowhere; were it to, what is left would still be there.
        clean.push_str(rest);
        found.then_some(clean)
    }

    /// Whether the piece, which begins at `begin` of `text` and ends it, is such a run.
    fn matches(&self, piece: &str, text: &str, begin: usize) -> bool {
        if piece.len() < RUN_MIN || !piece.starts_with(is_of_key) || entropy(piece) < self.bits {
            return false;
        }
        let Some(word) = &self.near else { return true };
        let before = text.get(..begin).unwrap_or_default();
        let from = before.char_indices().rev().nth(NEAR_CHARS - 1).map_or(0, |(at, _)| at);
        let near: String = text.get(from..).unwrap_or_default().chars().map(folded).collect();
        near.contains(word)
    }
}

/// The length of what stands first: a run, or all up to the next run or bracket.
fn piece(text: &str) -> usize {
    let body = text.len() - text.trim_start_matches(is_of_key).len();
    if body == 0 {
        let other = |(at, c): &(usize, char)| *at > 0 && (is_of_key(*c) || *c == '[');
        return text.char_indices().find(other).map_or(text.len(), |(at, _)| at);
    }
    let padding =
        text.bytes().skip(body).take(PADDING_MAX).take_while(|byte| *byte == b'=').count();
    body + padding
}

fn is_of_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::HighEntropy;
    use proptest::prelude::*;

    const KEY: &str = "q9Xv2LmT7bRz4KpWc8NfYs1HdJ6gUe3A";
    const SHA: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b";

    fn replaced(bits: f64, near: Option<&str>, key: &str, text: &str) -> Option<String> {
        HighEntropy::new(bits, near).unwrap().replace(key, text, "[redacted:r]")
    }

    #[test]
    fn what_is_drawn_is_found_near_the_word() {
        let far = ".".repeat(56);
        for (key, text, expected) in [
            ("", format!("password: {KEY}"), "password: [redacted:r]"),
            ("", format!("PassWord={KEY}==;"), "PassWord=[redacted:r];"),
            ("", format!("password\nis\n{KEY}\n"), "password\nis\n[redacted:r]\n"),
            ("", format!("é password é{KEY}é"), "é password é[redacted:r]é"),
            ("db_password", KEY.to_owned(), "[redacted:r]"),
            ("", format!("password{far}{KEY}"), &format!("password{far}[redacted:r]")),
            // The word and the key in one run.
            ("", format!("password/{KEY}"), "[redacted:r]"),
            ("", format!("password {KEY} {KEY}"), "password [redacted:r] [redacted:r]"),
            ("", format!("password [redacted:r] {KEY}"), "password [redacted:r] [redacted:r]"),
            ("", format!("[redacted password {KEY}"), "[redacted password [redacted:r]"),
        ] {
            let found = replaced(4.5, Some("Password"), key, &text);
            assert_eq!(found.as_deref(), Some(expected), "{key} {text}");
        }
        assert_eq!(replaced(4.5, None, "", KEY).as_deref(), Some("[redacted:r]"));
        assert_eq!(replaced(3.0, None, "", SHA).as_deref(), Some("[redacted:r]"));
        assert_eq!(replaced(4.0, None, "", "0123456789abcdef").as_deref(), Some("[redacted:r]"));
    }

    #[test]
    fn what_is_not_drawn_or_far_from_the_word_stays() {
        let far = format!("password{}{KEY}", ".".repeat(57));
        for (near, text) in [
            (Some("password"), KEY),
            (Some("password"), far.as_str()),
            // What comes after it is not before it.
            (Some("password"), &format!("{KEY} password")),
            (Some("password"), &format!("password {SHA}")),
            (None, SHA),
            (None, "the quick brown fox jumps over the lazy dog, and no password is told"),
            (None, "an-internationalization-of-counterrevolutionaries"),
            (None, "0123456789abcdef"),
            (None, ""),
            (None, "=================="),
        ] {
            assert_eq!(replaced(4.5, near, "", text), None, "{near:?} {text}");
        }
        // A run of 15 is none, however little is asked of it.
        assert_eq!(replaced(0.0, None, "", "0123456789abcde"), None);
    }

    #[test]
    fn what_no_text_can_have_is_refused() {
        for (bits, near) in [
            (-0.1, None),
            (8.1, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
            (4.5, Some("")),
            (4.5, Some(&*"p".repeat(65))),
            (4.5, Some("pass\u{200b}word")),
        ] {
            assert!(HighEntropy::new(bits, near).is_err(), "{bits} {near:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_matches_is_left(
            bits in 0.0..5.0_f64,
            near in proptest::option::of("[pP]w"),
            key in "(pw)?.{0,3}",
            text in "([A-Za-z0-9+/_-]{14,40}|pw|=|\\[redacted:pw-of-a-long-name\\]|.|\\s){0,12}",
        ) {
            let pattern = HighEntropy::new(bits, near.as_deref()).unwrap();
            let mark = "[redacted:pw-of-a-long-name]";
            if let Some(clean) = pattern.replace(&key, &text, mark) {
                prop_assert!(clean.contains(mark));
                prop_assert_eq!(pattern.replace(&key, &clean, mark), None);
            }
        }
    }
}
