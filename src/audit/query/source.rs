//! Where a question is asked: a log's directory, one file, or standard input.

use super::answers::{self, Asked};
use super::file::LogFile;
use super::filter::Filter;
use super::group::{Counter, Grouping, Groups};
use super::held::{Held, Span};
use super::plan::{self, Chosen};
use super::row::{Part, Parts, Row};
use super::rows::{Order, Place as From, Rows};
use super::scan::{Line, Scan, Take};
use super::tally;
use crate::audit::error::AuditError;
use crate::audit::index::{Index, Unusable};
use crate::audit::read::Unreadable;
use crate::audit::segment::{Form, SegmentName, list};
use crate::limits::{HELD_GROUPS_MAX, UNREADABLE_TOLD_MAX};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// What is told while a question is answered: how many of how many files are done.
type Watch = Arc<dyn Fn(usize, usize) + Send + Sync>;

/// What can be asked.
#[derive(Clone)]
pub struct Source {
    place: Place,
    watch: Option<Watch>,
    held: Option<Arc<Held>>,
    deadline: Option<Instant>,
}

#[derive(Debug, Clone)]
enum Place {
    Directory(PathBuf),
    File(PathBuf),
    Stdin,
}

/// One file, before it is opened.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    Segment(PathBuf, SegmentName),
    /// Some blocks of a plain file, with their index if they have one.
    Part(PathBuf, SegmentName, Span, Option<Arc<Index>>),
    Path(PathBuf),
    Stdin,
}

/// An answer, and what could not be read on the way to it.
#[derive(Debug, Clone, Default)]
pub struct Answer<T> {
    /// The answer, over all that could be read.
    pub value: T,
    /// The first lines and files that could not be read.
    pub unreadable: Vec<Unreadable>,
    /// How many more there were.
    pub unreadable_more: u64,
    /// What else the asker should know: an index that is not used, and why.
    pub notes: Vec<String>,
    /// What it took.
    pub cost: Cost,
    /// It was given up at the deadline: older records may be missing in it.
    pub cut: bool,
}

