//! One tunnel, from a name to its end: judged, looked up, vetted, recorded, dialled, and only then
//! answered; its first bytes looked at, and the rest relayed.

use super::client_hello::{self, ClientHello};
use super::dial::{DialError, dial};
use super::entry::{Client, words};
use super::reason::Reason;
use super::relay::{Cause, Relayed, relay};
use super::server::{Egress, farewell};
use super::settings::{Ech, HostTerms, Sni, Tunnel as Carries};
use super::socket::Socket;
use super::socks5::Reply as Code;
use super::vet::vet;
use super::{answer, forward, intercept};
use crate::gate::network::{Connection, Denial, Ended, Named, Opened, Resolved, Ticket};
use crate::limits::EGRESS_HELLO_BYTES_MAX;
use crate::model::host::{Authority, Host};
use crate::model::url::{Network, default_port};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// In whose words the client is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    /// HTTP's.
    Http,
    /// SOCKS5's.
    Socks,
}

/// A tunnel that stands, on the heap: a task takes as much room as its largest moment.
pub(super) type Tunnel = Box<Standing>;

/// All that is kept while nothing flows.
pub(super) struct Standing {
    client: Socket,
    upstream: Socket,
    /// What the client has sent already.
    first: Vec<u8>,
    ticket: Ticket,
    ended: Box<Ended>,
}

/// What a tunnel to there carries, as far as that is settled before its first byte.
enum Mode {
    /// TLS, whose first message is looked at.
    Tls,
    /// Anything.
    Raw,
    /// TLS or HTTP: the first byte tells.
    Either,
}

impl Reply {
    fn form(self) -> &'static str {
        match self {
            Reply::Http => "connect",
            Reply::Socks => "socks5",
        }
    }

    pub(super) fn success(self) -> &'static [u8] {
        match self {
            Reply::Http => b"HTTP/1.1 200 Connection established\r\n\r\n",
            Reply::Socks => &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0],
        }
    }

    pub(super) async fn denial(self, socket: &mut Socket, denial: &Denial, to: &str) {
        match self {
            Reply::Http => farewell(socket, &answer::http(denial, to, true)).await,
            Reply::Socks => farewell(socket, &Code::of(denial.reason).to_bytes(None)).await,
        }
    }

    async fn unreachable(self, socket: &mut Socket, error: &DialError, to: &str) {
        match self {
            Reply::Http => farewell(socket, &answer::unreachable(error, to)).await,
            Reply::Socks => {
                let code = match error {
                    DialError::Timeout => Code::HostUnreachable,
                    DialError::Io(error) => match error.kind() {
                        io::ErrorKind::NetworkUnreachable => Code::NetworkUnreachable,
                        io::ErrorKind::ConnectionRefused => Code::Refused,
                        _ => Code::HostUnreachable,
                    },
                };
                farewell(socket, &code.to_bytes(None)).await;
            }
        }
    }
}

/// Opens a tunnel to where the client wants, if it may.
pub(super) async fn open(
    egress: &Arc<Egress>,
    client: Client,
    authority: Authority,
    reply: Reply,
) -> Option<Tunnel> {
    let terms = egress.settings.terms(&authority.host);
    let listener = Arc::clone(&client.peer.listener);
    let who = egress.gate.who(client.peer.uid, &authority.host);
    let to = Network::from_authority(authority);
    let connection = Connection { form: reply.form(), listener, to, who };
    if let Some(inside) = egress.inside.get() {
        let connection = with_scheme(connection.clone(), Some("https".to_owned()));
        if inside.is_for(egress, &connection.to, terms) {
            // Only what carries a tunnel is kept small while it is idle.
            let opened = intercept::serve(egress, inside, client, connection, (terms, reply));
            Box::pin(opened).await;
            return None;
        }
    }
    match mode(egress, &connection, terms) {
        Mode::Either => either(egress, client, connection, terms, reply).await,
        Mode::Raw => {
            let scheme = spoken_at(connection.to.port).map(str::to_owned);
            let connection = with_scheme(connection, scheme);
            known(egress, client, connection, None, reply).await
        }
        Mode::Tls => {
            let connection = with_scheme(connection, Some("https".to_owned()));
            known(egress, client, connection, Some(terms), reply).await
        }
    }
}

