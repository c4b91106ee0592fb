//! Which records a command of the review looks at, and the reading of them.

use super::Directory;
use super::filter::{FilterArguments, in_order};
use super::strangers;
use crate::audit::query::{ABSENT, Field, Filter, Order, Source};
use crate::audit::{Entry, Unreadable};
use crate::cli::Outcome;
use crate::cli::out::complain;
use crate::cli::show::plain;
use crate::model::record::Kind;
use crate::review::policies::Policies;
use indicatif::{ProgressBar, ProgressStyle};
use std::cell::Cell;

/// A log, and a stretch of time.
#[derive(clap::Args)]
pub(super) struct Stretch {
    #[command(flatten)]
    pub(super) directory: Directory,
    /// From then on, in UTC: 2h, 7d, today, yesterday, last-night, monday, 02:00, a day, or a time
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until then; a day and last-night with their end
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

/// A log, and which of its records.
#[derive(clap::Args)]
pub(super) struct Pick {
    #[command(flatten)]
    pub(super) directory: Directory,
    #[command(flatten)]
    filter: FilterArguments,
}

impl Stretch {
    fn pairs(&self) -> Vec<(&'static str, &str)> {
        let both = [("since", &self.since), ("until", &self.until)];
        both.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?))).collect()
    }

    /// Hands over each record of the stretch that is of a session, oldest first.
    pub(super) fn each_of(
        &self,
        session: &str,
        whole: &Cell<Outcome>,
        mut take: impl FnMut(&Entry),
    ) -> Result<(), String> {
        let filter = filter(self.pairs())?;
        // A name that stands for none, or is no word of a filter, is looked for in every record.
        let filter = match session {
            "" | ABSENT => filter,
            session => filter.with(Field::Session, session),
        };
        each(&self.directory, &filter, whole, |entry| {
            if entry.record.session.as_deref() == Some(session) {
                take(entry);
            }
        })
    }
}

impl Pick {
    /// Hands over each record that is picked, oldest first.
    pub(super) fn each(
        &self,
        whole: &Cell<Outcome>,
        take: impl FnMut(&Entry),
    ) -> Result<(), String> {
        each(&self.directory, &self.filter.filter()?, whole, take)
    }

    /// Every policy that came into force, before the stretch too.
    pub(super) fn policies(&self, whole: &Cell<Outcome>) -> Result<Policies, String> {
        policies(&self.directory, whole)
    }

    /// What is picked, in words: the options that were given.
    pub(super) fn told(&self) -> String {
        match self.filter.filter() {
            Ok(filter) if !filter.is_all() => filter.to_cli(),
            Ok(_) | Err(_) => "the whole log".to_owned(),
        }
    }
}

/// Every policy that came into force.
pub(super) fn policies(directory: &Directory, whole: &Cell<Outcome>) -> Result<Policies, String> {
    let mut policies = Policies::default();
    let loads = Filter::default().with(Field::Kind, Kind::PolicyLoad.as_str());
    let source = Source::directory(&directory.path()?);
    let rows = source.rows(&loads, Order::OldestFirst).map_err(|error| error.to_string())?;
    for row in rows {
        match row {
            Ok(entry) => policies.take(&entry.record),
            // A single line that cannot be read is no policy; whoever reads records tells of it.
            Err(bad) if bad.line > 0 => {}
            Err(bad) => tell(&bad, whole),
        }
    }
    Ok(policies)
}

/// Tells of what cannot be read.
pub(super) fn tell(bad: &Unreadable, whole: &Cell<Outcome>) {
    complain!("warning: {}", plain(&bad.to_string()));
    whole.set(Outcome::Findings);
}

fn filter(pairs: Vec<(&str, &str)>) -> Result<Filter, String> {
    let filter = Filter::from_pairs(pairs, jiff::Timestamp::now());
    in_order(filter.map_err(|error| format!("--{error}"))?)
}

fn each(
    directory: &Directory,
    filter: &Filter,
    whole: &Cell<Outcome>,
    mut take: impl FnMut(&Entry),
) -> Result<(), String> {
    let source = Source::directory(&directory.path()?);
    let whole_session = strangers::whole_session(&source, filter)?;
    let filter = whole_session.as_ref().unwrap_or(filter);
    let mut is_empty = true;
    let rows = source.rows(filter, Order::OldestFirst).map_err(|error| error.to_string())?;
    let progress = progress();
    for (read, entry) in rows.enumerate() {
        if read % PROGRESS_EVERY == 0 {
            progress.set_position(u64::try_from(read).unwrap_or(u64::MAX));
        }
        match entry {
            Ok(entry) => {
                is_empty = false;
                take(&entry);
            }
            Err(bad) => tell(&bad, whole),
        }
    }
    progress.finish_and_clear();
    if is_empty {
        strangers::tell(&source, filter)?;
    }
    Ok(())
}

/// Records between two looks at the progress.
const PROGRESS_EVERY: usize = 4_096;

/// How far the reading has come, on standard error, if that is a terminal.
fn progress() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    match ProgressStyle::with_template("{spinner} {human_pos} records") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
