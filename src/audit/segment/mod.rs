//! The files of the log: their names, their forms, and one way to read all of them.
//!
//! A file is written as plain lines ([`Form::Plain`]). When it is closed it is sealed beside the
//! writer ([`Sealer`]): compressed in frames of whole lines, which `zstd -dc` reads too.
//! When retention deletes it, what the proofs need stays ([`Kept`]). Readers go by
//! [`Lines`], line by line, or by [`Blocks`], many lines at once; neither asks for the form.
//!
//! A closed file never changes: each form holds, or vouches for, the same bytes.

mod blocks;
mod frames;
mod kept;
mod lines;
mod name;
mod retain;
mod seal;
mod sealer;

pub(in crate::audit) use blocks::Blocks;
pub(in crate::audit) use frames::Frames;
pub(in crate::audit) use kept::Kept;
pub use kept::kept_header_fits;
pub(in crate::audit) use lines::{Ending, Lines};
pub(in crate::audit) use name::{Form, SegmentName, list, strangers};
pub(in crate::audit) use retain::first_written;
pub use retain::{Due, Retention, Why, delete, due, newest_file};
pub(in crate::audit) use sealer::{Closed, Sealer};

/// Seals every plain file of a log that nobody writes; how many there were.
///
/// # Errors
/// If somebody writes it, or a file cannot be read or written.
pub fn seal_all(dir: &std::path::Path) -> Result<usize, crate::audit::AuditError> {
    let shelf = crate::audit::journal::Directory::lock(dir)?;
    let plain = list(dir)?.into_iter().filter(|segment| segment.form == Form::Plain);
    let mut sealed = 0;
    for segment in plain {
        if let seal::Sealed::Yes { .. } = seal::seal(&shelf, dir, &segment, &mut |_| true)? {
            sealed += 1;
        }
    }
    Ok(sealed)
}

#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(in crate::audit) use tests::seal_all as seal_closed;
