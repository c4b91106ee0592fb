//! Where the events of every hook listener come in.
//!
//! A listener knows its own wire and whom it lets speak; what an event comes to is the same
//! everywhere. It is read, judged and written down here, and answered in the runtime's own words.

use super::protocol::Reply;
use super::runtime::{self, Event, answer, denial, failure, no_opinion};
use crate::gate::Gate;
use crate::gate::permit::Passage;
use crate::limits::EVENT_BYTES_IN_FLIGHT_MAX;
use crate::model::call::{CallId, Phase, ToolCall};
use crate::model::principal::{Principal, Runtime, Sender};
use crate::model::record::{Durability, Kind, Record};
use crate::world::World;
use sha2::{Digest, Sha256};
use std::sync::Arc;
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

    /// The answer to one event, which by then stands in the log.
    pub async fn event(&self, runtime: Runtime, bytes: &[u8], peer: Peer) -> Reply {
        let id = CallId(uuid::Uuid::now_v7().to_string());
        match runtime::read(runtime, bytes, peer, id) {
            Ok(Event::Call(call)) => self.call(runtime, *call, bytes).await,
            Ok(Event::Other { name, principal, .. }) => self.told(&name, *principal).await,
            Err(error) => {
                let why = error.to_string();
                self.bad_input(Some(runtime), &why, bytes, peer).await;
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
    pub async fn bad_input(&self, runtime: Option<Runtime>, why: &str, bytes: &[u8], peer: Peer) {
        let digest: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
        let mut details = vec![("why", why.into()), ("peer_uid", peer.uid.into())];
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

/// A number of bytes as places of the room for events.
fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX)
}
