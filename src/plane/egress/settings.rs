//! What the operator settled for the plane: which addresses of blocked classes a host may lead to,
//! what is otherwise for single hosts, and every bound. Nothing here says which hosts are allowed.

use super::token::Token;
use crate::model::host::{Host, Name};
use ipnet::IpNet;
use serde::Deserialize;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// What the plane goes by.
#[derive(Debug)]
pub struct Settings {
    /// What becomes of an answer of which only a part may be dialled.
    pub mixed: Mixed,
    /// Addresses of blocked classes that hosts may lead to.
    pub grants: Vec<Grant>,
    /// What is otherwise for single hosts.
    pub hosts: HashMap<Name, HostTerms>,
    /// Without which nobody is served.
    pub token: Option<Token>,
    /// Another proxy, to which everything is handed.
    pub upstream: Option<(Host, u16)>,
    /// Whether TLS is opened where a rule needs to see inside.
    pub intercept: bool,
    /// How much and how long.
    pub bounds: Bounds,
}

/// How much and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Connections at once.
    pub connections: usize,
    /// Those of one client; 0 for as many as there are.
    pub per_client: usize,
    /// For a request's head.
    pub header: Duration,
    /// For a `ClientHello`.
    pub tls: Duration,
    /// For dialling.
    pub dial: Duration,
    /// For silence.
    pub idle: Duration,
    /// Bytes of one direction of one tunnel; 0 for as many as come.
    pub tunnel_bytes: u64,
}

/// An answer of which only a part may be dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mixed {
    /// Is refused whole.
    Reject,
    /// Is taken without the others.
    Filter,
}

/// Addresses that a host may lead to although their class is blocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The host,
    pub host: Name,
    /// ... or what lies below it.
    pub below: bool,
    /// The addresses.
    pub cidr: IpNet,
}

/// What is otherwise for one host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HostTerms {
    /// What becomes of a `ClientHello` that hides the host it is for.
    pub ech: Ech,
    /// What becomes of one that names none.
    pub sni: Sni,
    /// What its tunnels carry.
    pub tunnel: Option<Tunnel>,
    /// Whether a request may change to the WebSocket protocol.
    pub websocket: bool,
}

/// What becomes of a `ClientHello` that hides the host it is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ech {
    /// It is refused.
    #[default]
    Deny,
    /// It is let through if the host it shows is the tunnel's: browsers send such to every host.
    AllowIfSniMatches,
}

/// What becomes of a `ClientHello` that names no host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sni {
    /// It is refused.
    #[default]
    Required,
    /// It is let through.
    Optional,
}

/// What a tunnel carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tunnel {
    /// TLS, whose first message is looked at.
    Tls,
    /// Anything; nothing is looked at.
    Raw,
    /// TLS that is opened.
    Intercept,
}

impl Settings {
    /// What holds for a host.
    #[must_use]
    pub fn terms(&self, host: &Host) -> HostTerms {
        match host {
            Host::Name(name) => self.hosts.get(name).copied().unwrap_or_default(),
            Host::Address(_) => HostTerms::default(),
        }
    }

    /// Whether the operator lets the host lead to this address.
    #[must_use]
    pub fn grants(&self, host: &Host, address: IpAddr) -> bool {
        let Host::Name(name) = host else { return false };
        self.grants.iter().any(|grant| {
            let named = if grant.below { name.is_below(&grant.host) } else { *name == grant.host };
            named && grant.cidr.contains(&address)
        })
    }
}
