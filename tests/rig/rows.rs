//! The rows: `tests/cases/rig/*.toml`, read when the test runs.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What lies in every row's world, each file with a content of its own.
const FILES: &[&str] = &[
    "/work/.env",
    "/work/a",
    "/work/notes.md",
    "/work/list.txt",
    "/work/src/main.rs",
    "/work/src/lib.rs",
    "/work/target/x",
    "/home/agent/.ssh/id_rsa",
    "/home/agent/.bashrc",
    "/etc/shadow",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    group: Vec<Group>,
    #[serde(default)]
    gap: Vec<Gap>,
}

/// Pairs of texts that share a claim: the first makes it true, the second only looks like it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    technique: String,
    runs: Option<String>,
    reads: Option<String>,
    writes: Option<String>,
    deletes: Option<String>,
    connects: Option<String>,
    /// More files of `/work`, with what is in them.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// Whom else the text can reach, `host:port`.
    server: Option<String>,
    /// The text that has the effect, its look-alike, and maybe a [`Way`].
    pairs: Vec<Vec<String>>,
}

/// A text that the reader still gets wrong, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    pub text: String,
    pub why: String,
}

/// What a text does besides what it prints.
#[derive(Debug, Clone)]
pub enum Effect {
    /// A program that is logged runs with these words, cut at blanks.
    Runs(String),
    /// What is in this file comes out elsewhere.
    Reads(String),
    /// This path is made or changed.
    Writes(String),
    /// This path is gone.
    Deletes(String),
    /// Somebody connects to this `host:port`.
    Connects(String),
}

/// Why a look-alike without the effect is told as having it all the same: toolgate judges every
/// way that a text could go, since which it goes is decided only when it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A branch that is not taken, or what follows the end.
    Branch,
    /// A body or a trap that nothing calls here.
    Later,
    /// A `cd` may fail: both directories are meant.
    Cd,
}

/// A text, and whether it has an effect.
#[derive(Debug, Clone)]
pub struct Row {
    pub technique: String,
    pub text: String,
    pub effect: Effect,
    pub happens: bool,
    /// Only of a look-alike.
    pub way: Option<Way>,
    /// Who listens, `host:port`.
    pub server: Option<String>,
    /// Absolute paths with their content.
    pub files: BTreeMap<String, String>,
}

impl Way {
    fn parse(text: &str) -> Way {
        match text {
            "branch" => Way::Branch,
            "later" => Way::Later,
            "cd" => Way::Cd,
            other => panic!("`{other}` is no way"),
        }
    }
}

impl Group {
    fn effect(&self) -> Effect {
        let claims = [
            self.runs.clone().map(Effect::Runs),
            self.reads.clone().map(Effect::Reads),
            self.writes.clone().map(Effect::Writes),
            self.deletes.clone().map(Effect::Deletes),
            self.connects.clone().map(Effect::Connects),
        ];
        let mut claims: Vec<Effect> = claims.into_iter().flatten().collect();
        assert_eq!(claims.len(), 1, "a group of `{}` makes not one claim", self.technique);
        claims.remove(0)
    }

    fn rows(&self, rows: &mut Vec<Row>) {
        let mut files: BTreeMap<String, String> =
            FILES.iter().map(|path| ((*path).to_owned(), format!("<in {path}>\n"))).collect();
        for (name, content) in &self.files {
            files.insert(format!("/work/{name}"), content.clone());
        }
        let effect = self.effect();
        let server = match &effect {
            Effect::Connects(host) => Some(host.clone()),
            _ => self.server.clone(),
        };
        for pair in &self.pairs {
            let (attack, alike, way) = match pair.as_slice() {
                [attack, alike] => (attack, alike, None),
                [attack, alike, way] => (attack, alike, Some(Way::parse(way))),
                other => panic!("no pair: {other:?}"),
            };
            for (text, happens, way) in [(attack, true, None), (alike, false, way)] {
                rows.push(Row {
                    technique: self.technique.clone(),
                    text: text.clone(),
                    effect: effect.clone(),
                    happens,
                    way,
                    server: server.clone(),
                    files: files.clone(),
                });
            }
        }
    }
}

impl Row {
    /// A text of which nothing is claimed.
    pub fn harmless(text: &str) -> Row {
        Row {
            technique: String::new(),
            text: text.to_owned(),
            effect: Effect::Writes("/work/x".to_owned()),
            happens: false,
            way: None,
            server: None,
            files: BTreeMap::new(),
        }
    }
}

/// Every row, and what the reader is known to get wrong.
pub fn all() -> (Vec<Row>, Vec<Gap>) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/rig");
    let mut names: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let (mut rows, mut gaps) = (Vec::new(), Vec::new());
    for name in names {
        let text = std::fs::read_to_string(&name).unwrap();
        let table: Table =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", name.display()));
        table.group.iter().for_each(|group| group.rows(&mut rows));
        gaps.extend(table.gap);
    }
    let mut seen = BTreeSet::new();
    for row in &rows {
        assert!(
            seen.insert((&row.text, row.happens, format!("{:?}", row.effect))),
            "twice: {}",
            row.text
        );
    }
    for gap in &gaps {
        assert!(!gap.why.is_empty(), "a gap without a reason: {}", gap.text);
        assert!(rows.iter().any(|row| row.text == gap.text), "no row has the text {}", gap.text);
    }
    (rows, gaps)
}

/// `count` of the rows, the same ones for the same seed; a new row displaces at most one.
pub fn draw(mut rows: Vec<Row>, count: usize, seed: u64) -> Vec<Row> {
    // FNV-1a: the same on every machine and in every Rust.
    let hash = |row: &Row| {
        let bytes = row.text.bytes().chain([u8::from(row.happens)]);
        bytes.fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    };
    rows.sort_by_key(hash);
    rows.truncate(count);
    rows
}
