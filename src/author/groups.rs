//! Accesses of which the same is to be told, so that a reader is told it once (`policy explain`).
//!
//! Those of a tree that a call goes through, as far as the same is said of them; and those whose
//! targets are not known for the same reason, on which every rule of their verb may speak. For
//! people only: programs get every access.

use super::explain::path_of;
use crate::engine::{Candidate, ExplainedAccess};
use crate::model::access::Target;
use crate::model::path::AbsPath;
use crate::model::truth::Truth;
use std::collections::BTreeMap;

/// Accesses that are told as one, by their places in the call; there is at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The places, in the order of the call.
    pub places: Vec<usize>,
    /// What they have in common.
    pub kind: Kind,
}

/// What the accesses of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// There is only one.
    Alone,
    /// The same is said of all of them, and all lie in this tree.
    Tree(AbsPath),
    /// Their targets are not known, and all rules say maybe.
    Unknown,
}

/// The groups, in the order of what comes first in each.
#[must_use]
pub fn groups(accesses: &[ExplainedAccess]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    let mut roots: Vec<(&ExplainedAccess, &AbsPath)> = Vec::new();
    for (place, one) in accesses.iter().enumerate() {
        let (kind, key) = match (&one.access.target, path_of(&one.access.target)) {
            (Target::Unknown { reason, .. }, _) if all_maybe(one) => {
                (Kind::Unknown, Some(format!("{reason:?} {}", said(one, false))))
            }
            (Target::Read(_) | Target::Write(_), Some(path)) => {
                let verb = one.access.target.verb();
                let above = |(of, root): &&(&ExplainedAccess, &AbsPath)| {
                    of.access.target.verb() == verb && path.written.is_within(root)
                };
                let root = roots.iter().find(above).map(|(_, root)| *root);
                if root.is_none() {
                    roots.push((one, &path.written));
                }
                let root = root.unwrap_or(&path.written);
                let key = format!("{verb} {root} {}", said(one, true));
                (Kind::Tree(root.clone()), Some(key))
            }
            _ => (Kind::Alone, None),
        };
        let open = key.as_ref().and_then(|key| known.get(key)).copied();
        match open.and_then(|open| groups.get_mut(open)) {
            Some(group) => group.places.push(place),
            None => {
                known.extend(key.map(|key| (key, groups.len())));
                groups.push(Group { places: vec![place], kind });
            }
        }
    }
    for group in &mut groups {
        if group.places.len() == 1 && matches!(group.kind, Kind::Tree(_)) {
            group.kind = Kind::Alone;
        }
    }
    groups
}

fn all_maybe(one: &ExplainedAccess) -> bool {
    let of_layers = one.layers.iter().flat_map(|layer| &layer.candidates);
    one.floor.iter().chain(of_layers).all(|rule| rule.truth == Truth::Maybe)
}

/// All that is told of an access but its target; `rules` too, or only what they come to.
fn said(one: &ExplainedAccess, rules: bool) -> String {
    let of = |candidates: &[Candidate]| -> Vec<String> {
        let told = candidates.iter().filter(|_| rules);
        told.map(|rule| format!("{} {} {}", rule.file, rule.id, rule.truth)).collect()
    };
    let layers: Vec<_> = one
        .layers
        .iter()
        .map(|layer| {
            let says = (layer.verdict, layer.base, layer.doubted, layer.filled_over);
            (says, of(&layer.candidates))
        })
        .collect();
    format!("{:?}", (one.verdict, &one.doubts, one.floor_verdict, of(&one.floor), layers))
}
