//! Telling the service manager how the sidecar stands, as systemd's `sd_notify(3)` has it.
//!
//! Nothing is told unless `NOTIFY_SOCKET` names a socket, and nothing depends on its being heard.
//! `WATCHDOG=1` is said only while calls can really be judged and recorded, so that a sidecar
//! which refuses everything is started anew.

use super::admin;
use crate::limits::NOTIFY_TIMEOUT;
use crate::model::decision::PolicyId;
use nix::time::{ClockId, clock_gettime};
use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

/// Where to tell it; nowhere if nobody asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Notify {
    to: Option<SocketAddr>,
    /// How often a sign of life is expected.
    watchdog: Option<Duration>,
}

impl Notify {
    /// What the service manager says in the environment.
    pub(super) fn from_environment() -> Notify {
        let of = |name| std::env::var(name).ok();
        let own = std::process::id().to_string();
        let ours = of("WATCHDOG_PID").is_none_or(|pid| pid == own);
        let micros = of("WATCHDOG_USEC").and_then(|text| text.parse().ok());
        let watchdog = micros.filter(|micros| ours && *micros > 0).map(Duration::from_micros);
        let to = std::env::var_os("NOTIFY_SOCKET").and_then(|name| address(&name));
        Notify { to, watchdog }
    }

    /// Calls are judged, by this policy.
    pub(super) fn ready(&self, policy: &PolicyId) {
        self.tell(&format!("READY=1\nSTATUS=judging by {}", line(&policy.name)));
    }

    /// The same after a reload that was refused.
    pub(super) fn ready_on_the_old(&self, policy: &PolicyId, why: &str) {
        let (name, why) = (line(&policy.name), line(why));
        self.tell(&format!("READY=1\nSTATUS=judging by {name}; its files were refused: {why}"));
    }

    /// The policy's files are read again.
    pub(super) fn reloading(&self) {
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from);
        let now = now.unwrap_or_default().as_micros();
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={now}\nSTATUS=reading the policy's files"));
    }

    /// It ends what is in flight, and then itself.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=ending what is in flight");
    }

    /// Gives a sign of life twice as often as one is expected, as long as there is nothing that a
    /// new start would help against.
    pub(super) async fn watch(self, server: Arc<admin::Server>) {
        let Some(every) = self.watchdog.filter(|_| self.to.is_some()) else { return };
        let mut is_well = true;
        loop {
            let problems = server.stuck().await;
            let log = server.log_problem();
            match (problems.first(), &log) {
                (None, None) if is_well => self.tell("WATCHDOG=1"),
                (None, None) => self.tell("WATCHDOG=1\nSTATUS=judging again"),
                // It is tried again by itself; a new start would lose what is kept in memory.
                (None, Some(why)) => {
                    self.tell(&format!("WATCHDOG=1\nSTATUS={}", line(why)));
                }
                (Some(why), _) => {
                    tracing::error!(why, "no sign of life is given to the service manager");
                    self.tell(&format!("STATUS=refusing every call: {}", line(why)));
                }
            }
            is_well = problems.is_empty() && log.is_none();
            // What passes by itself must not cost a restart: look again well before the end.
            tokio::time::sleep(if is_well { every / 2 } else { every / 8 }).await;
        }
    }

    fn tell(&self, what: &str) {
        let Some(to) = &self.to else { return };
        let told = UnixDatagram::unbound().and_then(|socket| {
            socket.set_write_timeout(Some(NOTIFY_TIMEOUT))?;
            socket.send_to_addr(what.as_bytes(), to)
        });
        if let Err(error) = told {
            tracing::warn!(%error, "the service manager could not be told");
        }
    }
}

/// A path, or a name in the abstract namespace after an `@`; nothing else is a Unix socket.
fn address(name: &OsStr) -> Option<SocketAddr> {
    match name.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(name).ok(),
        [b'@', rest @ ..] if !rest.is_empty() => SocketAddr::from_abstract_name(rest).ok(),
        _ => None,
    }
}

/// A text on one line: another would be an assignment of its own.
fn line(text: &str) -> String {
    text.lines().next().unwrap_or_default().replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_and_abstract_names_are_sockets() {
        for (name, is_one) in [
            ("/run/systemd/notify", true),
            ("@toolgate", true),
            ("@", false),
            ("", false),
            ("run/notify", false),
            ("vsock:2:1234", false),
        ] {
            assert_eq!(address(OsStr::new(name)).is_some(), is_one, "{name}");
        }
        assert!(address(OsStr::new(&format!("/{}", "x".repeat(200)))).is_none());
    }

    #[test]
    fn a_text_of_others_is_no_assignment() {
        assert_eq!(line("a\nREADY=1"), "a");
        assert_eq!(line("a\rb\u{7}c"), "a b c");
        assert_eq!(line(""), "");
    }
}
