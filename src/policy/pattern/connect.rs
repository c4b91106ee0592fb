//! Connect patterns: `[METHOD] [scheme://]host[:port][/path]`, a CIDR, `unix:/path`, `**`.

use super::path::PathPattern;
use super::text::TextPattern;
use super::{Anchors, PatternError, Stance};
use crate::model::host::{Host, Name, parse_port};
use crate::model::truth::Truth;
use crate::model::url::{Destination, Network, default_port};
use ipnet::IpNet;
use std::net::IpAddr;

/// A compiled connect pattern.
#[derive(Debug, Clone)]
pub struct ConnectPattern {
    stance: Stance,
    shape: Shape,
}

#[derive(Debug, Clone)]
enum Shape {
    /// `**`: every destination.
    Every,
    /// Addresses, on any port.
    Addresses(Vec<IpNet>),
    /// A Unix socket.
    Unix(PathPattern),
    /// A host and what is asked of it.
    Web(Box<Web>),
}

#[derive(Debug, Clone)]
struct Web {
    method: Option<String>,
    scheme: Option<String>,
    host: HostPattern,
    port: Port,
    path: Option<TextPattern>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostPattern {
    Exact(Host),
    /// `*.x`: one or more labels below x.
    Below(Name),
    /// `**.x`: x and everything below.
    From(Name),
    /// `*` or `**` in a host's place: any host.
    Any,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Port {
    /// Not stated: the scheme's own.
    OfScheme,
    /// `:*`
    Any,
    Exact(u16),
}

impl ConnectPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// If the host, port, method or CIDR is not strictly valid.
    pub fn parse(
        text: &str,
        anchors: &Anchors,
        stance: Stance,
    ) -> Result<ConnectPattern, PatternError> {
        let shape = if text == "**" {
            Shape::Every
        } else if let Some(path) = text.strip_prefix("unix:") {
            Shape::Unix(PathPattern::parse(path, anchors, stance)?)
        } else if let Ok(network) = text.parse::<IpNet>() {
            Shape::Addresses(vec![network])
        } else {
            Shape::Web(Box::new(Web::parse(text)?))
        };
        Ok(ConnectPattern { stance, shape })
    }

    /// A pattern for these addresses, whatever the port.
    #[must_use]
    pub fn addresses(networks: Vec<IpNet>, stance: Stance) -> ConnectPattern {
        ConnectPattern { stance, shape: Shape::Addresses(networks) }
    }

    /// Whether the destination is one that this pattern names.
    pub fn matches(&self, destination: &Destination) -> Truth {
        match (&self.shape, destination) {
            (Shape::Every, _) => Truth::Yes,
            (Shape::Unix(pattern), Destination::Unix(path)) => pattern.matches(path),
            (Shape::Unix(_), Destination::Network(_)) => Truth::No,
            (Shape::Addresses(_) | Shape::Web(_), Destination::Unix(_)) => Truth::No,
            (Shape::Addresses(networks), Destination::Network(to)) => self.addressed(networks, to),
            (Shape::Web(web), Destination::Network(to)) => web.matches(to, self.stance),
        }
    }

    /// Whether it is `**` alone.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        matches!(self.shape, Shape::Every)
    }

    /// Address patterns speak of literals, and of what a name resolved to (policy language §11.17).
    fn addressed(&self, networks: &[IpNet], to: &Network) -> Truth {
        let inside = |address: &IpAddr| networks.iter().any(|network| network.contains(address));
        match &to.host {
            Host::Address(address) => Truth::from(inside(&unmapped(*address))),
            Host::Name(_) if to.addresses.is_empty() => Truth::No,
            Host::Name(_) => {
                let mut resolved = to.addresses.iter().map(|address| unmapped(*address));
                Truth::from(match self.stance {
                    Stance::Loosen => resolved.all(|address| inside(&address)),
                    Stance::Tighten => resolved.any(|address| inside(&address)),
                })
            }
        }
    }
}

