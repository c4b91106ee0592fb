//! The life of the sidecar: load, open the log, listen, wait, drain, end.

use super::admin;
use super::beside::{self, Plan};
use super::config::{Config, ConfigError, credential};
use super::egress;
use super::http;
use super::layers::Places;
use super::load::{LoadError, anchors, load_to_serve, with_other_names};
use super::memory;
use super::model;
use super::notify::Notify;
use super::protect::Own;
use super::reload::{Cause, Reloader, Reloads, record};
use super::review::{self, Told};
use super::socket::{self, Rights};
use crate::audit::{AuditError, Journal, commitment_key_or_new};
use crate::gate::Gate;
use crate::limits::DRAIN_TIMEOUT;
use crate::model::record::{Kind, Record};
use crate::plane::hook::door::Door;
use crate::plane::hook::server::Server;
use crate::redact::{RedactError, Redactor};
use crate::session::RebuildError;
use crate::world::{Pinned, World};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

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
    /// It is not known what sessions did before.
    #[error("{0}")]
    Memory(#[from] RebuildError),
    /// The detectors in this binary cannot be read.
    #[error("{0}")]
    Redact(#[from] RedactError),
    /// It was told to stop a second time.
    #[error(
        "stopped at once by a second signal: what was in flight has no answer, which its clients \
         take for a denial"
    )]
    Hurried,
    /// The system refuses something.
    #[error("{0}: {1}")]
    System(&'static str, std::io::Error),
}

/// Runs the sidecar until it is told to stop; `announce` is called with its socket, and the link to
/// the review pages if there are any, once it listens.
///
/// # Errors
/// If it cannot start, or the log cannot be closed in good order.
pub fn serve(
    config: &Config,
    config_file: Option<&Path>,
    announce: &dyn Fn(&Path, Option<&str>),
) -> Result<(), ServiceError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("toolgate")
        .enable_all()
        .build()
        .map_err(|error| ServiceError::System("the runtime cannot start", error))?;
    let ended = runtime.block_on(run(config, config_file, announce));
    match &ended {
        Err(ServiceError::Hurried) => runtime.shutdown_background(),
        // A reload that is still under way is let go: nothing waits for it any more.
        Ok(()) | Err(_) => runtime.shutdown_timeout(DRAIN_TIMEOUT),
    }
    ended
}

/// Threads that serve sockets. Judging has threads of its own, so two keep every listener awake.
const WORKERS: usize = 2;

/// A sidecar that is listening.
pub struct Running {
    gate: Arc<Gate>,
    server: Arc<Server>,
    admin: Arc<admin::Server>,
    http: Option<http::Listening>,
    egress: Option<egress::Listening>,
    model: Option<model::Listening>,
    /// Where a person reviews the log.
    review_link: Option<String>,
    reloads: Reloads,
    notify: Notify,
    /// What begins something new.
    tasks: Vec<JoinHandle<()>>,
    /// What tells how it stands, to the end.
    telling: Vec<JoinHandle<()>>,
    socket: PathBuf,
    admin_socket: PathBuf,
}

async fn run(
    config: &Config,
    config_file: Option<&Path>,
    announce: &dyn Fn(&Path, Option<&str>),
) -> Result<(), ServiceError> {
    // Caught from the start on: as the first process of a container nothing else would stop us.
    let system = |error| ServiceError::System("signals cannot be caught", error);
    let mut terminate = signal(SignalKind::terminate()).map_err(system)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(system)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(system)?;
    let notify = Notify::from_environment();
    let running = start_telling(notify, config.hook.world()?, config, config_file).await?;
    if let Some(http) = &running.http {
        tracing::info!("answering HTTP hooks on {}", http.url);
    }
    announce(&running.socket, running.review_link.as_deref());
    running.notify.ready(&running.gate.in_force().policy.id);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => running.reloads.reload_soon(Cause::Sighup),
        }
    }
    tokio::select! {
        ended = running.stop() => ended,
        _ = terminate.recv() => Err(ServiceError::Hurried),
        _ = interrupt.recv() => Err(ServiceError::Hurried),
    }
}

/// Starts a sidecar: policy, log, sockets, in this order, so that nothing is answered unrecorded.
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
    start_telling(Notify::default(), world, config, config_file).await
}

