//! From a word as read to the words that a command gets: braces, tilde, variables, constants,
//! splitting, globs.
//!
//! Exact where the text itself settles the value, [`Unknown`] with a reason everywhere else. A file
//! name pattern stays unknown here: its reason is [`Doubt::Glob`] with the pattern, in which a
//! backslash takes the meaning from what follows; the floor that knows the files expands it.

use super::braces;
use super::ir::{Node, Piece, RedirectKind, Script, Simple, Word as Read};
use super::vars::{Value, Vars, is_name};
use crate::limits::{EXPANSION_BYTES_MAX, WORD_BYTES_MAX, WORD_VALUES_MAX};
use crate::model::doubt::Doubt;
use crate::model::word::{Unknown, Word};
use std::cell::Cell;
use std::collections::BTreeSet;

/// What is known where a word is expanded.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The variables.
    pub vars: &'a Vars,
    /// The home directory.
    pub home: Option<&'a str>,
    /// The working directory, if there is only one it can be.
    pub directory: Option<&'a str>,
    /// Names that the text gives another meaning: what these print is not known.
    pub redefined: &'a BTreeSet<String>,
    /// Bytes that the whole call's expansions have made.
    pub made: &'a Cell<usize>,
}

/// The words that `word` becomes: none, one or several.
#[must_use]
pub fn fields(word: &Read, known: Known<'_>) -> Vec<Word> {
    match braces::expand(word) {
        Ok(words) => words.iter().flat_map(|word| Fields::of(word, known, true)).collect(),
        Err(doubt) => vec![Word::unknown(doubt)],
    }
}

/// The one word that `word` becomes where nothing is split: assignments, redirections.
#[must_use]
pub fn single(word: &Read, known: Known<'_>) -> Word {
    let mut fields = Fields::of(word, known, false);
    match (fields.pop(), fields.is_empty()) {
        (Some(only), true) => only,
        (None, _) => Word::known(""),
        (Some(_), false) => Word::unknown(Doubt::Expansion("word")),
    }
}

/// The file of a redirection: expanded like any word, but more than one is an error of the shell.
#[must_use]
pub fn target(word: &Read, known: Known<'_>) -> Word {
    let mut fields = fields(word, known);
    match (fields.pop(), fields.is_empty()) {
        (Some(only), true) => only,
        (None, _) => Word::known(""),
        (Some(_), false) => Word::unknown(Doubt::Expansion("redirection")),
    }
}

/// What the script prints, if the text alone settles it: `cat` of a here-document, `echo` or
/// `printf`.
#[must_use]
pub fn constant(script: &Script, known: Known<'_>) -> Option<String> {
    let [Node::Simple(Simple { assignments, words, redirects })] = script.nodes.as_slice() else {
        return None;
    };
    if !assignments.is_empty() || words.is_empty() {
        return None;
    }
    let mut texts = Vec::new();
    for word in words.iter().flat_map(|word| fields(word, known)) {
        texts.push(word.as_known()?.to_owned());
    }
    let (name, arguments) = texts.split_first()?;
    if known.redefined.contains(name) {
        return None;
    }
    match (name.as_str(), redirects.as_slice()) {
        ("cat", [redirect]) if arguments.is_empty() => match &redirect.kind {
            RedirectKind::Text(text) if redirect.fd.is_none_or(|fd| fd == 0) => {
                single(text, known).as_known().map(str::to_owned)
            }
            _ => None,
        },
        ("pwd", []) if arguments.is_empty() => known.directory.map(str::to_owned),
        ("echo", []) => echo(arguments),
        ("printf", []) => printf(arguments),
        _ => None,
    }
}

/// What `echo` prints; shells differ on backslashes, so none may stand there.
#[must_use]
pub fn echo(arguments: &[String]) -> Option<String> {
    let (newline, rest) = match arguments.split_first() {
        Some((first, rest)) if first == "-n" => ("", rest),
        _ => ("\n", arguments),
    };
    let option = rest.first().is_some_and(|text| text.starts_with('-') && text.len() > 1);
    let strange = rest.iter().any(|text| text.contains('\\'));
    (!option && !strange).then(|| rest.join(" ") + newline)
}

