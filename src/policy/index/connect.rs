//! Connect patterns, filed by host name, by network, by the path of a socket.
//!
//! A name is asked for whole and for each of the names above it; an address for each length of
//! prefix that some network has. Patterns that ask for nothing but a scheme and a port are decided
//! by these once for all, if they are among the services that the layer names most; what asks for
//! a method or a path is asked. `https://*/x` names every host and is always asked.

use super::path::{self, Paths};
use super::slot::{Entries, Entry, FACETS_MAX, Facet, Filed, Owner, Piles, Slot, Visit, table};
use super::table::{Hash, Table};
use crate::model::address::{reached, unmapped};
use crate::model::host::{Host, Name};
use crate::model::path::AbsPath;
use crate::model::truth::Truth;
use crate::model::url::Network;
use crate::policy::pattern::Stance;
use crate::policy::pattern::connect::{ConnectPattern, HostPattern, Key, Service};
use ipnet::IpNet;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

/// Services that a layer's slots tell apart; the first two facets are the networks'.
const SERVICES_MAX: usize = FACETS_MAX as usize / 2 - 1;

/// The connect patterns of a layer.
#[derive(Debug, Default)]
pub(super) struct Connect {
    every: Slot,
    /// Every rule once: where nothing is known of the destination.
    blind: Slot,
    names: Table<Names>,
    /// Any host.
    any: Slot,
    loosen: Addresses,
    tighten: Addresses,
    sockets: Paths,
    services: Vec<Service>,
    entries: Entries,
}

/// What is filed under a name.
#[derive(Debug, Clone, Copy, Default)]
struct Names {
    /// For the name itself.
    itself: Slot,
    /// For the names below it.
    below: Slot,
}

/// What is filed under addresses.
#[derive(Debug, Default)]
struct Addresses {
    /// By network: the address before the prefix's end, and the prefix's length.
    networks: Table<Slot>,
    /// The prefix lengths there are.
    lengths: Box<[u8]>,
    /// By address, where a pattern names it as a host.
    hosts: Table<Slot>,
}

impl Connect {
    /// Hands out what may match a socket. `covers` asks one pattern about one lane.
    pub(super) fn find_socket<V: Visit>(
        &self,
        path: &path::Target<'_>,
        rules: usize,
        covers: impl Fn(&Entry, &AbsPath) -> bool,
        visitor: &mut V,
    ) {
        self.entries.visit_all(&self.every, Truth::Yes, visitor);
        self.sockets.find(path, rules, covers, visitor);
    }

    /// Hands out what may match a destination on the network.
    pub(super) fn find<V: Visit>(&self, to: &Network, visitor: &mut V) {
        if self.blind.is_empty() {
            return;
        }
        self.entries.visit_all(&self.every, Truth::Yes, visitor);
        self.entries.visit(&self.any, |facet| self.truth(facet, to), visitor);
        match &to.host {
            Host::Name(name) => self.name(name.as_str(), to, visitor),
            Host::Address(address) => {
                let exact = Truth::Yes;
                self.loosen(*address, unmapped(*address), Some(exact), to, visitor);
                self.tighten(*address, to, visitor);
            }
        }
        if matches!(to.host, Host::Name(_)) {
            self.resolved(&to.addresses, to, visitor);
        }
    }

    fn name<V: Visit>(&self, name: &str, to: &Network, visitor: &mut V) {
        if self.names.is_empty() {
            return;
        }
        let truth = |facet| self.truth(facet, to);
        let whole = name.as_bytes();
        let mut left = Some(whole);
        while let Some(name) = left {
            if let Some(names) = self.names.get(Hash::of(name), |key| key == name) {
                let itself = name.len() == whole.len();
                let slot = if itself { &names.itself } else { &names.below };
                self.entries.visit(slot, truth, visitor);
            }
            let dot = name.iter().position(|byte| *byte == b'.');
            left = dot.and_then(|at| name.get(at + 1..));
        }
    }

    /// What a name resolved to: a network that loosens must hold all of it, one that tightens any.
    fn resolved<V: Visit>(&self, addresses: &[IpAddr], to: &Network, visitor: &mut V) {
        if let Some(first) = addresses.first() {
            let all = (addresses.len() == 1).then_some(Truth::Yes);
            self.loosen.networks(unmapped(*first), |slot| {
                self.entries.visit(slot, |_| all, visitor);
            });
        }
        for address in addresses {
            self.tighten(*address, to, visitor);
        }
    }

