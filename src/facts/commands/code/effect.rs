//! What a program is seen to do, before any path is looked at.

use crate::model::access::Verb;

/// What is done to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Read,
    Write,
    Update,
    Delete,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// A path, or a pattern of paths.
    Path {
        does: Use,
        text: String,
        glob: bool,
    },
    /// Does to paths what this command does, without running it (`cp`, `mv`, `rm -r`).
    Like(Vec<String>),
    /// A text that a shell runs; it may have holes.
    Shell(String),
    /// A program and its words; `None` for one that is not known.
    Argv(Vec<Option<String>>),
    /// What follows may be relative to this directory, or to one that is not known.
    Enters(Option<String>),
    Url(String),
    /// A host, perhaps with a port.
    Host(String),
    /// A text that may name a path or URL; nothing tells what is done with it.
    Suspect(String),
    /// Something that is not seen.
    Unknown(Verb),
}

/// Everything that a program is seen to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) effects: Vec<Effect>,
    /// Part of the program could not be read.
    pub(super) lost: bool,
}
