//! Strings, as all languages have them: escapes, code inside, nested delimiters, heredocs.

use super::lexer::{Escapes, Holes, Kind, Lexer, Part, Pending};
use super::syntax::Family;

impl Lexer<'_> {
    /// `'...'` and `"..."` with every escape and nothing inside.
    pub(super) fn plain(&mut self) -> bool {
        match self.peek() {
            Some(quote @ ('"' | '\'')) => {
                self.bump();
                let parts = self.quoted(quote, None, Escapes::All, Holes::None);
                self.push(Kind::Text(parts));
                true
            }
            _ => false,
        }
    }

    /// The text up to `close`; an `open` inside it is closed first.
    pub(super) fn quoted(
        &mut self,
        close: char,
        open: Option<char>,
        escapes: Escapes,
        holes: Holes,
    ) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut nested = 0_usize;
        loop {
            let Some(c) = self.peek() else {
                self.broken = true;
                break;
            };
            if self.hole(c, holes, &mut text, &mut parts) {
                continue;
            }
            self.bump();
            if c == '\\' {
                self.escape(escapes, close, &mut text);
            } else if c == close && nested == 0 {
                break;
            } else {
                nested += usize::from(Some(c) == open);
                nested -= usize::from(c == close && Some(c) != open);
                text.push(c);
            }
        }
        parts.push(Part::Literal(text));
        parts
    }

    /// Like `quoted`, up to an `end` of several characters.
    pub(super) fn quoted_long(&mut self, end: &str, escapes: Escapes, holes: Holes) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut text = String::new();
        while !self.eat(end) {
            let Some(c) = self.peek() else {
                self.broken = true;
                break;
            };
            if self.hole(c, holes, &mut text, &mut parts) {
                continue;
            }
            self.bump();
            if c == '\\' {
                self.escape(escapes, '"', &mut text);
            } else {
                text.push(c);
            }
        }
        parts.push(Part::Literal(text));
        parts
    }

    /// Code inside a string, if it starts here.
    pub(super) fn hole(
        &mut self,
        c: char,
        holes: Holes,
        text: &mut String,
        parts: &mut Vec<Part>,
    ) -> bool {
        let second = self.second();
        let opens = match holes {
            Holes::None => false,
            Holes::Braces if matches!((c, second), ('{', Some('{')) | ('}', Some('}'))) => {
                self.bump();
                self.bump();
                text.push(c);
                return true;
            }
            Holes::Braces => c == '{',
            Holes::Dollar => c == '$' && second == Some('{'),
            Holes::Hash => c == '#' && second == Some('{'),
            Holes::Variables => return self.variable(c, second, text, parts),
        };
        if !opens {
            return false;
        }
        self.bump();
        if holes != Holes::Braces {
            self.bump();
        }
        parts.push(Part::Literal(std::mem::take(text)));
        let mut code = self.balanced('{', '}');
        if holes == Holes::Braces {
            // `{x!r:>10}`: what is shown is `x`.
            let end = code.find([':', '!']).unwrap_or(code.len());
            if !code.contains(['\'', '"', '[', '(']) {
                code.truncate(end);
            }
        }
        parts.push(Part::Code(code));
        true
    }

    pub(super) fn variable(
        &mut self,
        c: char,
        second: Option<char>,
        text: &mut String,
        parts: &mut Vec<Part>,
    ) -> bool {
        let code = match (c, second) {
            ('$' | '@', Some('{')) => {
                self.bump();
                self.bump();
                let inner = self.balanced('{', '}');
                let is_name = inner.chars().all(|c| c.is_alphanumeric() || c == '_');
                if is_name { format!("{c}{inner}") } else { inner }
            }
            ('{', Some('$')) if self.syntax.family == Family::Php => {
                self.bump();
                self.balanced('{', '}')
            }
            ('$', Some(next)) if next.is_alphanumeric() || next == '_' => {
                self.bump();
                let mut code = format!("${}", self.take(|c| c.is_alphanumeric() || c == '_'));
                if let Some(open @ ('{' | '[')) = self.peek() {
                    self.bump();
                    let close = if open == '{' { '}' } else { ']' };
                    let inner = self.balanced(open, close);
                    code.push_str(&format!("{open}{inner}{close}"));
                }
                code
            }
            ('@', Some(next)) if self.syntax.family == Family::Perl && next.is_alphabetic() => {
                self.bump();
                format!("@{}", self.take(|c| c.is_alphanumeric() || c == '_'))
            }
            _ => return false,
        };
        parts.push(Part::Literal(std::mem::take(text)));
        parts.push(Part::Code(code));
        true
    }

    /// The text up to the `close` that belongs to an `open` just read; quotes hide both.
    pub(super) fn balanced(&mut self, open: char, close: char) -> String {
        let mut text = String::new();
        let mut depth = 0_usize;
        let mut quote: Option<char> = None;
        while let Some(c) = self.bump() {
            match quote {
                Some(_) if c == '\\' => {
                    text.push(c);
                    text.extend(self.bump());
                    continue;
                }
                Some(end) if c == end => quote = None,
                Some(_) => {}
                None if matches!(c, '"' | '\'' | '`') => quote = Some(c),
                None if c == close && depth == 0 => return text,
                None if c == open => depth += 1,
                None if c == close => depth -= 1,
                None => {}
            }
            text.push(c);
        }
        self.broken = true;
        text
    }

    /// What stands behind a backslash.
    pub(super) fn escape(&mut self, escapes: Escapes, close: char, text: &mut String) {
        let Some(c) = self.bump() else {
            self.broken = true;
            return;
        };
        match escapes {
            Escapes::Raw => text.extend(['\\', c]),
            Escapes::Quote if c == close || c == '\\' => text.push(c),
            Escapes::Quote => text.extend(['\\', c]),
            Escapes::All => self.escaped(c, text),
        }
    }

    pub(super) fn escaped(&mut self, c: char, text: &mut String) {
        let hex = |digits: &str| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
        match c {
            'n' => text.push('\n'),
            't' => text.push('\t'),
            'r' => text.push('\r'),
            'a' => text.push('\u{7}'),
            'b' => text.push('\u{8}'),
            'f' => text.push('\u{c}'),
            'v' => text.push('\u{b}'),
            'e' => text.push('\u{1b}'),
            '\n' => {}
            'z' if self.syntax.family == Family::Lua => {
                self.take(char::is_whitespace);
            }
            'x' | 'u' | 'U' if self.peek() == Some('{') => {
                self.bump();
                let digits = self.take(|c| c != '}');
                self.bump();
                text.extend(digits.split_whitespace().filter_map(hex));
            }
            'x' => {
                let digits = self.digits(2, 16);
                text.extend(hex(&digits));
            }
            'u' => {
                let digits = self.digits(4, 16);
                text.extend(hex(&digits));
            }
            'U' => {
                let digits = self.digits(8, 16);
                text.extend(hex(&digits));
            }
            // The name of a character, which no table here has.
            'N' if self.peek() == Some('{') => {
                self.take(|c| c != '}');
                self.bump();
                text.push(super::value::HOLE);
            }
            '0'..='9' if self.syntax.family == Family::Lua => {
                let digits = format!("{c}{}", self.digits(2, 10));
                text.extend(digits.parse().ok().and_then(char::from_u32));
            }
            '0'..='7' => {
                let digits = format!("{c}{}", self.digits(2, 8));
                text.extend(u32::from_str_radix(&digits, 8).ok().and_then(char::from_u32));
            }
            // Python keeps the backslash of what is no escape.
            c if self.syntax.family == Family::Python && !matches!(c, '\\' | '\'' | '"') => {
                text.extend(['\\', c]);
            }
            c => text.push(c),
        }
    }

    pub(super) fn digits(&mut self, most: usize, radix: u32) -> String {
        let mut digits = String::new();
        while digits.len() < most && self.peek().is_some_and(|c| c.is_digit(radix)) {
            digits.extend(self.bump());
        }
        digits
    }

    /// Notes a heredoc; its token is filled when its line ends.
    pub(super) fn heredoc(&mut self, end: String, holes: Holes, command: bool) {
        self.pending.push(Pending { token: self.tokens.len(), end, holes, command });
        self.push(Kind::Text(Vec::new()));
    }

    /// The bodies of the heredocs of the line that just ended.
    pub(super) fn bodies(&mut self) {
        for pending in std::mem::take(&mut self.pending) {
            let mut body = String::new();
            loop {
                if self.rest.is_empty() {
                    self.broken = true;
                    break;
                }
                let line = self.take(|c| c != '\n');
                self.bump();
                if line.trim() == pending.end
                    || line.trim().trim_end_matches([';', ')', ',']) == pending.end
                {
                    break;
                }
                body.push_str(&line);
                body.push('\n');
            }
            let parts = match pending.holes {
                Holes::None => vec![Part::Literal(body)],
                holes => self.inside(&body, holes),
            };
            let kind = if pending.command { Kind::Command(parts) } else { Kind::Text(parts) };
            if let Some(token) = self.tokens.get_mut(pending.token) {
                token.kind = kind;
            }
        }
    }

    /// The parts of a text whose end is known already.
    pub(super) fn inside(&mut self, text: &str, holes: Holes) -> Vec<Part> {
        let mut inner = Lexer {
            rest: text,
            syntax: self.syntax,
            tokens: Vec::new(),
            pending: Vec::new(),
            broken: false,
            newline: false,
            space: false,
        };
        let mut parts = Vec::new();
        let mut literal = String::new();
        while let Some(c) = inner.peek() {
            if inner.hole(c, holes, &mut literal, &mut parts) {
                continue;
            }
            inner.bump();
            if c == '\\' {
                inner.escape(Escapes::All, '"', &mut literal);
            } else {
                literal.push(c);
            }
        }
        parts.push(Part::Literal(literal));
        parts
    }
}
