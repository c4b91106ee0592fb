//! The decision on a whole call: every access, every layer, the strictest of all.

use super::ask::{Asked, Context};
use super::judge::{Listener, judge};
use super::limits::{self, Draw, Taken};
use super::marks::marks;
use super::output::output_obligations;
use super::reason::{reason, reason_after};
use super::told::Told;
use crate::limits::ACCESSES_MAX;
use crate::model::access::{Access, Certainty, Target, Verb};
use crate::model::call::Phase;
use crate::model::decision::{Basis, Decision, Fired, Judged, PolicyId, Reservation};
use crate::model::doubt::Doubt;
use crate::model::effect::{Effect, Verdict};
use crate::model::facts::Facts;
use crate::model::record::CaptureLevel;
use crate::model::truth::Truth;
use crate::policy::rule::{LayerKind, Policy, Rule, Unattended};
use crate::redact::Redactor;
use std::collections::HashMap;

/// What the policy says of a call.
///
/// Before the tool runs, every access is judged. After it, the call has happened: only its output
/// is, and what it does to the session's labels.
pub fn decide(policy: &Policy, facts: &Facts, redactor: &Redactor) -> Decision {
    if let Phase::Post { output, failed, .. } = &facts.call.phase {
        return after(policy, facts, (output, *failed), redactor);
    }
    decide_heard(policy, facts, ()).0
}

/// The decision on a call before it runs, told to `listener` as well while it is made; with what
/// the call draws on limits.
pub(super) fn decide_heard<L: Listener>(
    policy: &Policy,
    facts: &Facts,
    listener: L,
) -> (Decision, L, Vec<Draw>) {
    let mut both = (Teller::default(), listener);
    let ruling = rule_with(policy, facts, &mut both);
    let draws = ruling.taken.draws(policy, facts).collect();
    let (teller, listener) = both;
    (teller.decision(policy, facts, ruling), listener, draws)
}

/// What a call comes to, and nothing else: the decision without its story.
#[derive(Debug, Clone, PartialEq)]
pub struct Ruling {
    /// What it comes to, with `unattended` already applied.
    pub verdict: Verdict,
    /// What it was before that.
    pub attended_verdict: Verdict,
    /// The floor refused something of it.
    by_floor: bool,
    /// Why no rule and no default decided.
    overridden: Option<Overridden>,
    taken: Taken,
}

/// What stands above the rules and the default. The words for it are put together when it is told.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Overridden {
    TooManyAccesses,
    /// A bound of the program was met: its name.
    Bound(&'static str),
    Limit(Draw),
    Budget,
}

/// The verdict on a call before it runs, as [`decide`] gives it, without telling the rules. It
/// allocates nothing and waits for nobody.
#[must_use]
pub fn rule(policy: &Policy, facts: &Facts) -> Ruling {
    rule_with(policy, facts, &mut ())
}

/// The same with everything that was said, for comparison.
#[must_use]
pub fn tell(policy: &Policy, facts: &Facts) -> Told {
    let mut told = Told::refused();
    let ruling = rule_with(policy, facts, &mut told);
    told.answers.sort();
    Told { verdict: ruling.verdict, attended_verdict: ruling.attended_verdict, ..told }
}

fn rule_with<L: Listener>(policy: &Policy, facts: &Facts, listener: &mut L) -> Ruling {
    let mut ruling = Ruling {
        verdict: Verdict::Deny,
        attended_verdict: Verdict::Deny,
        by_floor: false,
        overridden: None,
        taken: Taken::default(),
    };
    if facts.accesses.len() > ACCESSES_MAX {
        ruling.overridden = Some(Overridden::TooManyAccesses);
        return ruling;
    }
    let context = Context { facts, writable: &policy.writable };
    let mut attended = None;
    // What the text merely names is no reason to let a call through, whatever is said of it.
    let mut sure_of_any = false;
    for access in &facts.accesses {
        ruling.taken.next_access();
        sure_of_any |= !matches!(access.certainty, Certainty::Suspected(_));
        let concluded = judge(policy, access, &context, &mut ruling.taken, listener);
        ruling.by_floor |= concluded.by_floor;
        attended = match (attended, concluded.verdict) {
            (Some(so_far), Some(next)) => Some(Verdict::stricter_access(so_far, next)),
            (one, other) => one.or(other),
        };
    }
    // A call in which nothing could be judged is none that can be let through.
    ruling.attended_verdict = attended.filter(|_| sure_of_any).unwrap_or(Verdict::Deny);
    if let Some(name) = facts.accesses.iter().find_map(bound_met) {
        ruling.hold_back(Verdict::Deny, Overridden::Bound(name));
    }
    ruling.limit(policy, facts);
    if !policy.budgets.is_empty() && limits::spent(policy, facts).is_some() {
        ruling.hold_back(Verdict::Deny, Overridden::Budget);
    }
    ruling.verdict = match facts.call.attended {
        true => ruling.attended_verdict,
        false => unattended(ruling.attended_verdict, policy),
    };
    ruling
}

