//! The beginning of a connection: which protocol it speaks, whether it may speak at all, and where
//! it wants to go. What cannot be read strictly is refused.

use super::forward;
use super::head::{RequestHead, RequestTarget, read_head};
use super::reason::Reason;
use super::server::{Egress, Peer, farewell};
use super::socket::Socket;
use super::tunnel::{self, Reply, Tunnel};
use super::{answer, socks};
use crate::gate::network::{Denial, Unread};
use crate::limits::EGRESS_FIRST_READ_BYTES;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout_at};

/// Bytes of a client as they come, and those that were read and are nobody's yet.
pub(super) struct Client {
    pub(super) socket: Socket,
    pub(super) read: Vec<u8>,
    pub(super) peer: Peer,
}

impl Client {
    /// Reads more; false at the end.
    pub(super) async fn more(&mut self, until: Instant) -> io::Result<bool> {
        self.read.reserve(EGRESS_FIRST_READ_BYTES);
        match timeout_at(until, self.socket.read_buf(&mut self.read)).await {
            Ok(read) => Ok(read? > 0),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Takes the first bytes that were read.
    pub(super) fn take(&mut self, count: usize) {
        self.read.drain(..count.min(self.read.len()));
    }
}

/// Reads what a client wants and does it; what is left is a tunnel, if it comes to one.
pub(super) async fn enter(egress: &Arc<Egress>, socket: Socket, peer: Peer) -> Option<Tunnel> {
    let mut client = Client { socket, read: Vec::new(), peer };
    let until = Instant::now() + egress.settings.bounds.header;
    let heard = tokio::select! {
        heard = client.more(until) => heard,
        () = egress.drain.notified() => return None,
    };
    match (heard, client.read.first()) {
        (Ok(true), Some(5)) => socks::serve(egress, client, until).await,
        (Ok(true), Some(4)) => {
            let why = "SOCKS4 is not spoken; use SOCKS5 with the name, or HTTP";
            unread(egress, &client, "socks4", Reason::ProtocolNotSupported, why).await;
            farewell(&mut client.socket, &socks::SOCKS4_REFUSED).await;
            None
        }
        (Ok(true), Some(22)) => {
            let why = "the proxy is spoken to without TLS";
            unread(egress, &client, "http", Reason::ProtocolNotSupported, why).await;
            let alert = answer::alert(Reason::ProtocolNotSupported);
            farewell(&mut client.socket, alert).await;
            None
        }
        (Ok(true), Some(_)) => http(egress, client, until).await,
        // Nobody said anything; a client's pool does so.
        (Ok(_) | Err(_), _) => None,
    }
}

/// Serves requests, one after the other.
async fn http(egress: &Arc<Egress>, mut client: Client, until: Instant) -> Option<Tunnel> {
    let mut until = until;
    let mut kept = None;
    loop {
        let head = match read_one(egress, &mut client, until).await {
            Ok(Some(head)) => head,
            Ok(None) => return None,
            Err(reason) => {
                let denial = unread(egress, &client, "http", reason, words(reason)).await;
                farewell(&mut client.socket, &answer::http(&denial, "", true)).await;
                return None;
            }
        };
        if let Err(reason) = authorized(egress, &head) {
            let denial = unread(egress, &client, "http", reason, words(reason)).await;
            farewell(&mut client.socket, &answer::http(&denial, "", true)).await;
            return None;
        }
        let refused = match &head.target {
            RequestTarget::Authority(authority) if head.method.as_str() == "CONNECT" => {
                let authority = authority.clone();
                return tunnel::open(egress, client, authority, Reply::Http).await;
            }
            RequestTarget::Absolute { .. } => {
                match forward::exchange(egress, &mut client, head, &mut kept).await {
                    true => {
                        until = Instant::now() + idle(egress);
                        continue;
                    }
                    false => return None,
                }
            }
            RequestTarget::Origin(_) | RequestTarget::Asterisk => Reason::OriginFormNotAllowed,
            RequestTarget::Authority(_) => Reason::BadRequestLine,
        };
        let denial = unread(egress, &client, "http", refused, words(refused)).await;
        farewell(&mut client.socket, &answer::http(&denial, "", true)).await;
        return None;
    }
}

/// How long a connection may wait for its next request.
fn idle(egress: &Egress) -> Duration {
    egress.settings.bounds.idle
}

/// Reads the head of one request; nothing if the client ends before it, or the sidecar stops. It
/// begins until then, and once it has begun it has the time of a head.
pub(super) async fn read_one(
    egress: &Egress,
    client: &mut Client,
    mut until: Instant,
) -> Result<Option<RequestHead>, Reason> {
    let mut begun = false;
    loop {
        if !begun && !client.read.is_empty() {
            (begun, until) = (true, Instant::now() + egress.settings.bounds.header);
        }
        if let Some((head, length)) = read_head(&client.read)? {
            client.take(length);
            return Ok(Some(head));
        }
        let more = tokio::select! {
            more = client.more(until) => more,
            () = egress.drain.notified() => return Ok(None),
        };
        match more {
            Ok(true) => {}
            Ok(false) if client.read.is_empty() => return Ok(None),
            Ok(false) => return Err(Reason::BadRequestLine),
            Err(error) if error.kind() == io::ErrorKind::TimedOut && !client.read.is_empty() => {
                return Err(Reason::HeaderTimeout);
            }
            Err(_) => return Ok(None),
        }
    }
}

fn authorized(egress: &Egress, head: &RequestHead) -> Result<(), Reason> {
    let Some(token) = &egress.settings.token else { return Ok(()) };
    let mut stated = head.headers.all("proxy-authorization");
    match (stated.next(), stated.next()) {
        (None, _) => Err(Reason::AuthRequired),
        (Some(value), None) if token.is_borne_by(value) => Ok(()),
        (Some(_), _) => Err(Reason::AuthFailed),
    }
}

/// Writes down that something was refused of which nobody knows where it was to go.
pub(super) async fn unread(
    egress: &Egress,
    client: &Client,
    form: &'static str,
    reason: Reason,
    why: &str,
) -> Denial {
    let unread = Unread { form, listener: &client.peer.listener, uid: client.peer.uid };
    egress.gate.refuse_unread(unread, reason, why).await
}

/// What a code means, for whoever sent what could not be read.
pub(super) fn words(reason: Reason) -> &'static str {
    match reason {
        Reason::BadRequestLine => "the request line is not strictly valid",
        Reason::BadHeader => "a header field is not strictly valid",
        Reason::BadFraming => "the body's framing is not strictly valid",
        Reason::MissingHost => "the request has no Host field",
        Reason::DuplicateHost => "the request has more than one Host field",
        Reason::AuthorityMismatch => "the Host field is not the request's authority",
        Reason::InvalidAuthority => "the target is no `host:port`",
        Reason::InvalidHost => "the host is no host name and no strictly written address",
        Reason::HeaderTooLarge => "the request's head is too large",
        Reason::HeaderTimeout => "the request's head did not come in time",
        Reason::OriginFormNotAllowed => "this is a proxy: it serves no pages of its own",
        Reason::SchemeNotAllowed => "only `http://` is forwarded; use CONNECT for the rest",
        Reason::ProtocolNotSupported => "this protocol or version is not spoken",
        Reason::CommandNotSupported => "only CONNECT is served",
        Reason::NestedConnect => "no CONNECT is served inside a tunnel",
        Reason::UpgradeNotAllowed => "the host is not opened for a change of protocol",
        Reason::AuthRequired => "the proxy wants its token",
        Reason::AuthFailed => "the token is wrong",
        Reason::UdpBlocked => "UDP is not relayed",
        Reason::PathAmbiguous => "the path can be read in more than one way",
        Reason::SniMissing => "the ClientHello names no host",
        Reason::SniMismatch => "the ClientHello names another host than the tunnel",
        Reason::EchBlocked => "the ClientHello hides the host it is for",
        Reason::NotTls => "what the tunnel carries is not TLS",
        Reason::TlsMalformed => "the ClientHello is not well-formed",
        Reason::TlsTimeout => "the ClientHello did not come in time",
        Reason::InterceptRequired => "a rule must see inside this tunnel, and it is not opened",
        _ => "refused",
    }
}
