//! A path pattern and a file name pattern of a command: whether some path fits both.

use super::{PathPattern, Shape};
use crate::model::path::{AbsPath, PathTarget, Real};
use crate::model::truth::Truth;
use crate::policy::pattern::Stance;
use crate::policy::pattern::glob::Glob;

impl PathPattern {
    /// What it says of any path below the target's directory that fits `pattern`: what tightens
    /// maybe names it, what loosens names it only if it names all of them.
    pub(super) fn fits(&self, target: &PathTarget, pattern: &str) -> Truth {
        let Shape::AnyOf(choices) = &self.shape else { return Truth::Yes };
        let real = match &target.real {
            Real::At(real) => Some(real),
            Real::Unknown(_) => None,
        };
        let named = |directory: &AbsPath| Glob::of_word(directory, pattern);
        let mut words = std::iter::once(&target.written).chain(real).chain(&target.hops).map(named);
        match self.stance {
            Stance::Tighten => {
                let meets = |word: Glob| {
                    choices.iter().any(|choice| choice.glob.meets(choice.below, &word))
                };
                if words.any(meets) { Truth::Maybe } else { Truth::No }
            }
            Stance::Loosen => {
                let covered = |word: Glob| {
                    let covers = |choice: &super::Choice| {
                        choice.glob.covers_glob(choice.below, &word, false)
                    };
                    choices.iter().any(covers)
                };
                Truth::from(real.is_some() && words.all(covered))
            }
        }
    }
}
