//! Which runtime is installed: asked for its version, and whether it reads what is written for it.
//!
//! A client that is too old takes `onFailure` for a key it does not know, and lets every call
//! through when a hook fails. A version that cannot be told counts as too old. The client
//! is started without a shell, and given up when it does not end.

use crate::limits::{CLIENT_SAYS_BYTES_MAX, CLIENT_SAYS_TIMEOUT};
use crate::model::principal::Runtime;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How often a client that has not answered yet is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A released version: three numbers and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl Version {
    /// Reads `1.2.3`. Something before a release (`1.2.3-beta`) is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Version> {
        let mut parts = text.split('.').map(|part| part.parse::<u32>().ok());
        match (parts.next()??, parts.next()??, parts.next()??, parts.next()) {
            (major, minor, patch, None) => Some(Version(major, minor, patch)),
            _ => None,
        }
    }
}

/// The oldest client whose hooks were seen to hold; for Claude Code the first with `onFailure`.
#[must_use]
pub fn oldest(runtime: Runtime) -> Version {
    match runtime {
        Runtime::Claude => Version(2, 1, 295),
        Runtime::Codex => Version(0, 169, 0),
        Runtime::Unknown => Version(u32::MAX, 0, 0),
    }
}

/// The client that a search path leads to. A relative entry leads elsewhere tomorrow: it is none.
#[must_use]
pub fn find(runtime: Runtime, search: &OsStr) -> Option<PathBuf> {
    let places = std::env::split_paths(search).filter(|place| place.is_absolute());
    places.map(|place| place.join(runtime.as_str())).find(|path| {
        std::fs::metadata(path)
            .is_ok_and(|there| there.is_file() && there.permissions().mode() & 0o111 != 0)
    })
}

/// The client's version, if it is one that holds.
///
/// # Errors
/// If it is too old, or does not say in time what it is.
pub fn check(runtime: Runtime, client: &Path) -> Result<Version, String> {
    let name = client.display();
    let said = ask(Command::new(client).arg("--version"))
        .map_err(|why| format!("`{name} --version` {why}"))?;
    let version = said.split_whitespace().find_map(Version::parse);
    let oldest = oldest(runtime);
    match version {
        Some(version) if version >= oldest => Ok(version),
        Some(version) => Err(format!(
            "`{name}` is version {version}; its hooks fail open, {oldest} is the first that was \
             seen to hold; update it"
        )),
        None => Err(format!("`{name} --version` names no released version, such as {oldest}")),
    }
}

/// What keeps Claude Code from reading these settings whole, in its own words. It then drops more
/// than it says: one wrong value anywhere, and no hook of the file is run. It is asked by its
/// `doctor`, about a copy, in a directory of its own.
///
/// # Errors
/// If it cannot be asked. Nothing is known then.
pub fn mistakes(client: &Path, settings: &str) -> Result<Vec<String>, String> {
    let scratch = Scratch::new().map_err(|error| format!("no directory for it: {error}"))?;
    let file = scratch.0.join("settings.json");
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&file)
        .and_then(|mut file| file.write_all(settings.as_bytes()))
        .map_err(|error| format!("no copy for it: {error}"))?;
    let mut command = Command::new(client);
    command.arg("doctor").current_dir(&scratch.0).env_clear();
    command.env("HOME", &scratch.0).env("CLAUDE_CONFIG_DIR", &scratch.0);
    command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    for quiet in ["DISABLE_AUTOUPDATER", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"] {
        command.env(quiet, "1");
    }
    let said = ask(&mut command)?;
    if !said.contains("Claude Code doctor") {
        return Err("said nothing that is understood".to_owned());
    }
    let told = said.lines().skip_while(|line| *line != "Invalid settings").skip(1);
    let told = told.take_while(|line| !line.is_empty()).filter_map(|line| line.strip_prefix("- "));
    Ok(told.map(|line| line.split_once(" › ").map_or(line, |(_, why)| why).to_owned()).collect())
}

/// Variables with which Claude Code (2.1.330, seen by trying) runs no hooks but managed ones.
const UNHOOKING: [&str; 2] = ["CLAUDE_CODE_SIMPLE", "CLAUDE_CODE_SAFE_MODE"];

/// The variable in these settings with which no hook of theirs would run, if there is one.
#[must_use]
pub fn unhooking(settings: &str) -> Option<&'static str> {
    let settings = crate::model::json::parse(settings.as_bytes()).ok()?;
    let variables = settings.get("env")?.as_object()?;
    UNHOOKING.into_iter().find(|name| variables.contains_key(*name))
}

/// A directory that nobody else has, for as long as it is looked at.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> std::io::Result<Scratch> {
        let name = format!("toolgate-init-{}", uuid::Uuid::now_v7());
        let path = std::env::temp_dir().join(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What the client prints.
fn ask(command: &mut Command) -> Result<String, String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot be run: {error}"))?;
    let ended = wait(&mut child);
    if ended.is_err() {
        // By its handle: nothing else can have its id while we hold it.
        let _ = child.kill();
        let _ = child.wait();
    }
    if !ended? {
        return Err("failed".to_owned());
    }
    let mut said = Vec::new();
    let limit = u64::try_from(CLIENT_SAYS_BYTES_MAX).unwrap_or(u64::MAX);
    if let Some(stdout) = child.stdout.take() {
        // A helper that it left behind may hold the pipe open: what is there must do.
        nonblocking(&stdout)?;
        let _ = stdout.take(limit).read_to_end(&mut said);
    }
    Ok(String::from_utf8_lossy(&said).into_owned())
}

fn nonblocking(stdout: &std::process::ChildStdout) -> Result<(), String> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    fcntl(stdout, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
        .map(|_| ())
        .map_err(|error| format!("cannot be read: {}", error.desc()))
}

/// Whether it ended well; an error if it does not end.
fn wait(child: &mut Child) -> Result<bool, String> {
    let until = Instant::now() + CLIENT_SAYS_TIMEOUT;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) if Instant::now() < until => std::thread::sleep(LOOK),
            Ok(None) => return Err("did not answer in time".to_owned()),
            Err(error) => return Err(format!("cannot be waited for: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_switches_hooks_off_is_seen() {
        let simple = r#"{"env": {"A": "1", "CLAUDE_CODE_SIMPLE": "0"}}"#;
        assert_eq!(unhooking(simple), Some("CLAUDE_CODE_SIMPLE"));
        for harmless in [r#"{"env": {"A": "1"}}"#, r#"{"CLAUDE_CODE_SIMPLE": "1"}"#, "{}", "["] {
            assert_eq!(unhooking(harmless), None, "{harmless}");
        }
    }

    #[test]
    fn only_a_released_version_is_one() {
        assert_eq!(Version::parse("2.1.330"), Some(Version(2, 1, 330)));
        assert!(Version(2, 1, 295) < Version(2, 10, 0) && Version(2, 1, 295) < Version(3, 0, 0));
        for bad in ["", "2", "2.1", "2.1.330.1", "2.1.330-beta", "v2.1.330", "2.1.-3", "a.b.c"] {
            assert_eq!(Version::parse(bad), None, "{bad}");
        }
    }
}