async fn start_telling(
    notify: Notify,
    world: Arc<dyn World>,
    config: &Config,
    config_file: Option<&Path>,
) -> Result<Running, ServiceError> {
    let redactor = Redactor::shipped()?;
    let directory = audit_directory(config)?;
    let plan = Plan::of(&config.audit)?;
    let places = Places::of(config);
    let anchors = anchors(&config.policy, world.home(), &places.sources()?)?;
    config.hook.sees(&anchors.workspace)?;
    let anchors = with_other_names(anchors, &config.policy, world.as_ref());
    let world = Pinned::over(world, &anchors.workspace);
    let places = places.in_workspace(config, &anchors.workspace);
    let own = Own::of(config, &places, config_file, &directory)?;
    let sources = places.sources()?;
    let protected = own.protected();
    let unsigned_ok = config.policy.unsigned_ok;
    let bound = load_to_serve(&sources, anchors, &protected, &redactor, unsigned_ok)?;
    let key = commitment_key_or_new(&config.audit.commitment_key(&directory))?;
    let redactor = redactor.keeping(config.audit.keeping(key));
    let mut options = config.audit.options(redactor.clone())?;
    let publisher = plan.publish(&mut options)?;
    let retention = config.audit.retention.retention()?;
    let journal = Journal::open(&directory, options)?;
    let beside = plan.start((&directory, &config.audit), &journal, publisher)?;
    // After the journal has put the end of the log in order.
    let store = memory::of(&directory, &bound.policy, &redactor)?;
    let calls = memory::calls_under_way(&directory)?;
    let started = Record {
        details: vec![
            ("version", env!("CARGO_PKG_VERSION").into()),
            ("pid", std::process::id().into()),
            ("workspace", bound.anchors.workspace.to_string().into()),
        ],
        ..Record::new(Kind::ServiceStart)
    };
    tracing::info!(
        policy = %bound.policy.id.name,
        sha256 = %bound.policy.id.sha256,
        workspace = %bound.anchors.workspace,
        log = %directory.display(),
        "the policy is loaded"
    );
    let loaded = record::loaded(Cause::Start.as_str(), &bound, record::files(&sources), None);
    let gate = Gate::remembering(store, calls, bound, redactor.clone(), journal);
    gate.stand_beside(beside);
    gate.note(started).await?;
    record::keep(&directory, &sources);
    gate.note(loaded).await?;
    gate.remember().await?;
    let old = memory::keep_bounded(Arc::clone(&gate), directory.clone(), retention);
    let shown = (places.clone(), redactor.clone(), directory.clone());
    let files = (places, own);
    let (reloader, reloads) =
        Reloader::new(Arc::clone(&gate), files, (&sources, protected), redactor, &config.policy);
    let reloading = (reloader.telling(notify.clone()).keeping(directory), reloads);
    let mut running = listen((world, shown), config, gate, reloading, notify)?;
    running.tasks.push(tokio::spawn(old));
    Ok(running)
}

