//! The stage: a process of its own, off the network, in which the model speaks to the client.
//!
//! It tells what happens as JSON lines on standard output, and hears as such on standard input
//! what comes next. When its driver is gone it ends all that belongs to the play: the client with
//! everything it started, the sidecars, the scratch directory.

use super::super::model::{Heard, Model, Turn};
use super::isolate::isolate;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use tokio::sync::mpsc;

/// What is played, written by the driver into the scratch directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    /// The scratch directory.
    pub(super) scratch: PathBuf,
    /// The client and its arguments.
    pub(super) argv: Vec<String>,
    /// Its whole environment but for the model's address.
    pub(super) environment: BTreeMap<String, String>,
    /// Where it is started.
    pub(super) cwd: PathBuf,
    /// What is put over what.
    pub(super) covers: Vec<(PathBuf, PathBuf)>,
    /// Why it must not be played where there is a network; nothing if it may.
    pub(super) never_exposed: Option<String>,
}

/// What the stage tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Told {
    /// The play begins in a network of its own, or beside one, and why so.
    Begins(Result<(), String>),
    /// What the model heard.
    Heard(Heard),
    /// The client ended, with this exit code.
    Ended(Option<i32>),
    /// There is no play.
    Failed(String),
}

/// What the stage is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Cue {
    /// What the model calls next.
    Turn(Turn),
    /// A process of the driver's, which must not outlive it.
    Owns(i32),
    /// The play is over; the driver cleans up.
    End,
}

/// Plays what `plan` says, until the driver ends it or is gone.
#[must_use]
pub fn main(plan: &Path) -> ExitCode {
    match play(plan) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            tell(&Told::Failed(why));
            ExitCode::from(2)
        }
    }
}

fn play(plan: &Path) -> Result<(), String> {
    let text = std::fs::read(plan).map_err(|error| format!("no plan can be read: {error}"))?;
    let plan: Plan = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let isolated = isolate(&plan.covers);
    if let (Err(why), Some(never)) = (&isolated, &plan.never_exposed) {
        return Err(format!("{why}; without one {never}"));
    }
    tell(&Told::Begins(isolated));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the model cannot start: {error}"))?;
    runtime.block_on(direct(&plan))
}

async fn direct(plan: &Plan) -> Result<(), String> {
    let unheard = |error: std::io::Error| format!("the model cannot listen: {error}");
    let (port, listener) = Model::listen().await.map_err(unheard)?;
    let (sender, mut heard) = mpsc::unbounded_channel();
    let model = Model::new(sender);
    tokio::spawn(Arc::clone(&model).serve(listener));
    let mut cues = cues();
    let mut client = start(plan, port)?;
    let mut poll = tokio::time::interval(crate::limits::DOCTOR_POLL);
    let mut owned = Vec::new();
    let mut ended = false;
    loop {
        tokio::select! {
            Some(heard) = heard.recv() => tell(&Told::Heard(heard)),
            cue = cues.recv() => match cue {
                Some(Cue::Turn(turn)) => model.give(turn),
                Some(Cue::Owns(pid)) => owned.push(Pid::from_raw(pid)),
                Some(Cue::End) => {
                    end(&mut client);
                    return Ok(());
                }
                None => {
                    end(&mut client);
                    // A frozen one takes no other signal.
                    for pid in owned {
                        let _ = kill(pid, Signal::SIGKILL);
                    }
                    let _ = std::fs::remove_dir_all(&plan.scratch);
                    return Ok(());
                }
            },
            _ = poll.tick(), if !ended => {
                if let Ok(Some(status)) = client.try_wait() {
                    ended = true;
                    while let Ok(heard) = heard.try_recv() {
                        tell(&Told::Heard(heard));
                    }
                    tell(&Told::Ended(status.code()));
                }
            }
        }
    }
}

/// The driver's cues; the channel closes when the driver is gone.
fn cues() -> mpsc::UnboundedReceiver<Cue> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let cue = line.ok().and_then(|line| serde_json::from_str(&line).ok());
            let Some(cue) = cue else { return };
            if sender.send(cue).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Starts the client in a process group of its own, so that it ends with all that it started.
fn start(plan: &Plan, port: u16) -> Result<Child, String> {
    let (program, arguments) = plan.argv.split_first().ok_or("there is no client to start")?;
    let log = |name: &str| {
        let path = plan.scratch.join(name);
        std::fs::File::create(&path)
            .map_err(|error| format!("`{}` cannot be made: {error}", path.display()))
    };
    Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(&plan.environment)
        .env("ANTHROPIC_BASE_URL", format!("http://127.0.0.1:{port}"))
        .current_dir(&plan.cwd)
        .stdin(Stdio::null())
        .stdout(log(super::CLIENT_OUT)?)
        .stderr(log(super::CLIENT_ERRORS)?)
        .process_group(0)
        .spawn()
        .map_err(|error| format!("the client `{program}` cannot be started: {error}"))
}

fn end(client: &mut Child) {
    if let Ok(pid) = i32::try_from(client.id()) {
        let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
    }
    let _ = client.wait();
}

fn tell(told: &Told) {
    let Ok(mut line) = serde_json::to_vec(told) else { return };
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    // A driver that is gone is noticed by the end of its cues.
    let _ = out.write_all(&line).and_then(|()| out.flush());
}
