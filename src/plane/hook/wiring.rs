//! Whether a change of the runtime's settings would weaken the wiring that asks us.
//!
//! A refused change leaves the settings of the session as they were. What a session's settings
//! held when it was first heard of must still be there, word for word, and nothing may come that
//! runs programs of its own beside it. What cannot be looked at may be anything, and is refused.
//! A person who means such a change begins a new session.
//!
//! It is a guard against carelessness and against most attacks, not against a program that swaps
//! the file just after it was looked at: only managed settings hold against that.

use crate::facts::carried;
use crate::limits::{CALL_AGE_MAX, SETTINGS_BYTES_MAX, WIRINGS_MAX};
use crate::model::json::{self, Json};
use crate::model::path::AbsPath;
use crate::model::principal::Principal;
use crate::session::Key;
use crate::world::{FileKind, World};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What the settings of each session held when it was first heard of.
#[derive(Debug, Default)]
pub struct Wirings {
    sessions: Mutex<HashMap<Key, Session>>,
}

#[derive(Debug)]
struct Session {
    begun: Instant,
    files: BTreeMap<AbsPath, Arc<Seen>>,
}

/// What of one settings file matters here, as text that can be compared.
#[derive(Debug, Default, Clone, PartialEq)]
struct Seen {
    /// Each hook with its event and matcher.
    hooks: BTreeSet<String>,
    /// Each variable.
    variables: BTreeSet<String>,
    /// Each rule that denies something to tools.
    denials: BTreeSet<String>,
}

/// Where an event says that its session's settings may lie.
#[derive(Debug, Clone, Copy)]
pub struct Bases<'a> {
    /// The working directory.
    pub cwd: Option<&'a AbsPath>,
    /// The transcript, which lies in the runtime's own directory.
    pub transcript: Option<&'a AbsPath>,
}

impl Wirings {
    /// Whether a session was heard of before.
    #[must_use]
    pub fn knows(&self, by: &Principal) -> bool {
        self.lock().contains_key(&Key::of(by))
    }

    /// Looks at the settings that a session begins with. Only the first look counts: whoever sends
    /// events later cannot have it forgotten.
    pub fn begin(&self, by: &Principal, bases: Bases<'_>, world: &dyn World) {
        let mut files = BTreeMap::new();
        for directory in directories(bases, world) {
            for name in ["settings.json", "settings.local.json"] {
                let Ok(file) = AbsPath::parse(&format!("{directory}/{name}")) else { continue };
                if let Ok(text) = read(&file, world) {
                    files.insert(file, Seen::of(&text.unwrap_or_default()));
                }
            }
        }
        let mut sessions = self.lock();
        if sessions.len() >= WIRINGS_MAX {
            sessions.retain(|_, session| session.begun.elapsed() < CALL_AGE_MAX);
        }
        // With no room left nothing is known of a further one, and its changes are refused.
        if sessions.len() < WIRINGS_MAX {
            let known = sessions.values().flat_map(|session| &session.files);
            let known: BTreeMap<&AbsPath, &Arc<Seen>> = known.collect();
            let share = |(file, seen): (AbsPath, Seen)| {
                let same = known.get(&file).filter(|known| ***known == Arc::new(seen.clone()));
                let seen = same.map_or_else(|| Arc::new(seen), |same| Arc::clone(same));
                (file, seen)
            };
            let files = files.into_iter().map(share).collect();
            let begun = Instant::now();
            sessions.entry(Key::of(by)).or_insert(Session { begun, files });
        }
    }

    /// Why a change of this file must be refused, if it must.
    #[must_use]
    pub fn refuses(
        &self,
        by: &Principal,
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
        if let Some(why) = switches_off(&text) {
            return Some(format!("`{file}` {why}"));
        }
        let Some(before) = self.before(by, file) else {
            return Some(format!("`{file}` was not seen as the session began; begin a new one"));
        };
        let now = Seen::of(&text);
        if let Some(why) = now.weakens(&before) {
            return Some(format!("`{file}` {why}; begin a new session if it is meant"));
        }
        if let Some(session) = self.lock().get_mut(&Key::of(by)) {
            session.files.insert(file.clone(), Arc::new(now));
        }
        None
    }

    /// What was seen of a file; nothing if it was never looked at, and may have held anything.
    fn before(&self, by: &Principal, file: &AbsPath) -> Option<Arc<Seen>> {
        self.lock().get(&Key::of(by))?.files.get(file).map(Arc::clone)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The directories that hold settings: the project's, which may begin above the working directory,
/// the user's by name, and the one that the transcript lies in, wherever that is.
fn directories(bases: Bases<'_>, world: &dyn World) -> BTreeSet<String> {
    let transcript = bases.transcript.map(ToString::to_string);
    let config = transcript.as_deref().and_then(|path| path.rsplit_once("/projects/"));
    let cwd = bases.cwd.map(ToString::to_string);
    let above = cwd.iter().flat_map(|cwd| Path::new(cwd).ancestors());
    let above = above.filter_map(|base| base.join(".claude").to_str().map(str::to_owned));
    let named = above.chain(world.home().map(|base| format!("{base}/.claude")));
    named.chain(config.map(|(directory, _)| directory.to_owned())).collect()
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

/// What in these settings switches hooks off whatever they were before.
fn switches_off(text: &str) -> Option<&'static str> {
    if text.trim().is_empty() {
        return None;
    }
    let Ok(settings) = json::parse(text.as_bytes()) else { return Some("cannot be read as JSON") };
    match settings.get("disableAllHooks") {
        None | Some(Json::Bool(false)) => None,
        Some(_) => Some("would switch all hooks off"),
    }
}

impl Seen {
    fn of(text: &str) -> Seen {
        let settings = json::parse(text.as_bytes()).unwrap_or_default();
        let pairs = |key: &str| {
            let all = settings.get(key).and_then(Json::as_object).into_iter().flatten();
            all.map(|(name, value)| format!("{name}={value}")).collect()
        };
        let denials = settings.get("permissions").and_then(|all| all.get("deny"));
        let denials = denials.and_then(Json::as_array).into_iter().flatten();
        Seen {
            hooks: hooks_of(&settings),
            variables: pairs("env"),
            denials: denials.map(ToString::to_string).collect(),
        }
    }

    /// What of `before` is not so any more, or has come beside it.
    fn weakens(&self, before: &Seen) -> Option<String> {
        let event = |hook: &String| hook.split('\t').next().unwrap_or_default().to_owned();
        if let Some(hook) = before.hooks.difference(&self.hooks).next() {
            return Some(format!("does not have the hook of {} as it was", event(hook)));
        }
        if let Some(hook) = self.hooks.difference(&before.hooks).next() {
            return Some(format!("brings another hook of {}, which no one sees", event(hook)));
        }
        if before.variables != self.variables {
            return Some("changes the variables that hooks and tools are given".to_owned());
        }
        let rule = before.denials.difference(&self.denials).next()?;
        Some(format!("does not deny {rule} any more"))
    }
}

/// Every hook of the settings, with its event and matcher before it.
fn hooks_of(settings: &Json) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (event, groups) in settings.get("hooks").and_then(Json::as_object).into_iter().flatten() {
        for group in groups.as_array().into_iter().flatten() {
            let matcher = group.get("matcher").cloned().unwrap_or_default();
            for hook in group.get("hooks").and_then(Json::as_array).into_iter().flatten() {
                all.insert(format!("{event}\t{matcher}\t{hook}"));
            }
        }
    }
    all
}
