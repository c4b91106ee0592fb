//! One call judged, on a thread that may block: gathered without a lock, then decided under the
//! lock of its user, where what it changes of its session is done at once.

use super::join::is_doubtful;
use super::{Bound, Gate};
use crate::calls::{Call, Ended, InputDigest};
use crate::engine::decide;
use crate::facts::{Place, gather};
use crate::limits::DECISION_TIMEOUT;
use crate::model::access::{Access, Target, Verb};
use crate::model::call::{Phase, ToolCall};
use crate::model::decision::{Basis, Decision, PolicyId};
use crate::model::effect::Verdict;
use crate::model::facts::{Brought, Facts};
use crate::model::finding::{Code, Finding};
use crate::model::json::Json;
use crate::model::path::Real;
use crate::model::session::Session;
use crate::model::time::Moment;
use crate::policy::Policy;
use crate::redact::json_bytes;
use crate::session::{Asked, Held, Key, Outcome};
use crate::world::World;
use std::sync::Arc;
use std::time::Instant;

/// A call that was judged, until its record is written.
#[derive(Debug)]
pub(super) struct Judged {
    /// The call; nothing if judging it failed.
    pub(super) call: Option<ToolCall>,
    /// What was judged or ran.
    pub(super) input: Option<InputDigest>,
    /// For the end of a call: its beginning.
    pub(super) ended: Ended,
    /// What was decided.
    pub(super) decision: Decision,
    /// What the record says of the state.
    pub(super) state: Option<Json>,
    /// What does not agree.
    pub(super) findings: Vec<Finding>,
    /// What was taken for it.
    pub(super) held: Held,
}

impl Judged {
    /// A call that could not be judged.
    pub(super) fn failed(why: &str, policy: &PolicyId) -> Judged {
        let decision = Decision::refusal(why.to_owned(), policy.clone());
        let (state, findings, held) = (None, Vec::new(), Held::default());
        let (input, ended) = (None, Ended::default());
        Judged { call: None, input, ended, decision, state, findings, held }
    }
}

/// Why a call is refused that takes too long.
pub(super) const TOO_LATE: &str = "the call could not be judged in time";

/// The moment, by the clock of the machine.
pub(super) fn now() -> Moment {
    Moment(jiff::Timestamp::now().as_microsecond())
}

impl Gate {
    /// Judges beside the runtime's own threads: looking at files blocks, and a panic must end as a
    /// refusal of this one call.
    pub(super) async fn beside(
        self: &Arc<Self>,
        call: ToolCall,
        world: Arc<dyn World>,
        bound: &Arc<Bound>,
        started: Instant,
    ) -> Result<Judged, &'static str> {
        let (gate, bound) = (Arc::clone(self), Arc::clone(bound));
        let deadline = started + DECISION_TIMEOUT;
        let work = move || judge(&gate, call, world.as_ref(), &bound, deadline);
        match tokio::time::timeout(DECISION_TIMEOUT, tokio::task::spawn_blocking(work)).await {
            Ok(Ok(judged)) => Ok(judged),
            Ok(Err(_)) => Err("the call could not be judged: an internal error"),
            Err(_) => Err(TOO_LATE),
        }
    }
}

/// Judges one call. What is decided after `deadline` nobody waits for any more, so it lets nothing
/// through and changes nothing.
fn judge(
    gate: &Gate,
    call: ToolCall,
    world: &dyn World,
    bound: &Bound,
    deadline: Instant,
) -> Judged {
    let input = InputDigest::of(&call.tool, &call.input);
    let ended = match &call.phase {
        Phase::Pre => Ended::default(),
        Phase::Post { .. } => gate.calls.end(&Call::of(&call), Some(input), now()),
    };
    let unfit = is_doubtful(&ended).then(|| unfit(gate, &call, &ended, world, bound)).flatten();
    let turned = turned(gate, &call, &ended, world, bound);
    let mut judged = by_session(gate, call, world, bound, deadline);
    if let Some(turned) = &turned {
        let what = vec![turned.reason.clone()];
        judged.findings.push(Finding { code: Code::PathChanged, what });
    }
    if let Some(refused) = unfit.or(turned) {
        let Decision { obligations, capture, .. } = judged.decision;
        // What it does to its session's labels it has done.
        judged.decision = Decision { obligations, capture, ..refused };
    }
    Judged { input: Some(input), ended, ..judged }
}

/// The refusal of what a call brought back, if nobody was asked about what ran. It is judged now,
/// as it ran (architecture, invariant 4).
fn unfit(
    gate: &Gate,
    call: &ToolCall,
    ended: &Ended,
    world: &dyn World,
    bound: &Bound,
) -> Option<Decision> {
    if ended.findings.iter().any(|finding| finding.code == Code::RanThoughRefused) {
        let why = "this call was refused, and ran all the same".to_owned();
        return Some(Decision::refusal(why, bound.policy.id.clone()));
    }
    let before = ToolCall { phase: Phase::Pre, ..call.clone() };
    let decision = look(gate, before, world, bound).1;
    let reason = format!("nobody was asked about what ran: {}", decision.reason);
    (decision.verdict == Verdict::Deny).then_some(Decision { reason, ..decision })
}

