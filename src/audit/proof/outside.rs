//! What is known of a log from elsewhere: its first key, and heads that were kept. Only they show
//! an end that was cut off, or a log that the holder of its key wrote anew.

use crate::audit::place::{Head, StreamId};
use crate::audit::proof::chain::Flaw;
use crate::audit::proof::checkpoint::Checkpoint;
use crate::audit::proof::epochs::Epochs;
use crate::audit::proof::merkle::Tree;
use crate::audit::proof::note::{Note, PublicKey};

/// What is known of a log from elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Elsewhere {
    /// The log's first key.
    pub key: Option<PublicKey>,
    /// Heads that were kept.
    pub heads: Vec<Outside>,
}

/// A head that was kept elsewhere.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "there are a few of them at most")]
pub enum Outside {
    /// The place of a record.
    Place(Head),
    /// A signed head.
    Signed(Checkpoint, Note),
}

/// The heads that were kept, while the log is read.
pub(super) struct Outsides<'a> {
    /// Each, and whether its place was seen.
    heads: Vec<(&'a Outside, bool)>,
    flaws: Vec<Flaw>,
}

impl<'a> Outsides<'a> {
    pub(super) fn of(elsewhere: &'a Elsewhere) -> Outsides<'a> {
        let heads = elsewhere.heads.iter().map(|head| (head, false)).collect();
        Outsides { heads, flaws: Vec::new() }
    }

    /// The record that was read.
    pub(super) fn place(&mut self, head: &Head) {
        for (outside, seen) in &mut self.heads {
            let Outside::Place(place) = outside else { continue };
            if (&place.stream, place.seq) == (&head.stream, head.seq) {
                *seen = true;
                if place.hash != head.hash {
                    self.flaws.push(Flaw::HeadDiffers(place.seq));
                }
            }
        }
    }

    /// The tree up to there.
    pub(super) fn root(&mut self, stream: &StreamId, tree: &Tree) {
        for (outside, seen) in &mut self.heads {
            let Outside::Signed(head, _) = outside else { continue };
            if head.size == tree.size() && head.stream == *stream {
                *seen = true;
                if head.root != tree.root() {
                    self.flaws.push(Flaw::HeadDiffers(head.size));
                }
            }
        }
    }

    /// What does not agree.
    pub(super) fn finish(mut self, epochs: &Epochs) -> Vec<Flaw> {
        if epochs.unseen() {
            self.flaws.push(Flaw::KeyUnseen);
        }
        for (outside, seen) in self.heads {
            match outside {
                Outside::Signed(head, note) if !epochs.knows(head, note) => {
                    self.flaws.push(Flaw::HeadKey(head.size));
                }
                Outside::Place(Head { seq, .. })
                | Outside::Signed(Checkpoint { size: seq, .. }, _)
                    if !seen =>
                {
                    self.flaws.push(Flaw::HeadMissing(*seq));
                }
                Outside::Place(_) | Outside::Signed(..) => {}
            }
        }
        self.flaws
    }
}
