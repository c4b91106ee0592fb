//! Where a connection goes: scheme, host, port and, where a plane can see them, method and path.

use super::host::{Authority, Host, HostError};
use super::path::PathTarget;
use std::net::IpAddr;

/// Where a connection goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Destination {
    /// A host on the network.
    Network(Network),
    /// A Unix socket.
    Unix(PathTarget),
}

/// A host on the network and what is known of the request to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// The scheme, lower case, if it is known.
    pub scheme: Option<String>,
    /// The host.
    pub host: Host,
    /// The port: stated, or the scheme's own; nothing if neither is known.
    pub port: Option<u16>,
    /// The request method, upper case, where the plane can see it.
    pub method: Option<String>,
    /// The request path with its query, starting with `/`, where the plane can see it.
    pub path: Option<String>,
    /// The addresses that the name resolved to; empty before resolution.
    pub addresses: Vec<IpAddr>,
}

/// Why a text is no URL that can be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// No `scheme://` stands at its beginning.
    #[error("the URL has no scheme")]
    Scheme,
    /// Its host or port is not strictly valid.
    #[error("{0}")]
    Host(#[from] HostError),
    /// It holds a control character, a blank or a backslash.
    #[error("the URL holds a character that must be encoded")]
    Character,
}

impl Network {
    /// Reads an absolute URL, `scheme://host[:port][/path][?query][#fragment]`.
    ///
    /// # Errors
    /// If the scheme is missing, or host or port are not strictly valid (`user@` is refused).
    pub fn parse_url(text: &str) -> Result<Network, UrlError> {
        let strange = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
        if text.chars().any(strange) {
            return Err(UrlError::Character);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.chars().all(letter) {
            return Err(UrlError::Scheme);
        }
        let scheme = scheme.to_ascii_lowercase();
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).ok_or(UrlError::Character)?;
        let authority = Authority::parse(authority)?;
        Ok(Network {
            port: authority.port.or_else(|| default_port(&scheme)),
            scheme: Some(scheme),
            host: authority.host,
            method: None,
            path: Some(request_path(path)),
            addresses: Vec::new(),
        })
    }

    /// A bare `host[:port]`, of which no scheme, method or path is known.
    #[must_use]
    pub fn from_authority(authority: Authority) -> Network {
        Network {
            scheme: None,
            host: authority.host,
            port: authority.port,
            method: None,
            path: None,
            addresses: Vec::new(),
        }
    }
}

/// The port that a scheme stands for.
#[must_use]
pub fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        "ssh" | "sftp" | "scp" => Some(22),
        "ftp" => Some(21),
        "git" => Some(9418),
        _ => None,
    }
}

fn request_path(text: &str) -> String {
    let without_fragment = text.split('#').next().unwrap_or_default();
    if without_fragment.starts_with('/') {
        without_fragment.to_owned()
    } else {
        format!("/{without_fragment}")
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(method) = &self.method {
            write!(f, "{method} ")?;
        }
        if let Some(scheme) = &self.scheme {
            write!(f, "{scheme}://")?;
        }
        write!(f, "{}", self.host)?;
        let implied = self.scheme.as_deref().and_then(default_port);
        if let Some(port) = self.port.filter(|port| Some(*port) != implied) {
            write!(f, ":{port}")?;
        }
        f.write_str(self.path.as_deref().unwrap_or_default())
    }
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Destination::Network(network) => write!(f, "{network}"),
            Destination::Unix(path) => write!(f, "unix:{}", path.written),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (text, expected) in [
            ("https://Docs.RS/a?b#c", Some("https://docs.rs/a?b")),
            ("http://h.example", Some("http://h.example/")),
            ("http://h.example:80/", Some("http://h.example/")),
            ("http://h.example:8080?q", Some("http://h.example:8080/?q")),
            ("HTTPS://[::1]:444/x", Some("https://[::1]:444/x")),
            ("https://user@h.example/", None),
            ("https://h.example\\@evil.example/", None),
            ("https://h.exa mple/", None),
            ("//h.example/", None),
            ("https:///etc/passwd", None),
            ("https://0x7f.1/", None),
        ] {
            let got = Network::parse_url(text).ok().map(|network| network.to_string());
            assert_eq!(got.as_deref(), expected, "{text}");
        }
    }
}
