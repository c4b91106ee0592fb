//! Why one call comes to what it comes to (`policy explain`): the engine's own story, with what was
//! written where.

use super::call::facts_of;
use super::eval::{effect_of, obligation};
use super::line::Line;
use super::nearest::{Near, nearest};
use super::session::fresh;
use crate::engine::{decide, explain as tell};
use crate::facts::Place;
use crate::gate::Bound;
use crate::model::access::{Access, Certainty, Target};
use crate::model::decision::Basis;
use crate::model::effect::{Effect, Verdict};
use crate::model::json::Json;
use crate::model::path::{Extent, PathTarget, Real};
use crate::model::session::Session;
use crate::model::time::Moment;
use crate::model::url::Destination;
use crate::policy::label::LabelText;
use crate::policy::rule::Policy;
use crate::policy::written::{WrittenPattern, WrittenRule};
use crate::redact::Redactor;
use crate::world::World;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Instant;

pub use crate::engine::{
    Base, Candidate, ConditionAnswer, Drawn, ExplainedAccess, ExplainedLayer, Explanation,
    Fallback, LaneAnswer, PatternAnswer,
};

/// Who is asked.
pub struct Explainer<'a> {
    /// The policy, and its places.
    pub bound: &'a Bound,
    /// What stands in its rules.
    pub written: Written<'a>,
    /// The files that the calls name.
    pub world: &'a dyn World,
    /// What takes secrets out of outputs.
    pub redactor: &'a Redactor,
}

/// What stands in the rules of a policy, by file and id.
#[derive(Debug)]
pub struct Written<'a>(BTreeMap<(&'a str, &'a str), &'a WrittenRule>);

/// One call, explained.
#[derive(Debug)]
pub struct Explained {
    /// The line's own id.
    pub id: Json,
    /// What it comes to; before `unattended`, unless the line says that nobody is there.
    pub effect: Verdict,
    /// The engine's story.
    pub story: Explanation,
    /// What the session was said to hold.
    pub session: Session,
    /// How long the decision alone took, in nanoseconds.
    pub nanos: u128,
}

impl<'a> Written<'a> {
    /// The rules, looked up once for many candidates.
    #[must_use]
    pub fn of(rules: &'a [WrittenRule]) -> Written<'a> {
        Written(rules.iter().map(|rule| ((rule.file.as_str(), rule.id.as_str()), rule)).collect())
    }

    /// What stands in a rule; nothing for one that nobody wrote.
    #[must_use]
    pub fn rule(&self, candidate: &Candidate) -> Option<&'a WrittenRule> {
        self.of_rule(&candidate.file, &candidate.id)
    }

    /// The same by file and id.
    #[must_use]
    pub fn of_rule(&self, file: &str, id: &str) -> Option<&'a WrittenRule> {
        self.0.get(&(file, id)).copied()
    }
}

