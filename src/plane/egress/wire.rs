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
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

/// A stream of bytes in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for S {}

/// One end, and what it sent that is nobody's yet.
pub struct Wire {
    stream: Box<dyn Stream>,
    read: Vec<u8>,
}

/// Sees what passes, without its framing.
pub trait Watch: Send {
    /// The next bytes. What it refuses does not pass, and nothing after it.
    ///
    /// # Errors
    /// Why they may not pass.
    fn see(&mut self, data: &[u8]) -> Result<(), Reason>;
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
        Wire { stream, read }
    }

    /// Reads more; false at the end.
    async fn more(&mut self) -> io::Result<bool> {
        self.read.reserve(EGRESS_FIRST_READ_BYTES);
        Ok(self.stream.read_buf(&mut self.read).await? > 0)
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
            if !begun && !self.read.is_empty() {
                (begun, until) = (true, Instant::now() + header);
            }
            if let Some((head, length)) = read_head(&self.read)? {
                self.read.drain(..length.min(self.read.len()));
                return Ok(Some(head));
            }
            match timeout_at(until, self.more()).await {
                Ok(Ok(true)) => {}
                Err(_) if begun => return Err(Reason::HeaderTimeout),
                Ok(Ok(false)) if begun => return Err(Reason::BadRequestLine),
                Ok(Ok(false) | Err(_)) | Err(_) => return Ok(None),
            }
        }
    }

    /// Reads the head of an answer, while the client is there to hear it.
    ///
    /// # Errors
    /// If none comes.
    pub async fn answer(
        &mut self,
        client: &mut Wire,
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
            self.next(client, patience).await?;
        }
    }

    /// Waits for the next bytes, and whether the client stays.
    async fn next(&mut self, client: &mut Wire, patience: Duration) -> Result<(), Broken> {
        let until = Instant::now() + patience;
        loop {
            // A client that sends ahead is not read without bound.
            let listens = client.read.len() < EGRESS_PIPELINED_BYTES_MAX;
            tokio::select! {
                biased;
                read = self.more() => return match read {
                    Ok(true) => Ok(()),
                    Ok(false) | Err(_) => Err(Broken::Upstream),
                },
                read = client.more(), if listens => match read {
                    Ok(true) => {}
                    Ok(false) | Err(_) => return Err(Broken::Client),
                },
                () = tokio::time::sleep_until(until) => return Err(Broken::Idle),
            }
        }
    }

    /// Holds a body back as far as there is room, and hands its data to `look`, with whether that
    /// is all of it; what `look` says, if it says something.
    ///
    /// # Errors
    /// If the body is not framed strictly.
    pub async fn look_ahead<T>(
        &mut self,
        framing: Framing,
        patience: Duration,
        look: impl FnOnce(&[u8], bool) -> Option<T> + Send,
    ) -> Result<Option<T>, Reason> {
        loop {
            let (mut body, mut data) = (Body::new(framing), Vec::new());
            body.take_data(&self.read, &mut |more| data.extend_from_slice(more))?;
            let is_whole = body.is_done();
            if is_whole || self.read.len() >= EGRESS_HELD_BYTES_MAX {
                return Ok(look(&data, is_whole));
            }
            match timeout(patience, self.more()).await {
                Ok(Ok(true)) => {}
                // Nothing of it has gone out; whoever passes it on finds that it ended.
                Ok(Ok(false) | Err(_)) | Err(_) => return Ok(look(&data, false)),
            }
        }
    }

    /// Whether an upstream that was left alone can take another request: it has said nothing since,
    /// not even that it ends.
    pub async fn is_fresh(&mut self) -> bool {
        self.read.is_empty() && timeout(Duration::ZERO, self.more()).await.is_err()
    }

    /// Writes and flushes.
    ///
    /// # Errors
    /// If the other end is gone, or takes nothing for too long.
    pub async fn send(&mut self, bytes: &[u8], patience: Duration) -> io::Result<()> {
        let writing = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        timeout(patience, writing).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    /// Says the last word, and reads what still comes for a moment, so that it is heard.
    pub async fn farewell(&mut self, bytes: &[u8], patience: Duration) {
        let rest = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await?;
            self.stream.shutdown().await?;
            let mut room = EGRESS_PIPELINED_BYTES_MAX;
            while room > 0 {
                self.read.clear();
                if !self.more().await? {
                    break;
                }
                room = room.saturating_sub(self.read.len());
            }
            io::Result::Ok(())
        };
        // Whoever hangs up or does not read needs no answer.
        let _ = timeout(patience, rest).await;
    }
}

