//! The batch door: one CALL a line in, one decision a line out, in order (`policy eval`).
//!
//! A line that cannot be read is answered with a deny and its error, and the run goes on.

use super::call::facts_of;
use super::line::{Line, id_of};
use super::session::Sessions;
use crate::facts::Place;
use crate::gate::Bound;
use crate::limits::EVENT_BYTES_MAX;
use crate::model::access::{Access, Certainty};
use crate::model::call::Phase;
use crate::model::decision::{Decision, Fired, Obligation};
use crate::model::effect::Verdict;
use crate::model::facts::Facts;
use crate::model::json::Json;
use crate::model::time::Moment;
use crate::policy::diagnostic::ascii;
use crate::redact::Redactor;
use crate::world::World;
use serde::Serialize;
use serde_json::json;

/// One run of `policy eval`.
pub struct Evaluator<'a> {
    /// The policy that is asked, and its places.
    pub bound: &'a Bound,
    /// The files that the calls name.
    pub world: &'a dyn World,
    /// What takes secrets out of outputs.
    pub redactor: &'a Redactor,
    /// What the lines so far left behind.
    pub sessions: Sessions,
}

/// The answer to one line.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// One line of JSON, without its end; nothing in it is a control character.
    pub text: String,
    /// Whether it is a denial.
    pub denied: bool,
}

impl Evaluator<'_> {
    /// The answer to one line, without its end.
    pub fn answer(&mut self, line: &[u8], now: Moment) -> Answer {
        match Line::read(line) {
            Ok(line) => self.judged(&line, now),
            Err(why) => self.refused(id_of(line), &why),
        }
    }

    /// The answer to a line that is too long to be read.
    #[must_use]
    pub fn too_long(&self) -> Answer {
        let why = format!("the line has more than {EVENT_BYTES_MAX} bytes");
        self.refused(Json::Null, &why)
    }

    fn judged(&mut self, line: &Line, now: Moment) -> Answer {
        let Bound { policy, anchors } = self.bound;
        let place = Place { world: self.world, workspace: &anchors.workspace, tmp: &anchors.tmp };
        let around = line.around(&anchors.workspace);
        let mut facts = facts_of(&line.call, &around, &policy.tools, &place);
        let session = line.session.as_deref();
        let decision = self.sessions.judge(session, policy, &mut facts, self.redactor, now);
        let effect = effect_of(line, &decision);
        Answer::of(&Wire {
            id: &line.id,
            effect: effect.as_str(),
            reason: &decision.reason,
            rules: decision.rules.iter().map(rule).collect(),
            accesses: accesses(&facts, &decision),
            obligations: decision.obligations.iter().map(obligation).collect(),
            policy: self.policy(),
            error: None,
        })
    }

    fn refused(&self, id: Json, why: &str) -> Answer {
        Answer::of(&Wire {
            id: &id,
            effect: Verdict::Deny.as_str(),
            reason: "the line cannot be read",
            rules: Json::Array(Vec::new()),
            accesses: Json::Array(Vec::new()),
            obligations: Json::Array(Vec::new()),
            policy: self.policy(),
            error: Some(why),
        })
    }

    fn policy(&self) -> String {
        format!("sha256:{}", self.bound.policy.id.sha256)
    }
}

/// The effect before `unattended` is applied, unless the line says that nobody is there.
pub(super) fn effect_of(line: &Line, decision: &Decision) -> Verdict {
    if line.unattended { decision.verdict } else { decision.attended_verdict }
}

/// An answer as it is written, its keys in this order.
#[derive(Serialize)]
struct Wire<'a> {
    id: &'a Json,
    effect: &'static str,
    reason: &'a str,
    rules: Json,
    accesses: Json,
    obligations: Json,
    policy: String,
    error: Option<&'a str>,
}

impl Answer {
    fn of(wire: &Wire<'_>) -> Answer {
        // Such a value can always be written; what could not be is none that lets through.
        let text = serde_json::to_string(wire).unwrap_or_else(|error| {
            json!({ "effect": Verdict::Deny.as_str(), "error": error.to_string() }).to_string()
        });
        Answer { text: ascii(&text).into_owned(), denied: wire.effect == Verdict::Deny.as_str() }
    }
}

fn rule(rule: &Fired) -> Json {
    json!({
        "id": rule.id, "file": rule.file, "line": rule.line,
        "effect": rule.effect.as_str(), "match": rule.truth.to_string(), "shadow": rule.shadow,
    })
}

/// What the call would do, each with what was concluded of it; or what it did.
fn accesses(facts: &Facts, decision: &Decision) -> Json {
    let one = |access: &Access| {
        json!({
            "verb": access.target.verb().as_str(), "target": access.target.to_string(),
            "certain": access.is_certain(),
        })
    };
    if matches!(facts.call.phase, Phase::Post { .. }) {
        // After it ran nothing of it is judged any more.
        let is_one = |access: &&Access| !matches!(access.certainty, Certainty::Suspected(_));
        return facts.accesses.iter().filter(is_one).map(one).collect();
    }
    let judged = decision.accesses.iter().map(|judged| {
        let mut told = one(&judged.access);
        if let Some(fields) = told.as_object_mut() {
            fields.insert("verdict".to_owned(), judged.verdict.as_str().into());
        }
        told
    });
    judged.collect()
}

/// An obligation, by its kind.
pub(super) fn obligation(obligation: &Obligation) -> Json {
    match obligation {
        Obligation::ReplaceOutput { output, because } => {
            json!({ "kind": "replace_output", "because": because, "output": output })
        }
        Obligation::ReplaceInput(input) => json!({ "kind": "replace_input", "input": input }),
        Obligation::Mark { label, proof } => {
            json!({ "kind": "mark", "label": label, "proof": proof })
        }
        Obligation::Unmark(label) => json!({ "kind": "unmark", "label": label }),
    }
}
