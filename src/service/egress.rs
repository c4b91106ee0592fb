//! Opening the network plane, if the operator asked for one.

use super::config::egress::{At, Egress as Settled};
use super::config::{Config, ConfigError};
use super::socket::{self, Rights};
use crate::engine::reach::first_of_requests;
use crate::gate::Gate;
use crate::limits::EGRESS_DESCRIPTORS_LEFT;
use crate::plane::egress::intercept::Inside;
use crate::plane::egress::server::{Egress, Listener};
use crate::plane::egress::stub::Stub;
use crate::policy::Policy;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;

/// The plane, listening.
pub(super) struct Listening {
    pub(super) plane: Arc<Egress>,
    /// Where, for whoever sets a proxy.
    pub(super) places: Vec<String>,
    sockets: Vec<PathBuf>,
}

/// The plane and its listeners' tasks.
pub(super) type Serving = (Listening, Vec<JoinHandle<()>>);

impl Listening {
    /// Takes nothing new any more.
    pub(super) fn close(&self) {
        for socket in &self.sockets {
            let _ = std::fs::remove_file(socket);
        }
    }
}

/// Opens it, and serves; `ours` are the other addresses that we listen on.
///
/// # Errors
/// If a setting or an address cannot be used, or the policy asks for what the plane cannot see.
pub(super) fn listen(
    config: &Config,
    gate: &Arc<Gate>,
    ours: &[SocketAddr],
    inside: impl FnOnce() -> Result<Inside, ConfigError>,
) -> Result<Option<Serving>, ConfigError> {
    let settled = &config.egress;
    let places = settled.places()?;
    if places.is_empty() {
        return Ok(None);
    }
    can_see(&gate.in_force().policy, settled.intercept).map_err(ConfigError::Value)?;
    let mut settings = settled.settings()?;
    settings.bounds.connections = within_descriptors(settings.bounds.connections);
    let plane = Egress::new(Arc::clone(gate), settings, Box::new(settled.names()?));
    plane.look_inside(inside()?);
    ours.iter().for_each(|address| plane.owns(*address));
    if let Some((proxy, port)) = &plane.settings().upstream {
        tracing::warn!(
            upstream_proxy = %format!("{proxy}:{port}"),
            "connections are handed to another proxy: no address is vetted"
        );
    }
    let stub = settled.dns_listen.map(stub).transpose()?;
    let mut listening = Listening { plane, places: Vec::new(), sockets: Vec::new() };
    let mut tasks = Vec::new();
    for place in places {
        let (listener, name) = open(settled, place, &mut listening)?;
        tracing::info!("the proxy listens at {name}");
        listening.places.push(name.clone());
        tasks.push(tokio::spawn(Arc::clone(&listening.plane).serve(listener, name)));
    }
    if let Some((stub, at)) = stub {
        listening.plane.owns(at);
        tracing::info!("the DNS stub listens at {at}");
        tasks.push(tokio::spawn(stub.serve(Arc::clone(&listening.plane), format!("dns:{at}"))));
    }
    Ok(Some((listening, tasks)))
}

/// As many connections as wanted, or as the process has descriptors for: a further one is to be
/// refused, and not to hang until some tunnel ends.
fn within_descriptors(wanted: usize) -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return wanted };
    let raised = soft >= hard || setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok();
    let limit = if raised { hard } else { soft };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let room = room(limit);
    if room < wanted {
        tracing::warn!(
            "the process may have {limit} descriptors (`LimitNOFILE` of its unit, or `ulimit -n`), \
             so the proxy serves {room} connections at once and not the {wanted} of \
             `connections_max`: each takes two"
        );
    }
    wanted.min(room)
}

/// Tunnels that so many descriptors suffice for.
fn room(descriptors: usize) -> usize {
    let left = EGRESS_DESCRIPTORS_LEFT.min(descriptors / 2);
    ((descriptors - left) / 2).max(1)
}

/// Opens both sockets of the DNS stub, at one port.
fn stub(address: SocketAddr) -> Result<(Stub, SocketAddr), ConfigError> {
    let opened = || {
        let udp = std::net::UdpSocket::bind(address)?;
        let at = udp.local_addr()?;
        let tcp = std::net::TcpListener::bind(at)?;
        udp.set_nonblocking(true)?;
        tcp.set_nonblocking(true)?;
        let (udp, tcp) = (UdpSocket::from_std(udp)?, TcpListener::from_std(tcp)?);
        std::io::Result::Ok((Stub { udp, tcp }, at))
    };
    opened().map_err(|error| {
        let what = "the DNS stub cannot listen at";
        ConfigError::Value(format!("{what} `{address}`, `dns_listen` in `[egress]`: {error}"))
    })
}

/// Whether the plane can see all that the policy's rules speak of.
///
/// # Errors
/// In words for the operator, if a rule needs a tunnel opened and nobody opens it.
pub(super) fn can_see(policy: &Policy, intercept: bool) -> Result<(), String> {
    match first_of_requests(policy) {
        Some(rule) if !intercept => Err(format!(
            "intercept_required: the rule `{}` ({}:{}) speaks of a method or a path over https, \
             which the proxy cannot see; set `intercept = true` in `[egress]`, or write the rule \
             without them",
            rule.id, rule.origin.file, rule.origin.line
        )),
        Some(_) | None => Ok(()),
    }
}

fn open(
    settled: &Settled,
    place: At,
    listening: &mut Listening,
) -> Result<(Listener, String), ConfigError> {
    match place {
        At::Tcp(address) => {
            let opened = std::net::TcpListener::bind(address).and_then(|listener| {
                listener.set_nonblocking(true)?;
                let at = listener.local_addr()?;
                Ok((TcpListener::from_std(listener)?, at))
            });
            let (listener, at) = opened.map_err(|error| {
                ConfigError::Value(format!("the proxy cannot listen at `{address}`: {error}"))
            })?;
            listening.plane.owns(at);
            Ok((Listener::Tcp(listener), at.to_string()))
        }
        At::Unix(path) => {
            let rights =
                Rights { mode: settled.mode()?, owner: settled.owner, group: settled.group };
            let users = match settled.allow_uid.as_slice() {
                [] => vec![nix::unistd::geteuid().as_raw()],
                named => named.to_vec(),
            };
            let listener = socket::listen(&path, rights, "`listen` in `[egress]`")?;
            let name = format!("unix:{}", path.display());
            listening.sockets.push(path);
            Ok((Listener::Unix(listener, users), name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::room;

    #[test]
    fn descriptors_bound_the_connections() {
        for (descriptors, expected) in
            [(0, 1), (256, 64), (1024, 256), (4096, 1536), (20_000, 9_488), (524_288, 261_632)]
        {
            assert_eq!(room(descriptors), expected, "{descriptors}");
        }
    }
}
