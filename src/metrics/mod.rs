//! What is counted while the sidecar runs, and its text for Prometheus (OpenMetrics 1.0).
//!
//! Counts are of this process and begin at zero; what must not be forgotten is the log's. A label
//! is a word of ours, or the id of a rule of the policy in force: never a path, a command, a
//! session or anything else that an agent can choose. Counting takes no memory on a call's way but
//! for a rule that matches for the first time. The gate counts calls and what goes to the log, the
//! service the rest; the operator's guide has the table of all of it.

mod egress;
mod now;
mod rules;

pub use now::{Log, Now, SinkNow};

use crate::limits::METRIC_CODES_MAX;
use crate::model::decision::{Basis, Decision, Obligation};
use crate::model::effect::Verdict;
use crate::model::record::{Kind, Record};
use crate::policy::Policy;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use rules::Rules;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The media type of [`Metrics::text`].
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Before every name.
const PREFIX: &str = "toolgate";

/// In seconds: from a call that needs no disk to one that is given up.
const BUCKETS: [f64; 16] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

const VERDICTS: [Verdict; 4] = [Verdict::Allow, Verdict::Ask, Verdict::Deny, Verdict::Defer];

const BASES: [&str; 8] =
    ["rule", "default", "unattended", "built-in", "limit", "budget", "failsafe", UNRECORDED];

/// What a refusal rests on whose record could not be written, whatever was decided.
const UNRECORDED: &str = "unrecorded";

/// What stands for every finding above [`METRIC_CODES_MAX`] codes.
const OTHER: &str = "other";

/// A counter for each combination of values of these labels. The key lies on the stack.
type Counters<const N: usize> = Family<[(&'static str, &'static str); N], Counter>;

/// What a reload came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// Another policy is in force.
    Loaded,
    /// The files hold what is in force.
    Unchanged,
    /// The old policy stays.
    Refused,
}

