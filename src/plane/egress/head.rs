//! The head of a request or an answer, read strictly and once (RFC 9112 §2-5).
//!
//! What two readers could read as two things is refused, never repaired: bare CR or LF, a folded
//! line, a second Host, a Host that is not the target's, a version that is not HTTP/1. What honest
//! clients send is taken: an empty line before the request, blanks around values, HTTP/1.0 (Python
//! up to 3.11 sends `CONNECT host:443 HTTP/1.0` without a Host), a Host without the scheme's port.
//! A head that was read has valid framing.
//!
//! ```
//! use toolgate::plane::egress::head::{RequestTarget, read_head};
//! let bytes = b"CONNECT A.example.:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n\x16\x03";
//! let (head, length) = read_head(bytes).unwrap().unwrap();
//! assert_eq!(&bytes[length..], b"\x16\x03");
//! assert!(matches!(&head.target, RequestTarget::Authority(to) if to.port == Some(443)));
//! assert_eq!(read_head(b"GET http://a.example/ HTTP/1.1\r\nHost: a.ex"), Ok(None));
//! ```

use super::framing::Framing;
use super::headers::{Field, Headers, is_token, is_value};
use crate::limits::{
    EGRESS_ANSWER_FIELDS_MAX, EGRESS_ANSWER_HEAD_BYTES_MAX, EGRESS_EMPTY_LINES_MAX,
    EGRESS_FIELDS_MAX, EGRESS_HEAD_BYTES_MAX, EGRESS_METHOD_BYTES_MAX,
};
use crate::model::host::{Authority, Host, HostError};
use crate::model::reason::Reason;
use crate::model::url::default_port;

/// The head of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHead {
    /// What is asked.
    pub method: Method,
    /// Of whom, or of what.
    pub target: RequestTarget,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// The fields.
    pub headers: Headers,
    /// The Host field, if there is one. It is the target's, where the target names a host.
    pub host: Option<Authority>,
}

/// The head of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHead {
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// The status, 100 to 599.
    pub status: u16,
    /// The words after it.
    pub phrase: Vec<u8>,
    /// The fields.
    pub headers: Headers,
}

/// The versions that are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: one request to a connection.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// A request method: a token without small letters, since some servers read `post` as `POST`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Method(String);

/// What a request is for (RFC 9112 §3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestTarget {
    /// `CONNECT host:port`; the port is always there.
    Authority(Authority),
    /// `GET http://host/path?query`, to a proxy.
    Absolute {
        /// `http` or `https`, in small letters.
        scheme: String,
        /// The host, and the port if one is stated.
        authority: Authority,
        /// Path and query as they were written, from `/` on.
        path: String,
    },
    /// `GET /path?query`, as it was written.
    Origin(String),
    /// `OPTIONS *`
    Asterisk,
}

impl Method {
    /// The method as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a method.
    ///
    /// # Errors
    /// If it is no token, or holds a small letter.
    pub fn read(bytes: &[u8]) -> Result<Method, Reason> {
        let strange = |byte: &u8| !is_token(*byte) || byte.is_ascii_lowercase();
        if bytes.is_empty() || bytes.len() > EGRESS_METHOD_BYTES_MAX || bytes.iter().any(strange) {
            return Err(Reason::BadRequestLine);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Reason::BadRequestLine)?;
        Ok(Method(text.to_owned()))
    }
}

impl RequestHead {
    /// The host and port that the request names: the target's, else the Host field's.
    #[must_use]
    pub fn destination(&self) -> Option<(&Host, u16)> {
        let (authority, implied) = match &self.target {
            RequestTarget::Authority(authority) => (authority, None),
            RequestTarget::Absolute { scheme, authority, .. } => (authority, default_port(scheme)),
            RequestTarget::Origin(_) | RequestTarget::Asterisk => (self.host.as_ref()?, Some(80)),
        };
        Some((&authority.host, authority.port.or(implied)?))
    }

    /// Whether the connection may bear a further request.
    #[must_use]
    pub fn keeps_alive(&self) -> bool {
        keeps_alive(self.version, &self.headers)
    }

    /// The protocol that the client would rather speak (RFC 9110 §7.8): `websocket`, `h2c`.
    #[must_use]
    pub fn upgrade(&self) -> Option<&[u8]> {
        let meant = self.headers.lists("connection", "upgrade");
        self.headers.get("upgrade").filter(|value| meant && !value.is_empty())
    }

