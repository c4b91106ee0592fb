//! The records that fit, whole, one after the other in the order of the log or against it.

use super::file::LogFile;
use super::filter::Filter;
use super::plan::{self, Chosen};
use super::row::{Parts, Row};
use super::scan::{Line, Scan, Take};
use super::source::{Cost, NOT_ITS_LINES, Origin, TOO_LONG, not_used};
use crate::audit::index::Rows as FrameRows;
use crate::audit::read::{Entry, Unreadable};
use crate::audit::wire::WireRecord;
use std::collections::VecDeque;

/// In which order records are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As they were written.
    OldestFirst,
    /// The newest first.
    NewestFirst,
}

/// The records that fit a filter, and what could not be read among them.
pub struct Rows {
    filter: Filter,
    order: Order,
    /// The files still to come, the next one last.
    origins: Vec<Origin>,
    current: Option<Current>,
    /// What was found in the block that was read last.
    found: VecDeque<Result<Entry, Unreadable>>,
    scan: Scan,
    untrusted: Scan,
    buffer: Vec<u8>,
    notes: Vec<String>,
    cost: Cost,
}

/// The file that is being read.
struct Current {
    file: LogFile,
    trusted: bool,
    chosen: Option<(Chosen, Vec<FrameRows>)>,
    /// The next block; against the order, the one behind it.
    next: usize,
    /// Lines before the next block, where they were all read.
    lines: u64,
    /// The number of the file's first record, once it is known.
    first_seq: Option<u64>,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("order", &self.order).finish_non_exhaustive()
    }
}

impl Iterator for Rows {
    type Item = Result<Entry, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(found) = self.found.pop_front() {
                return Some(found);
            }
            match self.current.take() {
                Some(mut current) => {
                    if self.block(&mut current) {
                        self.current = Some(current);
                    } else if current.file.too_long > 0 {
                        self.tell(current.file.name, TOO_LONG.to_owned());
                    }
                }
                None => {
                    let origin = self.origins.pop()?;
                    self.cost.files += 1;
                    match origin.open() {
                        Ok(file) => self.begin(file, origin.is_trusted()),
                        Err(why) => self.tell(origin.name(), why.to_string()),
                    }
                }
            }
        }
    }
}

impl Rows {
    pub(super) fn new(mut origins: Vec<Origin>, filter: &Filter, order: Order) -> Rows {
        if order == Order::OldestFirst {
            origins.reverse();
        }
        Rows {
            filter: filter.clone(),
            order,
            origins,
            current: None,
            found: VecDeque::new(),
            scan: Scan::new(filter, Parts::default(), true),
            untrusted: Scan::new(filter, Parts::default(), false),
            buffer: Vec::new(),
            notes: Vec::new(),
            cost: Cost::default(),
        }
    }

    /// What the asker should know so far: an index that is not used, and why.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What it took so far.
    #[must_use]
    pub fn cost(&self) -> Cost {
        self.cost
    }

    fn tell(&mut self, file: String, why: String) {
        self.found.push_back(Err(Unreadable { file, line: 0, why }));
    }

    fn begin(&mut self, mut file: LogFile, trusted: bool) {
        if let Some(why) = file.index_trouble.take() {
            self.notes.push(not_used(&file.name, &why));
        }
        let mut chosen = None;
        if let Some(index) = &file.index {
            if !plan::could_hold(index, &self.filter) {
                self.cost.passed += 1;
                return;
            }
            let rows = plan::choose(index, &self.filter);
            match rows.and_then(|rows| Ok((rows, index.frames()?))) {
                Ok(rows) => chosen = Some(rows),
                Err(why) => self.notes.push(not_used(&file.name, &why.to_string())),
            }
        }
        if self.order == Order::NewestFirst
            && let Err(why) = file.hold()
        {
            return self.tell(file.name, why.to_string());
        }
        let next = match self.order {
            Order::OldestFirst => 0,
            Order::NewestFirst => file.blocks().unwrap_or_default(),
        };
        self.current = Some(Current { file, trusted, chosen, next, lines: 0, first_seq: None });
    }

