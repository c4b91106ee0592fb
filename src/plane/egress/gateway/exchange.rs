//! One connection to the model's listener: its requests one after the other, each with records of
//! its own.

use super::usage::{Form, Reader};
use super::{Client, Gateway, answer};
use crate::gate::network::{Connection, Denial, Ended, Ticket, Unread};
use crate::limits::{EGRESS_ANSWER_TIMEOUT, MODEL_WORD_BYTES_MAX};
use crate::model::host::Host;
use crate::model::json::Json;
use crate::model::reason::Reason;
use crate::model::url::Network;
use crate::plane::egress::credential::is_proof;
use crate::plane::egress::dial::dial;
use crate::plane::egress::entry::words;
use crate::plane::egress::framing::Framing;
use crate::plane::egress::head::{RequestHead, RequestTarget, ResponseHead};
use crate::plane::egress::headers::Headers;
use crate::plane::egress::wire::{
    Broken, Inbound, Outbound, Progress, Unwatched, Wire, answer_framing, pass_down, upward,
};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tokio::net::TcpStream;
use zeroize::Zeroizing;

/// An upstream connection that may take another request, and where it leads.
type Kept = Option<(Wire, SocketAddr)>;

/// Serves one client until it ends.
pub(super) async fn serve(gateway: &Gateway, mut client: Client) {
    let mut kept: Kept = None;
    loop {
        let (idle, header) = (gateway.terms.idle, gateway.terms.header);
        let head = tokio::select! {
            biased;
            head = client.wire.request(idle, header) => head,
            () = gateway.drain.notified() => return,
        };
        let head = match head {
            Ok(Some(head)) => head,
            Ok(None) => return,
            Err(reason) => return unread(gateway, &mut client, reason).await,
        };
        match asked(gateway, &head) {
            Ok(path) => {
                if !request(gateway, &mut client, (&head, &path), &mut kept).await {
                    return;
                }
            }
            Err(reason @ (Reason::MethodNotAllowed | Reason::PathNotAllowed)) => {
                let paths = gateway.terms.provider.paths().join(" and ");
                let why = format!("only POST to {paths} passes here");
                let connection = connection(gateway, &client, &head);
                let denial = gateway.gate.refuse(&connection, reason, &why).await;
                return refuse(gateway, &mut client, &denial, &connection).await;
            }
            Err(reason) => return unread(gateway, &mut client, reason).await,
        }
    }
}

/// The path that is asked for, if the request passes.
fn asked(gateway: &Gateway, head: &RequestHead) -> Result<String, Reason> {
    let path = match &head.target {
        RequestTarget::Origin(path) => path.clone(),
        RequestTarget::Authority(_) => return Err(Reason::NestedConnect),
        RequestTarget::Absolute { .. } | RequestTarget::Asterisk => {
            return Err(Reason::BadRequestLine);
        }
    };
    if let Some(token) = &gateway.terms.token {
        bears(token, &head.headers)?;
    }
    if head.upgrade().is_some() {
        return Err(Reason::UpgradeNotAllowed);
    }
    gateway.terms.provider.check(head.method.as_str(), &path)?;
    Ok(path)
}

/// Whether the client says the token, and nothing else, where it would say its key.
fn bears(token: &super::Token, headers: &Headers) -> Result<(), Reason> {
    let mut stated = headers.iter().filter(|field| is_proof(field.name())).peekable();
    if stated.peek().is_none() {
        return Err(Reason::AuthRequired);
    }
    let is_token = |value: &[u8]| token.is(value) || token.is_borne_by(value);
    // Claude Code may send the same token in both of its headers.
    if stated.all(|field| is_token(field.value())) { Ok(()) } else { Err(Reason::AuthFailed) }
}

fn connection(gateway: &Gateway, client: &Client, head: &RequestHead) -> Connection {
    let upstream = &gateway.terms.upstream;
    let path = match &head.target {
        RequestTarget::Origin(path) => Some(path.clone()),
        _ => None,
    };
    Connection {
        form: "model",
        listener: Arc::clone(&client.listener),
        to: Network {
            scheme: Some(if upstream.encrypted { "https" } else { "http" }.to_owned()),
            host: upstream.host.clone(),
            port: Some(upstream.port),
            method: Some(head.method.as_str().to_owned()),
            path,
            addresses: Vec::new(),
        },
        who: gateway.gate.who(client.uid, &upstream.host),
    }
}

