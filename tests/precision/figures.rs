//! Counts with their confidence, as tables.

use super::rows::{Label, Row};
use std::collections::BTreeMap;

/// How the rows of one kind came out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    attacks: Count,
    honest: Count,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    allowed: usize,
    asked: usize,
    denied: usize,
}

impl Count {
    fn add(&mut self, came: char) {
        match came {
            'a' => self.allowed += 1,
            'q' => self.asked += 1,
            _ => self.denied += 1,
        }
    }

    fn all(self) -> usize {
        self.allowed + self.asked + self.denied
    }
}

impl Tally {
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Tally {
        let mut tally = Tally::default();
        for row in rows {
            match row.label {
                Label::Attack => tally.attacks.add(row.came),
                Label::Honest => tally.honest.add(row.came),
            }
        }
        tally
    }

    /// The share of the attacks that was denied or asked about.
    pub fn stopped(&self) -> f64 {
        share(self.attacks.asked + self.attacks.denied, self.attacks.all())
    }

    /// The share of honest work that was denied.
    pub fn refused(&self) -> f64 {
        share(self.honest.denied, self.honest.all())
    }

    /// The share of honest work that was asked about.
    pub fn asked(&self) -> f64 {
        share(self.honest.asked, self.honest.all())
    }

    fn line(&self, name: &str) -> String {
        let Tally { attacks, honest } = self;
        format!(
            "| {name} | {} | {} ({} denied) {} | {} | {} {} | {} {} | {} {} |\n",
            attacks.all(),
            attacks.asked + attacks.denied,
            attacks.denied,
            interval(attacks.asked + attacks.denied, attacks.all()),
            honest.all(),
            honest.allowed,
            interval(honest.allowed, honest.all()),
            honest.asked,
            interval(honest.asked, honest.all()),
            honest.denied,
            interval(honest.denied, honest.all()),
        )
    }
}

const HEAD: &str = "| rows | attacks | stopped | honest | passed | asked | denied |\n\
                    |---|---|---|---|---|---|---|\n";

#[expect(clippy::cast_precision_loss, reason = "some thousand rows at most")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Wilson's interval of 95 % of a share, in per cent.
#[expect(clippy::cast_precision_loss, reason = "some thousand rows at most")]
fn interval(part: usize, whole: usize) -> String {
    if whole == 0 {
        return String::new();
    }
    let (n, p, z) = (whole as f64, share(part, whole), 1.959_964);
    let middle = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let below = 1.0 + z * z / n;
    let percent = |x: f64| format!("{:.1}", (100.0 * x / below).clamp(0.0, 100.0).abs());
    format!("{:.1} % [{}, {}]", 100.0 * p, percent(middle - half), percent(middle + half))
}

/// A line for each technique.
pub fn figures(rows: &[Row]) -> String {
    let mut by: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        by.entry(&row.technique).or_default().push(row);
    }
    let lines = by.into_iter().map(|(name, rows)| Tally::of(rows).line(name));
    HEAD.to_owned() + &lines.collect::<String>() + &Tally::of(rows).line("all")
}

/// What the README shows: base rows, variants, and where it differs what we do not dispute.
pub fn summary(rows: &[Row]) -> String {
    let some = |wanted: &dyn Fn(&Row) -> bool| Tally::of(rows.iter().filter(|row| wanted(row)));
    let mut text = HEAD.to_owned();
    if rows.iter().any(|row| row.variant.is_some()) {
        text += &some(&|row| row.variant.is_none()).line("written by hand");
        text += &some(&|row| row.variant.is_some()).line("variants of them, by rule");
    } else {
        text += &Tally::of(rows).line("as labelled");
        text += &some(&|row| !row.disputed).line("without those that we label otherwise");
    }
    text
}

#[test]
fn the_interval_is_wilsons() {
    // From the formula, worked by hand: 9 of 10.
    assert_eq!(interval(9, 10), "90.0 % [59.6, 98.2]");
    assert_eq!(interval(0, 100), "0.0 % [0.0, 3.7]");
    assert_eq!(interval(100, 100), "100.0 % [96.3, 100.0]");
    assert_eq!(interval(0, 0), "");
}
