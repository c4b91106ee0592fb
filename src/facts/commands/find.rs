//! `find`: where it starts, what its tests leave, and the commands that it runs on them.

use super::Walker;
use super::search::{Found, Search};
use super::state::{Input, State};
use super::tree::{ARGUMENTS_MAX, Filter};
use crate::facts::paths;
use crate::model::doubt::Doubt;
use crate::model::path::{AbsPath, Extent};
use crate::model::word::Word;
use std::collections::BTreeSet;

impl Walker<'_> {
    /// `find ... -exec command {} ;`: the command runs on what is found below the roots.
    pub(super) fn find_clause(&mut self, clause: &Clause, own: &[Word], state: &State) {
        let mut inner = state.clone();
        inner.bare = true;
        let found = if clause.in_each {
            inner.directories = None;
            vec![Word::unknown(Doubt::TreeUnknown)]
        } else {
            self.found_at(own, &[clause.at], state)
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

    /// The paths that `find` prints, as words; unknown if they cannot be told.
    pub(super) fn found(&mut self, own: &[Word], state: &State) -> Vec<Word> {
        let prints = |word: &Word| word.as_known().is_some_and(|text| text.starts_with("-print"));
        let places = own.iter().enumerate().filter(|(_, word)| prints(word));
        let places: Vec<usize> = places.map(|(at, _)| at).collect();
        self.found_at(own, &places, state)
    }

    /// The paths that `find` hands to the actions at these places of its words; with none, those
    /// that all its tests leave.
    pub(super) fn found_at(&mut self, own: &[Word], at: &[usize], state: &State) -> Vec<Word> {
        let outside =
            |word: &Word| matches!(word.as_known(), Some("-L" | "-follow" | "-files0-from"));
        if own.iter().any(outside) {
            return vec![Word::unknown(Doubt::TreeUnknown)];
        }
        let roots = find_roots(own);
        // Tests that cannot be read leave everything.
        let search = Search::read(own, own.len() - rest_after_roots(own).len());
        let mut words = Vec::new();
        for root in &roots {
            let text = root.as_known().unwrap_or_default();
            let target = root
                .as_known()
                .and_then(|text| paths::target(text, state.directory(), self.place).ok());
            let Some(target) = target else { return vec![Word::unknown(Doubt::TreeUnknown)] };
            let Extent::Below(all) = self.extent(&target, &Filter::default()) else {
                return vec![Word::unknown(Doubt::TreeUnknown)];
            };
            let parents: BTreeSet<AbsPath> = all.iter().filter_map(AbsPath::parent).collect();
            let shown = |path: &AbsPath| {
                let rest = below(path, &target.written)?;
                let slash = if text.ends_with('/') { "" } else { "/" };
                Some((format!("{text}{slash}{rest}"), parents.contains(path)))
            };
            // A link to a directory is none itself.
            let itself = (text.to_owned(), !all.is_empty() && target.hops.is_empty());
            for (printed, holds) in std::iter::once(itself).chain(all.iter().filter_map(shown)) {
                let found = Found::of(&printed, holds);
                if search.as_ref().is_none_or(|search| search.may_reach(&found, at)) {
                    words.push(Word::known(printed));
                }
            }
        }
        if words.len() > ARGUMENTS_MAX { vec![Word::unknown(Doubt::TooManyValues)] } else { words }
    }
}

/// What of `path` follows `root`, if it lies below it.
pub(super) fn below<'a>(path: &'a AbsPath, root: &AbsPath) -> Option<&'a str> {
    let rest = path.as_str().strip_prefix(root.as_str())?;
    let rest = if root.as_str().ends_with('/') { rest } else { rest.strip_prefix('/')? };
    (!rest.is_empty()).then_some(rest)
}

/// A command that `find` runs.
pub(super) struct Clause {
    pub(super) words: Vec<Word>,
    /// How many of find's own words stand before it.
    pub(super) at: usize,
    /// It runs in the directory of each file (`-execdir`).
    pub(super) in_each: bool,
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
    let words = after_options(words);
    let roots: Vec<Word> = words.iter().take_while(starts_tree).cloned().collect();
    if roots.is_empty() { vec![Word::known(".")] } else { roots }
}

/// The tests and actions of `find`.
fn rest_after_roots(words: &[Word]) -> &[Word] {
    let words = after_options(words);
    let roots = words.iter().take_while(starts_tree).count();
    words.get(roots..).unwrap_or_default()
}

/// Some options stand before the roots.
fn after_options(mut words: &[Word]) -> &[Word] {
    while let [first, rest @ ..] = words {
        words = match first.as_known() {
            Some("-D") => rest.get(1..).unwrap_or_default(),
            Some("-P" | "-L" | "-H") => rest,
            Some(text) if text.starts_with("-O") || text.starts_with("-D") => rest,
            _ => break,
        };
    }
    words
}

fn starts_tree(word: &&Word) -> bool {
    match word {
        Word::Known(text) => !text.starts_with(['-', '(', ')', '!', ',']),
        Word::OneOf(_) | Word::Unknown(_) => true,
    }
}
