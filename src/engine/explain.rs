//! Why a call comes to what it comes to: the decision's own story, as data.
//!
//! It is the deciding code that speaks. A listener hears every rule while the decision is made, and
//! where a rule has something to say it asks the same matchers once more, pattern by pattern and
//! condition by condition. Nothing here decides, and nothing is put into words.

mod doubts;

use super::ask::{Asked, Context, ask_pattern, ask_scope};
use super::condition::{self, hold};
use super::decide::{decide, decide_heard, unattended};
use super::judge::{Listener, OfLayer};
use super::output::finds;
use crate::model::access::{Access, Target};
use crate::model::call::Phase;
use crate::model::decision::Decision;
use crate::model::doubt::Doubt;
use crate::model::effect::{Effect, Verdict};
use crate::model::facts::{Brought, Facts};
use crate::model::json::Json;
use crate::model::path::Real;
use crate::model::principal::Agent;
use crate::model::time::Moment;
use crate::model::truth::Truth;
use crate::policy::condition::{Condition, Conditions};
use crate::policy::label::{LabelText, Labels};
use crate::policy::pattern::path::Lane;
use crate::policy::rule::{LayerKind, Policy, Power, Rule, Says, Targets};
use crate::redact::Redactor;
use doubts::doubts;

pub use super::judge::{Base, Fallback};

/// A decision and how it came about.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The decision itself.
    pub decision: Decision,
    /// What it comes to where nobody can be asked.
    pub unattended: Verdict,
    /// Every access, in the order of the call; after the call ran nothing of it is judged.
    pub accesses: Vec<ExplainedAccess>,
    /// After the call ran: the output rules that had something to say.
    pub output: Vec<Candidate>,
    /// What it draws on limits.
    pub drawn: Vec<Drawn>,
}

/// One access, and what the layers said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedAccess {
    /// The access.
    pub access: Access,
    /// Everything about it that is not known.
    pub doubts: Vec<Doubt>,
    /// The rules of the floor that no policy can switch off.
    pub floor: Vec<Candidate>,
    /// What the floor came to, if it spoke.
    pub floor_verdict: Option<Verdict>,
    /// The layers, the upper first.
    pub layers: Vec<ExplainedLayer>,
    /// What it comes to; nothing if it turned out to be no access.
    pub verdict: Option<Verdict>,
}

/// What one layer said of an access.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedLayer {
    /// Whose layer it is.
    pub kind: LayerKind,
    /// What it may do.
    pub power: Power,
    /// The policies' names.
    pub name: String,
    /// The rules that said yes or maybe, and those that would have.
    pub candidates: Vec<Candidate>,
    /// What stands where no rule speaks, and which key says so.
    pub fallback: (Fallback, Verdict),
    /// What its verdict starts from.
    pub base: Base,
    /// Some ask or deny says maybe, which adds an ask.
    pub doubted: bool,
    /// Its verdict; nothing if the access turned out to be none.
    pub verdict: Option<Verdict>,
    /// It would allow, but only fills, and a layer above has spoken.
    pub filled_over: bool,
    /// Whether it has spoken, so that no layer below may fill.
    pub spoke: bool,
}

/// One rule that names the access, whatever it came to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Its id.
    pub id: String,
    /// What it says.
    pub says: Says,
    /// The file it stands in, and the line.
    pub file: String,
    /// The line, from 1; 0 for the floor.
    pub line: usize,
    /// Goes to the agent.
    pub why: Option<String>,
    /// Evaluated and told, never enforced.
    pub shadow: bool,
    /// When it ended by itself, if it has: then it says nothing.
    pub lapsed: Option<Moment>,
    /// What its `match` says of the access.
    pub covers: Truth,
    /// What it says: `match`, less `unless`, with `when`.
    pub truth: Truth,
    /// The patterns of `match` that say yes or maybe.
    pub matches: Vec<PatternAnswer>,
    /// The patterns of `unless` that say yes or maybe.
    pub unless: Vec<PatternAnswer>,
    /// Whether they silence it.
    pub excepted: bool,
    /// The conditions of `when`, each for itself.
    pub conditions: Vec<ConditionAnswer>,
}

