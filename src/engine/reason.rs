//! Why, in one or two sentences: for the agent, which should do better, and for the log.

use crate::model::access::{Access, Certainty, Target};
use crate::model::decision::{Basis, Decision, Fired, Judged};
use crate::model::effect::{Effect, Verdict};
use crate::model::path::{PathTarget, Real};
use crate::model::truth::Truth;

/// How much of a target is shown.
const TARGET_CHARS_MAX: usize = 120;

/// Why, for what came back. The output of a failed call is shown by the runtime whatever it is
/// answered, so nothing is claimed of it.
pub(super) fn reason_after(decision: &Decision, failed: bool) -> String {
    match decision.replaced_output() {
        Some((_, because)) if failed => format!(
            "the output should be redacted, but a failed call's cannot be: {}",
            because.join(", ")
        ),
        Some((_, because)) => format!("the output was redacted: {}", because.join(", ")),
        None => reason(decision),
    }
}

pub(super) fn reason(decision: &Decision) -> String {
    match decision.verdict {
        Verdict::Allow => match enforced(decision).find(|fired| fired.effect == Effect::Allow) {
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

fn held_back(decision: &Decision) -> String {
    let rule = spoke(decision);
    // An access as strict as the whole is the one to speak of: the rule's own, if there is one.
    let as_strict =
        || decision.accesses.iter().filter(|judged| judged.verdict == decision.attended_verdict);
    let of_rule =
        |judged: &&Judged| rule.is_some_and(|rule| rule.verb == Some(judged.access.target.verb()));
    let Some(judged) = as_strict().find(of_rule).or_else(|| as_strict().next()) else {
        return "the call holds nothing that could be judged".to_owned();
    };
    let what = describe(&judged.access);
    let mut text = match (decision.attended_verdict, rule) {
        (Verdict::Deny, Some(rule)) => format!("denied by rule `{}`: {what}", rule.id),
        (Verdict::Deny, None) => format!("no rule allows it: {what}"),
        (Verdict::Ask, Some(rule)) if rule.truth == Truth::Yes => {
            format!("rule `{}` wants to be asked: {what}", rule.id)
        }
        (Verdict::Ask, Some(rule)) => format!("rule `{}` may speak of it: {what}", rule.id),
        (Verdict::Ask, None) => format!("a person must be asked: {what}"),
        (Verdict::Allow | Verdict::Defer, _) => format!("no rule speaks of it: {what}"),
    };
    let sure = rule.is_some_and(|rule| rule.truth == Truth::Yes);
    if let Some(doubt) = doubt(judged, sure) {
        text.push_str(&format!(" ({doubt})"));
    }
    if decision.basis == Basis::Unattended {
        text.push_str("; nobody is there to be asked");
    }
    if let Some(why) = rule.filter(|_| sure).and_then(|rule| rule.why.as_deref()) {
        text.push_str(". ");
        text.push_str(why);
    }
    text
}

/// The rule to name for a call that is held back: one that is sure before one that is not, and the
/// author's before the floor's, which may speak of every path that is not known.
fn spoke(decision: &Decision) -> Option<&Fired> {
    let holds_back = |fired: &&Fired| match decision.attended_verdict {
        Verdict::Deny => fired.effect == Effect::Deny && fired.truth == Truth::Yes,
        Verdict::Ask => fired.effect != Effect::Allow,
        Verdict::Allow | Verdict::Defer => false,
    };
    enforced(decision)
        .filter(holds_back)
        .min_by_key(|fired| (std::cmp::Reverse(fired.truth), fired.line == 0))
}

fn describe(access: &Access) -> String {
    // The agent wrote the target, and this text may end up on a terminal.
    let shown = access.target.to_string();
    let shown = shown.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let mut target: String = shown.take(TARGET_CHARS_MAX).collect();
    if target.chars().count() == TARGET_CHARS_MAX {
        target.push('…');
    }
    format!("{} {target}", access.target.verb())
}

/// What is not known of an access; where a rule is sure all the same, only where a path leads.
fn doubt(judged: &Judged, sure: bool) -> Option<String> {
    match (&judged.access.target, &judged.access.certainty) {
        (Target::Read(path) | Target::Write(path), _) if leads_elsewhere(path) => {
            match &path.real {
                Real::At(real) => Some(format!("really {real}")),
                Real::Unknown(_) => None,
            }
        }
        _ if sure => None,
        (_, Certainty::Possible(doubt) | Certainty::Suspected(doubt)) => Some(doubt.to_string()),
        (Target::Read(path) | Target::Write(path), Certainty::Certain) => match &path.real {
            Real::At(_) => None,
            Real::Unknown(doubt) => Some(doubt.to_string()),
        },
        (Target::Exec(command), Certainty::Certain) => {
            command.doubts.first().map(ToString::to_string)
        }
        (Target::Connect(_) | Target::Call(_) | Target::Unknown { .. }, Certainty::Certain) => None,
    }
}

fn leads_elsewhere(path: &PathTarget) -> bool {
    matches!(&path.real, Real::At(real) if *real != path.written)
}
