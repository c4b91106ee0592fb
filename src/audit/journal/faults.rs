//! Storage that fails when a test says so; else it is the real one.

use crate::audit::journal::storage::{Directory, RealFile, SegmentFile, Storage};
use nix::libc;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

/// What is to fail, and what happened.
#[derive(Debug)]
pub(in crate::audit) struct Plan {
    /// Bytes that still fit on the disk.
    pub(in crate::audit) room: AtomicU64,
    /// At most so many bytes in one write; every second write is interrupted then.
    pub(in crate::audit) write_max: AtomicU64,
    /// Every sync fails.
    pub(in crate::audit) sync_fails: AtomicBool,
    /// Every sync takes so long.
    pub(in crate::audit) sync_ms: AtomicU64,
    /// No new file can be made.
    pub(in crate::audit) create_fails: AtomicBool,
    /// How often was synced.
    pub(in crate::audit) syncs: AtomicU64,
    writes: AtomicU64,
}

pub(in crate::audit) struct Faulty {
    inner: Directory,
    plan: Arc<Plan>,
}

pub(in crate::audit) struct FaultyFile {
    inner: RealFile,
    plan: Arc<Plan>,
}

impl Plan {
    pub(in crate::audit) fn new() -> Arc<Plan> {
        Arc::new(Plan {
            room: AtomicU64::new(u64::MAX),
            write_max: AtomicU64::new(u64::MAX),
            sync_fails: AtomicBool::new(false),
            sync_ms: AtomicU64::new(0),
            create_fails: AtomicBool::new(false),
            syncs: AtomicU64::new(0),
            writes: AtomicU64::new(0),
        })
    }
}

impl Faulty {
    pub(in crate::audit) fn lock(dir: &Path, plan: &Arc<Plan>) -> Faulty {
        Faulty { inner: Directory::lock(dir).unwrap(), plan: Arc::clone(plan) }
    }
}

impl Storage for Faulty {
    type File = FaultyFile;

    fn create(&mut self, name: &str) -> io::Result<FaultyFile> {
        if self.plan.create_fails.load(SeqCst) {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        Ok(FaultyFile { inner: self.inner.create(name)?, plan: Arc::clone(&self.plan) })
    }

    fn reopen(&mut self, name: &str) -> io::Result<FaultyFile> {
        Ok(FaultyFile { inner: self.inner.reopen(name)?, plan: Arc::clone(&self.plan) })
    }
}

impl SegmentFile for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let max = self.plan.write_max.load(SeqCst);
        if max != u64::MAX && self.plan.writes.fetch_add(1, SeqCst).is_multiple_of(2) {
            return Err(io::Error::from_raw_os_error(libc::EINTR));
        }
        let room = self.plan.room.load(SeqCst);
        if room == 0 {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        let count = bytes.len().min(usize::try_from(room.min(max)).unwrap());
        let written = self.inner.write(&bytes[..count])?;
        if room != u64::MAX {
            self.plan.room.fetch_sub(written as u64, SeqCst);
        }
        Ok(written)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.plan.syncs.fetch_add(1, SeqCst);
        std::thread::sleep(Duration::from_millis(self.plan.sync_ms.load(SeqCst)));
        if self.plan.sync_fails.load(SeqCst) {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        self.inner.sync()
    }

    fn is_in_place(&self, bytes: u64) -> io::Result<bool> {
        self.inner.is_in_place(bytes)
    }
}
