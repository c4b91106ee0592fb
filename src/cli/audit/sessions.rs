//! `toolgate audit sessions`: the list of sessions.

use super::pick::Pick;
use super::table::{self, Style};
use crate::cli::Outcome;
use crate::cli::out::{complain, say};
use crate::review::moment::{span, to_the_second};
use crate::review::session::{SessionRow, Sessions};
use std::cell::Cell;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    pick: Pick,
    /// Print only so many, those that were heard of last
    #[arg(short = 'n', long = "limit", alias = "top", value_name = "N")]
    count: Option<usize>,
    /// Only sessions in which something was refused
    #[arg(long)]
    denied: bool,
    /// Only sessions in which something did not agree, or a call's end is not known
    #[arg(long)]
    findings: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = Style::Table)]
    format: Style,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let whole = Cell::new(Outcome::Fine);
    let mut sessions = Sessions::default();
    arguments.pick.each(&whole, |entry| sessions.take(&entry.record))?;
    let mut rows = sessions.finish();
    rows.retain(|row| {
        (!arguments.denied || row.denied > 0)
            && (!arguments.findings || row.findings + row.unknown > 0)
    });
    rows.truncate(arguments.count.unwrap_or(usize::MAX));
    match arguments.format {
        Style::Json => table::json(&rows)?,
        Style::Jsonl => table::jsonl(&rows)?,
        Style::Csv => table::csv(&HEAD, &rows.iter().map(cells).collect::<Vec<_>>())?,
        Style::Table if rows.is_empty() => complain!("no session in {}", arguments.pick.told()),
        Style::Table => {
            let rows: Vec<_> = rows.iter().map(short).collect();
            say!("{}", table::table(&SHORT, &rows));
        }
    }
    Ok(whole.get())
}

const SHORT: [&str; 9] =
    ["session", "started (UTC)", "lasted", "calls", "denied", "asked", "findings", "hosts", "cost"];

fn short(row: &SessionRow) -> Vec<String> {
    let open = if row.ended { "" } else { ", open" };
    vec![
        row.session.clone(),
        to_the_second(&row.started),
        format!("{}{open}", span(row.lasted_ms)),
        row.calls.to_string(),
        row.denied.to_string(),
        row.asked.to_string(),
        (row.findings + row.unknown).to_string(),
        row.hosts.to_string(),
        row.cost_usd.map_or_else(String::new, |cost| format!("{cost:.2}")),
    ]
}

const HEAD: [&str; 21] = [
    "session",
    "uid",
    "runtime",
    "cwd",
    "started",
    "last",
    "ended",
    "lasted_ms",
    "records",
    "calls",
    "allowed",
    "asked",
    "approved",
    "declined",
    "denied",
    "deferred",
    "findings",
    "unknown",
    "subagents",
    "hosts",
    "cost_usd",
];

fn cells(row: &SessionRow) -> Vec<String> {
    vec![
        row.session.clone(),
        row.uid.map_or_else(String::new, |uid| uid.to_string()),
        row.runtime.clone(),
        row.cwd.clone().unwrap_or_default(),
        row.started.clone(),
        row.last.clone(),
        row.ended.to_string(),
        row.lasted_ms.to_string(),
        row.records.to_string(),
        row.calls.to_string(),
        row.allowed.to_string(),
        row.asked.to_string(),
        row.approved.to_string(),
        row.declined.to_string(),
        row.denied.to_string(),
        row.deferred.to_string(),
        row.findings.to_string(),
        row.unknown.to_string(),
        row.subagents.to_string(),
        row.hosts.to_string(),
        row.cost_usd.map_or_else(String::new, |cost| cost.to_string()),
    ]
}
