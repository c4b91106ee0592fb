//! Patterns: one syntax per verb, every matcher answering yes, no or maybe.
//!
//! A pattern is asked in one of two stances. A match that loosens (allow, the `unless` of a deny)
//! needs yes in every lane; a match that tightens (ask, deny, the `unless` of an allow) takes any.
//! So allow patterns see less than there is, and deny patterns more (policy language §11.16).

pub mod braces;
pub mod call;
pub mod connect;
pub mod exec;
pub mod output;
pub mod path;
pub mod text;

use crate::model::path::AbsPath;

/// Which way doubt falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stance {
    /// The match lets something through: an allow, or the exception of an ask or deny.
    Loosen,
    /// The match holds something back: an ask or deny, or the exception of an allow.
    Tighten,
}

/// Why a pattern cannot be read, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl PatternError {
    pub(crate) fn new(message: impl Into<String>) -> PatternError {
        PatternError { message: message.into(), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> PatternError {
        self.help = Some(help.into());
        self
    }
}

/// The places that `$workspace`, `$home` and `$tmp` stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchors {
    /// `$workspace`: fixed by launcher, service or `[let]`; never a call's working directory.
    pub workspace: AbsPath,
    /// `$home` and `~`: the agent's home, if it is known. Where it is not, a pattern that
    /// tightens holds for any directory, and one that loosens for none.
    pub home: Option<AbsPath>,
    /// `$tmp`.
    pub tmp: AbsPath,
}

impl Anchors {
    /// The frozen world of examples and tests (policy language §11.26).
    #[must_use]
    pub fn frozen(workspace: Option<AbsPath>) -> Anchors {
        let at = |text: &str| AbsPath::parse(text).unwrap_or_else(|_| AbsPath::root());
        Anchors {
            workspace: workspace.unwrap_or_else(|| at("/work")),
            home: Some(at("/home/agent")),
            tmp: at("/tmp"),
        }
    }
}
