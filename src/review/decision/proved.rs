//! The proof of a record's place, made from the log and checked as anyone else would.

use super::{ProofView, Prover};
use crate::audit::StreamId;
use crate::audit::proof::bundle::Bundle;
use crate::audit::proof::checkpoint::Checkpoint;
use crate::audit::proof::prove::{NoProof, prove};
use std::path::Path;

/// Proves places in the log of a directory, and checks each proof as anyone else would.
pub struct InLog<'a>(pub &'a Path);

impl Prover for InLog<'_> {
    fn prove(&self, stream: &str, seq: u64) -> ProofView {
        let not = |state: &str, told: String| {
            let state = state.to_owned();
            ProofView { state, told, ..ProofView::default() }
        };
        let Some(id) = StreamId::parse(stream) else {
            return not("BROKEN", "its stream has no name that a stream can have".to_owned());
        };
        let bundle = match prove(self.0, &id, seq) {
            Ok(proof) => Bundle::Inclusion(proof),
            Err(NoProof::NotSigned(..)) => {
                return not("UNSEALED", "no signed head covers it yet".to_owned());
            }
            Err(why @ NoProof::Broken(_)) => return not("BROKEN", why.to_string()),
            Err(why) => return not("UNSEALED", why.to_string()),
        };
        let checked = bundle.check(None);
        let Bundle::Inclusion(proof) = bundle else { return ProofView::default() };
        let (state, told) = match checked {
            Ok(proven) => {
                let Checkpoint { size, time, .. } = &proven.head;
                let told = format!("in the first {size} records, by the head signed at {time}");
                ("SEALED", told)
            }
            Err(why) => ("BROKEN", why.to_string()),
        };
        ProofView {
            state: state.to_owned(),
            told,
            note: Some(proof.head),
            size: Some(proof.size),
            path: proof.path,
        }
    }
}
