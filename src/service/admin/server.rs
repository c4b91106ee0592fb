//! The sidecar's side of the admin socket.
//!
//! One connection, one request, one answer. Whoever may not speak, says something unreadable, or
//! is slow, is told so and recorded, and the server goes on.

use super::log;
use super::protocol::{
    Audit, Connections, Erase, Erased, Health, Layer, Policy, Reload, Reloaded, Reply, Request,
    Status,
};
use crate::audit::{Beside, Hash, NAMES_ERASED_MAX, Waiting};
use crate::gate::{Bound, Gate};
use crate::limits::{
    ADMIN_CONNECTIONS_MAX, ADMIN_LAYERS_MAX, ADMIN_LINE_BYTES_MAX, ADMIN_NAME_BYTES_MAX,
    ADMIN_TIMEOUT, JOURNAL_TIMEOUT,
};
use crate::metrics::Now;
use crate::model::record::{Kind, Record};
use crate::plane::egress::server::Egress;
use crate::plane::hook::http::Server as HttpServer;
use crate::plane::hook::server::Server as HookServer;
use crate::service::beside::{counted, told};
use crate::service::load::clip;
use crate::service::reload::{Attempt, Cause, Outcome, Reloads};
use crate::service::socket::identity;
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The admin socket and what it tells of.
pub(in crate::service) struct Server {
    gate: Arc<Gate>,
    reloads: Reloads,
    hook: Arc<HookServer>,
    http: Option<Arc<HttpServer>>,
    egress: OnceLock<Arc<Egress>>,
    /// The hook socket, and which one it was when it was made.
    hook_socket: (PathBuf, Option<(u64, u64)>),
    allow_uid: Vec<u32>,
    started: (Instant, Timestamp),
    /// Set when the sidecar begins to stop.
    stopping: AtomicBool,
    places: Arc<Semaphore>,
}

/// The users who may speak: our own and root, but none of another user whose agents are served,
/// since such a user's tools would come in here.
pub(in crate::service) fn operators(own: u32, agents: &[u32]) -> Vec<u32> {
    [own, 0].into_iter().filter(|uid| *uid == own || !agents.contains(uid)).collect()
}

