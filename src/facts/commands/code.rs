//! Inline code of other languages: the paths, URLs and commands that its strings name.
//!
//! This finds what a program spells, not what it does. Each find is a maybe; that the program may
//! do more is the kernel plane's. For sed and awk, whose programs are mostly patterns, only the
//! commands that read, write or run are looked for.

use super::Walker;
use super::state::State;
use crate::facts::paths;
use crate::model::access::{Access, Target, Verb};
use crate::model::doubt::Doubt;
use crate::model::url::{Destination, Network};

/// Words with which a program runs others.
const RUNS: [&str; 11] = [
    "system(",
    "popen",
    "subprocess",
    "child_process",
    "spawn",
    "exec(",
    "execSync",
    "os.exec",
    "eval(",
    "qx",
    "__import__",
];

impl Walker<'_> {
    pub(super) fn code(&mut self, base: &str, code: &str, state: &State) {
        let doubt = Doubt::InlineCode(base.to_owned());
        match base {
            "sed" => return self.sed(code, state, &doubt),
            "awk" | "gawk" | "mawk" => {
                // Where a string ends cannot be told from a pattern or a comment: each counts.
                if code.contains("system")
                    || code.contains('|') && !only_or(code)
                    || code.contains("getline")
                    || code.contains('@')
                {
                    self.unknown(Verb::Exec, doubt.clone());
                }
            }
            _ => {
                if RUNS.iter().any(|word| code.contains(word))
                    || code.contains('`') && matches!(base, "perl" | "ruby")
                {
                    let target = Target::Unknown { verb: Verb::Exec, reason: doubt.clone() };
                    self.push(Access::possible(target, doubt.clone()));
                }
            }
        }
        for text in strings(code) {
            self.named(&text, state, &doubt);
        }
    }

    /// A string that reads like a path or URL.
    fn named(&mut self, text: &str, state: &State, doubt: &Doubt) {
        if text.contains("://") {
            if let Ok(network) = Network::parse_url(text) {
                let target = Target::Connect(Destination::Network(network));
                self.push(Access::possible(target, doubt.clone()));
            }
            return;
        }
        let home = text.strip_prefix("~/").zip(self.home.as_deref());
        let full = match home {
            Some((rest, home)) => format!("{home}/{rest}"),
            None => text.to_owned(),
        };
        let absolute = full.starts_with('/') && full.len() > 1;
        let relative = !full.starts_with('/')
            && (full.contains('/') || full.starts_with('.') && full.len() > 2)
            && !full.contains(char::is_whitespace);
        if !absolute && !relative || full.contains(['\n', '*', '(', '|']) {
            return;
        }
        if let Ok(target) = paths::target(&full, state.directory(), self.place) {
            self.push(Access::possible(Target::Read(target.clone()), doubt.clone()));
            self.push(Access::possible(Target::Write(target), doubt.clone()));
        }
    }

    /// The commands of a sed program that touch files or run programs.
    fn sed(&mut self, code: &str, state: &State, doubt: &Doubt) {
        for line in code.split(['\n', ';', '{', '}']) {
            let line = skip_addresses(line.trim_start());
            let Some(command) = line.chars().next() else { continue };
            let rest = line.get(command.len_utf8()..).unwrap_or_default();
            match command {
                'e' => self.unknown(Verb::Exec, doubt.clone()),
                'r' | 'R' => self.sed_file(rest, state, Verb::Read, doubt),
                'w' | 'W' => self.sed_file(rest, state, Verb::Write, doubt),
                's' => {
                    let Some(flags) = after_delimiters(rest) else { continue };
                    let (letters, file) =
                        flags.split_once('w').map_or((flags, None), |(l, f)| (l, Some(f)));
                    if letters.contains('e') {
                        self.unknown(Verb::Exec, doubt.clone());
                    }
                    if let Some(file) = file {
                        self.sed_file(file, state, Verb::Write, doubt);
                    }
                }
                _ => {}
            }
        }
    }

    fn sed_file(&mut self, text: &str, state: &State, verb: Verb, doubt: &Doubt) {
        let text = text.trim();
        if text.is_empty() || super::operands::is_no_access(text) {
            return;
        }
        match paths::target(text, state.directory(), self.place) {
            Ok(target) if verb == Verb::Read => self.certain(Target::Read(target)),
            Ok(target) => self.certain(Target::Write(target)),
            Err(_) => self.unknown(verb, doubt.clone()),
        }
    }
}

/// The texts between quotes, and, where nothing is quoted, the words.
fn strings(code: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut open: Option<char> = None;
    let mut text = String::new();
    let mut chars = code.chars();
    while let Some(c) = chars.next() {
        match (open, c) {
            (Some(quote), c) if c == quote => {
                all.push(std::mem::take(&mut text));
                open = None;
            }
            (Some(_), '\\') => text.extend(chars.next()),
            (Some(_), c) => text.push(c),
            (None, '"' | '\'' | '`') => open = Some(c),
            (None, _) => {}
        }
    }
    if open.is_some() {
        all.extend(text.split_whitespace().map(str::to_owned));
    }
    let words: Vec<String> =
        all.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect();
    all.extend(words);
    all.sort();
    all.dedup();
    all
}

/// Every bar is half of `||`.
fn only_or(text: &str) -> bool {
    !text.replace("||", "").contains('|')
}

fn skip_addresses(line: &str) -> &str {
    let mut rest = line;
    loop {
        let trimmed = rest.trim_start_matches(|c: char| {
            c.is_ascii_digit() || matches!(c, '$' | ',' | '~' | '+' | '!' | ' ' | '\t')
        });
        let Some(pattern) = trimmed.strip_prefix('/') else { return trimmed };
        let Some(after) = after_one(pattern, '/') else { return "" };
        rest = after.trim_start_matches(['I', 'M']);
    }
}

/// What stands after the next `delimiter` that is not escaped.
fn after_one(text: &str, delimiter: char) -> Option<&str> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        if c == '\\' {
            escaped = true;
        } else if c == delimiter {
            return text.get(at + c.len_utf8()..);
        }
    }
    None
}

/// The flags of `s/a/b/flags`.
fn after_delimiters(text: &str) -> Option<&str> {
    let delimiter = text.chars().next()?;
    let rest = text.get(delimiter.len_utf8()..)?;
    after_one(after_one(rest, delimiter)?, delimiter)
}
