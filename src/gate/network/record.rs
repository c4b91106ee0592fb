//! The records of a connection: `net.open` before it is dialled, or in its place, and `net.close`.

use super::{Connection, Ticket, Unread, nobody};
use crate::model::call::CallId;
use crate::model::decision::Decision;
use crate::model::json::Json;
use crate::model::reason::Reason;
use crate::model::record::{Durability, Kind, Record};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// How a connection ended.
#[derive(Debug, Clone, Default)]
pub struct Ended {
    /// The address that was dialled.
    pub address: Option<SocketAddr>,
    /// Why it was cut off, if what it carried was refused.
    pub reason: Option<Reason>,
    /// What ended it: `client_closed`, `upstream_closed`, `idle`, `denied`, `drain`, `error: ...`.
    pub cause: String,
    /// The host that its `ClientHello` named.
    pub sni: Option<String>,
    /// Whether that hid another.
    pub ech: bool,
    /// The protocols that it offered.
    pub alpn: Vec<String>,
    /// Bytes from the client, and to it.
    pub bytes: (u64, u64),
    /// What else is known of it, by name.
    pub more: Vec<(&'static str, Json)>,
}

/// What a connection is opened or refused with.
pub(super) fn open(
    connection: &Connection,
    call: CallId,
    (decision, reason): (&Decision, Option<Reason>),
    all: &[IpAddr],
    since: Instant,
) -> Record {
    let Connection { form, listener, to, who } = connection;
    let mut details: Vec<(&'static str, Json)> = vec![
        ("form", (*form).into()),
        ("host", to.host.to_string().into()),
        ("reason", reason.map_or("allowed", Reason::as_str).into()),
        ("listener", (&**listener).into()),
        ("session_by", who.by.into()),
    ];
    details.extend(to.port.map(|port| ("port", port.into())));
    details.extend(to.method.as_deref().map(|method| ("method", method.into())));
    if !all.is_empty() {
        let texts = all.iter().map(|address| Json::from(address.to_string()));
        details.push(("addresses", texts.collect()));
    }
    Record {
        call: Some(call),
        principal: Some(who.principal.clone()),
        decided_us: u64::try_from(since.elapsed().as_micros()).ok(),
        decision: Some(Box::new(decision.clone())),
        details,
        // A refusal survives a power cut. What is allowed is handed to the kernel before the dial.
        durability: match reason {
            Some(_) => Durability::Synced,
            None => Durability::Written,
        },
        ..Record::new(Kind::NetOpen)
    }
}

/// What could not be read is refused with this.
pub(super) fn unread(unread: Unread<'_>, decision: Decision, reason: Reason) -> Record {
    Record {
        call: Some(CallId(uuid::Uuid::now_v7().to_string())),
        principal: Some(nobody(unread.uid)),
        decision: Some(Box::new(decision)),
        details: vec![
            ("form", unread.form.into()),
            ("reason", reason.as_str().into()),
            ("listener", unread.listener.into()),
        ],
        ..Record::new(Kind::NetOpen)
    }
}

/// What became of one that was opened.
pub(super) fn close(ticket: Ticket, ended: Ended) -> Record {
    let Ended { address, reason, cause, sni, ech, alpn, bytes: (up, down), more } = ended;
    let took = u64::try_from(ticket.since.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut details: Vec<(&'static str, Json)> = vec![
        ("bytes_up", up.into()),
        ("bytes_down", down.into()),
        ("duration_ms", took.into()),
        ("cause", cause.into()),
    ];
    details.extend(address.map(|address| ("address", address.to_string().into())));
    details.extend(reason.map(|reason| ("reason", reason.as_str().into())));
    if let Some(sni) = sni {
        details.push(("sni", sni.into()));
        details.push(("ech", ech.into()));
    }
    if !alpn.is_empty() {
        details.push(("alpn", alpn.into_iter().map(Json::from).collect()));
    }
    details.extend(more);
    Record {
        call: Some(ticket.call),
        principal: Some(*ticket.principal),
        details,
        durability: Durability::Written,
        ..Record::new(Kind::NetClose)
    }
}
