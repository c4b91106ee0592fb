//! The live view: a browser hears that something is new, and fetches it as it would any page.
//!
//! While somebody listens, one task looks at the log now and then; nothing on the way of a decision
//! knows of it. Whoever reads too slowly misses a word, and hears the next.

use super::Web;
use crate::limits::{REVIEW_HEARTBEAT, REVIEW_LIVE_MAX, REVIEW_POLL};
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, StatusCode, header};
use hyper::body::Frame;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Who listens.
pub(super) struct Live {
    listeners: Mutex<Vec<Sender<Bytes>>>,
    viewers: Arc<AtomicUsize>,
    is_polled: AtomicBool,
}

impl Live {
    pub(super) fn new() -> Live {
        Live {
            listeners: Mutex::default(),
            viewers: Arc::default(),
            is_polled: AtomicBool::new(false),
        }
    }

    /// How many listen.
    pub(super) fn viewers(&self) -> usize {
        self.viewers.load(Ordering::SeqCst)
    }

    fn tell(&self, text: &str) {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        listeners.retain(|one| {
            // Full: it has not read what came before, which says the same.
            let _ = one.try_send(bytes.clone());
            !one.is_closed()
        });
    }
}

/// A stream of events, or that there are too many already.
pub(super) fn events(web: &Arc<Web>) -> Response<Body> {
    let viewers = Arc::clone(&web.live.viewers);
    if viewers.fetch_add(1, Ordering::SeqCst) >= REVIEW_LIVE_MAX {
        viewers.fetch_sub(1, Ordering::SeqCst);
        let mut full = Response::new(Body::from("Too many look live already.\n"));
        *full.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return full;
    }
    let (sender, receiver) = channel(4);
    let _ = sender.try_send(Bytes::from_static(b"retry: 3000\n\n"));
    // Something may have come between the page and this.
    let _ = sender.try_send(Bytes::from(told(web.log.version())));
    web.live.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
    if !web.live.is_polled.swap(true, Ordering::SeqCst) {
        tokio::spawn(poll(Arc::clone(web)));
    }
    let mut response = Response::new(Body::new(Events { receiver, viewers }));
    let media = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, media);
    response
}

/// That the log is in this state now.
fn told(version: u64) -> String {
    format!("event: records\ndata: {version}\n\n")
}

/// Looks at the log as long as somebody listens.
async fn poll(web: Arc<Web>) {
    let (mut seen, mut last) = (0, Instant::now());
    loop {
        let read = Arc::clone(&web);
        let version = tokio::task::spawn_blocking(move || {
            let _ = read.log.read_on();
            read.log.version()
        });
        let Ok(version) = version.await else { break };
        if version != seen {
            web.live.tell(&told(version));
            (seen, last) = (version, Instant::now());
        } else if last.elapsed() > REVIEW_HEARTBEAT {
            web.live.tell(": nothing new\n\n");
            last = Instant::now();
        }
        tokio::time::sleep(REVIEW_POLL).await;
        if web.live.viewers() == 0 {
            web.live.is_polled.store(false, Ordering::SeqCst);
            // Somebody may have come in between, and found it still polled.
            if web.live.viewers() == 0 || web.live.is_polled.swap(true, Ordering::SeqCst) {
                return;
            }
        }
    }
    web.live.is_polled.store(false, Ordering::SeqCst);
}

/// The body of a live view.
struct Events {
    receiver: Receiver<Bytes>,
    viewers: Arc<AtomicUsize>,
}

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.receiver.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.viewers.fetch_sub(1, Ordering::SeqCst);
    }
}
