//! The life of the sidecar: load, open the log, listen, wait, drain, end.

use super::config::{Config, ConfigError, absolute};
use super::load::{LoadError, anchors, load, sources};
use super::socket;
use crate::audit::{AuditError, Journal, Options};
use crate::gate::Gate;
use crate::limits::DRAIN_TIMEOUT;
use crate::model::path::AbsPath;
use crate::model::record::{Kind, Record};
use crate::plane::hook::server::Server;
use crate::policy::builtin::Protected;
use crate::redact::{RedactError, Redactor};
use crate::world::World;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

/// Why the sidecar did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The configuration does not fit.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// There is no policy.
    #[error("{0}")]
    Load(#[from] LoadError),
    /// The log cannot be written.
    #[error("the log cannot be written: {0}")]
    Audit(#[from] AuditError),
    /// The detectors in this binary cannot be read.
    #[error("{0}")]
    Redact(#[from] RedactError),
    /// The system refuses something.
    #[error("{0}: {1}")]
    System(&'static str, std::io::Error),
}

/// Runs the sidecar until it is told to stop.
///
/// # Errors
/// If it cannot start, or the log cannot be closed in good order.
pub fn serve(config: &Config, config_file: Option<&Path>) -> Result<(), ServiceError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("toolgate")
        .enable_all()
        .build()
        .map_err(|error| ServiceError::System("the runtime cannot start", error))?;
    runtime.block_on(run(config, config_file))
}

/// Threads that serve sockets. Judging has threads of its own, so two keep every listener awake.
const WORKERS: usize = 2;

/// A sidecar that is listening.
pub struct Running {
    gate: Arc<Gate>,
    listening: tokio::task::JoinHandle<()>,
    server: Arc<Server>,
    socket: PathBuf,
}

async fn run(config: &Config, config_file: Option<&Path>) -> Result<(), ServiceError> {
    // Caught from the start on: as the first process of a container nothing else would stop us.
    let system = |error| ServiceError::System("signals cannot be caught", error);
    let mut terminate = signal(SignalKind::terminate()).map_err(system)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(system)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(system)?;
    let running = start(config, config_file).await?;
    eprintln!("listening on {}", running.socket.display());
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => {
                tracing::warn!("reloading is not in this version; restart to change the policy");
            }
        }
    }
    running.stop().await
}

/// Starts a sidecar: policy, log, socket, in this order, so that nothing is answered unrecorded.
///
/// # Errors
/// If any of them cannot be had.
pub async fn start(config: &Config, config_file: Option<&Path>) -> Result<Running, ServiceError> {
    start_in(config.hook.world()?, config, config_file).await
}

/// The same, for agents whose files are in `world`.
///
/// # Errors
/// As [`start`].
pub async fn start_in(
    world: Arc<dyn World>,
    config: &Config,
    config_file: Option<&Path>,
) -> Result<Running, ServiceError> {
    let redactor = Redactor::shipped()?;
    let directory = audit_directory(config)?;
    let sources = sources(&config.policy.files)?;
    let anchors = anchors(&config.policy, world.home(), &sources)?;
    let protected = protected(config, config_file, &directory);
    let bound = load(&sources, anchors, &protected, &redactor)?;
    let journal = Journal::open(&directory, Options::new(redactor.clone()))?;
    let policy = bound.policy.id.clone();
    let workspace = bound.anchors.workspace.to_string();
    let gate = Gate::new(bound, redactor, journal);
    let started = Record {
        details: vec![
            ("version", env!("CARGO_PKG_VERSION").into()),
            ("pid", std::process::id().into()),
            ("workspace", workspace.into()),
        ],
        ..Record::new(Kind::ServiceStart)
    };
    gate.note(started).await?;
    let loaded = Record {
        details: vec![
            ("policy", policy.name.into()),
            ("sha256", policy.sha256.into()),
            ("files", sources.iter().map(|source| source.name.as_str()).collect()),
        ],
        ..Record::new(Kind::PolicyLoad)
    };
    gate.note(loaded).await?;
    let listener = socket::listen(&config.hook)?;
    let allow_uid = match config.hook.allow_uid.as_slice() {
        [] => vec![nix::unistd::geteuid().as_raw()],
        named => named.to_vec(),
    };
    let server = Arc::new(Server::new(Arc::clone(&gate), world, allow_uid));
    let listening = tokio::spawn(Arc::clone(&server).serve(listener));
    Ok(Running { gate, listening, server, socket: config.hook.socket.clone() })
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Stops listening, lets what is in flight end, and closes the log.
    ///
    /// # Errors
    /// If the log cannot be closed in good order.
    pub async fn stop(self) -> Result<(), ServiceError> {
        self.listening.abort();
        let _ = std::fs::remove_file(&self.socket);
        if tokio::time::timeout(DRAIN_TIMEOUT, self.server.idle()).await.is_err() {
            tracing::warn!("calls were still open at the end; their clients deny them");
        }
        // On the disk before we go: this record is synced, and so is everything before it.
        Ok(self.gate.note(Record::new(Kind::ServiceStop)).await?)
    }
}

/// Where the log goes if nobody says: the state directory of the service, or of the user.
///
/// # Errors
/// If there is no home directory to put it in.
pub fn audit_directory(config: &Config) -> Result<PathBuf, ConfigError> {
    if let Some(directory) = &config.audit.dir {
        return Ok(directory.clone());
    }
    if nix::unistd::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/toolgate/audit"));
    }
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    match state.or_else(home).filter(|base| base.is_absolute()) {
        Some(base) => Ok(base.join("toolgate/audit")),
        None => Err(ConfigError::Value("say where the log goes, with --audit DIR".to_owned())),
    }
}

/// What belongs to us on this machine, for the floor that no policy can switch off.
fn protected(config: &Config, config_file: Option<&Path>, audit: &Path) -> Protected {
    let real = |path: &Path| -> Option<AbsPath> {
        let path = path.canonicalize().or_else(|_| std::path::absolute(path)).ok()?;
        absolute(&path).ok()
    };
    let program = std::env::current_exe().ok();
    let files = config.policy.files.iter().map(PathBuf::as_path);
    let paths = files.chain(config_file).chain([audit]).chain(program.as_deref());
    Protected {
        paths: paths.filter_map(real).collect(),
        sockets: absolute(&config.hook.socket).into_iter().collect(),
    }
}
