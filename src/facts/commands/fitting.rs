//! What a file name pattern may name besides the names that fit it now: another file may be there
//! when the command runs.
//!
//! Each pattern is remembered with what it came to. When all is read, each use that was made of
//! one of those names is suspected of any name that fits: it counts only where an ask or a deny
//! may mean such a name.

use super::Walker;
use super::state::State;
use super::tree::{is_pattern, unescape};
use crate::facts::paths;
use crate::limits::PATTERNS_MAX;
use crate::model::access::{Access, Target, Verb};
use crate::model::doubt::Doubt;
use crate::model::path::{AbsPath, Extent, PathTarget};
use crate::model::word::Word;
use std::collections::BTreeSet;

/// A file name pattern of the text.
pub(super) struct Pattern {
    /// Any path that fits it.
    target: PathTarget,
    /// As written.
    text: String,
    /// What it came to.
    names: BTreeSet<AbsPath>,
}

impl Walker<'_> {
    /// Remembers a pattern and what it came to.
    pub(super) fn note_pattern(&mut self, word: &Word, names: &[String], state: &State) {
        let Word::Unknown(unknown) = word else { return };
        let Doubt::Glob(text) = &unknown.reason else { return };
        let mut parts = text.split('/').filter(|part| !part.is_empty()).peekable();
        let mut above = if text.starts_with('/') { "/".to_owned() } else { "./".to_owned() };
        while let Some(part) = parts.next_if(|part| !is_pattern(part)) {
            above.push_str(&unescape(part));
            above.push('/');
        }
        let mut rest: Vec<String> = Vec::new();
        for part in parts {
            match part {
                "." => {}
                ".." => drop(rest.pop()),
                part => rest.push(without_braces(part)),
            }
        }
        let Ok(mut target) = paths::target(&above, state.directory(), self.place) else { return };
        target.extent = Extent::Fitting(rest.join("/"));
        let from = state.directory();
        let join = |name: &String| match from {
            Some(directory) => directory.join(name).ok(),
            None => AbsPath::parse(name).ok(),
        };
        let names = names.iter().filter_map(join);
        if let Some(known) = self.patterns.iter_mut().find(|known| known.target == target) {
            return known.names.extend(names);
        }
        if self.patterns.len() >= PATTERNS_MAX {
            self.full = Some("file name patterns");
            return;
        }
        self.patterns.push(Pattern { target, text: text.clone(), names: names.collect() });
    }

    /// Suspects each use of a pattern's names of any name that fits it.
    pub(super) fn suspect_patterns(&mut self) {
        for pattern in std::mem::take(&mut self.patterns) {
            for verb in [Verb::Read, Verb::Write] {
                let uses = |access: &&Access| match (&access.target, verb) {
                    (Target::Read(path), Verb::Read) | (Target::Write(path), Verb::Write) => {
                        !access.is_of_pattern() && pattern.names.contains(&path.written)
                    }
                    _ => false,
                };
                let Some(within) = self.accesses.iter().find(uses).map(|access| access.within)
                else {
                    continue;
                };
                let target = match verb {
                    Verb::Read => Target::Read(pattern.target.clone()),
                    _ => Target::Write(pattern.target.clone()),
                };
                self.within = within;
                self.push(Access::suspected(target, Doubt::Glob(pattern.text.clone())));
            }
        }
    }
}

/// Braces that the shell left are characters of the name.
fn without_braces(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    let mut chars = part.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                text.push(c);
                text.extend(chars.next());
            }
            '{' | '}' => text.extend(['\\', c]),
            c => text.push(c),
        }
    }
    text
}
