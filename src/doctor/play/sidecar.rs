//! A sidecar of our own for the play, which may be stopped and frozen as the user's may not.

use super::super::subject::Subject;
use super::scene::Scene;
use crate::limits::DOCTOR_START_TIMEOUT;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

pub(super) struct Sidecar {
    child: Child,
}

impl Sidecar {
    /// Starts one, with copies of the policies that no call has met, and waits until it listens.
    pub(super) fn start(scene: &Scene, subject: &Subject) -> Result<Sidecar, String> {
        scene.furnish_sidecar(subject)?;
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let log = std::fs::File::create(scene.at(LOG)).map_err(|error| error.to_string())?;
        let child = Command::new(program)
            .arg("serve")
            .arg("--config")
            .arg(scene.at("toolgate.toml"))
            .current_dir(scene.at("work"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("a sidecar cannot be started: {error}"))?;
        let mut sidecar = Sidecar { child };
        let until = Instant::now() + DOCTOR_START_TIMEOUT;
        let said = || std::fs::read_to_string(scene.at(LOG)).unwrap_or_default();
        loop {
            if said().contains("listening on") && UnixStream::connect(scene.at("run/s")).is_ok() {
                return Ok(sidecar);
            }
            if sidecar.child.try_wait().is_ok_and(|status| status.is_some())
                || Instant::now() > until
            {
                let said = said();
                let why = said.lines().last().unwrap_or("it says nothing").to_owned();
                return Err(format!("a sidecar with these policies does not start: {why}"));
            }
            std::thread::sleep(crate::limits::DOCTOR_POLL);
        }
    }

    /// Its process.
    pub(super) fn pid(&self) -> Result<i32, String> {
        i32::try_from(self.child.id()).map_err(|error| error.to_string())
    }

    /// Ends it as a crash would.
    pub(super) fn kill(mut self) {
        self.end();
    }

    /// Makes it neither answer nor hang up.
    pub(super) fn freeze(&self) -> Result<(), String> {
        kill(Pid::from_raw(self.pid()?), Signal::SIGSTOP)
            .map_err(|error| format!("the sidecar cannot be frozen: {}", error.desc()))
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const LOG: &str = "sidecar.log";

impl Drop for Sidecar {
    fn drop(&mut self) {
        self.end();
    }
}
