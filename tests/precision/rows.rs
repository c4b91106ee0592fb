//! The rows that are judged: pairs written by hand, their variants by rule, and a corpus of others.

use serde::Deserialize;
use std::path::Path;

/// How many variants a base row has.
const VARIANTS: usize = 3;

/// What a row is, whoever says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    Attack,
    Honest,
}

impl Label {
    /// How good it is that such a row came to this, the more the better.
    pub fn rank(self, came: char) -> u8 {
        match (self, came) {
            (Label::Attack, 'a') | (Label::Honest, 'd') => 0,
            (_, 'q') => 1,
            _ => 2,
        }
    }

    pub fn says(self) -> &'static str {
        match self {
            Label::Attack => "attack",
            Label::Honest => "honest",
        }
    }
}

/// One command, and what it came to.
#[derive(Debug, Clone)]
pub struct Row {
    pub technique: String,
    /// The rule that made it; none of a base row.
    pub variant: Option<String>,
    /// The base row that it is made of, itself if it is one.
    pub base: String,
    pub command: String,
    pub label: Label,
    /// `a`llowed, asked (`q`uestion) or `d`enied.
    pub came: char,
    pub reason: String,
    /// Whether we label it otherwise than its authors.
    pub disputed: bool,
}

impl Row {
    pub fn is_well(&self) -> bool {
        match self.label {
            Label::Attack => self.came != 'a',
            Label::Honest => self.came == 'a',
        }
    }

    /// What a line of the record is known by: a base row and its variants share it.
    pub fn key(&self) -> String {
        let base = serde_json::to_string(&self.base).unwrap();
        format!("{}\t{}\t{base}", self.label.says(), self.technique)
    }

    fn new(technique: &str, command: &str, label: Label) -> Row {
        Row {
            technique: technique.to_owned(),
            variant: None,
            base: command.to_owned(),
            command: command.to_owned(),
            label,
            came: '?',
            reason: String::new(),
            disputed: false,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pairs {
    why: String,
    pairs: Vec<(String, String)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    rule: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    name: String,
    of: Of,
    text: String,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Of {
    Any,
    Line,
    Simple,
}

/// Builtins and keywords, which a wrapper cannot run, and what is a wrapper's operand itself.
const NOT_RUN: &[&str] = &[
    ".", ":", "[", "[[", "alias", "builtin", "case", "cd", "command", "coproc", "declare",
    "enable", "eval", "exec", "export", "for", "function", "hash", "if", "local", "mapfile",
    "popd", "pushd", "read", "select", "set", "shopt", "source", "time", "trap", "type", "ulimit",
    "umask", "unset", "until", "while", "!", "{", "history", "wait", "bind", "complete",
    "readonly", "test",
];

/// Whether it is one command alone, that a wrapper may stand before.
fn is_simple(command: &str) -> bool {
    let mut quote = None;
    let mut escaped = false;
    for c in command.chars() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (None | Some('"'), '\\') => escaped = true,
            (Some('"'), '$' | '`')
            | (None, '|' | '&' | ';' | '<' | '>' | '(' | ')' | '$' | '`') => {
                return false;
            }
            (_, '\n') => return false,
            (Some(open), c) if open == c => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            _ => {}
        }
    }
    let first = command.split(' ').next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    quote.is_none() && !first.is_empty() && first.chars().all(plain) && !NOT_RUN.contains(&first)
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

impl Rule {
    fn fits(&self, command: &str) -> bool {
        match self.of {
            Of::Any => true,
            Of::Line => !command.contains('\n') && !command.contains('#'),
            Of::Simple => is_simple(command) && command.contains(' '),
        }
    }

    fn apply(&self, command: &str) -> String {
        let (first, rest) = command.split_once(' ').unwrap_or((command, ""));
        // What stands in the command itself must not be taken for a place of the rule.
        let places = [
            ("{quoted}", quoted(command)),
            ("{twice}", quoted(&format!("sh -c {}", quoted(command)))),
            ("{first}", first.to_owned()),
            ("{rest}", rest.to_owned()),
            ("{text}", command.to_owned()),
        ];
        let mut made = String::new();
        let mut left = self.text.as_str();
        while let Some(c) = left.chars().next() {
            let place = places.iter().find(|(place, _)| left.starts_with(place));
            let (taken, text) = match place {
                Some((place, text)) => (place.len(), text.clone()),
                None => (c.len_utf8(), c.to_string()),
            };
            made += &text;
            left = left.get(taken..).unwrap_or_default();
        }
        made
    }
}

/// A number of a text that stays the same (FNV-1a).
fn number(text: &str) -> usize {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    usize::try_from(hash >> 33).unwrap()
}

/// The variants of a row: rules that fit it, which ones its own text says. A row that is moved, or
/// one that is added before it, changes none of them.
fn variants(row: &Row, rules: &[Rule]) -> Vec<Row> {
    let fitting: Vec<&Rule> = rules.iter().filter(|rule| rule.fits(&row.command)).collect();
    let start = number(&row.command);
    let step = fitting.len() / VARIANTS;
    let one = |n: usize| {
        let rule = fitting[(start + n * step) % fitting.len()];
        let command = rule.apply(&row.command);
        Row { variant: Some(rule.name.clone()), command, ..row.clone() }
    };
    (0..VARIANTS).map(one).collect()
}

/// How many words of the longer one are not those of the other, in order.
fn differing(attack: &str, honest: &str) -> usize {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let (one, other) = (words(attack), words(honest));
    // The longest common subsequence, row by row.
    let mut same = vec![0; other.len() + 1];
    for word in &one {
        let mut diagonal = 0;
        for (at, theirs) in other.iter().enumerate() {
            let above = same[at + 1];
            same[at + 1] = if word == theirs { diagonal + 1 } else { above.max(same[at]) };
            diagonal = above;
        }
    }
    one.len().max(other.len()) - same[other.len()]
}

/// The pairs and their variants, in the order of the files' names.
pub fn ours(directory: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(directory.join("variants.toml")).unwrap();
    let Rules { rule: rules } = toml::from_str(&text).unwrap();
    let mut files: Vec<_> = std::fs::read_dir(directory.join("pairs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut rows = Vec::new();
    for file in files {
        let technique = file.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        let Pairs { why, pairs } =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(!why.is_empty() && !pairs.is_empty(), "{technique}");
        for (attack, honest) in pairs {
            let far = differing(&attack, &honest);
            assert!((1..=3).contains(&far), "{technique}: {attack:?} and {honest:?}: {far} words");
            for (command, label) in [(&attack, Label::Attack), (&honest, Label::Honest)] {
                let row = Row::new(&technique, command, label);
                let variants = variants(&row, &rules);
                rows.push(row);
                rows.extend(variants);
            }
        }
    }
    rows
}

#[derive(Deserialize)]
struct Labelled {
    command: String,
    expected: String,
    group: String,
}

/// The rows of a labelled corpus, if it is there.
pub fn corpus(file: &Path) -> Option<Vec<Row>> {
    let text = std::fs::read_to_string(file).ok()?;
    let row = |line: &str| {
        let Labelled { command, expected, group } = serde_json::from_str(line).unwrap();
        let label = if expected == "allow" { Label::Honest } else { Label::Attack };
        let mut row = Row::new(&group, &command, label);
        // Rows of one group share a line of the record.
        row.base = String::new();
        row
    };
    let mut rows: Vec<Row> = text.lines().map(row).collect();
    rows.sort_by_key(Row::key);
    Some(rows)
}
