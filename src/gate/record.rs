//! The record of a decision: what was asked and what was decided.
//!
//! Arguments and outputs are redacted here; the journal redacts every other text as it writes it.

use crate::model::access::Verb;
use crate::model::call::{Phase, ToolCall};
use crate::model::decision::Decision;
use crate::model::effect::Verdict;
use crate::model::record::{Durability, Kind, Record};
use crate::redact::Redactor;
use std::time::Duration;

/// What is known of a call before it is judged; it stands even if judging fails.
pub(super) fn draft(call: &ToolCall) -> Record {
    Record {
        call: Some(call.id.clone()),
        principal: Some(call.principal.clone()),
        tool: Some(call.tool.clone()),
        tool_use_id: call.tool_use_id.clone(),
        cwd: call.cwd.as_ref().map(ToString::to_string),
        details: call
            .permission_mode
            .iter()
            .map(|mode| ("permission_mode", mode.as_str().into()))
            .collect(),
        ..Record::new(match call.phase {
            Phase::Pre => Kind::ToolPre,
            Phase::Post { .. } => Kind::ToolPost,
        })
    }
}

/// The whole record, ready for the log.
pub(super) fn complete(
    mut record: Record,
    call: Option<ToolCall>,
    decision: &Decision,
    took: Duration,
    redactor: &Redactor,
) -> Record {
    if let Some(call) = call {
        match call.phase {
            Phase::Pre => record.input = Some(redactor.capture(&call.input)),
            Phase::Post { output, duration_ms, failed } => {
                record.details.push(("failed", failed.into()));
                record.output = Some(redactor.capture(&output));
                record.details.extend(duration_ms.map(|ms| ("duration_ms", ms.into())));
            }
        }
    }
    record.durability = durability(decision);
    record.decided_us = u64::try_from(took.as_micros()).ok();
    record.decision = Some(Box::new(decision.clone()));
    record
}

/// A refusal, a question, and a call that changes something must survive a power cut.
fn durability(decision: &Decision) -> Durability {
    let changes = |verb: Verb| match verb {
        Verb::Write | Verb::Exec | Verb::Connect => true,
        Verb::Read | Verb::Call => false,
    };
    let durable = match decision.verdict {
        Verdict::Deny | Verdict::Ask => true,
        Verdict::Allow | Verdict::Defer => {
            decision.accesses.iter().any(|judged| changes(judged.access.target.verb()))
        }
    };
    if durable { Durability::Synced } else { Durability::Written }
}
