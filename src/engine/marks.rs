//! What a call does to the labels of its session.
//!
//! Before it runs: the taints and unmarks of every rule but the denies, which land if the call is
//! admitted. After it ran: everything once more, since the access happened whatever was said of
//! it; and the proofs, if it succeeded (policy language §11.20-21).

use super::ask::{Context, ask_scope};
use super::condition;
use super::short::Short;
use crate::model::access::Access;
use crate::model::call::Phase;
use crate::model::decision::Obligation;
use crate::model::effect::Effect;
use crate::model::facts::Facts;
use crate::model::truth::Truth;
use crate::policy::label::LabelText;
use crate::policy::rule::{Policy, Rule, Says, Scope};

/// The marks of all rules on the accesses of a call.
pub(super) fn marks(policy: &Policy, facts: &Facts) -> Vec<Obligation> {
    let mut marks = Vec::new();
    let context = Context { facts, writable: &policy.writable };
    for rule in policy.layers.iter().flat_map(|layer| layer.rules.marking()) {
        if rule.shadow || rule.has_lapsed(facts.session.now) {
            continue;
        }
        of_rule(rule, facts, &context, &mut marks);
    }
    marks
}

fn of_rule(rule: &Rule, facts: &Facts, context: &Context<'_>, into: &mut Vec<Obligation>) {
    let (ran, succeeded) = match &facts.call.phase {
        Phase::Pre => (false, false),
        Phase::Post { failed, .. } => (true, !failed),
    };
    let tightens = match (ran, rule.says) {
        // What a deny holds back marks only if it happened after all; what asks for the result
        // waits for it.
        (false, Says::Effect(Effect::Deny)) => false,
        (false, _) => !rule.when.of_result(),
        (true, _) => true,
    };
    let tightening = rule.marks.tightening.as_deref().unwrap_or(&rule.scope);
    let loosening = rule.marks.loosening.as_deref().unwrap_or(&rule.scope);
    for access in &facts.accesses {
        if tightens && asked(rule, tightening, access, context).possible() {
            mark(&rule.marks.taints, facts, false, into);
            for label in &rule.marks.unmarks {
                let text = condition::text_of(label, facts).unwrap_or_else(|| every_key(label));
                into.push(Obligation::Unmark(text.into()));
            }
        }
        if succeeded && asked(rule, loosening, access, context) == Truth::Yes {
            mark(&rule.marks.proofs, facts, true, into);
        }
    }
}

fn asked(rule: &Rule, scope: &Scope, access: &Access, context: &Context<'_>) -> Truth {
    let (_, truth) = ask_scope(scope, access, context);
    match truth {
        Truth::No => Truth::No,
        _ => truth.and(condition::hold(&rule.when, context.facts, Some(access))),
    }
}

/// The marks of an output rule that matched what came back.
pub(super) fn of_output(rule: &Rule, facts: &Facts, into: &mut Vec<Obligation>) {
    if !rule.shadow {
        mark(&rule.marks.taints, facts, false, into);
    }
}

fn mark(labels: &[LabelText], facts: &Facts, proof: bool, into: &mut Vec<Obligation>) {
    for label in labels {
        let text = match (condition::text_of(label, facts), proof) {
            (Some(text), _) => text,
            (None, false) => every_key(label),
            (None, true) => continue,
        };
        let mark = Obligation::Mark { label: text.into(), proof };
        if !into.contains(&mark) {
            into.push(mark);
        }
    }
}

/// A key that is not known stands for every key: a taint taints them all, an unmark takes all.
fn every_key(label: &LabelText) -> Short {
    condition::every_key(label.family())
}
