//! The hook client: event in, the runtime's own answer out. Small, synchronous, and never open.
//!
//! It runs once for every tool call, started by the runtime with an environment that the project
//! may have written. So it takes nothing from the environment, starts no thread and no async
//! runtime, prints exactly once, and ends with a denial whatever fails, a panic included.

use super::answer::accept;
use super::protocol::{Reply, request_head};
use super::runtime::failure;
use crate::limits::{EVENT_BYTES_MAX, EVENT_BYTES_READ_MAX, HOOK_DEADLINE};
use crate::model::principal::Runtime;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, socket, sockopt,
};
use std::io::{IsTerminal, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The room that a reply may take: an event comes back at most once, redacted.
const REPLY_BYTES_MAX: usize = 2 * EVENT_BYTES_MAX;
/// How long to wait before asking again for a place in a full backlog.
const BACKLOG_WAIT: Duration = Duration::from_millis(2);

/// Memory kept back for saying that something failed.
const FUND_BYTES: usize = 512 * 1024;
/// How much memory it takes at most to look into a text of JSON, in lengths of that text; what
/// takes more is made of tiny values, and no output of a tool is.
const LOOK_FACTOR: usize = 16;
/// How much of an event is looked into where memory is short.
const GLIMPSE_BYTES: usize = 16 * 1024;
/// How long is waited, once reading has failed, for what has already been sent.
const GLIMPSE_WAIT: Duration = Duration::from_millis(50);
/// How long an event is waited for that will be denied anyway.
const WIRED_WRONG_WAIT: Duration = Duration::from_secs(2);
/// What is said where nothing else can be: the denial of a call, without asking for memory.
const LAST_WORD: &[u8] = concat!(
    r#"{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"deny","#,
    r#""permissionDecisionReason":"the guard's hook failed"}}"#
)
.as_bytes();
const LAST_REASON: &[u8] = b"toolgate: the guard's hook failed\n";

/// What `toolgate hook` was told to do. Everything comes as an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whose events come in.
    pub runtime: Runtime,
    /// Where the sidecar listens.
    pub socket: String,
    /// Who must be listening there; nothing accepts anyone.
    pub server_uid: Option<u32>,
    /// When to give up: below the runtime's own timeout.
    pub deadline: Duration,
}

/// Runs the client on this process's standard streams. `args` are those after `toolgate hook`.
#[must_use]
pub fn main(args: &[String]) -> ExitCode {
    std::panic::set_hook(Box::new(|_| {}));
    // Given back when something fails: so that the failure can still be said.
    let Ok(fund) = reserved(FUND_BYTES) else { return print(2, LAST_WORD, LAST_REASON) };
    let mut event = Vec::new();
    let said = catch_unwind(AssertUnwindSafe(|| run(args, &mut event)));
    drop(fund);
    let reason = match said {
        Ok(Ok(reply)) => return print(reply.code, &reply.stdout, &reply.stderr),
        Ok(Err(reason)) => reason,
        Err(_) => "the guard's hook failed: an internal error".to_owned(),
    };
    let runtime = args.first().and_then(|name| name.parse().ok()).unwrap_or(Runtime::Claude);
    match catch_unwind(|| failure(runtime, affordable(&event), &reason)) {
        Ok(reply) => print(reply.code, &reply.stdout, &reply.stderr),
        Err(_) => print(2, LAST_WORD, LAST_REASON),
    }
}

/// As much of an event as there is memory to look into; its name stands at its beginning.
fn affordable(event: &[u8]) -> &[u8] {
    match reserved(event.len().saturating_mul(LOOK_FACTOR)) {
        Ok(_) => event,
        Err(_) => event.get(..GLIMPSE_BYTES).unwrap_or(event),
    }
}

/// One write each; if the answer itself cannot be written, the exit code still denies, and standard
/// error says why: without a reason there, Codex goes on.
fn print(code: u8, stdout: &[u8], stderr: &[u8]) -> ExitCode {
    let mut errors = std::io::stderr();
    let _ = errors.write_all(stderr);
    let mut out = std::io::stdout().lock();
    if out.write_all(stdout).and_then(|()| out.flush()).is_ok() {
        return ExitCode::from(code);
    }
    if stderr.is_empty() {
        let _ = errors.write_all(b"toolgate: the guard's answer cannot be written\n");
    }
    ExitCode::from(2)
}

