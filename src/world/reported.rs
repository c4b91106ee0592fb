//! The world as the hook client reports it, from inside the agent's container.
//!
//! What the runtime may say, its tools may say too: so a report may only tighten. A link that was
//! reported is one more place where a deny can fire; the path itself stays a maybe.

use super::{Entry, Resolution, World};
use crate::model::doubt::Doubt;
use crate::model::path::{AbsPath, Real, Route};
use std::collections::BTreeMap;

/// The links that a client reported with its event, by the path they lie on the way of.
///
/// This version's client reports none yet, so every path is a maybe.
#[derive(Debug, Clone, Default)]
pub struct Reported {
    hops: BTreeMap<AbsPath, Vec<AbsPath>>,
}

impl Reported {
    /// A world of which only these links are known.
    #[must_use]
    pub fn with_hops(hops: BTreeMap<AbsPath, Vec<AbsPath>>) -> Reported {
        Reported { hops }
    }
}

impl World for Reported {
    fn walk(&self, route: &Route) -> Resolution {
        Resolution {
            real: Real::Unknown(Doubt::NoWorld),
            hops: self.hops.get(route.folded()).cloned().unwrap_or_default(),
            kind: Err(Doubt::NoWorld),
            twin: None,
        }
    }

    fn list(&self, _directory: &AbsPath) -> Result<Vec<Entry>, Doubt> {
        Err(Doubt::NoWorld)
    }

    fn find_program(&self, _name: &str) -> Result<Option<AbsPath>, Doubt> {
        Err(Doubt::NoWorld)
    }

    fn home(&self) -> Option<AbsPath> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::path::{Extent, PathTarget};
    use crate::model::truth::Truth;
    use crate::policy::pattern::path::PathPattern;
    use crate::policy::pattern::{Anchors, Stance};

    #[test]
    fn a_report_only_tightens() {
        let path = |text: &str| AbsPath::parse(text).unwrap();
        let world =
            Reported::with_hops(BTreeMap::from([(path("/work/a"), vec![path("/etc/shadow")])]));
        let found = world.resolve(&path("/work/a"));
        let target = PathTarget {
            written: path("/work/a"),
            real: found.real,
            hops: found.hops,
            extent: Extent::Itself,
        };
        let ask = |text: &str, stance| {
            PathPattern::parse(text, &Anchors::frozen(None), stance).unwrap().matches(&target)
        };
        assert_eq!(ask("/etc/shadow", Stance::Tighten), Truth::Yes);
        assert_eq!(ask("$workspace/", Stance::Loosen), Truth::No);
        assert_eq!(ask("**/b", Stance::Tighten), Truth::Maybe);
    }
}
