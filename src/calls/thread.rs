//! The calls of one session.

use super::{Ended, InputDigest, Loose, finding, unasked};
use crate::limits::{AGENTS_OF_SESSION_MAX, CALLS_OF_SESSION_MAX};
use crate::model::call::{CallId, ToolName};
use crate::model::effect::Verdict;
use crate::model::finding::{Code, Finding};
use crate::model::host::Host;
use crate::model::principal::{Agent, Principal};
use crate::model::time::Moment;
use crate::model::told::Batched;
use std::collections::{BTreeMap, HashMap};

/// One session: its calls, and the permission mode of each of its agents.
#[derive(Debug)]
pub(super) struct Thread {
    /// When it was last heard of.
    pub(super) seen: Moment,
    principal: Principal,
    calls: HashMap<String, Under>,
    /// By the id of the agent; the main thread's is empty.
    modes: BTreeMap<String, String>,
}

/// One call that was answered.
#[derive(Debug, Clone)]
pub(super) struct Under {
    pub(super) call: CallId,
    pub(super) agent: Agent,
    pub(super) tool: ToolName,
    /// What was judged; nothing if that is not known any more.
    pub(super) input: Option<InputDigest>,
    pub(super) verdict: Verdict,
    pub(super) since: Moment,
    /// It has ended; kept until its batch has told of it too.
    pub(super) ended: bool,
    /// The hosts that it would connect to, as far as its text tells.
    pub(super) hosts: Vec<Host>,
}

impl Thread {
    pub(super) fn new(principal: Principal) -> Thread {
        Thread { seen: Moment(0), principal, calls: HashMap::new(), modes: BTreeMap::new() }
    }

    /// Remembers a call; gives back the one that had to make room for it, or whose id it took.
    pub(super) fn begin(
        &mut self,
        tool_use_id: &str,
        under: Under,
        now: Moment,
    ) -> Option<(Principal, Loose)> {
        self.seen = now;
        let is_full = self.calls.len() >= CALLS_OF_SESSION_MAX;
        let pushed = if is_full { self.take_oldest() } else { None };
        // The same call asked about once more is one call.
        let same = |before: &Under| before.tool == under.tool && before.input == under.input;
        let replaced = self.calls.insert(tool_use_id.to_owned(), under.clone());
        let replaced = replaced.filter(|before| !same(before));
        let replaced = replaced.and_then(|before| before.into_loose(tool_use_id.to_owned(), false));
        pushed.or(replaced.map(|one| (self.whose(&one.agent), one)))
    }

    /// Takes the end of a call; nothing if it was never begun.
    pub(super) fn end(
        &mut self,
        tool_use_id: &str,
        input: Option<InputDigest>,
        now: Moment,
    ) -> Option<Ended> {
        let under = self.calls.get_mut(tool_use_id).filter(|under| !under.ended)?;
        let mut findings = Vec::new();
        if under.verdict == Verdict::Deny {
            findings.push(finding(Code::RanThoughRefused, []));
        }
        if let (Some(judged), Some(ran)) = (under.input, input)
            && judged != ran
        {
            findings.push(finding(Code::InputRewritten, []));
        }
        under.ended = true;
        under.since = now;
        let asked = under.verdict == Verdict::Ask;
        Some(Ended { call: Some(under.call.clone()), asked, findings })
    }

    /// The call under way whose very input this is.
    pub(super) fn under_way(&self, tool: &ToolName, input: InputDigest) -> Option<CallId> {
        let same = |under: &&Under| {
            !under.ended
                && under.verdict != Verdict::Deny
                && under.tool == *tool
                && under.input == Some(input)
        };
        self.calls.values().find(same).map(|under| under.call.clone())
    }

    /// The call that was judged so connects to these hosts.
    pub(super) fn connects(&mut self, tool_use_id: &str, hosts: Vec<Host>) {
        if let Some(under) = self.calls.get_mut(tool_use_id) {
            under.hosts = hosts;
        }
    }

    /// The call under way that would connect to this host; the latest, if there are several.
    pub(super) fn connecting(&self, host: &Host) -> Option<(CallId, Agent)> {
        let to_there = |under: &&Under| {
            !under.ended && under.verdict != Verdict::Deny && under.hosts.contains(host)
        };
        let latest = self.calls.values().filter(to_there).max_by_key(|under| under.since);
        latest.map(|under| (under.call.clone(), under.agent.clone()))
    }

    /// Whose it is.
    pub(super) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The calls of a batch are over.
    pub(super) fn batch(&mut self, batch: &[Batched]) -> (Vec<Loose>, Vec<Finding>) {
        let mut loose = Vec::new();
        let mut unknown = Vec::new();
        for call in batch {
            match self.calls.remove_entry(&call.tool_use_id) {
                Some((id, under)) => loose.extend(under.into_loose(id, true)),
                None => unknown.push(call),
            }
        }
        (loose, unasked(unknown.into_iter()))
    }

    /// The calls of these agents are over.
    pub(super) fn over(&mut self, whose: impl Fn(&Agent) -> bool) -> Vec<Loose> {
        let over = self.calls.extract_if(|_, under| whose(&under.agent));
        over.filter_map(|(id, under)| under.into_loose(id, false)).collect()
    }

    /// All of them are.
    pub(super) fn into_loose(mut self) -> Vec<Loose> {
        self.over(|_| true)
    }

    /// The same, each with whose it is.
    pub(super) fn take_loose(&mut self) -> Vec<(Principal, Loose)> {
        let loose = self.over(|_| true);
        loose.into_iter().map(|one| (self.whose(&one.agent), one)).collect()
    }

    pub(super) fn mode(&mut self, agent: &Agent, mode: &str) -> Option<Finding> {
        let id = match agent {
            Agent::Main => "",
            Agent::Sub { id, .. } => id,
        };
        // A subagent begins with the mode of the main thread, or that is a change too.
        let before = self.modes.get(id).or_else(|| self.modes.get("")).cloned();
        if self.modes.len() < AGENTS_OF_SESSION_MAX || self.modes.contains_key(id) {
            self.modes.insert(id.to_owned(), mode.to_owned());
        }
        let before = before.filter(|before| before != mode)?;
        Some(finding(Code::PermissionModeChanged, [before, mode.to_owned()]))
    }

    /// The one that nothing is waited for any more, or else the one that began first.
    fn take_oldest(&mut self) -> Option<(Principal, Loose)> {
        let oldest = self.calls.iter().min_by_key(|(_, under)| (!under.ended, under.since));
        let id = oldest.map(|(id, _)| id.clone())?;
        let (id, under) = self.calls.remove_entry(&id)?;
        let one = under.into_loose(id, false)?;
        Some((self.whose(&one.agent), one))
    }

    fn whose(&self, agent: &Agent) -> Principal {
        Principal { agent: agent.clone(), ..self.principal.clone() }
    }
}

impl Under {
    /// What is left of it without an end; nothing if it has one, or was never let through.
    fn into_loose(self, tool_use_id: String, not_run: bool) -> Option<Loose> {
        let Under { call, agent, tool, input, verdict, ended, .. } = self;
        let open = !ended && verdict != Verdict::Deny;
        // Its digest went with the sidecar that judged it, and its end may have come in between.
        let not_run = not_run && input.is_some();
        open.then_some(Loose { call, agent, tool_use_id, tool, verdict, not_run })
    }
}
