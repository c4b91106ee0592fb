//! The only host parser there will ever be: for policy, hooks, egress and MCP alike.
//!
//! Peers' bugs in this place are differentials: policy reads one name, the resolver another. So a
//! host is read once, strictly, into a value, and that value is what is matched, resolved and
//! dialled. What is not clearly a name or an address is refused, never guessed at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host as it may be matched and dialled.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A DNS name.
    Name(Name),
    /// An address, as a strict dotted quad or a bracketed IPv6 literal.
    Address(IpAddr),
}

/// A DNS name: lower case, letters, digits, hyphens and underscores, no trailing dot, labels of
/// 1 to 63 bytes, at most 253 bytes, and no last label that a resolver could take for a number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// A host and, if stated, its port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Authority {
    /// The host.
    pub host: Host,
    /// The port, 1 to 65535, if it was stated.
    pub port: Option<u16>,
}

/// Why a text is no host or authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Nothing is there.
    #[error("the host is empty")]
    Empty,
    /// It holds a character that no host has, or holds `user@`.
    #[error("the host holds a character that no host name has")]
    Character,
    /// A label is empty or over 63 bytes, or the name over 253.
    #[error("the host name is malformed or too long")]
    Shape,
    /// It looks like a number but is no dotted quad (WHATWG "ends in a number"; `0x7f.1`).
    #[error("the host looks like an address but is not written as one")]
    NumberLike,
    /// A bracketed part is no IPv6 address.
    #[error("the brackets hold no IPv6 address")]
    Ipv6,
    /// The port is absent after `:`, zero, signed, padded, or over 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
}

impl Host {
    /// Reads a host without a port: a name, a dotted quad, or `[v6]`.
    ///
    /// # Errors
    /// If it is none of these, strictly. Names are ASCII: see [`Name::from_unicode`].
    pub fn parse(text: &str) -> Result<Host, HostError> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or(HostError::Ipv6)?;
            let address: Ipv6Addr = inner.parse().map_err(|_| HostError::Ipv6)?;
            return Ok(Host::Address(IpAddr::V6(address)));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Host::Address(IpAddr::V4(address)));
        }
        Name::parse(text).map(Host::Name)
    }
}

impl Name {
    /// Reads an ASCII name; one trailing dot is dropped.
    ///
    /// # Errors
    /// If it is no such name, or a resolver could take it for an address.
    pub fn parse(text: &str) -> Result<Name, HostError> {
        if text.is_empty() {
            return Err(HostError::Empty);
        }
        let text = text.strip_suffix('.').unwrap_or(text);
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if !text.bytes().all(allowed) {
            return Err(HostError::Character);
        }
        if text.len() > 253 || text.split('.').any(|label| label.is_empty() || label.len() > 63) {
            return Err(HostError::Shape);
        }
        if text.rsplit('.').next().is_some_and(is_number) {
            return Err(HostError::NumberLike);
        }
        Ok(Name(text.to_ascii_lowercase()))
    }

    /// Reads a name that a person wrote, in any script (IDNA, UTS 46 non-transitional).
    ///
    /// For policy text only; a request that carries such a name is refused.
    ///
    /// # Errors
    /// As [`Name::parse`], or if IDNA refuses it.
    pub fn from_unicode(text: &str) -> Result<Name, HostError> {
        if text.is_ascii() {
            return Name::parse(text);
        }
        let ascii = idna::domain_to_ascii_strict(text).map_err(|_| HostError::Character)?;
        Name::parse(&ascii)
    }

    /// The name, lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if this name is one or more labels below `apex`.
    #[must_use]
    pub fn is_below(&self, apex: &Name) -> bool {
        self.0.strip_suffix(apex.as_str()).is_some_and(|rest| rest.ends_with('.'))
    }
}

/// WHATWG "ends in a number": all digits, or hexadecimal after `0x`.
fn is_number(label: &str) -> bool {
    if label.bytes().all(|b| b.is_ascii_digit()) {
        return true;
    }
    match label.strip_prefix("0x").or_else(|| label.strip_prefix("0X")) {
        Some(hex) => hex.bytes().all(|b| b.is_ascii_hexdigit()),
        None => false,
    }
}

impl Authority {
    /// Reads `host` or `host:port`.
    ///
    /// # Errors
    /// If the host or the port is not strictly valid, or a `user@` stands before it.
    pub fn parse(text: &str) -> Result<Authority, HostError> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(parse_port(port)?)),
            _ => (text, None),
        };
        Ok(Authority { host: Host::parse(host)?, port })
    }
}

/// Reads a port as it must be written: 1 to 65535, digits only, no leading zero.
///
/// # Errors
/// If it is anything else.
pub fn parse_port(text: &str) -> Result<u16, HostError> {
    if text.starts_with('0') || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(HostError::Port);
    }
    text.parse().map_err(|_| HostError::Port)
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name.as_str()),
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

impl std::fmt::Display for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => write!(f, "{}", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, HostError>) {
        let got = Authority::parse(text).map(|authority| authority.to_string());
        assert_eq!(got.as_deref().map_err(|error| *error), expected, "{text:?}");
    }

    #[test]
    fn names_and_addresses() {
        check("Example.COM.", Ok("example.com"));
        check("example.com:443", Ok("example.com:443"));
        check("xn--bcher-kva.example", Ok("xn--bcher-kva.example"));
        check("127.0.0.1:80", Ok("127.0.0.1:80"));
        check("[::1]:8080", Ok("[::1]:8080"));
        check("[2001:DB8::1]", Ok("[2001:db8::1]"));
        check("a_b.example", Ok("a_b.example"));
    }

    #[test]
    fn what_a_resolver_could_read_otherwise_is_refused() {
        for text in ["0x7f.1", "2130706433", "017700000001", "127.1", "127.0.0.01", "1.2.3.4.5"] {
            check(text, Err(HostError::NumberLike));
        }
        for text in ["evil\0.example.com", "a b.example", "user@host", "a%2e", "①②⑦.0.0.1", "a\\b"]
        {
            check(text, Err(HostError::Character));
        }
        check("a..b", Err(HostError::Shape));
        check(".", Err(HostError::Shape));
        check("a.example..", Err(HostError::Shape));
        check("", Err(HostError::Empty));
        check("::1", Err(HostError::Character));
        check("[::1%eth0]", Err(HostError::Ipv6));
        check("[::1", Err(HostError::Ipv6));
        for port in ["", "0", "+1", "080", "65536", " 1"] {
            check(&format!("a.example:{port}"), Err(HostError::Port));
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_read_is_read_again_the_same(text in "[a-zA-Z0-9.:_\\[\\]-]{0,40}") {
            if let Ok(authority) = Authority::parse(&text) {
                let again = Authority::parse(&authority.to_string());
                proptest::prop_assert_eq!(again, Ok(authority));
            }
        }
    }
}
