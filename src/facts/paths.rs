//! Paths of calls and commands, looked at as written and as they are.

use crate::facts::Place;
use crate::limits::TREE_ENTRIES_MAX;
use crate::model::access::{Access, Target};
use crate::model::doubt::Doubt;
use crate::model::path::{AbsPath, Extent, PathError, PathTarget, Real, Route, through_process};
use crate::world::{FileKind, Resolution};

/// The target that `text` names when used from `cwd`; a leading `~` is the agent's home only where
/// the caller says so, by expanding it first.
///
/// # Errors
/// A doubt, if `text` is no path, or is relative and `cwd` is not known.
pub fn target(text: &str, cwd: Option<&AbsPath>, place: &Place<'_>) -> Result<PathTarget, Doubt> {
    if let Some(c) = text.chars().find(|c| c.is_control() && *c != '\0') {
        // No name that anyone gave a file has one; a log or a terminal reads it as something else.
        return Err(Doubt::StrangeCharacter(c));
    }
    if !text.starts_with('/') && cwd.is_none() {
        return Err(Doubt::DirectoryUnknown);
    }
    let route =
        Route::parse(cwd, text).map_err(|error: PathError| Doubt::Unresolved(error.to_string()))?;
    let mut found = look_along(&route, place);
    found.hops.extend(through_process(&found.written, cwd));
    Ok(found)
}

/// A path as written, with what it really is.
#[must_use]
pub fn look_at(written: AbsPath, place: &Place<'_>) -> PathTarget {
    look_along(&Route::from(&written), place)
}

fn look_along(route: &Route, place: &Place<'_>) -> PathTarget {
    let Resolution { real, hops, .. } = place.world.walk(route);
    PathTarget { written: route.folded().clone(), real, hops, extent: Extent::Itself }
}

/// What lies below a directory now, hidden names included; links are named, not followed.
#[must_use]
pub fn below(target: &PathTarget, place: &Place<'_>) -> Extent {
    let Real::At(root) = &target.real else {
        return Extent::BelowUnknown(Doubt::TreeUnknown);
    };
    let mut found = Vec::new();
    let mut open = match place.world.resolve(root).kind {
        Ok(FileKind::Directory) => vec![root.clone()],
        Ok(FileKind::Absent | FileKind::File | FileKind::Link | FileKind::Other) => {
            return Extent::Itself;
        }
        Err(doubt) => return Extent::BelowUnknown(doubt),
    };
    while let Some(directory) = open.pop() {
        let entries = match place.world.list(&directory) {
            Ok(entries) => entries,
            Err(doubt) => return Extent::BelowUnknown(doubt),
        };
        for entry in entries {
            let Ok(path) = directory.join(&entry.name) else {
                return Extent::BelowUnknown(Doubt::TreeUnknown);
            };
            if entry.kind == FileKind::Directory {
                open.push(path.clone());
            }
            found.push(path);
            if found.len() > TREE_ENTRIES_MAX {
                return Extent::BelowUnknown(Doubt::Limit("entries of a tree"));
            }
        }
    }
    Extent::Below(found)
}

/// Settles how far each access of a call reaches: a tree that is only read holds what is there; one
/// that is moved or removed besides is meant with all that could be (policy language §11.11).
pub fn settle(accesses: &mut [Access]) {
    let written: Vec<AbsPath> = accesses
        .iter()
        .filter_map(|access| match &access.target {
            Target::Write(path) if path.extent != Extent::Itself => Some(path.written.clone()),
            _ => None,
        })
        .collect();
    for access in accesses {
        if let Target::Read(path) = &mut access.target
            && let Extent::Below(below) = &mut path.extent
            && !written.contains(&path.written)
        {
            path.extent = Extent::Seen(std::mem::take(below));
        }
    }
}
