//! Whether one connect pattern covers another.

use super::{ConnectPattern, HostPattern, Port, Service, Shape, Web};
use crate::model::address::{reached, unmapped};
use crate::model::host::{Host, Name};
use crate::model::url::default_port;
use crate::policy::pattern::Stance;
use crate::policy::pattern::cover::Cover;
use ipnet::IpNet;
use std::net::IpAddr;

impl Cover for ConnectPattern {
    fn covers_all_of(&self, other: &ConnectPattern) -> bool {
        if self.stance == Stance::Loosen && other.stance == Stance::Tighten {
            return matches!(self.shape, Shape::Every);
        }
        let stances = (self.stance, other.stance);
        match (&self.shape, &other.shape) {
            (Shape::Every, _) => true,
            (Shape::Unix(wide), Shape::Unix(narrow)) => wide.covers_all_of(narrow),
            (Shape::Addresses(wide), Shape::Addresses(narrow)) => {
                narrow.iter().all(|net| wide.iter().any(|wide| wide.contains(net)))
            }
            (Shape::Addresses(wide), Shape::Web(web)) => web.is_within(wide, stances),
            (Shape::Web(web), Shape::Addresses(_)) => web.is_any(),
            (Shape::Web(wide), Shape::Web(narrow)) => wide.covers(narrow, stances),
            (_, Shape::Every) | (Shape::Unix(_), _) | (_, Shape::Unix(_)) => false,
        }
    }

    fn needs(&self) -> Vec<String> {
        match &self.shape {
            Shape::Web(web) => match &web.host {
                HostPattern::Exact(host) => vec![host.to_string()],
                HostPattern::Below(apex) | HostPattern::From(apex) => vec![below(apex.as_str())],
                HostPattern::Any => Vec::new(),
            },
            Shape::Addresses(networks) => match networks.as_slice() {
                // The longest says all that the others do.
                [only] => within(only.network(), only.prefix_len()).pop().into_iter().collect(),
                _ => Vec::new(),
            },
            Shape::Every | Shape::Unix(_) => Vec::new(),
        }
    }

    fn has(&self) -> Vec<String> {
        let web = match &self.shape {
            Shape::Web(web) => web,
            Shape::Addresses(networks) => {
                return match networks.as_slice() {
                    [only] => within(only.network(), only.prefix_len()),
                    _ => Vec::new(),
                };
            }
            Shape::Every | Shape::Unix(_) => return Vec::new(),
        };
        match &web.host {
            HostPattern::Exact(host) => {
                let mut words = vec![host.to_string()];
                match host {
                    Host::Name(name) => words.extend(apexes(name)),
                    Host::Address(address) => {
                        words.extend(reached(*address).flat_map(|at| within(at, u8::MAX)));
                    }
                }
                words
            }
            HostPattern::Below(apex) | HostPattern::From(apex) => apexes(apex),
            HostPattern::Any => Vec::new(),
        }
    }
}

/// The networks around an address that end between its bytes, the widest first.
fn within(address: IpAddr, prefix: u8) -> Vec<String> {
    let bytes = match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let kind = if address.is_ipv4() { "v4" } else { "v6" };
    let most = usize::from(prefix / 8).min(bytes.len());
    (0..=most).filter_map(|count| Some(format!("{kind} {:?}", bytes.get(..count)?))).collect()
}

/// The name and all that it lies below.
fn apexes(name: &Name) -> Vec<String> {
    let name = name.as_str();
    let inner = name.match_indices('.').filter_map(|(dot, _)| name.get(dot + 1..));
    std::iter::once(name).chain(inner).map(below).collect()
}

fn below(apex: &str) -> String {
    format!("*.{apex}")
}

impl Web {
    fn covers(&self, other: &Web, (stance, narrow): (Stance, Stance)) -> bool {
        let method = self.method.is_none() || self.method == other.method;
        let path = match (&self.path, &other.path) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(wide), Some(path)) if stance == narrow => wide.covers(path),
            // What tightens doubts an encoded path, or one with `;`, that the other is sure of.
            (Some(wide), Some(path)) => {
                let plain = |text: &str| !text.contains(['%', ';']);
                path.literal().is_some_and(plain) && wide.covers(path)
            }
        };
        let service = self.service.covers(&other.service, narrow);
        method && path && service && self.host.covers(&other.host)
    }

    /// Whether it is one address that these networks hold.
    fn is_within(&self, networks: &[IpNet], (stance, narrow): (Stance, Stance)) -> bool {
        let HostPattern::Exact(Host::Address(address)) = &self.host else { return false };
        let inside = |address: IpAddr| networks.iter().any(|network| network.contains(&address));
        // What tightens by an address also looks at where a name leads.
        narrow == Stance::Loosen
            && match stance {
                Stance::Loosen => inside(unmapped(*address)),
                Stance::Tighten => reached(*address).any(inside),
            }
    }

    /// Whether it is any host on any port, whatever is asked of it.
    fn is_any(&self) -> bool {
        self.host == HostPattern::Any
            && self.service == Service { scheme: None, port: Port::Any }
            && self.method.is_none()
            && self.path.is_none()
    }
}

impl Service {
    fn covers(&self, other: &Service, narrow: Stance) -> bool {
        let scheme = match (&self.scheme, &other.scheme) {
            (None, _) => true,
            (Some(wide), Some(narrow)) => super::same_scheme(wide, narrow),
            (Some(_), None) => false,
        };
        scheme && self.ports_cover(other, narrow)
    }

    /// Where no port is stated, it is that of the scheme, or one of the web's two.
    fn ports_cover(&self, other: &Service, narrow: Stance) -> bool {
        let stated = |service: &Service| match service.scheme.as_deref() {
            Some(scheme) => default_port(scheme).into_iter().collect(),
            None => vec![80, 443],
        };
        match (&self.port, &other.port) {
            (Port::Any, _) => true,
            (_, Port::Any) => false,
            (Port::Exact(wide), Port::Exact(port)) => wide == port,
            // A deny is sure of its scheme's own port where none is known.
            (Port::Exact(wide), Port::OfScheme) => {
                narrow == Stance::Loosen && stated(other) == [*wide]
            }
            (Port::OfScheme, Port::Exact(port)) => stated(self).contains(port),
            (Port::OfScheme, Port::OfScheme) => {
                let ports = stated(self);
                stated(other).iter().all(|port| ports.contains(port))
            }
        }
    }
}

impl HostPattern {
    fn covers(&self, other: &HostPattern) -> bool {
        let is_from = |name: &Name, apex: &Name| name == apex || name.is_below(apex);
        match (self, other) {
            (HostPattern::Any, _) => true,
            (HostPattern::Exact(wide), HostPattern::Exact(narrow)) => wide == narrow,
            (HostPattern::Below(apex), HostPattern::Exact(Host::Name(name))) => name.is_below(apex),
            (HostPattern::Below(wide), HostPattern::Below(narrow)) => is_from(narrow, wide),
            (HostPattern::Below(wide), HostPattern::From(narrow)) => narrow.is_below(wide),
            (HostPattern::From(apex), HostPattern::Exact(Host::Name(name))) => is_from(name, apex),
            (HostPattern::From(wide), HostPattern::Below(narrow) | HostPattern::From(narrow)) => {
                is_from(narrow, wide)
            }
            (HostPattern::Exact(_), HostPattern::Below(_) | HostPattern::From(_)) => false,
            (
                HostPattern::Below(_) | HostPattern::From(_),
                HostPattern::Exact(Host::Address(_)),
            ) => false,
            (_, HostPattern::Any) => false,
        }
    }
}
