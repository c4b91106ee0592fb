//! What the first message of a TLS connection says in the clear (RFC 8446 §4.1.2, RFC 6066 §3):
//! the host that it is for, whether it hides another one, and which protocols it would speak.
//!
//! The message is put together over records and writes, and is judged only when it is whole. What
//! a server could read as another host is refused: a second server_name, a second name in it, an
//! extension twice, bytes left over. The bytes themselves go on as they came.
//!
//! ```
//! use toolgate::model::reason::Reason;
//! use toolgate::plane::egress::client_hello::read;
//! assert_eq!(read(&[0x16, 3, 1, 0, 5]), Ok(None));
//! assert_eq!(read(b"SSH-2.0-x\r\n"), Err(Reason::NotTls));
//! ```

use crate::limits::{EGRESS_HELLO_BYTES_MAX, EGRESS_HELLO_RECORDS_MAX};
use crate::model::host::Name;
use crate::model::reason::Reason;

/// What a ClientHello says in the clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientHello {
    /// The host that it names.
    pub sni: Option<Name>,
    /// Whether it holds an Encrypted Client Hello, a true one or one made up: they look alike.
    pub ech: bool,
    /// The protocols that it would speak, as they are; what is no visible ASCII is escaped.
    pub alpn: Vec<String>,
}

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
/// RFC 8446 §5.1: the most that one record holds.
const RECORD_BYTES_MAX: usize = 1 << 14;
/// A message's type and length.
const MESSAGE_HEAD: usize = 4;

const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
/// Encrypted Client Hello (RFC 9849), its drafts, and the encrypted server name before it.
const HIDING: [u16; 7] = [0xfe08, 0xfe09, 0xfe0a, 0xfe0b, 0xfe0c, 0xfe0d, 0xffce];

/// Reads a ClientHello from all that came so far, or nothing if more of it must come first.
///
/// # Errors
/// [`Reason::NotTls`] if it is something else, [`Reason::TlsMalformed`] if it is not well-formed,
/// [`Reason::SniMismatch`] if it names what is no host name, and so no tunnel's.
pub fn read(bytes: &[u8]) -> Result<Option<ClientHello>, Reason> {
    let Some(message) = message(bytes)? else { return Ok(None) };
    let body = message.get(MESSAGE_HEAD..).unwrap_or_default();
    hello(&mut Reader(body)).ok_or(Reason::TlsMalformed)?.map(Some)
}

/// The whole message, without the records that it came in.
fn message(bytes: &[u8]) -> Result<Option<Vec<u8>>, Reason> {
    let mut message = Vec::new();
    let mut rest = bytes;
    for _ in 0..EGRESS_HELLO_RECORDS_MAX {
        let Some((fragment, after, whole)) = record(rest)? else { return Ok(None) };
        message.extend_from_slice(fragment);
        rest = after;
        let needed = needed(&message)?;
        match needed {
            Some(needed) if message.len() == needed => return Ok(Some(message)),
            // Nothing may stand behind it in its record.
            Some(needed) if message.len() > needed => return Err(Reason::TlsMalformed),
            Some(_) | None if !whole => return Ok(None),
            Some(_) | None => {}
        }
    }
    Err(Reason::TlsMalformed)
}

/// What is there of the first record, what stands behind it, and whether it is whole.
type Record<'a> = (&'a [u8], &'a [u8], bool);

fn record(bytes: &[u8]) -> Result<Option<Record<'_>>, Reason> {
    let is = |at: usize, right: fn(u8) -> bool| bytes.get(at).is_none_or(|byte| right(*byte));
    if !is(0, |kind| kind == HANDSHAKE) || !is(1, |major| major == 3) {
        return Err(Reason::NotTls);
    }
    if !is(2, |minor| minor <= 4) {
        return Err(Reason::TlsMalformed);
    }
    let Some((&[_, _, _, high, low], after)) = bytes.split_first_chunk::<5>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    // An empty piece of a handshake may not be sent (RFC 8446 §5.1).
    if length == 0 || length > RECORD_BYTES_MAX {
        return Err(Reason::TlsMalformed);
    }
    Ok(Some(match after.split_at_checked(length) {
        Some((fragment, rest)) => (fragment, rest, true),
        None => (after, &[], false),
    }))
}

/// How long the message is, head and all, once that is known.
fn needed(message: &[u8]) -> Result<Option<usize>, Reason> {
    if message.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
        return Err(Reason::TlsMalformed);
    }
    let Some([_, length @ ..]) = message.first_chunk::<MESSAGE_HEAD>() else { return Ok(None) };
    let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    if length > EGRESS_HELLO_BYTES_MAX { Err(Reason::TlsMalformed) } else { Ok(Some(length + 4)) }
}

