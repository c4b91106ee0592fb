//! How much of a limit is used: a sum over the last minute, hour or day, or over all time.
//!
//! What was counted lies in buckets. A window takes the bucket that it begins in whole, so it is a
//! little longer than it says and never counts less than happened. Old buckets are kept while there
//! is room, and those of the future count: a clock that is set to and fro loses nothing at once.

use super::key::{hex, parse, short_digest};
use crate::model::time::Moment;
use crate::policy::Policy;
use crate::policy::document::Per;
use crate::policy::rule::Limit;
use std::collections::{BTreeMap, HashMap};

/// Which count it is: by the rule's id and by what it counts, so that it outlives a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CounterId([u8; 16]);

impl CounterId {
    pub(super) fn of(limit: &Limit) -> CounterId {
        let terms = &limit.terms;
        let scope = if terms.of_user { "user" } else { "session" };
        let sum = terms.sum.as_deref().unwrap_or_default();
        CounterId(short_digest(&[&limit.rule, word(terms.per), scope, sum]))
    }

    pub(super) fn parse(text: &str) -> Option<CounterId> {
        parse(text).map(CounterId)
    }
}

impl std::fmt::Display for CounterId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// Where the limits of one policy are, by what they count: a decision looks only at those that
/// something was counted for.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// The digest of the policy.
    pub(super) policy: String,
    by_counter: HashMap<CounterId, Vec<usize>>,
}

impl Places {
    pub(super) fn in_policy(policy: &Policy) -> Places {
        let mut by_counter: HashMap<CounterId, Vec<usize>> = HashMap::new();
        for (place, limit) in policy.limits.iter().enumerate() {
            by_counter.entry(CounterId::of(limit)).or_default().push(place);
        }
        Places { policy: policy.id.sha256.clone(), by_counter }
    }

    pub(super) fn of(&self, counter: CounterId) -> &[usize] {
        self.by_counter.get(&counter).map(Vec::as_slice).unwrap_or_default()
    }
}

const WORDS: [(Per, &str); 4] =
    [(Per::Minute, "min"), (Per::Hour, "hour"), (Per::Day, "day"), (Per::Session, "session")];

/// The word in the log.
pub(super) fn word(per: Per) -> &'static str {
    WORDS.iter().find(|(known, _)| *known == per).map_or("session", |(_, word)| *word)
}

pub(super) fn per(word: &str) -> Option<Per> {
    WORDS.iter().find(|(_, known)| *known == word).map(|(per, _)| *per)
}

/// What was counted, and when.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Window {
    pub(super) per: Per,
    buckets: BTreeMap<i64, f64>,
}

/// A bucket's length in microseconds, and how many of them a window has.
fn grain(per: Per) -> Option<(i64, i64)> {
    match per {
        Per::Minute => Some((Moment::SECOND, 60)),
        Per::Hour => Some((60 * Moment::SECOND, 60)),
        Per::Day => Some((15 * 60 * Moment::SECOND, 96)),
        Per::Session => None,
    }
}

/// Buckets that are kept: those of the longest window, and as many again.
const BUCKETS_MAX: usize = 2 * 97;

impl Window {
    pub(super) fn new(per: Per) -> Window {
        Window { per, buckets: BTreeMap::new() }
    }

    /// The bucket of a moment.
    pub(super) fn bucket(per: Per, now: Moment) -> i64 {
        grain(per).map_or(0, |(length, _)| now.0.div_euclid(length))
    }

    /// The oldest bucket that still counts.
    fn oldest(&self, now: Moment) -> i64 {
        let (_, count) = grain(self.per).unwrap_or((0, 0));
        Window::bucket(self.per, now).saturating_sub(count)
    }

    /// How much was counted in the window that ends now.
    pub(super) fn used(&self, now: Moment) -> f64 {
        let counted = self.buckets.range(self.oldest(now)..);
        // JSON has no infinity; this is over any limit all the same.
        counted.fold(0.0, |sum: f64, (_, amount)| (sum + amount).min(f64::MAX))
    }

