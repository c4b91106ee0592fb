//! What is not counted but looked at when somebody asks: how the sidecar stands at this moment.

use super::PREFIX;
use crate::model::decision::PolicyId;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// How the sidecar stands.
#[derive(Debug, Clone, Copy)]
pub struct Now<'a> {
    /// toolgate's version.
    pub version: &'a str,
    /// When it started, in seconds since 1970.
    pub started: f64,
    /// The policy in force.
    pub policy: &'a PolicyId,
    /// Whether it can judge and record.
    pub ready: bool,
    /// The log.
    pub log: Log<'a>,
    /// Sessions that are remembered.
    pub sessions: usize,
    /// Connections being served, by listener.
    pub connections: &'a [(&'static str, usize)],
    /// Where records go besides the file.
    pub sinks: &'a [SinkNow],
    /// Targets of signed heads that the newest one did not reach.
    pub heads_failing: usize,
    /// Long texts that could not be kept beside the log.
    pub texts_not_kept: u64,
}

/// How one sink stands.
#[derive(Debug, Clone)]
pub struct SinkNow {
    /// Its name, which the operator gave it.
    pub name: String,
    /// Records on the disk that it has not taken.
    pub behind: u64,
    /// How long the oldest of them has waited.
    pub behind_for: Duration,
    /// Records that were handed on to it.
    pub sent: u64,
    /// Whether it is late by its deadline.
    pub late: bool,
}

/// How the log stands.
#[derive(Debug, Clone, Copy, Default)]
pub struct Log<'a> {
    /// Whether nothing can be recorded now.
    pub failed: bool,
    /// How often it failed, by cause.
    pub failures: &'a [(&'static str, u64)],
    /// Records that were handed to it and are not on the disk yet.
    pub waiting: u64,
    /// How long the oldest of them has waited.
    pub waiting_for: Duration,
    /// Records that are kept in memory because it takes none.
    pub kept: u64,
    /// Records that were refused because of that,
    pub refused: u64,
    /// ... let through all the same,
    pub let_through: u64,
    /// ... and lost.
    pub lost: u64,
    /// Free bytes of its disk, if that can be seen.
    pub free: Option<u64>,
    /// How little that is: 0 for enough, 3 for nothing left.
    pub stage: u64,
    /// When its newest signed head was made, in seconds since 1970.
    pub signed: Option<f64>,
}

impl Log<'_> {
    fn register(&self, all: &mut Registry) {
        let mut gauge = |name: &str, help: &str, value: u64| {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            all.register(name, help, ConstGauge::new(value));
        };
        gauge("log_failed", "1 if the log takes no records now", u64::from(self.failed));
        gauge("log_waiting_records", "Records not yet on the disk", self.waiting);
        gauge("log_kept_records", "Records in memory until the log takes some", self.kept);
        gauge("log_space_stage", "Room on its disk: 0 enough, 1 warn, 2 low, 3 full", self.stage);
        for (name, help, value) in [
            ("log_records_refused", "Records refused as it took none", self.refused),
            ("log_records_let_through", "Records answered as it took none", self.let_through),
            ("log_records_lost", "Records that are in no log", self.lost),
        ] {
            all.register(name, help, ConstCounter::new(value));
        }
        let failures = Family::<[(&str, &str); 1], Counter>::default();
        for (why, count) in self.failures {
            failures.get_or_create(&[("why", *why)]).inc_by(*count);
        }
        all.register("log_failures", "How often the log failed, by cause", failures);
        let seconds = |value: f64| (Unit::Seconds, ConstGauge::new(value));
        let (unit, waiting) = seconds(self.waiting_for.as_secs_f64());
        let help = "How long the oldest record not yet on the disk has waited";
        all.register_with_unit("log_waiting", help, unit, waiting);
        if let Some(signed) = self.signed {
            let (unit, signed) = seconds(signed);
            let help = "When the newest signed head was made, since 1970";
            all.register_with_unit("log_signed", help, unit, signed);
        }
        if let Some(free) = self.free {
            let free = ConstGauge::new(i64::try_from(free).unwrap_or(i64::MAX));
            all.register_with_unit("log_space", "Free bytes of its disk", Unit::Bytes, free);
        }
    }
}

impl Now<'_> {
    pub(super) fn registry(&self) -> Registry {
        let mut all = Registry::with_prefix(PREFIX);
        let mut gauge = |name: &str, help: &str, value: u64| {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            all.register(name, help, ConstGauge::new(value));
        };
        gauge("ready", "1 if calls can be judged and recorded", u64::from(self.ready));
        let sessions = u64::try_from(self.sessions).unwrap_or(u64::MAX);
        gauge("sessions", "Sessions that are remembered", sessions);
        let connections = Family::<[(&str, &str); 1], Gauge>::default();
        for (listener, open) in self.connections {
            let open = i64::try_from(*open).unwrap_or(i64::MAX);
            connections.get_or_create(&[("listener", *listener)]).set(open);
        }
        all.register("connections", "Connections being served", connections);
        self.log.register(&mut all);
        self.register_sinks(&mut all);
        let seconds = |value: f64| (Unit::Seconds, ConstGauge::new(value));
        let (unit, started) = seconds(self.started);
        all.register_with_unit("start_time", "When it started, since 1970", unit, started);
        let policy =
            vec![("name", self.policy.name.clone()), ("sha256", self.policy.sha256.clone())];
        all.register("policy", "The policy in force", Info::new(policy));
        let build = vec![("version", self.version.to_owned())];
        all.register("build", "Which toolgate this is", Info::new(build));
        all
    }

    /// What goes besides the log's file.
    fn register_sinks(&self, all: &mut Registry) {
        type Gauges<T> = Family<[(&'static str, String); 1], Gauge<T, AtomicU64>>;
        let (late, behind) = (Gauges::<u64>::default(), Gauges::<u64>::default());
        let waiting = Gauges::<f64>::default();
        let sent = Family::<[(&'static str, String); 1], Counter>::default();
        for sink in self.sinks {
            let label = [("sink", sink.name.clone())];
            late.get_or_create(&label).set(u64::from(sink.late));
            behind.get_or_create(&label).set(sink.behind);
            waiting.get_or_create(&label).set(sink.behind_for.as_secs_f64());
            sent.get_or_create(&label).inc_by(sink.sent);
        }
        all.register("sink_late", "1 if a sink took longer than its deadline", late);
        all.register(
            "sink_behind_records",
            "Records on the disk that a sink has not taken",
            behind,
        );
        let help = "How long the oldest record that a sink has not taken has waited";
        all.register_with_unit("sink_behind", help, Unit::Seconds, waiting);
        all.register("sink_records", "Records handed on to a sink", sent);
        let failing = i64::try_from(self.heads_failing).unwrap_or(i64::MAX);
        let help = "Targets that the newest signed head of the log did not reach";
        all.register("heads_failing", help, ConstGauge::new(failing));
        let help = "Long texts that could not be kept beside the log";
        all.register("texts_not_kept", help, ConstCounter::new(self.texts_not_kept));
    }
}
