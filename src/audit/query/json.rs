//! A walk over one line of JSON as the writer writes it: no space between tokens, plain keys.
//!
//! Each step gives nothing where the line is anything else. Skipping a value asks no more of it
//! than that its strings and brackets end; so whoever needs to know that the line is JSON reads it
//! with serde. It never goes back, so its time is that of the line's length.

use super::row::Piece;
use memchr::memchr2;

/// Strings in records are short: looking at so many words costs less than calling for help.
const WORDS: usize = 6;
/// The lowest bit of each byte of a word, and the highest.
const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = LOW << 7;

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

    /// Goes over these bytes.
    #[inline]
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Option<()> {
        self.line.get(self.at..)?.starts_with(bytes).then(|| self.at += bytes.len())
    }

    /// Goes over so many bytes of plain text: ASCII, without quotes and escapes.
    pub(super) fn plain(&mut self, length: usize) -> Option<Piece> {
        let to = self.at.checked_add(length)?;
        let odd = |byte: &u8| matches!(byte, b'"' | b'\\') | !byte.is_ascii();
        // All are looked at, which costs less than stopping.
        let is_odd = self.line.get(self.at..to)?.iter().fold(false, |is, byte| is | odd(byte));
        let piece = Piece { from: self.at, to, escaped: false };
        self.at = to;
        (!is_odd).then_some(piece)
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

    /// The next eight bytes.
    pub(super) fn word(&self) -> Option<u64> {
        self.line.get(self.at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
    }

    /// Goes over this key and its colon. What is asked is whether it ends where it should: that it
    /// begins so is known, up to its seventh byte.
    pub(super) fn pass_key(&mut self, key: &[u8]) -> Option<()> {
        let from = self.at.checked_add(1)?;
        let to = from.checked_add(key.len())?;
        let is_same = key.len() < 8 || self.line.get(from..to)? == key;
        let ends = self.line.get(to..)?.starts_with(b"\":");
        (is_same && ends).then(|| self.at = to + 2)
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
            // Brackets of both kinds differ from each other in one bit.
            let telling = |byte: &u8| *byte == b'"' || matches!(byte | 0x20, b'{' | b'}');
            self.at += self.line.get(self.at..)?.iter().position(telling)?;
            match self.peek()? {
                b'"' => {
                    self.raw_text()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                _ => depth = depth.checked_sub(1)?,
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
    let (words, rest) = bytes.as_chunks::<8>();
    for (place, word) in words.iter().take(WORDS).enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = has(word, b'"') | has(word, b'\\');
        if found != 0 {
            return Some(place * 8 + usize::try_from(found.trailing_zeros() / 8).ok()?);
        }
    }
    let near = words.len().min(WORDS) * 8;
    let far = match words.len() > WORDS {
        true => memchr2(b'"', b'\\', bytes.get(near..)?),
        false => rest.iter().position(|byte| matches!(byte, b'"' | b'\\')),
    };
    far.map(|place| place + near)
}

/// The highest bit of each byte that is this one; above the first, of others too.
fn has(word: u64, byte: u8) -> u64 {
    let word = word ^ (LOW * u64::from(byte));
    word.wrapping_sub(LOW) & !word & HIGH
}
