//! `toolgate status`: what a running sidecar is and does.

use super::ask::{Socket, refused};
use super::show::plain;
use super::{Outcome, failed};
use crate::cli::out::say;
use crate::service::admin::{Policy, Reload, Reloaded, Reply, Request, Status};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    socket: Socket,
    /// How to print
    #[arg(long, default_value = "table", value_parser = ["table", "json"])]
    format: String,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let status = match arguments.socket.ask(&Request::Status) {
        Ok(Reply::Status(status)) => status,
        Ok(other) => return refused(other),
        Err(why) => return failed(&why),
    };
    if arguments.format == "table" {
        table(&status);
        return Outcome::Fine;
    }
    match serde_json::to_string_pretty(&status) {
        Ok(text) => {
            say!("{text}");
            Outcome::Fine
        }
        Err(error) => failed(&error),
    }
}

fn table(status: &Status) {
    let row = |name: &str, value: &str| say!("{name:<12} {}", plain(value));
    row("toolgate", &format!("{}, process {}", status.version, status.pid));
    row("running for", &format!("{} s", status.uptime_s));
    policy(&status.policy, row);
    row("reload", &status.reload.as_ref().map_or_else(|| "none yet".to_owned(), last));
    match (&status.audit.failure, &status.audit.head) {
        (Some(failure), _) => {
            let calls = match status.audit.on_failure.as_str() {
                "allow" => "CALLS GO ON UNRECORDED",
                "allow_readonly" => "calls that only read go on unrecorded",
                _ => "every call is refused",
            };
            row("log", &format!("FAILED, {calls}: {failure}"));
        }
        (None, Some(head)) => row("log", &format!("head {head}")),
        (None, None) => row("log", "empty"),
    }
    if let Some(free) = status.audit.free_bytes {
        row("", &format!("disk: {} MiB free ({})", free >> 20, status.audit.space));
    }
    if let Some(at) = &status.audit.signed_at {
        row("", &format!("signed at {at}"));
    }
    if status.audit.lost > 0 {
        row("", &format!("{} records are LOST", status.audit.lost));
    }
    let connections = &status.connections;
    let egress = connections.egress.map(|open| format!(", {open} egress")).unwrap_or_default();
    let (hook, admin) = (connections.hook, connections.admin);
    row("connections", &format!("{hook} hook, {admin} admin{egress}"));
}

fn policy(policy: &Policy, row: impl Fn(&str, &str)) {
    row("policy", &policy.name);
    row("", &format!("sha256:{}", policy.sha256));
    row("", &format!("in force since {}", policy.loaded_at));
    for layer in &policy.layers {
        row("", &format!("layer {}: {} rules", layer.name, layer.rules));
    }
    if policy.layers_more > 0 {
        row("", &format!("and {} more layers", policy.layers_more));
    }
    for notice in &policy.unsigned {
        row("", &format!("UNSIGNED: {notice}"));
    }
}

fn last(reload: &Reload) -> String {
    let outcome = match reload.outcome {
        Reloaded::Loaded => "loaded",
        Reloaded::Unchanged => "unchanged",
        Reloaded::Refused => "REFUSED, the old policy stays",
    };
    let why = reload.why.as_deref().and_then(|why| why.lines().next());
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    format!("{outcome} at {} ({}){why}", reload.at, reload.cause)
}
