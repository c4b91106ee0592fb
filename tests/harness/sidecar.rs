//! The real sidecar in a scratch directory of its own, and the real client.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long anything here may take before the test fails: far above what it needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A sidecar that runs until it is dropped, and all that belongs to it.
pub struct Sidecar {
    /// Its process; a test may kill it and put another one in its place.
    pub child: Child,
    scratch: tempfile::TempDir,
}

impl Sidecar {
    /// Starts one with this policy, on a world that is the test's own.
    pub fn start(policy: &str) -> Sidecar {
        Sidecar::start_with(policy, "", &mut Command::new(env!("CARGO_BIN_EXE_toolgate")))
    }

    /// The same with more lines under `[hook]`, and by a command of the caller's.
    pub fn start_with(policy: &str, hook: &str, command: &mut Command) -> Sidecar {
        Sidecar::start_logging(policy, hook, None, "", command)
    }

    /// The same with more lines under `[audit]`, and the log where the test wants it.
    pub fn start_logging(
        policy: &str,
        hook: &str,
        log: Option<&Path>,
        audit: &str,
        command: &mut Command,
    ) -> Sidecar {
        // Short, because a socket's path may have 108 bytes.
        let scratch = tempfile::Builder::new().prefix("s").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        let scratch = scratch.unwrap();
        let at = scratch.path().display();
        let log = log.map_or(scratch.path().join("audit"), Path::to_owned);
        let log = log.display();
        // How full the disk is that the tests run on is no part of them.
        let config = format!(
            "[hook]\nsocket = \"{at}/run/s\"\nworld = \"same\"\nhome = \"{at}/home\"\n{hook}\n\
             [policy]\nfiles = [\"{at}/policy.toml\"]\nworkspace = \"{at}/work\"\n\
             [audit]\ndir = \"{log}\"\nspace_warn = \"0%\"\nspace_low = \"0%\"\n{audit}\n"
        );
        std::fs::write(scratch.path().join("policy.toml"), policy).unwrap();
        std::fs::write(scratch.path().join("toolgate.toml"), config).unwrap();
        std::fs::create_dir(scratch.path().join("work")).unwrap();
        command.arg("serve").arg("--config").arg(scratch.path().join("toolgate.toml"));
        // What it says is kept: a test may want to know where it listens, or why it does not.
        let said = std::fs::File::create(scratch.path().join("stderr")).unwrap();
        let child = command.stdin(Stdio::null()).stderr(said).spawn().unwrap();
        let mut sidecar = Sidecar { child, scratch };
        until("the sidecar listens", || {
            assert!(sidecar.is_alive(), "the sidecar did not start");
            let mut stream = UnixStream::connect(sidecar.socket()).ok()?;
            // Its answer to nothing, so that the record of it is not mistaken for another's.
            stream.shutdown(Shutdown::Write).ok()?;
            stream.read_to_end(&mut Vec::new()).ok()
        });
        sidecar
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.scratch.path().join("run/s")
    }

    /// A place in the scratch directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Whether its process still runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What the real client answers to an event of Claude Code.
    pub fn hook(&self, event: impl AsRef<[u8]>) -> Output {
        hook(&["claude", "--socket", self.socket().to_str().unwrap()], event.as_ref())
    }

    /// Every record of the log so far.
    pub fn records(&self) -> Vec<Value> {
        let entries = toolgate::audit::records(&self.path("audit")).unwrap();
        entries.map(|entry| serde_json::from_str(&entry.unwrap().text).unwrap()).collect()
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    /// Stops it in good order and holds its log against itself.
    pub fn stop(mut self) {
        kill(self.pid(), Signal::SIGTERM).unwrap();
        let status = until("the sidecar stops", || self.child.try_wait().unwrap());
        assert!(status.success(), "{status}");
        verify(&self.path("audit"));
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `toolgate audit verify`, which must find nothing.
fn verify(audit: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    let output = command.args(["audit", "verify", "--audit"]).arg(audit).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && !told.contains("BROKEN"), "{told}");
    assert!(!files_below(audit).is_empty(), "nothing was recorded");
}

/// The files of a directory, in order, but for keys and what is only held back.
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let is_one = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        path.is_file() && name != "reserve" && !name.ends_with(".key")
    };
    let mut files: Vec<_> = entries.filter(is_one).collect();
    files.sort();
    files
}

/// What the real client answers, with these arguments after `toolgate hook`.
pub fn hook(arguments: &[&str], event: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    command.arg("hook").args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may have heard enough before the end.
    let _ = child.stdin.take().unwrap().write_all(event);
    child.wait_with_output().unwrap()
}

/// Asks again and again until there is an answer.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "it never came to this: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
