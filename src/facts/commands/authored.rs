//! Files that a text writes and then runs: `echo 'rm x' > s; sh s` does what `sh -c 'rm x'` does.
//!
//! What `echo`, `printf` and a here-document put into a file is known before anything runs, so it
//! is read as the text or the code that it is. What other commands print there is not: of that it
//! is known only who feeds the file. What lay in the file before is not seen either.

use super::Walker;
use super::program::{each_directory, interprets};
use super::state::{Input, State};
use crate::catalogue::options::Reading;
use crate::catalogue::program::{self, Interpreter, Kind};
use crate::facts::paths;
use crate::limits::SHELL_BYTES_MAX;
use crate::model::access::Role;
use crate::model::path::AbsPath;
use crate::shell::expand::constant;
use crate::shell::ir::{Node, RedirectKind, Script, Simple};

impl Walker<'_> {
    /// Remembers what a command that only prints writes into these files. Whether it replaces or
    /// adds is not told apart: all that was written counts.
    pub(super) fn authors(&mut self, simple: &Simple, outputs: &[AbsPath], state: &State) {
        if outputs.is_empty() || !simple.assignments.is_empty() {
            return;
        }
        let gives = |kind: &RedirectKind| matches!(kind, RedirectKind::Text(_));
        let redirects = simple.redirects.iter().filter(|redirect| gives(&redirect.kind));
        let printer = Simple {
            assignments: Vec::new(),
            words: simple.words.clone(),
            redirects: redirects.cloned().collect(),
        };
        let script = Script { nodes: vec![Node::Simple(printer)] };
        let Some(text) = constant(&script, self.known(state)) else { return };
        for path in outputs {
            self.author(path, &text);
        }
    }

    fn author(&mut self, path: &AbsPath, text: &str) {
        let held: usize = self.authored.values().map(String::len).sum();
        if held.saturating_add(text.len()) > SHELL_BYTES_MAX {
            self.full = Some("bytes written to files");
            return;
        }
        self.authored.entry(path.clone()).or_default().push_str(text);
    }

    /// What was moved or copied stands in both files from now on.
    pub(super) fn carry_authored(&mut self, from: &AbsPath, to: &AbsPath) {
        if let Some(text) = self.authored.get(from).cloned() {
            self.author(to, &text);
        }
    }

    /// Reads what this text wrote into the files that a command runs.
    pub(super) fn run_authored(&mut self, name: &str, base: &str, reading: &Reading, at: &State) {
        for path in self.files_of(name, reading, at, &[Kind::Script]) {
            // Taken out meanwhile: it may run itself.
            let Some(text) = self.authored.remove(&path) else { continue };
            let language = match name.contains('/') && !is_run_by(reading, base) {
                true => shebang(&text).unwrap_or("sh").to_owned(),
                false => base.to_owned(),
            };
            match interprets(program::find(&language)) {
                // It reads the script and runs none of it.
                Some(Interpreter::Shell) if reading.has(&["-n".to_owned()]) => {}
                Some(Interpreter::Other) => self.code(&language, &text, at),
                Some(Interpreter::Shell) | None => self.apart(|walker| {
                    let mut inner = State {
                        directories: at.directories.clone(),
                        hazards: at.hazards.clone(),
                        ..State::default()
                    };
                    walker.text(&text, &mut inner, &Input::default(), true);
                }),
            }
            self.authored.insert(path, text);
        }
    }

    /// A program, script or input that this text wrote before holds what those commands printed.
    pub(super) fn feeds_of_files(
        &self,
        name: &str,
        reading: &Reading,
        state: &State,
        fed_by: &mut Vec<usize>,
    ) {
        for path in self.files_of(name, reading, state, &[Kind::Script, Kind::Read]) {
            fed_by.extend(self.written.get(&path).into_iter().flatten());
        }
    }

    /// The program itself if it is a path, what is sourced, and operands of these kinds.
    fn files_of(
        &self,
        name: &str,
        reading: &Reading,
        state: &State,
        kinds: &[Kind],
    ) -> Vec<AbsPath> {
        let operands = reading
            .items
            .iter()
            .filter(|item| kinds.contains(&item.kind) && item.arg.role == Role::Operand)
            .filter_map(|item| item.arg.word.as_known());
        let own = name.contains('/').then_some(name);
        let sourced = matches!(name, "." | "source")
            .then(|| reading.items.first().and_then(|item| item.arg.word.as_known()))
            .flatten();
        let mut found = Vec::new();
        for text in operands.chain(own).chain(sourced) {
            for directory in each_directory(state) {
                if let Ok(target) = paths::target(text, directory.as_ref(), self.place) {
                    found.push(target.written);
                }
            }
        }
        found
    }
}

/// Whether the program is an interpreter that is given a script, and so none itself.
fn is_run_by(reading: &Reading, base: &str) -> bool {
    interprets(program::find(base)).is_some()
        && reading.items.iter().any(|item| item.kind == Kind::Script)
}

/// The interpreter that the first line of a script names.
fn shebang(text: &str) -> Option<&str> {
    let line = text.strip_prefix("#!")?.lines().next()?;
    let mut words = line.split_whitespace().map(|word| word.rsplit('/').next().unwrap_or(word));
    match words.next()? {
        "env" => words.find(|word| !word.starts_with('-') && !word.contains('=')),
        program => Some(program),
    }
}
