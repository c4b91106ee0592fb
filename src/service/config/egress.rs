//! `[egress]`: the proxy that connections leave by, off unless it is told where to listen. Which
//! hosts they may go to is the policy's to say, never this file's.

use super::http::token_in;
use super::model::Model;
use super::{ConfigError, mode};
use crate::limits::{
    EGRESS_CONNECTIONS_CEILING, EGRESS_CONNECTIONS_MAX, EGRESS_DIAL_TIMEOUT, EGRESS_HEADER_TIMEOUT,
    EGRESS_IDLE, EGRESS_SECONDS_MAX, EGRESS_TLS_TIMEOUT,
};
use crate::model::host::{Authority, Host, Name};
use crate::plane::egress::resolve::{Names, nameservers};
use crate::plane::egress::settings::{Bounds, Grant, HostTerms, Mixed, Settings};
use ipnet::IpNet;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the operator says of the network plane.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Egress {
    /// Addresses with their ports, or `unix:` and a path.
    pub listen: Vec<String>,
    /// Whether that may be an address that other machines can reach.
    pub expose: bool,
    /// For Unix sockets: their mode, in octal.
    pub mode: String,
    /// For Unix sockets: their owner; only root can give them away.
    pub owner: Option<u32>,
    /// For Unix sockets: their group id.
    pub group: Option<u32>,
    /// For Unix sockets: the users who may speak; the sidecar's own user if none is named.
    pub allow_uid: Vec<u32>,
    /// The file that holds the token without which nobody is served.
    pub token_file: Option<PathBuf>,
    /// Where the DNS stub answers, over UDP and TCP.
    pub dns_listen: Option<SocketAddr>,
    /// Who is asked for addresses.
    pub resolver: Servers,
    /// Names that are not asked for, with their addresses.
    #[serde(rename = "static")]
    pub fixed: BTreeMap<String, Vec<IpAddr>>,
    /// What becomes of an answer of which only a part may be dialled.
    pub dns_mixed: Mixed,
    /// Another proxy, to which everything is handed; then no address can be vetted.
    pub upstream_proxy: Option<String>,
    /// Addresses of blocked classes that these hosts may lead to.
    pub private: Vec<Private>,
    /// Whether TLS is opened for hosts whose rules need to see inside.
    pub intercept: bool,
    /// Connections at once.
    pub connections_max: usize,
    /// Those of one user of a Unix socket, or of one address; 0 for as many as there are.
    pub connections_per_client_max: usize,
    /// How long a request's head may take.
    pub header_seconds: u64,
    /// How long a tunnel's `ClientHello` may take.
    pub tls_seconds: u64,
    /// How long dialling may take.
    pub dial_seconds: u64,
    /// How long a tunnel may be silent.
    pub tunnel_idle_seconds: u64,
    /// Bytes of one direction of one tunnel; 0 for as many as come.
    pub tunnel_bytes_max: u64,
    /// What is otherwise for single hosts.
    pub host: BTreeMap<String, HostTerms>,
    /// A file of certificates that are believed besides the system's, where we speak TLS ourselves.
    pub ca_file: Option<PathBuf>,
    /// Where the certificate is written by which opened tunnels are signed; agents must believe it.
    pub intercept_ca_file: Option<PathBuf>,
    /// `[egress.model]`
    pub model: Option<Model>,
}

/// Who is asked for addresses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Servers {
    /// A word: `system`, the nameservers of `/etc/resolv.conf`, or `none`.
    Word(String),
    /// These.
    Listed(Vec<String>),
}

/// One grant: the host, and what it may lead to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Private {
    /// A name, or `*.name` for what lies below it.
    pub host: String,
    /// The network.
    pub cidr: IpNet,
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// Over TCP.
    Tcp(SocketAddr),
    /// On a Unix socket.
    Unix(PathBuf),
}

impl Default for Egress {
    fn default() -> Egress {
        Egress {
            listen: Vec::new(),
            expose: false,
            mode: "0600".to_owned(),
            owner: None,
            group: None,
            allow_uid: Vec::new(),
            token_file: None,
            dns_listen: None,
            resolver: Servers::Word("system".to_owned()),
            fixed: BTreeMap::new(),
            dns_mixed: Mixed::Reject,
            upstream_proxy: None,
            private: Vec::new(),
            intercept: false,
            connections_max: EGRESS_CONNECTIONS_MAX,
            connections_per_client_max: 0,
            header_seconds: EGRESS_HEADER_TIMEOUT.as_secs(),
            tls_seconds: EGRESS_TLS_TIMEOUT.as_secs(),
            dial_seconds: EGRESS_DIAL_TIMEOUT.as_secs(),
            tunnel_idle_seconds: EGRESS_IDLE.as_secs(),
            tunnel_bytes_max: 0,
            host: BTreeMap::new(),
            ca_file: None,
            intercept_ca_file: None,
            model: None,
        }
    }
}

