//! One session as it went: calls joined with their questions and ends, subagents as a tree, files,
//! hosts, cost.
//!
//! Times are those of the records. How long a person was waited for is exact where the runtime said
//! how long the tool itself ran; elsewhere it is at most the time between question and end, and the
//! row says so. Nothing is made up: what no record tells is not there.

use super::list::{SessionRow, Sessions, host_of};
use crate::audit::wire::{WireAccess, WireRecord};
use crate::model::json::Json;
use crate::model::record::Kind;
use crate::review::findings::{at, what};
use crate::review::moment;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

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

/// Collects the timeline of one session from its records.
#[derive(Debug, Default)]
pub struct Timelines {
    sessions: Sessions,
    first: Option<i64>,
    turn: u64,
    threads: Vec<ThreadRow>,
    items: Vec<Item>,
    /// The item of each call.
    calls: HashMap<String, usize>,
    /// Calls of subagents that are under way, the newest last.
    spawning: Vec<(String, usize)>,
    files: BTreeMap<String, FileRow>,
    hosts: BTreeMap<String, HostRow>,
}

impl Timelines {
    /// Looks at one record of the session.
    pub fn take(&mut self, record: &WireRecord) {
        self.sessions.take(record);
        let now = at(record);
        let first = *self.first.get_or_insert(now);
        let at_ms = moment::between(first, now);
        let thread = self.thread(record, at_ms);
        let kind = record.kind.as_str();
        if kind == Kind::ToolPre.as_str() {
            self.begin(record, at_ms, thread);
        } else if kind == Kind::ToolPost.as_str() {
            self.end(record, at_ms, thread);
        } else if kind == Kind::ToolUnknown.as_str() {
            let not_run = detail(record, "outcome") == Some("not_run");
            let place = self.of_call(record).unwrap_or_else(|| self.push(record, at_ms, thread));
            if let Some(item) = self.items.get_mut(place) {
                let outcome = if not_run { Outcome::NotRun } else { Outcome::Unknown };
                if item.outcome != Outcome::Refused {
                    item.outcome = outcome;
                }
                item.end_ms = Some(at_ms);
            }
        } else if kind == Kind::Approval.as_str() {
            self.answered(record, at_ms);
        } else if kind == Kind::Finding.as_str() {
            let code = detail(record, "code").unwrap_or_default().to_owned();
            match self.of_call(record).and_then(|place| self.items.get_mut(place)) {
                Some(item) => item.findings.push(code),
                None => {
                    let place = self.push(record, at_ms, thread);
                    if let Some(item) = self.items.get_mut(place) {
                        item.kind = ItemKind::Finding;
                        item.name = code;
                    }
                }
            }
        } else if kind != Kind::SessionSnapshot.as_str() {
            self.event(record, at_ms, thread);
        }
    }

    /// The timeline; nothing if there was no record.
    #[must_use]
    pub fn finish(self) -> Option<Timeline> {
        let summary = self.sessions.finish().into_iter().next()?;
        let mut timeline = Timeline {
            summary,
            threads: self.threads,
            items: self.items,
            files: self.files.into_values().collect(),
            hosts: self.hosts.into_values().collect(),
        };
        timeline.as_a_tree();
        Some(timeline)
    }

    /// The place of the record's thread.
    fn thread(&mut self, record: &WireRecord, at_ms: u64) -> usize {
        let agent = record.agent.as_ref();
        let id = agent.and_then(|agent| agent.id.clone());
        if self.threads.is_empty() {
            let kind = "main".to_owned();
            self.threads.push(ThreadRow { kind, from_ms: at_ms, ..ThreadRow::default() });
        }
        let known = self.threads.iter().position(|thread| thread.id == id);
        let place = known.unwrap_or_else(|| {
            let parent = self.spawning.last().map_or(0, |(_, thread)| *thread);
            let depth = self.threads.get(parent).map_or(1, |parent| parent.depth + 1);
            let kind = agent.map(|agent| agent.kind.clone()).unwrap_or_default();
            let parent = Some(parent);
            self.threads.push(ThreadRow {
                id,
                kind,
                parent,
                depth,
                from_ms: at_ms,
                ..ThreadRow::default()
            });
            self.threads.len() - 1
        });
        if let Some(thread) = self.threads.get_mut(place) {
            thread.to_ms = at_ms;
        }
        place
    }

