//! The agent's world with the other names of files that have several.
//!
//! A hard link is no link that could be followed: nothing about the one name tells the other. So a
//! file with more than one name is looked for where it matters, once per call and bounded: among
//! the places that hold credentials, and in the workspace. Each name that is found is one more way
//! that the path leads. A name outside of what was looked through is not found; holding those is
//! the kernel plane's.

use crate::limits::TWIN_ENTRIES_MAX;
use crate::model::doubt::Doubt;
use crate::model::path::{AbsPath, Real, Route};
use crate::policy::builtin::CREDENTIALS;
use crate::world::{Entry, FileKind, Resolution, Twin, World};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::sync::OnceLock;

/// The agent's world as one call sees it.
pub(super) struct Twins<'a> {
    world: &'a dyn World,
    workspace: &'a AbsPath,
    /// The names that were looked through, by inode.
    names: OnceLock<BTreeMap<u64, Vec<AbsPath>>>,
}

impl<'a> Twins<'a> {
    pub(super) fn over(world: &'a dyn World, workspace: &'a AbsPath) -> Twins<'a> {
        Twins { world, workspace, names: OnceLock::new() }
    }

    /// The other names of a file.
    fn of(&self, twin: Twin, found: &Resolution) -> Vec<AbsPath> {
        let names = self.names.get_or_init(|| self.look());
        let same = names.get(&twin.inode).into_iter().flatten();
        same.filter(|name| found.real != Real::At((*name).clone()))
            // The number is another file's on another file system.
            .filter(|name| self.world.resolve(name).twin == Some(twin))
            .cloned()
            .collect()
    }

    fn look(&self) -> BTreeMap<u64, Vec<AbsPath>> {
        let mut names = BTreeMap::new();
        let mut left = TWIN_ENTRIES_MAX;
        // The credentials first: there are few of them, and what lies there matters most.
        let home = self.world.home();
        for place in CREDENTIALS {
            let path = match (place.strip_prefix("$home"), &home) {
                (Some(rest), Some(home)) => format!("{home}{rest}"),
                (Some(_), None) => continue,
                (None, _) => (*place).to_owned(),
            };
            let Ok(path) = AbsPath::parse(&path) else { continue };
            if path.as_str().contains('*') {
                continue;
            }
            match place.ends_with('/') {
                true => self.tree(&path, &mut left, &mut names),
                false => {
                    if let Some(twin) = self.world.resolve(&path).twin {
                        names.entry(twin.inode).or_default().push(path);
                    }
                }
            }
        }
        self.tree(self.workspace, &mut left, &mut names);
        names
    }

    /// What lies below a directory, the nearest first.
    fn tree(&self, root: &AbsPath, left: &mut usize, names: &mut BTreeMap<u64, Vec<AbsPath>>) {
        let mut open = VecDeque::from([root.clone()]);
        while let Some(directory) = open.pop_front() {
            for entry in self.world.list(&directory).unwrap_or_default() {
                let Some(fewer) = left.checked_sub(1) else { return };
                *left = fewer;
                let Ok(path) = directory.join(&entry.name) else { continue };
                match (entry.kind, entry.inode) {
                    (FileKind::Directory, _) => open.push_back(path),
                    (FileKind::File, Some(inode)) => names.entry(inode).or_default().push(path),
                    _ => {}
                }
            }
        }
    }
}

impl World for Twins<'_> {
    fn walk(&self, route: &Route) -> Resolution {
        let mut found = self.world.walk(route);
        if let Some(twin) = found.twin {
            let others = self.of(twin, &found);
            found.hops.extend(others);
        }
        found
    }

    fn list(&self, directory: &AbsPath) -> Result<Vec<Entry>, Doubt> {
        self.world.list(directory)
    }

    fn open(&self, path: &AbsPath) -> Result<File, Doubt> {
        self.world.open(path)
    }

    fn find_program(&self, name: &str) -> Result<Option<AbsPath>, Doubt> {
        self.world.find_program(name)
    }

    fn home(&self) -> Option<AbsPath> {
        self.world.home()
    }
}
