//! What is looked at: where everything lies, and what is found out once for several checks.

use super::check::Watch;
use super::claude::settings::{self, File, Places};
use super::claude::wiring;
use super::files::on_path;
use super::play::{self, Play};
use super::sidecar::Probe;
use crate::service::config::Config;
use std::cell::OnceCell;
use std::path::PathBuf;

/// What the person who asks has said.
#[derive(Debug, Clone)]
pub struct Request {
    /// The client; else `claude` on the PATH.
    pub client: Option<PathBuf>,
    /// Claude Code's directory of the user.
    pub claude_config: PathBuf,
    /// Codex's directory of the user.
    pub codex_config: PathBuf,
    /// Whose project settings and policy count.
    pub workspace: PathBuf,
    /// A settings file that the client is given by `--settings`.
    pub settings: Option<PathBuf>,
    /// Where managed settings lie.
    pub managed: PathBuf,
    /// The sidecar's configuration.
    pub config: Config,
    /// The file that it was read from.
    pub config_file: Option<PathBuf>,
    /// The sidecar's admin socket; else where its configuration says, or beside the hooks' socket.
    pub admin: Option<PathBuf>,
    /// The agent's user.
    pub agent_uid: Option<u32>,
}

/// The same with what was found out.
pub struct Subject {
    pub(super) request: Request,
    pub(super) agent_uid: Option<u32>,
    settings: Vec<File>,
    probe: OnceCell<Probe>,
    play: OnceCell<Result<Play, String>>,
}

impl Subject {
    /// Reads the settings; everything else when a check asks for it.
    #[must_use]
    pub fn of(request: Request) -> Subject {
        let settings = settings::read(&Places {
            user: request.claude_config.clone(),
            workspace: request.workspace.clone(),
            flag: request.settings.clone(),
            managed: request.managed.clone(),
        });
        let agent_uid = request.agent_uid;
        Subject { request, agent_uid, settings, probe: OnceCell::new(), play: OnceCell::new() }
    }

    pub(super) fn settings(&self) -> &[File] {
        &self.settings
    }

    /// The client's program.
    pub(super) fn client(&self) -> Result<PathBuf, String> {
        match &self.request.client {
            Some(named) if named.is_file() => {
                std::path::absolute(named).map_err(|error| error.to_string())
            }
            Some(named) => Err(format!("there is no client at `{}`", named.display())),
            None => on_path("claude").ok_or_else(|| "there is no `claude` on the PATH".to_owned()),
        }
    }

    /// Where the hooks ask: what the wiring says, else the configuration.
    pub(super) fn socket(&self) -> PathBuf {
        let before = wiring::ours(self).into_iter().find(|hook| hook.event == "PreToolUse");
        let told = before.and_then(|hook| hook.told().ok());
        told.map_or_else(|| self.request.config.hook.socket.clone(), |told| told.socket.into())
    }

    /// Where operators ask.
    pub(super) fn admin(&self) -> PathBuf {
        let stated =
            self.request.admin.clone().or_else(|| self.request.config.admin.socket.clone());
        stated.unwrap_or_else(|| self.socket().with_file_name("admin.sock"))
    }

    /// What the running sidecar answered to a few questions.
    pub(super) fn probe(&self) -> &Probe {
        self.probe.get_or_init(|| Probe::ask(self))
    }

    /// What came of a session of the real client, or why there was none.
    pub(super) fn play(&self, watch: &Watch) -> Result<&Play, &str> {
        self.play.get_or_init(|| play::play(self, watch)).as_ref().map_err(String::as_str)
    }
}
