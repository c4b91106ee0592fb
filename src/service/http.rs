//! Opening the listener for HTTP hooks, if the operator asked for one.

use super::config::ConfigError;
use super::config::http::{Address, Http};
use super::socket::{self, Rights};
use crate::plane::hook::door::Door;
use crate::plane::hook::http::{Listener, Server};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A listener for HTTP hooks that is open.
pub(super) struct Listening {
    pub(super) server: Arc<Server>,
    /// Where it is, for the person who wires the runtime.
    pub(super) url: String,
    /// The address, if it is one.
    pub(super) at: Option<SocketAddr>,
    socket: Option<PathBuf>,
}

impl Listening {
    /// Answers what is being asked, and nothing more.
    pub(super) fn close(&self) {
        self.server.close();
        if let Some(socket) = &self.socket {
            let _ = std::fs::remove_file(socket);
        }
    }
}

/// Opens it, and serves.
///
/// # Errors
/// If the token or the address cannot be used.
pub(super) fn listen(
    http: &Http,
    door: &Arc<Door>,
) -> Result<Option<(Listening, JoinHandle<()>)>, ConfigError> {
    let Some(address) = http.address()? else { return nothing_meant(http) };
    let (token, bounds) = (http.token()?, http.bounds()?);
    let (listener, url, at, socket) = match address {
        Address::Loopback(address) => {
            let wrong = |error| {
                ConfigError::Value(format!("cannot listen for HTTP on `{address}`: {error}"))
            };
            let (listener, at) = bind(address).map_err(wrong)?;
            (Listener::Tcp(listener), format!("http://{at}/v1/hook/claude"), Some(at), None)
        }
        Address::Unix(path) => {
            let rights = Rights { mode: http.mode()?, owner: http.owner, group: http.group };
            let allow_uid = match http.allow_uid.as_slice() {
                [] => vec![nix::unistd::geteuid().as_raw()],
                named => named.to_vec(),
            };
            let listener = socket::listen(&path, rights, "`listen` in `[http]`")?;
            let url = format!("unix:{}", path.display());
            (Listener::Unix(listener, allow_uid), url, None, Some(path))
        }
    };
    let server = Server::new(Arc::clone(door), token, http.sender(), bounds);
    let task = tokio::spawn(Arc::clone(&server).serve(listener));
    Ok(Some((Listening { server, url, at, socket }, task)))
}

fn bind(address: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let at = listener.local_addr()?;
    Ok((TcpListener::from_std(listener)?, at))
}

/// Without an address there is no listener. What else stands there was meant for one.
fn nothing_meant<T>(http: &Http) -> Result<Option<T>, ConfigError> {
    if *http == Http::default() {
        return Ok(None);
    }
    Err(ConfigError::Value(
        "`[http]` needs `listen`: an address as 127.0.0.1:8787, or `unix:/path`".to_owned(),
    ))
}
