//! The requests of one opened tunnel, one after the other: read, judged, looked through, and only
//! then dialled and sent.

use super::dlp::{Found, Inspector};
use super::exchange::{Exchange, Outgoing};
use super::{Inside, is_tunnels};
use crate::gate::network::{Connection, Denial, Ended, Named, Opened};
use crate::limits::EGRESS_ANSWER_TIMEOUT;
use crate::model::url::Network;
use crate::plane::egress::answer;
use crate::plane::egress::credential::{Credential, Where};
use crate::plane::egress::dial::DialError;
use crate::plane::egress::entry::words;
use crate::plane::egress::framing::Framing;
use crate::plane::egress::head::{RequestHead, RequestTarget, Version};
use crate::plane::egress::headers::Headers;
use crate::plane::egress::path::canonical;
use crate::plane::egress::reason::Reason;
use crate::plane::egress::server::Egress;
use crate::plane::egress::settings::HostTerms;
use crate::plane::egress::tunnel::{reach, resolved};
use crate::plane::egress::wire::Wire;
use std::net::SocketAddr;
use std::sync::Arc;
use zeroize::Zeroizing;

/// One opened tunnel.
struct Tunnel<'a> {
    egress: &'a Arc<Egress>,
    inside: &'a Inside,
    /// What the tunnel was asked for as.
    base: &'a Connection,
    terms: HostTerms,
    client: Wire,
    /// The connection to the host, if one stands, and where it leads.
    kept: Option<(Wire, SocketAddr)>,
}

/// A request as it goes out.
struct Judged {
    /// Its path, which is the one that was judged.
    path: String,
    websocket: bool,
    framing: Framing,
    headers: Headers,
    credential: Option<Arc<Credential>>,
}

/// Why a request goes no further.
enum Stop {
    /// Refused, and written down.
    Denied(Denial),
    /// It is allowed, and the host is not reached.
    Unreachable(DialError),
}

/// Serves the requests of an opened tunnel.
pub(super) async fn serve(
    egress: &Arc<Egress>,
    inside: &Inside,
    client: Wire,
    base: &Connection,
    terms: HostTerms,
) {
    let mut tunnel = Tunnel { egress, inside, base, terms, client, kept: None };
    while tunnel.one().await {}
}

