//! Words that may name a path where no table says so: they count only where an ask or deny fits.

use super::Walker;
use super::operands::is_no_access;
use super::program::each_directory;
use super::state::State;
use crate::catalogue::options::{Item, Reading};
use crate::catalogue::program::Kind;
use crate::facts::paths;
use crate::model::access::{Access, OptionClass, Role, Target, Verb};
use crate::model::doubt::Doubt;
use crate::world::FileKind;

/// Programs that hand their words on to what they run: a script, a test, a recipe.
const RUNNERS: [&str; 18] = [
    "python",
    "python2",
    "python3",
    "python3.11",
    "python3.12",
    "python3.13",
    "pypy3",
    "perl",
    "ruby",
    "node",
    "nodejs",
    "cargo",
    "go",
    "pytest",
    "py.test",
    "npm",
    "pnpm",
    "yarn",
];

impl Walker<'_> {
    /// The value of an option that no list names, and what a runner hands on.
    pub(super) fn perhaps_path(&mut self, base: &str, item: &Item, state: &State) {
        if item.kind != Kind::Text {
            return;
        }
        let program = base.to_owned();
        let (word, doubt, verbs): (_, _, &[Verb]) = match &item.arg.role {
            Role::Operand if RUNNERS.contains(&base) => {
                (&item.arg.word, Doubt::InlineCode(program), &[Verb::Read])
            }
            Role::Option { value: Some(value), class: OptionClass::Unknown, .. } => {
                let option = item.arg.word.to_string();
                (value, Doubt::UnknownOption { program, option }, &[Verb::Read, Verb::Write])
            }
            Role::Operand | Role::Option { .. } | Role::EndOfOptions => return,
        };
        for text in word.values().unwrap_or_default() {
            let tail = text.split_once('=').map_or("", |(_, tail)| tail);
            for part in [text.as_str(), tail] {
                self.suspect(part, state, &doubt, verbs);
            }
        }
    }

    /// Words of a program that no table describes: what looks like a path may be one.
    pub(super) fn suspects(&mut self, reading: &Reading, base: &str, state: &State) {
        let doubt = Doubt::UnknownProgram(base.to_owned());
        for item in &reading.items {
            let word = match &item.arg.role {
                Role::Operand if item.kind == Kind::Subcommand => continue,
                Role::Operand => &item.arg.word,
                Role::Option { value: Some(value), .. } => value,
                Role::Option { value: None, .. } | Role::EndOfOptions => continue,
            };
            let Some(texts) = word.values() else {
                for verb in [Verb::Read, Verb::Write] {
                    let reason = super::builtin::first_doubt(std::slice::from_ref(word));
                    let target = Target::Unknown { verb, reason };
                    self.push(Access::suspected(target, doubt.clone()));
                }
                continue;
            };
            for text in texts.iter().cloned() {
                let tail = text.split_once('=').map_or("", |(_, tail)| tail).to_owned();
                for part in [text, tail] {
                    self.suspect(&part, state, &doubt, &[Verb::Read, Verb::Write]);
                }
            }
        }
    }

    pub(super) fn suspect(&mut self, text: &str, state: &State, doubt: &Doubt, verbs: &[Verb]) {
        if text.is_empty() || text.contains("://") || is_no_access(text) {
            return;
        }
        // Of a program that nobody described any word may name a file.
        let bare = matches!(doubt, Doubt::UnknownProgram(_));
        for directory in each_directory(state) {
            let Ok(target) = paths::target(text, directory.as_ref(), self.place) else { continue };
            let there = || {
                let kind = self.place.world.resolve(&target.written).kind;
                matches!(kind, Ok(FileKind::File | FileKind::Directory | FileKind::Other))
            };
            let named = text.contains(['/', '.']) || bare && is_bare_name(text);
            if !named && !there() {
                continue;
            }
            for verb in verbs {
                let access = match verb {
                    Verb::Read => Target::Read(target.clone()),
                    _ => Target::Write(target.clone()),
                };
                self.push(Access::suspected(access, doubt.clone()));
            }
        }
    }
}

/// A word that could name a file and is neither prose nor a number.
fn is_bare_name(text: &str) -> bool {
    !text.starts_with('-')
        && text.bytes().any(|b| b.is_ascii_alphabetic())
        && !text.contains(|c: char| c.is_whitespace() || "=:,;|&<>(){}'\"".contains(c))
}
