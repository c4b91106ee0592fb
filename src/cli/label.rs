//! `toolgate label`: an operator sets or removes a label of a session (policy language §11.20).

use super::ask::{Socket, refused};
use super::show::plain;
use super::{Outcome, failed};
use crate::cli::out::say;
use crate::service::admin::{Change, LabelChange, Reply, Request};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Set a label
    Add(Arguments),
    /// Remove a label
    Remove(Arguments),
}

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The session, as the runtime names it
    session: String,
    /// The label, with its key if it has one: approved:T1
    label: String,
    #[command(flatten)]
    socket: Socket,
}

pub(super) fn run(command: &Command) -> Outcome {
    let (arguments, change) = match command {
        Command::Add(arguments) => (arguments, Change::Add),
        Command::Remove(arguments) => (arguments, Change::Remove),
    };
    let change =
        LabelChange { session: arguments.session.clone(), change, label: arguments.label.clone() };
    match arguments.socket.ask(&Request::Label(change)) {
        Ok(Reply::Label(done)) => {
            let (label, session) = (plain(&done.label), plain(&done.session));
            match done.change {
                Change::Add => say!("`{label}` is set on session `{session}`"),
                // It may never have been set; then no call that is under way sets it either.
                Change::Remove => say!("session `{session}` is without `{label}` now"),
            }
            Outcome::Fine
        }
        Ok(other) => refused(other),
        Err(why) => failed(&why),
    }
}
