//! Walking the spanned TOML by the key table: every mistake is noted, and the walk goes on.

use super::diagnostic::{Diagnostic, Fix, did_you_mean, surely_meant};
use super::keys::foreign::Meant;
use super::keys::{self, Key, Takes};
use crate::limits::DIAGNOSTICS_MAX;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

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
    pub(super) text: &'a str,
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

    /// Whether a key of the table is there, or one by which it is meant: that one is told then.
    pub(super) fn says(&self, key: &'static str, place: &str) -> bool {
        let meant = Some(Meant::Key(key));
        self.entries.contains_key(key)
            || self.entries.keys().any(|word| keys::foreign::meant(place, word.get_ref()) == meant)
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
        for (key, value) in entries {
            let name: &str = key.get_ref().as_ref();
            match keys.iter().find(|known| known.name == name) {
                Some(known) if known.ready => {}
                Some(_) => self.error_with_help(
                    "P004",
                    key.span(),
                    format!("`{name}` is no part of a policy"),
                    "it is the operator's, and stands in toolgate.toml; a policy says which hosts, \
                     below `[connect]`"
                        .to_owned(),
                ),
                None => self.unknown_key(name, (key, value.get_ref()), entries, keys, place),
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

    /// A key of `entries` that is none; `name` is all of it where it has dots.
    pub(super) fn unknown_key(
        &mut self,
        name: &str,
        entry: (&Spanned<DeString<'a>>, &DeValue<'a>),
        entries: &DeTable<'a>,
        keys: &[Key],
        place: &str,
    ) {
        let message = format!("`{name}` is no key of {place}");
        let found = Diagnostic::error("P003", self.file, entry.0.span(), message);
        self.diagnostics.push(if self.is_full() {
            found
        } else {
            let (help, fix) = meant(name, entry, entries, keys, place);
            found.with_help(help).with_fix(fix)
        });
    }

    /// What helps against the mistake that was told last.
    pub(super) fn help(&mut self, help: String) {
        if let Some(found) = self.diagnostics.last_mut() {
            found.help = Some(help);
        }
    }

    /// What surely mends the mistake that was told last.
    pub(super) fn fix(&mut self, fix: Fix) {
        if let Some(found) = self.diagnostics.last_mut() {
            found.fix = Some(fix);
        }
    }

    /// The mistake that was told last is mended by taking the quotes away.
    pub(super) fn unquote(&mut self, span: Range<usize>, text: &str) {
        self.fix(Fix::new(format!("write `{text}`, without quotes"), span, text));
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
        let text = self.text(value);
        if matches!(name, "version" | "name" | "id")
            && let DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_) = value.get_ref()
            && let Some(number) = self.text.get(value.span())
            && let Some(found) = self.diagnostics.last_mut()
        {
            // What a thing is called may be a number, if it is written as a text.
            let quoted = format!("\"{number}\"");
            found.fix = Some(Fix::new(format!("write `{quoted}`"), value.span(), quoted));
        }
        text
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
        let message = format!("`{}` is not a value here", text.value);
        if self.is_full() {
            self.error("P006", text.span.clone(), message);
            return None;
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let help = match did_you_mean(&text.value, names.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("write one of: {}", names.join(", ")),
        };
        let fix = surely_meant(&text.value, names)
            .and_then(|meant| Fix::requote(&text.value, &text.span, meant));
        let found = Diagnostic::error("P006", self.file, text.span.clone(), message);
        self.diagnostics.push(found.with_help(help).with_fix(fix));
        None
    }

    /// Whether more is found than is ever told: what was meant need not be worked out then.
    fn is_full(&self) -> bool {
        self.diagnostics.len() >= DIAGNOSTICS_MAX
    }

    /// Puts a line at the top of the file, below its first comments.
    pub(super) fn line_at_top(&self, line: &str) -> Fix {
        let text = self.text;
        let is_comment = |line: &&str| {
            let line = line.trim_start_matches('\u{feff}').trim();
            line.is_empty() || line.starts_with('#')
        };
        let bom = text.len() - text.trim_start_matches('\u{feff}').len();
        let above: usize = text.split_inclusive('\n').take_while(is_comment).map(str::len).sum();
        let (above, rest) = text.split_at_checked(above.max(bom)).unwrap_or((text, ""));
        let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        // The comments may end the file without ending their line; a table stands apart.
        let before = if above.len() == bom || above.ends_with('\n') { "" } else { end };
        let behind = if rest.trim_start().starts_with('[') { end } else { "" };
        let put = format!("{before}{line}{end}{behind}");
        Fix::new(format!("write `{line}` at the top of the file"), above.len()..above.len(), put)
    }
}

/// What an unknown key was meant to be: in words, and as a fix where it cannot be another.
fn meant<'a>(
    name: &str,
    (key, value): (&Spanned<DeString<'a>>, &DeValue<'a>),
    entries: &DeTable<'a>,
    keys: &[Key],
    place: &str,
) -> (String, Option<Fix>) {
    let names = keys.iter().map(|key| key.name);
    // Of a key with dots, only a part would be mended.
    let whole = key.get_ref().as_ref() == name;
    let foreign = keys::foreign::meant(place, name);
    let nearest = match foreign {
        Some(Meant::Key(key)) => Some(key),
        Some(Meant::Other(_)) => None,
        None => surely_meant(name, names.clone()),
    };
    let sure = nearest
        .filter(|_| whole)
        .and_then(|meant| keys.iter().find(|key| key.name == meant))
        .filter(|meant| meant.ready && may_be(value, &meant.takes))
        .filter(|meant| match entries.get(meant.name).map(Spanned::get_ref) {
            None => true,
            // One more table of a list of them.
            Some(DeValue::Array(_)) => matches!(meant.takes, Takes::Tables(_)),
            Some(_) => false,
        })
        .map(|meant| Fix::new(format!("write `{}`", meant.name), key.span(), meant.name));
    let help = match (foreign, did_you_mean(name, names.clone())) {
        (Some(Meant::Key(key)), _) => format!("write `{key}`"),
        (Some(Meant::Other(help)), _) => help.to_owned(),
        (None, Some(meant)) => format!("did you mean `{meant}`?"),
        (None, None) => match keys::home_of(name) {
            Some(home) => format!("`{name}` stands {home}"),
            None if place == "`when`" => {
                let names = names.collect::<Vec<_>>().join(", ");
                format!("an argument is `args.{name}`; beside those, {place} takes: {names}")
            }
            None => format!("{place} takes: {}", names.collect::<Vec<_>>().join(", ")),
        },
    };
    (help, sure)
}

/// Whether the value is of a type that the key takes.
fn may_be(value: &DeValue<'_>, takes: &Takes) -> bool {
    let each = |fits: fn(&DeValue<'_>) -> bool| match value {
        DeValue::Array(items) => items.iter().all(|item| fits(item.get_ref())),
        other => fits(other),
    };
    let is_text = |value: &DeValue<'_>| matches!(value, DeValue::String(_));
    let is_table = |value: &DeValue<'_>| matches!(value, DeValue::Table(_));
    match takes {
        Takes::One => matches!(value, DeValue::Integer(number) if number.as_str() == "1"),
        Takes::Text | Takes::Word(_) => is_text(value),
        Takes::Texts | Takes::Words(_) => each(is_text),
        Takes::Number => matches!(value, DeValue::Integer(_) | DeValue::Float(_)),
        Takes::Date => matches!(value, DeValue::Datetime(_)),
        Takes::Patterns => each(|item| matches!(item, DeValue::String(_) | DeValue::Table(_))),
        Takes::Table(_) | Takes::Open(..) | Takes::Named(_) => is_table(value),
        Takes::Tables(_) => each(is_table),
        Takes::TextOr(_) => is_text(value) || is_table(value),
        Takes::Condition => !matches!(value, DeValue::Datetime(_)),
        Takes::Any => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_put_below_the_first_comments() {
        for (text, expected) in [
            ("", "schema = 1\n"),
            ("a = 1\n", "schema = 1\na = 1\n"),
            ("[a]\n", "schema = 1\n\n[a]\n"),
            ("#:schema x\n# y\n[a]\n", "#:schema x\n# y\nschema = 1\n\n[a]\n"),
            ("# x", "# x\nschema = 1\n"),
            ("# x\n\na = 1 # y\n", "# x\n\nschema = 1\na = 1 # y\n"),
            ("\u{feff}a = 1\n", "\u{feff}schema = 1\na = 1\n"),
            ("\u{feff}# x\n[a]\n", "\u{feff}# x\nschema = 1\n\n[a]\n"),
            ("# x\r\n[a]\r\n", "# x\r\nschema = 1\r\n\r\n[a]\r\n"),
        ] {
            let reader = Reader { file: "p", text, diagnostics: Vec::new() };
            let fix = reader.line_at_top("schema = 1");
            let edit = fix.edits.first().unwrap();
            let mut fixed = text.to_owned();
            fixed.replace_range(edit.span.clone(), &edit.text);
            assert_eq!(fixed, expected);
        }
    }
}