/// The refusal of what a tool brought back, if a path of its call leads elsewhere now, where the
/// policy would not have let it. The tool opened the file after it was judged, so this is the
/// earliest that a link turned meanwhile can show. A command changes files by itself: what it left
/// behind tells nothing of what it found.
fn turned(
    gate: &Gate,
    call: &ToolCall,
    ended: &Ended,
    world: &dyn World,
    Bound { policy, anchors }: &Bound,
) -> Option<Decision> {
    if ended.call.is_none() || is_doubtful(ended) {
        return None;
    }
    let place = Place { world, workspace: &anchors.workspace, tmp: &anchors.tmp };
    let before = ToolCall { phase: Phase::Pre, attended: true, ..call.clone() };
    let mut facts = gather(before, &policy.tools, &place);
    let leads = |access: &Access| match &access.target {
        Target::Read(path) | Target::Write(path) => {
            !path.hops.is_empty() || path.real != Real::At(path.written.clone())
        }
        _ => false,
    };
    let commands = |access: &Access| access.target.verb() == Verb::Exec;
    if facts.accesses.iter().any(commands) || !facts.accesses.iter().any(leads) {
        return None;
    }
    // What was written is there by now: it was judged before.
    facts.brought = Brought::Nothing;
    let decision = decided(gate, policy, &mut facts);
    let by_path = matches!(decision.basis, Basis::Rule | Basis::Default | Basis::BuiltIn);
    let reason = format!("a path of the call leads elsewhere now: {}", decision.reason);
    let is_refused = decision.verdict == Verdict::Deny && by_path;
    is_refused.then_some(Decision { reason, ..decision })
}

/// What the policy says of something that is no call, as if it were one; it takes nothing. With
/// the call, which was seen as it lies in `world`.
pub(super) fn look(
    gate: &Gate,
    call: ToolCall,
    world: &dyn World,
    Bound { policy, anchors }: &Bound,
) -> (ToolCall, Decision) {
    let place = Place { world, workspace: &anchors.workspace, tmp: &anchors.tmp };
    let mut facts = gather(call, &policy.tools, &place);
    let decision = decided(gate, policy, &mut facts);
    (facts.call, decision)
}

/// The decision on facts in the state of their session, which it leaves as it is.
fn decided(gate: &Gate, policy: &Policy, facts: &mut Facts) -> Decision {
    let now = now();
    let key = Key::of(&facts.call.principal);
    let mut judged = |session| {
        facts.session = session;
        decide(policy, facts, &gate.redactor)
    };
    match policy.keeps_state() {
        true => gate.store.look(key, policy, now, judged),
        false => judged(Session { now, ..Session::default() }),
    }
}

fn by_session(
    gate: &Gate,
    call: ToolCall,
    world: &dyn World,
    Bound { policy, anchors }: &Bound,
    deadline: Instant,
) -> Judged {
    let place = Place { world, workspace: &anchors.workspace, tmp: &anchors.tmp };
    let mut facts = gather(call, &policy.tools, &place);
    let now = now();
    let (input, ended) = (None, Ended::default());
    if !policy.keeps_state() {
        facts.session = Session { now, ..Session::default() };
        let decision = decide(policy, &facts, &gate.redactor);
        let (state, findings, held) = (None, Vec::new(), Held::default());
        return Judged { call: Some(facts.call), input, ended, decision, state, findings, held };
    }
    let output_bytes = match &facts.call.phase {
        Phase::Pre => None,
        Phase::Post { output, .. } => u64::try_from(json_bytes(output)).ok(),
    };
    let reads = output_bytes.is_none() && counts_transcripts(policy);
    let transcript = reads.then(|| gate.store.read_transcript(&facts.call, world));
    let asked = Asked::of(&facts.call, transcript);
    let judged = |session| {
        if Instant::now() > deadline {
            return Decision::refusal(TOO_LATE.to_owned(), policy.id.clone());
        }
        facts.session = session;
        decide(policy, &facts, &gate.redactor)
    };
    let Outcome { decision, state, findings, held } = match output_bytes {
        None => gate.store.admit(&asked, policy, now, judged),
        Some(bytes) => gate.store.finish(&asked, bytes, policy, now, judged),
    };
    Judged { call: Some(facts.call), input, ended, decision, state, findings, held }
}

/// Whether some budget asks for what only a transcript tells.
fn counts_transcripts(policy: &Policy) -> bool {
    policy.budgets.iter().any(|budget| {
        let terms = &budget.terms;
        terms.turns.is_some() || terms.cost_usd.is_some() || terms.models.is_some()
    })
}
