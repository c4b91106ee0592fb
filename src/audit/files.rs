//! The files of the log for who reads out of order: from a place on, or one line.
//!
//! A place is where a line begins among all lines of its file, whatever the file's form: it stays
//! the same when the file is sealed. What retention left of a file has no places, and is not here.

use crate::audit::error::AuditError;
use crate::audit::segment::{Blocks, Form, SegmentName, list};
use std::io;
use std::path::{Path, PathBuf};

/// The directory of a log.
#[derive(Debug, Clone)]
pub struct Files {
    dir: PathBuf,
}

/// One file of it, in whichever form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogFile(SegmentName);

impl LogFile {
    /// Its place among all files of the directory.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.0.number
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        self.0.to_string()
    }
}

impl Files {
    /// The files of a directory.
    #[must_use]
    pub fn of(dir: &Path) -> Files {
        Files { dir: dir.to_owned() }
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Those that have lines, oldest first.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn list(&self) -> Result<Vec<LogFile>, AuditError> {
        let all = list(&self.dir)?.into_iter().filter(|segment| segment.form != Form::Kept);
        Ok(all.map(LogFile).collect())
    }

    /// Gives every whole line from a place on, with the place where it begins; the place behind
    /// the last of them.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn each_line(
        &self,
        file: &LogFile,
        from: u64,
        mut each: impl FnMut(u64, &[u8]),
    ) -> Result<u64, AuditError> {
        let path = file.0.path(&self.dir);
        let failed = |error: io::Error| AuditError::file("read", &path)(error);
        let mut blocks = self.at(file, from)?;
        loop {
            // Behind a line that is too long, places are told anew by each block.
            let Some(block) = blocks.next_block().map_err(failed)? else {
                return Ok(blocks.offset());
            };
            let lines: Vec<usize> = memchr::memchr_iter(b'\n', block).collect();
            let whole = u64::try_from(block.len()).unwrap_or(u64::MAX);
            let block = block.to_vec();
            let begins = blocks.offset().saturating_sub(whole);
            let mut start = 0;
            for end in lines {
                let at = begins + u64::try_from(start).unwrap_or(u64::MAX);
                each(at, block.get(start..end).unwrap_or_default());
                start = end + 1;
            }
        }
    }

    /// The line that begins at a place.
    ///
    /// # Errors
    /// If the file cannot be read there.
    pub fn line(&self, file: &LogFile, place: u64) -> Result<Vec<u8>, AuditError> {
        let path = file.0.path(&self.dir);
        let mut blocks = self.at(file, place)?;
        let block = blocks.next_block().map_err(AuditError::file("read", &path))?;
        let block = block.unwrap_or_default();
        let end = memchr::memchr(b'\n', block).unwrap_or(block.len());
        Ok(block.get(..end).unwrap_or_default().to_vec())
    }

    fn at(&self, file: &LogFile, place: u64) -> Result<Blocks, AuditError> {
        let mut blocks = Blocks::open(&self.dir, &file.0)?;
        if place > 0 {
            let path = file.0.path(&self.dir);
            blocks.seek(place).map_err(AuditError::file("read", &path))?;
        }
        Ok(blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::StreamId;

    #[test]
    fn every_line_is_found_again_at_its_place() {
        let scratch = tempfile::tempdir().unwrap();
        let segment = SegmentName::plain(1, StreamId::generate());
        std::fs::write(segment.path(scratch.path()), "one\n\nthree\ntorn").unwrap();
        let files = Files::of(scratch.path());
        let list = files.list().unwrap();
        let [file] = list.as_slice() else { panic!("{list:?}") };
        let mut lines = Vec::new();
        let end = files.each_line(file, 0, |at, line| lines.push((at, line.to_vec()))).unwrap();
        let expected = [(0, &b"one"[..]), (4, b""), (5, b"three")];
        assert_eq!(lines, expected.map(|(at, line)| (at, line.to_vec())));
        assert_eq!(end, 11);
        for (at, line) in lines {
            assert_eq!(files.line(file, at).unwrap(), line);
        }
        assert_eq!(files.line(file, 99).unwrap(), b"");
        let mut more = Vec::new();
        assert_eq!(files.each_line(file, 5, |at, _| more.push(at)).unwrap(), 11);
        assert_eq!(more, [5]);
    }
}
