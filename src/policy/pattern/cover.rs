//! Whether one pattern covers another: all that the second matches, the first matches as surely.
//!
//! What lints say of two rules rests on this, so a yes is never wrong; a no only says that it was
//! not seen. Each kind of pattern has its own part beside it (`path/cover.rs` and so on).

use super::Anchors;
use crate::model::path::AbsPath;

/// A pattern that can be held against another of its kind.
pub(crate) trait Cover {
    /// Whether this says at least what `other` says, of every target.
    ///
    /// Where this tightens and `other` loosens, of every target to which `other` says yes.
    fn covers_all_of(&self, other: &Self) -> bool;

    /// Words that each pattern has which this one covers: by them an index finds it.
    fn needs(&self) -> Vec<String>;

    /// The words that this pattern has.
    fn has(&self) -> Vec<String>;
}

/// The first character of the places in [`places`]. It stands for any path, so no wildcard of
/// another pattern is known to match it.
pub(super) const SOMEWHERE: char = '\u{e000}';

/// Places for comparing patterns, of which nothing is known but that each is somewhere: what holds
/// here holds wherever the policy is used. A workspace that the policy itself fixes is that one.
#[must_use]
pub(crate) fn places(workspace: Option<AbsPath>) -> Anchors {
    let at = |name: &str| {
        AbsPath::parse(&format!("/{SOMEWHERE}{name}")).unwrap_or_else(|_| AbsPath::root())
    };
    Anchors {
        workspace: workspace.unwrap_or_else(|| at("workspace")),
        home: Some(at("home")),
        tmp: at("tmp"),
        aliases: Vec::new(),
    }
}

/// Whether every sequence that `narrow` stands for is one that `wide` stands for. A run stands for
/// any number of symbols; `absorbs` tells those that a run of `wide` may stand for, and `takes`
/// whether one symbol of `wide`, which is no run, stands for all that one of `narrow` does.
pub(super) fn sequence<T>(
    wide: &[T],
    narrow: &[T],
    is_run: impl Fn(&T) -> bool,
    absorbs: impl Fn(&T) -> bool,
    takes: impl Fn(&T, &T) -> bool,
) -> bool {
    // The places in `wide` that some reading of what came so far leads to.
    let mut here = vec![false; wide.len() + 1];
    let enter = |places: &mut Vec<bool>, mut place: usize| {
        // A run may stand for nothing.
        while let Some(slot) = places.get_mut(place) {
            *slot = true;
            match wide.get(place) {
                Some(symbol) if is_run(symbol) => place += 1,
                Some(_) | None => break,
            }
        }
    };
    enter(&mut here, 0);
    for symbol in narrow {
        let mut next = vec![false; wide.len() + 1];
        for (place, wanted) in wide.iter().enumerate() {
            match here.get(place) {
                Some(true) if is_run(wanted) && absorbs(symbol) => enter(&mut next, place),
                Some(true) if !is_run(wanted) && !is_run(symbol) && takes(wanted, symbol) => {
                    enter(&mut next, place + 1);
                }
                Some(_) | None => {}
            }
        }
        here = next;
    }
    here.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
