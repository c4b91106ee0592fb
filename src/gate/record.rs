//! The record of a decision: what was asked and what was decided.
//!
//! Arguments and outputs are redacted here; the journal redacts every other text as it writes it.
//! An output stands in the log as the policy wants it shown, also where nobody can enforce that:
//! what a policy takes out of an output must not be kept here instead.

use super::judge::Judged;
use crate::catalogue::tool::tool;
use crate::model::access::{Access, Target, Verb};
use crate::model::call::{Phase, ToolCall};
use crate::model::decision::Decision;
use crate::model::effect::Verdict;
use crate::model::finding::{Code, Finding};
use crate::model::json::Json;
use crate::model::record::{Capture, Durability, Kind, Record};
use crate::model::secrets::Secrets;
use crate::policy::Policy;
use crate::redact::withhold::withhold;
use crate::redact::{DIGEST_ONLY, Redactor, TOO_LONG, UNREDACTABLE, together};
use crate::session::Held;
use std::time::Duration;

/// What the record of a failed call says if its output should have been another.
const NOT_ENFORCED: &str = "the runtime cannot rewrite a failed call's output";

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

/// The whole record, ready for the log, and what is still to be done once it stands there.
pub(super) fn complete(
    mut record: Record,
    judged: Judged,
    took: Duration,
    (policy, redactor): (&Policy, &Redactor),
) -> (Record, Decision, Held) {
    let Judged { call, mut decision, state, held, .. } = judged;
    let secrets = look_through(&decision, redactor);
    let mut captured = capture(call.as_ref(), &decision, &redactor.knowing(&secrets).watching());
    let secrets = together(secrets, &captured.secrets);
    if !secrets.is_empty() {
        // What only one text tells for a secret is none of the others to tell.
        let redactor = redactor.knowing(&secrets);
        captured = capture(call.as_ref(), &decision, &redactor);
        decision.reason = redactor.safely_clean(&decision.reason);
    }
    record.durability = durability(call.as_ref(), &decision, state.as_ref(), policy);
    (record.input, record.output) = (captured.input, captured.output);
    record.secrets = secrets;
    if let Some(ToolCall { phase: Phase::Post { duration_ms, failed, .. }, .. }) = call {
        record.details.push(("failed", failed.into()));
        if failed && decision.replaced_output().is_some() {
            record.details.push(("not_enforced", NOT_ENFORCED.into()));
        }
        record.details.extend(duration_ms.map(|ms| ("duration_ms", ms.into())));
    }
    record.decided_us = u64::try_from(took.as_micros()).ok();
    record.decision = Some(Box::new(decision.clone()));
    record.state = state;
    (record, decision, held)
}

/// A call's values as the log keeps them.
struct Captured {
    input: Option<Capture>,
    output: Option<Capture>,
    /// What was found in them.
    secrets: Secrets,
}

fn capture(call: Option<&ToolCall>, decision: &Decision, redactor: &Redactor) -> Captured {
    let (mut input, mut output) = (None, None);
    match call.map(|call| (&call.phase, call)) {
        Some((Phase::Pre, call)) => {
            input = Some(redactor.capture(&call.input, decision.capture));
        }
        Some((Phase::Post { output: came, .. }, _)) => {
            output = Some(shown(came, decision, redactor));
        }
        None => {}
    }
    Captured { input, output, secrets: redactor.found() }
}

/// The secrets in what a call would do, as the policy saw it: a command there has lost its quotes.
pub(super) fn look_through(decision: &Decision, redactor: &Redactor) -> Secrets {
    let watch = redactor.watching();
    for judged in &decision.accesses {
        drop(watch.safely_clean(&judged.access.target.to_string()));
    }
    watch.found()
}

/// The record of a call that is refused after all, and so changes nothing of its session.
pub(super) fn refused(record: Record, refusal: &Decision) -> Record {
    Record {
        decision: Some(Box::new(refusal.clone())),
        state: None,
        durability: Durability::Synced,
        ..record
    }
}

/// An output as it went to the model, or should have.
fn shown(output: &Json, decision: &Decision, redactor: &Redactor) -> Capture {
    let capture = |value: &Json| redactor.capture(value, decision.capture);
    let replaced = match (decision.verdict, decision.replaced_output()) {
        (Verdict::Deny, _) => {
            // Nothing of it was shown, and no rule was asked what may be kept.
            let mut nothing = output.clone();
            withhold(&mut nothing, "[withheld]");
            capture(&nothing)
        }
        (Verdict::Allow | Verdict::Ask | Verdict::Defer, Some((replaced, _))) => capture(replaced),
        (Verdict::Allow | Verdict::Ask | Verdict::Defer, None) => return capture(output),
    };
    // How long it was, and where secrets stood, is told of what came back.
    let Capture { bytes, mut redactions, .. } = capture(output);
    let of_all = [TOO_LONG, DIGEST_ONLY, UNREDACTABLE];
    redactions.retain(|one| !of_all.contains(&one.detector.as_str()));
    for one in replaced.redactions {
        if !redactions.contains(&one) {
            redactions.push(one);
        }
    }
    Capture { value: replaced.value, bytes, redactions, texts: replaced.texts }
}

/// What a rule took out of a failed call's output, which no runtime lets us rewrite.
pub(super) fn not_rewritten(judged: &Judged) -> Option<Finding> {
    let failed = matches!(judged.call.as_ref()?.phase, Phase::Post { failed: true, .. });
    let (_, because) = judged.decision.replaced_output().filter(|_| failed)?;
    Some(Finding { code: Code::OutputNotRewritten, what: because.to_vec() })
}

/// One record for each thing that does not agree, of the event that `draft` is of.
pub(super) fn findings(draft: &Record, found: &[Finding]) -> Vec<Record> {
    let record = |finding: &Finding| Record {
        kind: Kind::Finding,
        details: vec![
            ("code", finding.code.as_str().into()),
            ("what", finding.what.iter().map(String::as_str).collect()),
        ],
        ..draft.clone()
    };
    found.iter().map(record).collect()
}

/// A refusal, a question, and a call that may change something must survive a power cut; what
/// tightens for its session as well. What is not known to read may change something.
fn durability(
    call: Option<&ToolCall>,
    decision: &Decision,
    state: Option<&Json>,
    policy: &Policy,
) -> Durability {
    let tightens = ["marked", "unmarked", "reserved", "closed"]
        .into_iter()
        .any(|key| state.is_some_and(|state| state.get(key).is_some()));
    let is_read = |access: &Access| match &access.target {
        Target::Read(_) | Target::Unknown { verb: Verb::Read, .. } => true,
        Target::Call(_) => call.is_some_and(|call| reads(call, policy)),
        Target::Write(_) | Target::Exec(_) | Target::Connect(_) | Target::Unknown { .. } => false,
    };
    let only_reads = match decision.verdict {
        Verdict::Deny | Verdict::Ask => false,
        Verdict::Allow | Verdict::Defer => {
            call.is_some_and(|call| reads(call, policy))
                && decision.accesses.iter().all(|judged| is_read(&judged.access))
        }
    };
    if only_reads && !tightens { Durability::Written } else { Durability::Synced }
}

/// Whether a tool is known to change nothing by itself: the catalogue says so of its own, the
/// operator's policy of one that only reads files.
fn reads(call: &ToolCall, policy: &Policy) -> bool {
    match tool(call.principal.runtime, call.tool.as_str()) {
        Some(tool) => tool.reading,
        None => policy.only_reads(&call.tool),
    }
}
