//! Runs one future on a plain thread, up to a deadline.
//!
//! The journal's owner and its blocking callers wait on channels that async callers use too; this
//! lets them do so without a runtime of their own.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Instant;

struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// What the future comes to, or nothing if the deadline passed first.
pub(in crate::audit) fn block_until<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    let unpark = Arc::new(Unpark { thread: std::thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&unpark));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        // Parking may end for no reason at all, so only the flag counts.
        while !unpark.woken.swap(false, Ordering::Acquire) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            std::thread::park_timeout(left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn it_waits_for_the_future_or_the_deadline() {
        let soon = || Instant::now() + Duration::from_millis(20);
        assert_eq!(block_until(soon(), async { 1 }), Some(1));
        assert_eq!(block_until(soon(), std::future::pending::<()>()), None);
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || sender.send(7));
        let later = Instant::now() + Duration::from_secs(10);
        assert_eq!(block_until(later, receiver), Some(Ok(7)));
        thread.join().unwrap().unwrap();
    }
}
