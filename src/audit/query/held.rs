//! Indexes of the plain files of a log, held in memory by who asks often: the newest file, and
//! those that are not sealed yet, are then asked as quickly as sealed ones.
//!
//! A plain file is held in pieces of some blocks, each with an index as a sealed file has one.
//! A piece is made once and never changes; what was written behind the last whole piece has one of
//! its own, made anew as the file grows. What no piece holds (the last lines, lines that no index
//! holds, files beyond the bound) is read line by line, so a question's answer is the same with all
//! of it and with nothing.

use super::answers::Answers;
use super::file::{BLOCK_BYTES, LogFile};
use crate::audit::error::AuditError;
use crate::audit::index::{Builder, Index};
use crate::audit::segment::{Form, SegmentName, list};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, TryLockError};

/// The blocks of one piece: 64 MiB, a whole file of the usual size.
const PIECE_BLOCKS: usize = 256;

/// The indexes that are held.
pub struct Held {
    dir: PathBuf,
    bytes_max: usize,
    state: RwLock<State>,
    pub(super) answers: Answers,
    /// Held by the one who reads on.
    filling: Mutex<()>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<u64, Vec<Piece>>,
    progress: Progress,
    version: u64,
}

/// How far the reading came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Whether all is held that is to be.
    pub whole: bool,
    /// Plain files.
    pub files: usize,
    /// Of these, files that are held.
    pub held: usize,
    /// Files beyond the bound.
    pub beyond: usize,
    /// Bytes of all indexes.
    pub bytes: usize,
}

/// Some blocks of a plain file.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) part: Span,
    /// Nothing, if it holds a line that no index does.
    pub(super) index: Option<Arc<Index>>,
    /// The bytes that the index takes.
    bytes: usize,
    lines: u64,
    whole: bool,
}

/// Which blocks of a file are meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Span {
    /// The first of them.
    pub(super) first: usize,
    /// How many; nothing for all that are there.
    pub(super) blocks: Option<usize>,
    /// Lines of the file before them.
    pub(super) lines_before: u64,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Held {
    /// Holds nothing yet of the log in `dir`, and never more than so many bytes.
    #[must_use]
    pub fn of(dir: &Path, bytes_max: usize) -> Held {
        Held {
            dir: dir.to_owned(),
            bytes_max,
            state: RwLock::default(),
            answers: Answers::default(),
            filling: Mutex::default(),
        }
    }

    /// The log's directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far the reading came.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.state().progress
    }

    /// Another number with each change of the log that was seen.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.state().version
    }

    /// Forgets all of it.
    pub fn clear(&self) {
        let _filling = self.filling.lock().unwrap_or_else(PoisonError::into_inner);
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = State::default();
        self.answers.clear();
    }

    /// The pieces of a file, and what is behind them.
    pub(super) fn parts(&self, file: &SegmentName) -> (Vec<Piece>, Span) {
        let pieces = self.state().files.get(&file.number).cloned().unwrap_or_default();
        let tail = pieces.last().map_or_else(Span::default, Piece::behind);
        (pieces, tail)
    }

    /// Reads what is new, and at first everything, the newest file first; nothing if another
    /// thread does so already.
    ///
    /// # Errors
    /// If the directory or a file cannot be read.
    pub fn read_on(&self) -> Result<(), AuditError> {
        let _filling = match self.filling.try_lock() {
            Ok(filling) => filling,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        let all = list(&self.dir)?;
        let version = version(&self.dir, &all);
        let plain: Vec<_> = all.iter().filter(|file| file.form == Form::Plain).collect();
        self.change(|state| {
            state.files.retain(|number, _| plain.iter().any(|file| file.number == *number));
            state.progress.files = plain.len();
        });
        for (done, file) in plain.iter().rev().enumerate() {
            if !self.fill(file)? {
                let beyond = plain.len() - done;
                self.change(|state| state.progress.beyond = beyond);
                break;
            }
            self.change(|state| state.progress.held = done + 1);
        }
        self.change(|state| {
            if state.progress.held == state.progress.files {
                state.progress.beyond = 0;
            }
            state.progress.whole = true;
            state.version = version;
        });
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        state.progress.bytes = state.files.values().flatten().map(|piece| piece.bytes).sum();
    }

    /// Holds what a file has; whether there was room for it.
    fn fill(&self, file: &SegmentName) -> Result<bool, AuditError> {
        let mut log = LogFile::open(&self.dir, file)?;
        // A line may end in the block behind its own: only of the last is that not known.
        let there = log.plain_blocks().unwrap_or_default().saturating_sub(1);
        loop {
            let pieces = self.state().files.get(&file.number).cloned().unwrap_or_default();
            let kept = match pieces.last() {
                Some(last) if !last.whole => pieces.len() - 1,
                _ => pieces.len(),
            };
            let part =
                pieces.iter().take(kept).next_back().map_or_else(Span::default, Piece::behind);
            let reached = pieces.last().map_or(0, |last| last.behind().first);
            let wanted = (there.saturating_sub(part.first)).min(PIECE_BLOCKS);
            if wanted == 0 || part.first + wanted <= reached {
                return Ok(true);
            }
            if self.state().progress.bytes >= self.bytes_max {
                return Ok(false);
            }
            let piece = Piece::make(&mut log, Span { blocks: Some(wanted), ..part })
                .map_err(AuditError::file("read", &file.path(&self.dir)))?;
            self.change(|state| {
                let pieces = state.files.entry(file.number).or_default();
                pieces.truncate(kept);
                pieces.push(piece);
            });
        }
    }
}

impl Piece {
    fn make(log: &mut LogFile, part: Span) -> std::io::Result<Piece> {
        let blocks = part.blocks.unwrap_or_default();
        let (mut builder, mut buffer) = (Builder::new(), Vec::new());
        let (mut lines, mut offset) = (0_u64, 0_u64);
        for number in part.first..part.first + blocks {
            let range = log.read(number, &mut buffer)?.unwrap_or_default();
            let block = buffer.get(range).unwrap_or_default();
            for line in block.split_inclusive(|byte| *byte == b'\n') {
                builder.line(line.strip_suffix(b"\n").unwrap_or(line));
                lines += 1;
            }
            let bytes = u64::try_from(block.len()).unwrap_or(u64::MAX);
            builder.frame(offset, bytes);
            offset += bytes;
        }
        let bytes = builder.finish();
        let length = bytes.len();
        let index = Index::from_bytes(bytes).ok().filter(|index| index.frames().is_ok());
        let bytes = if index.is_some() { length } else { 0 };
        let whole = blocks == PIECE_BLOCKS;
        Ok(Piece { part, index: index.map(Arc::new), bytes, lines, whole })
    }

    fn behind(&self) -> Span {
        Span {
            first: self.part.first + self.part.blocks.unwrap_or_default(),
            blocks: None,
            lines_before: self.part.lines_before + self.lines,
        }
    }
}

/// What changes with the log: how many files it has, and how long the newest is.
fn version(dir: &Path, all: &[SegmentName]) -> u64 {
    let Some(newest) = all.last() else { return 1 };
    let bytes = std::fs::metadata(newest.path(dir)).map_or(0, |about| about.len());
    let files = u64::try_from(all.len()).unwrap_or_default();
    // A browser only compares it, as text.
    (newest.number.wrapping_add(files) << 40) ^ bytes ^ 1
}

#[cfg(test)]
#[path = "held_tests.rs"]
mod tests;

const _: () = assert!(BLOCK_BYTES > crate::limits::RECORD_BYTES_MAX);
