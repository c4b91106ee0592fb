//! What goes out on a connection, and how long it may be silent.
//!
//! hyper answers some requests by itself, with 400 or 431 and no body, which Claude Code takes for
//! leave to run the tool. Nothing but 200 goes out here: any other answer is swallowed, with all
//! that follows, and the connection's task says a denial in its place. Only what hyper writes is
//! read here, never what a client sent.

use crate::limits::{EVENT_READ_TIMEOUT, HTTP_IDLE};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// What a connection is doing, as its two sides see it.
#[derive(Debug)]
pub(super) struct Watch(Mutex<(Phase, Instant)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A request's head is awaited, or has begun to arrive.
    Head,
    /// A request is being answered; that has bounds of its own.
    Serving,
    /// An answer is on its way out.
    Answering,
    /// The next request may come or not.
    Idle,
}

/// A request that is being answered, for as long as this lives.
pub(super) struct Serving(Arc<Watch>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.turn(Phase::Answering, |_| true);
    }
}

impl Watch {
    pub(super) fn new() -> Arc<Watch> {
        Arc::new(Watch(Mutex::new((Phase::Head, Instant::now()))))
    }

    /// A request is being answered from now on.
    pub(super) fn serve(self: &Arc<Watch>) -> Serving {
        self.turn(Phase::Serving, |_| true);
        Serving(Arc::clone(self))
    }

    /// When to look at [`Watch::is_late`] again.
    pub(super) fn look_again(&self) -> Instant {
        // A turn may come closer than the end that is seen now.
        Instant::now() + Duration::from_secs(1)
    }

    /// Whether the other end has been waited for too long.
    pub(super) fn is_late(&self) -> bool {
        let (phase, since) = self.now();
        let patience = match phase {
            Phase::Head | Phase::Answering => EVENT_READ_TIMEOUT,
            Phase::Idle => HTTP_IDLE,
            Phase::Serving => return false,
        };
        since.elapsed() >= patience
    }

    fn now(&self) -> (Phase, Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, to: Phase, from: impl Fn(Phase) -> bool) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if from(now.0) {
            *now = (to, Instant::now());
        }
    }
}

/// The answers of a connection, as hyper writes them, and what of them goes out.
#[derive(Debug, Default)]
pub struct Outgoing(Place);

/// Where in the answers the next byte stands.
#[derive(Debug)]
enum Place {
    /// In a head, of which so much is there.
    Head(Vec<u8>),
    /// In a body, of which so many bytes are to come, and whether it is the last one.
    Body(u64, bool),
    /// Behind the last answer.
    Ended,
    /// Behind an answer that must not go out.
    Swallowed,
}

impl Default for Place {
    fn default() -> Place {
        Place::Head(Vec::new())
    }
}

impl Outgoing {
    /// Takes the next bytes and adds to `out` what of them goes out.
    pub fn pass(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while let Some((first, rest)) = bytes.split_first() {
            match &mut self.0 {
                Place::Swallowed | Place::Ended => return,
                Place::Head(head) => {
                    head.push(*first);
                    bytes = rest;
                    if head.ends_with(b"\r\n\r\n") {
                        let (next, goes_out) = after(head);
                        if goes_out {
                            out.extend_from_slice(head);
                        }
                        self.0 = next;
                    }
                }
                Place::Body(left, is_last) => {
                    let most = usize::try_from(*left).unwrap_or(usize::MAX);
                    let (body, rest) = bytes.split_at(most.min(bytes.len()));
                    out.extend_from_slice(body);
                    *left -= body.len() as u64;
                    bytes = rest;
                    if *left == 0 {
                        self.0 = if *is_last { Place::Ended } else { Place::default() };
                    }
                }
            }
        }
    }

    /// Whether every answer that was begun has gone out to its end, and another one may follow.
    #[must_use]
    pub fn is_between(&self) -> bool {
        matches!(&self.0, Place::Head(head) if head.is_empty())
    }

    /// Whether an answer was held back.
    #[must_use]
    pub fn has_swallowed(&self) -> bool {
        matches!(self.0, Place::Swallowed)
    }
}

