//! The shell's own commands: their effect on directory, variables and names.
//!
//! Those of policy language §11.8 are no access of their own; the others are an exec like any
//! program's, and what they run is walked.

use super::Walker;
use super::state::{Fed, Input, State};
use crate::facts::paths;
use crate::model::access::Verb;
use crate::model::doubt::Doubt;
use crate::model::word::Word as Value;
use crate::shell::expand;
use crate::shell::ir::{Assignment, Piece, Word};
use crate::shell::vars;
use crate::world::FileKind;

/// Builtins without an access of their own that change nothing that is followed here.
const SILENT: [&str; 20] = [
    ":", "true", "false", "pwd", "dirs", "test", "[", "wait", "exit", "return", "break",
    "continue", "type", "umask", "ulimit", "jobs", "kill", "fg", "bg", "disown",
];

/// Options of `shopt` that change what a file name pattern names.
const GLOB_OPTIONS: [&str; 8] = [
    "nocaseglob",
    "dotglob",
    "extglob",
    "globstar",
    "nullglob",
    "failglob",
    "globasciiranges",
    "nocasematch",
];

/// Builtins that evaluate an operand: an expression, or the subscript of a name.
const EVALUATING: [&str; 11] = [
    "let",
    "test",
    "[",
    "printf",
    "read",
    "mapfile",
    "readarray",
    "unset",
    "getopts",
    "wait",
    "export",
];

