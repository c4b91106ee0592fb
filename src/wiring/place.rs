//! Where a runtime's settings lie, and what each place cannot hold.
//!
//! No place but the administrator's holds against everything: what is said here of each was seen
//! on the real clients, and is printed whenever something is wired there.

use super::Note;
use crate::model::principal::Runtime;
use std::path::{Component, Path, PathBuf};

/// Which of a runtime's settings are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Those of the user.
    User,
    /// Those of the repository in the current directory.
    Project,
    /// A file that the runtime is given by name.
    File(PathBuf),
    /// Those of the administrator.
    Managed,
}

/// What a path is made from. It comes as values, so that nothing here looks at the environment.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The user's home.
    pub home: Option<PathBuf>,
    /// `$CLAUDE_CONFIG_DIR` or `$CODEX_HOME`, if it is set.
    pub config: Option<PathBuf>,
    /// The current directory.
    pub directory: PathBuf,
    /// What stands before every path: the root of an image that is being built.
    pub root: Option<PathBuf>,
}

impl Surroundings {
    /// Where a path of the agent's lies here.
    #[must_use]
    pub fn here(&self, path: &Path) -> PathBuf {
        let Some(root) = &self.root else { return path.to_owned() };
        root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The directory of the user's settings, as the agent sees it.
    fn user(&self, name: &str) -> Result<PathBuf, String> {
        match (&self.config, &self.home) {
            (Some(config), _) => Ok(self.directory.join(config)),
            (None, Some(home)) => Ok(home.join(name)),
            (None, None) => Err("there is no `HOME`; name a file with `--settings`".to_owned()),
        }
    }
}

impl Place {
    /// The settings file of this place, as the agent sees it.
    ///
    /// # Errors
    /// If nothing says where it is, or the runtime has no such place.
    pub fn settings(&self, runtime: Runtime, around: &Surroundings) -> Result<PathBuf, String> {
        let path = match (self, runtime) {
            (Place::User, Runtime::Claude) => around.user(".claude")?.join("settings.json"),
            (Place::Project, Runtime::Claude) => around.directory.join(".claude/settings.json"),
            (Place::File(path), Runtime::Claude) => around.directory.join(path),
            (Place::Managed, Runtime::Claude) => MANAGED.into(),
            (Place::User, Runtime::Codex) => around.user(".codex")?.join("hooks.json"),
            (Place::Project | Place::File(_), Runtime::Codex) => {
                return Err(
                    "Codex is wired in the user's settings, or with `--managed`: it takes \
                            no settings file by name, and a repository's hooks only where the \
                            user has trusted each"
                        .to_owned(),
                );
            }
            (Place::Managed, Runtime::Codex) => "/etc/codex/requirements.toml".into(),
            (_, Runtime::Unknown) => return Err("this runtime has no settings".to_owned()),
        };
        Ok(tidy(&path))
    }

    /// What is doubtful about writing this place into an image.
    #[must_use]
    pub fn in_image(&self, around: &Surroundings) -> Option<Note> {
        let (Place::User, Some(_)) = (self, &around.root) else { return None };
        Some(Note::warning(
            "in an image the user's settings are written where this machine's `HOME`, \
             `CLAUDE_CONFIG_DIR` or `CODEX_HOME` leads, which may be nobody's there: use \
             `--managed`",
        ))
    }

    /// What switches these settings off all the same.
    #[must_use]
    pub fn cannot_hold(&self, runtime: Runtime) -> Vec<Note> {
        let texts: &[&str] = match (runtime, self) {
            (Runtime::Claude, Place::User) => CLAUDE_USER,
            (Runtime::Claude, Place::Project) => CLAUDE_PROJECT,
            (Runtime::Claude, Place::File(_)) => CLAUDE_FILE,
            (Runtime::Claude, Place::Managed) => CLAUDE_MANAGED,
            (Runtime::Codex, Place::Managed) => CODEX_MANAGED,
            (Runtime::Codex, _) => CODEX_USER,
            (Runtime::Unknown, _) => &[],
        };
        let always: &[&str] = match runtime {
            Runtime::Claude | Runtime::Unknown => &[],
            Runtime::Codex => CODEX,
        };
        texts.iter().chain(always).map(|&text| Note::warning(text)).collect()
    }
}

/// The administrator's settings of Claude Code.
const MANAGED: &str = "/etc/claude-code/managed-settings.json";

const CLAUDE_USER: &[&str] = &[
    "a project's `.claude/settings.json` or `settings.local.json` with `disableAllHooks: true` \
     switches hooks in the user's settings off, whatever they say themselves; use `--managed`, or \
     start with `claude --settings '{\"disableAllHooks\": false}'`, which was seen to hold",
    "`--bare`, `--safe-mode` and `--setting-sources` without `user` start without them; whoever \
     chooses the arguments needs `--managed`",
];

const CLAUDE_PROJECT: &[&str] = &[
    "the repository's settings are anybody's who can change the repository: these hooks bind a \
     colleague's session, not an adversary's; `.claude/settings.local.json` with \
     `disableAllHooks: true` switches them off",
    "`--bare`, `--safe-mode` and `--setting-sources` without `project` start without them",
];

const CLAUDE_FILE: &[&str] =
    &["they count only where `claude` is started with `--settings` and this file (Agent SDK: the \
     option `settings`); `--bare` and `--safe-mode` start without them"];

const CLAUDE_MANAGED: &[&str] =
    &["they hold against projects, arguments and `--bare`, as long as the agent is not root and \
     cannot write `/etc/claude-code`: mount it read-only"];

const CODEX_USER: &[&str] = &[
    "`[features] hooks = false` in the user's settings or in those of a project that the user has \
     trusted, and `--disable hooks`, switch these hooks off; only `--managed` holds against that",
];

const CODEX_MANAGED: &[&str] = &[
    "they hold against the user's and a project's settings, as long as the agent is not root and \
     cannot write `/etc/codex`: mount it read-only",
];

const CODEX: &[&str] = &[
    "Codex has no switch that makes a failed hook block: if the hook cannot be started, is killed, \
     or takes too long, the tool runs",
    "Codex starts hooks by a shell, which honours `BASH_ENV`: start it with an environment that \
     the agent has not chosen",
];

/// What an administrator's other files do to the settings: each file of `managed-settings.d` is
/// read after ours, and one was seen to switch every hook off.
#[must_use]
pub fn drop_ins(around: &Surroundings) -> Vec<Note> {
    let directory = around.here(Path::new("/etc/claude-code/managed-settings.d"));
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let off = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        let text = std::fs::read_to_string(&path).ok()?;
        let value: serde_json::Value = serde_json::from_str(&text).ok()?;
        let is_off = value.get("disableAllHooks") == Some(&true.into());
        let why = "switches all hooks off, these too; take `disableAllHooks` out of it";
        is_off.then(|| Note::warning(format!("`{}` {why}", path.display())))
    });
    off.collect()
}

/// The path without `.` and `..`, as it is written into rules; links are not followed.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => _ = tidy.pop(),
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => tidy.push(part),
        }
    }
    tidy
}
