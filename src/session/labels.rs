//! Labels as a session keeps them, and the calls that may still prove something.
//!
//! A label is kept as the log can keep it. A key that is too long, or that looks like a secret, or
//! that would not stand in a log line as it is, stands for every key: a taint taints them all, an
//! unmark takes all, and a proof is none (see `engine/marks.rs`).

use crate::limits::{
    LABEL_BYTES_MAX, LABELS_OF_CALL_MAX, LABELS_OF_SESSION_MAX, PENDING_CALLS_MAX,
};
use crate::redact::Redactor;
use std::collections::{BTreeMap, BTreeSet};

/// The label as it is kept, if it can be kept so.
pub(super) fn kept(label: &str, redactor: &Redactor) -> Option<String> {
    let fits = label.len() <= LABEL_BYTES_MAX && !label.chars().any(char::is_control);
    (fits && redactor.clean(label) == label).then(|| label.to_owned())
}

/// The label as it is kept, or every key of it; nothing if not even that can be kept.
pub(super) fn kept_or_every_key(label: &str, redactor: &Redactor) -> Option<String> {
    kept(label, redactor).or_else(|| {
        let (family, _) = label.split_once(':')?;
        kept(&format!("{family}:*"), redactor)
    })
}

/// The labels of one session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Labels(BTreeSet<String>);

impl Labels {
    pub(super) fn all(&self) -> &BTreeSet<String> {
        &self.0
    }

    pub(super) fn has(&self, label: &str) -> bool {
        self.0.contains(label)
    }

    pub(super) fn add(&mut self, label: &str) {
        self.0.insert(label.to_owned());
    }

    /// Whether these can be added, if they are not there yet.
    pub(super) fn has_room_for(&self, labels: &[String]) -> bool {
        let new = labels.iter().filter(|label| !self.0.contains(*label)).count();
        self.0.len() + new <= LABELS_OF_SESSION_MAX
    }

    /// Adds a proof, if there is room: a taint's must stay.
    pub(super) fn add_if_room(&mut self, label: &str) {
        if self.0.contains(label) || self.0.len() < LABELS_OF_SESSION_MAX {
            self.0.insert(label.to_owned());
        }
    }

    /// Takes a label away; `family:*` is every key of the family.
    pub(super) fn remove(&mut self, label: &str) {
        self.0.remove(label);
        if let Some(prefix) = every_key_of(label) {
            self.0.retain(|known| !known.starts_with(prefix));
        }
    }
}

/// Whether an unmark of `taken` takes `label` away.
pub(super) fn takes(taken: &str, label: &str) -> bool {
    match every_key_of(taken) {
        Some(prefix) => label.starts_with(prefix),
        None => taken == label,
    }
}

/// `family:` of `family:*`.
fn every_key_of(label: &str) -> Option<&str> {
    label.strip_suffix('*').filter(|prefix| prefix.ends_with(':'))
}

/// An admitted call whose end was not seen yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pending {
    /// The number of the change that its admission was.
    pub(super) since: u64,
    /// Whether the runtime itself announced it.
    pub(super) proven: bool,
    /// What its admission took away.
    pub(super) unmarked: Vec<String>,
}

/// The calls of one session whose end may still prove something, and what was taken away
/// meanwhile. It is not written down: after a restart the calls before it prove nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Calls {
    pending: BTreeMap<String, Pending>,
    /// The last change that took each label away.
    taken: BTreeMap<String, u64>,
    /// No call that was admitted up to here proves anything.
    floor: u64,
}

impl Calls {
    /// Remembers an admitted call. One that is announced twice counts from its first time.
    pub(super) fn admit(&mut self, id: &str, call: Pending) {
        let Pending { since, proven, unmarked } = call;
        match self.pending.get_mut(id) {
            Some(known) => {
                known.since = known.since.min(since);
                known.proven |= proven;
                known.unmarked.extend(unmarked);
                known.unmarked.sort();
                known.unmarked.dedup();
                // What is forgotten here is taken away once more at the end.
                known.unmarked.truncate(LABELS_OF_CALL_MAX);
            }
            None => {
                self.make_room();
                self.pending.insert(id.to_owned(), Pending { since, proven, unmarked });
            }
        }
    }

