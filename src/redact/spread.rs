//! What a detector found in one text, taken out of the texts beside it.
//!
//! A command stands in a record as it was written and as it would be run, and the form that tells a
//! secret (`-pPASSWORD`, a header's name before it) may be lost on the way from one to the other.
//! So what was found anywhere is looked for everywhere, as it is. It costs nothing where no secret
//! was found; where some were, each is searched for in linear time, and there are few.

use super::{Found, MARK, Redactor, UNREDACTABLE};
use crate::model::secrets::Secrets;
use memchr::memmem::Finder;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Secrets of one record that are looked for in all its texts.
const SPREAD_MAX: usize = 64;
/// A shorter one is too likely to stand elsewhere as another word.
const SPREAD_BYTES_MIN: usize = 6;
/// A shorter one is replaced only where it stands as a word of its own.
const ANYWHERE_BYTES_MIN: usize = 12;

/// The secrets that are known of a record, ready to be searched for.
pub(super) type Known = Arc<[Literal]>;
/// Where is noted what is found.
pub(super) type Watch = Arc<Mutex<Secrets>>;

/// One known secret.
#[derive(Debug)]
pub(super) struct Literal {
    detector: usize,
    finder: Finder<'static>,
    /// It only counts as a word of its own.
    as_word: bool,
}

impl Literal {
    fn new(detector: usize, secret: &str) -> Literal {
        let mixed = secret.bytes().any(|b| b.is_ascii_digit())
            && secret.bytes().any(|b| b.is_ascii_alphabetic());
        let as_word = !mixed || secret.len() < ANYWHERE_BYTES_MIN;
        Literal { detector, finder: Finder::new(secret.as_bytes()).into_owned(), as_word }
    }

    /// Where it stands in a text.
    pub(super) fn places(&self, text: &str) -> impl Iterator<Item = Found> {
        let length = self.finder.needle().len();
        let found = self.finder.find_iter(text.as_bytes());
        found.map(move |start| start..start + length).filter_map(|range| {
            (!self.as_word || is_word(text, &range))
                .then_some(Found { range, detector: self.detector })
        })
    }
}

/// Whether a stretch of a text stands for itself: no letter or digit touches it, but for that of an
/// option that it is glued to (`-p`).
fn is_word(text: &str, range: &Range<usize>) -> bool {
    let mut before = text.get(..range.start).unwrap_or_default().chars().rev();
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let is_glued = |before: &mut dyn Iterator<Item = char>| before.next() == Some('-');
    let begins = !part(before.next()) || is_glued(&mut before);
    begins && !part(text.get(range.end..).unwrap_or_default().chars().next())
}

/// Adds a secret that is worth looking for, as it stands and as a shell would pass it.
pub(super) fn add(to: &mut Secrets, id: &str, secret: &str) {
    let bare = secret.replace('\\', "");
    for secret in [secret, &bare] {
        if secret.len() >= SPREAD_BYTES_MIN && !secret.contains(MARK) {
            to.add(id, secret, SPREAD_MAX);
        }
    }
}

/// Both together.
#[must_use]
pub fn together(mut one: Secrets, other: &Secrets) -> Secrets {
    other.iter().for_each(|(id, secret)| add(&mut one, id, secret));
    one
}

impl Redactor {
    /// The same, noting what it finds; see [`Redactor::found`].
    #[must_use]
    pub fn watching(&self) -> Redactor {
        Redactor { watch: Some(Watch::default()), ..self.clone() }
    }

    /// What it found since it was made to watch.
    #[must_use]
    pub fn found(&self) -> Secrets {
        let watch = self.watch.as_ref();
        watch
            .map(|all| all.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .unwrap_or_default()
    }

    /// The same that also takes out these, wherever they stand.
    #[must_use]
    pub fn knowing(&self, secrets: &Secrets) -> Redactor {
        if secrets.is_empty() {
            return Redactor { known: Known::default(), ..self.clone() };
        }
        let literal = |(id, secret): (&str, &str)| {
            let detector = self.detector_ids().position(|known| known == id)?;
            Some(Literal::new(detector, secret))
        };
        Redactor { known: secrets.iter().filter_map(literal).collect(), ..self.clone() }
    }

    /// What it knows already.
    pub(super) fn known_secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        for literal in self.known.iter() {
            let text = std::str::from_utf8(literal.finder.needle()).unwrap_or_default();
            secrets.add(self.name(literal.detector), text, SPREAD_MAX);
        }
        secrets
    }

    /// The same that takes out only what it finds by form.
    #[must_use]
    pub fn by_form(&self) -> Redactor {
        Redactor { known: Known::default(), ..self.clone() }
    }

    /// The text without its secrets; withheld whole if they cannot be looked for.
    #[must_use]
    pub fn safely_clean(&self, text: &str) -> String {
        let work = || self.clean(text).into_owned();
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
            .unwrap_or_else(|_| format!("{MARK}{UNREDACTABLE}]"))
    }

    /// Notes a secret, if it watches.
    pub(super) fn note(&self, id: &str, secret: &str) {
        let Some(watch) = &self.watch else { return };
        add(&mut watch.lock().unwrap_or_else(PoisonError::into_inner), id, secret);
    }
}
