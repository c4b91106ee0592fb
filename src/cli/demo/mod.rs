//! `toolgate demo`: the whole product on one screen, with nothing installed.
//!
//! A recorded session of a real agent is played through a real sidecar: its socket, its policy,
//! its log. Nothing of the session is run; the files it speaks of stand in a frozen world.

mod play;
mod screen;
mod session;

use super::{Outcome, failed};
use crate::model::path::AbsPath;
use crate::service::config::Config;
use crate::service::supervise::start_in;
use crate::world::Frozen;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Keep the log here; else it goes when the demo ends
    #[arg(long, value_name = "DIR")]
    audit: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    match demo(arguments) {
        Ok(outcome) => outcome,
        Err(why) => failed(&why),
    }
}

fn demo(arguments: &Arguments) -> Result<Outcome, String> {
    let scratch = Scratch::new()?;
    let audit = arguments.audit.clone().unwrap_or_else(|| scratch.path.join("audit"));
    let recording = session::read()?;
    let config = configuration(&scratch.path, &audit);
    let world = Arc::new(Frozen::with_files(&session::files()?));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| format!("the sidecar cannot start: {error}"))?;
    let running = runtime
        .block_on(start_in(world, &config, None))
        .map_err(|error| format!("the sidecar cannot start: {error}"))?;
    screen::opening();
    let played = play::all(&recording, running.socket(), &audit);
    runtime.block_on(running.stop()).map_err(|error| error.to_string())?;
    let played = played?;
    let fine = screen::closing(&played, &audit, arguments.audit.is_some())?;
    Ok(if fine { Outcome::Fine } else { Outcome::Findings })
}

/// The shipped policy, a socket and a log of our own, and the places of the recording.
fn configuration(scratch: &Path, audit: &Path) -> Config {
    let mut config = Config::default();
    config.hook.socket = scratch.join("hook.sock");
    config.audit.dir = Some(audit.to_owned());
    config.policy.org = PathBuf::new();
    config.policy.workspace = Some(PathBuf::from(session::WORKSPACE));
    config
}

/// A directory of our own that goes when the demo ends.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn new() -> Result<Scratch, String> {
        let path = std::env::temp_dir().join(format!("toolgate-demo-{}", uuid::Uuid::now_v7()));
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| format!("`{}` cannot be made: {error}", path.display()))?;
        Ok(Scratch { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is only a log of a made-up session.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// A path of the recording.
fn path(text: &str) -> Result<AbsPath, String> {
    AbsPath::parse(text).map_err(|error| format!("the recording is broken: {error}"))
}
