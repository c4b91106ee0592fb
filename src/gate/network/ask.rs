//! Names whose addresses are asked for without a connection: by the DNS stub.

use super::{Connection, Denial, Refused, Unnamed, call_id, record};
use crate::engine::reach;
use crate::gate::Gate;
use crate::model::decision::{Basis, Decision};
use crate::model::effect::Verdict;
use crate::model::reason::Reason;
use std::time::Instant;

impl Gate {
    /// Whether the address of a name may be asked for: some connection to it would be allowed now,
    /// as its session stands.
    ///
    /// # Errors
    /// Why not; [`Gate::deny`] writes that down.
    pub fn may_ask(&self, connection: Connection) -> Result<(), Box<Unnamed>> {
        let (bound, since) = (self.in_force(), Instant::now());
        let mut refused = None;
        for way in reach::ways(&bound.policy, &connection.to.host) {
            let one = Connection { to: way, ..connection.clone() };
            match self.of_name(&one, &bound) {
                Ok(()) => return Ok(()),
                Err(why) => refused = Some(refused.unwrap_or(why)),
            }
        }
        let refused = refused.map_or_else(
            || {
                let (decision, _) = self.decided(&connection, &bound, &[], false);
                let to = &connection.to;
                let reason = super::reason::of_name(&decision, &bound.policy, to);
                Refused { reason, decision }
            },
            |refused| *refused,
        );
        let Refused { reason, mut decision } = refused;
        let reason = match reason {
            Reason::HostDenied | Reason::BudgetExceeded => reason,
            _ => Reason::HostNotAllowed,
        };
        decision.verdict = Verdict::Deny;
        let refused = Refused { reason, decision };
        Err(Box::new(Unnamed { connection, refused, since }))
    }

    /// Writes down that the address of a name is asked for, before it is; with how many such
    /// questions were not written down since the last one that was.
    ///
    /// # Errors
    /// If the log takes no record: then it is not asked for.
    pub async fn asked(&self, connection: &Connection, untold: u64) -> Result<(), Denial> {
        let since = Instant::now();
        let why = "a connection to the name would be allowed".to_owned();
        let decision = Decision {
            verdict: Verdict::Allow,
            attended_verdict: Verdict::Allow,
            basis: Basis::BuiltIn,
            ..Decision::refusal(why, self.in_force().policy.id.clone())
        };
        let call = call_id(&connection.who);
        let mut record = record::open(connection, call, (&decision, None), &[], since);
        if untold > 0 {
            record.details.push(("untold", untold.into()));
        }
        let kind = record.kind;
        match self.append(record).await {
            Ok(_) => {
                self.metrics.decided(kind, &decision, since.elapsed());
                Ok(())
            }
            Err(error) => {
                self.metrics.unrecorded(kind, &decision, since.elapsed());
                Err(Denial::unrecorded(&error))
            }
        }
    }
}
