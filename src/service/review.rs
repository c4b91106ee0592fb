//! The review pages of a running sidecar: opening their listener, and what they are told of it.

use super::admin;
use super::config::ConfigError;
use super::config::review::Review;
use super::layers::Places;
use super::load;
use crate::audit::Beside;
use crate::audit::wire::WireRecord;
use crate::author::explain::{Explainer, Written};
use crate::author::show::Shown;
use crate::gate::Gate;
use crate::policy::builtin::Protected;
use crate::policy::compile;
use crate::redact::Redactor;
use crate::review::decision::{Again, ask};
use crate::review::web::{
    self, Grid, GridLayer, GridRow, Sidecar, SinkStanding, SinkState, Standing, Web,
};
use crate::world::World;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use tokio::net::TcpListener;

/// A listener that is open, but answers nobody yet.
pub(super) struct Opened {
    listener: TcpListener,
    at: std::net::SocketAddr,
    token: String,
    /// The file that the token is read from, if it is not made at this start.
    file: Option<PathBuf>,
    hosts: Vec<String>,
}

/// Opens the listener of the pages, if the operator asked for them.
///
/// # Errors
/// If the address or the token cannot be used.
pub(super) fn open(review: &Review) -> Result<Option<Opened>, ConfigError> {
    let Some(address) = review.listen()? else { return Ok(None) };
    let token = match review.token()? {
        Some(token) => token,
        None => web::random().map_err(|error| {
            ConfigError::Value(format!("no token for the review pages can be made: {error}"))
        })?,
    };
    let listening = std::net::TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        let at = listener.local_addr()?;
        Ok((TcpListener::from_std(listener)?, at))
    });
    let (listener, at) = listening.map_err(|error| {
        ConfigError::Value(format!("cannot listen at `{address}`, `listen` in `[review]`: {error}"))
    })?;
    let (file, hosts) = (review.token_file.clone(), review.hosts.clone());
    Ok(Some(Opened { listener, at, token, file, hosts }))
}

impl Opened {
    /// Where it listens.
    pub(super) fn at(&self) -> std::net::SocketAddr {
        self.at
    }

    /// Where a person opens the pages. Whoever has it may look. A token that outlives this start
    /// is not told: what a service says is kept where others read it.
    pub(super) fn link(&self) -> String {
        match &self.file {
            None => format!("http://{}/login?token={}", self.at, self.token),
            Some(file) => {
                format!("http://{}/login?token=... with the token of {}", self.at, file.display())
            }
        }
    }

    /// Serves, for the log in `dir`.
    ///
    /// # Errors
    /// If the system has no random bytes.
    pub(super) fn serve(
        self,
        dir: &Path,
        told: Told,
    ) -> Result<impl Future<Output = ()> + Send + 'static, ConfigError> {
        let web = Web::new(dir, Arc::new(told), &self.token, self.at, &self.hosts);
        let web = web.map_err(|error| {
            ConfigError::Value(format!("the review pages cannot start: {error}"))
        })?;
        Ok(web::serve(web, self.listener))
    }
}

/// What the pages are told of the sidecar.
pub(super) struct Told {
    pub(super) gate: Arc<Gate>,
    pub(super) admin: Arc<admin::Server>,
    pub(super) places: Places,
    pub(super) redactor: Redactor,
    pub(super) world: Arc<dyn World>,
}

