//! Whether the addresses that a name leads to may be dialled. What passes here is what is dialled:
//! nothing is looked up again.

use super::reason::Reason;
use super::settings::{Mixed, Settings};
use crate::gate::Gate;
use crate::gate::network::{Named, Resolved};
use crate::model::address::{AddressClass, classify, reached};
use crate::model::host::Host;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{PoisonError, RwLock};

/// The addresses that we listen on ourselves: no connection ever goes there.
#[derive(Debug, Default)]
pub struct Own(RwLock<Vec<SocketAddr>>);

impl Own {
    /// One more of them.
    pub fn add(&self, address: SocketAddr) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(address);
    }

    /// Whether a connection to there would come to us.
    #[must_use]
    pub fn is(&self, address: SocketAddr) -> bool {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut at_port = all.iter().filter(|own| own.port() == address.port()).peekable();
        if at_port.peek().is_none() {
            return false;
        }
        let mut there = reached(address.ip()).map(|ip| ip.to_canonical());
        there.any(|ip| at_port.clone().any(|own| reaches(own.ip().to_canonical(), ip)))
    }
}

/// Whether what is sent to `ip` arrives at a listener on `own`.
fn reaches(own: IpAddr, ip: IpAddr) -> bool {
    let any_here = || ip.is_unspecified() || ip.is_loopback() || is_ours(ip);
    own == ip || (ip.is_unspecified() && own.is_loopback()) || (own.is_unspecified() && any_here())
}

/// Whether this machine has the address: nothing else can be bound to.
fn is_ours(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

/// What of an answer may be dialled.
pub fn vet(
    (gate, settings, own): (&Gate, &Settings, &Own),
    named: &Named,
    all: Vec<IpAddr>,
) -> Resolved {
    let host = &named.to().host;
    let port = named.to().port.unwrap_or_default();
    let blocked = match host {
        Host::Address(_) => Reason::IpLiteralBlocked,
        Host::Name(_) => Reason::AddressBlocked,
    };
    let mut usable = Vec::with_capacity(all.len());
    let mut refused = None;
    for ip in &all {
        let address = SocketAddr::new(*ip, port);
        if own.is(address) {
            refused = Some(Reason::SelfConnection);
            continue;
        }
        let may = match classify(*ip) {
            AddressClass::Public => true,
            AddressClass::Metadata => gate.opens(named, *ip, true),
            AddressClass::Private
            | AddressClass::Loopback
            | AddressClass::LinkLocal
            | AddressClass::Documentation
            | AddressClass::Benchmark
            | AddressClass::Transition
            | AddressClass::Multicast
            | AddressClass::Reserved => {
                settings.grants(host, ip.to_canonical()) || gate.opens(named, *ip, false)
            }
        };
        if may {
            usable.push(address);
        } else if refused.is_none() {
            refused = Some(blocked);
        }
    }
    let usable = match (refused, settings.mixed) {
        (Some(reason), Mixed::Reject) => Err(reason),
        (Some(reason), Mixed::Filter) if usable.is_empty() => Err(reason),
        (None, _) if usable.is_empty() => Err(Reason::DnsFailure),
        (Some(_), Mixed::Filter) | (None, _) => Ok(usable),
    };
    Resolved { all, usable, upstream: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_listeners() {
        let own = Own::default();
        own.add("127.0.0.1:3128".parse().unwrap());
        own.add("0.0.0.0:9000".parse().unwrap());
        for (address, expected) in [
            ("127.0.0.1:3128", true),
            ("[::ffff:127.0.0.1]:3128", true),
            ("[64:ff9b::7f00:1]:3128", true),
            ("0.0.0.0:3128", true),
            ("127.0.0.2:3128", false),
            ("127.0.0.1:3129", false),
            ("127.9.9.9:9000", true),
            ("192.0.2.1:9000", false),
        ] {
            assert_eq!(own.is(address.parse().unwrap()), expected, "{address}");
        }
    }
}
