//! The sentence for a connection: **name → addresses → record → permit**, and its end.
//!
//! The name is judged before anybody looks it up, and once more with the addresses that it leads
//! to; what may be dialled stands in the permit, and the permit's record stands in the log before
//! anything is dialled. Deciding is pure and short, so it happens on the socket's own thread; a
//! panic ends as the refusal of this one connection.

mod ask;
mod own;
mod reason;
mod record;

use super::judge::now;
use super::permit::{Passage, Permit};
use super::{Bound, Gate};
use crate::calls::Connecting;
use crate::engine::reach::{self, looks_inside};
use crate::engine::{decide, rule};
use crate::model::access::{Access, Certainty, Target};
use crate::model::call::{CallId, Phase, ToolCall, ToolName};
use crate::model::decision::Decision;
use crate::model::effect::Verdict;
use crate::model::facts::Facts;
use crate::model::host::Host;
use crate::model::json::Json;
use crate::model::principal::{Agent, Principal, Runtime, Sender};
use crate::model::reason::Reason;
use crate::model::record::Record;
use crate::model::session::Session;
use crate::model::url::{Destination, Network};
use crate::session::{Connects, Key};
pub use record::Ended;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

/// One connection that somebody wants, as its listener read it.
#[derive(Debug, Clone)]
pub struct Connection {
    /// How it was asked for: `connect`, `http`, `socks5`, `inside`, `model`, `dns`.
    pub form: &'static str,
    /// Where it was asked for.
    pub listener: Arc<str>,
    /// Where it goes; no address is known yet.
    pub to: Network,
    /// Whose it is.
    pub who: Who,
}

/// What is known of a connection that could not be read.
#[derive(Debug, Clone, Copy)]
pub struct Unread<'a> {
    /// How it was asked for, as far as that was read.
    pub form: &'static str,
    /// Where.
    pub listener: &'a str,
    /// The user of the socket's other end.
    pub uid: Option<u32>,
}

/// Whose a connection is, as far as anybody can say.
#[derive(Debug, Clone)]
pub struct Who {
    /// The session it is taken for.
    pub principal: Principal,
    /// The call under way that it belongs to.
    pub call: Option<CallId>,
    /// By what: `call`, `only`, `unknown`, `token`.
    pub by: &'static str,
}

/// A connection whose name may be looked up, and nothing more yet.
#[must_use]
pub struct Named {
    connection: Connection,
    bound: Arc<Bound>,
    since: Instant,
}

/// A connection whose name is refused, before that is written down.
#[derive(Debug)]
#[must_use]
pub struct Unnamed {
    connection: Connection,
    refused: Refused,
    since: Instant,
}

impl Unnamed {
    /// The code.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.refused.reason
    }

    /// What was asked for.
    #[must_use]
    pub fn into_connection(self) -> Connection {
        self.connection
    }
}

/// What a name came to, and what of that may be dialled.
#[derive(Debug)]
pub struct Resolved {
    /// Every address of the answer.
    pub all: Vec<IpAddr>,
    /// Those that may be dialled, or why none may.
    pub usable: Result<Vec<SocketAddr>, Reason>,
    /// It is handed to another proxy, which looks the name up by itself: nothing was vetted.
    pub upstream: Option<String>,
}

/// A connection that may be dialled: its record stands in the log.
#[derive(Debug)]
#[must_use]
pub struct Opened {
    permit: Permit,
    usable: Vec<SocketAddr>,
    ticket: Ticket,
}

/// What the record of a connection's end needs of its beginning.
#[derive(Debug)]
pub struct Ticket {
    call: CallId,
    principal: Box<Principal>,
    since: Instant,
}

/// A connection that is refused; its record stands in the log, if the log takes any.
#[derive(Debug, Clone)]
pub struct Denial {
    /// The code.
    pub reason: Reason,
    /// Why, in words for the agent.
    pub why: String,
    /// The rule that refused it and where it stands, if one did.
    pub rule: Option<String>,
    /// The log takes no record: that, and nothing about the connection, is why.
    pub unrecorded: bool,
}

/// What is to be said of a connection before it is refused.
#[derive(Debug)]
struct Refused {
    reason: Reason,
    decision: Decision,
}

impl Gate {
    /// Whose a connection is: of the session whose call names the host, of the only one there is,
    /// or nobody knows. `uid` is that of the socket's other end, where the system tells.
    #[must_use]
    pub fn who(&self, uid: Option<u32>, host: &Host) -> Who {
        let sender = Sender::Unproven;
        match self.calls.connecting(uid, host) {
            Connecting::Call(principal, call) => {
                Who { principal: Principal { sender, ..principal }, call: Some(call), by: "call" }
            }
            Connecting::Session(principal) => {
                Who { principal: Principal { sender, ..principal }, call: None, by: "only" }
            }
            Connecting::Unknown => Who { principal: nobody(uid), call: None, by: "unknown" },
        }
    }

