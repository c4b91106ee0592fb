//! Paths of calls and commands, looked at as written and as they are.

use super::gather::Place;
use crate::model::doubt::Doubt;
use crate::model::path::{AbsPath, Extent, PathError, PathTarget};

/// The target that `text` names when used from `cwd`; a leading `~` is the agent's home only where
/// the caller says so, by expanding it first.
///
/// # Errors
/// A doubt, if `text` is no path, or is relative and `cwd` is not known.
pub fn target(text: &str, cwd: Option<&AbsPath>, place: &Place<'_>) -> Result<PathTarget, Doubt> {
    let written = match (text.starts_with('/'), cwd) {
        (true, _) => AbsPath::parse(text),
        (false, Some(cwd)) => cwd.join(text),
        (false, None) => return Err(Doubt::DirectoryUnknown),
    };
    let written = written.map_err(|error: PathError| Doubt::Unresolved(error.to_string()))?;
    Ok(look_at(written, place))
}

/// A path as written, with what it really is.
#[must_use]
pub fn look_at(written: AbsPath, place: &Place<'_>) -> PathTarget {
    let resolution = place.world.resolve(&written);
    PathTarget { written, real: resolution.real, hops: resolution.hops, extent: Extent::Itself }
}