/// The bound that kept an access from being known: what lies beyond it was never looked at, so
/// nobody can be asked about it, and no rule that would allow it has seen it.
fn bound_met(access: &Access) -> Option<&'static str> {
    match (&access.target, &access.certainty) {
        (_, Certainty::Suspected(_)) => None,
        (Target::Unknown { reason: Doubt::Limit(name), .. }, _) => Some(*name),
        _ => None,
    }
}

impl Ruling {
    /// `over` is an effect of its own, so that no other allow can void it (policy language §11.22).
    fn limit(&mut self, policy: &Policy, facts: &Facts) {
        if self.taken.is_empty() {
            return;
        }
        let over = self.taken.draws(policy, facts).filter(|draw| draw.over.is_some());
        // The strictest is told; of two, the one that stands first in the policy.
        let Some(draw) = over.max_by_key(|draw| (draw.over, std::cmp::Reverse(draw.limit))) else {
            return;
        };
        if let Some(over) = draw.over {
            self.hold_back(over.into(), Overridden::Limit(draw));
        }
    }

    /// Makes the verdict at least this strict.
    fn hold_back(&mut self, verdict: Verdict, because: Overridden) {
        let stricter = self.attended_verdict.stricter_access(verdict);
        if stricter != self.attended_verdict {
            self.attended_verdict = stricter;
            self.overridden = Some(because);
        }
    }
}

impl Overridden {
    fn basis(self) -> Basis {
        match self {
            Overridden::TooManyAccesses | Overridden::Bound(_) => Basis::Failsafe,
            Overridden::Limit(_) => Basis::Limit,
            Overridden::Budget => Basis::Budget,
        }
    }

    fn why(self, policy: &Policy, facts: &Facts) -> String {
        match self {
            Overridden::TooManyAccesses => {
                format!("the call would do {} things, too many to judge", facts.accesses.len())
            }
            Overridden::Bound(name) => {
                format!("the limit on {name} was met, so not all that the call does is known")
            }
            Overridden::Limit(draw) => {
                let rule = policy.limits.get(draw.limit).map_or("", |limit| limit.rule.as_str());
                match draw.amount {
                    Some(_) => format!("the limit of `{rule}` is reached"),
                    None => format!("the limit of `{rule}` counts an amount that is none"),
                }
            }
            Overridden::Budget => match limits::spent(policy, facts) {
                Some((budget, part)) => {
                    format!("the budget of `{}` is spent: {part}", budget.policy)
                }
                None => "a budget is spent".to_owned(),
            },
        }
    }
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
            reservations: Vec::new(),
            capture: CaptureLevel::Redacted,
            policy,
        }
    }
}

/// Keeps what was heard while the call was judged.
#[derive(Default)]
struct Teller {
    judged: Vec<Judged>,
    fired: Vec<Fired>,
    /// Where each of these stands, by id and file, once they are many: of what is not known, all
    /// rules there are may speak.
    places: Places,
    /// Of the access in hand, until it is concluded.
    heard: Vec<Fired>,
    capture: Option<CaptureLevel>,
}

/// Finds a rule among many that were heard.
#[derive(Default)]
struct Places(HashMap<(String, String), usize>);

impl Places {
    /// So many are compared one by one.
    const FEW: usize = 16;

    /// Where among `all` the rule stands that fired.
    fn known(&mut self, all: &[Fired], fired: &Fired) -> Option<usize> {
        if all.len() <= Places::FEW {
            return all.iter().position(|known| known.id == fired.id && known.file == fired.file);
        }
        let key = |fired: &Fired| (fired.id.clone(), fired.file.clone());
        for (place, fired) in all.iter().enumerate().skip(self.0.len()) {
            self.0.insert(key(fired), place);
        }
        self.0.get(&key(fired)).copied()
    }
}

