//! What a stretch of the log comes to, counted: decisions by tool, rule, host and principal, what
//! is refused most, what never fires, what is always said yes to, what is slow, what was found.
//!
//! Distinct names are bounded (`STATS_KEYS_MAX`): an agent chooses tools, hosts and paths, and must
//! not be able to fill the reader's memory. What finds no place is counted as `(others)`.

mod compare;
mod count;
mod people;
mod rules;
mod slow;

pub use compare::{Change, Comparing, Comparison, RuleChange, rule_changes};
pub use count::{Counts, Row, Table};
pub use people::{Approvals, Secrets};
pub use rules::{Approved, Evidence, NeverFired};
pub use slow::{Latency, SlowCall};

use crate::audit::wire::{WireRecord, WireRule};
use crate::limits::STATS_TOP_MAX;
use crate::model::record::Kind;
use crate::review::findings::{self, at};
use crate::review::policies::{Kept, Policies};
use crate::review::session::host_of;
use serde::Serialize;
use std::collections::BTreeMap;

/// Everything that is counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Stats {
    /// The time of the first record that was looked at; empty if there was none.
    pub first: String,
    /// The time of the last one.
    pub last: String,
    /// How many were looked at.
    pub records: u64,
    /// How many sessions they are of.
    pub sessions: u64,
    /// Calls by what was decided before they ran.
    pub calls: Counts,
    /// The same by tool, most first.
    pub by_tool: Vec<Row>,
    /// By rule; a call counts for each rule that made its decision, or for what did in its place:
    /// `(default)`. Rules in shadow stand apart.
    pub by_rule: Vec<Row>,
    /// By rule in shadow mode: told, never enforced.
    pub by_shadow_rule: Vec<Row>,
    /// By host that a call names to connect to.
    pub by_host: Vec<Row>,
    /// By who asked: user id, runtime, agent.
    pub by_principal: Vec<Row>,
    /// By policy: `name sha256`.
    pub by_policy: Vec<Row>,
    /// Paths that were themselves refused: a call that was refused for what it runs refuses none.
    pub denied_paths: Vec<Row>,
    /// Hosts, likewise.
    pub denied_hosts: Vec<Row>,
    /// Rules of the policies in force then that made no decision.
    pub never_fired: Vec<NeverFired>,
    /// Policies of which that is not known, and why.
    pub not_kept: Vec<String>,
    /// Questions to which a person always said yes.
    pub always_approved: Vec<Approved>,
    /// All questions and their answers, by who asked, rule and tool.
    pub approvals: Vec<Approvals>,
    /// Secrets that were taken out, by detector, place and tool.
    pub secrets: Vec<Secrets>,
    /// How long deciding took.
    pub deciding: Latency,
    /// The decisions that took longest.
    pub slow_decisions: Vec<SlowCall>,
    /// How long calls ran.
    pub running: Latency,
    /// The calls that ran longest.
    pub slow_calls: Vec<SlowCall>,
    /// How long people were waited for.
    pub waiting: Latency,
    /// Findings by code.
    pub findings: BTreeMap<String, u64>,
    /// Records that could not be written, as the log itself counts them.
    pub lost: u64,
    /// Calls whose end is not known.
    pub unknown: u64,
    /// Calls over time.
    pub over_time: Vec<Bucket>,
    /// How long each of these is, in seconds.
    pub bucket_s: u64,
}

/// Calls of one stretch of time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// When it begins.
    pub from: String,
    /// What was decided in it.
    pub calls: Counts,
}

/// Counts from records.
#[derive(Debug, Default)]
pub struct Counting {
    first: String,
    last: String,
    records: u64,
    sessions: Table,
    calls: Counts,
    tools: Table,
    rules: Table,
    shadow: Table,
    hosts: Table,
    principals: Table,
    policies: Table,
    denied_paths: Table,
    denied_hosts: Table,
    asked: rules::Asked,
    slow: slow::Slow,
    secrets: people::Found,
    findings: BTreeMap<String, u64>,
    lost: u64,
    unknown: u64,
    minutes: BTreeMap<i64, Counts>,
}

impl Counting {
    /// Looks at one record.
    pub fn take(&mut self, record: &WireRecord) {
        self.records += 1;
        if self.first.is_empty() {
            self.first.clone_from(&record.ts);
        }
        self.last.clone_from(&record.ts);
        self.lost += findings::losses(record);
        if let Some(row) = findings::of(record) {
            *self.findings.entry(row.code).or_default() += 1;
        }
        self.asked.take(record);
        self.slow.take(record);
        self.secrets.take(record);
        // A rule of outputs speaks after the call.
        let tried = record.decision.iter().flat_map(|decision| &decision.rules).filter(tried);
        for rule in record.deciding().into_iter().chain(tried) {
            self.asked.fired(record, rule);
        }
        let kind = record.kind.as_str();
        if kind == Kind::ToolPre.as_str() {
            self.call(record);
        } else if kind == Kind::ToolUnknown.as_str() {
            let outcome = record.details.get("outcome").and_then(serde_json::Value::as_str);
            self.unknown += u64::from(outcome != Some("not_run"));
        }
        if let Some(session) = &record.session {
            self.sessions.add(session, "");
        }
    }

