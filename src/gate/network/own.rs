//! Ways that the operator's configuration opens, and no rule speaks of: the one to the model.

use super::{Connection, Denial, Opened, Ticket, call_id, record};
use crate::gate::Gate;
use crate::gate::permit::Passage;
use crate::model::decision::{Basis, Decision};
use crate::model::effect::Verdict;
use crate::model::finding::{Code, Finding};
use crate::model::reason::Reason;
use crate::model::record::{Kind, Record};
use crate::session::Held;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

impl Gate {
    /// Writes the record of a way that the configuration itself names, and permits the dial.
    ///
    /// # Errors
    /// If the log takes no record.
    pub async fn open_own(
        &self,
        connection: &Connection,
        why: &str,
        usable: Vec<SocketAddr>,
    ) -> Result<Opened, Denial> {
        let since = Instant::now();
        let decision = Decision {
            verdict: Verdict::Allow,
            attended_verdict: Verdict::Allow,
            basis: Basis::BuiltIn,
            ..Decision::refusal(why.to_owned(), self.in_force().policy.id.clone())
        };
        let all: Vec<IpAddr> = usable.iter().map(SocketAddr::ip).collect();
        let call = call_id(&connection.who);
        let record = record::open(connection, call.clone(), (&decision, None), &all, since);
        let kind = record.kind;
        let (record, decision, held) = self.if_sinks_take_it((record, decision, Held::default()));
        held.keep();
        let took = since.elapsed();
        let proof = match self.append(record).await {
            Ok(proof) => proof,
            Err(error) => {
                self.metrics.unrecorded(kind, &decision, took);
                return Err(Denial::unrecorded(&error));
            }
        };
        self.metrics.decided(kind, &decision, took);
        match decision.permit(proof) {
            Passage::Permit(permit) => {
                let principal = Box::new(connection.who.principal.clone());
                Ok(Opened { permit, usable, ticket: Ticket { call, principal, since } })
            }
            Passage::Refusal(refusal) => Err(Denial {
                reason: Reason::HostNotAllowed,
                why: refusal.reason().to_owned(),
                rule: None,
                unrecorded: true,
            }),
        }
    }

    /// Writes down that a connection carries the placeholder of a secret to where that is not
    /// bound.
    pub async fn found_misdirected(&self, connection: &Connection, credential: &str) {
        let draft = Record {
            call: Some(call_id(&connection.who)),
            principal: Some(connection.who.principal.clone()),
            ..Record::new(Kind::Finding)
        };
        let what = vec![credential.to_owned(), connection.to.host.to_string()];
        let found = [Finding { code: Code::SecretMarkerMisdirected, what }];
        for record in crate::gate::record::findings(&draft, &found) {
            if let Err(error) = self.append(record).await {
                tracing::error!(%error, "a finding could not be recorded");
            }
        }
    }
}
