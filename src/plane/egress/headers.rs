//! The fields of a head, in their order and with their exact bytes (RFC 9110 §5, RFC 9112 §5).
//!
//! A field that a later reader could take for another one is refused: a blank before the colon, a
//! control character, `Content_Length`. What concerns one connection alone is never passed on
//! (`forwardable`), and nobody can have a field stripped by naming it in `Connection`.
//!
//! Values may be secrets: `Debug` shows names only.

use crate::model::reason::Reason;
use std::ops::Range;

/// The fields of one head.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers {
    fields: Vec<Field>,
}

/// One field line without its end, and where name and value stand in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Field {
    line: Vec<u8>,
    name: usize,
    value: Range<usize>,
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What concerns one connection alone (RFC 9110 §7.6.1, and the names that it is known by).
/// `Transfer-Encoding` goes on with the body that it frames.
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "upgrade",
];

/// Fields that mean something to whom the message is for: `Connection` may not name them.
const END_TO_END: &[&str] = &[
    "accept",
    "authorization",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "host",
    "origin",
    "range",
    "set-cookie",
    "transfer-encoding",
    "via",
    "x-api-key",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

impl Field {
    /// Reads one field line without its CRLF.
    ///
    /// # Errors
    /// If it is no field, strictly.
    pub fn read(line: &[u8]) -> Result<Field, Reason> {
        let name = line.iter().position(|byte| *byte == b':').ok_or(Reason::BadHeader)?;
        let (start, rest) = line.split_at_checked(name).ok_or(Reason::BadHeader)?;
        if start.is_empty() || !start.iter().copied().all(is_token) {
            return Err(Reason::BadHeader);
        }
        if is_spelt_otherwise(start) {
            return Err(Reason::BadFraming);
        }
        if !rest.iter().skip(1).all(|byte| is_value(*byte)) {
            return Err(Reason::BadHeader);
        }
        let after = rest.get(1..).unwrap_or_default();
        let before = after.len() - after.trim_ascii_start().len();
        let value = name + 1 + before..name + 1 + before + after.trim_ascii().len();
        Ok(Field { line: line.to_vec(), name, value })
    }

    /// A field of our own.
    ///
    /// # Errors
    /// If name or value could not stand in a head.
    pub fn new(name: &str, value: &[u8]) -> Result<Field, Reason> {
        let field = Field::read(&[name.as_bytes(), b": ", value].concat())?;
        // A colon in the name would have moved where the value begins.
        if field.name == name.len() { Ok(field) } else { Err(Reason::BadHeader) }
    }

    /// The name as it was written.
    #[must_use]
    pub fn name(&self) -> &str {
        let name = self.line.get(..self.name).unwrap_or_default();
        std::str::from_utf8(name).unwrap_or_default()
    }

    /// The value without the blanks around it.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        self.line.get(self.value.clone()).unwrap_or_default()
    }

    /// True if it bears this name, in whatever case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name)
    }

    /// A folded line goes on here, as one blank (RFC 9112 §5.2).
    pub(super) fn fold(&self, more: &[u8]) -> Result<Field, Reason> {
        Field::read(&[self.line.trim_ascii_end(), b" ", more.trim_ascii()].concat())
    }
}

/// What a reader that knows `_` and `-` for one takes for the framing.
fn is_spelt_otherwise(name: &[u8]) -> bool {
    name.contains(&b'_')
        && ["content-length", "transfer-encoding"].iter().any(|framing| {
            let same = |(read, meant): (&u8, u8)| match read {
                b'_' => meant == b'-',
                read => read.to_ascii_lowercase() == meant,
            };
            name.len() == framing.len() && name.iter().zip(framing.bytes()).all(same)
        })
}

impl Headers {
    /// None.
    #[must_use]
    pub fn new() -> Headers {
        Headers::default()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter()
    }