    fn call(&mut self, record: &WireRecord) {
        let Some(decision) = &record.decision else { return };
        let effect = decision.effect.as_str();
        self.calls.add(effect);
        self.minutes.entry(at(record).div_euclid(MINUTE_US)).or_default().add(effect);
        self.tools.add(record.tool.as_deref().unwrap_or("-"), effect);
        self.principals.add(&principal(record), effect);
        if let Some(policy) = &record.policy {
            self.policies.add(&format!("{} {}", policy.name, policy.sha256), effect);
        }
        let deciding = record.deciding();
        for rule in &deciding {
            self.rules.add(&rule.id, effect);
        }
        if let Some(decider) = record.decider().filter(|_| deciding.is_empty()) {
            self.rules.add(&decider, effect);
        }
        for rule in decision.rules.iter().filter(tried) {
            self.shadow.add(&rule.id, effect);
        }
        let mut hosts: Vec<String> = Vec::new();
        for access in &record.accesses {
            let blamed = effect == "deny" && access.verdict == "deny";
            match access.verb.as_str() {
                "connect" => {
                    let Some(host) = host_of(&access.target) else { continue };
                    if blamed {
                        self.denied_hosts.add(&host, effect);
                    }
                    if !hosts.contains(&host) {
                        self.hosts.add(&host, effect);
                        hosts.push(host);
                    }
                }
                "read" | "write" if blamed && !access.target.starts_with('⟨') => {
                    let path = access.real.as_ref().unwrap_or(&access.target);
                    self.denied_paths.add(path, effect);
                }
                _ => {}
            }
        }
    }

    /// What it comes to. `policies` are those of the whole log, since one that was in force may
    /// have come before the stretch; `kept` tells which rules they had.
    #[must_use]
    pub fn finish(self, policies: &Policies, kept: &dyn Kept) -> Stats {
        let (bucket_s, over_time) = buckets(&self.minutes);
        let [(slow_decisions, deciding), (slow_calls, running)] = self.slow.finish();
        let (always_approved, waiting) = self.asked.approved();
        let (never_fired, not_kept) = self.asked.never_fired(policies, kept);
        Stats {
            never_fired,
            not_kept,
            always_approved,
            approvals: self.asked.approvals(),
            secrets: self.secrets.finish(),
            deciding,
            slow_decisions,
            slow_calls,
            running,
            waiting,
            sessions: self.sessions.distinct(),
            by_tool: self.tools.top(STATS_TOP_MAX),
            by_rule: self.rules.top(STATS_TOP_MAX),
            by_shadow_rule: self.shadow.top(STATS_TOP_MAX),
            by_host: self.hosts.top(STATS_TOP_MAX),
            by_principal: self.principals.top(STATS_TOP_MAX),
            by_policy: self.policies.top(STATS_TOP_MAX),
            denied_paths: self.denied_paths.top(STATS_TOP_MAX),
            denied_hosts: self.denied_hosts.top(STATS_TOP_MAX),
            first: self.first,
            last: self.last,
            records: self.records,
            calls: self.calls,
            findings: self.findings,
            lost: self.lost,
            unknown: self.unknown,
            over_time,
            bucket_s,
        }
    }
}

/// Whether a rule in shadow surely matched.
fn tried(rule: &&WireRule) -> bool {
    rule.shadow && rule.matched == "yes"
}

const MINUTE_US: i64 = 60_000_000;

/// Who asked, in one text: `uid 1000, claude, main`.
#[must_use]
pub fn principal(record: &WireRecord) -> String {
    let uid = record.uid.map_or_else(|| "uid -".to_owned(), |uid| format!("uid {uid}"));
    let runtime = record.runtime.as_deref().unwrap_or("-");
    let agent = record.agent.as_ref().map_or("-", |agent| agent.kind.as_str());
    format!("{uid}, {runtime}, {agent}")
}

/// Minutes put together until they are few enough to be drawn, without holes between.
fn buckets(minutes: &BTreeMap<i64, Counts>) -> (u64, Vec<Bucket>) {
    const WIDTHS: [i64; 10] = [1, 5, 15, 60, 180, 360, 720, 1_440, 10_080, 43_200];
    const MOST: i64 = 72;
    let (Some((first, _)), Some((last, _))) = (minutes.first_key_value(), minutes.last_key_value())
    else {
        return (60, Vec::new());
    };
    let fits = |width: &i64| last.div_euclid(*width) - first.div_euclid(*width) < MOST;
    let width = WIDTHS.into_iter().find(fits).unwrap_or((last - first) / MOST + 1);
    let mut buckets: Vec<Bucket> = (first.div_euclid(width)..=last.div_euclid(width))
        .map(|place| Bucket {
            from: crate::review::moment::text(place.saturating_mul(width * MINUTE_US)),
            calls: Counts::default(),
        })
        .collect();
    for (minute, counts) in minutes {
        let place = minute.div_euclid(width) - first.div_euclid(width);
        if let Some(bucket) = usize::try_from(place).ok().and_then(|place| buckets.get_mut(place)) {
            bucket.calls.join(counts);
        }
    }
    (u64::try_from(width * 60).unwrap_or(60), buckets)
}
