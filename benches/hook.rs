//! What one hook costs, as a whole process beside `/bin/true`, in one rotating run.
//!
//! `cargo bench --bench hook` builds the sidecar for the host; `TOOLGATE_BIN=path` measures
//! another build, such as the static one that images ship. Each round starts `/bin/true`, the hook
//! with a call whose answer need not be on the disk, the hook with one whose must, and does one
//! bare append and fdatasync in the log's directory; so a machine that slows down slows them all.
//! Printed: medians, 90th percentiles, ratios, and the sidecar's memory.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error>;

/// A record of the log is about this long.
const RECORD: [u8; 900] = [b'x'; 900];

fn main() -> Result<(), Failure> {
    let rounds: usize = match std::env::var("ROUNDS") {
        Ok(text) => text.parse()?,
        Err(_) => 300,
    };
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-hook");
    let _ = std::fs::remove_dir_all(&scratch);
    std::fs::create_dir_all(scratch.join("work"))?;
    std::fs::write(scratch.join("work/a.rs"), "fn main() {}\n")?;
    std::fs::create_dir(scratch.join("run"))?;
    let bench = Bench::start(&scratch)?;
    let outcome = bench.measure(rounds);
    bench.stop()?;
    outcome
}

struct Bench {
    program: PathBuf,
    scratch: PathBuf,
    socket: PathBuf,
    sidecar: Child,
}

impl Bench {
    fn start(scratch: &Path) -> Result<Bench, Failure> {
        let built = PathBuf::from(env!("CARGO_BIN_EXE_toolgate"));
        let program = std::env::var_os("TOOLGATE_BIN").map_or(built, PathBuf::from);
        let socket = scratch.join("run/hook.sock");
        std::fs::set_permissions(scratch.join("run"), owner_only())?;
        let sidecar = Command::new(&program)
            .args(["serve", "--socket"])
            .arg(&socket)
            .arg("--audit")
            .arg(scratch.join("audit"))
            .arg("--workspace")
            .arg(scratch.join("work"))
            .stderr(Stdio::null())
            .spawn()?;
        let until = Instant::now() + Duration::from_secs(10);
        while !socket.exists() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Bench { program, scratch: scratch.to_owned(), socket, sidecar })
    }

    fn measure(&self, rounds: usize) -> Result<(), Failure> {
        let read = self.event("Read", &format!(r#"{{"file_path":"{}/a.rs"}}"#, self.work()));
        let bash = self.event("Bash", r#"{"command":"git status --short"}"#);
        self.check(&read)?;
        self.check(&bash)?;
        let mut log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.scratch.join("audit/bare-sync"))?;
        let mut times = Times::default();
        for round in 0..rounds + WARM_UP {
            let counted = round >= WARM_UP;
            times.bare.add(counted, || self.process("/bin/true".as_ref(), &[], b""))?;
            times.written.add(counted, || self.hook(&read))?;
            times.synced.add(counted, || self.hook(&bash))?;
            times.sync.add(counted, || {
                log.write_all(&RECORD)?;
                Ok(log.sync_data()?)
            })?;
            times.inside_written.add(counted, || self.ask(&read))?;
            times.inside_synced.add(counted, || self.ask(&bash))?;
        }
        drop(log);
        std::fs::remove_file(self.scratch.join("audit/bare-sync"))?;
        times.print(rounds);
        println!("sidecar RSS after {} calls: {} KiB", 4 * (rounds + WARM_UP), self.rss()?);
        Ok(())
    }

    fn work(&self) -> String {
        self.scratch.join("work").display().to_string()
    }

    fn event(&self, tool: &str, input: &str) -> Vec<u8> {
        let work = self.work();
        format!(
            r#"{{"session_id":"bench","cwd":"{work}","permission_mode":"default","hook_event_name":"PreToolUse","tool_name":"{tool}","tool_input":{input},"tool_use_id":"t"}}"#
        )
        .into_bytes()
    }

    /// The figure would mean nothing if the calls were not allowed.
    fn check(&self, event: &[u8]) -> Result<(), Failure> {
        let reply = self.reply(event)?;
        let text = String::from_utf8_lossy(&reply);
        if text.contains(r#""permissionDecision":"allow""#) {
            return Ok(());
        }
        Err(format!("the call is not allowed: {text}").into())
    }

    fn hook(&self, event: &[u8]) -> Result<(), Failure> {
        let socket = self.socket.display().to_string();
        self.process(&self.program, &["hook", "claude", "--socket", &socket], event)
    }

    fn process(&self, program: &Path, args: &[&str], input: &[u8]) -> Result<(), Failure> {
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // /bin/true may be gone already.
            let _ = stdin.write_all(input);
        }
        let status = child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("{status}").into()) }
    }

    /// Event bytes to answer bytes, without the client's process.
    fn ask(&self, event: &[u8]) -> Result<(), Failure> {
        self.reply(event).map(drop)
    }

    fn reply(&self, event: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.write_all(format!("toolgate/1 claude {}\n", event.len()).as_bytes())?;
        stream.write_all(event)?;
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply)?;
        Ok(reply)
    }

    fn rss(&self) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.sidecar.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.split_whitespace().nth(1).ok_or("no VmRSS")?.parse()?)
    }

    fn stop(mut self) -> Result<(), Failure> {
        self.sidecar.kill()?;
        self.sidecar.wait()?;
        Ok(std::fs::remove_dir_all(&self.scratch)?)
    }
}

fn owner_only() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o700)
}

/// Rounds that are not counted.
const WARM_UP: usize = 20;

#[derive(Default)]
struct Times {
    bare: Series,
    written: Series,
    synced: Series,
    sync: Series,
    inside_written: Series,
    inside_synced: Series,
}

#[derive(Default)]
struct Series(Vec<Duration>);

impl Series {
    fn add(
        &mut self,
        counted: bool,
        work: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let started = Instant::now();
        work()?;
        if counted {
            self.0.push(started.elapsed());
        }
        Ok(())
    }

    /// The share of the series that is at most this long, in milliseconds.
    fn ms(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort();
        let at = ((sorted.len() as f64 - 1.0) * share) as usize;
        sorted.get(at).copied().unwrap_or_default().as_secs_f64() * 1000.0
    }
}

impl Times {
    fn print(&self, rounds: usize) {
        println!("{rounds} rounds; milliseconds           p50      p90");
        for (name, series) in [
            ("/bin/true", &self.bare),
            ("hook, answer written (Read)", &self.written),
            ("hook, answer synced (Bash)", &self.synced),
            ("bare append + fdatasync", &self.sync),
            ("socket only, written", &self.inside_written),
            ("socket only, synced", &self.inside_synced),
        ] {
            println!("{name:<32} {:>8.3} {:>8.3}", series.ms(0.5), series.ms(0.9));
        }
        let (bare, sync) = (self.bare.ms(0.5), self.sync.ms(0.5));
        println!("written / true: {:.2}x", self.written.ms(0.5) / bare);
        let over = self.synced.ms(0.5) - bare - sync;
        println!("synced - (true + bare fdatasync): {over:.3} ms");
    }
}
