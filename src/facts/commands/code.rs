//! Inline code of other languages: the paths, URLs and commands that its strings name.
//!
//! This finds what a program spells, not what it does. Each find is a maybe; that the program may
//! do more is the kernel plane's. For sed and awk, whose programs are mostly patterns, only the
//! commands that read, write or run are looked for.

use super::Walker;
use super::sed;
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
            _ if super::ex::speaks(base) => return self.ex(base, code, state),
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

    /// What a sed program does besides printing.
    fn sed(&mut self, code: &str, state: &State, doubt: &Doubt) {
        for effect in sed::effects(code) {
            match effect {
                sed::Effect::Reads(file) => self.sed_file(&file, state, Verb::Read, doubt),
                sed::Effect::Writes(file) => self.sed_file(&file, state, Verb::Write, doubt),
                sed::Effect::Runs => self.unknown(Verb::Exec, doubt.clone()),
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
