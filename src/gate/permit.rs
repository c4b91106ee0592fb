//! The only way through: made from a decision and the proof of its record, and from nothing else.
//! The proof is a receipt, or the operator's waiver while the log takes no records.
//!
//! ```compile_fail,E0451
//! // No plane can make one: its fields are private and it has no constructor.
//! use toolgate::gate::permit::Permit;
//! let permit = Permit { terms: todo!(), decision: todo!(), proof: todo!() };
//! ```

use crate::audit::{AuditError, Proof, Receipt};
use crate::model::decision::{Decision, Obligation};
use crate::model::effect::Verdict;
use crate::model::json::Json;

/// The answer of the gate.
#[derive(Debug)]
#[must_use]
pub enum Passage {
    /// The call may go on, on these terms.
    Permit(Permit),
    /// It may not.
    Refusal(Refusal),
}

/// The only value with which a plane can let something through.
#[derive(Debug)]
pub struct Permit {
    terms: Terms,
    decision: Decision,
    proof: Proof,
}

/// On which terms a call may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terms {
    /// It may.
    Allow,
    /// Only if a person says yes. A plane without a person to ask refuses.
    Ask,
    /// Only if the runtime's own permission flow lets it. A plane without one refuses.
    Defer,
}

/// Why a call may not go on.
#[derive(Debug)]
pub struct Refusal {
    reason: String,
    proof: Option<Proof>,
}

impl Decision {
    /// What this decision comes to, now that it stands in the log, or need not.
    pub fn permit(self, proof: Proof) -> Passage {
        let terms = match self.verdict {
            Verdict::Allow => Terms::Allow,
            Verdict::Ask => Terms::Ask,
            Verdict::Defer => Terms::Defer,
            Verdict::Deny => {
                return Passage::Refusal(Refusal { reason: self.reason, proof: Some(proof) });
            }
        };
        Passage::Permit(Permit { terms, decision: self, proof })
    }
}

impl Permit {
    /// On which terms.
    #[must_use]
    pub fn terms(&self) -> Terms {
        self.terms
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.decision.reason
    }

    /// What must be done with the answer.
    #[must_use]
    pub fn obligations(&self) -> &[Obligation] {
        &self.decision.obligations
    }

    /// What is to stand in the place of an output, and because of what.
    #[must_use]
    pub fn replaced_output(&self) -> Option<(&Json, &[String])> {
        self.decision.replaced_output()
    }

    /// The decision's place in the log, or the operator's word that it needs none now.
    #[must_use]
    pub fn proof(&self) -> &Proof {
        &self.proof
    }
}

impl Refusal {
    /// A call whose record could not be written is refused, whatever was decided.
    pub(super) fn unrecorded(decision: Decision, error: &AuditError) -> Refusal {
        drop(decision);
        Refusal {
            reason: format!("the decision could not be written to the log: {error}"),
            proof: None,
        }
    }

    /// Why, in words for the agent; never empty.
    #[must_use]
    pub fn reason(&self) -> &str {
        if self.reason.is_empty() { "refused" } else { &self.reason }
    }

    /// The decision's place in the log; nothing if it could not be written.
    #[must_use]
    pub fn receipt(&self) -> Option<&Receipt> {
        self.proof.as_ref().and_then(Proof::receipt)
    }
}

impl From<Refusal> for Passage {
    fn from(refusal: Refusal) -> Passage {
        Passage::Refusal(refusal)
    }
}
