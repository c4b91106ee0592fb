//! Making a Unix socket that only the right users can reach, in a directory that only we can write.

use super::config::{ConfigError, Hook};
use nix::unistd::{Gid, chown};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use tokio::net::UnixListener;

/// Listens at the configured path with the configured owner, group and mode.
///
/// # Errors
/// If another sidecar listens there, the directory is open to others, or the system refuses.
pub fn listen(hook: &Hook) -> Result<UnixListener, ConfigError> {
    listen_at(&hook.socket, hook.mode()?, hook.group)
}

/// Listens for operators: for our own user and root alone.
///
/// # Errors
/// As [`listen`].
pub fn listen_for_operators(path: &Path) -> Result<UnixListener, ConfigError> {
    listen_at(path, 0o600, None)
}

/// What tells one socket from another at the same path: its device and inode.
#[must_use]
pub fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}

fn listen_at(path: &Path, mode: u32, group: Option<u32>) -> Result<UnixListener, ConfigError> {
    let wrong = |what: &str, why: &dyn std::fmt::Display| {
        ConfigError::Value(format!("the socket `{}` {what}: {why}", path.display()))
    };
    let directory = path.parent().filter(|parent| parent.is_absolute()).ok_or_else(|| {
        ConfigError::Value(format!("the socket `{}` must be an absolute path", path.display()))
    })?;
    prepare(directory, group)?;
    clear(path)?;
    // Made without rights for anyone else, and opened up only then.
    let before = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o177));
    let listener = UnixListener::bind(path);
    nix::sys::stat::umask(before);
    let listener = listener.map_err(|error| wrong("cannot be made", &error))?;
    if let Some(group) = group {
        chown(path, None, Some(Gid::from_raw(group)))
            .map_err(|error| wrong("cannot be given to its group", &error.desc()))?;
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .map_err(|error| wrong("cannot be given its mode", &error))?;
    Ok(listener)
}

/// The directory is there, ours, and nobody else can put another socket in our place.
fn prepare(directory: &Path, group: Option<u32>) -> Result<(), ConfigError> {
    let wrong = |why: String| {
        ConfigError::Value(format!("the socket's directory `{}` {why}", directory.display()))
    };
    if !directory.exists() {
        let mode = if group.is_some() { 0o750 } else { 0o700 };
        std::fs::DirBuilder::new()
            .mode(mode)
            .create(directory)
            .map_err(|error| wrong(format!("cannot be made: {error}; use --socket")))?;
        if let Some(group) = group {
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
fn clear(path: &Path) -> Result<(), ConfigError> {
    let wrong = |why: String| ConfigError::Value(format!("`{}` {why}", path.display()));
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(wrong(format!("cannot be looked at: {error}"))),
        Ok(meta) if !meta.file_type().is_socket() => {
            Err(wrong("is there and is no socket; remove it or use --socket".to_owned()))
        }
        Ok(_) if UnixStream::connect(path).is_ok() => {
            Err(wrong("is taken: another sidecar listens there".to_owned()))
        }
        Ok(_) => std::fs::remove_file(path)
            .map_err(|error| wrong(format!("is left over and cannot be removed: {error}"))),
    }
}