    /// Forgets the oldest call, those first that anyone may have announced. What is forgotten
    /// proves nothing any more, so this only tightens.
    fn make_room(&mut self) {
        if self.pending.len() < PENDING_CALLS_MAX {
            return;
        }
        let oldest = self.pending.iter().min_by_key(|(_, call)| (call.proven, call.since));
        if let Some(id) = oldest.map(|(id, _)| id.clone()) {
            self.pending.remove(&id);
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<&Pending> {
        self.pending.get(id)
    }

    pub(super) fn end(&mut self, id: &str) {
        self.pending.remove(id);
        if self.pending.is_empty() {
            self.taken.clear();
            self.floor = 0;
        }
    }

    /// Notes that a change took a label away.
    pub(super) fn take(&mut self, label: &str, by: u64) {
        if self.pending.is_empty() {
            return;
        }
        self.taken.insert(label.to_owned(), by);
        if self.taken.len() > LABELS_OF_SESSION_MAX {
            self.floor = self.taken.values().copied().max().unwrap_or(by);
            self.taken.clear();
        }
    }

    /// Whether a call that was admitted with change `since` may still prove `label`: nothing took
    /// it away since, that call itself included.
    pub(super) fn may_prove(&self, label: &str, since: u64) -> bool {
        let taken = |label: &str| self.taken.get(label).is_some_and(|by| *by >= since);
        let family = label.split_once(':').map(|(family, _)| format!("{family}:*"));
        self.floor < since && !taken(label) && !family.is_some_and(|family| taken(&family))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_kept_as_the_log_can_keep_it() {
        let redactor = Redactor::shipped().unwrap();
        let key = format!("AKIA{}", "A".repeat(16));
        let long = "x".repeat(LABEL_BYTES_MAX);
        for (label, as_it_is, or_all) in [
            ("secret", Some("secret"), Some("secret")),
            ("approved:T1", Some("approved:T1"), Some("approved:T1")),
            ("approved:a:b \"c\"", Some("approved:a:b \"c\""), Some("approved:a:b \"c\"")),
            ("approved:*", Some("approved:*"), Some("approved:*")),
            (&format!("approved:{key}"), None, Some("approved:*")),
            (&format!("approved:{long}"), None, Some("approved:*")),
            ("approved:a\nb", None, Some("approved:*")),
            (&key, None, None),
            (&format!("{long}x"), None, None),
        ] {
            assert_eq!(kept(label, &redactor).as_deref(), as_it_is, "{label}");
            assert_eq!(kept_or_every_key(label, &redactor).as_deref(), or_all, "{label}");
        }
    }

    #[test]
    fn every_key_of_a_family_is_taken_together() {
        let mut labels = Labels::default();
        for label in ["a", "a:1", "a:2", "a:*", "ab:1", "b:1"] {
            labels.add(label);
        }
        labels.remove("b:2");
        labels.remove("a:1");
        labels.remove("a:*");
        assert_eq!(labels.all().iter().collect::<Vec<_>>(), ["a", "ab:1", "b:1"]);
    }

    fn pending(since: u64, proven: bool) -> Pending {
        Pending { since, proven, unmarked: Vec::new() }
    }

    #[test]
    fn a_call_proves_only_what_nothing_took_away_since() {
        let mut calls = Calls::default();
        calls.take("a", 1);
        calls.admit("c", pending(5, true));
        assert!(calls.may_prove("a", 5));
        calls.take("b", 5);
        calls.take("k:*", 6);
        calls.take("other", 7);
        for (label, may) in [("a", true), ("b", false), ("k:1", false), ("k", true), ("c:1", true)]
        {
            assert_eq!(calls.may_prove(label, 5), may, "{label}");
        }
        assert!(calls.may_prove("b", 6));
        // More than can be kept apart: nothing that was admitted before proves anything.
        for by in 0..=LABELS_OF_SESSION_MAX as u64 {
            calls.take(&format!("x{by}"), 10 + by);
        }
        assert!(!calls.may_prove("a", 5));
        assert!(calls.may_prove("a", 1_000));
    }

    #[test]
    fn a_call_that_anyone_announces_neither_renews_nor_displaces_the_runtimes() {
        let mut calls = Calls::default();
        calls.admit("real", pending(1, true));
        calls.admit("real", pending(9, false));
        assert_eq!(calls.get("real"), Some(&pending(1, true)));
        for number in 0..2 * PENDING_CALLS_MAX as u64 {
            calls.admit(&format!("fake{number}"), pending(10 + number, false));
        }
        assert_eq!(calls.pending.len(), PENDING_CALLS_MAX);
        assert_eq!(calls.get("real"), Some(&pending(1, true)));
        // First announced by anyone, later by the runtime: the first time counts.
        calls.admit("early", pending(600, false));
        calls.admit("early", pending(700, true));
        assert_eq!(calls.get("early"), Some(&pending(600, true)));
    }
}