fn run(args: &[String], event: &mut Vec<u8>) -> Result<Reply, String> {
    let settings = match parse_args(args) {
        Ok(settings) => settings,
        Err(error) => {
            // Whose failure this is says the event, if there is one.
            if !std::io::stdin().is_terminal() {
                let _ = read_event(event, Instant::now() + WIRED_WRONG_WAIT);
            }
            return Err(error);
        }
    };
    let until = Instant::now() + settings.deadline;
    read_event(event, until)?;
    exchange(&settings, event, until)
}

/// A piece of memory, to be used by whatever comes after it is given back.
///
/// # Errors
/// If there is not so much; asked for without this, it would end the process, and a runtime goes on
/// when its hook ends without an answer.
fn reserved(bytes: usize) -> Result<Vec<u8>, String> {
    let mut memory = Vec::new();
    more(&mut memory, bytes)?;
    // Otherwise the compiler may take it that nobody needs it.
    Ok(std::hint::black_box(memory))
}

fn more(memory: &mut Vec<u8>, bytes: usize) -> Result<(), String> {
    memory.try_reserve(bytes).map_err(|_| "the guard's hook has too little memory".to_owned())
}

/// Reads the arguments. An argument that is not known is an error: it may have been meant to
/// restrict.
///
/// # Errors
/// In words for the person who wired the hook.
pub fn parse_args(args: &[String]) -> Result<Settings, String> {
    let mut rest = args.iter().map(String::as_str);
    let runtime = rest.next().ok_or("say whose hook this is: `toolgate hook claude`")?;
    let mut settings = Settings {
        runtime: runtime.parse().map_err(|error| format!("{error}"))?,
        socket: crate::limits::HOOK_SOCKET.to_owned(),
        server_uid: None,
        deadline: HOOK_DEADLINE,
    };
    while let Some(name) = rest.next() {
        let mut value = || rest.next().ok_or_else(|| format!("`{name}` wants a value"));
        match name {
            "--socket" => value()?.clone_into(&mut settings.socket),
            "--server-uid" => settings.server_uid = Some(number(name, value()?)?),
            "--deadline" => {
                let ms: u32 = number(name, value()?)?;
                settings.deadline = Duration::from_millis(u64::from(ms));
            }
            _ => return Err(format!("`{name}` is no option of `toolgate hook`")),
        }
    }
    Ok(settings)
}

fn number(name: &str, text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("`{name}` wants a number, not `{text}`"))
}

/// Standard input up to its end, within the deadline and the bound.
fn read_event(event: &mut Vec<u8>, until: Instant) -> Result<(), String> {
    let read = read_until(event, until);
    if read.is_err() {
        // What is already there may still say which event it is that fails.
        let _ = read_until(event, Instant::now() + GLIMPSE_WAIT);
    }
    read
}

fn read_until(event: &mut Vec<u8>, until: Instant) -> Result<(), String> {
    let mut stdin = std::io::stdin().lock();
    let mut chunk = [0u8; 64 * 1024];
    while event.len() <= EVENT_BYTES_READ_MAX {
        wait(&std::io::stdin(), PollFlags::POLLIN, until, "the runtime sent no whole event")?;
        let read = match stdin.read(&mut chunk) {
            Ok(0) => return fits(event),
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(format!("the event cannot be read: {error}")),
        };
        more(event, read)?;
        event.extend_from_slice(chunk.get(..read).unwrap_or_default());
    }
    Err("the event is far too large".to_owned())
}

fn fits(event: &[u8]) -> Result<(), String> {
    if event.len() > EVENT_BYTES_MAX {
        let size = EVENT_BYTES_MAX / (1024 * 1024);
        return Err(format!("the event is larger than {size} MiB"));
    }
    Ok(())
}

