//! A plain byte forwarder between a loopback port and a unix socket, for the topology rig.
//!
//! The agent's container has no network: this program stands on both sides of the one socket that
//! leads from it to the scripted model.
//!
//! ```text
//! forward --listen unix:/run/toolgate/model.sock --mode 0660 --to tcp:127.0.0.1:8787
//! forward --listen tcp:127.0.0.1:8787 --to unix:/run/toolgate/model.sock -- claude -p ...
//! ```
//!
//! With a command after `--` it forwards while the command runs and ends with its exit code.
//! It must never listen on an address that others can reach, and it never looks into the bytes.
//! Only the standard library, so that it builds wherever the product does.

use std::env;
use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const USAGE: &str = "usage: forward --listen tcp:127.0.0.1:PORT|unix:PATH \
                     --to tcp:ADDR:PORT|unix:PATH [--mode 0660] [-- CMD ARG...]";

fn main() -> ExitCode {
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("forward: {error}");
            ExitCode::from(EXIT_COULD_NOT_RUN)
        }
    }
}

/// Listens, then runs the command if there is one, else forwards until it is killed.
fn run() -> Result<u8, String> {
    let options = Options::read(env::args().skip(1))?;
    let listener = Listener::bind(&options.listen, options.mode)
        .map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    eprintln!("forward: listening on {}", options.listen);
    let Some((program, arguments)) = options.command.split_first() else {
        accept_for_ever(&listener, &options.to);
    };
    let to = options.to.clone();
    thread::spawn(move || accept_for_ever(&listener, &to));
    let status = Command::new(program)
        .args(arguments)
        .status()
        .map_err(|error| format!("cannot run `{program}`: {error}"))?;
    // A child that a signal ended has no code of its own.
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(EXIT_COULD_NOT_RUN))
}

/// The command line, read.
struct Options {
    listen: Address,
    to: Address,
    mode: u32,
    command: Vec<String>,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut listen, mut to, mut mode, mut command) = (None, None, MODE_DEFAULT, Vec::new());
        while let Some(flag) = arguments.next() {
            if flag == "--" {
                command = arguments.collect();
                break;
            }
            let value = arguments.next().ok_or(USAGE)?;
            match flag.as_str() {
                "--listen" => listen = Some(Address::read(&value)?),
                "--to" => to = Some(Address::read(&value)?),
                "--mode" => mode = u32::from_str_radix(&value, 8).map_err(|_| USAGE)?,
                _ => return Err(USAGE.to_owned()),
            }
        }
        let listen = listen.ok_or(USAGE)?;
        if !listen.is_local() {
            return Err(format!("`{listen}` is not loopback"));
        }
        Ok(Self { listen, to: to.ok_or(USAGE)?, mode, command })
    }
}

/// One end of the way: where to listen, or where to connect to.
#[derive(Clone)]
enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Address {
    fn read(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("tcp", address)) => {
                let address = address.parse().map_err(|_| format!("`{address}` is no IP:PORT"))?;
                Ok(Self::Tcp(address))
            }
            Some(("unix", path)) => Ok(Self::Unix(PathBuf::from(path))),
            _ => Err(format!("`{text}` is neither tcp:IP:PORT nor unix:PATH")),
        }
    }

    fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(formatter, "tcp:{address}"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    fn bind(address: &Address, mode: u32) -> io::Result<Self> {
        match address {
            Address::Tcp(address) => TcpListener::bind(address).map(Self::Tcp),
            Address::Unix(path) => {
                // Left behind by a forwarder that was killed.
                match fs::remove_file(path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
                let listener = UnixListener::bind(path)?;
                fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
                Ok(Self::Unix(listener))
            }
        }
    }

    fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => listener.accept().map(|(stream, _)| Stream::Tcp(stream)),
            Self::Unix(listener) => listener.accept().map(|(stream, _)| Stream::Unix(stream)),
        }
    }
}

/// Takes every caller in, each on a thread of its own.
fn accept_for_ever(listener: &Listener, to: &Address) -> ! {
    loop {
        match listener.accept() {
            Ok(caller) => {
                let to = to.clone();
                thread::spawn(move || join(caller, &to));
            }
            Err(error) => {
                eprintln!("forward: accept: {error}");
                thread::sleep(PAUSE_AFTER_ACCEPT_ERROR);
            }
        }
    }
}

/// Carries bytes both ways until both sides have ended.
fn join(near: Stream, to: &Address) {
    let far = match Stream::connect(to) {
        Ok(far) => Arc::new(far),
        Err(error) => return eprintln!("forward: cannot connect to {to}: {error}"),
    };
    let near = Arc::new(near);
    let (from, onto) = (Arc::clone(&far), Arc::clone(&near));
    let back = thread::spawn(move || carry(&from, &onto));
    carry(&near, &far);
    // Its only result is that it has ended.
    drop(back.join());
}

/// One direction. An end, or an error, is passed on as an end.
fn carry(mut from: &Stream, mut onto: &Stream) {
    if io::copy(&mut from, &mut onto).is_err() {
        from.shutdown(Shutdown::Both);
    }
    onto.shutdown(Shutdown::Write);
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn connect(address: &Address) -> io::Result<Self> {
        match address {
            Address::Tcp(address) => TcpStream::connect(address).map(Self::Tcp),
            Address::Unix(path) => UnixStream::connect(path).map(Self::Unix),
        }
    }

    /// A side that is gone already cannot be shut down, and need not be.
    fn shutdown(&self, how: Shutdown) {
        let _gone = match self {
            Self::Tcp(stream) => stream.shutdown(how),
            Self::Unix(stream) => stream.shutdown(how),
        };
    }
}

impl Read for &Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => (&mut &*stream).read(buffer),
            Stream::Unix(stream) => (&mut &*stream).read(buffer),
        }
    }
}

impl Write for &Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => (&mut &*stream).write(buffer),
            Stream::Unix(stream) => (&mut &*stream).write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const EXIT_COULD_NOT_RUN: u8 = 2;
const MODE_DEFAULT: u32 = 0o600;
const PAUSE_AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(50);
