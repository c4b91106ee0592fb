//! A sidecar that ends, and another in its place.

use crate::sidecar::{Sidecar, until};
use nix::sys::signal::{Signal, kill};
use std::io::Read;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

/// Ends a sidecar by this signal, and starts another on its files.
pub fn restart(sidecar: &mut Sidecar, signal: Signal) {
    kill(sidecar.pid(), signal).unwrap();
    let status = until("the sidecar stops", || sidecar.child.try_wait().unwrap());
    assert_eq!(status.success(), signal == Signal::SIGTERM, "{status}");
    start_again(sidecar);
}

/// Starts another sidecar on the files of one that has ended.
pub fn start_again(sidecar: &mut Sidecar) {
    let said = std::fs::File::options().append(true).open(sidecar.path("stderr")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    command.arg("serve").arg("--config").arg(sidecar.path("toolgate.toml"));
    sidecar.child = command.stdin(Stdio::null()).stderr(said).spawn().unwrap();
    until("the sidecar listens", || {
        assert!(sidecar.is_alive(), "the sidecar did not start");
        let mut stream = UnixStream::connect(sidecar.socket()).ok()?;
        stream.shutdown(Shutdown::Write).ok()?;
        stream.read_to_end(&mut Vec::new()).ok()
    });
}