impl Server {
    /// Tells of this gate, its reloads and its hook server.
    pub(in crate::service) fn new(
        gate: Arc<Gate>,
        reloads: Reloads,
        (hook, hook_socket): (Arc<HookServer>, PathBuf),
        http: Option<Arc<HttpServer>>,
        allow_uid: Vec<u32>,
    ) -> Arc<Server> {
        let made = identity(&hook_socket);
        Arc::new(Server {
            gate,
            reloads,
            hook,
            http,
            egress: OnceLock::new(),
            hook_socket: (hook_socket, made),
            allow_uid,
            started: (Instant::now(), Timestamp::now()),
            stopping: AtomicBool::new(false),
            places: Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX)),
        })
    }

    /// Tells of the network plane too.
    pub(in crate::service) fn tell_of(&self, egress: &Arc<Egress>) {
        // A second one would be a bug of the start; the first one holds.
        let _ = self.egress.set(Arc::clone(egress));
    }

    /// From now on the sidecar is not ready: it ends what is in flight and takes nothing new.
    pub(in crate::service) fn stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Serves until the task is dropped.
    pub(in crate::service) async fn serve(self: Arc<Self>, listener: UnixListener) {
        loop {
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let server = Arc::clone(&self);
                    tokio::spawn(async move {
                        server.connection(stream).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    // Out of descriptors, most likely: give the connections time to end.
                    tracing::warn!(%error, "the admin socket could not accept");
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
            }
        }
    }

    async fn connection(&self, mut stream: UnixStream) {
        let reply = match stream.peer_cred() {
            Ok(peer) if self.allow_uid.contains(&peer.uid()) => {
                self.request(&mut stream, peer.uid()).await
            }
            Ok(peer) => {
                self.bad_input("a user who may not speak to the admin socket", peer.uid()).await;
                Reply::Error("this user may not speak to the guard's admin socket".to_owned())
            }
            Err(_) => Reply::Error("the guard cannot see who is speaking".to_owned()),
        };
        // Whoever hangs up or does not read needs no answer.
        let line = reply.to_line();
        let _ = timeout(ADMIN_TIMEOUT, stream.write_all(&line)).await;
        let _ = stream.shutdown().await;
    }

    async fn request(&self, stream: &mut UnixStream, uid: u32) -> Reply {
        let line = match timeout(ADMIN_TIMEOUT, read_line(stream)).await {
            Ok(line) => line,
            Err(_) => Err("the request did not arrive in time".to_owned()),
        };
        match line.and_then(|line| Request::parse(&line)) {
            Ok(Request::Status) => Reply::Status(Box::new(self.status())),
            Ok(Request::Health) => Reply::Health(self.health().await),
            Ok(Request::Metrics) => self.metrics().await.map_or_else(Reply::Error, Reply::Metrics),
            Ok(Request::Reload) => match self.reloads.reload(Cause::Command).await {
                Ok(attempt) => Reply::Reload(reload(&attempt)),
                Err(why) => Reply::Error(why),
            },
            Ok(Request::Label(change)) => match self.gate.label(change.wished(uid)).await {
                Ok(()) => Reply::Label(change),
                Err(why) => Reply::Error(why),
            },
            Ok(Request::Erase(wish)) => match self.erase(&wish, uid).await {
                Ok(done) => Reply::Erased(done),
                Err(why) => Reply::Error(why),
            },
            Err(why) => {
                self.bad_input(&why, uid).await;
                Reply::Error(why)
            }
        }
    }

    async fn erase(&self, wish: &Erase, by: u32) -> Result<Erased, String> {
        let names: Option<Vec<Hash>> = wish.texts.iter().map(|name| Hash::parse(name)).collect();
        let names = names.filter(|names| names.len() <= NAMES_ERASED_MAX);
        let names = names.ok_or("these are no names of texts, or too many at once")?;
        let done = self.gate.erase(&names, (by, name(&wish.why).as_str())).await?;
        Ok(Erased { texts: done.texts, bytes: done.bytes })
    }

    /// How it stands.
    pub(in crate::service) fn status(&self) -> Status {
        let bound = self.gate.in_force();
        let standing = self.reloads.standing();
        let layers = &bound.policy.layers;
        let layer = |layer: &crate::policy::rule::Layer| Layer {
            name: name(&layer.name),
            rules: layer.rules.len(),
        };
        let log = self.gate.log_standing();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_s: self.started.0.elapsed().as_secs(),
            policy: Policy {
                name: name(&bound.policy.id.name),
                sha256: bound.policy.id.sha256.clone(),
                loaded_at: format!("{:.3}", standing.loaded_at),
                layers: layers.iter().take(ADMIN_LAYERS_MAX).map(layer).collect(),
                layers_more: layers.len().saturating_sub(ADMIN_LAYERS_MAX),
                unsigned: notices(&bound).collect(),
            },
            reload: standing.last.as_ref().map(reload),
            audit: Audit { dir: self.gate.log_directory(), ..log::status(log) },
            connections: Connections {
                hook: self.hook.connections(),
                egress: self.egress.get().map(|egress| egress.connections()),
                admin: self.connections(),
            },
        }
    }

    /// How many operators are being served.
    fn connections(&self) -> usize {
        // The place that waits for the next connection serves none.
        ADMIN_CONNECTIONS_MAX.saturating_sub(self.places.available_permits() + 1)
    }

    /// The text of all metrics.
    pub(super) async fn metrics(&self) -> Result<String, String> {
        let ready = self.health().await.ready;
        let standing = self.gate.log_standing();
        let failures = log::failures(&standing);
        let (sinks, heads_failing) = self.gate.stands_beside().map(counted).unwrap_or_default();
        let now = Now {
            version: env!("CARGO_PKG_VERSION"),
            started: self.started.1.as_duration().as_secs_f64(),
            policy: &self.gate.in_force().policy.id,
            ready,
            log: log::counted(&standing, &failures),
            sessions: self.gate.sessions(),
            connections: &[
                ("hook", self.hook.connections()),
                ("http", self.http.as_ref().map_or(0, |http| http.connections())),
                ("egress", self.egress.get().map_or(0, |egress| egress.connections())),
                ("admin", self.connections()),
            ],
            sinks: &sinks,
            heads_failing,
            texts_not_kept: self.gate.stands_beside().map_or(0, Beside::not_kept),
        };
        self.gate.metrics().text(&now).map_err(|error| error.to_string())
    }

    /// Whether calls can be judged and recorded, and what an operator should look at.
    pub(in crate::service) async fn health(&self) -> Health {
        let mut problems = self.problems().await;
        if self.stopping.load(Ordering::Relaxed) {
            problems.push("the sidecar is stopping".to_owned());
        }
        let refused = |attempt: Attempt| match attempt.outcome {
            Outcome::Refused(why) => {
                let why = why.lines().next().unwrap_or_default().to_owned();
                Some(format!("the policy's files were refused, the old policy stays: {why}"))
            }
            Outcome::Loaded | Outcome::Unchanged => None,
        };
        let mut warnings: Vec<String> = notices(&self.gate.in_force()).collect();
        warnings.extend(self.reloads.standing().last.and_then(refused));
        warnings.extend(log::warnings(&self.gate.log_standing()));
        warnings.extend(self.egress.get().into_iter().flat_map(|egress| egress.warnings()));
        let mut health = Health { ready: problems.is_empty(), problems, warnings };
        if let Some(beside) = self.gate.stands_beside() {
            told(beside, &mut health);
        }
        health
    }

    /// That it lives: the threads that judge do.
    ///
    /// # Errors
    /// In words, if they do not.
    pub(super) async fn liveness(&self) -> Result<(), &'static str> {
        self.gate.self_check().await
    }

    /// Why calls cannot be judged or recorded in a sidecar that nobody told to stop.
    async fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> = self.log_problem().into_iter().collect();
        problems.extend(self.stuck().await);
        problems
    }

    /// Why nothing can be recorded now. The log is tried again by itself, and a new start would
    /// only lose what is kept in memory.
    pub(in crate::service) fn log_problem(&self) -> Option<String> {
        self.gate.log_failure().map(|error| format!("the log failed: {error}"))
    }

    /// What else stands against it. A new start may help against each.
    pub(in crate::service) async fn stuck(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let Waiting { records, oldest } = self.gate.log_waiting();
        if oldest > JOURNAL_TIMEOUT && self.log_problem().is_none() {
            let seconds = oldest.as_secs();
            problems.push(format!("the disk holds up the log: {records} records, {seconds} s"));
        }
        let (path, made) = &self.hook_socket;
        // While it stops, the socket is gone because it was taken away.
        let is_ours = made.is_some() && identity(path) == *made;
        if !is_ours && !self.stopping.load(Ordering::Relaxed) {
            problems.push(format!(
                "the hook socket `{}` was removed or replaced; restart the sidecar",
                path.display()
            ));
        }
        problems.extend(self.liveness().await.err().map(str::to_owned));
        problems
    }

    async fn bad_input(&self, why: &str, uid: u32) {
        let details =
            vec![("why", why.into()), ("peer_uid", uid.into()), ("socket", "admin".into())];
        let record = Record { details, ..Record::new(Kind::BadInput) };
        if let Err(error) = self.gate.note(record).await {
            // The refusal stands either way.
            tracing::error!(%error, "a refused request could not be recorded");
        }
    }
}