    /// Judges the name, and what else of the request can be seen. Nothing is looked up before it.
    ///
    /// # Errors
    /// Why it is refused; [`Gate::deny`] writes that down.
    pub fn name(&self, connection: Connection) -> Result<Named, Box<Unnamed>> {
        let (bound, since) = (self.in_force(), Instant::now());
        match self.of_name(&connection, &bound) {
            Ok(()) => Ok(Named { connection, bound, since }),
            Err(refused) => Err(Box::new(Unnamed { connection, refused: *refused, since })),
        }
    }

    /// Writes down that a name is refused.
    pub async fn deny(&self, unnamed: Unnamed) -> Denial {
        let Unnamed { connection, refused, since } = unnamed;
        self.denied(&connection, refused, &[], since).await
    }

    /// Whether some rule speaks of the inside of a request to there.
    #[must_use]
    pub fn looks_inside(&self, to: &Network) -> bool {
        looks_inside(&self.in_force().policy, to)
    }

    /// Refuses a connection that the plane itself does not serve, or what it carries.
    pub async fn refuse(&self, connection: &Connection, reason: Reason, why: &str) -> Denial {
        let bound = self.in_force();
        let decision = Decision::refusal(why.to_owned(), bound.policy.id.clone());
        self.denied(connection, Refused { reason, decision }, &[], Instant::now()).await
    }

    /// Refuses what could not be read, so that nobody knows where it was to go.
    pub async fn refuse_unread(&self, unread: Unread<'_>, reason: Reason, why: &str) -> Denial {
        let decision = Decision::refusal(why.to_owned(), self.in_force().policy.id.clone());
        let denial = Denial::of(reason, &decision);
        self.written(record::unread(unread, decision, reason), denial, Instant::now()).await
    }

    /// Whether the policy opens an address of a blocked class to this connection.
    #[must_use]
    pub fn opens(&self, named: &Named, address: IpAddr, is_metadata: bool) -> bool {
        opens(&named.bound, &named.connection, (address, is_metadata))
    }

    /// The same of a name whose addresses are only told.
    #[must_use]
    pub fn opens_to(&self, connection: &Connection, address: IpAddr, is_metadata: bool) -> bool {
        opens(&self.in_force(), connection, (address, is_metadata))
    }

    /// Judges the addresses, writes the record, and only then permits the dial.
    ///
    /// # Errors
    /// The refusal, which stands in the log by then.
    pub async fn open(&self, named: Named, resolved: Resolved) -> Result<Opened, Denial> {
        let Named { connection, bound, since } = named;
        let Resolved { all, usable, upstream } = resolved;
        let is_literal = matches!(connection.to.host, Host::Address(_));
        let draws = connection.who.call.is_none();
        let addresses = if is_literal { &[][..] } else { &all[..] };
        let (decision, state) = self.decided(&connection, &bound, addresses, draws);
        if decision.verdict != Verdict::Allow {
            let reason = reason::of_addresses(&decision);
            return Err(self.denied(&connection, Refused { reason, decision }, &all, since).await);
        }
        let usable = match usable {
            Ok(usable) => usable,
            Err(reason) => {
                let why = reason::in_words(reason, &connection.to.host, &all);
                let decision = Decision::refusal(why, bound.policy.id.clone());
                return Err(self
                    .denied(&connection, Refused { reason, decision }, &all, since)
                    .await);
            }
        };
        let call = call_id(&connection.who);
        let mut record = record::open(&connection, call.clone(), (&decision, None), &all, since);
        if state.is_some() {
            // What tightens for its session survives a power cut too.
            record.durability = crate::model::record::Durability::Synced;
        }
        record.state = state;
        record.details.extend(upstream.map(|proxy| ("unvetted_by_proxy", proxy.into())));
        let kind = record.kind;
        let held = crate::session::Held::default();
        let (record, decision, held) = self.if_sinks_take_it((record, decision, held));
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
                let principal = Box::new(connection.who.principal);
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

    /// Writes down how a connection ended.
    pub async fn closed(&self, ticket: Ticket, ended: Ended) {
        let record = record::close(ticket, ended);
        if let Err(error) = self.append(record).await {
            // The connection is over; no further one is opened while this lasts.
            tracing::error!(%error, "the end of a connection could not be recorded");
        }
    }

    fn of_name(&self, connection: &Connection, bound: &Bound) -> Result<(), Box<Refused>> {
        let short = || {
            let state = self.look_at(connection, bound);
            state.map(|session| rule(&bound.policy, &facts(connection, &[], session)).verdict)
        };
        let allowed = catch_unwind(AssertUnwindSafe(short)).unwrap_or(None);
        if allowed == Some(Verdict::Allow) {
            return Ok(());
        }
        let (decision, _) = self.decided(connection, bound, &[], false);
        match decision.verdict {
            Verdict::Allow => Ok(()),
            Verdict::Ask | Verdict::Deny | Verdict::Defer => {
                let reason = reason::of_name(&decision, &bound.policy, &connection.to);
                Err(Box::new(Refused { reason, decision }))
            }
        }
    }

    /// The state of the session as the quick way sees it; nothing where it takes a lock.
    fn look_at(&self, _: &Connection, bound: &Bound) -> Option<Session> {
        let now = now();
        (!bound.policy.keeps_state()).then(|| Session { now, ..Session::default() })
    }

    /// The decision with its story, and what it changes of the session.
    fn decided(
        &self,
        connection: &Connection,
        bound: &Bound,
        addresses: &[IpAddr],
        draws: bool,
    ) -> (Decision, Option<Json>) {
        let policy = &bound.policy;
        let judge =
            |session| decide(policy, &facts(connection, addresses, session), &self.redactor);
        let work = || {
            if !policy.keeps_state() {
                return (judge(Session { now: now(), ..Session::default() }), None);
            }
            let who = &connection.who;
            let key = Key::of(&who.principal);
            let anyone = who.principal.runtime == Runtime::Unknown;
            let outcome = self.store.connect(Connects { key, anyone, draws }, policy, now(), judge);
            (outcome.decision, outcome.state)
        };
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
            let why = "the connection could not be judged: an internal error".to_owned();
            (Decision::refusal(why, policy.id.clone()), None)
        })
    }

    async fn denied(
        &self,
        connection: &Connection,
        refused: Refused,
        all: &[IpAddr],
        since: Instant,
    ) -> Denial {
        let Refused { reason, decision } = refused;
        let call = call_id(&connection.who);
        let record = record::open(connection, call, (&decision, Some(reason)), all, since);
        self.written(record, Denial::of(reason, &decision), since).await
    }

    /// The denial, once its record stands in the log.
    async fn written(&self, record: Record, denial: Denial, since: Instant) -> Denial {
        let (kind, decision) = (record.kind, record.decision.clone());
        let written = self.append(record).await;
        if let Some(decision) = decision {
            match &written {
                Ok(_) => self.metrics.decided(kind, &decision, since.elapsed()),
                Err(_) => self.metrics.unrecorded(kind, &decision, since.elapsed()),
            }
        }
        match written {
            Ok(_) => denial,
            Err(error) => Denial { reason: denial.reason, ..Denial::unrecorded(&error) },
        }
    }
}

