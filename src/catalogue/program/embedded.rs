//! The files of the catalogue, as they are in the binary.

use super::Program;
use super::table::read;
use std::collections::BTreeMap;
use std::sync::LazyLock;

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

/// A file that cannot be read is no table: its programs are unknown, and a test fails.
static PROGRAMS: LazyLock<BTreeMap<String, Program>> =
    LazyLock::new(|| texts().iter().filter_map(|(_, text)| read(text).ok()).flatten().collect());

#[cfg(not(test))]
fn texts() -> [(&'static str, &'static str); FAMILIES.len()] {
    FAMILIES
}

/// The table of the program `name`, a base name without directories. One that ends in a version
/// (`python3.12`, `gcc-13`) is the program without it.
#[must_use]
pub fn find(name: &str) -> Option<&'static Program> {
    if name.starts_with("mkfs.") {
        return PROGRAMS.get("mkfs");
    }
    PROGRAMS.get(name).or_else(|| {
        let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        PROGRAMS.get(bare.trim_end_matches('-')).filter(|_| bare != name)
    })
}

#[cfg(test)]
mod tests {
    use super::FAMILIES;
    use std::path::Path;

    /// The files as they lie on disk, so that a row can be tried without a build.
    pub(in super::super) fn texts() -> Vec<(String, String)> {
        let directory = Path::new("policies/catalogue/programs");
        let read = |name: &str| std::fs::read_to_string(directory.join(format!("{name}.toml")));
        FAMILIES.iter().map(|(name, _)| ((*name).to_owned(), read(name).unwrap())).collect()
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
