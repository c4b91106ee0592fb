//! `[http]`: the listener for HTTP hooks, off unless it is told where to listen.

use super::{ConfigError, mode, within};
use crate::limits::TOKEN_BYTES_MAX;
use crate::model::principal::Sender;
use crate::plane::hook::http::token::Token;
use crate::plane::hook::limit::Bounds;
use nix::fcntl::OFlag;
use serde::Deserialize;
use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The listener for HTTP hooks. Whose files its events name is `[hook]`'s to say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// A loopback address with its port, or `unix:` and a path; nothing for no listener.
    pub listen: Option<String>,
    /// The file that holds the bearer token.
    pub token_file: Option<PathBuf>,
    /// Whether the agent's tools cannot read the token, so that who bears it is the runtime.
    pub token_is_secret: bool,
    /// For a Unix socket: its mode, in octal.
    pub mode: String,
    /// For a Unix socket: its owner; only root can give it away.
    pub owner: Option<u32>,
    /// For a Unix socket: its group id.
    pub group: Option<u32>,
    /// For a Unix socket: the users who may speak; the sidecar's own user if none is named.
    pub allow_uid: Vec<u32>,
    /// Connections served at once; a further one waits.
    pub connections: usize,
    /// For a Unix socket: those of one user; 0 for as many as there are.
    pub connections_per_uid: usize,
    /// Events of one user in a second; 0 for as many as come.
    pub events_per_second: u32,
    /// Sessions of one user.
    pub sessions_max: usize,
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// On this machine alone.
    Loopback(SocketAddr),
    /// On a Unix socket.
    Unix(PathBuf),
}

impl Default for Http {
    fn default() -> Http {
        let bounds = Bounds::default();
        Http {
            listen: None,
            token_file: None,
            token_is_secret: false,
            mode: "0600".to_owned(),
            owner: None,
            group: None,
            allow_uid: Vec::new(),
            connections: bounds.connections,
            connections_per_uid: bounds.connections_per_uid,
            events_per_second: bounds.events_per_second,
            sessions_max: bounds.sessions_max,
        }
    }
}

impl Http {
    /// Where to listen, if anywhere.
    ///
    /// # Errors
    /// If others than this machine would be listened to, or it cannot be read.
    pub fn address(&self) -> Result<Option<Address>, ConfigError> {
        let Some(text) = self.listen.as_deref() else { return Ok(None) };
        let wrong = |why: &str| Err(ConfigError::Value(format!("`listen = \"{text}\"` {why}")));
        if let Some(path) = text.strip_prefix("unix:") {
            return match Path::new(path) {
                path if path.is_absolute() => Ok(Some(Address::Unix(path.to_owned()))),
                _ => wrong("must name an absolute path after `unix:`"),
            };
        }
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => self.loopback(address),
            Ok(_) => {
                wrong("could be reached from other machines; use 127.0.0.1, [::1] or `unix:/path`")
            }
            Err(_) => wrong("must be an address and a port, as 127.0.0.1:8787, or `unix:/path`"),
        }
    }

    /// A loopback address, beside which nothing may stand that it cannot keep.
    fn loopback(&self, address: SocketAddr) -> Result<Option<Address>, ConfigError> {
        let default = Http::default();
        let tells_users_apart = self.mode != default.mode
            || self.owner.is_some()
            || self.group.is_some()
            || !self.allow_uid.is_empty()
            || self.connections_per_uid != default.connections_per_uid;
        if tells_users_apart {
            return Err(ConfigError::Value(
                "`mode`, `owner`, `group`, `allow_uid` and `connections_per_uid` in `[http]` need \
                 a Unix socket: over TCP nobody can be told apart; use `listen = \"unix:/path\"`"
                    .to_owned(),
            ));
        }
        Ok(Some(Address::Loopback(address)))
    }

    /// The mode of a Unix socket as a number.
    ///
    /// # Errors
    /// If it is no octal mode, or lets anyone else in.
    pub fn mode(&self) -> Result<u32, ConfigError> {
        mode(&self.mode)
    }

    /// What one user may ask of the listener.
    ///
    /// # Errors
    /// If nobody could be served.
    pub fn bounds(&self) -> Result<Bounds, ConfigError> {
        within(Bounds {
            connections: self.connections,
            connections_per_uid: self.connections_per_uid,
            events_per_second: self.events_per_second,
            sessions_max: self.sessions_max,
        })
    }

    /// What the token proves of who bears it.
    #[must_use]
    pub fn sender(&self) -> Sender {
        if self.token_is_secret { Sender::Proven } else { Sender::Unproven }
    }

    /// The token.
    ///
    /// # Errors
    /// If there is none, or others can read it.
    pub fn token(&self) -> Result<Token, ConfigError> {
        let Some(path) = &self.token_file else {
            return Err(ConfigError::Value(
                "HTTP hooks need `token_file` in `[http]`: the file that holds their token"
                    .to_owned(),
            ));
        };
        let text = secret_file(path)?;
        Token::parse(&text).map_err(|error| unfit(path, &error))
    }
}

