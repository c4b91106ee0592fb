//! What a call takes of limits and budgets, and whether there is that much left.

use super::condition::found;
use crate::model::effect::{Effect, Verdict};
use crate::model::facts::Facts;
use crate::model::session::{Spent, Transcript};
use crate::model::truth::Truth;
use crate::policy::document::BudgetText;
use crate::policy::rule::{Budget, Limit, Policy, Rule};

/// How often each limited rule matched an access of the call in hand. It stays empty, and costs
/// nothing, for a call that no limited rule speaks of.
#[derive(Debug, Default)]
pub(super) struct Taken(Vec<(usize, u32, Truth)>);

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
    /// Notes that a rule matched, if it has a limit.
    pub(super) fn note(&mut self, rule: &Rule, truth: Truth) {
        let Some(limit) = rule.limit.filter(|_| truth.possible() && !rule.shadow) else { return };
        match self.0.iter_mut().find(|(known, ..)| *known == limit) {
            Some((_, count, strongest)) => {
                *count = count.saturating_add(1);
                *strongest = strongest.or(truth);
            }
            None => self.0.push((limit, 1, truth)),
        }
    }

    /// What the call draws, limit by limit.
    pub(super) fn draws<'a>(
        &'a self,
        policy: &'a Policy,
        facts: &'a Facts,
    ) -> impl Iterator<Item = Draw> + 'a {
        self.0.iter().filter_map(move |(limit, count, truth)| {
            Some(draw(*limit, policy.limits.get(*limit)?, *count, *truth, facts))
        })
    }
}

fn draw(place: usize, limit: &Limit, count: u32, truth: Truth, facts: &Facts) -> Draw {
    let amount = match &limit.terms.sum {
        None => Some(f64::from(count)),
        Some(argument) => {
            let keys: Vec<String> = argument.split('.').map(str::to_owned).collect();
            let value = found(&keys, &facts.call.input).and_then(crate::model::json::Json::as_f64);
            value.filter(|amount| amount.is_finite() && *amount >= 0.0)
        }
    };
    let used = facts.session.used.get(place).copied();
    let enough = match (used, amount) {
        (Some(used), Some(amount)) => used + amount <= limit.terms.max,
        // Not known is used up.
        (None, _) | (_, None) => false,
    };
    let over = match truth {
        Truth::Yes => limit.terms.over,
        Truth::Maybe | Truth::No => Effect::Ask,
    };
    Draw { limit: place, amount, over: (!enough).then_some(over) }
}

/// The first budget that is spent, and which part of it, in words.
pub(super) fn spent(policy: &Policy, facts: &Facts) -> Option<(Verdict, String)> {
    let spent = &facts.session.spent;
    policy.budgets.iter().find_map(|budget| {
        let why = spent_of(&budget.terms, spent)?;
        let Budget { policy, .. } = budget;
        Some((Verdict::Deny, format!("the budget of `{policy}` is spent: {why}")))
    })
}

fn spent_of(budget: &BudgetText, spent: &Spent) -> Option<String> {
    if let Some(calls) = budget.calls.filter(|calls| spent.calls >= *calls) {
        return Some(format!("{calls} calls"));
    }
    if let Some(wall) = budget.wall
        && u128::try_from(spent.wall_us).unwrap_or(0) >= wall.as_micros()
    {
        return Some(format!("{} s since its first call", wall.as_secs()));
    }
    if let Some(bytes) = budget.output_bytes.filter(|bytes| spent.output_bytes >= *bytes) {
        return Some(format!("{bytes} bytes of output"));
    }
    of_transcript(budget, spent)
}

fn of_transcript(budget: &BudgetText, spent: &Spent) -> Option<String> {
    let counts = budget.turns.is_some() || budget.cost_usd.is_some();
    let (turns, cost_usd, models) = match &spent.transcript {
        Some(Transcript::Read { turns, cost_usd, models }) => (*turns, *cost_usd, models),
        Some(Transcript::Unreadable(why)) if counts => {
            return Some(format!("the transcript that counts it cannot be read: {why}"));
        }
        None if counts => return Some("no transcript counts it".to_owned()),
        Some(Transcript::Unreadable(_)) | None => return None,
    };
    if let Some(most) = budget.turns.filter(|most| turns > *most) {
        return Some(format!("{turns} turns of {most} (estimated)"));
    }
    if let Some(most) = budget.cost_usd
        && (cost_usd >= most || !cost_usd.is_finite())
    {
        return Some(format!("{cost_usd:.2} of {most:.2} US dollars (estimated)"));
    }
    let allowed = budget.models.as_ref()?;
    let other = models.iter().find(|model| !allowed.contains(model))?;
    Some(format!("the model `{other}` is not one it names"))
}
