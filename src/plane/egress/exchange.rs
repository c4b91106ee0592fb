//! One request and its answer between two sockets: both bodies as they come, each only to its own
//! end, and what is not strictly a message goes no further.

use super::answer;
use super::dial::DialError;
use super::entry::words;
use super::framing::{Body, Framing};
use super::head::{RequestHead, ResponseHead, Version, read_response_head};
use super::headers::Field;
use super::reason::Reason;
use super::relay::{Cause, relay};
use super::socket::Socket;
use crate::gate::network::Denial;
use crate::limits::EGRESS_BODY_READ_BYTES;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// What an exchange goes by.
pub(super) struct Exchange<'a> {
    pub(super) request: &'a RequestHead,
    /// Whether the host may change to another protocol.
    pub(super) upgrades: bool,
    pub(super) idle: Duration,
    /// Bytes of one direction of what it changes to; 0 for no bound.
    pub(super) tunnel_bytes: u64,
    pub(super) drain: &'a Notify,
}

/// What an exchange came to.
pub(super) struct Done {
    pub(super) outcome: Result<Sent, Failed>,
    /// Bytes of the request, and of the answer.
    pub(super) bytes: (u64, u64),
    pub(super) status: Option<u16>,
    /// The client has seen the head of an answer.
    pub(super) answered: bool,
}

/// Which connections bear another exchange.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) client_stays: bool,
    pub(super) upstream_stays: bool,
}

/// Why an exchange was given up.
#[derive(Debug)]
pub(super) enum Failed {
    /// The client went away.
    Client,
    /// The host did.
    Upstream(String),
    /// What one of them sent is refused.
    Denied(Reason),
    /// Nothing came for too long.
    Idle,
    /// More came than a tunnel may carry.
    Bytes,
    /// The sidecar stops.
    Drain,
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failed::Client => f.write_str("client_closed"),
            Failed::Upstream(why) => write!(f, "error: {why}"),
            Failed::Denied(_) => f.write_str("denied"),
            Failed::Idle => f.write_str("idle"),
            Failed::Bytes => f.write_str("bytes"),
            Failed::Drain => f.write_str("drain"),
        }
    }
}

impl Failed {
    pub(super) fn reason(&self) -> Option<Reason> {
        match self {
            Failed::Denied(reason) => Some(*reason),
            Failed::Client | Failed::Upstream(_) | Failed::Idle | Failed::Bytes | Failed::Drain => {
                None
            }
        }
    }

    /// What a client is told that has no answer yet.
    pub(super) fn last_word(&self, to: &str) -> Vec<u8> {
        match self {
            Failed::Denied(reason) => {
                let why = words(*reason).to_owned();
                let denial = Denial { reason: *reason, why, rule: None, unrecorded: false };
                answer::http(&denial, to, true)
            }
            Failed::Idle => answer::unreachable(&DialError::Timeout, to),
            Failed::Upstream(why) => {
                answer::unreachable(&DialError::Io(io::Error::other(why.clone())), to)
            }
            Failed::Client | Failed::Bytes | Failed::Drain => {
                let why = "the guard is stopping".to_owned();
                answer::unreachable(&DialError::Io(io::Error::other(why)), to)
            }
        }
    }
}

/// What both directions count.
#[derive(Default)]
struct Counts {
    up: AtomicU64,
    down: AtomicU64,
    /// 0 before there is one.
    status: AtomicU16,
    answered: AtomicBool,
}

