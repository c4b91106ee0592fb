//! One request and its answer between two streams that we can read: opened tunnels, and the
//! model's listener.
//!
//! Each message is read to its end and not a byte further, so nothing passes that was not judged.
//! What passes is flushed as it comes, so that a stream of events is never held back. Nothing here
//! decides: a [`Watch`] sees what passes and may stop it.

use super::framing::{Body, Framing};
use super::head::{Method, RequestHead, ResponseHead, read_head, read_response_head};
use super::reason::Reason;
use crate::limits::{EGRESS_FIRST_READ_BYTES, EGRESS_HELD_BYTES_MAX, EGRESS_PIPELINED_BYTES_MAX};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::time::{Instant, timeout, timeout_at};

/// A stream of bytes in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for S {}

/// One end. What it says and what it is told are two things: a host may answer what is still sent.
pub struct Wire {
    /// What it says.
    pub from: Inbound,
    /// What it is told.
    pub to: Outbound,
}

/// What one end says, and what of it is nobody's yet.
pub struct Inbound {
    half: ReadHalf<Box<dyn Stream>>,
    read: Vec<u8>,
}

/// What one end is told.
pub struct Outbound {
    half: WriteHalf<Box<dyn Stream>>,
}

/// Sees what passes, without its framing.
pub trait Watch: Send {
    /// The next bytes. What it refuses does not pass, and nothing after it.
    ///
    /// # Errors
    /// Why they may not pass.
    fn see(&mut self, data: &[u8]) -> Result<(), Reason>;

    /// What was said so far beside the data, each time that it is more: extensions and trailer.
    ///
    /// # Errors
    /// As [`Watch::see`].
    fn see_aside(&mut self, _: &[u8]) -> Result<(), Reason> {
        Ok(())
    }
}

/// Lets everything pass.
pub struct Unwatched;

impl Watch for Unwatched {
    fn see(&mut self, _: &[u8]) -> Result<(), Reason> {
        Ok(())
    }
}

/// Why an exchange did not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// What was sent is refused.
    Refused(Reason),
    /// The client went away.
    Client,
    /// Whom it is sent to went away, or speaks what is no HTTP.
    Upstream,
    /// Nothing came for too long.
    Idle,
}

impl Broken {
    /// The cause in a record.
    #[must_use]
    pub fn cause(self) -> &'static str {
        match self {
            Broken::Refused(_) => "denied",
            Broken::Client => "client_closed",
            Broken::Upstream => "upstream_closed",
            Broken::Idle => "idle",
        }
    }
}

impl Wire {
    /// This stream, which has sent that already.
    #[must_use]
    pub fn new(stream: Box<dyn Stream>, read: Vec<u8>) -> Wire {
        let (from, to) = split(stream);
        Wire { from: Inbound { half: from, read }, to: Outbound { half: to } }
    }

    /// Reads the head of the next request; nothing if none comes any more.
    ///
    /// # Errors
    /// If what comes is none, or does not come in time.
    pub async fn request(
        &mut self,
        idle: Duration,
        header: Duration,
    ) -> Result<Option<RequestHead>, Reason> {
        let mut until = Instant::now() + idle;
        let mut begun = false;
        loop {
            if !begun && !self.from.read.is_empty() {
                (begun, until) = (true, Instant::now() + header);
            }
            if let Some((head, length)) = read_head(&self.from.read)? {
                self.from.read.drain(..length.min(self.from.read.len()));
                return Ok(Some(head));
            }
            match timeout_at(until, self.from.more()).await {
                Ok(Ok(true)) => {}
                Err(_) if begun => return Err(Reason::HeaderTimeout),
                Ok(Ok(false)) if begun => return Err(Reason::BadRequestLine),
                Ok(Ok(false) | Err(_)) | Err(_) => return Ok(None),
            }
        }
    }

    /// Holds a body back as far as there is room, and hands its data to `look`, with what stands
    /// beside it and whether that is all; what `look` says, if it says something.
    ///
    /// # Errors
    /// If the body is not framed strictly.
    pub async fn look_ahead<T>(
        &mut self,
        framing: Framing,
        patience: Duration,
        look: impl FnOnce(&[u8], &[u8], bool) -> Option<T> + Send,
    ) -> Result<Option<T>, Reason> {
        loop {
            let (mut body, mut data) = (Body::new(framing), Vec::new());
            body.take_data(&self.from.read, &mut |more| data.extend_from_slice(more))?;
            let is_whole = body.is_done();
            if is_whole || self.from.read.len() >= EGRESS_HELD_BYTES_MAX {
                return Ok(look(&data, body.aside(), is_whole));
            }
            match timeout(patience, self.from.more()).await {
                Ok(Ok(true)) => {}
                // Nothing of it has gone out; whoever passes it on finds that it ended.
                Ok(Ok(false) | Err(_)) | Err(_) => return Ok(look(&data, body.aside(), false)),
            }
        }
    }