/// What `printf` prints, for formats of plain text, `%s`, `%%` and `\n` that use each argument
/// once.
#[must_use]
pub fn printf(arguments: &[String]) -> Option<String> {
    let (format, arguments) = arguments.split_first()?;
    if format.starts_with('-') {
        return None;
    }
    let mut out = String::new();
    let mut arguments = arguments.iter();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => match chars.next()? {
                's' => out.push_str(arguments.next()?),
                '%' => out.push('%'),
                _ => return None,
            },
            '\\' => match chars.next()? {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                '\\' => out.push('\\'),
                _ => return None,
            },
            c => out.push(c),
        }
    }
    arguments.next().is_none().then_some(out)
}

/// True for a text in which a shell would look for file names.
fn has_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Variables whose value the shell itself gives and changes: what the text says of them is no fact.
#[must_use]
pub fn is_set_by_shell(name: &str) -> bool {
    const NAMES: [&str; 29] = [
        "_",
        "REPLY",
        "OPTARG",
        "OPTIND",
        "MAPFILE",
        "RANDOM",
        "SRANDOM",
        "PIPESTATUS",
        "SECONDS",
        "LINENO",
        "EPOCHSECONDS",
        "EPOCHREALTIME",
        "FUNCNAME",
        "DIRSTACK",
        "GROUPS",
        "COPROC",
        "COLUMNS",
        "LINES",
        "HISTCMD",
        "PPID",
        "UID",
        "EUID",
        "OLDPWD",
        "SHLVL",
        "SHELLOPTS",
        "HOSTNAME",
        "HOSTTYPE",
        "OSTYPE",
        "MACHTYPE",
    ];
    NAMES.contains(&name)
        || ["BASH", "COMP_", "READLINE_"].iter().any(|prefix| name.starts_with(prefix))
}

/// Fields in the making.
struct Fields<'a> {
    known: Known<'a>,
    split: bool,
    done: Vec<Word>,
    values: Vec<(String, String)>,
    unknown: Option<Unknown>,
    glob: bool,
    present: bool,
    /// A `$` stands in the word for itself.
    dollar: bool,
}

/// What one piece stands for.
enum Part {
    Texts(Vec<String>),
    Unknown { reason: Doubt, single: bool },
}

impl<'a> Fields<'a> {
    fn of(word: &Read, known: Known<'a>, split: bool) -> Vec<Word> {
        let mut fields = Fields {
            known,
            split,
            done: Vec::new(),
            values: vec![(String::new(), String::new())],
            unknown: None,
            glob: false,
            present: false,
            dollar: word.pieces.iter().any(|piece| match piece {
                Piece::Text { text, quoted: false } => text.contains('$'),
                _ => false,
            }),
        };
        if has_inner_tilde(word, split) {
            fields.doubt(Doubt::Expansion("tilde"), !split);
        }
        for (at, piece) in word.pieces.iter().enumerate() {
            fields.piece(piece, at == 0, word.pieces.len() == 1);
        }
        fields.finish(!split);
        fields.done
    }

    fn piece(&mut self, piece: &Piece, first: bool, last: bool) {
        match piece {
            Piece::Text { text, quoted: true } => {
                self.present = true;
                self.append(std::slice::from_ref(text), true);
            }
            Piece::Text { text, quoted: false } => {
                self.present = true;
                match self.tilde(text, first, last) {
                    Some(Ok((home, rest))) => {
                        self.append(&[home], true);
                        self.append(&[rest], false);
                    }
                    Some(Err(reason)) => self.doubt(reason, true),
                    None => self.append(std::slice::from_ref(text), false),
                }
            }
            Piece::Default { name, word, quoted: false, .. } if self.split && self.is_own(name) => {
                self.taken(word);
            }
            Piece::Variable { name, quoted, .. } => {
                let part = self.variable(name);
                self.expanded(part, *quoted);
            }
            Piece::Default { name, word, quoted, .. } => {
                let part = self.default(name, word);
                self.expanded(part, *quoted);
            }
            Piece::Substitution { script, quoted } => {
                let part = match constant(script, self.known) {
                    Some(text) => Part::Texts(vec![text.trim_end_matches('\n').to_owned()]),
                    None => Part::Unknown { reason: Doubt::CommandOutput, single: true },
                };
                self.expanded(part, *quoted);
            }
            Piece::Process { .. } => {
                self.present = true;
                self.append(&["/dev/fd/63".to_owned()], true);
            }
            Piece::Opaque { doubt, quoted, .. } => {
                self.expanded(Part::Unknown { reason: doubt.clone(), single: true }, *quoted);
            }
        }
    }

