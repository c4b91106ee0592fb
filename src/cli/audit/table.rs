//! Tables of the review: for people, and as CSV and JSON for programs.

use crate::cli::out::{self, say};
use crate::cli::show::plain;
use crate::review::visible::cell;
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

/// How a list is printed.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Style {
    /// For people
    #[value(alias = "human")]
    Table,
    /// One JSON document
    Json,
    /// One JSON object a line
    Jsonl,
    /// For spreadsheets; no cell is a formula
    Csv,
}

/// How wide the terminal is, or what stands in `COLUMNS`; 80 where there is neither.
pub(super) fn width() -> usize {
    let stated = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let seen = || console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
    stated.or_else(seen).unwrap_or(80).clamp(60, 400)
}

/// How wide lines may be, if anything bounds them: a terminal, or `COLUMNS`.
pub(super) fn bound() -> Option<usize> {
    let stated = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let seen = || console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
    stated.or_else(seen).map(|columns: usize| columns.clamp(60, 400))
}

/// How many columns of a terminal a text takes.
pub(super) fn columns(text: &str) -> usize {
    console::measure_text_width(text)
}

/// A line as several that are no wider than that, broken between words; those behind the first
/// are indented.
pub(super) fn wrapped(line: &str, bound: Option<usize>, indent: usize) -> String {
    let Some(width) = bound else { return line.to_owned() };
    let mut out = String::new();
    let mut at = 0;
    for word in line.split_inclusive(' ') {
        let wide = columns(word.trim_end());
        if at > indent && at + wide > width {
            out.truncate(out.trim_end().len());
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            at = indent;
        }
        out.push_str(word);
        at += columns(word);
    }
    out
}

/// How many of what, in words: `1 key`, `2 keys`.
pub(super) fn counted(count: u64, what: &str) -> String {
    let many = if count == 1 { "" } else { "s" };
    format!("{count} {what}{many}")
}

/// The text cut and filled to so many columns of a terminal.
pub(super) fn fitted(text: &str, columns: usize) -> String {
    let cut = console::truncate_str(text, columns, "…");
    console::pad_str(&cut, columns, console::Alignment::Left, None).into_owned()
}

/// Rows below a head, for people; numbers stand right. Where a terminal bounds it, the widest
/// columns are cut.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    within(head, rows, bound())
}

fn within(head: &[&str], rows: &[Vec<String>], bound: Option<usize>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head.iter().copied());
    let shown: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|text| plain(text)).collect()).collect();
    let widths = widths(head, &shown, bound);
    for row in &shown {
        let cell = |(place, text): (usize, &String)| {
            let most = widths.get(place).copied().unwrap_or(usize::MAX);
            console::truncate_str(text, most, "…").into_owned()
        };
        table.add_row(row.iter().enumerate().map(cell));
    }
    for (place, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        let is_number = |text: &String| text.parse::<f64>().is_ok() || text.is_empty();
        let all = || rows.iter().filter_map(|row| row.get(place));
        if all().all(is_number) && all().any(|text| !text.is_empty()) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// How wide each column may be, so that a line is within the bound.
fn widths(head: &[&str], rows: &[Vec<String>], bound: Option<usize>) -> Vec<usize> {
    /// No column is cut below this.
    const LEAST: usize = 8;
    let widest = |(place, name): (usize, &&str)| {
        let cells = rows.iter().filter_map(|row| row.get(place)).map(|text| columns(text));
        cells.max().unwrap_or(0).max(columns(name))
    };
    let mut widths: Vec<usize> = head.iter().enumerate().map(widest).collect();
    let Some(bound) = bound else { return widths };
    while widths.iter().map(|width| width + 2).sum::<usize>() > bound + 2 {
        match widths.iter_mut().max().filter(|width| **width > LEAST) {
            Some(width) => *width -= 1,
            None => break,
        }
    }
    widths
}

/// Prints rows as CSV, each text harmless.
pub(super) fn csv(head: &[&str], rows: &[Vec<String>]) -> Result<(), String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| error.to_string();
    writer.write_record(head).map_err(failed)?;
    for row in rows {
        // A number stays one: what we counted is no text of an agent's.
        let shown = row.iter().map(|text| match text.parse::<f64>() {
            Ok(number) if number.is_finite() && !text.starts_with(['+', '-']) => text.clone(),
            _ => cell(text),
        });
        writer.write_record(shown).map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|error| error.to_string())?;
    out::text(&String::from_utf8_lossy(&bytes));
    Ok(())
}

/// Prints a value as one JSON document, pure ASCII.
pub(super) fn json(value: &impl Serialize) -> Result<(), String> {
    let text = serde_json::to_string_pretty(value).map_err(|error| error.to_string())?;
    say!("{}", crate::policy::diagnostic::ascii(&text));
    Ok(())
}

/// Prints values as JSON, one a line.
pub(super) fn jsonl<T: Serialize>(values: &[T]) -> Result<(), String> {
    for value in values {
        let text = serde_json::to_string(value).map_err(|error| error.to_string())?;
        say!("{}", crate::policy::diagnostic::ascii(&text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_table_cuts_its_widest_columns() {
        let long = "exec.allow:{ls,cat,head,tail,wc,rg,grep,sed,awk,cut,tr,jq,sort,uniq} ...";
        let rows = vec![vec![long.to_owned(), "7".to_owned(), "short".to_owned()]; 3];
        let head = ["rule", "calls", "what"];
        let whole = within(&head, &rows, None);
        assert!(whole.contains(long));
        let cut = within(&head, &rows, Some(40));
        assert!(cut.lines().all(|line| columns(line) <= 40), "{cut}");
        assert!(
            cut.contains("exec.allow:{") && cut.contains('…') && cut.contains("short"),
            "{cut}"
        );
    }

    #[test]
    fn a_line_is_broken_between_words() {
        let told = wrapped("  signed by a key that nobody here has seen before", Some(24), 4);
        assert_eq!(told, "  signed by a key that\n    nobody here has seen\n    before");
        assert_eq!(wrapped("a b", None, 2), "a b");
    }
}
