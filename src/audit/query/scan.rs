//! Finds the lines of a block that fit: looks for a text that each of them must hold, and then
//! reads the few fields of those that hold it.
//!
//! The text alone proves nothing: an agent can write any text into its arguments. It only spares
//! the reading of lines that cannot fit, and only of lines that begin and end as the writer writes
//! them; any other line is read.

use super::filter::Filter;
use super::row::{Parts, Reader, Row};
use memchr::memchr;
use memchr::memmem::Finder;

/// How each line of the writer begins, and ends.
const BEGINS: &[u8] = br#"{"v":1,"seq":"#;
const ENDS: &[u8] = br#""}"#;
/// More texts than these are not looked for: reading costs less.
const NEEDLES_MAX: usize = 8;

/// What is looked for in lines.
pub(super) struct Scan {
    filter: Filter,
    reader: Reader,
    finders: Vec<Finder<'static>>,
    /// Each finder's next place in the block.
    next: Vec<usize>,
    /// No condition needs any part.
    all: bool,
    /// Lines that look like the writer's are taken for his.
    trusted: bool,
}

/// One line of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// Its place in the block, from 0.
    pub(super) at: usize,
    pub(super) text: &'a [u8],
}

/// What is done with lines.
pub(super) trait Take {
    /// One that fits.
    fn hit(&mut self, line: Line<'_>, row: &Row<'_>);
    /// One that is no record.
    fn odd(&mut self, line: Line<'_>, why: String);
}

impl Scan {
    /// Finds what fits a filter; of it, `parts` can be asked.
    pub(super) fn new(filter: &Filter, parts: Parts, trusted: bool) -> Scan {
        // What others wrote may escape what the writer does not.
        let needles = if trusted { filter.needles() } else { Vec::new() };
        let finders: Vec<_> = match needles.len() {
            0..=NEEDLES_MAX => needles.iter().map(|one| Finder::new(one).into_owned()).collect(),
            _ => Vec::new(),
        };
        Scan {
            filter: filter.clone(),
            reader: Reader::of(filter.parts().or(parts)),
            next: vec![0; finders.len()],
            finders,
            all: filter.is_all() && parts == Parts::default(),
            // A regular expression is held against all of a line.
            trusted: trusted && filter.regex().is_none(),
        }
    }

    /// Each line of a block of whole lines, or only those of the wanted rows; how many there were.
    pub(super) fn block(
        &mut self,
        block: &[u8],
        wanted: Option<&[bool]>,
        take: &mut impl Take,
    ) -> usize {
        for (next, finder) in self.next.iter_mut().zip(&self.finders) {
            *next = finder.find(block).unwrap_or(usize::MAX);
        }
        let (mut from, mut lines) = (0, 0);
        while let Some(rest) = block.get(from..).filter(|rest| !rest.is_empty()) {
            let length = memchr(b'\n', rest).unwrap_or(rest.len());
            let text = rest.get(..length).unwrap_or_default();
            let to = from + length;
            let usual = text.starts_with(BEGINS) && text.ends_with(ENDS);
            let asked = wanted.is_none_or(|rows| rows.get(lines).copied().unwrap_or(true));
            if asked && (!usual || self.could_fit(block, from, to)) {
                self.line(Line { at: lines, text }, usual, take);
            }
            lines += 1;
            from = to + 1;
        }
        lines
    }

    /// Whether one of the texts stands between two places.
    fn could_fit(&mut self, block: &[u8], from: usize, to: usize) -> bool {
        let mut could = self.finders.is_empty();
        for (next, finder) in self.next.iter_mut().zip(&self.finders) {
            if *next < from {
                let found = finder.find(block.get(from..).unwrap_or_default());
                *next = found.map_or(usize::MAX, |place| from + place);
            }
            could |= *next < to;
        }
        could
    }

    /// One line by itself, whatever it holds.
    fn line(&mut self, line: Line<'_>, usual: bool, take: &mut impl Take) {
        if self.all && usual {
            return take.hit(line, &Row::of_nothing(line.text));
        }
        let row = match self.trusted && usual {
            true => self.reader.read_written(line.text),
            false => self.reader.read(line.text),
        };
        match row {
            Ok(row) if self.filter.fits_row(&row) => take.hit(line, &row),
            Ok(_) => {}
            Err(why) => take.odd(line, why),
        }
    }
}
