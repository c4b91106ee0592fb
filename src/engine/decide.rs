//! The decision on a whole call: every access, every layer, the strictest of all.

use super::judge::{Answer, Context, Opinion, judge, judge_floor};
use super::output::output_obligations;
use super::reason::reason;
use crate::limits::ACCESSES_MAX;
use crate::model::access::{Access, Verb};
use crate::model::call::Phase;
use crate::model::decision::{Basis, Decision, Fired, Judged, PolicyId};
use crate::model::effect::Verdict;
use crate::model::facts::Facts;
use crate::policy::rule::{Policy, Says, Unattended};
use crate::redact::Redactor;

/// What the policy says of a call.
///
/// Before the tool runs, every access is judged. After it, the call has happened: only its output
/// is, and what must be done with it comes as an obligation.
pub fn decide(policy: &Policy, facts: &Facts, redactor: &Redactor) -> Decision {
    if let Phase::Post { output, .. } = &facts.call.phase {
        return after(policy, output, redactor);
    }
    if facts.accesses.len() > ACCESSES_MAX {
        let why = format!("the call would do {} things, too many to judge", facts.accesses.len());
        return Decision::refusal(why, policy.id.clone());
    }
    let mut tally = Tally::default();
    let context = Context { accesses: &facts.accesses, writable: &policy.writable };
    for access in &facts.accesses {
        tally.access(policy, access, &context);
    }
    tally.decision(policy, facts)
}

impl Decision {
    /// A refusal because something failed: no rule spoke, and nothing is let through.
    pub fn refusal(why: String, policy: PolicyId) -> Decision {
        Decision {
            verdict: Verdict::Deny,
            attended_verdict: Verdict::Deny,
            reason: why,
            basis: Basis::Failsafe,
            rules: Vec::new(),
            accesses: Vec::new(),
            obligations: Vec::new(),
            policy,
        }
    }
}

/// What the accesses judged so far come to.
#[derive(Default)]
struct Tally {
    judged: Vec<Judged>,
    fired: Vec<Fired>,
    by_floor: bool,
}

impl Tally {
    fn access(&mut self, policy: &Policy, access: &Access, context: &Context<'_>) {
        let mut verdict: Option<Verdict> = None;
        let floor = judge_floor(&policy.floor, access, context);
        self.by_floor |= floor.verdict == Some(Verdict::Deny);
        let layers = policy.layers.iter().map(|layer| judge(layer, access, context));
        for opinion in std::iter::once(floor).chain(layers) {
            verdict = match (verdict, opinion.verdict) {
                (Some(so_far), Some(next)) => Some(so_far.stricter_layer(next)),
                (one, other) => one.or(other),
            };
            self.fire(&opinion, access.target.verb());
        }
        if let Some(verdict) = verdict {
            self.judged.push(Judged { access: access.clone(), verdict });
        }
    }

    fn fire(&mut self, opinion: &Opinion<'_>, verb: Verb) {
        for answer in opinion.answers.iter().chain(&opinion.shadows) {
            let Some(fired) = fired(answer, verb) else { continue };
            match self.fired.iter_mut().find(|known| known.id == fired.id) {
                Some(known) => known.truth = known.truth.or(fired.truth),
                None => self.fired.push(fired),
            }
        }
    }

    fn decision(mut self, policy: &Policy, facts: &Facts) -> Decision {
        let attended_verdict = self
            .judged
            .iter()
            .map(|judged| judged.verdict)
            .reduce(Verdict::stricter_access)
            .unwrap_or(Verdict::Deny);
        let verdict = match facts.call.attended {
            true => attended_verdict,
            false => unattended(attended_verdict, policy),
        };
        self.fired.sort_by_key(|fired| {
            std::cmp::Reverse((fired.effect, fired.truth, telling(fired.verb)))
        });
        let basis = self.basis(attended_verdict, verdict);
        let mut decision = Decision {
            verdict,
            attended_verdict,
            reason: String::new(),
            basis,
            rules: self.fired,
            accesses: self.judged,
            obligations: Vec::new(),
            policy: policy.id.clone(),
        };
        decision.reason = reason(&decision);
        decision
    }

    fn basis(&self, attended: Verdict, verdict: Verdict) -> Basis {
        let spoke =
            self.fired.iter().any(|fired| !fired.shadow && Verdict::from(fired.effect) == attended);
        if self.by_floor && verdict == Verdict::Deny {
            Basis::BuiltIn
        } else if attended != verdict {
            Basis::Unattended
        } else if spoke {
            Basis::Rule
        } else {
            Basis::Default
        }
    }
}

fn fired(answer: &Answer<'_>, verb: Verb) -> Option<Fired> {
    let effect = match answer.rule.says {
        Says::Effect(effect) => effect,
        Says::Redact | Says::Note => return None,
    };
    Some(Fired {
        id: answer.rule.id.clone(),
        effect,
        verb: Some(verb),
        truth: answer.truth,
        file: answer.rule.origin.file.clone(),
        line: answer.rule.origin.line,
        why: answer.rule.why.clone(),
        shadow: answer.rule.shadow,
    })
}

/// How much a rule on this verb says of the whole call: what is run says most, that some tool is
/// called says least.
fn telling(verb: Option<Verb>) -> u8 {
    match verb {
        Some(Verb::Exec) => 5,
        Some(Verb::Write) => 4,
        Some(Verb::Connect) => 3,
        Some(Verb::Read) => 2,
        Some(Verb::Call) => 1,
        None => 0,
    }
}

/// Nobody is there: an ask is a deny, and a deferral is what every layer's `unattended` says.
fn unattended(verdict: Verdict, policy: &Policy) -> Verdict {
    match verdict {
        Verdict::Allow => Verdict::Allow,
        Verdict::Ask | Verdict::Deny => Verdict::Deny,
        Verdict::Defer => {
            let all = policy.layers.iter().all(|layer| layer.unattended == Unattended::Defer);
            if all { Verdict::Defer } else { Verdict::Deny }
        }
    }
}

fn after(policy: &Policy, output: &crate::model::json::Json, redactor: &Redactor) -> Decision {
    let (obligations, rules) = output_obligations(policy, output, redactor);
    let basis = if rules.is_empty() { Basis::Default } else { Basis::Rule };
    let mut decision = Decision {
        verdict: Verdict::Allow,
        attended_verdict: Verdict::Allow,
        reason: String::new(),
        basis,
        rules,
        accesses: Vec::new(),
        obligations,
        policy: policy.id.clone(),
    };
    decision.reason = reason(&decision);
    decision
}