/// The token of the network plane in a file.
///
/// # Errors
/// As [`Http::token`].
pub(super) fn token_in(path: &Path) -> Result<crate::plane::egress::token::Token, ConfigError> {
    let text = secret_file(path)?;
    crate::plane::egress::token::Token::parse(&text).map_err(|why| unfit(path, &why))
}

fn unfit(path: &Path, why: &dyn std::fmt::Display) -> ConfigError {
    ConfigError::Value(format!("the token file `{}` {why}", path.display()))
}

/// What stands in a file that not everybody may read.
fn secret_file(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let wrong = |why: &dyn std::fmt::Display| unfit(path, why);
    let unread = |error: std::io::Error| wrong(&format!("cannot be read: {error}"));
    // Opened without waiting: a pipe is refused, not waited for.
    let flags = OFlag::O_NONBLOCK.bits();
    let mut open = std::fs::OpenOptions::new();
    let file = open.read(true).custom_flags(flags).open(path).map_err(unread)?;
    let meta = file.metadata().map_err(unread)?;
    if !meta.is_file() {
        return Err(wrong(&"is no regular file"));
    }
    if meta.mode() & 0o007 != 0 {
        return Err(wrong(&"is open to every user; use mode 0600 or 0640"));
    }
    let mut text = Vec::new();
    let most = u64::try_from(TOKEN_BYTES_MAX).unwrap_or(u64::MAX);
    file.take(most + 1).read_to_end(&mut text).map_err(unread)?;
    if text.len() > TOKEN_BYTES_MAX {
        return Err(wrong(&format!("is larger than {TOKEN_BYTES_MAX} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn http(text: &str) -> Http {
        toml::from_str::<Config>(&format!("[http]\n{text}")).unwrap().http
    }

    #[test]
    fn where_it_may_listen() {
        let at = |listen: &str| http(&format!("listen = \"{listen}\"")).address();
        assert_eq!(http("").address().unwrap(), None);
        for loopback in ["127.0.0.1:8787", "127.9.8.7:1", "[::1]:8787", "127.0.0.1:0"] {
            let address = Address::Loopback(loopback.parse().unwrap());
            assert_eq!(at(loopback).unwrap(), Some(address), "{loopback}");
        }
        assert_eq!(at("unix:/r/s").unwrap(), Some(Address::Unix(PathBuf::from("/r/s"))));
        for (refused, why) in [
            ("0.0.0.0:8787", "other machines"),
            ("[::]:8787", "other machines"),
            ("10.0.0.1:8787", "other machines"),
            ("[::ffff:127.0.0.1]:8787", "other machines"),
            ("localhost:8787", "an address and a port"),
            ("127.0.0.1", "an address and a port"),
            ("8787", "an address and a port"),
            ("", "an address and a port"),
            ("unix:s", "absolute path"),
            ("unix:", "absolute path"),
        ] {
            let error = at(refused).unwrap_err().to_string();
            assert!(error.contains(why), "{refused}: {error}");
        }
    }

    #[test]
    fn what_tcp_cannot_keep_is_refused() {
        for key in [
            "mode = \"0660\"",
            "owner = 1",
            "group = 1",
            "allow_uid = [1]",
            "connections_per_uid = 3",
        ] {
            let on = |listen: &str| http(&format!("listen = \"{listen}\"\n{key}")).address();
            assert!(on("127.0.0.1:1").is_err(), "{key}");
            assert!(on("unix:/r/s").is_ok(), "{key}");
        }
    }
}