    /// What a leading `~` becomes and what follows it, or why that is not known.
    fn tilde(
        &self,
        text: &str,
        first: bool,
        last: bool,
    ) -> Option<Result<(String, String), Doubt>> {
        if !first {
            return None;
        }
        let (before, tail) = match text.split_once("=~") {
            Some((name, tail)) if is_name(name) => (format!("{name}="), tail),
            _ => (String::new(), text.strip_prefix('~')?),
        };
        let (user, rest) = match tail.find('/') {
            Some(at) => tail.split_at_checked(at)?,
            // Quotes right after `~user` would make it plain text: not worth knowing.
            None if last => (tail, ""),
            None => return Some(Err(Doubt::Expansion("tilde"))),
        };
        let place = match user {
            "" => match self.variable("HOME") {
                Part::Texts(texts) => texts.first().cloned(),
                Part::Unknown { .. } => None,
            },
            "+" => self.known.directory.map(str::to_owned),
            _ => return Some(Err(Doubt::Expansion("tilde"))),
        };
        match place {
            Some(place) => Some(Ok((before + &place, rest.to_owned()))),
            None => Some(Err(Doubt::Variable("HOME".to_owned()))),
        }
    }

    fn variable(&self, name: &str) -> Part {
        let unknown = |reason: Doubt| Part::Unknown { reason, single: !matches!(name, "@" | "*") };
        // `$PWD` that this text has set is the shell's again after the next `cd`.
        if is_set_by_shell(name) || name == "PWD" && self.known.vars.get(name).is_some() {
            return unknown(Doubt::Variable(name.to_owned()));
        }
        match self.known.vars.get(name) {
            Some(Value::Texts(texts)) => Part::Texts(texts.clone()),
            Some(Value::Array(texts)) => {
                Part::Texts(vec![texts.first().cloned().unwrap_or_default()])
            }
            Some(Value::Unknown(reason)) => unknown(reason.clone()),
            None => {
                let outside = match name {
                    "HOME" => self.known.home,
                    "PWD" => self.known.directory,
                    _ => None,
                };
                match outside {
                    Some(text) => Part::Texts(vec![text.to_owned()]),
                    None => unknown(Doubt::Variable(name.to_owned())),
                }
            }
        }
    }

    fn default(&self, name: &str, word: &Read) -> Part {
        if let Part::Texts(texts) = self.variable(name) {
            if texts.iter().all(|text| !text.is_empty()) {
                return Part::Texts(texts);
            }
            return Part::Unknown { reason: Doubt::Variable(name.to_owned()), single: true };
        }
        if self.is_own(name)
            && let Word::Known(text) = single(word, self.known)
        {
            return Part::Texts(vec![text]);
        }
        Part::Unknown { reason: Doubt::Variable(name.to_owned()), single: true }
    }

    /// Whether a variable that is not set takes its default. The environment's names are upper case
    /// by custom: one of those may well be set there; one with a small letter is this text's own.
    fn is_own(&self, name: &str) -> bool {
        self.known.vars.get(name).is_none() && name.contains(|c: char| c.is_lowercase())
    }

    /// The word of `${x:-word}` that is taken: what in it is not quoted is split like a value.
    fn taken(&mut self, word: &Read) {
        for (at, piece) in word.pieces.iter().enumerate() {
            match piece {
                Piece::Text { text, quoted: false } => {
                    match self.tilde(text, at == 0, word.pieces.len() == 1) {
                        Some(Ok((home, rest))) => {
                            self.present = true;
                            self.append(&[home], true);
                            self.split_in(&rest);
                        }
                        Some(Err(reason)) => self.doubt(reason, true),
                        None => self.split_in(text),
                    }
                }
                piece => self.piece(piece, false, false),
            }
        }
    }

    fn expanded(&mut self, part: Part, quoted: bool) {
        match part {
            Part::Unknown { reason, single } => self.doubt(reason, quoted && single),
            Part::Texts(texts) if quoted || !self.split => {
                self.present = true;
                self.append(&texts, true);
            }
            Part::Texts(texts) => match texts.as_slice() {
                [text] => self.split_in(text),
                many if many.iter().all(|text| {
                    !text.is_empty() && !has_glob(text) && !text.contains(char::is_whitespace)
                }) =>
                {
                    self.present = true;
                    self.append(many, true);
                }
                _ => self.doubt(Doubt::TooManyValues, false),
            },
        }
    }