/// What one pattern says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternAnswer {
    /// Its place in the compiled rule.
    pub place: usize,
    /// Yes or maybe.
    pub truth: Truth,
    /// For a path: how each way of looking at it came out.
    pub lanes: Vec<LaneAnswer>,
}

/// What a path pattern says of one way of looking at the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneAnswer {
    /// Which way: `written`, `resolved`, `hop` or `tree`.
    pub lane: &'static str,
    /// The path that was looked at, if it is known.
    pub path: Option<String>,
    /// What the pattern says of it.
    pub truth: Truth,
}

/// Whether one condition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionAnswer {
    /// Its key: `seen`, `agent`, `args.NAME` ...
    pub key: String,
    /// The label it asks for, with the call's arguments where they are known.
    pub label: Option<String>,
    /// Whether it holds.
    pub truth: Truth,
    /// What the call says to it, or whether the label is `present` or `absent`; nothing if that is
    /// not known.
    pub found: Option<String>,
}

/// What the call takes of one limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// The limit's place in the policy.
    pub limit: usize,
    /// How much; nothing if the argument is no amount.
    pub amount: Option<f64>,
    /// How much was used before; nothing if that is not known.
    pub used: Option<f64>,
    /// What it comes to: nothing while there is enough left.
    pub over: Option<Effect>,
}

/// Decides, and tells why. The decision is the one that [`decide`] makes.
#[must_use]
pub fn explain(policy: &Policy, facts: &Facts, redactor: &Redactor) -> Explanation {
    if let Phase::Post { output, .. } = &facts.call.phase {
        let decision = decide(policy, facts, redactor);
        let unattended = unattended(decision.attended_verdict, policy);
        let output = output_rules(policy, facts, output, redactor);
        return Explanation {
            decision,
            unattended,
            accesses: Vec::new(),
            output,
            drawn: Vec::new(),
        };
    }
    let context = Context { facts, writable: &policy.writable };
    let ear = Ear { context, labels: &policy.labels, open: Open::default(), accesses: Vec::new() };
    let (decision, ear, draws) = decide_heard(policy, facts, ear);
    let drawn = |draw: super::limits::Draw| Drawn {
        limit: draw.limit,
        amount: draw.amount,
        used: facts.session.used.get(draw.limit).copied(),
        over: draw.over,
    };
    Explanation {
        unattended: unattended(decision.attended_verdict, policy),
        decision,
        accesses: ear.accesses,
        output: Vec::new(),
        drawn: draws.into_iter().map(drawn).collect(),
    }
}

/// Hears every rule.
struct Ear<'a> {
    context: Context<'a>,
    labels: &'a Labels,
    /// Of the access in hand.
    open: Open,
    accesses: Vec<ExplainedAccess>,
}

/// What was heard of an access until it is concluded.
#[derive(Default)]
struct Open {
    /// Of the layer in hand, or of the floor.
    candidates: Vec<Candidate>,
    floor: Vec<Candidate>,
    floor_verdict: Option<Verdict>,
    layers: Vec<ExplainedLayer>,
}