    fn of_call(&self, record: &WireRecord) -> Option<usize> {
        self.calls.get(record.call.as_ref()?).copied()
    }

    /// A new item of a record.
    fn push(&mut self, record: &WireRecord, at_ms: u64, thread: usize) -> usize {
        let decision = record.decision.as_ref();
        self.items.push(Item {
            seq: record.seq,
            stream: record.stream.clone(),
            ts: record.ts.clone(),
            at_ms,
            thread,
            turn: self.turn,
            kind: ItemKind::Event,
            name: record.tool.clone().unwrap_or_else(|| record.kind.clone()),
            about: about(record),
            call: record.call.clone(),
            tool_use_id: record.tool_use_id.clone(),
            effect: decision.map(|decision| decision.effect.clone()).unwrap_or_default(),
            reason: decision.map(|decision| decision.reason.clone()).unwrap_or_default(),
            rules: record.deciding().iter().map(|rule| rule.id.clone()).collect(),
            waited: None,
            ran_ms: None,
            end_ms: None,
            outcome: Outcome::None,
            findings: Vec::new(),
        });
        self.items.len() - 1
    }

    fn begin(&mut self, record: &WireRecord, at_ms: u64, thread: usize) {
        let place = self.push(record, at_ms, thread);
        let Some(item) = self.items.get_mut(place) else { return };
        item.kind = ItemKind::Call;
        let refused = item.effect == "deny";
        item.outcome = if refused { Outcome::Refused } else { Outcome::Open };
        if item.effect == "ask" {
            let (answer, by) = (Answer::Open, String::new());
            item.waited = Some(Waited { asked_ms: at_ms, ms: None, exact: false, answer, by });
        }
        if let Some(call) = &record.call {
            self.calls.insert(call.clone(), place);
            if spawns(record) && !refused {
                self.spawning.push((call.clone(), thread));
            }
        }
        if let Some(thread) = self.threads.get_mut(thread) {
            thread.calls += 1;
        }
        self.touched(&record.accesses, refused);
    }

    fn touched(&mut self, accesses: &[WireAccess], refused: bool) {
        for access in accesses {
            match access.verb.as_str() {
                verb @ ("read" | "write") if !access.target.starts_with('⟨') => {
                    let path = access.real.as_ref().unwrap_or(&access.target);
                    let row = self
                        .files
                        .entry(path.clone())
                        .or_insert_with(|| FileRow { path: path.clone(), ..FileRow::default() });
                    match (refused, verb) {
                        (true, _) => row.denied += u64::from(access.verdict != "allow"),
                        (false, "read") => row.read += 1,
                        (false, _) => row.written += 1,
                    }
                }
                "connect" => {
                    let Some(host) = host_of(&access.target) else { continue };
                    let row = self
                        .hosts
                        .entry(host.clone())
                        .or_insert_with(|| HostRow { host, ..HostRow::default() });
                    match refused {
                        true => row.denied += u64::from(access.verdict != "allow"),
                        false => row.reached += 1,
                    }
                }
                _ => {}
            }
        }
        // What only stood beside what was refused was neither reached nor refused itself.
        if refused {
            self.files.retain(|_, row| row.read + row.written + row.denied > 0);
            self.hosts.retain(|_, row| row.reached + row.denied > 0);
        }
    }

    fn end(&mut self, record: &WireRecord, at_ms: u64, thread: usize) {
        let place = self.of_call(record).unwrap_or_else(|| {
            let place = self.push(record, at_ms, thread);
            if let Some(item) = self.items.get_mut(place) {
                item.kind = ItemKind::Call;
            }
            place
        });
        if let Some(call) = &record.call {
            self.spawning.retain(|(spawning, _)| spawning != call);
        }
        let Some(item) = self.items.get_mut(place) else { return };
        let failed = record.details.get("failed").and_then(Json::as_bool) == Some(true);
        item.outcome = if failed { Outcome::Failed } else { Outcome::Ran };
        item.end_ms = Some(at_ms);
        let total = at_ms.saturating_sub(item.at_ms);
        let ran = record.details.get("duration_ms").and_then(Json::as_u64);
        match &mut item.waited {
            Some(waited) if waited.ms.is_none() => {
                waited.exact = ran.is_some();
                waited.ms = Some(total.saturating_sub(ran.unwrap_or(0)));
                item.ran_ms = ran;
            }
            Some(_) => item.ran_ms = ran,
            None => item.ran_ms = Some(ran.unwrap_or(total)),
        }
    }

