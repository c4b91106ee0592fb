//! The log for other tools: as it stands, as a table, as a database, and in the words of OCSF.
//!
//! Each form is made record by record, in the log's order, and depends on nothing but the records:
//! the same log gives the same bytes. Cells of a CSV file are harmless to spreadsheets; the other
//! forms are for programs, and hold what was logged as it was logged.

mod ocsf;
#[cfg(feature = "sqlite")]
mod sqlite;
mod table;

pub use ocsf::{OCSF_VERSION, event as ocsf_event};
#[cfg(feature = "sqlite")]
pub use sqlite::Database;
pub use table::{HEAD, row};

use crate::audit::Entry;
use std::io::{self, Write};

/// A form of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// Each line as it stands in the log.
    Jsonl,
    /// A table, one row for each record.
    Csv,
    /// One OCSF event for each record.
    Ocsf,
}

/// Writes records in a form of lines.
pub struct Export<W: Write> {
    form: Lines,
    out: W,
    written: u64,
}

impl<W: Write> Export<W> {
    /// Begins, with a table's head.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn begin(form: Lines, out: W) -> io::Result<Export<W>> {
        let mut export = Export { form, out, written: 0 };
        if form == Lines::Csv {
            export.row(&HEAD.map(str::to_owned))?;
        }
        Ok(export)
    }

    /// One record.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn take(&mut self, entry: &Entry) -> io::Result<()> {
        self.written += 1;
        match self.form {
            Lines::Jsonl => writeln!(self.out, "{}", entry.text),
            Lines::Csv => self.row(&row(&entry.record)),
            Lines::Ocsf => writeln!(self.out, "{}", ocsf_event(&entry.record)),
        }
    }

    fn row(&mut self, cells: &[String]) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(cells)?;
        let bytes = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        self.out.write_all(&bytes)
    }

    /// The end; how many records there were.
    ///
    /// # Errors
    /// If the last of it cannot be written.
    pub fn finish(mut self) -> io::Result<u64> {
        self.out.flush()?;
        Ok(self.written)
    }
}