impl Tunnel<'_> {
    /// One request; whether another may come.
    async fn one(&mut self) -> bool {
        let bounds = self.egress.settings.bounds;
        let head = tokio::select! {
            biased;
            head = self.client.request(bounds.idle, bounds.header) => head,
            () = self.egress.drain.notified() => return false,
        };
        let (connection, head) = match head {
            Ok(None) => return false,
            Ok(Some(head)) => (self.connection(&head), head),
            Err(reason) => {
                let connection = Connection { form: "intercept", ..self.base.clone() };
                let denial = self.refused(&connection, reason, words(reason)).await;
                return self.say(&denial, &connection, true).await;
            }
        };
        let has_body = head.method.as_str() != "HEAD";
        match self.request(connection.clone(), head).await {
            Ok(goes_on) => goes_on,
            Err(Stop::Denied(denial)) => self.say(&denial, &connection, has_body).await,
            Err(Stop::Unreachable(error)) => {
                let said = answer::unreachable(&error, &connection.to.to_string());
                self.client.farewell(&said, EGRESS_ANSWER_TIMEOUT).await;
                false
            }
        }
    }

    /// The last word of this tunnel.
    async fn say(&mut self, denial: &Denial, connection: &Connection, has_body: bool) -> bool {
        let said = answer::http(denial, &connection.to.to_string(), has_body);
        self.client.farewell(&said, EGRESS_ANSWER_TIMEOUT).await;
        false
    }

    async fn refused(&self, connection: &Connection, reason: Reason, why: &str) -> Denial {
        self.egress.gate.refuse(connection, reason, why).await
    }

    /// What is asked for, as the gate sees it: with its method, and its path as it will be sent.
    fn connection(&self, head: &RequestHead) -> Connection {
        let path = match &head.target {
            RequestTarget::Origin(path) | RequestTarget::Absolute { path, .. } => {
                Some(canonical(path).unwrap_or_else(|_| path.clone()))
            }
            RequestTarget::Authority(_) | RequestTarget::Asterisk => None,
        };
        let method = Some(head.method.as_str().to_owned());
        let to = Network { method, path, ..self.base.to.clone() };
        Connection { form: "intercept", to, ..self.base.clone() }
    }

    async fn request(&mut self, connection: Connection, head: RequestHead) -> Result<bool, Stop> {
        let gate = Arc::clone(&self.egress.gate);
        let (named, judged) = self.judged(&connection, &head).await?;
        if head.expects_continue() {
            // It is judged; what keeps the body back is no longer us.
            let patience = self.egress.settings.bounds.idle;
            if self.client.send(b"HTTP/1.1 100 Continue\r\n\r\n", patience).await.is_err() {
                return Ok(false);
            }
        }
        self.looked_through(&connection, &judged).await.map_err(Stop::Denied)?;
        let answers = resolved(self.egress, &named).await;
        let through = answers.upstream.is_some().then(|| named.to().clone());
        let opened = gate.open(named, answers).await.map_err(Stop::Denied)?;
        let (upstream, to, opened) = self.upstream(opened, through.as_ref(), &connection).await?;
        let ticket = opened.into_ticket();
        let mut ended = Ended { address: Some(to), ..Ended::default() };
        let goes_on = self.sent((&connection, &head), judged, upstream, &mut ended).await;
        gate.closed(ticket, ended).await;
        Ok(goes_on)
    }

    /// The request as it goes out, if it is read strictly and the policy lets it.
    async fn judged(
        &self,
        connection: &Connection,
        head: &RequestHead,
    ) -> Result<(Named, Judged), Stop> {
        let gate = &self.egress.gate;
        let formed = self.form(head).and_then(|form| Ok((form, Framing::of_request(head)?)));
        let ((path, websocket), framing) = match formed {
            Ok(formed) => formed,
            Err(reason) => {
                return Err(Stop::Denied(self.refused(connection, reason, words(reason)).await));
            }
        };
        let named = match gate.name(connection.clone()) {
            Ok(named) => named,
            Err(unnamed) => return Err(Stop::Denied(gate.deny(*unnamed).await)),
        };
        match self.dressed(head, &path) {
            Ok((headers, credential)) => {
                Ok((named, Judged { path, websocket, framing, headers, credential }))
            }
            Err(reason) => Err(Stop::Denied(self.refused(connection, reason, words(reason)).await)),
        }
    }

    /// Sends it and passes the answer on; whether another request may come.
    async fn sent(
        &mut self,
        (connection, head): (&Connection, &RequestHead),
        judged: Judged,
        upstream: Wire,
        ended: &mut Ended,
    ) -> bool {
        let websocket = judged.websocket;
        if let Some(credential) = &judged.credential {
            ended.more.push(("credential", credential.name().into()));
        }
        let outgoing =
            Outgoing { bytes: outgoing(head, &judged), framing: judged.framing, websocket };
        let inspector =
            Inspector { bindings: &self.inside.bindings, redactor: &self.inside.redactor };
        let (egress, client) = (self.egress, &mut self.client);
        let mut exchange = Exchange { egress, client, upstream, head, inspector };
        let (goes_on, found) = exchange.run(outgoing, ended).await;
        let upstream = exchange.upstream;
        if let Some(Found::Marker(name)) = &found {
            egress.gate.found_misdirected(connection, name).await;
        }
        let goes_on = goes_on && !websocket;
        if goes_on && let Some(to) = ended.address {
            self.kept = Some((upstream, to));
        }
        goes_on
    }

    /// The path that goes out, and whether the request changes to WebSocket.
    fn form(&self, head: &RequestHead) -> Result<(String, bool), Reason> {
        let path = match &head.target {
            RequestTarget::Authority(_) => return Err(Reason::NestedConnect),
            RequestTarget::Asterisk => return Err(Reason::BadRequestLine),
            RequestTarget::Absolute { scheme, .. } if scheme != "https" => {
                return Err(Reason::SchemeNotAllowed);
            }
            RequestTarget::Absolute { authority, path, .. } => {
                if !is_tunnels(&self.base.to, &authority.host, authority.port) {
                    return Err(Reason::AuthorityMismatch);
                }
                path
            }
            RequestTarget::Origin(path) => path,
        };
        match &head.host {
            None => return Err(Reason::MissingHost),
            Some(host) if !is_tunnels(&self.base.to, &host.host, host.port) => {
                return Err(Reason::AuthorityMismatch);
            }
            Some(_) => {}
        }
        let websocket = match head.upgrade() {
            None => false,
            Some(protocol) => {
                let is_it = protocol.eq_ignore_ascii_case(b"websocket");
                if !(is_it && self.terms.websocket && head.version == Version::Http11) {
                    return Err(Reason::UpgradeNotAllowed);
                }
                true
            }
        };
        let to = &self.base.to;
        let port = to.port.unwrap_or_default();
        let bindings = &self.inside.bindings;
        // Its answer is all that was sent, and so the secret (RFC 9110 §9.3.8).
        if is_echo(head.method.as_str()) && bindings.reach(&to.host, port) {
            return Err(Reason::MethodNotAllowed);
        }
        let limits_paths = bindings.speak_of_paths(&to.host, port);
        match canonical(path) {
            Ok(path) => Ok((path, websocket)),
            // Where neither a rule nor a credential looks at paths, it goes on as it was written.
            Err(reason) => match self.egress.gate.looks_inside(to) || limits_paths {
                true => Err(reason),
                false => Ok((path.clone(), websocket)),
            },
        }
    }

    /// The fields that go out, and the secret that goes with them.
    fn dressed(
        &self,
        head: &RequestHead,
        path: &str,
    ) -> Result<(Headers, Option<Arc<Credential>>), Reason> {
        let to = &self.base.to;
        let plain = path.split('?').next().unwrap_or_default();
        let port = to.port.unwrap_or_default();
        let place = Where { host: &to.host, port, path: plain, encrypted: true };
        let credential = self.inside.bindings.bound(&place)?.cloned();
        let mut headers = head.headers.forwardable();
        headers.remove("expect");
        if let Some(credential) = &credential {
            let replaced = headers.iter().map(|field| field.name().to_owned());
            let replaced: Vec<String> = replaced.filter(|name| credential.replaces(name)).collect();
            replaced.iter().for_each(|name| {
                headers.remove(name);
            });
        }
        Ok((headers, credential))
    }

    /// Looks for placeholders and secrets in all that can be held back.
    async fn looked_through(
        &mut self,
        connection: &Connection,
        Judged { path, headers, framing, .. }: &Judged,
    ) -> Result<(), Denial> {
        let inspector =
            Inspector { bindings: &self.inside.bindings, redactor: &self.inside.redactor };
        let found = match inspector.head(path, headers) {
            Some(found) => Ok(Some(found)),
            None => {
                let patience = self.egress.settings.bounds.idle;
                self.client
                    .look_ahead(*framing, patience, |data, aside, is_whole| {
                        inspector.text(aside).or_else(|| {
                            super::exchange::in_body(inspector, headers, data, is_whole)
                        })
                    })
                    .await
            }
        };
        match found {
            Ok(None) => Ok(()),
            Ok(Some(found)) => {
                if let Found::Marker(name) = &found {
                    self.egress.gate.found_misdirected(connection, name).await;
                }
                Err(self.refused(connection, found.reason(), &found.words()).await)
            }
            Err(reason) => Err(self.refused(connection, reason, words(reason)).await),
        }
    }

    /// A connection to the host over TLS: the one that stands, or a new one.
    async fn upstream(
        &mut self,
        opened: Opened,
        through: Option<&Network>,
        connection: &Connection,
    ) -> Result<(Wire, SocketAddr, Opened), Stop> {
        if let Some((mut wire, to)) = self.kept.take()
            && opened.usable().contains(&to)
            && wire.is_fresh().await
        {
            return Ok((wire, to, opened));
        }
        let gate = &self.egress.gate;
        let (stream, to) = match reach(self.egress, &opened, through).await {
            Ok(reached) => reached,
            Err(error) => {
                let cause = format!("error: {error}");
                let ended = Ended { cause, ..Ended::default() };
                gate.closed(opened.into_ticket(), ended).await;
                return Err(Stop::Unreachable(error));
            }
        };
        let patience = self.egress.settings.bounds.tls;
        match self.inside.trust.connect(stream, &connection.to.host, patience).await {
            Ok(stream) => Ok((Wire::new(stream, Vec::new()), to, opened)),
            Err(reason) => {
                let cause = "denied".to_owned();
                let ended =
                    Ended { address: Some(to), reason: Some(reason), cause, ..Ended::default() };
                gate.closed(opened.into_ticket(), ended).await;
                let why = "the host's certificate does not verify, or it speaks no TLS".to_owned();
                Err(Stop::Denied(Denial { reason, why, rule: None, unrecorded: false }))
            }
        }
    }
}

/// Whether its answer is the request itself.
fn is_echo(method: &str) -> bool {
    ["TRACE", "TRACK"].iter().any(|echo| echo.eq_ignore_ascii_case(method))
}

/// The request's head as it goes out, with the secret: in memory that is overwritten.
fn outgoing(head: &RequestHead, judged: &Judged) -> Zeroizing<Vec<u8>> {
    let mut headers = judged.headers.clone();
    if judged.websocket {
        let _ = headers.set("connection", b"Upgrade");
        let _ = headers.set("upgrade", b"websocket");
    }
    let bytes = head.to_origin(&judged.path, &headers);
    match &judged.credential {
        Some(credential) => credential.onto(&bytes),
        None => Zeroizing::new(bytes),
    }
}
