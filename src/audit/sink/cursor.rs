//! How far each sink is: `DIR/cursors/<sink>`, one line of JSON, replaced whole.
//!
//! A cursor that is lost or cannot be read means that its sink begins again: at least once. The
//! file says whether the sink is required, so that retention can tell what it must not delete
//! without knowing the configuration.

use super::SinkOptions;
use crate::audit::error::AuditError;
use crate::audit::place::{Head, StreamId};
use crate::audit::segment::{SegmentName, list};
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How far a sink is, on the disk.
#[derive(Debug)]
pub(super) struct Cursor {
    path: PathBuf,
    at: Written,
}

/// The file's content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    /// The stream; empty where nothing was taken yet.
    #[serde(default)]
    stream: String,
    /// The newest record of it that was taken.
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    required: bool,
}

fn place(dir: &Path) -> PathBuf {
    dir.join("cursors")
}

impl Cursor {
    /// The cursor of a sink; where it has none, at the beginning of the log or behind `newest`.
    pub(super) fn open(
        dir: &Path,
        sink: &SinkOptions,
        newest: Option<&Head>,
    ) -> Result<Cursor, AuditError> {
        let place = place(dir);
        match DirBuilder::new().mode(0o700).create(&place) {
            Err(why) if why.kind() != ErrorKind::AlreadyExists => {
                return Err(AuditError::file("make the directory", &place)(why));
            }
            Ok(()) | Err(_) => {}
        }
        let path = place.join(&sink.name);
        let found = read(&path)?;
        let beginning = || match newest.filter(|_| sink.from_now) {
            Some(head) => {
                Written { stream: head.stream.to_string(), seq: head.seq, required: false }
            }
            None => Written::default(),
        };
        let at = Written { required: sink.required, ..found.unwrap_or_else(beginning) };
        let cursor = Cursor { path, at };
        cursor.write().map_err(AuditError::file("write", &cursor.path))?;
        Ok(cursor)
    }

    /// The newest record that was taken.
    pub(super) fn place(&self) -> Option<(String, u64)> {
        (!self.at.stream.is_empty()).then(|| (self.at.stream.clone(), self.at.seq))
    }

    /// Moves on. A failure costs a repetition after the next start, nothing else.
    pub(super) fn set(&mut self, (stream, seq): (String, u64)) {
        (self.at.stream, self.at.seq) = (stream, seq);
        if let Err(why) = self.write() {
            tracing::warn!(path = %self.path.display(), %why, "a sink's place cannot be kept");
        }
    }

    fn write(&self) -> std::io::Result<()> {
        let mut text = serde_json::to_string(&self.at)?;
        text.push('\n');
        replace(&self.path, text.as_bytes())
    }
}

/// Replaces a file whole: who reads it finds the old or the new one.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(&new)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    std::fs::rename(&new, path)
}

/// What a cursor's file says; nothing if there is none, or it says nothing that can be read.
fn read(path: &Path) -> Result<Option<Written>, AuditError> {
    match std::fs::read_to_string(path) {
        Ok(text) => match parse(&text) {
            Some(at) => Ok(Some(at)),
            None => {
                let path = path.display();
                tracing::warn!(%path, "this is no cursor; its sink begins again");
                Ok(None)
            }
        },
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(None),
        Err(why) => Err(AuditError::file("read", path)(why)),
    }
}

fn parse(text: &str) -> Option<Written> {
    let at: Written = serde_json::from_str(text).ok()?;
    let is_one = at.stream.is_empty() || StreamId::parse(&at.stream).is_some();
    is_one.then_some(at)
}

/// For the fuzzer: reads a text as a cursor and writes it again; what was written, if it is one.
#[must_use]
pub fn cursor_again(text: &str) -> Option<String> {
    serde_json::to_string(&parse(text)?).ok()
}

/// Takes back what cursors of sinks that are not required any more keep retention from.
pub(super) fn forget_others(dir: &Path, required: &[&str]) -> Result<(), AuditError> {
    for (name, at) in all(dir)? {
        if at.required && !required.contains(&name.as_str()) {
            let path = place(dir).join(&name);
            let cursor = Cursor { path, at: Written { required: false, ..at } };
            cursor.write().map_err(AuditError::file("write", &cursor.path))?;
        }
    }
    Ok(())
}

fn all(dir: &Path) -> Result<Vec<(String, Written)>, AuditError> {
    let place = place(dir);
    let entries = match std::fs::read_dir(&place) {
        Ok(entries) => entries,
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(AuditError::file("read", &place)(why)),
    };
    let mut all = Vec::new();
    for entry in entries {
        let name = entry.map_err(AuditError::file("read", &place))?.file_name();
        let Some(name) = name.to_str().filter(|name| !name.ends_with(".new")) else { continue };
        all.push((name.to_owned(), read(&place.join(name))?.unwrap_or_default()));
    }
    Ok(all)
}

/// The number of the oldest file of the log that a required sink may not have taken whole: none
/// from there on may be deleted. Nothing if no sink is required.
///
/// # Errors
/// If the cursors or the log cannot be read.
pub fn least(dir: &Path) -> Result<Option<u64>, AuditError> {
    let mut required = all(dir)?.into_iter().filter(|(_, at)| at.required).peekable();
    if required.peek().is_none() {
        return Ok(None);
    }
    let segments = list(dir)?;
    let needs = required.map(|(_, at)| holding(dir, &segments, &at.stream, at.seq));
    Ok(Some(needs.map(|index| number(&segments, index)).min().unwrap_or(0)))
}

fn number(segments: &[SegmentName], index: Option<usize>) -> u64 {
    index.and_then(|index| segments.get(index)).map_or(0, |segment| segment.number)
}

/// Which file holds a record, or would hold the one after it; nothing if its stream is not there.
pub(super) fn holding(
    dir: &Path,
    segments: &[SegmentName],
    stream: &str,
    seq: u64,
) -> Option<usize> {
    let of_stream = segments.iter().enumerate().filter(|(_, one)| one.stream.as_str() == stream);
    let mut earliest = None;
    for (index, segment) in of_stream.collect::<Vec<_>>().into_iter().rev() {
        match super::reader::first_seq(dir, segment) {
            Some(first) if first <= seq.saturating_add(1) => return Some(index),
            // One without a record says nothing of where it stands.
            Some(_) => earliest = Some(index),
            None => {}
        }
    }
    earliest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cursor_is_one() {
        let stream = StreamId::generate();
        let good = format!(r#"{{"stream":"{stream}","seq":7,"required":true}}"#);
        let at = parse(&good).unwrap();
        assert_eq!((at.stream.as_str(), at.seq, at.required), (stream.as_str(), 7, true));
        assert_eq!(parse("{}"), Some(Written::default()));
        for bad in ["", "7", "{\"stream\":\"x\"}", "{\"seq\":-1}", "\0\0\0"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
