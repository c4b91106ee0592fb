//! Storage that fails, or dies, when a test says so; else it is the real one.
//!
//! Every operation that changes something is a step. At a chosen step it can fail once, or
//! everything dies: nothing is done from then on. What a power cut leaves is made from the real
//! files afterwards: of each only what was synced, and as much more of what was written as the
//! test wants; of the names, those before the last sync of the directory and as many more.

use crate::audit::journal::storage::{Directory, Place, RealFile, SegmentFile, Space, Storage};
use nix::libc;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is to fail, and what happened.
#[derive(Debug)]
pub(in crate::audit) struct Plan {
    /// Bytes that still fit on the disk.
    pub(in crate::audit) room: AtomicU64,
    /// At most so many bytes in one write; every second write is interrupted then.
    pub(in crate::audit) write_max: AtomicU64,
    /// Every sync fails with this, if it is not 0.
    pub(in crate::audit) sync_fails: AtomicI32,
    /// Every sync takes so long.
    pub(in crate::audit) sync_ms: AtomicU64,
    /// No new file can be made, with this, if it is not 0.
    pub(in crate::audit) create_fails: AtomicI32,
    /// What the file system says of its room, if `total` is not 0.
    pub(in crate::audit) total: AtomicU64,
    /// As above.
    pub(in crate::audit) free: AtomicU64,
    /// How often was synced.
    pub(in crate::audit) syncs: AtomicU64,
    /// How many steps were taken.
    pub(in crate::audit) steps: AtomicU64,
    /// The step that fails once, from 1, with `fail_with`.
    pub(in crate::audit) fail_at: AtomicU64,
    pub(in crate::audit) fail_with: AtomicI32,
    /// The step at which everything dies, from 1; of a write the first half is done.
    pub(in crate::audit) die_at: AtomicU64,
    dead: AtomicBool,
    writes: AtomicU64,
    ledger: Mutex<Ledger>,
}

/// What of the files is durable.
#[derive(Debug, Default)]
struct Ledger {
    /// The synced length of each file, by inode.
    synced: BTreeMap<u64, u64>,
    /// What was done to names since they were synced, and how it is undone.
    names: Vec<Vec<Undo>>,
    saved: u64,
}

#[derive(Debug)]
enum Undo {
    /// The name was not there.
    Remove(PathBuf),
    /// The name led to what is saved here.
    Restore(PathBuf, PathBuf),
}

#[derive(Debug, Clone)]
pub(in crate::audit) struct Faulty {
    inner: Directory,
    path: PathBuf,
    plan: Arc<Plan>,
}

pub(in crate::audit) struct FaultyFile {
    inner: RealFile,
    inode: u64,
    plan: Arc<Plan>,
}

fn error(errno: i32) -> io::Error {
    io::Error::from_raw_os_error(errno)
}

impl Plan {
    pub(in crate::audit) fn new() -> Arc<Plan> {
        Arc::new(Plan {
            room: AtomicU64::new(u64::MAX),
            write_max: AtomicU64::new(u64::MAX),
            sync_fails: AtomicI32::new(0),
            sync_ms: AtomicU64::new(0),
            create_fails: AtomicI32::new(0),
            total: AtomicU64::new(0),
            free: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
            steps: AtomicU64::new(0),
            fail_at: AtomicU64::new(0),
            fail_with: AtomicI32::new(libc::EIO),
            die_at: AtomicU64::new(0),
            dead: AtomicBool::new(false),
            writes: AtomicU64::new(0),
            ledger: Mutex::default(),
        })
    }

    /// Whether it came to the end that was planned.
    pub(in crate::audit) fn is_dead(&self) -> bool {
        self.dead.load(SeqCst)
    }

    fn alive(&self) -> io::Result<()> {
        if self.is_dead() { Err(error(libc::EIO)) } else { Ok(()) }
    }

    /// One step; whether it is the one at which everything dies.
    fn step(&self) -> io::Result<bool> {
        self.alive()?;
        let step = self.steps.fetch_add(1, SeqCst) + 1;
        if step == self.fail_at.load(SeqCst) {
            return Err(error(self.fail_with.load(SeqCst)));
        }
        let dies = step == self.die_at.load(SeqCst);
        self.dead.fetch_or(dies, SeqCst);
        Ok(dies)
    }

    /// A step of which nothing is done when everything dies at it.
    fn whole_step(&self) -> io::Result<()> {
        match self.step()? {
            true => Err(error(libc::EIO)),
            false => Ok(()),
        }
    }

    /// Makes of the files what a power cut leaves: `written` hundredths of what was written and
    /// not synced, and of what was done to names and not synced; as zeros if `zeros`.
    pub(in crate::audit) fn cut_power(&self, dir: &Path, written: usize, zeros: bool) {
        let mut ledger = self.ledger.lock().unwrap();
        let keep = ledger.names.len() * written / 100;
        for undo in ledger.names.split_off(keep).into_iter().rev().flatten() {
            match undo {
                Undo::Remove(name) => drop(std::fs::remove_file(name)),
                Undo::Restore(name, saved) => std::fs::rename(saved, name).unwrap(),
            }
        }
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let about = path.metadata().unwrap();
            let Some(synced) = ledger.synced.get(&about.ino()).copied() else { continue };
            let length = about.len();
            let kept = synced + length.saturating_sub(synced) * written as u64 / 100;
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            file.set_len(if zeros { synced.min(length) } else { kept.min(length) }).unwrap();
            file.set_len(kept.min(length)).unwrap();
        }
        ledger.names.clear();
    }
}

