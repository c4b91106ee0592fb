//! What was counted, as pages show it: by class of decision, over time, by name.

use crate::audit::query::{ABSENT, Field, Grouping, Groups};

/// How many decided nothing, were allowed, were to be asked for, were refused.
pub(super) type Classes = [u64; 4];

/// Stretches of time of one width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bins {
    pub(super) from: i64,
    pub(super) width: i64,
    pub(super) count: usize,
}

/// Records over time, by what was decided.
pub(super) struct Counted {
    pub(super) rows: u64,
    pub(super) classes: Classes,
    pub(super) bins: Vec<Classes>,
}

impl Bins {
    /// At most so many, of a width that people use.
    pub(super) fn over(from: i64, to: i64, most: usize) -> Bins {
        const SECONDS: [i64; 16] = [
            1, 5, 15, 60, 300, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 604_800,
            2_592_000, 31_536_000,
        ];
        let span = to.saturating_sub(from).max(1);
        let most = i64::try_from(most).unwrap_or(i64::MAX).max(1);
        let fits = |seconds: &i64| span / (seconds * 1_000_000) < most;
        let last = span / most / 1_000_000 + 1;
        let width = SECONDS.into_iter().find(fits).unwrap_or(last) * 1_000_000;
        let from = from.div_euclid(width) * width;
        let count = (to.saturating_sub(from).max(1) + width - 1) / width;
        Bins { from, width, count: usize::try_from(count).unwrap_or(1).max(1) }
    }

    fn of(self, at: i64) -> Option<usize> {
        usize::try_from(at.checked_sub(self.from)?.div_euclid(self.width)).ok()
    }

    /// When the one with this number begins.
    pub(super) fn begin(self, number: usize) -> i64 {
        self.from + i64::try_from(number).unwrap_or_default() * self.width
    }

    /// What to count by, for [`Counted::of`].
    pub(super) fn grouping(self) -> Grouping {
        Grouping::by(&[Field::Decision]).every(self.width)
    }
}

/// The place in [`Classes`] of a decision's word.
pub(super) fn class(decision: &str) -> usize {
    match decision {
        ABSENT => 0,
        "allow" | "defer" => 1,
        "ask" => 2,
        // A word of a newer version is more likely a refusal than a permission.
        _ => 3,
    }
}

impl Counted {
    /// Groups of [`Bins::grouping`].
    pub(super) fn of(groups: Option<&Groups>, bins: Bins) -> Counted {
        let mut counted = Counted {
            rows: 0,
            classes: Classes::default(),
            bins: vec![Classes::default(); bins.count],
        };
        for group in groups.iter().flat_map(|groups| &groups.groups) {
            let class = class(group.key.first().map_or(ABSENT, String::as_str));
            counted.rows += group.count;
            let bin = bins.of(group.bucket.unwrap_or_default());
            let bin = bin.and_then(|bin| counted.bins.get_mut(bin));
            for classes in [Some(&mut counted.classes), bin].into_iter().flatten() {
                if let Some(count) = classes.get_mut(class) {
                    *count += group.count;
                }
            }
        }
        counted
    }
}

/// The names of a field with their counts, the most frequent first; not the one for none.
pub(super) fn names(groups: Option<&Groups>) -> Vec<(&str, u64)> {
    let all = groups.into_iter().flat_map(|groups| &groups.groups);
    let named = all.filter_map(|group| Some((group.key.first()?.as_str(), group.count)));
    let mut all: Vec<_> = named.filter(|(name, _)| *name != ABSENT).collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::query::Group;

    #[test]
    fn bins_have_a_width_that_people_use_and_hold_all_of_it() {
        let hour = 3_600_000_000_i64;
        for (from, to, most) in [(0, hour, 60), (hour + 1, 30 * hour, 100), (5, 6, 10), (9, 9, 1)] {
            let bins = Bins::over(from, to, most);
            assert!(bins.count <= most + 1, "{bins:?}");
            assert!(bins.from <= from && bins.begin(bins.count) >= to, "{bins:?}");
            assert_eq!(bins.of(from), Some(0));
        }
        assert_eq!(Bins::over(0, hour, 61).width, 60_000_000);
        assert!(Bins::over(0, i64::MAX / 2, 10).count <= 11);
    }

    #[test]
    fn groups_become_classes_and_names() {
        let group = |bucket, key: &str, count| Group {
            bucket: Some(bucket),
            key: vec![key.to_owned()],
            count,
            first: 0,
            last: 0,
        };
        let groups = vec![group(0, "-", 1), group(0, "deny", 2), group(10, "allow", 4)];
        let groups = Groups { groups, ..Groups::default() };
        let counted = Counted::of(Some(&groups), Bins { from: 0, width: 10, count: 2 });
        assert_eq!((counted.rows, counted.classes), (7, [1, 4, 0, 2]));
        assert_eq!(counted.bins, [[1, 0, 0, 2], [0, 4, 0, 0]]);
        assert_eq!(names(Some(&groups)), [("allow", 4), ("deny", 2)]);
        assert_eq!(class("forbid"), 3);
    }
}
