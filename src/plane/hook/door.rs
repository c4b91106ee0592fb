//! Where the events of every hook listener come in.
//!
//! A listener knows its own wire and whom it lets speak; what an event comes to is the same
//! everywhere. It is read, judged and written down here, and answered in the runtime's own words.

use super::glimpse;
use super::limit::{Limiter, Telling};
use super::protocol::Reply;
use super::runtime::{self, Event, answer, denial, failure, no_opinion};
use crate::gate::Gate;
use crate::gate::permit::Passage;
use crate::limits::EVENT_BYTES_IN_FLIGHT_MAX;
use crate::model::call::{CallId, Phase, ToolCall};
use crate::model::json::Json;
use crate::model::principal::{Principal, Runtime, Sender};
use crate::model::record::{Durability, Kind, Record};
use crate::world::World;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Who speaks, as the listener knows it; never as the event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The user of the socket's other end; nothing where the system does not tell (TCP).
    pub uid: Option<u32>,
    /// Whether it was shown to be the runtime, and not one of its tools.
    pub sender: Sender,
}

impl Peer {
    /// Anyone with this user id.
    #[must_use]
    pub fn user(uid: u32) -> Peer {
        Peer { uid: Some(uid), sender: Sender::Unproven }
    }
}

/// The one way to the gate that all hook listeners share.
pub struct Door {
    gate: Arc<Gate>,
    world: Arc<dyn World>,
    /// Room for events in memory, in KiB; an event holds its room until it is answered.
    room: Semaphore,
}

impl Door {
    /// For the agents whose files are in `world`.
    #[must_use]
    pub fn new(gate: Arc<Gate>, world: Arc<dyn World>) -> Door {
        Door { gate, world, room: Semaphore::new(kib(EVENT_BYTES_IN_FLIGHT_MAX) as usize) }
    }

    /// Room for an event of so many bytes, to be held until it is answered: events of all
    /// connections share this much memory.
    pub async fn room(&self, length: usize) -> Option<SemaphorePermit<'_>> {
        self.room.acquire_many(kib(length)).await.ok()
    }

    /// The answer to one event, which by then stands in the log. `limiter` is the listener's.
    pub async fn event(
        self: &Arc<Door>,
        runtime: Runtime,
        bytes: &[u8],
        peer: Peer,
        limiter: &Arc<Limiter>,
    ) -> Reply {
        if let Err(over) = limiter.event(peer.uid, Instant::now()) {
            return self.refuse(&over.to_string(), bytes, peer, limiter).await;
        }
        let began = Instant::now();
        let reply = self.judged(runtime, bytes, peer, limiter).await;
        self.gate.answered(began.elapsed());
        reply
    }

    async fn judged(
        self: &Arc<Door>,
        runtime: Runtime,
        bytes: &[u8],
        peer: Peer,
        limiter: &Arc<Limiter>,
    ) -> Reply {
        let id = CallId(uuid::Uuid::now_v7().to_string());
        let event = match runtime::read(runtime, bytes, peer, id) {
            Ok(event) => event,
            Err(error) => {
                let why = error.to_string();
                self.bad_input(Some(runtime), &why, bytes, peer).await;
                return failure(bytes, &format!("the guard cannot read this event: {why}"));
            }
        };
        if let Err(over) = limiter.session(event.principal(), Instant::now()) {
            return self.refuse(&over.to_string(), bytes, peer, limiter).await;
        }
        match event {
            Event::Call(call) => self.call(runtime, *call, bytes).await,
            Event::Other { name, principal, .. } => self.told(&name, *principal).await,
        }
    }

    /// The answer to what is not even looked at: too much of something, or from a stranger. It is
    /// written down, but a flood of it is written down as a number. `beginning` is as much as is
    /// known of the event.
    pub async fn refuse(
        self: &Arc<Door>,
        why: &str,
        beginning: &[u8],
        peer: Peer,
        limiter: &Arc<Limiter>,
    ) -> Reply {
        match limiter.refused(why, Instant::now()) {
            Telling::Now => self.bad_input(None, why, &[], peer).await,
            Telling::After(pause) => {
                let (door, limiter) = (Arc::clone(self), Arc::clone(limiter));
                let why = why.to_owned();
                tokio::spawn(async move {
                    tokio::time::sleep(pause).await;
                    let count = limiter.take_refusals(&why, Instant::now());
                    door.write_down(vec![("why", why.into()), ("count", count.into())]).await;
                });
            }
            Telling::Elsewhere => {}
        }
        denied(beginning, why)
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
    pub async fn bad_input(&self, runtime: Option<Runtime>, why: &str, bytes: &[u8], peer: Peer) {
        let mut details = vec![("why", why.into()), ("peer_uid", peer.uid.into())];
        details.extend(runtime.map(|runtime| ("runtime", runtime.as_str().into())));
        if !bytes.is_empty() {
            let digest: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
            details.push(("bytes", bytes.len().into()));
            details.push(("sha256", digest.into()));
        }
        self.write_down(details).await;
    }

    async fn write_down(&self, details: Vec<(&'static str, Json)>) {
        let record = Record { details, ..Record::new(Kind::BadInput) };
        if let Err(error) = self.gate.note(record).await {
            // The refusal stands either way.
            tracing::error!(%error, "a refused input could not be recorded");
        }
    }
}

/// The denial of an event of which no more is known than its beginning.
#[must_use]
pub fn denied(beginning: &[u8], why: &str) -> Reply {
    match glimpse::event_name(beginning) {
        Some(name) => denial(Some(&name), why),
        None => failure(beginning, why),
    }
}

/// A number of bytes as places of the room for events.
fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX)
}
