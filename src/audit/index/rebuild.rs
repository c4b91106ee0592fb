//! Indexes held against their files: made again from the lines, each must say the same.

use super::build::Builder;
use super::read::same;
use crate::audit::error::AuditError;
use crate::audit::segment::{Form, Frames, list};
use std::path::Path;

/// The sealed files of a directory whose index says something else than their lines.
///
/// # Errors
/// If the directory or a sealed file cannot be read.
pub fn false_indexes(dir: &Path) -> Result<Vec<String>, AuditError> {
    let mut wrong = Vec::new();
    for segment in list(dir)?.into_iter().filter(|segment| segment.form == Form::Sealed) {
        let Ok(there) = std::fs::read(segment.index_path(dir)) else { continue };
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
        if !same(&there, &builder.finish()) {
            wrong.push(segment.to_string());
        }
    }
    Ok(wrong)
}
