//! `find`: where it starts, what its tests leave, and the commands that it runs on them.

use super::Walker;
use super::state::{Input, State};
use crate::catalogue::program;
use crate::model::doubt::Doubt;
use crate::model::word::Word;

impl Walker<'_> {
    /// `find ... -exec command {} ;`: the command runs on what is found below the roots.
    pub(super) fn find_clause(&mut self, clause: &Clause, own: &[Word], state: &State) {
        let mut inner = state.clone();
        inner.bare = true;
        let found = if clause.in_each {
            inner.directories = None;
            vec![Word::unknown(Doubt::TreeUnknown)]
        } else {
            self.found_before(&find_roots(own), own, clause.at, state)
        };
        let mut words = Vec::new();
        for word in &clause.words {
            match word.as_known() {
                Some("{}") => words.extend(found.iter().cloned()),
                Some(text) if text.contains("{}") => {
                    words.push(Word::unknown(Doubt::CommandOutput));
                }
                _ => words.push(word.clone()),
            }
        }
        if self.level >= crate::limits::WRAPPER_DEPTH_MAX {
            return self.everything(&Doubt::Limit("wrapper depth"));
        }
        self.level += 1;
        self.hidden(|walker| walker.argv(&words, &mut inner, &Input::default(), &[]));
        self.level -= 1;
    }
}

/// A command that `find` runs.
pub(super) struct Clause {
    words: Vec<Word>,
    /// How many of find's own words stand before it.
    at: usize,
    /// It runs in the directory of each file (`-execdir`).
    in_each: bool,
}

/// The words of `find` without its `-exec` clauses, and the clauses.
pub(super) fn find_clauses(words: &[Word]) -> (Vec<Word>, Vec<Clause>) {
    let mut own: Vec<Word> = Vec::new();
    let mut clauses = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        own.push(word.clone());
        if !matches!(word.as_known(), Some("-exec" | "-execdir" | "-ok" | "-okdir")) {
            continue;
        }
        let at = own.len() - 1;
        let in_each = matches!(word.as_known(), Some("-execdir" | "-okdir"));
        let mut clause: Vec<Word> = Vec::new();
        for word in words.by_ref() {
            // `+` ends a clause only right behind `{}`.
            let filled = clause.last().is_some_and(|last| last.as_known() == Some("{}"));
            match word.as_known() {
                Some(";") => break,
                Some("+") if filled => break,
                _ => clause.push(word.clone()),
            }
        }
        clauses.push(Clause { words: clause, at, in_each });
    }
    (own, clauses)
}

/// The directories that `find` starts from.
pub(super) fn find_roots(words: &[Word]) -> Vec<Word> {
    let mut words = words;
    // Some options stand before the roots.
    while let [first, rest @ ..] = words {
        words = match first.as_known() {
            Some("-D") => rest.get(1..).unwrap_or_default(),
            Some("-P" | "-L" | "-H") => rest,
            Some(text) if text.starts_with("-O") || text.starts_with("-D") => rest,
            _ => break,
        };
    }
    let starts = |word: &&Word| match word {
        Word::Known(text) => !text.starts_with(['-', '(', ')', '!', ',']),
        Word::OneOf(_) | Word::Unknown(_) => true,
    };
    let roots: Vec<Word> = words.iter().take_while(starts).cloned().collect();
    if roots.is_empty() { vec![Word::known(".")] } else { roots }
}

/// The name that every file has which `find` still holds at its word `at`: only where all tests
/// stand in one row, so that each of them must hold.
pub(super) fn find_name(own: &[Word], at: usize) -> Option<&str> {
    let table = program::find("find")?;
    let mut name = None;
    let mut place = 0;
    while let Some(word) = own.get(place) {
        let text = word.as_known()?;
        if matches!(text, "-o" | "-or" | "!" | "-not" | "," | "(" | ")") {
            return None;
        }
        let takes = table
            .options
            .iter()
            .any(|o| o.value.is_some() && o.spellings.iter().any(|spelling| spelling == text));
        if text == "-name" && place < at {
            name = Some(own.get(place + 1)?.as_known()?);
        }
        place += 1 + usize::from(takes);
    }
    name
}
