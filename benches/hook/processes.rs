//! A hook as a whole process beside `/bin/true`: alone, sixteen at once, and cold.

use crate::Failure;
use crate::series::{Series, WARM_UP};
use crate::sidecar::{Sidecar, field_of};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A record of the log is about this long.
const RECORD: [u8; 900] = [b'x'; 900];
/// Processes at once.
const AT_ONCE: usize = 16;
/// One in so many rounds also starts cold, and starts sixteen: they disturb the others.
const SELDOM: usize = 5;

pub const READ: &str =
    r#","tool_name":"Read","tool_input":{"file_path":"^/a.rs"},"tool_use_id":"t""#;
pub const BASH: &str =
    r#","tool_name":"Bash","tool_input":{"command":"git status --short"},"tool_use_id":"t""#;

#[derive(Default)]
struct Times {
    bare: Series,
    written: Series,
    synced: Series,
    sync: Series,
    inside_written: Series,
    inside_synced: Series,
    bare_many: Series,
    hook_many: Series,
    bare_cold: Series,
    hook_cold: Series,
    /// The hook's file, read as one reads any file.
    read_cold: Series,
    /// Pages that the cold ones had to read from the disk.
    faults: (u64, u64),
}

/// Measures and prints.
///
/// # Errors
/// If anything fails, or is not allowed.
pub fn measure(sidecar: &Sidecar, rounds: usize) -> Result<(), Failure> {
    let read = sidecar.event("bench", "PreToolUse", READ);
    let bash = sidecar.event("bench", "PreToolUse", BASH);
    sidecar.check(&read)?;
    sidecar.check(&bash)?;
    let bare = Program { path: "/bin/true".into(), args: Vec::new() };
    let socket = sidecar.socket.display().to_string();
    let args: Vec<String> =
        ["hook", "claude", "--socket", &socket].iter().map(ToString::to_string).collect();
    let hook = Program { path: sidecar.program.clone(), args };
    // Of their own: the pages of a program that runs stay where they are.
    let (cold_bare, cold_hook) =
        (bare.copy(&sidecar.scratch, "true")?, hook.copy(&sidecar.scratch, "hook")?);
    let mut log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(sidecar.scratch.join("audit/bare-sync"))?;
    let mut times = Times::default();
    for round in 0..rounds + WARM_UP {
        let counted = round >= WARM_UP;
        times.bare.add(counted, || bare.run(b""))?;
        times.written.add(counted, || hook.run(&read))?;
        times.synced.add(counted, || hook.run(&bash))?;
        times.sync.add(counted, || {
            log.write_all(&RECORD)?;
            Ok(log.sync_data()?)
        })?;
        times.inside_written.add(counted, || sidecar.ask(&read).map(drop))?;
        times.inside_synced.add(counted, || sidecar.ask(&bash).map(drop))?;
        if round.is_multiple_of(SELDOM) {
            times.bare_many.add(counted, || bare.run_many(b""))?;
            times.hook_many.add(counted, || hook.run_many(&read))?;
            times.cold(counted, (&cold_bare, &cold_hook), &read)?;
        }
    }
    std::fs::remove_file(sidecar.scratch.join("audit/bare-sync"))?;
    times.print();
    println!("sidecar RSS: {} KiB", sidecar.weight()?.rss.0);
    Ok(())
}

/// What is started.
struct Program {
    path: PathBuf,
    args: Vec<String>,
}

impl Program {
    fn start(&self, input: &[u8]) -> Result<Child, Failure> {
        let mut child = Command::new(&self.path)
            .args(&self.args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // /bin/true may be gone already.
            let _ = stdin.write_all(input);
        }
        Ok(child)
    }

    fn run(&self, input: &[u8]) -> Result<(), Failure> {
        let status = self.start(input)?.wait()?;
        if status.success() { Ok(()) } else { Err(format!("{status}").into()) }
    }

    fn run_many(&self, input: &[u8]) -> Result<(), Failure> {
        let all: Result<Vec<Child>, Failure> = (0..AT_ONCE).map(|_| self.start(input)).collect();
        for mut child in all? {
            let status = child.wait()?;
            if !status.success() {
                return Err(format!("{status}").into());
            }
        }
        Ok(())
    }

    fn copy(&self, dir: &Path, name: &str) -> Result<Program, Failure> {
        let path = dir.join(name);
        std::fs::copy(&self.path, &path)?;
        // What is not on the disk yet cannot be dropped from memory.
        File::open(&path)?.sync_all()?;
        Ok(Program { path, args: self.args.clone() })
    }

    /// Drops the file's pages from memory; whether that was done, the faults tell.
    fn cool(&self) -> Result<(), Failure> {
        let file = File::open(&self.path)?;
        Ok(posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?)
    }
}

impl Times {
    fn cold(
        &mut self,
        counted: bool,
        (bare, hook): (&Program, &Program),
        read: &[u8],
    ) -> Result<(), Failure> {
        bare.cool()?;
        let before = faults()?;
        self.bare_cold.add(counted, || bare.run(b""))?;
        let between = faults()?;
        hook.cool()?;
        self.hook_cold.add(counted, || hook.run(read))?;
        let after = faults()?;
        hook.cool()?;
        self.read_cold.add(counted, || Ok(std::fs::read(&hook.path).map(drop)?))?;
        if counted {
            self.faults.0 += between - before;
            self.faults.1 += after - between;
        }
        Ok(())
    }

    fn print(&self) {
        println!(
            "milliseconds                      rounds      p50      p90      p99   p50 / true"
        );
        let (bare, many) = (self.bare.ms(0.5), self.bare_many.ms(0.5));
        let cold = self.bare_cold.ms(0.5);
        for (name, series, beside) in [
            ("/bin/true", &self.bare, bare),
            ("hook, answer written (Read)", &self.written, bare),
            ("hook, answer synced (Bash)", &self.synced, bare),
            ("bare append + fdatasync", &self.sync, bare),
            ("socket only, written", &self.inside_written, bare),
            ("socket only, synced", &self.inside_synced, bare),
            ("/bin/true, 16 at once", &self.bare_many, many),
            ("hook, written, 16 at once", &self.hook_many, many),
            ("/bin/true, cold", &self.bare_cold, cold),
            ("hook, written, cold", &self.hook_cold, cold),
            ("the hook's file read, cold", &self.read_cold, cold),
        ] {
            let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|share| series.ms(share));
            let (rounds, ratio) = (series.len(), p50 / beside);
            println!("{name:<32} {rounds:>7} {p50:>8.3} {p90:>8.3} {p99:>8.3} {ratio:>8.2}x");
        }
        let over = self.synced.ms(0.5) - bare - self.sync.ms(0.5);
        println!("synced - (true + bare fdatasync): {over:.3} ms");
        let each = |faults: u64| faults as f64 / self.hook_cold.len().max(1) as f64;
        let (bare, hook) = (each(self.faults.0), each(self.faults.1));
        println!("major faults of a cold start: /bin/true {bare:.1}, hook {hook:.1}");
    }
}

/// Major faults of all processes that were waited for.
fn faults() -> Result<u64, Failure> {
    field_of(&std::fs::read_to_string("/proc/self/stat")?, 13)
}
