//! The scratch directory of a play: copies of the user's settings and policies, a sidecar's
//! configuration, and the client's home. Nothing of the user's own is a target of any call.

use super::super::claude::settings::{Scope, for_play};
use super::super::subject::Subject;
use super::stage::Plan;
use crate::model::json::Json;
use crate::policy::rule::LayerKind;
use crate::service::config::absolute;
use crate::service::layers::Places;
use serde_json::json;
use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Where everything of a play lies. The directory goes with this value.
pub(super) struct Scene {
    pub(super) root: PathBuf,
}

/// What the kernel takes for the path of a socket, its closing NUL included.
const SOCKET_PATH_BYTES: usize = 108;

impl Scene {
    /// A directory of our own. Short, since a socket's path may have 108 bytes.
    pub(super) fn new() -> Result<Scene, String> {
        let name = uuid::Uuid::now_v7().simple().to_string();
        let name = name.get(20..).unwrap_or(&name);
        let root =
            std::path::absolute(std::env::temp_dir().join(format!("toolgate-doctor-{name}")));
        let root = root.map_err(|error| error.to_string())?;
        let fits = root.join("run/admin.sock").as_os_str().len() < SOCKET_PATH_BYTES;
        let root =
            if fits { root } else { Path::new("/tmp").join(format!("toolgate-doctor-{name}")) };
        directory(&root)?;
        let real = root.canonicalize().map_err(|error| wrong(&root, &error))?;
        let scene = Scene { root: real };
        for name in ["work", "work/.claude", "config", "home", "tmp", "run"] {
            directory(&scene.at(name))?;
        }
        Ok(scene)
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(super) fn text(&self, name: &str) -> String {
        self.at(name).display().to_string()
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), String> {
        let path = self.at(name);
        std::fs::write(&path, text).map_err(|error| wrong(&path, &error))
    }

    /// The user's policies, and a sidecar's configuration that names the copies. Whatever lay
    /// there goes: a call that was not denied may have written to it.
    pub(super) fn furnish_sidecar(&self, subject: &Subject) -> Result<(), String> {
        let config = &subject.request.config;
        let workspace = absolute(&subject.request.workspace).map_err(|error| error.to_string())?;
        let places = Places::of(config).in_workspace(config, &workspace);
        let sources = places.sources().map_err(|error| error.to_string())?;
        for name in ["policy", "org", "work/.toolgate"] {
            no_directory(&self.at(name))?;
        }
        directory(&self.at("policy"))?;
        directory(&self.at("org"))?;
        let mut files = Vec::new();
        for (number, source) in sources.iter().enumerate() {
            let name = match source.layer {
                Some(LayerKind::Org) => format!("org/{number:03}.toml"),
                Some(LayerKind::Project) => {
                    directory(&self.at("work/.toolgate"))?;
                    "work/.toolgate/policy.toml".to_owned()
                }
                Some(LayerKind::User) | None => {
                    let name = format!("policy/{number:03}.toml");
                    files.push(self.text(&name));
                    name
                }
            };
            self.write(&name, &source.text)?;
        }
        let of = |name: &str| Json::from(self.text(name));
        let configuration = json!({
            "hook": { "socket": of("run/s"), "world": "same", "home": of("home") },
            "policy": {
                "files": files, "org": of("org"), "workspace": of("work"),
                "poll_seconds": 0, "unsigned_ok": config.policy.unsigned_ok,
            },
            "audit": { "dir": of("audit") },
        });
        let text = toml::to_string(&configuration).map_err(|error| error.to_string())?;
        self.write("toolgate.toml", &text)
    }

    /// The user's settings, each where the client looks for it, and what is put over what.
    pub(super) fn furnish_settings(
        &self,
        subject: &Subject,
    ) -> Result<Vec<(PathBuf, PathBuf)>, String> {
        let (socket, us) = (self.text("run/s"), nix::unistd::geteuid().as_raw());
        let mut covers = Vec::new();
        for (number, file) in subject.settings().iter().enumerate() {
            let name = match file.scope {
                Scope::User => "config/settings.json".to_owned(),
                Scope::Project => "work/.claude/settings.json".to_owned(),
                Scope::Local => "work/.claude/settings.local.json".to_owned(),
                Scope::Flag => FLAG.to_owned(),
                Scope::Managed => format!("managed-{number:03}.json"),
            };
            // What cannot be read is handed on as it is: the client decides what that means.
            let text = match &file.content {
                Ok(content) => for_play(content, &socket, us).to_string(),
                Err(_) => std::fs::read_to_string(&file.path)
                    .map_err(|error| wrong(&file.path, &error))?,
            };
            self.write(&name, &text)?;
            if file.scope == Scope::Managed {
                covers.push((self.at(&name), file.path.clone()));
            }
        }
        Ok(covers)
    }

    /// What the stage is to play.
    pub(super) fn plan(
        &self,
        subject: &Subject,
        client: &Path,
        covers: Vec<(PathBuf, PathBuf)>,
        never_exposed: Option<String>,
    ) -> Plan {
        let mut argv = vec![client.display().to_string()];
        let words = [
            "-p",
            "play the script",
            "--permission-mode",
            "bypassPermissions",
            "--output-format",
            "stream-json",
            "--verbose",
            "--strict-mcp-config",
        ];
        argv.extend(words.map(str::to_owned));
        if subject.request.settings.is_some() {
            argv.extend(["--settings".to_owned(), self.text(FLAG)]);
        }
        Plan {
            scratch: self.root.clone(),
            argv,
            environment: self.environment(),
            cwd: self.at("work"),
            covers,
            never_exposed,
        }
    }

    /// The client's whole environment but for the model's address. No proxy leads anywhere, no
    /// credential is one, and nothing is written but here.
    fn environment(&self) -> BTreeMap<String, String> {
        const NOWHERE: &str = "http://127.0.0.1:9";
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".to_owned());
        let mut all = vec![
            ("PATH", path),
            ("HOME", self.text("home")),
            ("CLAUDE_CONFIG_DIR", self.text("config")),
            ("CLAUDE_CODE_TMPDIR", self.text("tmp")),
            ("TMPDIR", self.text("tmp")),
        ];
        let fixed = [
            ("SHELL", "/bin/bash"),
            ("LANG", "C.UTF-8"),
            // Else the client refuses to run without prompts as root.
            ("IS_SANDBOX", "1"),
            ("ANTHROPIC_API_KEY", "toolgate-doctor-needs-no-key"),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
            ("DISABLE_TELEMETRY", "1"),
            ("DISABLE_ERROR_REPORTING", "1"),
            ("DISABLE_AUTOUPDATER", "1"),
            ("NO_PROXY", "127.0.0.1,localhost"),
            ("no_proxy", "127.0.0.1,localhost"),
        ];
        all.extend(fixed.map(|(name, value)| (name, value.to_owned())));
        let proxies = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
        all.extend(proxies.map(|name| (name, NOWHERE.to_owned())));
        all.extend(["http_proxy", "https_proxy"].map(|name| (name, NOWHERE.to_owned())));
        all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// The copy of what the client is given by `--settings`.
const FLAG: &str = "flag.json";

impl Drop for Scene {
    fn drop(&mut self) {
        // What cannot be removed is only copies and the log of a made-up session.
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

fn directory(path: &Path) -> Result<(), String> {
    std::fs::DirBuilder::new().mode(0o700).create(path).map_err(|error| wrong(path, &error))
}

fn no_directory(path: &Path) -> Result<(), String> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(wrong(path, &error)),
        _ => Ok(()),
    }
}

fn wrong(path: &Path, error: &std::io::Error) -> String {
    format!("`{}` cannot be written: {error}", path.display())
}