    /// Counts an amount in a bucket.
    pub(super) fn add(&mut self, bucket: i64, amount: f64) {
        let held = self.buckets.entry(bucket).or_insert(0.0);
        *held = (*held + amount).min(f64::MAX);
        while self.buckets.len() > BUCKETS_MAX {
            // Joined to a later one it counts longer than need be, never shorter.
            let Some((_, amount)) = self.buckets.pop_first() else { return };
            if let Some(mut next) = self.buckets.first_entry() {
                *next.get_mut() = (*next.get() + amount).min(f64::MAX);
            }
        }
    }

    /// Takes an amount back that was counted in that bucket.
    pub(super) fn take_back(&mut self, bucket: i64, amount: f64) {
        if let Some((_, held)) = self.buckets.range_mut(bucket..).next() {
            *held = (*held - amount).max(0.0);
        }
    }

    /// Whether nothing counts any more, and never will again.
    pub(super) fn is_over(&self, now: Moment) -> bool {
        self.used(now) <= 0.0
    }

    /// The buckets that still count.
    pub(super) fn buckets(&self, now: Moment) -> impl Iterator<Item = (i64, f64)> {
        self.buckets.range(self.oldest(now)..).map(|(bucket, amount)| (*bucket, *amount))
    }

    pub(super) fn restore(per: Per, buckets: impl IntoIterator<Item = (i64, f64)>) -> Window {
        Window { per, buckets: buckets.into_iter().take(BUCKETS_MAX).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop, prop_assert, proptest};

    fn add(window: &mut Window, now: i64, amount: f64) {
        window.add(Window::bucket(window.per, Moment(now)), amount);
    }

    #[test]
    fn what_was_counted_counts_for_its_time_and_not_much_longer() {
        for (per, seconds, grain) in
            [(Per::Minute, 60, 1), (Per::Hour, 3_600, 60), (Per::Day, 86_400, 900)]
        {
            let second = |n: i64| Moment(n * Moment::SECOND);
            let mut window = Window::new(per);
            add(&mut window, 5 * Moment::SECOND, 2.0);
            assert!(window.used(second(5 + seconds - 1)) > 1.0, "{per:?}");
            assert!(window.used(second(5 + seconds + grain)) < 1.0, "{per:?}");
            assert!(window.is_over(second(5 + seconds + grain)));
            // A clock that was set back loses nothing.
            assert!(window.used(second(-1_000_000)) > 1.0, "{per:?}");
        }
        let mut all = Window::new(Per::Session);
        add(&mut all, 0, 2.0);
        assert!(all.used(Moment(i64::MAX)) > 1.0);
    }

    #[test]
    fn what_is_taken_back_is_gone_and_no_more() {
        let mut window = Window::new(Per::Minute);
        add(&mut window, 0, 2.0);
        add(&mut window, Moment::SECOND, 3.0);
        window.take_back(0, 2.0);
        assert!((window.used(Moment(0)) - 3.0).abs() < f64::EPSILON);
        window.take_back(1, 30.0);
        window.take_back(7, 1.0);
        assert!(window.used(Moment(0)).abs() < f64::EPSILON);
    }

    proptest! {
        #[test]
        fn no_window_counts_less_than_happened(
            steps in prop::collection::vec((-90_000_000_i64..90_000_000, 0_u32..5), 1..400),
            per in prop::sample::select(vec![Per::Minute, Per::Hour]),
        ) {
            let length = if per == Per::Minute { 60 } else { 3_600 } * Moment::SECOND;
            let steps: Vec<(i64, u32)> = steps;
            let mut window = Window::new(per);
            let (mut now, mut happened) = (0_i64, Vec::new());
            for (step, amount) in steps {
                // Mostly forwards, as clocks go.
                now += if step % 5 == 0 { step } else { step.abs() };
                add(&mut window, now, f64::from(amount));
                happened.push((now, amount));
                let within = happened.iter().filter(|(at, _)| *at > now - length && *at <= now);
                let truth: u32 = within.map(|(_, amount)| *amount).sum();
                let used = window.used(Moment(now));
                prop_assert!(used >= f64::from(truth), "{used} < {truth}");
                prop_assert!(window.buckets.len() <= BUCKETS_MAX);
            }
        }
    }
}
