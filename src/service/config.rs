//! `toolgate.toml`: what the operator says of the sidecar. Nothing of it is policy.

pub mod audit;
pub mod credential;
pub mod egress;
pub mod http;
pub mod model;
pub mod review;
pub mod sinks;

use super::layers::ORG_DIRECTORY;
use crate::limits::{HOOK_CONNECTIONS_CEILING, HOOK_SOCKET, POLICY_POLL_SECONDS};
use crate::model::path::AbsPath;
use crate::plane::hook::limit::Bounds;
use crate::world::{Mounted, Reported, Same, World};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Everything the operator can say. Unknown keys are errors.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub struct Config {
    /// `[hook]`
    pub hook: Hook,
    /// `[http]`
    pub http: http::Http,
    /// `[policy]`
    pub policy: PolicyFiles,
    /// `[audit]`
    pub audit: audit::Audit,
    /// `[admin]`
    pub admin: Admin,
    /// `[review]`
    pub review: review::Review,
    /// `[[credential]]`
    pub credential: Vec<credential::Credential>,
    /// `[egress]`
    pub egress: egress::Egress,
}

/// `[hook]`: the socket that the runtime's hooks speak to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hook {
    /// Where to listen.
    pub socket: PathBuf,
    /// The socket's mode, in octal: `0600`, or `0660` with a shared `group`.
    pub mode: String,
    /// The socket's owner, if it is not the sidecar's own user; only root can give it away.
    pub owner: Option<u32>,
    /// The socket's group id, if it is not the sidecar's own.
    pub group: Option<u32>,
    /// The users who may speak; the sidecar's own user if none is named.
    pub allow_uid: Vec<u32>,
    /// Connections served at once; a further one waits.
    pub connections: usize,
    /// Those of one user; 0 for as many as there are.
    pub connections_per_uid: usize,
    /// Events of one user in a second; 0 for as many as come.
    pub events_per_second: u32,
    /// Sessions of one user.
    pub sessions_max: usize,
    /// Whose files the paths of events name.
    pub world: Option<WorldName>,
    /// For `mounted`: the directories that are the same on both sides.
    pub mounts: Vec<PathBuf>,
    /// The agent's home directory.
    pub home: Option<PathBuf>,
    /// Settings of runtimes that lie where no name tells what they are (`$CLAUDE_CONFIG_DIR`).
    pub wiring: Vec<PathBuf>,
}

/// Whose files a listener's paths name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorldName {
    /// The agent and the sidecar share one mount namespace.
    Same,
    /// Only the declared mounts are the same on both sides.
    Mounted,
    /// The hook client reports links from the agent's side; they may only tighten.
    Client,
}

/// `[policy]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyFiles {
    /// The policy files; the shipped default policy if none is named.
    pub files: Vec<PathBuf>,
    /// The directory that `$workspace` stands for.
    pub workspace: Option<PathBuf>,
    /// The directory that `$tmp` stands for.
    pub tmp: Option<PathBuf>,
    /// The directory of the organisation's policies, which always count; empty for none.
    pub org: PathBuf,
    /// The directory of the user's policies, which count where no file is named.
    pub user: Option<PathBuf>,
    /// Whether the policy of the repository in the workspace counts.
    pub project: bool,
    /// How often the files are looked at for a change, in seconds; 0 is never.
    pub poll_seconds: u32,
    /// Whether a policy that names signers counts although no signature is checked.
    pub unsigned_ok: bool,
}

/// `[admin]`: the socket that operators and probes speak to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Where to listen; beside the hook socket if nothing is said.
    pub socket: Option<PathBuf>,
    /// Where metrics and probes are answered over HTTP; nowhere if nothing is said.
    pub listen: Option<SocketAddr>,
    /// Whether that may be an address that other machines can reach.
    pub expose: bool,
}

impl std::default::Default for PolicyFiles {
    fn default() -> PolicyFiles {
        PolicyFiles {
            files: Vec::new(),
            workspace: None,
            tmp: None,
            org: PathBuf::from(ORG_DIRECTORY),
            user: None,
            project: true,
            poll_seconds: POLICY_POLL_SECONDS,
            unsigned_ok: false,
        }
    }
}

impl std::default::Default for Hook {
    fn default() -> Hook {
        let bounds = Bounds::default();
        Hook {
            socket: PathBuf::from(HOOK_SOCKET),
            mode: "0600".to_owned(),
            owner: None,
            group: None,
            allow_uid: Vec::new(),
            connections: bounds.connections,
            connections_per_uid: bounds.connections_per_uid,
            events_per_second: bounds.events_per_second,
            sessions_max: bounds.sessions_max,
            world: None,
            mounts: Vec::new(),
            home: None,
            wiring: Vec::new(),
        }
    }
}

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration `{0}` cannot be read: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// It is not what it must be.
    #[error("the configuration `{0}` is wrong:\n{1}")]
    Wrong(PathBuf, toml::de::Error),
    /// A value does not fit.
    #[error("{0}")]
    Value(String),
}