    /// Whether the client waits for a `100 Continue` before it sends the body.
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        self.version == Version::Http11 && self.headers.lists("expect", "100-continue")
    }

    /// The head in origin form with these fields, as it goes to the host itself.
    #[must_use]
    pub fn to_origin(&self, path: &str, headers: &Headers) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        for part in [self.method.as_str(), " ", path, " ", self.version.as_str(), "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        headers.write(&mut out);
        out.extend_from_slice(b"\r\n");
        out
    }
}

impl ResponseHead {
    /// Whether the connection may bear a further answer, if this one has an end.
    #[must_use]
    pub fn keeps_alive(&self) -> bool {
        keeps_alive(self.version, &self.headers)
    }

    /// The head with these fields, as it goes to the client.
    #[must_use]
    pub fn to_client(&self, headers: &Headers) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        let start = format!("{} {} ", self.version.as_str(), self.status);
        out.extend_from_slice(start.as_bytes());
        out.extend_from_slice(&self.phrase);
        out.extend_from_slice(b"\r\n");
        headers.write(&mut out);
        out.extend_from_slice(b"\r\n");
        out
    }
}

fn keeps_alive(version: Version, headers: &Headers) -> bool {
    version == Version::Http11 && !headers.lists("connection", "close")
}

impl Version {
    /// The version as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        }
    }

    /// `other` if it has the form of a version and is not one of ours.
    fn read(text: &[u8], other: Reason, malformed: Reason) -> Result<Version, Reason> {
        match text {
            b"HTTP/1.0" => Ok(Version::Http10),
            b"HTTP/1.1" => Ok(Version::Http11),
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                Err(other)
            }
            _ => Err(malformed),
        }
    }
}

/// Reads the head of a request: the head and how many bytes it has, or nothing if more of it must
/// come first.
///
/// # Errors
/// As soon as what is there cannot become a head that is served.
pub fn read_head(bytes: &[u8]) -> Result<Option<(RequestHead, usize)>, Reason> {
    let start = empty_lines(bytes)?;
    let rest = bytes.get(start..).unwrap_or_default();
    let bounds = (EGRESS_HEAD_BYTES_MAX.saturating_sub(start), EGRESS_FIELDS_MAX);
    let Some(lines) = lines(rest, bounds)? else {
        check_beginning(rest)?;
        return Ok(None);
    };
    let (method, target, version) = request_line(lines.first)?;
    let headers = fields(&lines, Fold::Refused)?;
    headers.check_connection()?;
    let mut head = RequestHead { method, target, version, headers, host: None };
    Framing::of_request(&head)?;
    head.host = host(&head)?;
    Ok(Some((head, start + lines.length)))
}

/// Reads the head of an answer, as [`read_head`] does.
///
/// # Errors
/// As soon as what is there cannot become a head that is passed on.
pub fn read_response_head(bytes: &[u8]) -> Result<Option<(ResponseHead, usize)>, Reason> {
    let bounds = (EGRESS_ANSWER_HEAD_BYTES_MAX, EGRESS_ANSWER_FIELDS_MAX);
    let Some(lines) = lines(bytes, bounds)? else {
        let known = bytes.len().min(5);
        let ours = bytes.get(..known) == b"HTTP/".get(..known);
        return if ours { Ok(None) } else { Err(Reason::ProtocolNotSupported) };
    };
    let mut parts = lines.first.splitn(3, |byte| *byte == b' ');
    let version = parts.next().unwrap_or_default();
    let unserved = Reason::ProtocolNotSupported;
    let version = Version::read(version, unserved, unserved)?;
    let status = match parts.next() {
        Some([a @ b'1'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9']) => {
            [a, b, c].iter().fold(0, |sum, digit| sum * 10 + u16::from(**digit - b'0'))
        }
        _ => return Err(unserved),
    };
    let phrase = parts.next().unwrap_or_default();
    if !phrase.iter().all(|byte| is_value(*byte)) {
        return Err(unserved);
    }
    let headers = fields(&lines, Fold::Joined)?;
    let head = ResponseHead { version, status, phrase: phrase.to_vec(), headers };
    Ok(Some((head, lines.length)))
}

/// The lines of one whole head.
struct Lines<'a> {
    first: &'a [u8],
    /// What follows the first line, up to the empty line.
    rest: &'a [u8],
    /// The whole head, its empty line included.
    length: usize,
}

