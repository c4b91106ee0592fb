//! The files of the catalogue, as they are in the binary.

use super::Program;
use super::scan::cut;
use super::table::read_row;
use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

#[cfg(test)]
pub(super) use tests::texts;

macro_rules! families {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!(
            "../../../policies/catalogue/programs/", $name, ".toml"
        )))),*]
    };
}

/// Every file, by the family of programs that it describes.
const FAMILIES: [(&str, &str); 26] = families![
    "archives",
    "build",
    "cloud",
    "containers",
    "crypto",
    "data",
    "databases",
    "editors",
    "files",
    "forge",
    "git",
    "go",
    "infrastructure",
    "javascript",
    "jvm",
    "kubernetes",
    "languages",
    "network",
    "packages",
    "python",
    "remote",
    "rust",
    "shells",
    "system",
    "text",
    "wrappers",
];

/// A row of a file, read when its program is first asked for.
struct Row {
    text: &'static str,
    table: OnceLock<Option<Program>>,
}

/// Every row, and which one each name means.
struct Index {
    rows: Vec<Row>,
    names: HashMap<&'static str, usize>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index { rows: Vec::new(), names: HashMap::new() };
    for (_, text) in texts() {
        for row in cut(text) {
            index.names.extend(row.names.into_iter().map(|name| (name, index.rows.len())));
            index.rows.push(Row { text: row.text, table: OnceLock::new() });
        }
    }
    index
});

#[cfg(not(test))]
fn texts() -> impl Iterator<Item = (&'static str, &'static str)> {
    FAMILIES.into_iter()
}

/// The table of that very name. A row that cannot be read is no table: its program is unknown, and
/// a test fails.
fn row(name: &str) -> Option<&'static Program> {
    let row = INDEX.names.get(name).and_then(|at| INDEX.rows.get(*at))?;
    row.table.get_or_init(|| read_row(row.text).ok()).as_ref()
}

/// The table of the program `name`, a base name without directories. One that ends in a version
/// (`python3.12`, `gcc-13`) is the program without it.
#[must_use]
pub fn find(name: &str) -> Option<&'static Program> {
    if name.starts_with("mkfs.") {
        return row("mkfs");
    }
    row(name).or_else(|| {
        let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        row(bare.trim_end_matches('-')).filter(|_| bare != name)
    })
}

#[cfg(test)]
mod tests {
    use super::FAMILIES;
    use std::path::Path;
    use std::sync::LazyLock;

    static ON_DISK: LazyLock<Vec<(&'static str, String)>> = LazyLock::new(|| {
        let directory = Path::new("policies/catalogue/programs");
        let read = |name: &str| std::fs::read_to_string(directory.join(format!("{name}.toml")));
        FAMILIES.iter().map(|(name, _)| (*name, read(name).unwrap())).collect()
    });

    /// The files as they lie on disk, so that a row can be tried without a build.
    pub(in super::super) fn texts() -> impl Iterator<Item = (&'static str, &'static str)> {
        ON_DISK.iter().map(|(name, text)| (*name, text.as_str()))
    }

    #[test]
    fn every_file_on_disk_is_a_family() {
        let files = std::fs::read_dir("policies/catalogue/programs").unwrap();
        for file in files.map(|file| file.unwrap().path()) {
            let stem = file.file_stem().unwrap().to_str().unwrap();
            let known = FAMILIES.iter().any(|(name, _)| *name == stem);
            assert!(known || stem == "README", "{}", file.display());
        }
    }
}
