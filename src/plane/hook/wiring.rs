//! Whether a change of the runtime's settings would weaken the wiring that asks us.
//!
//! A refused change leaves the settings of the session as they were. What cannot be looked at may
//! be anything, and is refused. What a file wired when it was last seen must still be wired, and
//! no file may switch hooks off.

use super::events::{Role, role};
use crate::facts::carried;
use crate::limits::{SETTINGS_BYTES_MAX, WIRINGS_MAX};
use crate::model::json::{self, Json};
use crate::model::path::AbsPath;
use crate::world::{FileKind, World};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::{Mutex, PoisonError};

/// The events that each settings file wired when it was last seen.
#[derive(Debug, Default)]
pub struct Wirings {
    known: Mutex<BTreeMap<AbsPath, BTreeSet<String>>>,
}

impl Wirings {
    /// Looks at the settings that a session begins with, so that a later change has something to
    /// be compared with. What is not there, or cannot be seen, tells nothing.
    pub fn look(&self, cwd: Option<&AbsPath>, world: &dyn World) {
        let bases = [world.home(), cwd.cloned()];
        for base in bases.into_iter().flatten() {
            for name in ["settings.json", "settings.local.json"] {
                let Ok(file) = AbsPath::parse(&format!("{base}/.claude/{name}")) else { continue };
                if let Ok(Some(text)) = read(&file, world) {
                    self.remember(&file, wired(&text));
                }
            }
        }
    }

    /// Why a change of this file must be refused, if it must.
    #[must_use]
    pub fn refuses(
        &self,
        source: &str,
        file: Option<&AbsPath>,
        world: &dyn World,
    ) -> Option<String> {
        if source == "policy_settings" {
            // The machine's own: no hook can hold it back.
            return None;
        }
        let Some(file) = file else {
            return Some("it does not say which settings have changed".to_owned());
        };
        let text = match read(file, world) {
            Ok(text) => text.unwrap_or_default(),
            Err(why) => return Some(format!("`{file}` cannot be looked at: {why}")),
        };
        if source == "skills" {
            return (!carried(&text, false).is_empty())
                .then(|| format!("`{file}` would run commands that no hook sees"));
        }
        if let Some(why) = weakens(&text) {
            return Some(format!("`{file}` {why}"));
        }
        let now = wired(&text);
        if let Some(event) = self.before(file).difference(&now).next() {
            return Some(format!("`{file}` does not ask the guard about {event} any more"));
        }
        self.remember(file, now);
        None
    }

    fn before(&self, file: &AbsPath) -> BTreeSet<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(file).cloned().unwrap_or_default()
    }

    fn remember(&self, file: &AbsPath, events: BTreeSet<String>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < WIRINGS_MAX || known.contains_key(file) {
            known.insert(file.clone(), events);
        }
    }
}

/// The text of a file; nothing if there is none.
fn read(file: &AbsPath, world: &dyn World) -> Result<Option<String>, String> {
    match world.resolve(file).kind {
        Ok(FileKind::Absent) => return Ok(None),
        Ok(_) => {}
        Err(doubt) => return Err(doubt.to_string()),
    }
    let opened = world.open(file).map_err(|doubt| doubt.to_string())?;
    let mut text = String::new();
    let mut bounded = opened.take(SETTINGS_BYTES_MAX + 1);
    bounded.read_to_string(&mut text).map_err(|error| error.to_string())?;
    if bounded.limit() == 0 {
        return Err("it is too large".to_owned());
    }
    Ok(Some(text))
}

/// What in these settings switches hooks off.
fn weakens(text: &str) -> Option<&'static str> {
    if text.trim().is_empty() {
        return None;
    }
    let Ok(settings) = json::parse(text.as_bytes()) else { return Some("cannot be read as JSON") };
    match settings.get("disableAllHooks") {
        None | Some(Json::Bool(false)) => {}
        Some(_) => return Some("would switch all hooks off"),
    }
    let hooks = hooks_of(&settings);
    let is_open = |hook: &Json| hook.get("onFailure").and_then(Json::as_str) != Some("block");
    hooks
        .iter()
        // What only tells is wired with `continue`: blocked, it would force another turn.
        .any(|(event, hook)| role(event) != Role::Tells && is_ours(hook) && is_open(hook))
        .then_some("would let calls run when the guard cannot be asked (`onFailure`)")
}

/// The events about which these settings ask us.
fn wired(text: &str) -> BTreeSet<String> {
    let settings = json::parse(text.as_bytes()).unwrap_or_default();
    let hooks = hooks_of(&settings);
    hooks.into_iter().filter(|(_, hook)| is_ours(hook)).map(|(event, _)| event.to_owned()).collect()
}

/// Every hook of the settings, with its event.
fn hooks_of(settings: &Json) -> Vec<(&str, &Json)> {
    let events = settings.get("hooks").and_then(Json::as_object).into_iter().flatten();
    events
        .flat_map(|(event, groups)| {
            let groups = groups.as_array().map(Vec::as_slice).unwrap_or_default();
            let hooks = groups.iter().filter_map(|group| group.get("hooks")?.as_array()).flatten();
            hooks.map(move |hook| (event.as_str(), hook))
        })
        .collect()
}

/// Whether a hook is the client that `init` wires, or asks our listener.
fn is_ours(hook: &Json) -> bool {
    let text = |key: &str| hook.get(key).and_then(Json::as_str).unwrap_or_default();
    let first = hook.get("args").and_then(|args| args.get(0)?.as_str());
    let command = text("command").ends_with("toolgate") && first == Some("hook");
    command || text("url").contains("/v1/hook/")
}
