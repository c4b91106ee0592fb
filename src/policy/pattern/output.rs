//! Output patterns: `$keys`, `{ regex = "..." }` or `{ entropy = 4.5 }`, all in linear time.

use super::PatternError;
use super::entropy::HighEntropy;
use crate::limits::REGEX_BYTES_MAX;
use regex::{Regex, RegexBuilder};

/// What is looked for in a tool's output.
#[derive(Debug, Clone)]
pub enum OutputPattern {
    /// `$keys`: the shipped secret detectors.
    Keys,
    /// `**`: every output.
    Everything,
    /// A regular expression.
    Regex(Regex),
    /// Runs of much entropy.
    Entropy(HighEntropy),
}

impl OutputPattern {
    /// Reads a regular expression.
    ///
    /// # Errors
    /// If it is none, or compiles to more than a bound.
    pub fn regex(text: &str) -> Result<OutputPattern, PatternError> {
        let built = RegexBuilder::new(text).size_limit(REGEX_BYTES_MAX).build();
        match built {
            Ok(regex) => Ok(OutputPattern::Regex(regex)),
            Err(error) => {
                let first = error.to_string().lines().last().unwrap_or_default().to_owned();
                let message = format!("this regular expression cannot be used: {first}");
                Err(PatternError::new(message).help(
                    "the syntax is that of Rust's regex crate: no look-around, no back-references",
                ))
            }
        }
    }
}