impl Explainer<'_> {
    /// Explains one call of a session that has these labels.
    ///
    /// # Errors
    /// In words, if a label is none.
    pub fn explain(&self, line: Line, labels: &[String], now: Moment) -> Result<Explained, String> {
        let Bound { policy, anchors } = self.bound;
        let place = Place { world: self.world, workspace: &anchors.workspace, tmp: &anchors.tmp };
        let around = line.around(&anchors.workspace);
        let mut facts = facts_of(&line.call, &around, &policy.tools, &place);
        facts.session = fresh(policy, now);
        for label in labels {
            match LabelText::parse(label) {
                Ok(text) if text.as_plain().is_some() => {
                    facts.session.labels.insert(label.clone());
                }
                Ok(_) | Err(_) => return Err(format!("`{label}` is no label")),
            }
        }
        facts.session.bits = policy.labels.bits_of(&facts.session.labels);
        let story = tell(policy, &facts, self.redactor);
        // The decision alone, as it is made for every call; the story takes its time.
        let started = Instant::now();
        let _ = std::hint::black_box(decide(policy, &facts, self.redactor));
        let nanos = started.elapsed().as_nanos();
        let effect = effect_of(&line, &story.decision);
        Ok(Explained { id: line.id, effect, story, session: facts.session, nanos })
    }

    /// An explanation as one JSON object.
    #[must_use]
    pub fn as_json(&self, told: &Explained) -> Json {
        let Explained { id, effect, story, session, nanos } = told;
        let policy = &self.bound.policy;
        let nanos = u64::try_from(*nanos).unwrap_or(u64::MAX);
        json!({
            "id": id, "effect": effect.as_str(), "unattended": story.unattended.as_str(),
            "reason": story.decision.reason, "basis": basis(story.decision.basis),
            "accesses": story.accesses.iter().map(|one| self.access(one)).collect::<Json>(),
            "output": story.output.iter().map(|one| self.candidate(one)).collect::<Json>(),
            "obligations": story.decision.obligations.iter().map(obligation).collect::<Json>(),
            "limits": story.drawn.iter().map(|drawn| limit(drawn, policy)).collect::<Json>(),
            "budgets": policy.budgets.iter().map(|budget| json!({
                "policy": budget.policy, "spent": {
                    "calls": session.spent.calls, "wall_us": session.spent.wall_us,
                    "output_bytes": session.spent.output_bytes,
                },
                "terms": budget_terms(&budget.terms),
            })).collect::<Json>(),
            "labels": session.labels,
            "policy": { "name": policy.id.name, "sha256": policy.id.sha256 },
            "ns": nanos, "error": null,
        })
    }

    /// The allows that come nearest to an access which no rule speaks of.
    #[must_use]
    pub fn nearest(&self, one: &ExplainedAccess) -> Vec<Near> {
        nearest(one, &self.bound.policy, &self.written, &self.bound.anchors)
    }

    fn access(&self, one: &ExplainedAccess) -> Json {
        let mut told = json!({
            "verb": one.access.target.verb().as_str(), "target": one.access.target.to_string(),
            "certain": one.access.is_certain(), "certainty": certainty(&one.access),
            "within": one.access.within,
            "doubts": one.doubts.iter().map(ToString::to_string).collect::<Json>(),
            "verdict": one.verdict.map(Verdict::as_str),
            "floor": {
                "verdict": one.floor_verdict.map(Verdict::as_str),
                "candidates": self.candidates(&one.floor),
            },
            "layers": one.layers.iter().map(|layer| self.layer(layer)).collect::<Json>(),
            "nearest": self.nearest(one).iter().map(near).collect::<Json>(),
        });
        if let (Some(path), Some(fields)) = (path_of(&one.access.target), told.as_object_mut()) {
            let real = match &path.real {
                Real::At(real) => Some(real.as_str()),
                Real::Unknown(_) => None,
            };
            let below = match &path.extent {
                Extent::Itself | Extent::Fitting(_) => json!(null),
                Extent::Below(paths) | Extent::Seen(paths) => json!(paths.len()),
                Extent::BelowUnknown(_) => json!("unknown"),
            };
            fields.insert("real".to_owned(), json!(real));
            let hops = path.hops.iter().map(|hop| hop.as_str());
            fields.insert("hops".to_owned(), hops.collect());
            fields.insert("below".to_owned(), below);
        }
        told
    }

    fn layer(&self, layer: &ExplainedLayer) -> Json {
        let (fallback, verdict) = layer.fallback;
        json!({
            "layer": layer.kind.as_str(), "power": layer.power.as_str(), "name": layer.name,
            "verdict": layer.verdict.map(Verdict::as_str), "starts_from": base(layer.base),
            "doubted": layer.doubted, "spoke": layer.spoke, "filled_over": layer.filled_over,
            "fallback": { "key": fallback_key(fallback), "verdict": verdict.as_str() },
            "candidates": self.candidates(&layer.candidates),
        })
    }

    fn candidates(&self, candidates: &[Candidate]) -> Json {
        candidates.iter().map(|one| self.candidate(one)).collect()
    }

    fn candidate(&self, one: &Candidate) -> Json {
        let rule = self.written.rule(one);
        let texts = |answers: &[PatternAnswer], of: &[WrittenPattern]| -> Json {
            answers.iter().map(|answer| pattern(answer, of.get(answer.place))).collect()
        };
        json!({
            "id": one.id, "says": one.says.as_str(), "file": one.file, "line": one.line,
            "covers": one.covers.to_string(), "match": one.truth.to_string(),
            "shadow": one.shadow, "lapsed": one.lapsed.is_some(), "excepted": one.excepted,
            "why": one.why,
            "patterns": texts(&one.matches, rule.map_or(&[], |rule| &rule.matches)),
            "unless": texts(&one.unless, rule.map_or(&[], |rule| &rule.unless)),
            "when": one.conditions.iter().map(|c| condition(c, rule)).collect::<Json>(),
        })
    }
}

