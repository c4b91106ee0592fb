//! Something that does not agree, or was not believed.

/// One of them, for a record of its own beside that of the event that showed it.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Which kind of thing, as one word (the operator's guide lists them).
    pub code: &'static str,
    /// What of it.
    pub what: Vec<String>,
}
