//! Whether one tool pattern covers another.

use super::CallPattern;
use crate::policy::pattern::cover::Cover;
use crate::policy::pattern::text::TextPattern;

impl Cover for CallPattern {
    fn covers(&self, other: &CallPattern) -> bool {
        if self.everything || other.everything {
            // What is not known is covered by `**` alone.
            return self.everything;
        }
        let covered = |name: &TextPattern| self.names.iter().any(|wide| wide.covers(name));
        other.names.iter().all(covered)
    }

    fn needs(&self) -> Vec<String> {
        match self.names.as_slice() {
            [only] if !self.everything => words(only),
            _ => Vec::new(),
        }
    }

    fn has(&self) -> Vec<String> {
        self.needs()
    }
}

/// The name if it is one, and the server if that is one.
fn words(name: &TextPattern) -> Vec<String> {
    let head = name.head();
    let server = head.split_once('/').map(|(server, _)| format!("{server}/"));
    server.into_iter().chain(name.literal().map(str::to_owned)).collect()
}