/// Passes a request's body on; how many bytes that were.
///
/// # Errors
/// If it is refused, or does not come to its end. Nothing of what is refused has passed.
pub async fn pass_up(
    (client, upstream): (&mut Wire, &mut Wire),
    framing: Framing,
    watch: &mut dyn Watch,
    patience: Duration,
) -> Result<u64, Broken> {
    let mut body = Body::new(framing);
    let mut passed = 0;
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
        passed += taken as u64;
    }
    Ok(passed)
}

/// Passes an answer's body on; whether it came to its end, and how many bytes that were.
pub async fn pass_down(
    (client, upstream): (&mut Wire, &mut Wire),
    framing: Framing,
    watch: &mut dyn Watch,
    patience: Duration,
) -> (Result<(), Broken>, u64) {
    let mut body = Body::new(framing);
    let mut passed = 0;
    let mut ended = Ok(());
    while !body.is_done() {
        if upstream.read.is_empty() {
            match upstream.next(client, patience).await {
                Ok(()) => {}
                Err(Broken::Upstream) if matches!(body, Body::UntilClose) => break,
                Err(broken) => {
                    ended = Err(broken);
                    break;
                }
            }
        }
        let taken = match seen(&mut body, &upstream.read, watch) {
            Ok(taken) => taken,
            Err(_) => {
                ended = Err(Broken::Upstream);
                break;
            }
        };
        let bytes = upstream.read.get(..taken).unwrap_or_default();
        if client.send(bytes, patience).await.is_err() {
            ended = Err(Broken::Client);
            break;
        }
        upstream.read.drain(..taken);
        passed += taken as u64;
    }
    (ended, passed)
}

/// Passes bytes on in both directions until one end ends: what ended it, and how many each way.
pub async fn relay_raw(
    (client, upstream): (&mut Wire, &mut Wire),
    patience: Duration,
) -> (Broken, u64, u64) {
    let (mut up, mut down) = (0, 0);
    loop {
        if !client.read.is_empty() {
            up += client.read.len() as u64;
            let bytes = std::mem::take(&mut client.read);
            if upstream.send(&bytes, patience).await.is_err() {
                return (Broken::Upstream, up, down);
            }
        }
        if !upstream.read.is_empty() {
            down += upstream.read.len() as u64;
            let bytes = std::mem::take(&mut upstream.read);
            if client.send(&bytes, patience).await.is_err() {
                return (Broken::Client, up, down);
            }
        }
        tokio::select! {
            read = client.more() => if !matches!(read, Ok(true)) {
                return (Broken::Client, up, down);
            },
            read = upstream.more() => if !matches!(read, Ok(true)) {
                return (Broken::Upstream, up, down);
            },
            () = tokio::time::sleep(patience) => return (Broken::Idle, up, down),
        }
    }
}

/// How many of these bytes are the body's, once the watch has seen what they say.
fn seen(body: &mut Body, bytes: &[u8], watch: &mut dyn Watch) -> Result<usize, Reason> {
    let mut refused = Ok(());
    let taken = body.take_data(bytes, &mut |data| {
        if refused.is_ok() {
            refused = watch.see(data);
        }
    });
    refused.and(taken)
}

/// How an answer's body ends, as far as it can be passed on.
///
/// # Errors
/// If another reader could find another end.
pub fn answer_framing(head: &ResponseHead, method: &Method) -> Result<Framing, Broken> {
    Framing::of_response(head, method).map_err(|_| Broken::Upstream)
}
