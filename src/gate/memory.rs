//! What else is done with the memory of sessions: an operator's labels, and writing it all down.

use super::Gate;
use super::judge::now;
use crate::audit::AuditError;
use crate::session::LabelChange;
use std::sync::Arc;

impl Gate {
    /// Sets or removes a label as an operator wishes; it stands in the log before it takes effect.
    ///
    /// # Errors
    /// In words for the operator, if it was not done.
    pub async fn label(self: &Arc<Self>, wish: LabelChange) -> Result<(), String> {
        let gate = Arc::clone(self);
        let work = tokio::task::spawn_blocking(move || {
            let bound = gate.in_force();
            let record = |record| {
                let written = gate.journal.append_blocking(record);
                written.map(drop).map_err(|error| error.to_string())
            };
            gate.store.label(&wish, &bound.policy, now(), record).map_err(|why| why.to_string())
        });
        work.await.unwrap_or_else(|_| Err("an internal error".to_owned()))
    }

    /// Whether enough has changed for [`Gate::remember`].
    #[must_use]
    pub fn wants_snapshot(&self) -> bool {
        self.store.wants_snapshot()
    }

    /// Writes down all that is remembered, so that a start need not read what lies before it.
    ///
    /// # Errors
    /// If it does not stand in the log.
    pub async fn remember(self: &Arc<Self>) -> Result<(), AuditError> {
        if self.store.is_lost().is_some() {
            // It must not be written that there was nothing.
            return Ok(());
        }
        let gate = Arc::clone(self);
        let work = tokio::task::spawn_blocking(move || gate.store.snapshot(now()));
        // What cannot be told, which only a bug can bring about, is told by the log as a whole.
        for part in work.await.unwrap_or_default() {
            self.journal.append(part).await?;
        }
        Ok(())
    }
}
