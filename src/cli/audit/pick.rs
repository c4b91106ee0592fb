//! Which records a command of the review looks at, and the reading of them.

use super::Directory;
use crate::audit::Entry;
use crate::audit::query::{Filter, Order, Source};
use crate::cli::Outcome;
use crate::cli::out::complain;
use crate::cli::show::plain;
use crate::review::policies::Policies;
use indicatif::{ProgressBar, ProgressStyle};
use std::cell::Cell;

/// A log, and a stretch of time.
#[derive(clap::Args)]
pub(super) struct Stretch {
    #[command(flatten)]
    pub(super) directory: Directory,
    /// From then on: `2h`, `7d`, `yesterday`, or a time like 2026-11-24T15:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

/// The same, and which of its records: each option may have several words, of which any fits.
#[derive(clap::Args)]
pub(super) struct Pick {
    #[command(flatten)]
    pub(super) stretch: Stretch,
    /// Decisions, separated by commas
    #[arg(long, value_delimiter = ',')]
    decision: Vec<String>,
    /// Kinds of records
    #[arg(long, value_delimiter = ',')]
    kind: Vec<String>,
    /// Tools; `*` stands for any text
    #[arg(long, value_delimiter = ',')]
    tool: Vec<String>,
    /// Rules that made the decision
    #[arg(long, value_delimiter = ',')]
    rule: Vec<String>,
    /// Sessions
    #[arg(long, value_delimiter = ',')]
    session: Vec<String>,
    /// Hosts that were connected to
    #[arg(long, value_delimiter = ',')]
    host: Vec<String>,
    /// Paths that were read or written, as in a policy
    #[arg(long)]
    path: Vec<String>,
    /// User ids
    #[arg(long, value_delimiter = ',')]
    uid: Vec<String>,
    /// What the line in the log must hold, as a regular expression
    #[arg(short = 'g', long, value_name = "REGEX")]
    grep: Option<String>,
}

impl Stretch {
    fn pairs(&self) -> Vec<(&'static str, &str)> {
        let both = [("since", &self.since), ("until", &self.until)];
        both.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?))).collect()
    }

    /// Hands over each record of the stretch, oldest first.
    pub(super) fn each(
        &self,
        whole: &Cell<Outcome>,
        take: impl FnMut(&Entry),
    ) -> Result<(), String> {
        each(&self.directory, &filter(self.pairs())?, whole, take)
    }

    /// Every policy that came into force, before the stretch too.
    pub(super) fn policies(&self, whole: &Cell<Outcome>) -> Result<Policies, String> {
        let mut policies = Policies::default();
        for entry in self.directory.entries_holding("\"policy.load\"", whole)? {
            policies.take(&entry.record);
        }
        Ok(policies)
    }
}

impl Pick {
    /// Hands over each record that is picked, oldest first.
    pub(super) fn each(
        &self,
        whole: &Cell<Outcome>,
        take: impl FnMut(&Entry),
    ) -> Result<(), String> {
        each(&self.stretch.directory, &self.filter()?, whole, take)
    }

    fn filter(&self) -> Result<Filter, String> {
        let lists = [
            ("decision", &self.decision),
            ("kind", &self.kind),
            ("tool", &self.tool),
            ("rule", &self.rule),
            ("session", &self.session),
            ("host", &self.host),
            ("path", &self.path),
            ("uid", &self.uid),
        ];
        let words = lists
            .into_iter()
            .flat_map(|(name, texts)| texts.iter().map(move |text| (name, text.as_str())));
        let grep = self.grep.iter().map(|text| ("grep", text.as_str()));
        filter(self.stretch.pairs().into_iter().chain(words).chain(grep).collect())
    }

    /// What is picked, in words: the options that were given.
    pub(super) fn told(&self) -> String {
        match self.filter() {
            Ok(filter) if !filter.is_all() => filter.to_cli(),
            Ok(_) | Err(_) => "the whole log".to_owned(),
        }
    }
}

fn filter(pairs: Vec<(&str, &str)>) -> Result<Filter, String> {
    Filter::from_pairs(pairs, jiff::Timestamp::now()).map_err(|error| format!("--{error}"))
}

fn each(
    directory: &Directory,
    filter: &Filter,
    whole: &Cell<Outcome>,
    mut take: impl FnMut(&Entry),
) -> Result<(), String> {
    let source = Source::directory(&directory.path()?);
    let rows = source.rows(filter, Order::OldestFirst).map_err(|error| error.to_string())?;
    let progress = progress();
    for (read, entry) in rows.enumerate() {
        if read % PROGRESS_EVERY == 0 {
            progress.set_position(u64::try_from(read).unwrap_or(u64::MAX));
        }
        match entry {
            Ok(entry) => take(&entry),
            Err(bad) => {
                complain!("warning: {}", plain(&bad.to_string()));
                whole.set(Outcome::Findings);
            }
        }
    }
    progress.finish_and_clear();
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
