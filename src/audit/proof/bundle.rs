//! A proof as one file, which anyone can check without the log and without this machine.
//!
//! It holds the record's line, the path from it to a signed head, that head, and the certificates
//! of the keys from the log's first one on. What it proves it proves to whoever knows that first
//! key from elsewhere; to anybody else it only shows that one hand signed all of it.

use crate::audit::place::StreamId;
use crate::audit::proof::chain::Flaw;
use crate::audit::proof::checkpoint::{Checkpoint, decode};
use crate::audit::proof::epochs::Epochs;
use crate::audit::proof::link;
use crate::audit::proof::merkle::{extends, includes, leaf};
use crate::audit::proof::note::{Note, PublicKey};
use serde::{Deserialize, Serialize};

/// A proof of one of the two kinds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "toolgate_proof", deny_unknown_fields)]
pub enum Bundle {
    /// A record stands in the log.
    #[serde(rename = "inclusion 1")]
    Inclusion(Inclusion),
    /// A head goes on from another.
    #[serde(rename = "consistency 1")]
    Consistency(Consistency),
}

/// That a record stands in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inclusion {
    /// The record's line, without its newline.
    pub line: String,
    /// Its leaf: its number less one.
    pub index: u64,
    /// How many records the head covers.
    pub size: u64,
    /// The hashes beside the way from the leaf to the root, base64.
    pub path: Vec<String>,
    /// The signed note of the head.
    pub head: String,
    /// The signed notes in which keys were certified, from the first key's own on.
    pub keys: Vec<String>,
}

/// That one head's records are the beginning of another's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    /// The signed note of the older head.
    pub first: String,
    /// The signed note of the newer head.
    pub second: String,
    /// The hashes that lead from the one to the other, base64.
    pub path: Vec<String>,
    /// As of an inclusion, up to the newer head.
    pub keys: Vec<String>,
}

/// What a proof proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The stream.
    pub stream: StreamId,
    /// The record's line and number; nothing for a consistency.
    pub record: Option<(u64, String)>,
    /// The older head, of a consistency.
    pub first: Option<Checkpoint>,
    /// The head.
    pub head: Checkpoint,
    /// The log's first key.
    pub key: PublicKey,
    /// Whether that key was known from elsewhere.
    pub is_trusted: bool,
    /// How many keys there were up to the one that signed.
    pub keys: u64,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// A part has not its form.
    #[error("{0} is not what it should be")]
    Form(&'static str),
    /// A signature, or the way to its key, does not hold.
    #[error("{0}: {1}")]
    Signature(&'static str, Flaw),
    /// The line is another record's.
    #[error("the line is not that of the record which the proof is about")]
    Record,
    /// The path does not lead to the signed root.
    #[error("the path does not lead to the signed head: the record is not the one that was signed")]
    Path,
    /// One head is not the beginning of the other.
    #[error("the newer head does not go on from the older one: the log was written anew")]
    Inconsistent,
}

impl Bundle {
    /// Holds a proof against itself, and against the log's first key if that is known.
    ///
    /// # Errors
    /// If it proves nothing.
    pub fn check(&self, key: Option<&PublicKey>) -> Result<Proven, ProofError> {
        match self {
            Bundle::Inclusion(proof) => proof.check(key),
            Bundle::Consistency(proof) => proof.check(key),
        }
    }
}

impl Inclusion {
    fn check(&self, key: Option<&PublicKey>) -> Result<Proven, ProofError> {
        let (head, note) = parse("the head", &self.head)?;
        let mut epochs = trust(&self.keys, key)?;
        epochs.take(&head, &note).map_err(|flaw| ProofError::Signature("the head", flaw))?;
        let seq = self.index.checked_add(1).ok_or(ProofError::Form("the index"))?;
        let link = link::strictly(self.line.as_bytes())
            .map_err(|_| ProofError::Form("the record's line"))?;
        if link.seq != seq || link.stream != head.stream.as_str() || self.size != head.size {
            return Err(ProofError::Record);
        }
        let leaf = leaf(self.line.as_bytes());
        if !includes(&head.root, head.size, self.index, leaf, &hashes(&self.path)?) {
            return Err(ProofError::Path);
        }
        proven(epochs, head, Some((seq, self.line.clone())), None)
    }
}

impl Consistency {
    fn check(&self, key: Option<&PublicKey>) -> Result<Proven, ProofError> {
        let (first, first_note) = parse("the older head", &self.first)?;
        let (second, second_note) = parse("the newer head", &self.second)?;
        let mut epochs = trust(&self.keys, key)?;
        let signed = |name| move |flaw| ProofError::Signature(name, flaw);
        epochs.take(&second, &second_note).map_err(signed("the newer head"))?;
        if !epochs.knows(&first, &first_note) {
            return Err(ProofError::Signature("the older head", Flaw::KeyUnknown));
        }
        let path = hashes(&self.path)?;
        let (old, new) = ((first.size, &first.root), (second.size, &second.root));
        if first.stream != second.stream || !extends(old, new, &path) {
            return Err(ProofError::Inconsistent);
        }
        proven(epochs, second, None, Some(first))
    }
}

/// The keys up to the one that signs, each certified by the one before.
fn trust(notes: &[String], key: Option<&PublicKey>) -> Result<Epochs, ProofError> {
    let mut epochs = Epochs::trusting(key);
    for note in notes {
        let (head, note) = parse("a certificate", note)?;
        if head.next.is_none() {
            return Err(ProofError::Form("a certificate"));
        }
        epochs.take(&head, &note).map_err(|flaw| ProofError::Signature("a certificate", flaw))?;
    }
    Ok(epochs)
}

fn proven(
    epochs: Epochs,
    head: Checkpoint,
    record: Option<(u64, String)>,
    first: Option<Checkpoint>,
) -> Result<Proven, ProofError> {
    let key = epochs.first().ok_or(ProofError::Form("the list of keys"))?.clone();
    let (is_trusted, keys) = (epochs.is_trusted(), epochs.count());
    Ok(Proven { stream: head.stream.clone(), record, first, head, key, is_trusted, keys })
}

fn parse(name: &'static str, text: &str) -> Result<(Checkpoint, Note), ProofError> {
    let note = Note::parse(text).map_err(|_| ProofError::Form(name))?;
    let head = Checkpoint::parse(note.text()).ok_or(ProofError::Form(name))?;
    Ok((head, note))
}

fn hashes(path: &[String]) -> Result<Vec<crate::audit::place::Hash>, ProofError> {
    let hashes = path.iter().map(|hash| decode(hash));
    hashes.collect::<Option<_>>().ok_or(ProofError::Form("the path"))
}
