//! `toolgate health`: the probe of a running sidecar, for images without a shell.

use super::ask::{Socket, refused};
use super::show::plain;
use super::{Outcome, failed};
use crate::cli::out::{complain, say};
use crate::service::admin::{Reply, Request};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    socket: Socket,
    /// Not only that it lives: that it can judge calls and record them
    #[arg(long)]
    ready: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let health = match arguments.socket.ask(&Request::Health) {
        Ok(Reply::Health(health)) => health,
        Ok(other) => return refused(other),
        Err(why) => return failed(&why),
    };
    for warning in &health.warnings {
        complain!("warning: {}", plain(warning));
    }
    for problem in &health.problems {
        complain!("problem: {}", plain(problem));
    }
    let how = match (health.ready, arguments.ready) {
        (true, true) => "ready",
        // Whether it is ready was not asked.
        (true, false) => "alive",
        (false, _) => "alive, not ready",
    };
    say!("{how}");
    if arguments.ready && !health.ready { Outcome::Findings } else { Outcome::Fine }
}
