//! Where a message's body ends (RFC 9112 §6, §7), by one reading or not at all.
//!
//! Whoever frames a body otherwise than we do reads the rest as a message that nobody judged. So
//! `Content-Length` stands alone, once and as digits; `Transfer-Encoding` is `chunked` and nothing
//! else; a chunk's size is hexadecimal and its extensions hold no line end.
//!
//! ```
//! use toolgate::plane::egress::framing::{Body, Framing};
//! let mut body = Body::new(Framing::Chunked);
//! // It takes what is the message's, and not a byte of what follows.
//! assert_eq!(body.take(b"3\r\nabc\r\n0\r\n\r\nGET http://"), Ok(13));
//! assert!(body.is_done());
//! ```

use super::head::{Method, RequestHead, ResponseHead, Version};
use super::headers::{Field, Headers, is_value};
use crate::limits::{EGRESS_CHUNK_EXTENSION_BYTES_MAX, EGRESS_TRAILER_BYTES_MAX};
use crate::model::reason::Reason;

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    None,
    /// So many bytes.
    Length(u64),
    /// A chunk of no bytes ends it.
    Chunked,
    /// It ends with the connection; answers only.
    UntilClose,
}

impl Framing {
    /// How a request's body ends.
    ///
    /// # Errors
    /// If another reader could find another end.
    pub fn of_request(head: &RequestHead) -> Result<Framing, Reason> {
        let framing = stated(head.version, &head.headers, |value| value == b"chunked")?;
        match framing {
            // What follows CONNECT is the tunnel's.
            Some(Framing::Length(0)) | None => Ok(Framing::None),
            Some(_) if head.method.as_str() == "CONNECT" => Err(Reason::BadFraming),
            Some(framing) => Ok(framing),
        }
    }

    /// How the body of an answer to this method ends.
    ///
    /// # Errors
    /// If another reader could find another end.
    pub fn of_response(head: &ResponseHead, method: &Method) -> Result<Framing, Reason> {
        let chunked = |value: &[u8]| value.eq_ignore_ascii_case(b"chunked");
        let stated = stated(head.version, &head.headers, chunked)?;
        let opened = method.as_str() == "CONNECT" && (200..300).contains(&head.status);
        let bodiless = method.as_str() == "HEAD" || matches!(head.status, 100..200 | 204 | 304);
        Ok(if opened || bodiless { Framing::None } else { stated.unwrap_or(Framing::UntilClose) })
    }
}

fn stated(
    version: Version,
    headers: &Headers,
    chunked: impl Fn(&[u8]) -> bool,
) -> Result<Option<Framing>, Reason> {
    let mut lengths = headers.all("content-length");
    let mut codings = headers.all("transfer-encoding");
    match (lengths.next(), codings.next()) {
        (None, None) => Ok(None),
        (Some(length), None) if lengths.next().is_none() => read_length(length).map(Some),
        // An HTTP/1.0 reader does not know it (RFC 9112 §6.1).
        (None, Some(coding))
            if codings.next().is_none() && chunked(coding) && version == Version::Http11 =>
        {
            Ok(Some(Framing::Chunked))
        }
        (Some(_) | None, Some(_) | None) => Err(Reason::BadFraming),
    }
}

fn read_length(value: &[u8]) -> Result<Framing, Reason> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Reason::BadFraming);
    }
    let text = std::str::from_utf8(value).map_err(|_| Reason::BadFraming)?;
    // What does not fit a signed number is another length to some reader.
    let length: i64 = text.parse().map_err(|_| Reason::BadFraming)?;
    u64::try_from(length).map(Framing::Length).map_err(|_| Reason::BadFraming)
}

/// A body as it passes.
#[derive(Debug, Clone)]
pub enum Body {
    /// So many bytes are still to come; none at all if there is no body.
    Left(u64),
    /// Chunks.
    Chunked(Chunked),
    /// Whatever comes until the connection is closed.
    UntilClose,
}

impl Body {
    /// A body that has yet to come.
    #[must_use]
    pub fn new(framing: Framing) -> Body {
        match framing {
            Framing::None => Body::Left(0),
            Framing::Length(length) => Body::Left(length),
            Framing::Chunked => Body::Chunked(Chunked::new()),
            Framing::UntilClose => Body::UntilClose,
        }
    }

