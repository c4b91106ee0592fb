//! A walk over one line of JSON as the writer writes it: no space between tokens, plain keys.
//!
//! Each step gives nothing where the line is anything else. Skipping a value asks no more of it
//! than that its strings and brackets end; so whoever needs to know that the line is JSON reads it
//! with serde. It never goes back, so its time is that of the line's length.

use super::row::Piece;
use memchr::memchr2;

/// Strings in records are short: looking byte by byte costs less than calling for help.
const SHORT: usize = 24;

/// A place in a line.
#[derive(Debug, Clone)]
pub(in crate::audit) struct Walk<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(line: &'a [u8]) -> Walk<'a> {
        Walk { line, at: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    /// Goes over this byte.
    pub(super) fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.line.len()
    }

    pub(super) fn is_text(&self) -> bool {
        self.peek() == Some(b'"')
    }

    /// A key and its colon.
    pub(super) fn key(&mut self) -> Option<&'a [u8]> {
        let piece = self.raw_text()?;
        self.take(b':')?;
        if piece.escaped {
            return None;
        }
        self.line.get(piece.from..piece.to)
    }

    /// Goes over a comma, or over the end of what holds the values.
    pub(super) fn more(&mut self, end: u8) -> Option<bool> {
        let byte = self.peek()?;
        self.at += 1;
        match byte {
            b',' => Some(true),
            byte if byte == end => Some(false),
            _ => None,
        }
    }

    /// A string that can be read.
    pub(super) fn text(&mut self) -> Option<Piece> {
        let piece = self.raw_text()?;
        let raw = self.line.get(piece.from..piece.to)?;
        let readable = if piece.escaped {
            let quoted = self.line.get(piece.from.checked_sub(1)?..=piece.to)?;
            serde_json::from_slice::<String>(quoted).is_ok()
        } else {
            raw.is_ascii() || std::str::from_utf8(raw).is_ok()
        };
        readable.then_some(piece)
    }

    /// A string, whatever is in it.
    pub(super) fn raw_text(&mut self) -> Option<Piece> {
        self.take(b'"')?;
        let from = self.at;
        let mut escaped = false;
        loop {
            self.at += quote_or_escape(self.line.get(self.at..)?)?;
            if self.peek()? == b'"' {
                let to = self.at;
                self.at += 1;
                return Some(Piece { from, to, escaped });
            }
            escaped = true;
            self.at += 2;
        }
    }

    /// The bytes between the quotes of a text that was gone over.
    pub(super) fn bytes(&self, piece: Piece) -> &'a [u8] {
        self.line.get(piece.from..piece.to).unwrap_or_default()
    }

    /// `true` or `false`.
    pub(super) fn truth(&mut self) -> Option<bool> {
        let rest = self.line.get(self.at..)?;
        let (word, truth): (&[u8], bool) = match rest.starts_with(b"true") {
            true => (b"true", true),
            false => (b"false", false),
        };
        rest.starts_with(word).then(|| self.at += word.len())?;
        Some(truth)
    }

    /// The digits of a number without sign, fraction or exponent.
    pub(super) fn digits(&mut self) -> Option<Piece> {
        let from = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        let length = self.at - from;
        let plain = match self.line.get(from)? {
            b'0' => length == 1,
            _ => length > 0,
        };
        let ends = matches!(self.peek(), Some(b',' | b'}' | b']'));
        (plain && ends).then_some(Piece { from, to: self.at, escaped: false })
    }

    /// A number that a `u64` holds.
    pub(super) fn number(&mut self) -> Option<u64> {
        let piece = self.digits()?;
        let mut number = 0_u64;
        for digit in self.line.get(piece.from..piece.to)? {
            number = number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
        }
        Some(number)
    }

    /// Each value of an object by its key; `each` goes over the value.
    pub(super) fn object(
        &mut self,
        mut each: impl FnMut(&'a [u8], &mut Walk<'a>) -> Option<()>,
    ) -> Option<()> {
        self.take(b'{')?;
        if self.peek()? == b'}' {
            return self.take(b'}');
        }
        loop {
            let key = self.key()?;
            each(key, self)?;
            if !self.more(b'}')? {
                return Some(());
            }
        }
    }

    /// Each value of an array; `each` goes over it.
    pub(super) fn array(
        &mut self,
        mut each: impl FnMut(&mut Walk<'a>) -> Option<()>,
    ) -> Option<()> {
        self.take(b'[')?;
        if self.peek()? == b']' {
            return self.take(b']');
        }
        loop {
            each(self)?;
            if !self.more(b']')? {
                return Some(());
            }
        }
    }

    /// Goes over a value, whatever it is.
    pub(super) fn skip_value(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.raw_text().map(|_| ()),
            b'{' | b'[' => self.skip_nested(),
            _ => {
                let from = self.at;
                while !matches!(self.peek()?, b',' | b'}' | b']' | b'"' | b'{' | b'[') {
                    self.at += 1;
                }
                (self.at > from).then_some(())
            }
        }
    }

    fn skip_nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.raw_text()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.checked_sub(1)?,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// The next string that is no key, wherever it stands; for whoever looks at all texts.
    pub(super) fn next_value_text(&mut self) -> Option<Piece> {
        loop {
            match self.peek()? {
                b'"' => {
                    let piece = self.raw_text()?;
                    if self.peek() != Some(b':') {
                        return Some(piece);
                    }
                }
                _ => self.at += 1,
            }
        }
    }
}

/// Where the next quote or backslash is.
fn quote_or_escape(bytes: &[u8]) -> Option<usize> {
    let (near, far) = bytes.split_at(bytes.len().min(SHORT));
    let special = |byte: &u8| matches!(byte, b'"' | b'\\');
    near.iter()
        .position(special)
        .or_else(|| memchr2(b'"', b'\\', far).map(|place| place + near.len()))
}