/// The one line of a request, without its end.
async fn read_line(stream: &mut UnixStream) -> Result<Vec<u8>, String> {
    let mut line = Vec::new();
    loop {
        if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            if end + 1 < line.len() {
                return Err("a request is one line, and nothing comes after it".to_owned());
            }
            line.truncate(end);
            return Ok(line);
        }
        if line.len() >= ADMIN_LINE_BYTES_MAX {
            return Err("the request is too long".to_owned());
        }
        let room = ADMIN_LINE_BYTES_MAX - line.len();
        let mut limited = (&mut *stream).take(u64::try_from(room).unwrap_or(u64::MAX));
        if !matches!(limited.read_buf(&mut line).await, Ok(1..)) {
            return Err("the request is cut short".to_owned());
        }
    }
}

/// Signatures that were not checked.
fn notices(bound: &Bound) -> impl Iterator<Item = String> {
    bound.policy.notices.iter().take(ADMIN_LAYERS_MAX).map(|notice| name(notice))
}

fn reload(attempt: &Attempt) -> Reload {
    let (outcome, why) = match &attempt.outcome {
        Outcome::Loaded => (Reloaded::Loaded, None),
        Outcome::Unchanged => (Reloaded::Unchanged, None),
        Outcome::Refused(why) => (Reloaded::Refused, Some(why.clone())),
    };
    Reload {
        at: format!("{:.3}", attempt.at),
        cause: attempt.cause.clone(),
        outcome,
        policy: name(&attempt.policy.name),
        sha256: attempt.policy.sha256.clone(),
        why,
    }
}

/// A name that nobody bounded, as far as it fits.
fn name(text: &str) -> String {
    clip(text, ADMIN_NAME_BYTES_MAX).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_agents_user_is_an_operator_but_our_own() {
        let cases: [(u32, &[u32], &[u32]); 6] = [
            (990, &[10_002], &[990, 0]),
            (990, &[990], &[990, 0]),
            // An agent that is root in its container is no operator.
            (990, &[0], &[990]),
            (990, &[0, 990], &[990]),
            (0, &[10_002], &[0, 0]),
            (0, &[0], &[0, 0]),
        ];
        for (own, agents, expected) in cases {
            assert_eq!(operators(own, agents), expected, "{own} {agents:?}");
        }
    }
}
