//! Where the events of every hook listener come in.
//!
//! A listener knows its own wire and whom it lets speak; what an event comes to is the same
//! everywhere. It is read, judged and written down here, and answered in the runtime's own words.

use super::limit::{Limiter, Telling};
use super::mention::leads_to;
use super::protocol::Reply;
use super::runtime::{self, Event, answer, denial, failure, no_opinion};
use super::wiring::{Bases, Wirings};
use crate::gate::Gate;
use crate::gate::permit::Passage;
use crate::limits::EVENT_BYTES_IN_FLIGHT_MAX;
use crate::model::call::{CallId, Phase, ToolCall};
use crate::model::finding::{Code, Finding};
use crate::model::json::Json;
use crate::model::path::AbsPath;
use crate::model::principal::{Runtime, Sender};
use crate::model::record::{Kind, Record};
use crate::model::told::{Ends, Told};
use crate::world::{FileKind, World};
use std::collections::BTreeSet;
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
    /// Which listener it speaks to: `hook` or `http`.
    pub listener: &'static str,
}

impl Peer {
    /// Anyone with this user id.
    #[must_use]
    pub fn user(uid: u32) -> Peer {
        Peer { uid: Some(uid), sender: Sender::Unproven, listener: "hook" }
    }
}

/// The one way to the gate that all hook listeners share.
pub struct Door {
    gate: Arc<Gate>,
    world: Arc<dyn World>,
    wirings: Wirings,
    /// Room for events in memory, in KiB; an event holds its room until it is answered.
    room: Semaphore,
}

