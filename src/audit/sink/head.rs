//! Sends each signed head of the log away, where it shows a log that was cut off or written anew.
//!
//! A head says all that the ones before it said, so that where one cannot be sent in time the
//! newest wins. Nothing waits for any of it; what fails is tried again, and told of.

use super::cursor::replace;
use super::deliver::Refused;
use super::http::{HttpTarget, Poster};
use super::lock;
use crate::audit::error::AuditError;
use crate::audit::proof::SignedHead;
use crate::limits::{HEAD_TRIES_MAX, SINK_RETRY_MAX};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

/// The first wait after a failure; each further one is twice as long.
const RETRY_MIN: Duration = Duration::from_millis(100);

/// Where heads go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeadTarget {
    /// Standard output, the note as it stands and an empty line.
    Stdout,
    /// A file that holds the newest one, or all of them behind each other.
    File {
        /// The file.
        path: PathBuf,
        /// Whether older ones stay.
        append: bool,
    },
    /// A URL that each is posted to.
    Http(HttpTarget),
}

impl std::fmt::Display for HeadTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HeadTarget::Stdout => f.write_str("stdout"),
            HeadTarget::File { path, .. } => write!(f, "file:{}", path.display()),
            HeadTarget::Http(HttpTarget { url, .. }) => f.write_str(url),
        }
    }
}

/// How a target of heads stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeadStanding {
    /// Which one.
    pub to: String,
    /// The stream and size of the newest head that arrived there.
    pub sent: Option<(String, u64)>,
    /// Heads that did, since the start.
    pub count: u64,
    /// Heads that were given up, or passed over for a newer one.
    pub passed: u64,
    /// Why the last one did not, if it did not.
    pub failure: Option<String>,
}

/// Sends heads to all targets.
#[derive(Debug)]
pub struct Publisher {
    desks: Vec<Arc<Desk>>,
}

/// One target: the newest head that waits, and how it stands.
#[derive(Debug, Default)]
struct Desk {
    waits: Mutex<(Option<SignedHead>, bool)>,
    came: Condvar,
    standing: Mutex<HeadStanding>,
}

impl Publisher {
    /// Sends what comes from `heads` until its other end is gone.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn start(
        targets: &[HeadTarget],
        heads: mpsc::Receiver<SignedHead>,
    ) -> Result<Arc<Publisher>, AuditError> {
        let spawn = |name: String, work: Box<dyn FnOnce() + Send>| {
            let spawned = std::thread::Builder::new().name(name).spawn(work);
            spawned.map(drop).map_err(|why| AuditError::Thread(Arc::new(why)))
        };
        let mut desks = Vec::new();
        for (number, target) in targets.iter().enumerate() {
            let standing = HeadStanding { to: target.to_string(), ..HeadStanding::default() };
            let desk = Arc::new(Desk { standing: Mutex::new(standing), ..Desk::default() });
            let (served, to) = (Arc::clone(&desk), Sender::of(target));
            spawn(format!("heads-{number}"), Box::new(move || served.serve(&to)))?;
            desks.push(desk);
        }
        let all = desks.clone();
        spawn("heads".to_owned(), Box::new(move || hand_out(heads, &all)))?;
        Ok(Arc::new(Publisher { desks }))
    }

    /// How each target stands.
    #[must_use]
    pub fn standing(&self) -> Vec<HeadStanding> {
        self.desks.iter().map(|desk| lock(&desk.standing).clone()).collect()
    }
}

fn hand_out(mut heads: mpsc::Receiver<SignedHead>, desks: &[Arc<Desk>]) {
    while let Some(head) = heads.blocking_recv() {
        for desk in desks {
            desk.put(head.clone());
        }
    }
    for desk in desks {
        lock(&desk.waits).1 = true;
        desk.came.notify_all();
    }
}

impl Desk {
    /// The newest head takes the place of the one that waits.
    fn put(&self, head: SignedHead) {
        if lock(&self.waits).0.replace(head).is_some() {
            lock(&self.standing).passed += 1;
        }
        self.came.notify_all();
    }

    /// The next head; nothing when no more will come.
    fn next(&self) -> Option<SignedHead> {
        let mut waits = lock(&self.waits);
        loop {
            if let Some(head) = waits.0.take() {
                return Some(head);
            }
            if waits.1 {
                return None;
            }
            waits = self.came.wait(waits).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    /// Whether a newer head waits, or none will come; waits for that for as long as `time`.
    fn wait_for_newer(&self, time: Duration) -> bool {
        let waits = lock(&self.waits);
        let nothing = |waits: &mut (Option<SignedHead>, bool)| waits.0.is_none() && !waits.1;
        let waited = self.came.wait_timeout_while(waits, time, nothing);
        let waits = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        waits.0.is_some() || waits.1
    }

    fn serve(&self, to: &Sender) {
        while let Some(head) = self.next() {
            let mut wait = RETRY_MIN;
            for tries in 1..=HEAD_TRIES_MAX {
                let Err(refused) = to.send(&head) else {
                    self.sent(&head);
                    break;
                };
                self.failed(&refused.why);
                let asked = refused.wait.unwrap_or(wait).clamp(RETRY_MIN, SINK_RETRY_MAX);
                if tries == HEAD_TRIES_MAX || self.wait_for_newer(asked) {
                    lock(&self.standing).passed += 1;
                    break;
                }
                wait *= 2;
            }
        }
    }

    fn sent(&self, head: &SignedHead) {
        let mut standing = lock(&self.standing);
        standing.sent = Some((head.stream.to_string(), head.size));
        standing.count += 1;
        standing.failure = None;
    }

    fn failed(&self, why: &str) {
        let mut standing = lock(&self.standing);
        if standing.failure.as_deref() != Some(why) {
            tracing::warn!(to = %standing.to, %why, "a head of the log could not be sent");
        }
        standing.failure = Some(why.to_owned());
    }
}

/// What sends to one target.
enum Sender {
    Stdout,
    File { path: PathBuf, append: bool },
    Http(Poster),
}

impl Sender {
    fn of(target: &HeadTarget) -> Sender {
        match target.clone() {
            HeadTarget::Stdout => Sender::Stdout,
            HeadTarget::File { path, append } => Sender::File { path, append },
            HeadTarget::Http(target) => Sender::Http(Poster::new(target)),
        }
    }

    fn send(&self, head: &SignedHead) -> Result<(), Refused> {
        match self {
            Sender::Stdout => {
                let mut out = std::io::stdout().lock();
                let written = writeln!(out, "{}", head.note).and_then(|()| out.flush());
                written.map_err(|why| format!("standard output: {why}").into())
            }
            Sender::File { path, append } => {
                let written = match append {
                    true => add(path, &head.note),
                    false => replace(path, head.note.as_bytes()).and_then(|()| sync_parent(path)),
                };
                written.map_err(|why| format!("{}: {why}", path.display()).into())
            }
            Sender::Http(poster) => {
                poster.post("text/plain; charset=utf-8", head.note.as_bytes()).map(drop)
            }
        }
    }
}

/// Appends a note and an empty line behind it.
fn add(path: &Path, note: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(format!("{note}\n").as_bytes())?;
    file.sync_data()
}

fn sync_parent(path: &Path) -> std::io::Result<()> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}
