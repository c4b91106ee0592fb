//! The product's sentence, and the only caller of `decide` and `append`:
//!
//! **call → accesses → decision → record → permit.**
//!
//! A call becomes everything it would do; the policy decides; the decision is written down; and
//! only with the proof of that in hand is a permit made. Whatever fails on the way, a panic
//! included, ends in a refusal.

pub mod permit;
pub mod record;

use crate::audit::{AuditError, Head, Journal};
use crate::engine::decide;
use crate::facts::{Place, gather};
use crate::limits::DECISION_TIMEOUT;
use crate::model::call::ToolCall;
use crate::model::decision::Decision;
use crate::model::record::Record;
use crate::policy::Policy;
use crate::redact::Redactor;
use crate::world::World;
use permit::{Passage, Refusal};
use std::sync::{Arc, RwLock};
use std::time::Instant;

/// The door: everything that every plane shares.
pub struct Gate {
    policy: RwLock<Arc<Bound>>,
    redactor: Redactor,
    journal: Journal,
}

/// A policy in force and the places that its names stand for.
pub struct Bound {
    /// The policy.
    pub policy: Policy,
    /// `$workspace`, `$home`, `$tmp`.
    pub anchors: crate::policy::pattern::Anchors,
}

impl Gate {
    /// A gate with this policy in force and this journal behind it.
    #[must_use]
    pub fn new(bound: Bound, redactor: Redactor, journal: Journal) -> Arc<Gate> {
        Arc::new(Gate { policy: RwLock::new(Arc::new(bound)), redactor, journal })
    }

    /// Judges one call, seen in `world`: the way through, if there is one, and the record of it.
    pub async fn judge(self: &Arc<Self>, call: ToolCall, world: Arc<dyn World>) -> Passage {
        let started = Instant::now();
        let bound = self.in_force();
        let draft = record::draft(&call);
        let (call, decision) = match self.decide(call, world, &bound).await {
            Ok(judged) => judged,
            Err(why) => (None, Decision::refusal(why, bound.policy.id.clone())),
        };
        let record = record::complete(draft, call, &decision, started.elapsed(), &self.redactor);
        match self.journal.append(record).await {
            Ok(receipt) => decision.permit(receipt),
            Err(error) => Refusal::unrecorded(decision, &error).into(),
        }
    }

    /// Writes down what is no call: a start, a stop, an input that could not be read.
    ///
    /// # Errors
    /// If the journal could not take it.
    pub async fn note(&self, record: Record) -> Result<(), AuditError> {
        self.journal.append(record).await.map(|_| ())
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
        let mut policy = self.policy.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Given back whole: freeing a large policy must not happen under the lock.
        std::mem::replace(&mut *policy, next)
    }

    /// The newest record of the log.
    #[must_use]
    pub fn log_head(&self) -> Option<Head> {
        self.journal.head()
    }

    /// Why nothing can be recorded any more, and so nothing is let through, if that is so.
    #[must_use]
    pub fn log_failure(&self) -> Option<&AuditError> {
        self.journal.failure()
    }

    /// Gathers and decides beside the runtime's own threads: looking at files blocks, and a panic
    /// must end as a refusal of this one call.
    async fn decide(
        self: &Arc<Self>,
        call: ToolCall,
        world: Arc<dyn World>,
        bound: &Arc<Bound>,
    ) -> Result<(Option<ToolCall>, Decision), String> {
        let (gate, bound) = (Arc::clone(self), Arc::clone(bound));
        let work = tokio::task::spawn_blocking(move || {
            let Bound { policy, anchors } = &*bound;
            let place =
                Place { world: world.as_ref(), workspace: &anchors.workspace, tmp: &anchors.tmp };
            let facts = gather(call, &policy.tools, &place);
            let decision = decide(policy, &facts, &gate.redactor);
            (Some(facts.call), decision)
        });
        match tokio::time::timeout(DECISION_TIMEOUT, work).await {
            Ok(Ok(judged)) => Ok(judged),
            Ok(Err(_)) => Err("the call could not be judged: an internal error".to_owned()),
            Err(_) => Err("the call could not be judged in time".to_owned()),
        }
    }
}