    /// The values of the fields that bear this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields.iter().filter(move |field| field.is(name)).map(Field::value)
    }

    /// The value of the first field that bears this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.fields.iter().find(|field| field.is(name)).map(Field::value)
    }

    /// True if a field bears this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.is(name))
    }

    /// Takes away every field that bears this name, and says how many those were.
    pub fn remove(&mut self, name: &str) -> usize {
        let before = self.fields.len();
        self.fields.retain(|field| !field.is(name));
        before - self.fields.len()
    }

    /// One field of this name in place of all that bear it, where the first of them stood.
    ///
    /// # Errors
    /// If name or value could not stand in a head.
    pub fn set(&mut self, name: &str, value: &[u8]) -> Result<(), Reason> {
        let field = Field::new(name, value)?;
        let place = self.fields.iter().position(|field| field.is(name));
        self.remove(name);
        self.fields.insert(place.unwrap_or(self.fields.len()), field);
        Ok(())
    }

    /// One more field, after all others.
    pub fn push(&mut self, field: Field) {
        self.fields.push(field);
    }

    /// A folded line goes on with the last field.
    pub(super) fn fold(&mut self, more: &[u8]) -> Result<(), Reason> {
        let last = self.fields.pop().ok_or(Reason::BadFraming)?;
        self.fields.push(last.fold(more)?);
        Ok(())
    }

    /// The members of a field that is a list of tokens, such as `Connection`, without their
    /// blanks; empty members are none.
    pub fn members<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let members = self.all(name).flat_map(|value| value.split(|byte| *byte == b','));
        members.map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
    }

    /// True if a field that is a list has this member, in whatever case.
    #[must_use]
    pub fn lists(&self, name: &str, member: &str) -> bool {
        self.members(name).any(|found| found.eq_ignore_ascii_case(member.as_bytes()))
    }

    /// What goes on to the next hop: all but what concerns this connection alone.
    #[must_use]
    pub fn forwardable(&self) -> Headers {
        let stays = |field: &&Field| {
            let own = HOP_BY_HOP.iter().any(|name| field.is(name));
            let named = self.lists("connection", field.name());
            !own && (!named || END_TO_END.iter().any(|name| field.is(name)))
        };
        Headers { fields: self.fields.iter().filter(stays).cloned().collect() }
    }

    /// Whether `Connection` names only what one connection alone is concerned with.
    pub(super) fn check_connection(&self) -> Result<(), Reason> {
        for member in self.members("connection") {
            let same = |name: &&str| member.eq_ignore_ascii_case(name.as_bytes());
            if !member.iter().copied().all(is_token) || END_TO_END.iter().any(same) {
                return Err(Reason::BadHeader);
            }
        }
        Ok(())
    }

    /// Writes them, each with its CRLF; the empty line is the caller's.
    pub fn write(&self, out: &mut Vec<u8>) {
        for field in &self.fields {
            out.extend_from_slice(&field.line);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// A character of a token (RFC 9110 §5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What a value may hold: anything but control characters (RFC 9110 §5.5).
pub(super) fn is_value(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&str]) -> Headers {
        let fields = lines.iter().map(|line| Field::read(line.as_bytes()).unwrap()).collect();
        Headers { fields }
    }

    #[test]
    fn fields() {
        for (line, expected) in [
            (&b"Host: a.example"[..], Ok(("Host", &b"a.example"[..]))),
            (b"Host:a.example", Ok(("Host", b"a.example"))),
            (b"X: \t a  b\t ", Ok(("X", b"a  b"))),
            (b"X:", Ok(("X", b""))),
            (b"X:  ", Ok(("X", b""))),
            (b"X: a:b", Ok(("X", b"a:b"))),
            (b"X: caf\xe9", Ok(("X", b"caf\xe9"))),
            (b"!#$%&'*+-.^_`|~: x", Ok(("!#$%&'*+-.^_`|~", b"x"))),
            (b"X : a", Err(Reason::BadHeader)),
            (b"X\t: a", Err(Reason::BadHeader)),
            (b": a", Err(Reason::BadHeader)),
            (b"X", Err(Reason::BadHeader)),
            (b"", Err(Reason::BadHeader)),
            (b"X\0: a", Err(Reason::BadHeader)),
            (b"X: a\0b", Err(Reason::BadHeader)),
            (b"X: a\x7fb", Err(Reason::BadHeader)),
            (b"X: \x0bchunked", Err(Reason::BadHeader)),
            (b"H\xc3\xb6st: a", Err(Reason::BadHeader)),
            (b"X(a): b", Err(Reason::BadHeader)),
            (b"Content_Length: 5", Err(Reason::BadFraming)),
            (b"transfer_Encoding: chunked", Err(Reason::BadFraming)),
            (b"X_Y: a", Ok(("X_Y", b"a"))),
        ] {
            let read = Field::read(line);
            let got = read.as_ref().map(|field| (field.name(), field.value()));
            assert_eq!(got, expected.as_ref().map(|pair| *pair), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn what_goes_on() {
        let all = headers(&[
            "Host: a.example",
            "Connection: close, X-Own, Host",
            "X-Own: 1",
            "Proxy-Authorization: Basic eDp5",
            "proxy-connection: keep-alive",
            "Keep-Alive: 5",
            "TE: trailers",
            "Upgrade: h2c",
            "HTTP2-Settings: x",
            "Transfer-Encoding: chunked",
            "Accept: */*",
        ]);
        let names: Vec<_> = all.forwardable().iter().map(|field| field.name().to_owned()).collect();
        assert_eq!(names, ["Host", "Transfer-Encoding", "Accept"]);
        assert_eq!(all.check_connection(), Err(Reason::BadHeader));
        let honest = headers(&["Connection: Keep-Alive, ,Upgrade", "Connection: TE"]);
        assert_eq!(honest.check_connection(), Ok(()));
        assert!(honest.lists("connection", "upgrade") && honest.lists("CONNECTION", "te"));
    }

    #[test]
    fn a_field_is_set_once_where_the_first_stood() {
        let mut all = headers(&["X-Api-Key: a", "B: b", "x-api-key: c"]);
        all.set("x-api-key", b"secret").unwrap();
        let mut out = Vec::new();
        all.write(&mut out);
        assert_eq!(out, b"x-api-key: secret\r\nB: b\r\n");
        assert!(!format!("{all:?}").contains("secret"));
        assert_eq!(all.set("x", b"a\r\nHost: b"), Err(Reason::BadHeader));
        assert_eq!(all.set("x: y", b""), Err(Reason::BadHeader));
        assert_eq!(all.remove("X-API-KEY"), 1);
        assert_eq!((all.len(), all.get("b")), (1, Some(&b"b"[..])));
    }
}
