//! The sidecar's side of the hook socket.
//!
//! One connection, one event, one answer. Whoever may not speak, says something unreadable, or is
//! slow, gets a denial where one can be said, and the server goes on.

use super::protocol::{HEAD_BYTES_MAX, Reply, parse_request_head};
use super::runtime::{self, Event, answer, denial, failure, no_opinion};
use crate::gate::Gate;
use crate::gate::permit::Passage;
use crate::limits::{
    EVENT_BYTES_IN_FLIGHT_MAX, EVENT_BYTES_MAX, EVENT_READ_TIMEOUT, HOOK_CONNECTIONS_MAX,
};
use crate::model::call::{CallId, Phase, ToolCall};
use crate::model::principal::{Principal, Runtime};
use crate::model::record::{Durability, Kind, Record};
use crate::world::World;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

/// One hook socket and whom it serves.
pub struct Server {
    gate: Arc<Gate>,
    world: Arc<dyn World>,
    allow_uid: Vec<u32>,
    /// One place for each connection served; all are free when the server is idle.
    places: Arc<Semaphore>,
    /// Room for events in memory, in KiB; an event holds its room until it is answered.
    room: Semaphore,
}

impl Server {
    /// Serves the agents whose files are in `world` and whose user is one of `allow_uid`.
    #[must_use]
    pub fn new(gate: Arc<Gate>, world: Arc<dyn World>, allow_uid: Vec<u32>) -> Server {
        Server {
            gate,
            world,
            allow_uid,
            places: Arc::new(Semaphore::new(HOOK_CONNECTIONS_MAX)),
            room: Semaphore::new(kib(EVENT_BYTES_IN_FLIGHT_MAX) as usize),
        }
    }

    /// Waits until no connection is being served.
    pub async fn idle(&self) {
        let all = u32::try_from(HOOK_CONNECTIONS_MAX).unwrap_or(u32::MAX);
        let _ = self.places.acquire_many(all).await;
    }

    /// How many connections are being served.
    #[must_use]
    pub fn connections(&self) -> usize {
        // The place that waits for the next connection serves none.
        HOOK_CONNECTIONS_MAX.saturating_sub(self.places.available_permits() + 1)
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
                self.request(&mut stream, peer.uid()).await
            }
            Ok(peer) => {
                self.bad_input(None, "a user who may not speak here", &[], peer.uid()).await;
                denial(None, "this user may not speak to the guard")
            }
            Err(_) => denial(None, "the guard cannot see who is speaking"),
        };
        // Whoever has hung up will find its own denial.
        let _ = stream.write_all(&reply.to_bytes()).await;
        let _ = stream.shutdown().await;
    }

    async fn request(&self, stream: &mut UnixStream, uid: u32) -> Reply {
        let head = match in_time(read_head(stream)).await {
            Ok(head) => head,
            Err(why) => return self.unreadable(&why, uid).await,
        };
        // Held until the answer is made: events of all connections share this much memory.
        let runtime = head.runtime;
        let Ok(_room) = self.room.acquire_many(kib(head.length)).await else {
            return denial(None, "the guard is closing");
        };
        match in_time(read_event(stream, head)).await {
            Ok(bytes) => {
                let read = std::time::Instant::now();
                let reply = self.event(runtime, &bytes, uid).await;
                self.gate.answered(read.elapsed());
                reply
            }
            Err(why) => self.unreadable(&why, uid).await,
        }
    }

    async fn unreadable(&self, why: &str, uid: u32) -> Reply {
        self.bad_input(None, why, &[], uid).await;
        denial(None, why)
    }

    async fn event(&self, runtime: Runtime, bytes: &[u8], uid: u32) -> Reply {
        let id = CallId(uuid::Uuid::now_v7().to_string());
        match runtime::read(runtime, bytes, uid, id) {
            Ok(Event::Call(call)) => self.call(runtime, *call, bytes).await,
            Ok(Event::Other { name, principal, .. }) => self.told(&name, *principal).await,
            Err(error) => {
                let why = error.to_string();
                self.bad_input(Some(runtime), &why, bytes, uid).await;
                failure(bytes, &format!("the guard cannot read this event: {why}"))
            }
        }
    }

    async fn call(&self, runtime: Runtime, call: ToolCall, bytes: &[u8]) -> Reply {
        let event = match call.phase {
            Phase::Pre => "PreToolUse",
            Phase::Post { failed: true, .. } => "PostToolUseFailure",
            Phase::Post { failed: false, .. } => "PostToolUse",
        };
        let tool = call.tool.clone();
        match self.gate.judge(call, Arc::clone(&self.world)).await {
            Passage::Refusal(refusal) if event == "PostToolUse" => failure(bytes, refusal.reason()),
            passage => answer(runtime, event, &tool, &passage),
        }
    }

    /// An event that holds no call: written down, and answered with no opinion. If it cannot be
    /// written down, what could be held back is.
    async fn told(&self, name: &str, principal: Principal) -> Reply {
        let record = Record {
            principal: Some(principal),
            details: vec![("event", name.into())],
            durability: Durability::Written,
            ..Record::new(match name {
                "SessionStart" => Kind::SessionStart,
                "SessionEnd" => Kind::SessionEnd,
                _ => Kind::RuntimeEvent,
            })
        };
        match self.gate.note(record).await {
            Ok(()) => no_opinion(),
            Err(error) => denial(Some(name), &format!("the log cannot be written: {error}")),
        }
    }

    /// What could not be read is remembered by its length and digest, never by its content.
    async fn bad_input(&self, runtime: Option<Runtime>, why: &str, bytes: &[u8], uid: u32) {
        let digest: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
        let mut details = vec![("why", why.into()), ("peer_uid", uid.into())];
        details.extend(runtime.map(|runtime| ("runtime", runtime.as_str().into())));
        if !bytes.is_empty() {
            details.push(("bytes", bytes.len().into()));
            details.push(("sha256", digest.into()));
        }
        let record = Record { details, ..Record::new(Kind::BadInput) };
        if let Err(error) = self.gate.note(record).await {
            // The refusal stands either way.
            tracing::error!(%error, "a refused input could not be recorded");
        }
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

/// A number of bytes as places of the room for events.
fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX)
}
