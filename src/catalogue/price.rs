//! What models cost by list price, as data: what a session's cost is estimated by.
//!
//! A model without a row costs as much as the dearest row: an estimate must not fall because a
//! name is new.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// US dollars for a million tokens of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// What a request sends that no cache holds.
    pub input: f64,
    /// What the model answers.
    pub output: f64,
    /// What a request takes from the cache.
    pub cache_read: f64,
    /// What it puts there for five minutes.
    pub cache_write: f64,
    /// What it puts there for an hour.
    pub cache_write_hour: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    model: BTreeMap<String, Price>,
}

static MODELS: LazyLock<Result<BTreeMap<String, Price>, String>> = LazyLock::new(|| {
    toml::from_str::<File>(include_str!("../../policies/catalogue/models.toml"))
        .map(|file| file.model)
        .map_err(|error| error.to_string())
});

/// Without a table (which a test excludes) everything is too dear.
const UNKNOWN: Price = Price {
    input: f64::INFINITY,
    output: f64::INFINITY,
    cache_read: f64::INFINITY,
    cache_write: f64::INFINITY,
    cache_write_hour: f64::INFINITY,
};

/// What a model of that name costs, as far as is known.
#[must_use]
pub fn price(model: &str) -> Price {
    let Ok(models) = MODELS.as_ref() else { return UNKNOWN };
    let dated = |name: &str| {
        let date = model.strip_prefix(name)?.strip_prefix('-')?;
        (date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit())).then_some(())
    };
    let known = |(name, _): &(&String, &Price)| *name == model || dated(name).is_some();
    match models.iter().find(known) {
        Some((_, price)) => *price,
        None => dearest(),
    }
}

/// The dearest of all rows, kind by kind.
#[must_use]
pub fn dearest() -> Price {
    let Ok(models) = MODELS.as_ref() else { return UNKNOWN };
    models.values().copied().reduce(Price::dearer).unwrap_or(UNKNOWN)
}

impl Price {
    fn dearer(self, other: Price) -> Price {
        Price {
            input: self.input.max(other.input),
            output: self.output.max(other.output),
            cache_read: self.cache_read.max(other.cache_read),
            cache_write: self.cache_write.max(other.cache_write),
            cache_write_hour: self.cache_write_hour.max(other.cache_write_hour),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_price_and_an_unknown_model_costs_most() {
        let models = MODELS.as_ref().unwrap();
        let dearest = dearest();
        for (name, row) in models {
            for (one, most) in [
                (row.input, dearest.input),
                (row.output, dearest.output),
                (row.cache_read, dearest.cache_read),
                (row.cache_write, dearest.cache_write),
                (row.cache_write_hour, dearest.cache_write_hour),
            ] {
                assert!(one > 0.0 && one <= most && most.is_finite(), "{name}");
            }
            assert_eq!((price(name), price(&format!("{name}-20261124"))), (*row, *row));
        }
        for name in ["", "gpt-9", "claude-opus-5-5-x", "claude-opus-5-5-2026112", "claude-opus"] {
            assert_eq!(price(name), dearest, "{name}");
        }
    }
}
