//! Which key may sign at which place of the log: each from its certificate on, up to its own.
//!
//! The first key of a log certifies itself, in the first head there is. Who trusts no key from
//! elsewhere learns only that one hand signed everything, not whose. A newer key below its
//! certificate, an older one behind it, and one that nothing certifies are all the same: no key of
//! this place.

use crate::audit::proof::chain::Flaw;
use crate::audit::proof::checkpoint::Checkpoint;
use crate::audit::proof::note::{Note, NoteError, PublicKey};

/// The keys seen so far.
#[derive(Debug, Default)]
pub(super) struct Epochs {
    trusted: Option<PublicKey>,
    /// Each key in its turn, with its number; the last one signs.
    keys: Vec<(u64, PublicKey)>,
    /// Whether the last one has signed anything yet.
    signed: bool,
    /// When the newest head was signed.
    newest: Option<String>,
}

impl Epochs {
    /// Where the first key must be this one, if one is given.
    pub(super) fn trusting(trusted: Option<&PublicKey>) -> Epochs {
        Epochs { trusted: trusted.cloned(), ..Epochs::default() }
    }

    /// Takes the next head, if a key signed it that may sign here.
    pub(super) fn take(&mut self, head: &Checkpoint, note: &Note) -> Result<(), Flaw> {
        let Some((epoch, key)) = self.keys.last().cloned() else { return self.begin(head, note) };
        match key.verify(note) {
            Ok(()) if head.epoch == epoch => {}
            Ok(()) | Err(NoteError::Unsigned) if self.is_repeated(head, note) => return Ok(()),
            Ok(()) | Err(NoteError::Unsigned) => return Err(Flaw::KeyUnknown),
            Err(NoteError::Forged | NoteError::Form(_)) => return Err(Flaw::Signature),
        }
        self.signed = true;
        self.newest = Some(head.time.clone());
        if let Some(next) = head.next.as_ref().filter(|next| **next != key) {
            self.keys.push((epoch.saturating_add(1), next.clone()));
            self.signed = false;
        }
        Ok(())
    }

    /// The first head is that in which the first key certifies itself.
    fn begin(&mut self, head: &Checkpoint, note: &Note) -> Result<(), Flaw> {
        let first = head.next.as_ref().ok_or(Flaw::KeyUnknown)?;
        match first.verify(note) {
            Ok(()) => {}
            Err(NoteError::Unsigned) => return Err(Flaw::KeyUnknown),
            Err(NoteError::Forged | NoteError::Form(_)) => return Err(Flaw::Signature),
        }
        if self.trusted.as_ref().is_some_and(|trusted| trusted != first) {
            return Err(Flaw::KeyOther(first.to_string()));
        }
        self.keys.push((head.epoch, first.clone()));
        self.newest = Some(head.time.clone());
        Ok(())
    }

    /// A certificate that was written, was not known to be on the disk, and was written again.
    fn is_repeated(&self, head: &Checkpoint, note: &Note) -> bool {
        let [.., (epoch, before), (_, key)] = self.keys.as_slice() else { return false };
        let same = head.next.as_ref() == Some(key) && head.epoch == *epoch;
        same && !self.signed && before.verify(note).is_ok()
    }

    /// Whether a key of this log signed a head that was kept elsewhere.
    pub(super) fn knows(&self, head: &Checkpoint, note: &Note) -> bool {
        let mut keys = self.keys.iter();
        keys.any(|(epoch, key)| *epoch == head.epoch && key.verify(note).is_ok())
    }

    /// The first key.
    pub(super) fn first(&self) -> Option<&PublicKey> {
        self.keys.first().map(|(_, key)| key)
    }

    /// How many keys there were.
    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.keys.len()).unwrap_or(u64::MAX)
    }

    /// When the newest head was signed.
    pub(super) fn newest(&self) -> Option<&str> {
        self.newest.as_deref()
    }

    /// A key that was trusted and is nowhere.
    pub(super) fn unseen(&self) -> bool {
        self.trusted.is_some() && self.keys.is_empty()
    }

    /// Whether the first key was known from elsewhere.
    pub(super) fn is_trusted(&self) -> bool {
        self.trusted.is_some() && self.first() == self.trusted.as_ref()
    }
}
