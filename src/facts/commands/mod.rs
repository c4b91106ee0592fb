//! What a shell command would do: every program it runs, path it touches and host it reaches.
//!
//! The text is read by `shell`, each program's words by its table in `catalogue`, and the files by
//! the agent's world. Every level is judged: what `sh -c`, `env`, `find -exec` or `ssh` run is an
//! access of its own. What is not understood becomes an unknown access, never nothing.
//! The caller is `facts::gather`, for tools whose argument is a shell text or an argv.

mod archive;
mod arithmetic;
mod arrival;
mod besides;
mod builtin;
mod code;
mod configured;
mod directory;
mod download;
mod elsewhere;
mod ex;
mod fd;
mod find;
mod fitting;
mod git;
mod hazard;
mod hosts;
mod interpreter;
mod links;
mod names;
mod nodes;
mod operands;
mod parallel;
mod program;
mod scripts;
mod search;
mod simple;
mod sockets;
mod state;
mod statements;
mod suspect;
#[cfg(test)]
mod tests;
pub(super) mod tree;
mod walk;
mod wrapper;

use crate::facts::Place;
use crate::limits::{ACCESSES_MAX, SHELL_COMMANDS_MAX, TREE_ENTRIES_MAX, WRAPPER_DEPTH_MAX};
use crate::model::access::{Access, Certainty, Status, Target, Verb};
use crate::model::doubt::Doubt;
use crate::model::path::AbsPath;
use crate::model::word::Word;
use crate::shell;
use links::Linked;
use state::{Input, State};
use std::collections::{BTreeMap, BTreeSet};

/// The stack for texts that nest: `SHELL_DEPTH_MAX` levels of parser, reader and walker, in a debug
/// build, with room to spare. An overflow could not be caught and would end the sidecar.
const STACK_BYTES: usize = 64 * 1024 * 1024;
/// What the texts around a command may nest on the caller's own stack, all together: a thread's
/// usual stack holds several times as much.
const SHALLOW_NESTING: usize = 24;

/// Adds everything that the shell text `text` would do, run from `cwd`, to a call's accesses.
pub fn read(text: &str, cwd: Option<&AbsPath>, place: &Place<'_>, accesses: &mut Vec<Access>) {
    walked(place, accesses, |walker| {
        let mut state = State::at(cwd);
        walker.text(text, &mut state, &Input::default(), false);
        walker.hidden(|walker| walker.uncalled(&state));
    });
}

/// Adds everything that running `argv` without a shell would do: its words are taken as they are.
pub fn read_argv(
    argv: &[String],
    cwd: Option<&AbsPath>,
    place: &Place<'_>,
    accesses: &mut Vec<Access>,
) {
    let words: Vec<Word> = argv.iter().map(Word::known).collect();
    walked(place, accesses, |walker| {
        let mut state = State::at(cwd);
        state.bare = true;
        if words.is_empty() {
            walker.everything(&Doubt::Argument("argv".to_owned()));
        } else {
            walker.argv(&words, &mut state, &Input::default(), &[]);
        }
    });
}

fn walked(place: &Place<'_>, accesses: &mut Vec<Access>, walk: impl FnOnce(&mut Walker<'_>)) {
    let links = Linked::over(place.world);
    let place = Place { world: &links, ..*place };
    let mut walker = Walker::new(&place, &links, accesses);
    walk(&mut walker);
    walker.suspect_patterns();
    walker.close();
}

/// Adds everything that `code` is seen to do as a program of the interpreter `program`.
pub fn read_code(
    program: &str,
    code: &str,
    cwd: Option<&AbsPath>,
    place: &Place<'_>,
    accesses: &mut Vec<Access>,
) {
    walked(place, accesses, |walker| {
        walker.code(program, code, &State::at(cwd));
    });
}

/// Walks one call's texts and gathers its accesses.
struct Walker<'a> {
    place: &'a Place<'a>,
    /// The world of `place`, for adding the links that the text makes.
    links: &'a Linked<'a>,
    accesses: &'a mut Vec<Access>,
    home: Option<String>,
    /// Simple commands seen.
    commands: usize,
    /// The command at hand, to which accesses belong.
    within: Option<usize>,
    /// Wrappers and nested texts around the command at hand.
    level: usize,
    /// What the texts around it nest, as [`shell::nesting`] counts.
    nesting: usize,
    /// Whether this is the deep stack.
    deep: bool,
    /// Directory entries that may still be looked at.
    entries: usize,
    /// The file name patterns that were expanded.
    patterns: Vec<fitting::Pattern>,
    /// Files written in this text, with the commands whose output they hold.
    written: BTreeMap<AbsPath, Vec<usize>>,
    /// What they hold, where this text settles it.
    texts: BTreeMap<AbsPath, String>,
    /// Names made in this text: they count as being there.
    made: BTreeSet<AbsPath>,
    /// Every body that a name was given: which of them runs is not followed.
    functions: BTreeMap<String, Vec<crate::shell::ir::Node>>,
    /// Functions being called.
    calling: Vec<String>,
    called: BTreeSet<String>,
    /// Every name that this text makes a function, anywhere in it.
    defined: BTreeSet<String>,
    /// For each function being called, the names it has made its own.
    locals: Vec<BTreeSet<String>>,
    /// Bytes that expansions have made.
    made_bytes: std::cell::Cell<usize>,
    full: Option<&'static str>,
    /// Whether the exit status of the command at hand is the call's.
    status: Status,
    /// A trap was set: what it runs decides the exit status.
    trapped: bool,
    /// The text may have ended before here: what follows is not known to have run.
    ended: bool,
    /// So may the function being called.
    returned: bool,
}

