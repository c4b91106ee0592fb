//! SOCKS5 as a client speaks it to us (RFC 1928, RFC 1929): a greeting, perhaps a login, one
//! request. Only CONNECT is served, and a domain goes through the one parser of hosts, so that a
//! NUL in it or a number is refused and not left to a resolver.
//!
//! Each reader says how many bytes it took; what follows is the tunnel's.
//!
//! ```
//! use toolgate::plane::egress::socks5::{self, Reply};
//! let (greeting, length) = socks5::read_greeting(&[5, 1, 0]).unwrap().unwrap();
//! assert!(greeting.bare && length == 3);
//! let bytes = b"\x05\x01\x00\x03\x09A.example\x01\xbb\x16\x03\x01";
//! let (to, length) = socks5::read_request(bytes).unwrap().unwrap();
//! assert_eq!((to.to_string().as_str(), length), ("a.example:443", 16));
//! assert_eq!(Reply::NotAllowed.to_bytes(None)[..4], [5, 2, 0, 1]);
//! ```

use super::head::read_authority;
use crate::model::host::{Authority, Host};
use crate::model::reason::Reason;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The first byte of what a SOCKS5 client sends.
pub const VERSION: u8 = 5;
/// No login is wanted.
pub const CHOOSE_BARE: [u8; 2] = [VERSION, 0];
/// A user and a password are wanted.
pub const CHOOSE_PASSWORD: [u8; 2] = [VERSION, 2];
/// None of the ways to log in that the client offers is taken; it must hang up.
pub const CHOOSE_NONE: [u8; 2] = [VERSION, 0xff];
/// The login is right.
pub const LOGIN_TAKEN: [u8; 2] = [1, 0];
/// The login is wrong.
pub const LOGIN_REFUSED: [u8; 2] = [1, 1];
/// How SOCKS4 and 4a are told that their request is refused.
pub const SOCKS4_REFUSED: [u8; 8] = [0, 0x5b, 0, 0, 0, 0, 0, 0];

/// Which of the ways to log in that we know the client offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Greeting {
    /// None.
    pub bare: bool,
    /// By user and password.
    pub password: bool,
}

/// What a client logs in by. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// 1 to 255 bytes.
    pub user: Vec<u8>,
    /// 1 to 255 bytes.
    pub password: Vec<u8>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login")
    }
}

/// What a client is told of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// The tunnel stands.
    Succeeded = 0,
    /// It failed, and none of the others says why.
    Failed = 1,
    /// The rules do not allow it.
    NotAllowed = 2,
    /// There is no way to the network.
    NetworkUnreachable = 3,
    /// There is no way to the host, or the name has no address.
    HostUnreachable = 4,
    /// The host refused the connection.
    Refused = 5,
    /// Something other than CONNECT was asked.
    CommandNotSupported = 7,
    /// The address is of no kind that we know.
    AddressNotSupported = 8,
}

impl Reply {
    /// How a denial is told.
    #[must_use]
    pub fn of(reason: Reason) -> Reply {
        match reason {
            Reason::CommandNotSupported | Reason::UdpBlocked => Reply::CommandNotSupported,
            Reason::ProtocolNotSupported => Reply::AddressNotSupported,
            Reason::DnsFailure => Reply::HostUnreachable,
            Reason::BadRequestLine => Reply::Failed,
            _ => Reply::NotAllowed,
        }
    }

    /// The reply, with the address that we dialled from if there is one.
    #[must_use]
    pub fn to_bytes(self, bound: Option<SocketAddr>) -> Vec<u8> {
        let none = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let bound = bound.unwrap_or(none);
        let mut out = vec![VERSION, self as u8, 0];
        match bound.ip() {
            IpAddr::V4(address) => {
                out.push(1);
                out.extend(address.octets());
            }
            IpAddr::V6(address) => {
                out.push(4);
                out.extend(address.octets());
            }
        }
        out.extend(bound.port().to_be_bytes());
        out
    }
}

