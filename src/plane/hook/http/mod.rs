//! Hooks over HTTP/1.1: Claude Code's `type: "http"`, on loopback or a Unix socket.
//!
//! Claude Code runs the tool if an answer is not 2xx, whatever stands in its body. So every answer
//! is 200 with one JSON object, whatever went wrong: no token, another path, junk, silence, our own
//! panic. What hyper says by itself (400, 431) is taken back in `wire`, and a denial said instead.
//! `answer` is what a request comes to; all that is judged goes through the same door as the Unix
//! socket's events.

mod answer;
pub mod token;
pub mod wire;

use super::door::{Door, Peer};
use super::limit::{Bounds, Limiter};
use crate::limits::{
    EVENT_READ_TIMEOUT, HTTP_HEAD_BYTES_MAX, HTTP_HEADERS_MAX, HTTP_LINGER_BYTES_MAX,
    HTTP_READ_BYTES_MAX,
};
use crate::model::principal::Sender;
use answer::Asked;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use token::Token;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use wire::{Watch, Wire};

/// Where HTTP hooks come in.
#[derive(Debug)]
pub enum Listener {
    /// A loopback address; nobody tells who is at the other end.
    Tcp(TcpListener),
    /// A Unix socket, and the users who may speak there.
    Unix(UnixListener, Vec<u32>),
}

/// One HTTP listener and whom it serves.
pub struct Server {
    door: Arc<Door>,
    limiter: Arc<Limiter>,
    token: Token,
    /// What the token proves of its sender.
    sender: Sender,
    /// One place for each connection served; all are free when the server is idle.
    places: Arc<Semaphore>,
    closing: watch::Sender<bool>,
}

impl Server {
    /// Serves who knows `token`; `sender` is what that proves.
    #[must_use]
    pub fn new(door: Arc<Door>, token: Token, sender: Sender, bounds: Bounds) -> Arc<Server> {
        Arc::new(Server {
            door,
            limiter: Limiter::new(bounds),
            token,
            sender,
            places: Arc::new(Semaphore::new(bounds.connections)),
            closing: watch::Sender::new(false),
        })
    }

    /// Serves until the listener fails for good or the task is dropped.
    pub async fn serve(self: Arc<Self>, listener: Listener) {
        loop {
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
            if let Err(error) = self.accept(&listener, place).await {
                // Out of descriptors, most likely: give the connections time to end.
                tracing::warn!(%error, "the HTTP listener could not accept");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Tells every connection that its next answer is the last.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Waits until no connection is being served.
    pub async fn idle(&self) {
        let all = u32::try_from(self.limiter.bounds().connections).unwrap_or(u32::MAX);
        let _ = self.places.acquire_many(all).await;
    }

    /// How many connections are being served.
    #[must_use]
    pub fn connections(&self) -> usize {
        // The place that waits for the next connection serves none.
        let all = self.limiter.bounds().connections;
        all.saturating_sub(self.places.available_permits() + 1)
    }

    async fn accept(
        self: &Arc<Self>,
        listener: &Listener,
        place: OwnedSemaphorePermit,
    ) -> std::io::Result<()> {
        match listener {
            Listener::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // An answer is one write; waiting for more only delays it.
                stream.set_nodelay(true)?;
                self.begin(stream, None, true, place);
            }
            Listener::Unix(listener, allow_uid) => {
                let (stream, _) = listener.accept().await?;
                let uid = stream.peer_cred().ok().map(|peer| peer.uid());
                let is_allowed = uid.is_some_and(|uid| allow_uid.contains(&uid));
                self.begin(stream, uid, is_allowed, place);
            }
        }
        Ok(())
    }

    /// Serves one connection in a task of its own.
    fn begin<S>(
        self: &Arc<Self>,
        stream: S,
        uid: Option<u32>,
        is_allowed: bool,
        place: OwnedSemaphorePermit,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let server = Arc::clone(self);
        tokio::spawn(async move {
            let (seat, refused) = match server.limiter.connect(uid) {
                _ if !is_allowed => (None, Some("this user may not speak to the guard".to_owned())),
                Ok(seat) => (Some(seat), None),
                Err(over) => (None, Some(over.to_string())),
            };
            let peer = Peer { uid, sender: server.sender, listener: "http" };
            server.connection(stream, peer, refused).await;
            drop((seat, place));
        });
    }

    /// One connection, from its first request to its last answer.
    async fn connection<S>(self: &Arc<Self>, stream: S, peer: Peer, refused: Option<String>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let watch = Watch::new();
        let asked = Asked { server: Arc::clone(self), peer, refused, watch: Arc::clone(&watch) };
        let service = TowerToHyperService::new(asked.routes());
        let mut http = http1::Builder::new();
        // How long anything may take is watched here: hyper bounds heads, but not answers.
        http.header_read_timeout(None).half_close(true);
        http.max_headers(HTTP_HEADERS_MAX).max_header_size(HTTP_HEAD_BYTES_MAX);
        http.max_buf_size(HTTP_READ_BYTES_MAX);
        let io = TokioIo::new(Wire::new(stream, Arc::clone(&watch)));
        let mut conn = http.serve_connection(io, service);
        let mut closing = self.closing.subscribe();
        let mut told = false;
        let why = loop {
            tokio::select! {
                _ = &mut conn => break "the guard cannot read this request",
                _ = closing.wait_for(|closing| *closing), if !told => {
                    told = true;
                    std::pin::Pin::new(&mut conn).graceful_shutdown();
                }
                () = tokio::time::sleep_until(watch.look_again()) => if watch.is_late() {
                    break "the request did not arrive in time";
                }
            }
        };
        let parts = conn.into_parts();
        let mut wire = parts.io.into_inner();
        if wire.may_answer() && (wire.owes() || !parts.read_buf.is_empty()) {
            let why = if told { "the guard is closing" } else { why };
            let event = event_in(&parts.read_buf);
            let reply = self.door.refuse(why, event, peer, &self.limiter).await;
            let _ = in_time(wire.stream().write_all(&answer::whole(&reply))).await;
        }
        let _ = in_time(wire.stream().shutdown()).await;
        if !told {
            linger(wire.stream()).await;
        }
    }
}

/// What came of the event in a request that was not understood: what stands behind its head, or
/// all of it, where the head alone was taken. A head in its place is no event, and gates.
fn event_in(request: &[u8]) -> &[u8] {
    let end = request.windows(4).position(|window| window == b"\r\n\r\n");
    end.and_then(|end| request.get(end + 4..)).unwrap_or(request)
}

/// Reads and throws away what is still sent, so that the last answer is read before the
/// connection is found to be reset.
async fn linger(stream: &mut (impl AsyncRead + Unpin)) {
    let mut chunk = vec![0; HTTP_HEAD_BYTES_MAX];
    let reading = async {
        let mut left = HTTP_LINGER_BYTES_MAX;
        while let Ok(read @ 1..) = stream.read(&mut chunk).await {
            left = left.saturating_sub(read);
            if left == 0 {
                break;
            }
        }
    };
    let _ = in_time(reading).await;
}

async fn in_time<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(EVENT_READ_TIMEOUT, work).await.ok()
}
