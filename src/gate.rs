//! The product's sentence, and the only caller of `decide` and `append`:
//!
//! **call → accesses → decision → record → permit.**
//!
//! A call becomes everything it would do; the policy decides, by the session as it stands; the
//! decision is written down, with what it changed; and only with the proof of that in hand is a
//! permit made. Whatever fails on the way, a panic included, ends in a refusal, and what was taken
//! for the call is given back.

mod join;
mod judge;
mod look;
pub mod memory;
pub mod permit;
pub mod record;
pub mod standing;

use crate::audit::{AuditError, Journal, Receipt};
use crate::calls::Calls;
use crate::limits::DECISION_TIMEOUT;
use crate::metrics::Metrics;
use crate::model::call::ToolCall;
use crate::model::record::{Kind, Record};
use crate::policy::Policy;
use crate::redact::Redactor;
use crate::session::Store;
use crate::world::World;
use judge::{Judged, TOO_LATE, judge};
use permit::{Passage, Refusal};
use std::sync::{Arc, RwLock};
use std::time::Instant;

/// The door: everything that every plane shares.
pub struct Gate {
    policy: RwLock<Arc<Bound>>,
    redactor: Redactor,
    journal: Journal,
    store: Store,
    calls: Calls,
    metrics: Metrics,
}

/// A policy in force and the places that its names stand for.
pub struct Bound {
    /// The policy.
    pub policy: Policy,
    /// `$workspace`, `$home`, `$tmp`.
    pub anchors: crate::policy::pattern::Anchors,
}

impl Gate {
    /// A gate with this policy in force and this journal behind it, that remembers nothing yet.
    #[must_use]
    pub fn new(bound: Bound, redactor: Redactor, journal: Journal) -> Arc<Gate> {
        let store = Store::new(redactor.clone());
        Gate::remembering(store, Calls::default(), bound, redactor, journal)
    }

    /// The same with what is remembered of sessions, and the calls that are under way.
    #[must_use]
    pub fn remembering(
        store: Store,
        calls: Calls,
        bound: Bound,
        redactor: Redactor,
        journal: Journal,
    ) -> Arc<Gate> {
        let metrics = Metrics::new();
        metrics.in_force(&bound.policy);
        let policy = RwLock::new(Arc::new(bound));
        Arc::new(Gate { policy, redactor, journal, store, calls, metrics })
    }

    /// Judges one call, seen in `world`: the way through, if there is one, and the record of it.
    pub async fn judge(self: &Arc<Self>, call: ToolCall, world: Arc<dyn World>) -> Passage {
        let started = Instant::now();
        let bound = self.in_force();
        let mut draft = record::draft(&call);
        let mode = self.mode(&call.principal, call.permission_mode.as_deref());
        let mut judged = match self.beside(call, world, &bound, started).await {
            Ok(judged) => judged,
            Err(why) => Judged::failed(why, &bound.policy.id),
        };
        let ended = std::mem::take(&mut judged.ended);
        if let Some(begun) = ended.call {
            draft.call = Some(begun);
        }
        let not_rewritten = record::not_rewritten(&judged);
        judged.findings.extend(mode.into_iter().chain(ended.findings).chain(not_rewritten));
        let mut beside = record::findings(&draft, &judged.findings);
        beside.extend(ended.asked.then(|| join::approval(&draft, true)));
        let (kind, took, input) = (draft.kind, started.elapsed(), judged.input);
        let (record, decision, held) =
            record::complete(draft.clone(), judged, took, &self.redactor);
        match self.write(record, beside).await {
            Ok(receipt) => {
                held.keep();
                self.metrics.decided(kind, &decision, took);
                if kind == Kind::ToolPre {
                    self.began(&draft, input, decision.verdict).await;
                }
                decision.permit(receipt)
            }
            // What was held for the call goes back as `held` is dropped.
            Err(error) => {
                self.metrics.unrecorded(kind, &decision, took);
                Refusal::unrecorded(decision, &error).into()
            }
        }
    }

    /// The place of a record in the log, once it and what belongs to it stand there.
    async fn write(&self, record: Record, beside: Vec<Record>) -> Result<Receipt, AuditError> {
        let receipt = self.append(record).await?;
        for one in beside {
            self.append(one).await?;
        }
        Ok(receipt)
    }

    /// Writes down what is no call: a start, a stop, an input that could not be read.
    ///
    /// # Errors
    /// If the journal could not take it.
    pub async fn note(&self, record: Record) -> Result<(), AuditError> {
        self.append(record).await.map(|_| ())
    }

    /// The one way from here into the log: what is in it is counted, whether it gets there or not.
    async fn append(&self, record: Record) -> Result<Receipt, AuditError> {
        self.metrics.recorded(&record);
        self.journal.append(record).await
    }

    /// The policy in force. A decision in flight ends on the policy it began with.
    #[must_use]
    pub fn in_force(&self) -> Arc<Bound> {
        // A poisoned lock still holds a whole policy: it is replaced in one assignment.
        Arc::clone(&self.policy.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Puts another policy in force and gives back the one before it, which decisions in flight may
    /// still hold.
    pub fn replace(&self, bound: Bound) -> Arc<Bound> {
        let next = Arc::new(bound);
        self.metrics.in_force(&next.policy);
        let mut policy = self.policy.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Given back whole: freeing a large policy must not happen under the lock.
        std::mem::replace(&mut *policy, next)
    }

    /// Judges beside the runtime's own threads: looking at files blocks, and a panic must end as a
    /// refusal of this one call.
    async fn beside(
        self: &Arc<Self>,
        call: ToolCall,
        world: Arc<dyn World>,
        bound: &Arc<Bound>,
        started: Instant,
    ) -> Result<Judged, &'static str> {
        let (gate, bound) = (Arc::clone(self), Arc::clone(bound));
        let deadline = started + DECISION_TIMEOUT;
        let work = move || judge(&gate, call, world.as_ref(), &bound, deadline);
        match tokio::time::timeout(DECISION_TIMEOUT, tokio::task::spawn_blocking(work)).await {
            Ok(Ok(judged)) => Ok(judged),
            Ok(Err(_)) => Err("the call could not be judged: an internal error"),
            Err(_) => Err(TOO_LATE),
        }
    }
}