impl<'a> Walker<'a> {
    fn new(place: &'a Place<'a>, links: &'a Linked<'a>, accesses: &'a mut Vec<Access>) -> Self {
        Walker {
            place,
            links,
            accesses,
            home: place.world.home().map(|home| home.as_str().to_owned()),
            commands: 0,
            within: None,
            level: 0,
            nesting: 0,
            deep: false,
            entries: TREE_ENTRIES_MAX,
            patterns: Vec::new(),
            written: BTreeMap::new(),
            texts: BTreeMap::new(),
            made: BTreeSet::new(),
            functions: BTreeMap::new(),
            calling: Vec::new(),
            called: BTreeSet::new(),
            defined: BTreeSet::new(),
            locals: Vec::new(),
            made_bytes: std::cell::Cell::new(0),
            full: None,
            status: Status::Whole,
            trapped: false,
            ended: false,
            returned: false,
        }
    }

    /// Walks what has no say in the call's exit status.
    fn hidden(&mut self, walk: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.status, Status::Hidden);
        walk(self);
        self.status = self.settled(before);
    }

    /// Walks a command after whose failure nothing runs: `set -e`.
    fn chained(&mut self, walk: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.status, Status::Chained);
        walk(self);
        self.status = self.settled(before);
    }

    /// Walks what runs in a shell of its own: it alone ends there.
    fn apart(&mut self, walk: impl FnOnce(&mut Self)) {
        let (ended, returned) = (self.ended, self.returned);
        walk(self);
        (self.ended, self.returned) = (ended, returned);
    }

    /// The status that holds from here on.
    fn settled(&self, before: Status) -> Status {
        if self.trapped || self.ended || self.returned { Status::Hidden } else { before }
    }

    /// Reads and walks a text; a nested one is bounded.
    fn text(&mut self, text: &str, state: &mut State, input: &Input, nested: bool) {
        if nested && self.level >= WRAPPER_DEPTH_MAX {
            return self.everything(&Doubt::Limit("wrapper depth"));
        }
        let around = (self.level, self.nesting);
        self.level += usize::from(nested);
        self.nesting += shell::nesting(text);
        if self.deep || self.nesting <= SHALLOW_NESTING {
            self.parsed(text, state, input);
        } else {
            self.on_deep_stack(|walker| walker.parsed(text, state, input));
        }
        (self.level, self.nesting) = around;
    }

    fn parsed(&mut self, text: &str, state: &mut State, input: &Input) {
        match shell::parse(text, self.level) {
            Ok(script) => {
                nodes::define(&script, &mut self.defined);
                self.script(&script, state, input);
            }
            Err(doubt) => self.everything(&doubt),
        }
    }

    /// Whether a shell could read the text.
    fn is_readable(&mut self, text: &str) -> bool {
        let mut is_readable = false;
        let mut read = |walker: &mut Self| {
            is_readable = shell::parse(text, walker.level).is_ok();
        };
        if self.deep || self.nesting + shell::nesting(text) <= SHALLOW_NESTING {
            read(self);
        } else {
            self.on_deep_stack(read);
        }
        is_readable
    }

    /// Walks on a stack of its own. If that fails in any way, what was not walked is not known.
    fn on_deep_stack(&mut self, walk: impl FnOnce(&mut Self) + Send) {
        self.deep = true;
        let done = std::thread::scope(|scope| {
            let builder = std::thread::Builder::new().stack_size(STACK_BYTES);
            match builder.spawn_scoped(scope, || walk(self)) {
                Ok(thread) => thread.join().is_ok(),
                Err(_) => false,
            }
        });
        self.deep = false;
        if !done {
            self.everything(&Doubt::Limit("stack"));
        }
    }

    /// An access of every verb that a command can come to, of which nothing is known.
    fn everything(&mut self, doubt: &Doubt) {
        for verb in [Verb::Read, Verb::Write, Verb::Exec, Verb::Connect] {
            self.push(Access::unknown(verb, doubt.clone()));
        }
    }

    fn unknown(&mut self, verb: Verb, doubt: Doubt) {
        self.push(Access::unknown(verb, doubt));
    }

    fn certain(&mut self, target: Target) {
        self.push(Access::certain(target));
    }

    /// Adds an access; the same one twice says nothing new, but commands keep their place.
    fn push(&mut self, access: Access) {
        let same =
            |known: &Access| known.target == access.target && known.certainty == access.certainty;
        let repeated = !matches!(access.target, Target::Exec(_))
            && self.accesses.iter().rev().take(64).any(same);
        if repeated {
            return;
        }
        if self.accesses.len() >= ACCESSES_MAX {
            self.full = Some("accesses");
            return;
        }
        self.accesses.push(Access { within: self.within, ..access });
    }

    /// Counts a simple command; false if there are too many.
    fn count(&mut self) -> bool {
        self.commands += 1;
        if self.commands > SHELL_COMMANDS_MAX {
            self.full = Some("simple commands");
        }
        self.full.is_none()
    }

    /// The commands among the accesses from `start` on.
    fn commands_since(&self, start: usize) -> Vec<usize> {
        let is_exec = |access: &Access| match &access.target {
            Target::Exec(_) | Target::Unknown { verb: Verb::Exec, .. } => {
                !matches!(access.certainty, Certainty::Suspected(_))
            }
            _ => false,
        };
        let from = self.accesses.iter().enumerate().skip(start);
        from.filter(|(_, access)| is_exec(access)).map(|(at, _)| at).collect()
    }

    /// A bound that was met makes all that follows it unknown: room is kept for saying so.
    fn close(&mut self) {
        if let Some(name) = self.full.take() {
            let doubt = Doubt::Limit(name);
            for verb in [Verb::Read, Verb::Write, Verb::Exec, Verb::Connect] {
                self.accesses.push(Access::unknown(verb, doubt.clone()));
            }
        }
    }
}
