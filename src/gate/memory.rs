//! What else is done with the memory of sessions: an operator's labels, and writing it all down.

use super::Gate;
use super::judge::now;
use crate::audit::{AuditError, Retention, Stage, delete, due, newest_file, remove_outlived};
use crate::model::record::{Kind, Record};
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

    /// Deletes the files of the log that the operator's bounds ask to delete, and the kept texts
    /// that only they named; how many bytes that freed. What sessions did is written down anew
    /// first, twice: a start reads from the last but one snapshot on.
    ///
    /// # Errors
    /// If that, or the deletion, cannot be recorded, or the disk refuses.
    pub async fn retain(
        self: &Arc<Self>,
        dir: &Path,
        retention: &Retention,
    ) -> Result<u64, AuditError> {
        if retention.hold {
            return Ok(0);
        }
        let now = jiff::Timestamp::now();
        let needed = newest_file(dir)?;
        let (gate, dir, retention) = (Arc::clone(self), dir.to_owned(), retention.clone());
        let mut files = due(&dir, &retention, now, needed)?;
        if !files.is_empty() && self.store.is_lost().is_some() {
            tracing::warn!("nothing of the log is deleted while it must tell what sessions did");
            files.clear();
        }
        if !files.is_empty() {
            self.remember().await?;
            self.remember().await?;
        }
        let work = tokio::task::spawn_blocking(move || {
            let freed = delete(&gate.journal, &dir, &files)?;
            // Also what an earlier deletion that was cut off left to do.
            let blobs = gate.stands_beside().and_then(|beside| beside.blobs.as_deref());
            let texts = blobs.map_or(Ok(0), |blobs| remove_outlived(&gate.journal, &dir, blobs))?;
            Ok(freed + texts)
        });
        work.await.unwrap_or(Err(AuditError::Closed))
    }

    /// Whether there is so little room on the log's disk that retention must not wait.
    #[must_use]
    pub fn is_room_low(&self) -> bool {
        self.journal.standing().stage >= Stage::Low
    }

    /// Says, in the log too, what there is to do about a disk that is almost full.
    ///
    /// # Errors
    /// If it does not stand in the log.
    pub async fn tell_of_low_room(
        &self,
        freed: u64,
        advice: &'static str,
    ) -> Result<(), AuditError> {
        let space = self.journal.standing().space;
        let mut record = Record::new(Kind::AuditSpace);
        record.details.push(("stage", Stage::Low.as_str().into()));
        record.details.push(("freed_bytes", freed.into()));
        if let Some(space) = space {
            record.details.push(("free_bytes", space.free.into()));
        }
        record.details.push(("advice", advice.into()));
        self.note(record).await
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
