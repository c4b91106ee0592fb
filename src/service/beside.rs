//! Starts and ends what stands beside the log: kept texts, sinks, and who sends signed heads away.

use super::admin::Health;
use super::config::audit::{Audit, RetentionKeys};
use super::config::sinks;
use super::supervise::ServiceError;
use crate::audit::sink::{HeadTarget, Publisher, SinkOptions, SinkStanding, Sinks};
use crate::audit::{Beside, Blobs, HEADS_WAITING_MAX, Journal, Options, blob_error};
use crate::gate::Gate;
use crate::limits::SINK_DRAIN;
use crate::metrics::SinkNow;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What is configured of it, read before anything is opened.
pub(super) struct Plan {
    sinks: Vec<SinkOptions>,
    heads: Vec<HeadTarget>,
}

impl Plan {
    /// Reads the configuration.
    pub(super) fn of(audit: &Audit) -> Result<Plan, ServiceError> {
        Ok(Plan { sinks: sinks::sinks(&audit.sink)?, heads: sinks::heads(&audit.head)? })
    }

    /// Starts who sends heads, and tells the journal of him.
    pub(super) fn publish(
        &self,
        options: &mut Options,
    ) -> Result<Option<Arc<Publisher>>, ServiceError> {
        let Some(signing) = options.signing.as_mut().filter(|_| !self.heads.is_empty()) else {
            if !self.heads.is_empty() {
                tracing::warn!("the log is not signed, so no head of it is sent away");
            }
            return Ok(None);
        };
        let (sender, heads) = mpsc::channel(HEADS_WAITING_MAX);
        let publisher = Publisher::start(&self.heads, heads)?;
        signing.heads = Some(sender);
        Ok(Some(publisher))
    }

    /// Starts the rest, once the log is open.
    pub(super) fn start(
        &self,
        (directory, audit): (&Path, &Audit),
        journal: &Journal,
        publisher: Option<Arc<Publisher>>,
    ) -> Result<Beside, ServiceError> {
        let keeps = |keys: &RetentionKeys| keys.days.is_some() || keys.max_bytes.is_some();
        if audit.keep_plain && keeps(&audit.retention) {
            tracing::warn!(
                "`keep_plain = true` in `[audit]`: retention deletes sealed files only, so it will \
                 delete nothing"
            );
        }
        let blobs = Blobs::open(directory, audit.blob_bounds()).map_err(blob_error)?;
        let sinks = match self.sinks.is_empty() {
            true => None,
            false => Some(Sinks::start(directory, &self.sinks, &journal.committed())?),
        };
        Ok(Beside::new(Some(Arc::new(blobs)), sinks, publisher))
    }
}

/// Lets the sinks take what is on the disk, for a while.
pub(super) async fn stop(gate: &Arc<Gate>) {
    if let Some(sinks) = gate.stands_beside().and_then(|beside| beside.sinks.clone()) {
        // A panic of it costs a repetition after the next start.
        let _ = tokio::task::spawn_blocking(move || sinks.stop(SINK_DRAIN)).await;
    }
}

/// What stands against the sinks: a problem where calls depend on it, else a warning.
pub(super) fn told(beside: &Beside, health: &mut Health) {
    for sink in beside.sinks.iter().flat_map(|sinks| sinks.standing()) {
        let why = sink.failure.clone().map(|why| format!(": {why}")).unwrap_or_default();
        let behind = format!(
            "the sink `{}` is {} records and {} ms behind{why}",
            sink.name,
            sink.behind,
            sink.behind_for.as_millis()
        );
        match (sink.required && sink.late, sink.late || sink.failure.is_some()) {
            (true, _) => health.problems.push(behind),
            (false, true) => health.warnings.push(behind),
            (false, false) => {}
        }
        if sink.skipped > 0 {
            let (name, skipped) = (&sink.name, sink.skipped);
            health.warnings.push(format!("the sink `{name}` did not get {skipped} records"));
        }
    }
    for head in beside.publisher.iter().flat_map(|publisher| publisher.standing()) {
        if let Some(why) = head.failure {
            health.warnings.push(format!("heads of the log do not reach `{}`: {why}", head.to));
        }
    }
    if beside.not_kept() > 0 {
        let count = beside.not_kept();
        health.warnings.push(format!("{count} long texts could not be kept beside the log"));
    }
    health.ready = health.problems.is_empty();
}

/// How the sinks stand, for the metrics, and how many targets of heads do not take them.
pub(super) fn counted(beside: &Beside) -> (Vec<SinkNow>, usize) {
    let now = |sink: SinkStanding| SinkNow {
        name: sink.name,
        behind: sink.behind,
        behind_for: sink.behind_for,
        sent: sink.sent,
        late: sink.late,
    };
    let sinks = beside.sinks.iter().flat_map(|sinks| sinks.standing()).map(now).collect();
    let heads = beside.publisher.iter().flat_map(|publisher| publisher.standing());
    (sinks, heads.filter(|head| head.failure.is_some()).count())
}
