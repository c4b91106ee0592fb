//! What a session has cost so far, estimated from the transcript that its runtime keeps.
//!
//! Claude Code appends one line of JSON for each block of an answer, with the answer's id, its
//! model and what it used; a subagent's answers stand in a file of its own, below a directory
//! beside the transcript (as of 2.1.330; recorded, not documented). Answers are counted by id, and
//! what a list price makes of them is summed up; where the client itself says that it was more,
//! that counts. The agent can write these files: so counts never fall, what cannot be read counts
//! as spent, and what is read is only counted, never shown.

mod line;

use crate::limits::{
    TRANSCRIPT_ANSWERS_MAX, TRANSCRIPT_FILES_MAX, TRANSCRIPT_LINE_BYTES_MAX, TRANSCRIPT_MODELS_MAX,
    TRANSCRIPT_READ_BYTES_MAX,
};
use crate::model::doubt::Doubt;
use crate::model::path::AbsPath;
use crate::model::session::Transcript;
use crate::world::{FileKind, World};
use line::Tells;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts {
    /// Answers of models, subagents' included.
    pub turns: u64,
    /// What they cost by list prices, in US dollars.
    pub cost_usd: f64,
    /// The models that gave them.
    pub models: BTreeSet<String>,
}

impl Counts {
    /// The most of two counts, so that none ever falls.
    #[must_use]
    pub fn most(self, other: Counts) -> Counts {
        let mut models = self.models;
        models.extend(other.models);
        Counts {
            turns: self.turns.max(other.turns),
            cost_usd: self.cost_usd.max(other.cost_usd),
            models,
        }
    }
}

impl Counts {
    /// Whether this tells of less, and not only of a sum in another order.
    pub(super) fn is_less_than(&self, other: &Counts) -> bool {
        self.turns < other.turns || other.cost_usd - self.cost_usd > COST_ROUNDING_USD
    }
}

/// Two sums of the same costs differ by far less.
const COST_ROUNDING_USD: f64 = 1e-6;

impl From<Counts> for Transcript {
    fn from(counts: Counts) -> Transcript {
        let Counts { turns, cost_usd, models } = counts;
        Transcript::Read { turns, cost_usd, models }
    }
}

/// Reads one session's transcript, each time only what is new.
#[derive(Debug, Default)]
pub(super) struct Reader {
    files: BTreeMap<String, Place>,
    /// What each answer cost so far, by a digest of its id.
    answers: HashMap<u64, f64>,
    models: BTreeSet<String>,
    /// The most that the client itself said.
    stated_usd: f64,
    hasher: RandomState,
}

/// How far a file was read.
#[derive(Debug, Clone, Copy)]
struct Place {
    file: (u64, u64),
    offset: u64,
}

impl Reader {
    /// Reads on to the end. Files must belong to `uid` or to root.
    ///
    /// # Errors
    /// In words, if something of it cannot be read or understood: then all of it counts as spent.
    pub(super) fn read(
        &mut self,
        path: &AbsPath,
        world: &dyn World,
        uid: u32,
    ) -> Result<Counts, String> {
        let paths = files(path, world)?;
        let mut opened = Vec::new();
        for path in paths {
            let file = world.open(&path).map_err(|doubt| doubt.to_string())?;
            let meta = file.metadata().map_err(|error| error.kind().to_string())?;
            if meta.uid() != uid && meta.uid() != 0 {
                return Err("it belongs to another user".to_owned());
            }
            opened.push((path.to_string(), file, (meta.dev(), meta.ino()), meta.len()));
        }
        let is_new = |(name, _, file, length): &(String, File, (u64, u64), u64)| {
            self.files.get(name).is_some_and(|at| at.file != *file || at.offset > *length)
        };
        // A file that was replaced or cut, or one that is gone, may have held what was counted.
        let gone = |name: &String| !opened.iter().any(|(known, ..)| known == name);
        if opened.iter().any(is_new) || self.files.keys().any(gone) {
            *self = Reader::default();
        }
        let mut left = TRANSCRIPT_READ_BYTES_MAX;
        for (name, file, identity, length) in opened {
            self.file(name, file, identity, length, &mut left)?;
        }
        Ok(Counts {
            turns: u64::try_from(self.answers.len()).unwrap_or(u64::MAX),
            cost_usd: self.answers.values().sum::<f64>().max(self.stated_usd),
            models: self.models.clone(),
        })
    }

