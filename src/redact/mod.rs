//! Takes secrets out of text and JSON before anything is written or shown.
//!
//! The detectors are data (`policies/catalogue/secrets.toml`, the `$keys` of the policy language).
//! What is found is replaced by `[redacted:<detector>]`. Redacting is repeated until nothing is
//! found any more, so that its output never holds a text that a detector still matches; should
//! that not settle, the whole text is withheld. Time is linear in the text: the regular
//! expressions have no backtracking and the rounds are bounded.
//!
//! It must never fail open: what cannot be redacted is replaced whole. It finds secrets by their
//! form, so a secret without form (a short password in prose) passes; policy must not rest on it.

mod capture;
mod commitment;
mod detector;
mod json;
mod spread;
pub mod withhold;

pub use capture::{
    CAPTURE_BYTES_MAX, CAPTURE_FULL_BYTES_MAX, CAPTURE_STRING_BYTES_MAX, DIGEST_ONLY,
    TEXTS_KEPT_MAX, TOO_LONG, UNREDACTABLE, json_bytes,
};
pub use commitment::{COMMITMENT_KEY_BYTES, CommitmentKey};
pub use detector::RedactError;

pub use spread::together;

#[cfg(test)]
use detector::Detector;
use detector::Detectors;
use spread::{Known, Watch};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Rounds of redaction over one text. Two settle every text seen; the last one only proves it.
const ROUNDS_MAX: usize = 4;
/// What a text becomes that does not settle within the rounds.
const UNSETTLED: &str = "unsettled";
/// Secrets of one text that are committed to; a record has no room for more.
const COMMITMENTS_MAX: usize = 64;
/// The beginning of what stands in a secret's place.
const MARK: &str = "[redacted:";

/// The detectors, ready for use; cheap to clone.
#[derive(Debug, Clone)]
pub struct Redactor {
    detectors: Arc<Detectors>,
    keeping: Keeping,
    known: Known,
    watch: Option<Watch>,
}

/// What is kept of that which is taken out or left out.
#[derive(Debug, Clone, Default)]
pub struct Keeping {
    /// Commits to secrets; without it nothing is said of them but where they were.
    pub key: Option<CommitmentKey>,
    /// Which texts that are too long for a record are handed on beside it, redacted.
    pub texts: KeepTexts,
}

/// Which texts that are too long for a record are handed on beside it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeepTexts {
    /// None.
    #[default]
    None,
    /// Those of calls whose rule asks for all of it.
    Full,
    /// Those of calls whose rule asks for no less than usual.
    Usual,
}

/// One secret that was found in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Spotted {
    /// The detector.
    id: String,
    /// The commitment to it, if there is a key and the secret stood there as it is.
    hmac: Option<String>,
}

/// A stretch of text to replace, and the index of the detector that found it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    range: Range<usize>,
    detector: usize,
}

impl Redactor {
    /// The detectors that toolgate ships.
    ///
    /// # Errors
    /// If the catalogue in this binary cannot be read; a test sees to it that it can.
    pub fn shipped() -> Result<Redactor, RedactError> {
        let detectors = detector::read(include_str!("../../policies/catalogue/secrets.toml"))?;
        Ok(Redactor::of(Detectors::new(detectors)?))
    }

    fn of(detectors: Detectors) -> Redactor {
        let (detectors, keeping) = (Arc::new(detectors), Keeping::default());
        Redactor { detectors, keeping, known: Known::default(), watch: None }
    }

    /// The same detectors, and this much kept of what they find.
    #[must_use]
    pub fn keeping(self, keeping: Keeping) -> Redactor {
        Redactor { keeping, ..self }
    }

    /// The commitment to what nobody could look through, if there is a key.
    #[must_use]
    pub fn commitment(&self, bytes: &[u8]) -> Option<String> {
        self.keeping.key.as_ref().map(|key| key.commit_bytes(bytes))
    }

    /// One that panics on every text.
    #[cfg(test)]
    pub(crate) fn panicking() -> Redactor {
        Redactor::of(Detectors::new(vec![Detector::panicking()]).unwrap())
    }

    /// The ids of the detectors, in the order of the catalogue.
    pub fn detector_ids(&self) -> impl Iterator<Item = &str> {
        self.detectors.all.iter().map(|detector| detector.id.as_str())
    }

    /// The text without its secrets and the ids of the detectors that found them, each once;
    /// nothing if there is none.
    #[must_use]
    pub fn redact_text(&self, text: &str) -> Option<(String, Vec<String>)> {
        let (clean, spotted) = self.redact(text)?;
        let mut ids: Vec<String> = Vec::new();
        for Spotted { id, .. } in spotted {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Some((clean, ids))
    }

    /// The same with a commitment to each secret.
    fn redact(&self, text: &str) -> Option<(String, Vec<Spotted>)> {
        let mut current = Cow::Borrowed(text);
        let mut spotted: Vec<Spotted> = Vec::new();
        for _ in 0..ROUNDS_MAX {
            let found = self.find(&current);
            if found.is_empty() {
                let any = !spotted.is_empty();
                return any.then(|| (current.into_owned(), spotted));
            }
            self.commit(&current, &found, &mut spotted);
            current = Cow::Owned(self.replace(&current, &merge(found)));
        }
        if self.find(&current).is_empty() {
            return Some((current.into_owned(), spotted));
        }
        let unsettled = Spotted { id: UNSETTLED.to_owned(), hmac: None };
        Some((format!("{MARK}{UNSETTLED}]"), vec![unsettled]))
    }

    /// The text without its secrets, whichever they were.
    #[must_use]
    pub fn clean<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.redact_text(text) {
            Some((clean, _)) => Cow::Owned(clean),
            None => Cow::Borrowed(text),
        }
    }

