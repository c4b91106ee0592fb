//! Any text: what is read as a signed note, a head or a key is written again the same.

use toolgate::audit::proof::checkpoint::Checkpoint;
use toolgate::audit::proof::note::{Note, PublicKey};

/// Fails if the property does not hold for these bytes.
pub fn hold(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(note) = Note::parse(text) {
        assert_eq!(note.to_string(), text);
        if let Some(head) = Checkpoint::parse(note.text()) {
            assert_eq!(head.to_string(), note.text());
            if let Some(next) = head.next {
                // Whatever it says, the key is there to be asked.
                let _ = next.verify(&note);
            }
        }
    }
    if let Some(key) = PublicKey::parse(text) {
        assert_eq!(key.to_string(), text);
    }
}
