//! What the journal's owner signs, and when: a head soon after records came, one in a while
//! though none came, and a key that hands over to the next.
//!
//! The owner tells of every line it writes, asks what is due, writes that record as it writes any
//! other, and says when all of it is on the disk. Nothing here waits, but for the key's file when
//! a key hands over.

use crate::audit::error::AuditError;
use crate::audit::journal::{Directory, Shelf};
use crate::audit::place::StreamId;
use crate::audit::proof::chain::Flaw;
use crate::audit::proof::checkpoint::{Checkpoint, Details};
use crate::audit::proof::head::{SignedHead, Signing};
use crate::audit::proof::key::{KEY_FILE, Keys, Signed, wrong};
use crate::audit::proof::memory::Memory;
use crate::audit::proof::merkle::{Tree, leaf};
use crate::audit::proof::resume::resume;
use crate::audit::wire::Body;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// When a key that could not hand over tries again.
const HAND_OVER_AGAIN: Duration = Duration::from_secs(15 * 60);

/// Signs one log.
#[derive(Debug)]
pub(in crate::audit) struct Signer {
    signing: Signing,
    keys: Keys,
    tree: Tree,
    /// Since when a record stands unsigned.
    unsigned: Option<Instant>,
    /// When the last head was made.
    last: Instant,
    /// When the next key is to sign.
    rotate: Option<Instant>,
    /// A head that is not on the disk yet.
    unsent: Option<SignedHead>,
    /// A certificate was written and is not on the disk yet.
    certified: bool,
    /// The key's file does not say yet that the old key is gone.
    unsettled: bool,
    /// What the key remembers, if it lies elsewhere than the log.
    memory: Option<Memory>,
    /// How many records no head covered when the log was opened.
    found: u64,
    /// Something was written since. Before that nothing is signed: whoever reads the log must see
    /// where this start began.
    began: bool,
}

/// What is to be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::audit) enum Due {
    /// A head.
    Head,
    /// A head in which a key hands over.
    Key,
}

impl Signer {
    /// Takes up the keys of a log and the tree of the stream whose newest record has the number
    /// `last`. A flaw says that the stream must not be gone on with.
    pub(in crate::audit) fn open(
        signing: &Signing,
        (shelf, dir): (&Arc<dyn Shelf>, &Path),
        (stream, last): (&StreamId, u64),
    ) -> Result<(Signer, Option<Flaw>), AuditError> {
        let path = signing.key.clone().unwrap_or_else(|| dir.join(KEY_FILE));
        let shelf = match &signing.key {
            Some(key) if key.parent() != Some(dir) => beside(key)?,
            Some(_) | None => Arc::clone(shelf),
        };
        let found = Keys::open(&path, &shelf)?;
        let (resumed, mut flaw) = match resume(dir, stream, last)? {
            Ok(resumed) => (resumed, None),
            Err(flaw) => (Default::default(), Some(flaw)),
        };
        let is_new = found.is_none();
        if is_new && (resumed.head.is_some() || flaw == Some(Flaw::NoHead)) {
            let why = "it is not there, and the log is signed; put it back, or begin a new log in \
                       another directory (`--audit`)";
            return Err(wrong(&path, why));
        }
        let memory = Memory::beside(&path, dir);
        let mut keys = match found {
            Some(keys) => keys,
            None => Keys::make(&path, shelf, stream)?,
        };
        if let Some((head, note)) = &resumed.head {
            let signed = keys.recognise(head, note)?;
            if signed == Signed::Stranger {
                flaw = Some(Flaw::KeyUnknown);
            }
        }
        // A key that is new signed nothing yet.
        let remembers = memory.as_ref().filter(|_| !is_new);
        if let Some(missed) = remembers.map(|one| one.missed(dir)).transpose()?.flatten() {
            flaw = Some(Flaw::RolledBack(missed.size));
        }
        let covered = resumed.head.as_ref().map_or(0, |(head, _)| head.size.saturating_add(1));
        let rotates = !signing.rotate.is_zero() || keys.is_handing_over();
        let now = Instant::now();
        let found = resumed.tree.size().saturating_sub(covered);
        let tree = if flaw.is_some() { Tree::default() } else { resumed.tree };
        let signer = Signer {
            signing: signing.clone(),
            keys,
            tree,
            unsigned: None,
            last: now,
            rotate: rotates.then_some(now),
            unsent: None,
            certified: false,
            unsettled: false,
            memory,
            found: if flaw.is_some() { 0 } else { found },
            began: false,
        };
        Ok((signer, flaw))
    }