impl Door {
    /// For the agents whose files are in `world`.
    #[must_use]
    pub fn new(gate: Arc<Gate>, world: Arc<dyn World>) -> Door {
        let wirings = Wirings::default();
        Door { gate, world, wirings, room: Semaphore::new(kib(EVENT_BYTES_IN_FLIGHT_MAX) as usize) }
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
                return failure(
                    runtime,
                    bytes,
                    &format!("the guard cannot read this event: {why}"),
                );
            }
        };
        if let Err(over) = limiter.session(event.principal(), Instant::now()) {
            return self.refuse(&over.to_string(), bytes, peer, limiter).await;
        }
        self.look_at_settings(&event).await;
        match event {
            Event::Call(call) => self.call(runtime, *call, bytes).await,
            Event::Question(call) => self.question(*call).await,
            Event::Prompt(told, reads) => self.prompt(*told, reads).await,
            Event::Config(told, file) => self.config(*told, file).await,
            Event::Instructions(told, read) => self.instructions(*told, *read).await,
            Event::Told(told) => self.told(*told).await,
        }
    }

    /// At the first that is heard of a session: the settings that it begins with.
    async fn look_at_settings(self: &Arc<Door>, event: &Event) {
        let principal = event.principal().clone();
        if principal.runtime != Runtime::Claude || self.wirings.knows(&principal) {
            return;
        }
        let Bases { cwd, transcript } = event.bases();
        let (cwd, transcript) = (cwd.cloned(), transcript.cloned());
        let door = Arc::clone(self);
        let look = move || {
            let bases = Bases { cwd: cwd.as_ref(), transcript: transcript.as_ref() };
            door.wirings.begin(&principal, bases, door.world.as_ref());
        };
        if tokio::task::spawn_blocking(look).await.is_err() {
            tracing::warn!("the settings of a session could not be looked at");
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
                    let uid = peer.uid.into();
                    let details = [
                        ("why", why.into()),
                        ("peer_uid", uid),
                        ("count", count.into()),
                        ("socket", peer.listener.into()),
                    ];
                    door.write_down(details.to_vec()).await;
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
            Passage::Refusal(refusal) if event == "PostToolUse" => {
                failure(runtime, bytes, refusal.reason())
            }
            passage => answer(runtime, event, &tool, &passage),
        }
    }

    /// The runtime is about to ask a person. What was judged is the person's to answer; what was
    /// not, for another hook has rewritten it, is judged now.
    async fn question(self: &Arc<Door>, call: ToolCall) -> Reply {
        const EVENT: &str = "PermissionRequest";
        if let Some(begun) = self.gate.under_way(&call) {
            let details = vec![("call", begun.0.into()), ("tool_name", call.tool.as_str().into())];
            let ToolCall { principal, permission_mode, cwd, transcript, .. } = call;
            let (event, ends) = (EVENT.to_owned(), Ends::Nothing);
            let told = Told { principal, event, permission_mode, cwd, transcript, details, ends };
            return self.told(told).await;
        }
        let found = Finding { code: Code::QuestionAboutUnjudgedInput, what: Vec::new() };
        match self.gate.look(call, EVENT, Some(found), Arc::clone(&self.world)).await {
            Passage::Refusal(refusal) => denial(Some(EVENT), refusal.reason()),
            // Whether it may run is the person's to say.
            Passage::Permit(_) => no_opinion(),
        }
    }

    /// A prompt puts the files that it mentions before the model: each that is there is judged as
    /// the read that it is.
    async fn prompt(self: &Arc<Door>, told: Told, reads: Vec<ToolCall>) -> Reply {
        let event = "UserPromptSubmit";
        let (world, transcript) = (Arc::clone(&self.world), told.transcript.clone());
        let look = move || there(reads, transcript.as_ref(), world.as_ref());
        let there = tokio::task::spawn_blocking(look).await;
        let Ok(there) = there else { return denial(Some(event), "an internal error") };
        for read in there {
            let passage = self.gate.look(read, event, None, Arc::clone(&self.world)).await;
            if let Passage::Refusal(refusal) = passage {
                let why = format!("a file that the prompt mentions: {}", refusal.reason());
                return denial(Some(event), &why);
            }
        }
        self.told(told).await
    }

    /// Text that steers the model has come in from a file. It cannot be held back; what the policy
    /// would not have let be read is found.
    async fn instructions(self: &Arc<Door>, told: Told, read: ToolCall) -> Reply {
        let event = "InstructionsLoaded";
        let what = read.input.get("file_path").and_then(Json::as_str).map(str::to_owned);
        let found = match self.gate.look(read, event, None, Arc::clone(&self.world)).await {
            Passage::Refusal(_) => {
                Some(Finding { code: Code::InstructionsDenied, what: what.into_iter().collect() })
            }
            Passage::Permit(_) => None,
        };
        match self.gate.told(told, found).await {
            Ok(()) => no_opinion(),
            Err(error) => denial(Some(event), &unwritable(&error)),
        }
    }

    /// The settings have changed: a change that would weaken our wiring is refused.
    async fn config(self: &Arc<Door>, told: Told, file: Option<AbsPath>) -> Reply {
        let event = "ConfigChange";
        let source = told.details.iter().find(|(name, _)| *name == "source");
        let source = source.and_then(|(_, source)| source.as_str()).unwrap_or_default().to_owned();
        let (door, by) = (Arc::clone(self), told.principal.clone());
        let look = move || door.wirings.refuses(&by, &source, file.as_ref(), door.world.as_ref());
        let refused = match tokio::task::spawn_blocking(look).await {
            Ok(refused) => refused,
            Err(_) => Some("it could not be looked at: an internal error".to_owned()),
        };
        let finding =
            |why: &String| Finding { code: Code::ConfigChangeRefused, what: vec![why.clone()] };
        match (self.gate.told(told, refused.as_ref().map(finding)).await, refused) {
            (Ok(()), None) => no_opinion(),
            (Ok(()), Some(why)) => denial(Some(event), &format!("the change is refused: {why}")),
            (Err(error), _) => denial(Some(event), &unwritable(&error)),
        }
    }

    /// An event that holds no call: written down, and answered with no opinion. If it cannot be
    /// written down, what could be held back is.
    async fn told(self: &Arc<Door>, told: Told) -> Reply {
        let event = told.event.clone();
        match self.gate.told(told, None).await {
            Ok(()) => no_opinion(),
            Err(error) => denial(Some(&event), &unwritable(&error)),
        }
    }

    /// What could not be read is remembered by its length and a commitment, never by its content:
    /// nobody took secrets out of it, and a bare hash of it could be guessed at.
    pub async fn bad_input(&self, runtime: Option<Runtime>, why: &str, bytes: &[u8], peer: Peer) {
        let mut details = vec![
            ("why", why.into()),
            ("peer_uid", peer.uid.into()),
            ("socket", peer.listener.into()),
        ];
        details.extend(runtime.map(|runtime| ("runtime", runtime.as_str().into())));
        if !bytes.is_empty() {
            details.push(("bytes", bytes.len().into()));
            details.extend(self.gate.commitment(bytes).map(|hmac| ("hmac", hmac.into())));
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
    // The clients of other runtimes say it again in their own form.
    failure(Runtime::Claude, beginning, why)
}

fn unwritable(error: &impl std::fmt::Display) -> String {
    format!("the log cannot be written: {error}")
}

/// Those reads of mentioned files that lead to one; what cannot be looked at may be one.
fn there(reads: Vec<ToolCall>, transcript: Option<&AbsPath>, world: &dyn World) -> Vec<ToolCall> {
    let mut homes: Vec<AbsPath> = world.home().into_iter().collect();
    homes.extend(transcript.and_then(home_of).filter(|home| !homes.contains(home)));
    let mut there = Vec::new();
    for read in reads {
        let Some(file) = read.input.get("file_path").and_then(Json::as_str) else { continue };
        let homes = homes.iter().map(Some).chain(homes.is_empty().then_some(None));
        let places: BTreeSet<String> = homes
            .filter_map(|home| leads_to(file, read.cwd.as_ref(), home))
            .filter(|file| world.resolve(file).kind != Ok(FileKind::Absent))
            .map(|file| file.to_string())
            .collect();
        there.extend(places.into_iter().map(|file| ToolCall {
            input: serde_json::json!({ "file_path": file }),
            ..read.clone()
        }));
    }
    there
}

/// The home directory that a transcript lies in, if it lies where Claude Code puts it by itself.
fn home_of(transcript: &AbsPath) -> Option<AbsPath> {
    let text = transcript.to_string();
    let (home, _) = text.rsplit_once("/.claude/projects/")?;
    AbsPath::parse(home).ok()
}

/// A number of bytes as places of the room for events.
fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX)
}
