//! What the played session shows: each canary with what it left behind.

use super::check::{Outcome, Watch, listed};
use super::play::{About, Act, Play, Tried};
use super::subject::Subject;

/// What a call came to, in a few words.
fn shown(tried: &Tried) -> String {
    const SHOWN: usize = 160;
    let said: String = tried.text.split_whitespace().collect::<Vec<_>>().join(" ");
    let said: String = said.chars().take(SHOWN).collect();
    format!("{}: `{said}`", tried.told)
}

/// The act of a play, or the outcome that there is instead.
fn act<'a>(
    subject: &'a Subject,
    watch: &Watch,
    of: fn(&Play) -> &Act,
) -> Result<&'a [Tried], Outcome> {
    let play = subject.play(watch).map_err(|why| Outcome::Skipped(why.to_owned()))?;
    match of(play) {
        Ok(tried) => Ok(tried),
        Err(why) => Err(Outcome::Failed(why.clone())),
    }
}

/// Each write to what is `about` was denied, by the guard, and left nothing.
fn denied(subject: &Subject, watch: &Watch, about: &[About]) -> Outcome {
    let all = match act(subject, watch, |play| &play.denied) {
        Ok(all) => all,
        Err(outcome) => return outcome,
    };
    let mut wrong = Vec::new();
    let mut held = Vec::new();
    for tried in all.iter().filter(|tried| about.contains(&tried.about)) {
        match (tried.ran, tried.is_error, tried.decided.as_deref()) {
            (true, _, _) => wrong.push(format!("{} ran", tried.told)),
            (false, Some(true), Some("deny")) => held.push(tried.told.to_owned()),
            // The client's own rules may stand before the guard; they hold the settings alone.
            (false, Some(true), None) if tried.about == About::Wiring => {
                held.push(format!("{} (by the client's own rules)", tried.told));
            }
            (false, _, None) => {
                wrong.push(format!("the guard was not asked; {}", shown(tried)));
            }
            (false, _, Some(effect)) => {
                wrong.push(format!("the guard said {effect}; {}", shown(tried)));
            }
        }
    }
    if held.is_empty() && wrong.is_empty() {
        return Outcome::Failed("no such call was made".to_owned());
    }
    Outcome::unless(&wrong, format!("denied: {}", held.join(", ")))
}

pub(super) fn policy(subject: &Subject, watch: &Watch) -> Outcome {
    denied(subject, watch, &[About::Policy])
}

pub(super) fn log(subject: &Subject, watch: &Watch) -> Outcome {
    denied(subject, watch, &[About::Log])
}

pub(super) fn socket(subject: &Subject, watch: &Watch) -> Outcome {
    denied(subject, watch, &[About::Socket])
}

pub(super) fn wiring(subject: &Subject, watch: &Watch) -> Outcome {
    denied(subject, watch, &[About::Wiring])
}

/// A call that the policy allows runs, and was asked of the guard before.
pub(super) fn allowed(subject: &Subject, watch: &Watch) -> Outcome {
    let all = match act(subject, watch, |play| &play.allowed) {
        Ok(all) => all,
        Err(outcome) => return outcome,
    };
    let told = |wanted: fn(&Tried) -> bool| {
        let found = all.iter().filter(|tried| wanted(tried));
        found.map(|tried| tried.told.to_owned()).collect::<Vec<_>>()
    };
    let unasked = told(|tried| tried.ran && tried.decided.is_none());
    if !unasked.is_empty() {
        let all = unasked.join(", ");
        return Outcome::Failed(format!("ran without the guard being asked: {all}"));
    }
    let against = told(|tried| tried.ran && tried.decided.as_deref() == Some("deny"));
    if !against.is_empty() {
        return Outcome::Failed(format!("ran although denied: {}", against.join(", ")));
    }
    let ran = told(|tried| tried.ran);
    if !ran.is_empty() {
        return Outcome::Ok(format!("ran, and the guard had been asked: {}", ran.join(", ")));
    }
    let allows = |tried: &Tried| tried.decided.as_deref() == Some("allow");
    let held: Vec<String> = all.iter().filter(|tried| allows(tried)).map(shown).collect();
    if !held.is_empty() {
        return Outcome::Failed(format!("allowed, and did not run: {}", listed(&held)));
    }
    if all.iter().all(|tried| tried.decided.is_none()) {
        let said: Vec<String> = all.iter().map(shown).collect();
        return Outcome::Failed(format!("the guard was never asked: {}", listed(&said)));
    }
    let tried: Vec<&str> = all.iter().map(|tried| tried.told).collect();
    Outcome::Skipped(format!("the policy allows none of: {}", tried.join(", ")))
}

/// What ran while the sidecar lived does not run without it.
fn blocked(subject: &Subject, watch: &Watch, of: fn(&Play) -> &Act, how: &str) -> Outcome {
    let play = match subject.play(watch) {
        Ok(play) => play,
        Err(why) => return Outcome::Skipped(why.to_owned()),
    };
    let all = match of(play) {
        Ok(all) => all,
        // Where nothing ran at all, `canary.allowed` says why.
        Err(why) if !ran_before(play) => return Outcome::Skipped(why.clone()),
        Err(why) => return Outcome::Failed(why.clone()),
    };
    let mut wrong = Vec::new();
    for tried in all {
        match (tried.ran, tried.is_error) {
            (true, _) => wrong.push(format!("{} ran {how}", tried.told)),
            (false, Some(true)) if by_a_hook(tried) => {}
            // In a stricter permission mode the client would have asked a person, after the hook.
            (false, Some(true)) => wrong.push(format!("held back by no hook; {}", shown(tried))),
            (false, _) => wrong.push(format!("it is not known what came of {}", tried.told)),
        }
    }
    let seen = all.first().map(shown).unwrap_or_default();
    if all.is_empty() {
        return Outcome::Failed("no call was made".to_owned());
    }
    Outcome::unless(&wrong, format!("{} calls that ran before were held back; {seen}", all.len()))
}

/// Whether the client says that a hook held it back, in its words for a denial and for a failure.
fn by_a_hook(tried: &Tried) -> bool {
    tried.text.to_ascii_lowercase().contains("hook")
}

fn ran_before(play: &Play) -> bool {
    play.allowed.as_ref().is_ok_and(|all| all.iter().any(|tried| tried.ran))
}

pub(super) fn stopped(subject: &Subject, watch: &Watch) -> Outcome {
    blocked(subject, watch, |play| &play.stopped, "with the sidecar gone")
}

pub(super) fn hung(subject: &Subject, watch: &Watch) -> Outcome {
    blocked(subject, watch, |play| &play.hung, "with the sidecar frozen")
}

/// How the client was kept from the network while it was played.
pub(super) fn isolated(subject: &Subject, watch: &Watch) -> Outcome {
    let play = match subject.play(watch) {
        Ok(play) => play,
        Err(why) => return Outcome::Skipped(why.to_owned()),
    };
    let left_out = match play.left_out.as_slice() {
        [] => String::new(),
        names => format!("; left out of the settings: {}", names.join(", ")),
    };
    match &play.isolated {
        Ok(()) => {
            Outcome::Ok(format!("in a network namespace that holds only a loopback{left_out}"))
        }
        Err(why) => Outcome::Warning(format!(
            "{why}; the client was led to loopback by its environment alone, with every proxy \
             variable set to a port where nobody listens{left_out}"
        )),
    }
}