impl Exchange<'_> {
    /// Sends the head and what the client says after it, and brings back the answer. What either
    /// side has sent behind its message stays in its buffer.
    pub(super) async fn run(
        &self,
        (client, upstream): (&Socket, &Socket),
        head: Vec<u8>,
        (from_client, from_upstream): (&mut Vec<u8>, &mut Vec<u8>),
    ) -> Done {
        let counts = Counts::default();
        let outcome = {
            let mut sending = pin!(self.send(client, upstream, head, from_client, &counts));
            let mut answering = pin!(self.answer(client, upstream, from_upstream, &counts));
            let mut drained = pin!(self.drain.notified());
            let mut sent = false;
            loop {
                tokio::select! {
                    done = &mut sending, if !sent => match done {
                        Ok(()) => sent = true,
                        Err(failed) => break Err(failed),
                    },
                    answered = &mut answering => break answered.map(|stays| Sent {
                        // What is left of a request that was answered early would be the next.
                        client_stays: stays.client_stays && sent,
                        upstream_stays: stays.upstream_stays && sent,
                    }),
                    () = &mut drained => break Err(Failed::Drain),
                }
            }
        };
        let outcome = match outcome {
            // Another protocol: whatever comes now is neither's to read.
            Err(Failed::Denied(Reason::UpgradeNotAllowed))
                if counts.status.load(Relaxed) == 101 && self.upgrades =>
            {
                self.switched((client, upstream), (from_client, from_upstream), &counts).await
            }
            other => other,
        };
        Done {
            outcome,
            bytes: (counts.up.load(Relaxed), counts.down.load(Relaxed)),
            status: Some(counts.status.load(Relaxed)).filter(|status| *status > 0),
            answered: counts.answered.load(Relaxed),
        }
    }

    async fn switched(
        &self,
        (client, upstream): (&Socket, &Socket),
        (from_client, from_upstream): (&mut Vec<u8>, &mut Vec<u8>),
        counts: &Counts,
    ) -> Result<Sent, Failed> {
        let early = std::mem::take(from_upstream);
        client.write_whole(&early).await.map_err(|_| Failed::Client)?;
        let first = std::mem::take(from_client);
        let relayed =
            relay((client, upstream), first, (self.idle, self.tunnel_bytes), self.drain).await;
        add(&counts.up, relayed.up);
        add(&counts.down, relayed.down.saturating_add(early.len() as u64));
        match relayed.cause {
            Cause::Client | Cause::Upstream => {
                Ok(Sent { client_stays: false, upstream_stays: false })
            }
            Cause::Idle => Err(Failed::Idle),
            Cause::Bytes => Err(Failed::Bytes),
            Cause::Drain => Err(Failed::Drain),
            Cause::Error(why) => Err(Failed::Upstream(why)),
        }
    }

    async fn send(
        &self,
        client: &Socket,
        upstream: &Socket,
        head: Vec<u8>,
        read: &mut Vec<u8>,
        counts: &Counts,
    ) -> Result<(), Failed> {
        let framing = Framing::of_request(self.request).map_err(Failed::Denied)?;
        let mut body = Body::new(framing);
        // A small body goes with its head, in one packet.
        let mut out = head;
        loop {
            let taken = body.take(read).map_err(Failed::Denied)?;
            out.extend(read.drain(..taken));
            upstream.write_whole(&out).await.map_err(|error| up(&error))?;
            add(&counts.up, out.len() as u64);
            out.clear();
            if body.is_done() {
                return Ok(());
            }
            if self.more(client, read).await? == 0 {
                return Err(Failed::Client);
            }
        }
    }

    async fn answer(
        &self,
        client: &Socket,
        upstream: &Socket,
        read: &mut Vec<u8>,
        counts: &Counts,
    ) -> Result<Sent, Failed> {
        loop {
            let head = self.head(upstream, read).await?;
            counts.status.store(head.status, Relaxed);
            match head.status {
                101 if self.upgrades => {
                    let mut headers = head.headers.forwardable();
                    push(&mut headers, "connection", b"upgrade");
                    push(&mut headers, "upgrade", b"websocket");
                    self.say(client, &head.to_client(&headers), counts).await?;
                    // Not an end: `run` goes on from here.
                    return Err(Failed::Denied(Reason::UpgradeNotAllowed));
                }
                101 => {
                    counts.status.store(0, Relaxed);
                    return Err(Failed::Denied(Reason::UpgradeNotAllowed));
                }
                // An HTTP/1.0 client knows of no answer before the answer.
                100..200 if self.request.version == Version::Http10 => {}
                100..200 => {
                    let headers = head.headers.forwardable();
                    client
                        .write_whole(&head.to_client(&headers))
                        .await
                        .map_err(|_| Failed::Client)?;
                }
                _ => return self.last(client, upstream, head, read, counts).await,
            }
        }
    }

    /// The answer that is the last one of its request.
    async fn last(
        &self,
        client: &Socket,
        upstream: &Socket,
        head: ResponseHead,
        read: &mut Vec<u8>,
        counts: &Counts,
    ) -> Result<Sent, Failed> {
        let framing = Framing::of_response(&head, &self.request.method).map_err(malformed)?;
        let mut headers = head.headers.forwardable();
        // An HTTP/1.0 client knows no chunks: it gets what they say, to the end.
        let unframes = framing == Framing::Chunked && self.request.version == Version::Http10;
        if unframes {
            headers.remove("transfer-encoding");
            headers.remove("trailer");
        }
        let ends = framing == Framing::UntilClose || unframes || !self.request.keeps_alive();
        if ends {
            push(&mut headers, "connection", b"close");
        }
        let mut body = Body::new(framing);
        let mut out = head.to_client(&headers);
        loop {
            let taken = if unframes {
                body.take_data(read, &mut |data| out.extend_from_slice(data))
            } else {
                let taken = body.take(read);
                out.extend(read.iter().take(*taken.as_ref().unwrap_or(&0)));
                taken
            };
            let taken = taken.map_err(malformed)?;
            read.drain(..taken);
            self.say(client, &out, counts).await?;
            out.clear();
            if body.is_done() {
                let upstream_stays = head.keeps_alive() && framing != Framing::UntilClose;
                return Ok(Sent { client_stays: !ends, upstream_stays });
            }
            if self.more(upstream, read).await.map_err(of_upstream)? == 0 {
                return match framing {
                    Framing::UntilClose => Ok(Sent { client_stays: false, upstream_stays: false }),
                    _ => Err(Failed::Upstream("the answer is cut short".to_owned())),
                };
            }
        }
    }

    async fn head(&self, upstream: &Socket, read: &mut Vec<u8>) -> Result<ResponseHead, Failed> {
        loop {
            if let Some((head, length)) = read_response_head(read).map_err(malformed)? {
                read.drain(..length.min(read.len()));
                return Ok(head);
            }
            if self.more(upstream, read).await.map_err(of_upstream)? == 0 {
                return Err(Failed::Upstream("no answer came".to_owned()));
            }
        }
    }

    async fn say(&self, client: &Socket, bytes: &[u8], counts: &Counts) -> Result<(), Failed> {
        counts.answered.store(true, Relaxed);
        let said = timeout(self.idle, client.write_whole(bytes)).await;
        said.map_err(|_| Failed::Idle)?.map_err(|_| Failed::Client)?;
        add(&counts.down, bytes.len() as u64);
        Ok(())
    }

    /// Reads more of a message.
    async fn more(&self, from: &Socket, read: &mut Vec<u8>) -> Result<usize, Failed> {
        let start = read.len();
        read.resize(start + EGRESS_BODY_READ_BYTES, 0);
        let room = read.get_mut(start..).unwrap_or_default();
        let came = timeout(self.idle, from.read_some(room)).await;
        let count = match &came {
            Ok(Ok(count)) => *count,
            Ok(Err(_)) | Err(_) => 0,
        };
        read.truncate(start + count);
        match came {
            Ok(Ok(count)) => Ok(count),
            Ok(Err(_)) => Err(Failed::Client),
            Err(_) => Err(Failed::Idle),
        }
    }
}

/// What a host sends is its own fault, and no decision about the client.
fn malformed(_: Reason) -> Failed {
    Failed::Upstream("its answer is no strictly valid HTTP".to_owned())
}

fn of_upstream(failed: Failed) -> Failed {
    match failed {
        Failed::Client => Failed::Upstream("the connection broke".to_owned()),
        other => other,
    }
}

fn up(error: &io::Error) -> Failed {
    Failed::Upstream(error.kind().to_string())
}

fn push(headers: &mut super::headers::Headers, name: &str, value: &[u8]) {
    if let Ok(field) = Field::new(name, value) {
        headers.push(field);
    }
}

fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Relaxed);
}
