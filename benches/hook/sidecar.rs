//! The sidecar that is measured, as a process of its own.

use crate::Failure;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// What HTTP hooks bear.
pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A running sidecar and its scratch directory.
pub struct Sidecar {
    /// The program that serves, and that is started as the hook.
    pub program: PathBuf,
    /// All its files.
    pub scratch: PathBuf,
    /// Where it listens.
    pub socket: PathBuf,
    child: Child,
}

/// What the kernel says of a process.
#[derive(Debug, Clone, Copy)]
pub struct Weight {
    /// Processor time, in seconds: in user and kernel mode.
    pub cpu: (f64, f64),
    /// Memory now, and at most so far, in KiB.
    pub rss: (u64, u64),
}

impl Sidecar {
    /// Starts one with the shipped policy, listening for HTTP as well.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(scratch: &Path) -> Result<Sidecar, Failure> {
        let _ = std::fs::remove_dir_all(scratch);
        std::fs::create_dir_all(scratch.join("work"))?;
        std::fs::write(scratch.join("work/a.rs"), "fn main() {}\n")?;
        std::fs::create_dir(scratch.join("run"))?;
        std::fs::set_permissions(scratch.join("run"), PermissionsExt::from_mode(0o700))?;
        let token = scratch.join("token");
        std::fs::write(&token, TOKEN)?;
        std::fs::set_permissions(&token, PermissionsExt::from_mode(0o600))?;
        let config = scratch.join("toolgate.toml");
        let lines = format!("listen = \"127.0.0.1:0\"\ntoken_file = \"{}\"\n", token.display());
        // As fast as the machine can: no limit is to be measured.
        let free = "events_per_second = 0";
        let text = format!("[hook]\nworld = \"same\"\n{free}\n[http]\n{lines}{free}\n");
        std::fs::write(&config, text)?;
        let built = PathBuf::from(env!("CARGO_BIN_EXE_toolgate"));
        let program = std::env::var_os("TOOLGATE_BIN").map_or(built, PathBuf::from);
        let socket = scratch.join("run/hook.sock");
        let child = Command::new(&program)
            .arg("serve")
            .arg("--config")
            .arg(&config)
            .arg("--socket")
            .arg(&socket)
            .arg("--audit")
            .arg(scratch.join("audit"))
            .arg("--workspace")
            .arg(scratch.join("work"))
            .stderr(std::fs::File::create(scratch.join("stderr"))?)
            .spawn()?;
        let until = Instant::now() + Duration::from_secs(10);
        while !socket.exists() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Sidecar { program, scratch: scratch.to_owned(), socket, child })
    }

    /// Where it answers HTTP hooks.
    ///
    /// # Errors
    /// If it has not said so.
    pub fn http(&self) -> Result<String, Failure> {
        let said = std::fs::read_to_string(self.scratch.join("stderr"))?;
        let at = said.split_once("http://").and_then(|(_, rest)| rest.split_once('/'));
        Ok(at.ok_or("the sidecar does not say where it answers HTTP")?.0.to_owned())
    }

    /// One event about a tool; `name` is the event's.
    #[must_use]
    pub fn event(&self, session: &str, name: &str, call: &str) -> Vec<u8> {
        let work = self.scratch.join("work").display().to_string();
        let call = call.replace('^', &work);
        format!(
            r#"{{"session_id":"{session}","cwd":"{work}","permission_mode":"default","hook_event_name":"{name}"{call}}}"#
        )
        .into_bytes()
    }

    /// Event bytes to answer bytes, without the client's process.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn ask(&self, event: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.write_all(format!("toolgate/1 claude {}\n", event.len()).as_bytes())?;
        stream.write_all(event)?;
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply)?;
        if reply.is_empty() { Err("no answer".into()) } else { Ok(reply) }
    }

    /// The figure would mean nothing if the call were not allowed.
    ///
    /// # Errors
    /// If it is not.
    pub fn check(&self, event: &[u8]) -> Result<(), Failure> {
        let reply = self.ask(event)?;
        let text = String::from_utf8_lossy(&reply);
        if text.contains(r#""permissionDecision":"allow""#) {
            return Ok(());
        }
        Err(format!("the call is not allowed: {text}").into())
    }

    /// What it has cost so far.
    ///
    /// # Errors
    /// If the kernel does not say.
    pub fn weight(&self) -> Result<Weight, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let of = |name: &str| -> Result<u64, Failure> {
            let line = status.lines().find(|line| line.starts_with(name)).ok_or("no memory")?;
            Ok(line.split_whitespace().nth(1).ok_or("no memory")?.parse()?)
        };
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let ticks = |field| field_of(&stat, field).map(|ticks| ticks as f64 / TICKS_PER_SECOND);
        Ok(Weight { cpu: (ticks(14)?, ticks(15)?), rss: (of("VmRSS:")?, of("VmHWM:")?) })
    }

    /// Ends it and removes its files.
    ///
    /// # Errors
    /// If that fails.
    pub fn stop(mut self) -> Result<(), Failure> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(std::fs::remove_dir_all(&self.scratch)?)
    }
}

/// `sysconf(_SC_CLK_TCK)` on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// A field of `/proc/PID/stat`, counted as proc(5) does. The second may hold blanks.
///
/// # Errors
/// If it is not there.
pub fn field_of(stat: &str, field: usize) -> Result<u64, Failure> {
    let (_, rest) = stat.rsplit_once(") ").ok_or("no such field")?;
    Ok(rest.split(' ').nth(field - 3).ok_or("no such field")?.parse()?)
}
