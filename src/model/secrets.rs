//! What was taken out of one text, kept only as long as the texts beside it are looked through.
//!
//! It is the one value that holds secrets as they are. It is never written, and shows nothing but
//! how many it holds.

/// Secrets as they stood in a text, each with the id of the detector that found it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(Vec<(String, String)>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

impl Secrets {
    /// Adds one that `detector` found, if there are fewer than `most`, and says whether it is new.
    pub fn add(&mut self, detector: &str, secret: &str, most: usize) -> bool {
        if self.0.len() >= most || self.0.iter().any(|(_, known)| known == secret) {
            return false;
        }
        self.0.push((detector.to_owned(), secret.to_owned()));
        true
    }

    /// Each with the detector that found it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(detector, secret)| (detector.as_str(), secret.as_str()))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