fn with_scheme(mut connection: Connection, scheme: Option<String>) -> Connection {
    connection.to.scheme = scheme;
    connection
}

/// The protocol that is neither HTTP nor TLS and has this port for its own.
fn spoken_at(port: Option<u16>) -> Option<&'static str> {
    ["ssh", "ftp", "git"].into_iter().find(|scheme| default_port(scheme) == port)
}

/// What the operator settled for the host; else TLS, unless the policy would also let HTTP
/// through there, or names another protocol.
fn mode(egress: &Egress, connection: &Connection, terms: HostTerms) -> Mode {
    match terms.tunnel {
        Some(Carries::Raw) => return Mode::Raw,
        Some(Carries::Tls | Carries::Intercept) => return Mode::Tls,
        None => {}
    }
    let to = &connection.to;
    let would = |scheme: &str| would(egress, connection, scheme);
    match to.port {
        // Nothing but TLS is honest there.
        Some(443) => Mode::Tls,
        port => {
            if would("http") {
                return Mode::Either;
            }
            // A rule that names the protocol says that it is no TLS.
            match spoken_at(port) {
                Some(scheme) if !would("https") && would(scheme) => Mode::Raw,
                _ => Mode::Tls,
            }
        }
    }
}

/// Whether the policy would let this protocol through there, or has to see inside to say.
pub(super) fn would(egress: &Egress, connection: &Connection, scheme: &str) -> bool {
    let connection = with_scheme(connection.clone(), Some(scheme.to_owned()));
    match egress.gate.name(connection) {
        Ok(_) => true,
        Err(unnamed) => unnamed.reason() == Reason::InterceptRequired,
    }
}

/// A tunnel of which it is known what it carries: TLS on these terms, or anything.
async fn known(
    egress: &Arc<Egress>,
    mut client: Client,
    connection: Connection,
    tls: Option<HostTerms>,
    reply: Reply,
) -> Option<Tunnel> {
    let text = connection.to.host.to_string();
    let to = connection.to.port.map_or(text.clone(), |port| format!("{text}:{port}"));
    let host = connection.to.host.clone();
    let dialled = match way(egress, connection).await {
        Ok(dialled) => dialled,
        Err(Stopped::Denied(denial)) => {
            reply.denial(&mut client.socket, &denial, &to).await;
            return None;
        }
        Err(Stopped::Unreachable(error)) => {
            reply.unreachable(&mut client.socket, &error, &to).await;
            return None;
        }
    };
    let Dialled { upstream, address, ticket } = dialled;
    let mut ended = Box::new(Ended { address: Some(address), ..Ended::default() });
    if let Err(error) = client.socket.write_all(reply.success()).await {
        ended.cause = format!("error: {}", error.kind());
        egress.gate.closed(ticket, *ended).await;
        return None;
    }
    if let Some(terms) = tls {
        let looked = peek(egress, &mut client).await;
        let looked = looked.and_then(|hello| {
            ended.sni = hello.sni.as_ref().map(|name| name.as_str().to_owned());
            ended.ech = hello.ech;
            ended.alpn.clone_from(&hello.alpn);
            fits(&hello, &host, terms)
        });
        if let Err(reason) = looked {
            ended.reason = Some(reason);
            ended.cause = "denied".to_owned();
            egress.gate.closed(ticket, *ended).await;
            farewell(&mut client.socket, answer::alert(reason)).await;
            return None;
        }
    }
    let Client { socket, read, .. } = client;
    let upstream = Socket::Tcp(upstream);
    Some(Box::new(Standing { client: socket, upstream, first: read, ticket, ended }))
}

