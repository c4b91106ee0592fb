//! What a check is: data that a person can read, and a function that looks.
//!
//! A check passes only with evidence in hand. One that could not look is skipped and says why: it
//! is never shown as passed, and alone it makes no run a fine one.

use super::subject::Subject;
use std::cell::RefCell;

/// One thing that must hold.
#[derive(Clone, Copy)]
pub struct Check {
    /// Its name, `group.what`; names do not change.
    pub id: &'static str,
    /// What holds, in a few words.
    pub title: &'static str,
    /// Whose it is.
    pub plane: Plane,
    /// What happens where it does not hold.
    pub matters: &'static str,
    /// What to do about it.
    pub fix: &'static str,
    /// Looks.
    pub(super) look: fn(&Subject, &Watch) -> Outcome,
}

/// The part of toolgate that a check looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plane {
    /// The sidecar and its log.
    Service,
    /// The hooks of Claude Code.
    Claude,
    /// The hooks of Codex.
    Codex,
    /// The way out.
    Egress,
}

impl Plane {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Plane::Service => "service",
            Plane::Claude => "claude",
            Plane::Codex => "codex",
            Plane::Egress => "egress",
        }
    }
}

/// What looking came to, each with what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// It holds; the evidence.
    Ok(String),
    /// It holds, and there is something to know.
    Warning(String),
    /// It does not hold, or nothing shows that it does.
    Failed(String),
    /// It was not looked at; why.
    Skipped(String),
}

impl Outcome {
    /// Its name, as the table and JSON have it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Outcome::Ok(_) => "ok",
            Outcome::Warning(_) => "warning",
            Outcome::Failed(_) => "failed",
            Outcome::Skipped(_) => "skipped",
        }
    }

    /// What was seen.
    #[must_use]
    pub fn seen(&self) -> &str {
        match self {
            Outcome::Ok(seen)
            | Outcome::Warning(seen)
            | Outcome::Failed(seen)
            | Outcome::Skipped(seen) => seen,
        }
    }

    /// Failed with all of `wrong`, or the evidence if nothing is wrong.
    pub(super) fn unless(wrong: &[String], evidence: impl Into<String>) -> Outcome {
        match wrong {
            [] => Outcome::Ok(evidence.into()),
            wrong => Outcome::Failed(listed(wrong)),
        }
    }
}

/// Several findings in one text; beyond a few they are counted.
pub(super) fn listed(all: &[String]) -> String {
    const SHOWN: usize = 6;
    let mut text: Vec<String> = all.iter().take(SHOWN).cloned().collect();
    if all.len() > SHOWN {
        text.push(format!("and {} more", all.len() - SHOWN));
    }
    text.join("; ")
}

/// Who hears what is going on, where it takes long.
pub struct Watch<'a>(RefCell<&'a mut dyn FnMut(&str)>);

impl<'a> Watch<'a> {
    /// Tells `hear`.
    pub fn new(hear: &'a mut dyn FnMut(&str)) -> Watch<'a> {
        Watch(RefCell::new(hear))
    }

    pub(super) fn say(&self, what: &str) {
        if let Ok(mut hear) = self.0.try_borrow_mut() {
            hear(what);
        }
    }
}
