//! Record version 1: one record as one line of JSON, keys in the order of the fields here.
//!
//! Absent is omitted; unknown keys are tolerated when reading. Everything an agent can choose is a
//! JSON string, so no text can end a line or forge a key. A line is never longer than
//! `RECORD_BYTES_MAX`: what does not fit is counted or replaced by its digest (see `shrink`), and
//! writing never fails. Texts that nobody redacted before are redacted here.

pub(in crate::audit) mod deciding;
mod shrink;

use crate::audit::place::{Hash, StreamId};
use crate::audit::proof::chain::VERSION;
use crate::limits::LABEL_BYTES_MAX;
use crate::model::access::{Access, Certainty, Target};
use crate::model::decision::{Basis, Decision, Fired, Judged, Obligation, PolicyId};
use crate::model::json::Json;
use crate::model::path::Real;
use crate::model::principal::{Agent, Principal, Sender};
use crate::model::record::{Capture, Record, Redaction};
use crate::redact::withhold::each_text;
use crate::redact::{Redactor, UNREDACTABLE, together};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

/// One line of the log.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WireRecord {
    /// The version of this format.
    pub v: u32,
    /// The number in the stream, from 1.
    pub seq: u64,
    /// When it was written: RFC 3339, UTC, microseconds.
    pub ts: String,
    /// The stream.
    pub stream: String,
    /// What happened, as `model::record::Kind` names it.
    pub kind: String,
    /// Joins the records of one call over all planes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// The runtime's session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The thread of the runtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<WireAgent>,
    /// The agent program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// The user id of the socket's peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// `proven` if the sender was shown to be the runtime, else `unproven`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// The tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The runtime's own id of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_use_id: Option<String>,
    /// The working directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// What the call would do, and what was concluded of each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accesses: Vec<WireAccess>,
    /// How many accesses did not fit; never one stricter than those that did.
    #[serde(skip_serializing_if = "is_zero")]
    pub accesses_more: usize,
    /// What was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<WireDecision>,
    /// The policy that was in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<WirePolicy>,
    /// How long deciding took, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_us: Option<u64>,
    /// The tool's arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<WireCapture>,
    /// What came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<WireCapture>,
    /// What the call met and changed of the state of its session. Never cut (see `session/`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Json>,
    /// What has no field of its own, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, Json>,
    /// How long before `ts` it happened, in milliseconds, if the log took no records then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_ms: Option<u64>,
    /// The SHA-256 of the line before it, without the newline; 64 zeros at a stream's beginning.
    pub prev: String,
}

/// Which thread of the runtime acted: the main one has no id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireAgent {
    /// A subagent's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `main`, or a subagent's kind.
    pub kind: String,
}

/// One access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireAccess {
    /// The verb.
    pub verb: String,
    /// Its target, as written.
    pub target: String,
    /// Where a path really leads, if elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub real: Option<String>,
    /// Whether both target and access are known.
    pub certain: bool,
    /// What was concluded of it alone.
    pub verdict: String,
    /// Why it is not certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireDecision {
    /// What it came to.
    pub effect: String,
    /// What that rests on: rule, default, unattended, built-in, limit, budget, failsafe.
    pub basis: String,
    /// Why, in words.
    pub reason: String,
    /// The rules that made it, strictest first.
    #[serde(default)]
    pub rules: Vec<WireRule>,
    /// How many rules did not fit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rules_more: usize,
    /// What it would have been with somebody there to ask, if that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attended: Option<String>,
    /// What had to be done with the answer, by name.
    #[serde(default)]
    pub obligations: Vec<String>,
}

/// One rule that spoke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireRule {
    /// Its id.
    pub id: String,
    /// The file it stands in.
    pub file: String,
    /// Its line there; 0 for a built-in one.
    pub line: usize,
    /// What it says.
    pub effect: String,
    /// Whether it matched: yes or maybe.
    #[serde(rename = "match")]
    pub matched: String,
    /// True if it is told, never enforced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
}

