//! `toolgate audit export`: the log for other tools.

use super::pick::Pick;
use crate::audit::Entry;
use crate::cli::Outcome;
use crate::cli::out::{self, complain};
use crate::review::export::{Export, Lines};
use std::cell::Cell;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    pick: Pick,
    /// In which form
    #[arg(long, value_enum)]
    format: Form,
    /// The version of OCSF that events are in
    #[arg(long, value_name = "VERSION", default_value = "1.8", value_parser = ["1.8"])]
    ocsf: String,
    /// Where it is written [default: standard output; a database needs a file]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// Each line as it stands in the log
    #[value(alias = "json")]
    Jsonl,
    /// A table; no cell is a formula
    Csv,
    /// A database with records, accesses, rules and findings
    #[cfg(feature = "sqlite")]
    Sqlite,
    /// One OCSF event for each record
    Ocsf,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let whole = Cell::new(Outcome::Fine);
    if let Some(file) = arguments.out.as_deref().filter(|file| file.is_file() && !arguments.force) {
        let file = file.display();
        return Err(format!("`{file}` is there already; name another file, or add --force"));
    }
    let form = match arguments.format {
        Form::Jsonl => Lines::Jsonl,
        Form::Csv => Lines::Csv,
        Form::Ocsf => Lines::Ocsf,
        #[cfg(feature = "sqlite")]
        Form::Sqlite => return database(arguments, &whole),
    };
    let written = match &arguments.out {
        None => lines(arguments, form, Printed, &whole)?,
        Some(file) => {
            let beside = super::beside(file);
            let made = super::create(&beside)?;
            let written = lines(arguments, form, BufWriter::new(made), &whole)?;
            super::put_in_place(&beside, file)?;
            written
        }
    };
    told(arguments.out.as_deref(), written);
    Ok(whole.get())
}

fn told(file: Option<&Path>, written: u64) {
    if let Some(file) = file {
        complain!("{written} records written to `{}`", file.display());
    }
}

fn lines(
    arguments: &Arguments,
    form: Lines,
    out: impl Write,
    whole: &Cell<Outcome>,
) -> Result<u64, String> {
    let failed = |error: io::Error| format!("the export cannot be written: {error}");
    let mut export = Export::begin(form, out).map_err(failed)?;
    let mut broken = None;
    arguments.pick.each(whole, |entry: &Entry| {
        if broken.is_none() && !out::is_closed() {
            broken = export.take(entry).err();
        }
    })?;
    match broken {
        Some(error) => Err(failed(error)),
        None => export.finish().map_err(failed),
    }
}

#[cfg(feature = "sqlite")]
fn database(arguments: &Arguments, whole: &Cell<Outcome>) -> Result<Outcome, String> {
    use crate::review::export::Database;
    let file = arguments.out.as_deref().ok_or("a database needs a file: -o FILE")?;
    let beside = super::beside(file);
    // What an export left that was killed.
    let _ = std::fs::remove_file(&beside);
    let mut database = Database::begin(&beside)?;
    let mut broken = None;
    arguments.pick.each(whole, |entry| {
        if broken.is_none() {
            broken = database.take(entry).err();
        }
    })?;
    if let Some(error) = broken {
        return Err(error);
    }
    let written = database.finish()?;
    super::put_in_place(&beside, file)?;
    told(Some(file), written);
    Ok(whole.get())
}

/// Standard output, as everything that is printed goes there.
struct Printed;

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Each line comes whole, and is text.
        out::text(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        out::flush();
        Ok(())
    }
}
