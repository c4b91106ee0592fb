//! Scripts that a text writes and then runs: `echo 'rm -rf x' > go.sh && sh go.sh`.
//!
//! What a file holds is known where one command of the text wrote it and its output is settled.
//! Such a file is then read as if its text stood where it is run. A file that is written twice
//! holds both texts: whichever it is, all of it is looked at. What a script is that was on disk
//! before is not looked at (policy language §11.13).

use super::Walker;
use super::interpreter::{ShellText, exported};
use super::state::{Input, State};
use crate::catalogue::options::Reading;
use crate::facts::paths;
use crate::limits::{SHELL_BYTES_MAX, WRAPPER_DEPTH_MAX};
use crate::model::access::Role;
use crate::model::path::AbsPath;
use crate::shell::expand;
use crate::shell::ir::{Node, RedirectKind, Script, Simple};

impl Walker<'_> {
    /// What the command writes to the files that get its output, if the text settles it.
    pub(super) fn printed(&self, simple: &Simple, state: &State) -> Option<String> {
        let mut bare = simple.clone();
        bare.assignments.clear();
        let before = bare.redirects.len();
        bare.redirects.retain(|redirect| {
            !matches!(redirect.kind, RedirectKind::Output(_))
                || redirect.fd.is_some_and(|fd| fd != 1)
        });
        if bare.redirects.len() == before {
            return None;
        }
        let script = Script { nodes: vec![Node::Simple(bare)] };
        expand::constant(&script, self.known(state))
    }

    /// Remembers what these files hold.
    pub(super) fn holds_text(&mut self, outputs: &[AbsPath], text: &str) {
        for path in outputs {
            let all = self.texts.entry(path.clone()).or_default();
            if all.len() + text.len() <= SHELL_BYTES_MAX {
                all.push_str(text);
            }
        }
    }

    /// The text of the script that an interpreter is given by name, if this text wrote it.
    pub(super) fn written_script(&self, reading: &Reading, state: &State) -> Option<String> {
        let operand = reading.items.iter().find(|item| matches!(item.arg.role, Role::Operand))?;
        self.text_written(operand.arg.word.as_known()?, state)
    }

    /// Runs a file that this text wrote, by its own name.
    pub(super) fn runs_written(&mut self, name: &str, state: &State) {
        if !name.contains('/') || self.level >= WRAPPER_DEPTH_MAX {
            return;
        }
        let Some(text) = self.text_written(name, state) else { return };
        let first = text.lines().next().unwrap_or_default();
        let program = first.strip_prefix("#!").map_or("sh", |line| {
            let word = line.split_whitespace().last().unwrap_or_default();
            word.rsplit('/').next().unwrap_or_default()
        });
        self.level += 1;
        match program {
            "sh" | "bash" | "dash" | "zsh" | "ksh" => self.shell_script(&text, state),
            _ => self.code(program, &text, state),
        }
        self.level -= 1;
    }

    fn shell_script(&mut self, text: &str, state: &State) {
        let mut inner = exported(state);
        let functions = std::mem::take(&mut self.functions);
        self.apart(|walker| {
            walker.status = walker.settled(walker.status);
            walker.text(text, &mut inner, &Input::default(), true);
        });
        self.uncalled(&inner);
        self.functions = functions;
    }

    fn text_written(&self, name: &str, state: &State) -> Option<String> {
        let target = paths::target(name, state.directory(), self.place).ok()?;
        self.texts.get(&target.written).cloned()
    }

    /// An interpreter without a text of its own may be given one that was written here.
    pub(super) fn or_written(
        &self,
        shell: ShellText,
        reading: &Reading,
        state: &State,
    ) -> ShellText {
        if shell.text.is_some() || self.texts.is_empty() {
            return shell;
        }
        match self.written_script(reading, state) {
            Some(text) => ShellText { text: Some(Some(text)), doubt: None },
            None => shell,
        }
    }
}
