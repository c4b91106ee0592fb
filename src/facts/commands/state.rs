//! What is known at one point of a text: directory, variables, hazards, and what feeds the input.

use crate::model::doubt::Doubt;
use crate::model::path::AbsPath;
use crate::shell::vars::Vars;
use std::collections::{BTreeMap, BTreeSet};

/// More possible directories than this count as not known.
const DIRECTORIES_MAX: usize = 8;

/// The shell's own state where a command stands. Cloned for a subshell, joined after a branch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct State {
    /// The directories it may be in; nothing if that is not known.
    pub(super) directories: Option<Vec<AbsPath>>,
    /// The variables.
    pub(super) vars: Vars,
    /// Variables that hold what these commands printed.
    pub(super) held: BTreeMap<String, Vec<usize>>,
    /// Assignments that change what the commands after them do.
    pub(super) hazards: Vec<Doubt>,
    /// Names defined as an alias, or on some path as a function.
    pub(super) redefined: BTreeSet<String>,
    /// `set -e`.
    pub(super) stops: bool,
    /// True where what runs may not have run: in a branch.
    pub(super) branch: bool,
    /// Names that are surely functions here.
    pub(super) functions: BTreeSet<String>,
    /// Variables that an assignment may fail to change.
    pub(super) readonly: BTreeSet<String>,
    /// True where an option may change what a file name pattern names.
    pub(super) globs: bool,
    /// True where words are no shell's: no builtins, no functions.
    pub(super) bare: bool,
}

/// What a command reads on its input.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Input {
    /// The commands whose output it is.
    pub(super) feeders: Vec<usize>,
    /// The text, as far as it is known.
    pub(super) text: Fed,
}

/// What is known of an input.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Fed {
    /// Whatever the call itself was given: nothing that this text feeds.
    #[default]
    Nothing,
    /// This text.
    Text(String),
    /// Local files, whole.
    Files,
    /// The names of files that are there now.
    Names(Vec<String>),
    /// Something else.
    Unknown(Doubt),
}

impl State {
    pub(super) fn at(directory: Option<&AbsPath>) -> State {
        State { directories: directory.map(|path| vec![path.clone()]), ..State::default() }
    }

    /// The directory, if there is only one it can be.
    pub(super) fn directory(&self) -> Option<&AbsPath> {
        match self.directories.as_deref() {
            Some([only]) => Some(only),
            Some(_) | None => None,
        }
    }

    /// Adds directories that it may be in as well.
    pub(super) fn also_in(&mut self, others: Option<Vec<AbsPath>>) {
        self.directories = match (self.directories.take(), others) {
            (Some(mut here), Some(there)) => {
                here.extend(there);
                here.sort();
                here.dedup();
                (here.len() <= DIRECTORIES_MAX).then_some(here)
            }
            _ => None,
        };
    }

    /// Both states may be the one that holds.
    pub(super) fn join(&mut self, other: State) {
        if *self == other {
            return;
        }
        self.also_in(other.directories);
        self.vars.join(&other.vars);
        for (name, feeders) in other.held {
            self.holds(&name, &feeders);
        }
        for hazard in other.hazards {
            self.hazard(hazard);
        }
        self.redefined.extend(other.redefined);
        self.functions.retain(|name| other.functions.contains(name));
        self.readonly.extend(other.readonly);
        self.globs |= other.globs;
        self.stops &= other.stops;
    }

    /// `name` holds what these commands printed, or may.
    pub(super) fn holds(&mut self, name: &str, feeders: &[usize]) {
        if feeders.is_empty() {
            return;
        }
        let held = self.held.entry(name.to_owned()).or_default();
        held.extend(feeders);
        held.sort_unstable();
        held.dedup();
    }

    pub(super) fn hazard(&mut self, doubt: Doubt) {
        if !self.hazards.contains(&doubt) {
            self.hazards.push(doubt);
        }
    }
}