impl Listener for Teller {
    fn answered(&mut self, rule: &Rule, _: Option<LayerKind>, effect: Effect, asked: Asked) {
        if !rule.shadow {
            self.capture = self.capture.max(rule.capture);
        }
        self.heard.push(fired(rule, effect, asked.truth));
    }

    fn concluded(&mut self, access: &Access, verdict: Option<Verdict>) {
        for mut fired in std::mem::take(&mut self.heard) {
            fired.verb = Some(access.target.verb());
            match self.places.known(&self.fired, &fired).and_then(|at| self.fired.get_mut(at)) {
                Some(known) => known.truth = known.truth.or(fired.truth),
                None => self.fired.push(fired),
            }
        }
        if let Some(verdict) = verdict {
            self.judged.push(Judged { access: access.clone(), verdict });
        }
    }
}

impl Teller {
    fn decision(mut self, policy: &Policy, facts: &Facts, ruling: Ruling) -> Decision {
        self.fired.sort_by_key(|fired| {
            std::cmp::Reverse((fired.effect, fired.truth, telling(fired.verb)))
        });
        let basis = self.basis(&ruling);
        // What is refused neither marks nor counts.
        let admitted = ruling.verdict != Verdict::Deny;
        let mut decision = Decision {
            verdict: ruling.verdict,
            attended_verdict: ruling.attended_verdict,
            reason: String::new(),
            basis,
            rules: self.fired,
            accesses: self.judged,
            obligations: if admitted { marks(policy, facts) } else { Vec::new() },
            reservations: if admitted { reservations(policy, facts, &ruling) } else { Vec::new() },
            capture: self.capture.unwrap_or(CaptureLevel::Redacted),
            policy: policy.id.clone(),
        };
        decision.reason = match ruling.overridden {
            Some(overridden) => overridden.why(policy, facts),
            None => reason(&decision),
        };
        decision
    }

    fn basis(&self, ruling: &Ruling) -> Basis {
        let spoke = self
            .fired
            .iter()
            .any(|fired| !fired.shadow && Verdict::from(fired.effect) == ruling.attended_verdict);
        if ruling.by_floor && ruling.verdict == Verdict::Deny {
            Basis::BuiltIn
        } else if let Some(overridden) = ruling.overridden {
            overridden.basis()
        } else if ruling.attended_verdict != ruling.verdict {
            Basis::Unattended
        } else if spoke {
            Basis::Rule
        } else {
            Basis::Default
        }
    }
}

fn reservations(policy: &Policy, facts: &Facts, ruling: &Ruling) -> Vec<Reservation> {
    let reserve = |draw: Draw| {
        let rule = policy.limits.get(draw.limit)?.rule.clone();
        Some(Reservation { limit: draw.limit, rule, amount: draw.amount.unwrap_or_default() })
    };
    let mut reserved: Vec<_> = ruling.taken.draws(policy, facts).filter_map(reserve).collect();
    reserved.sort_by_key(|reservation| reservation.limit);
    reserved
}

fn fired(rule: &Rule, effect: Effect, truth: Truth) -> Fired {
    Fired {
        id: rule.id.clone(),
        effect,
        verb: None,
        truth,
        file: rule.origin.file.clone(),
        line: rule.origin.line,
        why: rule.why.clone(),
        shadow: rule.shadow,
    }
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
pub(super) fn unattended(verdict: Verdict, policy: &Policy) -> Verdict {
    match verdict {
        Verdict::Allow => Verdict::Allow,
        Verdict::Ask | Verdict::Deny => Verdict::Deny,
        Verdict::Defer => {
            let all = policy.layers.iter().all(|layer| layer.unattended == Unattended::Defer);
            if all { Verdict::Defer } else { Verdict::Deny }
        }
    }
}

fn after(
    policy: &Policy,
    facts: &Facts,
    (output, failed): (&crate::model::json::Json, bool),
    redactor: &Redactor,
) -> Decision {
    let found = output_obligations(policy, facts, output, redactor);
    let basis = if found.fired.is_empty() { Basis::Default } else { Basis::Rule };
    let mut obligations = found.obligations;
    obligations.extend(marks(policy, facts));
    let mut decision = Decision {
        verdict: Verdict::Allow,
        attended_verdict: Verdict::Allow,
        reason: String::new(),
        basis,
        rules: found.fired,
        accesses: Vec::new(),
        obligations,
        reservations: Vec::new(),
        capture: found.capture.unwrap_or(CaptureLevel::Redacted),
        policy: policy.id.clone(),
    };
    decision.reason = reason_after(&decision, failed);
    decision
}
