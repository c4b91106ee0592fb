//! Groups of files that do not change any more, remembered by who asks the same again and again.
//!
//! Only what an index answered whole is remembered, of a file that lies within the time that is
//! asked: it is the same until the file is gone. So a page that renews itself counts the newest
//! lines, and not the past once more.

use super::filter::Filter;
use super::group::{Counter, Grouping, Groups};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What was asked of one file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    /// The file, in the form it has, and its part.
    pub(super) of: String,
    /// The filter, but for times.
    pub(super) filter: String,
    /// What is counted by: fields and spans of time.
    pub(super) by: String,
}

/// The answers that are remembered.
#[derive(Debug, Default)]
pub(super) struct Answers {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    answers: HashMap<Asked, Arc<Vec<Groups>>>,
    /// The groups of all of them.
    groups: usize,
}

impl Asked {
    pub(super) fn new(of: String, filter: &Filter, groupings: &[Grouping]) -> Asked {
        let filter = filter.clone().between(None, None).to_query();
        Asked { of, filter, by: format!("{groupings:?}") }
    }
}

impl Answers {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, asked: &Asked) -> Option<Arc<Vec<Groups>>> {
        self.state().answers.get(asked).cloned()
    }

    /// Remembers an answer; if there are too many groups, it is the only one from now on.
    pub(super) fn put(&self, asked: Asked, answer: Arc<Vec<Groups>>, groups_max: usize) {
        let more: usize = answer.iter().map(|groups| groups.groups.len() + 1).sum();
        let mut state = self.state();
        if state.groups + more > groups_max {
            *state = State::default();
        }
        if more <= groups_max {
            state.groups += more;
            state.answers.insert(asked, answer);
        }
    }

    pub(super) fn clear(&self) {
        *self.state() = State::default();
    }
}

/// Adds the answer of one file to what was counted.
pub(super) fn add(counters: &mut [Counter], answer: &[Groups]) {
    for (counter, groups) in counters.iter_mut().zip(answer) {
        counter.add_groups(groups);
    }
}
