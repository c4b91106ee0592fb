//! Calls under way: each joined with its end by the runtime's own id of it.
//!
//! A hook is asked before a call and told after it. What does not fit together is a [`Finding`]:
//! a call that ran though nobody was asked, or though it was refused, or with another input than
//! the one that was judged; one that was let through and never ended. Nothing here lets anything
//! through or holds anything back: whoever can send events as the agent's user can forge both, and
//! then the real one is what does not fit.
//!
//! It is kept in memory and, after a restart, read from the end of the log (`rebuild`).

mod connect;
mod rebuild;
#[cfg(test)]
mod tests;
mod thread;

use crate::limits::{CALL_AGE_MAX, SESSIONS_OF_USER_MAX};
use crate::model::call::{CallId, ToolCall, ToolName};
use crate::model::effect::Verdict;
use crate::model::finding::{Code, Finding};
use crate::model::json::Json;
use crate::model::principal::{Agent, Principal};
use crate::model::time::Moment;
use crate::model::told::{Batched, Ends};
use crate::session::{Key, SessionId, User};
pub use connect::Connecting;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use thread::{Thread, Under};

/// All calls under way, of all users.
#[derive(Debug, Default)]
pub struct Calls {
    users: Mutex<BTreeMap<User, HashMap<SessionId, Thread>>>,
}

/// The SHA-256 of a call's input: what was judged, to be compared with what ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputDigest([u8; 32]);

impl InputDigest {
    /// Of an input as it was stated, but for what the runtime itself adds before the tool runs.
    #[must_use]
    pub fn of(tool: &ToolName, input: &Json) -> InputDigest {
        let added: &[&str] = match tool.as_str() {
            // What the person answered.
            "AskUserQuestion" => &["answers", "annotations"],
            _ => &[],
        };
        let text = match input.as_object() {
            Some(all) if added.iter().any(|key| all.contains_key(*key)) => {
                let mut stated = all.clone();
                stated.retain(|key, _| !added.contains(&key.as_str()));
                Json::Object(stated).to_string()
            }
            Some(_) | None => input.to_string(),
        };
        InputDigest(Sha256::digest(text).into())
    }
}

/// What the end of a call fits together with.
#[derive(Debug, Default, PartialEq)]
pub struct Ended {
    /// Our id of the call, if it was judged before.
    pub call: Option<CallId>,
    /// Whether a person had to say yes to it: as it has run, that was the answer.
    pub asked: bool,
    /// What does not fit.
    pub findings: Vec<Finding>,
}

/// A call that is over without an end of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Loose {
    /// Our id of it.
    pub call: CallId,
    /// Who asked.
    pub agent: Agent,
    /// The runtime's own id of it.
    pub tool_use_id: String,
    /// The tool.
    pub tool: ToolName,
    /// What it was answered.
    pub verdict: Verdict,
    /// Whether it is known that it never ran: the model was answered in its stead.
    pub not_run: bool,
}

impl Calls {
    /// Remembers a call that was answered; gives back those that had to make room for it.
    pub fn begin(
        &self,
        call: &Call<'_>,
        input: Option<InputDigest>,
        verdict: Verdict,
        now: Moment,
    ) -> Vec<(Principal, Loose)> {
        let Some(tool_use_id) = call.tool_use_id else { return Vec::new() };
        let mut users = self.lock();
        let key = Key::of(call.principal);
        let sessions = users.entry(key.user).or_default();
        let mut loose = Vec::new();
        if sessions.len() >= SESSIONS_OF_USER_MAX && !sessions.contains_key(&key.session) {
            loose = forget_oldest(sessions);
        }
        let thread =
            sessions.entry(key.session).or_insert_with(|| Thread::new(call.principal.clone()));
        let under = Under {
            call: call.id.clone(),
            agent: call.principal.agent.clone(),
            tool: call.tool.clone(),
            input,
            verdict,
            since: now,
            ended: false,
            hosts: Vec::new(),
        };
        loose.extend(thread.begin(tool_use_id, under, now));
        loose
    }

    /// Takes the end of a call, and says what it fits together with.
    pub fn end(&self, call: &Call<'_>, input: Option<InputDigest>, now: Moment) -> Ended {
        let unasked =
            Ended { findings: vec![finding(Code::CallWithoutPre, [])], ..Ended::default() };
        let end =
            |id| self.with(call.principal, now, |thread| thread.end(id, input, now)).flatten();
        // One without an id belongs to no call that was asked about.
        call.tool_use_id.and_then(end).unwrap_or(unasked)
    }

    /// Whether this very input was judged, and the call has not ended: then a question of the
    /// runtime is about what was judged.
    #[must_use]
    pub fn is_under_way(&self, call: &ToolCall, input: InputDigest, now: Moment) -> Option<CallId> {
        self.with(&call.principal, now, |thread| thread.under_way(&call.tool, input)).flatten()
    }

