//! What an awk program does besides printing: files it reads and writes, commands it runs.
//!
//! awk has few ways out: `>`, `>>` and `|` behind `print`, `getline` with `<` or behind `|`,
//! `system`, files put into `ARGV`, and gawk's `@`. What stands there as strings is known; anything
//! else is not, and is told as such.

use super::effect::{Effect, Found, Use};
use super::lexer::{self, Kind, Part, Token};
use super::syntax::AWK;
use crate::model::access::Verb;

/// Everything that the program does besides printing.
pub(super) fn read(program: &str) -> Found {
    let (tokens, lost) = lexer::tokens(program, &AWK);
    let mut scan = Scan { tokens: &tokens, effects: Vec::new() };
    scan.all();
    Found { effects: scan.effects, lost }
}

/// A command is put together of no more tokens than this; what follows is not known.
const COMMAND_TOKENS_MAX: usize = 64;

struct Scan<'a> {
    tokens: &'a [Token],
    effects: Vec<Effect>,
}

/// What stands in a place: texts alone, or something else.
enum Place {
    Text(String),
    Unknown,
}

impl Scan<'_> {
    fn tell(&mut self, effect: Effect) {
        if !self.effects.contains(&effect) {
            if self.effects.len() < crate::limits::CODE_EFFECTS_MAX {
                self.effects.push(effect);
            } else if let Some(last) = self.effects.last_mut() {
                *last = Effect::Unknown(Verb::Exec);
            }
        }
    }

    fn at(&self, at: usize) -> Option<&Token> {
        self.tokens.get(at)
    }

    fn all(&mut self) {
        let mut depth = 0_usize;
        // The depth of brackets in which a `print` is read.
        let mut prints: Option<usize> = None;
        let mut before: Option<(usize, usize)> = None;
        for (at, token) in self.tokens.iter().enumerate() {
            if token.newline && !self.continues(at) {
                prints = None;
                before = None;
            }
            match &token.kind {
                Kind::Name(name) => {
                    match name.as_str() {
                        "print" | "printf" => prints = Some(depth),
                        "system" => self.system(at),
                        "getline" => self.getline(at),
                        "ARGV" => self.argument(at),
                        _ => {}
                    }
                    before = before.or(Some((at, depth)));
                }
                Kind::Op(op) => {
                    match op.as_str() {
                        "(" | "[" => depth += 1,
                        ")" | "]" => depth = depth.saturating_sub(1),
                        "{" | "}" | ";" => prints = None,
                        ">" | ">>" if prints == Some(depth) => self.writes(at),
                        "|" | "|&" => self.pipe(at, prints, before.map(|(at, _)| at)),
                        "@" => self.tell(Effect::Unknown(Verb::Exec)),
                        _ => {}
                    }
                    let starts =
                        matches!(op.as_str(), "{" | "}" | ";" | "=" | "(" | "&&" | "||" | "!");
                    before = if starts { None } else { before.or(Some((at, depth))) };
                }
                _ => before = before.or(Some((at, depth))),
            }
        }
    }

    /// A line goes on behind a comma, `&&`, `||` and `{`.
    fn continues(&self, at: usize) -> bool {
        at.checked_sub(1)
            .and_then(|last| self.at(last))
            .is_some_and(|last| [",", "&&", "||", "|"].iter().any(|op| last.is(op)))
    }

    /// What stands from `at` on, up to what ends it.
    fn place(&self, at: usize, ends: &[&str]) -> Place {
        let mut text = String::new();
        let mut any = false;
        for (nth, token) in self.tokens.iter().enumerate().skip(at) {
            let ended = ends.iter().any(|end| token.is(end)) || token.newline && nth > at;
            if ended {
                break;
            }
            match &token.kind {
                Kind::Text(parts) => {
                    any = true;
                    for part in parts {
                        if let Part::Literal(part) = part {
                            text.push_str(part);
                        }
                    }
                }
                Kind::Number(number) => {
                    any = true;
                    text.push_str(number);
                }
                Kind::Op(op) if matches!(op.as_str(), "(" | ")") => {}
                _ => return Place::Unknown,
            }
        }
        if any { Place::Text(text) } else { Place::Unknown }
    }

    fn file(&mut self, place: Place, does: Use) {
        let verb = if does == Use::Read { Verb::Read } else { Verb::Write };
        match place {
            Place::Unknown => self.tell(Effect::Unknown(verb)),
            Place::Text(text) => match text.strip_prefix("/inet") {
                Some(rest) => {
                    // `/inet/tcp/0/host/port`
                    let mut parts = rest.rsplit('/');
                    let (port, host) = (parts.next(), parts.next());
                    match host.zip(port) {
                        Some((host, port)) => self.tell(Effect::Host(format!("{host}:{port}"))),
                        None => self.tell(Effect::Unknown(Verb::Connect)),
                    }
                }
                None if text == "-" || text.is_empty() => {}
                None => self.tell(Effect::Path { does, text, glob: false }),
            },
        }
    }

    fn command(&mut self, place: Place) {
        match place {
            Place::Text(text) if text.starts_with("/inet") => {
                self.file(Place::Text(text), Use::Update)
            }
            Place::Text(text) => self.tell(Effect::Shell(text)),
            Place::Unknown => self.tell(Effect::Unknown(Verb::Exec)),
        }
    }

    fn writes(&mut self, at: usize) {
        let place = self.place(at + 1, &[";", "}", "{"]);
        self.file(place, Use::Write);
    }

    fn system(&mut self, at: usize) {
        if self.at(at + 1).is_some_and(|token| token.is("(")) {
            let mut depth = 0_usize;
            let mut end = at + 1;
            for (nth, token) in self.tokens.iter().enumerate().skip(at + 1).take(COMMAND_TOKENS_MAX)
            {
                depth += usize::from(token.is("("));
                depth -= usize::from(token.is(")") && depth > 0);
                end = nth;
                if depth == 0 {
                    break;
                }
            }
            if depth > 0 {
                return self.tell(Effect::Unknown(Verb::Exec));
            }
            let inner =
                Scan { tokens: self.tokens.get(..end).unwrap_or_default(), effects: Vec::new() };
            let place = inner.place(at + 2, &[]);
            // A newline ends a statement, not what stands in brackets.
            self.command(place);
        }
    }

    /// `getline < file`, `getline x < file`, `getline a[1] < file`.
    fn getline(&mut self, at: usize) {
        for nth in at + 1..at + 8 {
            let Some(token) = self.at(nth) else { return };
            if token.newline || [";", "}", ")", "&&", "||"].iter().any(|end| token.is(end)) {
                return;
            }
            if token.is("<") {
                let place = self.place(nth + 1, &[")", ";", "}", ">", "&&", "||", ",", "{"]);
                return self.file(place, Use::Read);
            }
        }
    }

    /// `ARGV[1] = "file"` reads that file.
    fn argument(&mut self, at: usize) {
        for nth in at + 1..at + 8 {
            let Some(token) = self.at(nth) else { return };
            if token.is("=") {
                let place = self.place(nth + 1, &[";", "}", ")", ","]);
                return self.file(place, Use::Read);
            }
            if token.is(";") || token.is("}") || token.newline {
                return;
            }
        }
    }

    fn pipe(&mut self, at: usize, prints: Option<usize>, before: Option<usize>) {
        let reads = self.at(at + 1).and_then(Token::name) == Some("getline");
        if reads {
            let inner =
                Scan { tokens: self.tokens.get(..at).unwrap_or_default(), effects: Vec::new() };
            let place = before.map_or(Place::Unknown, |start| inner.place(start, &[]));
            // `while (("ls" | getline x) > 0)`: a bracket may stand before it.
            return self.command(place);
        }
        if prints.is_some() || self.at(at).is_some_and(|token| token.is("|&")) {
            let place = self.place(at + 1, &[";", "}", "{"]);
            self.command(place);
        } else {
            self.tell(Effect::Unknown(Verb::Exec));
        }
    }
}
