//! What else is done with the memory of sessions: an operator's labels, and writing it all down.

use super::Gate;
use super::judge::now;
use crate::audit::{AuditError, Retention, delete, due, newest_file};
use crate::session::LabelChange;
use std::path::Path;
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

    /// Deletes the files of the log that the operator's bounds ask to delete; how many bytes that
    /// freed. What sessions did is written down anew first, twice: a start reads from the last but
    /// one snapshot on.
    ///
    /// # Errors
    /// If that, or the deletion, cannot be recorded, or the disk refuses.
    pub async fn retain(
        self: &Arc<Self>,
        dir: &Path,
        retention: &Retention,
    ) -> Result<u64, AuditError> {
        let now = jiff::Timestamp::now();
        let needed = newest_file(dir)?;
        if due(dir, retention, now, needed)?.is_empty() {
            return Ok(0);
        }
        if self.store.is_lost().is_some() {
            tracing::warn!("nothing of the log is deleted while it must tell what sessions did");
            return Ok(0);
        }
        self.remember().await?;
        self.remember().await?;
        let (gate, dir, retention) = (Arc::clone(self), dir.to_owned(), retention.clone());
        let work = tokio::task::spawn_blocking(move || {
            delete(&gate.journal, &dir, &due(&dir, &retention, now, needed)?)
        });
        work.await.unwrap_or(Err(AuditError::Closed))
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