/// Reads `VER NMETHODS METHODS`.
///
/// # Errors
/// If it is no greeting of SOCKS5.
pub fn read_greeting(bytes: &[u8]) -> Result<Option<(Greeting, usize)>, Reason> {
    let mut reader = Reader::new(bytes);
    let Some(version) = reader.byte() else { return Ok(None) };
    check_version(version, VERSION)?;
    let Some(methods) = reader.counted() else { return Ok(None) };
    let greeting = Greeting { bare: methods.contains(&0), password: methods.contains(&2) };
    Ok(Some((greeting, reader.at)))
}

/// Reads `VER ULEN UNAME PLEN PASSWD` (RFC 1929).
///
/// # Errors
/// If it is no such login.
pub fn read_login(bytes: &[u8]) -> Result<Option<(Login, usize)>, Reason> {
    let mut reader = Reader::new(bytes);
    let Some(version) = reader.byte() else { return Ok(None) };
    check_version(version, 1)?;
    let Some(user) = reader.counted() else { return Ok(None) };
    let Some(password) = reader.counted() else { return Ok(None) };
    if user.is_empty() || password.is_empty() {
        return Err(Reason::AuthFailed);
    }
    let login = Login { user: user.to_vec(), password: password.to_vec() };
    Ok(Some((login, reader.at)))
}

/// Reads `VER CMD RSV ATYP DST.ADDR DST.PORT` of a CONNECT; the port is always there.
///
/// # Errors
/// If it asks for something else, or names no host and port strictly.
pub fn read_request(bytes: &[u8]) -> Result<Option<(Authority, usize)>, Reason> {
    let mut reader = Reader::new(bytes);
    let Some(version) = reader.byte() else { return Ok(None) };
    check_version(version, VERSION)?;
    match reader.byte() {
        Some(1) => {}
        Some(3) => return Err(Reason::UdpBlocked),
        Some(_) => return Err(Reason::CommandNotSupported),
        None => return Ok(None),
    }
    match reader.byte() {
        Some(0) => {}
        Some(_) => return Err(Reason::BadRequestLine),
        None => return Ok(None),
    }
    let host = match reader.byte() {
        Some(1) => reader.array::<4>().map(Ipv4Addr::from).map(IpAddr::V4).map(Host::Address),
        Some(3) => match reader.counted() {
            Some(name) => Some(read_name(name)?),
            None => None,
        },
        Some(4) => reader.array::<16>().map(Ipv6Addr::from).map(IpAddr::V6).map(Host::Address),
        Some(_) => return Err(Reason::ProtocolNotSupported),
        None => None,
    };
    let Some(host) = host else { return Ok(None) };
    match reader.array().map(u16::from_be_bytes) {
        Some(0) => Err(Reason::InvalidAuthority),
        Some(port) => Ok(Some((Authority { host, port: Some(port) }, reader.at))),
        None => Ok(None),
    }
}

/// A domain: a host and nothing else, `a.example:80` least of all.
fn read_name(bytes: &[u8]) -> Result<Host, Reason> {
    let read = read_authority(bytes).map_err(|_| Reason::InvalidHost)?;
    if read.port.is_some() { Err(Reason::InvalidHost) } else { Ok(read.host) }
}