impl Config {
    /// Reads the file.
    ///
    /// # Errors
    /// If it cannot be read, is no TOML, or holds a key that is not known.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable(path.to_owned(), error))?;
        toml::from_str(&text).map_err(|error| ConfigError::Wrong(path.to_owned(), error))
    }

    /// Where operators speak to the sidecar.
    ///
    /// # Errors
    /// If agents would come in by the same door.
    pub fn admin_socket(&self) -> Result<PathBuf, ConfigError> {
        let stated = self.admin.socket.clone();
        let socket = stated.unwrap_or_else(|| self.hook.socket.with_file_name("admin.sock"));
        if socket == self.hook.socket {
            return Err(ConfigError::Value(format!(
                "the hook socket `{}` cannot be the admin socket too; set `socket` in `[admin]`",
                socket.display()
            )));
        }
        Ok(socket)
    }
}

impl Admin {
    /// Where metrics and probes are answered over HTTP.
    ///
    /// # Errors
    /// If other machines could ask and nobody said that they may.
    pub fn listen(&self) -> Result<Option<SocketAddr>, ConfigError> {
        match self.listen {
            Some(address) if !address.ip().to_canonical().is_loopback() && !self.expose => {
                Err(ConfigError::Value(format!(
                    "`listen = \"{address}\"` in `[admin]` can be reached from other machines; \
                     use 127.0.0.1, or add `expose = true` if they may read the metrics"
                )))
            }
            address => Ok(address),
        }
    }
}

impl Hook {
    /// The agent's world, as configured.
    ///
    /// # Errors
    /// If a path is not absolute, or `mounts` and `world` do not fit.
    pub fn world(&self) -> Result<Arc<dyn World>, ConfigError> {
        let home = self.home.as_deref().map(absolute).transpose()?;
        let mounts =
            self.mounts.iter().map(|mount| absolute(mount)).collect::<Result<Vec<_>, _>>()?;
        match (self.world, mounts.is_empty()) {
            (Some(WorldName::Mounted), true) => Err(ConfigError::Value(
                "`world = \"mounted\"` needs `mounts`: the directories that are the same on both \
                 sides"
                    .to_owned(),
            )),
            (Some(WorldName::Mounted), false) => Ok(Arc::new(Mounted { mounts, home })),
            (_, false) => Err(ConfigError::Value(
                "`mounts` stands only with `world = \"mounted\"`".to_owned(),
            )),
            (Some(WorldName::Client), true) => Ok(Arc::new(Reported::default())),
            (Some(WorldName::Same), true) => Ok(Arc::new(Same { home, path: None })),
            // Nothing was said: a client's world of which nothing was reported either.
            (None, true) => Ok(Arc::new(Reported::default())),
        }
    }

    /// Where the agent's files are the sidecar's too, a workspace that is not there is a slip: no
    /// rule about it would ever match. Elsewhere it may not be visible here.
    ///
    /// # Errors
    /// If it is no directory.
    pub fn sees(&self, workspace: &AbsPath) -> Result<(), ConfigError> {
        let at = Path::new(workspace.as_str());
        let is_seen = match self.world {
            Some(WorldName::Same) => true,
            Some(WorldName::Mounted) => self.mounts.iter().any(|mount| at.starts_with(mount)),
            Some(WorldName::Client) | None => false,
        };
        if !is_seen || at.is_dir() {
            return Ok(());
        }
        Err(ConfigError::Value(format!(
            "the workspace `{workspace}` is no directory here; make it, or name another with \
             --workspace, or `workspace` in `[policy]`"
        )))
    }

    /// The socket's mode as a number.
    ///
    /// # Errors
    /// If it is no octal mode, or lets anyone else in.
    pub fn mode(&self) -> Result<u32, ConfigError> {
        mode(&self.mode)
    }

    /// What one user may ask of the socket.
    ///
    /// # Errors
    /// If nobody could be served.
    pub fn bounds(&self) -> Result<Bounds, ConfigError> {
        within(Bounds {
            connections: self.connections,
            connections_per_uid: self.connections_per_uid,
            events_per_second: self.events_per_second,
            sessions_max: self.sessions_max,
        })
    }
}

fn mode(text: &str) -> Result<u32, ConfigError> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode & 0o007 == 0 && mode <= 0o770 => Ok(mode),
        _ => Err(ConfigError::Value(format!(
            "`mode = \"{text}\"` must be octal and let no other user in, as \"0600\" or \"0660\""
        ))),
    }
}

