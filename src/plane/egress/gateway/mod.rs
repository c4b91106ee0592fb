//! The model's listener: an agent reaches its model without a key and without a network.
//!
//! It is a reverse listener for `ANTHROPIC_BASE_URL` and `OPENAI_BASE_URL`, to one upstream that
//! the operator names. A few paths pass and no others: with our key, files and batches would be
//! ways out. Whatever a client says to prove who it is, is taken away, and the credential set.
//! Streams pass unchanged and unbuffered, and their usage is written down.

mod answer;
mod exchange;
mod provider;
pub mod usage;

pub use provider::Provider;

use super::credential::{Bindings, Credential};
use super::resolve::Resolver;
use super::server::Listener;
use super::token::Token;
use super::trust::Trust;
use super::vet::Own;
use super::wire::Wire;
use crate::gate::Gate;
use crate::limits::MODEL_CONNECTIONS_MAX;
use crate::model::host::Host;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};

/// The model's listener, and everything that its connections share.
pub struct Gateway {
    gate: Arc<Gate>,
    terms: Terms,
    bindings: Arc<Bindings>,
    names: Box<dyn Resolver>,
    trust: Trust,
    own: Own,
    places: Arc<Semaphore>,
    drain: Notify,
}

/// What the operator settled.
#[derive(Debug)]
pub struct Terms {
    /// Whose interface it is.
    pub provider: Provider,
    /// Where requests go.
    pub upstream: Upstream,
    /// The name of the credential that is set.
    pub credential: String,
    /// Without which nobody is served.
    pub token: Option<Token>,
    /// For a request's head.
    pub header: Duration,
    /// For dialling and the handshake.
    pub dial: Duration,
    /// For silence.
    pub idle: Duration,
}

/// Where requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
    /// Whether it is spoken to over TLS. Without, only on this machine.
    pub encrypted: bool,
    /// What stands before each path; empty, or from `/` on, without one at its end.
    pub prefix: String,
}

/// A client of this listener.
struct Client {
    wire: Wire,
    uid: Option<u32>,
    listener: Arc<str>,
}

impl Gateway {
    /// A listener on these terms.
    #[must_use]
    pub fn new(
        (gate, bindings): (Arc<Gate>, Arc<Bindings>),
        terms: Terms,
        names: Box<dyn Resolver>,
        trust: Trust,
    ) -> Arc<Gateway> {
        let places = Arc::new(Semaphore::new(MODEL_CONNECTIONS_MAX));
        let (own, drain) = (Own::default(), Notify::new());
        Arc::new(Gateway { gate, terms, bindings, names, trust, own, places, drain })
    }

    /// No request ever goes to this address: we listen there.
    pub fn owns(&self, address: std::net::SocketAddr) {
        self.own.add(address);
    }

    /// Ends every connection; waits until their records stand in the log.
    pub async fn stop(&self) {
        let all = u32::try_from(MODEL_CONNECTIONS_MAX).unwrap_or(u32::MAX);
        let mut idle = std::pin::pin!(self.places.acquire_many(all));
        loop {
            self.drain.notify_waiters();
            let patience = Duration::from_millis(20);
            // Some may just be on their way from one state to the next, and have not heard it.
            if tokio::time::timeout(patience, idle.as_mut()).await.is_ok() {
                return;
            }
        }
    }

    /// Serves until the task is dropped.
    pub async fn serve(self: Arc<Self>, listener: Listener, name: String) {
        let name: Arc<str> = name.into();
        loop {
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
            let client = match accept(&listener, &name).await {
                Ok(Some(client)) => client,
                Ok(None) => continue,
                Err(error) => {
                    // Out of descriptors, most likely: give the connections time to end.
                    tracing::warn!(%error, "the model's listener could not accept a connection");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            };
            let gateway = Arc::clone(&self);
            tokio::spawn(async move {
                exchange::serve(&gateway, client).await;
                drop(place);
            });
        }
    }

    fn credential(&self) -> Option<&Arc<Credential>> {
        self.bindings.named(&self.terms.credential)
    }
}

/// The next client; nothing for one that may not speak.
async fn accept(listener: &Listener, name: &Arc<str>) -> std::io::Result<Option<Client>> {
    let listener_name = Arc::clone(name);
    match listener {
        Listener::Tcp(tcp) => {
            let (stream, _) = tcp.accept().await?;
            // What is small is sent at once.
            let _ = stream.set_nodelay(true);
            let wire = Wire::new(Box::new(stream), Vec::new());
            Ok(Some(Client { wire, uid: None, listener: listener_name }))
        }
        Listener::Unix(unix, users) => {
            let (stream, _) = unix.accept().await?;
            let uid = stream.peer_cred().ok().map(|peer| peer.uid());
            let may_speak = uid.is_some_and(|uid| users.contains(&uid));
            let wire = Wire::new(Box::new(stream), Vec::new());
            Ok(may_speak.then_some(Client { wire, uid, listener: listener_name }))
        }
    }
}
