//! What is to be changed where, before anything is: the files, and all that should be known.

use super::claude::{self, Claude, Managed};
use super::file::{Edit, FileError};
use super::place::{Place, Surroundings, drop_ins};
use super::{Hook, Note, Unfit, binary, codex};
use crate::model::host::Host;
use crate::model::principal::Runtime;
use crate::model::url::Network;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where a user of Codex trusts hooks, beside the hooks.
const CONFIG: &str = "config.toml";

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
    /// What the settings come to, in a few words.
    pub summary: String,
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
    let settings = around.here(&place.settings(runtime, around)?);
    Ok(match (runtime, place) {
        (Runtime::Codex, Place::User) => {
            let config = settings.with_file_name(CONFIG);
            vec![settings, config]
        }
        _ => vec![settings],
    })
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
        let text = match (self.runtime, &self.place) {
            (Runtime::Claude, _) => claude::alone(&self.claude(vec![path.clone()])),
            (Runtime::Codex, Place::Managed) => codex::managed("", &self.hook),
            (Runtime::Codex, _) => codex::alone(&self.hook),
            // It has no settings, as its place has said by now.
            (Runtime::Unknown, _) => Ok(String::new()),
        };
        text.map_err(|why| PlanError::Unfit { path, why })
    }

    /// What is to be changed.
    ///
    /// # Errors
    /// If what is wanted makes no sense, or a file cannot be read or edited. Nothing is changed.
    pub fn plan(&self) -> Result<Plan, PlanError> {
        self.check()?;
        let mut notes = binary::look(Path::new(&self.hook.binary), &self.around)?;
        let mut edits = Vec::new();
        for here in files(self.runtime, &self.place, &self.around)? {
            let edit = Edit::of(&here)?;
            if edit.path != here {
                let text = format!("`{}` is a link to `{}`", here.display(), edit.path.display());
                notes.push(Note::info(text));
            }
            edits.push(edit);
        }
        let named = self.place.settings(self.runtime, &self.around)?;
        let paths = self.names(&named, &edits);
        notes.extend(match self.runtime {
            Runtime::Claude => self.edit_claude(&mut edits, &paths)?,
            Runtime::Codex => self.edit_codex(&mut edits, &named)?,
            Runtime::Unknown => Vec::new(),
        });
        notes.extend(paths.iter().filter(|path| !is_known(path)).map(|path| {
            Note::warning(format!(
                "the policy's own floor does not know `{path}`: name it in the sidecar's \
                 configuration, `[hook] wiring = [\"{path}\"]`",
                path = path.display()
            ))
        }));
        if (self.runtime, &self.place) == (Runtime::Claude, &Place::Managed) {
            notes.extend(drop_ins(&self.around));
        }
        notes.extend(self.place.in_image(&self.around));
        notes.extend(self.place.cannot_hold(self.runtime));
        notes.sort_by_key(|note| !note.is_warning);
        let summary = match self.runtime {
            Runtime::Claude => claude::summary(&self.claude(paths)),
            Runtime::Codex => codex::summary(),
            Runtime::Unknown => String::new(),
        };
        Ok(Plan { edits, notes, summary })
    }

    /// Every name of the settings, as the agent sees them.
    fn names(&self, named: &Path, edits: &[Edit]) -> Vec<PathBuf> {
        let mut names = vec![named.to_owned()];
        if edits.len() > 1 {
            names.push(named.with_file_name(CONFIG));
        }
        // In an image, a path of this machine says nothing.
        let real = edits.iter().filter(|_| self.around.root.is_none()).map(|edit| &edit.path);
        for path in real {
            if !names.contains(path) {
                names.push(path.clone());
            }
        }
        names
    }

    fn edit_claude(&self, edits: &mut [Edit], paths: &[PathBuf]) -> Result<Vec<Note>, PlanError> {
        let mut notes = Vec::new();
        for edit in edits {
            let before = edit.before.clone().unwrap_or_default();
            let unfit = |why| PlanError::Unfit { path: edit.path.clone(), why };
            let wiring = self.claude(paths.to_vec());
            let (after, more) = claude::merge(&before, &wiring).map_err(unfit)?;
            edit.after = Some(after);
            notes.extend(more);
        }
        Ok(notes)
    }

    fn edit_codex(&self, edits: &mut [Edit], named: &Path) -> Result<Vec<Note>, PlanError> {
        let text = |edit: &Edit| edit.before.clone().unwrap_or_default();
        let unfit = |edit: &Edit, why| PlanError::Unfit { path: edit.path.clone(), why };
        match edits {
            [hooks, config] => {
                let done = codex::user(&text(hooks), &text(config), &self.hook, named);
                let (new_hooks, new_config, notes) = done.map_err(|(of, why)| match of {
                    codex::Of::Hooks => unfit(hooks, why),
                    codex::Of::Config => unfit(config, why),
                })?;
                (hooks.after, config.after) = (Some(new_hooks), Some(new_config));
                Ok(notes)
            }
            edits => {
                for edit in edits {
                    let after = codex::managed(&text(edit), &self.hook);
                    edit.after = Some(after.map_err(|why| unfit(edit, why))?);
                }
                Ok(Vec::new())
            }
        }
    }

    fn claude(&self, paths: Vec<PathBuf>) -> Claude {
        let elsewhere = paths.into_iter().filter(|path| !is_known(path));
        Claude {
            hook: self.hook.clone(),
            http: self.http.as_deref().map(with_path),
            managed: (self.place == Place::Managed).then_some(self.managed),
            elsewhere: elsewhere.map(|path| path.display().to_string()).collect(),
        }
    }

    /// What no file can mend.
    ///
    /// # Errors
    /// If what is wanted makes no sense.
    pub fn check(&self) -> Result<(), String> {
        if !Path::new(&self.hook.socket).is_absolute() {
            return Err(format!(
                "the socket `{}` is no absolute path; the agent's directory moves",
                self.hook.socket
            ));
        }
        let is_claude = self.runtime == Runtime::Claude;
        let is_bound = is_claude && self.place == Place::Managed;
        if self.managed != Managed::default() && !is_bound {
            return Err(
                "only the `--managed` settings of `claude` bind permission rules".to_owned()
            );
        }
        if self.http.is_some() && !is_claude {
            return Err("Codex has no HTTP hooks; leave `--http` out".to_owned());
        }
        self.http.as_deref().map_or(Ok(()), loopback)
    }
}

/// The address of the listener is enough: the path on it is known.
fn with_path(url: &str) -> String {
    let url = url.trim_end_matches('/');
    match url.split_once("://").is_some_and(|(_, rest)| rest.contains('/')) {
        true => url.to_owned(),
        false => format!("{url}/v1/hook/claude"),
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
    match directory {
        Some(".claude") => matches!(name, "settings.json" | "settings.local.json"),
        Some(".codex") => matches!(name, "hooks.json" | CONFIG),
        _ => path.starts_with("/etc/claude-code") || path.starts_with("/etc/codex"),
    }
}
