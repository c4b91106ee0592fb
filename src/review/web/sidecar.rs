//! What pages ask of the running sidecar. The service answers; it may not hold anything up.

use crate::audit::wire::WireRecord;
use crate::review::decision::Again;
use std::future::Future;
use std::pin::Pin;

/// The sidecar, as it tells of itself.
pub trait Sidecar: Send + Sync + 'static {
    /// How it stands.
    fn standing(&self) -> Pin<Box<dyn Future<Output = Standing> + Send + '_>>;

    /// The policy in force as a grid; it may take a moment, so it is not asked on an async thread.
    ///
    /// # Errors
    /// In words, if it cannot be shown.
    fn grid(&self) -> Result<Grid, String>;

    /// The text of one of the policy's files, if it still has this digest.
    fn policy_text(&self, sha256: &str) -> Option<String>;

    /// What the policy in force says of a recorded call; it may take a moment, too.
    fn ask_again(&self, record: &WireRecord) -> Again;
}

/// How the sidecar stands.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// For how long it has run.
    pub uptime_s: u64,
    /// Whether it judges and records.
    pub ready: bool,
    /// Why not.
    pub problems: Vec<String>,
    /// What an operator should look at.
    pub warnings: Vec<String>,
    /// `name@version` of the policy in force.
    pub policy: String,
    /// Its digest.
    pub policy_sha256: String,
    /// The newest record: stream, number, hash.
    pub head: Option<(String, u64, String)>,
    /// When the newest signed head was made, in microseconds since 1970.
    pub signed_head: Option<i64>,
    /// Why the log failed, if it did.
    pub log_failure: Option<String>,
    /// Records that are not on the disk yet.
    pub waiting: usize,
    /// Free bytes and all bytes of the log's file system.
    pub space: Option<(u64, u64)>,
    /// Records that were lost.
    pub lost: u64,
    /// Where the log goes besides its files.
    pub sinks: Vec<SinkStanding>,
    /// Open connections of each listener.
    pub connections: Vec<(&'static str, usize)>,
    /// Sessions that are remembered.
    pub sessions: usize,
}

/// How one sink stands.
#[derive(Debug, Clone, Default)]
pub struct SinkStanding {
    /// Its name.
    pub name: String,
    /// What it is: `syslog`, `otlp`, `head`.
    pub kind: String,
    /// Whether calls depend on it.
    pub required: bool,
    /// Whether it takes what it is given.
    pub state: SinkState,
    /// In words: how far behind, or what is wrong.
    pub told: String,
}

/// Whether a sink takes what it is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SinkState {
    /// It does.
    #[default]
    Well,
    /// It does, but later than it should.
    Behind,
    /// It does not.
    Failing,
}

/// The merged policy as a table.
#[derive(Debug, Clone, Default)]
pub struct Grid {
    /// `name@version`.
    pub name: String,
    /// Its digest.
    pub sha256: String,
    /// Its layers.
    pub layers: Vec<GridLayer>,
    /// Its rows.
    pub rows: Vec<GridRow>,
    /// What should be known of it.
    pub notices: Vec<String>,
}

/// One layer.
#[derive(Debug, Clone, Default)]
pub struct GridLayer {
    /// `org`, `user`, `project`.
    pub name: String,
    /// What it may do.
    pub power: String,
    /// What counts where no rule speaks.
    pub default: String,
    /// Its files.
    pub files: Vec<String>,
}

/// One rule's say on one pattern.
#[derive(Debug, Clone, Default)]
pub struct GridRow {
    /// The verb.
    pub verb: String,
    /// What it says.
    pub effect: String,
    /// The pattern as written.
    pub pattern: String,
    /// Whose it is.
    pub layer: String,
    /// The rule's id, as records name it.
    pub rule: String,
    /// It is an entry of the grid, whose id says nothing more.
    pub of_grid: bool,
    /// The file.
    pub file: String,
    /// The line in it.
    pub line: usize,
    /// What it says besides.
    pub besides: Vec<String>,
    /// Why it is not in force.
    pub ignored: Option<String>,
}
