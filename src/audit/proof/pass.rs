//! The work of verifying that can be done line by line, in any order: each line's place as it
//! claims it, its hash, and its leaf in the tree. Blocks of lines go to as many threads as the
//! machine has, and come back in their order.

use crate::audit::place::{Hash, StreamId};
use crate::audit::proof::chain::{Flaw, VERSION};
use crate::audit::proof::link::{self, Own};
use crate::audit::proof::merkle::leaf;
use crate::limits::RECORD_BYTES_MAX;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Scope;

/// Threads beyond these would wait for the one that puts their work in order.
const THREADS_MAX: usize = 8;
/// Blocks on their way for each thread.
const BLOCKS_PER_THREAD: usize = 3;

/// A block of whole lines, looked at.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// The lines.
    pub(super) block: Vec<u8>,
    /// What each of them is.
    pub(super) lines: Vec<Line>,
}

/// One line.
#[derive(Debug)]
pub(super) struct Line {
    /// Where in the block it stands, without its newline.
    pub(super) at: Range<usize>,
    /// The place that it claims.
    pub(super) claim: Result<Claim, Flaw>,
    pub(super) hash: Hash,
    pub(super) leaf: Hash,
}

/// The place that a line claims.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) seq: u64,
    pub(super) prev: Option<Hash>,
    pub(super) own: Own,
    /// It is of another version, or of another stream.
    pub(super) foreign: Option<Flaw>,
}

impl Looked {
    /// Takes over a block of whole lines, in the room that another one had.
    fn fill(&mut self, block: &[u8]) {
        self.lines.clear();
        self.block.clear();
        self.block.extend_from_slice(block);
    }

    /// Looks at its lines, which are of this stream.
    fn look(mut self, stream: &StreamId) -> Looked {
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', &self.block) {
            let line = self.block.get(from..end).unwrap_or_default();
            self.lines.push(look_at(line, from..end, stream));
            from = end + 1;
        }
        self
    }
}

fn look_at(line: &[u8], at: Range<usize>, stream: &StreamId) -> Line {
    let claim = if line.len() >= RECORD_BYTES_MAX {
        Err(Flaw::TooLong)
    } else {
        link::parse(line).map(|link| Claim {
            seq: link.seq,
            prev: link.prev,
            own: link.own,
            foreign: if link.v != VERSION {
                Some(Flaw::Version(link.v))
            } else if link.stream != stream.as_str() {
                Some(Flaw::Stream(link.stream.into_owned()))
            } else {
                None
            },
        })
    };
    Line { at, claim, hash: Hash::of(line), leaf: leaf(line) }
}

/// A block on its way.
struct Job {
    block: Looked,
    stream: StreamId,
    done: SyncSender<Looked>,
}

/// Looks at blocks on several threads, and gives them back in the order in which they came.
pub(super) struct Lookers {
    jobs: Option<Sender<Job>>,
    under_way: VecDeque<Receiver<Looked>>,
    most: usize,
    /// Blocks that are done with: their room is used again.
    spare: Vec<Looked>,
}

impl Lookers {
    /// The calling thread alone, where there is little to do.
    pub(super) fn none() -> Lookers {
        Lookers { jobs: None, under_way: VecDeque::new(), most: 0, spare: Vec::new() }
    }

    /// As many threads as the machine has.
    pub(super) fn start<'scope>(scope: &'scope Scope<'scope, '_>) -> Lookers {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        let (jobs, waiting) = channel::<Job>();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..threads {
            let waiting = Arc::clone(&waiting);
            scope.spawn(move || {
                loop {
                    let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(Job { block, stream, done }) = next else { break };
                    // Whoever asked may have seen enough.
                    drop(done.send(block.look(&stream)));
                }
            });
        }
        let most = threads * BLOCKS_PER_THREAD;
        Lookers { jobs: Some(jobs), most, ..Lookers::none() }
    }

    /// Hands over a block; what came back in the meantime, if it is its turn.
    pub(super) fn give(&mut self, block: &[u8], stream: &StreamId) -> Option<Looked> {
        let (done, result) = sync_channel(1);
        let mut there = self.spare.pop().unwrap_or_default();
        there.fill(block);
        let (block, stream) = (there, stream.clone());
        match &self.jobs {
            None => return Some(block.look(&stream)),
            Some(jobs) => {
                if let Err(lost) = jobs.send(Job { block, stream, done }) {
                    let Job { block, stream, .. } = lost.0;
                    return Some(block.look(&stream));
                }
            }
        }
        self.under_way.push_back(result);
        if self.under_way.len() < self.most { None } else { self.take() }
    }

    /// The next block that was handed over; nothing if there is none.
    pub(super) fn take(&mut self) -> Option<Looked> {
        self.under_way.pop_front()?.recv().ok()
    }

    /// Gives back a block that is done with.
    pub(super) fn reuse(&mut self, looked: Looked) {
        self.spare.push(looked);
    }
}
