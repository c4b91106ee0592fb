//! `toolgate audit tail`: the newest decisions and findings.

use super::{Directory, Format, print};
use crate::cli::Outcome;
use crate::model::record::Kind;
use std::cell::Cell;
use std::collections::VecDeque;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    directory: Directory,
    /// How many
    #[arg(short = 'n', default_value_t = 20)]
    count: usize,
    #[command(flatten)]
    format: Format,
}

pub(super) fn run(tail: &Arguments) -> Result<Outcome, String> {
    let whole = Cell::new(Outcome::Fine);
    let mut last = VecDeque::new();
    for entry in tail.directory.entries(&whole)? {
        if entry.record.decision.is_none() && entry.record.kind != Kind::Finding.as_str() {
            continue;
        }
        last.push_back(entry);
        if last.len() > tail.count {
            last.pop_front();
        }
    }
    print(last.iter(), &tail.format);
    Ok(whole.get())
}
