//! Following links by hand, component by component, as the kernel would.
//!
//! `canonicalize` is not enough: it hides the hops, fails on a missing leaf, and follows magic
//! links. So the kernel is first asked for the whole path with every link refused, which is all
//! that most paths take. Where it meets a link or a gap, each component is opened below the one
//! before without following it, each link's text is read and walked in turn, and `..` is taken
//! after links, as the kernel does.

use super::{Entry, FileKind, Resolution, Twin};
use crate::limits::{PATH_DEPTH_MAX, PATH_LINKS_MAX, TREE_ENTRIES_MAX};
use crate::model::doubt::Doubt;
use crate::model::path::{AbsPath, Real, Route, is_magic};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use std::collections::VecDeque;
use std::fs;
use std::io::Error;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirEntryExt;

/// Follows every link on the way in this process's own mount namespace, as long as it stays where
/// `inside` says: what lies elsewhere is another's.
pub(super) fn resolve_route(route: &Route, inside: impl Fn(&AbsPath) -> bool) -> Resolution {
    if let Some((kind, twin)) = straight(route) {
        let real = Real::At(route.folded().clone());
        return Resolution { real, hops: Vec::new(), kind: Ok(kind), twin };
    }
    let mut walk = Walk {
        at: AbsPath::root(),
        ahead: route.components().iter().cloned().collect(),
        links: 0,
        hops: Vec::new(),
        twin: None,
    };
    let kind = walk.run(&inside);
    let real = match &kind {
        Ok(_) => Real::At(walk.at),
        Err(doubt) => Real::Unknown(doubt.clone()),
    };
    Resolution { real, hops: walk.hops, kind, twin: walk.twin }
}

/// What lies there, if it is there and no link is on the way: then a path is what it says, even
/// with `..` in it.
fn straight(route: &Route) -> Option<(FileKind, Option<Twin>)> {
    if is_magic(route.folded()) {
        return None;
    }
    let found = match open_straight(route.components()) {
        Ok(found) => found,
        // A new file in a directory that is there: a link in its place would be none that is not
        // there.
        Err(Errno::ENOENT) => {
            let (name, above) = route.components().split_last()?;
            let above = open_straight(above).ok().filter(|_| name != "..")?;
            let is_directory = kind_of(&fstat(&above).ok()?) == FileKind::Directory;
            return is_directory.then_some((FileKind::Absent, None));
        }
        Err(_) => return None,
    };
    let stat = fstat(&found).ok()?;
    // What procfs makes up has no size: mounted elsewhere, it is as magic as in its own place.
    let made_up = kind_of(&stat) == FileKind::File && stat.st_size == 0 && is_of_procfs(&found);
    let elsewhere = made_up && route.components().first().is_none_or(|first| first != "proc");
    (!elsewhere).then(|| (kind_of(&stat), Twin::of(&stat)))
}

fn open_straight(components: &[String]) -> nix::Result<OwnedFd> {
    let whole = format!("/{}", components.join("/"));
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
    openat2(AT_FDCWD, whole.as_str(), how)
}

struct Walk {
    at: AbsPath,
    ahead: VecDeque<String>,
    links: usize,
    hops: Vec<AbsPath>,
    twin: Option<Twin>,
}

impl Walk {
    fn run(&mut self, inside: &impl Fn(&AbsPath) -> bool) -> Result<FileKind, Doubt> {
        let mut kind = FileKind::Directory;
        let mut here = root()?;
        while let Some(component) = self.ahead.pop_front() {
            if component == ".." {
                // Taken here, after the links before it, as the kernel does.
                self.at = self.at.parent().unwrap_or_else(AbsPath::root);
                here = open(&here, "..").map_err(unresolved)?;
                kind = FileKind::Directory;
                continue;
            }
            let next = self.at.join(&component).map_err(|e| Doubt::Unresolved(e.to_string()))?;
            if is_magic(&next) {
                return Err(Doubt::MagicLink);
            }
            let found = match open(&here, &component) {
                Ok(found) => found,
                Err(Errno::ENOENT) => return self.missing(next),
                Err(error) => return Err(unresolved(error)),
            };
            let stat = fstat(&found).map_err(unresolved)?;
            kind = kind_of(&stat);
            if kind == FileKind::Link {
                if is_of_procfs(&found) {
                    return Err(Doubt::MagicLink);
                }
                if self.follow(&found, inside)? {
                    here = root()?;
                }
                continue;
            }
            self.at = next;
            if kind != FileKind::Directory && !self.ahead.is_empty() {
                return Err(Doubt::Unresolved("a file stands where a directory must".to_owned()));
            }
            self.twin = Twin::of(&stat);
            here = found;
        }
        Ok(kind)
    }