/// Nothing if it is malformed.
fn hello(reader: &mut Reader<'_>) -> Option<Result<ClientHello, Reason>> {
    let [major, _] = reader.array()?;
    let _random = reader.take(32)?;
    let session = reader.vector8()?;
    let ciphers = reader.vector16()?;
    let compressions = reader.vector8()?;
    let odd = ciphers.is_empty() || ciphers.len() % 2 == 1;
    if major != 3 || session.len() > 32 || odd || !compressions.contains(&0) {
        return None;
    }
    let mut found = ClientHello { sni: None, ech: false, alpn: Vec::new() };
    if reader.is_empty() {
        return Some(Ok(found));
    }
    let mut extensions = Reader(reader.vector16()?);
    let mut kinds = Vec::new();
    let mut sni = None;
    while !extensions.is_empty() {
        let kind = u16::from_be_bytes(extensions.array()?);
        let data = Reader(extensions.vector16()?);
        match kind {
            SERVER_NAME => sni = Some(server_name(data)?),
            ALPN => found.alpn = protocols(data)?,
            kind => found.ech |= HIDING.contains(&kind),
        }
        kinds.push(kind);
    }
    kinds.sort_unstable();
    let twice = kinds.windows(2).any(|pair| matches!(pair, [one, other] if one == other));
    if twice || !reader.is_empty() {
        return None;
    }
    match sni.transpose() {
        Ok(sni) => Some(Ok(ClientHello { sni, ..found })),
        Err(reason) => Some(Err(reason)),
    }
}

/// Exactly one name, and of a host (RFC 6066 §3).
fn server_name(mut data: Reader<'_>) -> Option<Result<Name, Reason>> {
    let mut list = Reader(data.vector16()?);
    let [kind] = list.array()?;
    let name = list.vector16()?;
    if kind != 0 || name.is_empty() || !list.is_empty() || !data.is_empty() {
        return None;
    }
    let text = std::str::from_utf8(name).ok();
    Some(text.and_then(|text| Name::parse(text).ok()).ok_or(Reason::SniMismatch))
}

fn protocols(mut data: Reader<'_>) -> Option<Vec<String>> {
    let mut list = Reader(data.vector16()?);
    let mut found = Vec::new();
    while !list.is_empty() {
        let name = list.vector8().filter(|name| !name.is_empty())?;
        found.push(name.escape_ascii().to_string());
    }
    (data.is_empty() && !found.is_empty()).then_some(found)
}

