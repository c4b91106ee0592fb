//! Whether one tool pattern covers another.

use super::CallPattern;
use crate::policy::pattern::cover::Cover;
use crate::policy::pattern::text::TextPattern;

impl Cover for CallPattern {
    fn covers_all_of(&self, other: &CallPattern) -> bool {
        if self.everything || other.everything {
            // What is not known is covered by `**` alone.
            return self.everything;
        }
        let covered = |name: &TextPattern| self.names.iter().any(|wide| wide.covers(name));
        other.names.iter().all(covered)
    }

    fn needs(&self) -> Vec<String> {
        let Some(name) = self.only() else { return Vec::new() };
        match name.literal() {
            Some(whole) => vec![format!("={whole}")],
            None => beginnings(name).pop().into_iter().collect(),
        }
    }

    fn has(&self) -> Vec<String> {
        let Some(name) = self.only() else { return Vec::new() };
        let whole = name.literal().map(|whole| format!("={whole}"));
        beginnings(name).into_iter().chain(whole).collect()
    }
}

impl CallPattern {
    fn only(&self) -> Option<&TextPattern> {
        match self.names.as_slice() {
            [only] if !self.everything => Some(only),
            _ => None,
        }
    }
}

/// Every text that the name begins with before its first wildcard, each longer than the one
/// before.
fn beginnings(name: &TextPattern) -> Vec<String> {
    let head: Vec<char> = name.head().chars().take(BEGINNING_CHARS).collect();
    (1..=head.len()).map(|end| head.iter().take(end).collect()).collect()
}

/// Characters by which names are told apart; longer names are compared.
const BEGINNING_CHARS: usize = 64;
