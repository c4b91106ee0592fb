//! Patterns: one syntax per verb, every matcher answering yes, no or maybe.
//!
//! A pattern is asked in one of two stances. A match that loosens (allow, the `unless` of a deny)
//! needs yes in every lane; a match that tightens (ask, deny, the `unless` of an allow) takes any.
//! So allow patterns see less than there is, and deny patterns more (policy language §11.16).

pub mod braces;
pub mod call;
pub mod connect;
pub(crate) mod cover;
pub mod entropy;
pub mod exec;
pub(crate) mod fold;
mod foreign;
pub(crate) mod glob;
pub(crate) mod literal;
pub mod output;
pub mod path;
pub(crate) mod spelling;
pub mod text;

use crate::limits::{PATTERN_BRACE_DEPTH_MAX, PATTERN_BYTES_MAX};
use crate::model::path::AbsPath;

/// Which way doubt falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stance {
    /// The match lets something through: an allow, or the exception of an ask or deny.
    Loosen,
    /// The match holds something back: an ask or deny, or the exception of an allow.
    Tighten,
}

impl Stance {
    /// The stance of an exception to what is asked in this one.
    #[must_use]
    pub fn other(self) -> Stance {
        match self {
            Stance::Loosen => Stance::Tighten,
            Stance::Tighten => Stance::Loosen,
        }
    }
}

/// Why a pattern cannot be read, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError {
    /// The code it is told by, if it has one of its own.
    pub code: Option<&'static str>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// What surely mends it: the pattern, and what it must be instead. It holds only for a pattern
    /// that is written so; one that came out of braces or a list is written otherwise.
    pub fix: Option<(String, String)>,
}

impl PatternError {
    pub(crate) fn new(message: impl Into<String>) -> PatternError {
        PatternError { code: None, message: message.into(), help: None, fix: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> PatternError {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn code(mut self, code: &'static str) -> PatternError {
        self.code = Some(code);
        self
    }

    /// The same with what the pattern `of` surely must be instead.
    pub(crate) fn fix(mut self, of: &str, with: impl Into<String>) -> PatternError {
        self.fix = Some((of.to_owned(), with.into()));
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
    /// Other names of these, each with the place whose name it is: what is written by way of a
    /// link to the workspace is in the workspace.
    pub aliases: Vec<(AbsPath, AbsPath)>,
}

impl Anchors {
    /// A place, and its other names.
    pub fn names_of<'a>(&'a self, place: &'a AbsPath) -> impl Iterator<Item = &'a AbsPath> {
        let others = self.aliases.iter().filter(move |(of, _)| of == place);
        std::iter::once(place).chain(others.map(|(_, name)| name))
    }

    /// The frozen world of examples and tests (policy language §11.26).
    #[must_use]
    pub fn frozen(workspace: Option<AbsPath>) -> Anchors {
        let at = |text: &str| AbsPath::parse(text).unwrap_or_else(|_| AbsPath::root());
        Anchors {
            workspace: workspace.unwrap_or_else(|| at("/work")),
            home: Some(at("/home/agent")),
            tmp: at("/tmp"),
            aliases: Vec::new(),
        }
    }
}

/// What holds for a pattern of any verb: its length, its braces, and characters that a reader
/// cannot see.
///
/// # Errors
/// If it is longer or its braces are deeper than a bound, or it holds such a character.
pub(crate) fn check_text(text: &str) -> Result<(), PatternError> {
    if text.len() > PATTERN_BYTES_MAX {
        let message =
            format!("the pattern has {} bytes, more than {PATTERN_BYTES_MAX}", text.len());
        return Err(PatternError::new(message).help("split it into several entries"));
    }
    if let Some(c) = text.chars().find(|c| unseen(*c)) {
        let message = format!("the pattern holds the invisible character {}", c.escape_unicode());
        return Err(PatternError::new(message).help("remove it: what a pattern says must be seen"));
    }
    let (mut depth, mut escaped) = (0_usize, false);
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > PATTERN_BRACE_DEPTH_MAX {
            let message = format!("more than {PATTERN_BRACE_DEPTH_MAX} braces lie in one another");
            return Err(PatternError::new(message).help("write fewer braces, or `\\{`"));
        }
    }
    Ok(())
}

/// Characters that show as nothing, or change how their neighbours show (Unicode's `Cc`, `Zl`,
/// `Zp`, and of `Cf` and the fillers those that are known from spoofed texts).
pub(crate) fn unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}
