//! After a restart: the calls that the end of the log knows as begun and not as ended.
//!
//! Only ids are read from there. The log holds no digest of an input, which would tell a guesser
//! what was redacted; so the input of such a call is not compared with what ran.

use super::{Call, Calls};
use crate::audit::wire::{WireAgent, WireRecord};
use crate::audit::{AuditError, Log};
use crate::limits::CALLS_REBUILD_FILES;
use crate::model::call::{CallId, ToolName};
use crate::model::effect::Verdict;
use crate::model::principal::{Agent, Principal, Sender};
use crate::model::record::Kind;
use crate::model::time::Moment;
use crate::model::told::{Batched, Ends};
use std::path::Path;

impl Calls {
    /// Reads the end of a directory's log. What cannot be read there is passed: nothing rests on
    /// it but findings.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn rebuild(dir: &Path, now: Moment) -> Result<Calls, AuditError> {
        let log = Log::of(dir)?;
        let calls = Calls::default();
        for file in log.files().saturating_sub(CALLS_REBUILD_FILES)..log.files() {
            for entry in log.file(file).flatten() {
                calls.take(&entry.record, now);
            }
        }
        Ok(calls)
    }

    fn take(&self, record: &WireRecord, now: Moment) -> Option<()> {
        let principal = principal(record)?;
        if let Some(mode) = record.details.get("permission_mode").and_then(|mode| mode.as_str()) {
            self.mode(&principal, mode, now);
        }
        if record.kind == Kind::SessionEnd.as_str() {
            self.over(&principal, &Ends::Session, now);
            return Some(());
        }
        let tool_use_id = record.tool_use_id.clone()?;
        let (id, tool) = (CallId(record.call.clone()?), ToolName::parse(record.tool.as_deref()?));
        let call = |id| Call {
            id,
            principal: &principal,
            tool: &tool,
            tool_use_id: Some(tool_use_id.as_str()),
        };
        if record.kind == Kind::ToolPre.as_str() {
            let verdict = verdict(&record.decision.as_ref()?.effect);
            self.begin(&call(&id), None, verdict, now);
        } else if record.kind == Kind::ToolPost.as_str() {
            // Its batch may still tell of it.
            self.end(&call(&id), None, now);
        } else if record.kind == Kind::ToolUnknown.as_str() {
            let over = Batched { tool_use_id: tool_use_id.clone(), tool: tool.clone() };
            self.over(&principal, &Ends::Batch(vec![over]), now);
        }
        Some(())
    }
}

fn principal(record: &WireRecord) -> Option<Principal> {
    let agent = match &record.agent {
        Some(WireAgent { id: Some(id), kind }) => Agent::Sub { id: id.clone(), kind: kind.clone() },
        Some(WireAgent { id: None, .. }) | None => Agent::Main,
    };
    Some(Principal {
        runtime: record.runtime.as_deref()?.parse().ok()?,
        session: record.session.clone()?,
        agent,
        uid: record.uid,
        sender: Sender::Unproven,
    })
}

fn verdict(effect: &str) -> Verdict {
    match effect {
        "allow" => Verdict::Allow,
        "ask" => Verdict::Ask,
        "defer" => Verdict::Defer,
        _ => Verdict::Deny,
    }
}