impl Listener for Ear<'_> {
    const EVERY: bool = true;

    fn asked(&mut self, rule: &Rule, access: &Access, asked: Asked) {
        let now = self.context.facts.session.now;
        let lapsed = rule.until.filter(|until| *until <= now);
        let covers = match lapsed {
            Some(_) => ask_scope(&rule.scope, access, &self.context).0,
            None => asked.covers,
        };
        if covers.possible() {
            let candidate = self.candidate(rule, access, Asked { covers, ..asked });
            self.open.candidates.push(Candidate { lapsed, ..candidate });
        }
    }

    fn answered(&mut self, _: &Rule, _: Option<LayerKind>, _: Effect, _: Asked) {}

    fn floor(&mut self, verdict: Option<Verdict>) {
        self.open.floor = std::mem::take(&mut self.open.candidates);
        self.open.floor_verdict = verdict;
    }

    fn layer(&mut self, told: &OfLayer<'_>) {
        let mut candidates = std::mem::take(&mut self.open.candidates);
        candidates.sort_by_key(|one| std::cmp::Reverse((one.truth, rank(one.says))));
        self.open.layers.push(ExplainedLayer {
            kind: told.layer.kind,
            power: told.layer.power,
            name: told.layer.name.clone(),
            candidates,
            fallback: (told.fallback, told.fallback.verdict(told.layer)),
            base: told.base,
            doubted: told.doubted,
            verdict: told.verdict,
            filled_over: told.alone != told.verdict,
            spoke: told.spoke,
        });
    }

    fn concluded(&mut self, access: &Access, verdict: Option<Verdict>) {
        let Open { floor, floor_verdict, layers, .. } = std::mem::take(&mut self.open);
        self.accesses.push(ExplainedAccess {
            access: access.clone(),
            doubts: doubts(access),
            floor,
            floor_verdict,
            layers,
            verdict,
        });
    }
}

fn rank(says: Says) -> u8 {
    match says {
        Says::Effect(effect) => 2 + effect as u8,
        Says::Redact => 1,
        Says::Note => 0,
    }
}

impl Ear<'_> {
    fn candidate(&self, rule: &Rule, access: &Access, asked: Asked) -> Candidate {
        let scope = &rule.scope;
        let each = |count: usize, excepts: bool| -> Vec<PatternAnswer> {
            let answer = |place: u32| {
                let truth = ask_pattern(scope, place, excepts, access, &self.context);
                let place = usize::try_from(place).unwrap_or(usize::MAX);
                truth.possible().then(|| {
                    let lanes = lanes(&scope.targets, place, excepts, access);
                    PatternAnswer { place, truth, lanes }
                })
            };
            (0..u32::try_from(count).unwrap_or(u32::MAX)).filter_map(answer).collect()
        };
        let (covers, excepted) = ask_scope(scope, access, &self.context);
        let (matches, unless) = scope.targets.counts();
        Candidate {
            matches: each(matches, false),
            unless: each(unless, true),
            excepted: covers.possible() && excepted == Truth::No,
            conditions: conditions(&rule.when, self.labels, self.context.facts, Some(access)),
            ..named(rule, asked)
        }
    }
}

/// For a pattern of paths: how each way of looking at the path came out.
fn lanes(targets: &Targets, place: usize, excepts: bool, access: &Access) -> Vec<LaneAnswer> {
    let (Targets::Paths { matches, unless, .. }, Target::Read(path) | Target::Write(path)) =
        (targets, &access.target)
    else {
        return Vec::new();
    };
    let pattern = if excepts { unless.get(place) } else { matches.get(place) };
    let answer = |(lane, truth): (Lane<'_>, Truth)| {
        let (lane, path) = match lane {
            Lane::Written(path) => ("written", Some(path)),
            Lane::Resolved(Real::At(path)) => ("resolved", Some(path)),
            Lane::Resolved(Real::Unknown(_)) => ("resolved", None),
            Lane::Hop(path) => ("hop", Some(path)),
            Lane::Tree(path) => ("tree", path),
        };
        LaneAnswer { lane, path: path.map(ToString::to_string), truth }
    };
    // `**` looks at none.
    let looks = pattern.filter(|pattern| !pattern.is_everything());
    looks.map(|pattern| pattern.lanes(path).map(answer).collect()).unwrap_or_default()
}

fn named(rule: &Rule, asked: Asked) -> Candidate {
    Candidate {
        id: rule.id.clone(),
        says: rule.says,
        file: rule.origin.file.clone(),
        line: rule.origin.line,
        why: rule.why.clone(),
        shadow: rule.shadow,
        lapsed: None,
        covers: asked.covers,
        truth: asked.truth,
        matches: Vec::new(),
        unless: Vec::new(),
        excepted: false,
        conditions: Vec::new(),
    }
}

