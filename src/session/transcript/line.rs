//! One line of Claude Code's transcript: whose answer it is a part of, and what that used.

use crate::catalogue::price::{Price, dearest, price};
use crate::limits::TRANSCRIPT_MODEL_BYTES_MAX;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What a line tells.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tells<'a> {
    /// A part of an answer.
    Answer(Answer<'a>),
    /// What the client itself says that the whole session cost, side requests included.
    Cost(f64),
    /// Nothing that is counted.
    Nothing,
}

/// A part of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer<'a> {
    /// The answer's id.
    pub(super) id: Cow<'a, str>,
    /// The model that gave it.
    pub(super) model: String,
    /// What the answer cost so far.
    pub(super) cost_usd: f64,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(rename = "totalCostUSD", borrow)]
    cost: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(borrow)]
    usage: Usage<'a>,
}

#[derive(Deserialize)]
struct Usage<'a> {
    input_tokens: u64,
    output_tokens: u64,
    #[serde(default)]
    cache_read_input_tokens: u64,
    #[serde(default)]
    cache_creation_input_tokens: u64,
    #[serde(default)]
    cache_creation: Option<CacheCreation>,
    #[serde(default, borrow)]
    speed: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct CacheCreation {
    #[serde(default)]
    ephemeral_1h_input_tokens: u64,
}

/// What the client itself writes in a model's place, without having asked one (believed).
const SYNTHETIC: &str = "<synthetic>";

/// What a line tells.
///
/// # Errors
/// If it is no line of a transcript as it is known.
pub(super) fn read(line: &[u8]) -> Result<Tells<'_>, String> {
    let unknown = |_| "it is not of the form that is known".to_owned();
    let Line { kind, message, cost } = serde_json::from_slice(line).map_err(unknown)?;
    let message = match (kind.as_ref(), message, cost) {
        ("assistant", Some(message), _) => message,
        ("assistant", None, _) => return Err("an answer in it says nothing".to_owned()),
        ("cost-state", _, Some(cost)) => {
            return serde_json::from_str(cost.get()).map(Tells::Cost).map_err(unknown);
        }
        _ => return Ok(Tells::Nothing),
    };
    let Message { id, model, usage } = serde_json::from_str(message.get()).map_err(unknown)?;
    if model == SYNTHETIC {
        return Ok(Tells::Nothing);
    }
    let price = match usage.speed.as_deref() {
        None | Some("standard") => price(&model),
        // Another tariff, which no table has.
        Some(_) => dearest(),
    };
    let cost_usd = usage.cost(price);
    Ok(Tells::Answer(Answer { id, model: named(&model), cost_usd }))
}

/// A name as it may stand in the log: the agent can write it.
fn named(model: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || ".:@/_-[]".contains(c);
    match model.len() <= TRANSCRIPT_MODEL_BYTES_MAX && model.chars().all(is_name) {
        true => model.to_owned(),
        false => "?".to_owned(),
    }
}

impl Usage<'_> {
    fn cost(&self, price: Price) -> f64 {
        let written = self.cache_creation_input_tokens;
        // What does not say for how long is taken for the dearer hour.
        let for_an_hour = match &self.cache_creation {
            Some(split) => split.ephemeral_1h_input_tokens.min(written),
            None => written,
        };
        let parts = [
            (self.input_tokens, price.input),
            (self.output_tokens, price.output),
            (self.cache_read_input_tokens, price.cache_read),
            (written.saturating_sub(for_an_hour), price.cache_write),
            (for_an_hour, price.cache_write_hour),
        ];
        #[expect(clippy::cast_precision_loss, reason = "an estimate; tokens are far below 2^53")]
        let cost = |(tokens, price): (u64, f64)| match tokens {
            0 => 0.0,
            _ => tokens as f64 * price / 1_000_000.0,
        };
        parts.into_iter().map(cost).sum()
    }
}
