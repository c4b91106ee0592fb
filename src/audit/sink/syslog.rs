//! Records as RFC 5424 messages, over a Unix datagram socket, UDP (RFC 5426) or TCP with octet
//! counting (RFC 6587).
//!
//! The message is the record's line as it stands; the structured data say what a filter needs.
//! No syslog transport acknowledges, so what is sent counts as settled only after a while in which
//! the other side stayed there. UDP loses in silence; nothing may depend on it.

mod message;
mod transport;

pub use message::Facility;
pub use transport::SyslogVia;

use super::deliver::{Deliver, Line, Refused};
use crate::limits::SINK_SETTLES;
use message::Header;
use std::time::Duration;
use transport::Connection;

/// Where messages go, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyslogTarget {
    /// The way.
    pub via: SyslogVia,
    /// As what they are sent; their severity follows from the decision.
    pub facility: Facility,
}

/// A syslog daemon.
pub(super) struct Syslog {
    target: SyslogTarget,
    header: Header,
    connection: Option<Connection>,
}

impl Syslog {
    pub(super) fn new(target: SyslogTarget) -> Syslog {
        let header = Header::of_this_process(target.facility);
        Syslog { target, header, connection: None }
    }

    fn try_send(&mut self, batch: &[Line]) -> std::io::Result<()> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(Connection::open(&self.target.via)?),
        };
        let most = connection.message_bytes_max();
        for line in batch {
            connection.write(&self.header.message(&line.record, &line.text, most))?;
        }
        connection.flush()
    }

    fn told(&self, why: &std::io::Error) -> String {
        format!("{}: {why}", self.target.via)
    }
}

impl Deliver for Syslog {
    fn send(&mut self, batch: &[Line]) -> Result<(), Refused> {
        let sent = self.try_send(batch);
        sent.map_err(|why| {
            // Half a message may have gone out.
            self.connection = None;
            self.told(&why).into()
        })
    }

    fn settles(&self) -> Duration {
        SINK_SETTLES
    }

    fn is_there(&mut self) -> Result<(), String> {
        let there = self.connection.as_mut().map_or(Ok(()), Connection::is_there);
        there.map_err(|why| {
            self.connection = None;
            self.told(&why)
        })
    }
}

#[cfg(test)]
mod tests;