    /// Whether an upstream that was left alone can take another request: it has said nothing since,
    /// not even that it ends.
    pub async fn is_fresh(&mut self) -> bool {
        self.from.read.is_empty() && timeout(Duration::ZERO, self.from.more()).await.is_err()
    }

    /// Writes and flushes.
    ///
    /// # Errors
    /// If the other end is gone, or takes nothing for too long.
    pub async fn send(&mut self, bytes: &[u8], patience: Duration) -> io::Result<()> {
        self.to.send(bytes, patience).await
    }

    /// Says the last word, and reads what still comes for a moment, so that it is heard.
    pub async fn farewell(&mut self, bytes: &[u8], patience: Duration) {
        let rest = async {
            self.to.half.write_all(bytes).await?;
            self.to.half.flush().await?;
            self.to.half.shutdown().await?;
            let mut room = EGRESS_PIPELINED_BYTES_MAX;
            while room > 0 {
                self.from.read.clear();
                if !self.from.more().await? {
                    break;
                }
                room = room.saturating_sub(self.from.read.len());
            }
            io::Result::Ok(())
        };
        // Whoever hangs up or does not read needs no answer.
        let _ = timeout(patience, rest).await;
    }
}

impl Outbound {
    /// Writes and flushes.
    ///
    /// # Errors
    /// If the other end is gone, or takes nothing for too long.
    pub async fn send(&mut self, bytes: &[u8], patience: Duration) -> io::Result<()> {
        let writing = async {
            self.half.write_all(bytes).await?;
            self.half.flush().await
        };
        timeout(patience, writing).await.map_err(|_| io::ErrorKind::TimedOut)?
    }
}

impl Inbound {
    /// Reads more; false at the end.
    async fn more(&mut self) -> io::Result<bool> {
        self.read.reserve(EGRESS_FIRST_READ_BYTES);
        Ok(self.half.read_buf(&mut self.read).await? > 0)
    }

    /// Waits for the next bytes of an upstream, longer while the request is still on its way.
    async fn next(&mut self, progress: &Progress, patience: Duration) -> Result<(), Broken> {
        loop {
            let before = progress.up.load(Relaxed);
            match timeout(patience, self.more()).await {
                Ok(Ok(true)) => return Ok(()),
                Ok(Ok(false) | Err(_)) => return Err(Broken::Upstream),
                Err(_) if progress.up.load(Relaxed) != before => {}
                Err(_) => return Err(Broken::Idle),
            }
        }
    }

    /// Reads the head of an answer.
    ///
    /// # Errors
    /// If none comes.
    pub async fn answer(
        &mut self,
        progress: &Progress,
        patience: Duration,
    ) -> Result<ResponseHead, Broken> {
        loop {
            match read_response_head(&self.read) {
                Ok(Some((head, length))) => {
                    self.read.drain(..length.min(self.read.len()));
                    return Ok(head);
                }
                Ok(None) => {}
                Err(_) => return Err(Broken::Upstream),
            }
            self.next(progress, patience).await?;
        }
    }

    /// Returns once a client is gone whose request has passed. One that ends after its request may
    /// still hear the answer (a half-closed connection); a stream without an end is not sent to it.
    async fn is_gone(&mut self, progress: &Progress) {
        // A client that sends ahead is not read without bound.
        while self.read.len() < EGRESS_PIPELINED_BYTES_MAX {
            match self.more().await {
                Ok(true) => {}
                Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return,
                // The end, over TLS without a word of it.
                Ok(false) | Err(_) if progress.streams.load(Relaxed) => return,
                Ok(false) | Err(_) => break,
            }
        }
        std::future::pending().await
    }
}

/// How far an exchange has come, for each of its directions.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes of the request's body.
    pub up: AtomicU64,
    /// Bytes of the answer's body.
    pub down: AtomicU64,
    /// The request's body has passed to its end.
    pub sent: AtomicBool,
    /// The client has been told the head of the answer.
    pub answered: AtomicBool,
    /// The answer does not say how long it is.
    pub streams: AtomicBool,
}