/// Each condition of a `when`, asked alone.
fn conditions(
    when: &Conditions,
    labels: &Labels,
    facts: &Facts,
    access: Option<&Access>,
) -> Vec<ConditionAnswer> {
    let mut answers = Vec::new();
    let alone = |seen, not_seen| Conditions { seen, not_seen, rest: Vec::new() };
    for (label, bit) in &labels.bits {
        let bit = 1 << *bit;
        for (key, mask, one) in
            [("seen", when.seen, alone(bit, 0)), ("not_seen", when.not_seen, alone(0, bit))]
        {
            if mask & bit != 0 {
                let truth = hold(&one, facts, access);
                answers.push(of_label(key, label.clone(), None, truth));
            }
        }
    }
    for condition in &when.rest {
        let one = Conditions { rest: vec![condition.clone()], ..Conditions::default() };
        answers.push(of_condition(condition, hold(&one, facts, access), facts));
    }
    answers
}

fn of_condition(condition: &Condition, truth: Truth, facts: &Facts) -> ConditionAnswer {
    let text = |label: &LabelText| condition::text_of(label, facts).map(String::from);
    let plain = |key: &str, found: Option<String>| ConditionAnswer {
        key: key.to_owned(),
        label: None,
        truth,
        found,
    };
    match condition {
        Condition::Seen(label) => of_label("seen", label.to_string(), text(label), truth),
        Condition::NotSeen(label) => of_label("not_seen", label.to_string(), text(label), truth),
        Condition::Argument(keys, _) => {
            let found = keys.iter().try_fold(&facts.call.input, |value, key| value.get(key));
            plain(&format!("args.{}", keys.join(".")), found.map(Json::to_string))
        }
        Condition::Agent(_) => plain(
            "agent",
            Some(match &facts.call.principal.agent {
                Agent::Main => "main".to_owned(),
                Agent::Sub { kind, .. } => kind.clone(),
            })
            .filter(|kind| !kind.is_empty()),
        ),
        Condition::PermissionMode(_) => {
            plain("permission_mode", facts.call.permission_mode.clone())
        }
        Condition::Exit(_) => plain("result.exit", facts.exit.map(|exit| exit.to_string())),
        Condition::Brings => plain("what it writes", Some(brought(facts.brought).to_owned())),
        Condition::Pinned => plain("pin", None),
    }
}

fn brought(brought: Brought) -> &'static str {
    match brought {
        Brought::Nothing => "nothing that runs",
        Brought::Commands => "something with commands or hooks",
        Brought::Unseen => "not seen from here",
    }
}

/// A condition on a label: `text` is the label with the call's arguments, if they are known.
fn of_label(key: &str, label: String, text: Option<String>, truth: Truth) -> ConditionAnswer {
    let there = if key == "seen" { truth } else { !truth };
    let found = match there {
        Truth::Yes => Some("present".to_owned()),
        Truth::No => Some("absent".to_owned()),
        Truth::Maybe => None,
    };
    ConditionAnswer { key: key.to_owned(), label: Some(text.unwrap_or(label)), truth, found }
}

/// The output rules that found something in what came back, and those that lapsed.
fn output_rules(
    policy: &Policy,
    facts: &Facts,
    output: &Json,
    redactor: &Redactor,
) -> Vec<Candidate> {
    let rules = policy.layers.iter().flat_map(|layer| layer.rules.output());
    let heard = rules.filter_map(|rule| {
        let truth = finds(rule, facts, output, redactor);
        let lapsed = rule.until.filter(|until| *until <= facts.session.now);
        let candidate = Candidate {
            lapsed,
            conditions: conditions(&rule.when, &policy.labels, facts, None),
            ..named(rule, Asked { covers: truth, truth })
        };
        truth.possible().then_some(candidate)
    });
    heard.collect()
}