    fn file(
        &mut self,
        name: String,
        mut file: File,
        identity: (u64, u64),
        length: u64,
        left: &mut u64,
    ) -> Result<(), String> {
        let mut offset = self.files.get(&name).map_or(0, |place| place.offset);
        let read = self.lines(&mut file, &mut offset, length, left);
        self.files.insert(name, Place { file: identity, offset });
        read
    }

    /// Reads whole lines from `offset` on, and moves it behind them.
    fn lines(
        &mut self,
        file: &mut File,
        offset: &mut u64,
        length: u64,
        left: &mut u64,
    ) -> Result<(), String> {
        let failed = |error: std::io::Error| error.kind().to_string();
        file.seek(SeekFrom::Start(*offset)).map_err(failed)?;
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let mut line = Vec::new();
        // What is appended meanwhile is read next time.
        while *offset < length {
            if *left == 0 {
                return Err("there is more of it than could be read for one call".to_owned());
            }
            line.clear();
            let most = TRANSCRIPT_LINE_BYTES_MAX;
            let read = (&mut reader).take(most).read_until(b'\n', &mut line).map_err(failed)?;
            let read = u64::try_from(read).unwrap_or(u64::MAX);
            if line.last() != Some(&b'\n') {
                // The last line is still being written.
                return if read < most { Ok(()) } else { Err("a line is too long".to_owned()) };
            }
            self.line(&line)?;
            *offset += read;
            *left = left.saturating_sub(read);
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        let answer = match line::read(line)? {
            Tells::Answer(answer) => answer,
            Tells::Cost(usd) => {
                self.stated_usd = self.stated_usd.max(usd);
                return Ok(());
            }
            Tells::Nothing => return Ok(()),
        };
        let id = self.hasher.hash_one(answer.id.as_ref());
        let cost = self.answers.entry(id).or_insert(0.0);
        // Each line of an answer tells what all of it used up to then.
        *cost = cost.max(answer.cost_usd);
        self.models.insert(answer.model);
        if self.answers.len() > TRANSCRIPT_ANSWERS_MAX || self.models.len() > TRANSCRIPT_MODELS_MAX
        {
            return Err("it tells of more answers or models than are counted".to_owned());
        }
        Ok(())
    }
}

/// The transcript, and those of its subagents: `SESSION.jsonl`, `SESSION/subagents/**.jsonl`.
fn files(path: &AbsPath, world: &dyn World) -> Result<Vec<AbsPath>, String> {
    let Some(stem) = path.as_str().strip_suffix(".jsonl") else {
        return Err("it is no `.jsonl` file".to_owned());
    };
    let doubted = |doubt: Doubt| doubt.to_string();
    let below = AbsPath::parse(&format!("{stem}/subagents")).map_err(|error| error.to_string())?;
    let mut files = vec![path.clone()];
    let mut directories = match world.resolve(&below).kind.map_err(doubted)? {
        FileKind::Absent => Vec::new(),
        _ => vec![below],
    };
    let mut seen = 0;
    while let Some(directory) = directories.pop() {
        for entry in world.list(&directory).map_err(doubted)? {
            seen += 1;
            if seen > 4 * TRANSCRIPT_FILES_MAX || files.len() > TRANSCRIPT_FILES_MAX {
                return Err("it consists of too many files".to_owned());
            }
            let at = directory.join(&entry.name).map_err(|error| error.to_string())?;
            match entry.kind {
                FileKind::Directory => directories.push(at),
                // Anything of that name is opened, and refused if it is no file.
                _ if entry.name.ends_with(".jsonl") => files.push(at),
                _ => {}
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests;
