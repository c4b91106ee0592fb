//! The agent's world as long as its workspace is the directory that it was at the start.
//!
//! Paths are compared by name, so whoever puts another directory in the workspace's place (or a
//! link to one) would bring it under the workspace's rules. The directory is known by device and
//! inode, which are looked at again for every path in it: in another's place nothing is known.

use super::{Entry, Resolution, World};
use crate::model::doubt::Doubt;
use crate::model::path::{AbsPath, Real, Route};
use nix::sys::stat::stat;
use std::sync::Arc;

/// A world with a root that must stay what it is.
pub struct Pinned {
    world: Arc<dyn World>,
    root: AbsPath,
    was: Identity,
}

/// A directory's device and inode.
type Identity = (u64, u64);

impl Pinned {
    /// The world with this root pinned; as it stands, where the root is not to be seen in it.
    #[must_use]
    pub fn over(world: Arc<dyn World>, root: &AbsPath) -> Arc<dyn World> {
        let is_seen = world.resolve(root).real == Real::At(root.clone());
        match identity(root).filter(|_| is_seen) {
            Some(was) => Arc::new(Pinned { world, root: root.clone(), was }),
            None => world,
        }
    }

    fn is_same(&self) -> bool {
        identity(&self.root) == Some(self.was)
    }
}

fn identity(root: &AbsPath) -> Option<Identity> {
    stat(root.as_str()).ok().map(|stat| (stat.st_dev, stat.st_ino))
}

fn changed() -> Doubt {
    Doubt::Other("the workspace is another directory than at the start".to_owned())
}

impl World for Pinned {
    fn walk(&self, route: &Route) -> Resolution {
        let found = self.world.walk(route);
        let real = match &found.real {
            Real::At(real) => Some(real),
            Real::Unknown(_) => None,
        };
        let mut ways = std::iter::once(route.folded()).chain(real).chain(&found.hops);
        if !ways.any(|way| way.is_within(&self.root)) || self.is_same() {
            return found;
        }
        let (real, kind) = (Real::Unknown(changed()), Err(changed()));
        Resolution { real, kind, twin: None, hops: found.hops }
    }

    fn list(&self, directory: &AbsPath) -> Result<Vec<Entry>, Doubt> {
        self.world.list(directory)
    }

    fn open(&self, path: &AbsPath) -> Result<std::fs::File, Doubt> {
        self.world.open(path)
    }

    fn find_program(&self, name: &str) -> Result<Option<AbsPath>, Doubt> {
        self.world.find_program(name)
    }

    fn home(&self) -> Option<AbsPath> {
        self.world.home()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Frozen, Same};
    use std::os::unix::fs::symlink;

    #[test]
    fn another_directory_in_the_workspaces_place_is_not_the_workspace() {
        let scratch = tempfile::tempdir().unwrap();
        let base = scratch.path().canonicalize().unwrap();
        let (work, other) = (base.join("work"), base.join("other"));
        std::fs::create_dir(&work).unwrap();
        std::fs::create_dir(&other).unwrap();
        let path = |path: &std::path::Path| AbsPath::parse(path.to_str().unwrap()).unwrap();
        let world = Pinned::over(Arc::new(Same { home: None, path: None }), &path(&work));
        let file = path(&work.join("a"));
        assert_eq!(world.resolve(&file).real, Real::At(file.clone()));
        // A link to another directory, and another directory itself.
        std::fs::rename(&work, base.join("moved")).unwrap();
        symlink(&other, &work).unwrap();
        assert_eq!(world.resolve(&file).real, Real::Unknown(changed()));
        std::fs::remove_file(&work).unwrap();
        std::fs::create_dir(&work).unwrap();
        assert_eq!(world.resolve(&file).real, Real::Unknown(changed()));
        assert_eq!(world.resolve(&path(&other)).real, Real::At(path(&other)));
        std::fs::remove_dir(&work).unwrap();
        std::fs::rename(base.join("moved"), &work).unwrap();
        assert_eq!(world.resolve(&file).real, Real::At(file.clone()));
        // What is not to be seen here is not pinned.
        let frozen = Pinned::over(Arc::new(Frozen::default()), &path(&base.join("absent")));
        assert!(matches!(frozen.resolve(&path(&base.join("absent"))).real, Real::At(_)));
    }
}
