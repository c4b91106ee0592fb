//! Who could change a file, as far as owners and modes tell; and whether a program stands alone.

use nix::unistd::{Gid, Uid, User, getgrouplist};
use std::ffi::CString;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A user, as the kernel asks of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Who {
    uid: u32,
    /// Its groups, if it is a user of this machine's list.
    groups: Option<Vec<u32>>,
}

impl Who {
    pub(super) fn of(uid: u32) -> Who {
        let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        let groups = user.and_then(|user| {
            let name = CString::new(user.name).ok()?;
            getgrouplist(&name, user.gid).ok()
        });
        Who { uid, groups: groups.map(|all| all.into_iter().map(Gid::as_raw).collect()) }
    }

    /// Whether such a file can be written, and by what right. Where a user's groups are not known,
    /// a group's right counts as theirs.
    fn may_write(&self, meta: &std::fs::Metadata) -> Option<&'static str> {
        let in_group = match &self.groups {
            Some(groups) => groups.contains(&meta.gid()),
            None => meta.gid() != 0,
        };
        // An owner may always give themselves the right.
        if meta.uid() == self.uid {
            Some("as its owner")
        } else if meta.mode() & 0o020 != 0 && in_group {
            Some("by its group")
        } else if meta.mode() & 0o002 != 0 {
            Some("as anyone can")
        } else {
            None
        }
    }

    /// How this user could change what lies at `path`, or put something else in its place. What
    /// is not there counts by the directory that it would be in.
    pub(super) fn way_to(&self, path: &Path, replaced_only: bool) -> Option<String> {
        let mut names = vec![path.to_owned()];
        names.extend(path.canonicalize().ok().filter(|real| real != path));
        names.iter().find_map(|name| self.way_by(name, replaced_only))
    }

    fn way_by(&self, path: &Path, replaced_only: bool) -> Option<String> {
        let told =
            |at: &Path, how: &str| format!("user {} can write `{}` {how}", self.uid, at.display());
        if !replaced_only
            && let Ok(meta) = std::fs::metadata(path)
            && let Some(how) = self.may_write(&meta)
        {
            return Some(told(path, how));
        }
        let mut below = std::fs::symlink_metadata(path).ok();
        for directory in path.ancestors().skip(1) {
            let Ok(meta) = std::fs::metadata(directory) else { continue };
            let how = self.may_write(&meta);
            // In a sticky directory only the owner of an entry can take its name away.
            let sticky = meta.mode() & 0o1000 != 0 && meta.uid() != self.uid;
            let kept = sticky && below.as_ref().is_some_and(|below| below.uid() != self.uid);
            match how {
                Some(how) if !kept => return Some(told(directory, how)),
                Some(_) | None => {}
            }
            below = std::fs::symlink_metadata(directory).ok();
        }
        None
    }
}

/// Why a program is not one that its environment cannot reach, if it is not.
pub(super) fn flaw_of_program(path: &Path) -> Option<String> {
    let shown = path.display();
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) => return Some(format!("`{shown}` cannot be looked at: {error}")),
    };
    if !meta.is_file() || meta.mode() & 0o111 == 0 {
        return Some(format!("`{shown}` is no program"));
    }
    match needs_a_loader(path) {
        Ok(false) => None,
        Ok(true) => Some(format!(
            "`{shown}` is linked dynamically: `LD_PRELOAD` in a project's settings would take it \
             over"
        )),
        Err(why) => Some(format!("`{shown}` {why}")),
    }
}

/// Whether an ELF program names an interpreter, which is what reads `LD_PRELOAD`.
fn needs_a_loader(path: &Path) -> Result<bool, String> {
    const HEADERS_BYTES_MAX: u64 = 64 * 1024;
    const INTERPRETER: u32 = 3;
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let mut head = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(HEADERS_BYTES_MAX).read_to_end(&mut head).map_err(unreadable)?;
    let broken = || "is no ELF program of this machine: a script obeys its environment".to_owned();
    // 64 bits, little end first.
    if head.get(..6) != Some(b"\x7fELF\x02\x01".as_slice()) {
        return Err(broken());
    }
    let bytes = |at: usize, length: usize| {
        let bytes = head.get(at..at.checked_add(length)?)?;
        Some(bytes.iter().rev().fold(0u64, |value, byte| value << 8 | u64::from(*byte)))
    };
    let number = |at: usize, length: usize| {
        bytes(at, length).and_then(|value| usize::try_from(value).ok()).ok_or_else(broken)
    };
    let (start, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    for index in 0..count {
        let at = size.checked_mul(index).and_then(|offset| offset.checked_add(start));
        let kind = bytes(at.ok_or_else(broken)?, 4).ok_or_else(broken)?;
        if kind == u64::from(INTERPRETER) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A program by the name that a shell would find it by.
pub(super) fn on_path(name: &str) -> Option<PathBuf> {
    use nix::unistd::{AccessFlags, access};
    let path = std::env::var_os("PATH")?;
    let mut found = std::env::split_paths(&path).map(|directory| directory.join(name));
    found.find(|file| file.is_file() && access(file, AccessFlags::X_OK).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn modes_tell_who_can_change_a_file() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().canonicalize().unwrap();
        let mode = |path: &Path, mode: u32| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let (closed, open) = (root.join("closed"), root.join("open"));
        for directory in [&closed, &open] {
            std::fs::create_dir(directory).unwrap();
            std::fs::write(directory.join("file"), "").unwrap();
            mode(&directory.join("file"), 0o644);
        }
        mode(&root, 0o755);
        mode(&closed, 0o755);
        mode(&open, 0o777);
        let nobody = Who { uid: 4_000_000, groups: Some(vec![]) };
        let way = |path: &Path| nobody.way_by(path, false);
        assert!(way(&closed.join("file")).is_none());
        // Another file can be put in its place.
        assert!(way(&open.join("file")).is_some());
        assert!(nobody.way_by(&open.join("file"), true).is_some());
        mode(&open, 0o1777);
        assert!(way(&open.join("file")).is_none());
        assert!(way(&open.join("none")).is_some(), "what is not there can be made");
        mode(&closed.join("file"), 0o666);
        assert!(way(&closed.join("file")).is_some());
        assert!(nobody.way_by(&closed.join("file"), true).is_none());
        let owner = std::fs::metadata(&closed).unwrap().uid();
        let owner = Who { uid: owner, groups: Some(vec![]) };
        assert!(owner.way_by(&closed.join("none"), false).is_some());
    }

    #[test]
    fn a_script_is_no_program_that_stands_alone() {
        let scratch = tempfile::tempdir().unwrap();
        let script = scratch.path().join("script");
        std::fs::write(&script, "#!/bin/sh\n").unwrap();
        assert!(flaw_of_program(&script).unwrap().contains("no program"));
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(flaw_of_program(&script).unwrap().contains("script"));
        // An ELF head that ends too early.
        std::fs::write(&script, b"\x7fELF\x02\x01").unwrap();
        assert!(flaw_of_program(&script).is_some());
        assert!(flaw_of_program(&scratch.path().join("none")).is_some());
    }
}
