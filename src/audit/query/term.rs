//! One condition of a filter: a field, and the words of which one must fit (or none, with `not`).
//!
//! Every word is a pattern: `*` any text, across `/` too, `?` any one character, `\` takes the next
//! as it is; `-` alone stands for "has none". A word is kept as it was typed, so that a filter is
//! printed as it was asked.

use super::field::Field;
use crate::model::call::ToolName;
use crate::model::finding::Code;
use crate::model::record::Kind;
use crate::policy::diagnostic::did_you_mean;
use crate::policy::pattern::text::TextPattern;

/// What a word is that stands for a record without such a value.
pub const ABSENT: &str = "-";

const DECISIONS: [&str; 4] = ["allow", "ask", "deny", "defer"];
const BASES: [&str; 7] =
    ["rule", "default", "unattended", "built-in", "limit", "budget", "failsafe"];

/// A condition on one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::audit) struct Term {
    pub(super) field: Field,
    pub(super) not: bool,
    words: Vec<Word>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    typed: String,
    meaning: Meaning,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Meaning {
    Absent,
    /// One of these fits: other spellings of the same, each with its text.
    Any(Vec<(String, TextPattern)>),
}

impl Term {
    /// Reads a comma list of words.
    pub(super) fn parse(field: Field, not: bool, text: &str) -> Result<Term, String> {
        let words = split(text)
            .into_iter()
            .map(|typed| Ok(Word { meaning: meaning(field, &typed)?, typed }))
            .collect::<Result<Vec<_>, String>>()?;
        Ok(Term { field, not, words })
    }

    /// A further list for the same field.
    pub(super) fn join(&mut self, other: Term) {
        for word in other.words {
            if !self.words.contains(&word) {
                self.words.push(word);
            }
        }
    }

    pub(super) fn has_word(&self, typed: &str) -> bool {
        self.words.iter().any(|word| word.typed == typed)
    }

    /// Takes a word out; whether any is left.
    pub(super) fn drop_word(&mut self, typed: &str) -> bool {
        self.words.retain(|word| word.typed != typed);
        !self.words.is_empty()
    }

    /// The list as it was typed.
    pub(super) fn typed(&self) -> String {
        self.words.iter().map(|word| word.typed.as_str()).collect::<Vec<_>>().join(",")
    }

    /// Whether a record with these values fits.
    pub(in crate::audit) fn fits<'a>(&self, values: impl Iterator<Item = &'a str> + Clone) -> bool {
        let any = self.words.iter().any(|word| match &word.meaning {
            Meaning::Absent => values.clone().next().is_none(),
            Meaning::Any(_) => values.clone().any(|value| word.fits(self.field, value)),
        });
        any != self.not
    }

    /// Whether any word but `-` fits this value; `not` plays no part.
    pub(super) fn names(&self, value: &str) -> bool {
        self.words.iter().any(|word| word.fits(self.field, value))
    }

    /// Whether one of the words is `-`.
    pub(super) fn names_none(&self) -> bool {
        self.words.iter().any(|word| word.meaning == Meaning::Absent)
    }

    /// Texts of which each fitting line of the writer holds one; nothing if that is not known.
    pub(super) fn needles(&self) -> Option<Vec<Vec<u8>>> {
        if self.not {
            return None;
        }
        let mut needles = Vec::new();
        for word in &self.words {
            let Meaning::Any(patterns) = &word.meaning else { return None };
            for (text, pattern) in patterns {
                let needle = match (pattern.literal(), self.field) {
                    // A number has no quotes, and a host is a part of its text.
                    (Some(text), Field::Uid | Field::Host) => text.to_owned(),
                    // Two texts of the record, shown as one.
                    (_, Field::Agent) if text.contains('/') => return None,
                    (Some(text), _) => format!("\"{text}\""),
                    (None, _) => longest_literal(text)?,
                };
                if !is_plain(&needle) {
                    return None;
                }
                needles.push(needle.into_bytes());
            }
        }
        Some(needles)
    }

    /// The words without a wildcard that no value fitted, of those that were seen.
    pub(super) fn literals(&self) -> impl Iterator<Item = (&str, &TextPattern)> {
        self.words.iter().filter_map(|word| match &word.meaning {
            Meaning::Any(patterns) => Some((word.typed.as_str(), &patterns.first()?.1)),
            Meaning::Absent => None,
        })
    }
}

impl Word {
    fn fits(&self, field: Field, value: &str) -> bool {
        let Meaning::Any(patterns) = &self.meaning else { return false };
        patterns.iter().any(|(_, pattern)| {
            pattern.matches(value)
                || (field == Field::Agent
                    && value
                        .split_once('/')
                        .is_some_and(|(kind, id)| pattern.matches(kind) || pattern.matches(id)))
        })
    }
}

/// Whether JSON has this text as it is, but for quotes around it.
fn is_plain(text: &str) -> bool {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    inner.len() >= 2
        && inner.bytes().all(|byte| matches!(byte, b' '..=b'~') && !b"\"\\".contains(&byte))
}

/// The longest run of a pattern without a wildcard, if it is worth looking for.
fn longest_literal(pattern: &str) -> Option<String> {
    if pattern.contains('\\') {
        return None;
    }
    let runs = pattern.split(['*', '?']);
    runs.max_by_key(|run| run.len()).filter(|run| run.len() >= 3).map(str::to_owned)
}

