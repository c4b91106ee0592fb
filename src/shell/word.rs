//! One word, read from its bytes: quotes, escapes, and what the shell computes in it.
//!
//! The parser's own reading of a word is used only for where nested constructs end ([`Spans`]);
//! whether a `$`, a `*` or a brace is live is settled here, character by character. A construct
//! that the parser did not see where this reader sees one makes the whole text unparsable.

use super::ansi;
use super::frontend::Reading;
use super::ir::{Piece, Script, Word};
use super::spans::Spans;
use super::vars::is_name;
use crate::model::doubt::Doubt;

/// How the characters of a text are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Outside quotes.
    Plain,
    /// Between double quotes, or in arithmetic.
    Quoted,
    /// In the body of an unquoted here-document.
    Heredoc,
}

/// Reads words of one text.
#[derive(Clone, Copy)]
pub(super) struct WordReader<'a> {
    pub(super) source: &'a str,
    pub(super) reading: Reading<'a>,
}

struct Cursor<'a, 's> {
    reader: WordReader<'a>,
    spans: &'s Spans,
    at: usize,
    end: usize,
    pieces: Vec<Piece>,
}

/// The shell takes a backslash and the end of its line away before it forms a token. The parser
/// does not, so one that stands in the midst of a token would be read otherwise.
pub(super) fn continued() -> Doubt {
    Doubt::Unparsable("a line is continued in the midst of a token".to_owned())
}

fn lost(what: &str) -> Doubt {
    Doubt::Unparsable(format!("{what} is not closed where it is opened"))
}

impl<'a> WordReader<'a> {
    /// The bytes from `start` to `end` as one word.
    pub(super) fn read(
        self,
        start: usize,
        end: usize,
        mode: Mode,
        spans: &Spans,
    ) -> Result<Word, Doubt> {
        self.source.get(start..end).ok_or_else(|| lost("a word"))?;
        let mut cursor = Cursor { reader: self, spans, at: start, end, pieces: Vec::new() };
        match mode {
            Mode::Plain => cursor.plain()?,
            Mode::Quoted | Mode::Heredoc => cursor.quoted(mode, None)?,
        }
        Ok(Word { pieces: cursor.pieces })
    }

    /// The script in `$(...)`, `<(...)` or back-ticks that stands at `start..end`.
    fn nested(self, start: usize, end: usize, quoted: bool) -> Result<Script, Doubt> {
        let text = self.source.get(start..end).ok_or_else(|| lost("a substitution"))?;
        if let Some(inner) = text.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
            return self.reading.nested(&unescape_ticks(inner, quoted));
        }
        let inner = ["$(", "<(", ">("]
            .iter()
            .find_map(|open| text.strip_prefix(open))
            .and_then(|rest| rest.strip_suffix(')'))
            .ok_or_else(|| lost("a substitution"))?;
        self.reading.nested(inner)
    }
}

fn unescape_ticks(text: &str, quoted: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        if c == '\\' && matches!(next, Some('$' | '`' | '\\'))
            || c == '\\' && quoted && next == Some('"')
        {
            out.extend(chars.next());
        } else {
            out.push(c);
        }
    }
    out
}

