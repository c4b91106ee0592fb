//! Asking a running sidecar: what `status`, `reload`, `health`, `metrics` and `label` share.

use super::{Outcome, failed};
use crate::limits::{ADMIN_SOCKET, ADMIN_TIMEOUT};
use crate::service::admin::{self, Reply, Request};
use std::path::PathBuf;
use std::time::Duration;

/// Which sidecar is asked.
#[derive(clap::Args)]
pub(super) struct Socket {
    /// The sidecar's admin socket
    #[arg(long, value_name = "PATH", default_value = ADMIN_SOCKET)]
    socket: PathBuf,
}

impl Socket {
    /// What the sidecar answers.
    pub(super) fn ask(&self, request: &Request) -> Result<Reply, String> {
        self.ask_within(request, ADMIN_TIMEOUT)
    }

    /// The same, for what may take longer.
    pub(super) fn ask_within(
        &self,
        request: &Request,
        patience: Duration,
    ) -> Result<Reply, String> {
        admin::ask(&self.socket, request, patience)
    }
}

/// An answer that does not fit the question: the sidecar's own words, if it has any.
pub(super) fn refused(reply: Reply) -> Outcome {
    match reply {
        Reply::Error(why) => failed(&why),
        Reply::Status(_)
        | Reply::Reload(_)
        | Reply::Health(_)
        | Reply::Metrics(_)
        | Reply::Label(_)
        | Reply::Erased(_) => {
            failed(&"the sidecar answered another question; is it of another version?")
        }
    }
}
