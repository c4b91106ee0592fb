//! What is counted of connections: how many came to what, and what they carried.

use super::Counters;
use crate::model::json::Json;
use crate::model::reason::Reason;
use crate::model::record::{Kind, Record};
use prometheus_client::registry::{Registry, Unit};

/// Connections of the network plane.
#[derive(Debug, Default)]
pub(super) struct Egress {
    judged: Counters<1>,
    cut: Counters<1>,
    carried: Counters<1>,
}

/// The code of what was let through.
const ALLOWED: &str = "allowed";

impl Egress {
    pub(super) fn begin(&self) {
        drop(self.judged.get_or_create(&[("reason", ALLOWED)]));
        for code in [Reason::SniMissing, Reason::SniMismatch, Reason::EchBlocked, Reason::NotTls] {
            drop(self.cut.get_or_create(&[("reason", code.as_str())]));
        }
        for direction in ["up", "down"] {
            drop(self.carried.get_or_create(&[("direction", direction)]));
        }
    }

    pub(super) fn register(&self, all: &mut Registry) {
        all.register("egress_connections", "Connections by their code", self.judged.clone());
        let help = "Connections that were cut off by what they carried, by code";
        all.register("egress_cut", help, self.cut.clone());
        let help = "What ended connections had carried";
        all.register_with_unit("egress_carried", help, Unit::Bytes, self.carried.clone());
    }

    /// A record is on its way to the log.
    pub(super) fn recorded(&self, record: &Record) {
        let detail = |name: &str| record.details.iter().find(|(key, _)| *key == name);
        let code = || {
            let text = detail("reason").and_then(|(_, value)| value.as_str())?;
            Reason::ALL.iter().map(|reason| reason.as_str()).find(|known| *known == text)
        };
        match record.kind {
            Kind::NetOpen => {
                let code = code().unwrap_or(ALLOWED);
                self.judged.get_or_create(&[("reason", code)]).inc();
            }
            Kind::NetClose => {
                if let Some(code) = code() {
                    self.cut.get_or_create(&[("reason", code)]).inc();
                }
                for (name, direction) in [("bytes_up", "up"), ("bytes_down", "down")] {
                    let bytes = detail(name).and_then(|(_, value)| Json::as_u64(value));
                    let carried = self.carried.get_or_create(&[("direction", direction)]);
                    carried.inc_by(bytes.unwrap_or_default());
                }
            }
            _ => {}
        }
    }
}
