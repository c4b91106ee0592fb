//! The texts of policy files that were in force, kept beside the log, each once, by its digest:
//! `DIR/policies/<sha256>`, as it was, so that `sha256sum` checks it. A record names it.

use crate::audit::place::Hash;
use crate::limits::POLICY_BYTES_MAX;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Where they lie in a log's directory.
const POLICIES: &str = "policies";

/// Keeps a text, on the disk when this returns; its digest.
///
/// # Errors
/// If the disk refuses.
pub fn keep_policy(dir: &Path, text: &str) -> io::Result<Hash> {
    let name = Hash::of(text.as_bytes());
    if kept_policy(dir, name).is_some() {
        return Ok(name);
    }
    let policies = dir.join(POLICIES);
    match DirBuilder::new().mode(0o700).create(&policies) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let unfinished = policies.join(format!(".unfinished-{name}-{}", std::process::id()));
    let mut options = OpenOptions::new();
    let mut file = options.mode(0o600).write(true).create(true).truncate(true).open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, policies.join(name.to_string()))?;
    File::open(&policies)?.sync_all()?;
    File::open(dir)?.sync_all()?;
    Ok(name)
}

/// The text of a digest; nothing if it is not there, or is not what the digest says.
#[must_use]
pub fn kept_policy(dir: &Path, name: Hash) -> Option<String> {
    let file = File::open(dir.join(POLICIES).join(name.to_string())).ok()?;
    let most = u64::try_from(POLICY_BYTES_MAX).unwrap_or(u64::MAX);
    let mut text = String::new();
    file.take(most.saturating_add(1)).read_to_string(&mut text).ok()?;
    (Hash::of(text.as_bytes()) == name).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once_and_only_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let name = keep_policy(dir.path(), "schema = 1\n").unwrap();
        assert_eq!(keep_policy(dir.path(), "schema = 1\n").unwrap(), name);
        assert_eq!(kept_policy(dir.path(), name).as_deref(), Some("schema = 1\n"));
        let path = dir.path().join(POLICIES).join(name.to_string());
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        std::fs::write(path, "schema = 2\n").unwrap();
        assert_eq!(kept_policy(dir.path(), name), None);
        assert_eq!(kept_policy(dir.path(), Hash::ZERO), None);
        keep_policy(dir.path(), "schema = 1\n").unwrap();
        assert!(kept_policy(dir.path(), name).is_some());
    }
}