    /// Every stretch to replace, as each detector found it.
    fn find(&self, text: &str) -> Vec<Found> {
        let each = self.detectors.worth_trying(text).flat_map(|(index, detector)| {
            detector.secrets(text).map(move |range| Found { range, detector: index })
        });
        let known = self.known.iter().flat_map(|literal| literal.places(text));
        let found: Vec<Found> = each.chain(known).collect();
        if found.is_empty() {
            return found;
        }
        let marks = self.marks(text);
        let whole = |Found { range, detector }| {
            Some(Found { range: around_marks(range, &marks)?, detector })
        };
        found.into_iter().filter_map(whole).collect()
    }

    /// Commits to what is about to be replaced: to each whole stretch, and to each secret in it as
    /// another detector found it, since a person knows a token, not the header around it.
    fn commit(&self, text: &str, found: &[Found], spotted: &mut Vec<Spotted>) {
        for Found { range, detector } in found.iter().filter(|_| self.watch.is_some()) {
            self.note(self.name(*detector), text.get(range.clone()).unwrap_or_default());
        }
        let mut all: Vec<&Found> = Vec::new();
        let whole = merge(found.to_vec());
        all.extend(&whole);
        if self.keeping.key.is_some() {
            all.extend(found);
        }
        for Found { range, detector } in all {
            let id = self.name(*detector).to_owned();
            // What an earlier round left of a secret is no value that anyone knows.
            let secret = text.get(range.clone()).filter(|secret| !secret.contains(MARK));
            let key = self.keeping.key.as_ref().filter(|_| spotted.len() < COMMITMENTS_MAX);
            let hmac = secret.zip(key).map(|(secret, key)| key.commit(secret));
            let one = Spotted { id, hmac };
            let is_known = spotted.iter().any(|known| match &one.hmac {
                Some(_) => known.hmac == one.hmac,
                None => known.id == one.id,
            });
            if !is_known {
                spotted.push(one);
            }
        }
    }

    /// The id of a detector.
    fn name(&self, detector: usize) -> &str {
        self.detectors.all.get(detector).map_or(UNSETTLED, |known| known.id.as_str())
    }

    /// Where the marks of an earlier redaction are, in order.
    fn marks(&self, text: &str) -> Vec<Range<usize>> {
        let mark = |(start, _): (usize, &str)| {
            let after = text.get(start + MARK.len()..)?;
            let here = |id: &&str| after.strip_prefix(*id).is_some_and(|end| end.starts_with(']'));
            let id = std::iter::once(UNSETTLED).chain(self.detector_ids()).find(here)?;
            Some(start..start + MARK.len() + id.len() + 1)
        };
        text.match_indices(MARK).filter_map(mark).collect()
    }

    fn replace(&self, text: &str, found: &[Found]) -> String {
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for Found { range, detector } in found {
            out.push_str(text.get(from..range.start).unwrap_or_default());
            out.push_str(MARK);
            out.push_str(self.name(*detector));
            out.push(']');
            from = range.end;
        }
        out.push_str(text.get(from..).unwrap_or_default());
        out
    }
}

/// The stretch, widened to whole marks; nothing if it holds nothing but marks or parts of them.
///
/// So a mark is never taken for a secret nor cut in two, and each round leaves less to find.
fn around_marks(range: Range<usize>, marks: &[Range<usize>]) -> Option<Range<usize>> {
    let first = marks.partition_point(|mark| mark.end <= range.start);
    let touched = marks.get(first..)?.iter().take_while(|mark| mark.start < range.end);
    let mut whole = range.clone();
    let mut covered_to = range.start;
    let mut bare = false;
    for mark in touched {
        bare |= mark.start > covered_to;
        covered_to = mark.end;
        whole = whole.start.min(mark.start)..whole.end.max(mark.end);
    }
    (bare || covered_to < range.end).then_some(whole)
}

/// Joins overlapping stretches; the detector that stands first in the catalogue names the whole.
fn merge(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_by_key(|one| (one.range.start, one.range.end));
    let mut merged: Vec<Found> = Vec::with_capacity(found.len());
    for next in found {
        match merged.last_mut() {
            Some(last) if next.range.start < last.range.end => {
                last.range.end = last.range.end.max(next.range.end);
                last.detector = last.detector.min(next.detector);
            }
            _ => merged.push(next),
        }
    }
    merged
}

#[cfg(test)]
mod tests;