/// The policy in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WirePolicy {
    /// `name@version`.
    pub name: String,
    /// SHA-256 over the merged policy text.
    pub sha256: String,
}

/// A value as the log keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WireCapture {
    /// The value; what was too long in it is `{"sha256","bytes"}` and named in `redactions`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
    /// Length of its JSON text before redaction.
    pub bytes: usize,
    /// What was taken out, and where.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redactions: Vec<WireRedaction>,
    /// How many redactions did not fit here.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub redactions_more: usize,
}

/// One thing taken out of a value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireRedaction {
    /// Where, as a JSON pointer.
    pub pointer: String,
    /// The detector.
    pub detector: String,
    /// The commitment to what was taken out: `toolgate audit hash` makes the same of a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hmac: Option<String>,
    /// The SHA-256 of the file beside the log that keeps what was too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// A record's line without its place: what stands between `stream` and `prev`.
#[derive(Debug)]
pub(in crate::audit) struct Body(String);

impl Body {
    /// That of a record that the log makes of itself: it holds no text of anybody else.
    pub(in crate::audit) fn of_own(text: String) -> Body {
        Body(text)
    }

    /// How long it is, in bytes.
    pub(in crate::audit) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it tells of the log itself, not of something that happened.
    pub(in crate::audit) fn is_of_the_log(&self) -> bool {
        self.0.starts_with(r#""kind":"audit."#)
    }
}

/// The record's line but for its place; done by the caller, so that the owner only joins bytes.
pub(in crate::audit) fn body(mut record: Record, redactor: &Redactor) -> Body {
    let (input, output, state) = (record.input.take(), record.output.take(), record.state.take());
    // A text on which redacting panics must not be written as it is, nor cost the record.
    let work = |redactor: &Redactor| {
        let work = || WireRecord::of(&record, redactor);
        let wire = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        wire.unwrap_or_else(|_| WireRecord::least(&record))
    };
    let watch = redactor.knowing(&record.secrets).watching();
    let mut wire = work(&watch);
    let secrets = together(record.secrets.clone(), &watch.found());
    (wire.input, wire.output, wire.state) = (input.map(capture), output.map(capture), state);
    if !secrets.is_empty() {
        let redactor = redactor.knowing(&secrets);
        if secrets.len() > record.secrets.len() {
            let (input, output, state) = (wire.input, wire.output, wire.state);
            wire = WireRecord { input, output, state, ..work(&redactor) };
        }
        wire.take_out(&redactor);
    }
    Body(shrink::to_fit(wire, redactor))
}

/// Appends the whole line with its newline to `out`; the hash of the line without it.
pub(in crate::audit) fn write_line(
    out: &mut Vec<u8>,
    body: &Body,
    late: Option<Duration>,
    (stream, seq, prev): (&StreamId, u64, Hash),
    now: jiff::Timestamp,
) -> Hash {
    let start = out.len();
    // A `Vec` takes all that is written to it.
    drop(write!(out, r#"{{"v":{VERSION},"seq":{seq},"ts":"{now:.6}","stream":"{stream}","#));
    out.extend_from_slice(body.0.as_bytes());
    if let Some(late) = late {
        drop(write!(out, r#","late_ms":{}"#, late.as_millis()));
    }
    drop(write!(out, r#","prev":"{prev}"}}"#));
    let hash = out.get(start..).map_or(Hash::ZERO, Hash::of);
    out.push(b'\n');
    hash
}

impl WireRecord {
    /// The record without a place, and without what is redacted already.
    fn of(record: &Record, redactor: &Redactor) -> WireRecord {
        // By these a record is found: no text of a call may hide it.
        let ids = redactor.by_form();
        let clean = |text: &str| ids.clean(text).into_owned();
        let decision = record.decision.as_deref();
        let judged = decision.map_or(&[][..], |decision| &decision.accesses);
        let accesses = judged.iter().map(|judged| access(judged, redactor)).collect();
        let detail =
            |(name, value): &(&str, Json)| ((*name).to_owned(), redactor.redact_json(value).0);
        let mut wire = WireRecord {
            v: VERSION,
            kind: record.kind.as_str().to_owned(),
            call: record.call.as_ref().map(|call| clean(&call.0)),
            tool: record.tool.as_ref().map(|tool| clean(tool.as_str())),
            tool_use_id: record.tool_use_id.as_deref().map(clean),
            cwd: record.cwd.as_deref().map(clean),
            accesses,
            decision: decision.map(|decision| self::decision(decision, redactor)),
            policy: decision.map(policy),
            decided_us: record.decided_us,
            details: record.details.iter().map(detail).collect(),
            ..WireRecord::default()
        };
        if let Some(principal) = &record.principal {
            wire.set_principal(principal, &ids);
        }
        wire
    }

    /// Takes what is known of the record's secrets out of what was redacted before they were.
    fn take_out(&mut self, redactor: &Redactor) {
        for capture in [&mut self.input, &mut self.output].into_iter().flatten() {
            let Some(value) = capture.value.take() else { continue };
            let work = || redactor.redact_json(&value);
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            let Ok((value, redactions)) = done else { continue };
            capture.value = Some(value);
            capture.redactions.extend(redactions.into_iter().map(redaction));
        }
        if let Some(state) = &mut self.state {
            let label = |text: &mut String| {
                if redactor.safely_clean(text) != *text {
                    *text = every_key(text, redactor);
                }
            };
            each_text(state, &mut |text| label(text));
        }
    }

    /// What is left of a record on whose texts redacting panicked: nothing that an agent wrote.
    fn least(record: &Record) -> WireRecord {
        let decision = |decision: &Decision| WireDecision {
            effect: decision.verdict.as_str().to_owned(),
            basis: basis(decision.basis).to_owned(),
            reason: format!("[redacted:{UNREDACTABLE}]"),
            rules: decision.rules.iter().map(rule).collect(),
            rules_more: 0,
            attended: None,
            obligations: Vec::new(),
        };
        WireRecord {
            v: VERSION,
            kind: record.kind.as_str().to_owned(),
            uid: record.principal.as_ref().and_then(|principal| principal.uid),
            decision: record.decision.as_deref().map(decision),
            policy: record.decision.as_deref().map(policy),
            decided_us: record.decided_us,
            details: BTreeMap::from([(UNREDACTABLE.to_owned(), Json::Bool(true))]),
            ..WireRecord::default()
        }
    }

    fn set_principal(&mut self, principal: &Principal, redactor: &Redactor) {
        let clean = |text: &str| redactor.clean(text).into_owned();
        self.session = Some(clean(&principal.session));
        self.agent = Some(match &principal.agent {
            Agent::Main => WireAgent { id: None, kind: "main".to_owned() },
            Agent::Sub { id, kind } => WireAgent { id: Some(clean(id)), kind: clean(kind) },
        });
        self.runtime = Some(principal.runtime.as_str().to_owned());
        self.uid = principal.uid;
        let sender = match principal.sender {
            Sender::Proven => "proven",
            Sender::Unproven => "unproven",
        };
        self.sender = Some(sender.to_owned());
    }
}

fn policy(decision: &Decision) -> WirePolicy {
    let PolicyId { name, sha256 } = &decision.policy;
    WirePolicy { name: name.clone(), sha256: sha256.clone() }
}

fn access(judged: &Judged, redactor: &Redactor) -> WireAccess {
    let Access { target, certainty, .. } = &judged.access;
    // A file or host that is surely touched is told, whatever else of the call is named like it:
    // else a command could hide what it reads by calling its path a password.
    let is_fact = judged.access.is_certain() && !matches!(target, Target::Exec(_));
    let redactor = if is_fact { redactor.by_form() } else { redactor.clone() };
    let clean = |text: &str| redactor.clean(text).into_owned();
    let doubt = match (certainty, target) {
        (Certainty::Possible(doubt) | Certainty::Suspected(doubt), _) => Some(doubt),
        (Certainty::Certain, Target::Unknown { reason, .. }) => Some(reason),
        (Certainty::Certain, _) => None,
    };
    let real = match target {
        Target::Read(path) | Target::Write(path) => match &path.real {
            Real::At(real) if *real != path.written => Some(clean(real.as_str())),
            Real::At(_) | Real::Unknown(_) => None,
        },
        Target::Exec(_) | Target::Connect(_) | Target::Call(_) | Target::Unknown { .. } => None,
    };
    WireAccess {
        verb: target.verb().as_str().to_owned(),
        target: clean(&target.to_string()),
        real,
        certain: judged.access.is_certain(),
        verdict: judged.verdict.as_str().to_owned(),
        doubt: doubt.map(|doubt| clean(&doubt.to_string())),
    }
}

fn decision(decision: &Decision, redactor: &Redactor) -> WireDecision {
    let attended = decision.attended_verdict;
    WireDecision {
        effect: decision.verdict.as_str().to_owned(),
        basis: basis(decision.basis).to_owned(),
        reason: redactor.clean(&decision.reason).into_owned(),
        rules: decision.rules.iter().map(rule).collect(),
        rules_more: 0,
        attended: (attended != decision.verdict).then(|| attended.as_str().to_owned()),
        obligations: decision.obligations.iter().map(|one| obligation(one, redactor)).collect(),
    }
}

fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Rule => "rule",
        Basis::Default => "default",
        Basis::Unattended => "unattended",
        Basis::BuiltIn => "built-in",
        Basis::Limit => "limit",
        Basis::Budget => "budget",
        Basis::Failsafe => "failsafe",
    }
}

fn rule(fired: &Fired) -> WireRule {
    WireRule {
        id: fired.id.clone(),
        file: fired.file.clone(),
        line: fired.line,
        effect: fired.effect.as_str().to_owned(),
        matched: fired.truth.to_string(),
        shadow: fired.shadow,
    }
}

fn obligation(obligation: &Obligation, redactor: &Redactor) -> String {
    match obligation {
        Obligation::ReplaceOutput { .. } => "replace_output".to_owned(),
        Obligation::ReplaceInput(_) => "replace_input".to_owned(),
        Obligation::Mark { label, proof: false } => format!("mark:{}", told(label, redactor)),
        Obligation::Mark { label, proof: true } => format!("prove:{}", told(label, redactor)),
        Obligation::Unmark(label) => format!("unmark:{}", told(label, redactor)),
    }
}

/// A label, which may hold an argument of the call. One that is too long to be kept is told as
/// what it is kept as, every key of its family.
fn told(label: &str, redactor: &Redactor) -> String {
    if label.len() <= LABEL_BYTES_MAX {
        return redactor.clean(label).into_owned();
    }
    every_key(label, redactor)
}

/// Every key of a label's family: what a label is kept as whose key cannot be.
fn every_key(label: &str, redactor: &Redactor) -> String {
    let family = label.split(':').next().unwrap_or_default();
    let end = family.floor_char_boundary(LABEL_BYTES_MAX);
    format!("{}:*", redactor.safely_clean(family.get(..end).unwrap_or_default()))
}

fn redaction(Redaction { pointer, detector, hmac, blob }: Redaction) -> WireRedaction {
    WireRedaction { pointer, detector, hmac, blob }
}

fn capture(capture: Capture) -> WireCapture {
    WireCapture {
        value: capture.value,
        bytes: capture.bytes,
        redactions: capture.redactions.into_iter().map(redaction).collect(),
        redactions_more: 0,
    }
}

#[cfg(test)]
mod tests;
