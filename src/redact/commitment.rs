//! What is said of a secret that was taken out: a commitment to it under a key.
//!
//! Who holds the key can ask whether a value that he knows was there; to anyone else it tells
//! nothing, not even by guessing, which a bare hash of a short password would. The key is a value
//! that is passed in; it must never be in a record.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::sync::Arc;

/// Which way commitments are made; stands before each, so that another way can come later.
const SCHEME: &str = "k1:";
/// Bytes of the HMAC that are kept: 128 bits, so that no two values ever meet by chance.
const KEPT_BYTES: usize = 16;
/// Bytes of a key.
pub const COMMITMENT_KEY_BYTES: usize = 32;

/// The key of all commitments of one log; cheap to clone, and never shown.
#[derive(Clone)]
pub struct CommitmentKey(Arc<[u8; COMMITMENT_KEY_BYTES]>);

impl std::fmt::Debug for CommitmentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CommitmentKey")
    }
}

impl CommitmentKey {
    /// A key of these bytes, which must be random.
    #[must_use]
    pub fn new(bytes: [u8; COMMITMENT_KEY_BYTES]) -> CommitmentKey {
        CommitmentKey(Arc::new(bytes))
    }

    /// The commitment to a secret: `k1:` and 32 hexadecimal digits.
    #[must_use]
    pub fn commit(&self, secret: &str) -> String {
        self.tag("secret", secret.as_bytes())
    }

    /// The commitment to a text that was left out, which is never equal to one to a secret.
    #[must_use]
    pub fn commit_text(&self, text: &str) -> String {
        self.tag("text", text.as_bytes())
    }

    /// The same of what is no text.
    pub(super) fn commit_bytes(&self, bytes: &[u8]) -> String {
        self.tag("text", bytes)
    }

    fn tag(&self, what: &str, bytes: &[u8]) -> String {
        // HMAC takes a key of any length; without one nothing may be said.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.as_slice()) else {
            return SCHEME.to_owned();
        };
        mac.update(b"toolgate ");
        mac.update(what.as_bytes());
        mac.update(&[0]);
        mac.update(bytes);
        let mut out = SCHEME.to_owned();
        for byte in mac.finalize().into_bytes().iter().take(KEPT_BYTES) {
            out.push_str(&format!("{byte:02x}"));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commitment_is_of_its_key_its_kind_and_its_text() {
        let key = CommitmentKey::new([7; COMMITMENT_KEY_BYTES]);
        let one = key.commit("hunter2");
        // Made by Python's hmac: HMAC-SHA256(b"\7"*32, b"toolgate secret\0hunter2"), 16 bytes.
        assert_eq!(one, "k1:b5af711c95e48c42b7857b677c4362d0");
        let other = CommitmentKey::new([8; COMMITMENT_KEY_BYTES]);
        for different in
            [key.commit("hunter3"), key.commit_text("hunter2"), other.commit("hunter2")]
        {
            assert_ne!(one, different);
            assert_eq!(different.len(), one.len());
        }
        assert_eq!(format!("{key:?}"), "CommitmentKey");
    }
}