    fn loosen<V: Visit>(
        &self,
        address: IpAddr,
        plain: IpAddr,
        network: Option<Truth>,
        to: &Network,
        visitor: &mut V,
    ) {
        self.loosen.networks(plain, |slot| self.entries.visit(slot, |_| network, visitor));
        if let Some(slot) = self.loosen.host(address) {
            self.entries.visit(slot, |facet| self.truth(facet, to), visitor);
        }
    }

    fn tighten<V: Visit>(&self, address: IpAddr, to: &Network, visitor: &mut V) {
        for address in reached(address) {
            let yes = Some(Truth::Yes);
            self.tighten.networks(address, |slot| self.entries.visit(slot, |_| yes, visitor));
            if let Some(slot) = self.tighten.host(address) {
                self.entries.visit(slot, |facet| self.truth(facet, to), visitor);
            }
        }
    }

    /// What patterns of this facet come to if their host is the destination's.
    fn truth(&self, facet: Facet, to: &Network) -> Option<Truth> {
        let stance = if facet.is_multiple_of(2) { Stance::Loosen } else { Stance::Tighten };
        let service = self.services.get(usize::from(facet / 2).checked_sub(1)?)?;
        Some(service.matches(to, stance))
    }

    /// The patterns that are asked one by one: always, and at most by one key besides.
    pub(super) fn asked(&self) -> (Vec<&[Entry]>, Vec<&[Entry]>) {
        let names = self.names.values().flat_map(|names| [names.itself, names.below]);
        let (mut always, mut longest) = self.sockets.asked();
        always.push(self.entries.asked(&self.any));
        longest.push(self.entries.longest(names));
        for addresses in [&self.loosen, &self.tighten] {
            longest.push(self.entries.longest(addresses.hosts.values()));
            longest.push(self.entries.longest(addresses.networks.values()));
        }
        (always, longest)
    }

    /// Hands out what speaks of a destination of which nothing is known.
    pub(super) fn find_unknown<V: Visit>(&self, visitor: &mut V) {
        self.entries.visit_all(&self.every, Truth::Yes, visitor);
        self.entries.visit_all(&self.blind, Truth::Maybe, visitor);
    }
}

impl Addresses {
    /// Each slot of a network that holds the address.
    fn networks(&self, address: IpAddr, mut found: impl FnMut(&Slot)) {
        if self.networks.is_empty() {
            return;
        }
        for length in &self.lengths {
            let Ok(network) = IpNet::new(address, *length) else { continue };
            let (key, bytes) = network_key(network);
            let Some(key) = key.get(..bytes) else { continue };
            if let Some(slot) = self.networks.get(Hash::of(key), |other| other == key) {
                found(slot);
            }
        }
    }

    fn host(&self, address: IpAddr) -> Option<&Slot> {
        if self.hosts.is_empty() {
            return None;
        }
        let (key, bytes) = address_key(address);
        let key = key.get(..bytes)?;
        self.hosts.get(Hash::of(key), |other| other == key)
    }
}

/// The bytes of an address, and how many of them there are.
fn address_key(address: IpAddr) -> ([u8; 17], usize) {
    let mut key = [0; 17];
    let octets = match &address {
        IpAddr::V4(v4) => &v4.octets()[..],
        IpAddr::V6(v6) => &v6.octets()[..],
    };
    for (slot, octet) in key.iter_mut().zip(octets) {
        *slot = *octet;
    }
    (key, octets.len())
}

/// The same for a network: its prefix's length follows.
fn network_key(network: IpNet) -> ([u8; 17], usize) {
    let (mut key, bytes) = address_key(network.network());
    if let Some(slot) = key.get_mut(bytes) {
        *slot = network.prefix_len();
    }
    (key, bytes + 1)
}

/// Collects connect patterns.
#[derive(Default)]
pub(super) struct Filing<'a> {
    every: Vec<Filed>,
    blind: Vec<Filed>,
    hosts: Vec<(Owner, usize, Stance, &'a HostPattern, Option<&'a Service>)>,
    /// By stance.
    networks: [Piles; 2],
    lengths: [BTreeSet<u8>; 2],
    sockets: path::Filing,
}

/// Collects the patterns that name hosts.
#[derive(Default)]
struct HostsFiling {
    names: HashMap<Vec<u8>, NamesFiling>,
    /// By stance.
    addresses: [Piles; 2],
    any: Vec<Filed>,
}

#[derive(Default)]
struct NamesFiling {
    itself: Vec<Filed>,
    below: Vec<Filed>,
}

