//! `[[credential]]`: secrets that the sidecar sets in the agent's stead, and where.

use super::{ConfigError, absolute};
use crate::limits::{
    CREDENTIAL_REFRESH_SECONDS, CREDENTIALS_MAX, PLACEHOLDER_CHARS_MAX, PLACEHOLDER_CHARS_MIN,
};
use crate::model::host::Authority;
use crate::plane::egress::credential::{
    Bindings, Bound, Credential as Read, Scheme, Source, Terms,
};
use crate::policy::pattern::text::TextPattern;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// One `[[credential]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// Its name, in records and messages.
    pub name: String,
    /// The host that it goes to, with its port if that is not 443; nothing for one that only
    /// `[egress.model]` sets.
    pub host: Option<String>,
    /// The request paths that it goes to, as a text with `*`; all if nothing is said.
    pub path: Option<String>,
    /// The header that it goes into; `authorization` if nothing is said.
    pub header: Option<String>,
    /// The word before it in the header; `Bearer` in `authorization`, none in another, if nothing
    /// is said.
    pub scheme: Option<String>,
    /// Whose password it is: then it goes into `authorization` as `Basic`.
    pub user: Option<String>,
    /// Where it comes from.
    pub source: From,
    /// What the agent holds in its stead.
    pub placeholder: Option<String>,
    /// After how many seconds a command is asked again.
    pub refresh_seconds: Option<u32>,
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub enum From {
    /// A file.
    File(PathBuf),
    /// A descriptor that the sidecar was started with.
    Fd(i32),
    /// A program and its arguments.
    Command(Vec<String>),
}

/// The terms of all of them.
///
/// # Errors
/// If one does not fit. Nothing of a secret is looked at yet.
pub fn terms(stated: &[Credential]) -> Result<Vec<Terms>, ConfigError> {
    if stated.len() > CREDENTIALS_MAX {
        let why = format!("`[[credential]]` stands there more than {CREDENTIALS_MAX} times");
        return Err(ConfigError::Value(why));
    }
    let (mut names, mut placeholders) = (BTreeSet::new(), BTreeSet::new());
    let mut all = Vec::new();
    for one in stated {
        let terms = one.terms()?;
        if !names.insert(terms.name.clone()) {
            return one.wrong("is the name of two credentials; give each its own `name`");
        }
        if terms.placeholder.as_ref().is_some_and(|text| !placeholders.insert(text.clone())) {
            return one.wrong("has the `placeholder` of another; give each its own");
        }
        all.push(terms);
    }
    Ok(all)
}

/// All of them, with their secrets.
///
/// # Errors
/// If one does not fit, or its source gives no secret.
pub fn bindings(stated: &[Credential]) -> Result<Bindings, ConfigError> {
    let read = |terms| match Read::read(terms) {
        Ok(one) => Ok(Arc::new(one)),
        Err(error) => Err(ConfigError::Value(error.to_string())),
    };
    Ok(Bindings::new(terms(stated)?.into_iter().map(read).collect::<Result<_, _>>()?))
}

impl Credential {
    /// The file that holds it, if one does: no agent may read it.
    #[must_use]
    pub fn file(&self) -> Option<&PathBuf> {
        match &self.source {
            From::File(path) => Some(path),
            From::Fd(_) | From::Command(_) => None,
        }
    }

    fn wrong<T>(&self, why: &str) -> Result<T, ConfigError> {
        Err(ConfigError::Value(format!("the credential `{}` {why}", self.name)))
    }

    fn terms(&self) -> Result<Terms, ConfigError> {
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if self.name.is_empty() || self.name.len() > 64 || !self.name.bytes().all(letter) {
            return self.wrong("has no name; use lower-case letters, digits and hyphens");
        }
        let (header, scheme) = self.header()?;
        Ok(Terms {
            name: self.name.clone(),
            bound: self.bound()?,
            header,
            scheme,
            source: self.source()?,
            placeholder: self.placeholder()?,
            refresh: Duration::from_secs(
                self.refresh_seconds.unwrap_or(CREDENTIAL_REFRESH_SECONDS).max(1).into(),
            ),
        })
    }

    fn bound(&self) -> Result<Option<Bound>, ConfigError> {
        let Some(host) = &self.host else {
            return match self.path {
                Some(_) => self.wrong("has a `path` and no `host` that it is a path of"),
                None => Ok(None),
            };
        };
        let authority = match Authority::parse(host) {
            Ok(authority) => authority,
            Err(error) => {
                return self.wrong(&format!(
                    "is bound to `{host}`, which is no host: {error}; write one host, as \
                     `api.example` or `api.example:8443`"
                ));
            }
        };
        let path = self.path.as_deref().unwrap_or("*");
        if !path.starts_with(['/', '*']) || path.contains(['?', '#']) {
            return self.wrong("has a `path` that no request has; it begins with `/`");
        }
        let port = authority.port.unwrap_or(443);
        Ok(Some(Bound { host: authority.host, port, path: TextPattern::parse(path) }))
    }

