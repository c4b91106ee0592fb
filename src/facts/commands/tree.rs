//! What lies below a directory, and what a file name pattern names, as the world shows it now.
//!
//! Bounded by one budget of entries for the whole call; over it the answer is a doubt.

use super::Walker;
use super::state::State;
use crate::catalogue::program::Walk;
use crate::model::doubt::Doubt;
use crate::model::path::{AbsPath, Extent, PathTarget, Real};
use crate::model::word::Word;
use crate::world::FileKind;

/// A command line's patterns come to no more words than this.
pub(super) const ARGUMENTS_MAX: usize = 4096;

/// Names that a walk leaves out.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    /// Which names the program skips by itself.
    pub(super) walk: Walk,
    /// Patterns of file names that are left out.
    pub(super) exclude: Vec<String>,
    /// Patterns of directory names that are left out.
    pub(super) exclude_directories: Vec<String>,
    /// If any: only file names that fit one of these.
    pub(super) include: Vec<String>,
    /// Links are followed: what lies below is not known.
    pub(super) follows: bool,
    /// Directories are gone through, but are no names themselves.
    pub(super) only_files: bool,
}

impl Walker<'_> {
    /// How far an access to `target` reaches if the program walks it.
    pub(super) fn extent(&mut self, target: &PathTarget, filter: &Filter) -> Extent {
        let real = match &target.real {
            Real::At(real) => real.clone(),
            Real::Unknown(doubt) => return Extent::BelowUnknown(doubt.clone()),
        };
        match self.place.world.resolve(&target.written).kind {
            Ok(FileKind::Directory) => {}
            Ok(FileKind::Absent) => return self.extent_of_made(&target.written),
            Ok(FileKind::File | FileKind::Link | FileKind::Other) => return Extent::Itself,
            Err(doubt) => return Extent::BelowUnknown(doubt),
        }
        if filter.follows {
            return Extent::BelowUnknown(Doubt::TreeUnknown);
        }
        let mut all = Vec::new();
        // Where a link led here, each name is one as written and one as it is.
        let shown = (real != target.written).then(|| target.written.clone());
        let mut open = vec![(real, shown)];
        while let Some((real, shown)) = open.pop() {
            let entries = match self.place.world.list(&real) {
                Ok(entries) => entries,
                Err(doubt) => return Extent::BelowUnknown(doubt),
            };
            let Some(left) = self.entries.checked_sub(entries.len()) else {
                return Extent::BelowUnknown(Doubt::Limit("directory entries"));
            };
            self.entries = left;
            for entry in entries {
                let directory = entry.kind == FileKind::Directory;
                if !filter.takes(&entry.name, directory) {
                    continue;
                }
                let shown = shown.as_ref().map(|shown| shown.join(&entry.name));
                let (Ok(inner), Ok(path)) = (real.join(&entry.name), shown.transpose()) else {
                    return Extent::BelowUnknown(Doubt::TreeUnknown);
                };
                if !directory {
                    all.push(inner);
                    all.extend(path);
                    continue;
                }
                if !filter.only_files {
                    all.push(inner.clone());
                    all.extend(path.clone());
                }
                open.push((inner, path));
            }
        }
        all.extend(self.made.iter().filter(|path| path.is_within(&target.written)).cloned());
        all.retain(|path| *path != target.written);
        all.sort_unstable();
        all.dedup();
        Extent::Below(all)
    }

    fn extent_of_made(&self, root: &AbsPath) -> Extent {
        let below = self.made.iter().filter(|path| path.is_within(root) && *path != root);
        let all: Vec<AbsPath> = below.cloned().collect();
        if all.is_empty() { Extent::Itself } else { Extent::Below(all) }
    }

    /// Replaces each file name pattern by the names it fits now, where they can be listed.
    pub(super) fn expand_globs(&mut self, words: Vec<Word>, state: &State) -> Vec<Word> {
        if state.bare {
            return words;
        }
        let mut out = Vec::new();
        for word in words {
            let pattern = match &word {
                Word::Unknown(unknown) => match &unknown.reason {
                    Doubt::Glob(pattern) => Some(pattern.clone()),
                    _ => None,
                },
                Word::Known(_) | Word::OneOf(_) => None,
            };
            let room = ARGUMENTS_MAX.saturating_sub(out.len());
            let names = pattern.filter(|_| room > 0);
            match names.and_then(|pattern| self.names(&pattern, state)) {
                Some(names) if names.len() <= room => {
                    self.note_pattern(&word, &names, state);
                    out.extend(names.into_iter().map(Word::known));
                }
                _ => out.push(word),
            }
        }
        out
    }

    /// The names that fit `pattern` now; nothing if that cannot be told.
    fn names(&mut self, pattern: &str, state: &State) -> Option<Vec<String>> {
        // A class such as `[[:x:]]` has a `]` of its own.
        if ["[:", "[.", "[="].iter().any(|c| pattern.contains(c)) {
            return None;
        }
        let absolute = pattern.starts_with('/');
        let start = if absolute { AbsPath::root() } else { state.directory()?.clone() };
        let mut found = vec![(start, if absolute { "/".to_owned() } else { String::new() })];
        let mut components = pattern.split('/').filter(|part| !part.is_empty()).peekable();
        while let Some(component) = components.next() {
            let last = components.peek().is_none();
            let mut next = Vec::new();
            for (directory, shown) in found {
                if component == "**" {
                    next.extend(self.at_any_depth(&directory, &shown, last)?);
                    continue;
                }
                if !is_pattern(component) {
                    let name = unescape(component);
                    let path = directory.join(&name).ok()?;
                    if last && self.place.world.resolve(&path).kind.ok()? == FileKind::Absent {
                        continue;
                    }
                    next.push((path, join(&shown, &name)));
                    continue;
                }
                for name in self.listed(&directory)? {
                    let hidden = name.starts_with('.') && !component.starts_with('.');
                    if !hidden && fits(component, &name) {
                        next.push((directory.join(&name).ok()?, join(&shown, &name)));
                    }
                }
            }
            if next.len() > ARGUMENTS_MAX {
                return None;
            }
            found = next;
        }
        if found.is_empty() {
            // Nothing fits: the pattern itself is passed on.
            return Some(vec![unescape(pattern)]);
        }
        let mut names: Vec<String> = found.into_iter().map(|(_, shown)| shown).collect();
        names.sort();
        Some(names)
    }

    /// What `**` may stand for: one name where the shell knows no more, any number of directories
    /// where it does. Hidden names are none of them, and a link is one, but not gone through.
    fn at_any_depth(
        &mut self,
        directory: &AbsPath,
        shown: &str,
        last: bool,
    ) -> Option<Vec<(AbsPath, String)>> {
        let mut all = Vec::new();
        if !last {
            all.push((directory.clone(), shown.to_owned()));
        }
        let mut open = vec![(directory.clone(), shown.to_owned())];
        while let Some((directory, shown)) = open.pop() {
            for name in self.listed(&directory)? {
                if name.starts_with('.') {
                    continue;
                }
                let (path, shown) = (directory.join(&name).ok()?, join(&shown, &name));
                let found = self.place.world.resolve(&path);
                let is_directory = matches!(found.kind, Ok(FileKind::Directory));
                if is_directory && found.hops.is_empty() {
                    open.push((path.clone(), shown.clone()));
                }
                if is_directory || last {
                    all.push((path, shown));
                }
                if all.len() > ARGUMENTS_MAX {
                    return None;
                }
            }
        }
        Some(all)
    }

    pub(super) fn listed(&mut self, directory: &AbsPath) -> Option<Vec<String>> {
        let made = self.made.iter().filter(|path| path.parent().as_ref() == Some(directory));
        let mut names: Vec<String> =
            made.filter_map(|path| path.name().map(str::to_owned)).collect();
        match self.place.world.resolve(directory).kind {
            Ok(FileKind::Directory) => {
                let entries = self.place.world.list(directory).ok()?;
                self.entries = self.entries.checked_sub(entries.len())?;
                names.extend(entries.into_iter().map(|entry| entry.name));
            }
            Ok(_) => {}
            Err(_) => return None,
        }
        names.sort();
        names.dedup();
        Some(names)
    }
}

