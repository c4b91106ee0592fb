//! The world of examples and tests: fixed, the same on every machine (policy language §11.26).

use super::{Entry, FileKind, Resolution, World};
use crate::model::doubt::Doubt;
use crate::model::path::{AbsPath, Real, Route, is_magic};
use std::collections::BTreeMap;

/// A world without links in which every bare program lies in `/usr/bin`.
#[derive(Debug, Clone, Default)]
pub struct Frozen {
    files: BTreeMap<AbsPath, FileKind>,
}

impl Frozen {
    /// A world that holds these files, and the directories above them.
    #[must_use]
    pub fn with_files(files: &[AbsPath]) -> Frozen {
        let mut all = BTreeMap::new();
        for file in files {
            all.insert(file.clone(), FileKind::File);
            let mut above = file.parent();
            while let Some(directory) = above {
                above = directory.parent();
                all.insert(directory, FileKind::Directory);
            }
        }
        Frozen { files: all }
    }
}

impl World for Frozen {
    fn walk(&self, route: &Route) -> Resolution {
        // Without links, folding as text is what the kernel does.
        let path = route.folded();
        if is_magic(path) {
            let (real, kind) = (Real::Unknown(Doubt::MagicLink), Err(Doubt::MagicLink));
            return Resolution { real, hops: Vec::new(), kind, twin: None };
        }
        Resolution {
            real: Real::At(path.clone()),
            hops: Vec::new(),
            kind: Ok(self.files.get(path).copied().unwrap_or(FileKind::Absent)),
            twin: None,
        }
    }

    fn list(&self, directory: &AbsPath) -> Result<Vec<Entry>, Doubt> {
        let inside = |(path, kind): (&AbsPath, &FileKind)| {
            let name = path.name()?.to_owned();
            (path.parent().as_ref() == Some(directory)).then_some(Entry {
                name,
                kind: *kind,
                inode: None,
            })
        };
        Ok(self.files.iter().filter_map(inside).collect())
    }

    fn find_program(&self, name: &str) -> Result<Option<AbsPath>, Doubt> {
        Ok(AbsPath::parse("/usr/bin").and_then(|bin| bin.join(name)).ok())
    }

    fn home(&self) -> Option<AbsPath> {
        AbsPath::parse("/home/agent").ok()
    }
}
