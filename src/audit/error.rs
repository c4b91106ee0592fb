//! Why something could not be recorded, in the words of the person who runs the sidecar.

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
    /// The file is no longer where it was opened, so what is written is lost.
    #[error("the audit file `{}` was moved or removed; restart toolgate", .0.display())]
    Replaced(PathBuf),
    /// An earlier record could not be written; nothing is taken any more.
    #[error("the audit log takes no records since it failed; restart toolgate: {0}")]
    Failed(Arc<AuditError>),
    /// It took too long.
    #[error("the record was not written within {} s; is the disk too slow or full?", .0.as_secs())]
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
    /// The writer's thread could not be started.
    #[error("the audit writer cannot be started: {0}")]
    Thread(Arc<io::Error>),
}

impl AuditError {
    /// Gives an answer of the operating system its place.
    pub(super) fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AuditError {
        move |why| AuditError::File { doing, path: path.to_owned(), why: Arc::new(why) }
    }
}
