//! Whose state it is: the user of the operating system, and the session of a runtime.

use crate::model::principal::{Principal, Runtime};
use sha2::{Digest, Sha256};

/// The user of the peer of a socket; nothing where no socket was. Who shares a user id shares the
/// counts of a user, whatever runtimes he starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct User(pub Option<u32>);

/// A session of one runtime, by digest: the log keeps no id that may hold a secret, and a state
/// that could not be found again by its id would be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; 16]);

/// Whose state it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The user.
    pub user: User,
    /// His session. Its subagents share it.
    pub session: SessionId,
}

impl Key {
    /// Whose state a principal's calls meet.
    #[must_use]
    pub fn of(principal: &Principal) -> Key {
        Key {
            user: User(principal.uid),
            session: SessionId::of(principal.runtime, &principal.session),
        }
    }
}

impl SessionId {
    /// The session that a runtime names so.
    #[must_use]
    pub fn of(runtime: Runtime, session: &str) -> SessionId {
        SessionId(short_digest(&[runtime.as_str(), session]))
    }

    /// Reads what [`std::fmt::Display`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<SessionId> {
        parse(text).map(SessionId)
    }
}

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// Half a SHA-256 over texts, each with its length, so that no two lists have one digest.
pub(super) fn short_digest(texts: &[&str]) -> [u8; 16] {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    let whole: [u8; 32] = digest.finalize().into();
    let mut half = [0; 16];
    half.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
    half
}

pub(super) fn hex(bytes: &[u8; 16]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn parse(text: &str) -> Option<[u8; 16]> {
    let number = u128::from_str_radix(text, 16).ok()?.to_be_bytes();
    (hex(&number) == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_spelling_and_runtimes_do_not_share_them() {
        let one = SessionId::of(Runtime::Claude, "s");
        assert_eq!(SessionId::parse(&one.to_string()), Some(one));
        assert_ne!(one, SessionId::of(Runtime::Codex, "s"));
        assert_ne!(one, SessionId::of(Runtime::Claude, "s2"));
        assert_ne!(short_digest(&["a", "bc"]), short_digest(&["ab", "c"]));
        for bad in ["", "00", "+0000000000000000000000000000000", &one.to_string().to_uppercase()] {
            assert_eq!(SessionId::parse(bad), None, "{bad}");
        }
        let zero = "0".repeat(32);
        assert_eq!(SessionId::parse(&zero).unwrap().to_string(), zero);
    }
}
