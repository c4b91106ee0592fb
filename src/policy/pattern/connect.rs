//! Connect patterns: `[METHOD] [scheme://]host[:port][/path]`, a CIDR, `unix:/path`, `**`.

use super::path::PathPattern;
use super::text::TextPattern;
use super::{Anchors, PatternError, Stance, check_text, foreign};
use crate::model::address::{reached, unmapped};
use crate::model::host::{Host, Name, parse_port};
use crate::model::path::AbsPath;
use crate::model::truth::Truth;
use crate::model::url::{Destination, Network, default_port};
use ipnet::IpNet;
use std::net::IpAddr;

mod cover;
mod reach;
pub(crate) mod suffix;

pub use reach::Fit;

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
    host: HostPattern,
    service: Service,
    path: Option<TextPattern>,
}

/// What is spoken, and where: `https://`, `:8443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    scheme: Option<String>,
    port: Port,
}

/// A host, or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HostPattern {
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

/// What finds a connect pattern.
#[derive(Debug)]
pub(crate) enum Key<'a> {
    /// Any destination.
    Every,
    /// An address in one of these networks.
    Addresses(&'a [IpNet]),
    /// A Unix socket there.
    Unix(&'a PathPattern),
    /// Such a host; and the service, if nothing else is asked of it.
    Host(&'a HostPattern, Option<&'a Service>),
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
        check_text(text)?;
        foreign::host(text)?;
        let shape = if text == "**" {
            Shape::Every
        } else if let Some(path) = text.strip_prefix("unix:") {
            Shape::Unix(PathPattern::parse(path, anchors, stance)?)
        } else if let Ok(network) = text.parse::<IpNet>() {
            Shape::Addresses(vec![network])
        } else {
            Shape::Web(Box::new(Web::parse(text)?))
        };
        let pattern = ConnectPattern { stance, shape };
        if stance == Stance::Loosen {
            suffix::check(&pattern, text)?;
        }
        Ok(pattern)
    }

    /// The socket that lies there, held back.
    #[must_use]
    pub fn held_socket(path: &AbsPath) -> ConnectPattern {
        ConnectPattern { stance: Stance::Tighten, shape: Shape::Unix(PathPattern::held(path)) }
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

    /// What finds it, and in which stance it is asked.
    pub(crate) fn key(&self) -> (Key<'_>, Stance) {
        let key = match &self.shape {
            Shape::Every => Key::Every,
            Shape::Addresses(networks) => Key::Addresses(networks),
            Shape::Unix(path) => Key::Unix(path),
            Shape::Web(web) => {
                let alone = web.method.is_none() && web.path.is_none();
                Key::Host(&web.host, alone.then_some(&web.service))
            }
        };
        (key, self.stance)
    }

    /// The path of a Unix socket's pattern.
    pub(crate) fn socket(&self) -> Option<&PathPattern> {
        match &self.shape {
            Shape::Unix(path) => Some(path),
            Shape::Every | Shape::Addresses(_) | Shape::Web(_) => None,
        }
    }

    /// Address patterns speak of literals, and of what a name resolved to (policy language §11.17).
    fn addressed(&self, networks: &[IpNet], to: &Network) -> Truth {
        let inside = |address: &IpAddr| networks.iter().any(|network| network.contains(address));
        let named = |address: &IpAddr| match self.stance {
            Stance::Loosen => inside(&unmapped(*address)),
            Stance::Tighten => reached(*address).any(|address| inside(&address)),
        };
        match &to.host {
            Host::Address(address) => Truth::from(named(address)),
            Host::Name(_) if to.addresses.is_empty() => Truth::No,
            Host::Name(_) => Truth::from(match self.stance {
                Stance::Loosen => to.addresses.iter().all(named),
                Stance::Tighten => to.addresses.iter().any(named),
            }),
        }
    }
}

impl Web {
    fn parse(text: &str) -> Result<Web, PatternError> {
        let (method, rest) = match text.split_once(' ') {
            Some((method, rest)) => {
                let method = read_method(method).map_err(|error| in_capitals(error, method, rest));
                (Some(method?), rest.trim_start())
            }
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
        if method.is_none() && scheme.is_none() {
            refuse_bad_network(rest)?;
        }
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at_checked(at).unwrap_or((rest, "")),
            None => (rest, ""),
        };
        let (host, port) = read_authority(authority)?;
        check_path(path)?;
        let path = (!path.is_empty() && path != "/**").then(|| TextPattern::parse(path));
        Ok(Web { method, host, service: Service { scheme, port }, path })
    }

    fn matches(&self, to: &Network, stance: Stance) -> Truth {
        let mut answer = Truth::from(match stance {
            Stance::Loosen => self.host.matches(&to.host),
            Stance::Tighten => self.host.matches(&to.host) || self.host.is_reached_by(to),
        });
        if answer == Truth::No {
            return answer;
        }
        answer = answer.and(self.service.matches(to, stance));
        // What a plane cannot see is no for an allow and maybe for a deny.
        let unseen = match stance {
            Stance::Loosen => Truth::No,
            Stance::Tighten => Truth::Maybe,
        };
        if let Some(method) = &self.method {
            answer = answer.and(to.method.as_ref().map_or(unseen, |m| Truth::from(m == method)));
        }
        if let Some(path) = &self.path {
            answer = answer.and(to.path.as_ref().map_or(unseen, |p| path_matches(path, p, stance)));
        }
        answer
    }
}

impl Service {
    /// Whether this is what the destination is asked for, and where.
    pub(crate) fn matches(&self, to: &Network, stance: Stance) -> Truth {
        let port = self.port_matches(to, stance);
        let Some(scheme) = &self.scheme else { return port };
        // Which scheme is spoken is seen at the port too, so an unknown one is a maybe.
        port.and(match &to.scheme {
            Some(spoken) => Truth::from(same_scheme(scheme, spoken)),
            None => Truth::Maybe,
        })
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

/// A path of one request: without its query, and with no dots that a server could fold. What
/// tightens sees it decoded too, and with or without a `/` at its end, as servers do.
fn path_matches(pattern: &TextPattern, path: &str, stance: Stance) -> Truth {
    let plain = path.split('?').next().unwrap_or_default();
    let has = |text: &str| {
        plain.as_bytes().windows(text.len()).any(|part| part.eq_ignore_ascii_case(text.as_bytes()))
    };
    let mut ambiguous = plain.split('/').any(|part| part == "." || part == "..")
        || ["%2e", "%2f", "%5c", "%00", "//"].into_iter().any(has);
    let mut named = pattern.matches(plain);
    if stance == Stance::Tighten {
        let same = |text: &str| {
            let bare = text.trim_end_matches('/');
            pattern.matches(text)
                || pattern.matches(bare)
                || pattern.matches_chars(bare.chars().chain(std::iter::once('/')))
        };
        named |= same(plain);
        // What a server makes of a broken or twofold encoding, or of `;`, is its own affair.
        ambiguous |= if plain.contains('%') {
            let decoded = decoded(plain);
            named |= decoded.as_deref().is_some_and(same);
            decoded.is_none_or(|text| text.contains('%') || text.contains(';'))
        } else {
            plain.contains(';')
        };
    }
    if ambiguous { Truth::Maybe } else { Truth::from(named) }
}

/// The text with each `%xx` read once; nothing if one is broken or the result is no text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// `10.0.0.0/33` would be read as a host and a path.
fn refuse_bad_network(text: &str) -> Result<(), PatternError> {
    let Some((host, length)) = text.split_once('/') else { return Ok(()) };
    let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let most = match bare.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return Ok(()),
    };
    if !digits {
        return Ok(());
    }
    Err(PatternError::new(format!("`{text}` is no network"))
        .help(format!("write `{bare}/0` to `{bare}/{most}`, or a scheme before a host and a path")))
}

/// A path that no request has as it is judged.
fn check_path(path: &str) -> Result<(), PatternError> {
    let lower = path.to_ascii_lowercase().replace("%2e", ".");
    if lower.split('/').any(|part| part == "." || part == "..") {
        return Err(PatternError::new("a path with `.` or `..` names no request")
            .help("write the path that is meant, without it"));
    }
    if path.contains('#') {
        return Err(PatternError::new("what follows a `#` is never sent")
            .help("remove it; a path pattern ends before it"));
    }
    Ok(())
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

/// A method that is one but for its case can only be meant as it is.
fn in_capitals(error: PatternError, method: &str, rest: &str) -> PatternError {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT"];
    match known.iter().find(|known| known.eq_ignore_ascii_case(method)) {
        Some(known) => error.fix(&format!("{method} {rest}"), format!("{known} {rest}")),
        None => error,
    }
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
    /// It names an address that the destination leads to by another spelling or by its name.
    fn is_reached_by(&self, to: &Network) -> bool {
        let HostPattern::Exact(Host::Address(wanted)) = self else { return false };
        let leads = |to: &IpAddr| reached(*to).any(|to| reached(*wanted).any(|other| other == to));
        match &to.host {
            Host::Address(address) => leads(address),
            Host::Name(_) => to.addresses.iter().any(leads),
        }
    }

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
            ("10.0.0.0/8", "http://[64:ff9b::10.1.2.3]/", No, Yes),
            ("10.0.0.0/8", "http://[2002:a01:203::1]/", No, Yes),
            ("10.0.0.0/8", "http://[::10.1.2.3]/", No, Yes),
            ("169.254.169.254", "http://169.254.169.254/x", Yes, Yes),
            ("169.254.169.254", "http://[64:ff9b::169.254.169.254]/", No, Yes),
            ("169.254.169.254", "http://[::ffff:a9fe:a9fe]/", No, Yes),
            ("169.254.169.254", "http://[::1]/", No, No),
            ("https://a.example/admin", "https://a.example/admin", Yes, Yes),
            ("https://a.example/admin", "https://a.example/adm%69n", No, Yes),
            ("https://a.example/admin", "https://a.example/admin/", No, Yes),
            ("https://a.example/admin/", "https://a.example/admin", No, Yes),
            ("https://a.example/admin", "https://a.example/adm%2569n", No, Maybe),
            ("https://a.example/admin", "https://a.example/adm%zzn", No, Maybe),
            ("https://a.example/admin", "https://a.example/admin?x", Yes, Yes),
            ("https://a.example/admin", "https://a.example/other", No, No),
            ("**", "http://10.1.2.3/", Yes, Yes),
            ("bücher.example", "https://xn--bcher-kva.example/", Yes, Yes),
        ] {
            check(pattern, to, loosen, tighten);
        }
    }

    #[test]
    fn what_is_no_pattern() {
        for text in [
            "",
            "https://",
            "a..b",
            "get https://x",
            "https://x:0",
            "https://127.1",
            "a*.x",
            "10.0.0.0/33",
            "10.0.0.0/08x/..",
            "fe80::/129",
            "[fe80::]/129",
            "https://a.example/a/../b",
            "https://a.example/./b",
            "https://a.example/%2e%2e/b",
            "a.example/x#y",
            "a.exam\u{200b}ple",
            "https://a.example/\u{7}",
            "unix:/run/../x",
        ] {
            let read = ConnectPattern::parse(text, &Anchors::frozen(None), Stance::Loosen);
            assert!(read.is_err(), "{text}");
        }
    }
}
