//! `[review]`: where the pages are on which the log is reviewed, and who may look.

use super::ConfigError;
use crate::limits::TOKEN_CHARS_MIN;
use serde::Deserialize;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// `[review]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Review {
    /// The address, with its port; 0 for any that is free. Nothing for no pages.
    pub listen: Option<SocketAddr>,
    /// Whether that may be an address that other machines can reach.
    pub expose: bool,
    /// The file with the token; without it each start makes another.
    pub token_file: Option<PathBuf>,
    /// Names besides the address by which a browser may ask, with their port if it is not usual.
    pub hosts: Vec<String>,
}

impl Review {
    /// Where to listen, if anywhere.
    ///
    /// # Errors
    /// If other machines could look and nobody said that they may.
    pub fn listen(&self) -> Result<Option<SocketAddr>, ConfigError> {
        match self.listen {
            Some(address) if !address.ip().to_canonical().is_loopback() && !self.expose => {
                Err(ConfigError::Value(format!(
                    "`listen = \"{address}\"` in `[review]` can be reached from other machines, \
                     and the pages show what agents did, over plain HTTP; use 127.0.0.1 with \
                     ssh -L or a proxy that encrypts, or add `expose = true`"
                )))
            }
            None if *self != Review::default() => Err(ConfigError::Value(
                "`[review]` needs `listen`: an address and a port, as \"127.0.0.1:9190\""
                    .to_owned(),
            )),
            address => Ok(address),
        }
    }

    /// The token of the file, if one is named.
    ///
    /// # Errors
    /// If it cannot be read, others can read it, or it could be guessed.
    pub fn token(&self) -> Result<Option<String>, ConfigError> {
        let Some(path) = &self.token_file else { return Ok(None) };
        let wrong = |why: &dyn std::fmt::Display| {
            ConfigError::Value(format!("the token file `{}` {why}", path.display()))
        };
        let unread = |error: std::io::Error| wrong(&format!("cannot be read: {error}"));
        let meta = std::fs::metadata(path).map_err(unread)?;
        if !meta.is_file() {
            return Err(wrong(&"is no regular file"));
        }
        if meta.mode() & 0o007 != 0 {
            return Err(wrong(&"is open to every user; use mode 0600 or 0640"));
        }
        let text = std::fs::read_to_string(path).map_err(unread)?;
        let token = text.trim();
        // It stands in an address as it is.
        if !token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)) {
            return Err(wrong(&"may hold letters, digits and `-_.~` only, and one line"));
        }
        if token.len() < TOKEN_CHARS_MIN {
            return Err(wrong(&format!("has fewer than {TOKEN_CHARS_MIN} characters")));
        }
        Ok(Some(token.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn review(text: &str) -> Review {
        toml::from_str::<Config>(&format!("[review]\n{text}")).unwrap().review
    }

    #[test]
    fn other_machines_look_only_where_they_may() {
        assert_eq!(Review::default().listen().unwrap(), None);
        for near in ["127.0.0.1:9190", "[::1]:0", "[::ffff:127.0.0.1]:1"] {
            let stated = review(&format!("listen = \"{near}\"")).listen().unwrap();
            assert_eq!(stated, near.parse().ok(), "{near}");
        }
        for far in ["0.0.0.0:9190", "[::]:9190", "10.0.0.1:9190"] {
            let text = format!("listen = \"{far}\"");
            let why = review(&text).listen().unwrap_err().to_string();
            assert!(why.contains("other machines") && why.contains("expose = true"), "{why}");
            let stated = review(&format!("{text}\nexpose = true")).listen().unwrap();
            assert_eq!(stated, far.parse().ok(), "{far}");
        }
        assert!(review("expose = true").listen().is_err());
    }

    #[test]
    fn a_token_is_no_secret_that_others_read_or_guess() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("token");
        let token = |text: &str, mode: u32| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            review(&format!("listen = \"127.0.0.1:0\"\ntoken_file = \"{}\"", path.display()))
                .token()
        };
        let good = "0123456789abcdef0123456789abcdef";
        assert_eq!(token(&format!("{good}\n"), 0o600).unwrap().as_deref(), Some(good));
        for (text, mode, why) in [
            (good, 0o644, "every user"),
            ("short", 0o600, "fewer than"),
            ("0123456789abcdef 0123456789abcdef", 0o600, "one line"),
            ("0123456789abcdef&0123456789abcdef", 0o600, "letters"),
        ] {
            let told = token(text, mode).unwrap_err().to_string();
            assert!(told.contains(why), "{told}");
        }
        assert!(Review::default().token().unwrap().is_none());
    }
}
