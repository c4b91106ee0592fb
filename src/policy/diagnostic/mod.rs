//! One mistake in a policy: what, where, and what to do about it.
//!
//! The folder has one file for each form in which it is shown: `human` for a terminal, `json` for
//! programs, `sarif` for code scanning. `codes` is the one table of what there is to tell. What
//! comes from a policy is passed through `seen` before anybody reads it, so that no control
//! character of it reaches a terminal.

pub mod codes;
pub mod human;
pub mod json;
mod lines;
mod nearest;
pub mod sarif;
mod seen;

use std::collections::BTreeSet;
use std::ops::Range;

pub use lines::{Lines, Place};
pub use nearest::{did_you_mean, surely_meant};
pub use seen::{ascii, seen};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; told only where all is asked for.
    Note,
    /// The policy loads; its author should look.
    Warning,
    /// The policy does not load.
    Error,
}

impl Severity {
    /// The word for it; SARIF's levels are the same.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One mistake: its code, its words, its place.
///
/// Wording: lower case, no final period, what the author wrote in backticks, and the help says
/// what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable code, such as `P003`; `codes` has a row for each.
    pub code: &'static str,
    /// Whether the policy still loads.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// The name of the file, as the user gave it.
    pub file: String,
    /// The place in the file, in bytes.
    pub span: Range<usize>,
    /// What stands at that place, in a few words.
    pub label: String,
    /// Other places that have to do with it.
    pub others: Vec<Note>,
    /// What to do.
    pub help: Option<String>,
    /// What `--fix` does.
    pub fix: Option<Fix>,
}

/// Another place that a mistake has to do with, in the same file or in another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The name of its file.
    pub file: String,
    /// The place, in bytes.
    pub span: Range<usize>,
    /// What stands there, as ``by `no-dotenv` ``.
    pub label: String,
}

/// What surely mends a mistake: no choice is left that its author would have to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What is done, as ``write `deny` ``.
    pub words: String,
    /// The changes to the mistake's own file; they do not overlap.
    pub edits: Vec<Edit>,
}

/// One change of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What is taken out, in bytes; empty where something is put in.
    pub span: Range<usize>,
    /// What stands there then.
    pub text: String,
}

impl Fix {
    /// One change.
    #[must_use]
    pub fn new(words: impl Into<String>, span: Range<usize>, text: impl Into<String>) -> Fix {
        Fix { words: words.into(), edits: vec![Edit { span, text: text.into() }] }
    }

    /// Puts `with` into a quoted text that reads `value` and stands, quotes and all, at `span`.
    ///
    /// Nothing where the quotes or escapes are of another kind, or the new text would need some.
    #[must_use]
    pub fn requote(value: &str, span: &Range<usize>, with: &str) -> Option<Fix> {
        let plain = |text: &str| !text.contains(['"', '\'', '\\']) && seen(text) == text;
        let inner = span.start + 1..span.end.checked_sub(1)?;
        let fits = inner.len() == value.len() && value != with && plain(value) && plain(with);
        fits.then(|| Fix::new(format!("write `{with}`"), inner, with))
    }
}

impl Diagnostic {
    /// An error at `span` of `file`.
    #[must_use]
    pub fn error(code: &'static str, file: &str, span: Range<usize>, message: String) -> Self {
        Diagnostic {
            code,
            severity: Severity::Error,
            message,
            file: file.to_owned(),
            span,
            label: String::new(),
            others: Vec::new(),
            help: None,
            fix: None,
        }
    }

    /// A warning at `span` of `file`.
    #[must_use]
    pub fn warning(code: &'static str, file: &str, span: Range<usize>, message: String) -> Self {
        let error = Diagnostic::error(code, file, span, message);
        Diagnostic { severity: Severity::Warning, ..error }
    }

    /// A note at `span` of `file`.
    #[must_use]
    pub fn note(code: &'static str, file: &str, span: Range<usize>, message: String) -> Self {
        let error = Diagnostic::error(code, file, span, message);
        Diagnostic { severity: Severity::Note, ..error }
    }

    /// The same with help.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with words at the place itself.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The same with another place that it has to do with.
    #[must_use]
    pub fn with_other(mut self, file: &str, span: Range<usize>, label: impl Into<String>) -> Self {
        self.others.push(Note { file: file.to_owned(), span, label: label.into() });
        self
    }

    /// The same with what surely mends it, if anything does.
    #[must_use]
    pub fn with_fix(mut self, fix: impl Into<Option<Fix>>) -> Self {
        self.fix = fix.into();
        self
    }

    /// The help as it is read: that of the fix where there is no other, and that it can be had.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        let words = self.help.as_deref().or(self.fix.as_ref().map(|fix| fix.words.as_str()))?;
        let applies = if self.fix.is_some() { "   (--fix applies it)" } else { "" };
        Some(format!("{}{applies}", seen(words)))
    }

    /// The mistake as a compiler shows it: message, place, caret, help. `text` is the file's text.
    #[must_use]
    pub fn render(&self, text: &str, colour: bool) -> String {
        human::render(self, &|file| (file == self.file).then_some(text), colour)
    }
}

/// In a file that is no TOML: takes out what is said of a line that cannot be read, which is but an
/// echo of that, and all fixes, since nothing in such a file is certain.
pub fn drop_echoes(diagnostics: &mut Vec<Diagnostic>, file: &str, text: &str) {
    let of_file = |found: &Diagnostic| found.file == file;
    let no_toml = |found: &Diagnostic| of_file(found) && found.code == "P001";
    if !diagnostics.iter().any(no_toml) {
        return;
    }
    let lines = Lines::of(text);
    let line = |found: &Diagnostic| lines.line_of(found.span.start);
    let broken: BTreeSet<usize> =
        diagnostics.iter().filter(|found| no_toml(found)).map(line).collect();
    diagnostics.retain(|found| !of_file(found) || no_toml(found) || !broken.contains(&line(found)));
    for found in diagnostics.iter_mut().filter(|found| of_file(found)) {
        found.fix = None;
    }
}
