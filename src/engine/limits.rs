//! What a call takes of limits and budgets, and whether there is that much left.

use super::condition::found;
use crate::model::effect::Effect;
use crate::model::facts::Facts;
use crate::model::json::Json;
use crate::model::session::{Spent, Transcript};
use crate::model::truth::Truth;
use crate::policy::document::BudgetText;
use crate::policy::rule::{Budget, Limit, Policy, Rule};
use std::time::Duration;

/// Limits that one call is counted under without allocating.
const FEW: usize = 4;

/// How often each limited rule matched an access of the call in hand.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Taken {
    /// The access in hand, so that no rule counts it twice.
    access: u32,
    few: [Option<Count>; FEW],
    more: Vec<Count>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Count {
    /// The limit's place in the policy.
    limit: u32,
    times: u32,
    last: u32,
    strongest: Truth,
}

/// One limit that a call draws on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Draw {
    /// The limit's place in the policy.
    pub(super) limit: usize,
    /// How much; nothing if the argument is no amount, and then no amount is small enough.
    pub(super) amount: Option<f64>,
    /// What it comes to: nothing while there is enough left.
    pub(super) over: Option<Effect>,
}

impl Taken {
    /// Whether no limit counts anything.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self.few, [None, ..])
    }

    /// The next access of the call is judged.
    pub(super) fn next_access(&mut self) {
        // There are as many as a call may have, which is fewer.
        self.access = self.access.saturating_add(1);
    }

    /// Notes that a rule matched the access in hand, if the rule has a limit.
    pub(super) fn note(&mut self, rule: &Rule, truth: Truth) {
        let Some(limit) = rule.limit.filter(|_| truth.possible() && !rule.shadow) else { return };
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let mut known = self.few.iter_mut().flatten().chain(&mut self.more);
        if let Some(count) = known.find(|count| count.limit == limit) {
            count.times = count.times.saturating_add(u32::from(count.last != self.access));
            count.last = self.access;
            count.strongest = count.strongest.or(truth);
            return;
        }
        let count = Count { limit, times: 1, strongest: truth, last: self.access };
        match self.few.iter_mut().find(|slot| slot.is_none()) {
            Some(slot) => *slot = Some(count),
            None => self.more.push(count),
        }
    }

    /// What the call draws, limit by limit.
    pub(super) fn draws<'a>(
        &'a self,
        policy: &'a Policy,
        facts: &'a Facts,
    ) -> impl Iterator<Item = Draw> + 'a {
        let counts = self.few.iter().flatten().chain(&self.more);
        counts.filter_map(|count| {
            let limit = usize::try_from(count.limit).ok()?;
            Some(draw(count, limit, policy.limits.get(limit)?, facts))
        })
    }
}

fn draw(count: &Count, place: usize, limit: &Limit, facts: &Facts) -> Draw {
    let amount = match &limit.terms.sum {
        None => Some(f64::from(count.times)),
        Some(argument) => {
            let value = found(argument.split('.'), &facts.call.input).and_then(Json::as_f64);
            value.filter(|amount| amount.is_finite() && *amount >= 0.0)
        }
    };
    let used = facts.session.used.get(place).copied();
    let enough = match (used, amount) {
        (Some(used), Some(amount)) => used + amount <= limit.terms.max,
        // Not known is used up.
        (None, _) | (_, None) => false,
    };
    let over = match count.strongest {
        Truth::Yes => limit.terms.over,
        Truth::Maybe | Truth::No => Effect::Ask,
    };
    Draw { limit: place, amount, over: (!enough).then_some(over) }
}

/// The first budget that is spent, and which part of it.
pub(super) fn spent<'a>(
    policy: &'a Policy,
    facts: &'a Facts,
) -> Option<(&'a Budget, Overspent<'a>)> {
    let spent = &facts.session.spent;
    policy.budgets.iter().find_map(|budget| Some((budget, spent_of(&budget.terms, spent)?)))
}

/// The part of a budget that is spent.
pub(super) enum Overspent<'a> {
    Calls(u64),
    Wall(Duration),
    OutputBytes(u64),
    Turns { turns: u64, most: u64 },
    CostUsd { cost_usd: f64, most: f64 },
    OtherModel(&'a str),
    Unreadable(&'a str),
    Uncounted,
}

impl std::fmt::Display for Overspent<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Overspent::Calls(calls) => write!(f, "{calls} calls"),
            Overspent::Wall(wall) => write!(f, "{} s since its first call", wall.as_secs()),
            Overspent::OutputBytes(bytes) => write!(f, "{bytes} bytes of output"),
            Overspent::Turns { turns, most } => write!(f, "{turns} turns of {most} (estimated)"),
            Overspent::CostUsd { cost_usd, most } => {
                write!(f, "{cost_usd:.2} of {most:.2} US dollars (estimated)")
            }
            Overspent::OtherModel(model) => write!(f, "the model `{model}` is not one it names"),
            Overspent::Unreadable(why) => {
                write!(f, "the transcript that counts it cannot be read: {why}")
            }
            Overspent::Uncounted => f.write_str("no transcript counts it"),
        }
    }
}

fn spent_of<'a>(budget: &BudgetText, spent: &'a Spent) -> Option<Overspent<'a>> {
    if let Some(calls) = budget.calls.filter(|calls| spent.calls >= *calls) {
        return Some(Overspent::Calls(calls));
    }
    if let Some(wall) = budget.wall
        && u128::try_from(spent.wall_us).unwrap_or(0) >= wall.as_micros()
    {
        return Some(Overspent::Wall(wall));
    }
    if let Some(bytes) = budget.output_bytes.filter(|bytes| spent.output_bytes >= *bytes) {
        return Some(Overspent::OutputBytes(bytes));
    }
    of_transcript(budget, spent)
}

fn of_transcript<'a>(budget: &BudgetText, spent: &'a Spent) -> Option<Overspent<'a>> {
    let counts = budget.turns.is_some() || budget.cost_usd.is_some();
    let (turns, cost_usd, models) = match &spent.transcript {
        Some(Transcript::Read { turns, cost_usd, models }) => (*turns, *cost_usd, models),
        Some(Transcript::Unreadable(why)) if counts => return Some(Overspent::Unreadable(why)),
        None if counts => return Some(Overspent::Uncounted),
        Some(Transcript::Unreadable(_)) | None => return None,
    };
    if let Some(most) = budget.turns.filter(|most| turns > *most) {
        return Some(Overspent::Turns { turns, most });
    }
    if let Some(most) = budget.cost_usd
        && (cost_usd >= most || !cost_usd.is_finite())
    {
        return Some(Overspent::CostUsd { cost_usd, most });
    }
    let allowed = budget.models.as_ref()?;
    let other = models.iter().find(|model| !allowed.contains(model))?;
    Some(Overspent::OtherModel(other))
}