    /// How many of these bytes are the body's; they have then passed.
    ///
    /// # Errors
    /// If they are no chunks, strictly. Nothing more may pass then.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, Reason> {
        self.take_data(bytes, &mut |_| ())
    }

    /// As [`Body::take`], and hands out what the body says, without its framing.
    ///
    /// # Errors
    /// As [`Body::take`].
    pub fn take_data(
        &mut self,
        bytes: &[u8],
        data: &mut dyn FnMut(&[u8]),
    ) -> Result<usize, Reason> {
        let taken = match self {
            Body::Chunked(chunked) => return chunked.read(bytes, data),
            Body::Left(left) => {
                let taken = usize::try_from(*left).map_or(bytes.len(), |n| n.min(bytes.len()));
                *left = left.saturating_sub(taken as u64);
                taken
            }
            Body::UntilClose => bytes.len(),
        };
        data(bytes.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    /// What was said beside its data ([`Chunked::aside`]).
    #[must_use]
    pub fn aside(&self) -> &[u8] {
        match self {
            Body::Chunked(chunked) => chunked.aside(),
            Body::Left(_) | Body::UntilClose => &[],
        }
    }

    /// Whether it has come to its end; one that ends with the connection never has.
    #[must_use]
    pub fn is_done(&self) -> bool {
        match self {
            Body::Left(left) => *left == 0,
            Body::Chunked(chunked) => chunked.is_done(),
            Body::UntilClose => false,
        }
    }
}

/// A chunked body as it passes, in whatever pieces it comes.
#[derive(Debug, Clone)]
pub struct Chunked {
    state: State,
    extensions: usize,
    /// The trailer's line under way, and how much of the trailer has passed.
    line: Vec<u8>,
    trailer: usize,
    /// Extensions and trailer, each in its line.
    aside: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The digits of a size.
    Size {
        digits: u8,
        value: u64,
    },
    /// Blanks after a size, which only an extension may follow.
    Blank {
        value: u64,
    },
    Extension {
        value: u64,
    },
    SizeEnd {
        value: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    Trailer,
    TrailerEnd,
    Done,
    Broken(Reason),
}

/// Sixteen digits are all that a size of 64 bits has.
const SIZE_DIGITS_MAX: u8 = 16;

impl Chunked {
    /// A body that has yet to come.
    #[must_use]
    pub fn new() -> Chunked {
        let state = State::Size { digits: 0, value: 0 };
        Chunked { state, extensions: 0, line: Vec::new(), trailer: 0, aside: Vec::new() }
    }

    /// Whether the last chunk and its trailer have passed.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// What was said so far beside the data: extensions of chunks and the trailer. It is not longer
    /// than those may be.
    #[must_use]
    pub fn aside(&self) -> &[u8] {
        &self.aside
    }

    /// How many of these bytes are the body's, and hands out what they say.
    ///
    /// # Errors
    /// If they are no chunks, strictly; and ever after.
    pub fn read(&mut self, bytes: &[u8], data: &mut dyn FnMut(&[u8])) -> Result<usize, Reason> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            if self.state == State::Done {
                break;
            }
            if let State::Data { left } = self.state {
                let taken = usize::try_from(left).map_or(rest.len(), |n| n.min(rest.len()));
                data(rest.get(..taken).unwrap_or_default());
                let left = left.saturating_sub(taken as u64);
                self.state = if left == 0 { State::DataCr } else { State::Data { left } };
                at += taken;
                continue;
            }
            let byte = rest.first().copied().unwrap_or_default();
            match self.step(byte) {
                Ok(state) => {
                    self.set_aside(state, byte);
                    self.state = state;
                }
                Err(reason) => {
                    self.state = State::Broken(reason);
                    return Err(reason);
                }
            }
            at += 1;
        }
        Ok(at)
    }

    /// One byte of the framing.
    fn step(&mut self, byte: u8) -> Result<State, Reason> {
        match (self.state, byte) {
            (State::Size { digits, value }, byte) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                let fits = digits < SIZE_DIGITS_MAX && value < 1 << 59;
                let next = State::Size { digits: digits + 1, value: value << 4 | digit };
                if fits { Ok(next) } else { Err(Reason::BadFraming) }
            }
            (State::Size { digits: 1.., value }, b'\r') => Ok(State::SizeEnd { value }),
            (State::Size { digits: 1.., value } | State::Blank { value }, b';') => {
                self.extend(value)
            }
            (State::Size { digits: 1.., value } | State::Blank { value }, b' ' | b'\t') => {
                self.extend(value)?;
                Ok(State::Blank { value })
            }
            (State::Extension { value }, b'\r') => Ok(State::SizeEnd { value }),
            (State::Extension { value }, byte) if is_value(byte) => self.extend(value),
            (State::SizeEnd { value: 0 }, b'\n') => Ok(State::Trailer),
            (State::SizeEnd { value }, b'\n') => Ok(State::Data { left: value }),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Size { digits: 0, value: 0 }),
            (State::Trailer, b'\r') => Ok(State::TrailerEnd),
            (State::Trailer, b'\n') => Err(Reason::BadFraming),
            (State::Trailer, byte) => {
                self.trailer += 1;
                if self.trailer > EGRESS_TRAILER_BYTES_MAX {
                    return Err(Reason::HeaderTooLarge);
                }
                self.line.push(byte);
                Ok(State::Trailer)
            }
            (State::TrailerEnd, b'\n') if self.line.is_empty() => Ok(State::Done),
            (State::TrailerEnd, b'\n') => {
                check_trailer(&self.line)?;
                self.line.clear();
                Ok(State::Trailer)
            }
            (State::Broken(reason), _) => Err(reason),
            (State::Done, _) => Ok(State::Done),
            (
                State::Size { .. }
                | State::Blank { .. }
                | State::Extension { .. }
                | State::SizeEnd { .. }
                | State::Data { .. }
                | State::DataCr
                | State::DataLf
                | State::TrailerEnd,
                _,
            ) => Err(Reason::BadFraming),
        }
    }

    fn set_aside(&mut self, next: State, byte: u8) {
        let was_aside = matches!(self.state, State::Extension { .. } | State::Trailer);
        if matches!(next, State::Extension { .. }) || (was_aside && next == State::Trailer) {
            self.aside.push(byte);
        } else if was_aside {
            self.aside.push(b'\n');
        }
    }

    fn extend(&mut self, value: u64) -> Result<State, Reason> {
        self.extensions += 1;
        if self.extensions > EGRESS_CHUNK_EXTENSION_BYTES_MAX {
            return Err(Reason::HeaderTooLarge);
        }
        Ok(State::Extension { value })
    }
}