impl Walker<'_> {
    /// Runs `name` as a builtin; false if it is none, or has an access of its own all the same.
    pub(super) fn builtin(
        &mut self,
        name: &str,
        arguments: &[Value],
        state: &mut State,
        input: &Input,
    ) -> bool {
        if EVALUATING.contains(&name) {
            self.evaluates(name, arguments, state);
        }
        let any = |letter: char| {
            arguments.iter().any(|word| {
                word.as_known().is_none_or(|text| text.starts_with('-') && text.contains(letter))
            })
        };
        match name {
            // They run a command or a text that stands among their words.
            "jobs" if any('x') => self.callback(name, arguments, state),
            "mapfile" | "readarray" if any('C') => {
                self.callback(name, arguments, state);
                self.forget(arguments, state);
            }
            "wait" => self.forget(&told_to(arguments, 'p'), state),
            "exit" => self.ended = true,
            "return" => self.returned = true,
            _ if SILENT.contains(&name) => {}
            "echo" | "let" => {}
            "printf" => match arguments.first().and_then(Value::as_known) {
                Some("-v") => self.forget(arguments.get(1..2).unwrap_or_default(), state),
                Some(text) if text.starts_with("-v") => {
                    let name = text.trim_start_matches("-v");
                    self.forget(&[Value::known(name)], state);
                }
                _ => {}
            },
            "cd" | "pushd" | "popd" => self.change_directory(name, arguments, state),
            "unset" => {
                for word in arguments {
                    match word.as_known() {
                        Some(text) => {
                            state.functions.remove(text);
                        }
                        None => state.functions.clear(),
                    }
                }
                self.forget(arguments, state);
            }
            "read" | "mapfile" | "readarray" | "getopts" | "shift" => {
                self.forget(arguments, state);
                for text in arguments.iter().flat_map(|word| word.values().unwrap_or_default()) {
                    state.holds(text, &input.feeders);
                }
                state.holds("REPLY", &input.feeders);
                state.holds("MAPFILE", &input.feeders);
            }
            "set" => {
                let first = arguments.first().and_then(Value::as_known);
                state.stops |= !state.branch && sets(arguments, 'e', "errexit");
                state.globs |= sets(arguments, 'f', "noglob");
                // Behind `-n` nothing runs, behind `-e` and `-u` not all may.
                self.ended |= arguments.iter().any(|word| {
                    word.as_known().is_none_or(|text| {
                        text == "noexec" || text.starts_with('-') && text.contains('n')
                    })
                });
                if first.is_some_and(|text| text.starts_with('+')) {
                    state.stops = false;
                }
            }
            "command" | "builtin" => return self.command_builtin(name, arguments, state, input),
            _ => return false,
        }
        true
    }

    /// What is run is judged, so that a deny sees it, and is a doubt all the same.
    fn callback(&mut self, name: &str, arguments: &[Value], state: &mut State) {
        for (at, word) in arguments.iter().enumerate() {
            let option = word.as_known().is_some_and(|text| text.starts_with('-'));
            if option && name == "jobs" {
                let rest = arguments.get(at + 1..).unwrap_or_default();
                self.hidden(|walker| {
                    walker.argv(rest, &mut state.clone(), &Input::default(), &[]);
                });
            }
        }
        self.everything(&Doubt::InlineCode(name.to_owned()));
    }

    /// `command -v x` looks only; `command x` runs the program `x`, not a function of that name.
    fn command_builtin(
        &mut self,
        name: &str,
        arguments: &[Value],
        state: &mut State,
        input: &Input,
    ) -> bool {
        match arguments.first().and_then(Value::as_known) {
            Some("-v" | "-V") => true,
            Some(first) if !first.starts_with('-') && name == "command" => {
                let bodies = self.functions.remove(first);
                self.argv(arguments, state, input, &[]);
                if let Some(bodies) = bodies {
                    self.functions.entry(first.to_owned()).or_default().extend(bodies);
                }
                true
            }
            Some(first) if !first.starts_with('-') => {
                self.argv(arguments, state, input, &[]);
                true
            }
            Some("-p" | "--") => {
                self.argv(arguments.get(1..).unwrap_or_default(), state, input, &[]);
                true
            }
            None if arguments.is_empty() => true,
            _ => false,
        }
    }

    /// Every word may be a variable's name; one that is not known may be any.
    fn forget(&mut self, arguments: &[Value], state: &mut State) {
        for word in arguments {
            let Some(texts) = word.values() else {
                state.hazard(Doubt::HazardAssignment("?".to_owned()));
                continue;
            };
            for text in texts {
                let name: String =
                    text.chars().take_while(|c| *c == '_' || c.is_ascii_alphanumeric()).collect();
                if vars::is_name(&name) {
                    let value = vars::Value::Unknown(Doubt::Variable(name.clone()));
                    self.note_hazard(&name, &value, state);
                    state.vars.set(&name, value);
                }
            }
        }
        let value = vars::Value::Unknown(Doubt::Variable("REPLY".to_owned()));
        state.vars.set("REPLY", value);
    }

    /// `export`, `local`, `declare`, `readonly`, `typeset`.
    pub(super) fn declare(
        &mut self,
        builtin: &str,
        words: &[Word],
        assignments: &[Assignment],
        state: &mut State,
        input: &Input,
    ) {
        if !self.count() {
            return;
        }
        for word in words {
            self.substitutions(word, state, input);
            for field in expand::fields(word, self.known(state)) {
                match field.as_known() {
                    // `declare -n` makes one name mean another, `export -f` hands code on.
                    Some(text) if text.starts_with('-') && text.contains(['n', 'f', 'i']) => {
                        let doubt = Doubt::HazardAssignment(format!("{builtin} {text}"));
                        state.hazard(doubt.clone());
                        if text.contains('i') {
                            // From now on what is assigned is evaluated.
                            self.unknown(Verb::Exec, doubt);
                        }
                    }
                    Some(text) if text.contains('[') => {
                        self.evaluate_text(text, state);
                        self.forget(&[Value::known(text)], state);
                    }
                    Some(text) if text.contains('=') => self.forget(&[Value::known(text)], state),
                    Some(_) => {}
                    None => {
                        let doubt = Doubt::HazardAssignment(builtin.to_owned());
                        state.hazard(doubt.clone());
                        self.unknown(Verb::Exec, doubt);
                    }
                }
            }
        }
        // Attributes change what is assigned: letters, numbers, references.
        let changes = words.iter().any(|word| match word.pieces.as_slice() {
            [Piece::Text { text, .. }] => {
                text.starts_with(['-', '+']) && text.contains(['l', 'u', 'c', 'i', 'n', 'r'])
            }
            _ => false,
        });
        for assignment in assignments {
            let before = state.vars.clone();
            self.assign(assignment, state);
            let name = &assignment.name;
            if changes {
                let doubt = Doubt::Variable(name.clone());
                state.vars.set(name, vars::Value::Unknown(doubt));
            }
            if self.calling.is_empty() && builtin == "local" {
                // Outside a function it fails, and the variable keeps its value.
                let mut kept = before;
                kept.join(&state.vars);
                state.vars = kept;
            }
        }
        let mut names: Vec<String> =
            assignments.iter().map(|assignment| assignment.name.clone()).collect();
        names.extend(words.iter().filter_map(|word| match word.pieces.as_slice() {
            [Piece::Text { text, .. }] if vars::is_name(text) => Some(text.clone()),
            _ => None,
        }));
        if builtin == "readonly" || changes {
            // What cannot be assigned keeps its value, what has an attribute gets another.
            state.readonly.extend(names.iter().cloned());
        }
        if matches!(builtin, "local" | "declare" | "typeset")
            && let Some(own) = self.locals.last_mut()
        {
            own.extend(names);
        }
    }

    /// Builtins that are an exec of their own: what they run besides.
    pub(super) fn after_exec(
        &mut self,
        name: &str,
        arguments: &[Value],
        state: &mut State,
        input: &Input,
    ) {
        match name {
            "eval" => match joined(arguments) {
                Some(text) => self.text(&text, state, input, true),
                None => {
                    self.everything(&first_doubt(arguments));
                    self.lose_shell(state);
                    self.ended = true;
                }
            },
            "trap" => {
                self.trapped = true;
                let text = arguments.iter().find_map(|word| match word.as_known() {
                    Some("--") => None,
                    Some(text) => Some(Ok(text.to_owned())),
                    None => Some(Err(())),
                });
                match text {
                    Some(Ok(text)) if text.starts_with('-') || text.is_empty() => {}
                    Some(Ok(text)) => self.text(&text, &mut state.clone(), input, true),
                    Some(Err(())) => self.everything(&first_doubt(arguments)),
                    None => {}
                }
            }
            "." | "source" => {
                match super::interpreter::sourced(arguments.first(), input) {
                    None => {}
                    Some(Ok(text)) => self.text(&text, state, &Input::default(), true),
                    Some(Err(doubt)) => self.everything(&doubt),
                }
                self.lose_shell(state);
                self.ended = true;
            }
            "shopt" => {
                let on =
                    |word: &Value| word.as_known().is_none_or(|text| GLOB_OPTIONS.contains(&text));
                state.globs |= arguments.iter().any(on);
            }
            // From here on the input of every command is what a process prints, or a text.
            "exec" if !input.feeders.is_empty() || matches!(input.text, Fed::Text(_)) => {
                self.everything(&Doubt::InlineCode(name.to_owned()));
                if !arguments.is_empty() {
                    self.argv(after_options_of_exec(arguments), state, input, &[]);
                }
                self.ended |= !arguments.is_empty();
            }
            "alias" | "hash" | "enable" => {
                for word in arguments {
                    match word.as_known() {
                        Some(text) => {
                            let name = text.split('=').next().unwrap_or_default();
                            state.redefined.insert(name.to_owned());
                        }
                        None => state.hazard(Doubt::Redefined(name.to_owned())),
                    }
                }
            }
            "exec" if !arguments.is_empty() => {
                self.argv(after_options_of_exec(arguments), state, input, &[]);
                self.ended = true;
            }
            _ => {}
        }
    }

    /// Code that is not known has run in this very shell.
    fn lose_shell(&self, state: &mut State) {
        let names: Vec<String> = state.vars.names().map(str::to_owned).collect();
        state.vars.forget(names, &Doubt::Other("a sourced text may set it".to_owned()));
    }
}

