//! Secrets that the sidecar sets in the agent's stead, each bound to a host and a path.
//!
//! The agent holds a placeholder or nothing. What it sends to prove who it is, is taken away, and
//! the secret set, only where it is bound and only over TLS. A secret is in no log, no error, no
//! argument and no environment; memory that held one is overwritten ([`Secret`]).
//!
//! [`Bindings`] is what the plane asks; where secrets come from is `source`.

mod marker;
mod secret;
mod source;

pub(super) use marker::unescaped;
pub use marker::{Markers, Passing};
pub use secret::{BadSecret, Secret};
pub use source::{Source, SourceError};

use crate::limits::CREDENTIAL_POLL;
use crate::model::host::Host;
use crate::plane::egress::reason::Reason;
use crate::policy::pattern::text::TextPattern;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use source::Version;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// What the operator says of one secret.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Its name, in records and messages.
    pub name: String,
    /// Where it is set; nothing for one that only the model's listener sets.
    pub bound: Option<Bound>,
    /// The header that it goes into, in lower case.
    pub header: String,
    /// How the header says it.
    pub scheme: Scheme,
    /// Where it comes from.
    pub source: Source,
    /// What the agent holds in its stead.
    pub placeholder: Option<String>,
    /// After how long a command is asked again.
    pub refresh: Duration,
}

/// Where a secret is set.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
    /// The request path, without its query.
    pub path: TextPattern,
}

/// How a header says a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    /// Alone.
    Bare,
    /// After a word: `Bearer`, `token`.
    Word(String),
    /// As the password of this user (RFC 7617).
    Basic(String),
}

/// Where a request goes.
#[derive(Debug, Clone, Copy)]
pub struct Where<'a> {
    /// The host.
    pub host: &'a Host,
    /// The port.
    pub port: u16,
    /// The canonical request path, without its query.
    pub path: &'a str,
    /// Whether it goes over TLS.
    pub encrypted: bool,
}

/// One secret with its terms.
#[derive(Debug)]
pub struct Credential {
    terms: Terms,
    held: RwLock<Held>,
}

#[derive(Debug)]
struct Held {
    secret: Arc<Secret>,
    version: Option<Version>,
    read: Instant,
}

/// Every secret that is bound.
#[derive(Debug, Default)]
pub struct Bindings {
    all: Vec<Arc<Credential>>,
    markers: Markers,
}

/// A secret's source gives none.
#[derive(Debug, thiserror::Error)]
#[error("the credential `{name}` cannot be had: {why}")]
pub struct NoSecret {
    name: String,
    why: SourceError,
}

/// Headers with which clients prove who they are.
const PROOFS: &[&str] =
    &["authorization", "x-api-key", "api-key", "x-goog-api-key", "private-token", "x-auth-token"];

