//! What is no call and yet would do something: a question of the runtime, a file in a prompt.
//!
//! It is judged by the same policy and written to the same log. It takes nothing of limits and
//! budgets, which count calls.

use super::judge::{TOO_LATE, look, now};
use super::permit::{Passage, Refusal};
use super::{Gate, record};
use crate::calls::InputDigest;
use crate::limits::DECISION_TIMEOUT;
use crate::model::call::{CallId, ToolCall};
use crate::model::decision::Decision;
use crate::model::finding::Finding;
use crate::model::record::{Kind, Record};
use crate::redact::together;
use crate::world::World;
use std::sync::Arc;

impl Gate {
    /// The call under way that a runtime's question is about, if its very input was judged. A
    /// question about another input is about a call that nobody was asked about.
    #[must_use]
    pub fn under_way(&self, call: &ToolCall) -> Option<CallId> {
        self.calls.is_under_way(call, InputDigest::of(&call.tool, &call.input), now())
    }

    /// Judges what `event` would do, with `found` in its record if something does not fit.
    pub async fn look(
        self: &Arc<Self>,
        call: ToolCall,
        event: &'static str,
        found: Option<Finding>,
        world: Arc<dyn World>,
    ) -> Passage {
        let bound = self.in_force();
        let policy = bound.policy.id.clone();
        let mut draft = record::draft(&call);
        draft.kind = Kind::RuntimeEvent;
        draft.details.insert(0, ("event", event.into()));
        let gate = Arc::clone(self);
        let work = tokio::task::spawn_blocking(move || look(&gate, call, world.as_ref(), &bound));
        let (call, decision) = match tokio::time::timeout(DECISION_TIMEOUT, work).await {
            Ok(Ok((call, decision))) => (Some(call), decision),
            Ok(Err(_)) => (None, failed("an internal error", &policy)),
            Err(_) => (None, failed(TOO_LATE, &policy)),
        };
        let mut decision = decision;
        let secrets = record::look_through(&decision, &self.redactor);
        let watch = self.redactor.knowing(&secrets).watching();
        let input = call.map(|call| watch.capture(&call.input, decision.capture));
        draft.secrets = together(secrets, &watch.found());
        if !draft.secrets.is_empty() {
            let redactor = self.redactor.knowing(&draft.secrets);
            decision.reason = redactor.safely_clean(&decision.reason);
        }
        let record = Record { input, decision: Some(Box::new(decision.clone())), ..draft.clone() };
        let findings = record::findings(&draft, found.as_slice());
        match self.write(record, findings).await {
            Ok(receipt) => decision.permit(receipt),
            Err(error) => Refusal::unrecorded(decision, &error).into(),
        }
    }
}

fn failed(why: &str, policy: &crate::model::decision::PolicyId) -> Decision {
    Decision::refusal(why.to_owned(), policy.clone())
}