fn within(bounds: Bounds) -> Result<Bounds, ConfigError> {
    let wrong = |key: &str, value: usize, why: &str| {
        Err(ConfigError::Value(format!("`{key} = {value}` {why}")))
    };
    if !(1..=HOOK_CONNECTIONS_CEILING).contains(&bounds.connections) {
        let why = format!("must be from 1 to {HOOK_CONNECTIONS_CEILING}");
        return wrong("connections", bounds.connections, &why);
    }
    if bounds.sessions_max == 0 {
        return wrong("sessions_max", 0, "would let no session in");
    }
    Ok(bounds)
}

/// A path of the configuration, which must be absolute.
///
/// # Errors
/// If it is not.
pub fn absolute(path: &Path) -> Result<AbsPath, ConfigError> {
    let text = path
        .to_str()
        .ok_or_else(|| ConfigError::Value(format!("the path `{}` is not UTF-8", path.display())))?;
    AbsPath::parse(text)
        .map_err(|error| ConfigError::Value(format!("the path `{text}` cannot be used: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused() {
        for text in [
            "[hok]\n",
            "[hook]\nsokcet = \"/x\"\n",
            "[hook]\nworld = \"other\"\n",
            "[audit]\ndir = 1\n",
            "[policy]\npoll_seconds = -1\n",
            "[admin]\nmode = \"0666\"\n",
            "[admin]\nlisten = \"127.0.0.1\"\n",
            "[admin]\nlisten = \"localhost:9180\"\n",
            "[admin]\nlisten = 9180\n",
        ] {
            assert!(toml::from_str::<Config>(text).is_err(), "{text}");
        }
        let hook = |text: &str| toml::from_str::<Config>(text).unwrap().hook;
        assert!(hook("[hook]\nworld = \"mounted\"").world().is_err());
        assert!(hook("[hook]\nmounts = [\"/w\"]").world().is_err());
        assert!(hook("[hook]\nworld = \"mounted\"\nmounts = [\"w\"]").world().is_err());
        for mode in ["0666", "rw", "0602", "1777"] {
            assert!(hook(&format!("[hook]\nmode = \"{mode}\"")).mode().is_err(), "{mode}");
        }
        assert_eq!(hook("").mode().unwrap(), 0o600);
        for bound in ["connections = 0", "connections = 65537", "sessions_max = 0"] {
            assert!(hook(&format!("[hook]\n{bound}")).bounds().is_err(), "{bound}");
        }
        assert_eq!(hook("").bounds().unwrap(), Bounds::default());
    }

    #[test]
    fn a_workspace_is_looked_for_where_it_would_be_seen() {
        let scratch = tempfile::tempdir().unwrap();
        let here = scratch.path().display();
        let there = absolute(&scratch.path().join("gone")).unwrap();
        for (text, is_seen) in [
            (String::new(), false),
            ("world = \"client\"".to_owned(), false),
            ("world = \"mounted\"\nmounts = [\"/elsewhere\"]".to_owned(), false),
            (format!("world = \"mounted\"\nmounts = [\"{here}\"]"), true),
            ("world = \"same\"".to_owned(), true),
        ] {
            let hook = toml::from_str::<Config>(&format!("[hook]\n{text}")).unwrap().hook;
            assert_eq!(hook.sees(&there).is_err(), is_seen, "{text}");
            assert!(hook.sees(&absolute(scratch.path()).unwrap()).is_ok(), "{text}");
        }
    }

    #[test]
    fn other_machines_ask_only_where_they_may() {
        let listen = |text: &str| toml::from_str::<Config>(text).unwrap().admin.listen();
        assert_eq!(listen("").unwrap(), None);
        for near in ["127.0.0.1:9180", "127.9.9.9:1", "[::1]:9180", "[::ffff:127.0.0.1]:1"] {
            let stated = listen(&format!("[admin]\nlisten = \"{near}\"")).unwrap();
            assert_eq!(stated, near.parse().ok(), "{near}");
        }
        for far in ["0.0.0.0:9180", "[::]:9180", "10.0.0.1:9180", "[::ffff:10.0.0.1]:1"] {
            let text = format!("[admin]\nlisten = \"{far}\"");
            let why = listen(&text).unwrap_err().to_string();
            assert!(why.contains("other machines") && why.contains("expose = true"), "{why}");
            let stated = listen(&format!("{text}\nexpose = true")).unwrap();
            assert_eq!(stated, far.parse().ok(), "{far}");
        }
    }

    #[test]
    fn the_admin_socket_is_another_one() {
        let socket = |text: &str| toml::from_str::<Config>(text).unwrap().admin_socket();
        assert_eq!(socket("").unwrap(), Path::new(crate::limits::ADMIN_SOCKET));
        let beside = socket("[hook]\nsocket = \"/r/h\"").unwrap();
        assert_eq!(beside, Path::new("/r/admin.sock"));
        let stated = socket("[hook]\nsocket = \"/r/h\"\n[admin]\nsocket = \"/a/s\"").unwrap();
        assert_eq!(stated, Path::new("/a/s"));
        assert!(socket("[hook]\nsocket = \"/r/admin.sock\"").is_err());
    }
}
