//! The one record of a number, found by the numbers that an index tells.

use super::file::LogFile;
use super::source::{Origin, Source};
use crate::audit::error::AuditError;
use crate::audit::index::Index;
use crate::audit::read::Entry;
use crate::audit::wire::WireRecord;
use memchr::memmem;

impl Source {
    /// The record of a number: that of a stream, or the newest with this number of any.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn numbered(&self, stream: Option<&str>, seq: u64) -> Result<Option<Entry>, AuditError> {
        let origins = self.origins()?;
        let of_stream = |origin: &&Origin| match (stream, origin.stream()) {
            (Some(wanted), Some(stream)) => wanted == stream,
            _ => true,
        };
        for origin in origins.iter().rev().filter(of_stream) {
            // A file that cannot be read is told by every other question.
            let Ok(mut file) = origin.open() else { continue };
            let is_it = |record: &WireRecord| {
                record.seq == seq && stream.is_none_or(|stream| record.stream == stream)
            };
            if let Some(found) = in_file(&mut file, seq, is_it) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

fn in_file(file: &mut LogFile, seq: u64, is_it: impl Fn(&WireRecord) -> bool) -> Option<Entry> {
    let blocks = match file.index.as_deref() {
        Some(index) => frame_of(index, seq)?,
        None => 0..file.blocks()?,
    };
    let needle = format!("\"seq\":{seq},");
    let finder = memmem::Finder::new(&needle);
    let mut buffer = Vec::new();
    let before = match blocks.start {
        0 => Some(0),
        start => file
            .index
            .as_deref()
            .and_then(|index| u64::try_from(index.frames().ok()?.get(start)?.first).ok()),
    };
    let mut lines = file.lines_before() + before.unwrap_or_default();
    for number in blocks {
        let Ok(Some(range)) = file.read(number, &mut buffer) else { continue };
        for line in buffer.get(range).unwrap_or_default().split_inclusive(|byte| *byte == b'\n') {
            lines += 1;
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            if finder.find(line).is_none() {
                continue;
            }
            let Ok(text) = std::str::from_utf8(line) else { continue };
            let Ok(record) = serde_json::from_str::<WireRecord>(text) else { continue };
            if is_it(&record) {
                let (text, file) = (text.to_owned(), file.name.clone());
                return Some(Entry { record, text, file, line: lines });
            }
        }
    }
    None
}

/// The frame of a number, if the file holds it.
fn frame_of(index: &Index, seq: u64) -> Option<std::ops::Range<usize>> {
    let row = index.row_of(seq)?;
    let frames = index.frames().ok()?;
    let at = frames.iter().position(|frame| row < frame.first.saturating_add(frame.count))?;
    Some(at..at + 1)
}
