//! What an index cannot take, and what that costs: told to the author of the policy.

use super::slot::Entry;
use super::{Index, Rules};
use crate::model::access::Verb;
use crate::policy::rule::Rule;

/// Patterns of one verb that are compared one by one.
#[derive(Debug)]
pub struct Cost<'a> {
    /// The verb.
    pub verb: Verb,
    /// How many are compared with every target, because nothing in them is literal.
    pub always: usize,
    /// How many more are compared with some targets, because they are found by the same text.
    pub together: usize,
    /// The first rule with one of those that are more.
    pub first: Option<&'a Rule>,
}

impl Cost<'_> {
    /// How many patterns one target is compared with at most.
    #[must_use]
    pub fn most(&self) -> usize {
        self.always + self.together
    }
}

impl Rules {
    /// What lookups cost beyond the tables, by verb.
    pub fn cost(&self) -> impl Iterator<Item = Cost<'_>> {
        Verb::ALL.into_iter().map(|verb| {
            let (always, together) = self.index.asked(verb);
            let count = |lists: &[&[Entry]]| lists.iter().map(|list| list.len()).sum();
            let (always_count, together_count) = (count(&always), count(&together));
            let more = if always_count >= together_count { always } else { together };
            let entries = more.into_iter().flatten();
            let first =
                entries.min_by_key(|entry| entry.rule).and_then(|entry| self.at(entry.rule));
            Cost { verb, always: always_count, together: together_count, first }
        })
    }
}

impl Index {
    fn asked(&self, verb: Verb) -> (Vec<&[Entry]>, Vec<&[Entry]>) {
        match verb {
            Verb::Read => self.read.asked(),
            Verb::Write => self.write.asked(),
            Verb::Exec => self.exec.asked(),
            Verb::Connect => self.connect.asked(),
            Verb::Call => self.call.asked(),
        }
    }
}