    /// Puts the link's own text before what is ahead; true if that starts at the root.
    fn follow(
        &mut self,
        link: &OwnedFd,
        inside: &impl Fn(&AbsPath) -> bool,
    ) -> Result<bool, Doubt> {
        self.links += 1;
        if self.links > PATH_LINKS_MAX {
            return Err(Doubt::Unresolved("too many symbolic links".to_owned()));
        }
        let target = readlinkat(link, "").map_err(unresolved)?;
        let Some(text) = target.to_str() else {
            return Err(Doubt::Unresolved("a link's text is not UTF-8".to_owned()));
        };
        let target = self.at.join(text).map_err(|e| Doubt::Unresolved(e.to_string()))?;
        let rest = self.ahead.make_contiguous().join("/");
        // The path as it would be written by way of the link; and the link's own target, where
        // that cannot be told from it.
        if rest.split('/').any(|component| component == "..") {
            self.hops.push(target.clone());
        }
        self.hops.push(target.join(&rest).unwrap_or_else(|_| target.clone()));
        let climbs = text.split('/').any(|component| component == "..");
        if !climbs && !inside(&target) {
            return Err(Doubt::OutsideMounts);
        }
        let absolute = text.starts_with('/');
        if absolute {
            self.at = AbsPath::root();
        }
        for component in text.split('/').rev().filter(|part| !part.is_empty() && *part != ".") {
            self.ahead.push_front(component.to_owned());
        }
        if self.ahead.len() > PATH_DEPTH_MAX {
            return Err(Doubt::Limit("path components"));
        }
        Ok(absolute)
    }

    /// The rest of the path is not there: it would be made below what is.
    fn missing(&mut self, next: AbsPath) -> Result<FileKind, Doubt> {
        self.at = next;
        self.twin = None;
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

fn root() -> Result<OwnedFd, Doubt> {
    open(AT_FDCWD, "/").map_err(unresolved)
}

/// Opens one component where it lies, a link too, without following it.
fn open(from: impl std::os::fd::AsFd, component: &str) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let refused = ResolveFlag::RESOLVE_NO_MAGICLINKS | ResolveFlag::RESOLVE_NO_SYMLINKS;
    match openat2(&from, component, OpenHow::new().flags(flags).resolve(refused)) {
        // Some containers' filters do not know the call; of a single component this one follows
        // no link either.
        Err(Errno::ENOSYS | Errno::EPERM) => openat(&from, component, flags, Mode::empty()),
        found => found,
    }
}

/// Every link of procfs means something else to each process, wherever it is mounted.
fn is_of_procfs(found: &OwnedFd) -> bool {
    fstatfs(found).is_ok_and(|system| system.filesystem_type() == PROC_SUPER_MAGIC)
}

impl Twin {
    fn of(stat: &FileStat) -> Option<Twin> {
        let is_shared = kind_of(stat) == FileKind::File && stat.st_nlink > 1;
        is_shared.then_some(Twin { device: stat.st_dev, inode: stat.st_ino })
    }
}

fn kind_of(stat: &FileStat) -> FileKind {
    match SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFDIR => FileKind::Directory,
        SFlag::S_IFREG => FileKind::File,
        SFlag::S_IFLNK => FileKind::Link,
        _ => FileKind::Other,
    }
}

/// The names in a directory of this process's own mount namespace.
pub(super) fn list_directory(directory: &AbsPath) -> Result<Vec<Entry>, Doubt> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory.as_str()).map_err(unresolved)? {
        let entry = entry.map_err(unresolved)?;
        let kind = entry.file_type().map_err(unresolved)?;
        let Ok(name) = entry.file_name().into_string() else {
            return Err(Doubt::Unresolved("a file name is not UTF-8".to_owned()));
        };
        if entries.len() >= TREE_ENTRIES_MAX {
            return Err(Doubt::Limit("directory entries"));
        }
        let inode = Some(entry.ino());
        entries.push(Entry { name, kind: kind_in(kind), inode });
    }
    Ok(entries)
}

fn kind_in(kind: fs::FileType) -> FileKind {
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

fn unresolved(error: impl Into<Error>) -> Doubt {
    Doubt::Unresolved(error.into().kind().to_string())
}
