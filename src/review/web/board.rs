//! The columns of the whole log while somebody looks: filled newest file first, then followed.
//!
//! One thread at a time fills them and only takes the lock to add what it has read, so pages are
//! answered meanwhile with what is there, and say so. What is read beyond the bound is the oldest.

use super::rows::parse::Lean;
use super::rows::{Dictionary, Rows};
use crate::audit::{AuditError, Files, LogFile};
use crate::limits::REVIEW_ROWS_MAX;
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, TryLockError};

/// The log as pages count it.
pub(super) struct Board {
    pub(super) files: Files,
    state: RwLock<State>,
    /// Held by the one who fills.
    filling: Mutex<()>,
}

/// What is read so far.
pub(super) struct State {
    /// Oldest first.
    pub(super) files: Vec<Part>,
    pub(super) names: Dictionary,
    /// How many files there are, whether read or not.
    pub(super) files_there: usize,
    /// Lines that are no records.
    pub(super) unreadable: u64,
    /// Grows with every change.
    pub(super) version: u64,
    /// Older files are left out, since there are too many records.
    pub(super) is_cut: bool,
}

/// One file with its rows.
pub(super) struct Part {
    pub(super) number: u64,
    pub(super) file: LogFile,
    pub(super) rows: Rows,
    /// Behind the last line that was read.
    end: u64,
}

/// Lines that are read before the lock is taken for them.
const BATCH: usize = 4_096;

impl State {
    fn new() -> State {
        State {
            files: Vec::new(),
            names: Dictionary::new(),
            files_there: 0,
            unreadable: 0,
            version: 0,
            is_cut: false,
        }
    }

    /// How many records there are.
    pub(super) fn len(&self) -> usize {
        self.files.iter().map(|part| part.rows.len()).sum()
    }

    /// Whether every file was read that is to be.
    pub(super) fn is_whole(&self) -> bool {
        self.version > 0 && (self.is_cut || self.files.len() >= self.files_there)
    }

    /// When the oldest and the newest record were written, in microseconds.
    pub(super) fn span(&self) -> Option<(i64, i64)> {
        let first = self.files.iter().find_map(|part| part.rows.at.first())?;
        let last = self.files.iter().rev().find_map(|part| part.rows.at.last())?;
        Some((*first, *last))
    }
}

impl Board {
    pub(super) fn of(files: Files) -> Board {
        Board { files, state: RwLock::new(State::new()), filling: Mutex::new(()) }
    }

    /// What is read so far.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        // Only whole rows are added under the lock, so a poisoned one still holds them.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets all of it.
    pub(super) fn clear(&self) {
        let _filling = self.filling.lock().unwrap_or_else(PoisonError::into_inner);
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = State::new();
    }

    /// Reads what is new, and at first everything; at once if another thread does so already.
    ///
    /// # Errors
    /// If the directory or a file cannot be read.
    pub(super) fn refresh(&self) -> Result<(), AuditError> {
        let _filling = match self.filling.try_lock() {
            Ok(filling) => filling,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        let there = self.files.list()?;
        self.keep_only(&there);
        // The newest first: it is what is looked at, and what follows is the past.
        for file in there.iter().rev() {
            let known = {
                let state = self.read();
                let known = state.files.iter().find(|part| part.number == file.number());
                match known {
                    None if state.len() >= REVIEW_ROWS_MAX => break,
                    known => known.map(|part| part.end),
                }
            };
            self.fill(file, known)?;
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.is_cut = state.files.len() < there.len();
        state.version = state.version.max(1);
        Ok(())
    }

    /// Forgets files that are gone.
    fn keep_only(&self, there: &[LogFile]) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.files_there = there.len();
        let before = state.files.len();
        state.files.retain(|part| there.iter().any(|file| file.number() == part.number));
        state.version += u64::from(state.files.len() != before);
    }

    /// Reads a file from where it was read to.
    fn fill(&self, file: &LogFile, known: Option<u64>) -> Result<(), AuditError> {
        let from = known.unwrap_or_default();
        let mut waiting: Vec<(u64, Vec<u8>)> = Vec::new();
        let end = self.files.each_line(file, from, |offset, line| {
            waiting.push((offset, line.to_vec()));
            if waiting.len() >= BATCH {
                self.add(file, &mut waiting);
            }
        })?;
        if end > from || known.is_none() {
            self.add(file, &mut waiting);
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            state.part(file).end = end;
        }
        Ok(())
    }

    fn add(&self, file: &LogFile, waiting: &mut Vec<(u64, Vec<u8>)>) {
        // Read outside of the lock; only the rows are added within.
        let lean: Vec<_> = waiting.iter().map(|(at, line)| (*at, Lean::read(line))).collect();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let State { names, unreadable, version, .. } = &mut *state;
        *version += 1;
        let mut names = std::mem::replace(names, Dictionary::new());
        let mut bad = *unreadable;
        let part = state.part(file);
        for (offset, lean) in &lean {
            match lean {
                Some(lean) => part.rows.push(*offset, lean, &mut names),
                None => bad += 1,
            }
        }
        state.names = names;
        state.unreadable = bad;
        drop(state);
        drop(lean);
        waiting.clear();
    }
}

impl State {
    /// The part of a file, which is there from now on.
    fn part(&mut self, file: &LogFile) -> &mut Part {
        let found = self.files.binary_search_by_key(&file.number(), |part| part.number);
        let at = found.unwrap_or_else(|at| {
            self.files.insert(
                at,
                Part { number: file.number(), file: file.clone(), rows: Rows::default(), end: 0 },
            );
            at
        });
        #[expect(clippy::indexing_slicing, reason = "found, or inserted just there")]
        &mut self.files[at]
    }
}