fn check_version(version: u8, expected: u8) -> Result<(), Reason> {
    if version == expected { Ok(()) } else { Err(Reason::ProtocolNotSupported) }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at + count)?;
        self.at += count;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// So many bytes as the first one says.
    fn counted(&mut self) -> Option<&'a [u8]> {
        let count = self.byte()?;
        self.take(usize::from(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        let domain = |name: &[u8]| {
            [&[5, 1, 0, 3, u8::try_from(name.len()).unwrap()], name, &[1, 0xbb]].concat()
        };
        for (bytes, expected) in [
            (domain(b"a.example"), Ok("a.example:443")),
            (domain(b"A.Example."), Ok("a.example:443")),
            (domain(b"127.0.0.1"), Ok("127.0.0.1:443")),
            (domain(b"[::1]"), Ok("[::1]:443")),
            (domain(b"evil\0.a.example"), Err("invalid_host")),
            (domain(b"a.example\0"), Err("invalid_host")),
            (domain(b"0x7f.1"), Err("invalid_host")),
            (domain(b"2130706433"), Err("invalid_host")),
            (domain(b"::1"), Err("invalid_host")),
            (domain(b"a.example:80"), Err("invalid_host")),
            (domain(b"u@a.example"), Err("invalid_host")),
            (domain("b\u{fc}cher.example".as_bytes()), Err("invalid_host")),
            (domain(b""), Err("invalid_host")),
            (vec![5, 1, 0, 1, 192, 0, 2, 1, 0, 80], Ok("192.0.2.1:80")),
            (
                vec![5, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1, 0, 80],
                Ok("[::ffff:10.0.0.1]:80"),
            ),
            (vec![5, 1, 0, 1, 192, 0, 2, 1, 0, 0], Err("invalid_authority")),
            (vec![5, 1, 0, 2, 1], Err("protocol_not_supported")),
            (vec![5, 1, 1], Err("bad_request_line")),
            (vec![5, 2], Err("command_not_supported")),
            (vec![5, 3], Err("udp_blocked")),
            (vec![5, 0xf0], Err("command_not_supported")),
            (vec![4, 1], Err("protocol_not_supported")),
        ] {
            let read = read_request(&bytes).map_err(Reason::as_str);
            let got = read.map(|read| read.unwrap().0.to_string());
            assert_eq!(got.as_deref().map_err(|code| *code), expected, "{bytes:?}");
            if got.is_ok() {
                // Nothing is read before it is whole, and nothing after it is taken.
                for end in 0..bytes.len() {
                    assert_eq!(read_request(&bytes[..end]), Ok(None));
                }
                let longer = [&bytes[..], b"tunnel"].concat();
                assert_eq!(read_request(&longer).unwrap().unwrap().1, bytes.len());
            }
        }
    }

    #[test]
    fn greetings_and_logins() {
        for (bytes, expected) in [
            (&[5, 2, 0, 2, 9][..], Ok(Some((Greeting { bare: true, password: true }, 4)))),
            (&[5, 1, 2], Ok(Some((Greeting { bare: false, password: true }, 3)))),
            (&[5, 0], Ok(Some((Greeting { bare: false, password: false }, 2)))),
            (&[5, 2, 0], Ok(None)),
            (&[5], Ok(None)),
            (&[], Ok(None)),
            (&[4, 1, 0, 80], Err(Reason::ProtocolNotSupported)),
        ] {
            assert_eq!(read_greeting(bytes), expected, "{bytes:?}");
        }
        let login = Login { user: b"u".to_vec(), password: b"pw".to_vec() };
        assert_eq!(format!("{login:?}"), "Login");
        assert_eq!(read_login(b"\x01\x01u\x02pw\x05"), Ok(Some((login, 6))));
        assert_eq!(read_login(b"\x01\x01u\x02p"), Ok(None));
        assert_eq!(read_login(b"\x01\x01u\x00"), Err(Reason::AuthFailed));
        assert_eq!(read_login(b"\x05"), Err(Reason::ProtocolNotSupported));
    }

    #[test]
    fn replies() {
        let bound = "[::1]:4096".parse().unwrap();
        let bytes = Reply::Succeeded.to_bytes(Some(bound));
        assert_eq!(bytes[..4], [5, 0, 0, 4]);
        assert_eq!((bytes.len(), &bytes[20..]), (22, &[16, 0][..]));
        assert_eq!(
            Reply::of(Reason::HostNotAllowed).to_bytes(None),
            [5, 2, 0, 1, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(Reply::of(Reason::UdpBlocked).to_bytes(None)[1], 7);
    }
}