/// One request that passes; whether the connection can take another.
async fn request(
    gateway: &Gateway,
    client: &mut Client,
    (head, path): (&RequestHead, &str),
    kept: &mut Kept,
) -> bool {
    let connection = connection(gateway, client, head);
    let usable = match addresses(gateway).await {
        Ok(usable) => usable,
        Err(reason) => {
            let why = "the model's host has no address that may be dialled";
            let denial = gateway.gate.refuse(&connection, reason, why).await;
            refuse(gateway, client, &denial, &connection).await;
            return false;
        }
    };
    let why = "the model is reached by its own listener, which the operator opened";
    let opened = match gateway.gate.open_own(&connection, why, usable).await {
        Ok(opened) => opened,
        Err(denial) => {
            refuse(gateway, client, &denial, &connection).await;
            return false;
        }
    };
    let mut reused = kept.take().filter(|(_, to)| opened.usable().contains(to));
    if let Some((wire, _)) = &mut reused
        && !wire.is_fresh().await
    {
        reused = None;
    }
    let dialled = match reused {
        Some(reused) => Ok((reused, opened.into_ticket())),
        None => match dial(&opened, gateway.terms.dial).await {
            Ok((stream, to)) => match secured(gateway, stream).await {
                Ok(wire) => Ok(((wire, to), opened.into_ticket())),
                Err(reason) => Err((Some(reason), words_of(reason), opened.into_ticket())),
            },
            Err(error) => Err((None, error.to_string(), opened.into_ticket())),
        },
    };
    match dialled {
        Ok(((upstream, to), ticket)) => {
            let mut exchange = Exchange { gateway, client, upstream, to, head, path };
            let (ended, goes_on) = exchange.run().await;
            let Exchange { upstream, .. } = exchange;
            gateway.gate.closed(ticket, ended).await;
            if goes_on {
                *kept = Some((upstream, to));
            }
            goes_on
        }
        Err((reason, why, ticket)) => {
            failed(gateway, ticket, reason, &why).await;
            let said = answer::unreachable(gateway.terms.provider, &why);
            client.wire.farewell(&said, EGRESS_ANSWER_TIMEOUT).await;
            false
        }
    }
}

fn words_of(reason: Reason) -> String {
    match reason {
        Reason::UpstreamTls => "its certificate does not verify (upstream_tls)".to_owned(),
        other => other.as_str().to_owned(),
    }
}

/// Where the model is, less our own listeners.
async fn addresses(gateway: &Gateway) -> Result<Vec<SocketAddr>, Reason> {
    let upstream = &gateway.terms.upstream;
    let found = match &upstream.host {
        Host::Address(address) => vec![*address],
        Host::Name(name) => gateway.names.lookup(name).await,
    };
    let all: Vec<SocketAddr> =
        found.into_iter().map(|ip| SocketAddr::new(ip, upstream.port)).collect();
    let usable: Vec<SocketAddr> =
        all.iter().copied().filter(|address| !gateway.own.is(*address)).collect();
    match (all.is_empty(), usable.is_empty()) {
        (true, _) => Err(Reason::DnsFailure),
        (false, true) => Err(Reason::SelfConnection),
        (false, false) => Ok(usable),
    }
}

async fn secured(gateway: &Gateway, stream: TcpStream) -> Result<Wire, Reason> {
    let upstream = &gateway.terms.upstream;
    if !upstream.encrypted {
        return Ok(Wire::new(Box::new(stream), Vec::new()));
    }
    let stream = gateway.trust.connect(stream, &upstream.host, gateway.terms.dial).await?;
    Ok(Wire::new(stream, Vec::new()))
}

async fn failed(gateway: &Gateway, ticket: Ticket, reason: Option<Reason>, why: &str) {
    let cause = format!("error: {why}");
    gateway.gate.closed(ticket, Ended { reason, cause, ..Ended::default() }).await;
}

