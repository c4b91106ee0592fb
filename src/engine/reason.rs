//! Why, in one or two sentences: for the agent, which should do better, and for the log.

use crate::model::access::{Access, Certainty, Target};
use crate::model::decision::{Basis, Decision, Fired, Judged, Obligation};
use crate::model::effect::{Effect, Verdict};
use crate::model::path::Real;
use crate::model::truth::Truth;

/// How much of a target is shown.
const TARGET_CHARS_MAX: usize = 120;

pub(super) fn reason(decision: &Decision) -> String {
    if let Some(Obligation::ReplaceOutput { because, .. }) = decision.obligations.first() {
        return format!("the output was redacted: {}", because.join(", "));
    }
    match decision.verdict {
        Verdict::Allow => match made_allow(decision) {
            Some(rule) => format!("allowed by `{}`", rule.id),
            None => "nothing in it is ruled".to_owned(),
        },
        Verdict::Defer => "the policy has no opinion; the runtime decides".to_owned(),
        Verdict::Deny | Verdict::Ask => held_back(decision),
    }
}

fn enforced(decision: &Decision) -> impl Iterator<Item = &Fired> {
    decision.rules.iter().filter(|fired| !fired.shadow)
}

/// The rule to name for an allow: `call` comes first of a call's accesses and says least.
fn made_allow(decision: &Decision) -> Option<&Fired> {
    enforced(decision)
        .filter(|fired| fired.effect == Effect::Allow && fired.truth == Truth::Yes)
        .last()
}

fn held_back(decision: &Decision) -> String {
    // The first access as strict as the whole is the one to speak of.
    let Some(judged) =
        decision.accesses.iter().find(|judged| judged.verdict == decision.attended_verdict)
    else {
        return "the call holds nothing that could be judged".to_owned();
    };
    let what = describe(&judged.access);
    let strictest = match decision.attended_verdict {
        Verdict::Deny => Some(Effect::Deny),
        Verdict::Ask => None,
        Verdict::Allow | Verdict::Defer => Some(Effect::Allow),
    };
    let rule = enforced(decision).find(|fired| match strictest {
        Some(effect) => fired.effect == effect && fired.truth == Truth::Yes,
        None => fired.effect != Effect::Allow,
    });
    let mut text = match (decision.attended_verdict, rule) {
        (Verdict::Deny, Some(rule)) => format!("denied by rule `{}`: {what}", rule.id),
        (Verdict::Deny, None) => format!("no rule allows it: {what}"),
        (Verdict::Ask, Some(rule)) => format!("rule `{}` wants to be asked: {what}", rule.id),
        (Verdict::Ask, None) => format!("a person must be asked: {what}"),
        (Verdict::Allow | Verdict::Defer, _) => format!("no rule speaks of it: {what}"),
    };
    if let Some(doubt) = doubt(judged) {
        text.push_str(&format!(" ({doubt})"));
    }
    if decision.basis == Basis::Unattended {
        text.push_str("; nobody is there to be asked");
    }
    if let Some(why) = rule.and_then(|rule| rule.why.as_deref()) {
        text.push_str(". ");
        text.push_str(why);
    }
    text
}

fn describe(access: &Access) -> String {
    let mut target: String = access.target.to_string().chars().take(TARGET_CHARS_MAX).collect();
    if target.chars().count() == TARGET_CHARS_MAX {
        target.push('…');
    }
    format!("{} {target}", access.target.verb())
}

/// What is not known of an access, if something is not.
fn doubt(judged: &Judged) -> Option<String> {
    if let Certainty::Possible(doubt) | Certainty::Suspected(doubt) = &judged.access.certainty {
        return Some(doubt.to_string());
    }
    match &judged.access.target {
        Target::Read(path) | Target::Write(path) => match &path.real {
            Real::At(real) if *real != path.written => Some(format!("really {real}")),
            Real::At(_) => None,
            Real::Unknown(doubt) => Some(doubt.to_string()),
        },
        Target::Exec(command) => command.doubts.first().map(ToString::to_string),
        Target::Connect(_) | Target::Call(_) | Target::Unknown { .. } => None,
    }
}