/// Whether `set` turns an option on, by its letter or by its name.
fn sets(arguments: &[Value], letter: char, name: &str) -> bool {
    let texts: Vec<&str> = arguments.iter().map_while(Value::as_known).collect();
    let by_letter =
        |text: &&str| text.starts_with('-') && !text.starts_with("--") && text.contains(letter);
    let options = texts.iter().take_while(|text| !matches!(**text, "-" | "--"));
    let named =
        |pair: &[&str]| matches!(pair, [option, told] if by_letter_o(option) && *told == name);
    options.clone().take(1).any(by_letter) || texts.windows(2).any(named)
}

/// `-o`, alone or at the end of a cluster.
fn by_letter_o(option: &str) -> bool {
    option.starts_with('-') && option.ends_with('o')
}

/// The variable that `wait -p` sets.
fn told_to(arguments: &[Value], letter: char) -> Vec<Value> {
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let Some(text) = word.as_known().filter(|text| text.starts_with('-')) else { continue };
        if let Some((_, name)) = text.split_once(letter) {
            return match name {
                "" => words.next().cloned().into_iter().collect(),
                name => vec![Value::known(name)],
            };
        }
    }
    Vec::new()
}

/// What `exec` runs: `-a` takes a word, the name that the program is told.
fn after_options_of_exec(arguments: &[Value]) -> &[Value] {
    let mut rest = arguments;
    while let Some((first, after)) = rest.split_first() {
        match first.as_known() {
            Some("--") => return after,
            Some(text) if text.len() > 1 && text.starts_with('-') => {
                let taken = usize::from(text.find('a') == Some(text.len() - 1));
                rest = after.get(taken..).unwrap_or_default();
            }
            Some(_) | None => return rest,
        }
    }
    rest
}

/// True for builtins that policy sees as a command.
pub(super) fn has_exec(name: &str) -> bool {
    matches!(
        name,
        "eval" | "." | "source" | "trap" | "exec" | "alias" | "enable" | "hash" | "shopt"
    )
}

/// The words as one text, if all are known.
pub(super) fn joined(words: &[Value]) -> Option<String> {
    let texts: Option<Vec<&str>> = words.iter().map(Value::as_known).collect();
    texts.map(|texts| texts.join(" "))
}

/// Why the first of the words that is not known is not.
pub(super) fn first_doubt(words: &[Value]) -> Doubt {
    let doubt = words.iter().find_map(|word| match word {
        Value::Known(_) => None,
        Value::OneOf(_) => Some(Doubt::TooManyValues),
        Value::Unknown(unknown) => Some(unknown.reason.clone()),
    });
    doubt.unwrap_or(Doubt::CommandOutput)
}

/// What is not known about an input, if it is not known.
pub(super) fn doubt_of(input: &Input) -> Option<Doubt> {
    match &input.text {
        Fed::Unknown(doubt) => Some(doubt.clone()),
        Fed::Nothing | Fed::Text(_) | Fed::Files | Fed::Names(_) => None,
    }
}
