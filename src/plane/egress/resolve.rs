//! What a name leads to: what the operator declared, or what a nameserver says; nothing else, no
//! search domain and no `/etc/hosts`. A name comes here only after the policy has allowed it.

use crate::limits::{
    EGRESS_ADDRESSES_MAX, EGRESS_DNS_CACHE_NAMES, EGRESS_DNS_TIMEOUT, EGRESS_DNS_TTL_MAX,
};
use crate::model::host::Name;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{Resolver as Hickory, TokioResolver};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use tokio::time::timeout;

/// What looks up a name.
pub trait Resolver: Send + Sync {
    /// Every address of the name, in one lookup; none if there is no usable answer.
    fn lookup<'a>(&'a self, name: &'a Name) -> Lookup<'a>;
}

/// A lookup under way.
pub type Lookup<'a> = Pin<Box<dyn Future<Output = Vec<IpAddr>> + Send + 'a>>;

/// Names that the operator declared, and nameservers for the others.
pub struct Names {
    fixed: HashMap<Name, Vec<IpAddr>>,
    asked: Option<TokioResolver>,
}

impl Names {
    /// These names as they are declared; all others are asked of these servers.
    ///
    /// # Errors
    /// In words for the operator, if no lookup could be made.
    pub fn new(fixed: HashMap<Name, Vec<IpAddr>>, servers: &[SocketAddr]) -> Result<Names, String> {
        let asked = if servers.is_empty() { None } else { Some(asking(servers)?) };
        Ok(Names { fixed, asked })
    }
}

impl Resolver for Names {
    fn lookup<'a>(&'a self, name: &'a Name) -> Lookup<'a> {
        Box::pin(async move {
            if let Some(addresses) = self.fixed.get(name) {
                return addresses.clone();
            }
            let Some(asked) = &self.asked else { return Vec::new() };
            // With its dot it is the whole name: nothing is put behind it.
            let whole = format!("{}.", name.as_str());
            match timeout(EGRESS_DNS_TIMEOUT, asked.lookup_ip(whole)).await {
                Ok(Ok(found)) => found.iter().take(EGRESS_ADDRESSES_MAX).collect(),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "a name has no usable answer");
                    Vec::new()
                }
                Err(_) => Vec::new(),
            }
        })
    }
}

fn asking(servers: &[SocketAddr]) -> Result<TokioResolver, String> {
    let server = |address: &SocketAddr| {
        let at = |mut connection: ConnectionConfig| {
            connection.port = address.port();
            connection
        };
        let mut server = NameServerConfig::udp_and_tcp(address.ip());
        server.connections = vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())];
        server
    };
    let config = ResolverConfig::from_name_servers(servers.iter().map(server).collect());
    let mut builder = Hickory::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.use_hosts_file = ResolveHosts::Never;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.timeout = EGRESS_DNS_TIMEOUT / 2;
    options.attempts = 2;
    options.cache_size = EGRESS_DNS_CACHE_NAMES;
    options.positive_max_ttl = Some(EGRESS_DNS_TTL_MAX);
    options.negative_max_ttl = Some(EGRESS_DNS_TTL_MAX);
    builder.build().map_err(|error| format!("names cannot be looked up: {error}"))
}

/// The nameservers of a `resolv.conf`, and nothing else of it.
#[must_use]
pub fn nameservers(text: &str) -> Vec<SocketAddr> {
    let address = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let at = words.next().filter(|word| *word == "nameserver").and(words.next())?;
        // A zone names an interface of this machine, which an address to ask need not have.
        let ip: IpAddr = at.split('%').next()?.parse().ok()?;
        Some(SocketAddr::new(ip, 53))
    };
    text.lines().filter_map(address).take(3).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nameservers_count() {
        let text = "# nameserver 9.9.9.9\nsearch corp.example\nnameserver 192.0.2.1\n\
                    nameserver\t2001:db8::1\noptions ndots:5\nnameserver bogus\n";
        let found: Vec<String> = nameservers(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["192.0.2.1:53", "[2001:db8::1]:53"]);
    }
}
