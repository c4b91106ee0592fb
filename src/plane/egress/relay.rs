//! Bytes of a tunnel, both ways, on one task: no buffer while nothing flows, one for each thread
//! while something does, and splice(2) for a direction that has carried much.
//!
//! A direction holds bytes of its own only while its reader is slower than its writer, and a pipe
//! only once it was worth one. What a tunnel carried is counted from what the system took.

use super::socket::Socket;
use crate::limits::{EGRESS_PIPES_MAX, EGRESS_RELAY_BYTES, EGRESS_SPLICE_AFTER_BYTES};
use nix::fcntl::{OFlag, SpliceFFlags, splice};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::Interest;
use tokio::sync::Notify;
use tokio::time::Instant;

/// What a tunnel came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relayed {
    /// Bytes from the client.
    pub up: u64,
    /// Bytes to the client.
    pub down: u64,
    /// What ended it.
    pub cause: Cause,
}

/// What ended a tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The client had sent all and closed first.
    Client,
    /// The other end closed first.
    Upstream,
    /// Nothing flowed for too long.
    Idle,
    /// A direction carried as much as it may, and more came.
    Bytes,
    /// The sidecar stops.
    Drain,
    /// The system says so.
    Error(String),
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cause::Client => f.write_str("client_closed"),
            Cause::Upstream => f.write_str("upstream_closed"),
            Cause::Idle => f.write_str("idle"),
            Cause::Bytes => f.write_str("bytes"),
            Cause::Drain => f.write_str("drain"),
            Cause::Error(why) => write!(f, "error: {why}"),
        }
    }
}

thread_local! {
    /// What one read takes, for all tunnels of this thread.
    static BUFFER: RefCell<Box<[u8]>> =
        RefCell::new(vec![0; EGRESS_RELAY_BYTES].into_boxed_slice());
}

/// Moves bytes both ways until both have ended, nothing has flowed for `idle`, one has more than
/// `most` (0 for no bound), or `drain` says so. `first` are bytes of the client that were read
/// already.
pub async fn relay(
    (client, upstream): (&Socket, &Socket),
    first: Vec<u8>,
    (idle, most): (Duration, u64),
    drain: &Notify,
) -> Relayed {
    let most = if most == 0 { u64::MAX } else { most };
    let mut up = Flow::of(first, most);
    let mut down = Flow::of(Vec::new(), most);
    let mut ended_first = None;
    let mut last = Instant::now();
    let mut sleep = pin!(tokio::time::sleep_until(last + idle));
    let mut drained = pin!(drain.notified());
    let cause = poll_fn(|context| {
        let before = up.moved + down.moved;
        for (flow, from, to, ends) in [
            (&mut up, client, upstream, Cause::Client),
            (&mut down, upstream, client, Cause::Upstream),
        ] {
            if let Err(error) = flow.poll(context, from, to) {
                return Poll::Ready(Cause::Error(error.kind().to_string()));
            }
            if flow.is_cut() {
                return Poll::Ready(Cause::Bytes);
            }
            if flow.is_over() && ended_first.is_none() {
                ended_first = Some(ends);
            }
        }
        if up.is_over() && down.is_over() {
            return Poll::Ready(ended_first.take().unwrap_or(Cause::Client));
        }
        if drained.as_mut().poll(context).is_ready() {
            return Poll::Ready(Cause::Drain);
        }
        if up.moved + down.moved != before {
            last = Instant::now();
        }
        // The timer is only moved when it fires: most of the time something has flowed by then.
        while sleep.as_mut().poll(context).is_ready() {
            if last + idle <= Instant::now() {
                return Poll::Ready(Cause::Idle);
            }
            sleep.as_mut().reset(last + idle);
        }
        Poll::Pending
    })
    .await;
    Relayed { up: up.moved, down: down.moved, cause }
}

/// One direction.
#[derive(Debug)]
struct Flow {
    /// What was read and not yet written.
    pending: Vec<u8>,
    /// How much of that is written.
    written: usize,
    pipe: Option<Pipe>,
    /// Nothing more comes.
    read_all: bool,
    /// ... and the other end was told.
    ended: bool,
    /// Bytes that were written.
    moved: u64,
    /// ... and how many those may become.
    most: u64,
    /// More came than that.
    overrun: bool,
}

/// A pipe of this direction, and how much is in it.
#[derive(Debug)]
struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    holds: usize,
}

/// How often one direction goes on before the other has its turn.
const TURNS: usize = 16;

impl Flow {
    fn of(mut first: Vec<u8>, most: u64) -> Flow {
        let room = usize::try_from(most).unwrap_or(usize::MAX);
        let overrun = first.len() > room;
        first.truncate(room);
        // What is empty may still hold its room.
        let pending = if first.is_empty() { Vec::new() } else { first };
        Flow {
            pending,
            written: 0,
            pipe: None,
            read_all: false,
            ended: false,
            moved: 0,
            most,
            overrun,
        }
    }

    /// All that may pass has passed, and there is more.
    fn is_cut(&self) -> bool {
        self.overrun && !self.holds()
    }

    /// How much of so many bytes may still be read, while none are held; one to see if more comes.
    fn room(&self, length: usize) -> usize {
        let left = usize::try_from(self.most.saturating_sub(self.moved)).unwrap_or(usize::MAX);
        left.clamp(1, length)
    }

