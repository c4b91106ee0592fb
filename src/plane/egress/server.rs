//! The listeners of the plane, and who is served: so many connections at once, so many of one
//! client, told apart by their first byte. A further one is refused, never left hanging.

use super::intercept::Inside;
use super::reason::Reason;
use super::resolve::Resolver;
use super::settings::Settings;
use super::socket::Socket;
use super::stub::Told;
use super::vet::Own;
use super::{answer, entry};
use crate::gate::Gate;
use crate::gate::network::{Denial, Unread};
use crate::limits::{
    EGRESS_ANSWER_TIMEOUT, EGRESS_LINGER_BYTES_MAX, EGRESS_TURNED_AWAY_MAX, REFUSALS_RECORDED_EVERY,
};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

/// The plane: everything that its connections share.
pub struct Egress {
    pub(super) gate: Arc<Gate>,
    pub(super) settings: Settings,
    pub(super) names: Box<dyn Resolver>,
    pub(super) own: Own,
    /// What it takes to see inside, if anything is to be seen there.
    pub(super) inside: OnceLock<Inside>,
    /// Told once, when the sidecar stops.
    pub(super) drain: Notify,
    draining: AtomicBool,
    places: Arc<Semaphore>,
    clients: Mutex<HashMap<Client, usize>>,
    turned_away: Arc<Semaphore>,
    flood: Mutex<Flood>,
    /// What the DNS stub was asked.
    pub(super) asked: Mutex<Told>,
    /// Bytes that tunnels carried, for whoever looks.
    pub(super) carried: AtomicU64,
}

/// Refusals for want of room that are not yet written down.
#[derive(Debug, Default)]
struct Flood {
    told: Option<Instant>,
    untold: u64,
}

/// A listener that is open.
pub enum Listener {
    /// Over TCP; every process that can reach it may come.
    Tcp(TcpListener),
    /// On a Unix socket, for these users.
    Unix(UnixListener, Vec<u32>),
}

/// The other end of a connection, as its listener knows it.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The user, where the system tells.
    pub uid: Option<u32>,
    /// The listener, as it stands in records.
    pub listener: Arc<str>,
}

/// By what the connections of one client are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Client {
    User(u32),
    Address(IpAddr),
}

/// One connection of a client, counted until it is dropped.
struct Seat {
    egress: Arc<Egress>,
    client: Client,
}

/// What a client is told for whom there is no room.
const FULL: &str = "no further connection is served now (`connections_max`, \
                    `connections_per_client_max`, or descriptors: `LimitNOFILE`)";

impl Drop for Seat {
    fn drop(&mut self) {
        let mut clients = self.egress.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = clients.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                clients.remove(&self.client);
            }
        }
    }
}

impl Egress {
    /// A plane that judges at this gate and asks these names.
    #[must_use]
    pub fn new(gate: Arc<Gate>, settings: Settings, names: Box<dyn Resolver>) -> Arc<Egress> {
        let places = Arc::new(Semaphore::new(settings.bounds.connections));
        Arc::new(Egress {
            gate,
            settings,
            names,
            own: Own::default(),
            inside: OnceLock::new(),
            drain: Notify::new(),
            draining: AtomicBool::new(false),
            places,
            clients: Mutex::default(),
            turned_away: Arc::new(Semaphore::new(EGRESS_TURNED_AWAY_MAX)),
            flood: Mutex::default(),
            asked: Mutex::default(),
            carried: AtomicU64::new(0),
        })
    }

    /// What the operator settled.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Sets what it takes to see inside, once, before anybody is served.
    pub fn look_inside(&self, inside: Inside) {
        // A second one would be a bug of the start; the first one holds.
        let _ = self.inside.set(inside);
    }

    /// No connection ever goes to this address: we listen there.
    pub fn owns(&self, address: SocketAddr) {
        self.own.add(address);
    }

