//! Requests over plain HTTP: in absolute form to the proxy, or as they are inside a tunnel. Each is
//! judged with its method and path, and nothing behind one message goes on before it is judged too.

use super::entry::{Client, read_one, words};
use super::exchange::{Exchange, Failed, Sent};
use super::head::{RequestHead, RequestTarget};
use super::headers::Field;
use super::reason::Reason;
use super::server::{Egress, farewell};
use super::socket::Socket;
use super::tunnel::{Stopped, onward};
use super::vet::vet;
use super::{answer, path};
use crate::gate::network::{Connection, Denial, Ended, Named, Ticket};
use crate::model::host::{Authority, Host};
use crate::model::url::{Network, default_port};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::time::Instant;

/// A connection to a host that may bear a further request of the same client.
pub(super) struct Kept {
    host: Host,
    port: Option<u16>,
    socket: Socket,
    address: SocketAddr,
    /// What it has sent and nobody has read.
    read: Vec<u8>,
}

/// One request and where it goes.
struct Request {
    head: RequestHead,
    /// Its path as it is judged and as it goes on.
    path: String,
    connection: Connection,
}

/// Serves a request in absolute form; whether the client may send another.
pub(super) async fn exchange(
    egress: &Arc<Egress>,
    client: &mut Client,
    head: RequestHead,
    kept: &mut Option<Kept>,
) -> bool {
    let RequestTarget::Absolute { scheme, authority, path } = &head.target else { return false };
    let (is_http, path) = (scheme == "http", path.clone());
    let to = Network {
        scheme: Some(scheme.clone()),
        host: authority.host.clone(),
        port: authority.port.or_else(|| default_port(scheme)),
        method: Some(head.method.as_str().to_owned()),
        path: Some(path.clone()),
        addresses: Vec::new(),
    };
    let who = egress.gate.who(client.peer.uid, &to.host);
    let listener = Arc::clone(&client.peer.listener);
    let connection = Connection { form: "http", listener, to, who };
    if !is_http {
        refuse(egress, client, &connection, Reason::SchemeNotAllowed).await;
        return false;
    }
    one(egress, client, Request { head, path, connection }, kept).await
}

/// Serves the requests inside a tunnel that carries HTTP; each is for the tunnel's host.
pub(super) async fn inside(egress: &Arc<Egress>, mut client: Client, tunnel: Connection) {
    let (mut kept, mut is_first) = (None, true);
    let mut until = Instant::now() + egress.settings.bounds.header;
    loop {
        let head = match read_one(egress, &mut client, until).await {
            Ok(Some(head)) => head,
            Ok(None) => return,
            Err(_) if is_first && !is_http(&client.read) => {
                let (reason, why) = (Reason::NotTls, "the tunnel carries neither TLS nor HTTP");
                drop(egress.gate.refuse(&tunnel, reason, why).await);
                farewell(&mut client.socket, answer::alert(reason)).await;
                return;
            }
            Err(reason) => return refuse(egress, &mut client, &tunnel, reason).await,
        };
        is_first = false;
        let path = match of_tunnel(&head, &tunnel.to) {
            Ok(path) => path,
            Err(reason) => return refuse(egress, &mut client, &tunnel, reason).await,
        };
        let mut connection = tunnel.clone();
        connection.to.scheme = Some("http".to_owned());
        connection.to.method = Some(head.method.as_str().to_owned());
        connection.to.path = Some(path.clone());
        if !one(egress, &mut client, Request { head, path, connection }, &mut kept).await {
            return;
        }
        until = Instant::now() + egress.settings.bounds.idle;
    }
}

/// Whether what came could be a request's first line, or the beginning of one.
fn is_http(read: &[u8]) -> bool {
    let mut lines = read.split(|byte| *byte == b'\n');
    match (lines.next(), lines.next()) {
        (Some(line), Some(_)) => line.windows(6).any(|part| part == b" HTTP/"),
        (Some(_), None) | (None, _) => true,
    }
}

/// The path of a request inside a tunnel, if it is for the tunnel's host.
fn of_tunnel(head: &RequestHead, to: &Network) -> Result<String, Reason> {
    let path = match &head.target {
        RequestTarget::Origin(path) => path,
        RequestTarget::Asterisk => "*",
        RequestTarget::Authority(_) => return Err(Reason::NestedConnect),
        RequestTarget::Absolute { scheme, authority, path } => {
            if scheme != "http" {
                return Err(Reason::SchemeNotAllowed);
            }
            is_for(authority, to)?;
            path
        }
    };
    match &head.host {
        Some(authority) => is_for(authority, to)?,
        None => return Err(Reason::MissingHost),
    }
    Ok(path.to_owned())
}

fn is_for(authority: &Authority, to: &Network) -> Result<(), Reason> {
    let same = authority.host == to.host && authority.port.or(Some(80)) == to.port;
    if same { Ok(()) } else { Err(Reason::AuthorityMismatch) }
}

async fn refuse(egress: &Egress, client: &mut Client, connection: &Connection, reason: Reason) {
    let denial = egress.gate.refuse(connection, reason, words(reason)).await;
    said(client, connection, &denial).await;
}

async fn said(client: &mut Client, connection: &Connection, denial: &Denial) {
    let has_body = connection.to.method.as_deref() != Some("HEAD");
    let answer = answer::http(denial, &connection.to.to_string(), has_body);
    farewell(&mut client.socket, &answer).await;
}

