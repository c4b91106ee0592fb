//! The DNS stub: answers for allowed names, and for no others. What is denied is asked of nobody,
//! so that a name cannot carry anything out; keys to hide a name with are told to nobody.

use super::dns::{Answer, Asked, Malformed, Query, read_query};
use super::reason::Reason;
use super::server::{Egress, Peer};
use super::settings::Mixed;
use crate::gate::network::Connection;
use crate::limits::{
    EGRESS_DNS_CLIENTS_MAX, EGRESS_DNS_RECORDED_EVERY, EGRESS_DNS_RECORDED_MAX,
    EGRESS_DNS_STUB_TTL_SECONDS, EGRESS_DNS_TCP_IDLE, EGRESS_FIRST_READ_BYTES,
};
use crate::model::address::{AddressClass, classify};
use crate::model::host::{Host, Name};
use crate::model::url::Network;
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The stub's sockets, which have one address.
pub struct Stub {
    /// Most questions come here.
    pub udp: UdpSocket,
    /// Those whose answers were too long for that.
    pub tcp: TcpListener,
}

impl Stub {
    /// Answers until the task is dropped.
    pub async fn serve(self, egress: Arc<Egress>, name: String) {
        let Stub { udp, tcp } = self;
        let peer = Peer { uid: None, listener: name.into() };
        let udp = Arc::new(udp);
        let places = Arc::new(Semaphore::new(EGRESS_DNS_CLIENTS_MAX));
        let mut buffer = vec![0; EGRESS_FIRST_READ_BYTES];
        loop {
            // A further question waits, or is lost, which its client tries again.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let (egress, peer) = (Arc::clone(&egress), peer.clone());
            tokio::select! {
                came = udp.recv_from(&mut buffer) => {
                    let Ok((length, from)) = came else { continue };
                    let question = buffer.get(..length).unwrap_or_default().to_vec();
                    let udp = Arc::clone(&udp);
                    tokio::spawn(async move {
                        let answer = answer(&egress, &peer, &question, None).await;
                        if let Some(answer) = answer {
                            // Whoever gets none asks again.
                            let _ = udp.send_to(&answer, from).await;
                        }
                        drop(place);
                    });
                }
                came = tcp.accept() => match came {
                    Ok((stream, _)) => {
                        tokio::spawn(async move {
                            let _ = over_tcp(&egress, &peer, stream).await;
                            drop(place);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the DNS stub could not accept a connection");
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                },
            }
        }
    }
}

/// Questions of one connection, each with its length before it (RFC 7766 §8).
async fn over_tcp(egress: &Egress, peer: &Peer, mut stream: TcpStream) -> std::io::Result<()> {
    loop {
        let question = timeout(EGRESS_DNS_TCP_IDLE, async {
            let length = stream.read_u16().await?;
            let mut question = vec![0; usize::from(length)];
            stream.read_exact(&mut question).await?;
            std::io::Result::Ok(question)
        });
        let Ok(question) = question.await else { return Ok(()) };
        let Some(answer) = answer(egress, peer, &question?, Some(usize::from(u16::MAX))).await
        else {
            return Ok(());
        };
        let length = u16::try_from(answer.len()).unwrap_or(u16::MAX);
        let both = [&length.to_be_bytes()[..], &answer].concat();
        timeout(EGRESS_DNS_TCP_IDLE, stream.write_all(&both)).await.unwrap_or(Ok(()))?;
    }
}

/// The answer to a question, in at most so many bytes if that is not the question's to say.
async fn answer(
    egress: &Egress,
    peer: &Peer,
    question: &[u8],
    most: Option<usize>,
) -> Option<Vec<u8>> {
    let query = match read_query(question) {
        Ok(query) => query,
        Err(Malformed::Answered(answer)) => return Some(answer),
        Err(Malformed::Silent) => return None,
    };
    let most = most.unwrap_or(usize::from(query.udp_bytes_max));
    let addresses = match found(egress, peer, &query).await {
        Ok(addresses) => addresses,
        Err(answer) => return Some(query.answer(&answer, most)),
    };
    let answer = match addresses.is_empty() {
        true => Answer::NoData,
        false => Answer::Addresses(&addresses, EGRESS_DNS_STUB_TTL_SECONDS),
    };
    Some(query.answer(&answer, most))
}

async fn found(
    egress: &Egress,
    peer: &Peer,
    query: &Query,
) -> Result<Vec<IpAddr>, Answer<'static>> {
    let Ok(name) = &query.name else { return Err(Answer::NoName) };
    let host = Host::Name(name.clone());
    let who = egress.gate.who(peer.uid, &host);
    let listener = Arc::clone(&peer.listener);
    let to =
        Network { scheme: None, host, port: None, method: None, path: None, addresses: Vec::new() };
    let connection = Connection { form: "dns", listener, to, who };
    if let Err(unnamed) = egress.gate.may_ask(connection.clone()) {
        drop(egress.gate.deny(*unnamed).await);
        return Err(Answer::NoName);
    }
    if let Asked::Other(number) = query.asked {
        let why = format!("the DNS stub answers A and AAAA alone, not type {number}");
        drop(egress.gate.refuse(&connection, Reason::RrtypeBlocked, &why).await);
        return Err(Answer::NoData);
    }
    let untold = egress.asked.lock().unwrap_or_else(PoisonError::into_inner).tells(name);
    if let Some(untold) = untold
        && egress.gate.asked(&connection, untold).await.is_err()
    {
        return Err(Answer::Failure);
    }
    Ok(vetted(egress, &connection, name).await)
}

/// Questions that stand in the log: each name once in a while, and only so many of them.
#[derive(Debug, Default)]
pub(super) struct Told {
    since: Option<Instant>,
    names: HashSet<Name>,
    untold: u64,
}

impl Told {
    /// Whether a question for the name is written down, and how many were not before it.
    fn tells(&mut self, name: &Name) -> Option<u64> {
        let now = Instant::now();
        if self.since.is_none_or(|since| now >= since + EGRESS_DNS_RECORDED_EVERY) {
            self.since = Some(now);
            self.names.clear();
        }
        let is_new = self.names.len() < EGRESS_DNS_RECORDED_MAX && !self.names.contains(name);
        if !is_new {
            self.untold = self.untold.saturating_add(1);
            return None;
        }
        self.names.insert(name.clone());
        Some(std::mem::take(&mut self.untold))
    }
}

/// What the name leads to and could be dialled: nothing else is told.
async fn vetted(egress: &Egress, connection: &Connection, name: &Name) -> Vec<IpAddr> {
    let mut found = egress.names.lookup(name).await;
    let came = found.len();
    found.retain(|ip| match classify(*ip) {
        AddressClass::Public => true,
        AddressClass::Metadata => egress.gate.opens_to(connection, *ip, true),
        _ => {
            egress.settings.grants(&connection.to.host, ip.to_canonical())
                || egress.gate.opens_to(connection, *ip, false)
        }
    });
    if found.len() < came && egress.settings.mixed == Mixed::Reject {
        // As the proxy would refuse it.
        found.clear();
    }
    found
}
