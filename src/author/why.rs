//! Why a test came out otherwise than it says: what `policy explain` would tell, in one clause.

use crate::engine::{Candidate, ExplainedAccess, ExplainedLayer, Explanation, explain};
use crate::model::effect::Verdict;
use crate::model::facts::Facts;
use crate::model::truth::Truth;
use crate::policy::rule::{Policy, Says};
use crate::redact::Redactor;

/// The decision's reason, with the rule that stands behind it, and where; or the doubt that keeps
/// one from being sure; or whose default it is.
pub(super) fn why(policy: &Policy, facts: &Facts, redactor: &Redactor) -> String {
    let story = explain(policy, facts, redactor);
    let reason = story.decision.reason.clone();
    match clause(&story) {
        Some(clause) => format!("{}; {clause}", reason.trim_end_matches('.')),
        None => reason,
    }
}

fn clause(story: &Explanation) -> Option<String> {
    let verdict = story.decision.attended_verdict;
    let as_strict = || story.accesses.iter().filter(|one| one.verdict == Some(verdict));
    // What a rule says tells more than what none says.
    let reason = &story.decision.reason;
    let mut told = as_strict().filter_map(|one| of_rule(one, verdict, reason));
    told.next().or_else(|| as_strict().find_map(|one| of_default(one, verdict)))
}

/// `reason` may name the rule already.
fn of_rule(one: &ExplainedAccess, verdict: Verdict, reason: &str) -> Option<String> {
    one.layers.iter().filter(|layer| layer.verdict == Some(verdict)).find_map(|layer| {
        let enforced = || layer.candidates.iter().filter(|rule| !rule.shadow);
        let says = |rule: &&Candidate| match rule.says {
            Says::Effect(effect) => Verdict::from(effect) == verdict,
            Says::Redact | Says::Note => false,
        };
        let sure = enforced().filter(says).find(|rule| rule.truth == Truth::Yes);
        if let Some(rule) = sure {
            let name = format!("`{}`", rule.id);
            let name = if reason.contains(&name) { "the rule" } else { &name };
            return Some(format!("{name} is of the {}", place(layer, rule)));
        }
        let rule = enforced().find(|rule| rule.truth == Truth::Maybe)?;
        let doubt = one.doubts.first().map_or_else(|| of_condition(rule), ToString::to_string);
        Some(format!("`{}` of the {} says only maybe: {doubt}", rule.id, place(layer, rule)))
    })
}

fn place(layer: &ExplainedLayer, rule: &Candidate) -> String {
    format!("{} layer ({}:{})", layer.kind.as_str(), rule.file, rule.line)
}

/// The condition that keeps a rule from being sure, where the access itself is known.
fn of_condition(rule: &Candidate) -> String {
    let open = rule.conditions.iter().find(|condition| condition.truth == Truth::Maybe);
    match open {
        Some(condition) => format!("the call does not say `{}`", condition.key),
        None => "not all that it asks for is known".to_owned(),
    }
}

fn of_default(one: &ExplainedAccess, verdict: Verdict) -> Option<String> {
    let layer = one.layers.iter().find(|layer| layer.verdict == Some(verdict))?;
    let (fallback, default) = layer.fallback;
    let key = super::explain::fallback_key(fallback);
    (default == verdict).then(|| {
        let (kind, name) = (layer.kind.as_str(), &layer.name);
        format!("no rule of the {kind} layer ({name}) speaks of it: {key} {default}")
    })
}