/// Asks the sidecar.
///
/// # Errors
/// In words for the agent, if it cannot be reached, is not who it must be, or does not answer
/// whole, in time, and in the form of this event.
pub fn exchange(settings: &Settings, event: &[u8], until: Instant) -> Result<Reply, String> {
    let mut stream = dial(settings, until)?;
    if let Some(expected) = settings.server_uid {
        let peer = getsockopt(&stream, sockopt::PeerCredentials)
            .map_err(|error| format!("the guard's identity cannot be read: {error}"))?;
        if peer.uid() != expected {
            return Err("another user's process listens at the guard's socket".to_owned());
        }
    }
    let head = request_head(settings.runtime, event.len());
    send(&mut stream, head.as_bytes(), until)?;
    send(&mut stream, event, until)?;
    let reply = receive(&mut stream, until)?;
    drop(reserved(reply.len().saturating_mul(LOOK_FACTOR))?);
    let reply = Reply::parse(&reply).map_err(|_| "the guard did not answer whole".to_owned())?;
    accept(settings.runtime, event, reply)
}

/// Connects without blocking: a full backlog would otherwise hold us past every deadline.
fn dial(settings: &Settings, until: Instant) -> Result<UnixStream, String> {
    let unreachable = |error: Errno| {
        format!("the guard cannot be reached at {}: {}", settings.socket, error.desc())
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None).map_err(unreachable)?;
    let address = UnixAddr::new(settings.socket.as_str()).map_err(unreachable)?;
    loop {
        match connect(fd.as_raw_fd(), &address) {
            Ok(()) => return Ok(UnixStream::from(fd)),
            Err(Errno::EAGAIN | Errno::EINTR) if Instant::now() < until => {
                std::thread::sleep(BACKLOG_WAIT);
            }
            Err(error) => return Err(unreachable(error)),
        }
    }
}

const LATE: &str = "the guard did not answer in time";

fn send(stream: &mut UnixStream, mut bytes: &[u8], until: Instant) -> Result<(), String> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if is_retry(&error) => wait(&*stream, PollFlags::POLLOUT, until, LATE)?,
            // The sidecar may refuse an event before it has all of it: its answer says why.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(format!("the guard hung up: {error}")),
        }
    }
    Ok(())
}

fn receive(stream: &mut UnixStream, until: Instant) -> Result<Vec<u8>, String> {
    let mut reply = Vec::new();
    let mut chunk = [0u8; 16 * 1024];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(reply),
            Ok(read) => {
                more(&mut reply, read)?;
                reply.extend_from_slice(chunk.get(..read).unwrap_or_default());
            }
            Err(error) if is_retry(&error) => wait(&*stream, PollFlags::POLLIN, until, LATE)?,
            // It closed with our bytes unread; what it said before that still counts.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return Ok(reply),
            Err(error) => return Err(format!("the guard hung up: {error}")),
        }
        if reply.len() > REPLY_BYTES_MAX {
            return Err("the guard's answer is too large".to_owned());
        }
    }
}

fn is_retry(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted)
}

/// Waits until `fd` is ready.
fn wait(fd: &impl AsFd, flags: PollFlags, until: Instant, late: &str) -> Result<(), String> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(late.to_owned());
        }
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(fd.as_fd(), flags)], timeout) {
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(format!("waiting failed: {}", error.desc())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::hook::runtime::denial;

    #[test]
    fn the_last_word_is_a_denial() {
        let denial = denial(None, "the guard's hook failed");
        assert_eq!((denial.stdout, denial.stderr), (LAST_WORD.into(), LAST_REASON.into()));
    }

    #[test]
    fn arguments() {
        let parse = |text: &str| {
            let args: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            parse_args(&args)
        };
        let all = parse("claude --socket /s --server-uid 7 --deadline 50").unwrap();
        assert_eq!((all.socket.as_str(), all.server_uid), ("/s", Some(7)));
        assert_eq!(all.deadline, Duration::from_millis(50));
        assert!(parse("claude").is_ok());
        for bad in ["", "gemini", "claude --socket", "claude --server-uid -1", "claude --deadlin 5"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
