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

/// The text cut and filled to so many columns of a terminal.
pub(super) fn fitted(text: &str, columns: usize) -> String {
    let cut = console::truncate_str(text, columns, "…");
    console::pad_str(&cut, columns, console::Alignment::Left, None).into_owned()
}

/// Rows below a head, for people; numbers stand right.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head.iter().copied());
    for row in rows {
        table.add_row(row.iter().map(|text| plain(text)));
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
