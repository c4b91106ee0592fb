//! Indexes held against their files: made again from the lines, each must say the same.
//!
//! An index proves nothing and is never needed. One that is wrong makes no record false, but a
//! question that goes by it may be answered with too few; so it is told, and can be made anew.

use super::build::Builder;
use super::read::same;
use crate::audit::error::AuditError;
use crate::audit::journal::{Appending, Directory, Shelf};
use crate::audit::regular;
use crate::audit::segment::{Form, Frames, SegmentName, list};
use std::io::{ErrorKind, Write};
use std::path::Path;

/// The sealed files of a directory whose index says something else than their lines.
///
/// # Errors
/// If the directory or a sealed file cannot be read.
pub fn false_indexes(dir: &Path) -> Result<Vec<String>, AuditError> {
    let mut wrong = Vec::new();
    for segment in sealed(dir)? {
        let there = match regular::read(&segment.index_path(dir)) {
            Err(why) if why.kind() == ErrorKind::NotFound => continue,
            // What cannot be read is no index, whatever it is.
            there => there.unwrap_or_default(),
        };
        if !same(&there, &index_of(dir, &segment)?) {
            wrong.push(segment.to_string());
        }
    }
    Ok(wrong)
}

/// Makes the indexes anew that are wrong or not there; whose they are. A log may be written
/// meanwhile: who writes it looks at no file that is sealed.
///
/// # Errors
/// If the directory or a sealed file cannot be read, or an index cannot be written.
pub fn rebuild_indexes(dir: &Path) -> Result<Vec<String>, AuditError> {
    let shelf = Directory::unlocked(dir).map_err(AuditError::file("open", dir))?;
    let mut made = Vec::new();
    for segment in sealed(dir)? {
        let index = index_of(dir, &segment)?;
        let path = segment.index_path(dir);
        if regular::read(&path).is_ok_and(|there| same(&there, &index)) {
            continue;
        }
        let (name, failed) = (segment.index_name(), AuditError::file("write the index", &path));
        let write = || {
            let temporary = format!("{name}.tmp");
            let mut file = Appending(shelf.anew(&temporary)?);
            file.write_all(&index)?;
            file.finish()?;
            shelf.rename_to(&temporary, &name)?;
            shelf.sync_names()
        };
        write().map_err(failed)?;
        made.push(segment.to_string());
    }
    Ok(made)
}

fn sealed(dir: &Path) -> Result<impl Iterator<Item = SegmentName>, AuditError> {
    Ok(list(dir)?.into_iter().filter(|segment| segment.form == Form::Sealed))
}

/// The index that a sealed file has by its lines.
fn index_of(dir: &Path, segment: &SegmentName) -> Result<Vec<u8>, AuditError> {
    let path = segment.path(dir);
    let failed = |why| AuditError::file("read", &path)(why);
    let mut frames = Frames::open(&path).map_err(failed)?;
    let (mut builder, mut block) = (Builder::new(), Vec::new());
    for (number, frame) in frames.table().to_vec().into_iter().enumerate() {
        frames.read(number, &mut block).map_err(failed)?;
        for line in block.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            builder.line(line);
        }
        builder.frame(frame.offset, u64::try_from(frame.bytes).unwrap_or(u64::MAX));
    }
    Ok(builder.finish())
}