impl HostsFiling {
    fn add(&mut self, filed: Filed, stance: Stance, host: &HostPattern) {
        match host {
            HostPattern::Any => self.any.push(filed),
            HostPattern::Exact(Host::Name(name)) => self.under(name).itself.push(filed),
            HostPattern::Below(name) => self.under(name).below.push(filed),
            HostPattern::From(name) => {
                let names = self.under(name);
                names.itself.push(filed);
                names.below.push(filed);
            }
            HostPattern::Exact(Host::Address(address)) => {
                let keys = match stance {
                    Stance::Loosen => vec![*address],
                    Stance::Tighten => reached(*address).collect(),
                };
                let Some(piles) = self.addresses.get_mut(usize::from(side(stance))) else { return };
                for key in keys {
                    let (key, bytes) = address_key(key);
                    let key = key.get(..bytes).unwrap_or_default().to_vec();
                    piles.entry(key).or_default().push(filed);
                }
            }
        }
    }

    fn under(&mut self, name: &Name) -> &mut NamesFiling {
        self.names.entry(name.as_str().into()).or_default()
    }
}

impl<'a> Filing<'a> {
    /// Files one pattern of a rule.
    pub(super) fn add(&mut self, owner: Owner, place: usize, pattern: &'a ConnectPattern) {
        let (key, stance) = pattern.key();
        match key {
            Key::Every => self.every.push(owner.files(place, Some(0))),
            Key::Unix(path) => {
                self.sockets.add(owner, place, path);
                self.sockets.add_blind(owner, place, stance);
            }
            Key::Addresses(networks) => {
                let side = side(stance);
                let piles = self.networks.iter_mut().zip(&mut self.lengths).nth(side.into());
                let Some((piles, lengths)) = piles else { return };
                for network in networks {
                    let (key, bytes) = network_key(*network);
                    let key = key.get(..bytes).unwrap_or_default().to_vec();
                    piles.entry(key).or_default().push(owner.files(place, Some(side)));
                    lengths.insert(network.prefix_len());
                }
            }
            Key::Host(host, service) => self.hosts.push((owner, place, stance, host, service)),
        }
    }

    /// Notes that a rule speaks where nothing is known.
    pub(super) fn add_blind(&mut self, owner: Owner) {
        self.blind.push(owner.files(0, Some(0)));
    }

    pub(super) fn seal(self) -> Connect {
        let services = self.services();
        let mut hosts = HostsFiling::default();
        for (owner, place, stance, host, service) in self.hosts {
            let known = service.and_then(|it| services.iter().position(|other| other == it));
            let facet = known.and_then(|at| Facet::try_from((at + 1) * 2).ok());
            let filed = owner.files(place, facet.map(|facet| facet + side(stance)));
            hosts.add(filed, stance, host);
        }
        let mut entries = Entries::default();
        let names: Vec<_> = hosts
            .names
            .into_iter()
            .map(|(name, filing)| {
                let itself = entries.slot(&filing.itself);
                (name, Names { itself, below: entries.slot(&filing.below) })
            })
            .collect();
        let mut addresses = |networks, lengths: BTreeSet<u8>, hosts| Addresses {
            networks: table(networks, &mut entries, Hash::of),
            lengths: lengths.into_iter().collect(),
            hosts: table(hosts, &mut entries, Hash::of),
        };
        let [loosen, tighten] = self.networks;
        let [loosen_lengths, tighten_lengths] = self.lengths;
        let [loosen_hosts, tighten_hosts] = hosts.addresses;
        let loosen = addresses(loosen, loosen_lengths, loosen_hosts);
        let tighten = addresses(tighten, tighten_lengths, tighten_hosts);
        Connect {
            every: entries.slot(&self.every),
            blind: entries.slot(&self.blind),
            names: Table::of(names.into_iter(), Hash::of),
            any: entries.slot(&hosts.any),
            loosen,
            tighten,
            sockets: self.sockets.seal(),
            services,
            entries: entries.sealed(),
        }
    }

    /// The services that most patterns name.
    fn services(&self) -> Vec<Service> {
        let mut counts: Vec<(&Service, usize)> = Vec::new();
        for service in self.hosts.iter().filter_map(|(.., service)| *service) {
            match counts.iter_mut().find(|(known, _)| *known == service) {
                Some((_, count)) => *count += 1,
                None => counts.push((service, 1)),
            }
        }
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts.into_iter().take(SERVICES_MAX).map(|(service, _)| service.clone()).collect()
    }
}

/// 0 where a pattern loosens, 1 where it tightens.
fn side(stance: Stance) -> Facet {
    match stance {
        Stance::Loosen => 0,
        Stance::Tighten => 1,
    }
}