fn wrong<T>(text: String) -> Result<T, ConfigError> {
    Err(ConfigError::Value(text))
}

impl Egress {
    /// Where to listen; nowhere if nothing is said.
    ///
    /// # Errors
    /// If an address cannot be read, or other machines could come in unasked.
    pub fn places(&self) -> Result<Vec<At>, ConfigError> {
        if self.listen.is_empty() && self.means_a_proxy() {
            return wrong(
                "`[egress]` needs `listen`: addresses as \"127.0.0.1:3128\", or \"unix:/path\""
                    .to_owned(),
            );
        }
        if let Some(address) = self.dns_listen
            && !address.ip().to_canonical().is_loopback()
            && !self.expose
        {
            return wrong(format!(
                "`dns_listen = \"{address}\"` in `[egress]` can be reached from other machines; \
                 use 127.0.0.1, or add `expose = true` if they may ask"
            ));
        }
        self.listen.iter().map(|text| place(text, "egress", self.expose)).collect()
    }

    /// Whether something is said that only a proxy could mean. The model's listener looks up names
    /// and speaks TLS too.
    fn means_a_proxy(&self) -> bool {
        let Egress { resolver, fixed, ca_file, model, expose, .. } = self.clone();
        let apart = Egress { resolver, fixed, ca_file, model, expose, ..Egress::default() };
        *self != apart
    }

    /// The mode of Unix sockets as a number.
    ///
    /// # Errors
    /// If it is no octal mode, or lets anyone else in.
    pub fn mode(&self) -> Result<u32, ConfigError> {
        mode(&self.mode)
    }

    /// What the plane goes by.
    ///
    /// # Errors
    /// If a value makes no sense.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        let hosts = self.host.iter().map(|(host, terms)| Ok((name(host, "host")?, *terms)));
        Ok(Settings {
            mixed: self.dns_mixed,
            grants: self.private.iter().map(grant).collect::<Result<_, _>>()?,
            hosts: hosts.collect::<Result<HashMap<_, _>, ConfigError>>()?,
            token: self.token_file.as_deref().map(token_in).transpose()?,
            upstream: self.upstream_proxy.as_deref().map(upstream).transpose()?,
            intercept: self.intercept,
            bounds: self.bounds()?,
        })
    }

    fn bounds(&self) -> Result<Bounds, ConfigError> {
        let seconds = |key: &str, value: u64| match value {
            1..=EGRESS_SECONDS_MAX => Ok(Duration::from_secs(value)),
            _ => wrong(format!("`{key} = {value}` must be from 1 to {EGRESS_SECONDS_MAX}")),
        };
        if !(1..=EGRESS_CONNECTIONS_CEILING).contains(&self.connections_max) {
            return wrong(format!(
                "`connections_max = {}` must be from 1 to {EGRESS_CONNECTIONS_CEILING}",
                self.connections_max
            ));
        }
        Ok(Bounds {
            connections: self.connections_max,
            per_client: self.connections_per_client_max,
            header: seconds("header_seconds", self.header_seconds)?,
            tls: seconds("tls_seconds", self.tls_seconds)?,
            dial: seconds("dial_seconds", self.dial_seconds)?,
            idle: seconds("tunnel_idle_seconds", self.tunnel_idle_seconds)?,
            tunnel_bytes: self.tunnel_bytes_max,
        })
    }

    /// Who looks up names.
    ///
    /// # Errors
    /// If a server or a declared name cannot be read.
    pub fn names(&self) -> Result<Names, ConfigError> {
        let fixed = self.fixed.iter().map(|(host, to)| Ok((name(host, "static")?, to.clone())));
        let fixed = fixed.collect::<Result<HashMap<_, _>, ConfigError>>()?;
        let servers = match &self.resolver {
            Servers::Word(word) if word == "system" => {
                let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
                nameservers(&text)
            }
            Servers::Word(word) if word == "none" => Vec::new(),
            Servers::Word(word) => {
                return wrong(format!(
                    "`resolver = \"{word}\"` must be \"system\", \"none\", or a list of addresses"
                ));
            }
            Servers::Listed(listed) => {
                listed.iter().map(|one| server(one)).collect::<Result<_, _>>()?
            }
        };
        Names::new(fixed, &servers).map_err(ConfigError::Value)
    }
}

/// One place to listen at, of this table.
///
/// # Errors
/// If it cannot be read, or other machines could come in unasked.
pub fn place(text: &str, table: &str, expose: bool) -> Result<At, ConfigError> {
    if let Some(path) = text.strip_prefix("unix:") {
        return match Path::new(path) {
            path if path.is_absolute() => Ok(At::Unix(path.to_owned())),
            _ => wrong(format!("`listen` of `[{table}]`: `{text}` must name an absolute path")),
        };
    }
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().to_canonical().is_loopback() || expose => Ok(At::Tcp(address)),
        Ok(_) => wrong(format!(
            "`listen = \"{text}\"` in `[{table}]` can be reached from other machines; use \
             127.0.0.1 or `unix:/path`, or add `expose = true` to `[egress]` if they may come"
        )),
        Err(_) => wrong(format!(
            "`listen` of `[{table}]`: `{text}` must be an address and a port, as 127.0.0.1:3128, \
             or `unix:/path`"
        )),
    }
}