/// What an answer took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Files of the log.
    pub files: usize,
    /// Of these, files that hold nothing of the time that was asked for.
    pub passed: usize,
    /// Files that were answered from their index, without a line.
    pub by_index: usize,
    /// Blocks of lines that were read.
    pub blocks: usize,
    /// Their bytes.
    pub bytes: u64,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Source {
    /// A log's directory, as it is now.
    #[must_use]
    pub fn directory(dir: &Path) -> Source {
        Source::of(Place::Directory(dir.to_owned()))
    }

    /// One file of lines, plain or sealed.
    #[must_use]
    pub fn file(path: &Path) -> Source {
        Source::of(Place::File(path.to_owned()))
    }

    /// Plain lines on standard input, which can be asked once.
    #[must_use]
    pub fn stdin() -> Source {
        Source::of(Place::Stdin)
    }

    fn of(place: Place) -> Source {
        Source { place, watch: None, held: None, deadline: None }
    }

    /// A log's directory, with what is held of it.
    #[must_use]
    pub fn held(held: &Arc<Held>) -> Source {
        Source { held: Some(Arc::clone(held)), ..Source::directory(held.dir()) }
    }

    /// Gives up at a time, with what was found by then; the newest records are asked first.
    #[must_use]
    pub fn until(self, deadline: Instant) -> Source {
        Source { deadline: Some(deadline), ..self }
    }

    /// Tells `watch`, while a question is answered, how many of how many files are done.
    #[must_use]
    pub fn watched(self, watch: impl Fn(usize, usize) + Send + Sync + 'static) -> Source {
        Source { watch: Some(Arc::new(watch)), ..self }
    }

    pub(super) fn origins(&self) -> Result<Vec<Origin>, AuditError> {
        Ok(match &self.place {
            Place::Directory(dir) => {
                list(dir)?.into_iter().flat_map(|name| self.parts(dir, name)).collect()
            }
            Place::File(path) => vec![Origin::Path(path.clone())],
            Place::Stdin => vec![Origin::Stdin],
        })
    }

    /// A file, or the parts of it that are held and what is behind them.
    fn parts(&self, dir: &Path, name: SegmentName) -> Vec<Origin> {
        let Some(held) = self.held.as_ref().filter(|_| name.form == Form::Plain) else {
            return vec![Origin::Segment(dir.to_owned(), name)];
        };
        let (pieces, tail) = held.parts(&name);
        let one = |part, index| Origin::Part(dir.to_owned(), name.clone(), part, index);
        let pieces = pieces.into_iter().map(|piece| one(piece.part, piece.index));
        pieces.chain([one(tail, None)]).collect()
    }

    /// How many records fit.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn count(&self, filter: &Filter) -> Result<Answer<u64>, AuditError> {
        let mut sum = Sum::default();
        let visit = self.visit(filter, Parts::default(), &mut sum)?;
        Ok(visit.answer(sum.0))
    }

    /// The records that fit, counted by each of several groupings in one pass.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn group(
        &self,
        filter: &Filter,
        groupings: &[Grouping],
    ) -> Result<Answer<Vec<Groups>>, AuditError> {
        let counters = groupings.iter().cloned().map(Counter::new).collect();
        let fields = groupings.iter().flat_map(|grouping| &grouping.by);
        let parts = fields.fold(Parts::of(&[Part::Ts]), |all, field| all.or(field.parts()));
        let mut counters = Counters(counters);
        if let Some(held) = &self.held {
            let visit = self.visit_held(held, filter, (parts, groupings), &mut counters)?;
            return Ok(visit.answer(counters.0.into_iter().map(Counter::finish).collect()));
        }
        let visit = self.visit(filter, parts, &mut counters)?;
        Ok(visit.answer(counters.0.into_iter().map(Counter::finish).collect()))
    }

    /// The records that fit, one after the other as they are asked for.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn rows(&self, filter: &Filter, order: Order) -> Result<Rows, AuditError> {
        Ok(Rows::new(self.origins()?, filter, order, (None, self.deadline)))
    }

    /// The same from behind a place on, in the order asked for.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn rows_from(&self, filter: &Filter, order: Order, from: From) -> Result<Rows, AuditError> {
        Ok(Rows::new(self.origins()?, filter, order, (Some(from), self.deadline)))
    }

    /// Counts file by file, and remembers what does not change any more.
    fn visit_held(
        &self,
        held: &Held,
        filter: &Filter,
        (parts, groupings): (Parts, &[Grouping]),
        counters: &mut Counters,
    ) -> Result<Visit, AuditError> {
        let mut visit = Visit { deadline: self.deadline, ..Visit::default() };
        let mut scan = Scan::new(filter, parts, true);
        let mut buffer = Vec::new();
        for origin in self.origins()?.iter().rev() {
            if visit.is_over() {
                break;
            }
            visit.cost.files += 1;
            let file = match origin.open() {
                Ok(file) => file,
                Err(why) => {
                    visit.tell(origin.name(), 0, why.to_string());
                    continue;
                }
            };
            let within = |index: &Arc<Index>| plan::is_within(index, filter);
            let asked = match (origin.fixed(), file.index.as_ref().is_some_and(within)) {
                (Some(of), true) => Some(Asked::new(of, filter, groupings)),
                _ => None,
            };
            if let Some(answer) = asked.as_ref().and_then(|asked| held.answers.get(asked)) {
                visit.cost.by_index += 1;
                answers::add(&mut counters.0, &answer);
                continue;
            }
            let Some(asked) = asked else {
                visit.file(file, filter, &mut scan, &mut buffer, counters);
                continue;
            };
            let by_index = visit.cost.by_index;
            let mut own = Counters(groupings.iter().cloned().map(Counter::new).collect());
            visit.file(file, filter, &mut scan, &mut buffer, &mut own);
            let answer: Vec<Groups> = own.0.into_iter().map(Counter::finish).collect();
            answers::add(&mut counters.0, &answer);
            if visit.cost.by_index > by_index {
                held.answers.put(asked, Arc::new(answer), HELD_GROUPS_MAX);
            }
        }
        Ok(visit)
    }

    fn visit(
        &self,
        filter: &Filter,
        parts: Parts,
        counting: &mut impl Counting,
    ) -> Result<Visit, AuditError> {
        let mut origins = self.origins()?;
        if self.deadline.is_some() {
            origins.reverse();
        }
        let mut visit = Visit { deadline: self.deadline, ..Visit::default() };
        let mut scan = Scan::new(filter, parts, true);
        let mut untrusted = Scan::new(filter, parts, false);
        let mut buffer = Vec::new();
        for (done, origin) in origins.iter().enumerate() {
            if let Some(watch) = &self.watch {
                watch(done, origins.len());
            }
            if visit.is_over() {
                break;
            }
            let scan = if origin.is_trusted() { &mut scan } else { &mut untrusted };
            visit.cost.files += 1;
            match origin.open() {
                Ok(file) => visit.file(file, filter, scan, &mut buffer, counting),
                Err(why) => visit.tell(origin.name(), 0, why.to_string()),
            }
        }
        Ok(visit)
    }
}