/// A tunnel whose first byte tells what it carries: TLS is compared, HTTP is judged request by
/// request. Nothing is looked up or dialled before that.
async fn either(
    egress: &Arc<Egress>,
    mut client: Client,
    connection: Connection,
    terms: HostTerms,
    reply: Reply,
) -> Option<Tunnel> {
    client.socket.write_all(reply.success()).await.ok()?;
    let until = Instant::now() + egress.settings.bounds.tls;
    if client.read.is_empty() {
        match client.more(until).await {
            Ok(true) => {}
            Ok(false) => return None,
            Err(error) => {
                if error.kind() == io::ErrorKind::TimedOut {
                    let (reason, words) = (Reason::TlsTimeout, words(Reason::TlsTimeout));
                    drop(egress.gate.refuse(&connection, reason, words).await);
                }
                return None;
            }
        }
    }
    match client.read.first() {
        Some(22) => {
            let host = connection.to.host.clone();
            let looked = peek(egress, &mut client).await;
            let hello = match looked {
                Ok(hello) => hello,
                Err(reason) => return alerted(egress, client, &connection, reason).await,
            };
            if let Err(reason) = fits(&hello, &host, terms) {
                return alerted(egress, client, &connection, reason).await;
            }
            let connection = with_scheme(connection, Some("https".to_owned()));
            let dialled = match way(egress, connection).await {
                Ok(dialled) => dialled,
                Err(stopped) => {
                    let reason = match stopped {
                        Stopped::Denied(denial) => denial.reason,
                        Stopped::Unreachable(_) => Reason::UpstreamTls,
                    };
                    farewell(&mut client.socket, answer::alert(reason)).await;
                    return None;
                }
            };
            let Dialled { upstream, address, ticket } = dialled;
            let ended = Box::new(Ended {
                address: Some(address),
                sni: hello.sni.as_ref().map(|name| name.as_str().to_owned()),
                ech: hello.ech,
                alpn: hello.alpn,
                ..Ended::default()
            });
            let Client { socket, read, .. } = client;
            let upstream = Socket::Tcp(upstream);
            Some(Box::new(Standing { client: socket, upstream, first: read, ticket, ended }))
        }
        Some(byte) if byte.is_ascii_alphabetic() => {
            forward::inside(egress, client, connection).await;
            None
        }
        _ => {
            drop(egress.gate.refuse(&connection, Reason::NotTls, words(Reason::NotTls)).await);
            None
        }
    }
}

async fn alerted(
    egress: &Egress,
    mut client: Client,
    connection: &Connection,
    reason: Reason,
) -> Option<Tunnel> {
    drop(egress.gate.refuse(connection, reason, words(reason)).await);
    farewell(&mut client.socket, answer::alert(reason)).await;
    None
}

/// Why nothing was dialled.
pub(super) enum Stopped {
    /// It is refused.
    Denied(Denial),
    /// It is allowed, and nobody answers.
    Unreachable(DialError),
}

/// A connection that stands.
pub(super) struct Dialled {
    pub(super) upstream: TcpStream,
    pub(super) address: SocketAddr,
    pub(super) ticket: Ticket,
}

/// The whole way of a connection: name, lookup, addresses, record, dial.
pub(super) async fn way(egress: &Egress, connection: Connection) -> Result<Dialled, Stopped> {
    let named = match egress.gate.name(connection) {
        Ok(named) => named,
        Err(unnamed) => return Err(Stopped::Denied(egress.gate.deny(*unnamed).await)),
    };
    onward(egress, named).await
}

/// The way of a connection whose name was judged: lookup, addresses, record, dial.
pub(super) async fn onward(egress: &Egress, named: Named) -> Result<Dialled, Stopped> {
    let resolved = resolved(egress, &named).await;
    let through = resolved.upstream.is_some().then(|| named.to().clone());
    let opened = egress.gate.open(named, resolved).await.map_err(Stopped::Denied)?;
    match reach(egress, &opened, through.as_ref()).await {
        Ok((upstream, address)) => Ok(Dialled { upstream, address, ticket: opened.into_ticket() }),
        Err(error) => {
            let cause = format!("error: {error}");
            let ended = Ended { cause, ..Ended::default() };
            egress.gate.closed(opened.into_ticket(), ended).await;
            Err(Stopped::Unreachable(error))
        }
    }
}