/// How many bytes of empty lines stand before the request line.
fn empty_lines(bytes: &[u8]) -> Result<usize, Reason> {
    let lines = bytes.chunks(2).take_while(|line| *line == b"\r\n").count();
    if lines > EGRESS_EMPTY_LINES_MAX { Err(Reason::BadRequestLine) } else { Ok(lines * 2) }
}

/// Finds the end of the head; each line must end as lines do.
fn lines(
    bytes: &[u8],
    (bytes_max, fields_max): (usize, usize),
) -> Result<Option<Lines<'_>>, Reason> {
    let (mut first, mut from, mut count) = (None, 0, 0);
    for end in memchr::memchr_iter(b'\n', bytes) {
        if end >= bytes_max {
            return Err(Reason::HeaderTooLarge);
        }
        let line = bytes.get(from..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").ok_or(Reason::BadFraming)?;
        if memchr::memchr(b'\r', line).is_some() {
            return Err(Reason::BadFraming);
        }
        let Some(first) = first else {
            first = Some((line, end + 1));
            from = end + 1;
            continue;
        };
        if line.is_empty() {
            let rest = bytes.get(first.1..from).unwrap_or_default();
            return Ok(Some(Lines { first: first.0, rest, length: end + 1 }));
        }
        count += 1;
        if count > fields_max {
            return Err(Reason::HeaderTooLarge);
        }
        from = end + 1;
    }
    if bytes.len() >= bytes_max {
        return Err(Reason::HeaderTooLarge);
    }
    // The very last byte may be the CR of a line's end.
    let begun = bytes.get(from..bytes.len().saturating_sub(1)).unwrap_or_default();
    if memchr::memchr(b'\r', begun).is_some() { Err(Reason::BadFraming) } else { Ok(None) }
}

/// A client that speaks another protocol is told so at once, not after the time for a head.
fn check_beginning(bytes: &[u8]) -> Result<(), Reason> {
    if matches!(bytes, b"" | b"\r") {
        return Ok(());
    }
    let end = memchr::memchr2(b' ', b'\r', bytes);
    Method::read(bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default()).map(drop)
}

/// What a folded line is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fold {
    Refused,
    Joined,
}

fn fields(lines: &Lines<'_>, fold: Fold) -> Result<Headers, Reason> {
    let mut headers = Headers::new();
    let mut rest = lines.rest;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let line = rest.get(..end.saturating_sub(1)).unwrap_or_default();
        rest = rest.get(end + 1..).unwrap_or_default();
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            match fold {
                Fold::Refused => return Err(Reason::BadFraming),
                Fold::Joined => headers.fold(line)?,
            }
        } else {
            headers.push(Field::read(line)?);
        }
    }
    Ok(headers)
}

fn request_line(line: &[u8]) -> Result<(Method, RequestTarget, Version), Reason> {
    let mut parts = line.split(|byte| *byte == b' ');
    let method = Method::read(parts.next().unwrap_or_default())?;
    let (Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Reason::BadRequestLine);
    };
    let version = Version::read(version, Reason::ProtocolNotSupported, Reason::BadRequestLine)?;
    let target = RequestTarget::read(&method, target)?;
    Ok((method, target, version))
}

impl RequestTarget {
    fn read(method: &Method, target: &[u8]) -> Result<RequestTarget, Reason> {
        if method.as_str() == "CONNECT" {
            let authority = read_authority(target)?;
            return match authority.port {
                Some(_) => Ok(RequestTarget::Authority(authority)),
                None => Err(Reason::InvalidAuthority),
            };
        }
        match target {
            b"*" if method.as_str() == "OPTIONS" => Ok(RequestTarget::Asterisk),
            [b'/', ..] => Ok(RequestTarget::Origin(read_path(target)?)),
            _ => absolute(target),
        }
    }
}