async fn unread(gateway: &Gateway, client: &mut Client, reason: Reason) {
    let unread = Unread { form: "model", listener: &client.listener, uid: client.uid };
    let denial = gateway.gate.refuse_unread(unread, reason, words(reason)).await;
    let said = answer::denial(gateway.terms.provider, &denial, "");
    client.wire.farewell(&said, EGRESS_ANSWER_TIMEOUT).await;
}

async fn refuse(gateway: &Gateway, client: &mut Client, denial: &Denial, to: &Connection) {
    let said = answer::denial(gateway.terms.provider, denial, &to.to.to_string());
    client.wire.farewell(&said, EGRESS_ANSWER_TIMEOUT).await;
}

/// A request on its way.
struct Exchange<'a> {
    gateway: &'a Gateway,
    client: &'a mut Client,
    upstream: Wire,
    to: SocketAddr,
    head: &'a RequestHead,
    path: &'a str,
}

impl Exchange<'_> {
    /// Sends it and passes the answer on: how it ended, and whether both ends can go on.
    async fn run(&mut self) -> (Ended, bool) {
        let mut ended = Ended { address: Some(self.to), ..Ended::default() };
        let provider = self.gateway.terms.provider;
        ended.more.push(("provider", provider.as_str().into()));
        if let Some(session) = stated_session(&self.head.headers) {
            ended.more.push(("session_stated", session));
        }
        let gateway = self.gateway;
        let patience = gateway.terms.idle;
        let passed = tokio::select! {
            passed = self.pass(&mut ended, patience) => passed,
            () = gateway.drain.notified() => {
                ended.cause = "drain".to_owned();
                return (ended, false);
            }
        };
        match passed {
            Ok(goes_on) => {
                ended.cause = "done".to_owned();
                (ended, goes_on)
            }
            Err((broken, answered)) => {
                ended.cause = broken.cause().to_owned();
                if let Broken::Refused(reason) = broken {
                    ended.reason = Some(reason);
                }
                if !answered && broken != Broken::Client {
                    let said = answer::unreachable(provider, broken.cause());
                    self.client.wire.farewell(&said, EGRESS_ANSWER_TIMEOUT).await;
                }
                (ended, false)
            }
        }
    }

    async fn pass(
        &mut self,
        ended: &mut Ended,
        patience: std::time::Duration,
    ) -> Result<bool, (Broken, bool)> {
        let unanswered = |broken| (broken, false);
        let framing = Framing::of_request(self.head).map_err(Broken::Refused);
        let framing = framing.map_err(unanswered)?;
        let sent = self.outgoing().ok_or((Broken::Upstream, false))?;
        let gone = |_| (Broken::Upstream, false);
        self.upstream.send(&sent, patience).await.map_err(gone)?;
        drop(sent);
        if self.head.expects_continue() {
            let said = self.client.wire.send(b"HTTP/1.1 100 Continue\r\n\r\n", patience).await;
            said.map_err(|_| (Broken::Client, false))?;
        }
        let (progress, mut told) = (Progress::default(), None);
        let (client, upstream) = (&mut self.client.wire, &mut self.upstream);
        let passed = {
            let ends = (&mut client.from, &mut upstream.to);
            let mut unwatched = Unwatched;
            let up = upward(ends, framing, &mut unwatched, &progress, patience);
            let ends = (&mut client.to, &mut upstream.from);
            let down = down(self.head, ends, &progress, &mut told, patience);
            tokio::select! {
                biased;
                broken = up => Err(broken),
                passed = down => passed,
            }
        };
        ended.bytes = (progress.up.load(Relaxed), progress.down.load(Relaxed));
        if let Some(Told { status, form, reader }) = told {
            ended.more.push(("status", status.into()));
            ended.more.push(("streaming", (form == Form::Events).into()));
            ended.more.extend(reader.into_usage().details());
            if passed.is_err() {
                // What was counted so far is less than what will be charged.
                ended.more.push(("complete", false.into()));
            }
        }
        let goes_on = passed.map_err(|broken| (broken, progress.answered.load(Relaxed)))?;
        if !progress.sent.load(Relaxed) {
            // It still sends, and is to hear the answer first.
            self.client.wire.farewell(&[], EGRESS_ANSWER_TIMEOUT).await;
        }
        Ok(goes_on)
    }

    /// The request's head as it goes out, with the credential: in memory that is overwritten.
    fn outgoing(&self) -> Option<Zeroizing<Vec<u8>>> {
        let credential = self.gateway.credential()?;
        let upstream = &self.gateway.terms.upstream;
        let mut headers = self.head.headers.forwardable();
        let proofs = headers.iter().map(|field| field.name().to_owned());
        let proofs: Vec<String> = proofs.filter(|name| credential.replaces(name)).collect();
        for name in proofs.iter().map(String::as_str).chain(["expect", "cookie"]) {
            headers.remove(name);
        }
        let implied = if upstream.encrypted { 443 } else { 80 };
        let host = match upstream.port {
            port if port == implied => upstream.host.to_string(),
            port => format!("{}:{port}", upstream.host),
        };
        headers.set("host", host.as_bytes()).ok()?;
        // Its usage must be read.
        headers.set("accept-encoding", b"identity").ok()?;
        let path = format!("{}{}", upstream.prefix, self.path);
        Some(credential.onto(&self.head.to_origin(&path, &headers)))
    }
}

