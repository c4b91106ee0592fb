//! How far a pattern names a destination: what a refusal says is missing, and what must be seen of
//! a request before anybody can say whether it is named.

use super::{ConnectPattern, HostPattern, Port, Shape, path_matches, reached, unmapped};
use crate::model::host::Host;
use crate::model::truth::Truth;
use crate::model::url::{Network, default_port};
use crate::policy::pattern::Stance;
use std::net::IpAddr;

/// How far a pattern names a destination, from not at all to wholly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// It names other hosts.
    Nothing,
    /// The host, on another port or for another scheme.
    Host,
    /// Host and port; neither the method nor the path.
    Service,
    /// All but the path.
    Method,
    /// All but the method.
    Path,
    /// Host and port; what else it asks for cannot be seen.
    Unseen,
    /// All of it.
    Whole,
}

impl ConnectPattern {
    /// How far it names a destination.
    #[must_use]
    pub fn fit(&self, to: &Network) -> Fit {
        let web = match &self.shape {
            Shape::Every => return Fit::Whole,
            Shape::Unix(_) => return Fit::Nothing,
            Shape::Addresses(networks) => {
                let named = self.addressed(networks, to) == Truth::Yes;
                return if named { Fit::Whole } else { Fit::Nothing };
            }
            Shape::Web(web) => web,
        };
        let host = match self.stance {
            Stance::Loosen => web.host.matches(&to.host),
            Stance::Tighten => web.host.matches(&to.host) || web.host.is_reached_by(to),
        };
        if !host {
            return Fit::Nothing;
        }
        if !web.service.matches(to, self.stance).possible() {
            return Fit::Host;
        }
        let method = web.method.as_ref().map(|wanted| to.method.as_ref().map(|m| m == wanted));
        let path = web.path.as_ref().map(|wanted| {
            let path = to.path.as_ref()?;
            Some(path_matches(wanted, path, self.stance).possible())
        });
        match (method, path) {
            (Some(None), _) | (_, Some(None)) => Fit::Unseen,
            (None | Some(Some(true)), None | Some(Some(true))) => Fit::Whole,
            (None | Some(Some(true)), Some(Some(false))) => Fit::Method,
            (Some(Some(false)), None | Some(Some(true))) => Fit::Path,
            (Some(Some(false)), Some(Some(false))) => Fit::Service,
        }
    }

    /// Whether it speaks of what is inside a request to there: its method, or its path.
    #[must_use]
    pub fn looks_inside(&self, to: &Network) -> bool {
        match &self.shape {
            Shape::Web(web) if web.method.is_some() || web.path.is_some() => {
                self.fit(to) > Fit::Host
            }
            Shape::Web(_) | Shape::Every | Shape::Addresses(_) | Shape::Unix(_) => false,
        }
    }

    /// Whether it speaks of methods or paths that only an opened TLS tunnel shows.
    #[must_use]
    pub fn is_of_requests_over_tls(&self) -> bool {
        let Shape::Web(web) = &self.shape else { return false };
        let plain = matches!(web.service.scheme.as_deref(), Some("http" | "ws"));
        !plain && (web.method.is_some() || web.path.is_some())
    }

    /// Ways to this host that it names, one for each service: such as a client could ask for.
    #[must_use]
    pub fn ways(&self, host: &Host) -> Vec<Network> {
        let bare = |scheme: &str, port: u16, inside: Option<(String, String)>| {
            let (method, path) = inside.unzip();
            let scheme = Some(scheme.to_owned());
            Network {
                scheme,
                host: host.clone(),
                port: Some(port),
                method,
                path,
                addresses: vec![],
            }
        };
        let web = match &self.shape {
            Shape::Every => {
                return vec![bare("https", 443, None), bare("http", 80, None)];
            }
            Shape::Web(web) if web.host.matches(host) => web,
            Shape::Web(_) | Shape::Addresses(_) | Shape::Unix(_) => return Vec::new(),
        };
        let method = web.method.as_deref().unwrap_or("GET").to_owned();
        let path = web.path.as_ref().map_or_else(|| "/".to_owned(), super::TextPattern::example);
        let schemes = match web.service.scheme.as_deref() {
            Some(scheme) => vec![scheme],
            None => vec!["https", "http"],
        };
        let mut ways = Vec::new();
        for scheme in schemes {
            let own = default_port(scheme).unwrap_or(443);
            let ports = match web.service.port {
                Port::OfScheme => vec![own],
                Port::Exact(port) => vec![port],
                // Any other one stands for all that no rule names.
                Port::Any => vec![own, 1],
            };
            for port in ports {
                ways.push(bare(scheme, port, Some((method.clone(), path.clone()))));
                if web.method.is_none() && web.path.is_none() {
                    ways.push(bare(scheme, port, None));
                }
            }
        }
        ways
    }

