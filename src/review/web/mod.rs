//! The pages on which the log is reviewed, served by `toolgate serve`.
//!
//! They only tell: no request changes anything. Whoever looks has shown the token that is printed
//! at the start. Pages are made on threads beside those that decide, few at a time, by
//! asking `audit::query`; what is held in memory for that is bounded, and given up when nobody
//! looks any more. No decision waits for any of it.
//! Everything that a record says is hostile: `review::visible` makes it harmless, the template
//! escapes it, and the browser is told to run nothing but our own script.

mod assets;
mod auth;
mod chart;
mod link;
mod live;
mod log;
mod pages;
mod select;
mod server;
mod sidecar;
mod view;

pub use auth::random;
pub use server::serve;
pub use sidecar::{Grid, GridLayer, GridRow, Sidecar, SinkStanding, SinkState, Standing};

use crate::audit::Report;
use auth::Door;
use jiff::Timestamp;
use live::Live;
use log::Log;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::Semaphore;

/// What the pages are made of.
pub struct Web {
    door: Door,
    log: Log,
    sidecar: Arc<dyn Sidecar>,
    /// What `verify` said of the whole log, and when.
    verified: Mutex<Verified>,
    live: Live,
    /// Pages that are being made.
    pages: Arc<Semaphore>,
    /// When somebody looked.
    looked: Mutex<Option<Instant>>,
}

/// What is known of the log as a whole.
#[derive(Default)]
struct Verified {
    report: Option<(Result<Report, String>, Timestamp)>,
    is_running: bool,
    begun: Option<Instant>,
}

impl Web {
    /// Pages for who has the token, of the log in `dir`, at an address and other names of it.
    ///
    /// # Errors
    /// If the system has no random bytes.
    pub fn new(
        dir: &Path,
        sidecar: Arc<dyn Sidecar>,
        token: &str,
        at: SocketAddr,
        hosts: &[String],
    ) -> Result<Arc<Web>, getrandom::Error> {
        Ok(Arc::new(Web {
            door: Door::new(token, at, hosts)?,
            log: Log::of(dir),
            sidecar,
            verified: Mutex::default(),
            live: Live::new(),
            pages: Arc::new(Semaphore::new(crate::limits::REVIEW_PAGES_MAX)),
            looked: Mutex::default(),
        }))
    }

    /// Verifies the log beside everything else, if that was not done lately.
    fn verify_soon(self: &Arc<Self>) {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = verified.begun.is_none_or(|at| at.elapsed() > crate::limits::REVIEW_VERIFY);
        if verified.is_running || !is_due {
            return;
        }
        verified.is_running = true;
        verified.begun = Some(Instant::now());
        drop(verified);
        let web = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let report = crate::audit::verify(web.log.dir(), None);
            let report = report.map_err(|error| error.to_string());
            let mut verified = web.verified.lock().unwrap_or_else(PoisonError::into_inner);
            verified.report = Some((report, Timestamp::now()));
            verified.is_running = false;
        });
    }

    /// Whether nobody has looked for so long that what is counted may go.
    fn is_forgotten(&self) -> bool {
        let looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        looked.is_some_and(|at| at.elapsed() > crate::limits::REVIEW_IDLE)
    }

    /// Somebody looks.
    fn look(&self, at: Option<Instant>) {
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}