/// Passes a request's body on, and then waits for the client to go away: returns only what breaks
/// the exchange. An upstream that wants no more of it may still say why.
pub async fn upward(
    ends: (&mut Inbound, &mut Outbound),
    framing: Framing,
    watch: &mut dyn Watch,
    progress: &Progress,
    patience: Duration,
) -> Broken {
    let (client, upstream) = ends;
    match pass_up((&mut *client, upstream), framing, watch, &progress.up, patience).await {
        Ok(()) => {
            progress.sent.store(true, Relaxed);
            client.is_gone(progress).await;
            Broken::Client
        }
        Err(Broken::Upstream) => std::future::pending().await,
        Err(broken) => broken,
    }
}

/// Passes a request's body on.
async fn pass_up(
    (client, upstream): (&mut Inbound, &mut Outbound),
    framing: Framing,
    watch: &mut dyn Watch,
    passed: &AtomicU64,
    patience: Duration,
) -> Result<(), Broken> {
    let mut body = Body::new(framing);
    while !body.is_done() {
        if client.read.is_empty() {
            match timeout(patience, client.more()).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false) | Err(_)) => return Err(Broken::Client),
                Err(_) => return Err(Broken::Idle),
            }
        }
        let taken = seen(&mut body, &client.read, watch).map_err(Broken::Refused)?;
        let bytes = client.read.get(..taken).unwrap_or_default();
        upstream.send(bytes, patience).await.map_err(|_| Broken::Upstream)?;
        client.read.drain(..taken);
        passed.fetch_add(taken as u64, Relaxed);
    }
    Ok(())
}

/// Passes an answer's body on.
///
/// # Errors
/// If it does not come to its end.
pub async fn pass_down(
    (client, upstream): (&mut Outbound, &mut Inbound),
    framing: Framing,
    watch: &mut dyn Watch,
    progress: &Progress,
    patience: Duration,
) -> Result<(), Broken> {
    let is_endless = matches!(framing, Framing::Chunked | Framing::UntilClose);
    progress.streams.store(is_endless, Relaxed);
    let mut body = Body::new(framing);
    while !body.is_done() {
        if upstream.read.is_empty() {
            match upstream.next(progress, patience).await {
                Err(Broken::Upstream) if matches!(body, Body::UntilClose) => break,
                next => next?,
            }
        }
        let taken = seen(&mut body, &upstream.read, watch).map_err(|_| Broken::Upstream)?;
        let bytes = upstream.read.get(..taken).unwrap_or_default();
        client.send(bytes, patience).await.map_err(|_| Broken::Client)?;
        upstream.read.drain(..taken);
        progress.down.fetch_add(taken as u64, Relaxed);
    }
    Ok(())
}

/// Passes bytes on in both directions until one end ends: what ended it, and how many each way.
pub async fn relay_raw(
    (client, upstream): (&mut Wire, &mut Wire),
    patience: Duration,
) -> (Broken, u64, u64) {
    let (mut up, mut down) = (0, 0);
    loop {
        if !client.from.read.is_empty() {
            up += client.from.read.len() as u64;
            let bytes = std::mem::take(&mut client.from.read);
            if upstream.send(&bytes, patience).await.is_err() {
                return (Broken::Upstream, up, down);
            }
        }
        if !upstream.from.read.is_empty() {
            down += upstream.from.read.len() as u64;
            let bytes = std::mem::take(&mut upstream.from.read);
            if client.send(&bytes, patience).await.is_err() {
                return (Broken::Client, up, down);
            }
        }
        tokio::select! {
            read = client.from.more() => if !matches!(read, Ok(true)) {
                return (Broken::Client, up, down);
            },
            read = upstream.from.more() => if !matches!(read, Ok(true)) {
                return (Broken::Upstream, up, down);
            },
            () = tokio::time::sleep(patience) => return (Broken::Idle, up, down),
        }
    }
}

/// How many of these bytes are the body's, once the watch has seen what they say.
fn seen(body: &mut Body, bytes: &[u8], watch: &mut dyn Watch) -> Result<usize, Reason> {
    let mut refused = Ok(());
    let before = body.aside().len();
    let taken = body.take_data(bytes, &mut |data| {
        if refused.is_ok() {
            refused = watch.see(data);
        }
    });
    if refused.is_ok() && body.aside().len() > before {
        refused = watch.see_aside(body.aside());
    }
    refused.and(taken)
}

/// How an answer's body ends, as far as it can be passed on.
///
/// # Errors
/// If another reader could find another end.
pub fn answer_framing(head: &ResponseHead, method: &Method) -> Result<Framing, Broken> {
    Framing::of_response(head, method).map_err(|_| Broken::Upstream)
}
