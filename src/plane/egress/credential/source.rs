//! Where a secret comes from: a file, a descriptor that the sidecar was started with, or a command.
//!
//! Nothing of a secret is in an error, in an argument or in an environment. What is read on the
//! way stands in memory that is overwritten.

use super::secret::{BadSecret, Secret};
use crate::limits::{CREDENTIAL_BYTES_MAX, CREDENTIAL_COMMAND_TIMEOUT};
use nix::fcntl::OFlag;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file; read again when it changes.
    File(PathBuf),
    /// A descriptor of this process; read once, to its end, and closed.
    Descriptor(i32),
    /// What a program writes to its standard output; asked again after a while.
    Command(Vec<String>),
}

/// Why a source gives no secret.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file cannot be read.
    #[error("the file `{0}` {1}")]
    File(PathBuf, String),
    /// The descriptor cannot be read.
    #[error("the descriptor {0} cannot be read: {1}")]
    Descriptor(i32, std::io::Error),
    /// The program did not end well.
    #[error("the command `{0}` {1}")]
    Command(String, String),
    /// What it gave is no secret.
    #[error("the secret {0}")]
    Secret(#[from] BadSecret),
}

/// Which version of a file was read: another one has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Source {
    /// Reads it. A command is waited for, so not where others wait.
    ///
    /// # Errors
    /// If it gives no secret.
    pub fn read(&self) -> Result<Secret, SourceError> {
        let given = match self {
            Source::File(path) => read_file(path)?,
            Source::Descriptor(number) => {
                read_descriptor(*number).map_err(|why| SourceError::Descriptor(*number, why))?
            }
            Source::Command(words) => ask(words)?,
        };
        Ok(Secret::parse(&given)?)
    }

    /// Which version of its file is there now.
    pub(super) fn version(&self) -> Option<Version> {
        let Source::File(path) = self else { return None };
        let meta = std::fs::metadata(path).ok()?;
        Some(Version {
            device: meta.dev(),
            inode: meta.ino(),
            length: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        })
    }
}

fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    let wrong = |why: String| SourceError::File(path.to_owned(), why);
    let unread = |error: std::io::Error| wrong(format!("cannot be read: {error}"));
    // Opened without waiting: a pipe is refused, not waited for.
    let flags = OFlag::O_NONBLOCK.bits();
    let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = file.map_err(unread)?;
    let meta = file.metadata().map_err(unread)?;
    if !meta.is_file() {
        return Err(wrong("is no regular file".to_owned()));
    }
    if meta.mode() & 0o007 != 0 {
        return Err(wrong("is open to every user; use mode 0600 or 0640".to_owned()));
    }
    drain(file).map_err(unread)
}

/// By its name in `/proc`, which opens what it leads to once more; the one that we were given is
/// closed then, so that no child inherits it.
fn read_descriptor(number: i32) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(format!("/proc/self/fd/{number}"))?;
    let _ = nix::unistd::close(number);
    drain(file)
}

/// What can be read, up to what a secret may have; its room never moves, so no copy is left behind.
fn drain(from: impl Read) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let room = CREDENTIAL_BYTES_MAX + 64;
    let mut given = Zeroizing::new(Vec::with_capacity(room + 64));
    from.take(u64::try_from(room).unwrap_or(u64::MAX)).read_to_end(&mut given)?;
    Ok(given)
}