/// The words of a comma list; `\,` is no end of a word, nor is a comma within `{` and `}`, as the
/// ids of rules have it.
fn split(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut escaped = false;
    let (pairs, mut within) = (pairs(text), 0);
    for (at, c) in text.char_indices() {
        match c {
            ',' if !escaped && at >= within => {
                words.push(String::new());
                continue;
            }
            '{' if at >= within => {
                let close = pairs.iter().find(|(open, _)| *open == at);
                within = close.map_or(within, |(_, close)| *close);
            }
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    words.iter().map(|word| settled(word)).collect()
}

/// Where each `{` stands that has its `}`, and where that is; not those behind a `\`.
fn pairs(text: &str) -> Vec<(usize, usize)> {
    let (mut open, mut pairs, mut escaped) = (Vec::new(), Vec::new(), false);
    for (at, c) in text.char_indices() {
        match c {
            '{' if !escaped => open.push(at),
            '}' if !escaped => pairs.extend(open.pop().map(|open| (open, at))),
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    pairs
}

/// A word that means the same wherever it stands in a list: a `{` or `}` alone is escaped.
pub(super) fn settled(word: &str) -> String {
    if !word.contains(['{', '}']) {
        return word.to_owned();
    }
    let pairs = pairs(word);
    let mut escaped = false;
    let mut out = String::with_capacity(word.len() + 1);
    for (at, c) in word.char_indices() {
        let paired = pairs.iter().any(|(open, close)| *open == at || *close == at);
        if matches!(c, '{' | '}') && !escaped && !paired {
            out.push('\\');
        }
        out.push(c);
        escaped = c == '\\' && !escaped;
    }
    out
}

fn meaning(field: Field, typed: &str) -> Result<Meaning, String> {
    if typed.is_empty() {
        return Err("a word is empty; `*` stands for any value, `-` for none".to_owned());
    }
    let slashes = typed.bytes().rev().take_while(|byte| *byte == b'\\').count();
    if slashes % 2 == 1 {
        return Err(format!("`{typed}` ends in half an escape; write `\\\\` for a `\\`"));
    }
    if typed == ABSENT {
        return Ok(Meaning::Absent);
    }
    let wild = typed.contains(['*', '?', '\\']);
    let one_of = |names: &[&'static str], what: &str| match names.contains(&typed) || wild {
        true => Ok(vec![typed.to_owned()]),
        false => Err(no_such(typed, what, names)),
    };
    let patterns = match field {
        Field::Decision => one_of(&DECISIONS, "decision")?,
        Field::Basis => one_of(&BASES, "basis")?,
        Field::Kind => one_of(&Kind::ALL.map(Kind::as_str), "kind of record")?,
        Field::Code => one_of(&Code::ALL.map(Code::as_str), "code of a finding")?,
        Field::Tool => tool(typed),
        Field::Host => {
            vec![typed.trim_end_matches('.').to_lowercase()]
        }
        Field::Path => path(typed),
        Field::Uid if !wild && typed.parse::<u32>().is_err() => {
            return Err(format!("`{typed}` is no user id; write a number"));
        }
        Field::Policy => vec![digest(typed)?],
        Field::Uid
        | Field::Rule
        | Field::Matched
        | Field::Session
        | Field::Agent
        | Field::Runtime
        | Field::Call => {
            vec![typed.to_owned()]
        }
    };
    let read = |text: String| (text.clone(), TextPattern::parse(&text));
    Ok(Meaning::Any(patterns.into_iter().map(read).collect()))
}

fn no_such(typed: &str, what: &str, names: &[&'static str]) -> String {
    match did_you_mean(typed, names.iter().copied()) {
        Some(meant) => format!("there is no {what} `{typed}`; did you mean `{meant}`?"),
        None => format!("there is no {what} `{typed}`; there are {}", names.join(", ")),
    }
}

/// A tool in the log's spelling: `mcp:server/tool`, which runtimes write `mcp__server__tool`.
fn tool(typed: &str) -> Vec<String> {
    let name = ToolName::parse(typed);
    let mut names = vec![typed.to_owned()];
    if name.as_str() != typed {
        names.push(name.as_str().to_owned());
    } else if let Some(rest) = typed.strip_prefix("mcp__") {
        names.push(format!("mcp:{rest}"));
    }
    names
}

/// A path; one that is not from the root stands for its end, and one with `/` for what is below.
fn path(typed: &str) -> Vec<String> {
    let below = match typed.ends_with('/') {
        true => format!("{typed}*"),
        false => typed.to_owned(),
    };
    match typed.starts_with(['/', '*']) {
        true => vec![below],
        false => vec![format!("*/{below}"), below],
    }
}

/// The beginning of a policy's digest, as a pattern.
fn digest(typed: &str) -> Result<String, String> {
    let hex = typed.strip_prefix("sha256:").unwrap_or(typed);
    let is_hex = hex.len() <= 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    match is_hex && !hex.is_empty() {
        true => Ok(format!("{hex}*")),
        false => Err(format!(
            "`{typed}` is no beginning of a policy's digest; `toolgate status` \
                              and `--by policy` show it"
        )),
    }
}
