//! What is remembered of sessions, over restarts: built again at the start, written down whole now
//! and then.

use crate::audit::{AuditError, Retention};
use crate::calls::Calls;
use crate::gate::Gate;
use crate::limits::{CALL_SWEEP, RETENTION_EVERY, SNAPSHOT_CHECK};
use crate::model::time::Moment;
use crate::policy::Policy;
use crate::redact::Redactor;
use crate::session::{RebuildError, Store};
use std::path::{Path, PathBuf};
use std::sync::Arc;

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

/// Deletes the oldest of the log as the operator's bounds ask, at the start and every hour.
pub(super) async fn keep_bounded(gate: Arc<Gate>, dir: PathBuf, retention: Retention) {
    loop {
        if let Err(why) = gate.retain(&dir, &retention).await {
            tracing::error!(%why, "the oldest files of the log could not be deleted");
        }
        tokio::time::sleep(RETENTION_EVERY).await;
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