/// Judges one request, and carries it and its answer; whether the client may send another.
async fn one(
    egress: &Arc<Egress>,
    client: &mut Client,
    mut request: Request,
    kept: &mut Option<Kept>,
) -> bool {
    let connection = &mut request.connection;
    if egress.gate.looks_inside(&connection.to) {
        match path::canonical(&request.path) {
            Ok(path) => {
                connection.to.path = Some(path.clone());
                request.path = path;
            }
            Err(reason) => {
                refuse(egress, client, connection, reason).await;
                return false;
            }
        }
    }
    let connection = request.connection.clone();
    let named = match egress.gate.name(connection.clone()) {
        Ok(named) => named,
        Err(unnamed) => {
            let denial = egress.gate.deny(*unnamed).await;
            said(client, &connection, &denial).await;
            return false;
        }
    };
    if let Some(inside) = egress.inside.get()
        && let Err((reason, why)) = inside.in_the_clear(egress, &connection, &request.head).await
    {
        let denial = egress.gate.refuse(&connection, reason, &why).await;
        said(client, &connection, &denial).await;
        return false;
    }
    let upgrades = match upgrade(egress, &request.head, &connection.to.host) {
        Ok(upgrades) => upgrades,
        Err(reason) => {
            refuse(egress, client, &connection, reason).await;
            return false;
        }
    };
    let (upstream, ticket) = match reach(egress, named, kept).await {
        Ok(reached) => reached,
        Err(Stopped::Denied(denial)) => {
            said(client, &connection, &denial).await;
            return false;
        }
        Err(Stopped::Unreachable(error)) => {
            let answer = answer::unreachable(&error, &connection.to.to_string());
            farewell(&mut client.socket, &answer).await;
            return false;
        }
    };
    carry(egress, client, (&request, upgrades), (upstream, ticket), kept).await
}

/// Whether the request may change the protocol, and would.
fn upgrade(egress: &Egress, head: &RequestHead, host: &Host) -> Result<bool, Reason> {
    match head.upgrade() {
        None => Ok(false),
        Some(protocol)
            if protocol.eq_ignore_ascii_case(b"websocket")
                && egress.settings.terms(host).websocket =>
        {
            Ok(true)
        }
        Some(_) => Err(Reason::UpgradeNotAllowed),
    }
}

/// The connection that was kept, judged again, or a new one.
async fn reach(
    egress: &Egress,
    named: Named,
    kept: &mut Option<Kept>,
) -> Result<(Kept, Ticket), Stopped> {
    let (host, port) = (named.to().host.clone(), named.to().port);
    let is_same = |kept: &Kept| {
        kept.host == host && kept.port == port && kept.read.is_empty() && is_open(&kept.socket)
    };
    if let Some(kept) = kept.take().filter(is_same)
        && egress.settings.upstream.is_none()
    {
        let parts = (&*egress.gate, &egress.settings, &egress.own);
        let resolved = vet(parts, &named, vec![kept.address.ip()]);
        let opened = egress.gate.open(named, resolved).await.map_err(Stopped::Denied)?;
        return Ok((kept, opened.into_ticket()));
    }
    let dialled = onward(egress, named).await?;
    let (socket, address) = (Socket::Tcp(dialled.upstream), dialled.address);
    Ok((Kept { host, port, socket, address, read: Vec::new() }, dialled.ticket))
}

/// An idle connection that has something to say is over.
fn is_open(socket: &Socket) -> bool {
    let read = socket.try_read(&mut [0]);
    read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

/// Carries a request and its answer, and writes down how that ended.
async fn carry(
    egress: &Egress,
    client: &mut Client,
    (request, upgrades): (&Request, bool),
    (mut upstream, ticket): (Kept, Ticket),
    kept: &mut Option<Kept>,
) -> bool {
    let mut headers = request.head.headers.forwardable();
    let authority = Authority { host: upstream.host.clone(), port: upstream.port };
    if request.head.host.is_none() {
        // An HTTP/1.0 client need not say it; the target did.
        let _ = headers.set("host", authority.to_string().as_bytes());
    }
    if upgrades {
        for (name, value) in [("connection", "upgrade"), ("upgrade", "websocket")] {
            if let Ok(field) = Field::new(name, value.as_bytes()) {
                headers.push(field);
            }
        }
    }
    let head = request.head.to_origin(&request.path, &headers);
    let exchange = Exchange {
        request: &request.head,
        upgrades,
        idle: egress.settings.bounds.idle,
        tunnel_bytes: egress.settings.bounds.tunnel_bytes,
        drain: &egress.drain,
    };
    let sockets = (&client.socket, &upstream.socket);
    let done = exchange.run(sockets, head, (&mut client.read, &mut upstream.read)).await;
    let mut ended = Ended { address: Some(upstream.address), ..Ended::default() };
    ended.bytes = done.bytes;
    egress.carried.fetch_add(done.bytes.0.saturating_add(done.bytes.1), Ordering::Relaxed);
    ended.more.extend(done.status.map(|status| ("status", status.into())));
    let (reason, last_word) = match &done.outcome {
        Ok(sent) => {
            "answered".clone_into(&mut ended.cause);
            let Sent { client_stays, upstream_stays } = *sent;
            egress.gate.closed(ticket, ended).await;
            if upstream_stays {
                *kept = Some(upstream);
            }
            return client_stays;
        }
        Err(failed) => {
            ended.cause = failed.to_string();
            (failed.reason(), failed.last_word(&request.connection.to.to_string()))
        }
    };
    ended.reason = reason;
    egress.gate.closed(ticket, ended).await;
    if !done.answered && !matches!(done.outcome, Err(Failed::Client)) {
        farewell(&mut client.socket, &last_word).await;
    }
    false
}
