//! What must be done with a tool's output: replace what matched, or withhold all of it.
//!
//! The new output keeps the tool's own shape, string by string: a runtime ignores any other shape
//! in silence, and the secret would pass.

use super::condition;
use super::marks;
use crate::model::decision::{Fired, Obligation};
use crate::model::effect::Effect;
use crate::model::facts::Facts;
use crate::model::json::Json;
use crate::model::record::CaptureLevel;
use crate::model::truth::Truth;
use crate::policy::pattern::output::OutputPattern;
use crate::policy::rule::{Policy, Rule, Says, Targets};
use crate::redact::Redactor;
use crate::redact::withhold::{each_named_text, each_text, withhold};

/// What the output rules come to.
#[derive(Default)]
pub(super) struct Found {
    pub(super) obligations: Vec<Obligation>,
    pub(super) fired: Vec<Fired>,
    pub(super) capture: Option<CaptureLevel>,
}

/// What must be done with an output. One that no rule matched passes (policy language §11.4).
pub(super) fn output_obligations(
    policy: &Policy,
    facts: &Facts,
    output: &Json,
    redactor: &Redactor,
) -> Found {
    let mut current = output.clone();
    let mut because = Vec::new();
    let mut found = Found::default();
    for rule in policy.layers.iter().flat_map(|layer| layer.rules.output()) {
        let Targets::Output { matches } = &rule.scope.targets else { continue };
        // What may hold holds: an output rule only ever holds back.
        if rule.has_lapsed(facts.session.now)
            || !condition::hold(&rule.when, facts, None).possible()
        {
            continue;
        }
        let mut changed = output.clone();
        let hits = replace(rule, matches, &mut changed, redactor);
        if hits.is_empty() {
            continue;
        }
        found.fired.push(told(rule));
        marks::of_output(rule, facts, &mut found.obligations);
        if rule.shadow {
            continue;
        }
        found.capture = found.capture.max(rule.capture);
        if rule.says == Says::Note {
            continue;
        }
        // Each rule works on what the ones before left, so that none undoes another.
        replace(rule, matches, &mut current, redactor);
        because.extend(hits);
    }
    because.sort();
    because.dedup();
    if !because.is_empty() {
        found.obligations.insert(0, Obligation::ReplaceOutput { output: current, because });
    }
    found
}

/// Whether an output rule finds something in this output: what its examples ask.
pub fn finds(rule: &Rule, facts: &Facts, output: &Json, redactor: &Redactor) -> Truth {
    let Targets::Output { matches } = &rule.scope.targets else { return Truth::No };
    match replace(rule, matches, &mut output.clone(), redactor).is_empty() {
        true => Truth::No,
        false => condition::hold(&rule.when, facts, None),
    }
}

fn told(rule: &Rule) -> Fired {
    let effect = match rule.says {
        Says::Effect(effect) => effect,
        Says::Redact | Says::Note => Effect::Allow,
    };
    Fired {
        id: rule.id.clone(),
        effect,
        verb: None,
        truth: Truth::Yes,
        file: rule.origin.file.clone(),
        line: rule.origin.line,
        why: rule.why.clone(),
        shadow: rule.shadow,
    }
}

/// Does to `value` what the rule says; what fired, by detector or rule id.
fn replace(
    rule: &Rule,
    matches: &[OutputPattern],
    value: &mut Json,
    redactor: &Redactor,
) -> Vec<String> {
    let mut found = Vec::new();
    for pattern in matches {
        match pattern {
            OutputPattern::Keys => {
                let (redacted, redactions) = redactor.redact_json(value);
                found.extend(redactions.into_iter().map(|redaction| redaction.detector));
                *value = redacted;
            }
            OutputPattern::Everything => found.push(rule.id.clone()),
            OutputPattern::Regex(regex) => each_text(value, &mut |text| {
                if regex.is_match(text) {
                    found.push(rule.id.clone());
                    let with = format!("[redacted:{}]", rule.id);
                    *text = regex.replace_all(text, regex::NoExpand(&with)).into_owned();
                }
            }),
            OutputPattern::Entropy(runs) => {
                let with = format!("[redacted:{}]", rule.id);
                each_named_text("", value, &mut |name, text| {
                    if let Some(clean) = runs.replace(name, text, &with) {
                        found.push(rule.id.clone());
                        *text = clean;
                    }
                });
            }
        }
    }
    let withheld = matches!(rule.says, Says::Effect(Effect::Deny))
        || (rule.says == Says::Redact && matches.iter().any(is_everything));
    if withheld && !found.is_empty() {
        withhold(value, &format!("[withheld by rule {}]", rule.id));
    }
    found
}

fn is_everything(pattern: &OutputPattern) -> bool {
    matches!(pattern, OutputPattern::Everything)
}