/// What follows a head, and whether it goes out.
fn after(head: &[u8]) -> (Place, bool) {
    let text = std::str::from_utf8(head).unwrap_or_default();
    let mut words = text.lines().next().unwrap_or_default().split(' ');
    let version = words.next().unwrap_or_default();
    let header = |wanted: &str| {
        text.lines().filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
            name.eq_ignore_ascii_case(wanted).then(|| value.trim().to_ascii_lowercase())
        })
    };
    let length = header("content-length").and_then(|text| text.parse().ok());
    let is_last = match header("connection") {
        Some(said) => said == "close",
        None => version == "HTTP/1.0",
    };
    match (version, words.next(), length) {
        ("HTTP/1.1", Some("100"), None) => (Place::default(), true),
        // Each of our answers is an object: two bytes at least.
        ("HTTP/1.0" | "HTTP/1.1", Some("200"), Some(length @ 1..)) => {
            (Place::Body(length, is_last), true)
        }
        _ => (Place::Swallowed, false),
    }
}

/// A stream to a client, through which nothing but 200 goes out.
pub(super) struct Wire<S> {
    stream: S,
    watch: Arc<Watch>,
    outgoing: Outgoing,
    /// What goes out and has not gone yet, and how much of it has.
    out: (Vec<u8>, usize),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(stream: S, watch: Arc<Watch>) -> Wire<S> {
        Wire { stream, watch, outgoing: Outgoing::default(), out: (Vec::new(), 0) }
    }

    /// The stream itself, for when hyper is done with it.
    pub(super) fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Whether an answer can be said here: none is half out.
    pub(super) fn may_answer(&self) -> bool {
        self.out.0.is_empty() && (self.outgoing.is_between() || self.outgoing.has_swallowed())
    }

    /// Whether a request was heard that has no answer.
    pub(super) fn owes(&self) -> bool {
        let is_open = matches!(self.watch.now().0, Phase::Serving | Phase::Answering);
        is_open || self.outgoing.has_swallowed()
    }

    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let (bytes, done) = &mut self.out;
        while let Some(rest @ [_, ..]) = bytes.get(*done..) {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
                written => *done += written,
            }
        }
        bytes.clear();
        *done = 0;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.watch.turn(Phase::Head, |phase| phase == Phase::Idle);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        ready!(self.poll_out(cx))?;
        let wire = &mut *self;
        wire.outgoing.pass(buf, &mut wire.out.0);
        // What is not gone yet goes with the next write or flush.
        let _ = self.poll_out(cx)?;
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        ready!(self.poll_out(cx))?;
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if self.outgoing.is_between() {
            self.watch.turn(Phase::Idle, |phase| phase == Phase::Answering);
        }
        Poll::Ready(Ok(()))
    }

    /// Only flushes: whether the last word is said yet is the connection's to know.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.poll_flush(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

    #[test]
    fn only_200_goes_out_and_nothing_behind_another_answer() {
        let swallowed = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        let last = GOOD.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        // A body that looks like a head.
        let as_body = format!(
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: {}\r\n\r\n\
             {swallowed}{GOOD}",
            swallowed.len()
        );
        for (written, expected) in [
            (String::new(), String::new()),
            (GOOD.to_owned(), GOOD.to_owned()),
            (GOOD.repeat(3), GOOD.repeat(3)),
            (format!("HTTP/1.1 100 Continue\r\n\r\n{GOOD}"), {
                format!("HTTP/1.1 100 Continue\r\n\r\n{GOOD}")
            }),
            (swallowed.to_owned(), String::new()),
            (format!("{GOOD}{swallowed}{GOOD}"), GOOD.to_owned()),
            (GOOD.replace("content-length: 2", "x: y"), String::new()),
            (GOOD.replace("content-length: 2", "content-length: 0"), String::new()),
            (GOOD.replace("200", "2000"), String::new()),
            (as_body.clone(), as_body),
            (GOOD.replace("1.1", "1.0").repeat(2), GOOD.replace("1.1", "1.0")),
            (last.repeat(2), last.clone()),
        ] {
            for size in [1, 2, 7, 1_000] {
                let (mut outgoing, mut out) = (Outgoing::default(), Vec::new());
                written.as_bytes().chunks(size).for_each(|chunk| outgoing.pass(chunk, &mut out));
                assert_eq!(String::from_utf8(out).unwrap(), expected, "{size}: {written}");
            }
        }
    }
}
