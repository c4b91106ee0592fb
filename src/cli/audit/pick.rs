//! Which records a command of the review looks at, and the reading of them.

use super::Directory;
use crate::audit::Entry;
use crate::cli::Outcome;
use crate::review::moment;
use crate::review::policies::Policies;
use indicatif::{ProgressBar, ProgressStyle};
use std::cell::Cell;

#[derive(clap::Args)]
pub(super) struct Pick {
    #[command(flatten)]
    pub(super) directory: Directory,
    /// From then on: `2h`, `7d`, or a time like 2026-11-24T15:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until then, without it
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl Pick {
    /// Hands over each record that is picked, oldest first.
    pub(super) fn each(
        &self,
        whole: &Cell<Outcome>,
        mut take: impl FnMut(&Entry),
    ) -> Result<(), String> {
        let since = self.since.as_deref().map(when).transpose()?;
        let until = self.until.as_deref().map(when).transpose()?;
        let progress = progress();
        for (read, entry) in self.directory.entries(whole)?.enumerate() {
            if read % PROGRESS_EVERY == 0 {
                progress.set_position(u64::try_from(read).unwrap_or(u64::MAX));
            }
            // Times of one width sort as texts.
            let ts = entry.record.ts.as_str();
            let fits = since.as_deref().is_none_or(|since| ts >= since)
                && until.as_deref().is_none_or(|until| ts < until);
            if fits {
                take(&entry);
            }
        }
        progress.finish_and_clear();
        Ok(())
    }

    /// Every policy that came into force, before the stretch too.
    pub(super) fn policies(&self, whole: &Cell<Outcome>) -> Result<Policies, String> {
        let mut policies = Policies::default();
        for entry in self.directory.entries_holding("\"policy.load\"", whole)? {
            policies.take(&entry.record);
        }
        Ok(policies)
    }

    /// The stretch in words, as it was asked for.
    pub(super) fn told(&self) -> String {
        match (&self.since, &self.until) {
            (None, None) => "the whole log".to_owned(),
            (Some(since), None) => format!("since {since}"),
            (None, Some(until)) => format!("until {until}"),
            (Some(since), Some(until)) => format!("since {since}, until {until}"),
        }
    }
}

/// Records between two looks at the progress.
const PROGRESS_EVERY: usize = 4_096;

/// How far the reading has come, on standard error, if that is a terminal.
fn progress() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    match ProgressStyle::with_template("{spinner} {human_pos} records read") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// A time as records have it.
fn when(text: &str) -> Result<String, String> {
    let wrong = || format!("`{text}` is no time; write `2h`, `7d` or `2026-11-24T15:00:00Z`");
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(number.len()..).unwrap_or_default();
    let seconds = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => 0,
    };
    if seconds > 0
        && let Ok(count) = number.parse::<i64>()
    {
        let ago = count.checked_mul(seconds * 1_000_000).ok_or_else(wrong)?;
        return Ok(moment::text(jiff::Timestamp::now().as_microsecond().saturating_sub(ago)));
    }
    moment::micros(text).map(moment::text).ok_or_else(wrong)
}