    /// A record's line was written.
    pub(in crate::audit) fn took(&mut self, line: &[u8]) {
        self.tree.push(leaf(line));
        self.began = true;
        self.unsigned.get_or_insert_with(Instant::now);
    }

    /// The line of a record that [`Signer::sign`] made was written.
    pub(in crate::audit) fn took_own(&mut self, line: &[u8]) {
        self.tree.push(leaf(line));
        self.unsigned = None;
    }

    /// How many records no head covered when the log was opened: they are taken on trust.
    pub(in crate::audit) fn found(&self) -> u64 {
        self.found
    }

    /// Whether a record stands unsigned.
    pub(in crate::audit) fn is_behind(&self) -> bool {
        self.unsigned.is_some()
    }

    /// When something is due next.
    pub(in crate::audit) fn deadline(&self) -> Instant {
        if !self.began {
            return Instant::now() + self.signing.heartbeat;
        }
        let head = self.unsigned.map(|since| since + self.signing.every);
        let head = head.unwrap_or(self.last + self.signing.heartbeat);
        self.rotate.map_or(head, |rotate| head.min(rotate))
    }

    /// What is due now.
    pub(in crate::audit) fn due(&self) -> Option<Due> {
        let now = Instant::now();
        if !self.began || now < self.deadline() {
            return None;
        }
        let rotates = self.rotate.is_some_and(|rotate| rotate <= now) && !self.certified;
        Some(if rotates { Due::Key } else { Due::Head })
    }

    /// The record to be written, and its time.
    pub(in crate::audit) fn sign(
        &mut self,
        due: Due,
        stream: &StreamId,
    ) -> (Body, jiff::Timestamp) {
        let now = jiff::Timestamp::now();
        let next = (due == Due::Key).then(|| self.keys.next());
        let next = next.and_then(|next| {
            let told = |why: &AuditError| tracing::error!(%why, "the log's key cannot hand over");
            next.inspect_err(told).ok()
        });
        if due == Due::Key {
            self.certified = next.is_some();
            let again = if self.certified { self.signing.rotate } else { HAND_OVER_AGAIN };
            self.rotate = (!again.is_zero()).then(|| Instant::now() + again);
        }
        let head = Checkpoint {
            stream: stream.clone(),
            size: self.tree.size(),
            root: self.tree.root(),
            epoch: self.keys.epoch(),
            time: format!("{now:.6}"),
            next,
        };
        let note = self.keys.sign(&head);
        let body = Body::of_own(Details::of(&note, &self.tree).body(head.kind()));
        self.last = Instant::now();
        let Checkpoint { stream, size, root, .. } = head;
        self.unsent = Some(SignedHead { stream, size, root, note: note.to_string() });
        (body, now)
    }

    /// All that was written is on the disk.
    pub(in crate::audit) fn synced(&mut self) {
        if std::mem::take(&mut self.certified) {
            self.unsettled = self.told(Keys::hand_over).is_err();
        } else if self.unsettled {
            self.unsettled = self.told(|keys| keys.settle()).is_err();
        }
        let Some(head) = self.unsent.take() else { return };
        if let Some(memory) = &mut self.memory {
            memory.remember(&head.note);
        }
        let Some(heads) = &self.signing.heads else { return };
        if let Err(why) = heads.try_send(head) {
            tracing::warn!(%why, "a head of the log was not handed to its publisher");
        }
    }

    fn told(&mut self, what: impl FnOnce(&mut Keys) -> Result<(), AuditError>) -> Result<(), ()> {
        let result = what(&mut self.keys);
        result.map_err(|why| tracing::error!(%why, "the log's old key is not destroyed yet"))
    }
}

/// The directory of a key that lies elsewhere than the log.
fn beside(key: &Path) -> Result<Arc<dyn Shelf>, AuditError> {
    let parent = key.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let shelf = Directory::unlocked(parent);
    Ok(Arc::new(shelf.map_err(AuditError::file("open the directory of the log's key", parent))?))
}
