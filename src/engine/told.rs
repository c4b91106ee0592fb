//! Everything that was said of a call, rule by rule: what the oracle and the engine are compared
//! by.

use super::ask::Asked;
use super::judge::Listener;
use crate::model::access::Access;
use crate::model::effect::{Effect, Verdict};
use crate::model::truth::Truth;
use crate::policy::rule::{LayerKind, Rule};

/// What a call came to, and who said what.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// What the call comes to, with `unattended` already applied.
    pub verdict: Verdict,
    /// What it was before that.
    pub attended_verdict: Verdict,
    /// What each access came to; nothing where it turned out to be none.
    pub accesses: Vec<Option<Verdict>>,
    /// The rules that said yes or maybe, by access, then by layer and id.
    pub answers: Vec<Answer>,
}

/// One rule that said yes or maybe to one access.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answer {
    /// The access, by its place in the call.
    pub access: usize,
    /// The layer of the rule; nothing for the floor.
    pub layer: Option<LayerKind>,
    /// The rule's id.
    pub rule: String,
    /// The file it stands in.
    pub file: String,
    /// What it would have.
    pub effect: Effect,
    /// Whether it is told only, and never enforced.
    pub shadow: bool,
    /// What it said.
    pub truth: Truth,
}

impl Told {
    /// A call that is refused, of which nothing is known yet.
    pub(super) fn refused() -> Told {
        Told {
            verdict: Verdict::Deny,
            attended_verdict: Verdict::Deny,
            accesses: Vec::new(),
            answers: Vec::new(),
        }
    }
}

/// Writes down all that is heard.
impl Listener for Told {
    fn answered(&mut self, rule: &Rule, layer: Option<LayerKind>, effect: Effect, asked: Asked) {
        self.answers.push(Answer {
            access: self.accesses.len(),
            layer,
            rule: rule.id.clone(),
            file: rule.origin.file.clone(),
            effect,
            shadow: rule.shadow,
            truth: asked.truth,
        });
    }

    fn concluded(&mut self, _: &Access, verdict: Option<Verdict>) {
        self.accesses.push(verdict);
    }
}
