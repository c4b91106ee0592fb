//! The patterns of a rule as they stand once its lists are written out.
//!
//! The engine never reads these: they are for people who ask why, and for the policy's digest. So
//! they live beside the compiled policy and are dropped with the rest of what was read.

use super::document::{PatternText, Tested};

/// One pattern of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct WrittenPattern {
    /// Its text.
    pub text: PatternText,
    /// What stands in the rule in its place, if that is a list, as `$credentials`.
    pub list: Option<String>,
    /// The file of a lower layer that added it to an open list.
    pub added_by: Option<String>,
    /// The line of the rule's file in which it, or its list, stands; from 1.
    pub line: usize,
}

/// The patterns of one rule, each at the place that its compiled form has.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WrittenRule {
    /// The rule's file, as the rule names it.
    pub file: String,
    /// The rule's id.
    pub id: String,
    /// `match`
    pub matches: Vec<WrittenPattern>,
    /// `unless`
    pub unless: Vec<WrittenPattern>,
    /// `when`: each key, and what its value must be.
    pub when: Vec<(String, String)>,
}

impl std::fmt::Display for PatternText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PatternText::Text(text) => f.write_str(text),
            PatternText::Regex(regex) => write!(f, "{{ regex = {regex:?} }}"),
            PatternText::Entropy { bits, near: None } => write!(f, "{{ entropy = {bits} }}"),
            PatternText::Entropy { bits, near: Some(near) } => {
                write!(f, "{{ entropy = {bits}, near = {near:?} }}")
            }
        }
    }
}

/// As it would be written in a policy.
impl std::fmt::Display for Tested {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Tested::Text(text) => write!(f, "{text:?}"),
            Tested::Number(number) => write!(f, "{number}"),
            Tested::Bool(value) => write!(f, "{value}"),
            Tested::Regex(regex) => write!(f, "{{ regex = {regex:?} }}"),
            Tested::Absent(absent) => write!(f, "{{ absent = {absent} }}"),
            Tested::Any(all) => {
                let all: Vec<String> = all.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", all.join(", "))
            }
        }
    }
}
