//! One value in somebody's TOML, set without touching anything else.
//!
//! A value that is there is replaced at its span. One that is not there can stand in several
//! places, of which some would break the file: each is tried and read back, and the first counts
//! in which all else is as it was.

use super::json::Unfit;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

/// Sets the value at a path of keys.
pub(super) fn set(text: &str, path: &[&str], value: &Value) -> Result<String, Unfit> {
    let syntax = |error: toml::de::Error| Unfit::Toml(error.message().to_owned());
    let mut wanted: Table = text.parse().map_err(syntax)?;
    let Some((key, parents)) = path.split_last() else { return Ok(text.to_owned()) };
    let name = || path.join(".");
    let mut table = &mut wanted;
    for parent in parents {
        let entry = table.entry(*parent).or_insert_with(|| Value::Table(Table::new()));
        table = match entry {
            Value::Table(table) => table,
            _ => return Err(Unfit::Kind(name(), "table")),
        };
    }
    if table.get(*key) == Some(value) {
        return Ok(text.to_owned());
    }
    table.insert((*key).to_owned(), value.clone());
    let document = DeTable::parse(text).map_err(syntax)?;
    let candidates = match span(document.get_ref(), path) {
        Some(span) => {
            let (before, after) = (text.get(..span.start), text.get(span.end..));
            vec![format!("{}{value}{}", before.unwrap_or_default(), after.unwrap_or_default())]
        }
        None => places(text, parents, &format!("{} = {value}\n", quoted(key))),
    };
    let holds = |new: &String| new.parse::<Table>().is_ok_and(|new| new == wanted);
    candidates.into_iter().find(holds).ok_or_else(|| {
        Unfit::Other(format!("`{}` cannot be set without a guess; set it to `{value}`", name()))
    })
}

/// Where the value at a path stands in the text.
fn span(table: &DeTable<'_>, path: &[&str]) -> Option<std::ops::Range<usize>> {
    let (first, rest) = path.split_first()?;
    let (_, value) = table.iter().find(|(key, _)| key.get_ref() == first)?;
    match (value.get_ref(), rest) {
        (_, []) => Some(value.span()),
        (DeValue::Table(table), rest) => span(table, rest),
        _ => None,
    }
}

/// The text with a new line in each of the places where it may belong.
fn places(text: &str, parents: &[&str], line: &str) -> Vec<String> {
    if parents.is_empty() {
        // Before the first table: whatever is written after it belongs to that one.
        return vec![format!("{line}{text}")];
    }
    let keys: Vec<String> = parents.iter().map(|key| quoted(key)).collect();
    let header = format!("[{}]", keys.join("."));
    let mut found = Vec::new();
    let mut at = 0;
    for old in text.split_inclusive('\n') {
        at += old.len();
        if old.trim() == header {
            let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
            let feed = if before.ends_with('\n') { "" } else { "\n" };
            found.push(format!("{before}{feed}{line}{after}"));
        }
    }
    found.push(append(text, &format!("{header}\n{line}")));
    found
}

/// The text and a paragraph after it.
pub(super) fn append(text: &str, paragraph: &str) -> String {
    let between = match text {
        "" => "",
        text if text.ends_with("\n\n") => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    format!("{text}{between}{paragraph}")
}

/// A key as it is written.
fn quoted(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    match !key.is_empty() && key.chars().all(bare) {
        true => key.to_owned(),
        false => Value::from(key).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_is_set_and_nothing_else() {
        let set = |text: &str, path: &[&str]| set(text, path, &Value::from(true));
        for (text, path, after) in [
            ("", &["a"][..], "a = true\n"),
            ("# c\n[t]\nb = 1", &["a"], "a = true\n# c\n[t]\nb = 1"),
            ("a = false # c\n", &["a"], "a = true # c\n"),
            ("a = true # c\n", &["a"], "a = true # c\n"),
            ("[t]\nb = 1\n[u]\n", &["t", "a"], "[t]\na = true\nb = 1\n[u]\n"),
            ("[t]", &["t", "a"], "[t]\na = true\n"),
            ("t = { a = 1 }\n", &["t", "a"], "t = { a = true }\n"),
            ("b = 1\n", &["t", "/x:y", "a"], "b = 1\n\n[t.\"/x:y\"]\na = true\n"),
            // The first header is in a text, and no table.
            (
                "s = \"\"\"\n[t]\n\"\"\"\n",
                &["t", "a"],
                "s = \"\"\"\n[t]\n\"\"\"\n\n[t]\na = true\n",
            ),
        ] {
            assert_eq!(set(text, path).unwrap(), after, "{text}");
        }
        for (text, says) in [
            ("a =", "not TOML"),
            ("t = 1\n", "no table"),
            ("t = { b = 1 }\n", "without a guess"),
            ("t.b = 1\n", "without a guess"),
        ] {
            let error = set(text, &["t", "a"]).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
