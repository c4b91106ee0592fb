//! The chain of one stream: whether a line may follow the one before it.

use crate::audit::place::{Hash, StreamId};
use crate::audit::proof::link;

/// The version of the record format.
pub(in crate::audit) const VERSION: u32 = 1;

/// What is wrong with a record's place in the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It is no record.
    #[error("the line is no record: {0}")]
    Unreadable(String),
    /// The file is not what was sealed, or what retention kept.
    #[error("{0}")]
    Damaged(String),
    /// Retention left what it keeps, and no record tells of it.
    #[error("the records were deleted, and no record of the log tells of that")]
    Untold,
    /// Of what retention left, only a record tells that nobody vouches for.
    #[error(
        "the records were deleted, and only a record tells of that which no head covered while it \
         was written: anybody could have put it there"
    )]
    Hearsay,
    /// The key remembers more than the log has.
    #[error(
        "this start found less than the log's key had signed ({0} records): the log was cut off or \
         written anew, or an old copy was put back"
    )]
    RolledBack(u64),
    /// It is longer than any record is written.
    #[error("the line is longer than a record can be")]
    TooLong,
    /// It has no end although others follow.
    #[error("the line is cut off")]
    Torn,
    /// A version that this toolgate does not know.
    #[error("the record has version {0}; verify it with a newer toolgate")]
    Version(u32),
    /// It belongs to another stream.
    #[error("the record belongs to stream `{0}`")]
    Stream(String),
    /// Its number does not follow.
    #[error("the record has number {found}, expected {expected}")]
    Sequence {
        /// The number that should have come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// It does not name the hash of the line before it.
    #[error("the line before it, or this link to it, was changed")]
    Link,
    /// The stream that this one names as the one before it is not there.
    #[error("the stream `{0}` before it is missing")]
    StreamMissing(String),
    /// The stream before it does not end where it ended.
    #[error("the stream `{0}` before it ends in another record than when this one began")]
    StreamEnd(String),
    /// It says that it is a signed head of the log, and is none.
    #[error("this is no signed head of the log, though it says so")]
    NoHead,
    /// The records before it are not those that its head signs.
    #[error("the records before this head, from number {0} on, are not those that were signed")]
    Root(u64),
    /// A key signed that no key before it certified, or one that had handed over.
    #[error("this head is signed by a key that nothing certifies at this place")]
    KeyUnknown,
    /// The first key is another than the one that is trusted.
    #[error("the log's first key is `{0}`, not the one that is trusted")]
    KeyOther(String),
    /// The key that is trusted signed nothing.
    #[error("nothing in this log is signed, though a key is trusted for it")]
    KeyUnseen,
    /// The signature is not that of the text.
    #[error("the signature of this head does not fit it")]
    Signature,
    /// The outside head is signed by no key of this log.
    #[error("the outside head, of {0} records, is signed by no key of this log")]
    HeadKey(u64),
    /// The outside head names a record that is not there.
    #[error("record {0}, which the outside head names, is missing; the log was cut off")]
    HeadMissing(u64),
    /// The outside head names another record.
    #[error("record {0} is not the one that the outside head names")]
    HeadDiffers(u64),
}

/// Where a stream stands while it is read.
#[derive(Debug, Clone)]
pub(in crate::audit) struct Chain {
    stream: StreamId,
    last: Last,
}

/// What is known of the line before.
#[derive(Debug, Clone, Copy)]
enum Last {
    /// There is none.
    Nothing,
    /// This one.
    Record { seq: u64, hash: Hash },
    /// There was one that could not be read, or it is not here.
    Unknown,
}

impl Last {
    fn is_followed_by(self, seq: u64, prev: Option<Hash>) -> Result<(), Flaw> {
        let (expected, hash) = match self {
            Last::Nothing => (1, Hash::ZERO),
            Last::Record { seq, hash } => (seq.saturating_add(1), hash),
            Last::Unknown => return Ok(()),
        };
        if seq != expected {
            return Err(Flaw::Sequence { expected, found: seq });
        }
        if prev == Some(hash) { Ok(()) } else { Err(Flaw::Link) }
    }
}

impl Chain {
    /// A stream from its first record on.
    pub(in crate::audit) fn begin(stream: StreamId) -> Chain {
        Chain { stream, last: Last::Nothing }
    }

    /// A stream from somewhere in its middle.
    pub(in crate::audit) fn resume(stream: StreamId) -> Chain {
        Chain { stream, last: Last::Unknown }
    }

    /// The newest record, if it could be read.
    pub(in crate::audit) fn last(&self) -> Option<(u64, Hash)> {
        match self.last {
            Last::Record { seq, hash } => Some((seq, hash)),
            Last::Nothing | Last::Unknown => None,
        }
    }

    /// Takes the next line; the chain goes on from it whether it fits or not.
    pub(in crate::audit) fn take(&mut self, line: &[u8]) -> Result<(), Flaw> {
        let link = link::strictly(line).inspect_err(|_| self.last = Last::Unknown)?;
        let foreign = if link.v != VERSION {
            Some(Flaw::Version(link.v))
        } else if link.stream != self.stream.as_str() {
            Some(Flaw::Stream(link.stream.into_owned()))
        } else {
            None
        };
        self.follow((link.seq, Hash::of(line)), link.prev, foreign)
    }

    /// The same of a line that was read before: its number and hash, the hash that it names, and
    /// what makes it no line of this stream.
    pub(in crate::audit) fn follow(
        &mut self,
        (seq, hash): (u64, Hash),
        prev: Option<Hash>,
        foreign: Option<Flaw>,
    ) -> Result<(), Flaw> {
        let before = std::mem::replace(&mut self.last, Last::Record { seq, hash });
        match foreign {
            Some(flaw) => Err(flaw),
            None => before.is_followed_by(seq, prev),
        }
    }

    /// Lines from `first` to `last` were deleted, and it is known between which hashes they stood.
    pub(in crate::audit) fn leap(
        &mut self,
        (first, prev): (u64, Hash),
        (last, head): (u64, Hash),
    ) -> Result<(), Flaw> {
        let before = std::mem::replace(&mut self.last, Last::Record { seq: last, hash: head });
        before.is_followed_by(first, Some(prev))
    }

    /// A line came that cannot be read at all.
    pub(in crate::audit) fn lose(&mut self) {
        self.last = Last::Unknown;
    }
}
