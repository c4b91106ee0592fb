//! Labels: what a session is marked with, and which way each of them may be used.
//!
//! A label that is only ever read to tighten is a taint; one that is only ever read to loosen is a
//! proof. Which of the two it is follows from the rules that read it (policy language §11.20), and
//! a label of both is an error: a taint must never be lost, a proof never be made up.

use std::collections::BTreeMap;

/// The text of a label, which may hold arguments of the call: `approved:${args.ticket}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelText {
    /// Its parts in order.
    pub parts: Vec<LabelPart>,
}

/// One part of a label's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelPart {
    /// As it stands.
    Plain(String),
    /// An argument, by the keys that lead to it. It is inserted as it is, never read as a pattern.
    Argument(Vec<String>),
}

/// Which way a label is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polarity {
    /// It only ever tightens: no rule can take it away.
    Taint,
    /// It only ever loosens: it lands only when the call succeeded, and may be taken away.
    Proof,
}

/// The labels that a policy names: their use, and their bits.
#[derive(Debug, Clone, Default)]
pub struct Labels {
    /// The bit of each label that some condition reads as it stands, at most 64.
    pub bits: BTreeMap<String, u8>,
    /// The use of each family; one that nothing reads is a taint.
    pub polarity: BTreeMap<String, Polarity>,
    /// Families that an operator may set from outside.
    pub external: Vec<String>,
}

/// Why a text is no label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// It is empty, or has a character that no label has.
    #[error("a label is letters, digits, `-`, `_` and `.`, with one key after a `:`")]
    Text,
    /// A `${` that names no argument.
    #[error("only arguments stand in a label, as `${{args.ticket}}`")]
    Argument,
}

/// Labels that are kept as bits; further ones are looked up by their text.
pub const BITS_MAX: u8 = 64;

impl LabelText {
    /// Reads a label: a family, and after a `:` one key, which may hold arguments.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str) -> Result<LabelText, LabelError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((plain, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or(LabelError::Argument)?;
            let name = name.strip_prefix("args.").ok_or(LabelError::Argument)?;
            let keys: Vec<String> = name.split('.').map(str::to_owned).collect();
            if keys.iter().any(String::is_empty) {
                return Err(LabelError::Argument);
            }
            if !plain.is_empty() {
                parts.push(LabelPart::Plain(plain.to_owned()));
            }
            parts.push(LabelPart::Argument(keys));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(LabelPart::Plain(rest.to_owned()));
        }
        let label = LabelText { parts };
        match label.is_well_formed() {
            true => Ok(label),
            false => Err(LabelError::Text),
        }
    }

    /// The family is plain text; the key is what follows the first `:`.
    fn is_well_formed(&self) -> bool {
        let Some(LabelPart::Plain(first)) = self.parts.first() else { return false };
        let family_closed = first.contains(':');
        let letter = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        let plain = |text: &str| {
            text.chars().all(|c| letter(c) || matches!(c, ':' | '/' | '@' | '+' | '#'))
        };
        !self.family().is_empty()
            && self.family().chars().all(letter)
            && (self.parts.len() == 1 || family_closed)
            && !first.ends_with(':') | (self.parts.len() > 1)
            && self.parts.iter().all(|part| match part {
                LabelPart::Plain(text) => plain(text),
                LabelPart::Argument(_) => true,
            })
    }

    /// What stands before the `:`; the whole of a label without a key.
    #[must_use]
    pub fn family(&self) -> &str {
        match self.parts.first() {
            Some(LabelPart::Plain(text)) => text.split(':').next().unwrap_or_default(),
            Some(LabelPart::Argument(_)) | None => "",
        }
    }

    /// The whole text, if it holds no argument.
    #[must_use]
    pub fn as_plain(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [LabelPart::Plain(text)] => Some(text),
            _ => None,
        }
    }
}

impl std::fmt::Display for LabelText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for part in &self.parts {
            match part {
                LabelPart::Plain(text) => f.write_str(text)?,
                LabelPart::Argument(keys) => write!(f, "${{args.{}}}", keys.join("."))?,
            }
        }
        Ok(())
    }
}

impl Labels {
    /// The bits of those labels that the policy names as they stand. `family:*` is every key of
    /// that family.
    #[must_use]
    pub fn bits_of<'a>(&self, labels: impl IntoIterator<Item = &'a String>) -> u64 {
        let mut bits = 0;
        for label in labels {
            bits |= self.bits.get(label).map_or(0, |bit| 1_u64 << bit);
            if let Some(prefix) = label.strip_suffix('*').filter(|prefix| prefix.ends_with(':')) {
                let keyed = self.bits.iter().filter(|(known, _)| known.starts_with(prefix));
                bits |= keyed.map(|(_, bit)| 1_u64 << bit).fold(0, std::ops::BitOr::bitor);
            }
        }
        bits
    }

    /// The bit of a label, given out on first use; nothing once all are taken.
    pub(super) fn bit(&mut self, label: &str) -> Option<u8> {
        if let Some(bit) = self.bits.get(label) {
            return Some(*bit);
        }
        let next = u8::try_from(self.bits.len()).ok().filter(|next| *next < BITS_MAX)?;
        self.bits.insert(label.to_owned(), next);
        Some(next)
    }

    /// Which way labels of this family are used.
    #[must_use]
    pub fn polarity_of(&self, family: &str) -> Polarity {
        self.polarity.get(family).copied().unwrap_or(Polarity::Taint)
    }

    /// Whether an operator may set this label.
    #[must_use]
    pub fn may_be_set(&self, label: &str) -> bool {
        let family = label.split(':').next().unwrap_or_default();
        self.external.iter().any(|allowed| match allowed.strip_suffix(":*") {
            Some(keyed) => keyed == family && label.len() > family.len() + 1,
            None => allowed == label,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_label() {
        for (text, family, well) in [
            ("secret", "secret", true),
            ("tests-passed", "tests-passed", true),
            ("approved:T1", "approved", true),
            ("approved:${args.ticket}", "approved", true),
            ("approved:${args.a.b}-x", "approved", true),
            ("", "", false),
            ("a b", "", false),
            ("approved:", "", false),
            ("${args.x}", "", false),
            ("approved${args.x}", "", false),
            ("approved:${ticket}", "", false),
            ("approved:${args.}", "", false),
            ("approved:${args.x", "", false),
            ("*", "", false),
            ("approved:*", "", false),
        ] {
            let read = LabelText::parse(text);
            assert_eq!(read.is_ok(), well, "{text}: {read:?}");
            if let Ok(label) = read {
                assert_eq!((label.family(), label.to_string().as_str()), (family, text));
            }
        }
    }

    #[test]
    fn what_an_operator_may_set() {
        let external = vec!["approved:*".to_owned(), "secret".to_owned()];
        let labels = Labels { external, ..Labels::default() };
        for (label, may) in [
            ("approved:T1", true),
            ("approved:", false),
            ("approved", false),
            ("secret", true),
            ("secret:x", false),
            ("other", false),
        ] {
            assert_eq!(labels.may_be_set(label), may, "{label}");
        }
    }
}
