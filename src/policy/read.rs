//! Walking the spanned TOML by the key table: every mistake is noted, and the walk goes on.

use super::diagnostic::{Diagnostic, did_you_mean};
use super::keys::Key;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Its place in the file, in bytes.
    pub span: Range<usize>,
}

/// Collects what is wrong with one file.
pub(super) struct Reader<'a> {
    pub(super) file: &'a str,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// One table of the file, with the keys it may have already checked.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    entries: &'a DeTable<'a>,
    pub(super) span_start: usize,
    span_end: usize,
}

impl<'a> Table<'a> {
    pub(super) fn span(&self) -> Range<usize> {
        self.span_start..self.span_end
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.entries.get(name)
    }
}

impl<'a> Reader<'a> {
    pub(super) fn error(&mut self, code: &'static str, span: Range<usize>, message: String) {
        self.diagnostics.push(Diagnostic::error(code, self.file, span, message));
    }

    pub(super) fn error_with_help(
        &mut self,
        code: &'static str,
        span: Range<usize>,
        message: String,
        help: String,
    ) {
        self.diagnostics.push(Diagnostic::error(code, self.file, span, message).with_help(help));
    }

    /// The table, with each of its keys held against what may stand there.
    pub(super) fn table(
        &mut self,
        entries: &'a DeTable<'a>,
        span: Range<usize>,
        keys: &[Key],
        place: &str,
    ) -> Table<'a> {
        for key in entries.keys() {
            let name: &str = key.get_ref().as_ref();
            match keys.iter().find(|known| known.name == name) {
                Some(known) if known.ready => {}
                Some(_) => self.error_with_help(
                    "P004",
                    key.span(),
                    format!("`{name}` is not enforced by this version"),
                    "a policy is never taken in part: remove it, or use a version that has it"
                        .to_owned(),
                ),
                None => self.unknown_key(name, key.span(), keys, place),
            }
        }
        Table { entries, span_start: span.start, span_end: span.end }
    }

    /// The table behind `value`, if it is one.
    pub(super) fn sub_table(
        &mut self,
        value: &'a Spanned<DeValue<'a>>,
        keys: &[Key],
        place: &str,
    ) -> Option<Table<'a>> {
        match value.get_ref() {
            DeValue::Table(entries) => Some(self.table(entries, value.span(), keys, place)),
            other => {
                self.wrong_type(value.span(), other, "a table");
                None
            }
        }
    }

    pub(super) fn unknown_key(
        &mut self,
        name: &str,
        span: Range<usize>,
        keys: &[Key],
        place: &str,
    ) {
        let names = keys.iter().map(|key| key.name);
        let help = match did_you_mean(name, names.clone()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("{place} takes: {}", names.collect::<Vec<_>>().join(", ")),
        };
        self.error_with_help("P003", span, format!("`{name}` is no key of {place}"), help);
    }

    pub(super) fn wrong_type(&mut self, span: Range<usize>, found: &DeValue<'_>, wanted: &str) {
        self.error("P005", span, format!("expected {wanted}, found {}", found.type_str()));
    }

    /// A string.
    pub(super) fn text(&mut self, value: &'a Spanned<DeValue<'a>>) -> Option<At<String>> {
        match value.get_ref() {
            DeValue::String(text) => {
                Some(At { value: text.as_ref().to_owned(), span: value.span() })
            }
            other => {
                self.wrong_type(value.span(), other, "a string");
                None
            }
        }
    }

    /// The string under `name`, if it is there.
    pub(super) fn text_at(&mut self, table: Table<'a>, name: &str) -> Option<At<String>> {
        let value = table.get(name)?;
        self.text(value)
    }

    /// One string, or a list of them.
    pub(super) fn texts(&mut self, value: &'a Spanned<DeValue<'a>>) -> Vec<At<String>> {
        match value.get_ref() {
            DeValue::Array(items) => items.iter().filter_map(|item| self.text(item)).collect(),
            DeValue::String(_) => self.text(value).into_iter().collect(),
            other => {
                self.wrong_type(value.span(), other, "a string or a list of strings");
                Vec::new()
            }
        }
    }

    /// The items of a list; one value that is no list stands for a list of one.
    pub(super) fn items(
        &mut self,
        value: &'a Spanned<DeValue<'a>>,
    ) -> Vec<&'a Spanned<DeValue<'a>>> {
        match value.get_ref() {
            DeValue::Array(items) => items.iter().collect(),
            _ => vec![value],
        }
    }

    /// One of the words in `choices`.
    pub(super) fn choice<T: Copy>(
        &mut self,
        text: &At<String>,
        choices: &[(&str, T)],
    ) -> Option<T> {
        if let Some((_, chosen)) = choices.iter().find(|(name, _)| *name == text.value) {
            return Some(*chosen);
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let help = match did_you_mean(&text.value, names.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("write one of: {}", names.join(", ")),
        };
        let message = format!("`{}` is not a value here", text.value);
        self.error_with_help("P006", text.span.clone(), message, help);
        None
    }
}