    /// Whether it names this very address, to which `to` leads: by a network that it lies in, or
    /// as it stands. A place where clouds hand out credentials is named alone, or not at all.
    #[must_use]
    pub fn names_address(&self, address: IpAddr, is_metadata: bool, to: &Network) -> bool {
        let mut all = reached(unmapped(address));
        match &self.shape {
            Shape::Addresses(networks) => all.all(|one| {
                networks.iter().any(|network| {
                    let alone = network.prefix_len() == network.max_prefix_len();
                    network.contains(&one) && (alone || !is_metadata)
                })
            }),
            Shape::Web(web) => match &web.host {
                HostPattern::Exact(Host::Address(named)) => {
                    let service = web.service.matches(to, self.stance);
                    all.all(|one| one == unmapped(*named)) && service == Truth::Yes
                }
                HostPattern::Exact(Host::Name(_))
                | HostPattern::Below(_)
                | HostPattern::From(_)
                | HostPattern::Any => false,
            },
            Shape::Every | Shape::Unix(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::host::Authority;
    use crate::policy::pattern::Anchors;

    fn pattern(text: &str) -> ConnectPattern {
        ConnectPattern::parse(text, &Anchors::frozen(None), Stance::Loosen).unwrap()
    }

    fn to(text: &str) -> Network {
        let (method, text) = match text.split_once(' ') {
            Some((method, rest)) => (Some(method.to_owned()), rest),
            None => (None, text),
        };
        let network = match text.contains("://") {
            true => Network::parse_url(text).unwrap(),
            false => Network::from_authority(Authority::parse(text).unwrap()),
        };
        Network { method, ..network }
    }

    #[test]
    fn how_far() {
        for (text, destination, expected) in [
            ("https://a.example", "https://b.example/", Fit::Nothing),
            ("https://a.example", "a.example:8443", Fit::Host),
            ("https://a.example", "http://a.example/", Fit::Host),
            ("https://a.example", "a.example:443", Fit::Whole),
            ("a.example:*", "a.example:22", Fit::Whole),
            ("GET https://a.example/x/**", "a.example:443", Fit::Unseen),
            ("GET https://a.example/x/**", "POST https://a.example/y", Fit::Service),
            ("GET https://a.example/x/**", "GET https://a.example/y", Fit::Method),
            ("GET https://a.example/x/**", "POST https://a.example/x/y", Fit::Path),
            ("GET https://a.example/x/**", "GET https://a.example/x/y", Fit::Whole),
            ("10.0.0.0/8", "10.1.2.3:80", Fit::Whole),
            ("10.0.0.0/8", "11.1.2.3:80", Fit::Nothing),
            ("**", "a.example:1", Fit::Whole),
        ] {
            assert_eq!(pattern(text).fit(&to(destination)), expected, "{text} on {destination}");
        }
    }

    #[test]
    fn addresses_are_named_by_network_or_as_they_stand() {
        for (text, address, is_metadata, expected) in [
            ("10.0.0.0/8", "10.1.2.3", false, true),
            ("10.0.0.0/8", "::ffff:10.1.2.3", false, true),
            ("10.0.0.0/8", "64:ff9b::10.1.2.3", false, false),
            ("169.254.0.0/16", "169.254.169.254", true, false),
            ("169.254.169.254/32", "169.254.169.254", true, true),
            ("169.254.169.254:80", "169.254.169.254", true, true),
            ("169.254.169.254:81", "169.254.169.254", true, false),
            ("**", "10.1.2.3", false, false),
            ("*:80", "10.1.2.3", false, false),
            ("a.example:80", "10.1.2.3", false, false),
        ] {
            let got = pattern(text).names_address(
                address.parse().unwrap(),
                is_metadata,
                &to("h.example:80"),
            );
            assert_eq!(got, expected, "{text} on {address}");
        }
    }
}
