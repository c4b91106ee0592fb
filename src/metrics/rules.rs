//! How often each rule spoke: one row for each rule of the policy in force, and one for the rest.

use crate::limits::METRIC_RULES_MAX;
use crate::model::decision::{Fired, PolicyId};
use crate::model::effect::Effect;
use crate::policy::Policy;
use crate::policy::rule::{Rule, Says};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What stands for every rule that has no row of its own.
const OTHER: &str = "other";

/// Counts of rules, by id.
#[derive(Debug, Default)]
pub(super) struct Rules(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    /// The digest of the policy in force: a decision that began on another counts as the rest.
    policy: String,
    rows: BTreeMap<Box<str>, Row>,
    other: Row,
}

/// One rule's counts; of layers that have a rule of the same id, one for all of them.
#[derive(Debug, Default)]
struct Row {
    enforced: Cells,
    shadow: Cells,
    /// What an allow of this rule really is: `redact` or `note`.
    allow: Option<&'static str>,
}

/// By effect; nothing where the rule never says that.
#[derive(Debug, Default)]
struct Cells {
    allow: Option<u64>,
    ask: Option<u64>,
    deny: Option<u64>,
}

impl Cells {
    fn of(&mut self, effect: Effect) -> &mut u64 {
        let cell = match effect {
            Effect::Allow => &mut self.allow,
            Effect::Ask => &mut self.ask,
            Effect::Deny => &mut self.deny,
        };
        cell.get_or_insert(0)
    }
}

impl Row {
    fn cells(&mut self, shadow: bool) -> &mut Cells {
        if shadow { &mut self.shadow } else { &mut self.enforced }
    }

    fn count(&mut self, fired: &Fired) {
        let cell = self.cells(fired.shadow).of(fired.effect);
        *cell = cell.saturating_add(1);
    }

    /// Each effect that the rule says, with how often it did.
    fn told(&self, shadow: bool) -> impl Iterator<Item = (&'static str, u64)> {
        let cells = if shadow { &self.shadow } else { &self.enforced };
        let allow = self.allow.unwrap_or(Effect::Allow.as_str());
        let all = [
            (allow, cells.allow),
            (Effect::Ask.as_str(), cells.ask),
            (Effect::Deny.as_str(), cells.deny),
        ];
        all.into_iter().filter_map(|(word, count)| Some((word, count?)))
    }
}

impl Rules {
    fn table(&self) -> MutexGuard<'_, Table> {
        // A poisoned lock still holds whole counts.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rules that stay keep their counts, those that are gone lose their rows. Where there are too
    /// many for a row each, they get one as they first speak.
    pub(super) fn in_force(&self, policy: &Policy) {
        let rules = || {
            let layers = policy.layers.iter().flat_map(|layer| layer.rules.iter());
            layers.chain(policy.floor.iter())
        };
        let ids: BTreeSet<&str> = rules().map(|rule| rule.id.as_str()).collect();
        let all_fit = ids.len() <= METRIC_RULES_MAX;
        let mut table = self.table();
        table.policy.clone_from(&policy.id.sha256);
        table.rows.retain(|id, _| ids.contains(&**id));
        for rule in rules().filter(|rule| all_fit || odd(rule).is_some()) {
            let Some(row) = table.row(&rule.id) else { continue };
            row.allow = odd(rule).or(row.allow);
            let _ = row.cells(rule.shadow).of(effect(rule));
        }
    }

    /// These rules spoke in a decision by this policy.
    pub(super) fn spoke(&self, policy: &PolicyId, rules: &[Fired]) {
        let mut table = self.table();
        let is_in_force = table.policy == policy.sha256;
        for fired in rules {
            let row = if is_in_force { table.row(&fired.id) } else { None };
            match row {
                Some(row) => row.count(fired),
                None => table.other.count(fired),
            }
        }
    }
}

impl Table {
    /// The row of a rule; a new one if there is room. A rule whose id is the rest's has none.
    fn row(&mut self, id: &str) -> Option<&mut Row> {
        if id == OTHER {
            return None;
        }
        if !self.rows.contains_key(id) {
            if self.rows.len() >= METRIC_RULES_MAX {
                return None;
            }
            self.rows.insert(id.into(), Row::default());
        }
        self.rows.get_mut(id)
    }
}

impl Collector for Rules {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let table = self.table();
        let both = [
            ("rule_matches", "Rules that spoke in decisions, by what they say.", false),
            ("shadow_rule_matches", "Rules in shadow mode that would have spoken.", true),
        ];
        for (name, help, shadow) in both {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            let rows = table.rows.iter().map(|(id, row)| (&**id, row));
            for (id, row) in rows.chain([(OTHER, &table.other)]) {
                for (effect, count) in row.told(shadow) {
                    let labels = [("rule", id), ("effect", effect)];
                    ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
                }
            }
        }
        Ok(())
    }
}

/// What a rule says if that is no effect.
fn odd(rule: &Rule) -> Option<&'static str> {
    match rule.says {
        Says::Effect(_) => None,
        Says::Redact => Some("redact"),
        Says::Note => Some("note"),
    }
}

/// The effect that a decision names it with.
fn effect(rule: &Rule) -> Effect {
    match rule.says {
        Says::Effect(effect) => effect,
        Says::Redact | Says::Note => Effect::Allow,
    }
}
