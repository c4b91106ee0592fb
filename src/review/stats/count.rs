//! Counts of decisions, in all and by a name.

use crate::limits::STATS_KEYS_MAX;
use serde::Serialize;
use std::collections::HashMap;

/// How many calls came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All of them.
    pub total: u64,
    /// Let through.
    pub allow: u64,
    /// Put to a person.
    pub ask: u64,
    /// Refused.
    pub deny: u64,
    /// Left to the runtime.
    pub defer: u64,
}

/// The counts of one name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The name, as it was logged.
    pub name: String,
    /// How many.
    #[serde(flatten)]
    pub calls: Counts,
}

/// Counts by name. Names beyond the bound are counted together.
#[derive(Debug, Default)]
pub struct Table {
    rows: HashMap<String, Counts>,
    others: Counts,
}

/// What the names are counted under that found no place.
pub const OTHERS: &str = "(others)";

impl Counts {
    /// One more call.
    pub fn add(&mut self, effect: &str) {
        self.total += 1;
        match effect {
            "allow" => self.allow += 1,
            "ask" => self.ask += 1,
            "deny" => self.deny += 1,
            "defer" => self.defer += 1,
            _ => {}
        }
    }

    /// Those of another stretch too.
    pub fn join(&mut self, other: &Counts) {
        self.total += other.total;
        self.allow += other.allow;
        self.ask += other.ask;
        self.deny += other.deny;
        self.defer += other.defer;
    }
}

impl Table {
    /// One more call under a name.
    pub fn add(&mut self, name: &str, effect: &str) {
        if let Some(counts) = self.rows.get_mut(name) {
            counts.add(effect);
        } else if self.rows.len() < STATS_KEYS_MAX {
            self.rows.entry(name.to_owned()).or_default().add(effect);
        } else {
            self.others.add(effect);
        }
    }

    /// How many names there are; at least so many, if there were too many.
    #[must_use]
    pub fn distinct(&self) -> u64 {
        u64::try_from(self.rows.len()).unwrap_or(u64::MAX)
    }

    /// The first rows by count, and the rest of them as one.
    #[must_use]
    pub fn top(self, most: usize) -> Vec<Row> {
        let row = |(name, calls)| Row { name, calls };
        let mut rows: Vec<Row> = self.rows.into_iter().map(row).collect();
        rows.sort_by(|a, b| b.calls.total.cmp(&a.calls.total).then_with(|| a.name.cmp(&b.name)));
        let mut others = self.others;
        for row in rows.iter().skip(most) {
            others.join(&row.calls);
        }
        rows.truncate(most);
        if others.total > 0 {
            rows.push(Row { name: OTHERS.to_owned(), calls: others });
        }
        rows
    }
}