/// An answer of which the client was told the head.
struct Told {
    status: u16,
    form: Form,
    reader: Reader,
}

/// Passes the answer on, which may come before the request has passed; whether both ends can go on.
async fn down(
    head: &RequestHead,
    (client, upstream): (&mut Outbound, &mut Inbound),
    progress: &Progress,
    told: &mut Option<Told>,
    patience: std::time::Duration,
) -> Result<bool, Broken> {
    let answer = loop {
        let answer = upstream.answer(progress, patience).await?;
        match answer.status {
            101 => return Err(Broken::Upstream),
            // What only announces an answer is nobody's.
            100..200 => {}
            _ => break answer,
        }
    };
    let framing = answer_framing(&answer, &head.method)?;
    // What is left of a request that was answered early would be the next one.
    let may_go_on = progress.sent.load(Relaxed) && head.keeps_alive();
    let (goes_on, said) = incoming(&answer, framing, may_go_on);
    let form = form(&answer.headers);
    let told = told.insert(Told { status: answer.status, form, reader: Reader::new(form) });
    progress.answered.store(true, Relaxed);
    client.send(&said, patience).await.map_err(|_| Broken::Client)?;
    pass_down((client, upstream), framing, &mut told.reader, progress, patience).await?;
    Ok(goes_on)
}

/// The answer's head as it goes to the client, and whether the connection goes on after it.
fn incoming(answer: &ResponseHead, framing: Framing, may_go_on: bool) -> (bool, Vec<u8>) {
    let goes_on = may_go_on && answer.keeps_alive() && framing != Framing::UntilClose;
    let mut headers = answer.headers.forwardable();
    for name in ["alt-svc", "set-cookie"] {
        headers.remove(name);
    }
    if !goes_on {
        let _ = headers.set("connection", b"close");
    }
    (goes_on, answer.to_client(&headers))
}

/// How an answer is written.
fn form(headers: &Headers) -> Form {
    let plain = headers.all("content-encoding").all(|coding| coding == b"identity");
    let kind = headers.get("content-type").unwrap_or_default().to_ascii_lowercase();
    match (plain, kind) {
        (true, kind) if kind.starts_with(b"text/event-stream") => Form::Events,
        (true, kind) if kind.starts_with(b"application/json") => Form::Whole,
        (true | false, _) => Form::Other,
    }
}

/// The session that the client names: a word, and no proof of anything.
fn stated_session(headers: &Headers) -> Option<Json> {
    let value = headers.get("x-claude-code-session-id")?;
    let text = std::str::from_utf8(value).ok()?;
    (text.len() <= MODEL_WORD_BYTES_MAX).then(|| text.into())
}
