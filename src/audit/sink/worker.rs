//! The thread of one sink: read what is on the disk, hand it on, remember how far.
//!
//! What failed is tried again, from the cursor on and ever more seldom, and for ever: the log
//! keeps it. What was sent to a side that does not acknowledge moves the cursor only when it has
//! had time to settle, and comes again if that side went away before.

use super::Sink;
use super::cursor::Cursor;
use super::deliver::{Deliver, Line, Refused};
use super::reader::Reader;
use crate::audit::journal::Committed;
use crate::limits::{SINK_BATCH_BYTES_MAX, SINK_BATCH_MAX, SINK_POLL, SINK_RETRY_MAX};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The first wait after a failure; each further one is twice as long.
const RETRY_MIN: Duration = Duration::from_millis(50);

/// One sink's thread.
pub(super) struct Worker {
    dir: PathBuf,
    sink: Arc<Sink>,
    cursor: Cursor,
    deliver: Box<dyn Deliver>,
    committed: Arc<Committed>,
    stop: Arc<AtomicBool>,
    reader: Reader,
    /// What was sent and has not settled: up to where, and when.
    unsettled: VecDeque<((String, u64), Instant)>,
}

impl Worker {
    pub(super) fn new(
        dir: PathBuf,
        sink: Arc<Sink>,
        cursor: Cursor,
        deliver: Box<dyn Deliver>,
        (committed, stop): (Arc<Committed>, Arc<AtomicBool>),
    ) -> Worker {
        let reader = Reader::behind(&dir, cursor.place());
        let unsettled = VecDeque::new();
        Worker { dir, sink, cursor, deliver, committed, stop, reader, unsettled }
    }

    pub(super) fn run(mut self) {
        let mut known = None;
        let mut retry = RETRY_MIN;
        while !self.stop.load(Ordering::Acquire) {
            match self.round() {
                Ok(true) => retry = RETRY_MIN,
                Ok(false) => {
                    retry = RETRY_MIN;
                    let patience = if self.unsettled.is_empty() { SINK_POLL } else { RETRY_MIN };
                    known = self.committed.wait(known.as_ref(), patience);
                }
                Err(Refused { why, wait }) => {
                    self.go_back(why);
                    self.rest(wait.unwrap_or(retry).clamp(RETRY_MIN, SINK_RETRY_MAX));
                    retry = (retry * 2).min(SINK_RETRY_MAX);
                }
            }
        }
        // What settled meanwhile need not come again; the rest comes again after the next start.
        let _ = self.settle();
    }

    /// Hands on one batch; false if there was none.
    fn round(&mut self) -> Result<bool, Refused> {
        self.settle()?;
        let looked = Instant::now();
        let Some(newest) = self.committed.get() else { return Ok(false) };
        let mut batch: Vec<Line> = Vec::new();
        let mut bytes = 0;
        while batch.len() < SINK_BATCH_MAX && bytes < SINK_BATCH_BYTES_MAX {
            let skipped = self.reader.skipped;
            let next = self.reader.next(&newest).map_err(|why| why.to_string())?;
            self.sink.skipped.fetch_add(self.reader.skipped - skipped, Ordering::Relaxed);
            let Some(line) = next else { break };
            bytes += line.text.len();
            batch.push(line);
        }
        let Some(last) = batch.last() else { return Ok(false) };
        let place = (last.record.stream.clone(), last.record.seq);
        self.sink.state().behind_since.get_or_insert(looked);
        self.deliver.send(&batch)?;
        let sent = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        self.sink.took(place.clone(), sent, looked);
        if self.deliver.settles().is_zero() {
            self.cursor.set(place);
        } else {
            self.unsettled.push_back((place, Instant::now()));
        }
        Ok(true)
    }

    /// Moves the cursor over what has settled.
    fn settle(&mut self) -> Result<(), Refused> {
        if self.unsettled.is_empty() {
            return Ok(());
        }
        self.deliver.is_there()?;
        let settles = self.deliver.settles();
        let mut settled = None;
        while self.unsettled.front().is_some_and(|(_, at)| at.elapsed() >= settles) {
            settled = self.unsettled.pop_front().map(|(place, _)| place);
        }
        if let Some(place) = settled {
            self.cursor.set(place);
        }
        Ok(())
    }

    fn go_back(&mut self, why: String) {
        self.unsettled.clear();
        self.reader = Reader::behind(&self.dir, self.cursor.place());
        self.sink.failed(self.cursor.place(), why);
    }

    /// Waits, unless it is told to stop.
    fn rest(&self, time: Duration) {
        let until = Instant::now() + time;
        while !self.stop.load(Ordering::Acquire) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(RETRY_MIN));
        }
    }
}
