//! The files of the log as pages read them: in order, from a place on, or one line of them.
//!
//! It reads what is there and judges nothing; that is `verify`.

use crate::limits::RECORD_BYTES_MAX;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The directory of the log.
#[derive(Debug, Clone)]
pub(super) struct Source {
    dir: PathBuf,
}

/// One file of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LogFile {
    /// Its place among all files.
    pub(super) number: u64,
    /// Its name.
    pub(super) name: String,
}

impl Source {
    pub(super) fn of(dir: &Path) -> Source {
        Source { dir: dir.to_owned() }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The files, oldest first.
    pub(super) fn files(&self) -> std::io::Result<Vec<LogFile>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let name = entry?.file_name();
            files.extend(name.to_str().and_then(LogFile::named));
        }
        files.sort();
        Ok(files)
    }

    /// Gives every whole line from a place on, with the place where it begins; the place behind
    /// the last of them.
    pub(super) fn each_line(
        &self,
        file: &LogFile,
        from: u64,
        mut each: impl FnMut(u64, &[u8]),
    ) -> std::io::Result<u64> {
        let mut reader = File::open(self.dir.join(&file.name))?;
        reader.seek(SeekFrom::Start(from))?;
        let mut reader = BufReader::with_capacity(1 << 18, reader);
        let (mut line, mut offset) = (Vec::new(), from);
        loop {
            line.clear();
            let most = u64::try_from(RECORD_BYTES_MAX).unwrap_or(u64::MAX);
            let read = (&mut reader).take(most).read_until(b'\n', &mut line)?;
            if line.last() != Some(&b'\n') {
                // Torn or being written, or longer than a record can be: nothing more to show.
                return Ok(offset);
            }
            line.pop();
            each(offset, &line);
            offset += u64::try_from(read).unwrap_or(u64::MAX);
        }
    }

    /// The line that begins at a place.
    pub(super) fn line(&self, file: &LogFile, offset: u64) -> std::io::Result<Vec<u8>> {
        let mut reader = File::open(self.dir.join(&file.name))?;
        reader.seek(SeekFrom::Start(offset))?;
        let mut line = Vec::new();
        let most = u64::try_from(RECORD_BYTES_MAX).unwrap_or(u64::MAX);
        BufReader::with_capacity(1 << 12, reader.take(most)).read_until(b'\n', &mut line)?;
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Ok(line)
    }
}

impl LogFile {
    fn named(name: &str) -> Option<LogFile> {
        let middle = name.strip_prefix("toolgate-")?.strip_suffix(".jsonl")?;
        let (_, number) = middle.rsplit_once('-')?;
        Some(LogFile { number: number.parse().ok()?, name: name.to_owned() })
    }
}
