//! Making a Unix socket that only the right users can reach, in a directory that only we can write.

use super::config::ConfigError;
use nix::unistd::{Gid, Uid, chown};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use tokio::net::UnixListener;

/// Whose a socket is, and who may reach it.
#[derive(Debug, Clone, Copy)]
pub struct Rights {
    /// Its mode.
    pub mode: u32,
    /// Its owner, if that is not our own user.
    pub owner: Option<u32>,
    /// Its group, if that is not our own.
    pub group: Option<u32>,
}

impl Rights {
    /// For our own user alone.
    pub const OURS: Rights = Rights { mode: 0o600, owner: None, group: None };
}

/// Listens at a path, which the operator names with `by`.
///
/// # Errors
/// If another sidecar listens there, the directory is open to others, or the system refuses.
pub fn listen(path: &Path, rights: Rights, by: &str) -> Result<UnixListener, ConfigError> {
    let wrong = |what: &str, why: &dyn std::fmt::Display| {
        ConfigError::Value(format!("the socket `{}` {what}: {why}", path.display()))
    };
    let directory = path.parent().filter(|parent| parent.is_absolute()).ok_or_else(|| {
        ConfigError::Value(format!("the socket `{}` must be an absolute path", path.display()))
    })?;
    prepare(directory, rights, by)?;
    clear(path, by)?;
    // Made without rights for anyone else, and opened up only then.
    let before = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o177));
    let listener = UnixListener::bind(path);
    nix::sys::stat::umask(before);
    let listener = listener.map_err(|error| wrong("cannot be made", &error))?;
    if let Some(group) = rights.group {
        chown(path, None, Some(Gid::from_raw(group)))
            .map_err(|error| wrong("cannot be given to its group", &error.desc()))?;
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(rights.mode))
        .map_err(|error| wrong("cannot be given its mode", &error))?;
    // Last: what is not ours any more cannot be given a mode.
    if let Some(owner) = rights.owner {
        chown(path, Some(Uid::from_raw(owner)), None).map_err(|error| {
            wrong("cannot be given to its owner, which only root can do", &error.desc())
        })?;
    }
    Ok(listener)
}

/// What tells one socket from another at the same path: its device and inode.
#[must_use]
pub fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}

/// The directory is there, ours, and nobody else can put another socket in our place.
fn prepare(directory: &Path, rights: Rights, by: &str) -> Result<(), ConfigError> {
    let wrong = |why: String| {
        ConfigError::Value(format!("the socket's directory `{}` {why}", directory.display()))
    };
    if !directory.exists() {
        // It stays ours, so that nobody else can put a socket there; others only pass through.
        let mode = match rights {
            Rights { owner: Some(_), .. } => 0o711,
            Rights { group: Some(_), .. } => 0o750,
            Rights { .. } => 0o700,
        };
        std::fs::DirBuilder::new().mode(mode).create(directory).map_err(|error| {
            wrong(format!("cannot be made: {error}; make it, or name another with {by}"))
        })?;
        if let Some(group) = rights.group {
            chown(directory, None, Some(Gid::from_raw(group)))
                .map_err(|error| wrong(format!("cannot be given to its group: {error}")))?;
        }
    }
    let meta = std::fs::metadata(directory)
        .map_err(|error| wrong(format!("cannot be looked at: {error}")))?;
    if !meta.is_dir() {
        return Err(wrong("is no directory".to_owned()));
    }
    let ours = nix::unistd::geteuid().as_raw();
    if meta.uid() != ours && meta.uid() != 0 {
        return Err(wrong(format!("belongs to user {}, not to us", meta.uid())));
    }
    if meta.mode() & 0o022 != 0 {
        return Err(wrong(
            "can be written by others, who could put their own socket there; use one with mode \
             0755 or less"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Removes the socket that a killed sidecar left; never one that is alive, nor anything else.
fn clear(path: &Path, by: &str) -> Result<(), ConfigError> {
    let wrong = |why: String| ConfigError::Value(format!("`{}` {why}", path.display()));
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(wrong(format!("cannot be looked at: {error}"))),
        Ok(meta) if !meta.file_type().is_socket() => {
            Err(wrong(format!("is there and is no socket; remove it, or name another with {by}")))
        }
        Ok(_) if UnixStream::connect(path).is_ok() => {
            Err(wrong("is taken: another sidecar listens there".to_owned()))
        }
        Ok(_) => std::fs::remove_file(path)
            .map_err(|error| wrong(format!("is left over and cannot be removed: {error}"))),
    }
}
