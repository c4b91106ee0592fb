//! Playing the recording: each event goes through the hook client's own code to the sidecar.

use super::screen;
use super::session::{Event, Line};
use crate::audit::records;
use crate::audit::wire::WireRecord;
use crate::limits::HOOK_DEADLINE;
use crate::model::principal::Runtime;
use crate::plane::hook::client::{Settings, exchange};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Played {
    /// Calls, by what was decided.
    pub(super) decided: std::collections::BTreeMap<String, usize>,
    /// Outputs with something taken out.
    pub(super) redacted: usize,
    /// How long each answer took, the socket included.
    pub(super) took: Vec<Duration>,
    /// The newest denial's call id, to look at.
    pub(super) denied: Option<String>,
}

/// Plays every line, printing each decision as it falls.
pub(super) fn all(recording: &[Line], socket: &Path, audit: &Path) -> Result<Played, String> {
    let settings = Settings {
        runtime: Runtime::Claude,
        socket: socket.display().to_string(),
        server_uid: Some(nix::unistd::geteuid().as_raw()),
        deadline: HOOK_DEADLINE,
    };
    let mut player =
        Player { settings, audit, held_back: BTreeSet::new(), played: Played::default() };
    for line in recording {
        match line {
            Line::Say(text) => screen::say(text),
            Line::Event(event) => player.event(event)?,
        }
    }
    Ok(player.played)
}

struct Player<'a> {
    settings: Settings,
    audit: &'a Path,
    /// Calls that were refused: in life nothing would have come back from them.
    held_back: BTreeSet<String>,
    played: Played,
}

impl Player<'_> {
    fn event(&mut self, event: &Event) -> Result<(), String> {
        if event.name != "PreToolUse" && self.held_back.contains(&event.call) {
            return Ok(());
        }
        let started = Instant::now();
        let reply = exchange(&self.settings, &event.bytes, started + HOOK_DEADLINE)?;
        self.played.took.push(started.elapsed());
        let record = self.newest()?;
        let Some(decision) = &record.decision else { return Ok(()) };
        if event.name != "PreToolUse" {
            if !decision.obligations.is_empty() {
                self.played.redacted += 1;
                screen::redacted(decision, !reply.stdout.is_empty());
            }
            return Ok(());
        }
        *self.played.decided.entry(decision.effect.clone()).or_default() += 1;
        let number: usize = self.played.decided.values().sum();
        if decision.effect == "deny" {
            self.held_back.insert(event.call.clone());
            self.played.denied.clone_from(&record.tool_use_id);
        }
        screen::decided(number, event, decision);
        Ok(())
    }

    /// The record of what was just answered: it was written before the answer.
    fn newest(&self) -> Result<WireRecord, String> {
        let records = records(self.audit).map_err(|error| error.to_string())?;
        let newest = records.flatten().last().ok_or("the log is empty")?;
        Ok(newest.record)
    }
}
