//! Why something could not be recorded, in the words of the person who runs the sidecar.

use nix::libc;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Why a record is not in the log, or the log cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuditError {
    /// The operating system refused.
    #[error("cannot {doing} `{}`: {why}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What it answered.
        why: Arc<io::Error>,
    },
    /// There is no room on the disk (ENOSPC).
    #[error(
        "the disk of the log is full: cannot {doing} `{}`; free space on its file system, or let \
         `[audit]` keep less",
        path.display()
    )]
    NoSpace {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
    },
    /// The user has used up what it may (EDQUOT).
    #[error(
        "the disk quota of toolgate's user is used up: cannot {doing} `{}`; raise it, or free \
         files of that user",
        path.display()
    )]
    Quota {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
    },
    /// The file system became, or is, read-only (EROFS).
    #[error(
        "the file system of the log is read-only: cannot {doing} `{}`; the kernel's messages say \
         why; check the disk and mount it writable",
        path.display()
    )]
    ReadOnly {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
    },
    /// The disk failed (EIO).
    #[error(
        "the disk of the log failed: cannot {doing} `{}`; look at the kernel's messages, and move \
         the log to a sound disk",
        path.display()
    )]
    Disk {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
    },
    /// It may not (EACCES, EPERM).
    #[error(
        "toolgate may not {doing} `{}`; give its user the right to (`chown`, `chmod`, `chattr`)",
        path.display()
    )]
    Forbidden {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
    },
    /// Another process writes there.
    #[error(
        "the audit directory `{}` is in use by another toolgate; stop it or use another directory",
        .0.display()
    )]
    InUse(PathBuf),
    /// Other users could change the log.
    #[error(
        "others own or may write to the audit directory `{}`; use `chown` and `chmod go-w`",
        .0.display()
    )]
    Exposed(PathBuf),
    /// The file's name is gone.
    #[error("the audit file `{}` was removed while it was written; find out by whom", .0.display())]
    Removed(PathBuf),
    /// The file's name leads to another file.
    #[error(
        "the audit file `{}` was replaced by another while it was written; find out by whom",
        .0.display()
    )]
    Replaced(PathBuf),
    /// The file was cut off.
    #[error(
        "the audit file `{}` was cut off by somebody: it has {found} bytes, {written} were \
         written; keep log rotation away from it",
        path.display()
    )]
    Shortened {
        /// The file.
        path: PathBuf,
        /// How long it should be.
        written: u64,
        /// How long it is.
        found: u64,
    },
    /// Somebody else wrote to the file.
    #[error(
        "somebody else wrote to the audit file `{}`: it has {found} bytes, {written} were written",
        path.display()
    )]
    Lengthened {
        /// The file.
        path: PathBuf,
        /// How long it should be.
        written: u64,
        /// How long it is.
        found: u64,
    },
    /// The directory is no longer where it was.
    #[error(
        "the audit directory `{}` was moved or removed; put it back, or restart toolgate",
        .0.display()
    )]
    DirectoryGone(PathBuf),
    /// The log takes nothing at the moment.
    #[error("the audit log takes no records until this is mended: {0}")]
    Failed(Arc<AuditError>),
    /// It took too long.
    #[error("the record was not written within {} ms; is the disk too slow?", .0.as_millis())]
    Timeout(Duration),
    /// A sink that must have every record does not take them.
    #[error(
        "the sink `{name}` has not taken the log's records within {} ms: {why}",
        deadline.as_millis()
    )]
    Sink {
        /// Its name.
        name: String,
        /// How long it may take.
        deadline: Duration,
        /// What is known of the reason.
        why: Arc<str>,
    },
    /// The journal is closed.
    #[error("the audit log is closed")]
    Closed,
    /// The key that signs the log cannot be used.
    #[error("the log's key `{}` cannot be used: {why}", path.display())]
    Key {
        /// Where it is.
        path: PathBuf,
        /// Why not, and what to do.
        why: String,
    },
    /// The writer's thread could not be started.
    #[error("the audit writer cannot be started: {0}")]
    Thread(Arc<io::Error>),
}

impl AuditError {
    /// Gives an answer of the operating system its place and its name.
    pub(super) fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AuditError {
        move |why| {
            let path = path.to_owned();
            match why.raw_os_error() {
                Some(libc::ENOSPC) => AuditError::NoSpace { doing, path },
                Some(libc::EDQUOT) => AuditError::Quota { doing, path },
                Some(libc::EROFS) => AuditError::ReadOnly { doing, path },
                Some(libc::EIO) => AuditError::Disk { doing, path },
                Some(libc::EACCES | libc::EPERM) => AuditError::Forbidden { doing, path },
                _ => AuditError::File { doing, path, why: Arc::new(why) },
            }
        }
    }

    /// Its word in metrics and records.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            AuditError::File { .. } | AuditError::Thread(_) => "refused",
            AuditError::NoSpace { .. } => "no_space",
            AuditError::Quota { .. } => "quota",
            AuditError::ReadOnly { .. } => "read_only",
            AuditError::Disk { .. } => "disk",
            AuditError::Forbidden { .. } => "forbidden",
            AuditError::InUse(_) => "in_use",
            AuditError::Exposed(_) => "exposed",
            AuditError::Removed(_) => "removed",
            AuditError::Replaced(_) => "replaced",
            AuditError::Shortened { .. } => "shortened",
            AuditError::Lengthened { .. } => "lengthened",
            AuditError::DirectoryGone(_) => "directory_gone",
            AuditError::Timeout(_) => "timeout",
            AuditError::Sink { .. } => "sink",
            AuditError::Closed => "closed",
            AuditError::Key { .. } => "key",
            AuditError::Failed(why) => why.word(),
        }
    }

    /// Whether room on the disk would mend it.
    pub(super) fn is_full(&self) -> bool {
        matches!(self, AuditError::NoSpace { .. } | AuditError::Quota { .. })
    }
}