impl Named {
    /// The name to be looked up, or the address that was given.
    #[must_use]
    pub fn to(&self) -> &Network {
        &self.connection.to
    }
}

impl Opened {
    /// The addresses that may be dialled, and no others.
    #[must_use]
    pub fn usable(&self) -> &[SocketAddr] {
        &self.usable
    }

    /// What its end needs, once it is dialled.
    #[must_use]
    pub fn into_ticket(self) -> Ticket {
        drop(self.permit);
        self.ticket
    }
}

impl Denial {
    fn of(reason: Reason, decision: &Decision) -> Denial {
        let fired = decision
            .rules
            .iter()
            .find(|fired| !fired.shadow && fired.effect != crate::model::effect::Effect::Allow);
        let rule = fired.map(|fired| format!("`{}` ({}:{})", fired.id, fired.file, fired.line));
        Denial { reason, why: decision.reason.clone(), rule, unrecorded: false }
    }

    fn unrecorded(error: &crate::audit::AuditError) -> Denial {
        Denial {
            reason: Reason::HostNotAllowed,
            why: format!("the decision could not be written to the log: {error}"),
            rule: None,
            unrecorded: true,
        }
    }
}

fn opens(bound: &Bound, connection: &Connection, address: (IpAddr, bool)) -> bool {
    let facts = facts(connection, &[], Session { now: now(), ..Session::default() });
    let opens = || reach::opens(&bound.policy, &facts, address);
    catch_unwind(AssertUnwindSafe(opens)).unwrap_or(false)
}

/// Whoever it is, with this user id.
fn nobody(uid: Option<u32>) -> Principal {
    let (session, agent, sender) = (String::new(), Agent::Main, Sender::Unproven);
    Principal { runtime: Runtime::Unknown, session, agent, uid, sender }
}

/// The id of the call that it belongs to, or one of its own.
fn call_id(who: &Who) -> CallId {
    who.call.clone().unwrap_or_else(|| CallId(uuid::Uuid::now_v7().to_string()))
}

/// A connection as the engine sees it: one access, of a call that nobody stated.
fn facts(connection: &Connection, addresses: &[IpAddr], session: Session) -> Facts {
    let to = Network { addresses: addresses.to_vec(), ..connection.to.clone() };
    let access = Access {
        target: Target::Connect(Destination::Network(to)),
        certainty: Certainty::Certain,
        within: None,
    };
    let call = ToolCall {
        id: CallId(String::new()),
        principal: connection.who.principal.clone(),
        tool: ToolName::parse("network"),
        input: Json::Null,
        phase: Phase::Pre,
        tool_use_id: None,
        cwd: None,
        permission_mode: None,
        transcript: None,
        attended: false,
    };
    Facts { session, ..Facts::of(call, vec![access]) }
}