fn server(text: &str) -> Result<SocketAddr, ConfigError> {
    let whole = text.parse::<SocketAddr>().ok();
    let bare = || text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 53));
    whole.or_else(bare).map_or_else(
        || wrong(format!("`resolver`: `{text}` must be an address, as 192.0.2.1:53")),
        Ok,
    )
}

fn name(text: &str, key: &str) -> Result<Name, ConfigError> {
    Name::from_unicode(text).map_or_else(
        |error| wrong(format!("`{key}` in `[egress]`: `{text}` is no host name: {error}")),
        Ok,
    )
}

fn grant(private: &Private) -> Result<Grant, ConfigError> {
    let (below, host) = match private.host.strip_prefix("*.") {
        Some(apex) => (true, apex),
        None => (false, private.host.as_str()),
    };
    Ok(Grant { host: name(host, "private")?, below, cidr: private.cidr })
}

fn upstream(text: &str) -> Result<(Host, u16), ConfigError> {
    let bad =
        || wrong(format!("`upstream_proxy = \"{text}\"` must be as \"http://proxy.example:3128\""));
    let Some(rest) = text.strip_prefix("http://") else { return bad() };
    match Authority::parse(rest.trim_end_matches('/')) {
        Ok(Authority { host, port: Some(port) }) => Ok((host, port)),
        Ok(Authority { port: None, .. }) | Err(_) => bad(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;
    use crate::plane::egress::settings::{Sni, Tunnel};

    fn egress(text: &str) -> Result<Egress, toml::de::Error> {
        toml::from_str::<Config>(text).map(|config| config.egress)
    }

    #[test]
    fn what_is_refused() {
        for text in [
            "[egress]\nlistn = []",
            "[egress]\nlisten = \"127.0.0.1:1\"",
            "[egress]\ndns_mixed = \"some\"",
            "[egress]\nprivate = [{ host = \"a.example\" }]",
            "[egress]\nprivate = [{ cidr = \"10.0.0.0/8\" }]",
            "[egress]\nprivate = [{ host = \"a.example\", cidr = \"10.0.0.0/33\" }]",
            "[egress]\nstatic = { \"a.example\" = [\"localhost\"] }",
            "[egress.host.\"a.example\"]\ntunnel = \"open\"",
            "[egress.host.\"a.example\"]\nech = \"allow\"",
        ] {
            assert!(egress(text).is_err(), "{text}");
        }
        for (text, why) in [
            ("listen = [\"0.0.0.0:3128\"]", "other machines"),
            ("listen = [\"127.0.0.1\"]", "an address and a port"),
            ("listen = [\"unix:s\"]", "absolute path"),
            ("intercept = true", "needs `listen`"),
        ] {
            let error = egress(&format!("[egress]\n{text}")).unwrap().places().unwrap_err();
            assert!(error.to_string().contains(why), "{text}: {error}");
        }
        for text in [
            "connections_max = 0",
            "header_seconds = 0",
            "dial_seconds = 100000",
            "upstream_proxy = \"https://p.example:1\"",
            "upstream_proxy = \"http://p.example\"",
            "private = [{ host = \"10.0.0.1\", cidr = \"10.0.0.0/8\" }]",
            "host.\"a b\".websocket = true",
        ] {
            assert!(egress(&format!("[egress]\n{text}")).unwrap().settings().is_err(), "{text}");
        }
        for text in
            ["resolver = \"dns\"", "resolver = [\"a.example\"]", "static = { \"1.2.3.4\" = [] }"]
        {
            assert!(egress(&format!("[egress]\n{text}")).unwrap().names().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_said_is_meant() {
        let text = "[egress]\nlisten = [\"127.0.0.1:0\", \"unix:/r/e\"]\ndns_mixed = \"filter\"\n\
                    private = [{ host = \"*.db.example\", cidr = \"10.1.0.0/16\" }]\n\
                    [egress.host.\"a.example\"]\nech = \"allow-if-sni-matches\"\n\
                    sni = \"optional\"\ntunnel = \"raw\"\nwebsocket = true\n";
        let egress = egress(text).unwrap();
        assert_eq!(egress.places().unwrap().len(), 2);
        let settings = egress.settings().unwrap();
        let terms = settings.terms(&Host::parse("a.example").unwrap());
        assert_eq!(terms.tunnel, Some(Tunnel::Raw));
        assert_eq!(terms.sni, Sni::Optional);
        assert!(terms.websocket && settings.mixed == Mixed::Filter);
    }
}
