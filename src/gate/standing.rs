//! How the gate stands: what the service looks at, counts and tells.

use super::Gate;
use super::judge::TOO_LATE;
use crate::audit::{AuditError, Head, Standing, Waiting};
use crate::engine::decide;
use crate::facts::{Place, gather};
use crate::limits::SELF_CHECK_TIMEOUT;
use crate::metrics::Metrics;
use crate::model::call::{CallId, Phase, ToolCall, ToolName};
use crate::model::json::Json;
use crate::model::principal::{Agent, Principal, Runtime, Sender};
use crate::model::record::{Kind, Record};
use crate::world::Frozen;
use std::sync::Arc;
use std::time::Duration;

impl Gate {
    /// The newest record of the log.
    #[must_use]
    pub fn log_head(&self) -> Option<Head> {
        self.journal.head()
    }

    /// Why nothing can be recorded now, if that is so.
    #[must_use]
    pub fn log_failure(&self) -> Option<AuditError> {
        self.journal.failure()
    }

    /// How the log stands.
    #[must_use]
    pub fn log_standing(&self) -> Standing {
        self.journal.standing()
    }

    /// What the log has taken and not yet put on the disk.
    #[must_use]
    pub fn log_waiting(&self) -> Waiting {
        self.journal.waiting()
    }

    /// How many sessions are remembered.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.store.count()
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// A plane answered an event, this long after it had read it.
    pub fn answered(&self, took: Duration) {
        self.metrics.answered(took);
    }

    /// Writes down that the sidecar stops. Nothing comes after it: a call that is still being
    /// judged is refused.
    ///
    /// # Errors
    /// If the journal could not take it.
    pub async fn end(&self) -> Result<(), AuditError> {
        self.journal.append_last(Record::new(Kind::ServiceStop)).await.map(|_| ())
    }

    /// Judges a call that is nobody's, on the threads that judge, by the policy in force. It
    /// changes nothing and is not recorded; what matters is that it ends.
    ///
    /// # Errors
    /// In words for the operator, if it does not.
    pub async fn self_check(self: &Arc<Self>) -> Result<(), &'static str> {
        let gate = Arc::clone(self);
        let work = move || {
            let bound = gate.in_force();
            let (world, anchors) = (Frozen::default(), &bound.anchors);
            let place = Place { world: &world, workspace: &anchors.workspace, tmp: &anchors.tmp };
            let facts = gather(nobodys_call(), &bound.policy.tools, &place);
            drop(decide(&bound.policy, &facts, &gate.redactor));
        };
        match tokio::time::timeout(SELF_CHECK_TIMEOUT, tokio::task::spawn_blocking(work)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err("no call can be judged: an internal error"),
            Err(_) => Err(TOO_LATE),
        }
    }
}

/// A command that every policy has something to say of, and nobody runs.
fn nobodys_call() -> ToolCall {
    ToolCall {
        id: CallId("self-check".to_owned()),
        principal: Principal {
            runtime: Runtime::Claude,
            session: "self-check".to_owned(),
            agent: Agent::Main,
            uid: None,
            sender: Sender::Unproven,
        },
        tool: ToolName::parse("Bash"),
        input: Json::from_iter([("command", "cat .env")]),
        phase: Phase::Pre,
        tool_use_id: None,
        cwd: None,
        permission_mode: None,
        transcript: None,
        attended: false,
    }
}