impl Origin {
    pub(super) fn open(&self) -> Result<LogFile, AuditError> {
        match self {
            Origin::Segment(dir, name) => LogFile::open(dir, name),
            Origin::Part(dir, name, part, index) => {
                let mut file = LogFile::open(dir, name)?;
                file.only(*part, index.clone());
                Ok(file)
            }
            Origin::Path(path) => LogFile::at(path),
            Origin::Stdin => Ok(LogFile::stream("standard input", Box::new(std::io::stdin()))),
        }
    }

    /// Whether toolgate itself wrote its lines, as far as one can know.
    pub(super) fn is_trusted(&self) -> bool {
        !matches!(self, Origin::Stdin)
    }

    /// What it is called as long as it stays as it is; nothing if it may grow.
    fn fixed(&self) -> Option<String> {
        match self {
            Origin::Segment(_, name) if name.form == Form::Sealed => Some(name.to_string()),
            Origin::Part(_, name, span, Some(_)) => {
                Some(format!("{name} {} {}", span.first, span.blocks?))
            }
            _ => None,
        }
    }

    /// The stream of its records, as its name says.
    pub(super) fn stream(&self) -> Option<&str> {
        match self {
            Origin::Segment(_, name) | Origin::Part(_, name, ..) => Some(name.stream.as_str()),
            Origin::Path(_) | Origin::Stdin => None,
        }
    }

    /// Its file's number, and the lines before it there.
    pub(super) fn place(&self) -> (u64, u64) {
        match self {
            Origin::Segment(_, name) => (name.number, 0),
            Origin::Part(_, name, part, _) => (name.number, part.lines_before),
            Origin::Path(_) | Origin::Stdin => (0, 0),
        }
    }

    pub(super) fn name(&self) -> String {
        match self {
            Origin::Segment(_, name) | Origin::Part(_, name, ..) => name.to_string(),
            Origin::Path(path) => path.display().to_string(),
            Origin::Stdin => "standard input".to_owned(),
        }
    }
}

/// What is counted, by lines or by an index.
trait Counting {
    fn row(&mut self, row: &Row<'_>);
    /// Whether an index was enough; on an error nothing was counted.
    fn index(&mut self, index: &Index, chosen: &Chosen) -> Result<bool, Unusable>;
}

#[derive(Default)]
struct Sum(u64);

impl Counting for Sum {
    fn row(&mut self, _: &Row<'_>) {
        self.0 += 1;
    }

    fn index(&mut self, _: &Index, chosen: &Chosen) -> Result<bool, Unusable> {
        self.0 += chosen.count();
        Ok(true)
    }
}

struct Counters(Vec<Counter>);

impl Counting for Counters {
    fn row(&mut self, row: &Row<'_>) {
        for counter in &mut self.0 {
            counter.record(row);
        }
    }

    fn index(&mut self, index: &Index, chosen: &Chosen) -> Result<bool, Unusable> {
        if !self.0.iter().all(tally::can) {
            return Ok(false);
        }
        tally::count(index, chosen, &mut self.0)?;
        Ok(true)
    }
}

/// What was seen on the way through all files.
#[derive(Debug, Default)]
struct Visit {
    unreadable: Vec<Unreadable>,
    unreadable_more: u64,
    notes: Vec<String>,
    cost: Cost,
    deadline: Option<Instant>,
    cut: bool,
}

/// The lines of one block, on their way to be counted.
struct Block<'a, C> {
    counting: &'a mut C,
    visit: &'a mut Visit,
    file: &'a str,
    first_line: u64,
}

