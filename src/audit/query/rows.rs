//! The records that fit, whole, one after the other in the order of the log or against it.

use super::file::LogFile;
use super::filter::Filter;
use super::hits::Hits;
use super::plan::{self, Chosen};
use super::row::Parts;
use super::scan::Scan;
use super::source::{Cost, NOT_ITS_LINES, Origin, TOO_LONG, not_used};
use crate::audit::index::Rows as FrameRows;
use crate::audit::read::{Entry, Unreadable};
use crate::audit::segment::SegmentName;
use crate::audit::wire::WireRecord;
use std::collections::VecDeque;
use std::time::Instant;

/// In which order records are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As they were written.
    OldestFirst,
    /// The newest first.
    NewestFirst,
}

/// Where a record stands: the number of its file, and its line there, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file's number.
    pub file: u64,
    /// The line.
    pub line: u64,
}

impl Place {
    /// The place of an entry, if it stands in a file of a log.
    #[must_use]
    pub fn of(entry: &Entry) -> Option<Place> {
        let file = SegmentName::parse(&entry.file)?.number;
        Some(Place { file, line: entry.line })
    }

    /// Reads what is printed of one: `FILE.LINE`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Place> {
        let (file, line) = text.split_once('.')?;
        Some(Place { file: file.parse().ok()?, line: line.parse().ok()? })
    }

    /// Whether it comes after another in an order.
    fn is_behind(self, other: Place, order: Order) -> bool {
        match order {
            Order::OldestFirst => self > other,
            Order::NewestFirst => self < other,
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.file, self.line)
    }
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
    /// Only what is behind it.
    from: Option<Place>,
    deadline: Option<Instant>,
    /// Where it was given up.
    stopped: Option<Place>,
}

/// The file that is being read.
struct Current {
    file: LogFile,
    number: u64,
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
            if self.deadline.is_some_and(|deadline| Instant::now() > deadline) {
                return self.stop();
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
                        Ok(file) => self.begin(file, origin.place().0, origin.is_trusted()),
                        Err(why) => self.tell(origin.name(), why.to_string()),
                    }
                }
            }
        }
    }
}

impl Rows {
    pub(super) fn new(
        mut origins: Vec<Origin>,
        filter: &Filter,
        order: Order,
        (from, deadline): (Option<Place>, Option<Instant>),
    ) -> Rows {
        if let Some(from) = from {
            origins.retain(|origin| could_be_behind(origin, from, order));
        }
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
            from,
            deadline,
            stopped: None,
        }
    }

    /// Where it was given up at the deadline: whoever asks from there on goes on.
    #[must_use]
    pub fn stopped(&self) -> Option<Place> {
        self.stopped
    }

    fn stop<T>(&mut self) -> Option<T> {
        let before = self.current.take().map(|current| {
            let first = current
                .chosen
                .as_ref()
                .and_then(|(_, frames)| u64::try_from(frames.get(current.next)?.first).ok());
            // Of a file without an index, all or nothing is done.
            let line = first.map_or(u64::MAX, |first| current.file.lines_before() + first + 1);
            Place { file: current.number, line }
        });
        let next =
            self.origins.last().map(|origin| Place { file: origin.place().0, line: u64::MAX });
        self.stopped = before.or(next);
        self.origins.clear();
        None
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

    fn begin(&mut self, mut file: LogFile, number: u64, trusted: bool) {
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
                Ok((mut rows, frames)) => {
                    if let Some(from) = self.from {
                        rows.keep_behind(|line| {
                            let line = file.lines_before() + line + 1;
                            Place { file: number, line }.is_behind(from, self.order)
                        });
                    }
                    chosen = Some((rows, frames));
                }
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
        let lines = file.lines_before();
        self.current =
            Some(Current { file, number, trusted, chosen, next, lines, first_seq: None });
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
            (Some((first, _)), _) => u64::try_from(first)
                .ok()
                .and_then(|first| first.checked_add(current.file.lines_before())),
            (None, Order::OldestFirst) => Some(current.lines),
            (None, Order::NewestFirst) => None,
        };
        let mut take = Hits::of(&current.file.name, before);
        let scan = if current.trusted { &mut self.scan } else { &mut self.untrusted };
        let lines = scan.block(block, wanted.map(|(_, rows)| rows), &mut take);
        let mut found = take.read();
        if wanted.is_some_and(|(_, rows)| rows.len() != lines) {
            let (file, why) = (current.file.name.clone(), NOT_ITS_LINES.to_owned());
            found.push(Err(Unreadable { file, line: 0, why }));
        }
        current.lines += u64::try_from(lines).unwrap_or(u64::MAX);
        if before.is_none() {
            number_by_seq(&mut found, current);
        }
        if let Some(from) = self.from {
            let place = |entry: &Entry| Place { file: current.number, line: entry.line };
            found.retain(|entry| {
                entry.as_ref().is_ok_and(|entry| place(entry).is_behind(from, self.order))
            });
        }
        if self.order == Order::NewestFirst {
            found.reverse();
        }
        self.found.extend(found);
        true
    }
}

/// Whether a file, or a part of one, could hold what is behind a place.
fn could_be_behind(origin: &Origin, from: Place, order: Order) -> bool {
    let (file, lines_before) = origin.place();
    match order {
        Order::OldestFirst => file >= from.file,
        Order::NewestFirst => Place { file, line: lines_before.saturating_add(1) } < from,
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
        let before = entry.record.seq.checked_sub(first);
        entry.line = before.map_or(0, |before| current.file.lines_before() + before + 1);
    }
}