/// What the name leads to, and what of that may be dialled.
pub(super) async fn resolved(egress: &Egress, named: &Named) -> Resolved {
    if let Some((proxy, port)) = &egress.settings.upstream {
        let found = match proxy {
            Host::Address(address) => vec![*address],
            Host::Name(name) => egress.names.lookup(name).await,
        };
        let usable: Vec<_> = found.iter().map(|ip| SocketAddr::new(*ip, *port)).collect();
        let usable = if usable.is_empty() { Err(Reason::DnsFailure) } else { Ok(usable) };
        let upstream = Some(format!("{proxy}:{port}"));
        return Resolved { all: Vec::new(), usable, upstream };
    }
    let found = match &named.to().host {
        Host::Address(address) => vec![*address],
        Host::Name(name) => egress.names.lookup(name).await,
    };
    vet((&egress.gate, &egress.settings, &egress.own), named, found)
}

/// Dials, and asks the other proxy for the host if there is one.
pub(super) async fn reach(
    egress: &Egress,
    opened: &Opened,
    through: Option<&Network>,
) -> Result<(TcpStream, SocketAddr), DialError> {
    let patience = egress.settings.bounds.dial;
    let (mut stream, address) = dial(opened, patience).await?;
    if let Some(to) = through {
        let asking = super::upstream::connect(&mut stream, to);
        tokio::time::timeout(patience, asking).await.map_err(|_| DialError::Timeout)??;
    }
    Ok((stream, address))
}

/// Reads until the whole `ClientHello` is there; all of it stays to be sent on.
pub(super) async fn peek(egress: &Egress, client: &mut Client) -> Result<ClientHello, Reason> {
    let until = Instant::now() + egress.settings.bounds.tls;
    loop {
        if let Some(hello) = client_hello::read(&client.read)? {
            return Ok(hello);
        }
        if client.read.len() >= EGRESS_HELLO_BYTES_MAX {
            return Err(Reason::TlsMalformed);
        }
        match client.more(until).await {
            Ok(true) => {}
            Ok(false) if client.read.is_empty() => return Err(Reason::NotTls),
            Ok(false) => return Err(Reason::TlsMalformed),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(Reason::TlsTimeout);
            }
            Err(_) => return Err(Reason::TlsMalformed),
        }
    }
}

/// Whether a `ClientHello` is for the tunnel's host.
pub(super) fn fits(hello: &ClientHello, host: &Host, terms: HostTerms) -> Result<(), Reason> {
    match (&hello.sni, host) {
        // A certificate may be for an address; RFC 6066 §3 lets no client name one.
        (None, Host::Address(_)) => {}
        (None, Host::Name(_)) if terms.sni == Sni::Optional => {}
        (None, Host::Name(_)) => return Err(Reason::SniMissing),
        (Some(sni), Host::Name(name)) if sni == name => {}
        (Some(_), Host::Name(_) | Host::Address(_)) => return Err(Reason::SniMismatch),
    }
    if hello.ech && (terms.ech == Ech::Deny || hello.sni.is_none()) {
        return Err(Reason::EchBlocked);
    }
    Ok(())
}

impl Standing {
    /// Relays until it ends, and writes down how.
    pub(super) async fn run(mut self: Box<Self>, egress: &Egress) {
        let bounds = (egress.settings.bounds.idle, egress.settings.bounds.tunnel_bytes);
        let first = std::mem::take(&mut self.first);
        let relayed = if egress.is_draining() {
            Relayed { up: 0, down: 0, cause: Cause::Drain }
        } else {
            relay((&self.client, &self.upstream), first, bounds, &egress.drain).await
        };
        egress.carried.fetch_add(relayed.up.saturating_add(relayed.down), Ordering::Relaxed);
        let Standing { client, upstream, ticket, mut ended, .. } = *self;
        ended.bytes = (relayed.up, relayed.down);
        ended.cause = relayed.cause.to_string();
        drop((client, upstream));
        // On the heap, since it is not there while the tunnel is idle.
        Box::pin(egress.gate.closed(ticket, *ended)).await;
    }
}