impl<C: Counting> Take for Block<'_, C> {
    fn hit(&mut self, _: Line<'_>, row: &Row<'_>) {
        self.counting.row(row);
    }

    fn odd(&mut self, line: Line<'_>, why: String) {
        let at = self.first_line.saturating_add(u64::try_from(line.at).unwrap_or(u64::MAX));
        self.visit.tell(self.file.to_owned(), at, why);
    }
}

impl Visit {
    fn answer<T>(self, value: T) -> Answer<T> {
        let Visit { unreadable, unreadable_more, notes, cost, cut, .. } = self;
        Answer { value, unreadable, unreadable_more, notes, cost, cut }
    }

    /// Whether it is to be given up.
    fn is_over(&mut self) -> bool {
        self.cut |= self.deadline.is_some_and(|deadline| Instant::now() > deadline);
        self.cut
    }

    fn tell(&mut self, file: String, line: u64, why: String) {
        match self.unreadable.len() {
            0..UNREADABLE_TOLD_MAX => self.unreadable.push(Unreadable { file, line, why }),
            _ => self.unreadable_more += 1,
        }
    }

    fn file(
        &mut self,
        mut file: LogFile,
        filter: &Filter,
        scan: &mut Scan,
        buffer: &mut Vec<u8>,
        counting: &mut impl Counting,
    ) {
        if let Some(why) = file.index_trouble.take() {
            self.notes.push(not_used(&file.name, &why));
        }
        let mut chosen = None;
        if let Some(index) = &file.index {
            if !plan::could_hold(index, filter) {
                self.cost.passed += 1;
                return;
            }
            let counted = plan::choose(index, filter).and_then(|rows| {
                let enough = rows.exact && counting.index(index, &rows)?;
                Ok((enough, rows))
            });
            match counted {
                Ok((true, _)) => {
                    self.cost.by_index += 1;
                    return;
                }
                Ok((false, rows)) => chosen = Some(rows),
                Err(why) => self.notes.push(not_used(&file.name, &why.to_string())),
            }
        }
        if let Err(why) = self.lines(&mut file, chosen.as_ref(), scan, buffer, counting) {
            self.tell(file.name.clone(), 0, why);
        }
        if file.too_long > 0 {
            self.tell(file.name.clone(), 0, TOO_LONG.to_owned());
        }
    }

    fn lines(
        &mut self,
        file: &mut LogFile,
        chosen: Option<&Chosen>,
        scan: &mut Scan,
        buffer: &mut Vec<u8>,
        counting: &mut impl Counting,
    ) -> Result<(), String> {
        let frames = match (&file.index, chosen) {
            (Some(index), Some(_)) => index.frames().map_err(|why| why.to_string())?,
            _ => Vec::new(),
        };
        let mut first_line = file.lines_before() + 1;
        for number in 0.. {
            if self.is_over() {
                break;
            }
            let wanted = chosen.map(|chosen| chosen.of(frames.get(number)));
            match wanted {
                Some(None) => break,
                Some(Some(rows)) if !rows.contains(&true) => {
                    first_line += u64::try_from(rows.len()).unwrap_or(u64::MAX);
                    continue;
                }
                Some(Some(_)) | None => {}
            }
            let read = file.read(number, buffer).map_err(|why| why.to_string())?;
            let Some(range) = read else { break };
            let block = buffer.get(range).unwrap_or_default();
            self.cost.blocks += 1;
            self.cost.bytes += u64::try_from(block.len()).unwrap_or(u64::MAX);
            let mut take = Block { counting, visit: self, file: &file.name, first_line };
            let lines = scan.block(block, wanted.flatten(), &mut take);
            if wanted.flatten().is_some_and(|rows| rows.len() != lines) {
                return Err(NOT_ITS_LINES.to_owned());
            }
            first_line += u64::try_from(lines).unwrap_or(u64::MAX);
        }
        Ok(())
    }
}

/// What is told of lines that no record can be.
pub(super) const TOO_LONG: &str = "a line is longer than a record can be";
/// What is told where an index and its file do not agree, which nothing honest writes.
pub(super) const NOT_ITS_LINES: &str =
    "its index does not fit its lines; run `toolgate audit verify`, and remove the `.idx` file";

/// What is told of an index that is not used.
pub(super) fn not_used(file: &str, why: &str) -> String {
    format!("the index of `{file}` is not used: {why}; its lines are read instead")
}
