//! One session as it went: calls with their questions and ends, subagents as a tree, files, hosts,
//! cost. `gather` makes it of records.
//!
//! Times are those of the records. How long a person was waited for is exact where the runtime said
//! how long the tool itself ran; elsewhere it is at most the time between question and end, and the
//! row says so. Nothing is made up: what no record tells is not there.

use super::list::SessionRow;
use serde::Serialize;

/// A whole session.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Timeline {
    /// What the list says of it.
    pub summary: SessionRow,
    /// Who acted: the main thread first, each subagent after the one that began it.
    pub threads: Vec<ThreadRow>,
    /// What happened, oldest first.
    pub items: Vec<Item>,
    /// The files that calls named, by path.
    pub files: Vec<FileRow>,
    /// The hosts that calls named, by name.
    pub hosts: Vec<HostRow>,
}

/// One thread of the runtime.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ThreadRow {
    /// A subagent's id; the main thread has none.
    pub id: Option<String>,
    /// `main`, or the subagent's kind.
    pub kind: String,
    /// Which thread began it, by its place; nothing for the main one. The runtime does not say, so
    /// this is the thread whose call of a subagent was under way.
    pub parent: Option<usize>,
    /// How deep it stands in the tree; 0 for the main one.
    pub depth: usize,
    /// Its calls.
    pub calls: u64,
    /// Its first record, in milliseconds since the session's first.
    pub from_ms: u64,
    /// Its last one.
    pub to_ms: u64,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Item {
    /// The number of its first record.
    pub seq: u64,
    /// That record's stream.
    pub stream: String,
    /// That record's time.
    pub ts: String,
    /// The same in milliseconds since the session's first record.
    pub at_ms: u64,
    /// Whose it is: the place in `threads`.
    pub thread: usize,
    /// Which turn it belongs to; 0 before the first prompt.
    pub turn: u64,
    /// What it is.
    pub kind: ItemKind,
    /// The tool of a call; the name of an event.
    pub name: String,
    /// What it is about: the first targets of a call, the words of an event.
    pub about: String,
    /// Our id of the call.
    pub call: Option<String>,
    /// The runtime's id of it.
    pub tool_use_id: Option<String>,
    /// What was decided; empty for what is no call.
    pub effect: String,
    /// Why.
    pub reason: String,
    /// The rules that made it.
    pub rules: Vec<String>,
    /// The question that was put to a person, and what came of it.
    pub waited: Option<Waited>,
    /// How long the tool ran, in milliseconds, if its end is known.
    pub ran_ms: Option<u64>,
    /// When its end was told, in milliseconds since the session's first record.
    pub end_ms: Option<u64>,
    /// What became of a call.
    pub outcome: Outcome,
    /// Codes of the findings on it.
    pub findings: Vec<String>,
}

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// A tool call.
    Call,
    /// The person said something: a turn begins.
    Prompt,
    /// The session began or ended.
    Session,
    /// A finding on no call that is shown.
    Finding,
    /// Another event.
    Event,
    /// A connection, a process, the kernel: what another plane saw.
    Plane,
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is no call.
    None,
    /// It ran and ended.
    Ran,
    /// It ran and failed.
    Failed,
    /// It was refused.
    Refused,
    /// It was never run: a person said no, or the runtime answered in its stead.
    NotRun,
    /// It was let through, and nobody knows what became of it.
    Unknown,
    /// No end is in the log yet.
    Open,
}

/// A question to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waited {
    /// When it was asked, in milliseconds since the session's first record.
    pub asked_ms: u64,
    /// How long the answer took; nothing while there is none.
    pub ms: Option<u64>,
    /// Whether that is exact; else it is at most so long, and the tool's own time is in it.
    pub exact: bool,
    /// What was answered.
    pub answer: Answer,
    /// Who answered, in the record's words.
    pub by: String,
}

/// What a person said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yes.
    Yes,
    /// No.
    No,
    /// Nothing that the log knows of.
    Open,
}

/// One file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FileRow {
    /// Its path; where it really leads, if elsewhere.
    pub path: String,
    /// Calls that read it and were let.
    pub read: u64,
    /// Calls that wrote it and were let.
    pub written: u64,
    /// Calls that were refused.
    pub denied: u64,
}

/// One host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct HostRow {
    /// Its name.
    pub host: String,
    /// Calls that would reach it and were let.
    pub reached: u64,
    /// Calls that were refused.
    pub denied: u64,
}

impl Timeline {
    /// Puts each thread behind the one that began it.
    pub(super) fn as_a_tree(&mut self) {
        let mut order = Vec::with_capacity(self.threads.len());
        let mut below: Vec<Vec<usize>> = vec![Vec::new(); self.threads.len()];
        for (place, thread) in self.threads.iter().enumerate() {
            if let Some(list) = thread.parent.and_then(|parent| below.get_mut(parent)) {
                list.push(place);
            }
        }
        let mut todo = vec![0];
        while let Some(place) = todo.pop() {
            order.push(place);
            todo.extend(below.get(place).into_iter().flatten().rev());
        }
        let mut new_place = vec![0; self.threads.len()];
        for (new, old) in order.iter().enumerate() {
            if let Some(place) = new_place.get_mut(*old) {
                *place = new;
            }
        }
        let renamed = |old: usize| new_place.get(old).copied().unwrap_or(0);
        let threads = order.iter().filter_map(|old| self.threads.get(*old).cloned());
        self.threads = threads
            .map(|thread| ThreadRow { parent: thread.parent.map(renamed), ..thread })
            .collect();
        for item in &mut self.items {
            item.thread = renamed(item.thread);
        }
    }
}
