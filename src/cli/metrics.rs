//! `toolgate metrics`: what a running sidecar counts, as Prometheus reads it.

use super::ask::{Socket, refused};
use super::{Outcome, failed, out};
use crate::service::admin::{Reply, Request};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    socket: Socket,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    match arguments.socket.ask(&Request::Metrics) {
        Ok(Reply::Metrics(text)) => {
            // The sidecar escapes what is in it.
            out::text(&text);
            Outcome::Fine
        }
        Ok(other) => refused(other),
        Err(why) => failed(&why),
    }
}