    fn header(&self) -> Result<(String, Scheme), ConfigError> {
        let token = |text: &str| {
            let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            !text.is_empty() && text.bytes().all(letter)
        };
        let header = self.header.as_deref().unwrap_or("authorization").to_ascii_lowercase();
        // What says how a message is read, or where it goes, is no place for a secret.
        let ours = ["host", "connection", "content-length", "transfer-encoding", "upgrade", "te"];
        if !token(&header) || ours.contains(&header.as_str()) {
            return self.wrong("has a `header` that can carry no secret");
        }
        if let Some(user) = &self.user {
            let plain = user.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
            if header != "authorization" || self.scheme.is_some() || !plain || user.is_empty() {
                let why = "has a `user`, so it stands in `authorization` as `Basic`, without a \
                           `scheme`; a user has no `:` or blank";
                return self.wrong(why);
            }
            return Ok((header, Scheme::Basic(user.clone())));
        }
        let scheme = match self.scheme.as_deref() {
            None if header == "authorization" => Scheme::Word("Bearer".to_owned()),
            None | Some("") => Scheme::Bare,
            Some(word) if token(word) => Scheme::Word(word.to_owned()),
            Some(_) => return self.wrong("has a `scheme` that is not one word, as `Bearer`"),
        };
        Ok((header, scheme))
    }

    fn source(&self) -> Result<Source, ConfigError> {
        match &self.source {
            From::File(path) => {
                absolute(path)?;
                Ok(Source::File(path.clone()))
            }
            From::Fd(number @ 3..) => Ok(Source::Descriptor(*number)),
            From::Fd(_) => self.wrong("has a descriptor below 3, which is none of its own"),
            From::Command(words) => match words.first() {
                Some(program) if program.starts_with('/') => Ok(Source::Command(words.clone())),
                _ => self.wrong("needs an absolute path of its program in `command`"),
            },
        }
    }

    fn placeholder(&self) -> Result<Option<String>, ConfigError> {
        let Some(text) = &self.placeholder else { return Ok(None) };
        let is_long_enough = (PLACEHOLDER_CHARS_MIN..=PLACEHOLDER_CHARS_MAX).contains(&text.len());
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        if !is_long_enough || !text.bytes().all(letter) {
            return self.wrong(&format!(
                "needs a `placeholder` of {PLACEHOLDER_CHARS_MIN} to {PLACEHOLDER_CHARS_MAX} \
                 letters, digits, `-`, `_`, `.` and `~`, which stands in no honest text"
            ));
        }
        Ok(Some(text.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn read(text: &str) -> Result<Vec<Terms>, String> {
        let text = format!("[[credential]]\nname = \"api\"\n{text}");
        let config = toml::from_str::<Config>(&text).map_err(|error| error.to_string())?;
        terms(&config.credential).map_err(|error| error.to_string())
    }

    const SOURCE: &str = "source = { file = \"/run/secret\" }";

    #[test]
    fn what_is_read() {
        let one = |text: &str| read(text).unwrap().remove(0);
        let terms = one(&format!("host = \"API.example\"\n{SOURCE}"));
        let bound = terms.bound.unwrap();
        assert_eq!((bound.host.to_string().as_str(), bound.port), ("api.example", 443));
        assert!(bound.path.matches("/any/thing"));
        assert_eq!(terms.header, "authorization");
        assert_eq!(terms.scheme, Scheme::Word("Bearer".to_owned()));
        let scheme = |text: &str| one(&format!("{text}\n{SOURCE}")).scheme;
        assert_eq!(scheme("header = \"X-API-Key\""), Scheme::Bare);
        assert_eq!(scheme("scheme = \"\""), Scheme::Bare);
        assert_eq!(scheme("scheme = \"token\""), Scheme::Word("token".to_owned()));
        assert_eq!(scheme("user = \"git\""), Scheme::Basic("git".to_owned()));
        let command = one("source = { command = [\"/bin/helper\", \"x\"] }").source;
        assert_eq!(command, Source::Command(vec!["/bin/helper".to_owned(), "x".to_owned()]));
        assert_eq!(one("source = { fd = 3 }").source, Source::Descriptor(3));
    }

    #[test]
    fn what_is_refused() {
        for (text, why) in [
            (String::new(), "source"),
            ("source = { file = \"relative\" }".to_owned(), "cannot be used"),
            ("source = { fd = 1 }".to_owned(), "below 3"),
            ("source = { command = [] }".to_owned(), "absolute path"),
            ("source = { command = [\"helper\"] }".to_owned(), "absolute path"),
            ("source = { env = \"X\" }".to_owned(), "env"),
            (format!("{SOURCE}\nhost = \"https://api.example\""), "no host"),
            (format!("{SOURCE}\nhost = \"*.example\""), "no host"),
            (format!("{SOURCE}\nhost = \"0x7f.1\""), "no host"),
            (format!("{SOURCE}\npath = \"/x\""), "no `host`"),
            (format!("{SOURCE}\nhost = \"api.example\"\npath = \"x\""), "begins with `/`"),
            (format!("{SOURCE}\nheader = \"host\""), "no secret"),
            (format!("{SOURCE}\nheader = \"a b\""), "no secret"),
            (format!("{SOURCE}\nscheme = \"a b\""), "one word"),
            (format!("{SOURCE}\nuser = \"a:b\""), "Basic"),
            (format!("{SOURCE}\nuser = \"a\"\nheader = \"x-api-key\""), "Basic"),
            (format!("{SOURCE}\nplaceholder = \"short\""), "placeholder"),
            (format!("{SOURCE}\nplaceholder = \"{}\"", "a b".repeat(9)), "placeholder"),
            (format!("{SOURCE}\nsecret = \"sk-1\""), "secret"),
            (format!("{SOURCE}\n[[credential]]\nname = \"api\"\n{SOURCE}"), "two credentials"),
            (format!("{SOURCE}\n[[credential]]\nname = \"A\"\n{SOURCE}"), "lower-case"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
