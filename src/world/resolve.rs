//! Following links by hand, component by component, as the kernel would.
//!
//! `canonicalize` is not enough: it hides the hops, fails on a missing leaf, and follows magic
//! links. Here each component is looked at without following it, each link's text is read and
//! walked in turn, and `..` is taken after links, as the kernel does.

use super::{Entry, FileKind, Resolution};
use crate::limits::{PATH_DEPTH_MAX, PATH_LINKS_MAX, TREE_ENTRIES_MAX};
use crate::model::doubt::Doubt;
use crate::model::path::{AbsPath, Real, Route};
use std::collections::VecDeque;
use std::fs;
use std::io::{Error, ErrorKind};

/// Follows every link on the way in this process's own mount namespace.
pub(super) fn resolve_route(route: &Route) -> Resolution {
    let mut walk = Walk {
        at: AbsPath::root(),
        ahead: route.components().iter().cloned().collect(),
        links: 0,
        hops: Vec::new(),
    };
    let kind = walk.run();
    let real = match &kind {
        Ok(_) => Real::At(walk.at),
        Err(doubt) => Real::Unknown(doubt.clone()),
    };
    Resolution { real, hops: walk.hops, kind }
}

struct Walk {
    at: AbsPath,
    ahead: VecDeque<String>,
    links: usize,
    hops: Vec<AbsPath>,
}

impl Walk {
    fn run(&mut self) -> Result<FileKind, Doubt> {
        let mut kind = FileKind::Directory;
        while let Some(component) = self.ahead.pop_front() {
            if component == ".." {
                // Taken here, after the links before it, as the kernel does.
                self.at = self.at.parent().unwrap_or_else(AbsPath::root);
                kind = FileKind::Directory;
                continue;
            }
            let next = self.at.join(&component).map_err(|e| Doubt::Unresolved(e.to_string()))?;
            if is_magic(&next) {
                return Err(Doubt::MagicLink);
            }
            kind = match fs::symlink_metadata(next.as_str()) {
                Ok(meta) if meta.file_type().is_symlink() => {
                    self.follow(&next)?;
                    continue;
                }
                Ok(meta) => kind_of(meta.file_type()),
                Err(error) if error.kind() == ErrorKind::NotFound => return self.missing(next),
                Err(error) => return Err(unresolved(&error)),
            };
            self.at = next;
            if kind != FileKind::Directory && !self.ahead.is_empty() {
                return Err(Doubt::Unresolved("a file stands where a directory must".to_owned()));
            }
        }
        Ok(kind)
    }

    fn follow(&mut self, link: &AbsPath) -> Result<(), Doubt> {
        self.links += 1;
        if self.links > PATH_LINKS_MAX {
            return Err(Doubt::Unresolved("too many symbolic links".to_owned()));
        }
        let target = fs::read_link(link.as_str()).map_err(|error| unresolved(&error))?;
        let Some(text) = target.to_str() else {
            return Err(Doubt::Unresolved("a link's text is not UTF-8".to_owned()));
        };
        let folded = self.at.join(text).map_err(|e| Doubt::Unresolved(e.to_string()))?;
        self.hops.push(folded);
        if text.starts_with('/') {
            self.at = AbsPath::root();
        }
        for component in text.split('/').rev().filter(|part| !part.is_empty() && *part != ".") {
            self.ahead.push_front(component.to_owned());
        }
        if self.ahead.len() > PATH_DEPTH_MAX {
            return Err(Doubt::Limit("path components"));
        }
        Ok(())
    }

    /// The rest of the path is not there: it would be made below what is.
    fn missing(&mut self, next: AbsPath) -> Result<FileKind, Doubt> {
        self.at = next;
        while let Some(component) = self.ahead.pop_front() {
            if component == ".." {
                // The kernel says ENOENT, a tool that makes directories on the way does not.
                return Err(Doubt::Unresolved("`..` after a directory that is absent".to_owned()));
            }
            self.at = self.at.join(&component).map_err(|e| Doubt::Unresolved(e.to_string()))?;
        }
        Ok(FileKind::Absent)
    }
}

/// `/proc/self`, `/proc/<pid>/...` and `/dev/fd` mean something else to each process.
fn is_magic(path: &AbsPath) -> bool {
    let mut parts = path.components();
    match (parts.next(), parts.next()) {
        (Some("proc"), Some(second)) => {
            matches!(second, "self" | "thread-self") || second.bytes().all(|b| b.is_ascii_digit())
        }
        (Some("dev"), Some("fd" | "stdin" | "stdout" | "stderr")) => true,
        _ => false,
    }
}

/// The names in a directory of this process's own mount namespace.
pub(super) fn list_directory(directory: &AbsPath) -> Result<Vec<Entry>, Doubt> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory.as_str()).map_err(|error| unresolved(&error))? {
        let entry = entry.map_err(|error| unresolved(&error))?;
        let kind = entry.file_type().map_err(|error| unresolved(&error))?;
        let Ok(name) = entry.file_name().into_string() else {
            return Err(Doubt::Unresolved("a file name is not UTF-8".to_owned()));
        };
        if entries.len() >= TREE_ENTRIES_MAX {
            return Err(Doubt::Limit("directory entries"));
        }
        entries.push(Entry { name, kind: kind_of(kind) });
    }
    Ok(entries)
}

fn kind_of(kind: fs::FileType) -> FileKind {
    if kind.is_dir() {
        FileKind::Directory
    } else if kind.is_file() {
        FileKind::File
    } else if kind.is_symlink() {
        FileKind::Link
    } else {
        FileKind::Other
    }
}

fn unresolved(error: &Error) -> Doubt {
    Doubt::Unresolved(error.kind().to_string())
}
