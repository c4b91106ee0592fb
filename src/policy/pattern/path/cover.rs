//! Whether one path pattern covers another.

use super::{Choice, PathPattern, Shape};
use crate::policy::pattern::Stance;
use crate::policy::pattern::cover::Cover;

impl Cover for PathPattern {
    fn covers_all_of(&self, other: &PathPattern) -> bool {
        let (wide, narrow) = match (&self.shape, &other.shape) {
            (Shape::Every, _) => return true,
            (Shape::AnyOf(_), Shape::Every) => return false,
            (Shape::AnyOf(wide), Shape::AnyOf(narrow)) => (wide, narrow),
        };
        let covers: fn(&Choice, &Choice) -> bool = match (self.stance, other.stance) {
            (Stance::Loosen, Stance::Loosen) => {
                // A tree is inside only by what reaches below.
                |wide, narrow| (wide.below || !narrow.below) && wide.covers(narrow)
            }
            (Stance::Tighten, Stance::Tighten) => {
                |wide, narrow| wide.fires_for_trees_of(narrow) && wide.covers(narrow)
            }
            // A yes of what loosens is one to the path as it is written.
            (Stance::Tighten, Stance::Loosen) => Choice::covers,
            (Stance::Loosen, Stance::Tighten) => return false,
        };
        let covered = |narrow: &Choice| wide.iter().any(|wide| covers(wide, narrow));
        !narrow.is_empty() && narrow.iter().all(covered)
    }

    fn needs(&self) -> Vec<String> {
        match self.choices() {
            [only] => only.glob.needs(),
            _ => Vec::new(),
        }
    }

    fn has(&self) -> Vec<String> {
        match self.choices() {
            [only] => only.glob.has(),
            _ => Vec::new(),
        }
    }
}

impl Choice {
    fn covers(&self, other: &Choice) -> bool {
        self.glob.covers_glob(self.below, &other.glob, other.below)
    }

    /// Whether this fires for each tree for which `other` does because its fixed part lies below
    /// the tree's root, there or not (policy language §11.11).
    fn fires_for_trees_of(&self, other: &Choice) -> bool {
        match (&self.fixed, &other.fixed) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(own), Some(fixed)) => {
                own == fixed || (self.glob.is_plain() && fixed.is_within(own))
            }
        }
    }
}