impl Filter {
    fn takes(&self, name: &str, directory: bool) -> bool {
        if self.walk == Walk::Visible && name.starts_with('.') {
            return false;
        }
        let any = |patterns: &[String]| patterns.iter().any(|pattern| fits(pattern, name));
        if directory {
            return !any(&self.exclude_directories);
        }
        !any(&self.exclude) && (self.include.is_empty() || any(&self.include))
    }
}

pub(super) fn is_pattern(component: &str) -> bool {
    let mut escaped = false;
    component.chars().any(|c| {
        let was = escaped;
        escaped = c == '\\' && !was;
        !was && matches!(c, '*' | '?' | '[')
    })
}

pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    out
}

fn join(shown: &str, name: &str) -> String {
    if shown.is_empty() || shown.ends_with('/') {
        format!("{shown}{name}")
    } else {
        format!("{shown}/{name}")
    }
}

/// Whether `name` fits a file name pattern of one component, as `fnmatch` has it.
pub(in crate::facts) fn fits(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    // What a class such as `[[:x:]]` stands for is not told here: it may fit.
    if pattern.windows(2).any(|w| matches!(w, ['[', ':' | '.' | '='])) {
        return true;
    }
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            Some(_) => one(pattern.get(p..).unwrap_or_default(), name.get(n).copied()),
            None => None,
        };
        match (step, star) {
            (Some(used), _) => {
                p += used;
                n += 1;
            }
            (None, Some((at, from))) => {
                star = Some((at, from + 1));
                p = at + 1;
                n = from + 1;
            }
            (None, None) => return false,
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| *c == '*')
}

/// How much of `pattern` stands for the one character `c`, if it fits.
fn one(pattern: &[char], c: Option<char>) -> Option<usize> {
    let c = c?;
    match pattern {
        ['?', ..] => Some(1),
        ['\\', literal, ..] => (*literal == c).then_some(2),
        ['[', rest @ ..] => {
            let negated = matches!(rest.first(), Some('!' | '^'));
            let from = usize::from(negated);
            let close = rest.iter().skip(from + 1).position(|c| *c == ']')? + from + 1;
            let set = rest.get(from..close)?;
            // Classes such as `[:alpha:]` and escapes fit anything: more is named, not less.
            if set.contains(&':') || set.contains(&'\\') {
                return Some(close + 2);
            }
            let inside = set.contains(&c)
                || set.windows(3).any(|w| matches!(w, [a, '-', b] if *a <= c && c <= *b));
            (inside != negated).then_some(close + 2)
        }
        [literal, ..] => (*literal == c).then_some(1),
        [] => None,
    }
}