impl<'a> Cursor<'a, '_> {
    fn rest(&self) -> &'a str {
        self.reader.source.get(self.at..self.end).unwrap_or_default()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest().chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn push(&mut self, c: char, quoted: bool) {
        if let Some(Piece::Text { text, quoted: same }) = self.pieces.last_mut()
            && *same == quoted
        {
            text.push(c);
            return;
        }
        self.pieces.push(Piece::Text { text: c.to_string(), quoted });
    }

    /// Whether the continued line at `start` stands in the midst of a word.
    fn is_glued(&self, start: usize) -> bool {
        let before = self.reader.source.get(..start).and_then(|text| text.chars().next_back());
        let after = self.reader.source.get(self.at..).and_then(|text| text.chars().next());
        let inside = |c: Option<char>| c.is_some_and(|c| !" \t\n;&|()".contains(c));
        inside(before) && inside(after)
    }

    /// Marks that quotes stood here: `""` is a word too.
    fn push_quotes(&mut self) {
        self.pieces.push(Piece::Text { text: String::new(), quoted: true });
    }

    fn plain(&mut self) -> Result<(), Doubt> {
        while let Some(c) = self.rest().chars().next() {
            match c {
                '\\' => {
                    let start = self.at;
                    self.next();
                    match self.next() {
                        Some('\n') if self.is_glued(start) => return Err(continued()),
                        Some('\n') => {}
                        Some(escaped) => self.push(escaped, true),
                        // Half of an escape is half of a word.
                        None if self.end < self.reader.source.len() => {
                            return Err(lost("an escape"));
                        }
                        None => self.push('\\', true),
                    }
                }
                '\'' => {
                    self.next();
                    let body = self.until_single_quote()?;
                    self.push_quotes();
                    body.chars().for_each(|c| self.push(c, true));
                }
                '"' => {
                    self.next();
                    self.push_quotes();
                    self.quoted(Mode::Quoted, Some('"'))?;
                }
                '$' => self.dollar(false)?,
                '`' => self.substitution(false)?,
                '<' | '>' if self.rest().get(1..2) == Some("(") => self.process(c == '<')?,
                '(' | ')' => {
                    // Only an extended glob leaves these in a word.
                    self.next();
                    self.opaque(Doubt::Expansion("extended glob"), false);
                }
                _ => {
                    self.next();
                    self.push(c, false);
                }
            }
        }
        Ok(())
    }

    fn until_single_quote(&mut self) -> Result<&'a str, Doubt> {
        let (body, _) = self.rest().split_once('\'').ok_or_else(|| lost("a quote"))?;
        self.at += body.len() + 1;
        Ok(body)
    }

    /// Reads up to `close`, or to the end of the text if there is none to wait for.
    fn quoted(&mut self, mode: Mode, close: Option<char>) -> Result<(), Doubt> {
        while let Some(c) = self.rest().chars().next() {
            if Some(c) == close {
                self.next();
                return Ok(());
            }
            match c {
                '\\' => {
                    self.next();
                    match (self.rest().chars().next(), mode) {
                        (Some('\n'), _) => {
                            self.next();
                        }
                        (Some(c @ ('$' | '`' | '\\')), _) | (Some(c @ '"'), Mode::Quoted) => {
                            self.next();
                            self.push(c, true);
                        }
                        _ => self.push('\\', true),
                    }
                }
                '$' => self.dollar(true)?,
                '`' => self.substitution(true)?,
                _ => {
                    self.next();
                    self.push(c, true);
                }
            }
        }
        if close.is_some() { Err(lost("a quote")) } else { Ok(()) }
    }

    fn opaque(&mut self, doubt: Doubt, quoted: bool) {
        self.pieces.push(Piece::Opaque {
            doubt,
            quoted,
            evaluates: Vec::new(),
            holds: Vec::new(),
            of: None,
        });
    }

    /// The end of the construct here, as the parser saw it.
    fn close(&self) -> Result<usize, Doubt> {
        let end = self.spans.end_of(self.at).ok_or_else(|| lost("an expansion"))?;
        if end <= self.at || end > self.end { Err(lost("an expansion")) } else { Ok(end) }
    }

    fn substitution(&mut self, quoted: bool) -> Result<(), Doubt> {
        let end = self.close()?;
        let script = self.reader.nested(self.at, end, quoted)?;
        self.pieces.push(Piece::Substitution { script, quoted });
        self.at = end;
        Ok(())
    }

    fn process(&mut self, output: bool) -> Result<(), Doubt> {
        let end = self.close()?;
        let script = self.reader.nested(self.at, end, false)?;
        self.pieces.push(Piece::Process { script, output });
        self.at = end;
        Ok(())
    }

    fn dollar(&mut self, quoted: bool) -> Result<(), Doubt> {
        let rest = self.rest();
        let second = rest.chars().nth(1);
        if rest.starts_with("$\\\n") {
            return Err(continued());
        }
        match second {
            Some('(') if self.spans.is_arithmetic(self.at) => {
                self.computed(Doubt::Expansion("arithmetic"), quoted)
            }
            Some('(') => self.substitution(quoted),
            Some('[') => self.computed(Doubt::Expansion("arithmetic"), quoted),
            Some('{') => self.parameter(quoted),
            Some('\'') if !quoted => {
                self.at += 2;
                let start = self.at;
                let body = self.until_ansi_quote(start)?;
                self.push_quotes();
                match ansi::decode(body) {
                    Some(text) => text.chars().for_each(|c| self.push(c, true)),
                    None => self.opaque(Doubt::Expansion("escape"), true),
                }
                Ok(())
            }
            // `$"..."` is translated by locale: what it becomes is not in the text.
            Some('"') if !quoted => {
                self.at += 2;
                self.push_quotes();
                self.opaque(Doubt::Expansion("locale"), true);
                self.quoted(Mode::Quoted, Some('"'))
            }
            Some(c) if c == '_' || c.is_ascii_alphabetic() => {
                let name: String = rest
                    .chars()
                    .skip(1)
                    .take_while(|c| *c == '_' || c.is_ascii_alphanumeric())
                    .collect();
                self.at += 1 + name.len();
                if self.rest().starts_with("\\\n") {
                    let after = self.rest().trim_start_matches("\\\n").chars().next();
                    if after.is_some_and(|c| c == '_' || c.is_ascii_alphanumeric()) {
                        return Err(continued());
                    }
                }
                self.pieces.push(Piece::Variable { name, braced: false, quoted });
                Ok(())
            }
            Some(c) if c.is_ascii_digit() || "@*#?-$!".contains(c) => {
                self.at += 2;
                // One character, whatever follows it.
                self.pieces.push(Piece::Variable { name: c.to_string(), braced: true, quoted });
                Ok(())
            }
            _ => {
                self.next();
                self.push('$', quoted);
                Ok(())
            }
        }
    }

    fn until_ansi_quote(&mut self, start: usize) -> Result<&'a str, Doubt> {
        let mut escaped = false;
        while let Some(c) = self.next() {
            if std::mem::take(&mut escaped) {
                continue;
            }
            match c {
                '\\' => escaped = true,
                '\'' => {
                    return self
                        .reader
                        .source
                        .get(start..self.at.saturating_sub(1))
                        .ok_or_else(|| lost("a quote"));
                }
                _ => {}
            }
        }
        Err(lost("a quote"))
    }

    fn computed(&mut self, doubt: Doubt, quoted: bool) -> Result<(), Doubt> {
        let end = self.close()?;
        let whole = self.reader.source.get(self.at..end).unwrap_or_default();
        let (open, close) = if whole.starts_with("$((") { (3, 2) } else { (2, 1) };
        let inner_end = end.checked_sub(close).ok_or_else(|| lost("an expansion"))?;
        let word = self.reader.read(self.at + open, inner_end, Mode::Quoted, self.spans)?;
        self.pieces.push(Piece::Opaque {
            doubt,
            quoted,
            evaluates: vec![word],
            holds: Vec::new(),
            of: None,
        });
        self.at = end;
        Ok(())
    }

    /// `${...}`: plain, with a default, or not computed.
    fn parameter(&mut self, quoted: bool) -> Result<(), Doubt> {
        let end = self.close()?;
        let inner_end = end.saturating_sub(1);
        let inner = self.reader.source.get(self.at + 2..inner_end).unwrap_or_default();
        if self.reader.source.get(inner_end..end) != Some("}") {
            return Err(lost("an expansion"));
        }
        if inner.contains("\\\n") {
            return Err(continued());
        }
        let special = |text: &str| text.len() == 1 && "@*#?-$!0123456789".contains(text);
        if is_name(inner) || special(inner) {
            let name = inner.to_owned();
            self.pieces.push(Piece::Variable { name, braced: true, quoted });
            self.at = end;
            return Ok(());
        }
        let name_length =
            inner.bytes().take_while(|b| *b == b'_' || b.is_ascii_alphanumeric()).count();
        let (name, operation) = inner.split_at_checked(name_length).unwrap_or_default();
        let defaults = [(":-", false), ("-", false), (":=", true), ("=", true)];
        let default = defaults.iter().find(|(operator, _)| operation.starts_with(operator));
        if let Some((operator, assigns)) = default
            && is_name(name)
            && !(quoted && operation.contains(['"', '\'']))
        {
            let start = self.at + 2 + name_length + operator.len();
            let mode = if quoted { Mode::Quoted } else { Mode::Plain };
            let word = self.reader.read(start, inner_end, mode, self.spans)?;
            let quoted = quoted && !may_be_many(inner);
            let piece = Piece::Default { name: name.to_owned(), word, assigns: *assigns, quoted };
            self.pieces.push(piece);
            self.at = end;
            return Ok(());
        }
        let piece = self.derived(inner, inner_end, quoted)?;
        self.pieces.push(piece);
        self.at = end;
        Ok(())
    }

    /// A `${...}` that is not computed, with what it evaluates.
    fn derived(&self, inner: &str, inner_end: usize, quoted: bool) -> Result<Piece, Doubt> {
        let mark = usize::from(inner.starts_with(['!', '#']));
        let bare = inner.get(mark..).unwrap_or_default();
        let length = bare.bytes().take_while(|b| *b == b'_' || b.is_ascii_alphanumeric()).count();
        let (name, operation) = bare.split_at_checked(length).unwrap_or_default();
        let start = self.at + 2 + mark + length;
        let mode = if quoted { Mode::Quoted } else { Mode::Plain };
        let mut evaluates = Vec::new();
        let mut holds = Vec::new();
        let all = matches!(operation, "[@]" | "[*]");
        let slice = operation.starts_with(':')
            && !operation.get(1..).unwrap_or_default().starts_with(['-', '=', '?', '+']);
        if all {
            // Every element, or every key.
        } else if operation.starts_with('[') || slice {
            evaluates.push(self.reader.read(start, inner_end, Mode::Quoted, self.spans)?);
        } else {
            holds.push(self.reader.read(start, inner_end, mode, self.spans)?);
        }
        // `${!x}` takes what `x` holds for a name, with a subscript if there is one.
        if inner.starts_with('!') && !all && !matches!(operation, "*" | "@") {
            let piece = Piece::Variable { name: name.to_owned(), braced: true, quoted };
            evaluates.push(Word { pieces: vec![piece] });
        }
        let doubt = match inner {
            // `${x@P}` runs what the value holds.
            _ if inner.ends_with("@P") => Doubt::Expansion("prompt"),
            _ if inner.starts_with('#') => Doubt::Expansion("length"),
            _ => Doubt::Expansion("parameter"),
        };
        let part = slice
            || operation.starts_with(['%', '#'])
            || operation.starts_with('[') && operation.find(']') == Some(operation.len() - 1);
        let of = (mark == 0 && part && is_name(name)).then(|| name.to_owned());
        let quoted = quoted && !may_be_many(inner);
        Ok(Piece::Opaque { doubt, quoted, evaluates, holds, of })
    }
}

/// Whether `${inner}` may be several words, or none, in double quotes too: all elements or names,
/// the positional parameters, or whatever a name that is held elsewhere stands for.
fn may_be_many(inner: &str) -> bool {
    let all = inner.contains("[@]") || inner.contains("$@") || inner.contains("${@");
    !inner.starts_with('#') && (inner.starts_with(['@', '!']) || all)
}
