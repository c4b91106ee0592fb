//! Which rows of a sealed file could fit, from its index alone.
//!
//! A row that is left out does not fit; of one that is left, the index may not know all that is
//! asked (`exact` is then false), and its line is read.

use super::field::Field;
use super::filter::Filter;
use super::term::Term;
use crate::audit::index::{INDEXED, Index, Rows, Unusable, mark};

/// The rows of one file that could fit.
#[derive(Debug)]
pub(super) struct Chosen {
    /// For each row, whether it could.
    pub(super) rows: Vec<bool>,
    /// Every row that could, does.
    pub(super) exact: bool,
}

impl Chosen {
    pub(super) fn count(&self) -> u64 {
        let count = self.rows.iter().filter(|row| **row).count();
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    /// Those of one frame.
    pub(super) fn of(&self, frame: Option<&Rows>) -> Option<&[bool]> {
        let frame = frame?;
        self.rows.get(frame.first..frame.first.checked_add(frame.count)?)
    }

    /// Leaves those out whose place is not meant, counted from 0.
    pub(super) fn keep_behind(&mut self, is_meant: impl Fn(u64) -> bool) {
        self.keep((0..).map(is_meant));
    }

    fn keep(&mut self, keep: impl Iterator<Item = bool>) {
        for (row, keep) in self.rows.iter_mut().zip(keep) {
            *row &= keep;
        }
    }
}

/// Whether the file can hold anything that was written when it is asked for.
pub(super) fn could_hold(index: &Index, filter: &Filter) -> bool {
    let (first, last) = index.times();
    filter.since().is_none_or(|since| last >= since)
        && filter.until().is_none_or(|until| first < until)
}

/// Whether all of the file was written when it is asked for.
pub(super) fn is_within(index: &Index, filter: &Filter) -> bool {
    let (first, last) = index.times();
    filter.since().is_none_or(|since| first >= since)
        && filter.until().is_none_or(|until| last < until)
}

/// The rows that could fit.
pub(super) fn choose(index: &Index, filter: &Filter) -> Result<Chosen, Unusable> {
    let mut chosen = Chosen { rows: vec![true; index.rows()], exact: filter.regex().is_none() };
    if !is_within(index, filter) {
        let times = index.time()?;
        chosen.keep(times.into_iter().map(|time| filter.fits_time(Some(time))));
    }
    if filter.slowness().is_some() {
        let decided = index.decided()?;
        chosen.keep(decided.into_iter().map(|micros| filter.fits_slowness(micros.checked_sub(1))));
    }
    for term in filter.terms() {
        if INDEXED.contains(&term.field) {
            let column = index.field(term.field)?;
            let fits: Vec<bool> = column
                .entries
                .iter()
                .map(|values| term.fits(values.iter().map(String::as_str)))
                .collect();
            if fits.iter().all(|fits| *fits) {
                continue;
            }
            let fits = |code: u32| {
                usize::try_from(code).ok().and_then(|code| fits.get(code)).copied().unwrap_or(true)
            };
            chosen.keep(column.codes.into_iter().map(fits));
        } else {
            chosen.exact = false;
            if let Some(marks) = marks(term) {
                let [calls, tool_uses] = index.marks()?;
                let named = |mark: u16| mark != 0 && marks.contains(&mark);
                let both = calls.into_iter().zip(tool_uses);
                chosen.keep(both.map(|(call, tool_use)| named(call) || named(tool_use)));
            }
        }
    }
    Ok(chosen)
}

/// The marks of the calls that a term names, if it names them.
fn marks(term: &Term) -> Option<Vec<u16>> {
    if term.field != Field::Call || term.not || term.names_none() {
        return None;
    }
    term.literals().map(|(_, pattern)| pattern.literal().map(mark)).collect()
}
