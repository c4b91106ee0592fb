//! All that the commands print goes through here.
//!
//! A reader who has seen enough hangs up: that is no error, nothing more is written, and the
//! command ends as it would have. Any other failure to write is told once, when the command ends,
//! and makes its exit code 2: a script must not take half a report for a whole one. What goes to
//! standard error is written as far as it can be: there is nowhere else to say that it cannot.

use super::Outcome;
use std::io::{ErrorKind, Write};
use std::sync::OnceLock;

/// Why standard output takes no more, once it does not: nothing, if its reader hung up.
static CLOSED: OnceLock<Option<String>> = OnceLock::new();

/// Prints one line, formatted.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::cli::out::line(format_args!($($text)*))
    };
}

/// Prints one line on standard error, formatted.
macro_rules! complain {
    ($($text:tt)*) => {
        $crate::cli::out::error_line(format_args!($($text)*))
    };
}

pub(super) use {complain, say};

/// Prints a text as it is.
pub(super) fn text(text: &str) {
    write(|out| out.write_all(text.as_bytes()));
}

/// Whether nobody reads any more, so that there is nothing left to do.
pub(super) fn is_closed() -> bool {
    CLOSED.get().is_some()
}

/// What [`say`] does.
pub(super) fn line(text: std::fmt::Arguments<'_>) {
    write(|out| {
        out.write_fmt(text)?;
        out.write_all(b"\n")
    });
}

/// What [`complain`] does.
pub(super) fn error_line(text: std::fmt::Arguments<'_>) {
    let _ = std::io::stderr().lock().write_all(format!("{text}\n").as_bytes());
}

/// Sends off what was printed so far.
pub(super) fn flush() {
    write(Write::flush);
}

fn write(with: impl FnOnce(&mut std::io::StdoutLock<'static>) -> std::io::Result<()>) {
    if is_closed() {
        return;
    }
    if let Err(error) = with(&mut std::io::stdout().lock()) {
        let hung_up = error.kind() == ErrorKind::BrokenPipe;
        // Whoever was first has said why.
        let _ = CLOSED.set((!hung_up).then(|| error.to_string()));
    }
}

/// The end of a command: all of it was written, or nobody wanted the rest.
pub(super) fn finish(outcome: Outcome) -> Outcome {
    flush();
    match CLOSED.get() {
        Some(Some(why)) => super::failed(&format!("standard output cannot be written: {why}")),
        Some(None) | None => outcome,
    }
}
