//! What a death in the middle of going on after a failure left: a file with the lines that the
//! disk might not have had, which did not get its name any more.
//!
//! What the file before it lacks of them is added to that. So it does not matter whether that had
//! been cut back already, nor how often a start is killed here.

use crate::audit::error::AuditError;
use crate::audit::journal::recover::{chain_before, free_name};
use crate::audit::journal::resume::{PREPARED, write_all};
use crate::audit::journal::storage::{SegmentFile, Storage};
use crate::audit::place::Hash;
use crate::audit::regular;
use crate::audit::segment::{Form, SegmentName, list};
use std::io;
use std::path::Path;

/// Adds the lines of prepared files to the log, and removes these files. Whether there were any.
pub(super) fn prepared<S: Storage>(dir: &Path, storage: &S) -> Result<bool, AuditError> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(AuditError::file("read", dir))? {
        let name = entry.map_err(AuditError::file("read", dir))?.file_name();
        let name = name.to_str().and_then(|name| name.strip_suffix(PREPARED));
        names.extend(name.and_then(SegmentName::parse));
    }
    names.sort();
    for name in &names {
        adopt(dir, storage, name)?;
    }
    Ok(!names.is_empty())
}

fn adopt<S: Storage>(dir: &Path, storage: &S, name: &SegmentName) -> Result<(), AuditError> {
    let prepared = format!("{name}{PREPARED}");
    let lines = whole_lines(&dir.join(&prepared)).map_err(AuditError::file("read", dir))?;
    let mut older = list(dir)?;
    older.retain(|one| one.stream == name.stream && one < name);
    let failed = |why| AuditError::file("recover", &dir.join(&prepared))(why);
    let last = chain_before(dir, name, &older)?.last().map(|(_, hash)| hash);
    let before = older.pop().filter(|before| before.form == Form::Plain);
    let Some(before) = before else { return aside(dir, storage, &prepared).map_err(failed) };
    let Some(missing) = missing(&lines, last) else {
        // It does not fit: it is kept, and no part of the log.
        return aside(dir, storage, &prepared).map_err(failed);
    };
    let add = || {
        if !missing.is_empty() {
            let mut file = storage.reopen(&before.to_string())?;
            write_all(&mut file, &missing)?;
            file.sync()?;
        }
        storage.unlink(&prepared)?;
        storage.sync_dir()
    };
    add().map_err(failed)
}

/// What of these lines comes after a line with that hash, as bytes; nothing if they do not fit.
fn missing(lines: &[Vec<u8>], last: Option<Hash>) -> Option<Vec<u8>> {
    let Some(first) = lines.first() else { return Some(Vec::new()) };
    let known = lines.iter().position(|line| Some(Hash::of(line)) == last);
    let from = match known {
        Some(known) => known + 1,
        None if previous(first) == Some(last.unwrap_or(Hash::ZERO)) => 0,
        None => return None,
    };
    let rest = lines.get(from..).unwrap_or_default().iter();
    Some(rest.flat_map(|line| line.iter().copied().chain([b'\n'])).collect())
}

/// What a line names as the one before it.
fn previous(line: &[u8]) -> Option<Hash> {
    #[derive(serde::Deserialize)]
    struct Link {
        prev: String,
    }
    let link: Link = serde_json::from_slice(line).ok()?;
    Hash::parse(&link.prev)
}

/// The whole lines of a file, which is as long as what one failure found unsynced.
fn whole_lines(path: &Path) -> io::Result<Vec<Vec<u8>>> {
    let bytes = regular::read(path)?;
    let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else { return Ok(Vec::new()) };
    let lines = bytes.get(..end).unwrap_or_default();
    Ok(lines.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect())
}

fn aside<S: Storage>(dir: &Path, storage: &S, prepared: &str) -> io::Result<()> {
    let name = free_name(dir, &format!("{prepared}.torn"))?;
    storage.rename(prepared, &name)?;
    storage.sync_dir()
}
