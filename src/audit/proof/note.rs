//! Signed notes and the keys that sign them (C2SP `signed-note`, Ed25519).
//!
//! A note is a text that ends in a newline, an empty line, and signature lines of the form
//! `— name base64(key id || signature)`. Reading is strict: each note has one spelling, so that a
//! changed byte is a changed note. A text means nothing until a key that is trusted has
//! [`PublicKey::verify`]'d it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature as Ed25519, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

/// The longest note that is read: a head has some 400 bytes, and witnesses may have added theirs.
const NOTE_BYTES_MAX: usize = 64 * 1024;
/// The most signatures of one note; the format asks for room for 16.
const SIGNATURES_MAX: usize = 32;
/// The type of an Ed25519 key in key ids and key texts.
const ED25519: u8 = 1;

/// Why a text is no signed note, or not one that this key signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It has not the form.
    #[error("it is no signed note: {0}")]
    Form(&'static str),
    /// The key signed nothing here.
    #[error("it is not signed by the key")]
    Unsigned,
    /// The key's signature does not fit the text.
    #[error("the signature does not fit the text")]
    Forged,
}

/// A text and its signatures, none of which is verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The signed text, with its newline at the end.
    text: String,
    signatures: Vec<Signature>,
}

/// One signature of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
}

/// A key that verifies notes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    key: VerifyingKey,
}

/// A key that signs notes. Its bytes are overwritten when it is dropped.
pub struct SecretKey {
    name: String,
    key: SigningKey,
}

impl Note {
    /// Reads a signed note.
    ///
    /// # Errors
    /// If it has not exactly the form.
    pub fn parse(note: &str) -> Result<Note, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::Form("it is too long"));
        }
        if note.bytes().any(|byte| byte < b' ' && byte != b'\n') {
            return Err(NoteError::Form("it holds a control character"));
        }
        let (text, signatures) =
            note.rsplit_once("\n\n").ok_or(NoteError::Form("it has no empty line"))?;
        let lines = signatures.strip_suffix('\n').ok_or(NoteError::Form("it is cut off"))?;
        let signatures = lines.split('\n').map(Signature::parse).collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > SIGNATURES_MAX {
            return Err(NoteError::Form("it has too many signatures"));
        }
        if text.is_empty() {
            return Err(NoteError::Form("it has no text"));
        }
        Ok(Note { text: format!("{text}\n"), signatures })
    }

    /// The signed text, with its newline at the end.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its signatures.
    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.text)?;
        for Signature { name, id, bytes } in &self.signatures {
            let both = [&id[..], bytes].concat();
            writeln!(f, "— {name} {}", STANDARD.encode(both))?;
        }
        Ok(())
    }
}

impl Signature {
    fn parse(line: &str) -> Result<Signature, NoteError> {
        let wrong = NoteError::Form("a signature line is none");
        let rest = line.strip_prefix("— ").ok_or(wrong)?;
        let (name, bytes) = rest.split_once(' ').ok_or(wrong)?;
        let both = STANDARD.decode(bytes).map_err(|_| wrong)?;
        let (id, bytes) = both.split_first_chunk::<4>().ok_or(wrong)?;
        if !is_name(name) || bytes.is_empty() {
            return Err(wrong);
        }
        Ok(Signature { name: name.to_owned(), id: *id, bytes: bytes.to_vec() })
    }

    /// The name of the key that made it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl PublicKey {
    /// Reads a key's text, `name+id+base64(type || key)`.
    #[must_use]
    pub fn parse(text: &str) -> Option<PublicKey> {
        let mut parts = text.splitn(3, '+');
        let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
        let bytes = STANDARD.decode(key).ok()?;
        let (kind, bytes) = bytes.split_first()?;
        let key = VerifyingKey::from_bytes(bytes.try_into().ok()?).ok()?;
        let key = PublicKey { name: name.to_owned(), key };
        let fits = *kind == ED25519 && is_name(name) && key.hex_id() == id && !key.key.is_weak();
        fits.then_some(key)
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Holds the note against this key.
    ///
    /// # Errors
    /// If it did not sign the note, or the note was changed since.
    pub fn verify(&self, note: &Note) -> Result<(), NoteError> {
        let id = self.id();
        let mut ours = note.signatures.iter().filter(|one| one.name == self.name && one.id == id);
        let Some(first) = ours.next() else { return Err(NoteError::Unsigned) };
        let fits = |one: &Signature| {
            let signature = Ed25519::from_slice(&one.bytes).map_err(|_| NoteError::Forged)?;
            let verified = self.key.verify_strict(note.text.as_bytes(), &signature);
            verified.map_err(|_| NoteError::Forged)
        };
        std::iter::once(first).chain(ours).try_for_each(fits)
    }

    fn id(&self) -> [u8; 4] {
        let hash = Sha256::new().chain_update(&self.name).chain_update([b'\n', ED25519]);
        let hash: [u8; 32] = hash.chain_update(self.key.as_bytes()).finalize().into();
        let [a, b, c, d, ..] = hash;
        [a, b, c, d]
    }

    fn hex_id(&self) -> String {
        self.id().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = [&[ED25519], &self.key.as_bytes()[..]].concat();
        write!(f, "{}+{}+{}", self.name, self.hex_id(), STANDARD.encode(key))
    }
}

impl SecretKey {
    /// A key of 32 random bytes.
    #[must_use]
    pub fn of(name: String, bytes: &[u8; 32]) -> SecretKey {
        SecretKey { name, key: SigningKey::from_bytes(bytes) }
    }

