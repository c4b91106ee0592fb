//! The file of the key by which redacted secrets are committed to.
//!
//! It is made once, readable by the sidecar's user alone, and is never in a record. Without it no
//! value can be looked for in the log any more, and whoever has it can try guesses: so it belongs
//! where the signing key is.

use crate::audit::error::AuditError;
use crate::audit::place::Hash;
use crate::redact::{COMMITMENT_KEY_BYTES, CommitmentKey};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Its name in the directory of keys.
const FILE: &str = "commitment.key";
/// What it begins with; 64 hexadecimal digits follow.
const FORM: &str = "toolgate commitment key 1\n";

/// Where the key of a log is: beside its signing key.
#[must_use]
pub fn commitment_key_file(keys: &Path) -> PathBuf {
    keys.join(FILE)
}

/// Reads a key's file.
///
/// # Errors
/// If there is none, it is no key, or others can read it.
pub fn commitment_key(path: &Path) -> Result<CommitmentKey, AuditError> {
    read(path).map_err(AuditError::file("read the commitment key", path))
}

/// The same; made if there is none.
///
/// # Errors
/// As [`commitment_key`], or if it cannot be made.
pub fn commitment_key_or_new(path: &Path) -> Result<CommitmentKey, AuditError> {
    match read(path) {
        Err(why) if why.kind() == ErrorKind::NotFound => {
            let keys = path.parent().unwrap_or(Path::new("."));
            make(keys, path).map_err(AuditError::file("make the commitment key", path))?;
            commitment_key(path)
        }
        read => read.map_err(AuditError::file("read the commitment key", path)),
    }
}

fn read(path: &Path) -> io::Result<CommitmentKey> {
    let mut file = crate::audit::regular::open(path)?;
    if file.metadata()?.mode() & 0o077 != 0 {
        return Err(io::Error::other("others may read it; use `chmod 600`, and make a new one"));
    }
    let mut text = String::new();
    (&mut file).take(1024).read_to_string(&mut text)?;
    let hex = text.strip_prefix(FORM).map(str::trim_end);
    let key = hex.and_then(Hash::parse).ok_or_else(|| io::Error::other("it is no key"))?;
    Ok(CommitmentKey::new(*key.as_bytes()))
}

/// Writes a new key whole before it has its name; a link does not replace one that is there.
fn make(keys: &Path, path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(keys)?;
    let mut key = [0_u8; COMMITMENT_KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let text = format!("{FORM}{}\n", Hash::from_bytes(key));
    let unfinished = keys.join(format!(".{FILE}-{}", uuid::Uuid::now_v7()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    let made = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::hard_link(&unfinished, path));
    std::fs::remove_file(&unfinished)?;
    match made {
        Err(why) if why.kind() != ErrorKind::AlreadyExists => return Err(why),
        Ok(()) | Err(_) => {}
    }
    File::open(keys)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = commitment_key_file(dir.path());
        assert!(commitment_key(&path).is_err());
        let key = commitment_key_or_new(&path).unwrap();
        let again = commitment_key_or_new(&path).unwrap();
        assert_eq!(key.commit("a"), again.commit("a"));
        assert_eq!(key.commit("a"), commitment_key(&path).unwrap().commit("a"));
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(commitment_key(&path).unwrap_err().to_string().contains("chmod"));
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "short").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(commitment_key_or_new(&path).is_err());
    }
}
