//! Programs that run code: shells, whose texts are read like any other, and other languages, whose
//! texts are only searched for names.

use super::Walker;
use super::program::interprets;
use super::state::{Fed, Input, State};
use crate::catalogue::options::{Item, Reading};
use crate::catalogue::program::{Interpreter, Kind, Program};
use crate::model::access::{Role, Verb};
use crate::model::doubt::Doubt;
use crate::model::word::Word;

/// What a shell would run, as far as its words and input tell.
#[derive(Debug, Default)]
pub(super) struct ShellText {
    /// A text that is run: known, or not.
    pub(super) text: Option<Option<String>>,
    /// Why it is not known.
    pub(super) doubt: Option<Doubt>,
}

impl Walker<'_> {
    /// What the shell `base` would run of its `-c` or of its input.
    pub(super) fn shell_input(
        &self,
        base: &str,
        table: Option<&'static Program>,
        reading: &Reading,
        input: &Input,
    ) -> ShellText {
        let mut shell = self.shell_text(base, table, reading, input);
        if interprets(table) == Some(Interpreter::Shell)
            && matches!(shell.text, Some(Some(_)))
            && !reads_bash(base)
        {
            shell.doubt = Some(Doubt::InlineCode(base.to_owned()));
        }
        shell
    }

    fn shell_text(
        &self,
        base: &str,
        table: Option<&'static Program>,
        reading: &Reading,
        input: &Input,
    ) -> ShellText {
        let operand = first_operand(reading);
        if matches!(base, "." | "source") {
            return match sourced(operand, input) {
                None => ShellText::default(),
                Some(Ok(text)) => ShellText { text: Some(Some(text)), doubt: None },
                Some(Err(doubt)) => ShellText { text: Some(None), doubt: Some(doubt) },
            };
        }
        let Some(kind) = interprets(table) else { return ShellText::default() };
        if kind == Interpreter::Shell && reading.has(&["-c".to_owned()]) {
            return match operand {
                Some(Word::Known(text)) => {
                    ShellText { text: Some(Some(text.clone())), doubt: None }
                }
                Some(word) => {
                    let doubt = super::builtin::first_doubt(std::slice::from_ref(word));
                    ShellText { text: Some(None), doubt: Some(doubt) }
                }
                None => ShellText::default(),
            };
        }
        let from_input = match operand.map(Word::as_known) {
            None => reading
                .items
                .iter()
                .all(|item| item.kind != Kind::Code && !item.is_any(&["-m".to_owned()])),
            Some(Some("-" | "/dev/stdin" | "/dev/fd/0" | "/dev/fd/63")) => true,
            Some(_) => reading.has(&["-s".to_owned()]) || matches!(base, "ed" | "ex"),
        };
        if !from_input || matches!(base, "sed" | "awk" | "gawk" | "mawk") {
            return ShellText::default();
        }
        let process = operand.and_then(Word::as_known) == Some("/dev/fd/63");
        match &input.text {
            _ if process => {
                ShellText { text: Some(None), doubt: Some(Doubt::InlineCode(base.to_owned())) }
            }
            // Code of another language is opaque, wherever it comes from.
            Fed::Text(text) if kind == Interpreter::Other => {
                let doubt = Some(Doubt::InlineCode(base.to_owned()));
                ShellText { text: Some(Some(text.clone())), doubt }
            }
            Fed::Text(text) => ShellText { text: Some(Some(text.clone())), doubt: None },
            Fed::Nothing | Fed::Files => ShellText::default(),
            Fed::Names(_) => ShellText { text: Some(None), doubt: Some(Doubt::CommandOutput) },
            Fed::Unknown(doubt) => ShellText { text: Some(None), doubt: Some(doubt.clone()) },
        }
    }

    /// Walks the code that an interpreter is given.
    pub(super) fn interpret(
        &mut self,
        base: &str,
        reading: &Reading,
        state: &State,
        input: &Input,
        shell: ShellText,
    ) {
        let Some(kind) = interprets(reading.table) else { return };
        self.given_code(base, reading, state);
        let shell = self.or_written(shell, reading, state);
        match (kind, shell.text) {
            (_, None) => {}
            (Interpreter::Shell, Some(Some(text))) => {
                let mut inner = exported(state);
                let inner_input =
                    if reading.has(&["-c".to_owned()]) { input.clone() } else { Input::default() };
                let functions = std::mem::take(&mut self.functions);
                inner.globs |= reading.items.iter().any(|item| {
                    item.arg
                        .word
                        .as_known()
                        .is_none_or(|text| text.starts_with(['-', '+']) && text.contains('O'))
                });
                let told = |item: &Item| match &item.arg.role {
                    Role::Option { value: Some(value), .. } => value.as_known() == Some("noexec"),
                    _ => false,
                };
                let skips = reading.has(&["-n".to_owned()]) || reading.items.iter().any(told);
                self.apart(|walker| {
                    walker.ended |= skips;
                    walker.status = walker.settled(walker.status);
                    walker.text(&text, &mut inner, &inner_input, true);
                });
                if !reads_bash(base) {
                    self.opaque_code(base);
                }
                self.uncalled(&inner);
                self.functions = functions;
            }
            (Interpreter::Shell, Some(None)) => {
                self.everything(&shell.doubt.unwrap_or(Doubt::CommandOutput));
            }
            (Interpreter::Other, Some(Some(code))) => self.code(base, &code, state),
            (Interpreter::Other, Some(None)) => self.opaque_code(base),
        }
    }

    /// The texts that options and operands give. Some languages make one program of several.
    fn given_code(&mut self, base: &str, reading: &Reading, state: &State) {
        let mut whole = String::new();
        let mut printed = prints_operand(base, reading);
        for item in &reading.items {
            let word = match &item.arg.role {
                Role::Operand => Some(&item.arg.word),
                Role::Option { value, .. } => value.as_ref(),
                Role::EndOfOptions => None,
            };
            let first = printed && item.arg.role == Role::Operand;
            printed &= !first;
            if (item.kind == Kind::Code || first)
                && let Some(word) = word
            {
                match word.values() {
                    Some([only]) => {
                        whole.push_str(only);
                        whole.push('\n');
                    }
                    Some(texts) => texts.iter().for_each(|code| self.code(base, code, state)),
                    None => self.opaque_code(base),
                }
            }
        }
        if let Some(code) = whole.strip_suffix('\n') {
            self.code(base, code, state);
        }
    }

    /// Code of which not even the text is known.
    pub(super) fn opaque_code(&mut self, base: &str) {
        let doubt = Doubt::InlineCode(base.to_owned());
        for verb in [Verb::Read, Verb::Write, Verb::Exec, Verb::Connect] {
            self.unknown(verb, doubt.clone());
        }
    }
}