    fn answered(&mut self, record: &WireRecord, at_ms: u64) {
        let Some(item) = self.of_call(record).and_then(|place| self.items.get_mut(place)) else {
            return;
        };
        let asked_ms = item.at_ms;
        let waited = item.waited.get_or_insert_with(|| Waited {
            asked_ms,
            ms: None,
            exact: false,
            answer: Answer::Open,
            by: String::new(),
        });
        let yes = detail(record, "answer") == Some("yes");
        waited.answer = if yes { Answer::Yes } else { Answer::No };
        waited.by = detail(record, "by").unwrap_or_default().to_owned();
        if let Some(ms) = record.details.get("wait_ms").and_then(Json::as_u64) {
            waited.ms = Some(ms);
            waited.exact = true;
        } else if waited.ms.is_none() {
            waited.ms = Some(at_ms.saturating_sub(asked_ms));
        }
        if !yes {
            item.outcome = Outcome::NotRun;
        }
    }

    fn event(&mut self, record: &WireRecord, at_ms: u64, thread: usize) {
        let event = detail(record, "event").unwrap_or_default();
        if event == "UserPromptSubmit" && record.decision.is_none() {
            self.turn += 1;
        }
        // The question to a person is the call's own.
        if event == "PermissionRequest" && detail(record, "call").is_some() {
            let call = detail(record, "call").unwrap_or_default();
            if let Some(item) = self.calls.get(call).and_then(|place| self.items.get_mut(*place)) {
                let (answer, by) = (Answer::Open, String::new());
                let asked_ms = at_ms;
                item.waited.get_or_insert(Waited { asked_ms, ms: None, exact: false, answer, by });
                return;
            }
        }
        let kind = record.kind.as_str();
        let place = self.push(record, at_ms, thread);
        let Some(item) = self.items.get_mut(place) else { return };
        item.kind = match kind {
            "session.start" | "session.end" => ItemKind::Session,
            "runtime.event" if event == "UserPromptSubmit" => ItemKind::Prompt,
            "runtime.event" | "label" => ItemKind::Event,
            _ => ItemKind::Plane,
        };
        if record.tool.is_none() && !event.is_empty() {
            event.clone_into(&mut item.name);
            // What was named is not said again.
            let rest = item.about.strip_prefix(event).unwrap_or(&item.about);
            item.about = rest.trim_start_matches(": ").to_owned();
        }
    }
}

impl Timeline {
    /// Puts each thread behind the one that began it.
    fn as_a_tree(&mut self) {
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

/// Whether a call begins a subagent.
fn spawns(record: &WireRecord) -> bool {
    matches!(record.tool.as_deref(), Some("Task" | "Agent"))
}

pub(super) fn detail<'a>(record: &'a WireRecord, name: &str) -> Option<&'a str> {
    record.details.get(name).and_then(Json::as_str)
}

/// What a record is about, in one line: what the call would do first, else its input's most telling
/// text, else what its details say.
pub(in crate::review) fn about(record: &WireRecord) -> String {
    const KEYS: [&str; 6] = ["command", "file_path", "path", "url", "pattern", "description"];
    let input = record.input.as_ref().and_then(|input| input.value.as_ref());
    let text = input.and_then(|value| {
        KEYS.iter().find_map(|key| value.get(*key).and_then(Json::as_str)).map(str::to_owned)
    });
    text.or_else(|| {
        let first = record.accesses.first()?;
        let more = record.accesses.len() + record.accesses_more - 1;
        Some(match more {
            0 => first.target.clone(),
            _ => format!("{} and {more} more", first.target),
        })
    })
    .unwrap_or_else(|| what(record))
}
