//! Writing the lines again: a blank line between tables, the `=` of lines that stand together in
//! one column, lists on one line or with a line for each entry.

use super::lines::{Entry, Line, Row, Trailing, Value};
use super::{COLUMNS, KEY_COLUMNS};

/// The text of these lines.
pub(super) fn print(lines: Vec<Line<'_>>) -> String {
    let mut out = String::new();
    let mut run = Vec::new();
    for line in spaced(lines) {
        if let Line::Entry(entry) = line {
            run.push(broken(entry));
            continue;
        }
        print_run(&mut out, std::mem::take(&mut run));
        match line {
            Line::Blank => {}
            Line::Comment(text) => out.push_str(text),
            Line::Header(text, comment) => {
                out.push_str(&text);
                push_comment(&mut out, comment.map(|comment| (comment.gap, comment.text)));
            }
            Line::Entry(_) => continue,
        }
        out.push('\n');
    }
    print_run(&mut out, run);
    out
}

/// The lines with one blank one where there are several, none at either end or below a header, and
/// one above each header and the comments that belong to it.
fn spaced(lines: Vec<Line<'_>>) -> Vec<Line<'_>> {
    let mut done: Vec<Line<'_>> = Vec::new();
    for line in lines {
        match line {
            Line::Blank => {
                if let Some(Line::Comment(_) | Line::Entry(_)) = done.last() {
                    done.push(line);
                }
            }
            Line::Header(..) => {
                let comments =
                    done.iter().rev().take_while(|line| matches!(line, Line::Comment(_))).count();
                let at = done.len() - comments;
                let above = at.checked_sub(1).and_then(|above| done.get(above));
                if above.is_some_and(|above| !matches!(above, Line::Blank)) {
                    done.insert(at, Line::Blank);
                }
                done.push(line);
            }
            Line::Comment(_) | Line::Entry(_) => done.push(line),
        }
    }
    if matches!(done.last(), Some(Line::Blank)) {
        done.pop();
    }
    done
}

/// The entry with a list that is too long for a line on several.
fn broken(entry: Entry<'_>) -> Entry<'_> {
    let Value::List(items) = entry.value else { return entry };
    let width = columns(&entry.key) + " = []".len() + columns(&items.join(", "));
    let value = if width > COLUMNS && items.len() > 1 {
        let row = |item| Row { items: vec![(0, item)], comment: None };
        Value::Rows(items.into_iter().map(row).collect())
    } else {
        Value::List(items)
    };
    Entry { value, ..entry }
}

/// Key lines that stand together: their `=` in one column. A last list of tables over several
/// lines, such as `examples`, does not move the others.
fn print_run(out: &mut String, run: Vec<Entry<'_>>) {
    let counted = match run.split_last() {
        Some((last, rest)) if is_block(&last.value) && !rest.is_empty() => rest,
        _ => run.as_slice(),
    };
    let widths = counted.iter().map(|entry| columns(&entry.key));
    let width = widths.filter(|width| *width <= KEY_COLUMNS).max().unwrap_or_default();
    let texts: Vec<String> = run
        .iter()
        .map(|entry| format!("{:width$} = {}", entry.key, print_value(&entry.value)))
        .collect();
    let comments = run.iter().map(|entry| entry.comment);
    for (text, comment) in texts.iter().zip(lined_up(&texts, comments)) {
        out.push_str(text);
        push_comment(out, comment);
        out.push('\n');
    }
}

fn is_block(value: &Value<'_>) -> bool {
    let Value::Rows(rows) = value else { return false };
    let mut items = rows.iter().flat_map(|row| &row.items).peekable();
    items.peek().is_some() && items.all(|(_, item)| item.starts_with('{'))
}

fn print_value(value: &Value<'_>) -> String {
    match value {
        Value::Whole(text) => text.clone(),
        Value::List(items) => format!("[{}]", items.join(", ")),
        Value::Rows(rows) => {
            let texts: Vec<String> = rows.iter().map(print_row).collect();
            let mut out = String::from("[\n");
            let comments = rows.iter().map(|row| row.comment);
            for (text, comment) in texts.iter().zip(lined_up(&texts, comments)) {
                // A comment of its own line stands where entries begin.
                let comment = comment.map(|(gap, comment)| match text.is_empty() {
                    true => (2, comment),
                    false => (gap, comment),
                });
                out.push_str(text);
                push_comment(&mut out, comment);
                out.push('\n');
            }
            out.push(']');
            out
        }
    }
}

fn print_row(row: &Row<'_>) -> String {
    let mut out = String::new();
    for (gap, item) in &row.items {
        let gap = if out.is_empty() { 2 } else { (*gap).max(1) };
        out.push_str(&" ".repeat(gap));
        out.push_str(item);
        out.push(',');
    }
    out
}

fn push_comment(out: &mut String, comment: Option<(usize, &str)>) {
    if let Some((gap, text)) = comment {
        out.push_str(&" ".repeat(gap.max(1)));
        out.push_str(text);
    }
}

/// The comments behind these lines, each with the blanks before it: in one column if they were in
/// one, else as far from the text as they were.
fn lined_up<'a>(
    texts: &[String],
    comments: impl Iterator<Item = Option<Trailing<'a>>>,
) -> Vec<Option<(usize, &'a str)>> {
    let comments: Vec<_> = comments.collect();
    let ends: Vec<usize> = texts.iter().map(|text| columns(last_line(text))).collect();
    // Comments on a line of their own are no part of the column.
    let behind = || {
        let all = comments.iter().zip(&ends).filter(|(_, end)| **end > 0);
        all.filter_map(|(comment, end)| comment.map(|comment| (comment, *end)))
    };
    let column = behind().map(|(comment, _)| comment.column).reduce(|a, b| match a == b {
        true => a,
        false => usize::MAX,
    });
    let aligned = column.is_some_and(|column| column != usize::MAX) && behind().count() > 1;
    let furthest = behind().map(|(_, end)| end).max().unwrap_or_default();
    let least = behind().map(|(comment, _)| comment.gap.max(1)).min().unwrap_or(1);
    let gap = |comment: Trailing<'_>, end: usize| match aligned {
        true => furthest + least - end,
        false => comment.gap,
    };
    let each = comments.iter().zip(&ends);
    each.map(|(comment, end)| comment.map(|comment| (gap(comment, *end), comment.text))).collect()
}

fn last_line(text: &str) -> &str {
    text.rsplit('\n').next().unwrap_or_default()
}

fn columns(text: &str) -> usize {
    text.chars().count()
}
