//! Keeps the texts that a record leaves out, before the record that names them is written.
//!
//! A text that cannot be kept does not cost the record: the digest stands, nothing is named, and
//! the record says why. So no record ever names as kept what is not on the disk.

use super::Blobs;
use crate::audit::place::Hash;
use crate::model::record::{LeftOut, Record};
use std::sync::Arc;
use std::time::Duration;

/// The detail of a record that says why a text is not kept.
const NOT_KEPT: &str = "text_not_kept";

/// Keeps the texts of a record as far as it can within `patience`, and names those that are kept.
/// How many were not.
pub(in crate::audit) async fn settle(
    blobs: Option<&Arc<Blobs>>,
    record: &mut Record,
    patience: Duration,
) -> u64 {
    let mut texts: Vec<LeftOut> = Vec::new();
    for capture in [&mut record.input, &mut record.output].into_iter().flatten() {
        texts.append(&mut capture.texts);
    }
    let Some(blobs) = blobs.filter(|_| !texts.is_empty()) else { return 0 };
    let blobs = Arc::clone(blobs);
    let work = tokio::task::spawn_blocking(move || {
        let kept = texts.into_iter().map(|one| (one.pointer, blobs.keep(&one.text)));
        kept.collect::<Vec<_>>()
    });
    let mut not_kept = 0;
    let mut why = None;
    match tokio::time::timeout(patience, work).await {
        Ok(Ok(kept)) => {
            for (pointer, kept) in kept {
                match kept {
                    Ok(name) => name_in(record, &pointer, name),
                    Err(error) => {
                        not_kept += 1;
                        why = Some(error.to_string());
                    }
                }
            }
        }
        Ok(Err(_)) => why = Some("an internal error".to_owned()),
        Err(_) => why = Some("the disk takes too long".to_owned()),
    }
    let Some(why) = why else { return 0 };
    tracing::warn!(%why, "a long text could not be kept beside the log");
    record.details.push((NOT_KEPT, why.into()));
    not_kept.max(1)
}

/// Says where the text stood that it is kept.
fn name_in(record: &mut Record, pointer: &str, name: Hash) {
    let captures = [&mut record.input, &mut record.output].into_iter().flatten();
    let named = captures
        .flat_map(|capture| &mut capture.redactions)
        .find(|one| one.pointer == pointer && one.detector == crate::redact::TOO_LONG);
    if let Some(redaction) = named {
        redaction.blob = Some(name.to_string());
    }
}