impl Credential {
    /// Reads it for the first time.
    ///
    /// # Errors
    /// If its source gives no secret.
    pub fn read(terms: Terms) -> Result<Credential, NoSecret> {
        let version = terms.source.version();
        match terms.source.read() {
            Ok(secret) => {
                let held = Held { secret: Arc::new(secret), version, read: Instant::now() };
                Ok(Credential { terms, held: RwLock::new(held) })
            }
            Err(why) => Err(NoSecret { name: terms.name, why }),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.terms.name
    }

    /// The header that it goes into, in lower case.
    #[must_use]
    pub fn header(&self) -> &str {
        &self.terms.header
    }

    /// What stands in the header.
    #[must_use]
    pub fn value(&self) -> Zeroizing<Vec<u8>> {
        let secret = {
            let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(&held.secret)
        };
        let secret = secret.bytes();
        match &self.terms.scheme {
            Scheme::Bare => Zeroizing::new(secret.to_vec()),
            Scheme::Word(word) => joined(&[word.as_bytes(), b" ", secret]),
            Scheme::Basic(user) => {
                let pair = joined(&[user.as_bytes(), b":", secret]);
                let encoded = Zeroizing::new(STANDARD.encode(&pair));
                joined(&[b"Basic ", encoded.as_bytes()])
            }
        }
    }

    /// A whole request head with the secret in its header, as the last one.
    #[must_use]
    pub fn onto(&self, head: &[u8]) -> Zeroizing<Vec<u8>> {
        let fields = head.strip_suffix(b"\r\n").unwrap_or(head);
        joined(&[fields, self.terms.header.as_bytes(), b": ", &self.value(), b"\r\n\r\n"])
    }

    /// Whether a client's header of this name says who it is, and so gives way to the secret.
    #[must_use]
    pub fn replaces(&self, header: &str) -> bool {
        is_same(header, &self.terms.header) || is_proof(header)
    }

    fn is_bound(&self, to: &Where<'_>) -> bool {
        self.is_near(to.host)
            && self
                .terms
                .bound
                .as_ref()
                .is_some_and(|bound| bound.port == to.port && bound.path.matches(to.path))
    }

    fn is_near(&self, host: &Host) -> bool {
        self.terms.bound.as_ref().is_some_and(|bound| bound.host == *host)
    }

    /// Reads it again where it may have changed; what cannot be read leaves it as it was.
    fn refresh(&self) {
        let (known, read) = {
            let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
            (held.version, held.read)
        };
        let version = self.terms.source.version();
        let is_due = match &self.terms.source {
            Source::File(_) => version.is_some() && version != known,
            Source::Command(_) => read.elapsed() >= self.terms.refresh,
            Source::Descriptor(_) => false,
        };
        if !is_due {
            return;
        }
        match self.terms.source.read() {
            Ok(secret) => {
                let next = Held { secret: Arc::new(secret), version, read: Instant::now() };
                *self.held.write().unwrap_or_else(PoisonError::into_inner) = next;
                tracing::info!(credential = %self.terms.name, "the credential was read again");
            }
            Err(error) => {
                let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
                held.read = Instant::now();
                tracing::warn!(
                    credential = %self.terms.name,
                    %error,
                    "the credential cannot be read again; the one before stays"
                );
            }
        }
    }
}

impl Bindings {
    /// These.
    #[must_use]
    pub fn new(all: Vec<Arc<Credential>>) -> Bindings {
        let placeholders = all.iter().enumerate();
        let placeholders = placeholders
            .filter_map(|(place, one)| Some((place, one.terms.placeholder.as_deref()?)));
        let markers = Markers::of(placeholders);
        Bindings { all, markers }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Arc<Credential>> {
        self.all.iter().find(|one| one.terms.name == name)
    }

    /// The placeholders of them all.
    #[must_use]
    pub fn markers(&self) -> &Markers {
        &self.markers
    }

    /// The name of the credential with this place, for a finding.
    #[must_use]
    pub fn name(&self, place: usize) -> &str {
        self.all.get(place).map_or("", |one| one.name())
    }

    /// Whether a secret is bound there, so that a tunnel must be opened.
    #[must_use]
    pub fn reach(&self, host: &Host, port: u16) -> bool {
        let bound = |one: &Credential| {
            one.terms.bound.as_ref().is_some_and(|bound| bound.host == *host && bound.port == port)
        };
        self.all.iter().any(|one| bound(one))
    }

    /// Whether it depends on the path if a secret is set there.
    #[must_use]
    pub fn speak_of_paths(&self, host: &Host, port: u16) -> bool {
        let all = TextPattern::parse("/*");
        self.all.iter().filter_map(|one| one.terms.bound.as_ref()).any(|bound| {
            let limits = !bound.path.is_any() && bound.path != all;
            limits && bound.host == *host && bound.port == port
        })
    }

    /// The secret that a request is to carry, if one is bound there.
    ///
    /// # Errors
    /// If it would go in the clear.
    pub fn bound(&self, to: &Where<'_>) -> Result<Option<&Arc<Credential>>, Reason> {
        if !to.encrypted {
            let path = |one: &Credential| {
                one.terms.bound.as_ref().is_some_and(|bound| bound.path.matches(to.path))
            };
            return match self.all.iter().any(|one| one.is_near(to.host) && path(one)) {
                true => Err(Reason::CleartextCredential),
                false => Ok(None),
            };
        }
        Ok(self.all.iter().find(|one| one.is_bound(to)))
    }

    /// Looks at the sources every now and then, for as long as it is polled.
    pub async fn keep_fresh(self: Arc<Self>) {
        loop {
            tokio::time::sleep(CREDENTIAL_POLL).await;
            let bindings = Arc::clone(&self);
            // Files and commands are waited for, so not on a thread that serves.
            let _ = tokio::task::spawn_blocking(move || bindings.refresh()).await;
        }
    }

    /// Reads again what may have changed.
    pub fn refresh(&self) {
        self.all.iter().for_each(|one| one.refresh());
    }
}

/// Whether clients prove with a header of this name who they are.
#[must_use]
pub fn is_proof(header: &str) -> bool {
    PROOFS.iter().any(|proof| is_same(header, proof))
}

/// Whether two headers bear one name to a server that takes `_` for `-`, as gateways of CGI do.
fn is_same(header: &str, other: &str) -> bool {
    let plain = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    header.bytes().map(plain).eq(other.bytes().map(plain))
}

/// One text of these, in memory that is overwritten and never moved.
fn joined(parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let mut all = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| all.extend_from_slice(part));
    all
}

#[cfg(test)]
mod tests;