fn absolute(target: &[u8]) -> Result<RequestTarget, Reason> {
    let colon = target.iter().position(|byte| *byte == b':').ok_or(Reason::BadRequestLine)?;
    let (scheme, rest) = target.split_at_checked(colon).ok_or(Reason::BadRequestLine)?;
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    if !scheme.first().is_some_and(u8::is_ascii_alphabetic) || !scheme.iter().all(letter) {
        return Err(Reason::BadRequestLine);
    }
    let scheme = String::from_utf8_lossy(scheme).to_ascii_lowercase();
    let Some(rest) = rest.strip_prefix(b"://") else {
        // `a.example:443` is for CONNECT alone; `data:x` names no host.
        return Err(Reason::BadRequestLine);
    };
    if scheme != "http" && scheme != "https" {
        return Err(Reason::SchemeNotAllowed);
    }
    let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).ok_or(Reason::BadRequestLine)?;
    let authority = read_authority(authority)?;
    let path = read_path(path)?;
    let path = if path.starts_with('/') { path } else { format!("/{path}") };
    Ok(RequestTarget::Absolute { scheme, authority, path })
}

/// Path and query hold visible ASCII only, and no fragment (RFC 9112 §3.2: what is malformed is
/// not corrected).
fn read_path(path: &[u8]) -> Result<String, Reason> {
    if !path.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#') {
        return Err(Reason::BadRequestLine);
    }
    String::from_utf8(path.to_vec()).map_err(|_| Reason::BadRequestLine)
}

/// Reads `host[:port]` as it stands in a request, by the one parser of hosts.
///
/// # Errors
/// [`Reason::InvalidHost`] or [`Reason::InvalidAuthority`], by what is wrong with it.
pub fn read_authority(bytes: &[u8]) -> Result<Authority, Reason> {
    let text = std::str::from_utf8(bytes).map_err(|_| Reason::InvalidHost)?;
    if text.contains('@') {
        return Err(Reason::InvalidHost);
    }
    Authority::parse(text).map_err(|error| match error {
        HostError::Port => Reason::InvalidAuthority,
        HostError::Empty
        | HostError::Character
        | HostError::Shape
        | HostError::NumberLike
        | HostError::Ipv6 => Reason::InvalidHost,
    })
}