/// How surely it happens, in one word.
#[must_use]
pub fn certainty(access: &Access) -> &'static str {
    match (&access.certainty, &access.target) {
        (Certainty::Certain, Target::Unknown { .. }) => "unknown",
        (Certainty::Certain, _) => "certain",
        (Certainty::Possible(_), _) => "possible",
        (Certainty::Suspected(_), _) => "suspected",
    }
}

fn near(one: &Near) -> Json {
    json!({ "id": one.id, "file": one.file, "line": one.line, "differs": one.differs })
}

fn pattern(answer: &PatternAnswer, written: Option<&WrittenPattern>) -> Json {
    let lane = |lane: &LaneAnswer| {
        let truth = lane.truth.to_string();
        json!({ "lane": lane.lane, "path": lane.path, "match": truth })
    };
    json!({
        "pattern": written.map(|pattern| pattern.text.to_string()),
        "list": written.and_then(|pattern| pattern.list.as_deref()),
        "line": written.map(|pattern| pattern.line),
        "match": answer.truth.to_string(),
        "lanes": answer.lanes.iter().map(lane).collect::<Json>(),
    })
}

fn condition(answer: &ConditionAnswer, rule: Option<&WrittenRule>) -> Json {
    json!({
        "key": answer.key, "test": test_of(answer, rule), "label": answer.label,
        "holds": answer.truth.to_string(), "found": answer.found,
    })
}

/// What the value of a condition must be, as it is written.
#[must_use]
pub fn test_of<'a>(answer: &ConditionAnswer, rule: Option<&'a WrittenRule>) -> Option<&'a str> {
    let (_, test) = rule?.when.iter().find(|(key, _)| *key == answer.key)?;
    Some(test)
}

fn limit(drawn: &Drawn, policy: &Policy) -> Json {
    let limit = policy.limits.get(drawn.limit);
    json!({
        "rule": limit.map(|limit| limit.rule.as_str()), "amount": drawn.amount,
        "used": drawn.used, "max": limit.map(|limit| limit.terms.max),
        "per": limit.map(|limit| limit.terms.per.as_str()),
        "over": drawn.over.map(Effect::as_str),
    })
}

/// What a budget sets, part by part.
#[must_use]
pub fn budget_terms(terms: &crate::policy::document::BudgetText) -> Json {
    let mut parts = serde_json::Map::new();
    let numbers = [
        ("turns", terms.turns.map(Json::from)),
        ("cost_usd", terms.cost_usd.map(Json::from)),
        ("wall_s", terms.wall.map(|wall| Json::from(wall.as_secs()))),
        ("calls", terms.calls.map(Json::from)),
        ("output_bytes", terms.output_bytes.map(Json::from)),
        ("models", terms.models.as_ref().map(|models| json!(models))),
    ];
    parts.extend(numbers.into_iter().filter_map(|(name, part)| Some((name.to_owned(), part?))));
    Json::Object(parts)
}

/// The path of an access, if it has one.
#[must_use]
pub fn path_of(target: &Target) -> Option<&PathTarget> {
    match target {
        Target::Read(path) | Target::Write(path) => Some(path),
        Target::Connect(Destination::Unix(path)) => Some(path),
        Target::Exec(_) | Target::Connect(Destination::Network(_)) => None,
        Target::Call(_) | Target::Unknown { .. } => None,
    }
}

/// The key that speaks where no rule does.
#[must_use]
pub fn fallback_key(fallback: Fallback) -> &'static str {
    match fallback {
        Fallback::Default => "default",
        Fallback::Opaque => "opaque",
        Fallback::Wrapper => "wrapper",
    }
}

fn base(base: Base) -> &'static str {
    match base {
        Base::Rule(_) => "rule",
        Base::Apart => "apart",
        Base::MaybeAllowed => "maybe-allowed",
        Base::Fallback => "fallback",
        Base::Suspicion => "suspicion",
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