    /// The calls that an event says are over, and what does not fit.
    pub fn over(&self, by: &Principal, ends: &Ends, now: Moment) -> (Vec<Loose>, Vec<Finding>) {
        if let Ends::Session = ends {
            let mut users = self.lock();
            let key = Key::of(by);
            let thread = users.get_mut(&key.user).and_then(|all| all.remove(&key.session));
            return (thread.map(Thread::into_loose).unwrap_or_default(), Vec::new());
        }
        let unknown = || match ends {
            Ends::Batch(calls) => (Vec::new(), unasked(calls.iter())),
            Ends::Nothing | Ends::Turn | Ends::Agent | Ends::Session => Default::default(),
        };
        self.with(by, now, |thread| match ends {
            Ends::Batch(calls) => thread.batch(calls),
            Ends::Turn => (thread.over(|agent| *agent == Agent::Main), Vec::new()),
            Ends::Agent => (thread.over(|agent| *agent == by.agent), Vec::new()),
            Ends::Nothing | Ends::Session => Default::default(),
        })
        .unwrap_or_else(unknown)
    }

    /// Remembers the permission mode that an event states; a change of it is told.
    pub fn mode(&self, by: &Principal, mode: &str, now: Moment) -> Option<Finding> {
        let mut users = self.lock();
        let key = Key::of(by);
        let sessions = users.entry(key.user).or_default();
        if sessions.len() >= SESSIONS_OF_USER_MAX && !sessions.contains_key(&key.session) {
            // Its calls make room for it, if it has any.
            return None;
        }
        let thread = sessions.entry(key.session).or_insert_with(|| Thread::new(by.clone()));
        thread.seen = now;
        thread.mode(&by.agent, mode)
    }

    /// Calls that nothing was heard of for too long, with their sessions: a runtime that was
    /// killed tells of no end.
    pub fn overdue(&self, now: Moment) -> Vec<(Principal, Loose)> {
        let mut loose = Vec::new();
        let mut users = self.lock();
        for sessions in users.values_mut() {
            sessions.retain(|_, thread| {
                let is_over = now.is_later_by(CALL_AGE_MAX, thread.seen);
                if is_over {
                    loose.extend(thread.take_loose());
                }
                !is_over
            });
        }
        users.retain(|_, sessions| !sessions.is_empty());
        loose
    }

    fn with<T>(
        &self,
        by: &Principal,
        now: Moment,
        work: impl FnOnce(&mut Thread) -> T,
    ) -> Option<T> {
        let mut users = self.lock();
        let key = Key::of(by);
        let thread = users.get_mut(&key.user)?.get_mut(&key.session)?;
        thread.seen = now;
        Some(work(thread))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<User, HashMap<SessionId, Thread>>> {
        // Every change under the lock is whole: a panic elsewhere leaves nothing half done.
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is needed of a call to join it, when the call itself has been taken apart.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Our id of it.
    pub id: &'a CallId,
    /// Who asks.
    pub principal: &'a Principal,
    /// The tool.
    pub tool: &'a ToolName,
    /// The runtime's own id.
    pub tool_use_id: Option<&'a str>,
}

impl<'a> Call<'a> {
    /// Of the call itself.
    #[must_use]
    pub fn of(call: &'a ToolCall) -> Call<'a> {
        let ToolCall { id, principal, tool, tool_use_id, .. } = call;
        Call { id, principal, tool, tool_use_id: tool_use_id.as_deref() }
    }
}

fn finding(code: Code, what: impl IntoIterator<Item = String>) -> Finding {
    Finding { code, what: what.into_iter().collect() }
}

/// One finding for each call of a batch that no hook was asked about.
fn unasked<'a>(calls: impl Iterator<Item = &'a Batched>) -> Vec<Finding> {
    calls
        .map(|call| {
            finding(
                Code::BatchCallWithoutPre,
                [call.tool.as_str().to_owned(), call.tool_use_id.clone()],
            )
        })
        .collect()
}

/// Drops the eighth of the sessions that were silent for longest, so that the search for them is
/// paid for by many.
fn forget_oldest(sessions: &mut HashMap<SessionId, Thread>) -> Vec<(Principal, Loose)> {
    let mut seen: Vec<Moment> = sessions.values().map(|thread| thread.seen).collect();
    seen.sort_unstable();
    let Some(limit) = seen.get(seen.len() / 8).copied() else { return Vec::new() };
    let mut loose = Vec::new();
    sessions.retain(|_, thread| {
        let is_old = thread.seen <= limit;
        if is_old {
            loose.extend(thread.take_loose());
        }
        !is_old
    });
    loose
}
