//! Where a question is asked: a log's directory, one file, or standard input.

use super::file::LogFile;
use super::filter::Filter;
use super::group::{Counter, Grouping, Groups};
use super::plan::{self, Chosen};
use super::row::{Part, Parts, Row};
use super::rows::{Order, Rows};
use super::scan::{Line, Scan, Take};
use super::tally;
use crate::audit::error::AuditError;
use crate::audit::index::{Index, Unusable};
use crate::audit::read::Unreadable;
use crate::audit::segment::{SegmentName, list};
use crate::limits::UNREADABLE_TOLD_MAX;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is told while a question is answered: how many of how many files are done.
type Watch = Arc<dyn Fn(usize, usize) + Send + Sync>;

/// What can be asked.
#[derive(Clone)]
pub struct Source {
    place: Place,
    watch: Option<Watch>,
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
        Source { place: Place::Directory(dir.to_owned()), watch: None }
    }

    /// One file of lines, plain or sealed.
    #[must_use]
    pub fn file(path: &Path) -> Source {
        Source { place: Place::File(path.to_owned()), watch: None }
    }

    /// Plain lines on standard input, which can be asked once.
    #[must_use]
    pub fn stdin() -> Source {
        Source { place: Place::Stdin, watch: None }
    }

    /// Tells `watch`, while a question is answered, how many of how many files are done.
    #[must_use]
    pub fn watched(self, watch: impl Fn(usize, usize) + Send + Sync + 'static) -> Source {
        Source { watch: Some(Arc::new(watch)), ..self }
    }

    fn origins(&self) -> Result<Vec<Origin>, AuditError> {
        Ok(match &self.place {
            Place::Directory(dir) => {
                list(dir)?.into_iter().map(|name| Origin::Segment(dir.clone(), name)).collect()
            }
            Place::File(path) => vec![Origin::Path(path.clone())],
            Place::Stdin => vec![Origin::Stdin],
        })
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
        let visit = self.visit(filter, parts, &mut counters)?;
        Ok(visit.answer(counters.0.into_iter().map(Counter::finish).collect()))
    }

    /// The records that fit, one after the other as they are asked for.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn rows(&self, filter: &Filter, order: Order) -> Result<Rows, AuditError> {
        Ok(Rows::new(self.origins()?, filter, order))
    }

    fn visit(
        &self,
        filter: &Filter,
        parts: Parts,
        counting: &mut impl Counting,
    ) -> Result<Visit, AuditError> {
        let origins = self.origins()?;
        let mut visit = Visit::default();
        let mut scan = Scan::new(filter, parts, true);
        let mut untrusted = Scan::new(filter, parts, false);
        let mut buffer = Vec::new();
        for (done, origin) in origins.iter().enumerate() {
            if let Some(watch) = &self.watch {
                watch(done, origins.len());
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
            Origin::Path(path) => LogFile::at(path),
            Origin::Stdin => Ok(LogFile::stream("standard input", Box::new(std::io::stdin()))),
        }
    }

    /// Whether toolgate itself wrote its lines, as far as one can know.
    pub(super) fn is_trusted(&self) -> bool {
        !matches!(self, Origin::Stdin)
    }

    pub(super) fn name(&self) -> String {
        match self {
            Origin::Segment(_, name) => name.to_string(),
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
        let Visit { unreadable, unreadable_more, notes, cost } = self;
        Answer { value, unreadable, unreadable_more, notes, cost }
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
        let mut first_line = 1_u64;
        for number in 0.. {
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
