//! A secret in memory: overwritten when it is dropped, and never shown.

use crate::limits::CREDENTIAL_BYTES_MAX;
use zeroize::Zeroizing;

/// The text of a secret, as it stands in a header.
pub struct Secret(Zeroizing<Vec<u8>>);

/// Why what a source gave is no secret. Nothing of it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    /// Nothing, or only whitespace.
    #[error("is empty")]
    Empty,
    /// More than a header takes.
    #[error("is longer than {CREDENTIAL_BYTES_MAX} bytes")]
    Long,
    /// It could not stand in a header.
    #[error("may hold visible ASCII characters only, and one line")]
    Unsendable,
}

impl Secret {
    /// The secret in what a source gave: whitespace around it is the source's, not the secret's.
    ///
    /// # Errors
    /// If it could not stand in a header.
    pub fn parse(given: &[u8]) -> Result<Secret, BadSecret> {
        let text = given.trim_ascii();
        if text.is_empty() {
            return Err(BadSecret::Empty);
        }
        if text.len() > CREDENTIAL_BYTES_MAX {
            return Err(BadSecret::Long);
        }
        if !text.iter().all(u8::is_ascii_graphic) {
            return Err(BadSecret::Unsendable);
        }
        Ok(Secret(Zeroizing::new(text.to_vec())))
    }

    /// Its bytes, for the one header that it goes into.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_secret() {
        let read = |text: &[u8]| Secret::parse(text).map(|secret| secret.bytes().to_vec());
        assert_eq!(read(b" \tsk-a.b/c+d=\r\n"), Ok(b"sk-a.b/c+d=".to_vec()));
        for (text, why) in [
            (&b""[..], BadSecret::Empty),
            (b" \r\n", BadSecret::Empty),
            (b"a b", BadSecret::Unsendable),
            (b"a\r\nx: b", BadSecret::Unsendable),
            (b"a\0", BadSecret::Unsendable),
            ("é".as_bytes(), BadSecret::Unsendable),
        ] {
            assert_eq!(read(text), Err(why), "{text:?}");
        }
        assert_eq!(read(&[b'a'; CREDENTIAL_BYTES_MAX + 1]), Err(BadSecret::Long));
    }

    #[test]
    fn it_is_never_shown() {
        let shown = format!("{:?}", Secret::parse(b"sk-very-secret").unwrap());
        assert!(!shown.contains("very"), "{shown}");
    }
}