    fn is_over(&self) -> bool {
        self.ended
    }

    /// Moves what can be moved now; asks to be woken for the rest.
    fn poll(&mut self, context: &mut Context<'_>, from: &Socket, to: &Socket) -> io::Result<()> {
        for _ in 0..TURNS {
            if self.ended || self.is_cut() {
                return Ok(());
            }
            if self.holds() {
                if to.poll_write_ready(context)?.is_pending() {
                    return Ok(());
                }
                self.push(to)?;
                continue;
            }
            if self.read_all {
                to.end_writing();
                self.ended = true;
                self.rest();
                return Ok(());
            }
            if from.poll_read_ready(context)?.is_pending() {
                self.rest();
                return Ok(());
            }
            self.pull(from, to)?;
        }
        // Others have their turn; this one goes on right after.
        context.waker().wake_by_ref();
        Ok(())
    }

    fn holds(&self) -> bool {
        !self.pending.is_empty() || self.pipe.as_ref().is_some_and(|pipe| pipe.holds > 0)
    }

    /// Gives back what is not needed while nothing flows.
    fn rest(&mut self) {
        if let Some(pipe) = self.pipe.take() {
            give_back(pipe);
        }
    }

    /// Reads what is there, and writes of it what there is room for.
    fn pull(&mut self, from: &Socket, to: &Socket) -> io::Result<()> {
        let is_full = self.moved >= self.most;
        if self.moved >= EGRESS_SPLICE_AFTER_BYTES && !is_full {
            if self.pipe.is_none() {
                self.pipe = take_pipe();
            }
            if self.pipe.is_some() {
                return self.splice_in(from);
            }
        }
        BUFFER.with_borrow_mut(|buffer| {
            let room = self.room(buffer.len());
            let read = match from.try_read(buffer.get_mut(..room).unwrap_or_default()) {
                Ok(0) => {
                    self.read_all = true;
                    return Ok(());
                }
                Ok(_) if is_full => {
                    self.overrun = true;
                    return Ok(());
                }
                Ok(read) => read,
                Err(error) => return if_not_ready(error),
            };
            let bytes = buffer.get(..read).unwrap_or_default();
            let written = match to.try_write(bytes) {
                Ok(written) => written,
                Err(error) => {
                    if_not_ready(error)?;
                    0
                }
            };
            self.count(written);
            self.pending = bytes.get(written..).unwrap_or_default().to_vec();
            Ok(())
        })
    }

    fn splice_in(&mut self, from: &Socket) -> io::Result<()> {
        let room = self.room(EGRESS_RELAY_BYTES);
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        let flags = SpliceFFlags::SPLICE_F_MOVE | SpliceFFlags::SPLICE_F_NONBLOCK;
        let work = || splice(from, None, &pipe.write, None, room, flags).map_err(io::Error::from);
        match from.try_io(Interest::READABLE, work) {
            Ok(0) => self.read_all = true,
            Ok(read) => pipe.holds += read,
            Err(error) => if_not_ready(error)?,
        }
        Ok(())
    }

    /// Writes of what is held what there is room for.
    fn push(&mut self, to: &Socket) -> io::Result<()> {
        if !self.pending.is_empty() {
            let rest = self.pending.get(self.written..).unwrap_or_default();
            match to.try_write(rest) {
                Ok(written) => {
                    self.count(written);
                    self.written += written;
                }
                Err(error) => if_not_ready(error)?,
            }
            if self.written >= self.pending.len() {
                (self.pending, self.written) = (Vec::new(), 0);
            }
            return Ok(());
        }
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        let flags = SpliceFFlags::SPLICE_F_MOVE | SpliceFFlags::SPLICE_F_NONBLOCK;
        let holds = pipe.holds;
        let work = || splice(&pipe.read, None, to, None, holds, flags).map_err(io::Error::from);
        match to.try_io(Interest::WRITABLE, work) {
            Ok(written) => {
                pipe.holds -= written.min(holds);
                self.count(written);
            }
            Err(error) => if_not_ready(error)?,
        }
        Ok(())
    }

    fn count(&mut self, bytes: usize) {
        self.moved = self.moved.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}

/// Being asked once more is no failure.
fn if_not_ready(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(()),
        _ => Err(error),
    }
}

/// Pipes that nobody uses, for the next who does: making one takes system calls, and a user has
/// only so many pages for them.
static PIPES: Mutex<(usize, Vec<Pipe>)> = Mutex::new((0, Vec::new()));

fn take_pipe() -> Option<Pipe> {
    let mut pipes = PIPES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pipe) = pipes.1.pop() {
        return Some(pipe);
    }
    if pipes.0 >= EGRESS_PIPES_MAX {
        return None;
    }
    let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).ok()?;
    pipes.0 += 1;
    Some(Pipe { read, write, holds: 0 })
}

fn give_back(pipe: Pipe) {
    let mut pipes = PIPES.lock().unwrap_or_else(PoisonError::into_inner);
    if pipe.holds == 0 {
        pipes.1.push(pipe);
    } else {
        // Somebody's bytes are in it.
        pipes.0 = pipes.0.saturating_sub(1);
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.rest();
    }
}
