//! One detector: how a kind of secret is found. Read once from the catalogue, then only used.

use crate::limits::REGEX_BYTES_MAX;
use crate::model::entropy::entropy;
use aho_corasick::AhoCorasick;
use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use std::ops::Range;

/// How one kind of secret is found.
#[derive(Debug)]
pub(super) struct Detector {
    /// Stands in the text in the secret's place.
    pub(super) id: String,
    /// The name that a JSON member must have, written as [`words`]; such a detector looks at
    /// nothing else.
    key: Option<Regex>,
    key_except: Option<Regex>,
    regex: Regex,
    /// What is no secret though the regex finds it.
    except: Option<Regex>,
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
    /// The keywords cannot be searched for.
    #[error("the keywords of the catalogue of secrets cannot be used: {0}")]
    Keywords(#[from] aho_corasick::BuildError),
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
    except: Option<String>,
    pub(super) key: Option<String>,
    #[serde(rename = "key-except")]
    key_except: Option<String>,
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
        let some = |pattern: &Option<String>| pattern.as_deref().map(compile).transpose();
        let (key, key_except) = (some(&written.key)?, some(&written.key_except)?);
        let except = some(&written.except)?;
        let unfindable = |k: &&String| k.is_empty() || **k != k.to_ascii_lowercase();
        if let Some(keyword) = written.keywords.iter().find(unfindable).cloned() {
            return Err(RedactError::Keyword { id: written.id, keyword });
        }
        Ok(Detector {
            id: written.id,
            key,
            key_except,
            regex,
            except,
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
            key_except: None,
            regex: Regex::new("a").unwrap(),
            except: None,
            keywords: Vec::new(),
            entropy_min: None,
            panics: true,
        }
    }

    /// Whether it looks at members by their name, and at no text.
    pub(super) fn is_for_members(&self) -> bool {
        self.key.is_some()
    }

    /// Whether a member's name, as [`words`], says that it holds such a secret.
    pub(super) fn is_named(&self, words: &str) -> bool {
        let fits = |regex: &Option<Regex>| regex.as_ref().is_some_and(|name| name.is_match(words));
        fits(&self.key) && !fits(&self.key_except)
    }

    /// Whether the regex is to be tried whatever the text is.
    fn is_always_tried(&self) -> bool {
        #[cfg(test)]
        assert!(!self.panics, "a detector panics");
        self.keywords.is_empty()
    }

    /// Where in `text` the secrets of this kind are.
    pub(super) fn secrets(&self, text: &str) -> impl Iterator<Item = Range<usize>> {
        self.regex.captures_iter(text).filter_map(|captures| {
            let secret = captures.name("secret").or_else(|| captures.get(0))?;
            let enough = self.entropy_min.is_none_or(|least| entropy(secret.as_str()) >= least);
            let honest = |except: &Regex| except.is_match(secret.as_str());
            let is_secret =
                enough && !secret.is_empty() && !self.except.as_ref().is_some_and(honest);
            is_secret.then(|| secret.range())
        })
    }
}

/// All detectors, and one search for the keywords of all.
#[derive(Debug)]
pub(super) struct Detectors {
    pub(super) all: Vec<Detector>,
    keywords: AhoCorasick,
    /// Whose each keyword is.
    of: Vec<usize>,
}

impl Detectors {
    pub(super) fn new(all: Vec<Detector>) -> Result<Detectors, RedactError> {
        let each = || all.iter().enumerate();
        let of = each().flat_map(|(index, one)| one.keywords.iter().map(move |_| index)).collect();
        let words = each().flat_map(|(_, one)| &one.keywords);
        let keywords = AhoCorasick::builder().ascii_case_insensitive(true).build(words)?;
        Ok(Detectors { all, keywords, of })
    }

    /// The detectors of texts whose regex is worth trying, in the order of the catalogue.
    pub(super) fn worth_trying(&self, text: &str) -> impl Iterator<Item = (usize, &Detector)> {
        let mut has_keyword = vec![false; self.all.len()];
        for hit in self.keywords.find_overlapping_iter(text) {
            let detector = self.of.get(hit.pattern().as_usize());
            if let Some(mark) = detector.and_then(|index| has_keyword.get_mut(*index)) {
                *mark = true;
            }
        }
        self.all.iter().zip(has_keyword).enumerate().filter_map(|(index, (one, has_keyword))| {
            let tried = (one.is_always_tried() || has_keyword) && !one.is_for_members();
            tried.then_some((index, one))
        })
    }
}

/// A name in whatever spelling as its words: `newPassword`, `NEW-PASSWORD` and `new.password` are
/// `new_password`.
pub(super) fn words(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut letters = name.chars().peekable();
    let mut before = None;
    while let Some(letter) = letters.next() {
        let begins = match (before, letters.peek()) {
            (Some(before), after) if letter.is_ascii_uppercase() => {
                let is_small = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
                is_small(before)
                    || (before.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase))
            }
            _ => false,
        };
        if (begins || !letter.is_ascii_alphanumeric()) && !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
        if letter.is_ascii_alphanumeric() {
            out.push(letter.to_ascii_lowercase());
        }
        before = Some(letter);
    }
    let length = out.trim_end_matches('_').len();
    out.truncate(length);
    out
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
