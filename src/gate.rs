//! The product's sentence, and the only caller of `decide` and `append`:
//!
//! **call → accesses → decision → record → permit.**
//!
//! A call becomes everything it would do; the policy decides, by the session as it stands; the
//! decision is written down, with what it changed; and only with the proof of that in hand is a
//! permit made. Whatever fails on the way, a panic included, ends in a refusal, and what was taken
//! for the call is given back.

mod beside;
mod in_force;
mod join;
mod judge;
mod look;
pub mod memory;
pub mod network;
pub mod permit;
pub mod record;
pub mod standing;

use crate::audit::{AuditError, Beside, Journal, Proof};
use crate::calls::Calls;
use crate::metrics::Metrics;
use crate::model::call::ToolCall;
use crate::model::record::{Kind, Record};
use crate::redact::Redactor;
use crate::session::Store;
use crate::world::World;
pub use in_force::Bound;
use judge::Judged;
use permit::{Passage, Refusal};
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Instant;

/// The door: everything that every plane shares.
pub struct Gate {
    policy: RwLock<Arc<Bound>>,
    redactor: Redactor,
    journal: Journal,
    beside: OnceLock<Beside>,
    store: Store,
    calls: Calls,
    metrics: Metrics,
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
        let beside = OnceLock::new();
        Arc::new(Gate { policy, redactor, journal, beside, store, calls, metrics })
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
        let complete =
            record::complete(draft.clone(), judged, took, (&bound.policy, &self.redactor));
        for one in &mut beside {
            one.secrets.clone_from(&complete.0.secrets);
        }
        let (record, decision, held) = self.if_sinks_take_it(complete);
        match self.write(record, beside).await {
            Ok(proof) => {
                held.keep();
                self.metrics.decided(kind, &decision, took);
                if kind == Kind::ToolPre {
                    self.began(&draft, input, &decision).await;
                }
                decision.permit(proof)
            }
            // What was held for the call goes back as `held` is dropped.
            Err(error) => {
                self.metrics.unrecorded(kind, &decision, took);
                Refusal::unrecorded(decision, &error).into()
            }
        }
    }

    /// The proof of a record, once it and what belongs to it stand in the log.
    async fn write(&self, record: Record, beside: Vec<Record>) -> Result<Proof, AuditError> {
        let proof = self.append(record).await?;
        for one in beside {
            self.append(one).await?;
        }
        Ok(proof)
    }

    /// Writes down what is no call: a start, a stop, an input that could not be read.
    ///
    /// # Errors
    /// If the journal could not take it.
    pub async fn note(&self, record: Record) -> Result<(), AuditError> {
        self.append(record).await.map(|_| ())
    }

    /// As [`Gate::note`], under a signed head and never waived: something is to be deleted.
    async fn note_signed(&self, record: Record) -> Result<(), AuditError> {
        self.metrics.recorded(&record);
        self.journal.append_signed(record).await.map(|_| ())
    }

    /// The one way from here into the log: what is in it is counted, whether it gets there or not.
    async fn append(&self, record: Record) -> Result<Proof, AuditError> {
        self.metrics.recorded(&record);
        let record = match self.stands_beside() {
            Some(beside) => beside.settled(record).await,
            None => record,
        };
        self.journal.append_or_waive(record).await
    }
}