    /// What verifies its notes.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// The secret itself, for the file that it is kept in.
    #[must_use]
    pub(in crate::audit) fn bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Signs a text that ends in a newline and holds no control character but that.
    #[must_use]
    pub fn sign(&self, text: String) -> Note {
        let bytes = self.key.sign(text.as_bytes()).to_bytes().to_vec();
        let id = self.public().id();
        Note { text, signatures: vec![Signature { name: self.name.clone(), id, bytes }] }
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey({})", self.public())
    }
}

/// What a key may be called.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example of Go's `sumdb/note`, whose key and note stand in its documentation.
    const GO_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKv\
        qfqdngotpRZb6KE6RyyBwJnAM=\n";

    fn secret() -> SecretKey {
        SecretKey::of("log.example/a".to_owned(), &[7; 32])
    }

    #[test]
    fn notes_of_the_go_library_are_read_and_verified() {
        let key = PublicKey::parse(GO_KEY).unwrap();
        assert_eq!(key.to_string(), GO_KEY);
        let note = Note::parse(GO_NOTE).unwrap();
        assert_eq!(note.to_string(), GO_NOTE);
        assert_eq!(key.verify(&note), Ok(()));
        let changed = GO_NOTE.replace("answer", "Answer");
        assert_eq!(key.verify(&Note::parse(&changed).unwrap()), Err(NoteError::Forged));
        let signed = secret().sign("a\n".to_owned());
        assert_eq!(key.verify(&signed), Err(NoteError::Unsigned));
    }

    #[test]
    fn what_is_signed_is_verified_by_the_keys_text() {
        let note = secret().sign("a\n\nb\n".to_owned());
        let read = Note::parse(&note.to_string()).unwrap();
        assert_eq!(read, note);
        let public = PublicKey::parse(&secret().public().to_string()).unwrap();
        assert_eq!(public.verify(&read), Ok(()));
        assert!(!format!("{:?}", secret()).contains("7, 7"));
    }

    #[test]
    fn every_changed_byte_of_a_note_and_of_a_key_counts() {
        let (note, key) = (secret().sign("a\n".to_owned()).to_string(), secret().public());
        for place in 0..note.len() {
            for change in [0x01, 0x20, 0x80] {
                let mut bytes = note.clone().into_bytes();
                bytes[place] ^= change;
                let Ok(text) = String::from_utf8(bytes) else { continue };
                let holds = Note::parse(&text).and_then(|note| key.verify(&note));
                assert!(holds.is_err(), "{text:?}");
            }
        }
        let text = key.to_string();
        for place in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= 1;
            assert_eq!(PublicKey::parse(std::str::from_utf8(&bytes).unwrap()), None);
        }
    }

    #[test]
    fn what_is_no_note() {
        let good = "a\n\n— n AAAAAAA=\n";
        assert!(Note::parse(good).is_ok());
        for bad in [
            "",
            "a",
            "a\n",
            "a\n\n",
            "\n\n— n AAAAAAA=\n",
            "a\n\n— n AAAAAAA=",
            "a\n\n- n AAAAAAA=\n",
            "a\n\n—  AAAAAAA=\n",
            "a\n\n— n+n AAAAAAA=\n",
            "a\n\n— n AAAAAAA\n",
            "a\n\n— n AAAAAAB=\n",
            "a\n\n— n AAAA\n",
            "a\n\n— n AAAAAAA= \n",
            "a\r\n\n— n AAAAAAA=\n",
            "a\n\n— n\u{a0}n AAAAAAA=\n",
        ] {
            assert!(Note::parse(bad).is_err(), "{bad:?}");
        }
        let many = format!("a\n\n{}", "— n AAAAAAA=\n".repeat(SIGNATURES_MAX + 1));
        assert!(Note::parse(&many).is_err());
        assert!(Note::parse(&format!("{}\n\n— n AAAAAAA=\n", "a".repeat(NOTE_BYTES_MAX))).is_err());
    }

    proptest! {
        #[test]
        fn a_note_has_one_spelling(
            text in "[a-z— \n]{0,30}(\n\n— [a-z]{1,3} [A-Za-z0-9+/]{4,8}={0,2}\n){0,2}"
        ) {
            if let Ok(note) = Note::parse(&text) {
                prop_assert_eq!(note.to_string(), text);
            }
        }
    }
}
