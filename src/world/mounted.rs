//! The real file system, whole (`same`) or within declared mounts (`mounted`).

use super::open::open_in;
use super::resolve::{list_directory, resolve_route};
use super::{Entry, Resolution, World};
use crate::model::doubt::Doubt;
use crate::model::path::{AbsPath, Real, Route};

/// The agent and the sidecar share one mount namespace: every path means the same to both.
#[derive(Debug, Clone)]
pub struct Same {
    /// The agent's home directory, if the operator stated it.
    pub home: Option<AbsPath>,
    /// The agent's PATH, if the operator stated it.
    pub path: Option<Vec<AbsPath>>,
}

/// The agent has other files; only these directories are mounted here at the same path.
#[derive(Debug, Clone)]
pub struct Mounted {
    /// The directories that are the same on both sides.
    pub mounts: Vec<AbsPath>,
    /// The agent's home directory, if the operator stated it.
    pub home: Option<AbsPath>,
}

impl World for Same {
    fn walk(&self, route: &Route) -> Resolution {
        resolve_route(route, |_| true)
    }

    fn list(&self, directory: &AbsPath) -> Result<Vec<Entry>, Doubt> {
        list_directory(directory)
    }

    fn open(&self, path: &AbsPath) -> Result<std::fs::File, Doubt> {
        open_in(self, path)
    }

    fn find_program(&self, name: &str) -> Result<Option<AbsPath>, Doubt> {
        let Some(path) = &self.path else { return Err(Doubt::Variable("PATH".to_owned())) };
        let candidates = path.iter().filter_map(|directory| directory.join(name).ok());
        for candidate in candidates {
            if self.resolve(&candidate).kind? == super::FileKind::File {
                return Ok(Some(candidate));
            }
        }
        Ok(None)
    }

    fn home(&self) -> Option<AbsPath> {
        self.home.clone()
    }
}

impl Mounted {
    fn covers(&self, path: &AbsPath) -> bool {
        self.mounts.iter().any(|mount| path.is_within(mount))
    }
}

impl World for Mounted {
    fn walk(&self, route: &Route) -> Resolution {
        if !self.covers(route.folded()) {
            return Resolution {
                real: Real::Unknown(Doubt::OutsideMounts),
                hops: Vec::new(),
                kind: Err(Doubt::OutsideMounts),
                twin: None,
            };
        }
        let mut found = resolve_route(route, |place| self.covers(place));
        let inside = match &found.real {
            Real::At(real) => self.covers(real) && found.hops.iter().all(|hop| self.covers(hop)),
            Real::Unknown(_) => true,
        };
        if !inside {
            // The link leads out of the mounts: what lies there is the agent's, not ours.
            found.real = Real::Unknown(Doubt::OutsideMounts);
            found.kind = Err(Doubt::OutsideMounts);
            found.twin = None;
        }
        found
    }

    fn list(&self, directory: &AbsPath) -> Result<Vec<Entry>, Doubt> {
        if self.covers(directory) { list_directory(directory) } else { Err(Doubt::OutsideMounts) }
    }

    fn open(&self, path: &AbsPath) -> Result<std::fs::File, Doubt> {
        if self.covers(path) { open_in(self, path) } else { Err(Doubt::OutsideMounts) }
    }

    fn find_program(&self, _name: &str) -> Result<Option<AbsPath>, Doubt> {
        Err(Doubt::OutsideMounts)
    }

    fn home(&self) -> Option<AbsPath> {
        self.home.clone()
    }
}