/// What is left to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn vector8(&mut self) -> Option<&'a [u8]> {
        let [length] = self.array()?;
        self.take(usize::from(length))
    }

    fn vector16(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_be_bytes(self.array()?);
        self.take(usize::from(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v8(bytes: &[u8]) -> Vec<u8> {
        [&[u8::try_from(bytes.len()).unwrap()], bytes].concat()
    }

    fn v16(bytes: &[u8]) -> Vec<u8> {
        [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
    }

    fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &v16(data)].concat()
    }

    fn sni(name: &[u8]) -> Vec<u8> {
        extension(0, &v16(&[&[0][..], &v16(name)].concat()))
    }

    /// The message alone; `after` stands behind its extensions.
    fn message_of(extensions: Option<&[u8]>, after: &[u8]) -> Vec<u8> {
        let mut body = [&[3, 3][..], &[7; 32]].concat();
        body.extend(v8(&[9; 32]));
        body.extend(v16(&[0x13, 1, 0x13, 2]));
        body.extend(v8(&[0]));
        body.extend(extensions.map(v16).unwrap_or_default());
        body.extend(after);
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[1][..], &length[1..], &body].concat()
    }

    fn records(message: &[u8], size: usize) -> Vec<u8> {
        let record = |part: &[u8]| [&[22, 3, 1][..], &v16(part)].concat();
        message.chunks(size).flat_map(record).collect()
    }

    fn told(extensions: &[u8]) -> Result<String, &'static str> {
        let bytes = records(&message_of(Some(extensions), &[]), 1 << 14);
        let hello = read(&bytes).map_err(Reason::as_str)?.unwrap();
        let name = hello.sni.as_ref().map_or("-", Name::as_str);
        Ok(format!("{name}{} {}", if hello.ech { " ech" } else { "" }, hello.alpn.join(",")))
    }

    #[test]
    fn what_it_says() {
        let alpn = extension(16, &v16(&[v8(b"h2"), v8(b"http/1.1")].concat()));
        let (host, name) = (sni(b"a.example"), v16(b"a.example"));
        let two = extension(0, &v16(&[&[0][..], &name, &[0], &v16(b"b.example")].concat()));
        for (extensions, expected) in [
            (vec![], Ok("- ")),
            (host.clone(), Ok("a.example ")),
            (sni(b"A.Example."), Ok("a.example ")),
            ([&host[..], &alpn].concat(), Ok("a.example h2,http/1.1")),
            (
                [&alpn[..], &host, &extension(0xfe0d, &[0; 9])].concat(),
                Ok("a.example ech h2,http/1.1"),
            ),
            (extension(0xffce, &[]), Ok("- ech ")),
            (
                [&extension(0x0a0a, &[])[..], &host, &extension(0xeaea, &[0])].concat(),
                Ok("a.example "),
            ),
            ([&host[..], &host].concat(), Err("tls_malformed")),
            ([&host[..], &sni(b"b.example")].concat(), Err("tls_malformed")),
            (two, Err("tls_malformed")),
            (extension(0, &v16(&[&[1][..], &name].concat())), Err("tls_malformed")),
            (extension(0, &v16(&[])), Err("tls_malformed")),
            (extension(0, &[]), Err("tls_malformed")),
            (sni(b""), Err("tls_malformed")),
            (
                extension(0, &[&v16(&[&[0][..], &name].concat())[..], &[0]].concat()),
                Err("tls_malformed"),
            ),
            ([&host[..], &[0, 23, 0]].concat(), Err("tls_malformed")),
            (extension(16, &v16(&[0])), Err("tls_malformed")),
            (extension(16, &v16(&[])), Err("tls_malformed")),
            (sni(b"a.example\0.b.example"), Err("sni_mismatch")),
            (sni(b"127.0.0.1"), Err("sni_mismatch")),
            (sni(b"0x7f.1"), Err("sni_mismatch")),
            (sni("b\u{fc}cher.example".as_bytes()), Err("sni_mismatch")),
            (sni(b"a.example:443"), Err("sni_mismatch")),
            ([&sni(b"127.0.0.1")[..], &host].concat(), Err("tls_malformed")),
        ] {
            let got = told(&extensions);
            assert_eq!(got.as_deref().map_err(|code| *code), expected, "{extensions:?}");
        }
    }

    #[test]
    fn what_is_no_client_hello() {
        let whole = message_of(Some(&sni(b"a.example")), &[]);
        let bare = message_of(None, &[]);
        let mut other = whole.clone();
        other[0] = 2;
        let mut short = whole.clone();
        short[3] -= 1;
        let mut uncompressed = bare.clone();
        *uncompressed.last_mut().unwrap() = 1;
        let long = [&[1, 1, 0, 1][..], &[0; 40]].concat();
        for (bytes, expected) in [
            (records(&bare, 99), Ok(true)),
            (records(&[&whole[..], &[0]].concat(), 999), Err("tls_malformed")),
            ([&records(&whole, 999)[..], &[20, 3, 3, 0, 1, 1]].concat(), Ok(true)),
            (records(&message_of(Some(&[]), &[0]), 999), Err("tls_malformed")),
            (records(&other, 999), Err("tls_malformed")),
            (records(&short, 999), Err("tls_malformed")),
            (records(&uncompressed, 999), Err("tls_malformed")),
            (records(&long, 999), Err("tls_malformed")),
            (vec![22, 3, 1, 0, 0], Err("tls_malformed")),
            (vec![22, 3, 1, 0x40, 1], Err("tls_malformed")),
            (vec![22, 3, 5], Err("tls_malformed")),
            (vec![22, 3, 1, 0, 9, 1], Ok(false)),
            (vec![22, 3, 1, 0, 9, 2], Err("tls_malformed")),
            (vec![22, 2], Err("not_tls")),
            (vec![21, 3, 1, 0, 2, 1, 0], Err("not_tls")),
            // A second record that is none of the handshake's.
            ([&records(&whole[..50], 99)[..], &[23, 3, 3, 0, 1, 0]].concat(), Err("not_tls")),
            // SSL 2.0 in a record of its own.
            (vec![0x80, 0x2e, 1, 3, 1], Err("not_tls")),
            (b"GET / HTTP/1.1\r\n".to_vec(), Err("not_tls")),
            (vec![], Ok(false)),
        ] {
            let got = read(&bytes).map(|hello| hello.is_some()).map_err(Reason::as_str);
            assert_eq!(got, expected, "{bytes:?}");
        }
        let tiny = records(&[&[1, 0, 0x80, 0][..], &[0; EGRESS_HELLO_RECORDS_MAX]].concat(), 1);
        assert_eq!(read(&tiny), Err(Reason::TlsMalformed));
    }

    proptest! {
        /// However it is cut into records and writes, it says the same, and nothing before it is
        /// whole.
        #[test]
        fn in_pieces_as_in_one(size in 1_usize..300, pad in 0_usize..600, rest in "[a-z]{0,9}") {
            let padding = extension(21, &vec![0; pad]);
            let message = message_of(Some(&[&sni(b"a.example")[..], &padding].concat()), &[]);
            let bytes = records(&message, size);
            for end in (0..bytes.len()).step_by(1 + bytes.len() / 50) {
                prop_assert_eq!(read(&bytes[..end]), Ok(None));
            }
            let longer = [&bytes[..], rest.as_bytes()].concat();
            let hello = read(&longer).unwrap().unwrap();
            prop_assert_eq!(hello.sni, Name::parse("a.example").ok());
        }

        #[test]
        fn whatever_comes_is_read_or_refused(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let framed = records(&bytes, 1 << 14);
            if let Ok(Some(hello)) = read(&framed) {
                prop_assert_eq!(read(&framed), Ok(Some(hello)));
            }
        }
    }
}
