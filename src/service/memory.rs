//! What is remembered of sessions, over restarts: built again at the start, written down whole now
//! and then.

use crate::audit::{AuditError, Retention};
use crate::calls::Calls;
use crate::gate::Gate;
use crate::limits::{CALL_SWEEP, JOURNAL_SPACE_CHECK, RETENTION_EVERY, SNAPSHOT_CHECK};
use crate::model::time::Moment;
use crate::policy::Policy;
use crate::redact::Redactor;
use crate::session::{RebuildError, Store};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// What the log of a directory tells of sessions.
///
/// # Errors
/// If it does not tell, and the policy asks for it. A policy that does not is served; should one
/// that does come into force later, nothing is let through.
pub(super) fn of(dir: &Path, policy: &Policy, redactor: &Redactor) -> Result<Store, RebuildError> {
    match Store::rebuild(dir, redactor.clone()) {
        Ok(store) => Ok(store),
        Err(error) if policy.keeps_state() => Err(error),
        Err(error) => {
            tracing::warn!(%error, "no policy that remembers sessions can come into force");
            Ok(Store::lost(redactor.clone(), error.to_string()))
        }
    }
}

/// Writes all of it down whenever enough has changed, so that the next start is a short one.
pub(super) async fn keep_written(gate: Arc<Gate>) {
    loop {
        tokio::time::sleep(SNAPSHOT_CHECK).await;
        if gate.wants_snapshot()
            && let Err(why) = gate.remember().await
        {
            tracing::error!(%why, "what sessions did could not be written down");
        }
    }
}

/// Deletes the oldest of the log as the operator's bounds ask: at the start, every hour, and when
/// its disk is almost full.
pub(super) async fn keep_bounded(gate: Arc<Gate>, dir: PathBuf, retention: Retention) {
    let mut is_low = false;
    loop {
        let freed = gate.retain(&dir, &retention).await;
        let freed = freed.unwrap_or_else(|why| {
            tracing::error!(%why, "the oldest files of the log could not be deleted");
            0
        });
        if is_low {
            let advice = advice(&retention, freed);
            tracing::warn!(freed, "the disk of the log is almost full: {advice}");
            if let Err(why) = gate.tell_of_low_room(freed, advice).await {
                tracing::error!(%why, "that the disk is almost full could not be recorded");
            }
        }
        let next = Instant::now() + RETENTION_EVERY;
        loop {
            tokio::time::sleep(JOURNAL_SPACE_CHECK).await;
            let was_low = std::mem::replace(&mut is_low, gate.is_room_low());
            if is_low && !was_low {
                break;
            }
            if Instant::now() >= next {
                // It was told when it became so.
                is_low = false;
                break;
            }
        }
    }
}

/// What the operator has to do when the log's disk is almost full.
fn advice(retention: &Retention, freed: u64) -> &'static str {
    if retention.hold {
        "nothing of the log may be deleted while `hold` is set in `[audit.retention]`: make room \
         for it, or move the log to a larger disk"
    } else if retention.days.is_none() && retention.max_bytes.is_none() {
        "nothing of the log is ever deleted, since `[audit.retention]` sets no `days` and no \
         `max_bytes`: set one, or make room"
    } else if freed == 0 {
        "retention has nothing to delete yet: make room, or keep less in `[audit.retention]`; \
         `toolgate audit erase --older-than` removes kept texts"
    } else {
        "retention deleted what it may: if that is not enough make room, or keep less in \
         `[audit.retention]`"
    }
}

/// The calls that the end of the log knows as under way.
///
/// # Errors
/// If the directory cannot be read.
pub(super) fn calls_under_way(dir: &Path) -> Result<Calls, AuditError> {
    Calls::rebuild(dir, Moment(jiff::Timestamp::now().as_microsecond()))
}

/// Looks for sessions whose runtime has gone without a word.
pub(super) async fn sweep_calls(gate: Arc<Gate>) {
    loop {
        tokio::time::sleep(CALL_SWEEP).await;
        gate.sweep_calls().await;
    }
}
