//! The room on the log's disk: told of in stages before it is gone, and a part of it held back so
//! that the last records can still be written.

use crate::audit::journal::resume::write_all;
use crate::audit::journal::standing::Stage;
use crate::audit::journal::storage::{Place, SegmentFile, Space, Storage};
use crate::audit::options::SpaceMarks;
use crate::limits::JOURNAL_LOW_BYTES_MAX;
use crate::model::record::{Kind, Record};
use nix::libc;
use std::io;
use std::time::Instant;

/// The file that holds room back.
const RESERVE: &str = "reserve";
/// At most this part of a small file system is held back.
const RESERVE_PART: u64 = 16;
/// Bytes written at a time where room cannot be taken otherwise.
const BLOCK: usize = 64 * 1024;

/// What is known of the room.
pub(super) struct Room {
    marks: SpaceMarks,
    reserve_bytes: u64,
    pub(super) space: Option<Space>,
    pub(super) stage: Stage,
    pub(super) has_reserve: bool,
    /// When it was looked at, to tell of it.
    pub(super) looked: Option<Instant>,
}

impl Room {
    pub(super) fn new(marks: SpaceMarks, reserve_bytes: u64) -> Room {
        let (space, stage, looked) = (None, Stage::Enough, None);
        Room { marks, reserve_bytes, space, stage, has_reserve: false, looked }
    }

    /// Looks; whether the stage is another one than before.
    pub(super) fn look<S: Storage>(&mut self, storage: &S) -> bool {
        self.looked = Some(Instant::now());
        // A file system that does not tell has no stages; a full one is noticed all the same.
        self.space = storage.space().ok();
        let stage = self.space.map_or(Stage::Enough, |space| stage(space, self.marks));
        std::mem::replace(&mut self.stage, stage) != stage
    }

    /// What was seen is told of once there is a log to tell it in.
    pub(super) fn forget(&mut self) {
        (self.stage, self.looked) = (Stage::Enough, None);
    }

    /// Holds room back, if that is not so already.
    pub(super) fn hold<S: Storage>(&mut self, storage: &S) -> io::Result<()> {
        self.has_reserve = false;
        let part = self.space.map_or(u64::MAX, |space| space.total / RESERVE_PART);
        let bytes = self.reserve_bytes.min(part);
        if bytes > 0 {
            let made = make(storage, bytes);
            if made.is_err() {
                // Half a reserve only takes the room that others could use.
                drop(storage.unlink(RESERVE));
            }
            made?;
        }
        self.has_reserve = bytes > 0;
        Ok(())
    }

    /// Gives the room back to whoever writes the last records.
    pub(super) fn free<S: Storage>(&mut self, storage: &S) {
        self.has_reserve = false;
        // If it cannot be removed the next write tells.
        drop(storage.unlink(RESERVE).and_then(|()| storage.sync_dir()));
    }

    /// The record of a stage.
    pub(super) fn record(&self, stage: Stage) -> Record {
        let mut record = Record::new(Kind::AuditSpace);
        record.details.push(("stage", stage.as_str().into()));
        if let Some(Space { free, total }) = self.space {
            record.details.push(("free_bytes", free.into()));
            record.details.push(("total_bytes", total.into()));
        }
        record
    }
}

fn stage(Space { free, total }: Space, marks: SpaceMarks) -> Stage {
    // A tenth of a great disk is room for years of log.
    let below = |hundredths: u8, most| free < (total / 100 * u64::from(hundredths)).min(most);
    let (low, warn) = (JOURNAL_LOW_BYTES_MAX, 2 * JOURNAL_LOW_BYTES_MAX);
    match (below(marks.low, low), below(marks.warn, warn)) {
        (true, _) => Stage::Low,
        (false, true) => Stage::Warn,
        (false, false) => Stage::Enough,
    }
}

fn make<S: Storage>(storage: &S, bytes: u64) -> io::Result<()> {
    let mut file = match storage.create(RESERVE) {
        Err(why) if why.kind() == io::ErrorKind::AlreadyExists => storage.reopen(RESERVE)?,
        result => result?,
    };
    if file.place(bytes)? == Place::Here {
        return Ok(());
    }
    file.truncate(0)?;
    match file.allocate(bytes) {
        Err(why) if matches!(why.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS)) => {
            let block = vec![0; BLOCK];
            let mut left = bytes;
            while left > 0 {
                let count = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
                write_all(&mut file, block.get(..count).unwrap_or_default())?;
                left -= u64::try_from(count).unwrap_or(left);
            }
        }
        result => result?,
    }
    file.sync()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_marks_of_free_room() {
        let marks = SpaceMarks::default();
        for (free, expected) in [
            (1000, Stage::Enough),
            (200, Stage::Enough),
            (199, Stage::Warn),
            (100, Stage::Warn),
            (99, Stage::Low),
            (0, Stage::Low),
        ] {
            assert_eq!(stage(Space { free, total: 1000 }, marks), expected, "{free}");
        }
        let great = |free: u64| stage(Space { free: free << 30, total: 1000 << 30 }, marks);
        assert_eq!([8, 7, 4, 3].map(great), [Stage::Enough, Stage::Warn, Stage::Warn, Stage::Low]);
        let none = SpaceMarks { warn: 0, low: 0 };
        assert_eq!(stage(Space { free: 0, total: 1000 }, none), Stage::Enough);
    }
}