    /// An unquoted value is split at blanks, and its parts are patterns again.
    fn split_in(&mut self, text: &str) {
        if self.known.vars.get("IFS").is_some() {
            self.doubt(Doubt::Variable("IFS".to_owned()), false);
            return;
        }
        if self.dollar && text.contains([' ', '\t', '\n']) {
            // In a word with a `$` that expands nothing bash splits nothing, and others do.
            self.doubt(Doubt::Expansion("dollar"), false);
            return;
        }
        let blank = [' ', '\t', '\n'];
        let mut parts = text.split(blank);
        if let Some(first) = parts.next() {
            self.present |= !first.is_empty();
            self.append(&[first.to_owned()], false);
        }
        for part in parts {
            self.finish(false);
            self.present |= !part.is_empty();
            self.append(&[part.to_owned()], false);
        }
    }

    fn append(&mut self, texts: &[String], quoted: bool) {
        if self.unknown.is_some() {
            return;
        }
        if self.values.len().saturating_mul(texts.len()) > WORD_VALUES_MAX {
            self.doubt(Doubt::TooManyValues, quoted);
            return;
        }
        let heads: usize = self.values.iter().map(|(plain, _)| plain.len()).sum();
        let tails: usize = texts.iter().map(String::len).sum();
        let bytes = heads
            .saturating_mul(texts.len())
            .saturating_add(tails.saturating_mul(self.values.len()));
        let made = self.known.made.get().saturating_add(bytes);
        self.known.made.set(made);
        if bytes > WORD_BYTES_MAX || made > EXPANSION_BYTES_MAX {
            self.doubt(Doubt::Limit("expanded bytes"), quoted);
            return;
        }
        self.glob |= !quoted && texts.iter().any(|text| has_glob(text));
        let mut all = Vec::with_capacity(self.values.len() * texts.len());
        for (plain, pattern) in &self.values {
            for text in texts {
                let as_pattern = if quoted { escape(text) } else { text.clone() };
                all.push((format!("{plain}{text}"), format!("{pattern}{as_pattern}")));
            }
        }
        self.values = all;
    }

    fn doubt(&mut self, reason: Doubt, single: bool) {
        self.present = true;
        match &mut self.unknown {
            Some(unknown) => unknown.single &= single,
            None => {
                let prefix = match self.values.as_slice() {
                    [(plain, _)] if !self.glob => plain.clone(),
                    _ => String::new(),
                };
                self.unknown = Some(Unknown { reason, prefix, single: single && !self.glob });
            }
        }
    }

    fn finish(&mut self, keep_empty: bool) {
        let values = std::mem::replace(&mut self.values, vec![(String::new(), String::new())]);
        let unknown = self.unknown.take();
        let glob = std::mem::take(&mut self.glob);
        let present = std::mem::take(&mut self.present);
        if !present && !keep_empty {
            return;
        }
        self.done.push(match (unknown, values.as_slice()) {
            (Some(unknown), _) => Word::Unknown(unknown),
            (None, [(_, pattern)]) if glob && self.split => glob_word(pattern),
            (None, _) if glob && self.split => Word::unknown(Doubt::TooManyValues),
            (None, _) => Word::one_of(values.into_iter().map(|(plain, _)| plain).collect()),
        });
    }
}

/// Whether a `~` stands behind a colon in an assignment, or in a word that looks like one.
fn has_inner_tilde(word: &Read, split: bool) -> bool {
    let is_assignment = match word.pieces.first() {
        _ if !split => true,
        Some(Piece::Text { text, quoted: false }) => {
            text.split_once('=').is_some_and(|(name, _)| is_name(name))
        }
        _ => false,
    };
    let inner = |piece: &Piece| match piece {
        Piece::Text { text, quoted: false } => text.contains(":~"),
        _ => false,
    };
    is_assignment && word.pieces.iter().any(inner)
}

fn glob_word(pattern: &str) -> Word {
    let end = pattern.find(['*', '?', '[', '\\']).unwrap_or(pattern.len());
    let prefix = pattern.get(..end).unwrap_or_default().to_owned();
    // What a class names depends on the locale, and where its bracket ends on the class.
    let class = ["[:", "[.", "[="].iter().any(|open| pattern.contains(open));
    let reason =
        if class { Doubt::Expansion("glob class") } else { Doubt::Glob(pattern.to_owned()) };
    Word::Unknown(Unknown { reason, prefix, single: false })
}

/// Text in which no character is a pattern any more.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
