//! One word of a command, as far as it is known before the command runs.

use super::doubt::Doubt;

/// What a word of a command line will be when the command runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Exactly this text, one operand.
    Known(String),
    /// One operand, which is one of these texts (sorted, at least two).
    OneOf(Vec<String>),
    /// Not known, with the reason.
    Unknown(Unknown),
}

/// A word that is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// Why it is not known.
    pub reason: Doubt,
    /// What it certainly begins with; may be empty.
    pub prefix: String,
    /// True if it is exactly one operand (it was quoted); else it may be none or several.
    pub single: bool,
}

impl Word {
    /// A word known whole.
    pub fn known(text: impl Into<String>) -> Word {
        Word::Known(text.into())
    }

    /// One operand out of `values`; fewer than two collapse to what they are.
    #[must_use]
    pub fn one_of(mut values: Vec<String>) -> Word {
        values.sort();
        values.dedup();
        match (values.len(), values.pop()) {
            (0 | 1, Some(only)) => Word::Known(only),
            (_, Some(last)) => {
                values.push(last);
                Word::OneOf(values)
            }
            (_, None) => Word::unknown(Doubt::TooManyValues),
        }
    }

    /// A word of which nothing is known, not even that it is one operand.
    #[must_use]
    pub fn unknown(reason: Doubt) -> Word {
        Word::Unknown(Unknown { reason, prefix: String::new(), single: false })
    }

    /// The text, if it is known whole.
    #[must_use]
    pub fn as_known(&self) -> Option<&str> {
        match self {
            Word::Known(text) => Some(text),
            Word::OneOf(_) | Word::Unknown(_) => None,
        }
    }

    /// Every text it can be, or nothing if that is not known.
    #[must_use]
    pub fn values(&self) -> Option<&[String]> {
        match self {
            Word::Known(text) => Some(std::slice::from_ref(text)),
            Word::OneOf(texts) => Some(texts),
            Word::Unknown(_) => None,
        }
    }
}

impl std::fmt::Display for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Word::Known(text) => f.write_str(text),
            Word::OneOf(texts) => write!(f, "{{{}}}", texts.join(",")),
            Word::Unknown(unknown) => write!(f, "{}⟨?⟩", unknown.prefix),
        }
    }
}