    /// Looks through one block; whether there may be more.
    fn block(&mut self, current: &mut Current) -> bool {
        let number = match self.order {
            Order::OldestFirst => current.next,
            Order::NewestFirst => match current.next.checked_sub(1) {
                Some(number) => number,
                None => return false,
            },
        };
        current.next = match self.order {
            Order::OldestFirst => number + 1,
            Order::NewestFirst => number,
        };
        let wanted = match &current.chosen {
            Some((chosen, frames)) => match (frames.get(number), chosen.of(frames.get(number))) {
                (Some(frame), Some(rows)) => Some((frame.first, rows)),
                _ => return false,
            },
            None => None,
        };
        if let Some((_, rows)) = wanted
            && !rows.contains(&true)
        {
            return true;
        }
        let range = match current.file.read(number, &mut self.buffer) {
            Ok(Some(range)) => range,
            Ok(None) => return false,
            Err(why) => {
                let why = why.to_string();
                self.found.push_back(Err(Unreadable {
                    file: current.file.name.clone(),
                    line: 0,
                    why,
                }));
                // A damaged frame says nothing of the next one.
                return current.file.blocks().is_some();
            }
        };
        let block = self.buffer.get(range).unwrap_or_default();
        self.cost.blocks += 1;
        self.cost.bytes += u64::try_from(block.len()).unwrap_or(u64::MAX);
        let before = match (wanted, self.order) {
            (Some((first, _)), _) => Some(u64::try_from(first).unwrap_or(u64::MAX)),
            (None, Order::OldestFirst) => Some(current.lines),
            (None, Order::NewestFirst) => None,
        };
        let mut take = Whole { file: &current.file.name, before, found: Vec::new() };
        let scan = if current.trusted { &mut self.scan } else { &mut self.untrusted };
        let lines = scan.block(block, wanted.map(|(_, rows)| rows), &mut take);
        let mut found = take.found;
        if wanted.is_some_and(|(_, rows)| rows.len() != lines) {
            let (file, why) = (current.file.name.clone(), NOT_ITS_LINES.to_owned());
            found.push(Err(Unreadable { file, line: 0, why }));
        }
        current.lines += u64::try_from(lines).unwrap_or(u64::MAX);
        if before.is_none() {
            number_by_seq(&mut found, current);
        }
        if self.order == Order::NewestFirst {
            found.reverse();
        }
        self.found.extend(found);
        true
    }
}

/// Read from its end, a file's lines are numbered by its records: its first is its first line.
fn number_by_seq(found: &mut [Result<Entry, Unreadable>], current: &mut Current) {
    if found.is_empty() {
        return;
    }
    if current.first_seq.is_none() {
        let mut buffer = Vec::new();
        let range = current.file.read(0, &mut buffer).ok().flatten().unwrap_or_default();
        let block = buffer.get(range).unwrap_or_default();
        let first = block.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let first: Option<WireRecord> = serde_json::from_slice(first).ok();
        current.first_seq = Some(first.map_or(u64::MAX, |record| record.seq));
    }
    let first = current.first_seq.unwrap_or(u64::MAX);
    for entry in found.iter_mut().flatten() {
        entry.line = entry.record.seq.checked_sub(first).map_or(0, |before| before + 1);
    }
}

/// The lines of one block, on their way to become records.
struct Whole<'a> {
    file: &'a str,
    /// Lines before the block, if that is known.
    before: Option<u64>,
    found: Vec<Result<Entry, Unreadable>>,
}

impl Whole<'_> {
    fn number(&self, line: Line<'_>) -> u64 {
        let at = u64::try_from(line.at).unwrap_or(u64::MAX);
        self.before.map_or(0, |before| before.saturating_add(at).saturating_add(1))
    }
}

impl Take for Whole<'_> {
    fn hit(&mut self, line: Line<'_>, _: &Row<'_>) {
        let read = || {
            let text = std::str::from_utf8(line.text).map_err(|why| why.to_string())?;
            let record = serde_json::from_str(text)
                .map_err(|why| format!("the line is no record: {why}"))?;
            Ok((record, text.to_owned()))
        };
        match read() {
            Ok((record, text)) => {
                let (file, line) = (self.file.to_owned(), self.number(line));
                self.found.push(Ok(Entry { record, text, file, line }));
            }
            Err(why) => self.odd(line, why),
        }
    }

    fn odd(&mut self, line: Line<'_>, why: String) {
        let (file, line) = (self.file.to_owned(), self.number(line));
        self.found.push(Err(Unreadable { file, line, why }));
    }
}
