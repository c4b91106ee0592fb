//! What is to be changed where, before anything is: the files, and all that should be known.

use super::claude::{self, Claude, Managed};
use super::file::{Edit, FileError};
use super::place::{Place, Surroundings, drop_ins};
use super::{Hook, Note, Unfit, binary};
use crate::model::host::Host;
use crate::model::principal::Runtime;
use crate::model::url::Network;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What somebody wants wired.
#[derive(Debug, Clone)]
pub struct Request {
    /// Whose hooks.
    pub runtime: Runtime,
    /// Which of its settings.
    pub place: Place,
    /// What the place's path is made from.
    pub around: Surroundings,
    /// The hook client.
    pub hook: Hook,
    /// Where events go that come too often for a process.
    pub http: Option<String>,
    /// What the administrator's settings say beyond the hooks.
    pub managed: Managed,
}

/// The changes, and what to know of them.
#[derive(Debug, Clone)]
pub struct Plan {
    /// One for each file.
    pub edits: Vec<Edit>,
    /// Warnings first.
    pub notes: Vec<Note>,
}

/// Why nothing can be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file cannot be edited without a guess.
    #[error("`{}` was left as it is: {why}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is in the way.
        why: Unfit,
    },
    /// What is wanted makes no sense.
    #[error("{0}")]
    Wanted(String),
}

impl From<String> for PlanError {
    fn from(why: String) -> PlanError {
        PlanError::Wanted(why)
    }
}

/// The files of a place as they lie here, for what takes them back.
///
/// # Errors
/// If nothing says where they are.
pub fn files(
    runtime: Runtime,
    place: &Place,
    around: &Surroundings,
) -> Result<Vec<PathBuf>, String> {
    Ok(vec![around.here(&place.settings(runtime, around)?)])
}

/// The user who runs the sidecar: as given, or whoever owns the socket by now.
///
/// # Errors
/// If neither is known.
pub fn server_uid(given: Option<u32>, socket: &str, around: &Surroundings) -> Result<u32, String> {
    let owner = || match around.root {
        Some(_) => None,
        None => std::fs::metadata(socket).ok().map(|there| there.uid()),
    };
    given.or_else(owner).ok_or_else(|| {
        format!(
            "nothing listens at `{socket}` yet; say which user will with `--server-uid UID`, so \
             that nobody else can answer for the guard"
        )
    })
}

impl Request {
    /// The settings alone, without what is there already.
    ///
    /// # Errors
    /// If what is wanted makes no sense.
    pub fn alone(&self) -> Result<String, PlanError> {
        self.check()?;
        let path = self.place.settings(self.runtime, &self.around)?;
        let unfit = |why| PlanError::Unfit { path: path.clone(), why };
        claude::alone(&self.claude(vec![path.clone()])).map_err(unfit)
    }

    /// What is to be changed.
    ///
    /// # Errors
    /// If what is wanted makes no sense, or a file cannot be read or edited. Nothing is changed.
    pub fn plan(&self) -> Result<Plan, PlanError> {
        self.check()?;
        let mut notes = binary::look(Path::new(&self.hook.binary), &self.around)?;
        let named = self.place.settings(self.runtime, &self.around)?;
        let here = self.around.here(&named);
        let mut edit = Edit::of(&here)?;
        let mut paths = vec![named];
        if edit.path != here && self.around.root.is_none() {
            let text = format!("`{}` is a link to `{}`", here.display(), edit.path.display());
            notes.push(Note::info(text));
            paths.push(edit.path.clone());
        }
        let before = edit.before.clone().unwrap_or_default();
        let unfit = |why| PlanError::Unfit { path: edit.path.clone(), why };
        let (after, more) = claude::merge(&before, &self.claude(paths.clone())).map_err(unfit)?;
        if edit.before.is_some() || !after.is_empty() {
            edit.after = Some(after);
        }
        notes.extend(more);
        notes.extend(paths.iter().filter(|path| !is_known(path)).map(|path| {
            Note::warning(format!(
                "the policy's own floor does not know `{path}`: name it in the sidecar's \
                 configuration, `[hook] wiring = [\"{path}\"]`",
                path = path.display()
            ))
        }));
        if self.place == Place::Managed {
            notes.extend(drop_ins(&self.around));
        }
        notes.extend(self.place.cannot_hold(self.runtime));
        notes.sort_by_key(|note| !note.is_warning);
        Ok(Plan { edits: vec![edit], notes })
    }

    fn claude(&self, paths: Vec<PathBuf>) -> Claude {
        let elsewhere = paths.into_iter().filter(|path| !is_known(path));
        Claude {
            hook: self.hook.clone(),
            http: self.http.clone(),
            managed: (self.place == Place::Managed).then_some(self.managed),
            elsewhere: elsewhere.map(|path| path.display().to_string()).collect(),
        }
    }

    /// What no file can mend.
    fn check(&self) -> Result<(), String> {
        if !Path::new(&self.hook.socket).is_absolute() {
            return Err(format!(
                "the socket `{}` is no absolute path; the agent's directory moves",
                self.hook.socket
            ));
        }
        if self.managed != Managed::default() && self.place != Place::Managed {
            return Err("only `--managed` settings can bind the permission rules".to_owned());
        }
        self.http.as_deref().map_or(Ok(()), loopback)
    }
}

/// Events hold what the agent does and says: they never leave the machine.
fn loopback(url: &str) -> Result<(), String> {
    let wrong = |why: &str| format!("`{url}` {why}; write `http://127.0.0.1:PORT/...`");
    let network = Network::parse_url(url).map_err(|error| wrong(&format!("is no URL: {error}")))?;
    match (network.scheme.as_deref(), &network.host) {
        (Some("http"), Host::Address(address)) if address.is_loopback() => Ok(()),
        _ => Err(wrong("does not lead to this machine alone")),
    }
}

/// Whether the built-in floor, and our permission rules, find such a file by its name.
fn is_known(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let directory = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    let is_settings =
        matches!(name, "settings.json" | "settings.local.json" | "remote-settings.json");
    (directory == Some(".claude") && is_settings) || path.starts_with("/etc/claude-code")
}