/// `::ffff:a.b.c.d` reaches the IPv4 address, so it is judged as one.
fn unmapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

impl Web {
    fn parse(text: &str) -> Result<Web, PatternError> {
        let (method, rest) = match text.split_once(' ') {
            Some((method, rest)) => (Some(read_method(method)?), rest.trim_start()),
            None => (None, text),
        };
        let (scheme, rest) = match rest.split_once("://") {
            Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
            None => (None, rest),
        };
        if let Some(scheme) = &scheme
            && !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        {
            return Err(PatternError::new(format!("`{scheme}` is no scheme")));
        }
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at_checked(at).unwrap_or((rest, "")),
            None => (rest, ""),
        };
        let (host, port) = read_authority(authority)?;
        let path = (!path.is_empty() && path != "/**").then(|| TextPattern::parse(path));
        Ok(Web { method, scheme, host, port, path })
    }

    fn matches(&self, to: &Network, stance: Stance) -> Truth {
        let mut answer = Truth::from(self.host.matches(&to.host));
        if answer == Truth::No {
            return answer;
        }
        answer = answer.and(self.port_matches(to, stance));
        if let Some(scheme) = &self.scheme {
            // Which scheme is spoken is seen at the port too, so an unknown one is a maybe.
            answer = answer.and(match &to.scheme {
                Some(spoken) => Truth::from(same_scheme(scheme, spoken)),
                None => Truth::Maybe,
            });
        }
        // What a plane cannot see is no for an allow and maybe for a deny.
        let unseen = match stance {
            Stance::Loosen => Truth::No,
            Stance::Tighten => Truth::Maybe,
        };
        if let Some(method) = &self.method {
            answer = answer.and(to.method.as_ref().map_or(unseen, |m| Truth::from(m == method)));
        }
        if let Some(path) = &self.path {
            answer = answer.and(to.path.as_ref().map_or(unseen, |p| path_matches(path, p)));
        }
        answer
    }

    fn port_matches(&self, to: &Network, stance: Stance) -> Truth {
        let unknown = match stance {
            Stance::Loosen => Truth::Maybe,
            Stance::Tighten => Truth::Yes,
        };
        match (&self.port, to.port) {
            (Port::Any, _) => Truth::Yes,
            (Port::Exact(expected), Some(port)) => Truth::from(*expected == port),
            (Port::Exact(_), None) => Truth::Maybe,
            (Port::OfScheme, Some(port)) => match self.scheme.as_deref() {
                Some(scheme) => Truth::from(default_port(scheme) == Some(port)),
                None => Truth::from(port == 80 || port == 443),
            },
            (Port::OfScheme, None) => unknown,
        }
    }
}

/// A path of one request: without its query, and with no dots that a server could fold.
fn path_matches(pattern: &TextPattern, path: &str) -> Truth {
    let plain = path.split('?').next().unwrap_or_default();
    let lower = plain.to_ascii_lowercase();
    let ambiguous = plain.split('/').any(|part| part == "." || part == "..")
        || ["%2e", "%2f", "%5c", "%00", "//"].iter().any(|text| lower.contains(text));
    let literal = Truth::from(pattern.matches(plain));
    if ambiguous { Truth::Maybe } else { literal }
}

fn same_scheme(pattern: &str, spoken: &str) -> bool {
    pattern == spoken || matches!((pattern, spoken), ("https", "wss") | ("http", "ws"))
}

fn read_method(text: &str) -> Result<String, PatternError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(PatternError::new(format!("`{text}` is no request method"))
            .help("write it in capitals before the URL, as `GET https://host.example/**`"));
    }
    Ok(text.to_owned())
}

fn read_authority(text: &str) -> Result<(HostPattern, Port), PatternError> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, "*")) => (host, Port::Any),
        Some((host, port)) if !port.contains(']') => {
            let port = parse_port(port).map_err(|error| PatternError::new(error.to_string()))?;
            (host, Port::Exact(port))
        }
        _ => (text, Port::OfScheme),
    };
    Ok((read_host(host)?, port))
}