/// The text that `source` reads, where it is no file: an input, or what a process prints.
pub(super) fn sourced(file: Option<&Word>, input: &Input) -> Option<Result<String, Doubt>> {
    let file = file?.as_known()?;
    if file == "/dev/fd/63" {
        return Some(Err(Doubt::InlineCode("source".to_owned())));
    }
    if !matches!(file, "/dev/stdin" | "/dev/fd/0" | "/proc/self/fd/0") {
        return None;
    }
    match &input.text {
        Fed::Text(text) => Some(Ok(text.clone())),
        Fed::Nothing | Fed::Files => None,
        Fed::Names(_) => Some(Err(Doubt::CommandOutput)),
        Fed::Unknown(doubt) => Some(Err(doubt.clone())),
    }
}

/// What a shell begins with: only what is exported reaches it, and none of it is known to be.
pub(super) fn exported(state: &State) -> State {
    let mut inner = State {
        directories: state.directories.clone(),
        hazards: state.hazards.clone(),
        ..State::default()
    };
    if let Some(home) = state.vars.get("HOME") {
        inner.vars.set("HOME", home.clone());
    }
    inner
}

/// Whether the shell reads its text as it is read here; zsh, ksh and the others have a grammar of
/// their own, so that theirs is judged as if it were bash and is a doubt besides.
fn reads_bash(base: &str) -> bool {
    matches!(base, "sh" | "bash" | "dash")
}

/// `node -p CODE` and `node -pe CODE`, whose code is no value of the option.
fn prints_operand(base: &str, reading: &Reading) -> bool {
    let given = |item: &Item| match &item.arg.role {
        Role::Option { value: Some(value), .. } if item.kind == Kind::Code => {
            value.as_known() != Some("e")
        }
        _ => false,
    };
    matches!(base, "node" | "nodejs" | "bun" | "tsx")
        && reading.has(&["-p".to_owned()])
        && !reading.items.iter().any(given)
}

fn first_operand(reading: &Reading) -> Option<&Word> {
    let is_operand = |role: &Role| matches!(role, Role::Operand);
    reading.items.iter().find(|item| is_operand(&item.arg.role)).map(|item| &item.arg.word)
}