impl Sidecar for Told {
    fn standing(&self) -> Pin<Box<dyn Future<Output = Standing> + Send + '_>> {
        Box::pin(async {
            let health = self.admin.health().await;
            let status = self.admin.status();
            let log = self.gate.log_standing();
            let head = log.head;
            Standing {
                version: status.version,
                pid: status.pid,
                uptime_s: status.uptime_s,
                ready: health.ready,
                problems: health.problems,
                warnings: health.warnings,
                policy: status.policy.name,
                policy_sha256: status.policy.sha256,
                head: head.map(|head| (head.stream.to_string(), head.seq, head.hash.to_string())),
                log_failure: status.audit.failure,
                waiting: usize::try_from(log.waiting.records).unwrap_or(usize::MAX),
                space: log.space.map(|space| (space.free, space.total)),
                lost: log.counts.lost,
                signed_head: log.checkpoint.map(jiff::Timestamp::as_microsecond),
                sinks: self.gate.stands_beside().map(sinks).unwrap_or_default(),
                connections: vec![
                    ("hook", status.connections.hook),
                    ("admin", status.connections.admin),
                ],
                sessions: self.gate.sessions(),
            }
        })
    }

    fn grid(&self) -> Result<Grid, String> {
        let bound = self.gate.in_force();
        let sources = self.places.sources().map_err(|error| error.to_string())?;
        let compiled = compile(&sources, &bound.anchors, &Protected::default());
        let policy = compiled.policy.as_ref().ok_or("the policy's files do not load any more")?;
        let shown =
            Shown { sources: &sources, compiled: &compiled, policy, redactor: &self.redactor };
        let mut notices = policy.notices.clone();
        if policy.id.sha256 != bound.policy.id.sha256 {
            notices.push(
                "the files hold another policy than the one in force; the grid shows the files"
                    .to_owned(),
            );
        }
        Ok(Grid {
            name: policy.id.name.clone(),
            sha256: policy.id.sha256.clone(),
            layers: layers(&shown),
            rows: shown.rows().into_iter().map(row).collect(),
            notices,
        })
    }

    fn policy_text(&self, sha256: &str) -> Option<String> {
        let sources = self.places.sources().ok()?;
        sources.into_iter().find(|source| load::sha256(source) == sha256).map(|one| one.text)
    }

    fn ask_again(&self, record: &WireRecord) -> Again {
        let bound = self.gate.in_force();
        // What stands in its rules is told from the files, as far as they are still those.
        let written = self.places.sources().map_or_else(
            |_| Vec::new(),
            |sources| compile(&sources, &bound.anchors, &Protected::default()).written,
        );
        let explainer = Explainer {
            bound: &bound,
            written: Written::of(&written),
            world: self.world.as_ref(),
            redactor: &self.redactor,
        };
        ask(record, &explainer)
    }
}

/// Where the log goes besides its files: sinks of records, and targets of signed heads.
fn sinks(beside: &Beside) -> Vec<SinkStanding> {
    let records = beside.sinks.iter().flat_map(|sinks| sinks.standing()).map(|sink| {
        let state = match (&sink.failure, sink.late) {
            (Some(_), _) => SinkState::Failing,
            (None, true) => SinkState::Behind,
            (None, false) => SinkState::Well,
        };
        let behind = match sink.behind {
            0 => "has all".to_owned(),
            many => format!("{many} records and {} ms behind", sink.behind_for.as_millis()),
        };
        let failed = sink.failure.map(|why| format!(": {why}")).unwrap_or_default();
        let skipped = match sink.skipped {
            0 => String::new(),
            many => format!("; did not get {many} records"),
        };
        SinkStanding {
            name: sink.name,
            kind: sink.kind.to_owned(),
            required: sink.required,
            state,
            told: format!("{behind}{failed}{skipped}"),
        }
    });
    let heads = beside.publisher.iter().flat_map(|publisher| publisher.standing()).map(|head| {
        let sent = head.sent.map_or_else(
            || "no head has arrived yet".to_owned(),
            |(_, size)| format!("has the head over {size} records"),
        );
        let failed = head.failure.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        SinkStanding {
            name: head.to,
            kind: "signed heads".to_owned(),
            required: false,
            state: if head.failure.is_some() { SinkState::Failing } else { SinkState::Well },
            told: format!("{sent}{failed}"),
        }
    });
    records.chain(heads).collect()
}

/// The layers of a policy.
fn layers(shown: &Shown<'_>) -> Vec<GridLayer> {
    let layer = |layer: &crate::policy::rule::Layer| {
        let files = shown.files().filter(|(kind, ..)| *kind == layer.kind);
        GridLayer {
            name: layer.kind.as_str().to_owned(),
            power: layer.power.as_str().to_owned(),
            default: layer.default.verdict().to_string(),
            files: files.map(|(_, source, ..)| source.name.clone()).collect(),
        }
    };
    shown.policy.layers.iter().map(layer).collect()
}

fn row(row: crate::author::show::Row) -> GridRow {
    GridRow {
        verb: row.verb.to_owned(),
        effect: row.effect.to_owned(),
        pattern: row.pattern,
        layer: row.layer.to_owned(),
        rule: row.rule,
        of_grid: row.of_grid,
        file: row.file,
        line: row.line,
        besides: row.conditions,
        ignored: row.ignored.map(str::to_owned),
    }
}
