//! What stands beside the log, for the gate: texts to keep before a record is written, and sinks
//! that must have the records.
//!
//! No call waits for a sink. A sink that is late makes this and every further call a refusal, or
//! whatever `on_audit_failure` says, until it has caught up; the refusals themselves are records.

use super::{Gate, record};
use crate::audit::{Beside, Blobs, Erased, Hash, erase};
use crate::model::decision::Decision;
use crate::model::record::Record;
use crate::session::Held;

/// The detail of a record that was let through although a sink was late.
const SINK_LATE: &str = "sink_late";

impl Gate {
    /// Sets what stands beside the log, once, before the first call.
    pub fn stand_beside(&self, beside: Beside) {
        // A second one would be a bug of the start; the first one holds.
        let _ = self.beside.set(beside);
    }

    /// What stands beside the log, if anything does.
    #[must_use]
    pub fn stands_beside(&self) -> Option<&Beside> {
        self.beside.get()
    }

    /// A decision and its record, refused if a sink that must have the records does not take them.
    pub(super) fn if_sinks_take_it(
        &self,
        (mut record, decision, held): (Record, Decision, Held),
    ) -> (Record, Decision, Held) {
        let checked = self.stands_beside().map_or(Ok(()), Beside::check);
        let Err(why) = checked else { return (record, decision, held) };
        if self.journal.waives(&record) {
            record.details.push((SINK_LATE, why.to_string().into()));
            return (record, decision, held);
        }
        // What was taken for the call goes back as `held` is dropped here.
        let reason = format!("nothing is let through while the log is not complete: {why}");
        let refusal = Decision {
            capture: decision.capture,
            ..Decision::refusal(reason, decision.policy.clone())
        };
        (record::refused(record, &refusal), refusal, Held::default())
    }

    /// The directory of the log, if texts are kept beside it.
    #[must_use]
    pub fn log_directory(&self) -> Option<String> {
        let blobs = self.stands_beside().and_then(|beside| beside.blobs.as_deref());
        blobs.map(|blobs| blobs.directory().to_string_lossy().into_owned())
    }

    /// The commitment to what could not be read, if there is a key.
    #[must_use]
    pub fn commitment(&self, bytes: &[u8]) -> Option<String> {
        self.redactor.commitment(bytes)
    }

    /// Erases kept texts on an operator's order; the log says so first.
    ///
    /// # Errors
    /// In words for the operator, if it was not done.
    pub async fn erase(&self, names: &[Hash], (by, why): (u32, &str)) -> Result<Erased, String> {
        let blobs = self.stands_beside().and_then(|beside| beside.blobs.as_deref());
        let blobs: &Blobs = blobs.ok_or("no texts are kept beside this log")?;
        let write = |record| self.note_signed(record);
        erase(blobs, names, (by, why), write).await.map_err(|error| error.to_string())
    }
}