impl Faulty {
    pub(in crate::audit) fn lock(dir: &Path, plan: &Arc<Plan>) -> Faulty {
        let inner = Directory::lock(dir).unwrap();
        Faulty { inner, path: dir.to_owned(), plan: Arc::clone(plan) }
    }

    /// What is there already is on the disk.
    fn wrap(&self, inner: RealFile, name: &str) -> FaultyFile {
        let about = self.path.join(name).metadata().unwrap();
        let mut ledger = self.plan.ledger.lock().unwrap();
        ledger.synced.entry(about.ino()).or_insert(about.len());
        FaultyFile { inner, inode: about.ino(), plan: Arc::clone(&self.plan) }
    }

    /// Remembers what names lead to, before one change to all of them.
    fn save(&self, names: &[&str]) {
        let mut ledger = self.plan.ledger.lock().unwrap();
        let mut undo = Vec::new();
        for name in names {
            let path = self.path.join(name);
            ledger.saved += 1;
            let aside = self.path.join(format!("saved-{}", ledger.saved));
            undo.push(match std::fs::hard_link(&path, &aside) {
                Ok(()) => Undo::Restore(path, aside),
                Err(_) => Undo::Remove(path),
            });
        }
        ledger.names.push(undo);
    }
}

impl Storage for Faulty {
    type File = FaultyFile;

    fn create(&self, name: &str) -> io::Result<FaultyFile> {
        self.plan.whole_step()?;
        match self.plan.create_fails.load(SeqCst) {
            0 => {}
            errno => return Err(error(errno)),
        }
        let made = self.inner.create(name)?;
        let inode = self.path.join(name).metadata()?.ino();
        let mut ledger = self.plan.ledger.lock().unwrap();
        ledger.names.push(vec![Undo::Remove(self.path.join(name))]);
        // The file system may give it the number of one that is gone.
        ledger.synced.insert(inode, 0);
        drop(ledger);
        Ok(self.wrap(made, name))
    }

    fn reopen(&self, name: &str) -> io::Result<FaultyFile> {
        self.plan.alive()?;
        Ok(self.wrap(self.inner.reopen(name)?, name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.plan.whole_step()?;
        // One change: both names, or neither.
        self.save(&[to, from]);
        self.inner.rename(from, to)
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        if !self.path.join(name).exists() {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.plan.whole_step()?;
        self.save(&[name]);
        self.inner.unlink(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.plan.whole_step()?;
        let mut ledger = self.plan.ledger.lock().unwrap();
        for undo in ledger.names.drain(..).flatten() {
            if let Undo::Restore(_, saved) = undo {
                drop(std::fs::remove_file(saved));
            }
        }
        drop(ledger);
        self.inner.sync_dir()
    }

    fn space(&self) -> io::Result<Space> {
        let (free, total) = (self.plan.free.load(SeqCst), self.plan.total.load(SeqCst));
        if total > 0 { Ok(Space { free, total }) } else { self.inner.space() }
    }

    fn is_in_place(&self) -> io::Result<bool> {
        self.plan.alive()?;
        self.inner.is_in_place()
    }
}

impl FaultyFile {
    fn is_durable_to(&self, bytes: u64) {
        self.plan.ledger.lock().unwrap().synced.insert(self.inode, bytes);
    }

    fn len(&self) -> io::Result<u64> {
        Ok(match self.inner.place(0)? {
            Place::Longer(bytes) => bytes,
            _ => 0,
        })
    }
}

impl SegmentFile for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let max = self.plan.write_max.load(SeqCst);
        if max != u64::MAX && self.plan.writes.fetch_add(1, SeqCst).is_multiple_of(2) {
            return Err(error(libc::EINTR));
        }
        if self.plan.step()? {
            drop(self.inner.write(&bytes[..bytes.len() / 2]));
            return Err(error(libc::EIO));
        }
        let room = self.plan.room.load(SeqCst);
        if room == 0 {
            return Err(error(libc::ENOSPC));
        }
        let count = bytes.len().min(usize::try_from(room.min(max)).unwrap());
        let written = self.inner.write(&bytes[..count])?;
        if room != u64::MAX {
            self.plan.room.fetch_sub(written as u64, SeqCst);
        }
        Ok(written)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.plan.whole_step()?;
        self.plan.syncs.fetch_add(1, SeqCst);
        std::thread::sleep(Duration::from_millis(self.plan.sync_ms.load(SeqCst)));
        match self.plan.sync_fails.load(SeqCst) {
            0 => {}
            errno => return Err(error(errno)),
        }
        // What the real disk does is no part of the test; only what it was asked to.
        self.is_durable_to(self.len()?);
        Ok(())
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.plan.alive()?;
        self.inner.read_at(at, into)
    }

    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        self.plan.whole_step()?;
        self.inner.truncate(bytes)?;
        self.is_durable_to(bytes);
        Ok(())
    }

    fn allocate(&mut self, bytes: u64) -> io::Result<()> {
        self.plan.whole_step()?;
        if self.plan.room.load(SeqCst) < bytes {
            return Err(error(libc::ENOSPC));
        }
        self.inner.allocate(bytes)
    }

    fn place(&self, bytes: u64) -> io::Result<Place> {
        self.plan.alive()?;
        self.inner.place(bytes)
    }
}

/// A file that somebody else opened.
pub(in crate::audit) fn append_to(path: &Path) -> File {
    OpenOptions::new().append(true).open(path).unwrap()
}
