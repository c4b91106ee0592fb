//! `toolgate audit tail`: the newest decisions and findings, and with `-f` those that come.

use super::filter::FilterArguments;
use super::listing::Listing;
use super::{Directory, Format, strangers};
use crate::audit::query::{Filter, Order, Source};
use crate::audit::wire::WireRecord;
use crate::audit::{Entry, Unreadable};
use crate::cli::Outcome;
use crate::cli::out::{self, complain};
use crate::cli::show::plain;
use crate::limits::TAIL_POLL;
use crate::model::record::Kind;
use std::collections::HashMap;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    directory: Directory,
    /// How many
    #[arg(short = 'n', long = "limit", alias = "top", value_name = "N", default_value_t = 20)]
    count: usize,
    /// Go on with what is written from now on, until interrupted
    #[arg(short = 'f', long)]
    follow: bool,
    #[command(flatten)]
    filter: FilterArguments,
    #[command(flatten)]
    format: Format,
}

pub(super) fn run(tail: &Arguments) -> Result<Outcome, String> {
    let filter = tail.filter.filter()?;
    let dir = tail.directory.path()?;
    let source = Source::directory(&dir);
    let mut outcome = Outcome::Fine;
    let mut newest = Vec::new();
    let mut seen = Seen::default();
    // Following begins behind the newest record of all, whether it is shown or not.
    let all = Filter::default();
    if tail.follow
        && let Some(Ok(entry)) =
            source.rows(&all, Order::NewestFirst).map_err(|error| error.to_string())?.next()
    {
        seen.take(&entry);
    }
    for entry in source.rows(&filter, Order::NewestFirst).map_err(|error| error.to_string())? {
        if newest.len() >= tail.count {
            break;
        }
        match entry {
            Ok(entry) if seen.is_new(&entry) && tail.follow => {}
            Ok(entry) if is_shown(&entry.record, &filter) => newest.push(entry),
            Ok(_) => {}
            Err(bad) => {
                tell(&bad);
                outcome = Outcome::Findings;
            }
        }
    }
    let listing = Listing::new();
    newest.iter().rev().for_each(|entry| tail.format.print(&listing, entry));
    if newest.is_empty() && !tail.follow {
        complain!("nothing fits");
        strangers::tell(&source, &filter)?;
    }
    while tail.follow && !out::is_closed() {
        out::flush();
        std::thread::sleep(TAIL_POLL);
        for entry in seen.new_of(&source, &all)? {
            if filter.fits(&entry.record) && is_shown(&entry.record, &filter) {
                tail.format.print(&listing, &entry);
            }
        }
    }
    Ok(outcome)
}

/// Decisions, outputs that a rule changed, and findings, unless something else was asked for by its
/// kind.
fn is_shown(record: &WireRecord, filter: &Filter) -> bool {
    record.decided().is_some()
        || !record.deciding().is_empty()
        || record.kind == Kind::Finding.as_str()
        || filter.asked(crate::audit::query::Field::Kind).is_some()
        || record.details.contains_key("lost_before")
}

fn tell(bad: &Unreadable) {
    complain!("warning: {}", plain(&bad.to_string()));
}

/// Up to where each stream was read.
#[derive(Default)]
struct Seen {
    streams: HashMap<String, u64>,
    newest: Option<String>,
}

impl Seen {
    fn is_new(&self, entry: &Entry) -> bool {
        match self.streams.get(&entry.record.stream) {
            Some(seq) => entry.record.seq > *seq,
            // Streams from before the newest one are over.
            None => false,
        }
    }

    fn take(&mut self, entry: &Entry) {
        let record = &entry.record;
        if self.newest.as_ref() == Some(&record.stream)
            && let Some(seq) = self.streams.get(&record.stream)
            && record.seq > seq.saturating_add(1)
        {
            let (first, last) = (seq.saturating_add(1), record.seq.saturating_sub(1));
            match first == last {
                true => complain!("warning: record {first} is missing"),
                false => complain!("warning: records {first} to {last} are missing"),
            }
        }
        self.newest = Some(record.stream.clone());
        self.streams.insert(record.stream.clone(), record.seq);
    }

    /// What was written since, oldest first: read from the end up to what is known. It finds the
    /// same records whatever the files were closed, sealed or begun anew as.
    fn new_of(&mut self, source: &Source, all: &Filter) -> Result<Vec<Entry>, String> {
        let mut new = Vec::new();
        let rows = source.rows(all, Order::NewestFirst).map_err(|error| error.to_string())?;
        for entry in rows {
            match entry {
                Ok(entry) => {
                    let known = self.streams.get(&entry.record.stream);
                    if known.is_some_and(|seq| entry.record.seq <= *seq) {
                        break;
                    }
                    new.push(entry);
                }
                Err(bad) => tell(&bad),
            }
        }
        new.reverse();
        for entry in &new {
            self.take(entry);
        }
        Ok(new)
    }
}