/// The Host field: one, well-formed, and the target's own where the target names a host. HTTP/1.0
/// knows none.
fn host(head: &RequestHead) -> Result<Option<Authority>, Reason> {
    let mut values = head.headers.all("host");
    let value = match (values.next(), values.next()) {
        (Some(_), Some(_)) => return Err(Reason::DuplicateHost),
        (None, _) if head.version == Version::Http10 => return Ok(None),
        (None, _) => return Err(Reason::MissingHost),
        (Some(value), None) => value,
    };
    let (authority, implied): (_, &[u16]) = match &head.target {
        RequestTarget::Origin(_) | RequestTarget::Asterisk => {
            return read_authority(value).map(Some);
        }
        RequestTarget::Authority(authority) => (authority, &[443, 80]),
        RequestTarget::Absolute { scheme, authority, .. } => match scheme.as_str() {
            "https" => (authority, &[443]),
            _ => (authority, &[80]),
        },
    };
    if value.is_empty() {
        return Err(Reason::AuthorityMismatch);
    }
    let host = read_authority(value)?;
    let first = implied.first().copied();
    let same_port = match (authority.port, host.port) {
        (Some(asked), Some(named)) => asked == named,
        (None, None) => true,
        (Some(port), None) => implied.contains(&port),
        (None, Some(port)) => Some(port) == first,
    };
    if host.host == authority.host && same_port {
        Ok(Some(host))
    } else {
        Err(Reason::AuthorityMismatch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8]) -> Result<String, &'static str> {
        let read = read_head(bytes).map_err(Reason::as_str)?;
        let Some((head, length)) = read else { return Err("more") };
        let target = match &head.target {
            RequestTarget::Authority(authority) => authority.to_string(),
            RequestTarget::Absolute { scheme, authority, path } => {
                format!("{scheme}://{authority}{path}")
            }
            RequestTarget::Origin(path) => path.clone(),
            RequestTarget::Asterisk => "*".to_owned(),
        };
        let rest = bytes.len() - length;
        Ok(format!("{} {target} +{rest}", head.method.as_str()))
    }

    fn check(line: &str, fields: &str, expected: Result<&str, &str>) {
        let text = format!("{line}\r\n{fields}\r\n");
        let got = told(text.as_bytes());
        assert_eq!(got.as_deref().map_err(|code| *code), expected, "{text:?}");
    }

    #[test]
    fn request_lines() {
        let a = "Host: a.example\r\n";
        for (line, expected) in [
            ("GET http://a.example/ HTTP/1.1", Ok("GET http://a.example/ +0")),
            ("GET http://A.Example HTTP/1.1", Ok("GET http://a.example/ +0")),
            (
                "GET HTTP://a.example.:80?q=\"{|}\" HTTP/1.1",
                Ok("GET http://a.example:80/?q=\"{|}\" +0"),
            ),
            ("GET /x?y HTTP/1.1", Ok("GET /x?y +0")),
            ("OPTIONS * HTTP/1.1", Ok("OPTIONS * +0")),
            ("CONNECT a.example:443 HTTP/1.1", Ok("CONNECT a.example:443 +0")),
            ("CONNECT a.example:80 HTTP/1.1", Ok("CONNECT a.example:80 +0")),
            ("M-SEARCH /x HTTP/1.1", Ok("M-SEARCH /x +0")),
            ("GET * HTTP/1.1", Err("bad_request_line")),
            ("get http://a.example/ HTTP/1.1", Err("bad_request_line")),
            ("GET  http://a.example/ HTTP/1.1", Err("bad_request_line")),
            ("GET\thttp://a.example/ HTTP/1.1", Err("bad_request_line")),
            (" GET http://a.example/ HTTP/1.1", Err("bad_request_line")),
            ("GET http://a.example/ HTTP/1.1 ", Err("bad_request_line")),
            ("GET http://a.example/ x HTTP/1.1", Err("bad_request_line")),
            ("GET http://a.example/", Err("bad_request_line")),
            ("GET http://a.example/#x HTTP/1.1", Err("bad_request_line")),
            ("GET http://a.example/\0 HTTP/1.1", Err("bad_request_line")),
            ("GET http://a.example/\u{fc} HTTP/1.1", Err("bad_request_line")),
            ("GET http:/a.example/ HTTP/1.1", Err("bad_request_line")),
            ("GET a.example:443 HTTP/1.1", Err("bad_request_line")),
            ("GET a.example HTTP/1.1", Err("bad_request_line")),
            ("GET http://a.example/ http/1.1", Err("bad_request_line")),
            ("GET http://a.example/ HTTP/1.10", Err("bad_request_line")),
            ("GET http://a.example/ HTTP/1.", Err("bad_request_line")),
            ("GET http://a.example/ HTTP/1.2", Err("protocol_not_supported")),
            ("GET http://a.example/ HTTP/2.0", Err("protocol_not_supported")),
            ("PRI * HTTP/2.0", Err("protocol_not_supported")),
            ("GET ftp://a.example/ HTTP/1.1", Err("scheme_not_allowed")),
            ("GET file:///etc/passwd HTTP/1.1", Err("scheme_not_allowed")),
            ("GET http:///x HTTP/1.1", Err("invalid_host")),
            ("GET http://u@a.example/ HTTP/1.1", Err("invalid_host")),
            ("GET http://u:p@a.example/ HTTP/1.1", Err("invalid_host")),
            ("GET http://a.example:/ HTTP/1.1", Err("invalid_authority")),
            ("GET http://a.example:0/ HTTP/1.1", Err("invalid_authority")),
            ("GET http://a.example\\@b.example/ HTTP/1.1", Err("invalid_host")),
            ("GET http://a.ex%61mple/ HTTP/1.1", Err("invalid_host")),
            ("CONNECT a.example HTTP/1.1", Err("invalid_authority")),
            ("CONNECT a.example: HTTP/1.1", Err("invalid_authority")),
            ("CONNECT a.example:0443 HTTP/1.1", Err("invalid_authority")),
            ("CONNECT a.example:65536 HTTP/1.1", Err("invalid_authority")),
            ("CONNECT :443 HTTP/1.1", Err("invalid_host")),
            ("CONNECT ::1:443 HTTP/1.1", Err("invalid_host")),
            ("CONNECT [::1%25lo]:443 HTTP/1.1", Err("invalid_host")),
            ("CONNECT 0x7f.1:443 HTTP/1.1", Err("invalid_host")),
            ("CONNECT evil\0.a.example:443 HTTP/1.1", Err("invalid_host")),
            ("CONNECT /x HTTP/1.1", Err("invalid_host")),
        ] {
            check(line, a, expected);
        }
    }

    #[test]
    fn hosts() {
        let [connect, absolute] =
            ["CONNECT a.example:443 HTTP/1.1", "GET http://a.example/ HTTP/1.1"];
        for (line, fields, expected) in [
            (connect, "Host: A.example.:443\r\n", None),
            (connect, "host:a.example\r\n", None),
            ("CONNECT a.example:443 HTTP/1.0", "", None),
            ("CONNECT a.example:443 HTTP/1.0", "Host: b.example\r\n", Some("authority_mismatch")),
            ("CONNECT [::1]:443 HTTP/1.1", "Host: [0:0::1]:443\r\n", None),
            ("CONNECT a.example:8443 HTTP/1.1", "Host: a.example\r\n", Some("authority_mismatch")),
            (connect, "", Some("missing_host")),
            (connect, "Host: a.example\r\nHost: a.example\r\n", Some("duplicate_host")),
            (connect, "Host: a.example:80\r\n", Some("authority_mismatch")),
            (connect, "Host:\r\n", Some("authority_mismatch")),
            (connect, "Host: a.example, b.example\r\n", Some("invalid_host")),
            (connect, "Host: a.example:x\r\n", Some("invalid_authority")),
            (absolute, "Host: a.example:80\r\n", None),
            (absolute, "Host: a.example:443\r\n", Some("authority_mismatch")),
            (absolute, "Host: aa.example\r\n", Some("authority_mismatch")),
            ("GET http://a.example:80/ HTTP/1.1", "Host: a.example\r\n", None),
            ("GET http://a.example:81/ HTTP/1.1", "Host: a.example:81\r\n", None),
            (
                "GET http://a.example:81/ HTTP/1.1",
                "Host: a.example\r\n",
                Some("authority_mismatch"),
            ),
            ("GET https://a.example/ HTTP/1.1", "Host: a.example:443\r\n", None),
            ("GET / HTTP/1.1", "", Some("missing_host")),
            ("GET / HTTP/1.1", "Host: \r\n", Some("invalid_host")),
            ("GET / HTTP/1.0", "", None),
            (connect, "Host: a.example\r\nConnection: Host\r\n", Some("bad_header")),
            (
                connect,
                "Host: a.example\r\nConnection: close, Authorization\r\n",
                Some("bad_header"),
            ),
            (connect, "Host : a.example\r\n", Some("bad_header")),
            (connect, "Host: a.example\r\n folded\r\n", Some("bad_framing")),
            (connect, " Host: a.example\r\n", Some("bad_framing")),
        ] {
            let text = format!("{line}\r\n{fields}\r\n");
            let got = read_head(text.as_bytes());
            assert!(!matches!(got, Ok(None)), "{text:?}");
            assert_eq!(got.err().map(Reason::as_str), expected, "{text:?}");
        }
    }

    #[test]
    fn ends_of_lines() {
        for (bytes, expected) in [
            (&b"\r\n\r\nGET / HTTP/1.0\r\n\r\nGET"[..], Ok("GET / +3")),
            (b"\r\n\r\n\r\nGET / HTTP/1.0\r\n\r\n", Err("bad_request_line")),
            (b"\nGET / HTTP/1.0\r\n\r\n", Err("bad_framing")),
            (b"GET / HTTP/1.0\n\n", Err("bad_framing")),
            (b"GET / HTTP/1.0\r\nA: b\n\r\n", Err("bad_framing")),
            (b"GET / HTTP/1.0\r\nA: b\rC: d\r\n\r\n", Err("bad_framing")),
            (b"GET / HTTP/1.0\r\nA: b\r\r\n\r\n", Err("bad_framing")),
            (b"GET / HTTP/1.0\r\n\n", Err("bad_framing")),
            (b"GET / HTTP/1.0\r\nA: b\rC", Err("bad_framing")),
            (b"\x16\x03\x01\x02\x00", Err("bad_request_line")),
            (b"{\"a\":1}", Err("bad_request_line")),
            (b"get ", Err("bad_request_line")),
            (b"", Err("more")),
            (b"\r", Err("more")),
            (b"\r\n\r\n\r", Err("more")),
            (b"\r\nGE", Err("more")),
            (b"GET / HTTP/1.0\r\nA: b\r\n\r", Err("more")),
        ] {
            let got = told(bytes);
            let got = got.as_deref().map_err(|code| *code);
            assert_eq!(got, expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn caps() {
        let head = |fields: usize, pad: usize| {
            let fields = "A: b\r\n".repeat(fields);
            format!("GET /{} HTTP/1.0\r\n{fields}\r\n", "x".repeat(pad))
        };
        let bare = head(0, 0).len();
        assert!(told(head(EGRESS_FIELDS_MAX, 0).as_bytes()).is_ok());
        assert!(told(head(0, EGRESS_HEAD_BYTES_MAX - bare).as_bytes()).is_ok());
        for text in [
            head(EGRESS_FIELDS_MAX + 1, 0),
            head(0, EGRESS_HEAD_BYTES_MAX - bare + 1),
            format!("GET /{}", "x".repeat(EGRESS_HEAD_BYTES_MAX)),
            format!("\r\n\r\n{}", head(0, EGRESS_HEAD_BYTES_MAX - bare)),
        ] {
            assert_eq!(told(text.as_bytes()), Err("header_too_large"));
        }
    }

    #[test]
    fn answers() {
        for (bytes, expected) in [
            (&b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody"[..], Ok(Some((200, &b"OK"[..], 4)))),
            (b"HTTP/1.0 404\r\n\r\n", Ok(Some((404, b"", 0)))),
            (b"HTTP/1.1 200 \r\n\r\n", Ok(Some((200, b"", 0)))),
            (b"HTTP/1.1 200 Caf\xe9 x\r\nA: b\r\n c\r\n\r\n", Ok(Some((200, b"Caf\xe9 x", 0)))),
            (b"HTT", Ok(None)),
            (b"HTTP/1.1 200 OK\r\nA", Ok(None)),
            (b"ICY 200 OK", Err(Reason::ProtocolNotSupported)),
            (b"HTTP/2.0 200 OK\r\n\r\n", Err(Reason::ProtocolNotSupported)),
            (b"HTTP/1.1 2000 OK\r\n\r\n", Err(Reason::ProtocolNotSupported)),
            (b"HTTP/1.1 099 OK\r\n\r\n", Err(Reason::ProtocolNotSupported)),
            (b"HTTP/1.1 200 OK\n\n", Err(Reason::BadFraming)),
            (b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", Err(Reason::BadHeader)),
            (b"HTTP/1.1 200 OK\r\n b\r\n\r\n", Err(Reason::BadFraming)),
        ] {
            let read = read_response_head(bytes);
            let got = match &read {
                Ok(Some((head, length))) => {
                    Ok(Some((head.status, &head.phrase[..], bytes.len() - length)))
                }
                Ok(None) => Ok(None),
                Err(reason) => Err(*reason),
            };
            assert_eq!(got, expected, "{}", bytes.escape_ascii());
        }
        let folded = read_response_head(b"HTTP/1.1 200 OK\r\nA: b \r\n\t c\r\n\r\n");
        assert_eq!(folded.unwrap().unwrap().0.headers.get("a"), Some(&b"b c"[..]));
    }

    #[test]
    fn what_goes_on() {
        let bytes =
            b"GET http://a.example/x HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\n\
            Upgrade: websocket\r\nExpect: 100-continue\r\nProxy-Authorization: Bearer x\r\n\r\n";
        let (head, _) = read_head(bytes).unwrap().unwrap();
        let out = head.to_origin("/x", &head.headers.forwardable());
        let expected = b"GET /x HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\n\r\n";
        assert_eq!(out, expected);
        assert!(head.keeps_alive() && head.expects_continue());
        assert_eq!(head.upgrade(), Some(&b"websocket"[..]));
        let (host, port) = head.destination().unwrap();
        assert_eq!((host.to_string(), port), ("a.example".to_owned(), 80));
    }

    proptest::proptest! {
        /// However a head is cut, its beginning is refused only if the whole is, and alike once
        /// it is there.
        #[test]
        fn in_pieces_as_in_one(
            line in "(GET|POST|CONNECT|OPTIONS|get) \
                (http://a\\.example(:80|:0)?/?|a\\.example:443|/x|\\*) HTTP/1\\.[012]",
            fields in "((Host: a\\.example(:443)?|X: y|A : b| x|Content-Length: 0)\r?\n){0,3}",
            after in "[a-z]{0,9}",
        ) {
            let text = format!("{line}\r\n{fields}\r\n{after}");
            let whole = read_head(text.as_bytes());
            for end in 0..text.len() {
                match read_head(&text.as_bytes()[..end]) {
                    Ok(None) => {}
                    Ok(Some(head)) => {
                        proptest::prop_assert_eq!(&whole, &Ok(Some(head)));
                    }
                    Err(_) => proptest::prop_assert!(whole.is_err()),
                }
            }
        }
    }
}
