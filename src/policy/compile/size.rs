//! The bounds on what one policy may hold in memory.

use crate::limits::{POLICY_BRACES_MAX, POLICY_PATTERN_BYTES_MAX, POLICY_PATTERNS_MAX};
use crate::policy::pattern::{PatternError, braces};

/// What has been read so far, for the bounds on one policy.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Size {
    pub(super) patterns: usize,
    braces: usize,
    bytes: usize,
    /// A bound is met, and told: nothing more is read.
    pub(super) full: bool,
}

impl Size {
    /// Counts one pattern, with what its braces stand for.
    pub(super) fn add(&mut self, text: &str) -> Result<(), PatternError> {
        let choices =
            if text.contains('{') { braces::expand(text).map_or(1, |all| all.len()) } else { 1 };
        self.patterns += choices;
        self.braces += choices - 1;
        self.bytes += choices * text.len();
        let (what, most) = if self.patterns > POLICY_PATTERNS_MAX {
            ("patterns", POLICY_PATTERNS_MAX)
        } else if self.braces > POLICY_BRACES_MAX {
            ("patterns that come from braces", POLICY_BRACES_MAX)
        } else if self.bytes > POLICY_PATTERN_BYTES_MAX {
            ("bytes of patterns", POLICY_PATTERN_BYTES_MAX)
        } else {
            return Ok(());
        };
        self.full = true;
        Err(PatternError::new(format!("the policy has more than {most} {what}")).help(
            "lists and braces count as what they stand for: use fewer, or patterns that cover more",
        ))
    }
}
