//! Arithmetic and subscripts: the shell evaluates the text of variables there, and what stands in
//! `$(...)` within that text runs.

use super::Walker;
use super::state::State;
use crate::model::doubt::Doubt;
use crate::model::word::Word as Value;
use crate::shell::expand::is_set_by_shell;
use crate::shell::ir::{Node, Piece, Script, Simple, Word};
use crate::shell::vars;

/// How many variables deep a text is followed.
const DEPTH_MAX: usize = 4;

/// Of the variables that the shell sets, those that are numbers.
const NUMBERS: [&str; 15] = [
    "RANDOM",
    "SRANDOM",
    "SECONDS",
    "LINENO",
    "OPTIND",
    "EPOCHSECONDS",
    "PPID",
    "UID",
    "EUID",
    "SHLVL",
    "COLUMNS",
    "LINES",
    "HISTCMD",
    "PIPESTATUS",
    "BASHPID",
];

/// A value of which only this is known: it is a number.
pub(super) fn number() -> vars::Value {
    vars::Value::Unknown(Doubt::Expansion("integer"))
}

pub(super) use crate::shell::vars::is_number;

fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || b == b'-')
}

impl Walker<'_> {
    /// What making `word` evaluates.
    pub(super) fn evaluated_in(&mut self, word: &Word, state: &mut State) {
        for piece in &word.pieces {
            match piece {
                Piece::Opaque { doubt, evaluates, holds, .. } => {
                    if *doubt == Doubt::Expansion("prompt") {
                        self.everything(doubt);
                    }
                    for word in evaluates {
                        self.evaluate(word, state);
                    }
                    for word in holds {
                        self.evaluated_in(word, state);
                    }
                }
                Piece::Default { word, .. } => self.evaluated_in(word, state),
                Piece::Text { .. }
                | Piece::Variable { .. }
                | Piece::Substitution { .. }
                | Piece::Process { .. } => {}
            }
        }
    }

    fn evaluate(&mut self, word: &Word, state: &mut State) {
        self.evaluated_in(word, state);
        if !self.is_harmless(word, state) {
            self.everything(&Doubt::Expansion("arithmetic"));
        }
        for name in changed(word) {
            self.note_hazard(&name, &number(), state);
            state.vars.set(&name, number());
        }
    }

    fn is_harmless(&self, word: &Word, state: &State) -> bool {
        word.pieces.iter().all(|piece| match piece {
            // A `$` that quotes kept from the shell is expanded in a subscript all the same.
            Piece::Text { text, .. } => {
                !text.contains(['$', '`'])
                    && names(text).iter().all(|name| variable_is_harmless(name, state, DEPTH_MAX))
            }
            Piece::Variable { name, .. } => variable_is_harmless(name, state, DEPTH_MAX),
            Piece::Default { name, word, .. } => {
                variable_is_harmless(name, state, DEPTH_MAX) && self.is_harmless(word, state)
            }
            Piece::Substitution { script, .. } => self.prints_number(script),
            Piece::Process { .. } => false,
            Piece::Opaque { doubt, of, .. } => match of {
                Some(name) => variable_is_harmless(name, state, DEPTH_MAX),
                None => is_computed_number(doubt),
            },
        })
    }

    /// A text that a builtin evaluates: `let`, or a name with a subscript.
    pub(super) fn evaluate_text(&mut self, text: &str, state: &mut State) {
        if !text_is_harmless(text, state, DEPTH_MAX) {
            self.everything(&Doubt::Expansion("arithmetic"));
        }
    }

    /// The operands of a builtin that may be names with a subscript, or expressions.
    pub(super) fn evaluates(&mut self, name: &str, arguments: &[Value], state: &mut State) {
        let mut variable = false;
        for word in arguments {
            let Some(texts) = word.values() else {
                if name == "let" || variable {
                    self.everything(&Doubt::Expansion("arithmetic"));
                }
                variable = false;
                continue;
            };
            for text in texts {
                let subscript = text.contains('[') && text != "[";
                let whole = matches!(name, "test" | "[" | "printf" | "wait");
                if name == "let" || subscript && (!whole || variable || text.starts_with("-v")) {
                    self.evaluate_text(text, state);
                }
                if name == "let" {
                    for name in names(text) {
                        self.note_hazard(&name, &number(), state);
                        state.vars.set(&name, number());
                    }
                }
            }
            variable = matches!(word.as_known(), Some("-v" | "-R" | "-p"));
        }
    }

    /// Whether what the word becomes is a number, whatever it is.
    pub(super) fn is_number_word(&self, word: &Word, state: &State) -> bool {
        !word.pieces.is_empty()
            && word.pieces.iter().all(|piece| match piece {
                Piece::Variable { name, .. } => match state.vars.get(name) {
                    Some(value) => is_number(value),
                    None => matches!(name.as_str(), "#" | "?" | "$" | "!"),
                },
                piece => self.is_number_piece(piece),
            })
    }

    fn is_number_piece(&self, piece: &Piece) -> bool {
        match piece {
            Piece::Text { text, .. } => is_digits(text),
            Piece::Substitution { script, .. } => self.prints_number(script),
            Piece::Opaque { doubt, of: None, .. } => is_computed_number(doubt),
            _ => false,
        }
    }

    /// Whether the assigned word is a number without a look at any variable.
    pub(super) fn counts(&self, word: &Word) -> bool {
        !word.pieces.is_empty() && word.pieces.iter().all(|piece| self.is_number_piece(piece))
    }

    /// Commands that print one number and nothing that anyone wrote.
    fn prints_number(&self, script: &Script) -> bool {
        let last = match script.nodes.as_slice() {
            [Node::Pipe(stages)] => stages.last(),
            [only] => Some(only),
            _ => None,
        };
        let Some(Node::Simple(Simple { words, .. })) = last else { return false };
        let texts: Option<Vec<&str>> = words
            .iter()
            .map(|word| match word.pieces.as_slice() {
                [Piece::Text { text, .. }] => Some(text.as_str()),
                _ => None,
            })
            .collect();
        let Some(texts) = texts else { return false };
        match texts.as_slice() {
            [name, ..] if self.defined.contains(*name) => false,
            ["wc", options @ ..] => options.iter().all(|text| text.starts_with('-')),
            ["date", "+%s" | "+%s%N" | "+%Y"] | ["nproc"] | ["id", "-u" | "-g"] => true,
            ["seq", numbers @ ..] => numbers.iter().all(|text| is_digits(text)),
            ["grep", "-c", _] | ["grep", "-c", _, _] => true,
            _ => false,
        }
    }
}

