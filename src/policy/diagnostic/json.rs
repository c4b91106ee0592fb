//! Every mistake as JSON, for programs: lines and columns count from 1, columns in characters.

use super::human::text_of;
use super::{Diagnostic, Fix, Lines, seen};
use crate::policy::compile::Source;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Range;

/// Where the places of several files are looked up, each file's lines once.
pub(super) struct Places<'a> {
    sources: &'a [Source],
    lines: BTreeMap<String, Lines>,
}

/// A place in lines and columns, its end one column behind it.
pub(super) struct Region {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) end_line: usize,
    pub(super) end_column: usize,
}

impl<'a> Places<'a> {
    pub(super) fn of(sources: &'a [Source]) -> Places<'a> {
        Places { sources, lines: BTreeMap::new() }
    }

    pub(super) fn region(&mut self, file: &str, span: &Range<usize>) -> Region {
        let text = text_of(self.sources, file).unwrap_or_default();
        let lines = self.lines.entry(file.to_owned()).or_insert_with(|| Lines::of(text));
        let start = lines.place(text, span.start);
        let end = lines.place(text, span.end.max(span.start));
        Region {
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
        }
    }
}

/// The mistakes, in the order in which they are given.
#[must_use]
pub fn diagnostics(found: &[Diagnostic], sources: &[Source]) -> Value {
    let mut places = Places::of(sources);
    found.iter().map(|found| one(found, &mut places)).collect()
}

fn one(found: &Diagnostic, places: &mut Places<'_>) -> Value {
    let mut value = placed(&found.file, &found.span, &found.label, places);
    let others: Value = found
        .others
        .iter()
        .map(|note| placed(&note.file, &note.span, &note.label, places))
        .collect();
    let fix = found.fix.as_ref().map(|fix| fix_of(found, fix, places));
    if let Some(object) = value.as_object_mut() {
        object.extend([
            ("code".to_owned(), json!(found.code)),
            ("severity".to_owned(), json!(found.severity.as_str())),
            ("message".to_owned(), json!(seen(&found.message))),
            ("help".to_owned(), json!(found.help.as_deref().map(seen))),
            ("others".to_owned(), others),
            ("fix".to_owned(), json!(fix)),
        ]);
    }
    value
}

fn placed(file: &str, span: &Range<usize>, label: &str, places: &mut Places<'_>) -> Value {
    let region = places.region(file, span);
    json!({
        "file": seen(file), "line": region.line, "column": region.column,
        "end_line": region.end_line, "end_column": region.end_column, "label": seen(label),
    })
}

fn fix_of(found: &Diagnostic, fix: &Fix, places: &mut Places<'_>) -> Value {
    let edit = |edit: &super::Edit| {
        let region = places.region(&found.file, &edit.span);
        json!({
            "line": region.line, "column": region.column, "end_line": region.end_line,
            "end_column": region.end_column, "text": edit.text,
        })
    };
    let edits: Value = fix.edits.iter().map(edit).collect();
    json!({ "words": seen(&fix.words), "edits": edits })
}
