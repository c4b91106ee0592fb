//! What a policy says of a destination besides yes and no: how far its allows name it, whether a
//! rule must see inside, and which addresses it opens that are refused otherwise (policy language
//! §11.17). Asked only where a connection is refused, tunnelled, or leads to no public address.

use super::answer;
use crate::model::access::{Access, Certainty, Target};
use crate::model::effect::Effect;
use crate::model::facts::Facts;
use crate::model::host::Host;
use crate::model::truth::Truth;
use crate::model::url::{Destination, Network};
use crate::policy::pattern::connect::{ConnectPattern, Fit};
use crate::policy::rule::{Default, Layer, Policy, Power, Rule, Targets};
use std::net::IpAddr;

/// How far the allows go that would have to name the destination: those of the layer that goes
/// least far, of the layers that do not leave it to others.
#[must_use]
pub fn fit(policy: &Policy, to: &Network) -> Fit {
    let of_layer = |layer: &Layer| {
        let allows = layer.rules.iter().filter(|rule| rule.effect() == Some(Effect::Allow));
        let most = allows.flat_map(matches).map(|pattern| pattern.fit(to)).max();
        let most = most.unwrap_or(Fit::Nothing);
        let has_opinion = layer.default != Default::Defer && layer.power != Power::Fill;
        (has_opinion || most != Fit::Nothing).then_some(most)
    };
    let layers = policy.layers.iter().filter(|layer| layer.power != Power::Tighten);
    layers.filter_map(of_layer).min().unwrap_or(Fit::Nothing)
}

/// Ways to this host, one for each service that an allow names: if none of them may be gone, none
/// may.
#[must_use]
pub fn ways(policy: &Policy, host: &Host) -> Vec<Network> {
    let allows = every_rule(policy).filter(|rule| rule.effect() == Some(Effect::Allow));
    allows.flat_map(matches).flat_map(|pattern| pattern.ways(host)).collect()
}

/// How far the rule of that id names the destination.
#[must_use]
pub fn denies(policy: &Policy, id: &str, to: &Network) -> Fit {
    let rules = every_rule(policy).filter(|rule| rule.id == id);
    rules.flat_map(matches).map(|pattern| pattern.fit(to)).max().unwrap_or(Fit::Nothing)
}

/// Whether some rule speaks of the method or the path of a request to there.
#[must_use]
pub fn looks_inside(policy: &Policy, to: &Network) -> bool {
    every_rule(policy)
        .filter(|rule| rule.effect().is_some())
        .flat_map(|rule| matches(rule).iter().chain(unless(rule)))
        .any(|pattern| pattern.looks_inside(to))
}

/// The first rule that speaks of methods or paths over TLS, which only an opened tunnel shows.
#[must_use]
pub fn first_of_requests(policy: &Policy) -> Option<&Rule> {
    let inside = |rule: &&Rule| {
        let patterns = || matches(rule).iter().chain(unless(rule));
        rule.effect().is_some() && patterns().any(ConnectPattern::is_of_requests_over_tls)
    };
    every_rule(policy).find(inside)
}

/// Whether allows open this address, to which the facts' one connection leads: in every layer that
/// does not leave it to others, and in at least one.
#[must_use]
pub fn opens(policy: &Policy, facts: &Facts, (address, is_metadata): (IpAddr, bool)) -> bool {
    let Some(to) = facts.accesses.iter().find_map(network) else { return false };
    // The rules' conditions and exceptions are asked of the address itself.
    let literal = Network { host: crate::model::host::Host::Address(address), ..to.clone() };
    let access = Access {
        target: Target::Connect(Destination::Network(literal)),
        certainty: Certainty::Certain,
        within: None,
    };
    let opens = |rule: &Rule| {
        rule.effect() == Some(Effect::Allow)
            && !rule.shadow
            && matches(rule).iter().any(|one| one.names_address(address, is_metadata, to))
            && answer(rule, &access, facts, &policy.writable) == Truth::Yes
    };
    let mut any = false;
    for layer in policy.layers.iter().filter(|layer| layer.power != Power::Tighten) {
        let opened = layer.rules.iter().any(opens);
        any |= opened;
        if !opened && layer.default != Default::Defer && layer.power != Power::Fill {
            return false;
        }
    }
    any
}

fn network(access: &Access) -> Option<&Network> {
    match &access.target {
        Target::Connect(Destination::Network(to)) => Some(to),
        Target::Connect(Destination::Unix(_))
        | Target::Read(_)
        | Target::Write(_)
        | Target::Exec(_)
        | Target::Call(_)
        | Target::Unknown { .. } => None,
    }
}

fn every_rule(policy: &Policy) -> impl Iterator<Item = &Rule> {
    policy.layers.iter().flat_map(|layer| layer.rules.iter())
}

fn matches(rule: &Rule) -> &[ConnectPattern] {
    match &rule.scope.targets {
        Targets::Connect { matches, .. } => matches,
        Targets::Paths { .. }
        | Targets::Exec { .. }
        | Targets::Call { .. }
        | Targets::Output { .. } => &[],
    }
}

fn unless(rule: &Rule) -> &[ConnectPattern] {
    match &rule.scope.targets {
        Targets::Connect { unless, .. } => unless,
        Targets::Paths { .. }
        | Targets::Exec { .. }
        | Targets::Call { .. }
        | Targets::Output { .. } => &[],
    }
}
