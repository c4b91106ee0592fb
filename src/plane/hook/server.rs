//! The sidecar's side of the hook socket.
//!
//! One connection, one event, one answer. Whoever may not speak, says something unreadable, or is
//! slow, gets a denial where one can be said, and the server goes on.

use super::door::{Door, Peer};
use super::limit::{Bounds, Limiter};
use super::protocol::{HEAD_BYTES_MAX, Reply, parse_request_head};
use super::runtime::denial;
use crate::limits::{EVENT_BYTES_MAX, EVENT_READ_TIMEOUT};
use crate::model::principal::Runtime;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

/// One hook socket and whom it serves.
pub struct Server {
    door: Arc<Door>,
    allow_uid: Vec<u32>,
    limiter: Arc<Limiter>,
    /// One place for each connection served; all are free when the server is idle.
    places: Arc<Semaphore>,
}

impl Server {
    /// Serves the agents whose user is one of `allow_uid`, within `bounds`.
    #[must_use]
    pub fn new(door: Arc<Door>, allow_uid: Vec<u32>, bounds: Bounds) -> Server {
        let places = Arc::new(Semaphore::new(bounds.connections));
        Server { door, allow_uid, limiter: Limiter::new(bounds), places }
    }

    /// Waits until no connection is being served.
    pub async fn idle(&self) {
        let all = u32::try_from(self.limiter.bounds().connections).unwrap_or(u32::MAX);
        let _ = self.places.acquire_many(all).await;
    }

    /// How many connections are being served.
    #[must_use]
    pub fn connections(&self) -> usize {
        // The place that waits for the next connection serves none.
        let all = self.limiter.bounds().connections;
        all.saturating_sub(self.places.available_permits() + 1)
    }

    /// Serves until the listener fails for good or the task is dropped.
    pub async fn serve(self: Arc<Self>, listener: UnixListener) {
        loop {
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let server = Arc::clone(&self);
                    tokio::spawn(async move {
                        server.connection(stream).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    // Out of descriptors, most likely: give the connections time to end.
                    tracing::warn!(%error, "the hook socket could not accept");
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
            }
        }
    }

    async fn connection(&self, mut stream: UnixStream) {
        let reply = match stream.peer_cred() {
            Ok(peer) if self.allow_uid.contains(&peer.uid()) => {
                self.request(&mut stream, Peer::user(peer.uid())).await
            }
            Ok(peer) => {
                let why = "this user may not speak to the guard";
                self.door.refuse(why, &[], Peer::user(peer.uid()), &self.limiter).await
            }
            Err(_) => denial(None, "the guard cannot see who is speaking"),
        };
        // Whoever has hung up will find its own denial.
        let _ = stream.write_all(&reply.to_bytes()).await;
        let _ = stream.shutdown().await;
    }

    async fn request(&self, stream: &mut UnixStream, peer: Peer) -> Reply {
        let _seat = match self.limiter.connect(peer.uid) {
            Ok(seat) => seat,
            Err(over) => {
                return self.door.refuse(&over.to_string(), &[], peer, &self.limiter).await;
            }
        };
        let head = match in_time(read_head(stream)).await {
            Ok(head) => head,
            Err(why) => return self.unreadable(&why, peer).await,
        };
        // Held until the answer is made: events of all connections share this much memory.
        let runtime = head.runtime;
        let Some(_room) = self.door.room(head.length).await else {
            return denial(None, "the guard is closing");
        };
        match in_time(read_event(stream, head)).await {
            Ok(bytes) => self.door.event(runtime, &bytes, peer, &self.limiter).await,
            Err(why) => self.unreadable(&why, peer).await,
        }
    }

    async fn unreadable(&self, why: &str, peer: Peer) -> Reply {
        self.door.bad_input(None, why, &[], peer).await;
        denial(None, why)
    }
}

/// What must have arrived before the sender counts as hung.
async fn in_time<T>(reading: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    match tokio::time::timeout(EVENT_READ_TIMEOUT, reading).await {
        Ok(read) => read,
        Err(_) => Err("the event did not arrive in time".to_owned()),
    }
}

/// The first line of a request, and as much of its event as came with it.
struct Head {
    runtime: Runtime,
    length: usize,
    rest: Vec<u8>,
}

/// Most requests come whole in the first read, so that is taken at once.
const FIRST_READ_BYTES: usize = 16 * 1024;

async fn read_head(stream: &mut UnixStream) -> Result<Head, String> {
    let mut read = Vec::with_capacity(FIRST_READ_BYTES);
    let end = loop {
        if let Some(end) = read.iter().take(HEAD_BYTES_MAX).position(|b| *b == b'\n') {
            break end;
        }
        if read.len() >= HEAD_BYTES_MAX {
            return Err("the request does not begin as this protocol does".to_owned());
        }
        if !matches!(stream.read_buf(&mut read).await, Ok(1..)) {
            return Err("the request is cut short".to_owned());
        }
    };
    let rest = read.split_off(end + 1);
    read.truncate(end);
    let head = String::from_utf8(read).map_err(|_| "the request is no text".to_owned())?;
    let (runtime, length) = parse_request_head(&head).map_err(|error| error.to_string())?;
    if length > EVENT_BYTES_MAX {
        let size = EVENT_BYTES_MAX / (1024 * 1024);
        return Err(format!("the event is larger than {size} MiB"));
    }
    Ok(Head { runtime, length, rest })
}

async fn read_event(stream: &mut UnixStream, head: Head) -> Result<Vec<u8>, String> {
    let mut bytes = head.rest;
    let Some(missing) = head.length.checked_sub(bytes.len()) else {
        return Err("the event is longer than its head says".to_owned());
    };
    bytes.reserve_exact(missing);
    let wanted = u64::try_from(missing).unwrap_or(u64::MAX);
    match stream.take(wanted).read_to_end(&mut bytes).await {
        Ok(read) if read == missing => Ok(bytes),
        Ok(_) | Err(_) => Err("the event is cut short".to_owned()),
    }
}