fn read_host(text: &str) -> Result<HostPattern, PatternError> {
    if matches!(text, "*" | "**") {
        return Ok(HostPattern::Any);
    }
    let name = |text: &str| {
        Name::from_unicode(text).map_err(|error| {
            PatternError::new(format!("`{text}` is no host: {error}")).help(
                "write a name, `*.name` for what lies below it, `**.name` for both, or an address",
            )
        })
    };
    if let Some(apex) = text.strip_prefix("**.") {
        return Ok(HostPattern::From(name(apex)?));
    }
    if let Some(apex) = text.strip_prefix("*.") {
        return Ok(HostPattern::Below(name(apex)?));
    }
    match Host::parse(text) {
        Ok(host) => Ok(HostPattern::Exact(host)),
        Err(_) => Ok(HostPattern::Exact(Host::Name(name(text)?))),
    }
}

impl HostPattern {
    fn matches(&self, host: &Host) -> bool {
        match (self, host) {
            (HostPattern::Any, _) => true,
            (HostPattern::Exact(expected), host) => expected == host,
            (HostPattern::Below(apex), Host::Name(name)) => name.is_below(apex),
            (HostPattern::From(apex), Host::Name(name)) => name == apex || name.is_below(apex),
            (HostPattern::Below(_) | HostPattern::From(_), Host::Address(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::host::Authority;

    fn check(pattern: &str, to: &str, loosen: Truth, tighten: Truth) {
        let network = match to.split_once("://") {
            Some(_) => Network::parse_url(to).unwrap(),
            None => Network::from_authority(Authority::parse(to).unwrap()),
        };
        let to = Destination::Network(network);
        let got = [Stance::Loosen, Stance::Tighten].map(|stance| {
            ConnectPattern::parse(pattern, &Anchors::frozen(None), stance).unwrap().matches(&to)
        });
        assert_eq!(got, [loosen, tighten], "{pattern} on {to}");
    }

    #[test]
    fn matching() {
        use Truth::{Maybe, No, Yes};
        for (pattern, to, loosen, tighten) in [
            ("https://a.example", "https://a.example/x", Yes, Yes),
            ("https://a.example", "https://A.EXAMPLE./x", Yes, Yes),
            ("https://a.example", "https://a.example:8443/", No, No),
            ("https://a.example:*", "https://a.example:8443/", Yes, Yes),
            ("https://a.example", "http://a.example/", No, No),
            ("a.example", "http://a.example/", Yes, Yes),
            ("a.example", "https://a.example/", Yes, Yes),
            ("a.example", "http://a.example:81/", No, No),
            ("*.a.example", "https://b.c.a.example/", Yes, Yes),
            ("*.a.example", "https://a.example/", No, No),
            ("*.a.example", "https://evila.example/", No, No),
            ("**.a.example", "https://a.example/", Yes, Yes),
            ("GET https://a.example/docs/**", "https://a.example/docs/x", No, Maybe),
            ("https://a.example/docs/*", "https://a.example/docs/x?y", Yes, Yes),
            ("https://a.example/docs/*", "https://a.example/docs/../x", Maybe, Maybe),
            ("https://a.example", "a.example:443", Maybe, Maybe),
            ("10.0.0.0/8", "http://10.1.2.3/", Yes, Yes),
            ("10.0.0.0/8", "http://[::ffff:10.1.2.3]/", Yes, Yes),
            ("**", "http://10.1.2.3/", Yes, Yes),
            ("bücher.example", "https://xn--bcher-kva.example/", Yes, Yes),
        ] {
            check(pattern, to, loosen, tighten);
        }
    }

    #[test]
    fn what_is_no_pattern() {
        for text in
            ["", "https://", "a..b", "get https://x", "https://x:0", "https://127.1", "a*.x"]
        {
            let read = ConnectPattern::parse(text, &Anchors::frozen(None), Stance::Loosen);
            assert!(read.is_err(), "{text}");
        }
    }
}
