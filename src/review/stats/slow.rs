//! What took long: deciding, and the calls themselves.

use crate::audit::wire::WireRecord;
use crate::limits::{STATS_PENDING_MAX, STATS_SLOW_ROWS};
use crate::model::json::Json;
use crate::model::record::Kind;
use crate::review::findings::at;
use crate::review::moment;
use crate::review::session::about;
use serde::Serialize;
use std::collections::HashMap;

/// How long things took, in microseconds; exact to a sixteenth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// Half of them took no longer.
    pub p50_us: u64,
    /// 99 of 100 took no longer.
    pub p99_us: u64,
    /// The longest.
    pub max_us: u64,
}

/// One that took long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlowCall {
    /// The stream of its record.
    pub stream: String,
    /// The number of its record.
    pub seq: u64,
    /// The call.
    pub call: Option<String>,
    /// The tool.
    pub tool: String,
    /// What it was about.
    pub about: String,
    /// How long it took, in microseconds.
    pub us: u64,
}

/// A histogram whose classes grow with the value: sixteen to each doubling.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    classes: Vec<u64>,
    count: u64,
    max: u64,
}

/// A call under way.
#[derive(Debug)]
struct Open {
    began: i64,
    asked: bool,
    about: String,
}

/// Collects it.
#[derive(Debug, Default)]
pub(super) struct Slow {
    deciding: Histogram,
    running: Histogram,
    decisions: Vec<SlowCall>,
    calls: Vec<SlowCall>,
    open: HashMap<String, Open>,
}

impl Slow {
    pub(super) fn take(&mut self, record: &WireRecord) {
        if record.kind == Kind::ToolPre.as_str() {
            if let Some(us) = record.decided_us {
                self.deciding.add(us);
                keep(&mut self.decisions, record, us, None);
            }
            let effect = record.decision.as_ref().map(|decision| decision.effect.as_str());
            if effect != Some("deny")
                && self.open.len() < STATS_PENDING_MAX
                && let Some(call) = &record.call
            {
                let (began, asked) = (at(record), effect == Some("ask"));
                self.open.insert(call.clone(), Open { began, asked, about: about(record) });
            }
        } else if record.kind == Kind::ToolPost.as_str() {
            let open = record.call.as_ref().and_then(|call| self.open.remove(call));
            let told = record.details.get("duration_ms").and_then(Json::as_u64);
            // With a question before it, the time between says nothing of the tool.
            let between = open
                .as_ref()
                .filter(|open| !open.asked)
                .map(|open| u64::try_from(at(record).saturating_sub(open.began)).unwrap_or(0));
            let us = told.map(|ms| ms.saturating_mul(1_000)).or(between);
            if let Some(us) = us {
                self.running.add(us);
                keep(&mut self.calls, record, us, open.map(|open| open.about));
            }
        } else if record.kind == Kind::ToolUnknown.as_str()
            && let Some(call) = &record.call
        {
            self.open.remove(call);
        }
    }

    /// The slowest decisions and calls, and how long all of them took.
    pub(super) fn finish(self) -> [(Vec<SlowCall>, Latency); 2] {
        [(self.decisions, self.deciding.told()), (self.calls, self.running.told())]
    }
}

/// Keeps the slowest, slowest first; of two alike the earlier one.
fn keep(rows: &mut Vec<SlowCall>, record: &WireRecord, us: u64, told: Option<String>) {
    let place = rows.partition_point(|row| row.us >= us);
    if place >= STATS_SLOW_ROWS {
        return;
    }
    rows.insert(
        place,
        SlowCall {
            stream: record.stream.clone(),
            seq: record.seq,
            call: record.call.clone(),
            tool: record.tool.clone().unwrap_or_default(),
            about: told.unwrap_or_else(|| about(record)),
            us,
        },
    );
    rows.truncate(STATS_SLOW_ROWS);
}

impl Histogram {
    pub(super) fn add(&mut self, value: u64) {
        let class = class_of(value);
        if self.classes.len() <= class {
            self.classes.resize(class + 1, 0);
        }
        if let Some(count) = self.classes.get_mut(class) {
            *count += 1;
        }
        self.count += 1;
        self.max = self.max.max(value);
    }

    /// The value that so many of a thousand do not exceed.
    fn at(&self, of_thousand: u64) -> u64 {
        let wanted = (self.count * of_thousand).div_ceil(1_000);
        let mut seen = 0;
        for (class, count) in self.classes.iter().enumerate() {
            seen += count;
            if seen >= wanted && seen > 0 {
                return end_of(class).min(self.max);
            }
        }
        self.max
    }

    pub(super) fn told(&self) -> Latency {
        let (p50_us, p99_us) = (self.at(500), self.at(990));
        Latency { count: self.count, p50_us, p99_us, max_us: self.max }
    }
}

/// Values below 16 have a class each; each doubling above has sixteen.
fn class_of(value: u64) -> usize {
    let doublings = value.max(16).ilog2() - 4;
    let within = value >> doublings;
    usize::try_from(u64::from(doublings) * 16 + within).unwrap_or(usize::MAX)
}

/// The largest value of a class.
fn end_of(class: usize) -> u64 {
    let class = u64::try_from(class).unwrap_or(u64::MAX);
    if class < 32 {
        return class;
    }
    let doublings = class / 16 - 1;
    let within = class - doublings * 16;
    ((within + 1) << doublings) - 1
}

/// A wait of a person, for the same histogram.
pub(super) fn wait_us(from: i64, to: i64) -> u64 {
    moment::between(from, to).saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_class_holds_its_values_and_is_narrow(value in 0_u64..1 << 50) {
            let class = class_of(value);
            let end = end_of(class);
            proptest::prop_assert!(value <= end && end - value <= value / 16 + 1);
            proptest::prop_assert!(class == 0 || end_of(class - 1) < value);
        }
    }

    #[test]
    fn percentiles() {
        let mut histogram = Histogram::default();
        (1..=1_000).for_each(|value| histogram.add(value));
        let told = histogram.told();
        assert!((500..=532).contains(&told.p50_us) && (990..=1_000).contains(&told.p99_us));
        assert_eq!((told.count, told.max_us), (1_000, 1_000));
        assert_eq!(Histogram::default().told(), Latency::default());
    }
}