/// All that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    decisions: Counters<3>,
    bases: Counters<2>,
    rules: Arc<Rules>,
    obligations: Counters<1>,
    decided: Histogram,
    answered: Histogram,
    findings: Family<[(&'static str, String); 1], Counter>,
    /// The codes that were found so far.
    codes: Mutex<BTreeSet<String>>,
    bad_inputs: Counters<1>,
    reloads: Counters<1>,
    egress: egress::Egress,
}

impl Metrics {
    /// Nothing counted yet. What can be counted without knowing a policy stands at zero, so that
    /// its first change can be seen.
    #[must_use]
    pub fn new() -> Metrics {
        let metrics = Metrics {
            registry: Registry::with_prefix(PREFIX),
            decisions: Counters::default(),
            bases: Counters::default(),
            rules: Arc::default(),
            obligations: Counters::default(),
            decided: Histogram::new(BUCKETS),
            answered: Histogram::new(BUCKETS),
            findings: Family::default(),
            codes: Mutex::default(),
            bad_inputs: Counters::default(),
            reloads: Counters::default(),
            egress: egress::Egress::default(),
        };
        metrics.begin();
        metrics.registered()
    }

    fn begin(&self) {
        self.egress.begin();
        for verdict in VERDICTS {
            let effect = ("effect", verdict.as_str());
            for phase in ["pre", "post"] {
                let labels = [effect, ("plane", "hook"), ("phase", phase)];
                drop(self.decisions.get_or_create(&labels));
            }
            for basis in BASES {
                drop(self.bases.get_or_create(&[effect, ("basis", basis)]));
            }
        }
        for obligation in ["replace_output", "replace_input", "mark", "unmark"] {
            drop(self.obligations.get_or_create(&[("obligation", obligation)]));
        }
        for listener in ["hook", "admin"] {
            drop(self.bad_inputs.get_or_create(&[("listener", listener)]));
        }
        for reload in [Reload::Loaded, Reload::Unchanged, Reload::Refused] {
            drop(self.reloads.get_or_create(&[("outcome", reload.as_str())]));
        }
    }

    fn registered(mut self) -> Metrics {
        let all = &mut self.registry;
        all.register("decisions", "Calls by what was answered", self.decisions.clone());
        all.register("decision_bases", "Calls by what the answer rests on", self.bases.clone());
        all.register_collector(Box::new(Arc::clone(&self.rules)));
        all.register(
            "obligations",
            "What had to be done with answers, such as replacing an output",
            self.obligations.clone(),
        );
        let unit = || Unit::Seconds;
        all.register_with_unit(
            "decision",
            "Time from a call to its decision",
            unit(),
            self.decided.clone(),
        );
        all.register_with_unit(
            "answer",
            "Time from an event that was read to its answer, with its record in the log",
            unit(),
            self.answered.clone(),
        );
        all.register("findings", "Findings in the log by code", self.findings.clone());
        all.register("bad_inputs", "Inputs that were refused unread", self.bad_inputs.clone());
        all.register("reloads", "Reloads by what they came to", self.reloads.clone());
        self.egress.register(all);
        self
    }

    /// From now on these are the rules that are counted by their ids.
    pub fn in_force(&self, policy: &Policy) {
        self.rules.in_force(policy);
    }

    /// A call was decided and its record, of this kind, stands in the log.
    pub fn decided(&self, kind: Kind, decision: &Decision, took: Duration) {
        self.answer(kind, decision.verdict, basis(decision.basis));
        self.spoke(decision, took);
        for obligation in &decision.obligations {
            let word = match obligation {
                Obligation::ReplaceOutput { .. } => "replace_output",
                Obligation::ReplaceInput(_) => "replace_input",
                Obligation::Mark { .. } => "mark",
                Obligation::Unmark(_) => "unmark",
            };
            self.obligations.get_or_create(&[("obligation", word)]).inc();
        }
    }

    /// A call was decided and refused, because its record could not be written.
    pub fn unrecorded(&self, kind: Kind, decision: &Decision, took: Duration) {
        self.answer(kind, Verdict::Deny, UNRECORDED);
        self.spoke(decision, took);
    }

    fn answer(&self, kind: Kind, verdict: Verdict, basis: &'static str) {
        let (plane, phase) = place(kind);
        let effect = ("effect", verdict.as_str());
        self.decisions.get_or_create(&[effect, ("plane", plane), ("phase", phase)]).inc();
        self.bases.get_or_create(&[effect, ("basis", basis)]).inc();
    }

    fn spoke(&self, decision: &Decision, took: Duration) {
        self.rules.spoke(&decision.policy, &decision.rules);
        self.decided.observe(took.as_secs_f64());
    }

    /// An event was answered, this long after it was read.
    pub fn answered(&self, took: Duration) {
        self.answered.observe(took.as_secs_f64());
    }

    /// A record is on its way to the log.
    pub fn recorded(&self, record: &Record) {
        let detail = |name: &str| {
            let found = record.details.iter().find(|(key, _)| *key == name);
            found.and_then(|(_, value)| value.as_str())
        };
        match record.kind {
            Kind::Finding => self.found(detail("code").unwrap_or(OTHER)),
            Kind::BadInput => {
                let listener = match detail("socket") {
                    Some("admin") => "admin",
                    Some("http") => "http",
                    Some(_) | None => "hook",
                };
                self.bad_inputs.get_or_create(&[("listener", listener)]).inc();
            }
            _ => self.egress.recorded(record),
        }
    }

    fn found(&self, code: &str) {
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        let room = codes.contains(code) || codes.len() < METRIC_CODES_MAX;
        let code = if room { code } else { OTHER };
        codes.insert(code.to_owned());
        self.findings.get_or_create(&[("code", code.to_owned())]).inc();
    }

    /// A reload ended.
    pub fn reloaded(&self, reload: Reload) {
        self.reloads.get_or_create(&[("outcome", reload.as_str())]).inc();
    }

    /// All of it as text, with what can only be seen at this moment.
    ///
    /// # Errors
    /// Never, as long as there is memory.
    pub fn text(&self, now: &Now<'_>) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        encode_registry(&mut text, &now.registry())?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Reload {
    fn as_str(self) -> &'static str {
        match self {
            Reload::Loaded => "loaded",
            Reload::Unchanged => "unchanged",
            Reload::Refused => "refused",
        }
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

/// The plane and the phase of what such a record is of.
fn place(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::ToolPost => ("hook", "post"),
        Kind::McpCall => ("mcp", "pre"),
        Kind::McpResult => ("mcp", "post"),
        Kind::NetOpen => ("egress", "pre"),
        Kind::NetClose => ("egress", "post"),
        Kind::LaunchStart => ("launch", "pre"),
        Kind::LaunchEnd => ("launch", "post"),
        // Every other decision is made on an event, before something happens.
        _ => ("hook", "pre"),
    }
}

#[cfg(test)]
mod tests;
