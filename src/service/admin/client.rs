//! Asking a running sidecar, with a deadline: what `toolgate status` and its like do.

use super::protocol::{Reply, Request, line};
use crate::model::json;
use crate::plane::hook::protocol::MAGIC;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect, setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// Asks the sidecar whose admin socket this is.
///
/// # Errors
/// In words for the operator, if it cannot be reached, or does not answer whole and in time.
pub fn ask(socket: &Path, request: &Request, patience: Duration) -> Result<Reply, String> {
    let until = Instant::now() + patience;
    let mut stream = dial(socket, patience).map_err(|why| {
        format!(
            "no sidecar can be reached at `{}`: {why}; start one, or name its admin socket with \
             --socket",
            socket.display()
        )
    })?;
    let hook = || {
        format!(
            "`{}` is the hook socket, not the admin socket: that is `{}`, unless `socket` in \
             `[admin]` says otherwise",
            socket.display(),
            socket.with_file_name("admin.sock").display()
        )
    };
    let late = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => {
            format!("the sidecar did not answer within {} s", patience.as_secs())
        }
        _ => format!("the sidecar hung up: {error}"),
    };
    // Whoever may not speak is told so before the request is read.
    let _ = stream.write_all(&line(request));
    let mut answer = Vec::new();
    let mut chunk = [0u8; 4096];
    while !answer.ends_with(b"\n") {
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        stream.set_read_timeout(Some(left)).map_err(late)?;
        match stream.read(&mut chunk) {
            Ok(0) if answer.starts_with(MAGIC.as_bytes()) => return Err(hook()),
            Ok(0) => return Err("the sidecar did not answer whole".to_owned()),
            Ok(read) => answer.extend_from_slice(chunk.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(late(error)),
        }
        if answer.len() > request.answer_bytes_max() {
            return Err("the sidecar's answer is too long".to_owned());
        }
    }
    if answer.starts_with(MAGIC.as_bytes()) {
        return Err(hook());
    }
    let value = json::parse(&answer).map_err(|error| error.to_string())?;
    serde_json::from_value(value).map_err(|error| {
        format!("the sidecar's answer is not understood, is it of another version? {error}")
    })
}

/// Connects with a deadline: with a full backlog, as a frozen sidecar has it, connecting blocks.
fn dial(path: &Path, patience: Duration) -> Result<UnixStream, String> {
    let why = |error: nix::errno::Errno| error.desc().to_owned();
    let fd = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None);
    let fd = fd.map_err(why)?;
    let seconds = i64::try_from(patience.as_secs()).unwrap_or(i64::MAX);
    setsockopt(&fd, sockopt::SendTimeout, &TimeVal::seconds(seconds)).map_err(why)?;
    let address = UnixAddr::new(path).map_err(why)?;
    connect(fd.as_raw_fd(), &address).map_err(why)?;
    Ok(UnixStream::from(fd))
}
