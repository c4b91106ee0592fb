//! A file of rows, cut into its rows without reading them: a command asks for a few of some
//! hundreds.
//!
//! A row is every table whose header starts with the same name, one after the other, each header
//! at the start of its line. A test holds the cut against the whole file as TOML reads it.

/// One row as text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut<'a> {
    /// Every name of the program.
    pub(super) names: Vec<&'a str>,
    /// The row.
    pub(super) text: &'a str,
}

/// The rows of a file, in order.
pub(super) fn cut(text: &str) -> Vec<Cut<'_>> {
    let mut rows: Vec<(usize, Vec<&str>)> = Vec::new();
    let mut headers = starts(text).peekable();
    while let Some(start) = headers.next() {
        let end = headers.peek().copied().unwrap_or(text.len());
        let table = text.get(start..end).unwrap_or_default();
        let (name, own) = header(table);
        if rows.last().is_none_or(|(_, names)| names.first() != Some(&name)) {
            rows.push((start, vec![name]));
        }
        if let (true, Some((_, names))) = (own, rows.last_mut()) {
            names.extend(other_names(table));
        }
    }
    let ends: Vec<usize> = rows.iter().skip(1).map(|row| row.0).chain([text.len()]).collect();
    let rows = rows.into_iter().zip(ends);
    rows.map(|((start, names), end)| Cut { names, text: text.get(start..end).unwrap_or_default() })
        .collect()
}

/// Where each header starts.
fn starts(text: &str) -> impl Iterator<Item = usize> {
    let first = text.starts_with('[').then_some(0);
    first.into_iter().chain(text.match_indices("\n[").map(|(at, _)| at + 1))
}

/// The name that a table's header starts with, and whether that is all of it.
fn header(table: &str) -> (&str, bool) {
    let inside = table.trim_start_matches('[');
    let (name, rest) = match inside.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
        None => inside.split_at(inside.find(['.', ']', ' ']).unwrap_or(inside.len())),
    };
    (name, rest.starts_with(']'))
}

/// What `also = ["a", "b"]` names.
fn other_names(table: &str) -> impl Iterator<Item = &str> {
    let list = table.split_once("\nalso").and_then(|(_, rest)| rest.split_once('['));
    let list = list.and_then(|(_, rest)| rest.split_once(']')).map_or("", |(list, _)| list);
    list.split('"').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::super::embedded::texts;
    use super::super::table::{read, read_row};
    use super::cut;
    use std::collections::BTreeMap;

    #[test]
    fn the_rows_together_are_the_file() {
        for (family, text) in texts() {
            let mut programs = BTreeMap::new();
            for row in cut(text) {
                let program = read_row(row.text).unwrap_or_else(|e| panic!("{family}: {e}"));
                for name in row.names {
                    programs.insert(name.to_owned(), program.clone());
                }
            }
            assert!(programs == read(text).unwrap(), "{family}: the cut is not what TOML reads");
        }
    }

    #[test]
    fn a_row_ends_where_another_name_starts() {
        let text = "# head\n[a]\nalso = [\n  \"b\",\n  \"c\",\n]\n\
                    [a.subcommands.x]\nalso = [\"d\"]\n[\"e.f\"]\n";
        let rows = cut(text);
        let names: Vec<_> = rows.iter().map(|row| row.names.as_slice()).collect();
        assert_eq!(names, [&["a", "b", "c"][..], &["e.f"]]);
        assert!(rows[0].text.ends_with("also = [\"d\"]\n"));
    }
}