/// What a program writes, if it ends well and in time.
fn ask(words: &[String]) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    let program = words.first().cloned().unwrap_or_default();
    let wrong = |why: String| SourceError::Command(program.clone(), why);
    let mut child = Command::new(&program)
        .args(words.iter().skip(1))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // What it complains of may hold the secret.
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| wrong(format!("cannot be run: {error}")))?;
    let output = child.stdout.take();
    let (told, hears) = std::sync::mpsc::channel();
    // A thread of its own: what the program left running may hold the pipe open for ever.
    std::thread::spawn(move || told.send(output.map(drain)));
    let status = wait(&mut child, CREDENTIAL_COMMAND_TIMEOUT)
        .map_err(|error| wrong(format!("cannot be waited for: {error}")))?;
    let Some(status) = status else {
        return Err(wrong(format!(
            "told nothing within {} s",
            CREDENTIAL_COMMAND_TIMEOUT.as_secs()
        )));
    };
    if !status.success() {
        return Err(wrong(format!("failed: {status}")));
    }
    match hears.recv_timeout(CREDENTIAL_COMMAND_TIMEOUT) {
        Ok(Some(Ok(given))) => Ok(given),
        Ok(Some(Err(error))) => Err(wrong(format!("cannot be read: {error}"))),
        Ok(None) | Err(_) => Err(wrong("cannot be read".to_owned())),
    }
}

/// How it ended; nothing if it had to be killed, with everything that it had started.
fn wait(child: &mut Child, most: Duration) -> std::io::Result<Option<std::process::ExitStatus>> {
    let deadline = Instant::now() + most;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            let group = i32::try_from(child.id()).map(nix::unistd::Pid::from_raw);
            if let Ok(group) = group {
                let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
            }
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::{AsRawFd, IntoRawFd};
    use std::os::unix::fs::PermissionsExt;

    const TEXT: &str = "sk-told-to-nobody";

    fn file(scratch: &tempfile::TempDir, text: &str, mode: u32) -> Source {
        let path = scratch.path().join("secret");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        Source::File(path)
    }

    fn told(source: &Source) -> Result<Vec<u8>, String> {
        source.read().map(|secret| secret.bytes().to_vec()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file() {
        let scratch = tempfile::tempdir().unwrap();
        let source = file(&scratch, &format!("{TEXT}\n"), 0o600);
        assert_eq!(told(&source), Ok(TEXT.as_bytes().to_vec()));
        let version = source.version();
        assert!(version.is_some() && version == source.version());
        assert!(file(&scratch, "another", 0o640).version() != version);
        assert!(told(&file(&scratch, TEXT, 0o644)).unwrap_err().contains("open to every user"));
        assert!(told(&file(&scratch, "", 0o600)).unwrap_err().contains("is empty"));
        let long = "x".repeat(CREDENTIAL_BYTES_MAX + 1);
        assert!(told(&file(&scratch, &long, 0o600)).unwrap_err().contains("is longer"));
        let directory = Source::File(scratch.path().to_owned());
        assert!(told(&directory).unwrap_err().contains("no regular file"));
    }

    #[test]
    fn a_descriptor_is_read_once_and_closed() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(TEXT.as_bytes()).unwrap();
        drop(writer);
        let number = std::os::fd::OwnedFd::from(reader).into_raw_fd();
        let source = Source::Descriptor(number);
        assert_eq!(told(&source), Ok(TEXT.as_bytes().to_vec()));
        let other = File::open("/dev/null").unwrap();
        assert!(other.as_raw_fd() == number || told(&source).is_err());
    }

    #[test]
    fn a_command() {
        let run =
            |text: &str| told(&Source::Command(["sh", "-c", text].map(str::to_owned).to_vec()));
        assert_eq!(run(&format!("echo {TEXT}; echo {TEXT} >&2")), Ok(TEXT.as_bytes().to_vec()));
        let failed = run(&format!("echo {TEXT}; exit 3")).unwrap_err();
        assert!(failed.contains('3') && !failed.contains(TEXT), "{failed}");
        let absent = told(&Source::Command(vec!["/nowhere/helper".to_owned()])).unwrap_err();
        assert!(absent.contains("/nowhere/helper"), "{absent}");
    }

    #[test]
    fn a_command_that_does_not_end_is_killed() {
        let words = Command::new("sleep").arg("600").process_group(0).spawn();
        let mut child = words.unwrap();
        assert!(wait(&mut child, Duration::ZERO).unwrap().is_none());
        assert!(child.try_wait().unwrap().is_some());
    }
}