/// Opens the sockets, and serves.
fn listen(
    (world, shown): (Arc<dyn World>, (Places, Redactor, PathBuf)),
    config: &Config,
    gate: Arc<Gate>,
    (reloader, reloads): (Reloader, Reloads),
    notify: Notify,
) -> Result<Running, ServiceError> {
    let (socket, admin_socket) = (config.hook.socket.clone(), config.admin_socket()?);
    let hook = &config.hook;
    let rights = Rights { mode: hook.mode()?, owner: hook.owner, group: hook.group };
    let bounds = hook.bounds()?;
    let seen = Arc::clone(&world);
    let door = Arc::new(Door::new(Arc::clone(&gate), world));
    // First: it alone has a token that may be wrong, and leaves nothing behind then.
    let http = http::listen(&config.http, &door)?;
    let review = review::open(&config.review)?;
    let telling_listener = config.admin.listen()?.map(listen_http).transpose()?;
    let ours = [
        http.as_ref().and_then(|(listening, _)| listening.at),
        review.as_ref().map(review::Opened::at),
        telling_listener.as_ref().and_then(|listener| listener.local_addr().ok()),
    ];
    let ours: Vec<SocketAddr> = ours.into_iter().flatten().collect();
    let bindings = Arc::new(credential::bindings(&config.credential)?);
    let model = model::listen(config, &gate, &ours, &bindings)?;
    let at = model.as_ref().and_then(|(listening, _)| listening.at);
    let ours: Vec<SocketAddr> = ours.into_iter().chain(at).collect();
    let inside = || model::inside(config, &bindings, &shown.1);
    let egress = egress::listen(config, &gate, &ours, inside)?;
    let listener = socket::listen(&socket, rights, "--socket, or `socket` in `[hook]`")?;
    let admin_listener = socket::listen(&admin_socket, Rights::OURS, "`socket` in `[admin]`")?;
    let us = nix::unistd::geteuid().as_raw();
    let agents = match config.hook.allow_uid.as_slice() {
        [] => vec![us],
        named => named.to_vec(),
    };
    let operators = admin::operators(us, &agents);
    let server = Arc::new(Server::new(door, agents, bounds));
    let watched = (Arc::clone(&server), socket.clone());
    let over_http = http.as_ref().map(|(listening, _)| Arc::clone(&listening.server));
    let admin =
        admin::Server::new(Arc::clone(&gate), reloads.clone(), watched, over_http, operators);
    let mut tasks = vec![
        tokio::spawn(Arc::clone(&server).serve(listener)),
        tokio::spawn(reloader.run()),
        tokio::spawn(memory::keep_written(Arc::clone(&gate))),
        tokio::spawn(memory::sweep_calls(Arc::clone(&gate))),
    ];
    let http = http.map(|(listening, task)| {
        tasks.push(task);
        listening
    });
    tasks.push(tokio::spawn(bindings.keep_fresh()));
    let model = model.map(|(listening, task)| {
        tasks.push(task);
        listening
    });
    let egress = egress.map(|(listening, serving)| {
        admin.tell_of(&listening.plane);
        tasks.extend(serving);
        listening
    });
    let scraped = telling_listener.map(|listener| admin::serve_http(Arc::clone(&admin), listener));
    let mut telling = vec![
        tokio::spawn(Arc::clone(&admin).serve(admin_listener)),
        tokio::spawn(notify.clone().watch(Arc::clone(&admin))),
    ];
    telling.extend(scraped.map(tokio::spawn));
    let review_link = review.as_ref().map(review::Opened::link);
    if let Some(review) = review {
        let (places, redactor, dir) = shown;
        let (gate, admin) = (Arc::clone(&gate), Arc::clone(&admin));
        let told = Told { gate, admin, places, redactor, world: seen };
        telling.push(tokio::spawn(review.serve(&dir, told)?));
    }
    Ok(Running {
        gate,
        server,
        admin,
        http,
        egress,
        model,
        review_link,
        reloads,
        notify,
        tasks,
        telling,
        socket,
        admin_socket,
    })
}

/// Listens for those who scrape and probe over HTTP.
fn listen_http(address: SocketAddr) -> Result<TcpListener, ConfigError> {
    let listening = std::net::TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        tracing::info!(%address, "metrics and probes are answered over HTTP");
        TcpListener::from_std(listener)
    });
    listening.map_err(|error| {
        ConfigError::Value(format!("cannot listen at `{address}`, `listen` in `[admin]`: {error}"))
    })
}

impl Running {
    /// Where it listens for hooks.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Where it listens for operators.
    #[must_use]
    pub fn admin_socket(&self) -> &Path {
        &self.admin_socket
    }

    /// Stops listening, lets what is in flight end, and closes the log. Whoever asks how it stands
    /// is answered until then: it is not ready any more.
    ///
    /// # Errors
    /// If the log cannot be closed in good order.
    pub async fn stop(self) -> Result<(), ServiceError> {
        self.admin.stopping();
        self.notify.stopping();
        self.tasks.iter().for_each(JoinHandle::abort);
        let _ = std::fs::remove_file(&self.socket);
        if let Some(http) = &self.http {
            http.close();
        }
        let idle = async {
            self.server.idle().await;
            if let Some(model) = &self.model {
                model.close();
                model.gateway.stop().await;
            }
            if let Some(egress) = &self.egress {
                egress.close();
                egress.plane.stop().await;
            }
            if let Some(http) = &self.http {
                http.server.idle().await;
            }
        };
        if tokio::time::timeout(DRAIN_TIMEOUT, idle).await.is_err() {
            tracing::warn!("calls were still open at the end; their clients deny them");
        }
        self.telling.iter().for_each(JoinHandle::abort);
        let _ = std::fs::remove_file(&self.admin_socket);
        // On the disk before we go: this record is synced, and so is everything before it.
        let ended = self.gate.end().await;
        beside::stop(&self.gate).await;
        Ok(ended?)
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
