//! `toolgate reload`: a running sidecar reads its policy files again.

use super::ask::{Socket, refused};
use super::show::plain;
use super::{Outcome, failed};
use crate::cli::out::{complain, say};
use crate::limits::RELOAD_TIMEOUT;
use crate::service::admin::{Reloaded, Reply, Request};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    socket: Socket,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    // Reading, then compiling; and before that perhaps the same for somebody else.
    let reload = match arguments.socket.ask_within(&Request::Reload, 4 * RELOAD_TIMEOUT) {
        Ok(Reply::Reload(reload)) => reload,
        Ok(other) => return refused(other),
        Err(why) => return failed(&why),
    };
    let policy = format!("{} sha256:{}", plain(&reload.policy), plain(&reload.sha256));
    match reload.outcome {
        Reloaded::Loaded => say!("loaded: {policy}"),
        Reloaded::Unchanged => say!("unchanged: {policy}"),
        Reloaded::Refused => {
            for line in reload.why.as_deref().unwrap_or_default().lines() {
                complain!("{}", plain(line));
            }
            say!("refused, the old policy stays: {policy}");
            return Outcome::Findings;
        }
    }
    Outcome::Fine
}