fn is_computed_number(doubt: &Doubt) -> bool {
    matches!(doubt, Doubt::Expansion("arithmetic" | "length"))
}

/// A variable that this text never sets may come from the environment. That is taken as harmless:
/// who writes the environment writes `PATH` too, and every loop counts with such names.
fn variable_is_harmless(name: &str, state: &State, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    match state.vars.get(name) {
        Some(vars::Value::Texts(texts) | vars::Value::Array(texts)) => {
            texts.iter().all(|text| text_is_harmless(text, state, depth))
        }
        Some(value) => is_number(value),
        // What a function or script is called with stands in the text.
        None if name.bytes().all(|b| b.is_ascii_digit()) => name == "0",
        None if matches!(name, "@" | "*") => false,
        None => !is_set_by_shell(name) || NUMBERS.contains(&name),
    }
}

fn text_is_harmless(text: &str, state: &State, depth: usize) -> bool {
    !text.contains(['$', '`'])
        && !text.contains("<(")
        && !text.contains(">(")
        && names(text).iter().all(|name| variable_is_harmless(name, state, depth))
}

/// The names in an expression.
fn names(text: &str) -> Vec<String> {
    let parts = text.split(|c: char| c != '_' && !c.is_ascii_alphanumeric());
    parts.filter(|part| vars::is_name(part)).map(str::to_owned).collect()
}

/// The variables that an expression may set: all it names, if it sets any.
pub(super) fn changed(word: &Word) -> Vec<String> {
    let mut found = Vec::new();
    let mut sets = false;
    for piece in &word.pieces {
        if let Piece::Text { text, .. } = piece {
            let plain =
                text.replace("==", " ").replace("!=", " ").replace("<=", " ").replace(">=", " ");
            sets |= plain.contains('=') || text.contains("++") || text.contains("--");
            sets |= text.contains("<<=") || text.contains(">>=");
            found.extend(names(text));
        }
    }
    if sets { found } else { Vec::new() }
}

/// The variables that making these words may set.
pub(super) fn changed_in<'w>(words: impl IntoIterator<Item = &'w Word>) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Vec<&Word> = words.into_iter().collect();
    while let Some(word) = open.pop() {
        for piece in &word.pieces {
            if let Piece::Opaque { evaluates, holds, .. } = piece {
                found.extend(evaluates.iter().flat_map(changed));
                open.extend(evaluates.iter().chain(holds));
            }
        }
    }
    found
}