    /// How many connections are being served.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.settings.bounds.connections.saturating_sub(self.places.available_permits())
    }

    /// What an operator should know of it.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let most = self.settings.bounds.connections;
        let full = self.places.available_permits() == 0;
        let full = full.then(|| {
            format!(
                "the proxy serves as many connections as it may ({most}): `connections_max`, or \
                 half the descriptors that `LimitNOFILE` leaves it"
            )
        });
        let through = self.settings.upstream.as_ref().map(|(proxy, port)| {
            format!("connections are handed to {proxy}:{port}: no address is vetted")
        });
        full.into_iter().chain(through).collect()
    }

    /// How many bytes tunnels carried.
    #[must_use]
    pub fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }

    /// Ends every connection; waits until their records stand in the log.
    pub async fn stop(&self) {
        self.draining.store(true, Ordering::Relaxed);
        let all = u32::try_from(self.settings.bounds.connections).unwrap_or(u32::MAX);
        let mut idle = std::pin::pin!(self.places.acquire_many(all));
        loop {
            self.drain.notify_waiters();
            // Some may just be on their way from one state to the next, and have not heard it.
            if timeout(Duration::from_millis(20), idle.as_mut()).await.is_ok() {
                return;
            }
        }
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Serves until the task is dropped.
    pub async fn serve(self: Arc<Self>, listener: Listener, name: String) {
        let name: Arc<str> = name.into();
        loop {
            let accepted = match &listener {
                Listener::Tcp(listener) => listener.accept().await.map(|(stream, from)| {
                    // What is small is sent at once.
                    let _ = stream.set_nodelay(true);
                    (Socket::Tcp(stream), None, Client::Address(from.ip().to_canonical()))
                }),
                Listener::Unix(listener, _) => listener.accept().await.map(|(stream, _)| {
                    let uid = stream.peer_cred().ok().map(|peer| peer.uid());
                    (Socket::Unix(stream), uid, Client::User(uid.unwrap_or(u32::MAX)))
                }),
            };
            let (socket, uid, client) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, most likely: give the connections time to end.
                    tracing::warn!(%error, "the proxy could not accept a connection");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            };
            let peer = Peer { uid, listener: Arc::clone(&name) };
            let may_speak = match &listener {
                Listener::Tcp(_) => true,
                Listener::Unix(_, users) => uid.is_some_and(|uid| users.contains(&uid)),
            };
            self.admit(socket, peer, client, may_speak);
        }
    }

    fn admit(self: &Arc<Self>, socket: Socket, peer: Peer, client: Client, may_speak: bool) {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let seat = self.seat(client);
        match (place, seat) {
            (Ok(place), Some(seat)) if may_speak && !self.is_draining() => {
                let egress = Arc::clone(self);
                tokio::spawn(async move {
                    // Only what carries a tunnel is kept while it is idle.
                    let tunnel = Box::pin(entry::enter(&egress, socket, peer)).await;
                    if let Some(tunnel) = tunnel {
                        tunnel.run(&egress).await;
                    }
                    drop(seat);
                    drop(place);
                });
            }
            _ => self.turn_away(socket, peer, may_speak),
        }
    }

    fn seat(self: &Arc<Self>, client: Client) -> Option<Seat> {
        let most = self.settings.bounds.per_client;
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let count = clients.entry(client).or_default();
        if most > 0 && *count >= most {
            return None;
        }
        *count += 1;
        Some(Seat { egress: Arc::clone(self), client })
    }

    /// Says that there is no room; a client that comes in a flood is only hung up on.
    fn turn_away(self: &Arc<Self>, mut socket: Socket, peer: Peer, may_speak: bool) {
        let Ok(turn) = Arc::clone(&self.turned_away).try_acquire_owned() else {
            self.untold();
            return;
        };
        let egress = Arc::clone(self);
        tokio::spawn(async move {
            let (reason, why) = match may_speak {
                true => (Reason::TooManyConnections, FULL),
                false => (Reason::AuthFailed, "this user may not speak to the proxy"),
            };
            let denial = egress.flooded(&peer, reason, why).await;
            farewell(&mut socket, &answer::http(&denial, "", true)).await;
            drop(turn);
        });
    }

    fn untold(&self) {
        self.flood.lock().unwrap_or_else(PoisonError::into_inner).untold += 1;
    }

    /// The denial of one of many: written down once in a while, with how many there were.
    async fn flooded(&self, peer: &Peer, reason: Reason, why: &str) -> Denial {
        let count = {
            let mut flood = self.flood.lock().unwrap_or_else(PoisonError::into_inner);
            flood.untold += 1;
            let now = Instant::now();
            let is_told = flood.told.is_some_and(|told| now < told + REFUSALS_RECORDED_EVERY);
            if is_told {
                None
            } else {
                flood.told = Some(now);
                Some(std::mem::take(&mut flood.untold))
            }
        };
        let unread = Unread { form: "unread", listener: &peer.listener, uid: peer.uid };
        match count {
            Some(1) => self.gate.refuse_unread(unread, reason, why).await,
            Some(count) => {
                let why = format!("{why} ({count} were refused so since the last such record)");
                self.gate.refuse_unread(unread, reason, &why).await
            }
            None => Denial { reason, why: why.to_owned(), rule: None, unrecorded: false },
        }
    }
}

/// Says the last word, and reads what the client still sends, so that it reads the answer before
/// it finds the connection reset.
pub(super) async fn farewell(socket: &mut Socket, answer: &[u8]) {
    let rest = async {
        socket.write_all(answer).await?;
        socket.end_writing();
        let mut sink = [0; 4096];
        let mut room = EGRESS_LINGER_BYTES_MAX;
        while room > 0 {
            match socket.read(&mut sink).await? {
                0 => break,
                read => room = room.saturating_sub(read),
            }
        }
        std::io::Result::Ok(())
    };
    // Whoever hangs up or does not read needs no answer.
    let _ = timeout(EGRESS_ANSWER_TIMEOUT, rest).await;
}
