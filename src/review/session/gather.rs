//! Makes a session's timeline of its records, joining each call with its question and its end.

use super::list::{Sessions, host_of};
use super::timeline::{
    Answer, FileRow, HostRow, Item, ItemKind, Outcome, ThreadRow, Timeline, Waited,
};
use crate::audit::wire::{WireAccess, WireRecord};
use crate::model::json::Json;
use crate::model::record::Kind;
use crate::review::findings::{at, what};
use crate::review::moment;
use std::collections::{BTreeMap, HashMap};

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
