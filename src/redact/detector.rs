//! One detector: how a kind of secret is found. Read once from the catalogue, then only used.

use crate::limits::REGEX_BYTES_MAX;
use crate::model::entropy::entropy;
use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use std::ops::Range;

/// How one kind of secret is found.
#[derive(Debug)]
pub(super) struct Detector {
    /// Stands in the text in the secret's place.
    pub(super) id: String,
    /// The name that a JSON member must have; such a detector looks at nothing else.
    pub(super) key: Option<Regex>,
    regex: Regex,
    /// Lower case; one must be there before the regex is tried. None: it is always tried.
    keywords: Vec<String>,
    entropy_min: Option<f64>,
    /// Using it panics.
    #[cfg(test)]
    panics: bool,
}

/// Why the catalogue of detectors cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RedactError {
    /// It is no such TOML.
    #[error("the catalogue of secrets cannot be read: {0}")]
    Toml(#[from] toml::de::Error),
    /// A pattern is no regular expression, or too large.
    #[error("the pattern of the detector `{id}` cannot be used: {why}")]
    Regex {
        /// The detector.
        id: String,
        /// The reason.
        why: regex::Error,
    },
    /// An id would not survive in the text that it is written to.
    #[error("`{0}` is no id of a detector; use lower-case letters, digits and hyphens, once")]
    Id(String),
    /// A keyword that could never be found.
    #[error("the keyword `{keyword}` of the detector `{id}` must be in lower case and not empty")]
    Keyword {
        /// The detector.
        id: String,
        /// The keyword.
        keyword: String,
    },
}

/// The catalogue as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Catalogue {
    #[serde(rename = "detector")]
    pub(super) detectors: Vec<Written>,
}

/// One detector as it is written. The samples are for the tests and for a reader.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub(super) id: String,
    #[serde(rename = "about")]
    _about: String,
    regex: String,
    keywords: Vec<String>,
    entropy: Option<f64>,
    pub(super) key: Option<String>,
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests run the samples"))]
    pub(super) hit: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests run the samples"))]
    pub(super) miss: String,
}

/// Reads a catalogue.
pub(super) fn read(text: &str) -> Result<Vec<Detector>, RedactError> {
    let catalogue: Catalogue = toml::from_str(text)?;
    let mut detectors: Vec<Detector> = Vec::with_capacity(catalogue.detectors.len());
    for written in catalogue.detectors {
        let twice = detectors.iter().any(|other| other.id == written.id);
        let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if twice || written.id.is_empty() || !written.id.bytes().all(letter) {
            return Err(RedactError::Id(written.id));
        }
        detectors.push(Detector::compile(written)?);
    }
    Ok(detectors)
}

impl Detector {
    fn compile(written: Written) -> Result<Detector, RedactError> {
        let compile = |pattern: &str| {
            RegexBuilder::new(pattern)
                .size_limit(REGEX_BYTES_MAX)
                .build()
                .map_err(|why| RedactError::Regex { id: written.id.clone(), why })
        };
        let regex = compile(&written.regex)?;
        let key = written.key.as_deref().map(compile).transpose()?;
        let unfindable = |k: &&String| k.is_empty() || **k != k.to_ascii_lowercase();
        if let Some(keyword) = written.keywords.iter().find(unfindable).cloned() {
            return Err(RedactError::Keyword { id: written.id, keyword });
        }
        Ok(Detector {
            id: written.id,
            key,
            regex,
            keywords: written.keywords,
            entropy_min: written.entropy,
            #[cfg(test)]
            panics: false,
        })
    }

    /// One on which every text panics.
    #[cfg(test)]
    pub(crate) fn panicking() -> Detector {
        Detector {
            id: "panicking".to_owned(),
            key: None,
            regex: Regex::new("a").unwrap(),
            keywords: Vec::new(),
            entropy_min: None,
            panics: true,
        }
    }

    /// Whether the regex is worth trying; `lower` is the text in lower case.
    pub(super) fn may_match(&self, lower: &str) -> bool {
        #[cfg(test)]
        assert!(!self.panics, "a detector panics");
        self.keywords.is_empty() || self.keywords.iter().any(|keyword| lower.contains(keyword))
    }

    /// Where in `text` the secrets of this kind are.
    pub(super) fn secrets(&self, text: &str) -> impl Iterator<Item = Range<usize>> {
        self.regex.captures_iter(text).filter_map(|captures| {
            let secret = captures.name("secret").or_else(|| captures.get(0))?;
            let enough = self.entropy_min.is_none_or(|least| entropy(secret.as_str()) >= least);
            (enough && !secret.is_empty()).then(|| secret.range())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_catalogue_must_not_hold() {
        let entry = |id: &str, regex: &str, keyword: &str| {
            format!(
                "[[detector]]\nid = '{id}'\nabout = ''\nregex = '{regex}'\n\
                 keywords = ['{keyword}']\nhit = ''\nmiss = ''\n"
            )
        };
        assert!(read(&entry("a-1", "a", "a")).is_ok());
        for bad in [
            entry("A", "a", "a"),
            entry("", "a", "a"),
            entry("a]", "a", "a"),
            entry("a", "(", "a"),
            entry("a", "a{1000000}", "a"),
            entry("a", "a", "A"),
            entry("a", "a", ""),
            format!("{}{}", entry("a", "a", "a"), entry("a", "b", "b")),
            format!("{}surprise = 1\n", entry("a", "a", "a")),
        ] {
            assert!(read(&bad).is_err(), "{bad}");
        }
    }
}
