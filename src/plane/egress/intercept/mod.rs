//! Tunnels that are opened: only where a rule, a credential or the operator needs to see inside.
//!
//! The client speaks TLS with us, by a certificate of an authority that lives as long as this
//! process; we speak TLS with the host, whose certificate is verified. Between the two each request
//! is read strictly, must be for the tunnel's own host, and is judged by the gate with its method
//! and path before anything is dialled; each has records of its own. HTTP/2 is not offered.

pub mod authority;
pub mod dlp;
mod exchange;
mod request;

use super::answer;
use super::credential::{Bindings, Where};
use super::entry::{Client, words};
use super::head::RequestHead;
use super::headers::Field;
use super::reason::Reason;
use super::server::{Egress, farewell};
use super::settings::{HostTerms, Tunnel};
use super::socket::Socket;
use super::trust::Trust;
use super::tunnel::Reply;
use super::wire::Wire;
use crate::gate::network::Connection;
use crate::model::host::Host;
use crate::model::url::Network;
use crate::redact::Redactor;
use authority::Authority;
use dlp::Found;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_rustls::TlsAcceptor;

/// What it takes to see inside.
pub struct Inside {
    /// Whether tunnels are opened at all; without it only what passes in the clear is looked at.
    pub opens: bool,
    /// Who signs for opened hosts.
    pub authority: Authority,
    /// Whom we believe.
    pub trust: Trust,
    /// The secrets that are set.
    pub bindings: Arc<Bindings>,
    /// What is known of secrets.
    pub redactor: Redactor,
}

impl Inside {
    /// Whether a tunnel to there is to be opened.
    pub(super) fn is_for(&self, egress: &Egress, to: &Network, terms: HostTerms) -> bool {
        if !self.opens {
            return false;
        }
        match terms.tunnel {
            Some(Tunnel::Intercept) => true,
            Some(Tunnel::Raw) => false,
            Some(Tunnel::Tls) | None => {
                let port = to.port.unwrap_or_default();
                self.bindings.reach(&to.host, port) || egress.gate.looks_inside(to)
            }
        }
    }
}

impl Inside {
    /// Whether a request may go in the clear: none that a secret is bound to, and none that carries
    /// a placeholder in its head.
    ///
    /// # Errors
    /// Why not, and in words.
    pub(super) async fn in_the_clear(
        &self,
        egress: &Egress,
        connection: &Connection,
        head: &RequestHead,
    ) -> Result<(), (Reason, String)> {
        let to = &connection.to;
        let path = to.path.as_deref().unwrap_or_default();
        let plain = path.split('?').next().unwrap_or_default();
        let port = to.port.unwrap_or_default();
        let place = Where { host: &to.host, port, path: plain, encrypted: false };
        if let Err(reason) = self.bindings.bound(&place) {
            return Err((reason, "a credential is bound there, and would go in the clear".into()));
        }
        let values = head.headers.iter().map(Field::value);
        let names = head.headers.iter().map(|field| field.name().as_bytes());
        let mut all = std::iter::once(path.as_bytes()).chain(names).chain(values);
        let Some(place) = all.find_map(|text| self.bindings.markers().find(text)) else {
            return Ok(());
        };
        let name = self.bindings.name(place).to_owned();
        egress.gate.found_misdirected(connection, &name).await;
        let found = Found::Marker(name);
        Err((found.reason(), found.words()))
    }
}

/// Serves a tunnel by opening it.
pub(super) async fn serve(
    egress: &Arc<Egress>,
    inside: &Inside,
    mut client: Client,
    connection: Connection,
    (terms, reply): (HostTerms, Reply),
) {
    let to = format!("{}:{}", connection.to.host, connection.to.port.unwrap_or_default());
    match egress.gate.name(connection.clone()) {
        Ok(named) => drop(named),
        // The rest of it shows inside.
        Err(unnamed) if unnamed.reason() == Reason::InterceptRequired => {}
        Err(unnamed) => {
            let denial = egress.gate.deny(*unnamed).await;
            return reply.denial(&mut client.socket, &denial, &to).await;
        }
    }
    if client.socket.write_all(reply.success()).await.is_err() {
        return;
    }
    if speaks_http(egress, &mut client, &connection).await {
        return super::forward::inside(egress, client, connection).await;
    }
    let hello = match super::tunnel::peek(egress, &mut client).await {
        Ok(hello) => hello,
        Err(reason) => return alerted(egress, client, &connection, reason).await,
    };
    if let Err(reason) = super::tunnel::fits(&hello, &connection.to.host, terms) {
        return alerted(egress, client, &connection, reason).await;
    }
    let speaks_http1 = hello.alpn.is_empty() || hello.alpn.iter().any(|name| name == "http/1.1");
    if !speaks_http1 {
        return alerted(egress, client, &connection, Reason::ProtocolNotSupported).await;
    }
    let Ok(config) = inside.authority.server(&connection.to.host) else {
        return alerted(egress, client, &connection, Reason::InterceptRequired).await;
    };
    let Client { socket, read, peer } = client;
    let began = Began { socket, read, at: 0 };
    let handshake = TlsAcceptor::from(config).accept(began);
    match tokio::time::timeout(egress.settings.bounds.tls, handshake).await {
        Ok(Ok(stream)) => {
            let wire = Wire::new(Box::new(stream), Vec::new());
            request::serve(egress, inside, wire, &connection, terms).await;
        }
        // The client does not believe us, most likely; it says so itself.
        Ok(Err(error)) => {
            let why = format!("the client broke off the handshake: {}", error.kind());
            drop(egress.gate.refuse(&connection, Reason::TlsMalformed, &why).await);
        }
        Err(_) => {
            let why = words(Reason::TlsTimeout);
            drop(egress.gate.refuse(&connection, Reason::TlsTimeout, why).await);
        }
    }
    drop(peer);
}

/// Whether what the tunnel carries is HTTP in the clear, where that would be let through too.
async fn speaks_http(egress: &Egress, client: &mut Client, connection: &Connection) -> bool {
    // Nothing but TLS is honest there.
    if connection.to.port == Some(443) || !super::tunnel::would(egress, connection, "http") {
        return false;
    }
    let until = tokio::time::Instant::now() + egress.settings.bounds.tls;
    let is_there = !client.read.is_empty() || client.more(until).await.is_ok();
    is_there && client.read.first().is_some_and(u8::is_ascii_alphabetic)
}

async fn alerted(egress: &Egress, mut client: Client, connection: &Connection, reason: Reason) {
    drop(egress.gate.refuse(connection, reason, words(reason)).await);
    farewell(&mut client.socket, answer::alert(reason)).await;
}

/// Whether the host and port that a request names are the tunnel's.
fn is_tunnels(to: &Network, host: &Host, port: Option<u16>) -> bool {
    to.host == *host && to.port == Some(port.unwrap_or(443))
}

/// A client's socket of which the beginning has been read already.
struct Began {
    socket: Socket,
    read: Vec<u8>,
    at: usize,
}

impl AsyncRead for Began {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let began = self.get_mut();
        let rest = began.read.get(began.at..).unwrap_or_default();
        if rest.is_empty() {
            return Pin::new(&mut began.socket).poll_read(context, buffer);
        }
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(rest.get(..count).unwrap_or_default());
        began.at += count;
        if began.at == began.read.len() {
            (began.read, began.at) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Began {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(context)
    }
}
