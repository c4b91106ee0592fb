//! Writing a policy file anew: in one step, so that nobody ever reads half of it, and a sidecar
//! that reloads meanwhile finds the old one or the new one.
//!
//! Mode and owner stay, a link is followed to the file it means, and a file that was changed since
//! it was read is left alone.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{Error, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

/// Puts `text` into the place of `was` in this file.
///
/// # Errors
/// If it cannot be written, is no regular file, may not be written, or does not read `was`.
pub fn rewrite(path: &Path, was: &str, text: &str) -> Result<(), Error> {
    let real = path.canonicalize()?;
    let there = std::fs::metadata(&real)?;
    if !there.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "it is no regular file"));
    }
    // To put a new file there would only need the directory's leave.
    OpenOptions::new().append(true).open(&real)?;
    if std::fs::read(&real)? != was.as_bytes() {
        return Err(Error::other("it was changed since it was read; try again"));
    }
    let (Some(directory), Some(name)) = (real.parent(), real.file_name()) else {
        return Err(Error::new(ErrorKind::InvalidInput, "it has no name"));
    };
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".toolgate-{}", std::process::id()));
    let new = directory.join(hidden);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let written = fill(file, text, (there.uid(), there.gid()), there.permissions())
        .and_then(|()| std::fs::rename(&new, &real));
    if written.is_err() {
        // What is left behind is ours, and says nothing that is in force.
        let _ = std::fs::remove_file(&new);
    }
    written
}

fn fill(
    mut file: File,
    text: &str,
    owner: (u32, u32),
    permissions: Permissions,
) -> Result<(), Error> {
    file.write_all(text.as_bytes())?;
    let made = file.metadata()?;
    if (made.uid(), made.gid()) != owner {
        fchown(&file, Some(owner.0), Some(owner.1))?;
    }
    file.set_permissions(permissions)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_file_is_replaced_with_its_mode_and_its_links_stay() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("p.toml");
        let link = directory.path().join("link.toml");
        std::fs::write(&file, "old").unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        symlink("p.toml", &link).unwrap();
        rewrite(&link, "old", "new").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o7777, 0o640);
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        // Nothing else is left there.
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_was_changed_or_is_no_file_stays() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("p.toml");
        std::fs::write(&file, "another").unwrap();
        let error = rewrite(&file, "old", "new").unwrap_err();
        assert!(error.to_string().contains("changed"), "{error}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "another");
        assert!(rewrite(directory.path(), "", "new").is_err());
        assert!(rewrite(&directory.path().join("none"), "", "new").is_err());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
