//! Calls joined with what is told of them: an end with its beginning, a batch with its calls, a
//! change of mode. What does not fit becomes a finding; what never ended, a record of its own.

use super::judge::now;
use super::{Gate, record};
use crate::audit::AuditError;
use crate::calls::{Call, Ended, InputDigest, Loose};
use crate::model::access::Target;
use crate::model::decision::{Decision, Judged};
use crate::model::effect::Verdict;
use crate::model::finding::{Code, Finding};
use crate::model::host::Host;
use crate::model::principal::Principal;
use crate::model::record::{Durability, Kind, Record};
use crate::model::told::{Ends, Told};
use crate::model::url::Destination;

impl Gate {
    /// What an event's permission mode says that was not so before.
    pub(super) fn mode(&self, by: &Principal, mode: Option<&str>) -> Option<Finding> {
        self.calls.mode(by, mode?, now())
    }

    /// Remembers that a call was answered, now that its record stands in the log.
    pub(super) async fn began(
        &self,
        call: &Record,
        input: Option<InputDigest>,
        decision: &Decision,
    ) {
        let Some(call) = joined(call) else { return };
        let pushed = self.calls.begin(&call, input, decision.verdict, now());
        self.calls.connects(&call, hosts(decision));
        self.loose(pushed).await;
    }

    /// Takes down what a runtime tells besides calls. With `also`, what was found on the way.
    ///
    /// # Errors
    /// If the journal could not take it.
    pub async fn told(&self, told: Told, also: Option<Finding>) -> Result<(), AuditError> {
        let (loose, mut findings) = self.calls.over(&told.principal, &told.ends, now());
        findings.extend(self.mode(&told.principal, told.permission_mode.as_deref()));
        findings.extend(also);
        let principal = told.principal.clone();
        let record = event(told);
        let findings = record::findings(&record, &findings);
        self.write(record, findings).await?;
        self.loose(loose.into_iter().map(|one| (principal.clone(), one))).await;
        Ok(())
    }

    /// Takes down the calls of sessions that nothing was heard of for a day.
    pub async fn sweep_calls(&self) {
        let overdue = self.calls.overdue(now());
        self.loose(overdue).await;
    }

    /// One record for each call that is over without an end of its own, and a finding where it
    /// was let through and nobody knows what became of it.
    async fn loose(&self, calls: impl IntoIterator<Item = (Principal, Loose)>) {
        for (principal, one) in calls {
            for record in over(principal, one) {
                if let Err(error) = self.append(record).await {
                    // Every call is refused by now, with that reason.
                    tracing::error!(%error, "a call without an end could not be recorded");
                    return;
                }
            }
        }
    }
}

/// The hosts that a call would connect to, by which its connections are known.
fn hosts(decision: &Decision) -> Vec<Host> {
    let host = |judged: &Judged| match &judged.access.target {
        Target::Connect(Destination::Network(to)) => Some(to.host.clone()),
        _ => None,
    };
    decision.accesses.iter().filter_map(host).collect()
}

/// The answer of a person, as it shows from what happened then.
pub(super) fn approval(call: &Record, yes: bool) -> Record {
    Record {
        kind: Kind::Approval,
        details: vec![
            ("answer", if yes { "yes" } else { "no" }.into()),
            ("by", "the runtime's own prompt".into()),
        ],
        durability: Durability::Written,
        ..call.clone()
    }
}

/// What joining needs of a call's record.
pub(super) fn joined(record: &Record) -> Option<Call<'_>> {
    Some(Call {
        id: record.call.as_ref()?,
        principal: record.principal.as_ref()?,
        tool: record.tool.as_ref()?,
        tool_use_id: record.tool_use_id.as_deref(),
    })
}

/// What the end of a call comes to: nothing for one that has not run.
pub(super) fn is_doubtful(ended: &Ended) -> bool {
    !ended.findings.is_empty()
}

fn event(told: Told) -> Record {
    let Told { principal, event, permission_mode, cwd, details, ends, .. } = told;
    let kind = match event.as_str() {
        "SessionStart" => Kind::SessionStart,
        "SessionEnd" => Kind::SessionEnd,
        _ => Kind::RuntimeEvent,
    };
    let mut all = vec![("event", event.into())];
    all.extend(permission_mode.map(|mode| ("permission_mode", mode.into())));
    all.extend(details);
    if let Ends::Batch(calls) = ends {
        all.push(("calls", calls.len().into()));
    }
    Record {
        principal: Some(principal),
        cwd: cwd.as_ref().map(ToString::to_string),
        details: all,
        durability: Durability::Written,
        ..Record::new(kind)
    }
}

fn over(principal: Principal, one: Loose) -> Vec<Record> {
    let Loose { call, agent, tool_use_id, tool, verdict, not_run } = one;
    let outcome = if not_run { "not_run" } else { "unknown" };
    let ended = Record {
        call: Some(call),
        principal: Some(Principal { agent, ..principal }),
        tool: Some(tool),
        tool_use_id: Some(tool_use_id),
        details: vec![("outcome", outcome.into())],
        durability: Durability::Written,
        ..Record::new(Kind::ToolUnknown)
    };
    let also = match verdict {
        // The model was answered in its stead, so whoever was asked said no.
        Verdict::Ask if not_run => vec![approval(&ended, false)],
        // Whether a person said yes, and it was interrupted, is not known.
        Verdict::Ask | Verdict::Allow if !not_run => {
            record::findings(&ended, &[Finding { code: Code::NoEnd, what: Vec::new() }])
        }
        Verdict::Ask | Verdict::Allow | Verdict::Defer | Verdict::Deny => Vec::new(),
    };
    [vec![ended], also].concat()
}