impl Default for Chunked {
    fn default() -> Chunked {
        Chunked::new()
    }
}

/// What frames, routes or authenticates a message stands in its head, never behind it (RFC 9110
/// §6.5.1).
const NO_TRAILERS: &[&str] = &[
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "proxy-authorization",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-api-key",
];

fn check_trailer(line: &[u8]) -> Result<(), Reason> {
    if line.starts_with(b" ") || line.starts_with(b"\t") {
        return Err(Reason::BadFraming);
    }
    let field = Field::read(line)?;
    if NO_TRAILERS.iter().any(|name| field.is(name)) { Err(Reason::BadHeader) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::egress::head::{read_head, read_response_head};
    use proptest::prelude::*;

    fn all(bytes: &[u8]) -> Result<(usize, bool, Vec<u8>), Reason> {
        let (mut chunked, mut out) = (Chunked::new(), Vec::new());
        let used = chunked.read(bytes, &mut |data| out.extend_from_slice(data))?;
        Ok((used, chunked.is_done(), out))
    }

    #[test]
    fn chunks() {
        for (bytes, expected) in [
            (&b"0\r\n\r\nGET"[..], Ok((5, true, &b""[..]))),
            (b"3\r\nabc\r\n0\r\n\r\n", Ok((13, true, b"abc"))),
            (b"0003;a=\"b\"\r\nabc\r\n000\r\nX: y\r\n\r\nrest", Ok((30, true, b"abc"))),
            (b"3 ;a\r\nabc\r\n", Ok((11, false, b"abc"))),
            (b"A\r\n0123456789\r\n", Ok((15, false, b"0123456789"))),
            (b"7fffffffffffffff\r\nx", Ok((19, false, b"x"))),
            (b"8000000000000000\r\nx", Err(Reason::BadFraming)),
            (b"00000000000000003\r\nabc", Err(Reason::BadFraming)),
            (b"10000000000000003\r\nabc", Err(Reason::BadFraming)),
            (b"3 \r\nabc\r\n", Err(Reason::BadFraming)),
            (b"3\nabc", Err(Reason::BadFraming)),
            (b"3;a\nabc", Err(Reason::BadFraming)),
            (b"3;a\rb\r\nabc", Err(Reason::BadFraming)),
            (b"3;\0\r\nabc", Err(Reason::BadFraming)),
            (b"0x3\r\nabc", Err(Reason::BadFraming)),
            (b"+3\r\nabc", Err(Reason::BadFraming)),
            (b"-3\r\nabc", Err(Reason::BadFraming)),
            (b" 3\r\nabc", Err(Reason::BadFraming)),
            (b"3_0\r\nabc", Err(Reason::BadFraming)),
            (b"\r\nabc", Err(Reason::BadFraming)),
            (b";a\r\nabc", Err(Reason::BadFraming)),
            (b"3\r\nabcd\r\n", Err(Reason::BadFraming)),
            (b"3\r\nabc\n0\r\n\r\n", Err(Reason::BadFraming)),
            (b"3\r\nabc0\r\n\r\n", Err(Reason::BadFraming)),
            (b"0\r\n\n", Err(Reason::BadFraming)),
            (b"0\r\nX: y\n\n", Err(Reason::BadFraming)),
            (b"0\r\n x\r\n\r\n", Err(Reason::BadFraming)),
            (b"0\r\nX y\r\n\r\n", Err(Reason::BadHeader)),
            (b"0\r\nContent-Length: 5\r\n\r\n", Err(Reason::BadHeader)),
            (b"0\r\nHOST: a\r\n\r\n", Err(Reason::BadHeader)),
        ] {
            let expected = expected.map(|(used, done, out)| (used, done, out.to_vec()));
            assert_eq!(all(bytes), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn what_is_endless_is_refused() {
        let long = [&b"1;"[..], &[b'a'; EGRESS_CHUNK_EXTENSION_BYTES_MAX]].concat();
        assert_eq!(all(&long), Err(Reason::HeaderTooLarge));
        let many = [&b"1;abc\r\nx\r\n"[..]; EGRESS_CHUNK_EXTENSION_BYTES_MAX].concat();
        assert_eq!(all(&many), Err(Reason::HeaderTooLarge));
        let trailer = [&b"0\r\n"[..], &b"X: y\r\n".repeat(EGRESS_TRAILER_BYTES_MAX)].concat();
        assert_eq!(all(&trailer), Err(Reason::HeaderTooLarge));
    }

    fn request(fields: &str) -> Result<Framing, Reason> {
        let text = format!("POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n");
        let (head, _) = read_head(text.as_bytes())?.unwrap();
        Framing::of_request(&head)
    }

    #[test]
    fn requests() {
        for (fields, expected) in [
            ("", Ok(Framing::None)),
            ("Content-Length: 0\r\n", Ok(Framing::None)),
            ("content-length:  5 \r\n", Ok(Framing::Length(5))),
            ("Transfer-Encoding: chunked\r\n", Ok(Framing::Chunked)),
            ("Content-Length: 9223372036854775807\r\n", Ok(Framing::Length(i64::MAX as u64))),
            ("Content-Length: 9223372036854775808\r\n", Err(Reason::BadFraming)),
            ("Content-Length: 5\r\nContent-Length: 5\r\n", Err(Reason::BadFraming)),
            ("Content-Length: 5, 5\r\n", Err(Reason::BadFraming)),
            ("Content-Length: +5\r\n", Err(Reason::BadFraming)),
            ("Content-Length: -5\r\n", Err(Reason::BadFraming)),
            ("Content-Length: 0x5\r\n", Err(Reason::BadFraming)),
            ("Content-Length: 5 5\r\n", Err(Reason::BadFraming)),
            ("Content-Length:\r\n", Err(Reason::BadFraming)),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", Err(Reason::BadFraming)),
            ("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", Err(Reason::BadFraming)),
            ("Transfer-Encoding: gzip, chunked\r\n", Err(Reason::BadFraming)),
            ("Transfer-Encoding: chunked, identity\r\n", Err(Reason::BadFraming)),
            ("Transfer-Encoding: xchunked\r\n", Err(Reason::BadFraming)),
            ("Transfer-Encoding: Chunked\r\n", Err(Reason::BadFraming)),
            ("Transfer-Encoding:\r\n", Err(Reason::BadFraming)),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", Err(Reason::BadFraming)),
            ("Transfer-Encoding: \x0bchunked\r\n", Err(Reason::BadHeader)),
            ("Transfer-Encoding : chunked\r\n", Err(Reason::BadHeader)),
            ("Transfer_Encoding: chunked\r\n", Err(Reason::BadFraming)),
        ] {
            assert_eq!(request(fields), expected, "{fields:?}");
        }
        for (bytes, expected) in [
            (&b"POST http://a.example/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"[..], false),
            (b"CONNECT a.example:443 HTTP/1.0\r\nContent-Length: 5\r\n\r\n", false),
            (b"CONNECT a.example:443 HTTP/1.0\r\nContent-Length: 0\r\n\r\n", true),
        ] {
            assert_eq!(read_head(bytes).is_ok(), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn answers() {
        for (answer, method, expected) in [
            ("200 OK\r\nContent-Length: 5", "GET", Ok(Framing::Length(5))),
            ("200 OK\r\nContent-Length: 0", "GET", Ok(Framing::Length(0))),
            ("200 OK\r\nContent-Length: 5", "HEAD", Ok(Framing::None)),
            ("200 OK\r\nTransfer-Encoding: Chunked", "GET", Ok(Framing::Chunked)),
            ("200 OK\r\nA: b", "GET", Ok(Framing::UntilClose)),
            ("204 No Content\r\nA: b", "GET", Ok(Framing::None)),
            ("304 Not Modified\r\nContent-Length: 5", "GET", Ok(Framing::None)),
            ("101 Switching Protocols\r\nA: b", "GET", Ok(Framing::None)),
            ("200 OK\r\nA: b", "CONNECT", Ok(Framing::None)),
            ("403 No\r\nContent-Length: 2", "CONNECT", Ok(Framing::Length(2))),
            ("200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked", "GET", Err(())),
            ("200 OK\r\nContent-Length: 5\r\nContent-Length: 6", "GET", Err(())),
            ("200 OK\r\nTransfer-Encoding: gzip", "GET", Err(())),
        ] {
            let text = format!("HTTP/1.1 {answer}\r\n\r\n");
            let (head, _) = read_response_head(text.as_bytes()).unwrap().unwrap();
            let method = Method::read(method.as_bytes()).unwrap();
            let got = Framing::of_response(&head, &method).map_err(drop);
            assert_eq!(got, expected, "{text:?}");
        }
    }

    proptest! {
        /// What is encoded comes out again, in whatever pieces, and what follows is left.
        #[test]
        fn in_pieces_as_in_one(
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..8),
            sizes in proptest::collection::vec(1_usize..9, 1..20),
            after in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let mut bytes = Vec::new();
            for part in &parts {
                bytes.extend(format!("{:x}\r\n", part.len()).bytes());
                bytes.extend(part);
                bytes.extend(b"\r\n");
            }
            bytes.extend(b"0\r\n\r\n");
            let length = bytes.len();
            bytes.extend(&after);
            prop_assert_eq!(all(&bytes), Ok((length, true, parts.concat())));
            let (mut body, mut out, mut at) = (Body::new(Framing::Chunked), Vec::new(), 0);
            for size in sizes.iter().cycle() {
                let piece = &bytes[at..bytes.len().min(at + size)];
                let used = body.take_data(piece, &mut |data| out.extend_from_slice(data));
                at += used.unwrap();
                if body.is_done() {
                    break;
                }
            }
            prop_assert_eq!((at, out), (length, parts.concat()));
            prop_assert_eq!(body.take(b"more"), Ok(0));
        }

        #[test]
        fn a_length_takes_what_is_its_own(length in 0_u64..50, bytes in 0_usize..80) {
            let mut body = Body::new(Framing::Length(length));
            let taken = body.take(&vec![0; bytes]).unwrap();
            prop_assert_eq!(taken as u64, length.min(bytes as u64));
            prop_assert_eq!(body.is_done(), bytes as u64 >= length);
        }
    }
}
