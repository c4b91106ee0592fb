//! Where a record stands: stream, sequence number, hash; and the receipt that proves it.

use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The id of one unbroken chain of records: a UUID version 7 in text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(Arc<str>);

/// The SHA-256 of one line of the log, without its newline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

/// The newest record of a stream. Kept elsewhere, it shows a cut-off end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The stream.
    pub stream: StreamId,
    /// The record's number in it, from 1.
    pub seq: u64,
    /// The hash of its line.
    pub hash: Hash,
}

/// Proof that a record stands in the log. Only the journal can make one, and only after it does:
///
/// ```compile_fail,E0624
/// fn forge(head: toolgate::audit::Head) -> toolgate::audit::Receipt {
///     toolgate::audit::Receipt::new(head)
/// }
/// ```
/// ```compile_fail,E0451
/// fn forge(head: toolgate::audit::Head) -> toolgate::audit::Receipt {
///     toolgate::audit::Receipt { head }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    head: Head,
}

impl Receipt {
    /// Called by the journal's owner after the write (and sync) that it proves.
    pub(super) fn new(head: Head) -> Receipt {
        Receipt { head }
    }

    /// The stream it stands in.
    #[must_use]
    pub fn stream(&self) -> &StreamId {
        &self.head.stream
    }

    /// Its number there.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.head.seq
    }

    /// The hash of its line.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.head.hash
    }

    /// Its place as a head, to compare the log with later.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }
}

/// What stands behind an answer: the record's receipt, or the operator's word that it may go out
/// without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The record stands in the log.
    Receipt(Receipt),
    /// It does not, and `on_audit_failure` says that such calls go on.
    Waiver(Waiver),
}

/// That the log takes no record now, and the operator chose that calls like this one go on all the
/// same (`on_audit_failure`). Only the journal makes one, and only then:
///
/// ```compile_fail,E0451
/// fn forge() -> toolgate::audit::Waiver {
///     toolgate::audit::Waiver { why: "because" }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    why: &'static str,
}

impl Proof {
    /// The record's place, if it has one.
    #[must_use]
    pub fn receipt(&self) -> Option<&Receipt> {
        match self {
            Proof::Receipt(receipt) => Some(receipt),
            Proof::Waiver(_) => None,
        }
    }
}

impl Waiver {
    /// Called by the journal for a record that it cannot write, where the operator allows it.
    pub(super) fn new(why: &'static str) -> Waiver {
        Waiver { why }
    }

    /// Why there is no record, in a word.
    #[must_use]
    pub fn why(&self) -> &'static str {
        self.why
    }
}

impl StreamId {
    /// A new stream's id.
    pub(super) fn generate() -> StreamId {
        StreamId(uuid::Uuid::now_v7().to_string().into())
    }

    /// Reads an id; nothing if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<StreamId> {
        let canonical = uuid::Uuid::try_parse(text).ok()?.to_string();
        (canonical == text).then(|| StreamId(canonical.into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for StreamId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Hash {
    /// What the first record of a stream names as the one before it.
    pub const ZERO: Hash = Hash([0; 32]);

    /// The hash of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Hash {
        Hash(Sha256::digest(bytes).into())
    }

    /// A hash that was made elsewhere.
    #[must_use]
    pub(super) fn from_bytes(bytes: [u8; 32]) -> Hash {
        Hash(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 lower-case hexadecimal digits; nothing for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Hash> {
        let digit = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let (digits, []) = text.as_bytes().as_chunks::<2>() else { return None };
        let mut hash = [0_u8; 32];
        if digits.len() != hash.len() {
            return None;
        }
        for (byte, [high, low]) in hash.iter_mut().zip(digits) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Hash(hash))
    }
}

impl From<Sha256> for Hash {
    fn from(whole: Sha256) -> Hash {
        Hash(whole.finalize().into())
    }
}

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_read_as_they_are_written() {
        let hash = Hash::of(b"abc");
        let text = hash.to_string();
        assert_eq!(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Hash::parse(&text), Some(hash));
        for bad in [
            "",
            "00",
            &text.to_uppercase(),
            &format!("+{}", text.get(1..).unwrap()),
            &"é".repeat(32),
        ] {
            assert_eq!(Hash::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn stream_ids_have_one_spelling() {
        let id = StreamId::generate();
        assert_eq!(StreamId::parse(id.as_str()), Some(id.clone()));
        assert_eq!(StreamId::parse(&id.as_str().replace('-', "")), None);
        assert_eq!(StreamId::parse(&id.as_str().to_uppercase()), None);
    }
}
